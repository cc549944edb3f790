/* SPDX-License-Identifier: MIT */
/* fuzz_signature: texts of signatures and key files. The first byte says which. */
#include "fuzz.h"

#include "base/text.h"
#include "signature/minisign_write.h"
#include "signature/scrypt.h"
#include "signature/secret_key.h"

#include <stdlib.h>
#include <string.h>

/* What is accepted is written and read again, alone. */
static void check_signature(const struct minisign_signature *s, const char *text, size_t size)
{
    struct minisign_text again;
    struct err e = ERR_INIT;
    char *lines;

    FUZZ_ASSERT(s->lines >= text && s->lines + s->lines_size <= text + size);
    FUZZ_ASSERT(s->comment > s->lines && s->comment + s->comment_size < s->lines + s->lines_size);
    FUZZ_ASSERT(s->comment_size <= LIMIT_SIGNATURE_COMMENT);
    FUZZ_ASSERT(!memchr(s->lines, '\0', s->lines_size));
    lines = minisign_write(s, &e);
    FUZZ_ASSERT(lines);
    FUZZ_ASSERT(minisign_parse(lines, strlen(lines), &again, &e) == 0 && again.count == 1);
    FUZZ_ASSERT(memcmp(again.signatures[0].id, s->id, sizeof s->id) == 0);
    FUZZ_ASSERT(memcmp(again.signatures[0].signature, s->signature, sizeof s->signature) == 0);
    FUZZ_ASSERT(memcmp(again.signatures[0].global, s->global, sizeof s->global) == 0);
    FUZZ_ASSERT(again.signatures[0].comment_size == s->comment_size);
    free(lines);
}

static void read_signatures(const uint8_t *data, size_t size)
{
    struct minisign_text text;
    struct err e = ERR_INIT;

    if (minisign_parse(data, size, &text, &e) < 0) {
        FUZZ_ASSERT(e.kind == ERR_ARCHIVE && e.text[0]);
        return;
    }
    FUZZ_ASSERT(text.count <= LIMIT_SIGNATURES);
    for (size_t i = 0; i < text.count; i++)
        check_signature(&text.signatures[i], (const char *)data, size);
}

static void read_public_key(const uint8_t *data, size_t size)
{
    struct public_key key;
    struct err e = ERR_INIT;

    if (public_key_parse(data, size, &key, &e) == 0)
        FUZZ_ASSERT(ed25519_is_key(key.bytes));
    else
        FUZZ_ASSERT(e.kind == ERR_DAMAGED && e.text[0]);
}

static void read_secret_key(const uint8_t *data, size_t size)
{
    struct secret_key key;
    uint8_t public[PUBLIC_KEY_SIZE];
    struct err e = ERR_INIT;

    if (secret_key_parse(data, size, NULL, &key, &e) < 0) {
        FUZZ_ASSERT((e.kind == ERR_DAMAGED || e.kind == ERR_USAGE) && e.text[0]);
        return;
    }
    FUZZ_ASSERT(ed25519_public(key.seed, public, &e) == 0);
    FUZZ_ASSERT(memcmp(public, key.public.bytes, sizeof public) == 0);
}

static void choose_cost(const uint8_t *data, size_t size)
{
    struct scrypt_cost cost;
    struct scrypt_parameters s;

    if (size < 16)
        return;
    cost = (struct scrypt_cost){text_get_le64(data), text_get_le64(data + 8)};
    s = scrypt_choose(&cost);
    FUZZ_ASSERT(s.n >= 2 && (s.n & (s.n - 1)) == 0 && s.r == 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const readers[])(const uint8_t *, size_t) = {read_signatures, read_public_key,
                                                               read_secret_key, choose_cost};

    if (size > 0)
        readers[data[0] % (sizeof readers / sizeof *readers)](data + 1, size - 1);
    return 0;
}
