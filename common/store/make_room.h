/* SPDX-License-Identifier: MIT */
/* make_room: frees space for a clone by removing old releases. */
#ifndef IHOP_STORE_MAKE_ROOM_H
#define IHOP_STORE_MAKE_ROOM_H

#include "base/err.h"
#include "format/image.h"
#include "store/store.h"

#include <stdint.h>

struct store_room_wanted {
    const struct image *image; /* about to be cloned: its chunks stay */
    const char *name;          /* of its release: an older image of this name stays */
    uint64_t bytes, inodes;    /* that are to be free */
    unsigned wait_seconds;     /* for the lock */
    /* Tells of each release that was removed. */
    void (*removed)(void *user, const char *name);
    void *user;
};

/* Frees what no one needs, then removes releases that are neither protected nor
 * served, the oldest first and no more than it takes; none at all when that would
 * not do (ERR_SPACE). A release whose removal frees nothing stays. store: open for
 * writing, and again so when it returns 0. */
int store_make_room(struct store *store, const struct store_room_wanted *room, struct err *e)
    __attribute__((warn_unused_result));

#endif
