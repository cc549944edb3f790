/* SPDX-License-Identifier: MIT */
#include "store/boot_record.h"

#include "base/text.h"
#include "store/release_name.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ID           "_id"
#define CHECK        "check="
#define VALUE_MAX    256
#define COMMENT_SIZE 64                   /* a divisor of BOOT_RECORD_SIZE */
#define POLYNOMIAL   UINT32_C(0x04c11db7) /* of cksum(1) */

static const char *const roles[BOOT_ROLES] = {"default", "good", "trial", "booted"};

/* What a line of the text fills. */
struct boot_field {
    enum { FIELD_NAME, FIELD_ID, FIELD_BOOT, FIELD_TRIES } kind;
    char key[32];
    char *text;       /* NULL for a number */
    size_t size;      /* of text */
    unsigned *number; /* at most LIMIT_BOOT_TRIES */
    bool seen;
};

#define FIELDS (2 * BOOT_ROLES + 3)

const char *boot_role_name(enum boot_role role)
{
    return roles[role];
}

static void list_fields(struct boot_record *r, struct boot_field fields[FIELDS])
{
    size_t n = 0;

    for (size_t i = 0; i < BOOT_ROLES; i++) {
        struct boot_choice *c = &r->of[i];

        fields[n] = (struct boot_field){FIELD_NAME, .text = c->name, .size = sizeof c->name};
        snprintf(fields[n++].key, sizeof fields->key, "%s", roles[i]);
        fields[n] = (struct boot_field){FIELD_ID, .text = c->id, .size = sizeof c->id};
        snprintf(fields[n++].key, sizeof fields->key, "%s" ID, roles[i]);
    }
    fields[n++] = (struct boot_field){FIELD_TRIES, "tries", .number = &r->tries};
    fields[n++] = (struct boot_field){FIELD_TRIES, "armed", .number = &r->armed};
    fields[n] =
        (struct boot_field){FIELD_BOOT, "boot_id", .text = r->boot_id, .size = sizeof r->boot_id};
}

/* ---- the check: what cksum(1) says of the lines before it ---- */

static uint32_t cksum_add(uint32_t crc, uint8_t byte)
{
    crc ^= (uint32_t)byte << 24;
    for (int bit = 0; bit < 8; bit++)
        crc = crc & UINT32_C(0x80000000) ? crc << 1 ^ POLYNOMIAL : crc << 1;
    return crc;
}

static uint32_t cksum(const char *text, size_t size)
{
    uint32_t crc = 0;

    for (size_t i = 0; i < size; i++)
        crc = cksum_add(crc, (uint8_t)text[i]);
    for (size_t rest = size; rest > 0; rest >>= 8)
        crc = cksum_add(crc, (uint8_t)rest);
    return ~crc;
}

/* ---- writing ---- */

void boot_record_format(const struct boot_record *record, char text[BOOT_RECORD_SIZE])
{
    struct boot_record copy = *record;
    struct boot_field fields[FIELDS];
    size_t n;

    list_fields(&copy, fields);
    n = (size_t)snprintf(text, BOOT_RECORD_SIZE,
                         "# Which release of this store boots. Use ihop-store to change it.\n");
    for (size_t i = 0; i < FIELDS; i++)
        n += fields[i].text ? (size_t)snprintf(text + n, BOOT_RECORD_SIZE - n, "%s=%s\n",
                                               fields[i].key, fields[i].text)
                            : (size_t)snprintf(text + n, BOOT_RECORD_SIZE - n, "%s=%u\n",
                                               fields[i].key, *fields[i].number);
    n += (size_t)snprintf(text + n, BOOT_RECORD_SIZE - n, CHECK "%u\n", cksum(text, n));
    /* Comments fill the rest. */
    for (; n < BOOT_RECORD_SIZE; n++)
        text[n] = n % COMMENT_SIZE == COMMENT_SIZE - 1 || n == BOOT_RECORD_SIZE - 1 ? '\n' : '#';
}

/* ---- reading ---- */

/* Why a text is not what the field takes, or NULL. */
static const char *field_fault(const struct boot_field *f, const char *value)
{
    uint8_t id[CHUNK_HASH_SIZE];
    struct err ignored = ERR_INIT;

    if (strlen(value) >= f->size)
        return "is too long";
    if (*value == '\0')
        return NULL;
    if (f->kind == FIELD_NAME && release_name_check(value, &ignored) < 0)
        return "is no name of a release";
    if (f->kind == FIELD_ID && text_unhex(value, id, sizeof id) != sizeof id)
        return "is no BLAKE2b checksum";
    if (f->kind == FIELD_BOOT && value[strspn(value, "0123456789abcdef-")] != '\0')
        return "is no boot id";
    return NULL;
}

static int take_value(struct boot_field *f, const char *value, struct err *e)
{
    uint64_t n = 0;
    const char *fault;

    if (f->seen)
        return err_set(e, ERR_DAMAGED, "%s is there twice", f->key);
    f->seen = true;
    if (f->kind == FIELD_TRIES) {
        if (!text_parse_u64(value, 0, LIMIT_BOOT_TRIES, &n))
            return err_set(e, ERR_DAMAGED, "%s is no number from 0 to %d", f->key,
                           LIMIT_BOOT_TRIES);
        *f->number = (unsigned)n;
        return 0;
    }
    if ((fault = field_fault(f, value)))
        return err_set(e, ERR_DAMAGED, "%s %s", f->key, fault);
    strcpy(f->text, value);
    return 0;
}

/* Takes one line, whose size is without its end. Keys that are not known are for other programs. */
static int take_line(struct boot_field fields[FIELDS], const char *line, size_t size, struct err *e)
{
    const char *equals = memchr(line, '=', size);
    char value[VALUE_MAX];
    size_t key, rest;

    if (size == 0 || *line == '#')
        return 0;
    if (!equals || memchr(line, '\0', size))
        return err_set(e, ERR_DAMAGED, "a line is not KEY=VALUE");
    key = (size_t)(equals - line);
    rest = size - key - 1;
    for (size_t i = 0; i < FIELDS; i++) {
        if (strlen(fields[i].key) != key || memcmp(fields[i].key, line, key) != 0)
            continue;
        if (rest >= sizeof value)
            return err_set(e, ERR_DAMAGED, "%s is too long", fields[i].key);
        memcpy(value, equals + 1, rest);
        value[rest] = '\0';
        return take_value(&fields[i], value, e);
    }
    return 0;
}

/* Compares the check in the line with the lines before it. */
static int compare_check(const char *text, size_t before, size_t size, struct err *e)
{
    char value[16] = "";
    uint64_t check;

    size -= sizeof CHECK - 1;
    if (size < sizeof value)
        memcpy(value, text + before + sizeof CHECK - 1, size);
    if (!text_parse_u64(value, 0, UINT32_MAX, &check) || check != cksum(text, before))
        return err_set(e, ERR_DAMAGED, "its check is wrong");
    return 0;
}

int boot_record_parse(const char *text, size_t size, struct boot_record *record, struct err *e)
{
    struct boot_record r = {.tries = 0};
    struct boot_field fields[FIELDS];

    if (size > BOOT_RECORD_MAX)
        return err_set(e, ERR_DAMAGED, "it is larger than %d bytes", BOOT_RECORD_MAX);
    list_fields(&r, fields);
    for (size_t at = 0; at < size;) {
        const char *line = text + at, *end = memchr(line, '\n', size - at);
        size_t length;

        if (!end)
            break;
        length = (size_t)(end - line);
        if (length >= sizeof CHECK - 1 && memcmp(line, CHECK, sizeof CHECK - 1) == 0) {
            if (compare_check(text, at, length, e) < 0)
                return -1;
            *record = r;
            return 0;
        }
        if (take_line(fields, line, length, e) < 0)
            return -1;
        at += length + 1;
    }
    return err_set(e, ERR_DAMAGED, size == 0 ? "it is empty" : "it is cut off");
}
