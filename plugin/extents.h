/* SPDX-License-Identifier: MIT */
/* extents: which parts of an export are known to read as zeros: zero chunks, and
 * holes in chunk files; with verify=first only in files that were found good. Thread-safe. */
#ifndef IHOP_PLUGIN_EXTENTS_H
#define IHOP_PLUGIN_EXTENTS_H

#include "plugin/export.h"

#include <stdbool.h>
#include <stdint.h>

/* Takes one extent; returns -1 to stop with an error. */
typedef int (*extent_fn)(void *user, uint64_t offset, uint64_t size, bool hole);

/* Reports the extents of [offset, offset + count), which must lie within the
 * export, in order: no extent reaches beyond the range, and adjacent extents of the same
 * kind are merged. With one, only the first is reported. May stop before the end of the
 * range when many chunk files would have to be examined: the client asks again for the
 * rest. */
int extents_find(struct export *x, uint64_t offset, uint64_t count, bool one, extent_fn fn,
                 void *user) __attribute__((warn_unused_result));

#endif
