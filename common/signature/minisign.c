/* SPDX-License-Identifier: MIT */
#include "signature/minisign.h"

#include "base/io.h"
#include "signature/base64.h"
#include "signature/lines.h"

#include <string.h>

#define ALGORITHM_SIZE 2
#define HEAD_SIZE      (ALGORITHM_SIZE + PUBLIC_KEY_ID_SIZE)

static int wrong_line(const struct lines *l, const char *what, struct err *e)
{
    return err_set(e, ERR_ARCHIVE, "line %zu of its signatures is wrong: %s", l->number, what);
}

/* Goes to the next line, which must begin with a label; what follows is a comment. */
static int next_comment(struct lines *l, const char *label, struct err *e)
{
    if (!lines_next(l))
        return err_set(e, ERR_ARCHIVE, "its signatures are cut short, after line %zu", l->number);
    if (!lines_begins(l, label))
        return err_set(e, ERR_ARCHIVE,
                       "line %zu of its signatures is wrong: it does not begin with '%s'",
                       l->number, label);
    if (l->size - strlen(label) > LIMIT_SIGNATURE_COMMENT)
        return err_set(e, ERR_ARCHIVE, "line %zu of its signatures has more than %d bytes",
                       l->number, LIMIT_SIGNATURE_COMMENT);
    /* Where the comment ends would depend on who reads it. */
    if (memchr(l->line, '\r', l->size))
        return wrong_line(l, "it has a carriage return", e);
    return 0;
}

/* Goes to the next line, which must be the base64 of exactly size bytes. */
static int next_bytes(struct lines *l, uint8_t *out, size_t size, struct err *e)
{
    if (!lines_next(l))
        return err_set(e, ERR_ARCHIVE, "its signatures are cut short, after line %zu", l->number);
    if (base64_decode(l->line, l->size, out, size) != (ssize_t)size)
        return wrong_line(l, "it is not the base64 of a signature", e);
    return 0;
}

static int take_head(const struct lines *l, const uint8_t *head, struct minisign_signature *s,
                     struct err *e)
{
    if (memcmp(head, "Ed", ALGORITHM_SIZE) == 0)
        return wrong_line(l,
                          "it is a signature in minisign's legacy form; sign without -l, or with "
                          "-H where minisign is older than 0.10",
                          e);
    if (memcmp(head, "ED", ALGORITHM_SIZE) != 0)
        return wrong_line(l, "it is a signature of an unknown kind", e);
    memcpy(s->id, head + ALGORITHM_SIZE, sizeof s->id);
    memcpy(s->signature, head + HEAD_SIZE, sizeof s->signature);
    return 0;
}

/* The present line is the first of a signature. */
static int parse_signature(struct lines *l, struct minisign_signature *s, struct err *e)
{
    static const char untrusted[] = "untrusted comment:", trusted[] = "trusted comment: ";
    uint8_t head[HEAD_SIZE + ED25519_SIGNATURE_SIZE];

    s->lines = l->line;
    l->at = l->line; /* Read once more, as a comment. */
    l->number--;
    if (next_comment(l, untrusted, e) < 0 || next_bytes(l, head, sizeof head, e) < 0 ||
        take_head(l, head, s, e) < 0 || next_comment(l, trusted, e) < 0)
        return -1;
    s->comment = l->line + strlen(trusted);
    s->comment_size = l->size - strlen(trusted);
    if (next_bytes(l, s->global, sizeof s->global, e) < 0)
        return -1;
    s->lines_size = (size_t)(l->line + l->size - s->lines);
    return 0;
}

/* How many bytes the text has without the zeros behind it. */
static int measure_text(const uint8_t *text, size_t size, size_t *length, struct err *e)
{
    const uint8_t *nul = memchr(text, '\0', size);

    *length = nul ? (size_t)(nul - text) : size;
    if (*length > LIMIT_SIGNATURE_TEXT)
        return err_set(e, ERR_ARCHIVE, "its signatures have more than %llu bytes",
                       (unsigned long long)LIMIT_SIGNATURE_TEXT);
    if (!io_is_zero(text + *length, size - *length))
        return err_set(e, ERR_ARCHIVE, "behind its signatures there is something else");
    return 0;
}

int minisign_parse(const void *text, size_t size, struct minisign_text *parsed, struct err *e)
{
    struct minisign_text found;
    struct lines l;
    size_t length;

    found.count = 0;
    if (size == 0) {
        parsed->count = 0;
        return 0;
    }
    if (measure_text(text, size, &length, e) < 0)
        return -1;
    l = lines_of(text, length);
    while (lines_next(&l)) {
        if (l.size == 0)
            continue;
        if (found.count == LIMIT_SIGNATURES)
            return err_set(e, ERR_ARCHIVE, "it has more than %d signatures", LIMIT_SIGNATURES);
        if (parse_signature(&l, &found.signatures[found.count], e) < 0)
            return -1;
        found.count++;
    }
    *parsed = found;
    return 0;
}
