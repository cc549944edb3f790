/* SPDX-License-Identifier: MIT */
/* release_whole: whether a release could be served: it can be read, and each chunk of its image is
 * there with its size, as a server looks when it starts. Thread-safe. */
#ifndef IHOP_STORE_RELEASE_WHOLE_H
#define IHOP_STORE_RELEASE_WHOLE_H

#include "base/err.h"
#include "format/chunk_hash.h"
#include "store/store.h"

#include <stdint.h>

struct release_whole {
    char id[CHUNK_HASH_HEX]; /* the BLAKE2b-512 of its image */
    uint64_t version;        /* 0 without one, or when what the image says is malformed */
};

/* Fails unless the release is whole, and says why. Kinds: ERR_NOT_FOUND (the release, or chunks of
 * it), ERR_DAMAGED, ERR_IO, ERR_MEMORY. */
int store_release_whole(const struct store *store, const char *name, struct release_whole *whole,
                        struct err *e) __attribute__((warn_unused_result));

#endif
