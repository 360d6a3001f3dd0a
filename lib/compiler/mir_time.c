// SPDX-License-Identifier: MIT
/*
 * The clock of a launch: five in-order streams, semaphores and DMA engines as one discrete-event
 * system. Of events at the same tick semaphore updates come first, then DMA engines, then streams:
 * the one that has waited longest, then the lower engine number.
 */
#include "mir_time.h"

#include <string.h>

#include "mir_time_dma.h"

#define MAX_SEMAPHORES 256	/* as many as an instruction can name */
#define NEVER UINT64_MAX

/* Bytes lo..hi of some partitions. */
struct box {
	uint8_t mem, part, nparts;
	int64_t lo, hi;
};

/* What of an instruction time depends on. */
struct shape {
	uint64_t ticks;		/* occupation */
	uint16_t cells;		/* of the array */
	uint8_t ports, nsrc, ndst;
	struct box src[7], dst[2];
};

struct recent {
	struct box box;
	uint64_t visible;
	uint32_t number;
};

enum status { RUN, WAIT, QUEUE_FULL, HALTED };

struct stream {
	const struct nca_inst *inst;
	size_t pc, count;
	uint64_t next;		/* when it will try again; NEVER: something must wake it */
	enum status status;
	bool passed;		/* the waits of the instruction at pc have held */
	uint64_t since;		/* start of the present wait or stall */
	uint64_t visible;	/* when everything issued so far is visible */
	uint32_t recent_head;
	struct recent recent[NCA_RECENT_RESULTS];
	struct shape shape;		/* of the instruction at pc */
	struct mir_inst_time at;	/* its times so far */
};

struct update {
	uint64_t time;
	uint32_t number;
	struct nca_update u;
};

struct tile {			/* a stationary tile in the array */
	uint16_t cells;		/* 0: none */
	uint64_t ready;
	uint32_t number;
};

struct hold {			/* something is taken until a time */
	uint64_t until;
	uint32_t number;
};

struct timing {
	struct cc *cc;
	const struct nca_target *target;
	struct mir_timing *out;
	uint64_t clock;
	struct stream stream[NCA_ENGINES];
	uint32_t sem[MAX_SEMAPHORES];
	struct update *queue;	/* by time, first in first out within a tick */
	size_t head, end, cap;
	struct hold port[NCA_ENGINES][2];
	struct hold cell[16], load;
	uint64_t array_free;
	struct tile tile[16];	/* at the number of its first cell */
	struct dma_clock dma;
};

static uint32_t port_index(uint32_t port)
{
	return port == NCA_PORT_SBUF ? 0 : 1;
}

/* ---- instructions ---- */

static void add_box(struct timing *x, uint32_t e, struct shape *s, const struct nca_ap *a,
		    bool write)
{
	struct box *b = write ? &s->dst[s->ndst++] : &s->src[s->nsrc++];
	int64_t elem = nca_dtype_size(a->dtype);

	cc_assert(x->cc, !(a->offset & ~NCA_AP_OFFSET_MASK));	/* by register */
	*b = (struct box) { .mem = a->mem, .part = a->part, .nparts = a->nparts,
			    .lo = a->offset, .hi = a->offset + elem };
	for (int d = 0; d < 4; d++) {
		int64_t reach = (int64_t)(a->size[d] - 1) * a->stride[d] * elem;

		*(reach < 0 ? &b->lo : &b->hi) += reach;
	}
	s->ports |= (uint8_t)nca_port(e, a->mem);
}

static void add_scalar(struct timing *x, uint32_t e, struct shape *s, const struct nca_scalar *v,
		       uint8_t nparts)
{
	struct nca_ap a = { .dtype = v->dtype, .part = v->part, .nparts = nparts,
			    .offset = v->value, .size = { 1, 1, 1, 1 } };

	if (v->kind != NCA_SCALAR_SBUF && v->kind != NCA_SCALAR_PSUM)
		return;
	a.mem = v->kind == NCA_SCALAR_SBUF ? NCA_MEM_SBUF : NCA_MEM_PSUM;
	add_box(x, e, s, &a, false);
}

static bool src1_is_result(const struct nca_inst *in)
{
	return in->opcode == NCA_OP_TENSOR_SCALAR || in->opcode == NCA_OP_ACTIVATE ||
	       in->opcode == NCA_OP_TOPK;
}

static void add_elementwise(struct timing *x, uint32_t e, struct shape *s,
			    const struct nca_inst *in)
{
	const struct nca_body_ew *b = &in->ew;

	add_box(x, e, s, &b->dst, true);
	if (b->src0.nparts)
		add_box(x, e, s, &b->src0, false);
	if (in->opcode == NCA_OP_SHUFFLE)
		return;			/* what follows is its mask */
	if (b->src1.nparts)
		add_box(x, e, s, &b->src1, src1_is_result(in));
	add_scalar(x, e, s, &b->s0, b->dst.nparts);
	add_scalar(x, e, s, &b->s1, b->dst.nparts);
	/* What is read besides the sources: the destination itself. */
	if (in->flags & NCA_F_ACC_REDUCE)
		s->src[s->nsrc++] = s->dst[s->ndst - 1];
	else if (in->opcode == NCA_OP_COPY_PRED)
		s->src[s->nsrc++] = s->dst[0];
}

static bool on_array(const struct nca_inst *in)
{
	return in->opcode >= NCA_OP_LDSTAT && in->opcode <= NCA_OP_TRANSPOSE;
}

/* The stream stands before its next instruction from @now on. */
static void come_to(struct timing *x, uint32_t e, uint64_t now)
{
	struct stream *s = &x->stream[e];
	const struct nca_inst *in = &s->inst[s->pc];

	s->next = now;
	s->passed = false;
	s->at = (struct mir_inst_time) { .came = now, .waker = MIR_NOBODY,
					 .result_of = MIR_NOBODY, .blocker = MIR_NOBODY,
					 .behind = MIR_NOBODY };
	s->shape.ticks = nca_cost_cycles(x->target, in) * x->target->engine_ticks[e];
	s->shape.cells = 0;
	s->shape.ports = s->shape.nsrc = s->shape.ndst = 0;
	if (in->opcode == NCA_OP_TRANSPOSE)
		s->shape.cells = 0xffff;
	else if (on_array(in))
		s->shape.cells = nca_tile_cells(&in->mm.tile);
	else if (in->opcode > NCA_OP_DMA)
		add_elementwise(x, e, &s->shape, in);
	else	/* the compiler emits straight lines of code: no registers, no branches */
		cc_assert(x->cc, in->opcode == NCA_OP_NOP || in->opcode == NCA_OP_HALT ||
			  in->opcode == NCA_OP_DMA);
	if (on_array(in))
		cc_assert(x->cc, s->shape.cells);
}

static uint32_t number_at(const struct timing *x, uint32_t e)
{
	return x->out->first[e] + (uint32_t)x->stream[e].pc;
}

/* ---- semaphores ---- */

static void post(struct timing *x, uint64_t made, const struct nca_update *u, uint32_t number)
{
	struct update n = { .time = made + x->target->sem_ticks, .number = number, .u = *u };
	size_t i;

	if (u->op == NCA_UPDATE_NONE)
		return;
	if (x->end == x->cap && x->head > x->cap / 2) {
		memmove(x->queue, x->queue + x->head, (x->end - x->head) * sizeof(n));
		x->end -= x->head;
		x->head = 0;
	}
	x->queue = cc_grow(x->cc, x->queue, x->end, &x->cap, sizeof(n));
	/* Nearly sorted on arrival; an equal time goes behind. */
	for (i = x->end++; i > x->head && x->queue[i - 1].time > n.time; i--)
		x->queue[i] = x->queue[i - 1];
	x->queue[i] = n;
}

static void post_all(struct timing *x, const struct nca_inst *in, uint32_t number, uint64_t read,
		     uint64_t complete)
{
	for (int i = 0; i < 2; i++)
		post(x, in->update[i].op & NCA_UPDATE_ON_READ ? read : complete, &in->update[i],
		     number);
}

static bool waits_hold(const struct timing *x, const struct nca_inst *in)
{
	for (int i = 0; i < 2; i++) {
		const struct nca_wait *w = &in->wait[i];

		if ((w->cond == NCA_WAIT_GE && x->sem[w->sem] < w->value) ||
		    (w->cond == NCA_WAIT_EQ && x->sem[w->sem] != w->value))
			return false;
	}
	return true;
}

static void apply_update(struct timing *x)
{
	struct update n = x->queue[x->head++];
	uint32_t *sem = &x->sem[n.u.sem];

	switch (n.u.op & ~NCA_UPDATE_ON_READ) {
	case NCA_UPDATE_ADD:
		*sem += n.u.value;
		break;
	case NCA_UPDATE_SUB:
		*sem -= n.u.value;
		break;
	default:
		*sem = n.u.value;
		break;
	}
	for (int e = 0; e < NCA_ENGINES; e++) {
		struct stream *s = &x->stream[e];

		if (s->status == WAIT && waits_hold(x, &s->inst[s->pc])) {
			s->next = x->clock;
			s->at.waker = n.number;
		}
	}
}

/* ---- when an instruction starts ---- */

static bool boxes_meet(const struct box *a, const struct box *b)
{
	return a->mem == b->mem && a->lo < b->hi && b->lo < a->hi &&
	       a->part < b->part + b->nparts && b->part < a->part + a->nparts;
}

/* A stream sees its own results when they leave the pipeline, not before. */
static uint64_t after_results(struct stream *s, uint64_t start)
{
	if (s->visible <= start)
		return start;
	for (uint32_t i = 0; i < NCA_RECENT_RESULTS; i++) {
		const struct recent *r = &s->recent[i];

		for (uint32_t k = 0; k < s->shape.nsrc && r->visible > start; k++)
			if (boxes_meet(&r->box, &s->shape.src[k])) {
				start = r->visible;
				s->at.result_of = r->number;
			}
	}
	return start;
}

static uint64_t after_hold(struct stream *s, const struct hold *h, uint64_t start)
{
	if (h->until <= start)
		return start;
	s->at.blocker = h->number;
	return h->until;
}

static uint64_t after_ports(struct timing *x, uint32_t e, uint64_t start)
{
	struct stream *s = &x->stream[e];

	for (uint32_t port = NCA_PORT_SBUF; port <= NCA_PORT_PSUM; port <<= 1)
		if (s->shape.ports & port)
			start = after_hold(s, &x->port[nca_port_rival(e, port)][port_index(port)],
					   start);
	return start;
}

static uint64_t after_array(struct timing *x, struct stream *s, uint64_t start)
{
	const struct nca_inst *in = &s->inst[s->pc];
	uint32_t first = (uint32_t)__builtin_ctz(s->shape.cells);
	const struct tile *tile = &x->tile[first];

	if (in->opcode == NCA_OP_LDSTAT)
		return after_hold(s, &x->load, start);
	if (x->array_free > start)
		for (uint32_t c = s->shape.cells; c; c &= c - 1)
			start = after_hold(s, &x->cell[__builtin_ctz(c)], start);
	if (in->opcode == NCA_OP_MATMUL && tile->cells == s->shape.cells && tile->ready > start) {
		start = tile->ready;
		s->at.blocker = tile->number;
	}
	return start;
}

/* ---- what it does when it does ---- */

static void load_tile(struct timing *x, const struct stream *s, uint64_t end, uint32_t number)
{
	uint32_t first = (uint32_t)__builtin_ctz(s->shape.cells);

	for (int i = 0; i < 16; i++)	/* tiles that share a cell are gone */
		if (x->tile[i].cells & s->shape.cells)
			x->tile[i].cells = 0;
	x->tile[first] = (struct tile) { .cells = s->shape.cells, .ready = end, .number = number };
	x->load = (struct hold) { end, number };
}

static void occupy_array(struct timing *x, const struct stream *s, uint64_t start, uint64_t end,
			 uint32_t number)
{
	uint64_t from = nca_max64(start, x->array_free);

	for (uint32_t c = s->shape.cells; c; c &= c - 1)
		x->cell[__builtin_ctz(c)] = (struct hold) { end, number };
	x->out->array_ticks += end > from ? end - from : 0;
	x->array_free = nca_max64(x->array_free, end);
}

static void occupy_engine(struct timing *x, uint32_t e, uint64_t end, uint32_t number)
{
	struct stream *s = &x->stream[e];

	for (uint32_t port = NCA_PORT_SBUF; port <= NCA_PORT_PSUM; port <<= 1)
		if (s->shape.ports & port)
			x->port[e][port_index(port)] = (struct hold) { end, number };
	for (uint32_t i = 0; i < s->shape.ndst; i++)
		s->recent[s->recent_head++ % NCA_RECENT_RESULTS] =
			(struct recent) { s->shape.dst[i], s->visible, number };
}

static void execute(struct timing *x, uint32_t e)
{
	const struct nca_target *t = x->target;
	struct stream *s = &x->stream[e];
	const struct nca_inst *in = &s->inst[s->pc];
	uint64_t start = x->clock, end = start + s->shape.ticks;
	uint32_t number = number_at(x, e);

	x->out->busy[e] += s->shape.ticks;
	x->out->stall[e] += start - s->since;
	if (in->opcode == NCA_OP_DMA) {
		dma_clock_trigger(&x->dma, in, number, end);
	} else {
		if (in->opcode > NCA_OP_DMA)
			s->visible = nca_max64(s->visible, end + (uint64_t)t->pipe_latency[e] *
							   t->engine_ticks[e]);
		if (in->opcode == NCA_OP_LDSTAT)
			load_tile(x, s, end, number);
		else if (on_array(in))
			occupy_array(x, s, start, end, number);
		else if (in->opcode > NCA_OP_DMA)
			occupy_engine(x, e, end, number);
		post_all(x, in, number, end, nca_max64(s->visible, end));
	}
	if (x->out->inst) {
		s->at.start = start;
		s->at.end = end;
		s->at.done = nca_max64(s->visible, end);	/* DMA: until it is complete */
		if (s->at.seen < s->at.ready)
			s->at.seen = s->at.ready;
		x->out->inst[number] = s->at;
	}
	s->pc++;
	if (in->opcode == NCA_OP_HALT) {
		s->status = HALTED;
		s->visible = nca_max64(s->visible, end);
		s->next = NEVER;
		return;
	}
	cc_assert(x->cc, s->pc < s->count);
	come_to(x, e, on_array(in) ? start + (uint64_t)NCA_DISPATCH_CYCLES * t->engine_ticks[e] :
		      end);
}

/* The stream of engine @e tries to start its next instruction. */
static void step(struct timing *x, uint32_t e)
{
	struct stream *s = &x->stream[e];
	const struct nca_inst *in = &s->inst[s->pc];
	uint64_t now = x->clock, start = now;

	if (!s->passed) {
		if (!waits_hold(x, in)) {
			if (s->status != WAIT)
				s->since = now;
			s->status = WAIT;
			s->next = NEVER;
			return;
		}
		if (s->status == WAIT)
			x->out->wait[e] += now - s->since;
		s->status = RUN;
		s->passed = true;
		s->since = s->at.ready = now;
	}
	if (in->opcode == NCA_OP_DMA) {
		if (!dma_clock_has_room(&x->dma, in)) {
			s->status = QUEUE_FULL;
			s->next = NEVER;
			return;
		}
		s->status = RUN;
	} else if (on_array(in)) {
		start = after_array(x, s, now);
	} else if (in->opcode > NCA_OP_DMA) {
		start = after_results(s, now);
		if (start > now)
			s->at.seen = start;
		start = after_ports(x, e, start);
	}
	if (start > now)
		s->next = start;
	else
		execute(x, e);
}

static void dma_step(struct timing *x)
{
	struct dma_event ev = dma_clock_step(&x->dma, x->clock);

	if (!ev.job)
		return;
	for (int e = 0; e < NCA_ENGINES; e++) {
		struct stream *s = &x->stream[e];

		if (s->status == QUEUE_FULL) {
			s->next = x->clock;
			s->at.blocker = ev.number;
		}
	}
	if (!ev.complete)
		return;
	post_all(x, ev.in, ev.number, x->clock, x->clock);
	if (x->out->inst) {
		x->out->inst[ev.number].moving = ev.moving;
		x->out->inst[ev.number].behind = ev.behind;
		x->out->inst[ev.number].done = x->clock;
	}
}

static uint64_t waited_since(const struct stream *s)
{
	return s->passed ? s->since : s->next;
}

/* The stream whose turn is first; NCA_ENGINES: none can go on. */
static uint32_t next_stream(const struct timing *x)
{
	uint32_t best = NCA_ENGINES;
	uint64_t at = NEVER;

	for (uint32_t e = 0; e < NCA_ENGINES; e++) {
		const struct stream *s = &x->stream[e];

		if (s->next == NEVER || s->next > at ||
		    (s->next == at && waited_since(s) >= waited_since(&x->stream[best])))
			continue;
		at = s->next;
		best = e;
	}
	return best;
}

static void run(struct timing *x)
{
	for (;;) {
		uint32_t e = next_stream(x);
		uint64_t sem = x->head < x->end ? x->queue[x->head].time : NEVER;
		uint64_t stream = e < NCA_ENGINES ? x->stream[e].next : NEVER;

		if (sem != NEVER && sem <= x->dma.next && sem <= stream) {
			x->clock = sem;
			apply_update(x);
			if (x->head == x->end)
				x->head = x->end = 0;
		} else if (x->dma.next != DMA_NEVER && x->dma.next <= stream) {
			x->clock = x->dma.next;
			dma_step(x);
		} else if (stream != NEVER) {
			x->clock = stream;
			step(x, e);
		} else {
			return;
		}
	}
}

struct mir_timing *mir_time(struct cc *cc, const struct mir_program *p, const struct nca_target *t,
			    const struct mir_share *share, bool each)
{
	struct timing *x = cc_new(cc, struct timing);
	struct mir_timing *out = cc_new(cc, struct mir_timing);

	x->cc = cc;
	x->target = t;
	x->out = out;
	dma_clock_init(&x->dma, cc, t, share);
	for (uint32_t e = 0; e < NCA_ENGINES; e++) {
		cc_assert(cc, p->stream[e].num <= NCA_PROGRAM_MAX_INST);
		out->first[e + 1] = out->first[e] + (uint32_t)p->stream[e].num;
	}
	if (each)
		out->inst = cc_new_n(cc, struct mir_inst_time, out->first[NCA_ENGINES] + 1);
	for (uint32_t e = 0; e < NCA_ENGINES; e++) {
		x->stream[e].inst = p->stream[e].inst;
		x->stream[e].count = p->stream[e].num;
		x->stream[e].next = NEVER;
		x->stream[e].status = HALTED;
		if (!p->stream[e].num)
			continue;
		x->stream[e].status = RUN;
		come_to(x, e, 0);
	}
	run(x);
	for (int e = 0; e < NCA_ENGINES; e++) {
		/* Else it waits for something that never comes: the scheduler's mistake. */
		cc_assert(cc, x->stream[e].status == HALTED);
		x->clock = nca_max64(x->clock, x->stream[e].visible);
	}
	out->ticks = x->clock;
	out->dma_busy = x->dma.busy;
	out->dma_bytes = x->dma.bytes;
	out->dma_descriptors = x->dma.descriptors;
	return out;
}
