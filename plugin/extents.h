/* SPDX-License-Identifier: MIT */
/* extents: which parts of an export are known to read as zeros: zero chunks, and
 * holes in chunk files; with verify, in those that are good. Thread-safe. */
#ifndef IHOP_PLUGIN_EXTENTS_H
#define IHOP_PLUGIN_EXTENTS_H

#include "plugin/export.h"

#include <stdbool.h>
#include <stdint.h>

/* Takes one extent; -1 to stop with an error. */
typedef int (*extent_fn)(void *user, uint64_t offset, uint64_t size, bool hole);

/* Reports the extents of [offset, offset + count), which must lie within the
 * export, in order, none beyond the range and neighbours of a kind as one. With
 * one, only the first. May stop before the end of the range when many chunk
 * files would have to be examined: the client asks again for the rest. */
int extents_find(struct export *x, uint64_t offset, uint64_t count, bool one, extent_fn fn,
                 void *user) __attribute__((warn_unused_result));

#endif
