// SPDX-License-Identifier: MIT
/*
 * Why engines stood: every wait and stall of the timed program, added up by engine, operator and
 * reason.
 *
 * The tensor engine's stream is ahead of its array; it only loses time while no product runs, so
 * only that part of a wait counts.
 */
#include "report.h"

#include <stdlib.h>
#include <string.h>

#define MAX_PER_ENGINE 24

/* What a wait went by with. */
enum part {
	PART_UPSTREAM,	/* the other had not started, or the transfer was not triggered */
	PART_LATENCY,	/* trigger to first data; pipeline; semaphore */
	PART_QUEUED,	/* DMA engines had other transfers */
	PART_WORK,	/* the other computed, the transfer moved */
	PARTS,
};

struct entry {
	uint8_t engine, kind, cargo, of_engine;
	uint32_t op, of_op;	/* indices of the report's operators */
	uint64_t ticks, count, longest;
	uint64_t part[PARTS];
	uint32_t sample;	/* what the longest one stood for, */
	uint64_t since;		/* from when on */
};

struct table {
	struct report *r;
	struct entry *entry;
	size_t num, cap;
	uint32_t *slot;		/* hash table: 1 + index */
	size_t num_slots;	/* a power of two */
};

static uint64_t hash(const struct entry *k)
{
	uint64_t h = ((uint64_t)k->op << 32 | k->of_op) * 0x9e3779b97f4a7c15u;

	h ^= (uint64_t)k->engine | (uint64_t)k->kind << 8 | (uint64_t)k->cargo << 16 |
	     (uint64_t)k->of_engine << 24;
	return (h ^ h >> 29) * 0xbf58476d1ce4e5b9u >> 32;
}

static bool same(const struct entry *a, const struct entry *b)
{
	return a->engine == b->engine && a->kind == b->kind && a->cargo == b->cargo &&
	       a->of_engine == b->of_engine && a->op == b->op && a->of_op == b->of_op;
}

static uint32_t *slot_of(const struct table *t, const struct entry *k)
{
	size_t i = hash(k) & (t->num_slots - 1);

	while (t->slot[i] && !same(&t->entry[t->slot[i] - 1], k))
		i = (i + 1) & (t->num_slots - 1);
	return &t->slot[i];
}

static void grow(struct table *t)
{
	t->num_slots = t->num_slots ? t->num_slots * 2 : 256;
	t->slot = cc_new_n(t->r->cc, uint32_t, t->num_slots);
	for (size_t i = 0; i < t->num; i++)
		*slot_of(t, &t->entry[i]) = (uint32_t)(i + 1);
}

static struct entry *find(struct table *t, const struct entry *key)
{
	uint32_t *slot;
	struct entry *e;

	if (t->num * 2 >= t->num_slots)
		grow(t);
	slot = slot_of(t, key);
	if (*slot)
		return &t->entry[*slot - 1];
	e = cc_push(t->r->cc, t->entry, t->num, t->cap);
	*e = *key;
	*slot = (uint32_t)t->num;
	return e;
}

static uint64_t overlap(uint64_t from, uint64_t to, uint64_t lo, uint64_t hi)
{
	lo = nca_max64(lo, from);
	hi = hi < to ? hi : to;
	return hi > lo ? hi - lo : 0;
}

/* What the one waited for did from @from to @to. */
static void add_parts(const struct report *r, struct entry *e, uint64_t from, uint64_t to,
		      uint32_t other)
{
	const struct mir_inst_time *o = &r->timing->inst[other];
	bool dma = e->kind == ACCELCC_STALL_TRANSFER || e->kind == ACCELCC_STALL_QUEUE;
	uint64_t ready = o->end + (dma ? r->target->dma_t0_ticks : 0);

	if (dma) {
		e->part[PART_UPSTREAM] += overlap(from, to, 0, o->end);
		e->part[PART_LATENCY] += overlap(from, to, o->end, ready);
		e->part[PART_QUEUED] += overlap(from, to, ready, o->moving);
		e->part[PART_WORK] += overlap(from, to, o->moving, o->done);
	} else {
		e->part[PART_UPSTREAM] += overlap(from, to, 0, o->start);
		e->part[PART_WORK] += overlap(from, to, o->start, o->end);
		e->part[PART_LATENCY] += overlap(from, to, o->end, o->done);
	}
	e->part[PART_LATENCY] += overlap(from, to, o->done, UINT64_MAX);
}

static void add(struct table *t, uint32_t engine, const struct nca_inst *in,
		enum accelcc_stall_kind kind, uint64_t from, uint64_t to, uint32_t other)
{
	struct report *r = t->r;
	struct entry key = { .engine = (uint8_t)engine, .kind = (uint8_t)kind,
			     .op = r->op_of[in->op_id] }, *e;
	const struct nca_inst *by;
	uint32_t of_engine;

	if (to <= from || other == MIR_NOBODY)
		return;
	by = report_inst(r, other, &of_engine);
	key.of_engine = (uint8_t)of_engine;
	key.of_op = r->op_of[by->op_id];
	if (by->opcode == NCA_OP_DMA) {
		if (kind == ACCELCC_STALL_ENGINE)
			key.kind = ACCELCC_STALL_TRANSFER;
		key.cargo = (uint8_t)report_cargo(&by->dma);
		key.of_engine = 0;	/* whichever engine triggered it */
	}
	e = find(t, &key);
	e->ticks += to - from;
	e->count++;
	if (to - from > e->longest) {
		e->longest = to - from;
		e->sample = other;
		e->since = from;
	}
	add_parts(r, e, from, to, other);
}

static void collect(struct table *t, uint32_t e)
{
	const struct report *r = t->r;
	const struct mir_stream *s = &r->program->stream[e];
	uint64_t array = 0;	/* the array runs until then */

	for (size_t i = 0; i < s->num; i++) {
		const struct mir_inst_time *at = &r->timing->inst[r->timing->first[e] + i];
		const struct nca_inst *in = &s->inst[i];
		bool product = in->opcode == NCA_OP_MATMUL || in->opcode == NCA_OP_TRANSPOSE;

		add(t, e, in, ACCELCC_STALL_ENGINE, nca_max64(at->came, array), at->ready,
		    at->waker);
		if (product || in->opcode == NCA_OP_LDSTAT) {
			add(t, e, in, ACCELCC_STALL_ARRAY, nca_max64(at->ready, array), at->start,
			    at->blocker);
		} else if (in->opcode == NCA_OP_DMA) {
			add(t, e, in, ACCELCC_STALL_QUEUE, at->ready, at->start, at->blocker);
		} else {
			add(t, e, in, ACCELCC_STALL_RESULT, at->ready, at->seen, at->result_of);
			add(t, e, in, ACCELCC_STALL_PORT, at->seen, at->start, at->blocker);
		}
		if (product)
			array = nca_max64(array, at->end);
	}
}

/* ---- words ---- */

static const char *cargo_name(const struct entry *e)
{
	static const char *const names[] = { "weights", "activations", "an input", "an output" };

	return names[e->cargo];
}

static enum part biggest_part(const struct entry *e)
{
	enum part best = PART_UPSTREAM;

	for (int i = 1; i < PARTS; i++)
		if (e->part[i] > e->part[best])
			best = (enum part)i;
	return best;
}

/* The longest wait since @since that kept a stream from instruction @number, if it was a wait. */
static const struct mir_inst_time *what_kept(const struct report *r, uint32_t number,
					     uint64_t since)
{
	const struct mir_inst_time *at, *longest = NULL;
	uint64_t most = 0, waited = 0, start = r->timing->inst[number].start;
	uint32_t engine;

	report_inst(r, number, &engine);
	for (uint32_t i = number + 1; i-- > r->timing->first[engine];) {
		uint64_t t;

		at = &r->timing->inst[i];
		if (at->start <= since)
			break;
		t = overlap(since, start, at->came, at->ready);
		waited += t;
		if (t > most) {
			most = t;
			longest = at;
		}
	}
	return waited * 2 > start - since ? longest : NULL;
}

/* Why the one that was waited for had not begun. */
static void upstream(const struct report *r, const struct entry *e, char *buf, size_t size)
{
	const struct mir_inst_time *kept = what_kept(r, e->sample, e->since);
	bool dma = e->kind == ACCELCC_STALL_TRANSFER;
	const struct nca_inst *by;
	uint32_t engine, other;

	report_inst(r, e->sample, &engine);
	if (!kept || kept->waker == MIR_NOBODY) {
		snprintf(buf, size, "%s%s was at work before", dma ? "triggered late because " : "",
			 accelcc_resource_name((enum accelcc_resource)engine));
		return;
	}
	by = report_inst(r, kept->waker, &other);
	snprintf(buf, size, "%s%s waited for %s%s'%.70s'", dma ? "triggered late because " : "",
		 accelcc_resource_name((enum accelcc_resource)engine),
		 by->opcode == NCA_OP_DMA ? "a transfer" :
		 accelcc_resource_name((enum accelcc_resource)other),
		 by->opcode == NCA_OP_DMA ? " of " : " in ", report_op(r, by)->name);
}

static void because(const struct report *r, const struct entry *e, char *buf, size_t size)
{
	const char *text = "";

	switch (e->kind) {
	case ACCELCC_STALL_TRANSFER:
		switch (biggest_part(e)) {
		case PART_UPSTREAM:
			upstream(r, e, buf, size);
			return;
		case PART_LATENCY:
			text = "latency from trigger to first data";
			break;
		case PART_QUEUED:
			text = "DMA bound, it stood behind other transfers";
			break;
		default:
			text = "DMA bound, its bytes were moving";
			break;
		}
		break;
	case ACCELCC_STALL_ENGINE:
		switch (biggest_part(e)) {
		case PART_UPSTREAM:
			upstream(r, e, buf, size);
			return;
		case PART_LATENCY:
			text = "latency of its pipeline and of the semaphore";
			break;
		default:
			text = "it was at work";
			break;
		}
		break;
	case ACCELCC_STALL_RESULT:
		text = "dependent instructions follow each other";
		break;
	case ACCELCC_STALL_PORT:
		text = "one port serves both";
		break;
	case ACCELCC_STALL_ARRAY:
		text = "products too short to hide it";
		break;
	default:
		text = "the queue holds 64 transfers per DMA engine";
		break;
	}
	snprintf(buf, size, "%s", text);
}

/* "@what@of'@name'", or only "@what" where the name would repeat the operator's own. */
static void phrase(char *buf, size_t size, const char *what, const char *of, const char *name)
{
	if (name)
		snprintf(buf, size, "%s%s'%.100s'", what, of, name);
	else
		snprintf(buf, size, "%s", what);
}

/* "weights", "vector", ...: what it stood for, and of which operator if that is another. */
static void object(const struct report *r, const struct entry *e, char *buf, size_t size)
{
	const char *engine = accelcc_resource_name((enum accelcc_resource)e->of_engine);
	const char *name = e->of_op == e->op ? NULL : r->out->op[e->of_op].name;
	char held[40];

	switch (e->kind) {
	case ACCELCC_STALL_TRANSFER:
		phrase(buf, size, cargo_name(e), " of ", name);
		break;
	case ACCELCC_STALL_ENGINE:
		phrase(buf, size, engine, " in ", name);
		break;
	case ACCELCC_STALL_RESULT:
		snprintf(buf, size, "its own result in the pipeline");
		break;
	case ACCELCC_STALL_PORT:
		snprintf(held, sizeof(held), "the port %s held", engine);
		phrase(buf, size, held, " in ", name);
		break;
	case ACCELCC_STALL_ARRAY:
		snprintf(buf, size, "loads of stationary tiles");
		break;
	default:
		snprintf(buf, size, "room in a DMA queue");
		break;
	}
}

static void describe(const struct report *r, const struct entry *e, struct accelcc_stall *s)
{
	char what[160], why[200];

	object(r, e, what, sizeof(what));
	because(r, e, why, sizeof(why));
	*s = (struct accelcc_stall) { .engine = (enum accelcc_resource)e->engine, .op = e->op,
				      .kind = (enum accelcc_stall_kind)e->kind,
				      .of_op = e->of_op, .ns = report_ns(r, e->ticks),
				      .count = e->count };
	snprintf(s->text, sizeof(s->text), "%s %s %.1f us in '%.100s' for %s: %s",
		 accelcc_resource_name(s->engine),
		 e->kind <= ACCELCC_STALL_ENGINE ? "waited" : "stalled", (double)s->ns / 1e3,
		 r->out->op[e->op].name, what, why);
}

static int longest_first(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;

	if (a->ticks != b->ticks)
		return a->ticks < b->ticks ? 1 : -1;
	if (a->op != b->op)
		return a->op < b->op ? -1 : 1;
	if (a->of_op != b->of_op)
		return a->of_op < b->of_op ? -1 : 1;
	return memcmp(a, b, offsetof(struct entry, op));
}

/* What an operator's own engine stood for longest; entries come longest first. */
static void add_to_op(const struct report *r, const struct entry *e)
{
	struct accelcc_op_report *op = &r->out->op[e->op];
	char what[140];

	if (op->engine != (enum accelcc_resource)e->engine)
		return;
	op->stalled_ns += report_ns(r, e->ticks);
	if (op->reason[0])
		return;
	object(r, e, what, sizeof(what));
	snprintf(op->reason, sizeof(op->reason), "%.1f us for %s",
		 (double)report_ns(r, e->ticks) / 1e3, what);
}

void report_stalls(struct report *r)
{
	struct table t = { .r = r };
	struct accelcc_report *out = r->out;
	uint64_t sum[NCA_ENGINES][ACCELCC_STALLS] = { { 0 } };
	size_t listed[NCA_ENGINES] = { 0 };

	for (uint32_t e = 0; e < NCA_ENGINES; e++)
		collect(&t, e);
	if (t.num)
		qsort(t.entry, t.num, sizeof(*t.entry), longest_first);
	out->stall = cc_new_n(r->cc, struct accelcc_stall, NCA_ENGINES * MAX_PER_ENGINE);
	for (size_t i = 0; i < t.num; i++) {
		const struct entry *e = &t.entry[i];

		sum[e->engine][e->kind] += e->ticks;
		add_to_op(r, e);
		if (listed[e->engine]++ < MAX_PER_ENGINE)
			describe(r, e, &out->stall[out->num_stalls++]);
	}
	for (int e = 0; e < NCA_ENGINES; e++)
		for (int k = 0; k < ACCELCC_STALLS; k++)
			out->engine[e].stall_ns[k] = report_ns(r, sum[e][k]);
}
