// SPDX-License-Identifier: MIT
#include "mir_time_dma.h"

void dma_clock_init(struct dma_clock *d, struct cc *cc, const struct nca_target *t,
		    const struct mir_share *share)
{
	cc_assert(cc, share->dma_engines >= 1 && share->dma_engines <= DMA_MAX_ENGINES);
	*d = (struct dma_clock) { .cc = cc, .target = t, .engines = share->dma_engines,
				  .next = DMA_NEVER };
	for (uint32_t i = 0; i < d->engines; i++) {
		d->engine[i].next = DMA_NEVER;
		d->engine[i].last = MIR_NOBODY;
	}
	d->server[SERVER_DEVMEM] = nca_server(t, t->devmem_bw, share->bw_slices);
	d->server[SERVER_LINK_IN] = nca_server(t, t->link_bw, share->bw_slices);
	d->server[SERVER_LINK_OUT] = nca_server(t, t->link_bw, share->bw_slices);
}

uint8_t dma_servers(const struct nca_body_dma *b, uint8_t *factor)
{
	uint32_t servers = 0;

	*factor = 0;
	if (b->src.mem == NCA_MEM_SLOT && b->src.slot < MIR_SLOT_IO) {
		servers |= 1u << SERVER_DEVMEM;
		++*factor;
	} else if (b->src.mem == NCA_MEM_SLOT) {
		servers |= 1u << SERVER_LINK_IN;
	}
	if (b->dst.mem == NCA_MEM_SLOT && b->dst.slot < MIR_SLOT_IO) {
		servers |= 1u << SERVER_DEVMEM;
		++*factor;
	} else if (b->dst.mem == NCA_MEM_SLOT) {
		servers |= 1u << SERVER_LINK_OUT;
	}
	return (uint8_t)servers;
}

static uint32_t queue_of(const struct dma_clock *d, const struct nca_inst *in)
{
	return in->dma.queue % d->engines;
}

bool dma_clock_has_room(const struct dma_clock *d, const struct nca_inst *in)
{
	if (in->dma.queue != NCA_DMA_SPREAD)
		return d->engine[queue_of(d, in)].count < NCA_DMA_QUEUE_DEPTH;
	for (uint32_t i = 0; i < d->engines; i++)
		if (d->engine[i].count >= NCA_DMA_QUEUE_DEPTH)
			return false;
	return true;
}

static void enqueue(struct dma_clock *d, uint32_t engine, const struct dma_job *job)
{
	struct dma_engine *e = &d->engine[engine];

	e->job[(e->head + e->count) % NCA_DMA_QUEUE_DEPTH] = *job;
	if (!e->count++)
		e->next = job->ready;
	if (e->next < d->next)
		d->next = e->next;
}

void dma_clock_trigger(struct dma_clock *d, const struct nca_inst *in, uint32_t number,
		       uint64_t now)
{
	struct dma_transfer *t = d->spare;
	struct dma_job job = { .ready = now + d->target->dma_t0_ticks, .behind = MIR_NOBODY };
	uint64_t bytes = nca_dma_bytes(&in->dma), descs, each, extra;

	if (t)
		d->spare = t->next;
	else
		t = cc_new(d->cc, struct dma_transfer);
	*t = (struct dma_transfer) { .in = in, .number = number };
	t->servers = dma_servers(&in->dma, &t->factor);
	descs = nca_dma_descriptors(&in->dma, &t->desc_bytes);
	t->desc_ticks = nca_dma_desc_ticks(d->target, t->desc_bytes);
	job.transfer = t;
	d->bytes += bytes;
	d->descriptors += descs;
	if (in->dma.queue != NCA_DMA_SPREAD) {
		t->parts = 1;
		job.descs = descs;
		job.bytes = bytes;
		enqueue(d, queue_of(d, in), &job);
		return;
	}
	each = descs / d->engines;
	extra = descs % d->engines;
	for (uint32_t i = 0; i < d->engines && descs; i++) {
		job.descs = each + (i < extra);
		job.bytes = bytes * job.descs / descs;
		descs -= job.descs;
		bytes -= job.bytes;
		t->parts++;
		enqueue(d, (d->deal + i) % d->engines, &job);
	}
	d->deal = (uint32_t)((d->deal + extra) % d->engines);
}

static void packet_start(struct dma_clock *d, struct dma_engine *e, uint64_t now)
{
	struct dma_job *job = &e->job[e->head];
	const struct dma_transfer *t = job->transfer;
	uint64_t descs = NCA_DMA_PACKET / t->desc_bytes, bytes, done;

	if (!job->moving) {
		job->moving = now;
		job->behind = now > job->ready ? e->last : MIR_NOBODY;
	}
	if (descs > job->descs)
		descs = job->descs;
	bytes = job->bytes * descs / job->descs;
	job->descs -= descs;
	job->bytes -= bytes;
	e->started = now;
	e->in_flight = true;
	done = now + descs * t->desc_ticks;
	for (uint32_t s = 0; s < DMA_SERVERS; s++)
		if (t->servers & (1u << s))
			done = nca_max64(done, nca_server_take(&d->server[s], now,
							       s == SERVER_DEVMEM ?
							       bytes * t->factor : bytes));
	e->next = done;
}

static void packet_done(struct dma_clock *d, struct dma_engine *e, uint64_t now,
			struct dma_event *event)
{
	struct dma_job *job = &e->job[e->head];
	struct dma_transfer *t = job->transfer;

	d->busy += now - e->started;
	e->in_flight = false;
	if (job->descs)
		return;
	*event = (struct dma_event) { .job = true, .complete = !--t->parts, .number = t->number,
				      .in = t->in, .moving = job->moving,
				      .behind = job->behind };
	e->last = t->number;
	e->head = (e->head + 1) % NCA_DMA_QUEUE_DEPTH;
	e->count--;
	if (event->complete) {
		t->next = d->spare;
		d->spare = t;
	}
}

struct dma_event dma_clock_step(struct dma_clock *d, uint64_t now)
{
	struct dma_event event = { .job = false };
	uint32_t i = 0;

	while (d->engine[i].next != now)
		i++;
	if (d->engine[i].in_flight)
		packet_done(d, &d->engine[i], now, &event);
	if (!d->engine[i].count)
		d->engine[i].next = DMA_NEVER;
	else if (d->engine[i].job[d->engine[i].head].ready > now)
		d->engine[i].next = d->engine[i].job[d->engine[i].head].ready;
	else
		packet_start(d, &d->engine[i], now);
	d->next = DMA_NEVER;
	for (i = 0; i < d->engines; i++)
		if (d->engine[i].next < d->next)
			d->next = d->engine[i].next;
	return event;
}
