/* SPDX-License-Identifier: MIT */
/* meta_file: small files in .ihop, read and replaced as wholes. For store/ alone.
 *
 * What has the name of one may be anything: only a regular file that is no larger than such a file
 * may be is ours; all else is neither read nor replaced. Whoever writes holds the publish lock
 * (lock.h). The store may be open for reading. Thread-safe.
 */
#ifndef IHOP_STORE_META_FILE_H
#define IHOP_STORE_META_FILE_H

#include "base/err.h"
#include "store/store.h"

#include <stddef.h>

#define META_FILE_MAX 4096 /* bytes of one */

enum meta_entry {
    META_ABSENT,
    META_OURS,
    META_FOREIGN, /* no regular file, or too large: neither read nor replaced */
};

enum meta_entry meta_file_look(const struct store *store, const char *name);

/* Fails with ERR_IO: what has the name is none of ihop's files. */
int meta_file_is_foreign(const struct store *store, const char *name, struct err *e)
    __attribute__((warn_unused_result));

/* Reads the file; *size becomes how many bytes it has, META_FILE_MAX + 1 when it has more.
 * ERR_NOT_FOUND when there is none; ERR_IO, also when it may be whole and cannot be read now. */
int meta_file_read(const struct store *store, const char *name, char text[META_FILE_MAX + 1],
                   size_t *size, struct err *e) __attribute__((warn_unused_result));

/* Writes all of a file, over one of that name that is ours, and makes its data durable. Its name
 * may not be yet. Not atomic. Kinds: ERR_SPACE, ERR_IO. */
int meta_file_write(const struct store *store, const char *name, const char *text, size_t size,
                    struct err *e) __attribute__((warn_unused_result));

/* Gives the text the name in one step that a power cut cannot halve, by way of the file fresh, and
 * makes that durable. Kinds: ERR_SPACE, ERR_IO; name is as before then, unless it was the sync of
 * .ihop that failed. */
int meta_file_replace(const struct store *store, const char *fresh, const char *name,
                      const char *text, size_t size, struct err *e)
    __attribute__((warn_unused_result));

#endif
