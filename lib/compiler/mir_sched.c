// SPDX-License-Identifier: MIT
/*
 * From one linear order to five streams and their semaphores.
 *
 * Which instruction must wait for which is read off the addresses: two accesses of one place, at
 * least one of them a write, on different engines. Each engine has a semaphore that counts those of
 * its instructions somebody waits for; as an engine completes in order, "the count has reached n"
 * means that everything before has completed too. A DMA completes on its own time, so DMAs are
 * dealt to channels, a semaphore each, and a channel's next DMA is only triggered when its last one
 * is known to be complete: the count then names one DMA.
 *
 * A wait is left out if what the stream already waited for implies it. That is what the clocks are
 * for: clock[a] is how many events of agent a (engine or channel) are known to have happened.
 */
#include <nca/cost.h>
#include <stdlib.h>
#include <string.h>

#include "mir.h"

#define MAX_CHANNELS 40
#define MANY_INSTS 200000	/* so many that fewer channels must do */
#define MAX_AGENTS (NCA_ENGINES + MAX_CHANNELS)
#define NUM_BUCKETS 64
#define LONG_LIST 64	/* of accesses: time to forget what is over */

struct access {
	struct access *next;
	uint64_t lo, hi;
	uint32_t inst;
	uint8_t part, nparts;
	bool write;
};

/* Accesses of one memory, by address. */
struct memory {
	uint64_t granule;
	struct access *bucket[NUM_BUCKETS];
};

struct event {		/* the completion of an instruction */
	uint8_t agent;
	uint32_t count;
};

struct wait {
	uint8_t agent;
	uint32_t inst;	/* the instruction waited for */
	uint32_t next;	/* 1 + index of the next wait of the same instruction */
};

struct sched {
	struct mir *m;
	uint32_t channels, agents;
	struct memory sbuf, psum, *slot;
	struct access *spare;

	struct event *event;		/* per instruction */
	uint32_t *snapshot;		/* [instruction][agent]: the clock at its completion */
	bool *signals;			/* somebody waits for it */
	uint32_t *first_wait;		/* per instruction, 1 + index */
	struct wait *waits;
	size_t num_waits, cap_waits;

	uint32_t clock[NCA_ENGINES][MAX_AGENTS];
	uint32_t issued[MAX_AGENTS];	/* events so far, complete or not */
	uint32_t last_dma[MAX_CHANNELS];
	uint32_t last[NCA_ENGINES];	/* instruction of each engine */
	uint32_t ahead;			/* channels of loads that run ahead, the first ones */
	uint32_t next_channel[2], next_queue;

	uint32_t *dep;			/* of the instruction at hand */
	size_t num_deps, cap_deps;
};

static bool is_dma(const struct mir_inst *i)
{
	return i->in.opcode == NCA_OP_DMA;
}

static struct memory *memory_of(struct sched *s, const struct mir_ref *ref)
{
	switch (ref->space) {
	case MIR_SBUF:
		return &s->sbuf;
	case MIR_PSUM:
		return &s->psum;
	case MIR_SLOT:
		break;
	}
	/* Nobody writes weights or inputs. */
	return s->slot[ref->slot].granule ? &s->slot[ref->slot] : NULL;
}

static void add_dep(struct sched *s, uint32_t inst)
{
	for (size_t i = 0; i < s->num_deps; i++)
		if (s->dep[i] == inst)
			return;
	*cc_push(s->m->cc, s->dep, s->num_deps, s->cap_deps) = inst;
}

/*
 * Every engine that has instructions left knows that this access is over. Without forgetting these,
 * transfers that read one place in thousands of pieces would each look at all before them.
 */
static bool known_by_all(const struct sched *s, const struct access *a, uint32_t n)
{
	const struct event *e = &s->event[a->inst];

	for (int engine = 0; engine < NCA_ENGINES; engine++)
		if (s->last[engine] >= n && e->agent != engine &&
		    s->clock[engine][e->agent] < e->count)
			return false;
	return true;
}

static void forget_known(struct sched *s, struct access **link, uint32_t n)
{
	struct access *a;

	while ((a = *link)) {
		if (a->inst == n || !known_by_all(s, a, n)) {
			link = &a->next;
			continue;
		}
		*link = a->next;
		a->next = s->spare;
		s->spare = a;
	}
}

/* In one bucket: what @ref of instruction @n has to wait for; then remember @ref. */
static void touch_bucket(struct sched *s, struct access **bucket, uint64_t lo, uint64_t hi,
			 uint32_t n, const struct mir_ref *ref)
{
	const struct mir_inst *inst = &s->m->inst[n];
	struct access **link = bucket, *a;
	unsigned int num = 0;

	while ((a = *link)) {
		bool parts = a->part < ref->part + ref->nparts && ref->part < a->part + a->nparts;
		bool covers = lo <= a->lo && a->hi <= hi && ref->part <= a->part &&
			      a->part + a->nparts <= ref->part + ref->nparts;
		bool overlaps = a->lo < hi && lo < a->hi && (parts || !ref->nparts);
		const struct mir_inst *other = &s->m->inst[a->inst];

		if (!ref->nparts)	/* a slot has no partitions */
			covers = lo <= a->lo && a->hi <= hi;
		if (overlaps && a->inst != n && (a->write || ref->write))
			add_dep(s, a->inst);
		/*
		 * Whoever has to wait for @a later will have to wait for this access, which itself
		 * waits for @a (a write), or comes after it on the same engine (a read).
		 */
		if (a->inst != n && covers &&
		    (ref->write || (!a->write && !is_dma(inst) && !is_dma(other) &&
				    inst->engine == other->engine))) {
			*link = a->next;
			a->next = s->spare;
			s->spare = a;
			continue;
		}
		link = &a->next;
		num++;
	}
	if (num > LONG_LIST)
		forget_known(s, bucket, n);
	a = s->spare;
	if (a)
		s->spare = a->next;
	else
		a = cc_new(s->m->cc, struct access);
	*a = (struct access) { .next = *bucket, .lo = lo, .hi = hi, .inst = n, .part = ref->part,
			       .nparts = ref->nparts, .write = ref->write };
	*bucket = a;
}

static void touch(struct sched *s, uint32_t n, const struct mir_ref *ref)
{
	struct memory *mem = memory_of(s, ref);

	if (!mem)
		return;
	for (uint64_t at = ref->lo; at < ref->hi;) {
		uint64_t k = at / mem->granule, end = (k + 1) * mem->granule;

		if (k >= NUM_BUCKETS - 1) {
			k = NUM_BUCKETS - 1;
			end = UINT64_MAX;
		}
		if (end > ref->hi)
			end = ref->hi;
		touch_bucket(s, &mem->bucket[k], at, end, n, ref);
		at = end;
	}
}

/* Wait for instruction @dep before instruction @n starts, unless that is known already. */
static void wait_for(struct sched *s, uint32_t n, uint32_t dep)
{
	const struct mir_inst *inst = &s->m->inst[n];
	const struct event *e = &s->event[dep];
	uint32_t *clock = s->clock[inst->engine];
	const uint32_t *then = s->snapshot + (size_t)dep * s->agents;
	struct wait *w;

	if (e->agent == inst->engine && !is_dma(inst))
		return;		/* in order, and an engine sees its own results */
	if (clock[e->agent] >= e->count)
		return;
	w = cc_push(s->m->cc, s->waits, s->num_waits, s->cap_waits);
	w->agent = e->agent;
	w->inst = dep;
	w->next = s->first_wait[n];
	s->first_wait[n] = (uint32_t)s->num_waits;
	s->signals[dep] = true;
	for (uint32_t a = 0; a < s->agents; a++)
		if (then[a] > clock[a])
			clock[a] = then[a];
}

static int latest_first(const void *pa, const void *pb)
{
	uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;

	return (a < b) - (a > b);
}

/*
 * A channel whose last DMA is known to be complete here, or the one that was used longest ago. Loads
 * that run ahead have few channels, enough to keep the DMA engines busy: everything else queues up
 * behind what is under way.
 */
static uint32_t pick_channel(struct sched *s, const struct mir_inst *inst)
{
	uint32_t first = inst->prefetch ? 0 : s->ahead;
	uint32_t num = inst->prefetch ? s->ahead : s->channels - s->ahead;
	uint32_t *next = &s->next_channel[inst->prefetch], c = *next;

	for (uint32_t k = 0; k < num; k++) {
		uint32_t a = NCA_ENGINES + first + (c + k) % num;

		if (s->clock[inst->engine][a] >= s->issued[a]) {
			c = (c + k) % num;
			break;
		}
	}
	*next = (c + 1) % num;
	return first + c;
}

static void schedule_inst(struct sched *s, uint32_t n)
{
	const struct mir_inst *inst = &s->m->inst[n];
	uint32_t *snapshot = s->snapshot + (size_t)n * s->agents;
	uint32_t agent = inst->engine;

	s->num_deps = 0;
	for (int r = 0; r < inst->num_refs; r++)
		touch(s, n, &inst->ref[r]);
	if (is_dma(inst)) {
		uint32_t c = pick_channel(s, inst);

		agent = NCA_ENGINES + c;
		if (s->issued[agent])
			add_dep(s, s->last_dma[c]);
		s->last_dma[c] = n;
	}
	/* The latest knows most, and may make the others unnecessary. */
	if (s->num_deps)
		qsort(s->dep, s->num_deps, sizeof(*s->dep), latest_first);
	for (size_t i = 0; i < s->num_deps; i++)
		wait_for(s, n, s->dep[i]);
	s->issued[agent] += inst->split ? inst->split : 1;
	s->event[n].agent = (uint8_t)agent;
	s->event[n].count = s->issued[agent];
	memcpy(snapshot, s->clock[inst->engine], s->agents * sizeof(*snapshot));
	snapshot[agent] = s->event[n].count;
}

static struct nca_inst *emit(struct cc *cc, struct mir_stream *st)
{
	struct nca_inst *in = cc_push(cc, st->inst, st->num, st->cap);

	memset(in, 0, sizeof(*in));
	return in;
}

static uint32_t sem_value(const struct sched *s, const uint32_t *signalled, uint32_t inst)
{
	return s->event[inst].agent < NCA_ENGINES ? signalled[inst] : s->event[inst].count;
}

static void advance_side(struct nca_dma_side *side, uint32_t rows)
{
	if (side->mem == NCA_MEM_SLOT)
		side->offset += (uint64_t)((int64_t)rows * side->stride[0]);
	else
		side->part = (uint8_t)(side->part + (int64_t)rows * side->stride[0]);
}

/* A transfer whose rows are dealt to queues: @out becomes the first part, the others follow. */
static void emit_split(struct sched *s, struct mir_stream *st, struct nca_inst *out, uint32_t n)
{
	struct nca_inst whole = *out;
	uint32_t parts = s->m->inst[n].split, rows = whole.dma.size[0], at = 0;
	uint32_t queues = s->m->inst[n].queues;

	if (!queues)
		queues = s->m->target->dma_engines - 1;

	for (uint32_t k = 0; k < parts; k++) {
		uint32_t end = rows * (k + 1) / parts;

		if (k) {
			out = emit(s->m->cc, st);
			*out = whole;
			memset(out->wait, 0, sizeof(out->wait));
		}
		out->dma.queue = (uint8_t)(s->next_queue++ % queues);
		out->dma.size[0] = end - at;
		advance_side(&out->dma.dst, at);
		if (whole.dma.mode == NCA_DMA_GATHER)	/* the next indices into the same rows */
			out->dma.index_offset += (uint64_t)at * 4;
		else
			advance_side(&out->dma.src, at);
		at = end;
	}
}

/* The instruction with its waits; waits that do not fit go into NOPs before it. */
static void emit_inst(struct sched *s, struct mir_stream *st, const uint32_t *signalled, uint32_t n,
		      const struct nca_inst *in, uint32_t first_wait)
{
	struct nca_wait wait[MAX_AGENTS];
	uint32_t num = 0, extra;
	struct nca_inst *out;

	for (uint32_t w = first_wait; w; w = s->waits[w - 1].next) {
		cc_assert(s->m->cc, num < MAX_AGENTS);
		wait[num++] =
			(struct nca_wait){ .sem = s->waits[w - 1].agent,
					   .cond = NCA_WAIT_GE,
					   .value = sem_value(s, signalled, s->waits[w - 1].inst) };
	}
	st->waits += num;
	for (extra = 0; num - extra > 2; extra += 2) {
		out = emit(s->m->cc, st);
		out->opcode = NCA_OP_NOP;
		out->op_id = in->op_id;
		memcpy(out->wait, wait + extra, sizeof(out->wait));
	}
	out = emit(s->m->cc, st);
	*out = *in;
	for (uint32_t k = 0; extra + k < num; k++)
		out->wait[k] = wait[extra + k];
	if (s->signals[n] || in->opcode == NCA_OP_DMA)
		out->update[0] = (struct nca_update){ .sem = s->event[n].agent,
						      .op = NCA_UPDATE_ADD,
						      .value = 1 };
	if (s->m->inst[n].split)
		emit_split(s, st, out, n);
}

static bool reads_host(const struct mir_inst *i)
{
	return is_dma(i) && i->in.dma.src.mem == NCA_MEM_SLOT && i->in.dma.src.slot >= MIR_SLOT_IO;
}

/*
 * While the program's inputs cross the host link they hold one DMA engine, and a transfer that is
 * spread over all engines would wait for that one. What comes before the last of them in the linear
 * order, and as many of the weights as arrive meanwhile, goes to the other engines by name.
 */
static void spare_host_queue(struct mir *m)
{
	const struct nca_target *t = m->target;
	uint32_t others = t->dma_engines - 1;
	unsigned __int128 link = 0;
	size_t last = 0;

	for (size_t i = 0; i < m->num_insts; i++) {
		const struct nca_body_dma *d = &m->inst[i].in.dma;

		if (!reads_host(&m->inst[i]))
			continue;
		link += (unsigned __int128)d->size[0] * d->size[1] * d->size[2] * d->size[3] *
			d->elem * t->tick_hz * NCA_SLICES;
		last = i;
	}
	link /= t->link_bw * t->slices_per_core;
	for (size_t i = 0; i < m->num_insts && others && link; i++) {
		const struct nca_body_dma *d = &m->inst[i].in.dma;

		/* Where a scatter writes is not known, and so not what two parts of it share. */
		if (!is_dma(&m->inst[i]) || d->queue != NCA_DMA_SPREAD ||
		    d->mode == NCA_DMA_SCATTER)
			continue;
		if (m->inst[i].prefetch) {
			uint64_t ticks = nca_dma_ticks(t, d, others, t->slices_per_core) -
					 t->dma_t0_ticks;

			link = ticks < link ? link - ticks : 0;
		} else if (i > last) {
			continue;
		}
		/* Rows that indices name lie anywhere, so those transfers stay whole. */
		if (d->mode == NCA_DMA_GATHER || d->mode == NCA_DMA_SCATTER)
			m->inst[i].split = 1;
		else
			m->inst[i].split = (uint8_t)(d->size[0] < others ? d->size[0] : others);
	}
}

static struct sched *sched_new(struct mir *m)
{
	struct sched *s = cc_new(m->cc, struct sched);
	size_t n = m->num_insts + 1;

	s->m = m;
	s->channels = m->target->semaphores - NCA_ENGINES < MAX_CHANNELS ?
		      m->target->semaphores - NCA_ENGINES : MAX_CHANNELS;
	if (m->num_insts > MANY_INSTS && s->channels > 16)
		s->channels = 16;
	s->ahead = MIR_LOADS_AHEAD;
	s->agents = NCA_ENGINES + s->channels;
	s->sbuf.granule = (m->target->sbuf_bytes + NUM_BUCKETS - 1) / NUM_BUCKETS;
	s->psum.granule = NCA_PSUM_BANK_BYTES;
	s->slot = cc_new_n(m->cc, struct memory, m->num_slots);
	for (size_t i = 0; i < m->num_insts; i++) {
		s->last[m->inst[i].engine] = (uint32_t)i;
		for (int r = 0; r < m->inst[i].num_refs; r++) {
			const struct mir_ref *ref = &m->inst[i].ref[r];

			if (ref->space == MIR_SLOT && ref->write) {
				struct memory *mem = &s->slot[ref->slot];

				if (ref->hi / NUM_BUCKETS + 1 > mem->granule)
					mem->granule = ref->hi / NUM_BUCKETS + 1;
			}
		}
	}
	s->event = cc_new_n(m->cc, struct event, n);
	s->snapshot = cc_new_n(m->cc, uint32_t, n * s->agents);
	s->signals = cc_new_n(m->cc, bool, n);
	s->first_wait = cc_new_n(m->cc, uint32_t, n);
	return s;
}

struct mir_program *mir_schedule(struct mir *m)
{
	struct mir_program *p = cc_new(m->cc, struct mir_program);
	struct sched *s = sched_new(m);
	uint32_t *signalled = cc_new_n(m->cc, uint32_t, m->num_insts + 1),
		 total[NCA_ENGINES] = { 0 };
	struct nca_inst in;

	spare_host_queue(m);
	for (uint32_t n = 0; n < m->num_insts; n++)
		schedule_inst(s, n);
	for (uint32_t n = 0; n < m->num_insts; n++) {
		if (s->signals[n] && !is_dma(&m->inst[n]))
			total[m->inst[n].engine]++;
		signalled[n] = total[m->inst[n].engine];
	}
	for (uint32_t n = 0; n < m->num_insts; n++)
		emit_inst(s, &p->stream[m->inst[n].engine], signalled, n, &m->inst[n].in,
			  s->first_wait[n]);

	/* The launch is over when every DMA has landed. */
	for (uint32_t c = 0; c < s->channels; c++) {
		uint32_t agent = NCA_ENGINES + c;

		if (s->clock[NCA_ENGINE_SYNC][agent] >= s->issued[agent])
			continue;
		memset(&in, 0, sizeof(in));
		in.opcode = NCA_OP_NOP;
		in.wait[0] = (struct nca_wait) { .sem = (uint8_t)agent, .cond = NCA_WAIT_GE,
						 .value = s->issued[agent] };
		*emit(m->cc, &p->stream[NCA_ENGINE_SYNC]) = in;
		p->stream[NCA_ENGINE_SYNC].waits++;
	}
	for (int e = 0; e < NCA_ENGINES; e++)
		if (p->stream[e].num)
			emit(m->cc, &p->stream[e])->opcode = NCA_OP_HALT;
	for (uint32_t a = 0; a < s->agents; a++)
		if (s->issued[a])
			p->semaphores = a + 1;
	return p;
}
