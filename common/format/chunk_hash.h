/* SPDX-License-Identifier: MIT */
/* chunk_hash: BLAKE2b-512 (RFC 7693), by OpenSSL.
 *
 * A chunk's name is the hash of its uncompressed bytes, truncated to the hash
 * length of its image. A hasher is reused for many hashes and belongs to one
 * thread at a time.
 */
#ifndef IHOP_FORMAT_CHUNK_HASH_H
#define IHOP_FORMAT_CHUNK_HASH_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define CHUNK_HASH_SIZE 64
#define CHUNK_HASH_HEX  (2 * CHUNK_HASH_SIZE + 1) /* with NUL */

struct chunk_hasher;

/* Every function can fail with ERR_MEMORY; chunk_hasher_new also with ERR_IO when OpenSSL has
 * no BLAKE2b. */
struct chunk_hasher *chunk_hasher_new(struct err *e) __attribute__((warn_unused_result));
void chunk_hasher_free(struct chunk_hasher *h);
void chunk_hasher_cleanup(struct chunk_hasher **h);

/* Hashes all of the data at once. */
int chunk_hash(struct chunk_hasher *h, const void *data, size_t size, uint8_t out[CHUNK_HASH_SIZE],
               struct err *e) __attribute__((warn_unused_result));

/* Hash data in pieces: begin, then update any number of times, then end. */
int chunk_hash_begin(struct chunk_hasher *h, struct err *e) __attribute__((warn_unused_result));
int chunk_hash_update(struct chunk_hasher *h, const void *data, size_t size, struct err *e)
    __attribute__((warn_unused_result));
int chunk_hash_end(struct chunk_hasher *h, uint8_t out[CHUNK_HASH_SIZE], struct err *e)
    __attribute__((warn_unused_result));

/* Tells the hash of what was fed since chunk_hash_begin, and more may be fed afterwards. */
int chunk_hash_peek(struct chunk_hasher *h, uint8_t out[CHUNK_HASH_SIZE], struct err *e)
    __attribute__((warn_unused_result));

#endif
