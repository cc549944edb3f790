/* SPDX-License-Identifier: MIT */
#include "fetch/find_pack.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "store/release_list.h"
#include "store/release_load.h"

#include <string.h>

/* A probe need not be answered: then the archive has everything. */
#define PROBE_RETRIES 1

/* ---- what is not used ---- */

/* Says why, once, and goes on without the pack. Only a lack of memory is a failure. */
static int go_without(const struct pack_wanted *w, struct delta_source *s, const struct err *why,
                      struct err *e)
{
    if (why->kind == ERR_MEMORY) {
        *e = *why;
        return -1;
    }
    events_note(w->events, "%s: going on without this delta pack", why->text);
    delta_source_close(s);
    return 0;
}

static int say_stale(const struct delta_source *s, struct err *e)
{
    return err_set(e, ERR_ARCHIVE, "%s: it was made for another build of the archive",
                   s->reader->name);
}

/* Whether the pack may be the archive's, as far as the archive is known. */
static bool fits_archive(const struct pack_wanted *w, const struct delta_source *s)
{
    return s->pack.header_size == w->start->size && s->pack.archive_size == w->archive->size;
}

static int read_beginning(const struct pack_wanted *w, struct delta_source *s, struct err *e)
{
    if (delta_source_read(s, delta_pack_head_limit(w->start->size), e) < 0)
        return -1;
    return fits_archive(w, s) ? 0 : say_stale(s, e);
}

/* ---- the releases of the store ---- */

/* Calls each for one release after the other, that of this name first, then the newest first, until
 * one call returns something else than 0. each may take the image. */
typedef int (*on_release)(void *user, struct image *image, struct err *e);

static int visit_release(const struct store *store, const char *name, on_release each, void *user,
                         struct err *e)
{
    CLEANUP(image_free) struct image image = {0};
    struct err why = ERR_INIT;

    if (store_release_load(store, name, &image, NULL, &why) == 0)
        return each(user, &image, e);
    if (why.kind != ERR_MEMORY)
        return 0; /* nothing can be made out of it */
    *e = why;
    return -1;
}

static int visit_releases(const struct store *store, const char *first, on_release each, void *user,
                          struct err *e)
{
    CLEANUP(store_release_list_free) struct store_release_list list = {0};
    int r = first ? visit_release(store, first, each, user, e) : 0;

    if (r != 0)
        return r;
    if (store_release_list_read(store, &list, e) < 0)
        return -1;
    for (size_t i = list.count; i-- > 0 && r == 0;)
        if (!first || strcmp(list.items[i].name, first) != 0)
            r = visit_release(store, list.items[i].name, each, user, e);
    return r;
}

/* A pack that is alone has to give the header as well, which takes the very chunk table that it was
 * made for: another release of the same image may have been cut otherwise. The last one is kept in
 * any case, for the message. */
static int take_if_base(void *user, struct image *image, struct err *e)
{
    struct delta_source *s = user;
    CLEANUP_FREE uint8_t *header = NULL;
    struct err why = ERR_INIT;

    if (!delta_source_is_against(s, image))
        return 0;
    image_free(&s->old);
    s->old = *image;
    *image = (struct image){0};
    if (!s->alone || delta_source_make_header(s, &header, &why) == 0)
        return 1;
    if (why.kind != ERR_MEMORY)
        return 0;
    *e = why;
    return -1;
}

int find_pack_base(const struct store *store, struct delta_source *s, bool *found, struct err *e)
{
    int r = store ? visit_releases(store, NULL, take_if_base, s, e) : 0;

    *found = s->old.application_version != NULL;
    return r < 0 ? -1 : 0;
}

/* ---- beside the archive ---- */

struct pack_search {
    const struct pack_wanted *w;
    struct delta_source *source;
    uint8_t probed[FIND_PACK_PROBES][CHUNK_HASH_SIZE]; /* the images that were asked for */
    size_t count;
};

static bool was_probed(struct pack_search *search, const struct image *image)
{
    for (size_t i = 0; i < search->count; i++)
        if (memcmp(search->probed[i], image->source_checksum, CHUNK_HASH_SIZE) == 0)
            return true;
    return false;
}

/* Asks whether there is a pack. What is not there, may not be read, or is something else (a web
 * page, a directory) is no pack, of which nothing is said. */
static int probe(const struct pack_wanted *w, struct delta_source *s, const struct image *image,
                 bool *is_pack, struct err *e)
{
    char suffix[DELTA_PACK_SUFFIX_SIZE];
    struct http_settings *settings = &s->beside.settings;
    int r;

    *is_pack = false;
    delta_pack_suffix(image->source_checksum, suffix);
    if (beside_open(&s->beside, w->archive, w->settings, w->archive->archive, suffix, e) < 0)
        return -1;
    s->reader = s->beside.reader;
    settings->retries = (unsigned)min_u64(w->settings->retries, PROBE_RETRIES);
    r = delta_source_probe(s, is_pack, e);
    settings->retries = w->settings->retries;
    return r;
}

static bool is_news(enum err_kind kind)
{
    return kind == ERR_NETWORK || kind == ERR_MEMORY;
}

/* 1: the search is over, with a pack or without. */
static int probe_for(void *user, struct image *image, struct err *e)
{
    struct pack_search *search = user;
    struct delta_source *s = search->source;
    struct err why = ERR_INIT;
    bool is_pack;

    if (was_probed(search, image))
        return 0;
    if (search->count == FIND_PACK_PROBES)
        return 1;
    memcpy(search->probed[search->count++], image->source_checksum, CHUNK_HASH_SIZE);
    if (probe(search->w, s, image, &is_pack, &why) < 0 && is_news(why.kind))
        return go_without(search->w, s, &why, e) < 0 ? -1 : 1;
    if (!is_pack) {
        delta_source_close(s);
        return 0;
    }
    if (read_beginning(search->w, s, &why) < 0)
        return go_without(search->w, s, &why, e) < 0 ? -1 : 1;
    if (!delta_source_is_against(s, image)) {
        err_set(&why, ERR_ARCHIVE, "%s: it is against another image than its name says",
                s->reader->name);
        return go_without(search->w, s, &why, e) < 0 ? -1 : 1;
    }
    s->old = *image;
    *image = (struct image){0};
    return 1;
}

int find_pack(const struct pack_wanted *w, struct delta_source *s, struct err *e)
{
    struct pack_search search = {.w = w, .source = s};
    struct err why = ERR_INIT;

    if (visit_releases(w->store, w->release, probe_for, &search, &why) < 0 &&
        why.kind == ERR_MEMORY) {
        *e = why;
        return -1;
    }
    return 0;
}

int find_pack_from(const struct pack_wanted *w, struct image *old, struct delta_source *s,
                   struct err *e)
{
    struct pack_search search = {.w = w, .source = s};

    return probe_for(&search, old, e) < 0 ? -1 : 0;
}

/* ---- what the user named ---- */

int find_pack_at(const struct pack_wanted *w, const char *location, struct delta_source *s,
                 struct err *e)
{
    struct err why = ERR_INIT;
    bool is_pack, found;

    if (beside_open(&s->beside, w->archive, w->settings, location, NULL, e) < 0)
        return -1;
    s->reader = s->beside.reader;
    if (delta_source_probe(s, &is_pack, e) < 0)
        return -1;
    if (!is_pack)
        return err_set(e, ERR_ARCHIVE, "%s is no delta pack", s->reader->name);
    if (delta_source_read(s, delta_pack_head_limit(w->start->size), e) < 0)
        return -1;
    if (!fits_archive(w, s)) {
        say_stale(s, &why);
        return go_without(w, s, &why, e);
    }
    if (find_pack_base(w->store, s, &found, e) < 0)
        return -1;
    if (found)
        return 0;
    err_set(&why, ERR_NOT_FOUND, "%s: no release of the store has the image that it is against",
            s->reader->name);
    return go_without(w, s, &why, e);
}

/* ---- the header ---- */

static int read_all(const struct pack_wanted *w, const struct trust *trust, struct image *image,
                    struct err *e)
{
    return archive_header_read(w->archive, w->start, trust, image, e);
}

/* Takes the list of a pack whose archive's header was read. */
static int take_list(const struct pack_wanted *w, struct delta_source *s, const struct image *image,
                     struct err *e)
{
    struct err why = ERR_INIT;

    return delta_source_take_list(s, image, &why) < 0 ? go_without(w, s, &why, e) : 0;
}

int find_pack_read_header(const struct pack_wanted *w, struct delta_source *s,
                          const struct trust *trust, struct image *image, struct err *e)
{
    CLEANUP_FREE uint8_t *header = NULL;
    struct err why = ERR_INIT;
    bool same;

    if (delta_source_make_header(s, &header, &why) < 0) {
        if (why.kind == ERR_MEMORY) {
            *e = why;
            return -1;
        }
        return read_all(w, trust, image, e) < 0 ? -1 : take_list(w, s, image, e);
    }
    if (archive_header_confirm(w->archive, w->start, header, trust, &same, image, e) < 0)
        return -1;
    if (!same) {
        say_stale(s, &why);
        return go_without(w, s, &why, e) < 0 ? -1 : read_all(w, trust, image, e);
    }
    s->header_saved = w->start->size - sizeof w->start->prefix - CHUNK_HASH_SIZE;
    return take_list(w, s, image, e);
}
