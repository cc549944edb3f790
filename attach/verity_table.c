/* SPDX-License-Identifier: MIT */
#include "attach/verity_table.h"

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/text.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define SIGNATURE    "verity\0" /* and the literal's own NUL: 8 bytes */
#define SECTOR       512
#define BLOCK_MIN    512
#define BLOCK_MAX    (64 * KIB) /* no hash block is larger */
#define DIGEST_MIN   16
#define MAX_TYPE     1
#define RECORDED     "recorded"
#define ROOT_HASH    "roothash="
#define OFFSET       "offset="
#define CORRUPTION   "on-corruption="
#define IGNORE_ZERO  "ignore-zero-blocks"
#define AT_MOST_ONCE "check-at-most-once"

/* ---- the demand ---- */

static int set_root_hash(struct verity_demand *d, const char *value, struct err *e)
{
    uint8_t bytes[VERITY_DIGEST];
    int n = text_unhex(value, bytes, sizeof bytes);

    if (n < DIGEST_MIN)
        return err_set(e, ERR_USAGE,
                       "--verity: roothash takes the %d to %d hex digits that veritysetup format "
                       "printed, not '%s'",
                       2 * DIGEST_MIN, 2 * VERITY_DIGEST, value);
    text_hex(bytes, (size_t)n, d->root_hash);
    return 0;
}

static int set_offset(struct verity_demand *d, const char *value, struct err *e)
{
    if (!text_parse_u64(value, SECTOR, LIMIT_IMAGE, &d->offset) || d->offset % SECTOR != 0)
        return err_set(e, ERR_USAGE,
                       "--verity: offset takes the bytes before the hash tree, a multiple of %d, "
                       "not '%s'",
                       SECTOR, value);
    return 0;
}

static int set_corruption(struct verity_demand *d, const char *value, struct err *e)
{
    static const char *const words[] = {"error", "restart", "panic"};

    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(value, words[i]) == 0) {
            d->on_corruption = (enum verity_on_corruption)i;
            return 0;
        }
    return err_set(e, ERR_USAGE, "--verity: on-corruption takes error, restart or panic, not '%s'",
                   value);
}

static bool takes(const char *word, const char *key, const char **value)
{
    size_t n = strlen(key);

    *value = word + n;
    return strncmp(word, key, n) == 0;
}

static int parse_word(struct verity_demand *d, const char *word, struct err *e)
{
    const char *value;

    if (takes(word, ROOT_HASH, &value))
        return set_root_hash(d, value, e);
    if (takes(word, OFFSET, &value))
        return set_offset(d, value, e);
    if (takes(word, CORRUPTION, &value))
        return set_corruption(d, value, e);
    if (strcmp(word, RECORDED) == 0)
        d->recorded = true;
    else if (strcmp(word, IGNORE_ZERO) == 0)
        d->ignore_zero_blocks = true;
    else if (strcmp(word, AT_MOST_ONCE) == 0)
        d->check_at_most_once = true;
    else
        return err_set(e, ERR_USAGE,
                       "--verity takes " RECORDED " or " ROOT_HASH "HEX," OFFSET
                       "BYTES and, after commas, " CORRUPTION "error|restart|panic, " IGNORE_ZERO
                       ", " AT_MOST_ONCE "; not '%s'",
                       word);
    return 0;
}

int verity_demand_parse(const char *text, struct verity_demand *demand, struct err *e)
{
    struct verity_demand d = {.offset = 0};
    CLEANUP_FREE char *copy = strdup(text);
    char *rest = copy, *word;

    if (!copy)
        return err_nomem(e, "reading --verity");
    while ((word = strsep(&rest, ",")) != NULL)
        if (parse_word(&d, word, e) < 0)
            return -1;
    if (!*d.root_hash && d.offset == 0)
        d.recorded = true;
    else if (d.recorded)
        return err_set(e, ERR_USAGE,
                       "--verity: what the release has recorded is not given by " ROOT_HASH
                       " or " OFFSET " as well");
    else if (!*d.root_hash || d.offset == 0)
        return err_set(e, ERR_USAGE, "--verity needs both " ROOT_HASH "HEX and " OFFSET "BYTES");
    *demand = d;
    return 0;
}

/* ---- the superblock ---- */

/* Where its fields begin. */
enum {
    AT_SIGNATURE = 0,
    AT_VERSION = 8,
    AT_TYPE = 12,
    AT_UUID = 16,
    AT_ALGORITHM = 32,
    AT_DATA_BLOCK = 64,
    AT_HASH_BLOCK = 68,
    AT_DATA_BLOCKS = 72,
    AT_SALT_SIZE = 80,
    AT_SALT = 88,
};

static uint32_t get_le(const uint8_t *bytes, unsigned count)
{
    uint32_t value = 0;

    while (count-- > 0)
        value = value << 8 | bytes[count];
    return value;
}

static bool is_block_size(uint32_t size, uint64_t max)
{
    return size >= BLOCK_MIN && size <= max && (size & (size - 1)) == 0;
}

/* The name goes into the kernel's table, where a space would begin another word. */
static bool take_algorithm(const uint8_t *bytes, char name[VERITY_ALGORITHM])
{
    const uint8_t *end = memchr(bytes, '\0', VERITY_ALGORITHM);

    if (!end || end == bytes)
        return false;
    for (const uint8_t *at = bytes; at < end; at++)
        if (!isalnum(*at) && *at != '-' && *at != '_')
            return false;
    memcpy(name, bytes, (size_t)(end - bytes) + 1);
    return true;
}

static int take_fields(const uint8_t *s, unsigned page, struct verity_tree *t, struct err *e)
{
    if (memcmp(s + AT_SIGNATURE, SIGNATURE, sizeof SIGNATURE) != 0)
        return err_set(e, ERR_ARCHIVE, "there is no superblock of veritysetup");
    if (get_le(s + AT_VERSION, 4) != 1)
        return err_set(e, ERR_ARCHIVE, "the superblock has version %u, not 1",
                       get_le(s + AT_VERSION, 4));
    t->type = get_le(s + AT_TYPE, 4);
    if (t->type > MAX_TYPE)
        return err_set(e, ERR_ARCHIVE, "the hash tree has type %u, not 0 or 1", t->type);
    if (!take_algorithm(s + AT_ALGORITHM, t->algorithm))
        return err_set(e, ERR_ARCHIVE, "the superblock names no hash algorithm");
    t->data_block = get_le(s + AT_DATA_BLOCK, 4);
    t->hash_block = get_le(s + AT_HASH_BLOCK, 4);
    if (!is_block_size(t->data_block, BLOCK_MAX) || !is_block_size(t->hash_block, BLOCK_MAX))
        return err_set(e, ERR_ARCHIVE, "blocks of %u and %u bytes are no powers of 2 from %d to %d",
                       t->data_block, t->hash_block, BLOCK_MIN, (int)BLOCK_MAX);
    if (t->data_block > page)
        return err_set(e, ERR_ARCHIVE,
                       "data blocks of %u bytes are more than this machine's pages of %u have: "
                       "format it with --data-block-size=%u",
                       t->data_block, page, page);
    t->data_blocks = text_get_le64(s + AT_DATA_BLOCKS);
    t->salt_size = get_le(s + AT_SALT_SIZE, 2);
    if (t->salt_size > VERITY_SALT)
        return err_set(e, ERR_ARCHIVE, "a salt of %u bytes is too long", t->salt_size);
    memcpy(t->salt, s + AT_SALT, t->salt_size);
    memcpy(t->uuid, s + AT_UUID, VERITY_UUID);
    return 0;
}

/* The blocks of the tree without its root hash. The lowest level has a digest for each data block,
 * each other one a digest for each block below, and the highest one block. A digest takes a
 * power of two in type 1; in type 0 the number of digests in a block is one. */
static uint64_t count_tree_blocks(const struct verity_tree *t, size_t digest_size)
{
    unsigned bits = 0; /* of the number of digests in a block */
    uint64_t total = 0;

    while ((digest_size << (bits + 1)) <= t->hash_block)
        bits++;
    for (uint64_t below = t->data_blocks; below > 1;) {
        below = (below >> bits) + ((below & ((UINT64_C(1) << bits) - 1)) != 0);
        total += below;
    }
    return total;
}

static int check_places(const struct verity_demand *d, uint64_t device_size, struct verity_tree *t,
                        struct err *e)
{
    size_t digest_size = strlen(d->root_hash) / 2;
    uint64_t after = d->offset + VERITY_SUPERBLOCK;
    uint64_t blocks = device_size / t->hash_block;

    if (t->data_blocks < 1 || t->data_blocks > d->offset / t->data_block)
        return err_set(e, ERR_ARCHIVE,
                       "%llu data blocks of %u bytes do not end before the hash tree",
                       (unsigned long long)t->data_blocks, t->data_block);
    t->tree_start = after / t->hash_block + (after % t->hash_block != 0);
    if (t->tree_start > blocks || count_tree_blocks(t, digest_size) > blocks - t->tree_start)
        return err_set(e, ERR_ARCHIVE, "the hash tree does not end before the image does");
    return 0;
}

int verity_tree_parse(const uint8_t superblock[VERITY_SUPERBLOCK],
                      const struct verity_demand *demand, uint64_t device_size, unsigned page,
                      struct verity_tree *tree, struct err *e)
{
    struct verity_tree t = {.type = 0};

    if (demand->offset > device_size || device_size - demand->offset < VERITY_SUPERBLOCK)
        return err_set(e, ERR_ARCHIVE, "the image ends before byte %llu",
                       (unsigned long long)demand->offset);
    if (take_fields(superblock, page, &t, e) < 0 || check_places(demand, device_size, &t, e) < 0)
        return err_context(e, "no hash tree that can be used at byte %llu of the image",
                           (unsigned long long)demand->offset);
    *tree = t;
    return 0;
}

/* ---- the table ---- */

static void write_options(const struct verity_demand *d, char *text, unsigned size)
{
    static const char *const modes[] = {"", " restart_on_corruption", " panic_on_corruption"};
    const char *zero = d->ignore_zero_blocks ? " ignore_zero_blocks" : "";
    const char *once = d->check_at_most_once ? " check_at_most_once" : "";
    unsigned count = (d->on_corruption != VERITY_ERROR ? 1U : 0U) + d->ignore_zero_blocks +
                     d->check_at_most_once;

    *text = '\0';
    if (count > 0)
        snprintf(text, size, " %u%s%s%s", count, modes[d->on_corruption], zero, once);
}

bool verity_table_write(const struct verity_tree *tree, const struct verity_demand *demand,
                        const char *device, char *text, unsigned size)
{
    char salt[2 * VERITY_SALT + 1], options[96];
    int n;

    text_hex(tree->salt, tree->salt_size, salt);
    write_options(demand, options, sizeof options);
    n = snprintf(text, size, "%u %s %s %u %u %llu %llu %s %s %s%s", tree->type, device, device,
                 tree->data_block, tree->hash_block, (unsigned long long)tree->data_blocks,
                 (unsigned long long)tree->tree_start, tree->algorithm, demand->root_hash,
                 tree->salt_size > 0 ? salt : "-", options);
    return n > 0 && (unsigned)n < size;
}
