// SPDX-License-Identifier: MIT
/* Times and reasons of programs written by hand, so that each has one thing to find. */
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

#define MAX_INSTS 96

enum { OP_PROGRAM, OP_LOAD, OP_WORK, OP_NAMES };
static const char *names[OP_NAMES] = { "program", "load", "work" };

static struct nca_inst insts[NCA_ENGINES][MAX_INSTS];
static struct mir_program program;
static struct cc cc;
static struct mir_timing *timing;
static struct accelcc_report *report;

static const struct nca_target *nca2(void)
{
	return nca_target_by_name("nca2");
}

static void begin(void)
{
	memset(insts, 0, sizeof(insts));
	memset(&program, 0, sizeof(program));
	for (int e = 0; e < NCA_ENGINES; e++)
		program.stream[e].inst = insts[e];
}

static struct nca_inst *emit(enum nca_engine e, enum nca_opcode opcode, uint32_t op)
{
	struct nca_inst *in = &insts[e][program.stream[e].num++];

	in->opcode = (uint8_t)opcode;
	in->op_id = op;
	return in;
}

static void wait_for(struct nca_inst *in, uint8_t sem, uint32_t value)
{
	in->wait[in->wait[0].cond ? 1 : 0] =
		(struct nca_wait) { .sem = sem, .cond = NCA_WAIT_GE, .value = value };
}

static void signal_on(struct nca_inst *in, uint8_t sem)
{
	in->update[0] = (struct nca_update) { .sem = sem, .op = NCA_UPDATE_ADD, .value = 1 };
}

static struct nca_ap operand(enum nca_mem mem, uint32_t offset, uint16_t n)
{
	return (struct nca_ap) { .mem = (uint8_t)mem, .dtype = NCA_BF16, .nparts = 128,
				 .offset = offset, .size = { 1, 1, 1, n },
				 .stride = { 0, 0, 0, 1 } };
}

static struct nca_inst *copy(enum nca_engine e, enum nca_mem to, uint32_t dst, enum nca_mem from,
			     uint32_t src, uint16_t n)
{
	struct nca_inst *in = emit(e, NCA_OP_COPY, OP_WORK);

	in->ew.dst = operand(to, dst, n);
	in->ew.src0 = operand(from, src, n);
	return in;
}

/* Rows of @bytes from @slot into each partition. */
static struct nca_inst *load(uint16_t slot, uint32_t bytes, uint8_t queue)
{
	struct nca_inst *in = emit(NCA_ENGINE_SYNC, NCA_OP_DMA, OP_LOAD);

	in->dma = (struct nca_body_dma) {
		.dst = { .mem = NCA_MEM_SBUF, .stride = { 1, 0, 0, 1 } },
		.src = { .mem = NCA_MEM_SLOT, .slot = slot, .stride = { (int32_t)bytes, 0, 0, 1 } },
		.size = { 128, 1, 1, bytes }, .queue = queue, .elem = 1,
	};
	return in;
}

static struct nca_inst *ldstat(void)
{
	struct nca_inst *in = emit(NCA_ENGINE_TENSOR, NCA_OP_LDSTAT, OP_WORK);

	in->mm.src = operand(NCA_MEM_SBUF, 0, 128);
	in->mm.tile = (struct nca_pe_tile) { 0, 0, 128, 128 };
	return in;
}

static struct nca_inst *matmul(uint16_t n)
{
	struct nca_inst *in = emit(NCA_ENGINE_TENSOR, NCA_OP_MATMUL, OP_WORK);

	in->mm.dst = operand(NCA_MEM_PSUM, 0, n);
	in->mm.src = operand(NCA_MEM_SBUF, 0, n);
	in->mm.tile = (struct nca_pe_tile) { 0, 0, 128, 128 };
	return in;
}

static void make(struct cc *c, void *arg)
{
	struct mir_share share = mir_whole_core(nca2());

	(void)arg;
	timing = mir_time(c, &program, nca2(), &share, true);
	report = report_make(c, nca2(), &share, &program, timing, names, OP_NAMES);
}

static enum accelcc_status run(void)
{
	for (int e = 0; e < NCA_ENGINES; e++)
		if (program.stream[e].num)
			emit((enum nca_engine)e, NCA_OP_HALT, OP_PROGRAM);
	cc_init(&cc, (size_t)1 << 26);
	return cc_run(&cc, make, NULL);
}

/* The longest stall of this kind on @e must say @text and have lasted @ticks. */
static void expect(enum nca_engine e, enum accelcc_stall_kind kind, uint64_t ticks,
		   const char *text)
{
	for (size_t i = 0; i < report->num_stalls; i++) {
		const struct accelcc_stall *s = &report->stall[i];

		if (s->engine != (enum accelcc_resource)e || s->kind != kind)
			continue;
		CU_ASSERT_EQUAL(s->ns, nca_ticks_to_ns(nca2(), ticks));
		CU_ASSERT_EQUAL(report->engine[e].stall_ns[kind], s->ns);
		if (!strstr(s->text, text)) {
			printf("  '%s' does not say '%s'\n", s->text, text);
			CU_FAIL("reason");
		}
		return;
	}
	CU_FAIL("no such stall");
}

/* What every report must keep to. */
static void finish(void)
{
	uint64_t path = report->dma_critical_ns + report->dma_latency_ns, ops = 0;

	for (int e = 0; e < NCA_ENGINES; e++)
		path += report->engine[e].critical_ns;
	for (size_t i = 0; i < report->num_ops; i++)
		ops += report->op[i].critical_ns;
	CU_ASSERT_EQUAL(report->total_ns, nca_ticks_to_ns(nca2(), timing->ticks));
	/* Every tick once, but for what rounding down to ns leaves. */
	CU_ASSERT(path <= report->total_ns && path + NCA_ENGINES + 2 > report->total_ns);
	CU_ASSERT(ops <= report->total_ns && ops + OP_NAMES > report->total_ns);
	CU_ASSERT(report->bound_ns <= report->total_ns);
	cc_destroy(&cc);
}

#define T0 7280u
#define SEM 112u
#define TRIGGER (32u * 4)

static void test_transfer_latency(void)
{
	begin();
	signal_on(load(MIR_SLOT_WEIGHTS, 64, 0), 7);
	wait_for(ldstat(), 7, 1);
	matmul(512);
	CU_ASSERT_FATAL(run() == ACCELCC_OK);
	/* 128 descriptors of 672 ticks on one engine. */
	expect(NCA_ENGINE_TENSOR, ACCELCC_STALL_TRANSFER, TRIGGER + T0 + 128 * 672 + SEM,
	       "tensor waited 16.7 us in 'work' for weights of 'load': DMA bound, its bytes were "
	       "moving");
	/* Its matmul is dispatched after 16 cycles and stands 16 more until the tile is there. */
	expect(NCA_ENGINE_TENSOR, ACCELCC_STALL_ARRAY, 32, "loads of stationary tiles");
	finish();

	begin();
	signal_on(load(MIR_SLOT_WEIGHTS, 64, NCA_DMA_SPREAD), 7);
	wait_for(ldstat(), 7, 1);
	CU_ASSERT_FATAL(run() == ACCELCC_OK);
	expect(NCA_ENGINE_TENSOR, ACCELCC_STALL_TRANSFER, TRIGGER + T0 + 8 * 672 + SEM,
	       "latency from trigger to first data");
	CU_ASSERT_EQUAL(report->need_ns[ACCELCC_DMA_ENGINES], nca_ticks_to_ns(nca2(), 8 * 672));
	CU_ASSERT_EQUAL(report->weight_bytes, 128 * 64);
	CU_ASSERT_STRING_EQUAL(report->op[1].name, "load");
	CU_ASSERT(report->op[1].critical_ns > report->total_ns / 2);
	finish();
}

static void test_transfer_queued(void)
{
	begin();
	load(MIR_SLOT_IO, 4096, 3);
	signal_on(load(MIR_SLOT_SCRATCH, 64, 3), 7);
	wait_for(copy(NCA_ENGINE_VECTOR, NCA_MEM_SBUF, 0, NCA_MEM_SBUF, 4096, 64), 7, 1);
	CU_ASSERT_FATAL(run() == ACCELCC_OK);
	CU_ASSERT_EQUAL(report->host_bytes, 128 * 4096);
	CU_ASSERT_EQUAL(report->activation_bytes, 128 * 64);
	CU_ASSERT_EQUAL(report->busiest, ACCELCC_VECTOR);
	/* The chain leads through both transfers, back to the trigger of the first. */
	CU_ASSERT_EQUAL(report->dma_latency_ns, nca_ticks_to_ns(nca2(), T0));
	CU_ASSERT(report->dma_critical_ns > report->total_ns * 3 / 4);
	for (size_t i = 0; i < report->num_stalls; i++)
		if (report->stall[i].engine == ACCELCC_VECTOR)
			CU_ASSERT(strstr(report->stall[i].text,
					 "activations of 'load': DMA bound, it stood behind other "
					 "transfers") != NULL);
	finish();
}

static void test_transfer_late(void)
{
	begin();
	signal_on(copy(NCA_ENGINE_SCALAR, NCA_MEM_SBUF, 0, NCA_MEM_SBUF, 8192, 30000), 1);
	wait_for(load(MIR_SLOT_WEIGHTS, 64, NCA_DMA_SPREAD), 1, 1);
	signal_on(&insts[NCA_ENGINE_SYNC][0], 7);
	wait_for(copy(NCA_ENGINE_VECTOR, NCA_MEM_SBUF, 0, NCA_MEM_SBUF, 4096, 64), 7, 1);
	CU_ASSERT_FATAL(run() == ACCELCC_OK);
	expect(NCA_ENGINE_VECTOR, ACCELCC_STALL_TRANSFER,
	       30000 * 4 + 200 * 4 + SEM + TRIGGER + T0 + 8 * 672 + SEM,
	       "triggered late because sync waited for scalar in 'work'");
	finish();
}

static void test_engine(void)
{
	begin();
	signal_on(copy(NCA_ENGINE_SCALAR, NCA_MEM_SBUF, 0, NCA_MEM_SBUF, 8192, 1000), 1);
	wait_for(copy(NCA_ENGINE_VECTOR, NCA_MEM_SBUF, 4096, NCA_MEM_SBUF, 0, 64), 1, 1);
	CU_ASSERT_FATAL(run() == ACCELCC_OK);
	expect(NCA_ENGINE_VECTOR, ACCELCC_STALL_ENGINE, 1000 * 4 + 200 * 4 + SEM,
	       "vector waited 0.9 us in 'work' for scalar: it was at work");
	CU_ASSERT_EQUAL(report->engine[NCA_ENGINE_SCALAR].busy_ns,
			nca_ticks_to_ns(nca2(), 1000 * 4 + 16 * 4));	/* and HALT */
	finish();
}

/* The stream stands, but behind a product: nothing is lost. */
static void test_array(void)
{
	begin();
	ldstat();
	matmul(512);
	ldstat();
	ldstat();
	matmul(512);
	CU_ASSERT_FATAL(run() == ACCELCC_OK);
	expect(NCA_ENGINE_TENSOR, ACCELCC_STALL_ARRAY, 32, "loads of stationary tiles");
	CU_ASSERT_EQUAL(timing->array_ticks, 2 * 512 * 2);
	finish();
}

static void test_result(void)
{
	begin();
	copy(NCA_ENGINE_SCALAR, NCA_MEM_SBUF, 0, NCA_MEM_SBUF, 8192, 64);
	copy(NCA_ENGINE_SCALAR, NCA_MEM_SBUF, 4096, NCA_MEM_SBUF, 0, 64);
	CU_ASSERT_FATAL(run() == ACCELCC_OK);
	expect(NCA_ENGINE_SCALAR, ACCELCC_STALL_RESULT, 200 * 4, "its own result in the pipeline");
	finish();
}

static void test_port(void)
{
	begin();
	copy(NCA_ENGINE_VECTOR, NCA_MEM_SBUF, 0, NCA_MEM_PSUM, 0, 800);
	copy(NCA_ENGINE_SCALAR, NCA_MEM_SBUF, 4096, NCA_MEM_PSUM, 2048, 64);
	CU_ASSERT_FATAL(run() == ACCELCC_OK);
	expect(NCA_ENGINE_SCALAR, ACCELCC_STALL_PORT, 800 * 5, "the port vector held");
	finish();
}

static void test_queue_full(void)
{
	begin();
	/* 70 in one queue: the 65th is triggered when the first is done. */
	for (int i = 0; i < 70; i++)
		load(MIR_SLOT_WEIGHTS, 64, 0)->dma.size[0] = 10;
	CU_ASSERT_FATAL(run() == ACCELCC_OK);
	expect(NCA_ENGINE_SYNC, ACCELCC_STALL_QUEUE,
	       TRIGGER + T0 + 10 * 672 - 64 * TRIGGER + 5 * (10 * 672 - TRIGGER),
	       "room in a DMA queue");
	finish();
}

/* A full-size product: the array is the bound and its peak is reached. */
static void test_roofline(void)
{
	const struct accelcc_op_report *op;

	begin();
	ldstat();
	for (int i = 0; i < 20; i++)
		matmul(512);
	CU_ASSERT_FATAL(run() == ACCELCC_OK);
	op = &report->op[1];
	CU_ASSERT_STRING_EQUAL(op->name, "work");
	CU_ASSERT_EQUAL(op->macs, 20ull * 512 * 128 * 128);
	CU_ASSERT_EQUAL(op->roof, ACCELCC_ROOF_COMPUTE);
	CU_ASSERT_EQUAL(op->limit, ACCELCC_TENSOR);
	CU_ASSERT_EQUAL(op->limit_ns, nca_ticks_to_ns(nca2(), 20 * 512 * 2));
	CU_ASSERT_EQUAL(op->cycles[NCA_ENGINE_TENSOR], 32 + 20 * 512);
	CU_ASSERT(op->utilization > 0.98 && op->utilization <= 1.0);
	CU_ASSERT_EQUAL(report->bound, ACCELCC_TENSOR);
	CU_ASSERT_DOUBLE_EQUAL(report->peak_flops, 2.0 * 128 * 128 * 2.8e9, 1e6);
	CU_ASSERT_DOUBLE_EQUAL(report->memory_bandwidth, 410e9, 1e6);
	finish();
}

/* What the compiler must never emit is an internal error, not a wrong time. */
static void test_refused(void)
{
	begin();
	emit(NCA_ENGINE_VECTOR, NCA_OP_BRANCH, OP_WORK);
	CU_ASSERT_EQUAL(run(), ACCELCC_FAILED);
	cc_destroy(&cc);

	begin();
	wait_for(copy(NCA_ENGINE_VECTOR, NCA_MEM_SBUF, 0, NCA_MEM_SBUF, 4096, 64), 1, 1);
	CU_ASSERT_EQUAL(run(), ACCELCC_FAILED);
	cc_destroy(&cc);
}

static void test_copy_outlives(void)
{
	struct accelcc_report *kept;

	begin();
	signal_on(load(MIR_SLOT_WEIGHTS, 64, 0), 7);
	wait_for(ldstat(), 7, 1);
	CU_ASSERT_FATAL(run() == ACCELCC_OK);
	kept = report_copy(report);
	cc_destroy(&cc);
	CU_ASSERT_PTR_NOT_NULL_FATAL(kept);
	CU_ASSERT_EQUAL(kept->num_ops, 3);
	CU_ASSERT_STRING_EQUAL(kept->op[0].name, "program");
	CU_ASSERT_STRING_EQUAL(kept->op[2].name, "work");
	CU_ASSERT(kept->num_stalls > 0 && kept->stall[0].text[0]);
	free(kept);
}

int main(void)
{
	static const struct {
		const char *name;
		CU_TestFunc fn;
	} tests[] = {
		{ "waiting for a transfer: moving, latency", test_transfer_latency },
		{ "waiting for a transfer: queued", test_transfer_queued },
		{ "waiting for a transfer: triggered late", test_transfer_late },
		{ "waiting for an engine", test_engine },
		{ "loads behind products", test_array },
		{ "own results", test_result },
		{ "ports", test_port },
		{ "DMA queues", test_queue_full },
		{ "roofline and bound", test_roofline },
		{ "branches and deadlocks", test_refused },
		{ "the copy", test_copy_outlives },
	};
	CU_pSuite suite;
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	suite = CU_add_suite("report", NULL, NULL);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		CU_add_test(suite, tests[i].name, tests[i].fn);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures ? 1 : 0;
}
