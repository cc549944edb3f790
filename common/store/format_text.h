/* SPDX-License-Identifier: MIT */
/* format_text: what STORE/.ihop/format says, as text: the version of the layout and how many
 * digits of a hash name its directory. Whoever can write to a store can write anything
 * there. Pure functions; for store/ alone. */
#ifndef IHOP_STORE_FORMAT_TEXT_H
#define IHOP_STORE_FORMAT_TEXT_H

#include <stddef.h>

#define STORE_FORMAT_SIZE 64 /* of a text with its NUL; a file of so many bytes is none of ours */

/* Writes the text of a store with 2 or 4 digits to out; returns its length in bytes. */
size_t store_format_text(unsigned digits, char out[STORE_FORMAT_SIZE]);

/* The digits, 2 or 4, or 0 when the file's content is not what this version writes: cut,
 * overlong, of another version. */
unsigned store_format_parse(const char *text, size_t size);

#endif
