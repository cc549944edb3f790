/* SPDX-License-Identifier: MIT */
/* lock: the locks of a store, and whether they work at all. For store/ alone.
 *
 * Writers exclude each other by flocks on files below .ihop that only those can open
 * who may write there. A release file must stay readable for everybody, and whoever can
 * read a file can flock it. So a server holds a second lock on its release, a record
 * lock that belongs to the open file (F_OFD_SETLK): only those who may write the file can
 * hold a lock that stands against it. The server's flock is for earlier versions, which
 * know no record locks.
 *
 * No function waits without a limit. Thread-safe.
 */
#ifndef IHOP_STORE_LOCK_H
#define IHOP_STORE_LOCK_H

#include "base/err.h"
#include "store/release_list.h"
#include "store/store.h"

#include <stdint.h>

/* Opens .ihop/NAME, which is made if it is not there. Only those who may write to .ihop can
 * open it; if its mode lets others, the mode is corrected, if this user may do so. */
int store_lock_open(const struct store *store, const char *name, struct err *e)
    __attribute__((warn_unused_result));

/* Corrects the mode of .ihop/NAME alone, if there is such a file. */
void store_lock_put_right(const struct store *store, const char *name);

/* flock, tried until limit_ms milliseconds are over; -1 with errno. EWOULDBLOCK means that
 * somebody else has the lock, any other errno that there are no such locks here. */
int store_lock_take(int fd, int operation, uint64_t limit_ms) __attribute__((warn_unused_result));

/* Keeps out all others who change releases, or the layout of a new store, until the caller
 * closes the descriptor that is returned. ERR_BUSY after five minutes. */
int store_publish_lock(const struct store *store, struct err *e)
    __attribute__((warn_unused_result));

/* Takes the locks of a server on the release that is open as fd; what names it in messages.
 * Waits a few seconds at most. Kinds: ERR_BUSY, ERR_IO (there are no locks here). */
int store_lock_release(int fd, const char *what, struct err *e) __attribute__((warn_unused_result));

/* Whether a server holds the release NAME of dirfd, which is open as fd; with errno when that
 * is not known. Takes no lock that would stay. */
enum store_served store_lock_is_served(int dirfd, const char *name, int fd)
    __attribute__((warn_unused_result));

/* Opens the release NAME of dirfd as *fd, or leaves -1 there. If the answer is that it is not
 * served, no server can begin to serve it as long as *fd is open. */
enum store_served store_lock_unserved(int dirfd, const char *name, int *fd)
    __attribute__((warn_unused_result));

/* Fails with ERR_IO: it is not known whether a release is served, because of errnum. where: its
 * directory below STORE, "" or ending in a slash. */
int store_lock_cannot_tell(const struct store *store, const char *where, const char *name,
                           int errnum, struct err *e) __attribute__((warn_unused_result));

#endif
