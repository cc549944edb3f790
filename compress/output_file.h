/* SPDX-License-Identifier: MIT */
/* output_file: a file that appears under its name whole and durable, or not at all. It is new,
 * or replaces another file.
 *
 * The chunk data is written first and the header is put before it, because the header is
 * known only at the end. Where the file system can insert blocks at the start of a file
 * (ext4, XFS), the data stays where it is; elsewhere it is copied once, inside the kernel.
 *
 * Until the file gets its name it has none (O_TMPFILE) and vanishes with the process. Where
 * the file system cannot do that, or /proc is missing, it has a hidden random name; so it has
 * for a moment when it replaces another file. SIGHUP, SIGINT and SIGTERM remove such a name
 * (remove_on_signal.h). What the file system can do is found out before the first byte is
 * written.
 *
 * A file belongs to one thread at a time. A process may have several.
 */
#ifndef IHOP_COMPRESS_OUTPUT_FILE_H
#define IHOP_COMPRESS_OUTPUT_FILE_H

#include "base/err.h"
#include "base/io.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The chunk data of an archive begins at a multiple of this many bytes, so that file
 * systems with blocks of up to this size can insert the header. */
#define OUTPUT_FILE_BLOCK 4096

struct output_file {
    const char *path; /* borrowed from the caller */
    const char *name; /* its last component */
    bool replace;
    int directory_fd;
    int fd;
    char temporary[IO_RANDOM_NAME_SIZE + 1]; /* a dot and hex digits; empty when fd has no name */
    uint64_t size;                           /* bytes of chunk data written so far */
    uint64_t flushed;                        /* bytes whose writeback was started */
};

#define OUTPUT_FILE_INIT                                                                           \
    {                                                                                              \
        .directory_fd = -1, .fd = -1                                                               \
    }

/* Opens a file that is to be called path. With replace a regular file or a symbolic link may
 * be there already (of a link, the link itself is replaced), but not the image, which is open
 * as source_fd. path must live as long as the file. ERR_OTHER_IMAGE when path exists and is
 * not to be replaced; ERR_USAGE, ERR_NOT_FOUND (no such directory), ERR_SPACE, ERR_IO. The
 * caller calls output_file_close, even after a failure. */
int output_file_open(struct output_file *t, const char *path, bool replace, int source_fd,
                     struct err *e) __attribute__((warn_unused_result));

/* Appends chunk data. ERR_SPACE, ERR_IO. */
int output_file_write(struct output_file *t, const void *data, size_t size, struct err *e)
    __attribute__((warn_unused_result));

/* Puts the front, which is the header and what follows it, before the chunk data, which then begins
 * at data_offset; between them are zeros. Then as output_file_finish. */
int output_file_publish(struct output_file *t, const uint8_t *front, size_t front_size,
                        uint64_t data_offset, struct err *e) __attribute__((warn_unused_result));

/* Appends the first size bytes of another file, shared with it where the file system can do that.
 * what names it in messages. ERR_SPACE, ERR_IO. */
int output_file_copy(struct output_file *t, int fd, uint64_t size, const char *what, struct err *e)
    __attribute__((warn_unused_result));

/* Makes the file as it is durable and gives it its name. ERR_OTHER_IMAGE when another process has
 * taken the name since output_file_open; ERR_SPACE, ERR_IO. */
int output_file_finish(struct output_file *t, struct err *e) __attribute__((warn_unused_result));

/* Closes the file, and removes it unless it was published. */
void output_file_close(struct output_file *t);

#endif
