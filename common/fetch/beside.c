/* SPDX-License-Identifier: MIT */
#include "fetch/beside.h"

#include "base/checked.h"
#include "reader/open.h"

#include <stdlib.h>
#include <string.h>

char *beside_address(const char *archive, const char *suffix)
{
    size_t path = reader_is_url(archive) ? strcspn(archive, "?#") : strlen(archive);
    char *address = malloc(strlen(archive) + strlen(suffix) + 1);

    if (address) {
        memcpy(address, archive, path);
        strcpy(address + path, suffix);
        strcat(address + path, archive + path);
    }
    return address;
}

int beside_open(struct beside *b, struct reader *archive, const struct http_settings *settings,
                const char *location, const char *suffix, struct err *e)
{
    *b = (struct beside){.archive = archive,
                         .address = beside_address(location, suffix ? suffix : "")};
    if (!b->address)
        return err_nomem(e, "looking beside an archive");
    if (settings)
        b->settings = *settings;
    b->settings.mirrors = NULL;
    b->settings.mirror_count = 0;
    b->reader = reader_open(b->address, &b->settings, e);
    if (!b->reader) {
        free(b->address);
        b->address = NULL;
        return -1;
    }
    if (archive->limit > 0)
        b->reader->limit = archive->limit - min_u64(archive->limit - 1, archive->stats.bytes);
    return 0;
}

void beside_count(struct beside *b)
{
    struct reader_stats *to = &b->archive->stats, now = b->reader->stats;

    to->bytes += now.bytes - b->counted.bytes;
    to->requests += now.requests - b->counted.requests;
    to->retries += now.retries - b->counted.retries;
    b->counted = now;
}

void beside_close(struct beside *b)
{
    if (!b->reader)
        return;
    beside_count(b);
    reader_close(b->reader);
    free(b->address);
    *b = (struct beside){0};
}
