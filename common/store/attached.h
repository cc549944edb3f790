/* SPDX-License-Identifier: MIT */
/* attached: which images the kernel's NBD devices hold. A device that ihop-attach made outlives its
 * server and its keeper, and with them the locks that keep a release; what it is stays readable in
 * /sys/block/nbdN/backend, as base/backend.h says. Thread-safe.
 */
#ifndef IHOP_STORE_ATTACHED_H
#define IHOP_STORE_ATTACHED_H

#include "format/image.h"

#include <stdbool.h>

#define ATTACHED_SYS_BLOCK "/sys/block"

/* Whether a device has this image. sys_block is ATTACHED_SYS_BLOCK except in tests. What cannot be
 * read there is no device. */
bool attached_has_image(const char *sys_block, const struct image *image);

#endif
