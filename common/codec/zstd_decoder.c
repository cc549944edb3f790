/* SPDX-License-Identifier: MIT */
#include "codec/decoder.h"

#include "base/limits.h"

#include <zstd.h>

static void *open_decoder_state(void)
{
    return ZSTD_createDCtx();
}

static void close_decoder_state(void *state)
{
    ZSTD_freeDCtx(state);
}

/* A chunk is one frame, whose content size may be missing. The library would accept several
 * frames in a row, so the size of the first frame is compared with that of the input. */
static int zstd_decode(void *state, const uint8_t *in, size_t in_size, uint8_t *out,
                       size_t out_size, struct err *e)
{
    size_t n = ZSTD_findFrameCompressedSize(in, in_size);

    if (!ZSTD_isError(n) && n == in_size)
        n = ZSTD_decompressDCtx(state, out, out_size, in, in_size);
    else
        n = out_size + 1;
    if (n != out_size)
        return err_set(e, ERR_ARCHIVE, "invalid zstd data");
    return 0;
}

/* No window is needed, because decoding in one call uses the output as its window. */
static size_t zstd_memory(size_t out_size)
{
    (void)out_size;
    return 256 * KIB;
}

const struct decoder_ops zstd_decoder = {.name = "zstd",
                                         .open = open_decoder_state,
                                         .close = close_decoder_state,
                                         .decode = zstd_decode,
                                         .memory = zstd_memory};
