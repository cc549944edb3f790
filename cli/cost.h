/* SPDX-License-Identifier: MIT */
/* cost: what an update costs, for people and for machines, in the words that ihop-clone
 * and ihop-compress --diff share. */
#ifndef IHOP_CLI_COST_H
#define IHOP_CLI_COST_H

#include "cli/json.h"
#include "fetch/plan.h"

#include <stdbool.h>
#include <stddef.h>

/* Chunks that are in the store already. */
size_t cost_reused(const struct plan_cost *cost);

/* Sets chunks_total, chunks_reused and the member of each way; of_device: those, too,
 * that only a device can have. */
void cost_to_json(json_t *line, const struct plan_cost *cost, bool of_device);

#endif
