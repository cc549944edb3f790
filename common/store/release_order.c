/* SPDX-License-Identifier: MIT */
#include "store/release_order.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "format/release.h"
#include "store/pending.h"
#include "store/release_load.h"
#include "store/store_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Seconds after the youngest that are tried: FAT keeps times in steps of two seconds. */
#define STEPS_MAX 4
/* Far from the end of time_t, so that adding to it is safe. */
#define TIME_MAX INT64_C(0x3fffffffffffffff)

uint64_t release_order_number(int fd)
{
    uint8_t head[RELEASE_HEAD_SIZE];

    return io_pread_full(fd, head, sizeof head, 0) == (ssize_t)sizeof head ? release_number(head)
                                                                           : 0;
}

static int compare_times(const struct timespec *a, const struct timespec *b)
{
    if (a->tv_sec != b->tv_sec)
        return a->tv_sec < b->tv_sec ? -1 : 1;
    return (a->tv_nsec > b->tv_nsec) - (a->tv_nsec < b->tv_nsec);
}

static int compare_numbers(const void *a, const void *b)
{
    const struct store_release *x = a, *y = b;

    return (x->number > y->number) - (x->number < y->number);
}

/* Negative when x is older, positive when y is; 0 when that is not known. */
static int compare_ages(const struct store_release *x, const struct store_release *y)
{
    int r = compare_times(&x->counts_from, &y->counts_from);

    return r != 0 ? r : compare_numbers(x, y);
}

static int compare_ages_and_names(const void *a, const void *b)
{
    const struct store_release *x = a, *y = b;
    int r = compare_ages(x, y);

    return r != 0 ? r : strcmp(x->name, y->name);
}

/* Sets the time from which each release counts; items are in the order of their numbers. */
static void set_counts(struct store_release *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        items[i].counts_from = items[i].published;
        if (i > 0 && items[i - 1].number > 0 &&
            compare_times(&items[i - 1].counts_from, &items[i].counts_from) > 0)
            items[i].counts_from = items[i - 1].counts_from;
    }
    for (size_t i = count - 1; i-- > 0;) /* copies of a file count from the same time */
        if (items[i].number > 0 && items[i].number == items[i + 1].number)
            items[i].counts_from = items[i + 1].counts_from;
}

void release_order_sort(struct store_release_list *list)
{
    struct store_release *items = list->items;

    if (list->count == 0) /* items is NULL */
        return;
    qsort(items, list->count, sizeof *items, compare_numbers);
    set_counts(items, list->count);
    qsort(items, list->count, sizeof *items, compare_ages_and_names);
    for (size_t i = 1; i < list->count; i++)
        items[i].rank = items[i - 1].rank + (compare_ages(&items[i - 1], &items[i]) != 0);
}

static void keep_later(struct timespec *latest, const struct timespec *time)
{
    if (compare_times(time, latest) > 0)
        *latest = *time;
}

int release_order_next(const struct store *store, struct release_order_place *place, struct err *e)
{
    CLEANUP(store_names_free) struct store_names names = {0};

    *place = (struct release_order_place){
        .number = 1, .youngest = {.tv_sec = -TIME_MAX}, .unnumbered = {.tv_sec = -TIME_MAX}};
    if (store_release_names(store, &names, e) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP_FD int fd = store_pending_open(store, names.names[i]);
        uint64_t number = fd >= 0 ? release_order_number(fd) : 0;
        struct stat st;

        if (fd >= 0 && fstat(fd, &st) == 0 && st.st_mtim.tv_sec < TIME_MAX) {
            keep_later(&place->youngest, &st.st_mtim);
            if (number == 0)
                keep_later(&place->unnumbered, &st.st_mtim);
        }
        if (number >= place->number)
            place->number = number + 1;
    }
    return 0;
}

/* After futimens has failed. Where nobody may set times (a filter of system calls; FAT that
 * belongs to another user) the time of writing will do, if it is not earlier than that of
 * a release without a number: no number would tell that such a release is older. */
static int keep_time(int fd, const struct release_order_place *place)
{
    int failure = errno;
    struct stat st;

    if (io_is_refused(failure) && fstat(fd, &st) == 0 &&
        compare_times(&st.st_mtim, &place->unnumbered) >= 0)
        return 0;
    errno = failure;
    return -1;
}

int release_order_set_time(int fd, const struct release_order_place *place)
{
    struct timespec times[2];
    struct stat st;

    clock_gettime(CLOCK_REALTIME, &times[1]);
    for (int step = 1; step <= STEPS_MAX; step++) {
        if (compare_times(&times[1], &place->youngest) <= 0)
            times[1] = (struct timespec){.tv_sec = place->youngest.tv_sec + step};
        times[0] = times[1];
        if (futimens(fd, times) < 0)
            return keep_time(fd, place);
        if (fstat(fd, &st) < 0)
            return -1;
        if (compare_times(&st.st_mtim, &place->youngest) > 0)
            break;
        times[1] = place->youngest; /* the time was rounded, or is later than can be kept */
    }
    return 0;
}
