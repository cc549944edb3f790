/* SPDX-License-Identifier: MIT */
/* release_list: looking after the releases of a store as a whole.
 *
 * A release is served while a server holds its lock, and protected when
 * .ihop/protected/NAME exists; the protection belongs to the name, whatever image
 * it has. Their order is that of their publishing, whatever the device's clock says
 * (release_order.h).
 */
#ifndef IHOP_STORE_RELEASE_LIST_H
#define IHOP_STORE_RELEASE_LIST_H

#include "base/err.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum store_served {
    STORE_NOT_SERVED,
    STORE_SERVED,
    STORE_SERVED_UNKNOWN, /* locks do not work on its file system */
};

struct store_release {
    char *name;
    struct timespec published;   /* its file's modification time */
    uint64_t number;             /* in the order of publishing, from 1; 0: it has none */
    struct timespec counts_from; /* see release_order.h */
    size_t rank; /* the older, the smaller; where it is the same, the order is not known */
    enum store_served served;
    int served_errno; /* why it is not known */
    bool is_protected;
};

struct store_release_list {
    struct store_release *items; /* the oldest first */
    size_t count, capacity;
};

/* All releases, whole or damaged. The caller frees *list. */
int store_release_list_read(const struct store *store, struct store_release_list *list,
                            struct err *e) __attribute__((warn_unused_result));
void store_release_list_free(struct store_release_list *list);

/* The release of this name in list, or NULL. */
const struct store_release *store_release_list_find(const struct store_release_list *list,
                                                    const char *name);

/* Fails with ERR_IO when it is not known whether a release of list is served. */
int store_releases_check_served(const struct store *store, const struct store_release_list *list,
                                struct err *e) __attribute__((warn_unused_result));

/* Takes the name away, at once and durably; gc frees the chunks later. A server
 * goes on with it. Needs a store open for writing. Kinds: ERR_NOT_FOUND, also for a
 * file that is no release (foreign.h), which stays;
 * ERR_REFUSED when it is protected; ERR_BUSY when it is served, ERR_IO when that
 * cannot be told, and force is false. */
int store_release_remove(const struct store *store, const char *name, bool force, struct err *e)
    __attribute__((warn_unused_result));

/* Durable when it returns. ERR_NOT_FOUND: no such release. */
int store_release_protect(const struct store *store, const char *name, bool on, struct err *e)
    __attribute__((warn_unused_result));

#endif
