/* SPDX-License-Identifier: MIT */
/* page_cache: what the kernel keeps in memory of a chunk's file: asking, filling and emptying
 * it. All of it is a hint: no function fails, and none waits for the disk. Thread-safe.
 */
#ifndef IHOP_PLUGIN_PAGE_CACHE_H
#define IHOP_PLUGIN_PAGE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

/* Whether the byte at offset is in memory; false also when that cannot be found out. */
bool page_cache_has(int fd, uint64_t offset);

/* Has the kernel begin to read these bytes. Those that are in memory cost about as much time as
 * reading a part of them, so ask before. */
void page_cache_fill(int fd, uint64_t offset, uint64_t size);

/* Drops the whole pages within these bytes; a size of 0 stands for all of the file. */
void page_cache_drop(int fd, uint64_t offset, uint64_t size);

#endif
