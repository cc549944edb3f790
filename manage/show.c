/* SPDX-License-Identifier: MIT */
/* show: the commands that show what a store holds: list and info. */
#include "manage/command.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/facts_json.h"
#include "codec/decoder.h"
#include "format/facts.h"
#include "store/chunk_usage.h"
#include "store/release_load.h"

#include <stdio.h>
#include <string.h>

#define ID_SHOWN 16 /* how many hex digits of an image's checksum tables have */

static void set_state_text(json_t *row, const struct store_release *r)
{
    json_set_text(row, "name", r->name);
    json_set_number(row, "published", (uint64_t)r->published.tv_sec);
    if (r->number > 0)
        json_set_number(row, "number", r->number);
    if (r->served != STORE_SERVED_UNKNOWN)
        json_set_bool(row, "served", r->served == STORE_SERVED);
    json_set_bool(row, "protected", r->is_protected);
    if (r->boots != BOOT_ROLES)
        json_set_text(row, "boots", boot_role_name(r->boots));
}

static json_t *list_row(const struct store_release *r, const struct image *image, bool good)
{
    json_t *row = json_object();
    char hex[CHUNK_HASH_HEX];

    set_state_text(row, r);
    json_set_bool(row, "damaged", !good);
    if (!good)
        return row;
    text_hex(image->source_checksum, CHUNK_HASH_SIZE, hex);
    json_set_text(row, "source_checksum", hex);
    json_set_number(row, "image_size", image->source_size);
    json_set_number(row, "chunks", image->chunks.count);
    facts_to_json(row, image);
    return row;
}

#define STATE_SIZE 64

static const char *release_state(const struct store_release *r, char text[STATE_SIZE])
{
    const char *served = r->served == STORE_SERVED_UNKNOWN ? "served?, "
                         : r->served == STORE_SERVED       ? "served, "
                                                           : "";

    snprintf(text, STATE_SIZE, "%s%s%s", served, r->is_protected ? "protected, " : "",
             r->boots == BOOT_ROLES ? "" : boot_role_name(r->boots));
    if (!*text)
        return "-";
    if (text[strlen(text) - 1] == ' ')
        text[strlen(text) - 2] = '\0';
    return text;
}

static int list_cells(struct table *t, const struct store_release *r, const struct image *image,
                      bool good, struct err *e)
{
    char size[TEXT_SIZE_BYTES], when[COMMAND_TIME_SIZE], hex[CHUNK_HASH_HEX], state[STATE_SIZE];

    if (table_add(t, e, "%s", r->name) < 0 || table_add(t, e, "%s", command_time(r, when)) < 0)
        return -1;
    text_hex(image->source_checksum, CHUNK_HASH_SIZE, hex);
    if (table_add(t, e, "%s", good ? text_size(image->source_size, size) : "-") < 0 ||
        table_add(t, e, good ? "%zu" : "-", image->chunks.count) < 0 ||
        table_add(t, e, "%.*s", ID_SHOWN, good ? hex : "-") < 0)
        return -1;
    return table_add(t, e, "%s", good ? release_state(r, state) : "damaged");
}

static int list_releases(struct command *s, const struct store_release_list *list, struct table *t,
                         json_t *rows, struct err *e)
{
    for (size_t i = 0; i < list->count; i++) {
        CLEANUP(image_free) struct image image = {0};
        struct err why = ERR_INIT;
        bool there;
        bool good = command_load(s, list->items[i].name, &image, &there, &why) == 0;

        if (!there)
            continue;
        if (!good && why.kind != ERR_DAMAGED) {
            *e = why;
            return -1;
        }
        if (list_cells(t, &list->items[i], &image, good, e) < 0)
            return -1;
        if (!good)
            output_note(&s->out, "%s", why.text);
        json_array_append_new(rows, list_row(&list->items[i], &image, good));
    }
    return 0;
}

/* Notes when it is unknown which releases are served. This is no error, because the list itself
 * is right. */
static void note_unknown(struct command *s, const struct store_release_list *list)
{
    struct err why = ERR_INIT;

    if (store_releases_check_served(s->store, list, &why) < 0)
        output_note(&s->out, "%s", why.text);
    if (list->boot_fault.kind != ERR_NONE)
        output_note(&s->out, "%s", list->boot_fault.text);
}

static int list(struct command *s, struct table *t, json_t *result, struct err *e)
{
    static const char *const head[] = {"RELEASE", "PUBLISHED", "SIZE", "CHUNKS",
                                       "IMAGE",   "STATE",     NULL};
    CLEANUP(store_release_list_free) struct store_release_list releases = {0};
    json_t *rows = json_array();

    json_object_set_new(result, "releases", rows);
    if (table_add_row(t, head, e) < 0 || command_open(s, STORE_READ, e) < 0 ||
        command_releases(s, &releases, e) < 0)
        return -1;
    note_unknown(s, &releases);
    return list_releases(s, &releases, t, rows, e);
}

int command_list(struct command *s, struct err *e)
{
    struct table t = {.columns = "lrrrll"};
    json_t *result = command_result(s);

    return command_show(s, list(s, &t, result, e), &t, result);
}

/* ---- info ---- */

static int print_metadata(struct command *s, struct err *e)
{
    CLEANUP(image_free) struct image image = {0};
    const struct image_metadata *m;

    if (!s->names[0])
        return err_set(e, ERR_USAGE,
                       "--metadata-key needs a release: use ihop-store info STORE/RELEASE");
    if (command_open(s, STORE_READ, e) < 0 ||
        store_release_find(s->store, s->names[0], &image, NULL, e) < 0)
        return -1;
    m = image_find_metadata(&image, s->o.metadata_key);
    if (!m)
        return err_set(e, ERR_NOT_FOUND, "the release has no metadata with the key '%s'",
                       s->o.metadata_key);
    fwrite(m->value, 1, m->size, stdout); /* output_end checks for errors. */
    return 0;
}

static int row_of(struct table *t, struct err *e, const char *name, const char *value)
{
    if (table_add(t, e, "%s:", name) < 0)
        return -1;
    return table_add(t, e, "%s", value);
}

/* One line of the table and one member of the JSON object. With text NULL it is the number. */
struct fact {
    const char *name, *member;
    const char *text;
    uint64_t number;
    bool is_size;
};

static int show_fact(struct table *t, json_t *result, const struct fact *f, struct err *e)
{
    char digits[64], size[TEXT_SIZE_BYTES];

    if (f->text)
        json_set_text(result, f->member, f->text);
    else
        json_set_number(result, f->member, f->number);
    if (f->is_size)
        snprintf(digits, sizeof digits, "%s (%llu bytes)", text_size(f->number, size),
                 (unsigned long long)f->number);
    else
        snprintf(digits, sizeof digits, "%llu", (unsigned long long)f->number);
    return row_of(t, e, f->name, f->text ? f->text : digits);
}

static int show_facts(struct table *t, json_t *result, const struct fact *facts, struct err *e)
{
    for (; facts->name; facts++)
        if (show_fact(t, result, facts, e) < 0)
            return -1;
    return 0;
}

static const char *chunker_text(const struct image *image, char text[128])
{
    if (image->chunker == IMAGE_FIXED_SIZE)
        snprintf(text, 128, "fixed size, %u bytes", image->max_chunk_size);
    else
        snprintf(text, 128, "%s, %u to %u bytes, %llu on average", image_chunker_name(image),
                 image->min_chunk_size, image->max_chunk_size,
                 (unsigned long long)image_average_chunk_size(image));
    return text;
}

static int show_image(struct table *t, json_t *result, const struct image *image, struct err *e)
{
    char hex[CHUNK_HASH_HEX], chunker[128];
    struct chunk_usage_sum data = chunk_usage_sum(NULL, &image->chunks, 0);
    uint64_t zero = 0;

    for (size_t i = 0; i < image->chunks.count; i++)
        zero += image->chunks.items[i].zero;
    text_hex(image->source_checksum, CHUNK_HASH_SIZE, hex);
    return show_facts(
        t, result,
        (const struct fact[]){
            {"image", "source_checksum", .text = hex},
            {"image size", "image_size", .number = image->source_size, .is_size = true},
            {"chunks", "chunks", .number = image->chunks.count},
            {"of zeros", "chunks_zero", .number = zero},
            {"data in chunks", "bytes", .number = data.bytes, .is_size = true},
            {"chunk hash", "hash_length", .number = image->chunks.hash_length},
            {"cut by", "chunker", .text = chunker_text(image, chunker)},
            {"made by", "application_version", .text = image->application_version},
            {NULL},
        },
        e);
}

static int show_archive(struct table *t, json_t *result, const struct image *image, struct err *e)
{
    char hex[CHUNK_HASH_HEX];

    if (!image->has_archive)
        return row_of(t, e, "archive", "not known (published by the original ihop)");
    text_hex(image->header_checksum, CHUNK_HASH_SIZE, hex);
    if (row_of(t, e, "archive", image->archive_url ? image->archive_url : "a local file") < 0 ||
        (image->archive_url_lacks &&
         row_of(t, e, "to which belongs", "a query or password, which is not recorded") < 0))
        return -1;
    if (image->archive_url) {
        json_set_text(result, "archive_url", image->archive_url);
        json_set_bool(result, "archive_url_complete", !image->archive_url_lacks);
    }
    return show_facts(
        t, result,
        (const struct fact[]){
            {"archive size", "archive_size", .number = image->archive_size, .is_size = true},
            {"header size", "header_size", .number = image->header_size},
            {"header checksum", "header_checksum", .text = hex},
            {"compression", "compression", .text = decoder_ops_of(image->compression)->name},
            {NULL},
        },
        e);
}

static int show_metadata(struct table *t, json_t *result, const struct image *image, struct err *e)
{
    json_t *keys = json_object();

    for (size_t i = 0; i < image->metadata_count; i++) {
        const struct image_metadata *m = &image->metadata[i];

        json_set_number(keys, m->key, m->size);
        if (table_add(t, e, "%s", i == 0 ? "metadata:" : "") < 0 ||
            table_add(t, e, "%s (%zu bytes)", m->key, m->size) < 0) {
            json_decref(keys);
            return -1;
        }
    }
    json_object_set_new(result, "metadata", keys);
    return 0;
}

/* Shows what the image says about itself. */
static int show_said(struct table *t, json_t *result, const struct image *image, struct err *e)
{
    struct facts f;
    struct err why = ERR_INIT;
    char digits[FACTS_NUMBER_MAX], types[FACTS_TYPES_TEXT], hex[2 * FACTS_DIGEST_MAX + 1];

    facts_to_json(result, image);
    if (facts_read(image, &f, &why) < 0)
        return row_of(t, e, "malformed", why.text);
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)f.version);
    if (f.has_version && row_of(t, e, "version", digits) < 0)
        return -1;
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)f.minimum);
    if (f.has_minimum && row_of(t, e, "minimum version", digits) < 0)
        return -1;
    if (f.has_compatible && row_of(t, e, "for devices", facts_types_text(&f, types)) < 0)
        return -1;
    text_hex(f.root_hash, f.root_hash_size, hex);
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)f.hash_offset);
    return !f.has_verity                               ? 0
           : row_of(t, e, "verity root hash", hex) < 0 ? -1
                                                       : row_of(t, e, "verity hash offset", digits);
}

/* Shows with which other releases the release shares chunks, and how many. */
static int show_sharing(const struct command *s, struct table *t, json_t *result, const char *name,
                        const struct image *image, struct err *e)
{
    CLEANUP(store_release_list_free) struct store_release_list list = {0};
    CLEANUP(chunk_usage_free) struct chunk_usage chunk_usage = {0};
    json_t *shared = json_object();
    bool first = true;

    json_object_set_new(result, "shared_with", shared);
    if (store_release_list_read(s->store, &list, e) < 0 ||
        chunk_usage_add(&chunk_usage, &image->chunks, e) < 0)
        return -1;
    for (size_t i = 0; i < list.count; i++) {
        CLEANUP(image_free) struct image other = {0};
        struct err ignored = ERR_INIT;
        struct chunk_usage_sum sum;
        char size[TEXT_SIZE_BYTES];
        json_t *row;
        bool there;

        /* Releases that cannot be read are left out: what they share is unknown. */
        if (strcmp(list.items[i].name, name) == 0 ||
            command_load(s, list.items[i].name, &other, &there, &ignored) < 0 || !there)
            continue;
        sum = chunk_usage_sum(&chunk_usage, &other.chunks, 1);
        if (sum.chunks == 0)
            continue;
        row = json_object();
        json_set_number(row, "chunks", sum.chunks);
        json_set_number(row, "bytes", sum.bytes);
        json_object_set_new(shared, list.items[i].name, row);
        if (table_add(t, e, "%s", first ? "shares with:" : "") < 0 ||
            table_add(t, e, "%s: %llu chunk%s, %s", list.items[i].name,
                      (unsigned long long)sum.chunks, text_s(sum.chunks),
                      text_size(sum.bytes, size)) < 0)
            return -1;
        first = false;
    }
    return 0;
}

static int show_release(struct command *s, const struct store_release *r, struct table *t,
                        json_t *result, struct err *e)
{
    CLEANUP(image_free) struct image image = {0};
    char when[COMMAND_TIME_SIZE], state[STATE_SIZE];

    if (store_release_load(s->store, r->name, &image, NULL, e) < 0)
        return -1;
    set_state_text(result, r);
    if (row_of(t, e, "release", r->name) < 0 ||
        row_of(t, e, "published", command_time(r, when)) < 0 ||
        row_of(t, e, "state", release_state(r, state)) < 0)
        return -1;
    if (show_image(t, result, &image, e) < 0 || show_archive(t, result, &image, e) < 0 ||
        show_said(t, result, &image, e) < 0 || show_metadata(t, result, &image, e) < 0)
        return -1;
    return show_sharing(s, t, result, r->name, &image, e);
}

static int show_store(struct command *s, const struct store_release_list *list, struct table *t,
                      json_t *result, struct err *e)
{
    uint64_t bytes, inodes;

    if (store_free_space(s->store, &bytes, &inodes, e) < 0)
        return -1;
    return show_facts(t, result,
                      (const struct fact[]){
                          {"store", "store", .text = s->path},
                          {"releases", "releases", .number = list->count},
                          {"digits of chunk directories", "folder_digits",
                           .number = store_fanout_digits(s->store)},
                          {"free", "bytes_free", .number = bytes, .is_size = true},
                          {"free inodes", "inodes_free", .number = inodes},
                          {NULL},
                      },
                      e);
}

static int info(struct command *s, struct table *t, json_t *result, struct err *e)
{
    CLEANUP(store_release_list_free) struct store_release_list list = {0};

    if (command_open(s, STORE_READ, e) < 0 || command_releases(s, &list, e) < 0)
        return -1;
    note_unknown(s, &list);
    return s->names[0] ? show_release(s, &list.items[0], t, result, e)
                       : show_store(s, &list, t, result, e);
}

int command_info(struct command *s, struct err *e)
{
    struct table t = {.columns = "ll"};
    json_t *result;

    if (s->o.metadata_key)
        return print_metadata(s, e);
    result = command_result(s);
    return command_show(s, info(s, &t, result, e), &t, result);
}
