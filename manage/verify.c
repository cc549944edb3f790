/* SPDX-License-Identifier: MIT */
/* verify: the command that hashes all chunks of releases again, each once, and repairs them. */
#include "manage/command.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "fetch/archive_header.h"
#include "fetch/obtain.h"
#include "reader/open.h"
#include "store/chunk_file.h"
#include "store/chunk_usage.h"
#include "store/floor.h"
#include "store/missing.h"
#include "store/publish.h"

#include <stdio.h>
#include <stdlib.h>

#define BAD_SHOWN 10 /* how many bad chunks are named one by one without --verbose */

struct verify {
    struct command *s;
    struct store_release_list list;
    /* All chunks of the releases, each once, in one table for each length of hash. check_all
     * leaves only those that are bad. */
    struct chunk_table chunks[CHUNK_HASH_SIZE + 1];
    struct chunk_usage looked_at, bad, mended;
    struct store_floor floor; /* with --repair */
    uint64_t checked, missing, damaged, repaired, bytes_done, bytes_total;
    uint64_t downloaded, requests;
};

/* ---- collecting ---- */

/* Adds to the table the chunks of an image that were not looked at before. */
static int add_unseen_chunks(struct verify *v, const struct image *image, struct chunk_table *table,
                             struct err *e)
{
    size_t length = image->chunks.hash_length;

    table->hash_length = length;
    for (size_t i = 0; i < image->chunks.count; i++)
        if (chunk_usage_count(&v->looked_at, chunk_table_hash(&image->chunks, i), length) == 0 &&
            chunk_table_append(table, chunk_table_hash(&image->chunks, i), &image->chunks.items[i],
                               e) < 0)
            return -1;
    return chunk_usage_add(&v->looked_at, &image->chunks, e);
}

static int collect_chunks(struct verify *v, struct err *e)
{
    for (size_t r = 0; r < v->list.count; r++) {
        CLEANUP(image_free) struct image image = {0};
        struct err why = ERR_INIT;
        bool there; /* false when it was removed since then; then it has no chunks */

        if (command_load(v->s, v->list.items[r].name, &image, &there, &why) < 0) {
            if (why.kind == ERR_DAMAGED)
                continue; /* The other releases are checked; finish_release reports this one. */
            *e = why;
            return -1;
        }
        if (add_unseen_chunks(v, &image, &v->chunks[image.chunks.hash_length], e) < 0)
            return -1;
    }
    return 0;
}

/* ---- checking ---- */

static void show_checked(void *user, uint64_t done, uint64_t total)
{
    const struct verify *v = user;
    const struct progress p = {.phase = "checking",
                               .text = "checking chunks",
                               .bytes_done = v->bytes_done + done,
                               .bytes_total = v->bytes_total};

    (void)total;
    output_progress(&v->s->out, &p);
}

static int check_table(struct verify *v, struct chunk_table *chunks, struct err *e)
{
    CLEANUP(store_missing_free) struct store_missing m = {0};
    uint64_t bytes = chunk_table_bytes(chunks);

    if (store_find_missing(v->s->store, chunks, STORE_CHECK_CONTENT, show_checked, v, &m, e) < 0)
        return -1;
    v->bytes_done += bytes;
    v->checked += chunks->count;
    v->damaged += m.damaged_count;
    v->missing += m.missing_count - m.damaged_count;
    chunk_table_retain(chunks, m.missing, NULL);
    return chunk_usage_add(&v->bad, chunks, e);
}

static int check_all(struct verify *v, struct err *e)
{
    for (size_t i = 0; i <= CHUNK_HASH_SIZE; i++)
        v->bytes_total += chunk_table_bytes(&v->chunks[i]);
    for (size_t i = 0; i <= CHUNK_HASH_SIZE; i++)
        if (v->chunks[i].count > 0 && check_table(v, &v->chunks[i], e) < 0)
            return -1;
    return 0;
}

/* ---- reporting ---- */

static void name_bad_chunk(const struct command *s, const uint8_t *hash, size_t length)
{
    char name[STORE_CHUNK_NAME_SIZE], path[STORE_CHUNK_PATH_SIZE];

    if (s->o.common.json) {
        json_t *line = json_object();

        json_set_text(line, "type", "bad_chunk");
        json_set_text(line, "path", store_chunk_name(s->store, hash, length, name));
        json_print(line);
    } else {
        printf("bad or missing: %s/%s\n", s->path, store_chunk_path(s->store, hash, length, path));
    }
}

/* Names the chunks of tables in which only bad ones are left. */
static void name_bad_chunks(const struct verify *v, const struct chunk_table *tables, size_t count)
{
    const struct command *s = v->s;
    bool all = s->o.common.verbose || s->o.common.json;
    uint64_t bad = 0;

    for (size_t t = 0; t < count; t++)
        for (size_t i = 0; i < tables[t].count; i++)
            if (bad++ < BAD_SHOWN || all)
                name_bad_chunk(s, chunk_table_hash(&tables[t], i), tables[t].hash_length);
    if (bad > BAD_SHOWN && !all)
        printf("... and %llu more (--verbose names all)\n", (unsigned long long)(bad - BAD_SHOWN));
}

/* Returns for each chunk of the image whether it is still bad, and sets *count to how many are.
 * The caller frees the array. */
static bool *find_bad(const struct verify *v, const struct image *image, size_t *count,
                      struct err *e)
{
    bool *bad = calloc(image->chunks.count + 1, sizeof *bad);

    *count = 0;
    if (!bad) {
        err_nomem(e, "verifying chunks");
        return NULL;
    }
    for (size_t i = 0; i < image->chunks.count; i++) {
        const uint8_t *hash = chunk_table_hash(&image->chunks, i);

        bad[i] = chunk_usage_count(&v->bad, hash, image->chunks.hash_length) > 0 &&
                 chunk_usage_count(&v->mended, hash, image->chunks.hash_length) == 0;
        *count += bad[i];
    }
    return bad;
}

static void report_release(const struct verify *v, const char *name, size_t chunks, size_t bad)
{
    json_t *line;

    if (v->s->o.common.json) {
        line = json_object();
        json_set_text(line, "type", "release");
        json_set_text(line, "name", name);
        json_set_number(line, "chunks", chunks);
        json_set_number(line, "chunks_bad", bad);
        json_print(line);
    } else if (!v->s->o.common.quiet) {
        output_clear(&v->s->out);
        if (bad)
            printf("%s: %zu of %zu chunk%s %s bad or missing\n", name, bad, chunks, text_s(chunks),
                   bad == 1 ? "is" : "are");
        else if (chunks == 1)
            printf("%s: its 1 chunk is good\n", name);
        else
            printf("%s: all %zu chunks are good\n", name, chunks);
    }
}

/* ---- repairing ---- */

static struct reader *open_release_archive(const struct verify *v, const struct store_release *r,
                                           const struct image *image, struct err *e)
{
    const char *from = v->s->o.from ? v->s->o.from : image->archive_url;

    if (!from) {
        err_set(e, ERR_USAGE,
                "release %s/%s does not record where its archive is: pass --from ARCHIVE",
                v->s->path, r->name);
        return NULL;
    }
    return reader_open(from, &v->s->o.network.http, e);
}

/* A repair demands hashes as long as those that were accepted when the release was cloned, and
 * mends nothing that is below the store's minimum. */
static struct trust repair_trust(const struct verify *v, const struct image *image)
{
    return (struct trust){.min_hash_length = image->chunks.hash_length,
                          .signed_by = key_options_demanded(&v->s->o.keys),
                          .minimum = v->floor.minimum};
}

/* Fails unless the archive is the very one that the release came from. */
static int check_archive(const struct verify *v, struct reader *reader, const struct image *image,
                         struct err *e)
{
    const struct trust trust = repair_trust(v, image);
    struct archive_header_start start;
    bool same;

    if (archive_header_read_start(reader, &start, e) < 0 ||
        archive_header_is_of(reader, &start, &trust, image, &same, e) < 0)
        return -1;
    if (same)
        return 0;
    return err_set(e, ERR_ARCHIVE,
                   "%s is not the archive that this release was made from (its header checksum "
                   "differs): pass --from with one that is",
                   reader->name);
}

/* Reads the archive's header in place of a release of ihop 0.1, which does not say where in the
 * archive its chunks are. What the header says replaces *image. */
static int read_header_instead(const struct verify *v, struct reader *reader, struct image *image,
                               struct err *e)
{
    const struct trust trust = repair_trust(v, image);
    CLEANUP(image_free) struct image archive = {0};
    struct archive_header_start start;
    struct image swap;

    if (archive_header_read_start(reader, &start, e) < 0 ||
        archive_header_read(reader, &start, &trust, &archive, e) < 0)
        return -1;
    if (!image_same_source(&archive, image) ||
        archive.chunks.hash_length != image->chunks.hash_length)
        return err_set(e, ERR_ARCHIVE, "%s holds another image than this release", reader->name);
    swap = *image;
    *image = archive;
    archive = swap;
    return 0;
}

static int fetch_bad(struct verify *v, const struct image *image, struct reader *reader,
                     struct err *e)
{
    struct obtain o = {.store = v->s->store,
                       .image = image,
                       .reader = reader,
                       .events = &v->s->out.events,
                       .jobs = v->s->o.jobs,
                       .max_download = UINT64_MAX,
                       .max_write = UINT64_MAX};
    size_t count;
    CLEANUP_FREE bool *bad = find_bad(v, image, &count, e);

    if (!bad)
        return -1;
    o.known_missing = bad;
    if (obtain_chunks(&o, e) < 0)
        return -1;
    v->repaired += count;
    return chunk_usage_add(&v->mended, &image->chunks, e);
}

/* Adds what to do when the recorded address lacks its query or password and so may not work. */
static void add_repair_remedy(const struct verify *v, const struct image *image, const char *name,
                              struct err *e)
{
    struct err why = *e;
    bool answered = e->kind == ERR_NOT_FOUND || e->kind == ERR_REFUSED || e->kind == ERR_PROTOCOL ||
                    e->kind == ERR_ARCHIVE;

    if (!answered || v->s->o.from || !image->archive_url_lacks)
        return;
    err_set(e, why.kind,
            "%s; the address recorded for release %s/%s lacks the query or password that the clone "
            "was given: pass --from URL",
            why.text, v->s->path, name);
    e->retry_after_s = why.retry_after_s;
}

static int repair(struct verify *v, const struct store_release *r, struct image *image,
                  struct err *e)
{
    CLEANUP(reader_cleanup) struct reader *reader = open_release_archive(v, r, image, e);
    int result;

    if (!reader)
        return -1;
    result = image->has_archive ? check_archive(v, reader, image, e)
                                : read_header_instead(v, reader, image, e);
    if (result == 0)
        result = fetch_bad(v, image, reader, e);
    v->downloaded += reader->stats.bytes;
    v->requests += reader->stats.requests;
    if (result < 0)
        add_repair_remedy(v, image, r->name, e);
    return result;
}

/* ---- one release after the other ---- */

/* Whether the release is what trusted keys have signed, if there are any. */
static int check_signed(const struct verify *v, const char *name, const struct image *image,
                        struct err *e)
{
    const struct signature_demand demand = key_options_demanded(&v->s->o.keys);

    return signed_image_check_release(image, name, &demand, e) < 0
               ? err_context(e, "release %s/%s", v->s->path, name)
               : 0;
}

/* Checks the chunks that came with a release which was replaced since the chunks were collected. */
static int check_new_chunks(struct verify *v, const struct image *image, struct err *e)
{
    CLEANUP(chunk_table_free) struct chunk_table table = {0};

    if (add_unseen_chunks(v, image, &table, e) < 0)
        return -1;
    v->bytes_total += chunk_table_bytes(&table);
    if (table.count > 0 && check_table(v, &table, e) < 0)
        return -1;
    output_clear(&v->s->out);
    name_bad_chunks(v, &table, 1);
    return 0;
}

static int finish_release(struct verify *v, const struct store_release *r, struct err *e)
{
    CLEANUP(image_free) struct image image = {0};
    CLEANUP_FREE bool *bad = NULL;
    size_t count;
    bool there;

    if (command_load(v->s, r->name, &image, &there, e) < 0)
        return -1;
    if (!there)
        return 0;
    if (check_signed(v, r->name, &image, e) < 0 || check_new_chunks(v, &image, e) < 0 ||
        !(bad = find_bad(v, &image, &count, e)))
        return -1;
    report_release(v, r->name, image.chunks.count, count);
    return count > 0 && v->s->o.repair ? repair(v, r, &image, e) : 0;
}

/* A release that cannot be repaired does not stop the repair of the others. */
static int finish_releases(struct verify *v, struct err *e)
{
    int r = 0;

    for (size_t i = 0; i < v->list.count; i++) {
        struct err why = ERR_INIT;

        if (finish_release(v, &v->list.items[i], &why) == 0)
            continue;
        if (r < 0)
            output_note(&v->s->out, "%s", e->text);
        *e = why;
        r = -1;
    }
    return v->repaired > 0 && store_confirm(v->s->store, e) < 0 ? -1 : r;
}

static void report_result(const struct verify *v)
{
    char size[TEXT_SIZE_BYTES];
    json_t *result;

    output_clear(&v->s->out);
    if (v->s->o.common.json) {
        result = command_result(v->s);
        json_set_number(result, "chunks_checked", v->checked);
        json_set_number(result, "chunks_damaged", v->damaged);
        json_set_number(result, "chunks_missing", v->missing);
        json_set_number(result, "chunks_repaired", v->repaired);
        json_set_number(result, "bytes_downloaded", v->downloaded);
        json_set_number(result, "requests", v->requests);
        json_set_decimal(result, "seconds", output_seconds(&v->s->out));
        json_print(result);
    } else if (v->repaired > 0 && !v->s->o.common.quiet) {
        printf("repaired %llu chunk%s: %s downloaded in %llu request%s\n",
               (unsigned long long)v->repaired, text_s(v->repaired), text_size(v->downloaded, size),
               (unsigned long long)v->requests, text_s(v->requests));
    }
}

/* Reads the store's minimum, below which nothing is repaired. */
static int read_floor(struct verify *v, struct err *e)
{
    if (!v->s->o.repair || store_floor_read(v->s->store, &v->floor, e) == 0)
        return 0;
    if (e->kind == ERR_DAMAGED)
        e->kind = ERR_ARCHIVE;
    return -1;
}

static int verify(struct verify *v, struct err *e)
{
    struct command *s = v->s;
    bool held = true;

    if (s->o.from && !s->o.repair)
        return err_set(e, ERR_USAGE, "--from is for --repair");
    /* The lock is held because chunks that a clean-up removes at the same time would seem to be
     * missing. */
    if (command_open(s, s->o.repair ? STORE_WRITE : STORE_READ, e) < 0 ||
        (!s->o.repair && store_hold(s->store, s->o.wait_seconds, &held, e) < 0) ||
        read_floor(v, e) < 0 || command_releases(s, &v->list, e) < 0 || collect_chunks(v, e) < 0 ||
        check_all(v, e) < 0)
        return -1;
    output_clear(&s->out);
    name_bad_chunks(v, v->chunks, CHUNK_HASH_SIZE + 1);
    if (finish_releases(v, e) < 0)
        return -1;
    if (!s->o.repair && v->missing + v->damaged > 0)
        return err_set(e, ERR_DAMAGED,
                       "%s: %llu chunk%s damaged and %llu %s missing%s; to fetch them again, run: "
                       "ihop-store verify --repair %s",
                       s->path, (unsigned long long)v->damaged, v->damaged == 1 ? " is" : "s are",
                       (unsigned long long)v->missing, v->missing == 1 ? "is" : "are",
                       held ? "" : " (or were freed meanwhile: this user cannot lock the store)",
                       s->path);
    report_result(v);
    return 0;
}

int command_verify(struct command *s, struct err *e)
{
    struct verify v = {.s = s};
    int r = key_options_load(&s->o.keys, e) < 0 ? -1 : verify(&v, e);

    for (size_t i = 0; i <= CHUNK_HASH_SIZE; i++)
        chunk_table_free(&v.chunks[i]);
    chunk_usage_free(&v.looked_at);
    chunk_usage_free(&v.bad);
    chunk_usage_free(&v.mended);
    store_release_list_free(&v.list);
    return r;
}
