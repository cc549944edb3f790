/* SPDX-License-Identifier: MIT */
#include "store/make_room.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "store/chunk_usage.h"
#include "store/gc.h"
#include "store/release_list.h"
#include "store/release_load.h"
#include "store/store_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct room {
    struct store *store;
    const struct store_room_wanted *o;
    struct store_release_list list;
    struct image *images;           /* of each release in list */
    struct chunk_usage chunk_usage; /* of all that is kept, the image to come included */
    bool *removed;
    size_t unsure; /* in list: from here on it is not known which one is the oldest */
};

/* Frees what no one needs; chunk_usage as in store_gc_options. */
static int collect_removable(const struct room *r, struct chunk_usage *chunk_usage, struct err *e)
{
    const struct store_gc_options options = {
        .partial_age_s = STORE_PARTIAL_AGE_S, .also_keep = r->o->image, .chunk_usage = chunk_usage};
    struct store_gc_result ignored;

    if (store_gc(r->store, &options, &ignored, e) < 0)
        return -1;
    /* File systems give blocks back when they commit. */
    return store_sync_all(r->store, e);
}

static int is_enough(const struct room *r, bool *enough, struct err *e)
{
    uint64_t bytes, inodes;

    if (store_free_space(r->store, &bytes, &inodes, e) < 0)
        return -1;
    *enough = bytes >= r->o->bytes && inodes >= r->o->inodes;
    return 0;
}

static int load_releases(struct room *r, struct err *e)
{
    if (store_release_list_read(r->store, &r->list, e) < 0 ||
        store_releases_check_known(r->store, &r->list, e) < 0)
        return -1;
    r->images = calloc(r->list.count + 1, sizeof *r->images);
    r->removed = calloc(r->list.count + 1, sizeof *r->removed);
    if (!r->images || !r->removed)
        return err_nomem(e, "making room");
    for (size_t i = 0; i < r->list.count; i++)
        if (store_release_load(r->store, r->list.items[i].name, &r->images[i], NULL, e) < 0)
            return -1;
    return 0;
}

static bool is_base(const struct room *r, size_t i)
{
    return r->o->base && image_same_source(&r->images[i], r->o->base);
}

static bool may_go_in_order(const struct room *r, size_t i)
{
    const struct store_release *release = &r->list.items[i];

    return !r->removed[i] && !store_release_stays(release) &&
           strcmp(release->name, r->o->name) != 0 && !(r->o->base_stays && is_base(r, i));
}

static bool may_go(const struct room *r, size_t i)
{
    return i < r->unsure && may_go_in_order(r, i);
}

/* The first release whose age relative to the next removable one is not known; the count of all
 * when there is none. Releases that stay in any case do not matter. */
static size_t find_unsure(const struct room *r)
{
    size_t last = SIZE_MAX;

    for (size_t i = 0; i < r->list.count; i++) {
        if (!may_go_in_order(r, i))
            continue;
        if (last != SIZE_MAX && r->list.items[last].rank == r->list.items[i].rank)
            return last;
        last = i;
    }
    return r->list.count;
}

/* About what removing release i frees: the chunks that only it has, in whole blocks. */
static uint64_t gain(const struct room *r, size_t i, uint64_t *inodes)
{
    struct chunk_usage_sum own = chunk_usage_sum(&r->chunk_usage, &r->images[i].chunks, 1);

    *inodes = own.chunks;
    return store_disk_bytes(own.bytes, own.chunks);
}

/* Fails when removing all that may be removed would not be enough: then nothing is to be lost. */
static int check_possible(struct room *r, struct err *e)
{
    uint64_t bytes, inodes, most = 0, most_inodes = 0;
    char needed[TEXT_SIZE_BYTES], possible[TEXT_SIZE_BYTES], unsure[512] = "";
    size_t count = 0;

    if (store_free_space(r->store, &bytes, &inodes, e) < 0)
        return -1;
    for (size_t i = 0; i < r->list.count; i++) {
        uint64_t chunks;

        if (!may_go(r, i))
            continue;
        count++;
        most += gain(r, i, &chunks);
        most_inodes += chunks;
        chunk_usage_subtract(&r->chunk_usage, &r->images[i].chunks);
    }
    for (size_t i = 0; i < r->list.count; i++)
        if (may_go(r, i) && chunk_usage_add(&r->chunk_usage, &r->images[i].chunks, e) < 0)
            return -1;
    if (bytes + most >= r->o->bytes &&
        (inodes >= r->o->inodes || inodes + most_inodes >= r->o->inodes))
        return 0;
    if (r->unsure < r->list.count)
        snprintf(unsure, sizeof unsure,
                 "; %s and others are of the same time and have no number, so that it is not known "
                 "which one is the oldest: remove one with ihop-store remove",
                 r->list.items[r->unsure].name);
    return err_set(e, ERR_SPACE,
                   "not enough space in store %s: %s (%llu bytes) and %llu inodes are needed, %s "
                   "(%llu bytes) would be free without the %zu releases that may be removed, so "
                   "none was%s",
                   store_path(r->store), text_size(r->o->bytes, needed),
                   (unsigned long long)r->o->bytes, (unsigned long long)r->o->inodes,
                   text_size(bytes + most, possible), (unsigned long long)(bytes + most), count,
                   unsure);
}

/* Removes the oldest release that frees anything, of those that have the base or of the others;
 * *removed is false when there is none. */
static int remove_oldest(struct room *r, bool of_base, bool *removed, struct err *e)
{
    *removed = false;
    for (size_t i = 0; i < r->list.count; i++) {
        uint64_t inodes;

        if (!may_go(r, i) || is_base(r, i) != of_base || gain(r, i, &inodes) == 0)
            continue;
        if (store_release_remove(r->store, r->list.items[i].name, false, e) < 0) {
            if (e->kind != ERR_BUSY)
                return -1;
            r->list.items[i].served = STORE_SERVED; /* since the list was made */
            continue;
        }
        if (r->o->removed)
            r->o->removed(r->o->user, r->list.items[i].name);
        r->removed[i] = true;
        chunk_usage_subtract(&r->chunk_usage, &r->images[i].chunks);
        *removed = true;
        return 0;
    }
    return 0;
}

static int remove_until_room(struct room *r, struct err *e)
{
    bool enough = false, removed;

    if (collect_removable(r, &r->chunk_usage, e) < 0 || is_enough(r, &enough, e) < 0)
        return -1;
    if (enough)
        return 0;
    if (load_releases(r, e) < 0)
        return -1;
    r->unsure = find_unsure(r);
    if (check_possible(r, e) < 0)
        return -1;
    do {
        if (remove_oldest(r, false, &removed, e) < 0 ||
            (!removed && remove_oldest(r, true, &removed, e) < 0) ||
            (removed && collect_removable(r, NULL, e) < 0) || is_enough(r, &enough, e) < 0)
            return -1;
    } while (removed && !enough);
    return 0; /* if this is not enough after all, the caller finds out and says so */
}

int store_make_room(struct store *store, const struct store_room_wanted *o, struct err *e)
{
    struct room r = {.store = store, .o = o};
    int result = store_relock(store, true, o->wait_seconds, e);

    if (result == 0)
        result = remove_until_room(&r, e);
    for (size_t i = 0; r.images && i < r.list.count; i++)
        image_free(&r.images[i]);
    free(r.images);
    free(r.removed);
    chunk_usage_free(&r.chunk_usage);
    store_release_list_free(&r.list);
    return result == 0 ? store_relock(store, false, o->wait_seconds, e) : -1;
}
