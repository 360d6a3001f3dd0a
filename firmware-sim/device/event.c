/* SPDX-License-Identifier: MIT */
/* Event rings and interrupts. */
#include <string.h>

#include "device.h"

/* MSI-X: noted here, raised once per round of the front end's loop. */
void irq_raise(struct ncasim *dev, uint32_t vector)
{
	dev->irq_pending |= 1u << vector;
}

void irq_flush(struct ncasim *dev)
{
	uint32_t pending = dev->irq_pending;

	dev->irq_pending = 0;
	if (!dev->bus_master || atomic_load(&dev->vanished))
		return;
	for (uint32_t v = 0; pending; v++, pending >>= 1) {
		if (!(pending & 1))
			continue;
		if (dev->irq_drop) {
			dev->irq_drop--;
			continue;
		}
		add_stat(&dev->n_irqs, 1);
		if (dev->ops.irq)
			dev->ops.irq(dev->opaque, v);
	}
}

/* Returns false when the ring has no free slot. */
static bool event_write(struct ncasim *dev, uint32_t vector, const struct nca_event *ev)
{
	struct event_queue *eq = &dev->eq[vector];
	uint32_t size, head, used;
	struct nca_event e = *ev;
	uint64_t w[4], avail;
	uint64_t *slot;

	if (!eq->used)
		return true;		/* nobody to tell */
	size = 1u << eq->order;
	head = atomic_load(&dev->regs.eq_head[vector]);
	used = eq->tail - head;
	if (used >= size) {
		eq->due = true;
		return false;
	}
	slot = dma_lookup(dev, eq->base + (uint64_t)(eq->tail & (size - 1)) * sizeof(e), sizeof(e),
			  NCASIM_DMA_WRITE, &avail);
	if (!slot || avail != sizeof(e) || (uintptr_t)slot & 7) {
		device_fatal(dev, NCA_FATAL_EVENT_MEMORY);
		return true;
	}
	e.phase = !((eq->tail >> eq->order) & 1);
	memcpy(w, &e, sizeof(w));
	for (int i = 0; i < 3; i++)
		__atomic_store_n(&slot[i], w[i], __ATOMIC_RELAXED);
	__atomic_store_n(&slot[3], w[3], __ATOMIC_RELEASE);	/* the phase is in here */
	eq->tail++;
	irq_raise(dev, vector);
	return true;
}

/*
 * Called after completions were stored and a full fence: fire if the host armed
 * a sequence that has not fired and there is a completion past the head it saw.
 */
void event_arm_check(struct ncasim *dev, struct queue *q)
{
	uint64_t arm = __atomic_load_n(&q->db->arm, __ATOMIC_RELAXED);
	uint32_t seq = (uint32_t)(arm >> 32);
	struct nca_event ev;

	if (likely(seq == q->arm_fired || !seq || (uint32_t)arm == q->cq_tail))
		return;
	ev = (struct nca_event){
		.queue = q->id, .queue_gen = q->gen, .ctx = q->ctx->id, .ctx_gen = q->ctx->gen,
		.cause = q->ctx->lost ? q->ctx->cause : NCA_CAUSE_NONE, .arm_seq = seq,
		.type = NCA_EVENT_QUEUE,
	};
	if (event_write(dev, q->vector, &ev)) {
		q->arm_fired = seq;
		q->event_due = false;
	} else {
		q->event_due = true;
	}
}

void event_ctx_fault(struct ncasim *dev, struct context *ctx)
{
	struct nca_event ev = {
		.queue = ctx->fault_queue, .queue_gen = ctx->fault_queue_gen, .ctx = ctx->id,
		.ctx_gen = ctx->gen, .cause = ctx->cause, .type = NCA_EVENT_CTX_FAULT,
	};

	ctx->fault_event_due = !event_write(dev, ctx->fault_vector, &ev);
}

/* The host consumed events: whatever found its ring full gets another chance. */
void event_eq_head_moved(struct ncasim *dev)
{
	for (uint32_t v = 1; v < DEV_VECTORS; v++) {
		if (!dev->eq[v].due)
			continue;
		dev->eq[v].due = false;
		for (uint32_t i = 1; i <= DEV_CONTEXTS; i++) {
			struct context *ctx = dev->ctx[i];

			if (ctx && ctx->fault_event_due && ctx->fault_vector == v)
				event_ctx_fault(dev, ctx);
		}
		for (uint32_t i = 0; i < DEV_QUEUES; i++) {
			struct queue *q = &dev->queue[i];

			if (q->used && q->event_due && q->vector == v)
				event_arm_check(dev, q);
		}
	}
}

void event_fatal(struct ncasim *dev, uint32_t cause)
{
	struct nca_event ev = {
		.queue = NCA_QUEUE_ALL, .cause = NCA_CAUSE_FATAL, .arm_seq = cause,
		.type = NCA_EVENT_FATAL,
	};

	irq_raise(dev, 0);
	if (cause == NCA_FATAL_EVENT_MEMORY)
		return;
	for (uint32_t v = 1; v < DEV_VECTORS; v++)
		event_write(dev, v, &ev);
}
