/* SPDX-License-Identifier: MIT */
/* io: system calls that are complete: not cut short, and retried after EINTR.
 *
 * Like the calls that they wrap, they return -1 and set errno, because only the caller knows
 * the name of the object for a message. Thread-safe.
 */
#ifndef IHOP_BASE_IO_H
#define IHOP_BASE_IO_H

#include "base/err.h"

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads until there are size bytes or the file ends; returns the number of bytes. */
ssize_t io_pread_full(int fd, void *buf, size_t size, uint64_t offset)
    __attribute__((warn_unused_result));

/* Reads like io_pread_full, but from the present position; works on a pipe, too. */
ssize_t io_read_full(int fd, void *buf, size_t size) __attribute__((warn_unused_result));

/* Write all bytes or fail. */
int io_write_full(int fd, const void *buf, size_t size) __attribute__((warn_unused_result));
int io_pwrite_full(int fd, const void *buf, size_t size, uint64_t offset)
    __attribute__((warn_unused_result));

/* The bytes from the present position to the end of a regular file, or of a device that has an
 * end; 0 when that is not known, as for a pipe. */
uint64_t io_input_size(int fd);

/* openat, always with O_CLOEXEC and O_NOFOLLOW, and for reading with O_NONBLOCK, so that a FIFO
 * in place of a file does not block; regular files ignore that. */
int io_openat(int dirfd, const char *path, int flags, mode_t mode)
    __attribute__((warn_unused_result));

/* Opens for reading what a user names: a path in which links are followed. Neither a FIFO nor a
 * terminal does harm. */
int io_open_named(int dirfd, const char *path, int flags) __attribute__((warn_unused_result));

/* Whether anything has this name, a link that leads nowhere as well; keeps errno. */
bool io_name_exists(const char *path);

/* Opens a path of several components for reading. No component may be a link, and the path
 * cannot leave dirfd. Uses openat2 or, where that is refused, opens one component after the
 * other. O_NOATIME is left out where it is not permitted: only the owner of a file and root may
 * use it. */
int io_open_beneath(int dirfd, const char *path, int flags) __attribute__((warn_unused_result));

/* A stream over the directory that is open as dirfd. The stream starts at the beginning, and has a
 * descriptor and a position of its own. */
DIR *io_opendirat(int dirfd) __attribute__((warn_unused_result));

/* The next entry; NULL at the end, with errno 0, or after a failure. */
struct dirent *io_readdir(DIR *dir) __attribute__((warn_unused_result));

/* close, with its error. *fd is -1 afterwards, and the descriptor is closed in any case. */
int io_close(int *fd) __attribute__((warn_unused_result));

/* Whether all bytes are 0; true when size is 0. */
bool io_is_zero(const uint8_t *data, size_t size);

/* Whether name, below dirfd, is a directory; false when that cannot be found out. flags are
 * those of fstatat. */
bool io_is_directory(int dirfd, const char *name, int flags);

/* fsync. Any failure but EINTR is final. */
int io_fsync(int fd) __attribute__((warn_unused_result));

/* Drops the pages of a file that was synced from memory. True when it is certain that the next
 * read gets all of the file from the disk. False is no failure: some file systems exist in
 * memory only, or do not say what is in memory. */
bool io_drop_pages(int fd) __attribute__((warn_unused_result));

/* flock. */
int io_flock(int fd, int operation) __attribute__((warn_unused_result));

/* Creates the directory name below dirfd, with mode 0755, unless it exists. */
int io_mkdirat(int dirfd, const char *name) __attribute__((warn_unused_result));

/* Reads the whole regular file that is open as fd. The caller frees *data. what names the file
 * in messages. ERR_DAMAGED when it is larger than max bytes or not a regular file; ERR_IO,
 * ERR_MEMORY. */
int io_read_file(int fd, size_t max, const char *what, uint8_t **data, size_t *size, struct err *e)
    __attribute__((warn_unused_result));

/* Whether a system call failed with errnum because this kernel, this file system or the filter
 * of a container does not have it, or not with these flags. Then another call can do the work,
 * and its error says what else may be wrong. */
bool io_is_refused(int errnum);

/* Opens something in place of each of the descriptors 0 to 2 that is closed. A program calls it
 * before it opens anything else: a file that got one of these numbers would receive the
 * program's messages. What is opened cannot be used, so that uses fail with EBADF as before: it
 * is /dev/null, with 0 open for writing and the others for reading, or without a /dev/null a
 * handle of the root directory (O_PATH). */
int io_fill_standard(void) __attribute__((warn_unused_result));

/* The monotonic clock, in milliseconds. */
uint64_t io_now_ms(void);

#define IO_RANDOM_NAME_SIZE 17

/* Fills buf with the hex digits of 8 random bytes, and a NUL. */
int io_random_name(char buf[IO_RANDOM_NAME_SIZE]) __attribute__((warn_unused_result));

/* Whether name looks like one that io_random_name makes. */
bool io_is_random_name(const char *name);

#define IO_BOOT_ID_SIZE 37

/* The kernel's name for this boot of the machine, and a NUL. False: it cannot be read, or is
 * odd; id is "" then. */
bool io_boot_id(char id[IO_BOOT_ID_SIZE]);

#endif
