/* SPDX-License-Identifier: MIT */
/* key_set: the public keys that somebody trusts, from files and directories.
 *
 * A set that was demanded is never empty by mistake: whatever cannot be read, and each file of a
 * directory that is no key, is an error that names it. In a directory every entry counts as a key
 * file, whatever it is called, but for names that begin with a dot or end as those of backups and
 * of package managers do: ~ .bak .orig .dpkg-* .ucf-* .rpmnew .rpmorig .rpmsave. Links are
 * followed.
 *
 * Errors: ERR_NOT_FOUND (no such file or directory), ERR_IO (it cannot be read), ERR_DAMAGED (it
 * is no key; there are more than LIMIT_KEYS), ERR_MEMORY. A set is plain data that owns what it
 * points to; once it is made threads may share it.
 */
#ifndef IHOP_SIGNATURE_KEY_SET_H
#define IHOP_SIGNATURE_KEY_SET_H

#include "base/err.h"
#include "signature/public_key.h"

#include <stddef.h>

struct trusted_key {
    struct public_key key;
    char *path; /* of the file that it was read from first */
};

struct key_set {
    struct trusted_key *keys; /* no two with the same 32 bytes */
    size_t count, capacity;
};

/* Adds the key of a file, or those of a directory in the order of their names. A directory without
 * any key is an error (ERR_DAMAGED). After an error the set may have grown, and must not be used.
 */
int key_set_add(struct key_set *set, const char *path, struct err *e)
    __attribute__((warn_unused_result));

/* Adds the keys of a directory that nobody named, the default one: it may be missing or empty. A
 * link that leads nowhere is not missing, and one that has leftovers alone is not empty. All else
 * is as for key_set_add. */
int key_set_add_default(struct key_set *set, const char *directory, struct err *e)
    __attribute__((warn_unused_result));

/* Adds one key. path is copied. */
int key_set_add_key(struct key_set *set, const struct public_key *key, const char *path,
                    struct err *e) __attribute__((warn_unused_result));

/* The key with these 32 bytes, or NULL. */
const struct trusted_key *key_set_find(const struct key_set *set,
                                       const uint8_t bytes[PUBLIC_KEY_SIZE]);

void key_set_free(struct key_set *set);

#endif
