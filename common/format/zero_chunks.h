/* SPDX-License-Identifier: MIT */
/* zero_chunks: finds the chunks of an image that are all zeros, by their hash alone. Such a chunk
 * is made as a hole and never fetched. */
#ifndef IHOP_FORMAT_ZERO_CHUNKS_H
#define IHOP_FORMAT_ZERO_CHUNKS_H

#include "base/err.h"
#include "format/image.h"

/* Sets the member zero of the chunks whose hash is that of zeros. Only those are tried that
 * compress extremely well or, in an archive without compression, have the chunker's maximum size,
 * because a run of zeros is cut into chunks of that size. The cost is one hash over as many zeros
 * as the largest of them has, up to LIMIT_CHUNK; for 16 MiB, the usual maximum, the hash is known.
 * ERR_MEMORY. */
int zero_chunks_find(struct image *image, struct err *e) __attribute__((warn_unused_result));

#endif
