/* SPDX-License-Identifier: MIT */
/* fuzz_archive: archive_parse reads the input. The size, the chunk data offset's field and the
 * checksum are set right first, or the fuzzer would never get past them. */
#include "fuzz.h"

#include "base/limits.h"
#include "base/text.h"
#include "format/archive.h"
#include "format/release.h"

#include <stdlib.h>
#include <string.h>

/* What is published must be readable again, and say the same. */
static void check_as_release(const struct image *image)
{
    struct err e = ERR_INIT;
    struct image back;
    uint8_t *data;
    size_t size;

    FUZZ_ASSERT(release_encode(image, &data, &size, &e) == 0);
    FUZZ_ASSERT(size <= LIMIT_RELEASE);
    FUZZ_ASSERT(release_parse(data, size, &back, &e) == 0);
    FUZZ_ASSERT(image_same_source(image, &back));
    FUZZ_ASSERT(back.chunks.count == image->chunks.count && back.order_count == image->order_count);
    FUZZ_ASSERT(back.metadata_count == image->metadata_count);
    image_free(&back);
    free(data);
}

static void check_image(const struct image *image, uint64_t archive_size)
{
    uint64_t total = 0;

    for (size_t i = 0; i < image->chunks.count; i++) {
        const struct chunk *c = &image->chunks.items[i];

        FUZZ_ASSERT(c->source_size > 0 && c->archive_size > 0);
        FUZZ_ASSERT(c->archive_offset <= archive_size);
        FUZZ_ASSERT(c->archive_size <= archive_size - c->archive_offset);
    }
    for (size_t i = 0; i < image->order_count; i++) {
        FUZZ_ASSERT(image->order[i] < image->chunks.count);
        total += image->chunks.items[image->order[i]].source_size;
    }
    FUZZ_ASSERT(total == image->source_size);
}

static void sign(uint8_t *header, size_t size)
{
    struct err e = ERR_INIT;
    struct chunk_hasher *h = chunk_hasher_new(&e);

    text_put_le64(header + 6, size - ARCHIVE_OVERHEAD);
    FUZZ_ASSERT(h && chunk_hash(h, header, size - 64, header + size - 64, &e) == 0);
    chunk_hasher_free(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t archive_size = size + 4096;
    struct err e = ERR_INIT;
    struct image image;
    uint8_t *header = malloc(size + 1);

    if (!header)
        return 0;
    memcpy(header, data, size);
    /* As it is, too: the framing must stand by itself. */
    if (archive_parse(header, size, archive_size, &image, &e) == 0)
        image_free(&image);
    if (size >= ARCHIVE_OVERHEAD) {
        sign(header, size);
        if (archive_parse(header, size, archive_size, &image, &e) == 0) {
            check_image(&image, archive_size);
            check_as_release(&image);
            image_free(&image);
        } else {
            FUZZ_ASSERT(e.kind == ERR_ARCHIVE && e.text[0]);
        }
    }
    free(header);
    return 0;
}
