/* SPDX-License-Identifier: MIT */
#include "reader/etag_set.h"

#include <stdio.h>
#include <string.h>

bool etag_set_has(const struct etag_set *set, const char *tag)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->tags[i], tag) == 0)
            return true;
    return false;
}

void etag_set_add(struct etag_set *set, const char *tag)
{
    if (!*tag || etag_set_has(set, tag))
        return;
    if (set->count == ETAG_SET_MAX) {
        memmove(set->tags[0], set->tags[1], sizeof set->tags - sizeof set->tags[0]);
        set->count--;
    }
    snprintf(set->tags[set->count++], HTTP_ETAG_SIZE, "%s", tag);
}
