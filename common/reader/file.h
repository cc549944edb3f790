/* SPDX-License-Identifier: MIT */
/* file: the reader of a local archive. It completes one range in each step. */
#ifndef IHOP_READER_FILE_H
#define IHOP_READER_FILE_H

#include "base/err.h"
#include "reader/reader.h"

/* ERR_NOT_FOUND, ERR_IO. Ranges beyond the end of the file are ERR_ARCHIVE. */
struct reader *reader_open_file(const char *path, struct err *e)
    __attribute__((warn_unused_result));

#endif
