/* SPDX-License-Identifier: MIT */
/*
 * The front end with the real core: a launch that is preempted again and again
 * computes what it computes undisturbed, bit for bit, in the same ticks.
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "../device/host.h"

#define LAPS	400u
#define ELEMS	512u
#define BYTES	(128u * ELEMS * 4)

struct tenant {
	struct hctx ctx;
	struct hqueue q;
	uint64_t program, args_va, in_va, out_va, report_va;
	uint32_t args_len;
	float *in, *out;
	struct nca_launch_report *report;
};

static struct nca_ap whole(void)
{
	return (struct nca_ap){
		.mem = NCA_MEM_SBUF, .dtype = NCA_FP32, .nparts = 128,
		.size = { 1, 1, 1, ELEMS }, .stride = { 0, 0, 0, 1 },
	};
}

static struct nca_inst dma(bool in)
{
	struct nca_dma_side sbuf = { .mem = NCA_MEM_SBUF, .stride = { 1, 0, 0, 4 } };
	struct nca_dma_side slot = {
		.mem = NCA_MEM_SLOT, .slot = in ? 0 : 1, .stride = { ELEMS * 4, 0, 0, 4 },
	};
	struct nca_inst i = { .opcode = NCA_OP_DMA };

	i.dma.dst = in ? sbuf : slot;
	i.dma.src = in ? slot : sbuf;
	i.dma.size[0] = 128;
	i.dma.size[1] = 1;
	i.dma.size[2] = 1;
	i.dma.size[3] = ELEMS;
	i.dma.elem = 4;
	return i;
}

static struct nca_inst multiply_add(void)
{
	struct nca_inst i = { .opcode = NCA_OP_TENSOR_SCALAR };
	float mul = 1.0009765625f, add = 0.5f;

	i.ew.dst = whole();
	i.ew.src0 = whole();
	i.ew.op0 = NCA_ALU_MUL;
	i.ew.op1 = NCA_ALU_ADD;
	i.ew.s0 = (struct nca_scalar){ .kind = NCA_SCALAR_IMM, .dtype = NCA_FP32 };
	i.ew.s1 = i.ew.s0;
	memcpy(&i.ew.s0.value, &mul, 4);
	memcpy(&i.ew.s1.value, &add, 4);
	return i;
}

static struct nca_inst ctl(uint8_t opcode)
{
	return (struct nca_inst){ .opcode = opcode };
}

/* in -> SBUF; LAPS times x = x * m + a on the vector engine; SBUF -> out. */
static uint32_t write_program(uint8_t *mem)
{
	struct nca_program_header *h = (void *)mem;
	struct nca_inst *sync = (void *)(mem + 128), *vec = sync + 4;

	*h = (struct nca_program_header){
		.magic = NCA_PROGRAM_MAGIC, .version = NCA_ISA_VERSION, .target = NCA_TARGET_NCA1,
		.size = 128 + 10 * 128, .slots = 2, .sbuf_live = ELEMS * 4,
	};
	h->stream[NCA_ENGINE_SYNC].offset = 128;
	h->stream[NCA_ENGINE_SYNC].count = 4;
	h->stream[NCA_ENGINE_VECTOR].offset = 128 + 4 * 128;
	h->stream[NCA_ENGINE_VECTOR].count = 6;
	sync[0] = dma(true);
	sync[0].update[0] = (struct nca_update){ .sem = 0, .op = NCA_UPDATE_ADD, .value = 1 };
	sync[1] = dma(false);
	sync[1].wait[0] = (struct nca_wait){ .sem = 1, .cond = NCA_WAIT_GE, .value = 1 };
	sync[1].update[0] = (struct nca_update){ .sem = 2, .op = NCA_UPDATE_ADD, .value = 1 };
	sync[2] = ctl(NCA_OP_NOP);
	sync[2].wait[0] = (struct nca_wait){ .sem = 2, .cond = NCA_WAIT_GE, .value = 1 };
	sync[3] = ctl(NCA_OP_HALT);
	vec[0] = ctl(NCA_OP_MOVI);
	vec[0].ctl.dst = 1;
	vec[0].ctl.imm = LAPS;
	vec[0].wait[0] = (struct nca_wait){ .sem = 0, .cond = NCA_WAIT_GE, .value = 1 };
	vec[1] = multiply_add();
	vec[2] = ctl(NCA_OP_ALU);
	vec[2].flags = NCA_F_IMM;
	vec[2].ctl.dst = 1;
	vec[2].ctl.a = 1;
	vec[2].ctl.op = NCA_ALU_SUB;
	vec[2].ctl.imm = 1;
	vec[3] = ctl(NCA_OP_BRANCH);
	vec[3].flags = NCA_F_IMM;
	vec[3].ctl.a = 1;
	vec[3].ctl.op = NCA_ALU_GT;
	vec[3].ctl.target = 1;
	vec[4] = multiply_add();
	vec[4].update[0] = (struct nca_update){ .sem = 1, .op = NCA_UPDATE_ADD, .value = 1 };
	vec[5] = ctl(NCA_OP_HALT);
	return h->size;
}

static void tenant_open(struct host *h, struct tenant *t, uint32_t id, float seed)
{
	struct nca_launch_args *args;
	uint8_t *text;

	CU_ASSERT_EQUAL_FATAL(host_ctx_create(h, &t->ctx, 1, 0, 0), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL_FATAL(host_queue_create(h, &t->ctx, &t->q, id, 4, 4, NCA_CORE_ANY),
			      NCA_ADMIN_OK);
	text = host_buffer(h, &t->ctx, 4096, NCA_MAP_READ, &t->program);
	write_program(text);
	t->in = host_buffer(h, &t->ctx, BYTES, NCA_MAP_READ, &t->in_va);
	t->out = host_buffer(h, &t->ctx, BYTES, NCA_MAP_READ | NCA_MAP_WRITE, &t->out_va);
	t->report = host_buffer(h, &t->ctx, 4096, NCA_MAP_WRITE, &t->report_va);
	args = host_buffer(h, &t->ctx, 4096, NCA_MAP_READ, &t->args_va);
	for (uint32_t i = 0; i < 128 * ELEMS; i++)
		t->in[i] = seed + (float)i * 0.001f;
	args->slots = 2;
	args->slot[0] = (struct nca_slot){ .va = t->in_va, .len = BYTES, .flags = NCA_SLOT_READ };
	args->slot[1] = (struct nca_slot){ .va = t->out_va, .len = BYTES, .flags = NCA_SLOT_WRITE };
	t->args_len = sizeof(*args) + 2 * sizeof(struct nca_slot);
}

static void start(struct tenant *t)
{
	struct nca_sqe s = { .opcode = NCA_SQE_LAUNCH };

	s.launch.program = t->program;
	s.launch.args = t->args_va;
	s.launch.args_len = t->args_len;
	s.launch.report = t->report_va;
	hq_submit(&t->q, &s);
}

static void finish(struct tenant *t)
{
	struct nca_cqe c = { .status = 0xffff };

	CU_ASSERT_TRUE_FATAL(hq_wait(&t->q, &c));
	CU_ASSERT_EQUAL(c.status, NCA_CQE_OK);
	if (c.status != NCA_CQE_OK)
		fprintf(stderr, "launch: status %u, detail %u\n", c.status, c.detail);
}

/* What the program computes, from the data sheet: one rounding per operation. */
static float expected(float x)
{
	for (uint32_t i = 0; i <= LAPS; i++) {
		volatile float product = x * 1.0009765625f;

		x = product + 0.5f;
	}
	return x;
}

static void preempted(void)
{
	uint32_t preemptions = 0;
	struct tenant a, b;
	uint64_t ticks;
	struct host h;

	/* Alone, then two on one core with a quantum of 20 us. */
	host_open(&h, "nca1,quantum_us=20");
	tenant_open(&h, &a, 0, 1.0f);
	start(&a);
	finish(&a);
	CU_ASSERT_EQUAL(a.report->preemptions, 0);
	ticks = a.report->ticks;
	CU_ASSERT_TRUE(ticks > LAPS * ELEMS * 4);
	for (uint32_t i = 0; i < 128 * ELEMS; i += 37)
		CU_ASSERT_EQUAL(a.out[i], expected(a.in[i]));

	tenant_open(&h, &b, 1, 1000.0f);
	CU_ASSERT_EQUAL(a.ctx.core_mask, b.ctx.core_mask);
	for (int round = 0; round < 5; round++) {
		memset(a.out, 0, BYTES);
		memset(b.out, 0, BYTES);
		/* The device sees both at once. */
		ncasim_set_bus_master(h.dev, false);
		start(&a);
		start(&b);
		ncasim_set_bus_master(h.dev, true);
		finish(&a);
		finish(&b);
		preemptions += a.report->preemptions + b.report->preemptions;
		CU_ASSERT_EQUAL(a.report->ticks, ticks);
		CU_ASSERT_EQUAL(b.report->ticks, ticks);
		CU_ASSERT_EQUAL(!!a.report->preempt_ns, !!a.report->preemptions);
		for (uint32_t i = 0; i < 128 * ELEMS; i += 37) {
			CU_ASSERT_EQUAL(a.out[i], expected(a.in[i]));
			CU_ASSERT_EQUAL(b.out[i], expected(b.in[i]));
		}
	}
	/* Five rounds of two launches of ten quanta each, the first of them not side by side. */
	CU_ASSERT_TRUE(preemptions >= 20);
	host_close(&h);
}

/* Requests make a running launch yield at any moment; it goes on as if nothing had been. */
static void interrupted(void)
{
	static uint8_t page[4096] __attribute__((aligned(4096)));
	struct nca_cqe c;
	struct tenant a;
	struct host h;

	host_open(&h, "nca1");
	tenant_open(&h, &a, 0, 3.0f);
	start(&a);
	while (!hq_poll(&a.q, &c)) {
		CU_ASSERT_EQUAL(ncasim_dma_map(h.dev, 0x1000, page, 4096, NCASIM_DMA_READ), 0);
		CU_ASSERT_EQUAL(ncasim_dma_unmap(h.dev, 0x1000, 4096), 0);
		sched_yield();
	}
	CU_ASSERT_EQUAL(c.status, NCA_CQE_OK);
	CU_ASSERT_EQUAL(a.report->preemptions, 0);
	for (uint32_t i = 0; i < 128 * ELEMS; i += 37)
		CU_ASSERT_EQUAL(a.out[i], expected(a.in[i]));
	host_close(&h);
}

/* A program that never ends: the watchdog in device time, or an abort at any time. */
static void endless(void)
{
	struct nca_admin_cmd cmd = { .opcode = NCA_ADMIN_ABORT };
	struct nca_inst *vec;
	struct nca_sqe s;
	struct tenant a;
	struct nca_cqe c;
	struct host h;

	for (int by_abort = 0; by_abort < 2; by_abort++) {
		host_open(&h, "nca1");
		tenant_open(&h, &a, 0, 3.0f);
		/* Branch back for ever. */
		vec = (void *)(h.mem + ((uint8_t *)a.in - h.mem) - 4096 + 128 + 4 * 128);
		CU_ASSERT_EQUAL_FATAL(vec[3].opcode, NCA_OP_BRANCH);
		vec[3].ctl.op = NCA_ALU_NONE;
		s = (struct nca_sqe){ .opcode = NCA_SQE_LAUNCH };
		s.launch.program = a.program;
		s.launch.args = a.args_va;
		s.launch.args_len = a.args_len;
		s.launch.timeout_ns = by_abort ? 0 : 300000;
		hq_submit(&a.q, &s);
		if (by_abort) {
			cmd.ctx = a.ctx.id;
			cmd.ctx_gen = a.ctx.gen;
			cmd.queue.queue = NCA_QUEUE_ALL;
			CU_ASSERT_EQUAL(host_admin(&h, &cmd, NULL), NCA_ADMIN_OK);
		}
		CU_ASSERT_TRUE(hq_wait(&a.q, &c));
		CU_ASSERT_EQUAL(c.status, by_abort ? NCA_CQE_CTX_LOST : NCA_CQE_TIMEOUT);
		host_close(&h);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{ "preempted launches are right in every bit", preempted },
		{ "yielding for requests changes nothing", interrupted },
		{ "endless programs end", endless },
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{ "device with its core", NULL, NULL, NULL, NULL, tests },
		CU_SUITE_INFO_NULL,
	};
	unsigned int failed;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 2;
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? 1 : 0;
}
