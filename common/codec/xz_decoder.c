/* SPDX-License-Identifier: MIT */
/* xz: bita calls this lzma; each chunk is a whole .xz stream. */
#include "codec/decoder.h"

#include "base/checked.h"
#include "base/limits.h"
#include "codec/xz_state.h"

static int xz_decode(void *state, const uint8_t *in, size_t in_size, uint8_t *out, size_t out_size,
                     struct err *e)
{
    lzma_stream *s = state;
    lzma_ret ret;

    /* Starting again on a used stream keeps its buffers. */
    ret = lzma_stream_decoder(s, LIMIT_XZ_MEMORY, 0);
    if (ret == LZMA_OK) {
        s->next_in = in;
        s->avail_in = in_size;
        s->next_out = out;
        s->avail_out = out_size;
        /* lzma_code pauses when the output is full, before the end of the stream. The loop ends
         * even then, because a call that makes no progress returns LZMA_BUF_ERROR. */
        do
            ret = lzma_code(s, LZMA_FINISH);
        while (ret == LZMA_OK);
    }
    if (ret == LZMA_MEM_ERROR)
        return err_nomem(e, "decoding xz");
    if (ret == LZMA_MEMLIMIT_ERROR)
        return err_set(e, ERR_ARCHIVE, "invalid xz data: it demands more than %llu MiB to decode",
                       (unsigned long long)(LIMIT_XZ_MEMORY / MIB));
    if (ret != LZMA_STREAM_END || s->avail_in != 0 || s->avail_out != 0)
        return err_set(e, ERR_ARCHIVE, "invalid xz data");
    return 0;
}

/* The dictionary is larger, but only as much of it as the output has bytes is ever touched. */
static size_t xz_memory(size_t out_size)
{
    return min_size(out_size, 64 * MIB) + 256 * KIB;
}

const struct decoder_ops xz_decoder = {.name = "lzma",
                                       .open = xz_state_open,
                                       .close = xz_state_close,
                                       .decode = xz_decode,
                                       .memory = xz_memory};
