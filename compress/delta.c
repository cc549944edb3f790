/* SPDX-License-Identifier: MIT */
#include "compress/delta.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "compress/delta_front.h"
#include "compress/delta_work.h"
#include "compress/info.h"
#include "compress/lacking.h"
#include "compress/old_image_load.h"
#include "fetch/plan.h"
#include "format/archive.h"
#include "format/delta_pack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A pack pays when it spares this share of what the update costs without it. */
#define PAYS_DIVISOR 10

/* Whether it does is guessed from so many chunks, when there are more than twice as many; it must
 * look hopeless then, as others may do better. */
#define SAMPLE           64
#define HOPELESS_PERCENT 97

/* One pack that is being made. */
struct pack_job {
    const struct compress_options *o;
    const struct delta_events *events;
    struct chunk_source *new;
    const struct chunk_places *new_places;
    struct old_image old;
    struct anchors anchors;
    bool *missing;    /* for each chunk of the new table */
    uint32_t *chunks; /* those of which there are deltas, in the order of the table */
    size_t count;
    struct output_file file;
    struct delta_output output;
    struct delta_result *result;
};

void delta_results_free(struct delta_results *r)
{
    for (size_t i = 0; i < r->count; i++)
        free(r->items[i].path);
    free(r->items);
    *r = (struct delta_results){0};
}

/* The name of the pack from the old image; the caller frees it. NULL with ERR_MEMORY. */
static char *pack_path(const struct compress_options *o, const struct image *old, struct err *e)
{
    char suffix[DELTA_PACK_SUFFIX_SIZE], *path;

    if (asprintf(&path, "%s%s", o->archive, delta_pack_suffix(old->source_checksum, suffix)) >= 0)
        return path;
    err_nomem(e, "naming a pack");
    return NULL;
}

/* ---- before ---- */

static int check_pack_name(const struct compress_options *o, const struct image *old, struct err *e)
{
    CLEANUP_FREE char *path = pack_path(o, old, e);
    struct output_file file = OUTPUT_FILE_INIT;
    int r;

    if (!path)
        return -1;
    r = output_file_open(&file, path, o->force, -1, e);
    output_file_close(&file);
    return r;
}

int delta_check(const struct compress_options *o, struct err *e)
{
    for (size_t i = 0; i < o->delta_from.count; i++) {
        struct old_image old;
        int r = old_image_open(&old, o->delta_from.paths[i], &o->network, e);

        if (r == 0)
            r = check_pack_name(o, old.image, e);
        old_image_close(&old);
        if (r < 0)
            return -1;
    }
    return 0;
}

/* ---- what it costs ---- */

static int count_update_without(struct pack_job *j, struct err *e)
{
    CLEANUP(plan_free) struct plan plan = {0};

    if (plan_make(&j->new->image, j->missing, &plan, e) < 0)
        return -1;
    j->result->update_without = j->new->image.header_size + plan.cost.download;
    return 0;
}

/* Lists the chunks that the pack is to have. */
static int list_chunks(struct pack_job *j, struct err *e)
{
    const struct chunk_table *table = &j->new->image.chunks;

    j->missing = lacking_find(j->old.image, &j->new->image, e);
    if (!j->missing)
        return -1;
    j->chunks = calloc(table->count + 1, sizeof *j->chunks);
    if (!j->chunks)
        return err_nomem(e, "listing chunks");
    for (size_t i = 0; i < table->count; i++)
        if (j->missing[i] && !table->items[i].zero)
            j->chunks[j->count++] = (uint32_t)i;
    return count_update_without(j, e);
}

/* ---- a guess ---- */

struct sample {
    pthread_mutex_t lock; /* protects bytes */
    uint64_t bytes;
};

static int count_sampled(void *user, size_t i, const struct delta_made *made, struct err *e)
{
    struct sample *s = user;
    LOCK_SCOPE(&s->lock);

    (void)i;
    (void)e;
    s->bytes += made->size;
    return 0;
}

static void ignore_sampled(void *user, const struct delta_progress *done)
{
    (void)user;
    (void)done;
}

static void ignore_failure(void *user)
{
    (void)user;
}

/* Tells early that a pack is hopeless, as one from another device's image is, by some of its
 * chunks. */
static int guess_whether_it_pays(struct pack_job *j, const struct delta_chooser *chooser,
                                 struct err *e)
{
    uint32_t chunks[SAMPLE];
    struct sample s = {.bytes = 0};
    const struct delta_work work = {.jobs = j->o->jobs,
                                    .new = j->new,
                                    .new_places = j->new_places,
                                    .chooser = chooser,
                                    .chunks = chunks,
                                    .count = SAMPLE,
                                    .made = count_sampled,
                                    .progress = ignore_sampled,
                                    .failed = ignore_failure,
                                    .user = &s};
    uint64_t stored = 0;
    int r;

    if (j->count < (size_t)2 * SAMPLE)
        return 0;
    for (size_t i = 0; i < SAMPLE; i++) {
        chunks[i] = j->chunks[i * j->count / SAMPLE];
        stored += j->new->image.chunks.items[chunks[i]].archive_size;
    }
    pthread_mutex_init(&s.lock, NULL);
    r = delta_work_run(&work, e);
    pthread_mutex_destroy(&s.lock);
    j->result->guessed = r == 0 && s.bytes * 100 > stored * HOPELESS_PERCENT;
    if (j->result->guessed)
        j->result->update = j->result->update_without * s.bytes / max_u64(stored, 1);
    return r;
}

/* ---- the pack ---- */

static void on_loaded(void *user, uint64_t bytes_done, uint64_t bytes_total)
{
    struct pack_job *j = user;

    j->events->reading(j->events->user, bytes_done, bytes_total);
}

static int on_delta(void *user, size_t i, const struct delta_made *made, struct err *e)
{
    struct pack_job *j = user;

    return delta_output_put(&j->output, i, made, e);
}

static void on_encoded(void *user, const struct delta_progress *done)
{
    struct pack_job *j = user;

    j->events->encoding(j->events->user, done);
}

static void on_failure(void *user)
{
    struct pack_job *j = user;

    delta_output_fail(&j->output);
}

static int encode_deltas(struct pack_job *j, const struct delta_chooser *chooser, struct err *e)
{
    const struct delta_work work = {.jobs = j->o->jobs,
                                    .new = j->new,
                                    .new_places = j->new_places,
                                    .chooser = chooser,
                                    .chunks = j->chunks,
                                    .count = j->count,
                                    .made = on_delta,
                                    .progress = on_encoded,
                                    .failed = on_failure,
                                    .user = j};

    return delta_work_run(&work, e);
}

static void count_deltas(const struct delta_list *list, struct delta_counts *counts)
{
    for (size_t i = 0; i < list->count; i++) {
        counts->deltas[list->items[i].codec]++;
        counts->bytes[list->items[i].codec] += list->items[i].size;
    }
}

/* What the update downloads without the pack, and whether the pack spares enough of it. */
static bool does_pay(const struct delta_result *result)
{
    return result->update + result->update_without / PAYS_DIVISOR <= result->update_without;
}

/* What no device would read is not published. */
static int check_front(const struct pack_job *j, const struct delta_front *front, struct err *e)
{
    uint64_t limit = delta_pack_head_limit(j->new->image.header_size);

    if (front->size <= limit)
        return 0;
    return err_set(
        e, ERR_USAGE,
        "a pack from %s would have %zu bytes before its deltas, and devices read at most "
        "%llu (%s has many small chunks with short hashes)",
        j->result->old, front->size, (unsigned long long)limit, j->o->archive);
}

static int publish_pack(struct pack_job *j, struct err *e)
{
    struct delta_result *result = j->result;
    struct delta_front front;
    int r;

    if (delta_front_make(j->old.image, &j->new->image, &j->output.list, &front, e) < 0)
        return -1;
    count_deltas(&j->output.list, &result->counts);
    result->has_patch = front.has_patch;
    result->size = front.size + j->file.size;
    result->update = result->size + (front.has_patch ? ARCHIVE_PREFIX_SIZE + CHUNK_HASH_SIZE
                                                     : j->new->image.header_size);
    result->pays = does_pay(result);
    if (!front.has_patch && result->pays)
        events_note(j->events->notes,
                    "note: %s has no patch of the header, which devices fetch from the archive: "
                    "its header is not one that ihop-compress writes",
                    result->path);
    j->events->writing(j->events->user);
    r = check_front(j, &front, e);
    if (r == 0 && result->pays)
        r = output_file_publish(&j->file, front.data, front.size, front.size, e);
    free(front.data);
    return r;
}

static int make_pack(struct pack_job *j, struct err *e)
{
    const struct anchors_images images = {.old = j->old.image,
                                          .new = &j->new->image,
                                          .old_places = &j->old.places,
                                          .new_places = j->new_places};
    const struct old_image_load load = {.jobs = j->o->jobs, .progress = on_loaded, .user = j};
    const struct delta_chooser chooser = {.old = &j->old, .anchors = &j->anchors};

    if (list_chunks(j, e) < 0 || delta_output_init(&j->output, &j->file, j->count, e) < 0 ||
        output_file_open(&j->file, j->result->path, j->o->force, -1, e) < 0 ||
        old_image_load(&j->old, &load, e) < 0 ||
        anchors_find(&j->anchors, &images, j->missing, e) < 0 ||
        guess_whether_it_pays(j, &chooser, e) < 0)
        return -1;
    if (j->result->guessed)
        return 0;
    return encode_deltas(j, &chooser, e) < 0 ? -1 : publish_pack(j, e);
}

/* Whether an old image before it has the same pack. */
static bool is_made(const struct delta_results *results, const char *path)
{
    for (size_t i = 0; i < results->count; i++)
        if (strcmp(results->items[i].path, path) == 0)
            return true;
    return false;
}

static int run_pack(struct pack_job *j, struct delta_results *results, struct err *e)
{
    if (old_image_open(&j->old, j->result->old, &j->o->network, e) < 0)
        return -1;
    if (image_same_source(j->old.image, &j->new->image))
        return err_set(e, ERR_USAGE, "%s has the same image as %s: there is nothing to update",
                       j->result->old, j->o->archive);
    j->result->path = pack_path(j->o, j->old.image, e);
    if (!j->result->path)
        return -1;
    j->result->same = is_made(results, j->result->path);
    results->count++;
    return j->result->same ? 0 : make_pack(j, e);
}

static void close_job(struct pack_job *j)
{
    output_file_close(&j->file);
    delta_output_free(&j->output);
    anchors_free(&j->anchors);
    old_image_close(&j->old);
    free(j->missing);
    free(j->chunks);
}

/* ---- all packs ---- */

struct packs_job {
    const struct compress_options *o;
    const struct delta_events *events;
    struct chunk_source new;
    struct chunk_places places;
};

static int run_packs(struct packs_job *all, struct delta_results *results, struct err *e)
{
    const struct compress_options *o = all->o;
    int r = 0;

    if (chunk_source_open(&all->new, o->archive, &o->network, e) < 0 ||
        info_read_beside(o->archive, &all->new.image, e) < 0 ||
        chunk_places_find(&all->places, &all->new.image, e) < 0)
        return -1;
    results->items = calloc(o->delta_from.count, sizeof *results->items);
    if (!results->items)
        return err_nomem(e, "making packs");
    for (size_t i = 0; r == 0 && i < o->delta_from.count; i++) {
        struct pack_job j = {.o = o,
                             .events = all->events,
                             .new = &all->new,
                             .new_places = &all->places,
                             .old = OLD_IMAGE_INIT,
                             .file = OUTPUT_FILE_INIT,
                             .result = &results->items[i]};

        j.result->old = o->delta_from.paths[i];
        r = run_pack(&j, results, e);
        close_job(&j);
    }
    return r;
}

/* The first one that does not pay is the error of the run. */
static int refuse_useless(const struct compress_options *o, const struct delta_results *results,
                          struct err *e)
{
    char with[TEXT_SIZE_BYTES], without[TEXT_SIZE_BYTES];

    for (size_t i = 0; i < results->count; i++) {
        const struct delta_result *r = &results->items[i];

        if (!r->same && !r->pays)
            return err_set(e, ERR_USAGE,
                           "a pack from %s would not pay: an update to %s would download %s%s "
                           "instead of %s; is it the image of another device? No pack was written",
                           r->old, o->archive, r->guessed ? "about " : "",
                           text_size(r->update, with), text_size(r->update_without, without));
    }
    return 0;
}

int delta_run(const struct compress_options *o, const struct delta_events *events,
              struct delta_results *results, struct err *e)
{
    struct packs_job all = {.o = o, .events = events};
    int r;

    *results = (struct delta_results){0};
    r = run_packs(&all, results, e);
    chunk_places_free(&all.places);
    chunk_source_close(&all.new);
    return r < 0 ? -1 : refuse_useless(o, results, e);
}
