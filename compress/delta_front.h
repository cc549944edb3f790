/* SPDX-License-Identifier: MIT */
/* delta_front: the bytes of a pack that come before its deltas: which image it is against, the
 * patch of the header, the list of the deltas. */
#ifndef IHOP_COMPRESS_DELTA_FRONT_H
#define IHOP_COMPRESS_DELTA_FRONT_H

#include "base/err.h"
#include "format/delta_list.h"
#include "format/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct delta_front {
    uint8_t *data; /* owned by the caller */
    size_t size;
    bool has_patch; /* false: patching old's table does not give new's header */
};

/* ERR_MEMORY; then there is nothing to free. */
int delta_front_make(const struct image *old, const struct image *new,
                     const struct delta_list *list, struct delta_front *front, struct err *e)
    __attribute__((warn_unused_result));

#endif
