/* SPDX-License-Identifier: MIT */
#include "compress/metadata.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/text.h"
#include "cli/device_conf.h"
#include "format/facts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- keys of the user ---- */

/* Appends an entry. The value belongs to the options from then on, or is freed on failure. */
static int add_metadata(struct compress_options *o, const char *key, uint8_t *value, size_t size,
                        struct err *e)
{
    CLEANUP_FREE uint8_t *owned = value;
    CLEANUP_FREE char *name = strdup(key);

    if (!name)
        return err_nomem(e, "reading the command line");
    if (!text_is_utf8(key, strlen(key)))
        return err_set(e, ERR_USAGE, "a metadata key must be valid UTF-8, not '%s'", key);
    if (array_grow((void **)&o->metadata, &o->metadata_capacity, o->metadata_count,
                   sizeof *o->metadata, e) < 0)
        return -1;
    o->metadata[o->metadata_count++] =
        (struct image_metadata){.key = STEAL(name), .value = STEAL(owned), .size = size};
    return 0;
}

int metadata_add_text(void *options, const char *key, const char *value, struct err *e)
{
    uint8_t *copy = (uint8_t *)strdup(value);

    if (!copy)
        return err_nomem(e, "reading the command line");
    return add_metadata(options, key, copy, strlen(value), e);
}

int metadata_add_file(void *options, const char *key, const char *path, struct err *e)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *data;
    size_t size;

    if (fd < 0) {
        err_sys(e, errno, "cannot open the metadata file %s", path);
        if (errno == ENOENT)
            e->kind = ERR_NOT_FOUND;
        return -1;
    }
    if (io_read_file(fd, LIMIT_METADATA_BYTES, path, &data, &size, e) < 0) {
        if (e->kind == ERR_DAMAGED) /* io_read_file reports a wrong file type or size like that. */
            e->kind = ERR_USAGE;
        return -1;
    }
    return add_metadata(options, key, data, size, e);
}

/* ---- keys of ihop ---- */

static int set_fact_number(const char *option, const char *value, struct metadata_number *n,
                           struct err *e)
{
    if (n->given)
        return err_set(e, ERR_USAGE, "--%s is given twice", option);
    if (!text_parse_u64(value, 0, UINT64_MAX, &n->value))
        return err_set(e, ERR_USAGE, "--%s takes a whole number from 0 to %llu, not '%s'", option,
                       (unsigned long long)UINT64_MAX, value);
    n->given = true;
    return 0;
}

static int set_image_version(void *facts, const char *value, const char *unused, struct err *e)
{
    (void)unused;
    return set_fact_number("image-version", value, &((struct metadata_facts *)facts)->version, e);
}

static int set_minimum_version(void *facts, const char *value, const char *unused, struct err *e)
{
    (void)unused;
    return set_fact_number("minimum-version", value, &((struct metadata_facts *)facts)->minimum, e);
}

static int add_device_type(void *facts, const char *value, const char *unused, struct err *e)
{
    struct metadata_facts *f = facts;

    (void)unused;
    if (device_type_check(value, e) < 0)
        return -1;
    if (f->type_count == LIMIT_DEVICE_TYPES)
        return err_set(e, ERR_USAGE, "--compatible is given more than %d times",
                       LIMIT_DEVICE_TYPES);
    if (array_grow((void **)&f->types, &f->type_capacity, f->type_count, sizeof *f->types, e) < 0)
        return -1;
    f->types[f->type_count++] = value;
    return 0;
}

const struct option_spec metadata_fact_specs[] = {
    {"image-version", 0, OPTION_CALL, 0, "N", "its version, which counts up with each release",
     .call = set_image_version},
    {"minimum-version", 0, OPTION_CALL, 0, "N",
     "who has accepted it takes no lower version any more", .call = set_minimum_version},
    {"compatible", 0, OPTION_CALL, 0, "TYPE", "it is for devices of this type; may be repeated",
     .call = add_device_type},
    {NULL},
};

static int add_fact_number(struct compress_options *o, const char *key,
                           const struct metadata_number *n, struct err *e)
{
    char digits[FACTS_NUMBER_MAX];

    if (!n->given)
        return 0;
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)n->value);
    return metadata_add_text(o, key, digits, e);
}

static int add_fact_types(struct compress_options *o, struct err *e)
{
    const struct metadata_facts *f = &o->facts;
    char text[LIMIT_DEVICE_TYPES * (LIMIT_DEVICE_TYPE + 1) + 1];
    size_t used = 0;

    for (size_t i = 0; i < f->type_count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? "\n" : "",
                                 f->types[i]);
    return f->type_count > 0 ? metadata_add_text(o, FACTS_COMPATIBLE, text, e) : 0;
}

static int add_facts(struct compress_options *o, struct err *e)
{
    if (add_fact_number(o, FACTS_VERSION, &o->facts.version, e) < 0 ||
        add_fact_number(o, FACTS_MINIMUM, &o->facts.minimum, e) < 0 || add_fact_types(o, e) < 0)
        return -1;
    o->facts.version.given = o->facts.minimum.given = false;
    o->facts.type_count = 0;
    return 0;
}

/* ---- all ---- */

static int compare_keys(const void *a, const void *b)
{
    const struct image_metadata *x = a, *y = b;

    return strcmp(x->key, y->key);
}

int metadata_finish(struct compress_options *o, struct err *e)
{
    uint64_t bytes = 0;

    if (add_facts(o, e) < 0)
        return -1;
    if (o->metadata_count > 1)
        qsort(o->metadata, o->metadata_count, sizeof *o->metadata, compare_keys);
    for (size_t i = 0; i < o->metadata_count; i++) {
        bytes += strlen(o->metadata[i].key) + o->metadata[i].size;
        if (i > 0 && compare_keys(&o->metadata[i - 1], &o->metadata[i]) == 0)
            return err_set(e, ERR_USAGE, "the metadata key '%s' is given twice",
                           o->metadata[i].key);
    }
    if (o->metadata_count > LIMIT_METADATA_ENTRIES || bytes > LIMIT_METADATA_BYTES)
        return err_set(e, ERR_USAGE, "more metadata than %d entries or %llu bytes",
                       LIMIT_METADATA_ENTRIES, (unsigned long long)LIMIT_METADATA_BYTES);
    if (facts_check_made(o->metadata, o->metadata_count, e) == 0)
        return 0;
    e->kind = ERR_USAGE;
    return -1;
}
