/* SPDX-License-Identifier: MIT */
/* open: the reader that fits an archive's address: over HTTP for a URL, of a file for a
 * path. */
#ifndef IHOP_READER_OPEN_H
#define IHOP_READER_OPEN_H

#include "base/err.h"
#include "reader/http.h"
#include "reader/reader.h"

#include <stdbool.h>

/* Whether archive is a URL; otherwise it is a path. */
bool reader_is_url(const char *archive);

/* settings, which are for a URL, must outlive the reader, and so must archive. The kinds of
 * reader_open_http and reader_open_file. */
struct reader *reader_open(const char *archive, const struct http_settings *settings, struct err *e)
    __attribute__((warn_unused_result));

#endif
