/* SPDX-License-Identifier: MIT */
/* xz: bita calls this lzma; each chunk is a whole .xz stream. */
#include "codec/encoder.h"

#include "base/limits.h"
#include "codec/xz_state.h"

/* The dictionary of a preset has up to 64 MiB, and its tables are cleared for each chunk. A
 * dictionary that the chunk just fits into gives as good a result. It is not smaller than
 * 1 MiB, because the encoder keeps its memory only while the size stays the same. */
#define MIN_DICTIONARY (1 * MIB)

static void choose_dictionary(lzma_options_lzma *options, size_t in_size)
{
    uint32_t dictionary = MIN_DICTIONARY;

    while (dictionary < in_size && dictionary < options->dict_size)
        dictionary *= 2;
    if (dictionary < options->dict_size)
        options->dict_size = dictionary;
}

static enum encoded xz_encode(void *state, uint32_t level, const uint8_t *in, size_t in_size,
                              uint8_t *out, size_t capacity, size_t *size)
{
    lzma_options_lzma options;
    const lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, NULL}};
    lzma_stream *s = state;
    lzma_ret ret;

    if (lzma_lzma_preset(&options, level))
        return ENCODED_FAILED;
    choose_dictionary(&options, in_size);
    /* Starting again on a used stream keeps its buffers. */
    ret = lzma_stream_encoder(s, filters, LZMA_CHECK_CRC64);
    if (ret != LZMA_OK)
        return ENCODED_FAILED;
    s->next_in = in;
    s->avail_in = in_size;
    s->next_out = out;
    s->avail_out = capacity;
    do
        ret = lzma_code(s, LZMA_FINISH);
    while (ret == LZMA_OK && s->avail_out > 0);
    *size = capacity - s->avail_out;
    return ret == LZMA_STREAM_END ? ENCODED_FITS
           : ret == LZMA_OK       ? ENCODED_TOO_LONG
                                  : ENCODED_FAILED;
}

const struct encoder_ops xz_encoder = {
    .max_level = 9, .open = xz_state_open, .close = xz_state_close, .encode = xz_encode};
