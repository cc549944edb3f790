/* SPDX-License-Identifier: MIT */
#include "clone/clone.h"

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/text.h"
#include "clone/trial.h"
#include "fetch/archive_header.h"
#include "fetch/delta_source.h"
#include "fetch/find_pack.h"
#include "format/facts.h"
#include "format/release.h"
#include "reader/open.h"
#include "store/floor.h"
#include "store/foreign.h"
#include "store/make_room.h"
#include "store/publish.h"
#include "store/release_load.h"
#include "store/store.h"
#include "store/versions.h"

#include <stdio.h>
#include <string.h>

struct clone {
    const struct clone_options *o;
    const struct events *events;
    struct clone_result *result;
    struct reader *reader;
    struct store *store; /* the store as it was found, open for reading; NULL when there is none */
    struct image old;    /* the release that has the name now, if has_old */
    bool has_old;
    bool replace;       /* whatever has the name now may be replaced */
    struct image image; /* the image that the archive holds */
    struct facts facts; /* what it says about itself; points into it */
    struct store_floor floor;
    struct store_versions versions; /* of the releases that are there; the newest is borrowed */
    struct delta_source delta;      /* the pack that helps, if it has a reader */
    struct obtain obtain;
};

static int open_reader(struct clone *c, struct err *e)
{
    c->reader = reader_open(c->o->archive, &c->o->network.http, e);
    return c->reader ? 0 : -1;
}

static struct store_options store_options(const struct clone *c, enum store_access access)
{
    return (struct store_options){.access = access,
                                  .create = true,
                                  .four_digits = c->o->compat_store,
                                  .sync = (enum store_sync)c->o->sync,
                                  .wait_seconds = c->o->wait_seconds};
}

/* A floor that cannot be checked lets nothing in. */
static int refuse_unchecked(struct err *e)
{
    if (e->kind == ERR_DAMAGED)
        e->kind = ERR_ARCHIVE;
    return -1;
}

/* Looks at the store before anything is fetched, and changes nothing. It refuses a directory
 * that is no store, and a name that a file of the user has. A damaged release counts as absent,
 * because a clone is how to mend it; ihop 0.1 leaves empty ones. */
static int look_at_store(struct clone *c, struct err *e)
{
    struct store_options options = store_options(c, STORE_READ);
    struct err why = ERR_INIT;

    if (store_foreign_check(c->o->store, c->o->release, STORE_FOREIGN_REPLACE, e) < 0)
        return -1;
    if (store_open(c->o->store, &options, &c->store, &why) < 0) {
        if (why.kind == ERR_NOT_FOUND)
            return 0;
        *e = why;
        return -1;
    }
    if (store_floor_read(c->store, &c->floor, e) < 0)
        return refuse_unchecked(e);
    if (store_release_load(c->store, c->o->release, &c->old, NULL, &why) == 0) {
        c->has_old = true;
        return 0;
    }
    if (why.kind == ERR_DAMAGED) {
        events_note(c->events, "%s; it will be replaced", why.text);
        c->replace = true;
    }
    if (why.kind == ERR_DAMAGED || why.kind == ERR_NOT_FOUND)
        return 0;
    *e = why;
    return -1;
}

/* Only now that a header is read the other releases are looked at: a run with nothing to do
 * installs nothing older. */
static int look_at_versions(struct clone *c, struct trust *trust, struct err *e)
{
    if (c->store && store_versions_read(c->store, &c->versions, e) < 0)
        return -1;
    trust->newest = c->versions.newest;
    trust->newest_release = c->versions.newest_release;
    return 0;
}

static int look_for_pack(struct clone *c, const struct pack_wanted *wanted, struct err *e)
{
    if (c->o->delta)
        return find_pack_at(wanted, c->o->delta, &c->delta, e);
    return c->store && !c->o->no_delta ? find_pack(wanted, &c->delta, e) : 0;
}

/* Reads and checks the whole header. */
static int read_whole_header(struct clone *c, const struct archive_header_start *start,
                             struct trust *trust, struct err *e)
{
    const struct pack_wanted wanted = {.store = c->store,
                                       .release = c->o->release,
                                       .archive = c->reader,
                                       .start = start,
                                       .settings = &c->o->network.http,
                                       .events = c->events};

    if (look_at_versions(c, trust, e) < 0 || look_for_pack(c, &wanted, e) < 0)
        return -1;
    return c->delta.reader ? find_pack_read_header(&wanted, &c->delta, trust, &c->image, e)
                           : archive_header_read(c->reader, start, trust, &c->image, e);
}

/* The release of this name came from this very archive. */
static void take_old_image(struct clone *c)
{
    c->image = c->old;
    c->old = (struct image){0};
    c->has_old = false;
}

/* A release that lacks chunks can be restored by its pack as well. Without its base nothing can. */
static int take_list_again(struct clone *c, struct err *e)
{
    struct err why = ERR_INIT;
    bool found;

    if (find_pack_base(c->store, &c->delta, &found, &why) == 0 &&
        (!found || delta_source_take_list(&c->delta, &c->image, &why) == 0))
        return 0;
    if (why.kind != ERR_MEMORY)
        return 0;
    *e = why;
    return -1;
}

static int no_base(const struct clone *c, struct err *e)
{
    return err_set(e, ERR_ARCHIVE,
                   "%s is a delta pack against an image that no release of %s has: clone the "
                   "archive itself",
                   c->reader->name, c->o->store);
}

/* Takes the image from a delta pack that was given in place of its archive. */
static int read_pack_alone(struct clone *c, struct trust *trust, bool *same, struct err *e)
{
    struct delta_source *s = &c->delta;
    struct archive_header_told told = {.name = c->reader->name};
    CLEANUP_FREE uint8_t *header = NULL;
    bool found;

    s->reader = c->reader;
    s->alone = true;
    if (c->o->delta || c->o->no_delta)
        return err_set(e, ERR_USAGE, "--%s is for an archive, and %s is a delta pack itself",
                       c->o->delta ? "delta" : "no-delta", c->reader->name);
    if (delta_source_probe(s, &found, e) < 0 || delta_source_read(s, UINT64_MAX, e) < 0)
        return -1;
    told.size = s->pack.header_size;
    told.archive_size = s->pack.archive_size;
    told.checksum = s->pack.header_checksum;
    told.signatures = s->pack.signatures;
    told.signatures_size = s->pack.signatures_size;
    if (archive_header_is_told(&told, trust, &c->old, same, e) < 0)
        return -1;
    if (*same) {
        take_old_image(c);
        return take_list_again(c, e);
    }
    if (look_at_versions(c, trust, e) < 0 || trust_check_header(trust, told.checksum, e) < 0 ||
        find_pack_base(c->store, s, &found, e) < 0)
        return -1;
    if (!found)
        return no_base(c, e);
    if (delta_source_make_header(s, &header, e) < 0)
        return -1;
    told.data = header;
    return archive_header_take(&told, trust, &c->image, e) < 0
               ? -1
               : delta_source_take_list(s, &c->image, e);
}

/* Two small requests tell whether the header has to be read. */
static int read_known_header(struct clone *c, struct trust *trust, bool *same, struct err *e)
{
    struct archive_header_start start = {0};

    if (archive_header_read_start(c->reader, &start, e) < 0) {
        if (e->kind != ERR_ARCHIVE || !delta_pack_has_magic(start.prefix, sizeof start.prefix))
            return -1;
        *e = (struct err)ERR_INIT;
        return read_pack_alone(c, trust, same, e);
    }
    if (archive_header_is_of(c->reader, &start, trust, &c->old, same, e) < 0)
        return -1;
    if (!*same)
        return read_whole_header(c, &start, trust, e);
    take_old_image(c);
    return 0;
}

/* Fills c->image. *same tells that the release of this name came from this very archive; then
 * its image is moved there from c->old. */
static int read_archive_header(struct clone *c, bool *same, struct err *e)
{
    const struct events_progress progress = {.phase = EVENTS_HEADER};
    struct trust trust = trust_options_demanded(&c->o->trust);

    trust.minimum = c->floor.minimum;
    if (c->has_old && c->old.has_archive)
        trust.installed_checksum = c->old.header_checksum;
    if (c->events->progress)
        c->events->progress(c->events->user, &progress);
    return read_known_header(c, &trust, same, e) < 0 ? -1 : facts_read(&c->image, &c->facts, e);
}

static bool can_be_recorded(const char *location)
{
    return strlen(location) <= LIMIT_URL && text_is_utf8(location, strlen(location));
}

/* The address of the archive whose pack has this one; NULL when it is not that of a pack. */
static char *location_of_archive(const char *location)
{
    size_t size = strlen(location), end = DELTA_PACK_SUFFIX_SIZE - 1;

    return size > end && delta_pack_is_suffix(location + size - end) ? strndup(location, size - end)
                                                                     : NULL;
}

/* Records where the archive is. An address that a release cannot hold is left out, and a repair
 * then needs it on its command line. */
static int set_location(struct clone *c, struct err *e)
{
    CLEANUP_FREE char *of_archive = NULL;
    const char *location = c->o->record_url ? c->o->record_url : c->reader->location;

    /* A pack that was asked for may have been a mirror's archive, too. */
    if (location && !c->o->record_url) {
        of_archive = location_of_archive(location);
        location = of_archive || c->delta.alone ? of_archive : location;
    }
    if (!location || c->image.archive_url)
        return 0;
    if (!can_be_recorded(location)) {
        if (c->o->record_url)
            return err_set(e, ERR_USAGE, "--record-url takes UTF-8 of at most %d bytes", LIMIT_URL);
        return 0;
    }
    c->image.archive_url_lacks = !c->o->record_url && c->reader->location_lacks;
    c->image.archive_url = strdup(location);
    return c->image.archive_url ? 0 : err_nomem(e, "recording the archive's address");
}

/* A release says what it is called, so that one under another's name is noticed. */
static int set_name(struct clone *c, struct err *e)
{
    free(c->image.name);
    c->image.name = strdup(c->o->release);
    return c->image.name ? 0 : err_nomem(e, "naming a release");
}

static void describe_image(struct clone *c)
{
    struct clone_result *r = c->result;

    r->image_size = c->image.source_size;
    text_hex(c->image.header_checksum, CHUNK_HASH_SIZE, r->header_checksum);
    text_hex(c->image.source_checksum, CHUNK_HASH_SIZE, r->source_checksum);
}

/* Fails when the name belongs to a different image, which only --force replaces. */
static int check_release_name(struct clone *c, bool same, struct err *e)
{
    c->replace =
        c->replace || c->o->force || same || (c->has_old && image_same_source(&c->old, &c->image));
    if (!c->has_old || c->replace)
        return 0;
    return err_set(e, ERR_OTHER_IMAGE,
                   "%s/%s holds a different image: choose another name, or pass "
                   "--force to replace it",
                   c->o->store, c->o->release);
}

/* The list of the pack counts the chunks of the archive's image. */
static void use_deltas(struct clone *c, const struct image *image)
{
    bool usable = image == &c->image && (c->delta.ready || c->delta.alone);

    c->obtain.deltas = usable ? &c->delta : NULL;
}

static int estimate(struct clone *c, const struct image *image, struct err *e)
{
    c->obtain.store = c->store;
    c->obtain.image = image;
    use_deltas(c, image);
    return obtain_estimate(&c->obtain, e);
}

static bool is_signed_the_same(const struct image *a, const struct image *b)
{
    return a->signatures_size == b->signatures_size &&
           (a->signatures_size == 0 ||
            memcmp(a->signatures, b->signatures, a->signatures_size) == 0);
}

/* Whether whoever serves the release can check it as well as the archive was checked now. The one
 * that was found to come from this very archive has been checked. */
static bool records_signatures(const struct clone *c, const struct image *release)
{
    const struct trust trust = trust_options_demanded(&c->o->trust);

    return !c->image.signatures ||
           (is_signed_the_same(release, &c->image) && release->name &&
            strcmp(release->name, c->o->release) == 0 &&
            (release == &c->image || trust_is_signed_release(&trust, release)));
}

/* Whether the release is there with all its chunks, so that nothing has to be written. It is
 * made durable nevertheless, because an earlier run may have been cut off just before that. A
 * release of ihop 0.1 does not count as complete: publishing it anew, after its chunks were
 * hashed, makes it vouch for them. */
static int is_complete(struct clone *c, bool same, bool *complete, struct err *e)
{
    const struct image *there = same ? &c->image : &c->old;

    /* The same image with another version is published, as the release's own version counts. */
    if (!same && (!c->has_old || !c->old.has_archive || !image_same_source(&c->old, &c->image) ||
                  !facts_are_same(&c->old, &c->image)))
        return 0;
    if (!records_signatures(c, there))
        return 0;
    if (estimate(c, there, e) < 0)
        return -1;
    *complete = c->obtain.cost.missing == 0 && !store_has_pending(c->store);
    return *complete ? store_confirm(c->store, e) : 0;
}

/* What nobody who is trusted has signed raises nothing. */
static uint64_t trusted_minimum(const struct clone *c)
{
    return trust_options_vouch_for(&c->o->trust, &c->image) ? c->facts.minimum : 0;
}

/* Raises the store's minimum to the image's. The image has passed the door (read_archive_header),
 * and its release is not published yet. */
static int raise_floor(const struct clone *c, const struct store *store, struct err *e)
{
    return store_floor_accept(store, c->facts.version, trusted_minimum(c), e) < 0
               ? refuse_unchecked(e)
               : 0;
}

/* raise_floor for a release that is there already: nothing is written when there is nothing to
 * raise, so that such a run works on a read-only file system. */
static int raise_floor_again(const struct clone *c, struct err *e)
{
    return trusted_minimum(c) > c->floor.minimum ? raise_floor(c, c->store, e) : 0;
}

/* Publishes the release. Another clone may have published the same image under this name since
 * this one looked; then the release is replaced. */
static int publish(const struct clone *c, const struct store *store, const uint8_t *data,
                   size_t size, struct err *e)
{
    struct err why = ERR_INIT;
    struct image there = {0};
    bool same;

    if (store_publish(store, c->o->release, data, size, c->replace, e) == 0)
        return 0;
    if (e->kind != ERR_OTHER_IMAGE ||
        store_release_load(store, c->o->release, &there, NULL, &why) < 0)
        return -1;
    same = image_same_source(&there, &c->image);
    image_free(&there);
    if (!same)
        return -1;
    e->kind = ERR_NONE;
    return store_publish(store, c->o->release, data, size, true, e);
}

static void on_removed(void *user, const char *name)
{
    const struct clone *c = user;

    events_note(c->events, "removed release %s/%s to make room", c->o->store, name);
}

/* Fetches the missing chunks and publishes the release. */
static int update_store(struct clone *c, struct err *e)
{
    struct store_options options = store_options(c, STORE_WRITE);
    const struct store_room_wanted room = {.image = &c->image,
                                           .name = c->o->release,
                                           .wait_seconds = c->o->wait_seconds,
                                           .removed = on_removed,
                                           .user = c};
    CLEANUP(store_cleanup) struct store *store = NULL;
    CLEANUP_FREE uint8_t *data = NULL;
    struct obtain_partial partial = {.name = c->o->release};

    if (set_name(c, e) < 0 || release_encode(&c->image, &data, &partial.size, e) < 0 ||
        store_open(c->o->store, &options, &store, e) < 0)
        return -1;
    partial.data = data;
    c->obtain.store = store;
    c->obtain.image = &c->image;
    c->obtain.reader = c->reader;
    use_deltas(c, &c->image);
    c->obtain.partial = &partial;
    c->obtain.make_room = c->o->make_room ? &room : NULL;
    if (obtain_chunks(&c->obtain, e) < 0 || raise_floor(c, store, e) < 0 ||
        publish(c, store, data, partial.size, e) < 0)
        return -1;
    store_partial_remove(store, c->o->release);
    return 0;
}

static int run_clone(struct clone *c, struct err *e)
{
    bool same = false, complete = false;

    if (open_reader(c, e) < 0 || look_at_store(c, e) < 0 || read_archive_header(c, &same, e) < 0 ||
        set_location(c, e) < 0)
        return -1;
    describe_image(c);
    if (check_release_name(c, same, e) < 0 ||
        trial_check_name(c->o, c->store, &c->image, c->events, e) < 0)
        return -1;
    if (c->o->dry_run) {
        c->result->outcome = CLONE_ESTIMATED;
        return estimate(c, &c->image, e);
    }
    if (is_complete(c, same, &complete, e) < 0)
        return -1;
    c->result->outcome = complete ? CLONE_COMPLETE : same ? CLONE_RESTORED : CLONE_PUBLISHED;
    if (complete ? raise_floor_again(c, e) < 0 : update_store(c, e) < 0)
        return -1;
    if (trusted_minimum(c) > c->floor.minimum)
        trial_note_minimum(c->o, c->facts.minimum, c->events);
    c->result->tried = c->o->try;
    return c->o->try ? trial_arm(c->o, c->events, &c->result->armed, e) : 0;
}

/* What the pack was worth. */
static void describe_delta(const struct clone *c)
{
    const struct delta_source *s = &c->delta;
    struct clone_delta *d = &c->result->delta;
    uint64_t spared = c->obtain.pack_spares + s->header_saved;

    if (!s->ready)
        return;
    snprintf(d->pack, sizeof d->pack, "%s", s->reader->name);
    text_hex(s->pack.old_source_checksum, DELTA_PACK_ID_DIGITS / 2, d->from);
    d->bytes = s->reader->stats.bytes;
    if (c->result->outcome == CLONE_ESTIMATED)
        d->bytes += c->obtain.pack_bytes;
    d->saved = spared > d->bytes ? spared - d->bytes : 0;
}

int clone_run(const struct clone_options *o, const struct events *events,
              struct clone_result *result, struct err *e)
{
    struct clone c = {.o = o,
                      .events = events,
                      .result = result,
                      .obtain = {.events = events,
                                 .check = o->recheck ? STORE_CHECK_CONTENT : STORE_CHECK_TRUST,
                                 .seeds = o->seeds,
                                 .seed_count = o->seed_count,
                                 .jobs = o->jobs,
                                 .max_download = o->max_download,
                                 .max_write = o->max_write,
                                 .min_free = o->min_free}};
    int r;

    *result = (struct clone_result){0};
    r = run_clone(&c, e);
    result->cost = c.obtain.cost;
    result->damaged = c.obtain.damaged;
    result->written = c.obtain.written;
    describe_delta(&c);
    delta_source_close(&c.delta);
    if (c.reader) {
        result->downloaded = c.reader->stats.bytes;
        result->requests = c.reader->stats.requests;
        result->retries = c.reader->stats.retries;
    }
    image_free(&c.image);
    image_free(&c.old);
    store_close(c.store);
    reader_close(c.reader);
    return r;
}
