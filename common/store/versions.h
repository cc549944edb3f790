/* SPDX-License-Identifier: MIT */
/* versions: what the releases of a store say about versions (format/facts.h). Thread-safe. */
#ifndef IHOP_STORE_VERSIONS_H
#define IHOP_STORE_VERSIONS_H

#include "base/err.h"
#include "base/limits.h"
#include "store/store.h"

#include <stdint.h>

struct store_versions {
    uint64_t newest;                             /* the highest version; 0: none has one */
    char newest_release[LIMIT_RELEASE_NAME + 1]; /* which has it, or "" */
    uint64_t minimum;                            /* the highest minimum version */
};

/* Reads the metadata of all releases. One that cannot be read, or that says it malformed, counts
 * for nothing: it can neither be booted nor served. Kinds: ERR_IO (STORE cannot be listed),
 * ERR_MEMORY. */
int store_versions_read(const struct store *store, struct store_versions *versions, struct err *e)
    __attribute__((warn_unused_result));

#endif
