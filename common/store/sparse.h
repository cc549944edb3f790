/* SPDX-License-Identifier: MIT */
/* sparse: which parts of a chunk are holes in its file. Sizes are in bytes. Thread-safe. */
#ifndef IHOP_STORE_SPARSE_H
#define IHOP_STORE_SPARSE_H

#include "base/limits.h"

#include <stddef.h>
#include <stdint.h>

/* In a chunk file, an aligned run of zeros at least this long becomes a hole. */
#define HOLE_MIN ((size_t)(64 * KIB))

/* Writes data to an empty file, leaving a hole wherever an aligned run of HOLE_MIN bytes is
 * zeros. Adds to *written how many bytes were written. -1 with errno. Thread-safe. */
int store_write_sparse(int fd, const uint8_t *data, size_t size, uint64_t *written)
    __attribute__((warn_unused_result));

/* How many bytes store_write_sparse would write. */
uint64_t store_stored_bytes(const uint8_t *data, size_t size);

#endif
