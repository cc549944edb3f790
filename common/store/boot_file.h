/* SPDX-License-Identifier: MIT */
/* boot_file: .ihop/boot, the file that says which release boots, and .ihop/boot.spare, the place
 * where the next one is written. For store/ alone.
 *
 * The spare has its blocks already. A new record is written over it, synced, and exchanged with
 * the file: that needs no space, so a trial is counted on a full disk, too. The spare then holds
 * the record before. At each moment at least one of the two is whole, and .ihop/boot itself
 * unless the disk has damaged it. Needs a store with .ihop; the store may be open for reading.
 * Whoever writes holds the publish lock (lock.h).
 */
#ifndef IHOP_STORE_BOOT_FILE_H
#define IHOP_STORE_BOOT_FILE_H

#include "base/err.h"
#include "store/boot_record.h"
#include "store/store.h"

enum boot_file_state {
    BOOT_FILE_NONE, /* nobody has chosen anything in this store */
    BOOT_FILE_WHOLE,
    /* It cannot be read as a record, or is lost, and *record is that of the spare, as far as that
     * is whole; but nothing was booted, and the trial has no tries left: how often it has booted
     * since then is not known. */
    BOOT_FILE_DAMAGED,
};

/* Reads the record; never fails. why says what is wrong when it is damaged: ERR_IO that it could
 * not be read, so that it may be whole all the same. */
enum boot_file_state boot_file_read(const struct store *store, struct boot_record *record,
                                    struct err *why) __attribute__((warn_unused_result));

/* Replaces the record, atomically; durable on return 0. After a failure the record is the old one,
 * unless the disk fails so thoroughly that it cannot be told. Kinds: ERR_SPACE, ERR_IO. */
int boot_file_replace(const struct store *store, const struct boot_record *record, struct err *e)
    __attribute__((warn_unused_result));

#endif
