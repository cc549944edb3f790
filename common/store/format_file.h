/* SPDX-License-Identifier: MIT */
/* format_file: the text of STORE/.ihop/format: the version of the layout, and by how many
 * digits of its hash the directory of a chunk is named. Whoever can write to a store can write
 * anything to this file. Pure functions; for store/ alone. */
#ifndef IHOP_STORE_FORMAT_FILE_H
#define IHOP_STORE_FORMAT_FILE_H

#include <stddef.h>

#define STORE_FORMAT_SIZE 64 /* bytes of a text with its NUL; no text of ours fills it */

/* Writes the text of a store with 2 or 4 digits to out; returns its length in bytes. */
size_t store_format_text(unsigned digits, char out[STORE_FORMAT_SIZE]);

/* The digits, 2 or 4, or 0 when the text is not what this version writes: cut off, overlong,
 * of another version. */
unsigned store_format_parse(const char *text, size_t size);

#endif
