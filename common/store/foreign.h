/* SPDX-License-Identifier: MIT */
/* foreign: which files of a directory are releases, and which are foreign.
 *
 * A store's directory belongs to the user, who may put anything there. A file is ours only if
 * it begins with the magic of a release, whole or damaged, or if it is what a power cut
 * leaves of a release of ihop 0.1: empty, or zeros alone. Everything else is foreign: it
 * is never replaced, moved, removed, locked, counted or served. Thread-safe.
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

/* Says what the file open as fd is, by its type and content; -1 with errno. *what becomes a
 * phrase for messages ("a bita archive"), which lives for ever. */
int store_file_judge(int fd, enum store_file *file, const char **what)
    __attribute__((warn_unused_result));

/* As store_file_judge, for what has this name in a directory. Nothing is waited for, no link is
 * followed and no device opened. */
int store_file_examine(int dirfd, const char *name, enum store_file *file, const char **what)
    __attribute__((warn_unused_result));

/* As store_file_examine, for STORE itself, where the name counts, too: a blank file is foreign
 * if its name is one that editors give, or one that no release may have. */
int store_file_judge_at(int dirfd, const char *name, enum store_file *file, const char **what)
    __attribute__((warn_unused_result));

/* Whether path leads to a regular file of this kind. The path is what a user typed, so links
 * are followed. */
bool store_path_is(const char *path, enum store_file file);

enum store_foreign_use {
    STORE_FOREIGN_READ,    /* it was named as a release: ERR_NOT_FOUND */
    STORE_FOREIGN_REPLACE, /* it is in the way of a new one: ERR_OTHER_IMAGE */
};

/* Fails when name is there in dirfd and foreign, and says what it is; the kind is that of use,
 * or ERR_IO when it is no regular file. For messages, the path of dirfd is directory/where;
 * where is "" or ends in a slash. What cannot be examined is left to whoever opens it. */
int store_foreign_check_at(int dirfd, const char *directory, const char *where, const char *name,
                           enum store_foreign_use use, struct err *e)
    __attribute__((warn_unused_result));

/* As store_foreign_check_at, for a directory that is not open, and may be no store. */
int store_foreign_check(const char *directory, const char *name, enum store_foreign_use use,
                        struct err *e) __attribute__((warn_unused_result));

#endif
