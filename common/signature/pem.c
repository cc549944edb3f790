/* SPDX-License-Identifier: MIT */
#include "signature/pem.h"

#include "signature/base64.h"
#include "signature/lines.h"

static const char begin[] = "-----BEGIN ";
static const char end[] = "-----END ";
static const char dashes[] = "-----";

/* The base64 of a block, without the ends of its lines. */
struct pem_body {
    char text[BASE64_TEXT_SIZE(PEM_MAX)];
    size_t size;
    bool fits;
};

bool pem_is(const void *text, size_t size)
{
    struct lines l = lines_of(text, size);

    while (lines_next(&l))
        if (lines_begins(&l, begin))
            return true;
    return false;
}

/* Whether a line is start, a label and five dashes; takes the label. */
static bool take_label(const struct lines *l, const char *start, char label[PEM_LABEL_SIZE])
{
    size_t around = strlen(start) + strlen(dashes), size;

    if (!lines_begins(l, start) || l->size <= around)
        return false;
    size = l->size - around;
    if (size >= PEM_LABEL_SIZE ||
        memcmp(l->line + l->size - strlen(dashes), dashes, strlen(dashes)) != 0)
        return false;
    memcpy(label, l->line + strlen(start), size);
    label[size] = '\0';
    return true;
}

static void append_body(struct pem_body *body, const struct lines *l)
{
    if (l->size >= sizeof body->text - body->size) {
        body->fits = false;
        return;
    }
    memcpy(body->text + body->size, l->line, l->size);
    body->size += l->size;
}

static int read_body(struct lines *l, const char *label, struct pem_body *body, struct err *e)
{
    char ended[PEM_LABEL_SIZE];

    while (lines_next(l)) {
        if (take_label(l, end, ended) && strcmp(ended, label) == 0)
            return 0;
        append_body(body, l);
    }
    return err_set(e, ERR_DAMAGED, "its PEM block '%s' has no end", label);
}

int pem_parse(const void *text, size_t size, struct pem *pem, struct err *e)
{
    struct pem_body body = {.fits = true};
    struct lines l = lines_of(text, size);
    ssize_t decoded = 0;

    do
        if (!lines_next(&l))
            return err_set(e, ERR_DAMAGED, "it has no PEM block");
    while (!lines_begins(&l, begin));
    if (!take_label(&l, begin, pem->label))
        return err_set(e, ERR_DAMAGED, "its PEM block has an odd first line");
    if (read_body(&l, pem->label, &body, e) < 0) {
        explicit_bzero(&body, sizeof body);
        return -1;
    }
    if (body.fits)
        decoded = base64_decode(body.text, body.size, pem->bytes, sizeof pem->bytes);
    explicit_bzero(&body, sizeof body);
    pem->size = decoded > 0 ? (size_t)decoded : 0;
    if (pem_is(l.at, (size_t)(l.end - l.at)))
        return err_set(e, ERR_DAMAGED, "it has more than one PEM block: give each a file");
    return 0;
}
