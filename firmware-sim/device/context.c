/* SPDX-License-Identifier: MIT */
/* Contexts: placement on cores, loss, destruction. */
#include <stdlib.h>
#include <string.h>

#include "device.h"

struct context *context_find(struct ncasim *dev, uint32_t id, uint32_t gen)
{
	struct context *ctx = id && id <= DEV_CONTEXTS ? dev->ctx[id] : NULL;

	return ctx && ctx->gen == gen ? ctx : NULL;
}

/* ---- Placement -------------------------------------------------------------------- */
static uint32_t core_free(const struct ncasim *dev, uint32_t core)
{
	return dev->target->slices_per_core - dev->core[core].slices_used;
}

/*
 * Up to one core's worth of slices come from one core, the fullest that has
 * room (best fit keeps whole cores whole); more than that takes whole free
 * cores. Nothing straddles two cores with a part of each.
 */
static uint32_t place(const struct ncasim *dev, uint32_t slices)
{
	uint32_t per_core = dev->target->slices_per_core, mask = 0, best = ~0u;

	if (slices <= per_core) {
		for (uint32_t c = 0; c < dev->target->cores; c++) {
			uint32_t room = core_free(dev, c);

			if (room >= slices && room < best) {
				best = room;
				mask = 1u << c;
			}
		}
		return mask;
	}
	for (uint32_t c = 0; c < dev->target->cores && slices; c++) {
		if (core_free(dev, c) == per_core) {
			mask |= 1u << c;
			slices -= per_core;
		}
	}
	return slices ? 0 : mask;
}

void context_room(struct ncasim *dev, uint32_t *free_slices, uint32_t *largest)
{
	*free_slices = 0;
	for (uint32_t c = 0; c < dev->target->cores; c++)
		*free_slices += core_free(dev, c);
	for (*largest = NCA_SLICES; *largest && !place(dev, *largest); *largest /= 2)
		;
}

/* Cores named by the driver: equal parts of each, and only if they have room. */
static uint16_t place_exact(const struct ncasim *dev, uint32_t slices, uint32_t mask)
{
	uint32_t cores = (uint32_t)__builtin_popcount(mask);

	if (mask >> dev->target->cores || slices % cores ||
	    slices / cores > dev->target->slices_per_core)
		return NCA_ADMIN_BAD_FIELD;
	for (uint32_t c = 0; c < dev->target->cores; c++)
		if (mask & 1u << c && core_free(dev, c) < slices / cores)
			return NCA_ADMIN_NO_CAPACITY;
	return NCA_ADMIN_OK;
}

static uint32_t free_id(struct ncasim *dev)
{
	for (uint32_t n = 0; n < DEV_CONTEXTS; n++) {
		dev->next_ctx = dev->next_ctx % DEV_CONTEXTS + 1;
		if (!dev->ctx[dev->next_ctx])
			return dev->next_ctx;
	}
	return 0;
}

static void join_core(struct ncasim *dev, struct context *ctx, uint32_t core, uint32_t slices)
{
	struct core_slot *c = &dev->core[core];

	/* A core nobody uses joins the present; one in use keeps its own clock. */
	if (!c->slices_used && !c->running)
		c->clock = max_u64(c->clock, nca_ns_to_ticks(dev->target,
							     atomic_load(&dev->time_ns)));
	c->slices_used += slices;
	ctx->share[core] = (struct core_share){
		.slices = slices, .vft = c->vtime, .next_ok = c->clock,
	};
}

uint16_t context_create(struct ncasim *dev, const struct nca_admin_cmd *cmd, uint64_t result[2],
			uint32_t *detail)
{
	uint32_t slices = cmd->ctx_create.slices, mask = cmd->ctx_create.core_mask, id, left, largest;
	pthread_rwlockattr_t attr;
	uint16_t status = NCA_ADMIN_OK;
	struct context *ctx;

	if (slices != 1 && slices != 2 && slices != 4 && slices != 8) {
		*detail = offsetof(struct nca_admin_cmd, ctx_create.slices);
		return NCA_ADMIN_BAD_FIELD;
	}
	if (cmd->ctx_create.flags & ~(uint32_t)NCA_CTX_BURST) {
		*detail = offsetof(struct nca_admin_cmd, ctx_create.flags);
		return NCA_ADMIN_BAD_FIELD;
	}
	if (mask) {
		status = place_exact(dev, slices, mask);
		*detail = offsetof(struct nca_admin_cmd, ctx_create.core_mask);
	} else {
		mask = place(dev, slices);
	}
	id = free_id(dev);
	if (status == NCA_ADMIN_BAD_FIELD)
		return status;
	*detail = 0;
	if (status != NCA_ADMIN_OK || !mask || !id) {
		context_room(dev, &left, &largest);
		result[0] = left;
		result[1] = largest;
		return NCA_ADMIN_NO_CAPACITY;
	}
	ctx = calloc(1, sizeof(*ctx));
	if (!ctx)
		return NCA_ADMIN_INTERNAL;
	ctx->id = id;
	if (!++dev->next_gen)
		dev->next_gen = 1;
	ctx->gen = dev->next_gen;
	ctx->slices = slices;
	ctx->flags = cmd->ctx_create.flags;
	ctx->core_mask = mask;
	pthread_rwlockattr_init(&attr);
#ifdef __GLIBC__
	/* The front end changes the map rarely; it must not wait behind busy readers. */
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
#endif
	pthread_rwlock_init(&ctx->map.lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	pthread_mutex_init(&ctx->prog_lock, NULL);
	for (uint32_t c = 0; c < dev->target->cores; c++)
		if (mask & 1u << c)
			join_core(dev, ctx, c, slices / (uint32_t)__builtin_popcount(mask));
	dev->ctx[id] = ctx;
	dev->contexts++;
	atomic_store(&dev->n_contexts, dev->contexts);
	result[0] = id | (uint64_t)ctx->gen << 32;
	result[1] = mask;
	return NCA_ADMIN_OK;
}

/* ---- The end of a context ------------------------------------------------------------ */
/* Ask every core that runs a launch of @ctx to yield; returns those cores. */
uint32_t context_stop(struct ncasim *dev, struct context *ctx)
{
	uint32_t mask = 0;

	for (uint32_t c = 0; c < dev->target->cores; c++) {
		struct launch *l = dev->core[c].running;

		if (!l || l->ctx != ctx || l->returned)
			continue;
		__atomic_store_n(&l->stop, true, __ATOMIC_RELEASE);
		mask |= 1u << c;
	}
	return mask;
}

/* Give back everything; a worker that still runs a launch of it does the last step. */
void context_free(struct ncasim *dev, struct context *ctx)
{
	context_stop(dev, ctx);
	for (uint32_t c = 0; c < dev->target->cores; c++)
		dev->core[c].slices_used -= ctx->share[c].slices;
	dev->ctx[ctx->id] = NULL;
	dev->contexts--;
	atomic_store(&dev->n_contexts, dev->contexts);
	ctx->zombie = true;
	context_release(ctx);
}

void context_release(struct context *ctx)
{
	if (!ctx->zombie || ctx->runs)
		return;
	map_free(ctx);
	programs_free(ctx);
	pthread_mutex_destroy(&ctx->prog_lock);
	free(ctx);
}

static void lose_queue(struct ncasim *dev, struct queue *q)
{
	switch (q->mode) {
	case QUEUE_LAUNCH:
		if (q->launch == dev->core[q->launch->core].running)
			return;		/* told to stop; completes when it returns */
		arbiter_cancel(dev, q->launch);
		q->launch = NULL;
		break;
	case QUEUE_STEP:
	case QUEUE_SEM:
	case QUEUE_HELD:
		break;
	case QUEUE_FETCH:
	case QUEUE_DEAD:
		return;
	}
	queue_complete(dev, q, NCA_CQE_CTX_LOST, q->ctx->cause, q->start_clock,
		       max_u64(q->start_clock, q->clock), 0xff, 0);
	if (!q->remap)
		queue_after_publish(dev, q);
}

/*
 * The context is lost: commands in progress complete now with CTX_LOST, those
 * still in the rings when the queues get to them. @q, where it happened (or
 * NULL), names the event queue that hears of it.
 */
void context_lose(struct ncasim *dev, struct context *ctx, uint32_t cause, struct queue *q,
		  bool event)
{
	if (ctx->lost)
		return;
	ctx->lost = true;
	ctx->cause = cause;
	if (event) {		/* otherwise the driver asked for it */
		ctx->usage.faults++;
		add_stat(&dev->n_faults, 1);
	}
	context_stop(dev, ctx);
	ctx->fault_vector = q ? q->vector : 1;
	ctx->fault_queue = q ? q->id : NCA_QUEUE_ALL;
	ctx->fault_queue_gen = q ? q->gen : 0;
	for (uint32_t i = 0; i < DEV_QUEUES; i++) {
		struct queue *o = &dev->queue[i];

		if (!o->used || o->ctx != ctx)
			continue;
		if (!q)
			ctx->fault_vector = o->vector;
		if (o->remap && !queue_resolve(dev, o))
			continue;
		if (o != q)
			lose_queue(dev, o);
	}
	if (event)
		event_ctx_fault(dev, ctx);
}
