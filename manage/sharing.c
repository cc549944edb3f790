/* SPDX-License-Identifier: MIT */
/* sharing: the commands that show which chunks releases share: diff and du. */
#include "manage/command.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "store/chunk_usage.h"
#include "store/release_load.h"

static int sum_cells(struct table *t, const char *name, const struct chunk_usage_sum *sum,
                     struct err *e)
{
    char size[TEXT_SIZE_BYTES];

    if (name && table_add(t, e, "%s", name) < 0)
        return -1;
    if (table_add(t, e, "%llu", (unsigned long long)sum->chunks) < 0)
        return -1;
    return table_add(t, e, "%s", text_size(sum->bytes, size));
}

static void set_sum(json_t *object, const char *name, const struct chunk_usage_sum *sum)
{
    json_t *member = json_object();

    json_set_number(member, "chunks", sum->chunks);
    json_set_number(member, "bytes", sum->bytes);
    json_object_set_new(object, name, member);
}

static int diff(struct command *s, struct table *t, json_t *result, struct err *e)
{
    static const char *const members[] = {"shared", "only_a", "only_b"};
    static const char *const head[] = {" ", "CHUNKS", "BYTES", NULL};
    CLEANUP(chunk_usage_free) struct chunk_usage chunk_usage = {0};
    CLEANUP(image_free) struct image a = {0};
    CLEANUP(image_free) struct image b = {0};
    struct chunk_usage_sum sums[3];

    if (command_open(s, STORE_READ, e) < 0 ||
        store_release_find(s->store, s->names[0], &a, NULL, e) < 0 ||
        store_release_find(s->store, s->names[1], &b, NULL, e) < 0 ||
        chunk_usage_add(&chunk_usage, &a.chunks, e) < 0 ||
        chunk_usage_add(&chunk_usage, &b.chunks, e) < 0 || table_add_row(t, head, e) < 0)
        return -1;
    sums[0] = chunk_usage_sum(&chunk_usage, &a.chunks, 2);
    sums[1] = chunk_usage_sum(&chunk_usage, &a.chunks, 1);
    sums[2] = chunk_usage_sum(&chunk_usage, &b.chunks, 1);
    json_set_text(result, "a", s->names[0]);
    json_set_text(result, "b", s->names[1]);
    for (size_t i = 0; i < 3; i++) {
        set_sum(result, members[i], &sums[i]);
        if (table_add(t, e, "%s%s", i == 0 ? "shared" : "only in ", i == 0 ? "" : s->names[i - 1]) <
                0 ||
            sum_cells(t, NULL, &sums[i], e) < 0)
            return -1;
    }
    return 0;
}

int command_diff(struct command *s, struct err *e)
{
    struct table t = {.columns = "lrr"};
    json_t *result = command_result(s);

    return command_show(s, diff(s, &t, result, e), &t, result);
}

/* ---- du ---- */

/* Counts the chunks of all releases. *total has each chunk once. */
static int count_all(struct command *s, const struct store_release_list *list,
                     struct chunk_usage *chunk_usage, struct chunk_usage_sum *total, struct err *e)
{
    for (size_t i = 0; i < list->count; i++) {
        CLEANUP(image_free) struct image image = {0};
        struct chunk_usage_sum first;
        bool there;

        if (command_load(s, list->items[i].name, &image, &there, e) < 0 ||
            (there && chunk_usage_add(chunk_usage, &image.chunks, e) < 0))
            return -1;
        first = chunk_usage_sum(chunk_usage, &image.chunks,
                                1); /* the chunks that no earlier release has */
        total->chunks += first.chunks;
        total->bytes += first.bytes;
    }
    return 0;
}

static int show_costs(struct command *s, const struct store_release_list *list,
                      const struct chunk_usage *chunk_usage, struct table *t, json_t *rows,
                      struct err *e)
{
    for (size_t i = 0; i < list->count; i++) {
        CLEANUP(image_free) struct image image = {0};
        struct chunk_usage_sum all, alone, shared;
        json_t *row;
        bool there;

        if (command_load(s, list->items[i].name, &image, &there, e) < 0)
            return -1;
        if (!there)
            continue;
        all = chunk_usage_sum(NULL, &image.chunks, 0);
        alone = chunk_usage_sum(chunk_usage, &image.chunks, 1);
        shared = (struct chunk_usage_sum){all.chunks - alone.chunks, all.bytes - alone.bytes};
        row = json_object();
        json_set_text(row, "name", list->items[i].name);
        set_sum(row, "alone", &alone);
        set_sum(row, "shared", &shared);
        json_array_append_new(rows, row);
        if (sum_cells(t, list->items[i].name, &alone, e) < 0 || sum_cells(t, NULL, &shared, e) < 0)
            return -1;
    }
    return 0;
}

static int du(struct command *s, struct table *t, json_t *result, struct err *e)
{
    static const char *const head[] = {"RELEASE", "CHUNKS", "ALONE", "CHUNKS", "SHARED", NULL};
    CLEANUP(store_release_list_free) struct store_release_list list = {0};
    CLEANUP(chunk_usage_free) struct chunk_usage chunk_usage = {0};
    struct chunk_usage_sum total = {0};
    json_t *rows = json_array();

    json_object_set_new(result, "releases", rows);
    if (table_add_row(t, head, e) < 0 || command_open(s, STORE_READ, e) < 0 ||
        command_releases(s, &list, e) < 0 || count_all(s, &list, &chunk_usage, &total, e) < 0 ||
        show_costs(s, &list, &chunk_usage, t, rows, e) < 0)
        return -1;
    set_sum(result, "total", &total);
    if (sum_cells(t, "all, each chunk once", &total, e) < 0 || table_add(t, e, " ") < 0)
        return -1;
    return table_add(t, e, " ");
}

int command_du(struct command *s, struct err *e)
{
    struct table t = {.columns = "lrrrr"};
    json_t *result = command_result(s);

    return command_show(s, du(s, &t, result, e), &t, result);
}
