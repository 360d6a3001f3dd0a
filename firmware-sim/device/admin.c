/* SPDX-License-Identifier: MIT */
/* Admin queue pair: fetching, completing, commands that wait for cores. */
#include <stdlib.h>
#include <string.h>

#include "device.h"

static void complete(struct ncasim *dev, uint16_t cid, const struct admin_result *r)
{
	struct admin *a = &dev->admin;
	struct nca_admin_cpl c = {
		.result = { r->result[0], r->result[1] }, .detail = r->detail,
		.sq_head = a->sq_head, .cid = cid, .status = r->status,
		.phase = !((a->cq_tail >> a->order) & 1),
	};
	uint32_t index = a->cq_tail & ((1u << a->order) - 1);
	uint64_t w[4], avail;
	uint64_t *slot;

	slot = dma_lookup(dev, a->acq_base + (uint64_t)index * sizeof(c), sizeof(c), NCASIM_DMA_WRITE,
			  &avail);
	if (!slot || avail != sizeof(c) || (uintptr_t)slot & 7) {
		device_fatal(dev, NCA_FATAL_ADMIN_MEMORY);
		return;
	}
	memcpy(w, &c, sizeof(w));
	for (int i = 0; i < 3; i++)
		__atomic_store_n(&slot[i], w[i], __ATOMIC_RELAXED);
	__atomic_store_n(&slot[3], w[3], __ATOMIC_RELEASE);	/* the phase is in here */
	a->cq_tail++;
	irq_raise(dev, 0);
}

static bool wait_for_cores(struct ncasim *dev, uint16_t cid, uint32_t cores)
{
	struct admin_pending *p = calloc(1, sizeof(*p));

	if (!p)
		return false;
	p->cid = cid;
	p->wait_cores = cores;
	p->next = dev->admin.list;
	dev->admin.list = p;
	dev->admin.pending++;
	return true;
}

/* Complete what waits for no core any more, unless nothing may be completed now. */
void admin_finish(struct ncasim *dev)
{
	struct admin_pending **p = &dev->admin.list;

	while (*p && front_live(dev)) {
		struct admin_pending *e = *p;
		struct admin_result ok = { .status = NCA_ADMIN_OK };

		if (e->wait_cores) {
			p = &e->next;
			continue;
		}
		*p = e->next;
		dev->admin.pending--;
		complete(dev, e->cid, &ok);
		free(e);
	}
}

void admin_core_returned(struct ncasim *dev, uint32_t core)
{
	for (struct admin_pending *e = dev->admin.list; e; e = e->next)
		e->wait_cores &= ~(1u << core);
	admin_finish(dev);
}

/* Reset: nobody will be told. */
void admin_drop(struct ncasim *dev)
{
	while (dev->admin.list) {
		struct admin_pending *e = dev->admin.list;

		dev->admin.list = e->next;
		free(e);
	}
	dev->admin.pending = 0;
}

/* Serve one command. Returns false when there is none, or no room for its answer. */
bool admin_poll(struct ncasim *dev)
{
	struct admin *a = &dev->admin;
	uint32_t size = 1u << a->order, tail, used;
	struct admin_result r = { .status = NCA_ADMIN_OK };
	struct nca_admin_cmd cmd;

	if (!front_live(dev))
		return false;
	tail = atomic_load(&dev->regs.asq_tail);
	used = a->cq_tail - atomic_load(&dev->regs.acq_head);
	if (tail - a->sq_head > size || used > size) {
		device_fatal(dev, NCA_FATAL_ADMIN_INDEX);
		return false;
	}
	if (tail == a->sq_head || used + a->pending >= size)
		return false;
	if (!dma_read(dev, a->asq_base + (uint64_t)(a->sq_head & (size - 1)) * sizeof(cmd), &cmd,
		      sizeof(cmd))) {
		device_fatal(dev, NCA_FATAL_ADMIN_MEMORY);
		return false;
	}
	a->sq_head++;
	admin_execute(dev, &cmd, &r);
	if (!front_live(dev))
		return false;		/* an injected hang or fatal error leaves it unanswered */
	if (r.wait_cores && wait_for_cores(dev, cmd.cid, r.wait_cores))
		return true;
	complete(dev, cmd.cid, &r);
	return true;
}
