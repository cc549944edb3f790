/* SPDX-License-Identifier: MIT */
/* array: growing an array by doubling. */
#ifndef IHOP_BASE_ARRAY_H
#define IHOP_BASE_ARRAY_H

#include "base/checked.h"
#include "base/err.h"

#include <stdlib.h>

#define ARRAY_FIRST_ROOM 64

/* Makes room in *items for at least one more than count items of item_size
 * bytes. *room is how many fit; both start as 0 or NULL. ERR_MEMORY. */
static inline int array_grow(void **items, size_t *room, size_t count, size_t item_size,
                             struct err *e)
{
    size_t more = *room ? 2 * *room : ARRAY_FIRST_ROOM, bytes;
    void *grown;

    if (count < *room)
        return 0;
    if (!checked_mul_size(more, item_size, &bytes) || !(grown = realloc(*items, bytes)))
        return err_nomem(e, "growing a list");
    *items = grown;
    *room = more;
    return 0;
}

#endif
