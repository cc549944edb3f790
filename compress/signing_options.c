/* SPDX-License-Identifier: MIT */
#include "compress/signing_options.h"

#include "base/array.h"
#include "base/text.h"

#include <string.h>

/* A trusted comment is for people and programs, and each signature has its own. */
#define COMMENT_MAX 1024

static int add_signer(struct signing_options *o, enum signer_kind kind, const char *value,
                      struct err *e)
{
    if (o->count == LIMIT_SIGNATURES)
        return err_set(e, ERR_USAGE, "an archive has at most %d signatures", LIMIT_SIGNATURES);
    if (array_grow((void **)&o->signers, &o->capacity, o->count, sizeof *o->signers, e) < 0)
        return -1;
    o->signers[o->count++] = (struct signer){.kind = kind, .value = value};
    return 0;
}

static int add_secret_key(void *options, const char *value, const char *unused, struct err *e)
{
    (void)unused;
    return add_signer(options, SIGNER_KEY, value, e);
}

static int add_sign_command(void *options, const char *value, const char *unused, struct err *e)
{
    (void)unused;
    return add_signer(options, SIGNER_COMMAND, value, e);
}

static int add_signature_file(void *options, const char *value, const char *unused, struct err *e)
{
    (void)unused;
    return add_signer(options, SIGNER_FILE, value, e);
}

static int add_verify_key(void *options, const char *value, const char *unused, struct err *e)
{
    struct signing_options *o = options;

    (void)unused;
    return key_set_add(&o->verify_keys, value, e);
}

#define AT(member) offsetof(struct signing_options, member)

const struct option_spec signing_option_specs[] = {
    {"sign", 0, OPTION_CALL, 0, "KEY", "sign with this secret key: PEM, or of minisign",
     .call = add_secret_key},
    {"sign-command", 0, OPTION_CALL, 0, "CMD",
     "sign with this command: 64 bytes on stdin, 64 on stdout", .call = add_sign_command},
    {"add-signature", 0, OPTION_CALL, 0, "FILE|KEY",
     "add a signature by minisign, or by this key, to ARCHIVE", .call = add_signature_file},
    {"sign-password-file", 0, OPTION_TEXT, AT(password_file), "FILE",
     "its first line is the password of secret keys"},
    {"trusted-comment", 0, OPTION_TEXT, AT(comment), "TEXT", "sign this text as well [none]"},
    {"verify-key", 0, OPTION_CALL, 0, "FILE|DIRECTORY",
     "signatures must be by one of these public keys", .call = add_verify_key},
    {"signature-space", 0, OPTION_SIZE, AT(space), "SIZE",
     "leave this much in ARCHIVE for signatures [4KiB]", 0, LIMIT_SIGNATURE_TEXT},
    {"print-signed", 0, OPTION_MAYBE, AT(print_signed), "checksum",
     "print the bytes of ARCHIVE that minisign signs, or the 64"},
    {"print-signatures", 0, OPTION_FLAG, AT(print_signatures), NULL,
     "print the signatures of ARCHIVE, for minisign -V"},
    {NULL},
};

void signing_options_init(struct signing_options *o)
{
    *o = (struct signing_options){.comment = "", .space = SIGNING_DEFAULT_SPACE};
}

bool signing_options_has(const struct signing_options *o, enum signer_kind kind)
{
    for (size_t i = 0; i < o->count; i++)
        if (o->signers[i].kind == kind)
            return true;
    return false;
}

int signing_options_finish(const struct signing_options *o, struct err *e)
{
    size_t size = strlen(o->comment);

    if (size > COMMENT_MAX || strpbrk(o->comment, "\r\n") || !text_is_utf8(o->comment, size))
        return err_set(e, ERR_USAGE, "--trusted-comment takes one line of UTF-8, at most %d bytes",
                       COMMENT_MAX);
    if (o->print_signed && *o->print_signed && strcmp(o->print_signed, "checksum") != 0)
        return err_set(e, ERR_USAGE, "--print-signed takes nothing or =checksum, not '%s'",
                       o->print_signed);
    if (signing_options_has(o, SIGNER_COMMAND) && o->verify_keys.count == 0)
        return err_set(e, ERR_USAGE,
                       "--sign-command needs --verify-key with its public key: a signature "
                       "is verified before it gets into an archive");
    return 0;
}

void signing_options_free(struct signing_options *o)
{
    free(o->signers);
    key_set_free(&o->verify_keys);
}
