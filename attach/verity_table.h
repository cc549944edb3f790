/* SPDX-License-Identifier: MIT */
/* verity_table: from what a user demands (--verity=) and the superblock in front of a hash tree to
 * the table that the kernel's dm-verity takes. Pure.
 *
 * The superblock is the one of veritysetup, 512 bytes, little-endian, as cryptsetup's document
 * about the on-disk format of dm-verity describes it. It comes from the image and is not trusted:
 * what is wrong with it can at most make the root hash not fit, as long as no text of it ends up in
 * the table unchecked and no number leads out of the device.
 *
 * Sizes and offsets are in bytes unless they are called blocks. Kinds: ERR_USAGE for the demand,
 * ERR_ARCHIVE for the superblock.
 */
#ifndef IHOP_ATTACH_VERITY_TABLE_H
#define IHOP_ATTACH_VERITY_TABLE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define VERITY_SUPERBLOCK 512
#define VERITY_DIGEST     64 /* at most: SHA-512 */
#define VERITY_HEX        (2 * VERITY_DIGEST + 1)
#define VERITY_ALGORITHM  32 /* with the NUL */
#define VERITY_SALT       256
#define VERITY_UUID       16

/* What the kernel does when it reads a block that is not what the tree says. */
enum verity_on_corruption { VERITY_ERROR, VERITY_RESTART, VERITY_PANIC };

struct verity_demand {
    bool recorded;              /* the release says the next two, which are not given */
    char root_hash[VERITY_HEX]; /* lower case */
    uint64_t offset;            /* of the superblock, from the beginning of the image */
    enum verity_on_corruption on_corruption;
    bool ignore_zero_blocks; /* blocks that should be zeros are not read */
    bool check_at_most_once; /* each data block is verified when it is first read, not later */
};

struct verity_tree {
    unsigned type; /* 0 Chrome OS, 1 usual */
    char algorithm[VERITY_ALGORITHM];
    uint32_t data_block, hash_block; /* sizes */
    uint64_t data_blocks;            /* at least 1 */
    uint64_t tree_start;             /* in hash blocks */
    uint8_t salt[VERITY_SALT];
    unsigned salt_size;
    uint8_t uuid[VERITY_UUID];
};

/* Parses "recorded|roothash=HEX,offset=BYTES[,on-corruption=error|restart|panic]
 * [,ignore-zero-blocks][,check-at-most-once]", of which "recorded," may be left out. */
int verity_demand_parse(const char *text, struct verity_demand *demand, struct err *e)
    __attribute__((warn_unused_result));

/* Checks the superblock at demand->offset of a device of that size. page is the machine's page
 * size, beyond which the kernel takes no data blocks. */
int verity_tree_parse(const uint8_t superblock[VERITY_SUPERBLOCK],
                      const struct verity_demand *demand, uint64_t device_size, unsigned page,
                      struct verity_tree *tree, struct err *e) __attribute__((warn_unused_result));

/* Writes the parameters of the target, in the form in which the kernel prints those of a live
 * device, so that the two can be compared as texts. device is "MAJOR:MINOR". False when they do
 * not fit into size bytes. */
bool verity_table_write(const struct verity_tree *tree, const struct verity_demand *demand,
                        const char *device, char *text, unsigned size)
    __attribute__((warn_unused_result));

#endif
