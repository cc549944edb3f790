/* SPDX-License-Identifier: MIT */
/* verity: a dm-verity device on an NBD device: /dev/mapper/ihop-nbdN on /dev/nbdN.
 *
 * What is open, and with which root hash, the kernel knows, so that nothing about it is written
 * down elsewhere. Ours is a device that has our name, lies on that NBD device, and has the uuid
 * that veritysetup would give it ("veritysetup status ihop-nbd0" works). Whoever opens or closes
 * one holds flock on /dev/nbdN meanwhile, which also keeps udev from it.
 *
 * Functions may be used by any thread.
 */
#ifndef IHOP_ATTACH_VERITY_H
#define IHOP_ATTACH_VERITY_H

#include "attach/verity_table.h"
#include "base/err.h"

#include <stdbool.h>

#define VERITY_PATH_SIZE 40

struct verity_state {
    bool is_open;
    bool is_corrupted; /* a read has met a block that is not what the tree says */
    char root_hash[VERITY_HEX];
};

/* How verity_open found what it opened. */
struct verity_result {
    bool was_open;
    bool is_damaged; /* the root hash fits, but the first or the last block cannot be read */
};

/* Writes "/dev/mapper/ihop-nbdN". */
void verity_path(unsigned index, char path[VERITY_PATH_SIZE]);

/* Opens the device, or finds that it is open so. An opened one has been read through: a root hash
 * that does not fit is ERR_ARCHIVE, and nothing is left. Else kinds: those of verity_tree_parse;
 * ERR_NOT_FOUND when the kernel lacks dm-verity; ERR_OTHER_IMAGE when it is open with another root
 * hash or other options, or the name belongs to another program; ERR_BUSY when the NBD device is
 * mounted itself; ERR_IO. */
int verity_open(unsigned index, const struct verity_demand *demand, struct verity_result *result,
                struct err *e) __attribute__((warn_unused_result));

/* Closes it; nothing to do, and no failure, when there is none of ours. ERR_BUSY while it is in
 * use. Loads no module. */
int verity_close(unsigned index, struct err *e) __attribute__((warn_unused_result));

/* Looks whether one is open. Loads no module. */
int verity_look(unsigned index, struct verity_state *state, struct err *e)
    __attribute__((warn_unused_result));

#endif
