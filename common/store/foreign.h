/* SPDX-License-Identifier: MIT */
/* foreign: telling release files from what else lies in a directory.
 *
 * A store's directory belongs to the user, who may put anything there. Ours is only a file
 * that begins with the magic of a release, whole or damaged, and what a power cut leaves
 * of one that the original ihop wrote: an empty file, or one of zeros alone. Everything
 * else is foreign: it is never replaced, moved, removed, locked, counted or served.
 * Thread-safe.
 */
#ifndef IHOP_STORE_FOREIGN_H
#define IHOP_STORE_FOREIGN_H

#include "base/err.h"

#include <stdbool.h>

enum store_file {
    STORE_FILE_RELEASE, /* begins with the magic */
    STORE_FILE_BLANK,   /* empty, or zeros alone, and no larger than a release may be */
    STORE_FILE_FOREIGN, /* a regular file of other content */
    STORE_FILE_SPECIAL, /* a directory, a link, a FIFO ...: foreign, too */
};

static inline bool store_file_is_ours(enum store_file file)
{
    return file == STORE_FILE_RELEASE || file == STORE_FILE_BLANK;
}

/* What the file open as fd is, by its type and content: 0, or -1 and errno. *what then is a
 * phrase for messages ("a bita archive"), a constant. */
int store_file_judge(int fd, enum store_file *file, const char **what)
    __attribute__((warn_unused_result));

/* The same for what has a name in a directory. Nothing is waited for, no link is followed and
 * no device opened. */
int store_file_examine(int dirfd, const char *name, enum store_file *file, const char **what)
    __attribute__((warn_unused_result));

/* The same for STORE, where the name counts, too: a blank file whose name is an editor's, or
 * one that no release may have, is foreign. */
int store_file_judge_at(int dirfd, const char *name, enum store_file *file, const char **what)
    __attribute__((warn_unused_result));

/* Whether path leads to a regular file of this kind: for what a user typed. */
bool store_path_is(const char *path, enum store_file file);

enum store_foreign_use {
    STORE_FOREIGN_READ,    /* it was named as a release: ERR_NOT_FOUND */
    STORE_FOREIGN_REPLACE, /* it is in the way of a new one: ERR_OTHER_IMAGE */
};

/* Fails when name is there in dirfd and foreign, and says what it is; with ERR_IO when it is
 * no regular file. For messages, dirfd
 * is directory/where, where being "" or ending in a slash. What cannot be examined is left to
 * whoever opens it. */
int store_foreign_check_at(int dirfd, const char *directory, const char *where, const char *name,
                           enum store_foreign_use use, struct err *e)
    __attribute__((warn_unused_result));

/* The same for a directory that is not open, and that may not be a store. */
int store_foreign_check(const char *directory, const char *name, enum store_foreign_use use,
                        struct err *e) __attribute__((warn_unused_result));

#endif
