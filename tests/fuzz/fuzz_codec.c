/* SPDX-License-Identifier: MIT */
/* fuzz_codec: a decoder reads the input: one byte for the codec, the chunk's size - 1 (u16,
 * little-endian), then what lies in the archive. */
#include "fuzz.h"

#include "codec/decoder.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct decoder d = {0};
    struct chunk chunk;
    const uint8_t *plain = NULL;
    struct err e = ERR_INIT;
    uint8_t *in, *out;

    if (size < 4)
        return 0;
    chunk = (struct chunk){.archive_size = (uint32_t)size - 3,
                           .source_size = (uint32_t)(data[1] | data[2] << 8) + 1};
    /* Of the exact sizes, so that a sanitizer sees each byte beyond. */
    in = malloc(chunk.archive_size);
    out = malloc(chunk.source_size);
    if (in && out) {
        decoder_init(&d, (enum image_compression)(data[0] % 4));
        memcpy(in, data + 3, chunk.archive_size);
        /* Twice: a decoder must be as good as new after any input. */
        int first = decoder_run(&d, &chunk, in, out, &plain, &e);

        FUZZ_ASSERT(first == 0 || e.kind == ERR_ARCHIVE || e.kind == ERR_MEMORY);
        FUZZ_ASSERT(decoder_run(&d, &chunk, in, out, &plain, &e) == first);
        if (first == 0)
            FUZZ_ASSERT(plain == in || plain == out);
        decoder_release(&d);
    }
    free(in);
    free(out);
    return 0;
}
