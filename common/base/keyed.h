/* SPDX-License-Identifier: MIT */
/* keyed: where a key goes in a hash table when somebody else chooses the keys.
 *
 * The hash of a chunk comes from an archive, before its content is verified, so hashes
 * that look alike cost nothing to make. SipHash-1-3 of 16 bytes: without the secret nobody
 * knows which of them would share a slot. Thread-safe.
 */
#ifndef IHOP_BASE_KEYED_H
#define IHOP_BASE_KEYED_H

#include <stdint.h>

#define KEYED_SIZE 16 /* bytes of a key */

struct keyed {
    uint64_t k0, k1;
};

/* A new secret. Never fails: early at boot it may be one that can be guessed. */
void keyed_init(struct keyed *k);

uint64_t keyed_hash(const struct keyed *k, const uint8_t key[KEYED_SIZE]);

#endif
