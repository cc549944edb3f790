/* SPDX-License-Identifier: MIT */
/* release_image: finding a release by its name and its image, also when the name has been given to
 * another image since.
 *
 * A release that is replaced or removed lives on in .ihop/retired as long as a server holds its
 * lock. A server that is started again, in place of one that died, finds it there by the
 * image's checksum. Thread-safe.
 */
#ifndef IHOP_STORE_RELEASE_IMAGE_H
#define IHOP_STORE_RELEASE_IMAGE_H

#include "base/err.h"
#include "format/image.h"
#include "store/store.h"

#include <stdbool.h>

/* store_release_find for the image whose checksum begins with these hex digits; id NULL or "": for
 * any. With all 128 digits, a retired release is found as well when the one of that name is
 * another image, or not there; *lock_fd holds a server's lock on whatever was found. Kinds as
 * those of store_release_find, and ERR_OTHER_IMAGE. The caller frees *image. */
int store_release_find_image(const struct store *store, const char *name, const char *id,
                             struct image *image, int *lock_fd, struct err *e)
    __attribute__((warn_unused_result));

#endif
