/* SPDX-License-Identifier: MIT */
/* backend: the text by which the kernel knows what an NBD device of ihop-attach is, in
 * /sys/block/nbdN/backend: "ihop RELEASE ID". It stays as long as the device, whatever becomes of
 * server and keeper. The name of a release may have spaces; ID, the image's, is what follows the
 * last one. Thread-safe.
 */
#ifndef IHOP_BASE_BACKEND_H
#define IHOP_BASE_BACKEND_H

#include <stddef.h>

/* Writes the text for a release and the id of its image, cut short at size bytes. */
void backend_write(const char *release, const char *id, char *text, size_t size);

/* Where the id begins in a text of that form, without its newline; NULL when it is of another form,
 * as another program's is. What follows need not be the digits of an id. */
const char *backend_id(const char *text);

#endif
