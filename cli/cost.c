/* SPDX-License-Identifier: MIT */
#include "cli/cost.h"

size_t cost_reused(const struct plan_cost *cost)
{
    return cost->chunks - cost->missing;
}

void cost_to_json(json_t *line, const struct plan_cost *cost, bool of_device)
{
    json_set_number(line, "chunks_total", cost->chunks);
    json_set_number(line, "chunks_reused", cost_reused(cost));
    for (enum way way = 0; way < WAY_COUNT; way++)
        if (way_traits[way].counted_as && (of_device || !way_traits[way].on_device))
            json_set_number(line, way_traits[way].counted_as, cost->ways[way].chunks);
}
