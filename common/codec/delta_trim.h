/* SPDX-License-Identifier: MIT */
/* delta_trim: leaves out of a base the blocks that a chunk is not made from (delta_encoder.h).
 * Any thread may call this. */
#ifndef IHOP_CODEC_DELTA_TRIM_H
#define IHOP_CODEC_DELTA_TRIM_H

#include "codec/bsdiff_encoder.h"
#include "codec/delta_encoder.h"

/* steps has those that make the chunk out of this base. */
void delta_trim(const struct bsdiff_encoder *steps, struct delta_base_bytes *base);

#endif
