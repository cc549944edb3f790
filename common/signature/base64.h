/* SPDX-License-Identifier: MIT */
/* base64: RFC 4648 with its first alphabet, and strictly: with padding, without line ends, and
 * with zeros in the bits that are left over, so that bytes have one text. Pure. */
#ifndef IHOP_SIGNATURE_BASE64_H
#define IHOP_SIGNATURE_BASE64_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BASE64_TEXT_SIZE(bytes) (((bytes) + 2) / 3 * 4 + 1) /* with NUL */

/* Decodes size characters into at most max bytes. Returns how many, or -1. */
ssize_t base64_decode(const char *text, size_t size, uint8_t *out, size_t max);

/* out has BASE64_TEXT_SIZE(size) bytes. */
void base64_encode(const uint8_t *bytes, size_t size, char *out);

#endif
