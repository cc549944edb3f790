/* SPDX-License-Identifier: MIT */
#include "store/boot_record.h"

#include "base/text.h"
#include "store/record_text.h"
#include "store/release_name.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ID           "_id"
#define VALUE_MAX    256
#define COMMENT_SIZE 64 /* a divisor of BOOT_RECORD_SIZE */

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
    n = record_text_end(text, n, BOOT_RECORD_SIZE);
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

/* Keys that are not known are for other programs. */
static int take_boot_line(void *user, const struct record_line *line, struct err *e)
{
    struct boot_field *fields = user;
    char value[VALUE_MAX];

    for (size_t i = 0; i < FIELDS; i++) {
        if (!record_line_is(line, fields[i].key))
            continue;
        if (!record_line_value(line, value, sizeof value))
            return err_set(e, ERR_DAMAGED, "%s is too long", fields[i].key);
        return take_value(&fields[i], value, e);
    }
    return 0;
}

int boot_record_parse(const char *text, size_t size, struct boot_record *record, struct err *e)
{
    struct boot_record r = {.tries = 0};
    struct boot_field fields[FIELDS];

    if (size > BOOT_RECORD_MAX)
        return err_set(e, ERR_DAMAGED, "it is larger than %d bytes", BOOT_RECORD_MAX);
    list_fields(&r, fields);
    if (record_text_read(text, size, take_boot_line, fields, e) < 0)
        return -1;
    *record = r;
    return 0;
}
