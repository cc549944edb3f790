/* SPDX-License-Identifier: MIT */
/* frame: what surrounds a dictionary, in archives and in releases alike: magic (6
 * bytes), size of the dictionary (u64, little-endian), the dictionary, and after
 * what may follow a checksum of all that. docs/formats.md has both in full. */
#ifndef IHOP_FORMAT_FRAME_H
#define IHOP_FORMAT_FRAME_H

#define FRAME_MAGIC_SIZE  6
#define FRAME_PREFIX_SIZE (FRAME_MAGIC_SIZE + 8)

#endif
