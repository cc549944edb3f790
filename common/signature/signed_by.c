/* SPDX-License-Identifier: MIT */
#include "signature/signed_by.h"

#include "signature/ed25519.h"
#include "signature/minisign.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* How many ids a message names at most. */
#define IDS_SHOWN 8

/* What a global signature signs. */
static int check_global(const struct minisign_signature *s, const struct public_key *key,
                        bool *good, struct err *e)
{
    uint8_t message[ED25519_SIGNATURE_SIZE + LIMIT_SIGNATURE_COMMENT];

    memcpy(message, s->signature, sizeof s->signature);
    memcpy(message + sizeof s->signature, s->comment, s->comment_size);
    return ed25519_verify(key->bytes, message, sizeof s->signature + s->comment_size, s->global,
                          good, e);
}

/* Asks each key of the set that has, or has not, the id which the signature claims. *key is the one
 * that made it, or as before. */
static int ask_keys(const uint8_t *message, const struct minisign_signature *s,
                    const struct key_set *set, bool of_this_id, const struct trusted_key **key,
                    struct err *e)
{
    for (size_t i = 0; i < set->count && !*key; i++) {
        const struct public_key *k = &set->keys[i].key;
        bool good;

        if ((memcmp(k->id, s->id, sizeof k->id) == 0) != of_this_id)
            continue;
        if (ed25519_verify(k->bytes, message, SIGNED_BY_MESSAGE_SIZE, s->signature, &good, e) < 0)
            return -1;
        if (good)
            *key = &set->keys[i];
    }
    return 0;
}

static bool has_id(const struct key_set *set, const uint8_t id[PUBLIC_KEY_ID_SIZE])
{
    for (size_t i = 0; i < set->count; i++)
        if (memcmp(set->keys[i].key.id, id, PUBLIC_KEY_ID_SIZE) == 0)
            return true;
    return false;
}

static int judge_signature(const uint8_t *message, const struct minisign_signature *s,
                           const struct key_set *set, struct signed_by_signature *result,
                           struct err *e)
{
    const struct trusted_key *key = NULL;
    bool good;

    *result = (struct signed_by_signature){.comment = s->comment, .comment_size = s->comment_size};
    memcpy(result->id, s->id, sizeof result->id);
    if (ask_keys(message, s, set, true, &key, e) < 0 ||
        ask_keys(message, s, set, false, &key, e) < 0)
        return -1;
    if (!key) {
        result->verdict = has_id(set, s->id) ? SIGNATURE_OTHER : SIGNATURE_UNTRUSTED;
        return 0;
    }
    if (check_global(s, &key->key, &good, e) < 0)
        return -1;
    result->key = key;
    result->verdict = good ? SIGNATURE_GOOD : SIGNATURE_COMMENT;
    return 0;
}

/* Whether the last signature is good and the first good one of its key. */
static bool is_by_another_key(const struct signed_by *by)
{
    const struct signed_by_signature *last = &by->signatures[by->signature_count - 1];

    if (last->verdict != SIGNATURE_GOOD)
        return false;
    for (size_t i = 0; i + 1 < by->signature_count; i++)
        if (by->signatures[i].verdict == SIGNATURE_GOOD && by->signatures[i].key == last->key)
            return false;
    return true;
}

int signed_by_find(const uint8_t message[SIGNED_BY_MESSAGE_SIZE], const void *text, size_t size,
                   const struct key_set *set, struct signed_by *by, struct err *e)
{
    struct minisign_text parsed;
    struct signed_by found;

    found.key_count = found.signature_count = 0;
    if (minisign_parse(text, size, &parsed, e) < 0)
        return -1;
    for (size_t i = 0; i < parsed.count; i++) {
        if (judge_signature(message, &parsed.signatures[i], set, &found.signatures[i], e) < 0)
            return -1;
        found.signature_count++;
        if (is_by_another_key(&found))
            found.key_count++;
    }
    *by = found;
    return 0;
}

/* ---- messages ---- */

/* Lists of ids in a message, each within a field of fixed size. */
struct id_list {
    char text[IDS_SHOWN * 64];
    size_t count, used;
};

static void add_id(struct id_list *list, const uint8_t id[PUBLIC_KEY_ID_SIZE], const char *remark)
{
    char hex[PUBLIC_KEY_ID_TEXT];
    int n;

    list->count++;
    if (list->count > IDS_SHOWN)
        return;
    n = snprintf(list->text + list->used, sizeof list->text - list->used, "%s%s%s",
                 list->count > 1 ? ", " : "", public_key_id_text(id, hex), remark);
    list->used += (size_t)n; /* IDS_SHOWN of the longest fit. */
}

static const char *end_list(struct id_list *list)
{
    if (list->count > IDS_SHOWN)
        snprintf(list->text + list->used, sizeof list->text - list->used, " and %zu more",
                 list->count - IDS_SHOWN);
    return list->count > 0 ? list->text : "no key";
}

static void list_signatures(const struct signed_by *by, struct id_list *list)
{
    static const char *const remarks[] = {
        [SIGNATURE_GOOD] = "",
        [SIGNATURE_COMMENT] = " (its trusted comment was changed)",
        [SIGNATURE_OTHER] = " (damaged, or of something else)",
        [SIGNATURE_UNTRUSTED] = " (not trusted)",
    };

    for (size_t i = 0; i < by->signature_count; i++) {
        const struct signed_by_signature *s = &by->signatures[i];

        add_id(list, s->key ? s->key->key.id : s->id, remarks[s->verdict]);
    }
}

int signed_by_demand(const struct signed_by *by, const struct key_set *set, size_t needed,
                     struct err *e)
{
    struct id_list signers = {.count = 0}, trusted = {.count = 0};
    size_t least = needed > 0 ? needed : 1;

    if (by->key_count >= least)
        return 0;
    if (set->count < least)
        return err_set(e, ERR_USAGE,
                       "signatures by %zu different keys are demanded, but there %s "
                       "only %zu trusted key%s",
                       least, set->count == 1 ? "is" : "are", set->count,
                       set->count == 1 ? "" : "s");
    list_signatures(by, &signers);
    for (size_t i = 0; i < set->count; i++)
        add_id(&trusted, set->keys[i].key.id, "");
    if (by->signature_count == 0)
        return err_set(e, ERR_ARCHIVE, "it is not signed (trusted: %s)", end_list(&trusted));
    return err_set(e, ERR_ARCHIVE,
                   "%zu of the %zu trusted signature%s that it needs %s there; it is signed by %s; "
                   "trusted: %s",
                   by->key_count, least, least == 1 ? "" : "s", by->key_count == 1 ? "is" : "are",
                   end_list(&signers), end_list(&trusted));
}
