// SPDX-License-Identifier: MIT
/*
 * Interrupts of the embedded device. The callback runs on one of its threads
 * and must not call back into it, so EQ_HEAD is written later: before the next
 * arming of a queue and when contexts come and go. A queue has at most one
 * event per arming, hence at most two that EQ_HEAD has not passed; the ring has
 * room for that many.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sim.h"

long sim_futex_wait(_Atomic uint32_t *word, uint32_t seen, int64_t deadline)
{
	struct timespec ts = { deadline / 1000000000, deadline % 1000000000 };

	if (syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, seen,
		    deadline == INT64_MAX ? NULL : &ts, NULL, FUTEX_BITSET_MATCH_ANY))
		return -errno;
	return 0;
}

void sim_futex_wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* Under table_lock. */
void sim_queue_signal(struct sim_queue *q)
{
	const uint64_t one = 1;

	atomic_fetch_add_explicit(&q->events, 1, memory_order_release);
	sim_futex_wake(&q->events);
	/* A full counter is readable already, which is all that is wanted. */
	if (q->eventfd >= 0 && write(q->eventfd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		q->eventfd = -1;
}

/* Under table_lock. The status page first, then the wake-ups: who wakes sees why. */
static void context_lost(struct sim_ctx *ctx, uint32_t state, uint32_t cause)
{
	struct sim_dev *dev = ctx->dev;

	/* The first cause stays, but a reset or removal is news to a lost context. */
	if (ctx->status->state == NCA_CTX_RUNNING)
		__atomic_store_n(&ctx->status->cause, cause, __ATOMIC_RELAXED);
	if (state > ctx->status->state)
		__atomic_store_n(&ctx->status->state, state, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < dev->id.max_queues; i++)
		if (dev->queue[i] && dev->queue[i]->ctx == ctx)
			sim_queue_signal(dev->queue[i]);
}

void sim_contexts_lost(struct sim_dev *dev, struct sim_ctx *only, uint32_t state, uint32_t cause)
{
	struct sim_ctx *ctx;

	pthread_mutex_lock(&dev->table_lock);
	LIST_FOREACH(ctx, &dev->contexts, link)
		if (!only || ctx == only)
			context_lost(ctx, state, cause);
	pthread_mutex_unlock(&dev->table_lock);
}

/* Under table_lock. */
static void dispatch(struct sim_dev *dev, const struct nca_event *e)
{
	struct sim_queue *q;
	struct sim_ctx *ctx;

	switch (e->type) {
	case NCA_EVENT_QUEUE:
		q = e->queue < dev->id.max_queues ? dev->queue[e->queue] : NULL;
		/* The generation keeps a late event from waking a successor. */
		if (q && q->gen == e->queue_gen)
			sim_queue_signal(q);
		break;
	case NCA_EVENT_CTX_FAULT:
		LIST_FOREACH(ctx, &dev->contexts, link)
			if (atomic_load(&ctx->on_device) && ctx->b.id == e->ctx &&
			    ctx->b.gen == e->ctx_gen)
				context_lost(ctx, NCA_CTX_LOST,
					     e->cause ? e->cause : NCA_CAUSE_FAULT);
		break;
	case NCA_EVENT_FATAL:
		dev->state = 2;
		LIST_FOREACH(ctx, &dev->contexts, link)
			context_lost(ctx, NCA_CTX_DEVICE_RESET, NCA_CAUSE_FATAL);
		break;
	}
}

void sim_interrupt(void *opaque, unsigned int vector)
{
	struct sim_dev *dev = opaque;

	if (vector == 0)
		sim_admin_interrupt(dev);
	pthread_mutex_lock(&dev->table_lock);
	while (dev->eq) {
		struct nca_event *e = &dev->eq[dev->eq_head & ((1u << dev->eq_order) - 1)];
		unsigned int want = !((dev->eq_head >> dev->eq_order) & 1);

		if (sim_entry_phase(e) != want)
			break;
		dispatch(dev, e);
		dev->eq_head++;
	}
	pthread_mutex_unlock(&dev->table_lock);
}

void sim_events_ack(struct sim_dev *dev)
{
	uint32_t head;

	pthread_mutex_lock(&dev->ack_lock);
	pthread_mutex_lock(&dev->table_lock);
	head = dev->eq_head;
	pthread_mutex_unlock(&dev->table_lock);
	if (head != dev->eq_told) {
		dev->eq_told = head;
		ncasim_reg_write(dev->hw, NCA_REG_EQ_HEAD(SIM_EQ_VECTOR), head, 4);
	}
	pthread_mutex_unlock(&dev->ack_lock);
}

/* After a reset the device has no event queue; ours starts over with an empty ring. */
int sim_events_start(struct sim_dev *dev)
{
	struct nca_admin_cmd cmd = {
		.opcode = NCA_ADMIN_EQ_CREATE,
		.eq = {
			.base = (uintptr_t)dev->eq,
			.vector = SIM_EQ_VECTOR,
			.order = dev->eq_order,
		},
	};

	pthread_mutex_lock(&dev->ack_lock);
	pthread_mutex_lock(&dev->table_lock);
	memset(dev->eq, 0, sizeof(*dev->eq) << dev->eq_order);
	dev->eq_head = 0;
	pthread_mutex_unlock(&dev->table_lock);
	dev->eq_told = 0;
	pthread_mutex_unlock(&dev->ack_lock);
	return sim_admin_simple(dev, &cmd, "creating the event queue");
}
