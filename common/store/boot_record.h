/* SPDX-License-Identifier: MIT */
/* boot_record: the text that says which release boots: what .ihop/boot holds.
 *
 * Lines of key=value, as U-Boot's "env import -t" and a shell read them. docs/store.md ("Which
 * release boots") has the rules for other programs that read or write it. This file turns the
 * text into a struct and back; boot_file.h reads and replaces the file, boot_selection.h
 * decides. Pure; thread-safe.
 */
#ifndef IHOP_STORE_BOOT_RECORD_H
#define IHOP_STORE_BOOT_RECORD_H

#include "base/err.h"
#include "base/io.h"
#include "base/limits.h"
#include "format/chunk_hash.h"

#include <stdbool.h>
#include <stddef.h>

enum boot_role {
    BOOT_DEFAULT, /* boots when nothing is on trial */
    BOOT_GOOD,    /* the last good one: the default before */
    BOOT_TRIAL,   /* boots so many times, unless it is said to be good */
    BOOT_BOOTED,  /* what was chosen last */
    BOOT_ROLES,
};

/* Release and image of a role. Without a release, name is "". id is the BLAKE2b-512 of the image
 * in hex, or "" when it is not known (a shell script cannot tell). */
struct boot_choice {
    char name[LIMIT_RELEASE_NAME + 1];
    char id[CHUNK_HASH_HEX];
};

struct boot_record {
    struct boot_choice of[BOOT_ROLES];
    unsigned tries;                /* that the trial has left */
    unsigned armed;                /* with which it began */
    char boot_id[IO_BOOT_ID_SIZE]; /* the kernel's, when booted was recorded; "": not known */
};

/* The size of what boot_record_format writes: always the same, so that a file can be written over
 * another one on a full disk. */
#define BOOT_RECORD_SIZE 2048
/* What others write may be larger. */
#define BOOT_RECORD_MAX 4096

/* The name of a role in the file, in JSON and in messages: "default". */
const char *boot_role_name(enum boot_role role);

/* Writes the text, without a NUL. */
void boot_record_format(const struct boot_record *record, char text[BOOT_RECORD_SIZE]);

/* Reads a text. Anything odd makes it damaged as a whole: ERR_DAMAGED says what; *record is
 * written only on success. */
int boot_record_parse(const char *text, size_t size, struct boot_record *record, struct err *e)
    __attribute__((warn_unused_result));

#endif
