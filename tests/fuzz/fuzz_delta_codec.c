/* SPDX-License-Identifier: MIT */
/* fuzz_delta_codec: what decodes deltas reads the input: one byte for what it is (0 and 1: a delta
 * of DELTA_ZSTD or DELTA_BSDIFF, 2: the program that such a frame has), the chunk's size - 1 and
 * the base's size (u16, little-endian), the base, and then the delta. */
#include "fuzz.h"

#include "codec/bsdiff_decoder.h"
#include "codec/delta_decoder.h"

#include <stdlib.h>
#include <string.h>

static int decode(struct delta_decoder *d, unsigned what, struct delta_bytes delta,
                  struct delta_bytes base, uint8_t *out, size_t size)
{
    struct err e = ERR_INIT;
    int r = what == 2 ? bsdiff_decode(delta, base, out, size, &e)
                      : delta_decoder_run(d, what == 0 ? DELTA_ZSTD : DELTA_BSDIFF, delta, base,
                                          out, size, &e);

    FUZZ_ASSERT(r == 0 || e.kind == ERR_ARCHIVE || e.kind == ERR_MEMORY);
    return r;
}

/* Of the exact size, so that a sanitizer sees each byte beyond. */
static struct delta_bytes copy(const uint8_t *data, size_t size, uint8_t **memory)
{
    *memory = malloc(size ? size : 1);
    if (*memory && size > 0)
        memcpy(*memory, data, size);
    return (struct delta_bytes){*memory, size};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct delta_decoder d;
    uint8_t *old, *in, *out, *again;

    if (size < 5)
        return 0;
    size_t out_size = (size_t)(data[1] | data[2] << 8) + 1,
           base_size = (size_t)(data[3] | data[4] << 8);
    if (base_size > size - 5)
        base_size = size - 5;

    struct delta_bytes base = copy(data + 5, base_size, &old);
    struct delta_bytes delta = copy(data + 5 + base_size, size - 5 - base_size, &in);
    out = malloc(out_size);
    again = malloc(out_size);
    delta_decoder_init(&d);
    if (old && in && out && again) {
        int first = decode(&d, data[0] % 3, delta, base, out, out_size);

        /* Twice: a decoder must be as good as new after any input. */
        FUZZ_ASSERT(decode(&d, data[0] % 3, delta, base, again, out_size) == first);
        FUZZ_ASSERT(first < 0 || memcmp(out, again, out_size) == 0);
    }
    delta_decoder_release(&d);
    free(old);
    free(in);
    free(out);
    free(again);
    return 0;
}
