/* SPDX-License-Identifier: MIT */
/* release_order: which of two releases is older. For store/ alone; thread-safe.
 *
 * Each release that we publish gets a number, one more than the largest in the store,
 * whatever the clock says and however coarse the times of the file system are. It also
 * gets a modification time later than that of all others, where the file system can keep
 * one: for people, for earlier versions, and to be comparable with releases that have no
 * number (those of earlier versions and of ihop 0.1).
 *
 * The order of a store that has both: a release without a number counts from its time, a
 * release with a number from its own time or that of the latest release with a smaller
 * number, whichever is later; of the same time, those without a number come first. Two
 * orders remain unknown: that of releases of the same time without a number, and that of
 * releases with the same number (somebody has copied the file). Those have the same rank.
 */
#ifndef IHOP_STORE_RELEASE_ORDER_H
#define IHOP_STORE_RELEASE_ORDER_H

#include "base/err.h"
#include "store/release_list.h"

#include <stdint.h>
#include <time.h>

/* The number of the release that is open as fd; 0 when it has none, or none that can be
 * read. Reads a few bytes. */
uint64_t release_order_number(int fd);

/* Sorts the list, the oldest first, and sets each rank. */
void release_order_sort(struct store_release_list *list);

/* The place in the order that the next release gets. */
struct release_order_place {
    uint64_t number;
    struct timespec youngest;   /* the latest time of the releases that are there */
    struct timespec unnumbered; /* the latest time of those without a number */
};

/* Finds the place. Until it is taken, the caller must hold the publish lock (lock.h). Kinds:
 * ERR_IO, ERR_MEMORY. */
int release_order_next(const struct store *store, struct release_order_place *age, struct err *e)
    __attribute__((warn_unused_result));

/* Sets the time of the file of a new release, open as fd: now, or if that is not later than
 * the youngest, a little after the youngest, in the steps that the file system keeps. Where
 * no later time can be kept the file gets the latest that can, and where times cannot be
 * set it keeps its own; then the numbers tell the order. -1 with errno, also when they
 * would not. */
int release_order_set_time(int fd, const struct release_order_place *age)
    __attribute__((warn_unused_result));

#endif
