/* SPDX-License-Identifier: MIT */
/* make_room: frees space for a clone by removing old releases. For one thread. */
#ifndef IHOP_STORE_MAKE_ROOM_H
#define IHOP_STORE_MAKE_ROOM_H

#include "base/err.h"
#include "format/image.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct store_room_wanted {
    const struct image *image; /* about to be cloned: its chunks stay */
    const char *name;          /* of its release: an older image of this name stays */
    /* What the clone is made out of (a delta pack's old image), or NULL: its releases go last, or
     * not at all. */
    const struct image *base;
    bool base_stays;
    uint64_t bytes, inodes; /* that must be free afterwards */
    unsigned wait_seconds;  /* for the lock */
    /* Called for each release that was removed; or NULL. */
    void (*removed)(void *user, const char *name);
    void *user;
};

/* Frees what no one needs, then removes releases that are neither protected nor
 * served nor may be needed to boot (boot_selection.h), the oldest first and no more than necessary.
 * When removing all of them would not be enough, none is removed (ERR_SPACE). A release whose
 * removal frees nothing stays. The store must be open for writing; it has the exclusive lock in
 * between, and the shared one again on return 0. After a failure it must be closed. Kinds also:
 * those of store_gc, ERR_BUSY. */
int store_make_room(struct store *store, const struct store_room_wanted *room, struct err *e)
    __attribute__((warn_unused_result));

#endif
