/* SPDX-License-Identifier: MIT */
/* zero_chunks: which chunks of an image are all zeros, told by their hash alone. Such
 * a chunk is made as a hole and never fetched. */
#ifndef IHOP_FORMAT_ZERO_CHUNKS_H
#define IHOP_FORMAT_ZERO_CHUNKS_H

#include "base/err.h"
#include "format/image.h"

/* Sets zero on chunks whose hash is that of zeros. Only those are tried that
 * compress extremely well or, in an archive without compression, have the chunker's maximum
 * size, which is how a run of zeros is cut. Costs one hash over as many zeros as the largest
 * of them has, up to LIMIT_CHUNK; for 16 MiB, the usual maximum, the hash is known. ERR_MEMORY. */
int zero_chunks_find(struct image *image, struct err *e) __attribute__((warn_unused_result));

#endif
