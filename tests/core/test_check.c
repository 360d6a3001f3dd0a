/* SPDX-License-Identifier: MIT */
/* Checking mode: races that today's timing hides, and reads of nothing. */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"

static struct prog p;
static struct run r;
static uint8_t buffer[1 << 20];

static const uint32_t V = NCA_ENGINE_VECTOR, S = NCA_ENGINE_SCALAR, Y = NCA_ENGINE_SYNC;

static void begin(void)
{
	prog_init(&p, NCA_TARGET_NCA2);
}

static void expect(uint32_t rule)
{
	struct slot slot = { buffer, sizeof(buffer), true, false, 0 };

	prog_end(&p);
	for (int timed = 0; timed < 2; timed++) {
		memset(&r, 0, sizeof(r));
		r.check = true;
		r.timed_only = timed;
		r.slot[0] = r.slot[1] = slot;
		CU_ASSERT_EQUAL_FATAL(prog_run(&p, &r), 0);
		CU_ASSERT_EQUAL(r.result, rule ? CORE_FAULT : CORE_DONE);
		CU_ASSERT_EQUAL(r.fault.rule, rule);
		if (r.fault.rule != rule)
			printf(" %s ", r.fault.text);
	}
}

static struct nca_inst *fill(uint32_t engine, uint32_t offset, uint32_t n)
{
	struct nca_inst *in = emit(&p, engine, NCA_OP_MEMSET);

	in->ew.dst = ap(NCA_MEM_SBUF, NCA_FP32, 0, 128, offset, n);
	in->ew.s0 = imm(1);
	return in;
}

static struct nca_inst *act(uint32_t dst, uint32_t src, uint32_t n)
{
	struct nca_inst *in = emit(&p, S, NCA_OP_ACTIVATE);

	in->ew.dst = ap(NCA_MEM_SBUF, NCA_FP32, 0, 128, dst, n);
	in->ew.src0 = ap(NCA_MEM_SBUF, NCA_FP32, 0, 128, src, n);
	return in;
}

static struct nca_inst *dma(uint32_t engine, bool to_chip, uint32_t offset, uint32_t queue)
{
	return emit_dma(&p, engine, to_chip, NCA_MEM_SBUF, 0, 128, offset, 256, 0,
			to_chip ? 0 : 131072, queue);
}

static void delay(uint32_t engine, uint32_t n)
{
	while (n--)
		emit(&p, engine, NCA_OP_NOP);
}

static void read_after_write(void)
{
	begin();
	fill(V, 0, 64);
	delay(S, 200);		/* long over, but nothing says so */
	act(4096, 0, 64);
	expect(NCA_RULE_UNORDERED);

	begin();
	update_add(fill(V, 0, 64), 0, 1);
	wait_ge(act(4096, 0, 64), 0, 1);
	expect(NCA_RULE_NONE);

	/* An update "on read" says nothing about results. */
	begin();
	fill(V, 0, 64)->update[0] = (struct nca_update){ 0, NCA_UPDATE_ADD | NCA_UPDATE_ON_READ, 1 };
	delay(S, 200);
	wait_ge(act(4096, 0, 64), 0, 1);
	expect(NCA_RULE_UNORDERED);
}

static void write_after_read(void)
{
	for (int on_read = 0; on_read < 2; on_read++) {
		begin();
		update_add(fill(V, 0, 64), 0, 1);
		wait_ge(act(4096, 0, 64), 0, 1);
		if (on_read)
			p.inst[S][0].update[0] = (struct nca_update){
				1, NCA_UPDATE_ADD | NCA_UPDATE_ON_READ, 1 };
		delay(V, 200);
		if (on_read)
			wait_ge(fill(V, 0, 64), 1, 1);
		else
			fill(V, 0, 64);
		expect(on_read ? NCA_RULE_NONE : NCA_RULE_UNORDERED);
	}
}

/* A transfer does not see results of the engine that triggers it by program order. */
static void own_transfer(void)
{
	begin();
	fill(V, 0, 64);
	dma(V, false, 0, 0);
	expect(NCA_RULE_UNORDERED);

	begin();
	update_add(fill(V, 0, 64), 0, 1);
	wait_ge(dma(V, false, 0, 0), 0, 1);
	expect(NCA_RULE_NONE);

	/* Its reads are over when the trigger is reached. */
	begin();
	update_add(fill(V, 0, 64), 0, 1);
	wait_ge(act(4096, 0, 64), 0, 1);
	dma(S, true, 0, 0);
	expect(NCA_RULE_NONE);
}

/* The second update came early; the wait does not need it. */
static void early_update(void)
{
	for (uint32_t need = 1; need <= 2; need++) {
		begin();
		update_add(fill(V, 0, 64), 0, 1);
		update_add(fill(V, 1024, 64), 0, 1);
		delay(S, 400);
		wait_ge(act(4096, 1024, 64), 0, need);
		expect(need == 2 ? NCA_RULE_NONE : NCA_RULE_UNORDERED);
	}
}

static void several_sources(void)
{
	/* Each of four transfers adds 1: only 4 means that all are there. */
	for (uint32_t need = 3; need <= 4; need++) {
		begin();
		for (uint32_t i = 0; i < 4; i++)
			update_add(dma(Y, true, i * 256, i), 0, 1);
		delay(S, 500);
		wait_ge(act(4096, 0, 256), 0, need);
		expect(need == 4 ? NCA_RULE_NONE : NCA_RULE_UNORDERED);
	}
}

static void queues(void)
{
	begin();
	dma(Y, true, 0, 3);
	dma(Y, true, 0, 3);
	expect(NCA_RULE_NONE);
	begin();
	dma(Y, true, 0, 3);
	dma(Y, true, 0, 4);
	expect(NCA_RULE_UNORDERED);
	begin();
	dma(Y, true, 0, NCA_DMA_SPREAD);
	dma(Y, true, 0, NCA_DMA_SPREAD);
	expect(NCA_RULE_UNORDERED);
	begin();	/* two readers of one slot, two writers of different places */
	dma(Y, true, 0, 1);
	dma(Y, true, 256, 2);
	expect(NCA_RULE_NONE);
}

static void through_a_third(void)
{
	begin();
	update_add(fill(V, 0, 64), 0, 1);
	wait_ge(emit(&p, Y, NCA_OP_NOP), 0, 1);
	update_add(&p.inst[Y][0], 1, 1);
	wait_ge(act(4096, 0, 64), 1, 1);
	expect(NCA_RULE_NONE);
}

/*
 * Two transfers share a semaphore. If the second is triggered when the first is known to be over, a
 * count of 1 means the first, however late one looks; if not, it may mean either.
 */
static void chained_transfers(void)
{
	for (int chained = 0; chained < 2; chained++) {
		begin();
		update_add(dma(Y, true, 0, NCA_DMA_SPREAD), 0, 1);
		update_add(dma(Y, true, 1024, NCA_DMA_SPREAD), 0, 1);
		if (chained)
			wait_ge(&p.inst[Y][1], 0, 1);
		delay(S, 500);
		wait_ge(act(4096, 0, 64), 0, 1);
		expect(chained ? NCA_RULE_NONE : NCA_RULE_UNORDERED);
	}
}

static void interleaved(void)
{
	struct nca_inst *in;

	begin();	/* even words and odd words: bounds overlap, bytes do not */
	in = fill(V, 0, 64);
	in->ew.dst.stride[3] = 2;
	in = dma(Y, true, 4, 0);
	in->dma.dst.stride[3] = 8;
	expect(NCA_RULE_NONE);

	begin();
	in = fill(V, 0, 64);
	in->ew.dst.stride[3] = 2;
	in = dma(Y, true, 0, 0);
	in->dma.dst.stride[3] = 8;
	expect(NCA_RULE_UNORDERED);

	begin();	/* different partitions */
	in = fill(V, 0, 64);
	in->ew.dst.nparts = 64;
	in = emit_dma(&p, Y, true, NCA_MEM_SBUF, 64, 64, 0, 256, 0, 0, 0);
	expect(NCA_RULE_NONE);
}

/* A ring of two buffers handed back and forth with ADD and SUB, many times round. */
static void credits(void)
{
	for (int broken = 0; broken < 2; broken++) {
		begin();
		for (uint32_t i = 0; i < 60; i++) {
			uint32_t b = i % 2, full = b, empty = 2 + b;
			struct nca_inst *in = emit(&p, Y, NCA_OP_NOP);

			if (i >= 2 && !broken) {	/* take the credit, and see it taken */
				wait_ge(in, empty, 1);
				in->update[0] = (struct nca_update){ (uint8_t)empty, NCA_UPDATE_SUB, 1 };
				in = emit(&p, Y, NCA_OP_NOP);
				in->wait[0] = (struct nca_wait){ (uint8_t)empty, NCA_WAIT_EQ, 0, 0 };
			}
			update_add(dma(Y, true, b * 256, b), full, 1);
			in = act(4096, b * 256, 64);
			wait_ge(in, full, i / 2 + 1);
			update_add(in, empty, 1);
		}
		expect(broken ? NCA_RULE_UNORDERED : NCA_RULE_NONE);
	}
}

static void uninitialised(void)
{
	struct nca_inst *in;

	begin();
	act(4096, 0, 64);
	expect(NCA_RULE_UNINITIALISED);

	begin();	/* one partition short */
	in = fill(V, 0, 64);
	in->ew.dst.nparts = 127;
	update_add(in, 0, 1);
	wait_ge(act(4096, 0, 64), 0, 1);
	expect(NCA_RULE_UNINITIALISED);
	CU_ASSERT(strstr(r.fault.text, "partition 127 byte 0") != NULL);

	begin();	/* accumulating on an empty bank */
	update_add(fill(V, 0, 64), 0, 1);
	in = emit(&p, NCA_ENGINE_TENSOR, NCA_OP_LDSTAT);
	in->mm.src = ap(NCA_MEM_SBUF, NCA_FP32, 0, 128, 0, 64);
	in->mm.tile = (struct nca_pe_tile){ 0, 0, 128, 128 };
	wait_ge(in, 0, 1);
	in = emit(&p, NCA_ENGINE_TENSOR, NCA_OP_MATMUL);
	in->mm.src = ap(NCA_MEM_SBUF, NCA_FP32, 0, 128, 0, 64);
	in->mm.dst = ap(NCA_MEM_PSUM, NCA_FP32, 0, 64, 0, 64);
	in->mm.tile = (struct nca_pe_tile){ 0, 0, 128, 128 };
	in->flags = NCA_F_ACCUMULATE;
	expect(NCA_RULE_UNINITIALISED);

	begin();	/* the launch before wrote it; this one did not */
	fill(V, 0, 64);
	expect(NCA_RULE_NONE);
	begin();
	dma(Y, false, 0, 0);
	expect(NCA_RULE_UNINITIALISED);
}

/* What an earlier launch left behind reads as zero, partly written blocks too. */
static void zero_at_start(void)
{
	static const uint8_t zero[65536];
	struct slot slot = { buffer, sizeof(buffer), true, false, 0 };

	for (int round = 0; round < 2; round++) {
		begin();
		if (!round) {
			fill(V, 0, 4096);
		} else {
			update_add(fill(V, 4, 1), 0, 1);
			wait_ge(emit_dma(&p, Y, false, NCA_MEM_SBUF, 0, 128, 0, 512, 0, 0, 0), 0, 1);
		}
		prog_end(&p);
		memset(&r, 0, sizeof(r));
		memset(buffer, 0xee, sizeof(buffer));
		r.slot[0] = slot;
		CU_ASSERT_EQUAL_FATAL(prog_run(&p, &r), 0);
		CU_ASSERT_EQUAL(r.result, CORE_DONE);
	}
	for (uint32_t part = 0; part < 128; part++) {
		static const float one = 1;

		CU_ASSERT_EQUAL(memcmp(buffer + part * 512 + 4, &one, 4), 0);
		memset(buffer + part * 512 + 4, 0, 4);
	}
	CU_ASSERT_EQUAL(memcmp(buffer, zero, sizeof(zero)), 0);
}

void suite_check(void)
{
	CU_pSuite s = CU_add_suite("checking mode", NULL, NULL);

	CU_add_test(s, "read after write", read_after_write);
	CU_add_test(s, "write after read", write_after_read);
	CU_add_test(s, "an engine and its own transfer", own_transfer);
	CU_add_test(s, "an update that came early", early_update);
	CU_add_test(s, "several sources of one semaphore", several_sources);
	CU_add_test(s, "DMA queues", queues);
	CU_add_test(s, "order through a third engine", through_a_third);
	CU_add_test(s, "transfers that share a semaphore", chained_transfers);
	CU_add_test(s, "interleaved bytes and partitions", interleaved);
	CU_add_test(s, "credits", credits);
	CU_add_test(s, "never written", uninitialised);
	CU_add_test(s, "memories read as zero at the start", zero_at_start);
}
