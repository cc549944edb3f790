/* SPDX-License-Identifier: MIT */
/* remove: the commands that change which releases there are: gc, remove, protect, unprotect. */
#include "manage/command.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "store/gc.h"

#include <stdio.h>
#include <stdlib.h>

#define DAY_S 86400

/* The releases that --keep has removed. The names belong to the list of releases. */
struct victims {
    const char **names;
    size_t count, capacity;
};

static void victims_free(struct victims *v)
{
    free(v->names);
}

/* Chooses all releases but the youngest and those that are served, protected or may be needed to
 * boot. */
static int choose_victims(const struct store_release_list *list, size_t keep, struct victims *v,
                          struct err *e)
{
    for (size_t i = 0; i + keep < list->count; i++) {
        const struct store_release *r = &list->items[i];

        if (store_release_stays(r))
            continue;
        if (array_grow((void **)&v->names, &v->capacity, v->count, sizeof *v->names, e) < 0)
            return -1;
        v->names[v->count++] = r->name;
    }
    return 0;
}

/* Fails when it is not certain which releases are the youngest, because a guess could remove the
 * wrong one. */
static int check_release_order(const struct command *s, const struct store_release_list *list,
                               size_t keep, struct err *e)
{
    const struct store_release *items = list->items;
    size_t first = list->count > keep ? list->count - keep : 0; /* the oldest that stays */

    if (first == 0 || items[first - 1].rank != items[first].rank)
        return 0;
    for (size_t i = 0; i < list->count; i++)
        if (items[i].rank == items[first].rank && !store_release_stays(&items[i]))
            return err_set(e, ERR_REFUSED,
                           "nothing was removed from %s, as it is not known which of the releases "
                           "%s and %s is older: they have %s; remove one with ihop-store remove, "
                           "or protect both",
                           s->path, items[first - 1].name, items[first].name,
                           items[first].number > 0 ? "the same number, as copies of one file do"
                                                   : "the same time and no number");
    return 0;
}

/* Removes them, and leaves those in v that are gone: the chunks of the others stay. */
static int remove_victims(struct command *s, struct victims *v, struct err *e)
{
    size_t gone = 0;

    for (size_t i = 0; i < v->count; i++) {
        const char *name = v->names[i];
        struct err why = ERR_INIT;

        if (s->o.dry_run || store_release_remove(s->store, name, false, &why) == 0) {
            output_note(&s->out, "%s release %s/%s", s->o.dry_run ? "would remove" : "removed",
                        s->path, name);
            v->names[gone++] = name;
        } else if (why.kind == ERR_BUSY) { /* opened by a server just now, or chosen to boot */
            output_note(&s->out, "kept release %s/%s: %s", s->path, name, why.text);
        } else {
            *e = why;
            return -1;
        }
    }
    v->count = gone;
    return 0;
}

static void on_gc_progress(void *user, uint64_t bytes)
{
    const struct progress p = {
        .phase = "removing", .text = "removing chunks", .verb = "freed", .bytes_done = bytes};

    output_progress(user, &p);
}

static void print_gc_json(const struct command *s, const struct victims *v,
                          const struct store_gc_result *r)
{
    json_t *result = command_result(s), *names = json_array();

    for (size_t i = 0; i < v->count; i++)
        json_array_append_new(names, json_string(v->names[i]));
    json_set_bool(result, "dry_run", s->o.dry_run);
    json_object_set_new(result, "releases_removed", names);
    json_set_number(result, "chunks_removed", r->chunks_removed);
    json_set_number(result, "bytes_removed", r->bytes_removed);
    json_set_number(result, "chunks_kept", r->chunks_kept);
    json_set_number(result, "retired_removed", r->retired_removed);
    json_set_number(result, "retired_served", r->retired_kept);
    if (r->retired_kept)
        json_set_text(result, "retired_served_by", r->holder);
    json_set_number(result, "partial_removed", r->partials_removed);
    json_set_number(result, "partial_kept", r->partials_kept);
    json_set_number(result, "foreign_files", r->foreign + r->foreign_meta);
    json_set_decimal(result, "seconds", output_seconds(&s->out));
    json_print(result);
}

static void print_gc_result(const struct command *s, const struct store_gc_result *r)
{
    char size[TEXT_SIZE_BYTES];

    printf("%s: %s %llu chunk%s (%s), %llu stay\n", s->path,
           s->o.dry_run ? "would remove" : "removed", (unsigned long long)r->chunks_removed,
           text_s(r->chunks_removed), text_size(r->bytes_removed, size),
           (unsigned long long)r->chunks_kept);
    if (r->retired_kept)
        printf("%llu replaced or removed %s\n"
               "served by %s\n",
               (unsigned long long)r->retired_kept,
               r->retired_kept == 1 ? "release is still served: its chunks stay"
                                    : "releases are still served: their chunks stay",
               r->holder);
    if (r->partials_kept)
        printf("%llu %s\n", (unsigned long long)r->partials_kept,
               r->partials_kept == 1 ? "clone was interrupted: what it fetched stays"
                                     : "clones were interrupted: what they fetched stays");
    if (r->foreign)
        printf("%llu %s\n", (unsigned long long)r->foreign,
               r->foreign == 1 ? "file in chunks/ is none of ihop's: it stays"
                               : "files in chunks/ are none of ihop's: they stay");
    if (r->foreign_meta)
        printf("%llu %s\n", (unsigned long long)r->foreign_meta,
               r->foreign_meta == 1 ? "file in .ihop/ is none of ihop's: it stays"
                                    : "files in .ihop/ are none of ihop's: they stay");
}

int command_gc(struct command *s, struct err *e)
{
    CLEANUP(store_release_list_free) struct store_release_list list = {0};
    CLEANUP(victims_free) struct victims v = {0};
    struct store_gc_options options = {.dry_run = s->o.dry_run,
                                       .partial_age_s = (uint64_t)s->o.partial_age_days * DAY_S,
                                       .progress = on_gc_progress,
                                       .user = &s->out};
    struct store_gc_result result;

    if (command_open(s, s->o.dry_run ? STORE_READ : STORE_CLEAN, e) < 0)
        return -1;
    if (s->o.keep > 0 &&
        (command_releases(s, &list, e) < 0 || store_releases_check_known(s->store, &list, e) < 0 ||
         check_release_order(s, &list, s->o.keep, e) < 0 ||
         choose_victims(&list, s->o.keep, &v, e) < 0))
        return -1;
    options.without = v.names;
    options.without_count = v.count;
    if (v.count > 0 && (store_gc_check(s->store, &options, e) < 0 || remove_victims(s, &v, e) < 0))
        return -1;
    options.without_count = v.count;
    if (store_gc(s->store, &options, &result, e) < 0)
        return -1;
    output_clear(&s->out);
    if (s->o.common.json)
        print_gc_json(s, &v, &result);
    else if (!s->o.common.quiet)
        print_gc_result(s, &result);
    return 0;
}

/* Prints the result of a command that changes one release. */
static int report_done(const struct command *s, const char *what)
{
    json_t *result;

    if (s->o.common.json) {
        result = command_result(s);
        json_set_text(result, "release", s->names[0]);
        json_set_text(result, "outcome", what);
        json_print(result);
    } else if (!s->o.common.quiet) {
        printf("%s/%s: %s\n", s->path, s->names[0], what);
    }
    return 0;
}

int command_remove(struct command *s, struct err *e)
{
    if (command_open(s, STORE_WRITE, e) < 0 ||
        store_release_remove(s->store, s->names[0], s->o.force, e) < 0)
        return -1;
    return report_done(s, "removed");
}

static int change_protection(struct command *s, bool on, struct err *e)
{
    if (command_open(s, STORE_WRITE, e) < 0 ||
        store_release_protect(s->store, s->names[0], on, e) < 0)
        return -1;
    return report_done(s, on ? "protected" : "not protected");
}

int command_protect(struct command *s, struct err *e)
{
    return change_protection(s, true, e);
}

int command_unprotect(struct command *s, struct err *e)
{
    return change_protection(s, false, e);
}
