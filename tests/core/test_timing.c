/* SPDX-License-Identifier: MIT */
/* The published costs and the rules of part III of the data sheet, to the tick. */
#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

static struct prog p;
static struct run r;
static uint8_t buffer[8 << 20];

static void begin(uint32_t target)
{
	prog_init(&p, target);
	memset(&r, 0, sizeof(r));
	r.slot[0] = (struct slot){ buffer, sizeof(buffer), true, false, 0 };
	r.slot[1] = (struct slot){ buffer, sizeof(buffer), true, true, 0 };
}

static void run(void)
{
	prog_end(&p);
	CU_ASSERT_EQUAL_FATAL(prog_run(&p, &r), 0);
	CU_ASSERT_EQUAL_FATAL(r.result, CORE_DONE);
}

static struct nca_inst *activate(uint32_t dst, uint32_t src, uint32_t n)
{
	struct nca_inst *in = emit(&p, NCA_ENGINE_SCALAR, NCA_OP_ACTIVATE);

	in->ew.dst = ap(NCA_MEM_SBUF, NCA_FP32, 0, 1, dst, n);
	in->ew.src0 = ap(NCA_MEM_SBUF, NCA_FP32, 0, 1, src, n);
	return in;
}

static struct nca_inst *copy(uint32_t engine, uint32_t dmem, uint32_t dst, uint32_t smem,
			     uint32_t src, uint32_t n)
{
	struct nca_inst *in = emit(&p, engine, NCA_OP_COPY);

	in->ew.dst = ap(dmem, NCA_FP32, 0, 128, dst, n);
	in->ew.src0 = ap(smem, NCA_FP32, 0, 128, src, n);
	return in;
}

static struct nca_inst *matmul(uint32_t opcode, uint32_t col, uint32_t dst, uint32_t n)
{
	struct nca_inst *in = emit(&p, NCA_ENGINE_TENSOR, opcode);

	in->mm.tile = (struct nca_pe_tile){ (uint8_t)(col ? 64 : 0), (uint8_t)col, 64, 64 };
	in->mm.src = ap(NCA_MEM_SBUF, NCA_BF16, 0, 64, 0, opcode == NCA_OP_LDSTAT ? 64 : n);
	if (opcode == NCA_OP_MATMUL)
		in->mm.dst = ap(NCA_MEM_PSUM, NCA_FP32, 0, 64, dst, n);
	return in;
}

/* Occupation of one instruction of each kind, in cycles of its engine. */
static void occupation(void)
{
	struct nca_inst *in;
	uint32_t v = NCA_ENGINE_VECTOR, i = 0;
	uint64_t want[16];

	begin(NCA_TARGET_NCA2);
	in = copy(v, NCA_MEM_SBUF, 0, NCA_MEM_SBUF, 8192, 500);
	want[i++] = 500;
	in = copy(v, NCA_MEM_SBUF, 0, NCA_MEM_SBUF, 8192, 3);
	want[i++] = 64;
	in = copy(v, NCA_MEM_SBUF, 0, NCA_MEM_SBUF, 8192, 100);	/* stride of 20 bytes */
	in->ew.src0.stride[3] = 5;
	want[i++] = 200;
	in = copy(v, NCA_MEM_SBUF, 0, NCA_MEM_SBUF, 8192, 100);
	in->opcode = NCA_OP_TENSOR_TENSOR;
	in->ew.src1 = in->ew.src0;
	in->ew.op0 = NCA_ALU_ADD;
	want[i++] = 200;
	in = copy(v, NCA_MEM_SBUF, 0, NCA_MEM_SBUF, 8192, 100);
	in->opcode = NCA_OP_TENSOR_TENSOR;
	in->ew.src1 = in->ew.src0;
	in->ew.src1.mem = NCA_MEM_PSUM;
	in->ew.op0 = NCA_ALU_ADD;
	want[i++] = 100;
	in = copy(v, NCA_MEM_SBUF, 0, NCA_MEM_SBUF, 8192, 100);
	in->opcode = NCA_OP_TENSOR_TENSOR;
	in->ew.dst.dtype = in->ew.src0.dtype = NCA_BF16;
	in->ew.src1 = in->ew.src0;
	in->ew.op0 = NCA_ALU_MUL;
	want[i++] = 100;
	in = copy(v, NCA_MEM_SBUF, 0, NCA_MEM_SBUF, 8192, 100);
	in->opcode = NCA_OP_RECIPROCAL;
	want[i++] = 800;
	in = copy(v, NCA_MEM_SBUF, 0, NCA_MEM_SBUF, 8192, 300);
	in->opcode = NCA_OP_REDUCE;
	in->ew.dst.size[3] = 1;
	in->ew.param = 1;
	in->ew.op0 = NCA_ALU_MAX;
	want[i++] = 300;
	in = copy(v, NCA_MEM_SBUF, 0, NCA_MEM_SBUF, 8192, 100);
	in->opcode = NCA_OP_TENSOR_SCALAR;
	in->ew.s0 = imm(2);
	in->ew.op0 = NCA_ALU_MUL;
	in->ew.src1 = ap(NCA_MEM_SBUF, NCA_FP32, 0, 128, 16384, 1);
	in->ew.op2 = NCA_ALU_ADD;
	want[i++] = 164;
	run();
	for (uint32_t k = 0; k < i; k++)
		CU_ASSERT_EQUAL(r.end[v][k] - r.start[v][k], want[k] * 5);

	begin(NCA_TARGET_NCA2);
	matmul(NCA_OP_LDSTAT, 0, 0, 0);
	matmul(NCA_OP_MATMUL, 0, 0, 500);
	matmul(NCA_OP_MATMUL, 0, 0, 7);
	in = matmul(NCA_OP_LDSTAT, 0, 0, 0);
	in->mm.src.dtype = NCA_FP32;
	in = matmul(NCA_OP_MATMUL, 0, 0, 100);
	in->mm.src.dtype = NCA_FP32;
	in = emit(&p, NCA_ENGINE_SYNC, NCA_OP_NOP);
	run();
	CU_ASSERT_EQUAL(r.end[0][0] - r.start[0][0], 16 * 2);
	CU_ASSERT_EQUAL(r.end[0][1] - r.start[0][1], 500 * 2);
	CU_ASSERT_EQUAL(r.end[0][2] - r.start[0][2], 64 * 2);
	CU_ASSERT_EQUAL(r.end[0][3] - r.start[0][3], 64 * 2);
	CU_ASSERT_EQUAL(r.end[0][4] - r.start[0][4], 400 * 2);
	CU_ASSERT_EQUAL(r.end[NCA_ENGINE_SYNC][0], 16 * 4);
}

static void dependent_instructions(void)
{
	uint32_t s = NCA_ENGINE_SCALAR;

	begin(NCA_TARGET_NCA2);
	for (uint32_t i = 0; i < 4; i++)	/* x = f(x): 264 cycles = 189 ns each */
		activate(0, 0, 1);
	for (uint32_t i = 0; i < 4; i++)	/* independent of one another and of x */
		activate(1024 + 8 * i, 512 + 8 * i, 1);
	activate(2048, 1024 + 8, 1);		/* needs the second of them, 3 before it */
	run();
	for (uint32_t i = 1; i < 4; i++)
		CU_ASSERT_EQUAL(r.start[s][i] - r.start[s][i - 1], 264 * 4);
	for (uint32_t i = 4; i < 8; i++)
		CU_ASSERT_EQUAL(r.start[s][i] - r.start[s][i - 1], 64 * 4);
	CU_ASSERT_EQUAL(r.start[s][8] - r.start[s][5], 264 * 4);
	CU_ASSERT_EQUAL(nca_ticks_to_ns(p.target, 264 * 4), 188);
	CU_ASSERT_EQUAL(r.report.stall_ticks[s], (3 * 200 + (264 - 3 * 64)) * 4);
}

static void semaphores(void)
{
	const struct nca_target *t = nca_target_by_id(NCA_TARGET_NCA2);
	struct nca_inst *in;

	begin(NCA_TARGET_NCA2);
	in = copy(NCA_ENGINE_VECTOR, NCA_MEM_SBUF, 0, NCA_MEM_SBUF, 8192, 100);
	update_add(in, 5, 1);
	in->update[1] = (struct nca_update){ .sem = 6, .op = NCA_UPDATE_ADD | NCA_UPDATE_ON_READ,
					     .value = 1 };
	in = activate(4096, 4096, 1);
	wait_ge(in, 5, 1);
	in = emit(&p, NCA_ENGINE_SYNC, NCA_OP_NOP);
	wait_ge(in, 6, 1);
	run();
	CU_ASSERT_EQUAL(r.start[NCA_ENGINE_SCALAR][0], (100 + 60) * 5 + t->sem_ticks);
	CU_ASSERT_EQUAL(r.start[NCA_ENGINE_SYNC][0], 100 * 5 + t->sem_ticks);
	CU_ASSERT_EQUAL(r.report.wait_ticks[NCA_ENGINE_SCALAR], r.start[NCA_ENGINE_SCALAR][0]);
	CU_ASSERT_EQUAL(r.report.busy_ticks[NCA_ENGINE_VECTOR], 100 * 5 + 16 * 5);
}

static void array(void)
{
	uint32_t e = NCA_ENGINE_TENSOR;

	begin(NCA_TARGET_NCA2);
	matmul(NCA_OP_LDSTAT, 0, 0, 0);		/* 0: 16 cycles */
	matmul(NCA_OP_MATMUL, 0, 0, 512);	/* 1 */
	matmul(NCA_OP_LDSTAT, 0, 0, 0);		/* 2: in the background of 1 */
	matmul(NCA_OP_MATMUL, 0, 2048, 512);	/* 3: right behind 1 */
	matmul(NCA_OP_LDSTAT, 64, 0, 0);	/* 4: another tile */
	matmul(NCA_OP_MATMUL, 64, 4096, 512);	/* 5: beside 3 */
	run();
	CU_ASSERT_EQUAL(r.start[e][1], 32);
	CU_ASSERT_EQUAL(r.start[e][2], r.start[e][1] + 32);
	CU_ASSERT_EQUAL(r.start[e][3], r.end[e][1]);
	CU_ASSERT_EQUAL(r.start[e][4], r.start[e][3] + 32);
	CU_ASSERT_EQUAL(r.start[e][5], r.start[e][4] + 32);
	CU_ASSERT(r.start[e][5] < r.end[e][3]);

	/* 128 columns on an array of 64: two passes. */
	begin(NCA_TARGET_NCA1);
	for (int i = 0; i < 2; i++) {
		struct nca_inst *in = emit(&p, e, i ? NCA_OP_MATMUL : NCA_OP_LDSTAT);

		in->mm.tile = (struct nca_pe_tile){ 0, 0, 128, 128 };
		in->mm.src = ap(NCA_MEM_SBUF, NCA_BF16, 0, 128, 0, i ? 200 : 128);
		if (i)
			in->mm.dst = ap(NCA_MEM_PSUM, NCA_FP32, 0, 128, 0, 200);
	}
	run();
	CU_ASSERT_EQUAL(r.end[e][0] - r.start[e][0], 2 * 32 * 4);
	CU_ASSERT_EQUAL(r.end[e][1] - r.start[e][1], 2 * 200 * 4);
}

static void ports(void)
{
	uint32_t v = NCA_ENGINE_VECTOR, g = NCA_ENGINE_GPSIMD, s = NCA_ENGINE_SCALAR;

	/* Vector and gpsimd take turns in SBUF, whoever has waited longer first. */
	begin(NCA_TARGET_NCA2);
	copy(v, NCA_MEM_SBUF, 0, NCA_MEM_SBUF, 8192, 100);
	copy(v, NCA_MEM_SBUF, 1024, NCA_MEM_SBUF, 8192, 100);
	copy(g, NCA_MEM_SBUF, 16384, NCA_MEM_SBUF, 24576, 100);
	run();
	CU_ASSERT_EQUAL(r.start[v][0], 0);
	CU_ASSERT_EQUAL(r.start[g][0], r.end[v][0]);
	CU_ASSERT_EQUAL(r.start[v][1], r.end[g][0]);
	CU_ASSERT_EQUAL(r.report.stall_ticks[g], r.end[v][0]);

	/* Vector and scalar in PSUM; in SBUF they do not disturb each other. */
	begin(NCA_TARGET_NCA2);
	copy(v, NCA_MEM_SBUF, 0, NCA_MEM_PSUM, 0, 100);
	copy(v, NCA_MEM_SBUF, 0, NCA_MEM_SBUF, 8192, 100);
	copy(s, NCA_MEM_SBUF, 4096, NCA_MEM_PSUM, 2048, 100);
	copy(s, NCA_MEM_SBUF, 4096, NCA_MEM_SBUF, 16384, 100);
	run();
	CU_ASSERT_EQUAL(r.start[s][0], r.end[v][0]);
	CU_ASSERT_EQUAL(r.start[v][1], r.end[v][0]);
}

/* One transfer alone takes what nca_dma_ticks() says, after the trigger's 32 cycles. */
static void lone_transfer(uint32_t target, uint32_t queue, uint32_t nparts, uint32_t bytes,
			  uint32_t slices, uint32_t engines)
{
	struct nca_inst *in;
	uint64_t trigger, want;

	begin(target);
	r.bw_slices = slices;
	r.dma_engines = engines;
	in = emit_dma(&p, NCA_ENGINE_SYNC, true, NCA_MEM_SBUF, 0, nparts, 0, bytes, 0, 0, queue);
	update_add(in, 0, 1);
	trigger = 32 * p.target->engine_ticks[NCA_ENGINE_SYNC];
	want = trigger + nca_dma_ticks(p.target, &in->dma, engines, slices) + p.target->sem_ticks;
	in = emit(&p, NCA_ENGINE_SCALAR, NCA_OP_NOP);
	wait_ge(in, 0, 1);
	run();
	CU_ASSERT_EQUAL(r.start[NCA_ENGINE_SCALAR][0], want);
	CU_ASSERT_EQUAL(r.report.dma_bytes, (uint64_t)nparts * bytes);
}

static void dma(void)
{
	const struct nca_target *nca2 = nca_target_by_id(NCA_TARGET_NCA2);
	struct nca_inst *in;
	uint64_t alone, d;

	for (uint32_t t = NCA_TARGET_NCA1; t <= NCA_TARGET_NCA2; t++) {
		uint32_t engines = nca_target_by_id(t)->dma_engines;

		for (uint32_t slices = 1; slices <= 8; slices *= 2) {
			lone_transfer(t, 0, 1, 64, slices, engines);
			lone_transfer(t, 0, 128, 64, slices, engines);
			lone_transfer(t, 1, 128, 16384, slices, engines);
			lone_transfer(t, NCA_DMA_SPREAD, 128, 2048, slices, engines);
			lone_transfer(t, NCA_DMA_SPREAD, 96, 65536, slices, engines);
			lone_transfer(t, NCA_DMA_SPREAD, 5, 4096, slices, 2);
		}
	}

	/* In one queue one after the other; in two side by side if the memory keeps up. */
	for (uint32_t q = 0; q < 2; q++) {
		begin(NCA_TARGET_NCA2);
		for (uint32_t i = 0; i < 2; i++) {
			in = emit_dma(&p, NCA_ENGINE_SYNC, true, NCA_MEM_SBUF, 0, 128, i * 4096, 64, 0,
				      0, i * q);
			update_add(in, i, 1);
			in = emit(&p, i ? NCA_ENGINE_VECTOR : NCA_ENGINE_SCALAR, NCA_OP_NOP);
			wait_ge(in, i, 1);
		}
		run();
		alone = 128 + nca2->dma_t0_ticks + 128 * nca2->dma_desc_ticks + nca2->sem_ticks;
		CU_ASSERT_EQUAL(r.start[NCA_ENGINE_SCALAR][0], alone);
		d = r.start[NCA_ENGINE_VECTOR][0] - alone;
		CU_ASSERT_EQUAL(d, q ? 128 : 128 * nca2->dma_desc_ticks);
	}

	/* Two fast queues share what one slice of nca1's memory gives. */
	begin(NCA_TARGET_NCA1);
	r.bw_slices = 1;
	for (uint32_t i = 0; i < 2; i++)
		emit_dma(&p, NCA_ENGINE_SYNC, true, NCA_MEM_SBUF, 0, 128, i * 8192, 8192, 0, 0, i);
	run();
	/* 2 MiB at 50 GiB/s / 8 = 312.5 us; both are under way from the first tick. */
	CU_ASSERT_EQUAL(r.report.ticks, 2 * 128 + 5200 + 1250000 - 128);

	/* The host link is a memory of its own, one for each direction. */
	begin(NCA_TARGET_NCA1);
	emit_dma(&p, NCA_ENGINE_SYNC, true, NCA_MEM_SBUF, 0, 128, 0, 8192, 1, 0, 0);
	emit_dma(&p, NCA_ENGINE_SYNC, false, NCA_MEM_SBUF, 0, 128, 8192, 8192, 1, 0, 1);
	run();
	CU_ASSERT_EQUAL(r.report.ticks, 2 * 128 + 5200 + 524288);	/* 1 MiB at 8 GB/s */
}

/* Nothing about a launch depends on how it is run. */
static void same_time(void)
{
	uint64_t ticks = 0;

	for (int how = 0; how < 4; how++) {
		begin(NCA_TARGET_NCA2);
		for (uint32_t i = 0; i < 40; i++) {
			struct nca_inst *in = emit_dma(&p, NCA_ENGINE_SYNC, true, NCA_MEM_SBUF, 0, 128,
						       i % 8 * 1024, 1024, i & 1, 0,
						       i % 3 ? i % 16 : NCA_DMA_SPREAD);

			update_add(in, 0, 1);
			in = activate(i % 8 * 1024, i % 8 * 1024, 200);
			wait_ge(in, 0, i + 1);
			update_add(in, 1, 1);
			in = copy(NCA_ENGINE_VECTOR, NCA_MEM_PSUM, 0, NCA_MEM_SBUF, i % 8 * 1024, 256);
			wait_ge(in, 1, i + 1);
		}
		r.timed_only = how == 1;
		r.step = how == 2 ? 1000 : 0;
		r.simd = how == 3 ? CORE_SIMD_SCALAR : CORE_SIMD_AUTO;
		run();
		if (!how)
			ticks = r.report.ticks;
		CU_ASSERT_EQUAL(r.report.ticks, ticks);
		if (how == 2)
			CU_ASSERT(r.yields > 50);
	}
}

/* More transfers than a queue holds: the stream stalls, nothing is lost. */
static void full_queue(void)
{
	const struct nca_target *t = nca_target_by_id(NCA_TARGET_NCA2);

	begin(NCA_TARGET_NCA2);
	for (uint32_t i = 0; i < 200; i++)
		update_add(emit_dma(&p, NCA_ENGINE_SYNC, true, NCA_MEM_SBUF, 0, 128, 0, 64, 0, 0, 0), 0, 1);
	wait_ge(emit(&p, NCA_ENGINE_VECTOR, NCA_OP_NOP), 0, 200);
	run();
	CU_ASSERT_EQUAL(r.start[NCA_ENGINE_VECTOR][0],
			128 + t->dma_t0_ticks + 200ull * 128 * t->dma_desc_ticks + t->sem_ticks);
	CU_ASSERT(r.report.stall_ticks[NCA_ENGINE_SYNC] > 100ull * 128 * t->dma_desc_ticks);
}

void suite_timing(void)
{
	CU_pSuite s = CU_add_suite("time", NULL, NULL);

	CU_add_test(s, "occupation", occupation);
	CU_add_test(s, "dependent instructions of one engine", dependent_instructions);
	CU_add_test(s, "semaphores", semaphores);
	CU_add_test(s, "background loads and tiles of the array", array);
	CU_add_test(s, "ports", ports);
	CU_add_test(s, "DMA", dma);
	CU_add_test(s, "full DMA queue", full_queue);
	CU_add_test(s, "independent of slicing, mode and arithmetic", same_time);
}
