/* SPDX-License-Identifier: MIT */
/* fuzz_verity: a superblock of veritysetup, and the table that is made of it for the kernel. Input:
 * sectors before the superblock and after it (u32 each, little-endian), bytes of the root hash,
 * then the superblock, cut short or followed by the value of --verity. */
#include "fuzz.h"

#include "attach/verity_table.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define HEAD 9

static uint64_t get_u32(const uint8_t *data)
{
    return data[0] | (uint64_t)data[1] << 8 | (uint64_t)data[2] << 16 | (uint64_t)data[3] << 24;
}

/* What the kernel takes as a word must be one, and there must be ten. */
static void check_table(const char *text)
{
    unsigned words = 1;

    for (const char *at = text; *at; at++) {
        FUZZ_ASSERT((unsigned char)*at > 31 && (unsigned char)*at < 127);
        FUZZ_ASSERT(*at != ' ' || (at[1] != ' ' && at[1] != '\0'));
        words += *at == ' ';
    }
    FUZZ_ASSERT(words == 10);
}

static void check_tree(const struct verity_tree *t, const struct verity_demand *d, uint64_t size)
{
    char text[1024];

    FUZZ_ASSERT(t->data_blocks > 0 && t->data_blocks <= d->offset / t->data_block);
    FUZZ_ASSERT(t->tree_start * t->hash_block >= d->offset + VERITY_SUPERBLOCK);
    FUZZ_ASSERT(t->tree_start * t->hash_block <= size);
    FUZZ_ASSERT(t->data_block >= 512 && t->data_block <= 4096 && t->hash_block >= 512);
    FUZZ_ASSERT(verity_table_write(t, d, "43:0", text, sizeof text));
    check_table(text);
}

static void parse_demand(const uint8_t *data, size_t size)
{
    struct verity_demand d;
    struct err e = ERR_INIT;
    char *text = malloc(size + 1);

    if (!text)
        return;
    memcpy(text, data, size);
    text[size] = '\0';
    if (verity_demand_parse(text, &d, &e) == 0)
        FUZZ_ASSERT(*d.root_hash && d.offset > 0 && d.offset % 512 == 0);
    else
        FUZZ_ASSERT(e.kind == ERR_USAGE && e.text[0]);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct verity_demand d = {.offset = 0};
    uint8_t superblock[VERITY_SUPERBLOCK] = {0};
    struct verity_tree tree;
    struct err e = ERR_INIT;
    uint64_t device;
    size_t n;

    if (size < HEAD)
        return 0;
    d.offset = get_u32(data) * 512;
    device = d.offset + get_u32(data + 4) * 512;
    memset(d.root_hash, 'a', 2 * (size_t)(16 + data[8] % 49));
    n = size - HEAD < sizeof superblock ? size - HEAD : sizeof superblock;
    memcpy(superblock, data + HEAD, n);
    if (verity_tree_parse(superblock, &d, device, 4096, &tree, &e) == 0)
        check_tree(&tree, &d, device);
    else
        FUZZ_ASSERT(e.kind == ERR_ARCHIVE && e.text[0]);
    parse_demand(data + HEAD + n, size - HEAD - n);
    return 0;
}
