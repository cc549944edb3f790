/* SPDX-License-Identifier: MIT */
/* io: system calls that finish what they began.
 *
 * These are shaped like the calls they wrap (-1 and errno), because only the
 * caller knows the name of the object for a message. Thread-safe.
 */
#ifndef IHOP_BASE_IO_H
#define IHOP_BASE_IO_H

#include "base/err.h"

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads until size bytes or end of file; returns the count. */
ssize_t io_pread_full(int fd, void *buf, size_t size, uint64_t offset)
    __attribute__((warn_unused_result));

/* The same from where fd stands: for a pipe as well. */
ssize_t io_read_full(int fd, void *buf, size_t size) __attribute__((warn_unused_result));

/* Writes all or fails. */
int io_write_full(int fd, const void *buf, size_t size) __attribute__((warn_unused_result));
int io_pwrite_full(int fd, const void *buf, size_t size, uint64_t offset)
    __attribute__((warn_unused_result));

/* Bytes from where fd stands to the end of a regular file or of a device that has one; 0
 * when that is not known (a pipe). */
uint64_t io_input_size(int fd);

/* openat with O_CLOEXEC and O_NOFOLLOW always, O_NONBLOCK for opens that read
 * (a FIFO in place of a file must not block; no effect on regular files), and
 * EINTR retried. */
int io_openat(int dirfd, const char *path, int flags, mode_t mode)
    __attribute__((warn_unused_result));

/* The same for a path of several components, of which none may be a link and
 * which cannot leave dirfd (openat2; a walk where that is refused). O_NOATIME is
 * a wish: only a file's owner and root may have it. */
int io_open_beneath(int dirfd, const char *path, int flags) __attribute__((warn_unused_result));

/* A stream over the directory that is open as dirfd, from its beginning, with a
 * descriptor and a position of its own. */
DIR *io_opendirat(int dirfd) __attribute__((warn_unused_result));

/* The next entry; NULL at the end, with errno 0, or after a failure. EINTR retried. */
struct dirent *io_readdir(DIR *dir) __attribute__((warn_unused_result));

/* close, reporting its error. The descriptor is gone in any case. */
int io_close(int *fd) __attribute__((warn_unused_result));

/* Whether all bytes are 0; so are none. */
bool io_is_zero(const uint8_t *data, size_t size);

/* Whether name, below dirfd, is a directory; flags are fstatat's. What cannot be examined is
 * none. */
bool io_is_directory(int dirfd, const char *name, int flags);

/* fsync retried on EINTR only: any other failure is final. */
int io_fsync(int fd) __attribute__((warn_unused_result));

/* Drops from memory what it holds of a file that was synced, and makes sure that it did:
 * true when the next read gets all of it from the disk. That it cannot tell so is no
 * failure: some file systems have nothing but memory, or keep it to themselves. */
bool io_drop_pages(int fd) __attribute__((warn_unused_result));

/* flock retried on EINTR. */
int io_flock(int fd, int operation) __attribute__((warn_unused_result));

/* Creates directory name below dirfd unless a directory is there; 0755. */
int io_mkdirat(int dirfd, const char *name) __attribute__((warn_unused_result));

/* Reads a whole regular file of at most max bytes that is open as fd. The
 * caller frees *data. what names the file in messages. Kinds: ERR_DAMAGED when
 * it is larger than max or not a regular file, ERR_IO, ERR_MEMORY. */
int io_read_file(int fd, size_t max, const char *what, uint8_t **data, size_t *size, struct err *e)
    __attribute__((warn_unused_result));

/* Whether a system call that is optional failed because this kernel, this file system or
 * the filter of a container does not have it, or not with these flags: then another
 * one can do its work, and will say what else is wrong. */
bool io_is_refused(int errnum);

/* Opens what is missing of descriptors 0 to 2, to be called before anything else is opened:
 * a file that got one of these numbers would get the program's messages, too. It is
 * /dev/null, 0 for writing and the others for reading, so that using one goes on to fail
 * with EBADF; without a /dev/null it is a handle (O_PATH) that fails in the same way. */
int io_fill_standard(void) __attribute__((warn_unused_result));

/* Monotonic clock, in milliseconds. */
uint64_t io_now_ms(void);

/* Fills buf with the hex digits of 8 random bytes and a NUL (17 bytes). */
#define IO_RANDOM_NAME_SIZE 17
bool io_is_random_name(const char *name);
int io_random_name(char buf[IO_RANDOM_NAME_SIZE]) __attribute__((warn_unused_result));

#endif
