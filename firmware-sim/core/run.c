/* SPDX-License-Identifier: MIT */
/*
 * The clock of a launch: five in-order streams, semaphores and DMA engines as
 * one discrete-event system. Of events at the same tick semaphore updates come
 * first (in the order they were made), then DMA engines by number, then
 * streams: the one that has waited longest, then the lower engine number.
 */
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "core_impl.h"

int sem_post(struct core_state *st, uint64_t made, const struct nca_update *u, uint32_t engine,
	     uint32_t pc, uint32_t clock)
{
	struct sem_update n = { .time = made + st->target->sem_ticks, .pc = pc,
				.engine = (uint8_t)engine, .sem = u->sem,
				.op = u->op & (uint8_t)~NCA_UPDATE_ON_READ, .value = u->value,
				.clock = clock };
	uint32_t i;

	if (st->queue_head + st->queue_len == st->queue_cap) {
		if (st->queue_head > st->queue_cap / 2) {
			memmove(st->queue, st->queue + st->queue_head, st->queue_len * sizeof(n));
			st->queue_head = 0;
		} else {
			uint32_t cap = st->queue_cap ? st->queue_cap * 2 : 256;
			struct sem_update *q = realloc(st->queue, cap * sizeof(*q));

			if (!q)
				return -1;
			st->queue = q;
			st->queue_cap = cap;
		}
	}
	/* Nearly sorted on arrival; an equal time goes behind. */
	for (i = st->queue_head + st->queue_len; i > st->queue_head; i--) {
		if (st->queue[i - 1].time <= n.time)
			break;
		st->queue[i] = st->queue[i - 1];
	}
	st->queue[i] = n;
	st->queue_len++;
	return 0;
}

void wake_queue_full(struct core_state *st, uint64_t now)
{
	for (int e = 0; e < NCA_ENGINES; e++)
		if (st->stream[e].status == STREAM_QUEUE_FULL)
			st->stream[e].next = now;
}

static bool wait_holds(const struct core_state *st, const struct nca_wait *w)
{
	uint32_t v = st->sem[w->sem];

	return w->cond == NCA_WAIT_EQ ? v == w->value : (int32_t)(v - w->value) >= 0;
}

static const struct nca_wait *unmet_wait(const struct core_state *st, const struct pinst *p)
{
	for (uint32_t i = 0; i < p->waits; i++)
		if (!wait_holds(st, &p->wait[i]))
			return &p->wait[i];
	return NULL;
}

static int sem_apply(struct core_state *st, struct core_fault *fault)
{
	struct sem_update u = st->queue[st->queue_head];
	uint64_t v = st->sem[u.sem];

	st->queue_head++;
	if (!--st->queue_len)
		st->queue_head = 0;
	if (u.op == NCA_UPDATE_ADD)
		v += u.value;
	else if (u.op == NCA_UPDATE_SUB)
		v -= u.value;
	else
		v = u.value;
	if (v > INT32_MAX) {
		fault_set(fault, NCA_RULE_SEMAPHORE, u.engine, u.pc, u.sem,
			  "semaphore %u is %u, an update by %u would take it %s", u.sem,
			  st->sem[u.sem], u.value,
			  u.op == NCA_UPDATE_SUB ? "below zero" : "past 2^31 - 1");
		return -1;
	}
	st->sem[u.sem] = (uint32_t)v;
	checker_update(st, &u);
	for (int e = 0; e < NCA_ENGINES; e++) {
		struct stream *s = &st->stream[e];

		if (s->status == STREAM_WAIT && !unmet_wait(st, &st->prog->code[e][s->pc])) {
			s->next = st->clock;
			s->waited_for_dma =
				st->prog->code[u.engine][u.pc].opcode == NCA_OP_DMA;
		}
	}
	return 0;
}

static struct box at_run_time(const struct stream *s, struct box b)
{
	if (b.reg) {
		b.lo += (int32_t)s->reg[b.reg - 1];
		b.hi += (int32_t)s->reg[b.reg - 1];
	}
	return b;
}

static bool boxes_meet(const struct box *a, const struct box *b)
{
	return a->mem == b->mem && a->lo < b->hi && b->lo < a->hi &&
	       a->part < b->part + b->nparts && b->part < a->part + a->nparts;
}

/* A stream sees its own results when they leave the pipeline, not before. */
static uint64_t after_results(const struct stream *s, const struct pinst *p, uint64_t start)
{
	if (s->visible <= start)
		return start;
	for (uint32_t i = 0; i < RECENT; i++) {
		const struct recent *r = &s->recent[i];

		if (r->visible <= start)
			continue;
		for (uint32_t k = 0; k < p->nsrc; k++) {
			struct box b = at_run_time(s, p->src[k]);

			if (boxes_meet(&r->box, &b)) {
				start = r->visible;
				break;
			}
		}
	}
	return start;
}

static uint64_t after_ports(const struct core_state *st, uint32_t e, const struct pinst *p,
			    uint64_t start)
{
	if (p->ports & PORT_SBUF) {
		uint32_t other = nca_port_rival(e, PORT_SBUF);

		if (st->port_free[other][0] > start)
			start = st->port_free[other][0];
	}
	if (p->ports & PORT_PSUM) {
		uint32_t other = nca_port_rival(e, PORT_PSUM);

		if (st->port_free[other][1] > start)
			start = st->port_free[other][1];
	}
	return start;
}

static uint64_t after_load(const struct core_state *st, const struct pinst *p, uint64_t start)
{
	const struct stationary *s = &st->stat[__builtin_ctz(p->cells)];

	return p->opcode == NCA_OP_MATMUL && s->cells == p->cells && s->ready > start ? s->ready :
											 start;
}

/*
 * The array: one load path, and cells that multiply. A stationary tile loads
 * while the matmul before it runs; a matmul waits for its own tile and cells.
 */
static uint64_t after_array(const struct core_state *st, const struct pinst *p, uint64_t start)
{
	if (p->opcode == NCA_OP_LDSTAT)
		return st->load_free > start ? st->load_free : start;
	if (st->array_free > start) {
		/* All cells: no need to look at each. */
		if (p->cells == 0xffff)
			return after_load(st, p, st->array_free);
		for (uint32_t c = p->cells; c; c &= c - 1) {
			uint64_t t = st->cell_free[__builtin_ctz(c)];

			start = t > start ? t : start;
		}
	}
	return after_load(st, p, start);
}

static bool on_array(const struct pinst *p)
{
	return p->opcode >= NCA_OP_LDSTAT && p->opcode <= NCA_OP_TRANSPOSE;
}

static void occupy(struct core_state *st, uint32_t e, const struct pinst *p, uint64_t end)
{
	struct stream *s = &st->stream[e];

	if (p->opcode == NCA_OP_LDSTAT) {
		st->load_free = end;
		return;
	}
	if (on_array(p)) {
		uint64_t from = end - p->ticks;

		if (p->cells == 0xffff)
			for (uint32_t i = 0; i < 16; i++)
				st->cell_free[i] = end;
		else
			for (uint32_t c = p->cells; c; c &= c - 1)
				st->cell_free[__builtin_ctz(c)] = end;
		/* Starts ascend: what is counted already reaches up to array_free. */
		from = from > st->array_free ? from : st->array_free;
		st->array_busy += end > from ? end - from : 0;
		st->array_free = end > st->array_free ? end : st->array_free;
		return;
	}
	if (p->ports & PORT_SBUF)
		st->port_free[e][0] = end;
	if (p->ports & PORT_PSUM)
		st->port_free[e][1] = end;
	for (uint32_t i = 0; i < p->ndst; i++) {
		struct recent *r = &s->recent[s->recent_head++ % RECENT];

		r->box = at_run_time(s, p->dst[i]);
		r->visible = s->visible;
	}
}

static int make_updates(struct core_state *st, uint32_t e, const struct pinst *p, uint32_t pc,
			uint64_t read, uint64_t complete)
{
	for (uint32_t i = 0; i < p->updates; i++) {
		const struct nca_update *u = &p->update[i];
		bool on_read = u->op & NCA_UPDATE_ON_READ;

		if (sem_post(st, on_read ? read : complete, u, e, pc,
			     checker_clock(st, e, on_read)))
			return -1;
	}
	return 0;
}

static int execute(struct core *core, struct core_state *st, uint32_t e, struct core_fault *fault)
{
	struct stream *s = &st->stream[e];
	const struct core_trace *trace = st->launch.trace;
	const struct nca_target *t = st->target;
	struct exec x = { .core = core, .st = st, .k = core->k, .p = &st->prog->code[e][s->pc],
			  .in = &st->prog->inst[e][s->pc], .engine = e, .pc = s->pc,
			  .fault = fault };
	const struct pinst *p = x.p;
	uint64_t start = st->clock, end = start + p->ticks;
	uint32_t next_pc = s->pc + 1;
	struct dma_path path = { 0 };
	int ret = 0;

	if (checker_inst(&x))
		return -1;
	s->busy += p->ticks;
	s->instructions++;
	if (p->opcode < NCA_OP_DMA) {
		next_pc = exec_control(&x);
	} else if (p->opcode == NCA_OP_DMA) {
		ret = exec_dma(&x, &path);
		if (!ret)
			ret = dma_trigger(&x, end, &path);
	} else if (on_array(p)) {
		ret = exec_mm(&x, end);
	} else if (!st->launch.timed_only || p->by_register) {
		ret = exec_ew(&x);
	}
	if (ret)
		return -1;
	if (p->opcode > NCA_OP_DMA) {
		uint64_t visible = end + (uint64_t)t->pipe_latency[e] * t->engine_ticks[e];

		s->visible = visible > s->visible ? visible : s->visible;
		occupy(st, e, p, end);
	}
	if (p->opcode != NCA_OP_DMA &&
	    make_updates(st, e, p, x.pc, end, s->visible > end ? s->visible : end))
		return fault_set(fault, NCA_RULE_WATCHDOG, e, x.pc, 0, "the host has no memory");
	if (trace && trace->inst)
		trace->inst(trace->opaque, e, x.in, x.pc, start, end);
	s->pc = next_pc;
	s->passed = false;
	s->next = on_array(p) ? start + (uint64_t)DISPATCH_CYCLES * t->engine_ticks[e] : end;
	if (p->opcode == NCA_OP_HALT) {
		s->status = STREAM_HALTED;
		s->visible = s->visible > end ? s->visible : end;
		s->next = NEVER;
	}
	return 0;
}

/* Results come before ports: of a stall for both, the first part is for the result. */
static void count_stall(struct stream *s, const struct pinst *p, uint64_t now)
{
	if (p->opcode == NCA_OP_DMA) {
		s->stall[NCA_STALL_DMA_QUEUE] += now - s->since;
	} else if (on_array(p)) {
		s->stall[NCA_STALL_ARRAY] += now - s->since;
	} else {
		s->stall[NCA_STALL_RESULT] += s->result_at - s->since;
		s->stall[NCA_STALL_PORT] += now - s->result_at;
	}
}

static int step(struct core *core, struct core_state *st, uint32_t e, struct core_fault *fault)
{
	struct stream *s = &st->stream[e];
	const struct pinst *p = &st->prog->code[e][s->pc];
	uint64_t now = st->clock, start;

	if (!s->passed) {
		const struct nca_wait *w = unmet_wait(st, p);

		if (w) {
			if (s->status != STREAM_WAIT)
				s->since = now;
			s->status = STREAM_WAIT;
			s->waits_for = w->sem;
			s->next = NEVER;
			return 0;
		}
		if (s->status == STREAM_WAIT) {
			const struct core_trace *trace = st->launch.trace;

			s->wait += now - s->since;
			s->dma_wait += s->waited_for_dma ? now - s->since : 0;
			if (trace && trace->wait)
				trace->wait(trace->opaque, e, s->waits_for, s->since, now);
		}
		s->status = STREAM_RUN;
		s->passed = true;
		s->since = s->result_at = now;
		checker_waited(st, e, p);
	}
	if (p->opcode == NCA_OP_DMA) {
		if (!dma_has_room(st, &st->prog->inst[e][s->pc])) {
			s->status = STREAM_QUEUE_FULL;
			s->next = NEVER;
			return 0;
		}
		s->status = STREAM_RUN;
	} else if (on_array(p)) {
		start = after_array(st, p, now);
		if (start > now) {
			s->next = start;
			return 0;
		}
	} else if (p->opcode > NCA_OP_DMA) {
		start = after_results(s, p, now);
		if (start > now)
			s->result_at = start;
		start = after_ports(st, e, p, start);
		if (start > now) {
			s->next = start;
			return 0;
		}
	}
	count_stall(s, p, now);
	return execute(core, st, e, fault);
}

static enum core_result ended(struct core_state *st, struct core_fault *fault)
{
	for (uint32_t e = 0; e < NCA_ENGINES; e++) {
		const struct stream *s = &st->stream[e];
		const struct nca_wait *w;

		if (s->status == STREAM_HALTED) {
			if (s->visible > st->clock)
				st->clock = s->visible;
			continue;
		}
		w = unmet_wait(st, &st->prog->code[e][s->pc]);
		fault_set(fault, NCA_RULE_DEADLOCK, e, s->pc, w ? w->sem : 0,
			  "waits for semaphore %u %s %u, which is %u, and nothing is running",
			  w ? w->sem : 0, w && w->cond == NCA_WAIT_EQ ? "==" : ">=",
			  w ? w->value : 0, w ? st->sem[w->sem] : 0);
		return CORE_FAULT;
	}
	return CORE_DONE;
}

static uint64_t waited_since(const struct stream *s)
{
	return s->passed ? s->since : s->next;
}

static bool told_to_stop(const volatile bool *stop)
{
	return stop && __atomic_load_n(stop, __ATOMIC_ACQUIRE);
}

/* Stream @e goes on as long as nothing else happens before it, or at the same tick. */
static int steps(struct core *core, struct core_state *st, uint32_t e, uint64_t until,
		 const volatile bool *stop, struct core_fault *fault)
{
	const struct stream *s = &st->stream[e];

	for (uint32_t i = 0; i < NCA_ENGINES; i++)
		if (i != e && st->stream[i].next < until)
			until = st->stream[i].next;
	for (;;) {
		if (step(core, st, e, fault))
			return -1;
		if (s->next >= until || s->next >= st->dma_next ||
		    (st->queue_len && s->next >= st->queue[st->queue_head].time) ||
		    told_to_stop(stop))
			return 0;
		st->clock = s->next;
	}
}

static enum core_result run(struct core *core, struct core_state *st, uint64_t until,
			    const volatile bool *stop, struct core_fault *fault)
{
	for (;;) {
		uint64_t sem = st->queue_len ? st->queue[st->queue_head].time : NEVER;
		uint64_t t = sem < st->dma_next ? sem : st->dma_next, ts = NEVER;
		uint32_t best = 0;

		for (uint32_t e = 0; e < NCA_ENGINES; e++) {
			const struct stream *s = &st->stream[e];

			if (s->next > ts || s->next == NEVER ||
			    (s->next == ts && waited_since(s) >= waited_since(&st->stream[best])))
				continue;
			ts = s->next;
			best = e;
		}
		if (ts < t)
			t = ts;
		if (t == NEVER)
			return ended(st, fault);
		if (t >= until) {
			if (until > st->clock)
				st->clock = until;
			return CORE_YIELDED;
		}
		if (told_to_stop(stop))
			return CORE_YIELDED;
		st->clock = t;
		if (t == sem) {
			if (sem_apply(st, fault))
				return CORE_FAULT;
		} else if (t == st->dma_next) {
			if (dma_event(st, t)) {
				fault_set(fault, NCA_RULE_WATCHDOG, NCA_ENGINES, 0, 0,
					  "the host has no memory");
				return CORE_FAULT;
			}
		} else if (steps(core, st, best, until, stop, fault)) {
			return CORE_FAULT;
		}
	}
}

enum core_result core_run(struct core *core, struct core_state *st, uint64_t until,
			  const volatile bool *stop, uint64_t *now, struct core_fault *fault)
{
	enum core_result res;
#if defined(__x86_64__)
	/* The host application may flush denormals or round differently. */
	uint32_t mxcsr = _mm_getcsr();

	_mm_setcsr(0x1f80);
#endif
	res = run(core, st, until, stop, fault);
	if (res == CORE_YIELDED) {	/* pointers into slots end here */
		alias_resolve_all(&st->mem[NCA_MEM_SBUF]);
		stationary_settle(st, NULL, 0);
	}
#if defined(__x86_64__)
	_mm_setcsr(mxcsr);
#endif
	*now = st->clock;
	return res;
}
