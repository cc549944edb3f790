/* SPDX-License-Identifier: MIT */
#include "fetch/way.h"

const struct way_traits way_traits[WAY_COUNT] = {
    [WAY_PRESENT] = {.is_there = true},
    [WAY_ADOPTED] = {.counted_as = "chunks_adopted", .on_device = true, .is_there = true},
    [WAY_ZERO] = {.counted_as = "chunks_zero"},
    [WAY_SEED] = {.counted_as = "chunks_seeded", .on_device = true, .writes = true},
    [WAY_DELTA] = {.counted_as = "chunks_delta", .fetches = true, .of_pack = true, .writes = true},
    [WAY_DOWNLOAD] = {.counted_as = "chunks_fetched", .fetches = true, .writes = true},
};
