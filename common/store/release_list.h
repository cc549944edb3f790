/* SPDX-License-Identifier: MIT */
/* release_list: the releases of a store: listing, removing and protecting them.
 *
 * A release is served while a server holds its lock, and protected when
 * .ihop/protected/NAME exists; the protection belongs to the name, whatever image
 * it has. What may be needed to boot is never removed, either. The order of releases is that of
 * their publishing, whatever the device's clock says (release_order.h). One thread at a time for
 * each list.
 */
#ifndef IHOP_STORE_RELEASE_LIST_H
#define IHOP_STORE_RELEASE_LIST_H

#include "base/err.h"
#include "store/boot_record.h"
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
    uint64_t number;             /* in the order of publishing, from 1; 0 without one */
    struct timespec counts_from; /* see release_order.h */
    size_t rank; /* smaller for an older release; equal where the order is not known */
    enum store_served served;
    int served_errno; /* why served is not known */
    bool is_protected;
    enum boot_role boots; /* why it may be needed to boot; BOOT_ROLES: it is not */
};

struct store_release_list {
    struct store_release *items; /* the oldest first */
    size_t count, capacity;
    struct boot_record boot; /* which of them boot */
    struct err boot_fault;   /* why that is not known; ERR_NONE */
};

/* Reads all releases, whole or damaged. The caller frees *list, also after a failure. Kinds:
 * ERR_IO, ERR_MEMORY. */
int store_release_list_read(const struct store *store, struct store_release_list *list,
                            struct err *e) __attribute__((warn_unused_result));
void store_release_list_free(struct store_release_list *list);

/* Whether the release stays when releases are removed by their age. */
static inline bool store_release_stays(const struct store_release *r)
{
    return r->served || r->is_protected || r->boots != BOOT_ROLES;
}

/* Fails with ERR_IO when it is not known whether a release of list is served. */
int store_releases_check_served(const struct store *store, const struct store_release_list *list,
                                struct err *e) __attribute__((warn_unused_result));

/* Fails when it is not known which releases of list must stay: as store_releases_check_served, and
 * with ERR_DAMAGED or ERR_IO when it is not known which may be needed to boot. */
int store_releases_check_known(const struct store *store, const struct store_release_list *list,
                               struct err *e) __attribute__((warn_unused_result));

/* Takes the name of a release away, at once and durably; gc frees the chunks later. A server
 * continues to serve it. The store must be open for writing. Kinds: ERR_NOT_FOUND, also for a
 * foreign file (foreign.h), which stays; ERR_REFUSED when it is protected; ERR_BUSY when it may be
 * needed to boot (boot_selection.h); unless force is set, ERR_BUSY when it is served and ERR_IO
 * when that is not known. */
int store_release_remove(const struct store *store, const char *name, bool force, struct err *e)
    __attribute__((warn_unused_result));

/* Protects a name, or with on false ends its protection; durable on return 0. The store must be
 * open for writing. Kinds: ERR_NOT_FOUND (there is no such release), ERR_IO. */
int store_release_protect(const struct store *store, const char *name, bool on, struct err *e)
    __attribute__((warn_unused_result));

#endif
