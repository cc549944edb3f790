/* SPDX-License-Identifier: MIT */
#include "codec/encoder.h"

#include <stdbool.h>
#include <zstd.h>

/* A level stands for a window and tables of up to a gigabyte. A window that the chunk just fits
 * into gives the same result with less memory, but not below 18 bits. Above 21 bits nothing is
 * gained: chunks over 2 MiB are almost always zeros. */
#define MIN_WINDOW_BITS 18
#define MAX_WINDOW_BITS 21

static void *open_encoder_state(void)
{
    return ZSTD_createCCtx();
}

static void close_encoder_state(void *state)
{
    ZSTD_freeCCtx(state);
}

static int zstd_window_bits(size_t size)
{
    int bits = MIN_WINDOW_BITS;

    while (bits < MAX_WINDOW_BITS && (size_t)1 << bits < size)
        bits++;
    return bits;
}

static bool set_parameters(ZSTD_CCtx *c, uint32_t level, size_t in_size)
{
    return !ZSTD_isError(ZSTD_CCtx_reset(c, ZSTD_reset_session_and_parameters)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, (int)level)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, zstd_window_bits(in_size)));
}

/* Encodes with ZSTD_e_continue first and ZSTD_e_end afterwards, as bita does. If the first call
 * had ZSTD_e_end, the library would choose simpler parameters for a small input, and the result
 * would be up to 2 % larger. */
static enum encoded zstd_encode(void *state, uint32_t level, const uint8_t *in, size_t in_size,
                                uint8_t *out, size_t capacity, size_t *size)
{
    ZSTD_inBuffer from = {in, in_size, 0};
    ZSTD_outBuffer to = {out, capacity, 0};
    ZSTD_EndDirective step = ZSTD_e_continue;
    size_t left;

    if (!set_parameters(state, level, in_size))
        return ENCODED_FAILED;
    do {
        left = ZSTD_compressStream2(state, &to, &from, step);
        if (ZSTD_isError(left))
            return ENCODED_FAILED;
        if (step == ZSTD_e_end && left == 0) {
            *size = to.pos;
            return ENCODED_FITS;
        }
        if (from.pos == from.size)
            step = ZSTD_e_end;
    } while (to.pos < to.size);
    return ENCODED_TOO_LONG;
}

const struct encoder_ops zstd_encoder = {.max_level = 22,
                                         .open = open_encoder_state,
                                         .close = close_encoder_state,
                                         .encode = zstd_encode};
