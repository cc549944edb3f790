/* SPDX-License-Identifier: MIT */
/* chunk_source: an archive whose chunks several threads read, at a path or a URL. Offsets are in
 * the archive, in bytes. */
#ifndef IHOP_COMPRESS_CHUNK_SOURCE_H
#define IHOP_COMPRESS_CHUNK_SOURCE_H

#include "base/err.h"
#include "cli/network_options.h"
#include "fetch/chunk_decoder.h"
#include "format/image.h"
#include "reader/reader.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct chunk_source {
    struct image image;
    struct reader *reader; /* protected by lock: one thread at a time drives it */
    pthread_mutex_t lock;
};

/* Reads the archive's header. The caller calls chunk_source_close, even after a failure. The kinds
 * of a reader, and ERR_ARCHIVE. */
int chunk_source_open(struct chunk_source *s, const char *archive,
                      const struct network_options *network, struct err *e)
    __attribute__((warn_unused_result));
void chunk_source_close(struct chunk_source *s);

/* Reads bytes of the archive. The kinds of a reader. */
int chunk_source_read(struct chunk_source *s, uint64_t offset, size_t size, uint8_t *data,
                      struct err *e) __attribute__((warn_unused_result));

/* Decodes chunk number i from its bytes with a decoder for this image. The error names archive and
 * chunk. */
int chunk_source_decode(const struct chunk_source *s, struct chunk_decoder *d, size_t i,
                        const uint8_t *bytes, const uint8_t **plain, struct err *e)
    __attribute__((warn_unused_result));

#endif
