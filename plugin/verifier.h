/* SPDX-License-Identifier: MIT */
/* verifier: hashes each chunk before its first use (verify=first).
 *
 * A chunk that once hashed wrong stays bad as long as the server lives: a block
 * device must not change under a file system. A chunk found good is not hashed
 * again; for rot after that there is dm-verity.
 *
 * Asking about a good chunk takes no lock. Thread-safe, but for init and free.
 */
#ifndef IHOP_PLUGIN_VERIFIER_H
#define IHOP_PLUGIN_VERIFIER_H

#include "plugin/chunk_fds.h"

#include "base/err.h"
#include "format/image.h"

#include <stdbool.h>
#include <stddef.h>

struct verifier;

/* The image must outlive the verifier. ERR_MEMORY, ERR_IO. */
struct verifier *verifier_new(const struct image *image, struct err *e)
    __attribute__((warn_unused_result));
void verifier_free(struct verifier *v);

/* Fails unless the chunk, open as fd, is good: hashes it unless its state is known. Kinds:
 * ERR_DAMAGED (wrong content, after which verifier_is_bad says so, or cut short), ERR_IO,
 * ERR_MEMORY. what names the chunk in messages. */
int verifier_check(struct verifier *v, size_t chunk, int fd, const char *what, struct err *e)
    __attribute__((warn_unused_result));

/* verifier_check for another file, fresh, that is to take the place of the kept one. It is hashed
 * in any case. If it is good it is put in place, and only then the chunk counts as good, so
 * that no thread which does not hash reads the old file, which nobody has verified. */
int verifier_replace(struct verifier *v, size_t chunk, const struct chunk_lease *kept,
                     const struct chunk_lease *fresh, const char *what, struct err *e)
    __attribute__((warn_unused_result));

bool verifier_is_good(const struct verifier *v, size_t chunk);
bool verifier_is_bad(const struct verifier *v, size_t chunk);

#endif
