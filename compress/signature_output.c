/* SPDX-License-Identifier: MIT */
#include "compress/signature_output.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "signature/signed_by.h"

#include <stdio.h>
#include <string.h>

/* The words for verdicts: for programs, and for people. */
static const char *const verdicts[][2] = {
    [SIGNATURE_GOOD] = {"good", "good"},
    [SIGNATURE_COMMENT] = {"comment", "WRONG: its trusted comment was changed"},
    [SIGNATURE_OTHER] = {"other", "WRONG: damaged, or of something else"},
    [SIGNATURE_UNTRUSTED] = {"untrusted", "not by a key of --verify-key"},
};

static int judge_image(const struct image *image, const struct key_set *keys, struct signed_by *by,
                       struct err *e)
{
    return signed_by_find(image->header_checksum, image->signatures, image->signatures_size, keys,
                          by, e);
}

/* The comment as a text; the caller frees it. */
static char *comment_text(const struct signed_by_signature *s)
{
    return strndup(s->comment_size > 0 ? s->comment : "", s->comment_size);
}

static void print_signature(const struct signed_by_signature *s, bool judged)
{
    CLEANUP_FREE char *comment = comment_text(s);
    char id[PUBLIC_KEY_ID_TEXT];

    printf("  Signature: key %s", public_key_id_text(s->id, id));
    if (judged)
        printf(", %s", verdicts[s->verdict][1]);
    if (comment && *comment) {
        /* minisign puts tabs into it. */
        for (char *at = comment; (at = strchr(at, '\t'));)
            *at = ' ';
        text_make_printable(comment);
        printf(", trusted comment: %s", comment);
    }
    puts("");
}

void signature_output_lines(const struct image *image, const struct key_set *keys)
{
    struct signed_by by;
    struct err why = ERR_INIT;

    if (judge_image(image, keys, &by, &why) < 0) {
        text_make_printable(why.text);
        printf("  Signatures: unreadable: %s\n", why.text);
        return;
    }
    if (by.signature_count == 0)
        puts("  Signatures: none");
    for (size_t i = 0; i < by.signature_count; i++)
        print_signature(&by.signatures[i], keys->count > 0);
}

static json_t *signature_object(const struct signed_by_signature *s, bool judged)
{
    CLEANUP_FREE char *comment = comment_text(s);
    json_t *object = json_object();
    char id[PUBLIC_KEY_ID_TEXT];

    json_set_text(object, "key_id", public_key_id_text(s->id, id));
    json_set_text(object, "trusted_comment", comment ? comment : "");
    if (judged)
        json_set_text(object, "verdict", verdicts[s->verdict][0]);
    return object;
}

void signature_output_members(json_t *object, const struct image *image, const struct key_set *keys)
{
    json_t *list = json_array();
    struct signed_by by;
    struct err why = ERR_INIT;

    if (judge_image(image, keys, &by, &why) < 0)
        json_set_text(object, "signatures_error", why.text);
    else
        for (size_t i = 0; i < by.signature_count; i++)
            json_array_append_new(list, signature_object(&by.signatures[i], keys->count > 0));
    json_object_set_new(object, "signatures", list);
}

int signature_output_text(const struct compress_options *o, const struct image *image,
                          struct err *e)
{
    if (image->signatures_size == 0)
        return err_set(e, ERR_NOT_FOUND, "%s is not signed", o->archive);
    fwrite(image->signatures, 1, image->signatures_size,
           stdout); /* output_end checks for errors. */
    return 0;
}

static void print_json_added(const struct compress_options *o,
                             const struct add_signature_result *result)
{
    json_t *line = json_new_result(0);
    char checksum[CHUNK_HASH_HEX];

    text_hex(result->image.header_checksum, CHUNK_HASH_SIZE, checksum);
    json_set_text(line, "archive", o->archive);
    json_set_text(line, "header_checksum", checksum);
    json_set_text(line, "signature_file", result->path);
    signature_output_members(line, &result->image, &o->signing.verify_keys);
    json_print(line);
}

void signature_output_added(struct output *out, const struct compress_options *o,
                            const struct add_signature_result *result)
{
    static const struct key_set nobody;
    struct signed_by by = {.signature_count = 0};
    struct err ignored = ERR_INIT;

    output_clear(out);
    if (result->unverified > 0)
        output_note(out,
                    "warning: %zu signature%s could not be verified: pass --verify-key with the "
                    "public key",
                    result->unverified, text_s(result->unverified));
    if (judge_image(&result->image, &nobody, &by, &ignored) < 0)
        by.signature_count = 0;
    if (o->common.json)
        print_json_added(o, result);
    else if (result->beside)
        output_note(out,
                    "%s has no space for signatures: wrote %s, to be uploaded with it (%zu "
                    "signature%s)",
                    o->archive, result->path, by.signature_count, text_s(by.signature_count));
    else
        output_note(out, "%s has %zu signature%s now", o->archive, by.signature_count,
                    text_s(by.signature_count));
}
