/* SPDX-License-Identifier: MIT */
/*
 * The arbiter: which context's launch runs next on a core, for how long.
 *
 * Every core has its own clock, in device ticks. Two numbers per context and
 * core decide, with s = slices of the context / slices of the core:
 *
 *   vft      virtual service: grows by T/s when the context has used T ticks.
 *            Among launches that may start now the smallest vft wins, so
 *            contexts that always have work share in proportion to s.
 *   next_ok  the cap: next_ok = max(next_ok, ready - quantum) + T/s, and no
 *            launch starts before it. Time during which the context was made to
 *            wait is not lost to it (ready is when its launch could have
 *            started); of time it did not ask for, at most a quantum is. Burst
 *            contexts have no cap.
 *
 * A launch that could start a moment later (SLACK of a quantum) than another
 * counts as starting together with it: a queue between two of its launches must
 * not lose its turn to somebody who then holds the core for a whole quantum.
 *
 * A launch runs until its end unless its quantum is used up and another
 * context's launch may start; then its live SBUF and PSUM go to device memory,
 * come back before it continues, and both trips take device time.
 *
 * Simulated time and wall time. With pace=free a core's clock moves as fast as
 * the host computes, and host think time takes no device time: a queue's next
 * command is ready when the previous one ended. A context whose submitter is
 * a few microseconds late must then not find that the core's clock has jumped
 * over its turn. So before a core starts (or goes on with) a launch while
 * another context that had work here a moment ago would win if it had a launch
 * waiting, the core waits for that submitter, once per completion, for at most
 * DEV_GRACE_NS of wall time and no device time. After that the context counts
 * as idle: its vft is brought forward to the core's when it comes back, and it is
 * given a quarter of the time next time. So a closed loop keeps its share even
 * when the host's scheduler takes the CPU away from it for a while, and a tenant
 * that sends something now and then costs its neighbours next to nothing.
 */
#include <stdlib.h>

#include "device.h"

#define SLACK(dev)	((dev)->quantum_ticks / 200)

static struct core_share *share_of(struct launch *l)
{
	return &l->ctx->share[l->core];
}

static void list_add(struct core_slot *c, struct launch *l, bool front)
{
	if (front) {
		l->prev = NULL;
		l->next = c->first;
		if (c->first)
			c->first->prev = l;
		else
			c->last = l;
		c->first = l;
	} else {
		l->next = NULL;
		l->prev = c->last;
		if (c->last)
			c->last->next = l;
		else
			c->first = l;
		c->last = l;
	}
}

static void list_del(struct core_slot *c, struct launch *l)
{
	if (l->prev)
		l->prev->next = l->next;
	else
		c->first = l->next;
	if (l->next)
		l->next->prev = l->prev;
	else
		c->last = l->prev;
	l->next = NULL;
	l->prev = NULL;
}

static void enqueue(struct ncasim *dev, struct launch *l, bool front)
{
	list_add(&dev->core[l->core], l, front);
	share_of(l)->waiting++;
	dev->launches_waiting++;
}

static void dequeue(struct ncasim *dev, struct launch *l)
{
	list_del(&dev->core[l->core], l);
	share_of(l)->waiting--;
	dev->launches_waiting--;
}

/* NCA_CORE_ANY: the core with the least work of this context, then the earliest clock. */
uint32_t arbiter_choose_core(struct ncasim *dev, struct context *ctx)
{
	uint32_t best = 0, best_load = ~0u;

	for (uint32_t c = 0; c < dev->target->cores; c++) {
		const struct core_slot *s = &dev->core[c];
		uint32_t load;

		if (!(ctx->core_mask & 1u << c))
			continue;
		load = ctx->share[c].waiting + (s->running && s->running->ctx == ctx);
		if (load < best_load || (load == best_load && s->clock < dev->core[best].clock)) {
			best = c;
			best_load = load;
		}
	}
	return best;
}

void arbiter_add(struct ncasim *dev, struct launch *l)
{
	struct core_slot *c = &dev->core[l->core];
	struct core_share *sh = share_of(l);

	if (!sh->active) {
		sh->active = true;
		sh->vft = max_u64(sh->vft, c->vtime);
	} else if (sh->misses) {
		sh->misses--;
	}
	enqueue(dev, l, false);
	/* Somebody whose quantum is over runs only because nobody waited. */
	if (c->running && c->running->over && c->running->ctx != l->ctx)
		__atomic_store_n(&c->running->stop, true, __ATOMIC_RELEASE);
}

/* ---- Choosing ---------------------------------------------------------------------- */
static uint64_t earliest(const struct core_slot *c, const struct context *ctx, uint32_t core,
			 uint64_t ready)
{
	uint64_t at = max_u64(c->clock, ready);

	return ctx->flags & NCA_CTX_BURST ? at : max_u64(at, ctx->share[core].next_ok);
}

/* A candidate: when it could start, and how it ranks against another. */
struct bid {
	struct launch *l;
	uint64_t start, vft, served;
	bool resident;
};

/* @soon: starting at or before this is as good as starting now. */
static bool bid_better(const struct bid *a, const struct bid *b, uint64_t soon)
{
	uint64_t sa = max_u64(a->start, soon), sb = max_u64(b->start, soon);

	if (sa != sb)
		return sa < sb;
	if (a->vft != b->vft)
		return a->vft < b->vft;
	if (a->resident != b->resident)
		return a->resident;
	return a->served < b->served;
}

static struct bid best_bid(struct ncasim *dev, struct core_slot *c, uint32_t core,
			   const struct context *except)
{
	struct bid best = { .l = NULL };
	uint64_t soon = c->clock + SLACK(dev);

	for (struct launch *l = c->first; l; l = l->next) {
		struct core_share *sh = share_of(l);
		struct bid b = {
			.l = l, .vft = sh->vft, .served = sh->served, .resident = l == c->resident,
		};

		if (l->ctx == except)
			continue;
		b.start = b.resident ? c->clock : earliest(c, l->ctx, core, l->ready);
		if (best.l && best.l->ctx == l->ctx)
			continue;	/* first come, first served within a context */
		if (!best.l || bid_better(&b, &best, soon))
			best = b;
	}
	return best;
}

/* Would a context without a launch here beat @b, and may its submitter still come? */
static uint64_t grace_for(struct ncasim *dev, struct core_slot *c, uint32_t core,
			  const struct bid *b, uint64_t now)
{
	uint64_t until = 0, grace;

	for (uint32_t i = 1; i <= DEV_CONTEXTS; i++) {
		struct context *ctx = dev->ctx[i];
		struct core_share *sh = ctx ? &ctx->share[core] : NULL;
		struct bid other;

		if (!sh || !sh->slices || !sh->active || sh->waiting || ctx == b->l->ctx)
			continue;
		grace = DEV_GRACE_NS >> 2 * sh->misses;
		if (ctx->lost || now - sh->done_wall >= grace) {
			sh->active = false;
			if (sh->misses < 3)
				sh->misses++;
			continue;
		}
		other = (struct bid){
			.start = earliest(c, ctx, core, 0), .vft = sh->vft, .served = sh->served,
		};
		if (bid_better(&other, b, c->clock + SLACK(dev)))
			until = max_u64(until, sh->done_wall + grace);
	}
	return until;
}

/* ---- Running ------------------------------------------------------------------------- */
static uint64_t switch_ticks(struct ncasim *dev, const struct launch *l)
{
	const struct nca_target *t = dev->target;
	const struct nca_program_header *h = program_header(l->prog);
	uint64_t bytes = ((uint64_t)h->sbuf_live + h->psum_live) * NCA_PARTITIONS;
	/* Bytes per tick, 16.16: all DMA engines of the core, or the device memory. */
	uint64_t engines = (uint64_t)t->dma_bpt_q16 * t->dma_engines;
	uint64_t memory = (uint64_t)(((unsigned __int128)t->devmem_bw << 16) / t->tick_hz);

	return t->dma_t0_ticks + (bytes << 16) / min_u64(engines, memory);
}

static void charge_switch(struct ncasim *dev, struct core_slot *c, struct launch *l, uint32_t core,
			  const char *what)
{
	uint64_t ticks = switch_ticks(dev, l), start = c->clock;

	c->clock += ticks;
	l->preempt_ticks += ticks;
	l->ctx->preempt_ticks += ticks;
	trace_core(dev->trace, core, l->ctx->id, what, to_ns(dev, start), to_ns(dev, c->clock));
}

static void start_slice(struct ncasim *dev, uint32_t core, const struct bid *b, struct worker *w)
{
	struct core_slot *c = &dev->core[core];
	struct launch *l = b->l;
	struct core_share *sh = share_of(l);
	bool fresh = l != c->resident;
	uint64_t slice;
	struct bid other;

	if (c->resident && fresh) {
		struct launch *r = c->resident;

		charge_switch(dev, c, r, core, "save");
		r->preemptions++;
		r->ctx->usage.preemptions++;
		r->saved = true;
		c->resident = NULL;
	}
	c->clock = max_u64(c->clock, b->start);
	if (l->saved) {
		charge_switch(dev, c, l, core, "restore");
		l->saved = false;
	}
	if (!l->started) {
		l->started = true;
		l->start = c->clock;
	}
	if (fresh) {
		l->quantum_left = dev->quantum_ticks;
		l->over = false;
	}
	c->vtime = max_u64(c->vtime, sh->vft);
	sh->served = ++c->serial;
	l->base = c->clock - l->ran;

	slice = l->over ? dev->quantum_ticks / 4 : l->quantum_left;
	if (l->over) {
		/* Somebody waits for its cap: be done when it may start. */
		other = best_bid(dev, c, core, l->ctx);
		if (other.l && other.start > c->clock)
			slice = min_u64(slice, other.start - c->clock);
	}
	l->until = min_u64(l->ran + max_u64(slice, 1), l->timeout);
	dequeue(dev, l);
	l->returned = false;
	__atomic_store_n(&l->stop, false, __ATOMIC_RELAXED);
	c->running = l;
	c->resident = NULL;
	l->ctx->runs++;
	dev->launches_running++;
	arbiter_collect_garbage(c);
	worker_start(w, l);
}

static void wait_until(struct ncasim *dev, struct bid *b, uint64_t wall)
{
	dev->grace_until = dev->grace_until ? min_u64(dev->grace_until, wall) : wall;
	b->l = NULL;
}

/* What @core would do now; b->l == NULL: nothing, or wait for a submitter or the clock. */
static struct bid consider(struct ncasim *dev, uint32_t core, uint64_t now)
{
	struct core_slot *c = &dev->core[core];
	struct bid b = { .l = NULL };
	uint64_t until;

	if (c->running || !c->first)
		return b;
	if (c->resident && !c->resident->over) {
		/* Asked to yield for another reason; its quantum goes on. */
		b.l = c->resident;
		b.start = c->clock;
		return b;
	}
	b = best_bid(dev, c, core, NULL);
	if (dev->pace_real) {
		/*
		 * Computing ahead of the wall clock would take decisions that
		 * belong to submitters who have not had the time to submit.
		 */
		until = dev->wall0 + to_ns(dev, max_u64(c->clock, b.start));
		if (until > now)
			wait_until(dev, &b, until);
		return b;
	}
	until = grace_for(dev, c, core, &b, now);
	if (until)
		wait_until(dev, &b, until);
	return b;
}

/* Give idle workers something to do, cores with the earliest clock first. */
bool arbiter_run(struct ncasim *dev)
{
	struct worker *w;
	bool any = false;
	uint64_t now = 0;

	while (dev->launches_waiting && (w = worker_idle(dev))) {
		struct bid best = { .l = NULL };
		uint32_t at = 0;

		if (!now)
			now = wall_ns();
		dev->grace_until = 0;
		for (uint32_t core = 0; core < dev->target->cores; core++) {
			struct bid b = consider(dev, core, now);

			if (b.l && (!best.l || dev->core[core].clock < dev->core[at].clock)) {
				best = b;
				at = core;
			}
		}
		if (!best.l)
			break;
		start_slice(dev, at, &best, w);
		any = true;
	}
	return any;
}

/* ---- Coming back --------------------------------------------------------------------- */
static void account(struct ncasim *dev, struct core_slot *c, struct launch *l, uint64_t used)
{
	const uint32_t per_core = dev->target->slices_per_core;
	struct core_share *sh = share_of(l);
	uint64_t scaled = used * per_core / sh->slices;
	uint64_t anchor = l->ready > dev->quantum_ticks ? l->ready - dev->quantum_ticks : 0;

	c->clock += used;
	c->busy_ticks += used;
	atomic_store_explicit(&dev->n_core_busy[l->core], to_ns(dev, c->busy_ticks),
			      memory_order_relaxed);
	sh->vft += scaled;
	sh->next_ok = max_u64(sh->next_ok, anchor) + scaled;
	l->ctx->busy_ticks += used;
	l->ran += used;
	l->quantum_left -= min_u64(l->quantum_left, used);
	if (!l->quantum_left)
		l->over = true;
}

static void discard(struct ncasim *dev, struct core_slot *c, struct launch *l)
{
	(void)dev;
	if (l == c->resident)
		c->resident = NULL;
	l->next = c->garbage;
	c->garbage = l;
	if (!c->running)
		arbiter_collect_garbage(c);
}

/* States may only be freed while no thread uses the core object. */
void arbiter_collect_garbage(struct core_slot *c)
{
	while (c->garbage) {
		struct launch *l = c->garbage;

		c->garbage = l->next;
		if (l->state)
			core_launch_end(c->core, l->state);
		launch_free(l);
	}
}

/* A worker has handed back @l. */
void arbiter_returned(struct ncasim *dev, struct launch *l)
{
	struct core_slot *c = &dev->core[l->core];
	struct context *ctx = l->ctx;
	uint64_t start = c->clock;

	c->running = NULL;
	dev->launches_running--;
	ctx->runs--;
	account(dev, c, l, l->now - l->ran);
	if (c->clock > start)
		trace_core(dev->trace, l->core, ctx->id, "run", to_ns(dev, start),
			   to_ns(dev, c->clock));
	if (!l->q) {
		discard(dev, c, l);
		context_release(ctx);
		return;
	}
	if (l->result == LAUNCH_YIELDED && !ctx->lost) {
		c->resident = l;
		enqueue(dev, l, true);
		return;
	}
	share_of(l)->done_wall = wall_ns();
	launch_finish(dev, l);
	discard(dev, c, l);
}

/* Nobody wants @l any more. Its queue must forget it. */
void arbiter_cancel(struct ncasim *dev, struct launch *l)
{
	struct core_slot *c = &dev->core[l->core];

	l->q = NULL;
	if (c->running == l) {
		__atomic_store_n(&l->stop, true, __ATOMIC_RELEASE);
		return;
	}
	dequeue(dev, l);
	discard(dev, c, l);
}
