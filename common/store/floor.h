/* SPDX-License-Identifier: MIT */
/* floor: the lowest version that a store takes: the highest ihop.minimum-version (format/facts.h)
 * of all images that were accepted for it, whatever was removed since.
 *
 * .ihop/floor has it, with the name of the store that .ihop/id has, so that a floor that was
 * copied from another store is not taken for this one's; a store that is copied as a whole takes
 * its name along. docs/store.md ("The lowest version") has the format, and what a power cut leaves.
 * Without the file, as in a store of an earlier version or when it was lost, the releases tell: the
 * highest minimum of those that are there. With it they do not: a release may have been let in by
 * an option that overrides what was wrong with it, and the operator may have lowered the floor.
 *
 * Nothing here looks at a clock. The store may be open for reading. Whoever changes the floor holds
 * the publish lock (lock.h) meanwhile. Thread-safe.
 */
#ifndef IHOP_STORE_FLOOR_H
#define IHOP_STORE_FLOOR_H

#include "base/err.h"
#include "base/events.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store_floor {
    uint64_t minimum;
    bool recorded; /* in .ihop/floor; else it is what the releases say */
};

/* Reads the floor. ERR_DAMAGED: the file is damaged or of another store, and the text says how to
 * mend it; ERR_IO: it cannot be read; ERR_MEMORY. */
int store_floor_read(const struct store *store, struct store_floor *floor, struct err *e)
    __attribute__((warn_unused_result));

/* The floor, for a device that must boot: when the file cannot be read, a note says so, and the
 * releases tell. */
uint64_t store_floor_for_boot(const struct store *store, const struct events *events);

/* Whether a release of this name and version may be served to whoever demands signatures: it must
 * reach the floor, or be the default of boot selection, which boots when nothing that reaches the
 * floor can (boot_selection.h). A floor that cannot be read lets only that one pass. ERR_ARCHIVE
 * does not name the release; kinds otherwise as those of store_floor_read. */
int store_floor_check_served(const struct store *store, const char *name, uint64_t version,
                             struct err *e) __attribute__((warn_unused_result));

/* The same for a release that is about to be published, encoded as data; nothing below the floor
 * is, whatever let it in. The caller holds the publish lock. */
int store_floor_check_published(const struct store *store, const uint8_t *data, size_t size,
                                struct err *e) __attribute__((warn_unused_result));

/* Records the floor before a release goes that may be the only one to tell it. The caller holds the
 * publish lock. Kinds: ERR_SPACE, ERR_IO, ERR_MEMORY. */
int store_floor_keep(const struct store *store, struct err *e) __attribute__((warn_unused_result));

/* Raises the floor to minimum, unless it is as high, and records it, if it is not recorded yet;
 * durable on return 0. To be called before an image of this version, which the caller has accepted,
 * is published. With minimum 0, for an image that is let in by an override, only the floor as it is
 * gets recorded, so that the image's own minimum never counts. ERR_ARCHIVE: the version is below
 * the floor, which another clone has raised meanwhile. Kinds: as those of store_floor_read, and
 * ERR_BUSY, ERR_SPACE. A failure never lowers the floor. */
int store_floor_accept(const struct store *store, uint64_t version, uint64_t minimum, struct err *e)
    __attribute__((warn_unused_result));

/* Sets the floor because an operator says so; *before becomes what it was. ERR_REFUSED without
 * force, when that lowers it, or when the file is damaged and it is not known what it was: *before
 * is what the releases say then. Kinds otherwise as those of store_floor_accept. */
int store_floor_set(const struct store *store, uint64_t minimum, bool force,
                    struct store_floor *before, struct err *e) __attribute__((warn_unused_result));

#endif
