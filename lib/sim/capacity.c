// SPDX-License-Identifier: MIT
/*
 * What is left of the device, from the contexts there are. The device decides
 * on its own when a context is created; this is for display, by the same rule:
 * up to a core's slices on one core, more as whole cores.
 */
#include "sim.h"

void sim_capacity(struct sim_dev *dev, struct acc_capacity *left, uint32_t *contexts,
		  uint32_t *queues)
{
	uint32_t cores = dev->id.cores, per_core = dev->id.slices / cores;
	uint32_t used[32] = { 0 }, most = 0, whole = 0;
	struct sim_ctx *ctx;

	*left = (struct acc_capacity){ 0 };
	*contexts = 0;
	*queues = 0;
	pthread_mutex_lock(&dev->table_lock);
	LIST_FOREACH(ctx, &dev->contexts, link) {
		++*contexts;
		if (!atomic_load(&ctx->on_device) || !ctx->b.core_mask)
			continue;
		for (uint32_t c = 0; c < cores; c++)
			if (ctx->b.core_mask >> c & 1)
				used[c] += ctx->slices / __builtin_popcount(ctx->b.core_mask);
	}
	for (uint32_t i = 0; i < dev->id.max_queues; i++)
		*queues += dev->queue[i] != NULL;
	pthread_mutex_unlock(&dev->table_lock);

	for (uint32_t c = 0; c < cores; c++) {
		uint32_t free = used[c] < per_core ? per_core - used[c] : 0;

		left->free += free;
		if (free > most)
			most = free;
		whole += free == per_core;
	}
	for (uint32_t size = 1; size <= dev->id.slices; size *= 2)
		if (size <= per_core ? size <= most : size / per_core <= whole)
			left->largest = size;
}
