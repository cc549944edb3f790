/* SPDX-License-Identifier: MIT */
#include "compress/signature_list.h"

#include "base/cleanup.h"

#include <stdbool.h>
#include <string.h>

/* A text that grows, with the space for all that can be in it. */
struct growing {
    char *text;
    size_t size;
};

static void append_lines(struct growing *g, const char *lines, size_t size)
{
    memcpy(g->text + g->size, lines, size);
    g->size += size;
    if (size > 0 && lines[size - 1] != '\n')
        g->text[g->size++] = '\n';
}

/* Whether a signature that is there gives way to a new one. The id of one whose key is not at hand
 * says nothing: anybody may claim any. */
static int is_replaced(const struct signature_list *list, const struct minisign_signature *old,
                       const struct minisign_signature *new, const struct public_key *key,
                       bool *replaced, struct err *e)
{
    *replaced = memcmp(old->id, new->id, sizeof old->id) == 0 &&
                (key || memcmp(old->signature, new->signature, sizeof old->signature) == 0);
    if (*replaced || !key)
        return 0;
    return ed25519_verify(key->bytes, list->message, sizeof list->message, old->signature, replaced,
                          e);
}

static int begin_growing(struct growing *g, size_t most, struct err *e)
{
    *g = (struct growing){.text = malloc(most)};
    return g->text ? 0 : err_nomem(e, "collecting signatures");
}

int signature_list_begin(struct signature_list *list, const uint8_t message[64], const void *text,
                         size_t size, struct err *e)
{
    struct minisign_text parsed;
    struct growing g;

    *list = (struct signature_list){.text = NULL};
    memcpy(list->message, message, sizeof list->message);
    if (minisign_parse(text, size, &parsed, e) < 0)
        return -1;
    if (parsed.count == 0)
        return 0;
    if (begin_growing(&g, size + LIMIT_SIGNATURES, e) < 0)
        return -1;
    for (size_t i = 0; i < parsed.count; i++)
        append_lines(&g, parsed.signatures[i].lines, parsed.signatures[i].lines_size);
    list->text = g.text;
    list->size = g.size;
    return 0;
}

/* The result must be one that a reader takes. */
static int check_list(const struct growing *g, struct err *e)
{
    struct minisign_text parsed;

    if (minisign_parse(g->text, g->size, &parsed, e) == 0)
        return 0;
    e->kind = ERR_USAGE;
    return err_context(e, "cannot add a signature");
}

int signature_list_add(struct signature_list *list, const struct minisign_signature *s,
                       const char *lines, size_t size, const struct public_key *key, struct err *e)
{
    CLEANUP_FREE char *text = NULL;
    struct minisign_text parsed;
    struct growing g;
    bool replaced;

    if (minisign_parse(list->text, list->size, &parsed, e) < 0 ||
        begin_growing(&g, list->size + size + LIMIT_SIGNATURES + 1, e) < 0)
        return -1;
    text = g.text;
    for (size_t i = 0; i < parsed.count; i++) {
        if (is_replaced(list, &parsed.signatures[i], s, key, &replaced, e) < 0)
            return -1;
        if (!replaced)
            append_lines(&g, parsed.signatures[i].lines, parsed.signatures[i].lines_size);
    }
    append_lines(&g, lines, size);
    if (check_list(&g, e) < 0)
        return -1;
    free(list->text);
    list->text = STEAL(text);
    list->size = g.size;
    return 0;
}

void signature_list_free(struct signature_list *list)
{
    free(list->text);
    list->text = NULL;
    list->size = 0;
}
