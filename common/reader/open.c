/* SPDX-License-Identifier: MIT */
#include "reader/open.h"

#include "reader/file.h"

#include <string.h>

bool reader_is_url(const char *archive)
{
    return strstr(archive, "://") != NULL;
}

struct reader *reader_open(const char *archive, const struct http_settings *settings, struct err *e)
{
    return reader_is_url(archive) ? reader_open_http(archive, settings, e)
                                  : reader_open_file(archive, e);
}
