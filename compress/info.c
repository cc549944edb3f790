/* SPDX-License-Identifier: MIT */
#include "compress/info.h"

#include "base/cleanup.h"
#include "base/limits.h"
#include "fetch/header.h"

int info_read(const struct compress_options *o, struct image *image, struct err *e)
{
    /* To be told about, a hash may be short. */
    const struct archive_policy policy = {.min_hash_length = LIMIT_HASH_MIN};
    CLEANUP(reader_cleanup)
    struct reader *reader = reader_is_url(o->archive)
                                ? reader_open_http(o->archive, &o->http.http, e)
                                : reader_open_file(o->archive, e);
    struct header_start start;

    if (!reader || header_read_start(reader, &start, e) < 0)
        return -1;
    return header_read(reader, &start, &policy, image, e);
}
