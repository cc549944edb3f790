/* SPDX-License-Identifier: MIT */
#include "format/facts.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define TYPES_TOLD 3
#define SECTOR     512

/* ---- one value ---- */

/* Whether value is a number as facts_number would print it. */
static bool parse_number(const struct image_metadata *m, uint64_t *number)
{
    char text[FACTS_NUMBER_MAX];

    if (m->size == 0 || m->size >= sizeof text || (m->size > 1 && m->value[0] == '0'))
        return false;
    memcpy(text, m->value, m->size);
    text[m->size] = '\0';
    return strlen(text) == m->size && text_parse_u64(text, 0, UINT64_MAX, number);
}

static int take_number(const struct image_metadata *m, uint64_t *number, bool *has, struct err *e)
{
    if (!parse_number(m, number))
        return err_set(e, ERR_ARCHIVE,
                       "%s is no number: digits alone, without leading zeros, of at most %llu",
                       m->key, (unsigned long long)UINT64_MAX);
    *has = true;
    return 0;
}

static int take_root_hash(const struct image_metadata *m, struct facts *f, struct err *e)
{
    char text[2 * FACTS_DIGEST_MAX + 1] = "";
    int size = -1;

    if (m->size < sizeof text) {
        memcpy(text, m->value, m->size);
        size = strlen(text) == m->size ? text_unhex(text, f->root_hash, FACTS_DIGEST_MAX) : -1;
    }
    if (size < FACTS_DIGEST_MIN)
        return err_set(e, ERR_ARCHIVE,
                       "%s is no root hash: the %d to %d hex digits that veritysetup prints",
                       m->key, 2 * FACTS_DIGEST_MIN, 2 * FACTS_DIGEST_MAX);
    f->root_hash_size = (size_t)size;
    return 0;
}

bool facts_is_device_type(const char *name, size_t size)
{
    if (size == 0 || size > LIMIT_DEVICE_TYPE || name[0] == ' ' || name[size - 1] == ' ' ||
        !text_is_utf8(name, size))
        return false;
    for (size_t i = 0; i < size; i++) {
        uint8_t c = (uint8_t)name[i];

        /* C0, DEL, and C1, which is encoded as c2 80 to c2 9f. */
        if (c < 0x20 || c == 0x7f || (c == 0xc2 && i + 1 < size && (uint8_t)name[i + 1] < 0xa0))
            return false;
    }
    return true;
}

const char *facts_next_type(const struct facts *f, size_t *at, size_t *size)
{
    const char *name, *end;

    if (!f->has_compatible || *at >= f->compatible_size)
        return NULL;
    name = f->compatible + *at;
    end = memchr(name, '\n', f->compatible_size - *at);
    *size = end ? (size_t)(end - name) : f->compatible_size - *at;
    *at += *size + 1;
    return name;
}

static int take_compatible(const struct image_metadata *m, struct facts *f, struct err *e)
{
    size_t at = 0, size, count = 0;
    const char *name;

    f->compatible = (const char *)m->value;
    f->compatible_size = m->size;
    f->has_compatible = true;
    while ((name = facts_next_type(f, &at, &size)))
        if (!facts_is_device_type(name, size) || ++count > LIMIT_DEVICE_TYPES)
            return err_set(e, ERR_ARCHIVE,
                           "%s has a line that is no device type (1 to %d bytes, no control "
                           "character, no blank at an end; at most %d lines)",
                           m->key, LIMIT_DEVICE_TYPE, LIMIT_DEVICE_TYPES);
    return count > 0 ? 0 : err_set(e, ERR_ARCHIVE, "%s names no device type", m->key);
}

/* ---- all ---- */

/* What has been seen of ihop.verity, of which both or none are there. */
struct facts_seen {
    bool compatible, root_hash, hash_offset;
};

/* Takes one entry; *known tells whether its key is one of ours. */
static int take_entry(const struct image_metadata *m, struct facts *f, struct facts_seen *seen,
                      bool *known, struct err *e)
{
    const struct {
        const char *key;
        bool *seen;
    } keys[] = {{FACTS_VERSION, &f->has_version},
                {FACTS_MINIMUM, &f->has_minimum},
                {FACTS_COMPATIBLE, &seen->compatible},
                {FACTS_ROOT_HASH, &seen->root_hash},
                {FACTS_HASH_OFFSET, &seen->hash_offset}};
    size_t i = 0;

    while (i < sizeof keys / sizeof *keys && strcmp(keys[i].key, m->key) != 0)
        i++;
    *known = i < sizeof keys / sizeof *keys;
    if (!*known)
        return 0;
    if (*keys[i].seen)
        return err_set(e, ERR_ARCHIVE, "%s is there twice", m->key);
    *keys[i].seen = true;
    switch (i) {
    case 0:
        return take_number(m, &f->version, &f->has_version, e);
    case 1:
        return take_number(m, &f->minimum, &f->has_minimum, e);
    case 2:
        return take_compatible(m, f, e);
    case 3:
        return take_root_hash(m, f, e);
    default:
        return take_number(m, &f->hash_offset, &f->has_verity, e);
    }
}

static int check_together(const struct facts *f, const struct facts_seen *seen, uint64_t image_size,
                          struct err *e)
{
    if (f->minimum > f->version)
        return err_set(e, ERR_ARCHIVE,
                       FACTS_MINIMUM " (%llu) is above " FACTS_VERSION
                                     " (%llu): the image would refuse itself",
                       (unsigned long long)f->minimum, (unsigned long long)f->version);
    if (seen->root_hash != seen->hash_offset)
        return err_set(e, ERR_ARCHIVE,
                       FACTS_ROOT_HASH " and " FACTS_HASH_OFFSET
                                       " belong together: one is missing");
    if (f->has_verity && (f->hash_offset == 0 || f->hash_offset % SECTOR != 0 ||
                          image_size < SECTOR || f->hash_offset > image_size - SECTOR))
        return err_set(e, ERR_ARCHIVE,
                       FACTS_HASH_OFFSET " (%llu) is no place in the image: a multiple of %d, with "
                                         "the hash tree after it",
                       (unsigned long long)f->hash_offset, SECTOR);
    return 0;
}

static int read_facts(const struct image_metadata *metadata, size_t count, uint64_t image_size,
                      bool making, struct facts *facts, struct err *e)
{
    struct facts f = {.version = 0};
    struct facts_seen seen = {.compatible = false};
    bool known;

    for (size_t i = 0; i < count; i++) {
        if (strncmp(metadata[i].key, FACTS_PREFIX, sizeof FACTS_PREFIX - 1) != 0)
            continue;
        if (take_entry(&metadata[i], &f, &seen, &known, e) < 0)
            return -1;
        if (making && !known)
            return err_set(
                e, ERR_ARCHIVE,
                "the metadata key '%.60s' is not known: those that begin with '" FACTS_PREFIX
                "' are ihop's own",
                metadata[i].key);
    }
    if (check_together(&f, &seen, image_size, e) < 0)
        return -1;
    *facts = f;
    return 0;
}

int facts_read(const struct image *image, struct facts *facts, struct err *e)
{
    return read_facts(image->metadata, image->metadata_count, image->source_size, false, facts, e);
}

int facts_check_made(const struct image_metadata *metadata, size_t count, struct err *e)
{
    struct facts ignored;

    return read_facts(metadata, count, UINT64_MAX, true, &ignored, e);
}

/* ---- comparing and telling ---- */

static bool has_same_fact(const struct image *image, const struct image_metadata *m)
{
    const struct image_metadata *other = image_find_metadata(image, m->key);

    return other && other->size == m->size && memcmp(other->value, m->value, m->size) == 0;
}

static bool has_all_facts(const struct image *image, const struct image *of)
{
    for (size_t i = 0; i < of->metadata_count; i++)
        if (strncmp(of->metadata[i].key, FACTS_PREFIX, sizeof FACTS_PREFIX - 1) == 0 &&
            !has_same_fact(image, &of->metadata[i]))
            return false;
    return true;
}

bool facts_are_same(const struct image *a, const struct image *b)
{
    return has_all_facts(a, b) && has_all_facts(b, a);
}

bool facts_is_for(const struct facts *f, const char *type)
{
    size_t at = 0, size;
    const char *name;

    while ((name = facts_next_type(f, &at, &size)))
        if (size == strlen(type) && memcmp(name, type, size) == 0)
            return true;
    return false;
}

const char *facts_types_text(const struct facts *f, char text[FACTS_TYPES_TEXT])
{
    size_t at = 0, size, count = 0, used = 0;
    const char *name;

    text[0] = '\0';
    while ((name = facts_next_type(f, &at, &size)))
        if (count++ < TYPES_TOLD)
            used += (size_t)snprintf(text + used, FACTS_TYPES_TEXT - used, "%s'%.*s'",
                                     count > 1 ? ", " : "", (int)size, name);
    if (count > TYPES_TOLD)
        snprintf(text + used, FACTS_TYPES_TEXT - used, " and %zu more", count - TYPES_TOLD);
    return text;
}
