// SPDX-License-Identifier: MIT
/*
 * Allocation, prefetching and scheduling on random programs: what the linear order says must hold
 * however fast the engines happen to run.
 */
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

#include "mir.h"

#define BUFFERS 24
#define STEPS 300
#define BUF_BYTES 512

static uint64_t rng;

static uint32_t rnd(uint32_t n)
{
	rng = rng * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rng >> 33) % n;
}

struct trial {
	struct mir *m;
	struct mir_program *p;
};

static struct mir_tile random_tile(struct mir_buf *b)
{
	int64_t n = 1 + rnd(BUF_BYTES / 8);
	struct mir_tile t = mir_sbuf_tile(b, 4 * rnd((uint32_t)(BUF_BYTES / 4 - n + 1)), NCA_FP32,
					  1 + rnd(128));

	return mir_shape(t, 1, 1, n, 0, 0, 1);
}

static void random_ew(struct mir *m, struct mir_buf **buf)
{
	static const enum nca_engine engines[] = { NCA_ENGINE_VECTOR, NCA_ENGINE_SCALAR };
	struct mir_tile dst = random_tile(buf[rnd(BUFFERS)]), src = random_tile(buf[rnd(BUFFERS)]);
	struct mir_ew ew = {
		.engine = engines[rnd(2)], .opcode = NCA_OP_COPY, .dst = &dst, .src0 = &src
	};

	src.nparts = dst.nparts;
	mir_elementwise(m, &ew);
}

static void random_dma(struct mir *m, struct mir_buf **buf)
{
	int64_t n = 1 + rnd(BUF_BYTES / 8), size[4] = { 1 + rnd(64), 1, 1, n };
	struct mir_mem sb = { .space = MIR_SBUF, .buf = buf[rnd(BUFFERS)], .part = (uint8_t)rnd(64),
			      .stride = { 1, 0, 0, 4 } };
	struct mir_mem slot = { .space = MIR_SLOT,
				.slot = (uint16_t)(rnd(2) ? MIR_SLOT_WEIGHTS : MIR_SLOT_IO + 1),
				.offset = 4 * rnd(1000),
				.stride = { 256, 0, 0, 4 } };
	enum nca_engine engine = rnd(2) ? NCA_ENGINE_SYNC : NCA_ENGINE_SCALAR;

	sb.offset = 4 * rnd((uint32_t)(BUF_BYTES / 4 - n + 1));
	if (slot.slot == MIR_SLOT_WEIGHTS)
		mir_dma(m, NCA_ENGINE_SYNC, &sb, &slot, size, 4, false, 0);
	else if (rnd(2))
		mir_dma(m, engine, &slot, &sb, size, 4, false, 0);
	else
		mir_dma(m, engine, &sb, &slot, size, 4, false, 0);
}

static void random_matmul(struct mir *m, struct mir_buf **buf)
{
	struct mir_tile stat = random_tile(buf[rnd(BUFFERS)]), mov = random_tile(buf[rnd(BUFFERS)]);
	struct mir_tile acc = mir_psum_tile(mir_psum(m, 1), NCA_FP32, stat.size[3]);

	mov.nparts = stat.nparts;
	acc = mir_shape(acc, 1, 1, mov.size[3], 0, 0, 1);
	mir_ldstat(m, &stat);
	mir_matmul(m, &acc, &mov, stat.nparts, stat.size[3], false);
	if (rnd(2)) {
		struct mir_tile out = mir_sbuf_tile(buf[rnd(BUFFERS)], 0, NCA_FP32, stat.size[3]);
		struct mir_ew ew = { .engine = rnd(2) ? NCA_ENGINE_VECTOR : NCA_ENGINE_SCALAR,
				     .opcode = NCA_OP_COPY, .dst = &out, .src0 = &acc };

		out = mir_shape(out, 1, 1, mov.size[3], 0, 0, 1);
		mir_elementwise(m, &ew);
	}
}

static void build(struct cc *cc, void *arg)
{
	struct trial *t = arg;
	struct mir_buf *buf[BUFFERS];

	t->m = mir_new(cc, &nca_targets[rnd(2)], 100000);
	t->m->num_slots = 4;
	for (int i = 0; i < BUFFERS; i++)
		buf[i] = mir_sbuf(t->m, BUF_BYTES, "test");
	for (int i = 0; i < STEPS; i++) {
		switch (rnd(3)) {
		case 0:
			random_ew(t->m, buf);
			break;
		case 1:
			random_dma(t->m, buf);
			break;
		default:
			random_matmul(t->m, buf);
			break;
		}
		/* New buffers take the places of old ones. */
		if (rnd(4) == 0)
			buf[rnd(BUFFERS)] = mir_sbuf(t->m, BUF_BYTES, "test");
	}
}

static void allocate_and_schedule(struct cc *cc, void *arg)
{
	struct trial *t = arg;
	int64_t culprit;

	build(cc, t);
	for (size_t i = 0; i < t->m->num_insts;
	     i++) /* which instruction is which, after scheduling */
		t->m->inst[i].in.op_id = (uint32_t)i;
	if (!mir_allocate(t->m, MIR_LARGEST_FIRST, &culprit))
		cc_fail(cc, ACCELCC_FAILED, "no room");
	t->p = mir_schedule(t->m);
}

/* ---- a device that runs the streams in any order the semaphores allow ---- */

struct flight {
	struct nca_update update;
	uint32_t id;
};

struct device {
	const struct trial *t;
	size_t pc[NCA_ENGINES];
	uint32_t sem[256];
	struct flight *dma;
	size_t num_dma;
	bool *done;
};

static bool waits_hold(const struct device *d, const struct nca_inst *in)
{
	for (int i = 0; i < 2; i++)
		if (in->wait[i].cond && (int32_t)(d->sem[in->wait[i].sem] - in->wait[i].value) < 0)
			return false;
	return true;
}

static bool overlap(const struct mir_ref *a, const struct mir_ref *b)
{
	if (a->space != b->space || !(a->write || b->write) || a->hi <= b->lo || b->hi <= a->lo)
		return false;
	if (a->space == MIR_SLOT)
		return a->slot == b->slot;
	return a->part < b->part + b->nparts && b->part < a->part + a->nparts;
}

/* Nothing earlier in the linear order that touches the same bytes may still be going on. */
static bool in_order(const struct device *d, uint32_t id)
{
	const struct mir_inst *inst = &d->t->m->inst[id];

	for (uint32_t o = 0; o < id; o++) {
		if (d->done[o])
			continue;
		for (int i = 0; i < inst->num_refs; i++)
			for (int k = 0; k < d->t->m->inst[o].num_refs; k++)
				if (overlap(&inst->ref[i], &d->t->m->inst[o].ref[k]))
					return false;
	}
	return true;
}

static void apply(struct device *d, const struct nca_update *u)
{
	if (u->op == NCA_UPDATE_ADD)
		d->sem[u->sem] += u->value;
}

/* One thing happens: a transfer ends, or an engine goes on. Returns false if nothing can. */
static bool step(struct device *d, bool *ordered)
{
	uint32_t first = rnd(NCA_ENGINES);

	if (d->num_dma && rnd(3) == 0) {
		size_t k = rnd((uint32_t)d->num_dma);

		d->done[d->dma[k].id] = true;
		apply(d, &d->dma[k].update);
		d->dma[k] = d->dma[--d->num_dma];
		return true;
	}
	for (uint32_t i = 0; i < NCA_ENGINES; i++) {
		uint32_t e = (first + i) % NCA_ENGINES;
		const struct mir_stream *st = &d->t->p->stream[e];
		const struct nca_inst *in = &st->inst[d->pc[e]];

		if (d->pc[e] == st->num || !waits_hold(d, in))
			continue;
		d->pc[e]++;
		if (in->opcode < NCA_OP_DMA)
			return true;
		*ordered &= in_order(d, in->op_id);
		if (in->opcode == NCA_OP_DMA) {
			d->dma[d->num_dma++] = (struct flight) { in->update[0], in->op_id };
		} else {
			d->done[in->op_id] = true;
			apply(d, &in->update[0]);
		}
		return true;
	}
	return d->num_dma != 0;
}

static void test_any_timing(void)
{
	for (int trial = 0; trial < 12; trial++) {
		struct trial t = { 0 };
		struct cc cc;

		rng = (uint64_t)trial * 977 + 3;
		cc_init(&cc, 1 << 28);
		CU_ASSERT_EQUAL_FATAL(cc_run(&cc, allocate_and_schedule, &t), ACCELCC_OK);
		for (int run = 0; run < 4; run++) {
			struct device d = { .t = &t };
			bool ordered = true, finished = true;

			d.dma = calloc(t.m->num_insts + 1, sizeof(*d.dma));
			d.done = calloc(t.m->num_insts + 1, sizeof(*d.done));
			while (step(&d, &ordered) && ordered)
				;
			for (int e = 0; e < NCA_ENGINES; e++)
				finished &= d.pc[e] == t.p->stream[e].num;
			CU_ASSERT(ordered);
			CU_ASSERT(finished && !d.num_dma);
			free(d.dma);
			free(d.done);
		}
		for (int e = 0; e < NCA_ENGINES; e++)
			for (size_t i = 0; i < t.p->stream[e].num; i++)
				for (int k = 0; k < 2; k++)
					CU_ASSERT(t.p->stream[e].inst[i].wait[k].sem <
						  t.m->target->semaphores);
		cc_destroy(&cc);
	}
}

static void test_no_overlap(void)
{
	for (int trial = 0; trial < 10; trial++) {
		struct trial t = { 0 };
		struct cc cc;

		rng = (uint64_t)trial + 100;
		cc_init(&cc, 1 << 28);
		CU_ASSERT_EQUAL_FATAL(cc_run(&cc, allocate_and_schedule, &t), ACCELCC_OK);
		for (const struct mir_buf *a = t.m->bufs; a; a = a->next)
			for (const struct mir_buf *b = a->next; b; b = b->next) {
				if (a->first < 0 || b->first < 0 || a->last < b->first ||
				    b->last < a->first)
					continue;
				CU_ASSERT(a->addr + a->bytes <= b->addr ||
					  b->addr + b->bytes <= a->addr);
			}
		cc_destroy(&cc);
	}
}

/* Fill SBUF with more than it holds at once. */
static void too_much(struct cc *cc, void *arg)
{
	struct mir *m = mir_new(cc, &nca_targets[0], 1000);
	struct mir_buf *a = mir_sbuf(m, 60 << 10, "a"), *b = mir_sbuf(m, 60 << 10, "b");
	struct mir_tile ta = mir_shape(mir_sbuf_tile(a, 0, NCA_FP32, 128), 1, 1, 100, 0, 0, 1),
			tb = ta;
	struct mir_ew ew = {
		.engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_COPY, .dst = &ta, .src0 = &tb
	};

	tb.buf = b;
	m->num_slots = 4;
	mir_elementwise(m, &ew);
	if (mir_allocate(m, MIR_LASTING_FIRST, arg))
		cc_fail(cc, ACCELCC_FAILED, "it fitted");
}

static void test_too_much(void)
{
	int64_t culprit = -1;
	struct cc cc;

	cc_init(&cc, 1 << 24);
	CU_ASSERT_EQUAL(cc_run(&cc, too_much, &culprit), ACCELCC_OK);
	CU_ASSERT_EQUAL(culprit, 0);
	cc_destroy(&cc);
}

/* A buffer that lives through everything, and others that leave it no place if they come first. */
static void lasting(struct cc *cc, void *arg)
{
	struct mir *m = mir_new(cc, &nca_targets[0], 1000);
	uint64_t sbuf = nca_targets[0].sbuf_bytes;
	struct mir_buf *a = mir_sbuf(m, 4 << 10, "lasting"), *last = NULL;
	int64_t *culprit = arg;

	m->num_slots = 4;
	/* Neighbours in time together fill what is left, alternating between the two ends. */
	for (int i = 0; i < 8; i++) {
		struct mir_buf *b = mir_sbuf(m, i % 2 ? sbuf / 2 : sbuf / 2 - (4 << 10), "b");
		struct mir_tile ta = mir_shape(mir_sbuf_tile(a, 0, NCA_FP32, 128), 1, 1, 100, 0, 0, 1), tb = ta;
		struct mir_ew ew = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_TENSOR_TENSOR,
				     .op0 = NCA_ALU_ADD, .dst = &tb, .src0 = &ta, .src1 = &ta };
		struct mir_tile tl = ta;

		tb.buf = b;
		tl.buf = last;
		if (last)
			ew.src1 = &tl;
		mir_elementwise(m, &ew);
		last = b;
	}
	CU_ASSERT_EQUAL(mir_sbuf_needed(m), sbuf);
	CU_ASSERT_TRUE(mir_allocate(m, MIR_LASTING_FIRST, culprit));
	CU_ASSERT_EQUAL(a->addr, 0);
}

static void test_lasting(void)
{
	int64_t culprit = -1;
	struct cc cc;

	cc_init(&cc, 1 << 24);
	CU_ASSERT_EQUAL(cc_run(&cc, lasting, &culprit), ACCELCC_OK);
	cc_destroy(&cc);
}

/* What is given back is gone from the budget, what came before and what is kept is not touched. */
static void scopes(struct cc *cc, void *arg)
{
	uint8_t *before = cc_alloc(cc, 1000), *kept, *array = NULL;
	size_t used, cap = 0, n = 0;

	(void)arg;
	memset(before, 1, 1000);
	for (int round = 0; round < 100; round++) {
		used = cc->used;
		cc_enter(cc);
		for (size_t size = 1; size < 1 << 20; size *= 4) {
			uint8_t *p = cc_alloc(cc, size);

			CU_ASSERT(p[0] == 0 && p[size - 1] == 0);
			memset(p, 2, size);
		}
		cc_leave(cc, false);
		CU_ASSERT_EQUAL(cc->used, used);
	}
	cc_enter(cc);
	cc_enter(cc);
	kept = cc_alloc(cc, 300000);
	memset(kept, 3, 300000);
	cc_leave(cc, true);
	memset(cc_alloc(cc, 300000), 4, 300000);
	cc_leave(cc, true);
	for (int i = 0; i < 300000; i++) {
		array = cc_move(cc, array, n, &cap, 1);
		array[n++] = (uint8_t)i;
	}
	for (int i = 0; i < 300000; i++)
		if (array[i] != (uint8_t)i || kept[i] != 3)
			cc_fail(cc, ACCELCC_FAILED, "element %d", i);
	CU_ASSERT(before[0] == 1 && before[999] == 1);
}

static void test_scopes(void)
{
	struct cc cc;

	/* Far less than all rounds together would take. */
	cc_init(&cc, 1 << 22);
	CU_ASSERT_EQUAL(cc_run(&cc, scopes, NULL), ACCELCC_OK);
	cc_destroy(&cc);
}

static void prefetch(struct cc *cc, void *arg)
{
	struct mir *m = mir_new(cc, &nca_targets[0], 1000);
	int64_t size[4] = { 128, 1, 1, 100 };

	(void)arg;
	m->num_slots = 4;
	for (int i = 0; i < 20; i++) {
		struct mir_buf *w = mir_sbuf(m, 400, "w");
		struct mir_mem dst = { .space = MIR_SBUF, .buf = w, .stride = { 1, 0, 0, 4 } };
		struct mir_mem src = { .space = MIR_SLOT,
				       .offset = (uint64_t)i * 51200,
				       .stride = { 400, 0, 0, 4 } };
		struct mir_tile t =
			mir_shape(mir_sbuf_tile(w, 0, NCA_FP32, 128), 1, 1, 100, 0, 0, 1);

		mir_next_block(m);
		mir_dma(m, NCA_ENGINE_SYNC, &dst, &src, size, 4, false, 400);
		mir_ldstat(m, &t);
	}
	for (uint64_t limit = 400; limit <= 2000; limit += 400) {
		uint64_t loaded = 0, used = 0;

		mir_prefetch(m, limit, MIR_BLOCK);
		for (size_t i = 0; i < m->num_insts; i++) {
			if (m->inst[i].in.opcode == NCA_OP_DMA) {
				CU_ASSERT_EQUAL(m->inst[i].ref[1].lo, loaded * 51200);
				loaded++;
			} else {
				used++;
				CU_ASSERT(loaded >= used);
				/* What has been loaded and not yet used up. */
				CU_ASSERT((loaded - used + 1) * 400 <= limit);
				if (used < 10)
					CU_ASSERT_EQUAL((loaded - used + 1) * 400, limit);
			}
		}
		CU_ASSERT(loaded == 20 && used == 20);
	}
}

static void test_prefetch(void)
{
	struct cc cc;

	cc_init(&cc, 1 << 24);
	CU_ASSERT_EQUAL(cc_run(&cc, prefetch, NULL), ACCELCC_OK);
	cc_destroy(&cc);
}

int main(void)
{
	static const struct {
		const char *name;
		CU_TestFunc fn;
	} tests[] = {
		{ "semaphores order what must be ordered, whatever the timing", test_any_timing },
		{ "live buffers do not overlap", test_no_overlap },
		{ "what does not fit is said so", test_too_much },
		{ "what lives longest gets a place", test_lasting },
		{ "memory given back by scopes", test_scopes },
		{ "loads run ahead as far as there is room", test_prefetch },
	};
	CU_pSuite suite;
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	suite = CU_add_suite("compiler back end", NULL, NULL);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		CU_add_test(suite, tests[i].name, tests[i].fn);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures ? 1 : 0;
}
