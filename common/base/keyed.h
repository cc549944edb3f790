/* SPDX-License-Identifier: MIT */
/* keyed: the place of a key in a hash table when somebody else chooses the keys.
 *
 * The hashes of chunks come from an archive before the chunks are verified, so an archive may
 * be made with many hashes that would share a place and make the table slow. The place is
 * therefore computed with a secret, by SipHash-1-3 of 16 bytes. Thread-safe.
 */
#ifndef IHOP_BASE_KEYED_H
#define IHOP_BASE_KEYED_H

#include <stdint.h>

#define KEYED_SIZE 16 /* bytes of a key that count */

struct keyed {
    uint64_t k0, k1;
};

/* Makes a new secret. Never fails, but early at boot the secret may be one that can be guessed. */
void keyed_init(struct keyed *k);

uint64_t keyed_hash(const struct keyed *k, const uint8_t key[KEYED_SIZE]);

#endif
