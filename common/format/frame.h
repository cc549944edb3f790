/* SPDX-License-Identifier: MIT */
/* frame: what surrounds a dictionary, in archives and in releases alike. Before the dictionary
 * stand the magic (6 bytes) and the dictionary's size in bytes (u64, little-endian); the last
 * bytes of the file's header are a checksum of all before them. docs/formats.md describes both
 * in full. */
#ifndef IHOP_FORMAT_FRAME_H
#define IHOP_FORMAT_FRAME_H

#define FRAME_MAGIC_SIZE  6
#define FRAME_PREFIX_SIZE (FRAME_MAGIC_SIZE + 8)

#endif
