/* SPDX-License-Identifier: MIT */
/*
 * A program is shared by cores in different threads; a launch that was stopped
 * goes on on another core, beside other launches, and ends the same.
 */
#include <CUnit/Basic.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

enum { ROUNDS = 6, BYTES = 128 * 256 };

static struct prog p;
static struct core_program *prog;

struct worker {
	uint8_t in[BYTES], out[BYTES];
	struct core *core, *other;
	uint64_t ticks;
	bool ok;
};

static void *translate(void *opaque, uint32_t slot, uint64_t offset, uint64_t len, bool write,
		       uint64_t *avail, bool *dev_mem)
{
	struct worker *w = opaque;

	if (slot > 1 || offset > BYTES || len > BYTES - offset || (write && !slot))
		return NULL;
	*avail = len;
	*dev_mem = true;
	return (slot ? w->out : w->in) + offset;
}

static void build(void)
{
	struct nca_inst *in;

	prog_init(&p, NCA_TARGET_NCA1);
	update_add(emit_dma(&p, NCA_ENGINE_SYNC, true, NCA_MEM_SBUF, 0, 128, 0, 256, 0, 0, 0), 0, 1);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		in = emit(&p, NCA_ENGINE_SCALAR, NCA_OP_ACTIVATE);
		in->ew.dst = in->ew.src0 = ap(NCA_MEM_SBUF, NCA_FP32, 0, 128, 0, 64);
		in->ew.func = i & 1 ? NCA_FUNC_TANH : NCA_FUNC_GELU;
		wait_ge(in, 0, 2 * i + 1);
		update_add(in, 0, 1);
		in = emit(&p, NCA_ENGINE_VECTOR, NCA_OP_TENSOR_SCALAR);
		in->ew.dst = in->ew.src0 = ap(NCA_MEM_SBUF, NCA_FP32, 0, 128, 0, 64);
		in->ew.s0 = imm(1.25f);
		in->ew.op0 = NCA_ALU_MUL;
		wait_ge(in, 0, 2 * i + 2);
		update_add(in, 0, 1);
	}
	wait_ge(emit_dma(&p, NCA_ENGINE_SYNC, false, NCA_MEM_SBUF, 0, 128, 0, 256, 1, 0, 1), 0,
		2 * ROUNDS + 1);
	prog_end(&p);
}

static bool launch(struct worker *w, uint64_t step)
{
	static const uint32_t scalar[8];
	struct core_launch l = { .prog = prog, .memory = { .opaque = w, .translate = translate }, .scalar = scalar,
				 .scalars = 8, .bw_slices = 2, .dma_engines = 3, .check = step & 1 };
	struct core_state *st;
	struct core_fault f;
	enum core_result res;
	uint64_t now = 0;

	if (core_launch_begin(w->core, &l, &st))
		return false;
	for (int i = 0; (res = core_run(i & 1 && w->other ? w->other : w->core, st, now + step, NULL,
					&now, &f)) == CORE_YIELDED; i++)
		;
	w->ticks = now;
	core_launch_end(w->other ? w->other : w->core, st);
	return res == CORE_DONE;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	w->ok = true;
	for (uint64_t i = 0; i < 10; i++)
		w->ok = launch(w, 1000 + i) && w->ok;
	return NULL;
}

static void fill(struct worker *w)
{
	for (size_t i = 0; i < BYTES / 4; i++) {
		float v = (float)(i % 97) / 16 - 3;

		memcpy(w->in + 4 * i, &v, 4);
	}
}

static void shared_program(void)
{
	static struct worker w[3];
	pthread_t thread[2];

	build();
	CU_ASSERT_EQUAL_FATAL(prog_load(&p, &prog, NULL), 0);
	for (int i = 0; i < 3; i++) {
		fill(&w[i]);
		CU_ASSERT_EQUAL_FATAL(core_create(p.target, CORE_SIMD_AUTO, &w[i].core), 0);
	}
	for (int i = 0; i < 2; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&thread[i], NULL, work, &w[i]), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	CU_ASSERT(w[0].ok && w[1].ok);
	CU_ASSERT(launch(&w[2], 1ull << 40));
	CU_ASSERT_EQUAL(memcmp(w[0].out, w[1].out, BYTES), 0);
	CU_ASSERT_EQUAL(memcmp(w[0].out, w[2].out, BYTES), 0);
	CU_ASSERT_EQUAL(w[0].ticks, w[2].ticks);

	/* From core to core every 500 ticks. */
	memset(w[0].out, 0, BYTES);
	w[0].other = w[1].core;
	CU_ASSERT(launch(&w[0], 500));
	CU_ASSERT_EQUAL(memcmp(w[0].out, w[2].out, BYTES), 0);
	CU_ASSERT_EQUAL(w[0].ticks, w[2].ticks);
	for (int i = 0; i < 3; i++)
		core_destroy(w[i].core);
	core_program_destroy(prog);
}

void suite_threads(void)
{
	CU_pSuite s = CU_add_suite("cores in threads", NULL, NULL);

	CU_add_test(s, "one program on several cores", shared_program);
}
