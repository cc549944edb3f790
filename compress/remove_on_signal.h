/* SPDX-License-Identifier: MIT */
/* remove_on_signal: unfinished files that have a name are removed when SIGHUP, SIGINT or
 * SIGTERM ends the process.
 *
 * The names are the process's: several parts of it can each have theirs. A signal that was
 * ignored stays ignored, and a handler that was there before is called afterwards.
 *
 * Adding and dropping is for one thread at a time; the signal may come on any thread.
 */
#ifndef IHOP_COMPRESS_REMOVE_ON_SIGNAL_H
#define IHOP_COMPRESS_REMOVE_ON_SIGNAL_H

#include "base/err.h"

/* How many names there can be at a time, and how long each of them. */
#define REMOVE_ON_SIGNAL_MAX       8
#define REMOVE_ON_SIGNAL_NAME_SIZE 64

/* Adds the file called name in the directory, which stays open until the name is dropped.
 * The file need not exist yet: a caller adds its name, then creates it. name is copied, and
 * no other file of the process has it. ERR_IO when there are too many names, or it is too
 * long. */
int remove_on_signal_add(int directory_fd, const char *name, struct err *e)
    __attribute__((warn_unused_result));

/* Drops a name that was added: the file has been removed, or has another name now. */
void remove_on_signal_drop(const char *name);

#endif
