/* SPDX-License-Identifier: MIT */
/* hash_tree: makes the hash tree by which the kernel's dm-verity verifies each block of an image,
 * with the program veritysetup: SHA-256, blocks of HASH_TREE_BLOCK bytes, and a superblock in
 * front, as `veritysetup format` writes it.
 *
 * Salt and UUID come from the image's BLAKE2b-512, so that the same image has the same tree: bytes
 * 0 to 31 are the salt, 32 to 47 the UUID, in which the bits that RFC 9562 demands say version 8.
 *
 * The tree, about 1/127 of the image, is a file without a name in the directory of the archive. One
 * thread, and before there are others.
 */
#ifndef IHOP_COMPRESS_HASH_TREE_H
#define IHOP_COMPRESS_HASH_TREE_H

#include "base/err.h"
#include "base/input.h"
#include "compress/output_file.h"
#include "format/chunk_hash.h"

#include <stdint.h>

#define HASH_TREE_BLOCK  4096
#define HASH_TREE_DIGEST 32

struct hash_tree {
    struct output_file file;
    uint64_t size; /* bytes of superblock and tree: whole blocks */
    char root_hash[2 * HASH_TREE_DIGEST + 1];
};

#define HASH_TREE_INIT                                                                             \
    {                                                                                              \
        .file = OUTPUT_FILE_INIT                                                                   \
    }

/* Makes the tree of an image whose size is a multiple of HASH_TREE_BLOCK and at least one block.
 * archive is the path of the archive, beside which there is space; it must live as long as the
 * tree. The caller calls hash_tree_free, even after a failure. ERR_NOT_FOUND when there is no
 * veritysetup; ERR_IO when it fails, with its last line; and the kinds of output_file_open. */
int hash_tree_make(const struct input *image, const uint8_t checksum[CHUNK_HASH_SIZE],
                   const char *archive, struct hash_tree *tree, struct err *e)
    __attribute__((warn_unused_result));

void hash_tree_free(struct hash_tree *tree);

#endif
