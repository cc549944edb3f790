/* SPDX-License-Identifier: MIT */
/* fuzz_store: what a store's names and its .ihop/format say: whoever can write there chooses them.
 * Input: one byte for what it is, then the text. (Releases, retired ones and the records
 * of unfinished clones have one parser: fuzz_release.) */
#include "fuzz.h"

#include "base/limits.h"
#include "base/text.h"
#include "store/format_file.h"
#include "store/release_name.h"
#include "store/chunk_file.h"

#include <stdlib.h>
#include <string.h>

static void check_format(const char *text, size_t size)
{
    unsigned digits = store_format_parse(text, size);
    char own[STORE_FORMAT_SIZE];

    FUZZ_ASSERT(digits == 0 || digits == 2 || digits == 4);
    if (digits != 0)
        FUZZ_ASSERT(store_format_text(digits, own) == size && memcmp(own, text, size) == 0);
}

/* A name that is taken leads nowhere else, and can be printed. */
static void check_name(const char *name)
{
    struct err e = ERR_INIT;
    char printable[LIMIT_RELEASE_NAME + 1];

    if (release_name_check(name, &e) < 0) {
        FUZZ_ASSERT(e.kind == ERR_USAGE);
        return;
    }
    FUZZ_ASSERT(strlen(name) > 0 && strlen(name) <= LIMIT_RELEASE_NAME);
    FUZZ_ASSERT(name[0] != '.' && !strchr(name, '/') && strcmp(name, "chunks") != 0);
    strcpy(printable, name);
    text_make_printable(printable);
    FUZZ_ASSERT(strcmp(printable, name) == 0);
}

static void check_path(const char *path)
{
    struct err e = ERR_INIT;
    const char *name = NULL;
    char *store = NULL;

    if (release_name_split(path, &store, &name, &e) < 0)
        return;
    FUZZ_ASSERT(name > path && name[-1] == '/' && *store);
    FUZZ_ASSERT(strncmp(path, store, strlen(store)) == 0);
    check_name(name);
    FUZZ_ASSERT(release_name_check(name, &e) == 0);
    free(store);
}

/* The name of a chunk's file is its hash, in one way only. */
static void check_chunk(const char *file)
{
    uint8_t hash[CHUNK_HASH_SIZE];
    size_t n = store_chunk_hash(file, hash);
    char own[STORE_CHUNK_FILE_SIZE];

    if (n == 0)
        return;
    FUZZ_ASSERT(n >= LIMIT_HASH_MIN && n <= CHUNK_HASH_SIZE);
    FUZZ_ASSERT(strcmp(store_chunk_file(hash, n, own), file) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    if (size == 0)
        return 0;
    text = malloc(size); /* exactly: one byte less, and the NUL */
    if (!text)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (data[0] % 4 == 0)
        check_format(text, size - 1);
    else if (data[0] % 4 == 1)
        check_name(text);
    else if (data[0] % 4 == 2)
        check_path(text);
    else
        check_chunk(text);
    free(text);
    return 0;
}
