/* SPDX-License-Identifier: MIT */
#include "codec/encoder.h"

#include <brotli/encode.h>
#include <stdbool.h>

/* A window larger than the chunk gains nothing, and a decoder would reserve memory for all of
 * it. With fewer than 17 bits the library turns to a match finder that is meant for small
 * memory; 22 bits are the default of the library and of bita. */
#define MIN_WINDOW_BITS 17
#define MAX_WINDOW_BITS 22
#define WINDOW_GAP      16 /* bytes of a window that cannot be referred to (RFC 7932) */

static uint32_t brotli_window_bits(size_t size)
{
    uint32_t bits = MIN_WINDOW_BITS;

    while (bits < MAX_WINDOW_BITS && ((size_t)1 << bits) - WINDOW_GAP < size)
        bits++;
    return bits;
}

/* Brotli cannot reset an encoder, so each chunk has one of its own. That is cheap, because
 * malloc reuses the memory of the one before. */
static enum encoded brotli_encode(void *state, uint32_t level, const uint8_t *in, size_t in_size,
                                  uint8_t *out, size_t capacity, size_t *size)
{
    BrotliEncoderState *s = BrotliEncoderCreateInstance(NULL, NULL, NULL);
    size_t left = capacity;
    bool ok, finished;

    (void)state;
    if (!s)
        return ENCODED_FAILED;
    ok = BrotliEncoderSetParameter(s, BROTLI_PARAM_QUALITY, level) &&
         BrotliEncoderSetParameter(s, BROTLI_PARAM_LGWIN, brotli_window_bits(in_size)) &&
         BrotliEncoderCompressStream(s, BROTLI_OPERATION_FINISH, &in_size, &in, &left, &out, NULL);
    finished = ok && BrotliEncoderIsFinished(s);
    BrotliEncoderDestroyInstance(s);
    *size = capacity - left;
    return !ok ? ENCODED_FAILED : finished ? ENCODED_FITS : ENCODED_TOO_LONG;
}

const struct encoder_ops brotli_encoder = {.max_level = 11, .encode = brotli_encode};
