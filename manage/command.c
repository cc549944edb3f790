/* SPDX-License-Identifier: MIT */
#include "manage/command.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "store/foreign.h"
#include "store/release_load.h"
#include "store/release_name.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int set_path(struct command *s, const char *path, struct err *e)
{
    s->path = strdup(path);
    return s->path ? 0 : err_nomem(e, "reading the command line");
}

/* Takes an operand that must be a store. */
static int take_store(struct command *s, const char *path, const char *usage, struct err *e)
{
    const char *slash = strrchr(path, '/');

    if (store_path_is(path, STORE_FILE_RELEASE))
        return err_set(e, ERR_USAGE,
                       "%s is a release, but %.*s takes a store: use ihop-store %.*s %.*s", path,
                       (int)strcspn(usage, " "), usage, (int)strcspn(usage, " "), usage,
                       slash ? (int)(slash - path) : 1, slash ? path : ".");
    return set_path(s, path, e);
}

/* Takes operands of the form STORE/NAME, which must all be in one store. */
static int take_paths(struct command *s, int argc, char **argv, struct err *e)
{
    for (int i = 0; i < argc; i++) {
        char *path = NULL;
        bool same;

        if (release_name_split(argv[i], &path, &s->names[i], e) < 0)
            return -1;
        same = !s->path || strcmp(path, s->path) == 0;
        if (same && !s->path)
            s->path = path;
        else
            free(path);
        if (!same)
            return err_set(e, ERR_USAGE, "%s and %s are not in the same store", argv[0], argv[i]);
    }
    return 0;
}

int command_take_operands(struct command *s, int argc, char **argv, size_t least, size_t most,
                          const char *usage, struct err *e)
{
    size_t count = argc < 0 ? 0 : (size_t)argc;
    /* When the name may be left out, only a look at the file tells STORE from STORE/NAME. */
    bool paths = count == least ||
                 (count == 1 && least == 0 && most == 1 && !io_is_directory(AT_FDCWD, argv[0], 0));

    if (count == 0 || count < least || count > most + 1)
        return err_set(e, ERR_USAGE, "%s: use ihop-store %s (--help tells more)",
                       count <= least ? "an argument is missing" : "too many arguments", usage);
    if (least == 0 && most == 0)
        return take_store(s, argv[0], usage, e);
    if (paths && strchr(argv[0], '/'))
        return take_paths(s, argc, argv, e);
    if (count == least)
        return err_set(e, ERR_USAGE, "%s is missing: use ihop-store %s",
                       io_is_directory(AT_FDCWD, argv[0], 0) ? "a release" : "the store", usage);
    for (size_t i = 1; i < count; i++) {
        if (release_name_check(argv[i], e) < 0)
            return -1;
        s->names[i - 1] = argv[i];
    }
    return set_path(s, argv[0], e);
}

/* Notes which files in the store are no releases. */
static int note_other_files(struct command *s, struct err *e)
{
    CLEANUP(store_names_free) struct store_names releases = {0};
    CLEANUP(store_names_free) struct store_names others = {0};
    char text[STORE_OTHERS_TEXT];

    if (store_scan(s->store, &releases, &others, e) < 0)
        return -1;
    if (others.count > 0)
        output_note(&s->out, "%s", store_others_tell(s->store, &others, text));
    return 0;
}

int command_open(struct command *s, enum store_access access, struct err *e)
{
    const struct store_options options = {.access = access, .wait_seconds = s->o.wait_seconds};

    for (size_t i = 0; i < COMMAND_NAMES && s->names[i]; i++)
        if (store_foreign_check(s->path, s->names[i], STORE_FOREIGN_READ, e) < 0)
            return -1;
    if (store_open(s->path, &options, &s->store, e) < 0)
        return -1;
    return s->names[0] ? 0 : note_other_files(s, e);
}

int command_releases(const struct command *s, struct store_release_list *list, struct err *e)
{
    size_t kept = 0;

    if (store_release_list_read(s->store, list, e) < 0)
        return -1;
    if (!s->names[0])
        return 0;
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].name, s->names[0]) == 0)
            list->items[kept++] = list->items[i];
        else
            free(list->items[i].name);
    list->count = kept;
    if (kept == 0)
        return store_release_missing(s->store, s->names[0], e);
    return 0;
}

int command_load(const struct command *s, const char *name, struct image *image, bool *there,
                 struct err *e)
{
    struct err why = ERR_INIT;
    int r = store_release_load(s->store, name, image, NULL, &why);

    *there = r == 0 || why.kind != ERR_NOT_FOUND;
    if (r == 0 || !*there)
        return 0;
    *e = why;
    return -1;
}

void command_free(struct command *s)
{
    store_close(s->store);
    network_options_free(&s->o.network);
    key_options_free(&s->o.keys);
    free(s->o.skips);
    free(s->path);
}

json_t *command_result(const struct command *s)
{
    json_t *result = json_new_result(0);

    json_set_text(result, "store", s->path);
    return result;
}

int command_show(const struct command *s, int r, struct table *t, json_t *result)
{
    if (r == 0 && s->o.common.json)
        json_print(result);
    else
        json_decref(result);
    if (r == 0 && !s->o.common.json)
        table_print(t);
    table_free(t);
    return r;
}

const char *command_time(const struct store_release *r, char text[COMMAND_TIME_SIZE])
{
    struct tm tm;

    if (!localtime_r(&r->published.tv_sec, &tm) ||
        strftime(text, COMMAND_TIME_SIZE, "%Y-%m-%d %H:%M", &tm) == 0)
        snprintf(text, COMMAND_TIME_SIZE, "?");
    return text;
}
