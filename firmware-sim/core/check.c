/* SPDX-License-Identifier: MIT */
/*
 * Happens-before in checking mode, by vector clocks.
 *
 * Agents are the five engines, the DMA queues and (each on its own) SPREAD
 * transfers. A clock says up to which of its accesses an agent's reads and
 * writes are known to be over. Engines learn through semaphores only; a
 * transfer knows what its triggering engine knew, that the engine's earlier
 * reads are over, and everything about earlier transfers of its queue.
 *
 * A wait learns from an update only if it could not have been satisfied without
 * it, so that an update which merely came early today orders nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_impl.h"

#define QUEUE_AGENT	NCA_ENGINES
#define SPREAD_AGENT	(QUEUE_AGENT + MAX_DMA_ENGINES)
#define AGENTS		64u
#define HISTORY		2048u	/* updates of a semaphore that are told apart */

struct clock {
	uint32_t read[AGENTS], write[AGENTS];
};

struct stamp {			/* what an update carries */
	struct clock clock;
	uint32_t source;	/* agent * 2 + on_read: updates of one source come in order */
	uint32_t next_free;
};

struct record {
	struct access a;
	uint32_t agent, index;
	uint32_t engine, pc;
};

struct semaphore {
	int64_t base;		/* value of the last SET */
	int64_t taken;		/* sum of SUBs since */
	uint32_t len;
	struct {
		int64_t amount;		/* < 0: a SUB */
		uint32_t stamp;
	} update[HISTORY];
	bool has_set;
	uint32_t set_stamp;
};

struct checker {
	struct clock engine[NCA_ENGINES];
	struct clock queue[MAX_DMA_ENGINES];
	uint32_t count[AGENTS];
	uint32_t next_spread;
	struct semaphore sem[MAX_SEMAPHORES];
	struct stamp *stamp;
	uint32_t stamps, stamp_free;
	struct record *record;
	uint32_t records, record_cap, prune_at;
	bool no_memory;
	uint8_t bitmap[BITMAP_BYTES];
};

#define NO_STAMP	UINT32_MAX

int checker_begin(struct core_state *st)
{
	struct checker *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->stamp_free = NO_STAMP;
	c->prune_at = 256;
	st->checker = c;
	for (int i = 0; i < 2; i++) {
		struct core_mem *m = &st->mem[i];

		if (!m->written)
			m->written = calloc((size_t)(m->bytes / 4 + BLOCK_WORDS) * LANES, 1);
		if (!m->written)
			return -ENOMEM;
	}
	return 0;
}

void checker_end(struct core_state *st)
{
	if (!st->checker)
		return;
	free(st->checker->stamp);
	free(st->checker->record);
	free(st->checker);
	st->checker = NULL;
}

static void join(struct clock *to, const struct clock *from)
{
	for (uint32_t i = 0; i < AGENTS; i++) {
		to->read[i] = to->read[i] > from->read[i] ? to->read[i] : from->read[i];
		to->write[i] = to->write[i] > from->write[i] ? to->write[i] : from->write[i];
	}
}

static uint32_t stamp_new(struct checker *c, const struct clock *clock, uint32_t source)
{
	uint32_t s = c->stamp_free;

	if (s == NO_STAMP) {
		uint32_t n = c->stamps ? c->stamps * 2 : 64;
		struct stamp *p = realloc(c->stamp, n * sizeof(*p));

		if (!p) {
			c->no_memory = true;
			return NO_STAMP;
		}
		c->stamp = p;
		for (uint32_t i = c->stamps; i < n; i++) {
			p[i].next_free = c->stamp_free;
			c->stamp_free = i;
		}
		c->stamps = n;
		s = c->stamp_free;
	}
	c->stamp_free = c->stamp[s].next_free;
	c->stamp[s].clock = *clock;
	c->stamp[s].source = source;
	return s;
}

static void stamp_put(struct checker *c, uint32_t s)
{
	if (s == NO_STAMP)
		return;
	c->stamp[s].next_free = c->stamp_free;
	c->stamp_free = s;
}

/* The clock an update of @engine carries, taken just after its instruction was issued. */
uint32_t checker_clock(struct core_state *st, uint32_t engine, bool on_read)
{
	struct checker *c = st->checker;
	struct clock k;

	if (!c)
		return NO_STAMP;
	k = c->engine[engine];
	k.read[engine] = c->count[engine];
	if (!on_read)
		k.write[engine] = c->count[engine];
	return stamp_new(c, &k, engine * 2 + on_read);
}

static void forget_oldest(struct checker *c, struct semaphore *s)
{
	/* The second oldest speaks for both: it came later from the same or another source. */
	if (s->update[0].stamp != NO_STAMP && s->update[1].stamp != NO_STAMP)
		join(&c->stamp[s->update[1].stamp].clock, &c->stamp[s->update[0].stamp].clock);
	stamp_put(c, s->update[0].stamp);
	if (s->update[0].amount > 0)
		s->base += s->update[0].amount;
	memmove(s->update, s->update + 1, (HISTORY - 1) * sizeof(s->update[0]));
	s->len--;
}

void checker_update(struct core_state *st, const struct sem_update *u)
{
	struct checker *c = st->checker;
	struct semaphore *s;

	if (!c)
		return;
	s = &c->sem[u->sem];
	if (u->op == NCA_UPDATE_SET) {
		for (uint32_t i = 0; i < s->len; i++)
			stamp_put(c, s->update[i].stamp);
		if (s->has_set)
			stamp_put(c, s->set_stamp);
		s->len = 0;
		s->taken = 0;
		s->base = u->value;
		s->has_set = true;
		s->set_stamp = u->clock;
		return;
	}
	if (s->len == HISTORY)
		forget_oldest(c, s);
	s->update[s->len].amount = u->op == NCA_UPDATE_SUB ? -(int64_t)u->value : u->value;
	s->update[s->len++].stamp = u->clock;
	if (u->op == NCA_UPDATE_SUB)
		s->taken += u->value;
}

static void learn(struct checker *c, struct clock *k, uint32_t stamp)
{
	if (stamp != NO_STAMP)
		join(k, &c->stamp[stamp].clock);
}

/*
 * Whether update @b could only be made after update @a: it came later from the same source, or who
 * made it knew that @a had been made.
 */
static bool follows(const struct stamp *b, const struct stamp *a)
{
	uint32_t agent = a->source / 2;

	if (b->source == a->source)
		return true;
	return a->source % 2 ? b->clock.read[agent] >= a->clock.read[agent]
			     : b->clock.write[agent] >= a->clock.write[agent];
}

static void wait_over(struct checker *c, struct clock *k, const struct nca_wait *w)
{
	const struct semaphore *s = &c->sem[w->sem];
	int64_t need = (int64_t)w->value + s->taken - s->base, before = 0;
	uint32_t latest = NO_STAMP;

	if (s->has_set)
		learn(c, k, s->set_stamp);
	for (uint32_t i = 0; i < s->len; i++)
		before += s->update[i].amount > 0 ? s->update[i].amount : 0;
	/* From the latest on, so that what it followed from need not be looked at. */
	for (uint32_t i = s->len; i-- > 0;) {
		uint32_t stamp = s->update[i].stamp;
		int64_t without;

		before -= s->update[i].amount > 0 ? s->update[i].amount : 0;
		if (stamp == NO_STAMP ||
		    (latest != NO_STAMP && follows(&c->stamp[latest], &c->stamp[stamp])))
			continue;
		if (w->cond == NCA_WAIT_EQ) {
			learn(c, k, stamp);
			continue;
		}
		if (s->update[i].amount <= 0 || before >= need)
			continue;
		/* The most there can be if neither this update nor what follows from it were made. */
		without = before;
		for (uint32_t j = i + 1; j < s->len && without < need; j++)
			if (s->update[j].amount > 0 &&
			    (s->update[j].stamp == NO_STAMP ||
			     !follows(&c->stamp[s->update[j].stamp], &c->stamp[stamp])))
				without += s->update[j].amount;
		if (without >= need)
			continue;
		learn(c, k, stamp);
		if (latest == NO_STAMP)
			latest = stamp;
	}
}

void checker_waited(struct core_state *st, uint32_t engine, const struct pinst *p)
{
	if (!st->checker)
		return;
	for (uint32_t i = 0; i < p->waits; i++)
		wait_over(st->checker, &st->checker->engine[engine], &p->wait[i]);
}

static bool known(const struct clock *k, const struct record *r)
{
	return (!r->a.read || k->read[r->agent] >= r->index) &&
	       (!r->a.write || k->write[r->agent] >= r->index);
}

/* Accesses that everyone who may still issue anything knows of need not be kept. */
static void prune(struct core_state *st, struct checker *c)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < c->records; i++) {
		const struct record *r = &c->record[i];
		bool all = true;

		for (uint32_t e = 0; e < NCA_ENGINES && all; e++) {
			struct clock *k = &c->engine[e];

			if (st->stream[e].status == STREAM_HALTED)
				continue;
			/* Its own reads are over for its own transfers, its writes are not. */
			if (e == r->agent)
				all = !r->a.write || k->write[e] >= r->index;
			else
				all = known(k, r);
		}
		if (!all)
			c->record[kept++] = *r;
	}
	c->records = kept;
	c->prune_at = kept * 2 > 256 ? kept * 2 : 256;
}

static int record(struct exec *x, struct checker *c, const struct access *a, uint32_t agent)
{
	if (c->records >= c->prune_at)
		prune(x->st, c);
	if (c->records == c->record_cap) {
		uint32_t cap = c->record_cap ? c->record_cap * 2 : 512;
		struct record *p = realloc(c->record, cap * sizeof(*p));

		if (!p)
			return fault_set(x->fault, NCA_RULE_WATCHDOG, x->engine, x->pc, 0,
					 "the host has no memory");
		c->record = p;
		c->record_cap = cap;
	}
	c->record[c->records++] = (struct record){ .a = *a, .agent = agent,
						   .index = c->count[agent], .engine = x->engine,
						   .pc = x->pc };
	return 0;
}

static const char *agent_kind(uint32_t agent)
{
	static const char *const name[] = { "tensor", "vector", "scalar", "gpsimd", "sync" };

	return agent < NCA_ENGINES ? name[agent] : "DMA";
}

static const char *space_name(uint32_t space, char buf[16])
{
	static const char *const name[] = { "SBUF", "PSUM" };

	if (space < SPACE_SLOT)
		return name[space];
	snprintf(buf, 16, "slot %u", space - SPACE_SLOT);
	return buf;
}

static int compare(struct exec *x, struct checker *c, const struct access *a,
		   const struct clock *k, uint32_t agent)
{
	for (uint32_t i = 0; i < c->records; i++) {
		const struct record *r = &c->record[i];
		int64_t at = a->fp.lo > r->a.fp.lo ? a->fp.lo : r->a.fp.lo;
		char buf[16];

		if ((!a->write && !r->a.write) || (agent == r->agent && agent < NCA_ENGINES) ||
		    known(k, r))
			continue;
		/* Only its read is outstanding, and a read does not disturb a read. */
		if (!a->write && k->write[r->agent] >= r->index)
			continue;
		if (!footprints_meet(&a->fp, &r->a.fp, c->bitmap))
			continue;
		return fault_set(x->fault, NCA_RULE_UNORDERED, x->engine, x->pc, (uint64_t)at,
				 "%s %s %s near byte %lld, which %s of %s[%u] %s, with nothing to order them",
				 agent_kind(agent), a->write ? "writes" : "reads",
				 space_name(a->fp.space, buf), (long long)at, agent_kind(r->agent),
				 agent_kind(r->engine), r->pc, r->a.write ? "writes" : "reads");
	}
	return 0;
}

static bool in_range(const struct core_state *st, const struct footprint *f)
{
	return f->space >= SPACE_SLOT || (f->lo >= 0 && f->hi <= st->mem[f->space].bytes);
}

static int check_accesses(struct exec *x, const struct clock *k, uint32_t agent)
{
	struct checker *c = x->st->checker;
	struct access a[MAX_ACCESS];
	uint32_t n = accesses_of(x, a), part = 0;
	int64_t byte = 0;

	for (uint32_t i = 0; i < n; i++) {
		/* A register out of range is for the execution to report. */
		if (!in_range(x->st, &a[i].fp))
			return 0;
		if (a[i].read && a[i].fp.space < SPACE_SLOT &&
		    !written_all(x->st, &a[i].fp, c->bitmap, &part, &byte))
			return fault_set(x->fault, NCA_RULE_UNINITIALISED, x->engine, x->pc,
					 (uint64_t)byte,
					 "reads %s partition %u byte %lld, which nothing has written",
					 a[i].fp.space == NCA_MEM_SBUF ? "SBUF" : "PSUM", part,
					 (long long)byte);
		if (compare(x, c, &a[i], k, agent))
			return -1;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (a[i].write && a[i].fp.space < SPACE_SLOT)
			written_set(x->st, &a[i].fp, c->bitmap);
		if (record(x, c, &a[i], agent))
			return -1;
	}
	return 0;
}

int checker_inst(struct exec *x)
{
	struct checker *c = x->st->checker;

	if (!c)
		return 0;
	if (c->no_memory)
		return fault_set(x->fault, NCA_RULE_WATCHDOG, x->engine, x->pc, 0,
				 "the host has no memory");
	c->count[x->engine]++;
	return x->in->opcode <= NCA_OP_DMA ? 0 :
	       check_accesses(x, &c->engine[x->engine], x->engine);
}

/* Checks a transfer and says what its updates will carry. */
int checker_dma(struct exec *x, uint32_t *stamp)
{
	struct checker *c = x->st->checker;
	uint32_t queue = x->in->dma.queue, agent;
	struct clock k;

	*stamp = NO_STAMP;
	if (!c)
		return 0;
	k = c->engine[x->engine];
	k.read[x->engine] = c->count[x->engine];
	if (queue == NCA_DMA_SPREAD) {
		agent = SPREAD_AGENT + c->next_spread++ % (AGENTS - SPREAD_AGENT);
	} else {
		agent = QUEUE_AGENT + queue;
		join(&k, &c->queue[queue]);
	}
	c->count[agent]++;
	if (check_accesses(x, &k, agent))
		return -1;
	k.read[agent] = k.write[agent] = c->count[agent];
	if (queue != NCA_DMA_SPREAD)
		c->queue[queue] = k;
	*stamp = stamp_new(c, &k, agent * 2);
	return 0;
}
