/* SPDX-License-Identifier: MIT */
/* array: arrays that grow by doubling. Pure; thread-safe for different arrays. */
#ifndef IHOP_BASE_ARRAY_H
#define IHOP_BASE_ARRAY_H

#include "base/checked.h"
#include "base/err.h"

#include <stdlib.h>

#define ARRAY_FIRST_CAPACITY 64

/* Makes sure that *items can hold one more than count items of item_size bytes. *capacity is
 * how many it can hold; *items begins as NULL and *capacity as 0. ERR_MEMORY: both are as
 * before. */
static inline int array_grow(void **items, size_t *capacity, size_t count, size_t item_size,
                             struct err *e)
{
    size_t more = *capacity ? 2 * *capacity : ARRAY_FIRST_CAPACITY, bytes;
    void *grown;

    if (count < *capacity)
        return 0;
    if (!checked_mul_size(more, item_size, &bytes) || !(grown = realloc(*items, bytes)))
        return err_nomem(e, "growing a list");
    *items = grown;
    *capacity = more;
    return 0;
}

#endif
