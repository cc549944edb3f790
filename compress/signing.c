/* SPDX-License-Identifier: MIT */
#include "compress/signing.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"
#include "compress/sign_command.h"
#include "signature/lines.h"
#include "signature/minisign_write.h"
#include "signature/secret_key.h"
#include "signature/signed_by.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* The lines of a signature without its trusted comment take fewer bytes than this. */
#define LINES_SIZE 320

/* ---- files with secrets ---- */

/* A file in memory, overwritten before it is freed. */
struct secret_file {
    uint8_t *text;
    size_t size;
};

static void forget_file(struct secret_file *f)
{
    if (f->text)
        explicit_bzero(f->text, f->size);
    free(f->text);
}

static void forget_key(struct secret_key *key)
{
    secret_key_wipe(key);
}

static int read_secret_file(const char *path, const char *what, struct secret_file *f,
                            struct err *e)
{
    CLEANUP_FD int fd = io_open_named(AT_FDCWD, path, 0);

    if (fd < 0) {
        err_sys(e, errno, "cannot open the %s %s", what, path);
        if (e->sys_errno == ENOENT)
            e->kind = ERR_NOT_FOUND;
        return -1;
    }
    return io_read_file(fd, LIMIT_KEY_FILE, path, &f->text, &f->size, e);
}

static void forget_password(char **password)
{
    if (*password)
        explicit_bzero(*password, strlen(*password));
    free(*password);
}

/* Reads the first line of the password file; NULL without an error when there is no such file
 * among the options. */
static int read_password(const struct signing_options *o, char **password, struct err *e)
{
    CLEANUP(forget_file) struct secret_file f = {NULL, 0};
    struct lines l;

    if (!o->password_file)
        return 0;
    if (read_secret_file(o->password_file, "password file", &f, e) < 0)
        return -1;
    l = lines_of(f.text, f.size);
    if (!lines_next(&l) || l.size == 0 || memchr(l.line, '\0', l.size))
        return err_set(e, ERR_USAGE, "%s has no password: it must be the first line",
                       o->password_file);
    *password = strndup(l.line, l.size);
    return *password ? 0 : err_nomem(e, "reading a password");
}

/* Parses a key file, with the password if the options have one. */
static int parse_secret(const struct signing_options *o, const char *path,
                        const struct secret_file *f, struct secret_key *key, struct err *e)
{
    CLEANUP(forget_password) char *password = NULL;

    if (read_password(o, &password, e) < 0)
        return -1;
    if (secret_key_parse(f->text, f->size, password, key, e) < 0)
        return err_context(e, "key %s", path);
    return 0;
}

/* ---- one signature ---- */

/* Signs bytes with whatever a signer has. */
struct sign_with {
    const struct secret_key *key; /* or else: */
    const char *command;
};

static int sign_bytes(const struct sign_with *with, const void *message, size_t size,
                      uint8_t signature[ED25519_SIGNATURE_SIZE], struct err *e)
{
    return with->key ? ed25519_sign(with->key->seed, message, size, signature, e)
                     : sign_command_run(with->command, message, size, signature, e);
}

/* Finds which of --verify-key has made a command's signature. */
static const struct public_key *find_signer(const struct signing_options *o, const uint8_t *message,
                                            size_t size, const uint8_t *signature, struct err *e)
{
    for (size_t i = 0; i < o->verify_keys.count; i++) {
        const struct public_key *key = &o->verify_keys.keys[i].key;
        bool good;

        if (ed25519_verify(key->bytes, message, size, signature, &good, e) < 0)
            return NULL;
        if (good)
            return key;
    }
    err_set(e, ERR_ARCHIVE,
            "what the --sign-command printed is no signature by a key of "
            "--verify-key");
    return NULL;
}

static int is_signed(const struct public_key *key, const void *message, size_t size,
                     const uint8_t *signature, struct err *e)
{
    bool good;

    if (ed25519_verify(key->bytes, message, size, signature, &good, e) < 0)
        return -1;
    return good ? 0 : err_set(e, ERR_ARCHIVE, "a signature that was just made does not verify");
}

/* Signs the message, then that signature with the comment, and adds the whole. */
static int sign_and_add(const struct signing_options *o, const struct sign_with *with,
                        struct signature_list *list, struct err *e)
{
    struct minisign_signature s = {.comment = o->comment, .comment_size = strlen(o->comment)};
    uint8_t global[ED25519_SIGNATURE_SIZE + LIMIT_SIGNATURE_COMMENT];
    size_t global_size = sizeof s.signature + s.comment_size;
    CLEANUP_FREE char *lines = NULL;
    const struct public_key *key = with->key ? &with->key->public : NULL;

    if (sign_bytes(with, list->message, sizeof list->message, s.signature, e) < 0)
        return -1;
    if (!key)
        key = find_signer(o, list->message, sizeof list->message, s.signature, e);
    if (!key || is_signed(key, list->message, sizeof list->message, s.signature, e) < 0)
        return -1;
    memcpy(global, s.signature, sizeof s.signature);
    memcpy(global + sizeof s.signature, s.comment, s.comment_size);
    if (sign_bytes(with, global, global_size, s.global, e) < 0 ||
        is_signed(key, global, global_size, s.global, e) < 0)
        return -1;
    memcpy(s.id, key->id, sizeof s.id);
    lines = minisign_write(&s, e);
    return lines ? signature_list_add(list, &s, lines, strlen(lines), key, e) : -1;
}

static int sign_with_key(const struct signing_options *o, const char *path,
                         const struct secret_file *f, struct signature_list *list, struct err *e)
{
    CLEANUP(forget_key) struct secret_key key = {.seed = {0}};
    const struct sign_with with = {.key = &key};

    if (parse_secret(o, path, f, &key, e) < 0)
        return -1;
    return list ? sign_and_add(o, &with, list, e) : 0;
}

/* ---- signatures that were made elsewhere ---- */

/* With --verify-key, each signature must be one by these keys. */
static int check_foreign(const struct signing_options *o, const char *path,
                         const struct secret_file *f, const struct signature_list *list,
                         struct err *e)
{
    struct signed_by by;

    if (o->verify_keys.count == 0)
        return 0;
    if (signed_by_find(list->message, f->text, f->size, &o->verify_keys, &by, e) < 0)
        return err_context(e, "%s", path);
    for (size_t i = 0; i < by.signature_count; i++)
        if (by.signatures[i].verdict != SIGNATURE_GOOD)
            return err_set(e, ERR_ARCHIVE,
                           "%s has a signature that is not one of this archive's header by a "
                           "key of --verify-key",
                           path);
    return 0;
}

static int add_foreign(const struct signing_options *o, const char *path,
                       const struct secret_file *f, struct signature_list *list, size_t *unverified,
                       struct err *e)
{
    struct minisign_text parsed;

    if (minisign_parse(f->text, f->size, &parsed, e) < 0)
        return err_context(e, "%s", path);
    if (parsed.count == 0)
        return err_set(e, ERR_DAMAGED, "%s has no signature", path);
    if (check_foreign(o, path, f, list, e) < 0)
        return -1;
    for (size_t i = 0; i < parsed.count; i++) {
        const struct minisign_signature *s = &parsed.signatures[i];

        if (signature_list_add(list, s, s->lines, s->lines_size, NULL, e) < 0)
            return -1;
    }
    if (o->verify_keys.count == 0)
        *unverified += parsed.count;
    return 0;
}

/* ---- all signers ---- */

/* list: NULL only to see whether the signer could sign. */
static int run_signer(const struct signing_options *o, const struct signer *signer,
                      struct signature_list *list, size_t *unverified, struct err *e)
{
    CLEANUP(forget_file) struct secret_file f = {NULL, 0};
    const struct sign_with command = {.command = signer->value};
    const char *what = signer->kind == SIGNER_FILE ? "signature or key" : "key";

    if (signer->kind == SIGNER_COMMAND)
        return list ? sign_and_add(o, &command, list, e) : 0;
    if (read_secret_file(signer->value, what, &f, e) < 0)
        return -1;
    if (signer->kind == SIGNER_KEY || secret_key_is(f.text, f.size))
        return sign_with_key(o, signer->value, &f, list, e);
    return list ? add_foreign(o, signer->value, &f, list, unverified, e) : 0;
}

int signing_check(const struct signing_options *o, struct err *e)
{
    for (size_t i = 0; i < o->count; i++)
        if (run_signer(o, &o->signers[i], NULL, NULL, e) < 0)
            return -1;
    return 0;
}

uint64_t signing_space(const struct signing_options *o)
{
    return o->count * (LINES_SIZE + strlen(o->comment));
}

int signing_run(const struct signing_options *o, struct signature_list *list, size_t *unverified,
                struct err *e)
{
    *unverified = 0;
    for (size_t i = 0; i < o->count; i++)
        if (run_signer(o, &o->signers[i], list, unverified, e) < 0)
            return -1;
    return 0;
}
