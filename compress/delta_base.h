/* SPDX-License-Identifier: MIT */
/* delta_base: chooses which parts of an old image a new chunk is encoded against.
 *
 * They are where the chunk would be if what lies around it had moved along (anchors.h), and where
 * much of what it has is found (shingle_index.h). Blocks of zeros help nobody and are left out. A
 * base is in the order of the old image.
 *
 * The same images give the same bases. Any thread may choose, each with a scratch of its own.
 */
#ifndef IHOP_COMPRESS_DELTA_BASE_H
#define IHOP_COMPRESS_DELTA_BASE_H

#include "base/err.h"
#include "base/limits.h"
#include "compress/anchors.h"
#include "compress/old_image.h"
#include "format/delta_list.h"

#include <stddef.h>
#include <stdint.h>

struct delta_base {
    struct delta_range ranges[LIMIT_DELTA_RANGES];
    size_t count;
};

struct delta_chooser {
    const struct old_image *old; /* loaded */
    const struct anchors *anchors;
};

/* A chunk of the new image: where it is for the first time, and what it has. */
struct delta_target {
    uint64_t offset;
    const uint8_t *content;
    size_t size;
};

struct delta_scratch {
    struct shingle_list shingles;
    struct sighting *sightings; /* where shingles were found */
    size_t count, capacity;
    uint32_t *seen; /* for each shingle */
    size_t seen_capacity;
};

void delta_scratch_free(struct delta_scratch *s);

/* ERR_MEMORY. */
int delta_base_choose(const struct delta_chooser *c, struct delta_scratch *s,
                      const struct delta_target *target, struct delta_base *base, struct err *e)
    __attribute__((warn_unused_result));

#endif
