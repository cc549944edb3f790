/* SPDX-License-Identifier: MIT */
#include "codec/encoder.h"

#include <zstd.h>
#include <zstd_errors.h>

static void *open_state(void)
{
    return ZSTD_createCCtx();
}

static void close_state(void *state)
{
    ZSTD_freeCCtx(state);
}

/* Told the size in advance, the library picks tables that fit the chunk. */
static enum encoded encode(void *state, uint32_t level, const uint8_t *in, size_t in_size,
                           uint8_t *out, size_t room, size_t *size)
{
    size_t n = ZSTD_compressCCtx(state, out, room, in, in_size, (int)level);

    if (ZSTD_isError(n))
        return ZSTD_getErrorCode(n) == ZSTD_error_dstSize_tooSmall ? ENCODED_TOO_LONG
                                                                   : ENCODED_FAILED;
    *size = n;
    return ENCODED_FITS;
}

const struct encoding encoding_zstd = {
    .max_level = 22, .open = open_state, .close = close_state, .encode = encode};
