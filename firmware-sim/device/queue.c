/* SPDX-License-Identifier: MIT */
/* User queues: creation, ring memory, the hot and cold lists. */
#include <stdlib.h>
#include <string.h>

#include "device.h"

static uint8_t *ring_page(struct ncasim *dev, struct context *ctx, uint64_t va, uint32_t perm)
{
	uint64_t avail;
	uint8_t *p = map_translate(dev, ctx, va, DEV_PAGE, perm, &avail, NULL);

	return p && avail == DEV_PAGE && !((uintptr_t)p & 7) ? p : NULL;
}

static bool resolve(struct ncasim *dev, struct queue *q)
{
	q->state = (struct nca_queue_state *)(void *)ring_page(dev, q->ctx, q->state_va,
							       NCA_MAP_WRITE);
	if (!q->state)
		return false;
	for (uint32_t i = 0; i < q->sq_pages; i++) {
		q->sq_page[i] = ring_page(dev, q->ctx, q->sq_va + (uint64_t)i * DEV_PAGE,
					  NCA_MAP_READ);
		if (!q->sq_page[i])
			return false;
	}
	for (uint32_t i = 0; i < q->cq_pages; i++) {
		q->cq_page[i] = ring_page(dev, q->ctx, q->cq_va + (uint64_t)i * DEV_PAGE,
					  NCA_MAP_WRITE);
		if (!q->cq_page[i])
			return false;
	}
	return true;
}

/* Look the rings up again after something was unmapped; false: they are gone. */
bool queue_resolve(struct ncasim *dev, struct queue *q)
{
	q->remap = false;
	if (q->mode == QUEUE_DEAD)
		return false;
	if (resolve(dev, q))
		return true;
	queue_ring_fault(dev, q);
	return false;
}

/* Something was unmapped from @ctx (NULL: from the bus): no ring pointer is good any more. */
void queues_remap(struct ncasim *dev, struct context *ctx)
{
	for (uint32_t i = 0; i < DEV_QUEUES; i++) {
		struct queue *q = &dev->queue[i];

		if (q->used && (!ctx || q->ctx == ctx))
			q->remap = true;
	}
}

static void unlink_queue(struct ncasim *dev, struct queue *q)
{
	for (uint32_t i = 0; i < dev->hot_count; i++) {
		if (dev->hot[i] == q) {
			dev->hot[i] = dev->hot[--dev->hot_count];
			return;
		}
	}
	for (uint32_t i = 0; i < dev->cold_count; i++) {
		if (dev->cold[i] == q) {
			dev->cold[i] = dev->cold[--dev->cold_count];
			return;
		}
	}
}

void queue_heat(struct ncasim *dev, struct queue *q)
{
	for (uint32_t i = 0; i < dev->cold_count; i++) {
		if (dev->cold[i] != q)
			continue;
		dev->cold[i] = dev->cold[--dev->cold_count];
		dev->hot[dev->hot_count++] = q;
		q->idle_polls = 0;
		return;
	}
}

void queue_free(struct ncasim *dev, struct queue *q)
{
	if (q->launch)
		arbiter_cancel(dev, q->launch);
	q->launch = NULL;
	q->stalled = false;
	q->event_due = false;
	if (q->mode != QUEUE_FETCH && q->mode != QUEUE_DEAD)
		queue_set_mode(dev, q, QUEUE_DEAD);
	unlink_queue(dev, q);
	q->ctx->queues--;
	free(q->sq_page);
	free(q->cq_page);
	memset(q, 0, sizeof(*q));
	dev->queues--;
	atomic_store(&dev->n_queues, dev->queues);
}

static uint32_t bad_field(struct ncasim *dev, struct context *ctx, const struct nca_admin_cmd *cmd)
{
	if (cmd->queue_create.queue >= DEV_QUEUES)
		return offsetof(struct nca_admin_cmd, queue_create.queue);
	if (!cmd->queue_create.vector || cmd->queue_create.vector >= DEV_VECTORS ||
	    !dev->eq[cmd->queue_create.vector].used)
		return offsetof(struct nca_admin_cmd, queue_create.vector);
	if (cmd->queue_create.state_va & (DEV_PAGE - 1))
		return offsetof(struct nca_admin_cmd, queue_create.state_va);
	if (cmd->queue_create.sq_va & (DEV_PAGE - 1))
		return offsetof(struct nca_admin_cmd, queue_create.sq_va);
	if (cmd->queue_create.cq_va & (DEV_PAGE - 1))
		return offsetof(struct nca_admin_cmd, queue_create.cq_va);
	if (cmd->queue_create.sq_order < 3 || cmd->queue_create.sq_order > NCA_QUEUE_MAX_ORDER)
		return offsetof(struct nca_admin_cmd, queue_create.sq_order);
	if (cmd->queue_create.cq_order < 3 || cmd->queue_create.cq_order > NCA_QUEUE_MAX_ORDER)
		return offsetof(struct nca_admin_cmd, queue_create.cq_order);
	if (cmd->queue_create.core != NCA_CORE_ANY &&
	    (cmd->queue_create.core >= dev->target->cores ||
	     !(ctx->core_mask & 1u << cmd->queue_create.core)))
		return offsetof(struct nca_admin_cmd, queue_create.core);
	if (cmd->queue_create.flags)
		return offsetof(struct nca_admin_cmd, queue_create.flags);
	return 0;
}

/*
 * A new queue's clock starts at the earliest clock of the cores it may run on:
 * starting later would make its first launch wait for device time that nobody
 * else needs to pass.
 */
static uint64_t first_clock(struct ncasim *dev, struct context *ctx, uint32_t core)
{
	uint64_t clock = ~0ull;

	for (uint32_t c = 0; c < dev->target->cores; c++) {
		if (core == NCA_CORE_ANY ? ctx->core_mask & 1u << c : c == core)
			clock = min_u64(clock, dev->core[c].clock);
	}
	return clock;
}

uint16_t queue_create(struct ncasim *dev, struct context *ctx, const struct nca_admin_cmd *cmd,
		      uint32_t *detail)
{
	struct queue *q;

	*detail = bad_field(dev, ctx, cmd);
	if (*detail)
		return NCA_ADMIN_BAD_FIELD;
	if (ctx->lost)
		return NCA_ADMIN_BAD_ID;
	q = &dev->queue[cmd->queue_create.queue];
	if (q->used)
		return NCA_ADMIN_ID_IN_USE;

	memset(q, 0, sizeof(*q));
	q->id = cmd->queue_create.queue;
	q->gen = cmd->queue_create.queue_gen;
	q->vector = cmd->queue_create.vector;
	q->core = cmd->queue_create.core;
	q->ctx = ctx;
	q->state_va = cmd->queue_create.state_va;
	q->sq_va = cmd->queue_create.sq_va;
	q->cq_va = cmd->queue_create.cq_va;
	q->sq_size = 1u << cmd->queue_create.sq_order;
	q->cq_size = 1u << cmd->queue_create.cq_order;
	q->cq_order = cmd->queue_create.cq_order;
	q->sq_pages = (q->sq_size * 64 + DEV_PAGE - 1) / DEV_PAGE;
	q->cq_pages = (q->cq_size * 32 + DEV_PAGE - 1) / DEV_PAGE;
	q->sq_page = calloc(q->sq_pages, sizeof(*q->sq_page));
	q->cq_page = calloc(q->cq_pages, sizeof(*q->cq_page));
	if (!q->sq_page || !q->cq_page || !resolve(dev, q)) {
		bool memory = q->sq_page && q->cq_page;

		free(q->sq_page);
		free(q->cq_page);
		memset(q, 0, sizeof(*q));
		return memory ? NCA_ADMIN_BAD_ADDRESS : NCA_ADMIN_INTERNAL;
	}
	/* Both pages start from zero, whoever had the doorbell page before. */
	q->db = (struct nca_doorbell *)(void *)(dev->doorbells + (size_t)q->id * NCA_DB_PAGE_SIZE);
	memset(q->db, 0, NCA_DB_PAGE_SIZE);
	memset(q->state, 0, sizeof(*q->state));
	q->clock = first_clock(dev, ctx, q->core);
	q->clock_ns = to_ns(dev, q->clock);
	q->mode = QUEUE_FETCH;
	q->used = true;
	ctx->queues++;
	dev->hot[dev->hot_count++] = q;
	dev->queues++;
	atomic_store(&dev->n_queues, dev->queues);
	return NCA_ADMIN_OK;
}
