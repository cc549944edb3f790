/* SPDX-License-Identifier: MIT */
/* age: which of two releases is older. For store/ alone.
 *
 * Each release that we publish gets a number, one more than the largest in the store,
 * whatever the clock says and however coarse the times of the file system are. It also
 * gets a modification time later than that of all others, where the file system can keep
 * one: for people, for earlier versions, and to be comparable with releases that have no
 * number (an earlier version's, the original's).
 *
 * The order of a store with both: a release without a number counts as published at its
 * time, one with a number at its time or that of the latest one with a smaller number,
 * whichever is later; at the same time, those without a number come first. What is left
 * is not known: releases of the same time without a number, and those with the same number
 * (somebody has copied the file). They have the same rank.
 */
#ifndef IHOP_STORE_AGE_H
#define IHOP_STORE_AGE_H

#include "base/err.h"
#include "store/release_list.h"

#include <stdint.h>
#include <time.h>

/* The number of the release that is open as fd; 0 when it has none, or none that can be
 * read. Reads a few bytes. Thread-safe, as is all here. */
uint64_t store_age_number(int fd);

/* Sorts the list, the oldest first, and sets each rank. */
void store_age_sort(struct store_release_list *list);

/* What the next release is to get. */
struct store_age {
    uint64_t number;
    struct timespec youngest;   /* the latest time of those that are there */
    struct timespec unnumbered; /* the latest of those without a number */
};

/* Nobody else may publish meanwhile. */
int store_age_next(const struct store *store, struct store_age *age, struct err *e)
    __attribute__((warn_unused_result));

/* Sets the time of a file that was written: now, or if that is not later than the
 * youngest, a little after it, as the file system has it. One that cannot keep a later
 * time gets the latest, and one where times cannot be set keeps its own: then the numbers
 * tell. -1 with errno, also when they could not. */
int store_age_set_time(int fd, const struct store_age *age) __attribute__((warn_unused_result));

#endif
