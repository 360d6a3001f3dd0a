/* SPDX-License-Identifier: MIT */
/*
 * DMA engines as far as time is concerned.
 *
 * Each engine works through its queue in order, a packet (at most 64 KiB) at a
 * time. A packet takes the engine the ticks of its descriptors, and every
 * memory it passes serves packets in the order in which they started; it is
 * done when the slower of them is.
 */
#include <stdlib.h>
#include <string.h>

#include "core_impl.h"

void dma_servers_init(struct core_state *st)
{
	const struct nca_target *t = st->target;
	uint32_t slices = st->launch.bw_slices;

	st->server[SERVER_DEVMEM] = nca_server(t, t->devmem_bw, slices);
	st->server[SERVER_LINK_IN] = nca_server(t, t->link_bw, slices);
	st->server[SERVER_LINK_OUT] = nca_server(t, t->link_bw, slices);
}

static uint32_t queue_of(const struct core_state *st, const struct nca_inst *in)
{
	return in->dma.queue % st->launch.dma_engines;
}

bool dma_has_room(const struct core_state *st, const struct nca_inst *in)
{
	if (in->dma.queue != NCA_DMA_SPREAD)
		return st->dma[queue_of(st, in)].count < DMA_QUEUE_DEPTH;
	for (uint32_t i = 0; i < st->launch.dma_engines; i++)
		if (st->dma[i].count >= DMA_QUEUE_DEPTH)
			return false;
	return true;
}

static struct dma_transfer *transfer_alloc(struct core_state *st, uint32_t *id)
{
	if (st->transfer_free == UINT32_MAX) {
		uint32_t cap = st->transfer_cap ? st->transfer_cap * 2 : 64;
		struct dma_transfer *t = realloc(st->transfer, cap * sizeof(*t));

		if (!t)
			return NULL;
		st->transfer = t;
		for (uint32_t i = st->transfer_cap; i < cap; i++) {
			t[i].next_free = st->transfer_free;
			st->transfer_free = i;
		}
		st->transfer_cap = cap;
	}
	*id = st->transfer_free;
	st->transfer_free = st->transfer[*id].next_free;
	return &st->transfer[*id];
}

static void enqueue(struct core_state *st, uint32_t engine, const struct dma_job *job)
{
	struct dma_engine *d = &st->dma[engine];

	d->job[(d->head + d->count) % DMA_QUEUE_DEPTH] = *job;
	if (!d->count++)
		st->dma_at[engine] = job->ready;
	if (st->dma_at[engine] < st->dma_next)
		st->dma_next = st->dma_at[engine];
}

int dma_trigger(struct exec *x, uint64_t now, const struct dma_path *path)
{
	struct core_state *st = x->st;
	const struct pinst *p = x->p;
	uint64_t descs = p->dma.descs, bytes = p->dma.bytes, each, extra;
	uint32_t id, engines = st->launch.dma_engines;
	struct dma_transfer *t = transfer_alloc(st, &id);
	struct dma_job job = { .ready = now + st->target->dma_t0_ticks };

	if (!t)
		return fault_set(x->fault, NCA_RULE_WATCHDOG, x->engine, x->pc, 0,
				 "the host has no memory for another transfer");
	*t = (struct dma_transfer){ .pc = x->pc, .op_id = x->in->op_id,
				    .engine = (uint8_t)x->engine, .updates = p->updates,
				    .servers = path->servers, .factor = path->factor,
				    .update = { p->update[0], p->update[1] },
				    .desc_bytes = p->dma.desc_bytes,
				    .desc_ticks = p->dma.desc_ticks, .clock = path->clock };
	job.transfer = id;
	st->dma_bytes += bytes;
	st->dma_descs += (uint32_t)descs;
	if (x->in->dma.queue != NCA_DMA_SPREAD) {
		t->parts = 1;
		job.descs = descs;
		job.bytes = bytes;
		enqueue(st, queue_of(st, x->in), &job);
		return 0;
	}
	/* Dealt like cards, beginning where the last deal stopped. */
	each = descs / engines;
	extra = descs % engines;
	for (uint32_t i = 0; i < engines && descs; i++) {
		job.descs = each + (i < extra);
		job.bytes = bytes * job.descs / descs;
		descs -= job.descs;
		bytes -= job.bytes;
		t->parts++;
		enqueue(st, (st->dma_deal + i) % engines, &job);
	}
	st->dma_deal = (uint32_t)((st->dma_deal + extra) % engines);
	return 0;
}

static int transfer_done(struct core_state *st, uint32_t id, uint64_t now)
{
	struct dma_transfer *t = &st->transfer[id];

	for (uint32_t i = 0; i < t->updates; i++)
		if (sem_post(st, now, &t->update[i], t->engine, t->pc, t->clock))
			return -1;
	t->next_free = st->transfer_free;
	st->transfer_free = id;
	return 0;
}

static int packet_done(struct core_state *st, uint32_t engine, uint64_t now)
{
	struct dma_engine *d = &st->dma[engine];
	struct dma_job *job = &d->job[d->head];
	struct dma_transfer *t = &st->transfer[job->transfer];
	const struct core_trace *trace = st->launch.trace;

	st->dma_busy += now - d->started;
	if (trace && trace->dma)
		trace->dma(trace->opaque, engine, t->op_id, d->packet, d->started, now);
	d->packet = 0;
	if (job->descs)
		return 0;
	d->head = (d->head + 1) % DMA_QUEUE_DEPTH;
	d->count--;
	wake_queue_full(st, now);
	return --t->parts ? 0 : transfer_done(st, job->transfer, now);
}

static void packet_start(struct core_state *st, uint32_t engine, uint64_t now)
{
	struct dma_engine *d = &st->dma[engine];
	struct dma_job *job = &d->job[d->head];
	const struct dma_transfer *t = &st->transfer[job->transfer];
	uint64_t descs = job->descs, bytes = job->bytes, done;

	if (descs * t->desc_bytes > DMA_PACKET && descs > DMA_PACKET / t->desc_bytes) {
		descs = DMA_PACKET / t->desc_bytes;
		bytes = job->bytes * descs / job->descs;
	}
	job->descs -= descs;
	job->bytes -= bytes;
	d->started = now;
	d->packet = bytes;
	done = now + descs * t->desc_ticks;
	for (uint32_t s = 0; s < DMA_SERVERS; s++) {
		uint64_t served;

		if (!(t->servers & (1u << s)))
			continue;
		served = nca_server_take(&st->server[s], now,
					 s == SERVER_DEVMEM ? bytes * t->factor : bytes);
		if (served > done)
			done = served;
	}
	st->dma_at[engine] = done;
}

/*
 * DMA engines that have something to do at @now do it, in the order of their
 * numbers. What they update is seen later, so nothing can come in between.
 */
int dma_event(struct core_state *st, uint64_t now)
{
	uint64_t next = NEVER;

	for (uint32_t i = 0; i < st->launch.dma_engines; i++) {
		struct dma_engine *d = &st->dma[i];

		if (st->dma_at[i] == now) {
			if (d->packet && packet_done(st, i, now))
				return -1;
			if (!d->count)
				st->dma_at[i] = NEVER;
			else if (d->job[d->head].ready > now)
				st->dma_at[i] = d->job[d->head].ready;
			else
				packet_start(st, i, now);
		}
		next = st->dma_at[i] < next ? st->dma_at[i] : next;
	}
	st->dma_next = next;
	return 0;
}
