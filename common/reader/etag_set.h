/* SPDX-License-Identifier: MIT */
/* etag_set: the entity tags under which the archive is known to be the same. A
 * farm of servers may well use several at once. The oldest is forgotten first. */
#ifndef IHOP_READER_ETAG_SET_H
#define IHOP_READER_ETAG_SET_H

#include "reader/http_response.h"

#include <stdbool.h>
#include <stddef.h>

#define ETAG_SET_MAX 8

struct etag_set {
    char tags[ETAG_SET_MAX][HTTP_ETAG_SIZE];
    size_t count;
};

bool etag_set_has(const struct etag_set *set, const char *tag);

/* An empty tag is none. */
void etag_set_add(struct etag_set *set, const char *tag);

#endif
