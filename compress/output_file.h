/* SPDX-License-Identifier: MIT */
/* output_file: a new file that appears under its name whole and durable, or not at all;
 * or takes the place of another one.
 *
 * It is written from where the header ends, which is known only at the end: the
 * chunk data first, then the header is put before it. Where the file system can
 * insert blocks at the start of a file (ext4, XFS), the data stays where it is;
 * elsewhere it is copied once, inside the kernel.
 *
 * Until it gets its name the file has none (O_TMPFILE) and vanishes with the
 * process. Where the file system cannot do that, or /proc is not there, it has a hidden
 * random name, as it does between two system calls when it replaces another file:
 * SIGHUP, SIGINT and SIGTERM then remove it. Hence one target at a time in a process.
 * What can be done is found out before the first byte is written.
 * One thread at a time.
 */
#ifndef IHOP_COMPRESS_OUTPUT_FILE_H
#define IHOP_COMPRESS_OUTPUT_FILE_H

#include "base/err.h"
#include "base/io.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The chunk data of a large archive begins at a multiple of this: what a file system
 * can insert, block sizes up to it. */
#define OUTPUT_FILE_BLOCK 4096

struct output_file {
    const char *path; /* the caller's */
    const char *name; /* its last component */
    bool replace;
    int directory_fd;
    int fd;
    char temporary[IO_RANDOM_NAME_SIZE + 1]; /* a dot and hex; empty: fd has no name */
    uint64_t size, flushed;                  /* written; on its way to the disk */
};

#define OUTPUT_FILE_INIT                                                                           \
    {                                                                                              \
        .directory_fd = -1, .fd = -1                                                               \
    }

/* Nothing is at path yet, or replace is set and a file or a symbolic link is (a link
 * is itself replaced); source_fd is not the file there. ERR_OTHER_IMAGE when path
 * exists; ERR_USAGE, ERR_NOT_FOUND (no such directory), ERR_SPACE, ERR_IO. Close in any
 * case. */
int output_file_open(struct output_file *t, const char *path, bool replace, int source_fd,
                     struct err *e) __attribute__((warn_unused_result));

/* Appends chunk data. ERR_SPACE, ERR_IO. */
int output_file_write(struct output_file *t, const void *data, size_t size, struct err *e)
    __attribute__((warn_unused_result));

/* Puts the header before the data, which then begins at data_offset, makes all of it
 * durable and gives it its name. ERR_OTHER_IMAGE when somebody else took the name
 * meanwhile; ERR_SPACE, ERR_IO. */
int output_file_publish(struct output_file *t, const uint8_t *header, size_t header_size,
                        uint64_t data_offset, struct err *e) __attribute__((warn_unused_result));

/* Removes what was not published. */
void output_file_close(struct output_file *t);

#endif
