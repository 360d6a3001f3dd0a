/* SPDX-License-Identifier: MIT */
/* Load state, execute, read state, compare. */
#include <CUnit/Basic.h>
#include <errno.h>
#include <fenv.h>
#include <pthread.h>
#include <string.h>

#include "firmware-sim/golden/ncagolden.h"
#include "suites.h"

static struct nca_ap ap(uint32_t mem, uint32_t dtype, uint32_t part, uint32_t nparts,
			uint32_t offset, uint32_t n)
{
	return (struct nca_ap){ .mem = (uint8_t)mem, .dtype = (uint8_t)dtype, .part = (uint8_t)part,
				.nparts = (uint8_t)nparts, .offset = offset,
				.size = { 1, 1, 1, (uint16_t)n }, .stride = { 0, 0, 0, 1 } };
}

static struct nca_inst movi(uint32_t reg, uint32_t v)
{
	struct nca_inst in = { .opcode = NCA_OP_MOVI };

	in.ctl.dst = (uint8_t)reg;
	in.ctl.imm = v;
	return in;
}

static struct nca_inst branch_always(uint32_t target)
{
	struct nca_inst in = { .opcode = NCA_OP_BRANCH };

	in.ctl.target = target;
	return in;
}

static struct nca_inst copy(uint32_t from, uint32_t to)
{
	struct nca_inst in = { .opcode = NCA_OP_COPY };

	in.ew.dst = ap(NCA_MEM_SBUF, NCA_FP32, 0, 1, to, 1);
	in.ew.src0 = ap(NCA_MEM_SBUF, NCA_FP32, 0, 1, from, 1);
	return in;
}

static uint32_t get(struct ncagolden *g, uint32_t space, uint32_t index, uint64_t offset)
{
	uint32_t v = 0xdeadbeef;

	CU_ASSERT_EQUAL(ncagolden_read(g, space, index, offset, &v, 4), 0);
	return v;
}

static void put(struct ncagolden *g, uint32_t space, uint32_t index, uint64_t offset, uint32_t v)
{
	CU_ASSERT_EQUAL(ncagolden_write(g, space, index, offset, &v, 4), 0);
}

static struct ncagolden *make(const char *target)
{
	struct ncagolden *g = NULL;

	CU_ASSERT_EQUAL_FATAL(ncagolden_create(target, &g), 0);
	return g;
}

static void test_state(void)
{
	static const struct {
		uint32_t space, index;
		uint64_t last;		/* offset of the last word */
	} end[] = {
		{ NCAGOLDEN_SBUF, 127, (96 << 10) - 4 }, { NCAGOLDEN_PSUM, 127, 16380 },
		{ NCAGOLDEN_SLOT, 255, 96 }, { NCAGOLDEN_REG, 4, 4 * 31 },
		{ NCAGOLDEN_SEM, 0, 4 * 31 }, { NCAGOLDEN_SCALAR, 0, 4 * 63 },
	};
	struct ncagolden *g = make("nca1");
	uint32_t v = 5;

	CU_ASSERT_EQUAL(ncagolden_slot(g, 255, 100, NCA_SLOT_READ), 0);
	for (size_t i = 0; i < sizeof(end) / sizeof(end[0]); i++) {
		uint32_t s = end[i].space, x = end[i].index;

		CU_ASSERT_EQUAL(get(g, s, x, end[i].last), 0);
		put(g, s, x, end[i].last, 0x01020304 + (uint32_t)i);
		CU_ASSERT_EQUAL(get(g, s, x, end[i].last), 0x01020304 + i);
		CU_ASSERT_EQUAL(ncagolden_write(g, s, x, end[i].last + 1, &v, 4), -EINVAL);
		CU_ASSERT_EQUAL(ncagolden_read(g, s, x + 1, end[i].last, &v, 4), -EINVAL);
		CU_ASSERT_EQUAL(ncagolden_read(g, s, x, UINT64_MAX - 1, &v, 4), -EINVAL);
		CU_ASSERT_EQUAL(ncagolden_compare(g, s, x, end[i].last, &v, 5, NULL), -EINVAL);
		CU_ASSERT(strlen(ncagolden_error(g)) > 20);
	}
	CU_ASSERT_EQUAL(ncagolden_read(g, NCAGOLDEN_SPACES, 0, 0, &v, 4), -EINVAL);
	CU_ASSERT_EQUAL(ncagolden_slot(g, 256, 4, 1), -EINVAL);
	CU_ASSERT_EQUAL(ncagolden_slot(g, 0, 0, 1), -EINVAL);
	CU_ASSERT_EQUAL(ncagolden_slot(g, 0, 1ull << 40, 1), -EINVAL);
	v = 0x80000000;
	CU_ASSERT_EQUAL(ncagolden_write(g, NCAGOLDEN_SEM, 0, 0, &v, 4), -EINVAL);
	CU_ASSERT_EQUAL(get(g, NCAGOLDEN_SEM, 0, 0), 0);
	CU_ASSERT_EQUAL(ncagolden_reset(g), 0);
	CU_ASSERT_EQUAL(get(g, NCAGOLDEN_SBUF, 127, end[0].last), 0);
	CU_ASSERT_EQUAL(get(g, NCAGOLDEN_REG, 4, 4 * 31), 0);
	CU_ASSERT_EQUAL(get(g, NCAGOLDEN_SCALAR, 0, 4 * 63), 0);
	CU_ASSERT_EQUAL(ncagolden_read(g, NCAGOLDEN_SLOT, 255, 0, &v, 4), -EINVAL);
	ncagolden_destroy(g);
	CU_ASSERT_EQUAL(ncagolden_create("nca9", &g), -EINVAL);
	ncagolden_destroy(NULL);
}

static void test_compare(void)
{
	struct ncagolden *g = make("nca2");
	uint8_t want[600] = { 0 };
	size_t where = 0;

	CU_ASSERT_EQUAL(ncagolden_compare(g, NCAGOLDEN_SBUF, 3, 10, want, 600, &where), 0);
	want[555] = 1;
	CU_ASSERT_EQUAL(ncagolden_compare(g, NCAGOLDEN_SBUF, 3, 10, want, 600, &where), 1);
	CU_ASSERT_EQUAL(where, 555);
	CU_ASSERT_EQUAL(ncagolden_write(g, NCAGOLDEN_SBUF, 3, 10, want, 600), 0);
	CU_ASSERT_EQUAL(ncagolden_compare(g, NCAGOLDEN_SBUF, 3, 10, want, 600, NULL), 0);
	CU_ASSERT_EQUAL(ncagolden_compare(g, NCAGOLDEN_SBUF, 4, 10, want, 600, NULL), 1);
	ncagolden_destroy(g);
}

/* State stays from one instruction to the next: memory, registers, semaphores, tiles. */
static void test_exec(void)
{
	static const float s[2] = { 2, -3 }, x[2] = { 5, 7 };
	struct ncagolden *g = make("nca1");
	struct nca_inst in = movi(31, 77), load = { .opcode = NCA_OP_LDSTAT };
	struct nca_inst mm = { .opcode = NCA_OP_MATMUL, .flags = NCA_F_ACCUMULATE };
	float y;

	in.update[0] = (struct nca_update){ .sem = 9, .op = NCA_UPDATE_ADD, .value = 4 };
	CU_ASSERT_EQUAL(ncagolden_exec(g, NCA_ENGINE_SYNC, &in), 0);
	CU_ASSERT_EQUAL(ncagolden_exec(g, NCA_ENGINE_SYNC, &in), 0);
	CU_ASSERT_EQUAL(get(g, NCAGOLDEN_REG, NCA_ENGINE_SYNC, 4 * 31), 77);
	CU_ASSERT_EQUAL(get(g, NCAGOLDEN_SEM, 0, 4 * 9), 8);
	for (uint32_t k = 0; k < 2; k++) {
		ncagolden_write(g, NCAGOLDEN_SBUF, k, 0, &s[k], 4);
		ncagolden_write(g, NCAGOLDEN_SBUF, k, 4, &x[k], 4);
	}
	load.mm.src = ap(NCA_MEM_SBUF, NCA_FP32, 0, 2, 0, 1);
	mm.mm.src = ap(NCA_MEM_SBUF, NCA_FP32, 0, 2, 4, 1);
	mm.mm.dst = ap(NCA_MEM_PSUM, NCA_FP32, 0, 1, 0, 1);
	load.mm.tile = mm.mm.tile = (struct nca_pe_tile){ 0, 0, 128, 128 };
	CU_ASSERT_EQUAL(ncagolden_exec(g, NCA_ENGINE_TENSOR, &mm), -EFAULT);
	CU_ASSERT_EQUAL(ncagolden_fault(g)->rule, NCA_RULE_SHAPE);
	CU_ASSERT_EQUAL(ncagolden_exec(g, NCA_ENGINE_TENSOR, &load), 0);
	CU_ASSERT_EQUAL(ncagolden_exec(g, NCA_ENGINE_TENSOR, &mm), 0);
	CU_ASSERT_EQUAL(ncagolden_exec(g, NCA_ENGINE_TENSOR, &mm), 0);
	ncagolden_read(g, NCAGOLDEN_PSUM, 0, 0, &y, 4);
	CU_ASSERT_EQUAL(y, -22);
	CU_ASSERT(ncagolden_ticks(g) > 0);

	CU_ASSERT_EQUAL(ncagolden_exec(g, 5, &in), -EINVAL);
	in = branch_always(0);
	CU_ASSERT_EQUAL(ncagolden_exec(g, NCA_ENGINE_SYNC, &in), -EINVAL);
	in = (struct nca_inst){ .opcode = 0xff };
	CU_ASSERT_EQUAL(ncagolden_exec(g, NCA_ENGINE_VECTOR, &in), -EFAULT);
	CU_ASSERT_EQUAL(ncagolden_fault(g)->rule, NCA_RULE_ILLEGAL_OPCODE);
	in = movi(1, 1);
	CU_ASSERT_EQUAL(ncagolden_exec(g, NCA_ENGINE_GPSIMD, &in), -EFAULT);	/* not on nca1 */
	in.wait[0] = (struct nca_wait){ .sem = 9, .cond = NCA_WAIT_GE, .value = 9 };
	CU_ASSERT_EQUAL(ncagolden_exec(g, NCA_ENGINE_SYNC, &in), -EFAULT);
	CU_ASSERT_EQUAL(ncagolden_fault(g)->rule, NCA_RULE_DEADLOCK);
	CU_ASSERT_EQUAL(get(g, NCAGOLDEN_SEM, 0, 4 * 9), 8);
	ncagolden_destroy(g);
}

/* A register that is changed between two steps is what the next instruction reads. */
static void test_step(void)
{
	struct ncagolden *g = make("nca1");
	struct nca_inst code[3] = { copy(0, 8), copy(8, 16), { .opcode = NCA_OP_HALT } };
	const struct nca_inst *inst[NCA_ENGINES] = { [NCA_ENGINE_VECTOR] = code };
	uint32_t count[NCA_ENGINES] = { [NCA_ENGINE_VECTOR] = 2 }, engine = 9, pc = 9;

	put(g, NCAGOLDEN_SBUF, 0, 0, 0x7f812345);	/* moved, not computed: bits stay */
	CU_ASSERT_EQUAL(ncagolden_load(g, inst, count), 0);
	CU_ASSERT_EQUAL(get(g, NCAGOLDEN_SBUF, 0, 8), 0);
	CU_ASSERT_EQUAL(ncagolden_step(g, &engine, &pc), 1);
	CU_ASSERT(engine == NCA_ENGINE_VECTOR && pc == 0);
	CU_ASSERT_EQUAL(get(g, NCAGOLDEN_SBUF, 0, 8), 0x7f812345);
	CU_ASSERT_EQUAL(get(g, NCAGOLDEN_SBUF, 0, 16), 0);
	put(g, NCAGOLDEN_SBUF, 0, 8, 1234);
	CU_ASSERT_EQUAL(ncagolden_step(g, &engine, &pc), 1);
	CU_ASSERT_EQUAL(pc, 1);
	CU_ASSERT_EQUAL(get(g, NCAGOLDEN_SBUF, 0, 16), 1234);
	CU_ASSERT_EQUAL(ncagolden_step(g, &engine, &pc), 1);	/* the HALT it was given */
	CU_ASSERT_EQUAL(pc, 2);
	CU_ASSERT_EQUAL(ncagolden_step(g, &engine, &pc), 0);
	CU_ASSERT_EQUAL(ncagolden_step(g, &engine, &pc), 0);
	count[NCA_ENGINE_VECTOR] = 3;
	CU_ASSERT_EQUAL(ncagolden_load(g, inst, count), 0);
	CU_ASSERT_EQUAL(ncagolden_run(g, 3), 0);
	CU_ASSERT_EQUAL(get(g, NCAGOLDEN_SBUF, 0, 16), 0x7f812345);
	code[2] = branch_always(0);
	CU_ASSERT_EQUAL(ncagolden_load(g, inst, count), 0);
	CU_ASSERT_EQUAL(ncagolden_run(g, 1000), -ETIME);
	CU_ASSERT_EQUAL(ncagolden_step(g, NULL, NULL), 0);
	code[2] = branch_always(3);
	CU_ASSERT_EQUAL(ncagolden_load(g, inst, count), -EFAULT);
	CU_ASSERT(ncagolden_fault(g)->rule == NCA_RULE_BRANCH && ncagolden_fault(g)->pc == 2);
	count[NCA_ENGINE_VECTOR] = UINT32_MAX;
	CU_ASSERT_EQUAL(ncagolden_load(g, inst, count), -EINVAL);
	ncagolden_destroy(g);
}

static void test_dma_and_scalars(void)
{
	struct ncagolden *g = make("nca2");
	struct nca_inst in = { .opcode = NCA_OP_DMA }, arg = { .opcode = NCA_OP_LOADARG };

	in.dma.src = (struct nca_dma_side){ .mem = NCA_MEM_SLOT, .slot = 7, .stride = { 4, 0, 0, 4 } };
	in.dma.dst = (struct nca_dma_side){ .mem = NCA_MEM_PSUM, .part = 5, .offset = 8,
					    .stride = { 1, 0, 0, 4 } };
	for (int i = 0; i < 4; i++)
		in.dma.size[i] = i ? 1 : 2;
	in.dma.elem = 4;
	CU_ASSERT_EQUAL(ncagolden_exec(g, NCA_ENGINE_SYNC, &in), -EFAULT);
	CU_ASSERT_EQUAL(ncagolden_fault(g)->rule, NCA_RULE_SLOT);
	CU_ASSERT_EQUAL(ncagolden_slot(g, 7, 8, NCA_SLOT_WRITE), 0);
	CU_ASSERT_EQUAL(ncagolden_exec(g, NCA_ENGINE_SYNC, &in), -EFAULT);
	CU_ASSERT_EQUAL(ncagolden_slot(g, 7, 8, NCA_SLOT_READ), 0);
	put(g, NCAGOLDEN_SLOT, 7, 0, 11);
	put(g, NCAGOLDEN_SLOT, 7, 4, 12);
	CU_ASSERT_EQUAL(ncagolden_exec(g, NCA_ENGINE_SYNC, &in), 0);
	CU_ASSERT_EQUAL(get(g, NCAGOLDEN_PSUM, 5, 8), 11);
	CU_ASSERT_EQUAL(get(g, NCAGOLDEN_PSUM, 6, 8), 12);
	arg.ctl.dst = 2;
	arg.ctl.imm = 63;
	put(g, NCAGOLDEN_SCALAR, 0, 4 * 63, 99);
	CU_ASSERT_EQUAL(ncagolden_exec(g, NCA_ENGINE_GPSIMD, &arg), 0);
	CU_ASSERT_EQUAL(get(g, NCAGOLDEN_REG, NCA_ENGINE_GPSIMD, 8), 99);
	ncagolden_destroy(g);
}

/* The caller's rounding mode neither matters nor changes. */
static void test_environment(void)
{
	struct ncagolden *g = make("nca1");
	struct nca_inst in = { .opcode = NCA_OP_TENSOR_TENSOR };

	in.ew.dst = ap(NCA_MEM_SBUF, NCA_FP32, 0, 1, 8, 1);
	in.ew.src0 = ap(NCA_MEM_SBUF, NCA_FP32, 0, 1, 0, 1);
	in.ew.src1 = ap(NCA_MEM_SBUF, NCA_FP32, 0, 1, 4, 1);
	in.ew.op0 = NCA_ALU_ADD;
	put(g, NCAGOLDEN_SBUF, 0, 0, 0x3f800000);
	put(g, NCAGOLDEN_SBUF, 0, 4, 0x00000001);
	fesetround(FE_UPWARD);
	CU_ASSERT_EQUAL(ncagolden_exec(g, NCA_ENGINE_VECTOR, &in), 0);
	CU_ASSERT_EQUAL(fegetround(), FE_UPWARD);
	fesetround(FE_TONEAREST);
	CU_ASSERT_EQUAL(get(g, NCAGOLDEN_SBUF, 0, 8), 0x3f800000);
	ncagolden_destroy(g);
}

static void *worker(void *arg)
{
	struct ncagolden *g = NULL;
	struct nca_inst in = copy(0, 4);
	uint32_t v = (uint32_t)(uintptr_t)arg, have = 0;

	if (ncagolden_create("nca1", &g))
		return arg;
	for (int i = 0; i < 50 && have == (i ? v : 0); i++)
		if (ncagolden_write(g, NCAGOLDEN_SBUF, 0, 0, &v, 4) ||
		    ncagolden_exec(g, NCA_ENGINE_VECTOR, &in) ||
		    ncagolden_read(g, NCAGOLDEN_SBUF, 0, 4, &have, 4))
			break;
	ncagolden_destroy(g);
	return have == v ? NULL : arg;
}

static void test_threads(void)
{
	pthread_t t[3];

	for (uintptr_t i = 0; i < 3; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&t[i], NULL, worker, (void *)(i + 1)), 0);
	for (int i = 0; i < 3; i++) {
		void *bad;

		pthread_join(t[i], &bad);
		CU_ASSERT_PTR_NULL(bad);
	}
}

void suite_model(void)
{
	CU_pSuite s = CU_add_suite("golden model", NULL, NULL);

	CU_add_test(s, "state of every space, to its last word", test_state);
	CU_add_test(s, "compare", test_compare);
	CU_add_test(s, "one instruction", test_exec);
	CU_add_test(s, "step through a program", test_step);
	CU_add_test(s, "transfers and launch scalars", test_dma_and_scalars);
	CU_add_test(s, "the caller's rounding mode", test_environment);
	CU_add_test(s, "models in several threads", test_threads);
}
