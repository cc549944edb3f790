/* SPDX-License-Identifier: MIT */
#include "compress/info.h"

#include "base/cleanup.h"
#include "fetch/archive_header.h"
#include "reader/open.h"

int info_read(const char *archive, const struct network_options *network, struct image *image,
              struct reader_stats *stats, struct err *e)
{
    const struct trust trust = TRUST_ANY;
    CLEANUP(reader_cleanup) struct reader *reader = reader_open(archive, &network->http, e);
    struct archive_header_start start;

    if (!reader || archive_header_read_start(reader, &start, e) < 0 ||
        archive_header_read(reader, &start, &trust, image, e) < 0)
        return -1;
    if (stats)
        *stats = reader->stats;
    return 0;
}
