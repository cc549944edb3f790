/* SPDX-License-Identifier: MIT */
/* none: for archives that are not compressed. A valid chunk of such an archive never gets here,
 * because decoder_run returns a chunk that is stored with its source size as it is. */
#include "codec/decoder.h"

static int none_decode(void *state, const uint8_t *in, size_t in_size, uint8_t *out,
                       size_t out_size, struct err *e)
{
    (void)state;
    (void)in;
    (void)out;
    return err_set(e, ERR_ARCHIVE, "an uncompressed chunk of %zu bytes is stored in %zu", out_size,
                   in_size);
}

static size_t none_memory(size_t out_size)
{
    (void)out_size;
    return 0;
}

const struct decoder_ops none_decoder = {
    .name = "none", .decode = none_decode, .memory = none_memory};
