/* SPDX-License-Identifier: MIT */
/* Where the time of a launch went: every tick of every stream has one reason. */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"

static struct prog p;
static struct run r;
static uint8_t buffer[4 << 20];

static const uint32_t T = NCA_ENGINE_TENSOR, V = NCA_ENGINE_VECTOR, S = NCA_ENGINE_SCALAR;
static const uint32_t G = NCA_ENGINE_GPSIMD, Y = NCA_ENGINE_SYNC;

static void begin(void)
{
	prog_init(&p, NCA_TARGET_NCA2);
	memset(&r, 0, sizeof(r));
	r.slot[0] = (struct slot){ buffer, sizeof(buffer), true, false, 0 };
}

/* What a stream did between tick 0 and the end of its HALT. */
static uint64_t accounted(uint32_t e)
{
	uint64_t t = r.report.wait_ticks[e], dispatched = 0;
	uint32_t i;

	for (i = 0; i < NCA_STALLS; i++)
		t += r.report.stall_by[e][i];
	CU_ASSERT_EQUAL(t - r.report.wait_ticks[e], r.report.stall_ticks[e]);
	CU_ASSERT(r.report.dma_wait_ticks[e] <= r.report.wait_ticks[e]);
	for (i = 0; i < p.header.stream[e].count; i++) {
		bool array = p.inst[e][i].opcode >= NCA_OP_LDSTAT &&
			     p.inst[e][i].opcode <= NCA_OP_TRANSPOSE;

		dispatched += array ? 16 * p.target->engine_ticks[e] : r.end[e][i] - r.start[e][i];
	}
	if (e != T)
		CU_ASSERT_EQUAL(dispatched, r.report.busy_ticks[e]);
	return t + dispatched;
}

static void run(void)
{
	prog_end(&p);
	CU_ASSERT_EQUAL_FATAL(prog_run(&p, &r), 0);
	CU_ASSERT_EQUAL_FATAL(r.result, CORE_DONE);
	for (uint32_t e = 0; e < NCA_ENGINES; e++)
		if (p.header.stream[e].count)
			CU_ASSERT_EQUAL(accounted(e), r.end[e][p.header.stream[e].count - 1]);
}

static struct nca_inst *copy(uint32_t engine, uint32_t dst, uint32_t smem, uint32_t src, uint32_t n)
{
	struct nca_inst *in = emit(&p, engine, NCA_OP_COPY);

	in->ew.dst = ap(NCA_MEM_SBUF, NCA_FP32, 0, 128, dst, n);
	in->ew.src0 = ap(smem, NCA_FP32, 0, 128, src, n);
	return in;
}

static struct nca_inst *matmul(uint32_t opcode, uint32_t rows, uint32_t n)
{
	struct nca_inst *in = emit(&p, T, opcode);

	in->mm.tile = (struct nca_pe_tile){ (uint8_t)(rows == 64 ? 64 : 0), 0, (uint8_t)rows, 128 };
	in->mm.src = ap(NCA_MEM_SBUF, NCA_BF16, 0, rows, 0, n);
	if (opcode == NCA_OP_MATMUL)
		in->mm.dst = ap(NCA_MEM_PSUM, NCA_FP32, 0, 128, 0, n);
	return in;
}

static void results(void)
{
	begin();
	for (int i = 0; i < 4; i++) /* each needs the one before */
		copy(V, 4096, NCA_MEM_SBUF, 4096, 100);
	run();
	CU_ASSERT_EQUAL(r.report.stall_by[V][NCA_STALL_RESULT], 3 * 60 * 5);
	CU_ASSERT_EQUAL(r.report.stall_ticks[V], 3 * 60 * 5);
}

static void ports(void)
{
	begin();
	copy(V, 0, NCA_MEM_SBUF, 8192, 300);
	copy(G, 16384, NCA_MEM_SBUF, 24576, 100);
	run();
	CU_ASSERT_EQUAL(r.report.stall_by[G][NCA_STALL_PORT], 300 * 5);
	CU_ASSERT_EQUAL(r.report.stall_ticks[V], 0);

	/* The scalar engine's second copy needs its first, and then the vector engine has PSUM. */
	begin();
	copy(S, 4096, NCA_MEM_SBUF, 8192, 64);
	copy(S, 12288, NCA_MEM_SBUF, 4096, 64)->ew.dst.mem = NCA_MEM_PSUM;
	p.inst[S][1].ew.dst.offset = 0;
	copy(V, 20480, NCA_MEM_PSUM, 2048, 500);
	run();
	CU_ASSERT_EQUAL(r.start[S][1], 500 * 5);
	CU_ASSERT_EQUAL(r.report.stall_by[S][NCA_STALL_RESULT], 200 * 4);
	CU_ASSERT_EQUAL(r.report.stall_by[S][NCA_STALL_PORT], 500 * 5 - 264 * 4);
}

static void array(void)
{
	begin();
	matmul(NCA_OP_LDSTAT, 128, 128); /* 32 cycles; dispatched every 16 */
	matmul(NCA_OP_MATMUL, 128, 400); /* 16 cycles for the tile */
	matmul(NCA_OP_MATMUL, 128, 100); /* 384 for the cells */
	run();
	CU_ASSERT_EQUAL(r.report.stall_by[T][NCA_STALL_ARRAY], (16 + 384) * 2);
	CU_ASSERT_EQUAL(r.report.stall_ticks[T], (16 + 384) * 2);
	CU_ASSERT_EQUAL(r.report.array_ticks, 500 * 2);
	CU_ASSERT_EQUAL(r.report.busy_ticks[T], (32 + 500 + 16) * 2);

	/* Side by side the array is busy once, the instructions twice. */
	begin();
	for (int i = 0; i < 2; i++) {
		matmul(NCA_OP_LDSTAT, 64, 128)->mm.tile.row = (uint8_t)(64 * i);
		matmul(NCA_OP_MATMUL, 64, 512)->mm.tile.row = (uint8_t)(64 * i);
	}
	run();
	CU_ASSERT_EQUAL(r.report.array_ticks, r.end[T][3] - r.start[T][1]);
	CU_ASSERT(r.report.array_ticks < 2 * 512 * 2);
	CU_ASSERT_EQUAL(r.report.busy_ticks[T], (32 + 512 + 32 + 512 + 16) * 2);
}

static void transfers(void)
{
	uint64_t done, waited;

	begin();
	for (uint32_t i = 0; i < 70; i++)
		update_add(emit_dma(&p, Y, true, NCA_MEM_SBUF, 0, 128, 0, 64, 0, 0, 3), 0, 1);
	wait_ge(copy(V, 4096, NCA_MEM_SBUF, 4096, 100), 0, 70);
	update_add(&p.inst[V][0], 1, 1);
	wait_ge(emit(&p, S, NCA_OP_NOP), 1, 1);
	run();
	/* 64 fit the queue; the 65th gets in when the first is over. */
	CU_ASSERT_EQUAL(r.report.stall_by[Y][NCA_STALL_DMA_QUEUE], r.report.stall_ticks[Y]);
	done = 128 + 7280 + 128 * 672;
	CU_ASSERT_EQUAL(r.start[Y][64], done);
	CU_ASSERT(r.report.stall_ticks[Y] >= done - 64 * 128);
	waited = r.start[V][0];
	CU_ASSERT_EQUAL(r.report.wait_ticks[V], waited);
	CU_ASSERT_EQUAL(r.report.dma_wait_ticks[V], waited);
	CU_ASSERT_EQUAL(r.report.dma_wait_ticks[S], 0);
	CU_ASSERT(r.report.wait_ticks[S] > waited);
}

/* Whatever a program does and however it is cut into slices: no tick is lost, none counted twice.
 */
static void nothing_is_lost(void)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct rng rng = { seed };

		begin();
		for (uint32_t i = 0; i < 60; i++) {
			static const uint32_t engine[] = { NCA_ENGINE_VECTOR, NCA_ENGINE_SCALAR,
							   NCA_ENGINE_GPSIMD };
			uint32_t e = engine[rng_below(&rng, 3)], n = 1 + rng_below(&rng, 300);
			uint32_t mem = e != G && rng_below(&rng, 2) ? NCA_MEM_PSUM : NCA_MEM_SBUF;

			switch (rng_below(&rng, 4)) {
			case 0:
				update_add(emit_dma(&p, e, true, NCA_MEM_SBUF, 0, 16, 0, 64, 0, 0,
						    rng_below(&rng, 2) ? 0 : NCA_DMA_SPREAD),
					   0, 1);
				break;
			case 1:
				matmul(NCA_OP_LDSTAT, rng_below(&rng, 2) ? 64 : 128, 128);
				matmul(NCA_OP_MATMUL,
				       p.inst[T][p.header.stream[T].count - 1].mm.tile.rows,
				       1 + rng_below(&rng, 512));
				break;
			default:
				copy(e, 2048 * rng_below(&rng, 3), mem, 2048 * rng_below(&rng, 3),
				     n);
				break;
			}
			/* Waits only look back, so that they end. */
			if (rng_below(&rng, 4) == 0) {
				update_add(emit(&p, T, NCA_OP_NOP), 1, 1);
				wait_ge(emit(&p, V, NCA_OP_NOP), 1, 1);
			}
		}
		r.step = seed % 3 ? 0 : 501;
		r.timed_only = seed % 2;
		run();
	}
}

void suite_stalls(void)
{
	CU_pSuite s = CU_add_suite("waits and stalls by reason", NULL, NULL);

	CU_add_test(s, "results in the pipeline", results);
	CU_add_test(s, "ports", ports);
	CU_add_test(s, "array", array);
	CU_add_test(s, "transfers", transfers);
	CU_add_test(s, "every tick is accounted for", nothing_is_lost);
}
