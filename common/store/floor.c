/* SPDX-License-Identifier: MIT */
#include "store/floor.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "format/facts.h"
#include "format/release.h"
#include "store/boot_file.h"
#include "store/lock.h"
#include "store/meta_file.h"
#include "store/record_text.h"
#include "store/store_private.h"
#include "store/versions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FLOOR       "floor"
#define FLOOR_FRESH "floor.new"
#define ID          "id"
#define ID_FRESH    "id.new"
#define PATH        STORE_META "/" FLOOR

/* ---- the name of the store ---- */

/* Reads .ihop/id: 16 hex digits and a line end. ERR_NOT_FOUND, ERR_DAMAGED, ERR_IO. */
static int read_store_id(const struct store *store, char id[IO_RANDOM_NAME_SIZE], struct err *e)
{
    char text[META_FILE_MAX + 1];
    size_t size;

    if (meta_file_read(store, ID, text, &size, e) < 0)
        return -1;
    if (size == IO_RANDOM_NAME_SIZE && text[size - 1] == '\n') {
        text[size - 1] = '\0';
        if (io_is_random_name(text)) {
            strcpy(id, text);
            return 0;
        }
    }
    return err_set(e, ERR_DAMAGED, "%s/" STORE_META "/" ID " is damaged", store->path);
}

/* The name of the store; it gets one if it has none that can be read. */
static int need_store_id(const struct store *store, char id[IO_RANDOM_NAME_SIZE], struct err *e)
{
    struct err why = ERR_INIT;
    char text[IO_RANDOM_NAME_SIZE + 1];

    if (read_store_id(store, id, &why) == 0)
        return 0;
    if (why.kind != ERR_NOT_FOUND && why.kind != ERR_DAMAGED) {
        *e = why;
        return -1;
    }
    if (io_random_name(id) < 0)
        return err_sys(e, errno, "cannot get random bytes");
    snprintf(text, sizeof text, "%s\n", id);
    return meta_file_replace(store, ID_FRESH, ID, text, IO_RANDOM_NAME_SIZE, e);
}

/* ---- the file ---- */

struct floor_file {
    char id[IO_RANDOM_NAME_SIZE];
    uint64_t minimum;
    bool has_id, has_minimum;
};

static int take_floor_line(void *user, const struct record_line *line, struct err *e)
{
    struct floor_file *f = user;
    char value[32];

    if (record_line_is(line, "store")) {
        if (f->has_id || !record_line_value(line, value, sizeof value) || !io_is_random_name(value))
            return err_set(e, ERR_DAMAGED, "store is no name of a store, or is there twice");
        strcpy(f->id, value);
        f->has_id = true;
    } else if (record_line_is(line, "minimum")) {
        if (f->has_minimum || !record_line_value(line, value, sizeof value) ||
            !text_parse_u64(value, 0, UINT64_MAX, &f->minimum))
            return err_set(e, ERR_DAMAGED, "minimum is no number, or is there twice");
        f->has_minimum = true;
    }
    return 0;
}

static int parse_floor(const char *text, size_t size, struct floor_file *f, struct err *e)
{
    *f = (struct floor_file){.minimum = 0};
    if (size > META_FILE_MAX)
        return err_set(e, ERR_DAMAGED, "it is larger than %d bytes", META_FILE_MAX);
    if (record_text_read(text, size, take_floor_line, f, e) < 0)
        return -1;
    return f->has_id && f->has_minimum
               ? 0
               : err_set(e, ERR_DAMAGED, "it has no line for store or for minimum");
}

/* Reads the file, which must be this store's. ERR_NOT_FOUND, ERR_DAMAGED, ERR_IO. */
static int read_floor_file(const struct store *store, uint64_t *minimum, struct err *e)
{
    char text[META_FILE_MAX + 1], id[IO_RANDOM_NAME_SIZE];
    struct floor_file f;
    size_t size;

    if (meta_file_read(store, FLOOR, text, &size, e) < 0)
        return -1;
    if (parse_floor(text, size, &f, e) < 0)
        return err_context(e, "%s/" PATH " is damaged", store->path);
    if (read_store_id(store, id, e) < 0) {
        if (e->kind == ERR_NOT_FOUND)
            e->kind = ERR_DAMAGED;
        return err_context(e, "%s/" PATH " may be another store's", store->path);
    }
    if (strcmp(f.id, id) != 0)
        return err_set(e, ERR_DAMAGED,
                       "%s/" PATH " is that of another store (%s, and this one is %s)", store->path,
                       f.id, id);
    *minimum = f.minimum;
    return 0;
}

static int write_floor(const struct store *store, uint64_t minimum, struct err *e)
{
    char text[256], id[IO_RANDOM_NAME_SIZE];
    size_t n;

    if (store->meta_fd < 0)
        return err_set(e, ERR_IO, "%s has no directory " STORE_META, store->path);
    if (need_store_id(store, id, e) < 0)
        return -1;
    n = (size_t)snprintf(text, sizeof text,
                         "# The lowest version that this store takes. Use ihop-store minimum to "
                         "change it.\nstore=%s\nminimum=%llu\n",
                         id, (unsigned long long)minimum);
    n = record_text_end(text, n, sizeof text);
    return meta_file_replace(store, FLOOR_FRESH, FLOOR, text, n, e);
}

/* ---- reading ---- */

/* What the releases say, for a floor that is not recorded. */
static int read_implied(const struct store *store, struct store_floor *floor, struct err *e)
{
    struct store_versions v;

    if (store_versions_read(store, &v, e) < 0)
        return -1;
    *floor = (struct store_floor){.minimum = v.minimum};
    return 0;
}

static int add_floor_remedy(const struct store *store, const struct store_floor *implied,
                            struct err *e)
{
    const struct err why = *e;

    return err_set(e, why.kind,
                   "%s; the releases of the store demand %llu: to record that, run: ihop-store "
                   "minimum --force --set %llu %s",
                   why.text, (unsigned long long)implied->minimum,
                   (unsigned long long)implied->minimum, store->path);
}

int store_floor_read(const struct store *store, struct store_floor *floor, struct err *e)
{
    struct err why = ERR_INIT;
    struct store_floor f = {.recorded = true};

    if (read_floor_file(store, &f.minimum, &why) == 0) {
        *floor = f;
        return 0;
    }
    if (why.kind != ERR_NOT_FOUND && why.kind != ERR_DAMAGED) {
        *e = why;
        return -1;
    }
    if (read_implied(store, floor, e) < 0)
        return -1;
    if (why.kind == ERR_NOT_FOUND)
        return 0;
    *e = why;
    return add_floor_remedy(store, floor, e);
}

uint64_t store_floor_for_boot(const struct store *store, const struct events *events)
{
    struct store_floor floor = {.minimum = 0};
    struct err why = ERR_INIT;

    if (store_floor_read(store, &floor, &why) == 0)
        return floor.minimum;
    events_note(events, "%s", why.text);
    if (why.kind != ERR_DAMAGED && read_implied(store, &floor, &why) < 0)
        return 0;
    return floor.minimum;
}

/* ---- checking ---- */

static bool is_default(const struct store *store, const char *name)
{
    struct boot_record record;
    struct err ignored = ERR_INIT;

    return boot_file_read(store, &record, &ignored) != BOOT_FILE_NONE &&
           strcmp(record.of[BOOT_DEFAULT].name, name) == 0;
}

int store_floor_check_served(const struct store *store, const char *name, uint64_t version,
                             struct err *e)
{
    struct err why = ERR_INIT;
    struct store_floor floor;

    if (store_floor_read(store, &floor, &why) == 0) {
        if (version >= floor.minimum)
            return 0;
        err_set(&why, ERR_ARCHIVE, "its version is %llu, below %llu, the minimum of its store",
                (unsigned long long)version, (unsigned long long)floor.minimum);
    }
    if (is_default(store, name))
        return 0;
    *e = why;
    return -1;
}

int store_floor_check_published(const struct store *store, const uint8_t *data, size_t size,
                                struct err *e)
{
    CLEANUP(image_free) struct image image = {0};
    struct store_floor floor;
    struct facts facts;

    if (store_floor_read(store, &floor, e) < 0)
        return -1;
    if (floor.minimum == 0)
        return 0;
    if (release_parse_metadata(data, size, &image, e) < 0 || facts_read(&image, &facts, e) < 0)
        return -1;
    if (facts.version >= floor.minimum)
        return 0;
    return err_set(e, ERR_ARCHIVE,
                   "version %llu is below %llu, the minimum that store %s has accepted meanwhile",
                   (unsigned long long)facts.version, (unsigned long long)floor.minimum,
                   store->path);
}

/* ---- changing ---- */

int store_floor_keep(const struct store *store, struct err *e)
{
    struct err why = ERR_INIT;
    struct store_floor floor;

    /* What is damaged is refused by clones until an operator has set it. */
    if (store_floor_read(store, &floor, &why) < 0 || floor.recorded || floor.minimum == 0)
        return 0;
    return write_floor(store, floor.minimum, e);
}

int store_floor_accept(const struct store *store, uint64_t version, uint64_t minimum, struct err *e)
{
    CLEANUP_FD int lock = store_publish_lock(store, e);
    struct store_floor floor;

    if (lock < 0 || store_floor_read(store, &floor, e) < 0)
        return -1;
    if (version < floor.minimum)
        return err_set(e, ERR_ARCHIVE,
                       "version %llu is below %llu, the minimum that store %s has accepted "
                       "meanwhile",
                       (unsigned long long)version, (unsigned long long)floor.minimum, store->path);
    if (floor.recorded && floor.minimum >= minimum)
        return 0;
    return write_floor(store, minimum > floor.minimum ? minimum : floor.minimum, e);
}

int store_floor_set(const struct store *store, uint64_t minimum, bool force,
                    struct store_floor *before, struct err *e)
{
    CLEANUP_FD int lock = store_publish_lock(store, e);
    struct err why = ERR_INIT;

    *before = (struct store_floor){.minimum = 0};
    if (lock < 0)
        return -1;
    if (store_floor_read(store, before, &why) < 0) {
        if (why.kind != ERR_DAMAGED || !force) {
            *e = why;
            if (why.kind == ERR_DAMAGED)
                e->kind = ERR_REFUSED;
            return -1;
        }
    } else if (minimum < before->minimum && !force) {
        return err_set(e, ERR_REFUSED,
                       "%s takes no version below %llu: lowering that to %llu lets in again what "
                       "was refused for ever, with the holes that it has; pass --force to do that",
                       store->path, (unsigned long long)before->minimum,
                       (unsigned long long)minimum);
    }
    return before->recorded && before->minimum == minimum ? 0 : write_floor(store, minimum, e);
}
