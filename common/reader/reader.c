/* SPDX-License-Identifier: MIT */
#include "reader/reader.h"

#include <string.h>

#define STEP_MS 100

bool reader_is_url(const char *archive)
{
    return strstr(archive, "://") != NULL;
}

struct reader *reader_open(const char *archive, const struct http_options *options, struct err *e)
{
    return reader_is_url(archive) ? reader_open_http(archive, options, e)
                                  : reader_open_file(archive, e);
}

int reader_read(struct reader *r, uint64_t offset, size_t size, uint8_t *data, struct err *e)
{
    struct range_request q = {.offset = offset, .size = size, .data = data}, *done;
    int got;

    reader_submit(r, &q);
    while ((got = reader_step(r, STEP_MS, &done, e)) == 0)
        continue;
    if (got < 0)
        reader_cancel(r);
    return got < 0 ? -1 : 0;
}
