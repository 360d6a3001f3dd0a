/* SPDX-License-Identifier: MIT */
/* Instructions that mix lanes or look at whole rows, with answers worked out here. */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"

enum { WORDS = 256, BYTES = WORDS * 4, OUT = 512 /* bytes */, AUX = 768 };

static float in[NCA_PARTITIONS][WORDS], out[NCA_PARTITIONS][WORDS];
static struct prog p;
static struct run r;
static struct nca_inst *inst;

static int32_t *ints(float *row)
{
	return (int32_t *)row;
}

static void begin(uint32_t engine, uint32_t opcode)
{
	prog_init(&p, NCA_TARGET_NCA2);
	update_add(emit_dma(&p, NCA_ENGINE_SYNC, true, NCA_MEM_SBUF, 0, 128, 0, BYTES, 0, 0, 0), 0, 1);
	inst = emit(&p, engine, opcode);
	wait_ge(inst, 0, 1);
	update_add(inst, 1, 1);
}

static enum core_result run(void)
{
	wait_ge(emit_dma(&p, NCA_ENGINE_SYNC, false, NCA_MEM_SBUF, 0, 128, 0, BYTES, 1, 0, 0), 1, 1);
	prog_end(&p);
	memset(&r, 0, sizeof(r));
	memset(out, 0, sizeof(out));
	r.check = true;
	r.slot[0] = (struct slot){ (uint8_t *)in, sizeof(in), false, false, 0 };
	r.slot[1] = (struct slot){ (uint8_t *)out, sizeof(out), true, false, 0 };
	CU_ASSERT_EQUAL(prog_run(&p, &r), 0);
	if (r.fault.rule && r.fault.rule != NCA_RULE_INDEX)
		printf(" %s ", r.fault.text);
	return r.result;
}

static struct nca_ap sb(uint32_t nparts, uint32_t offset, uint32_t n)
{
	return ap(NCA_MEM_SBUF, NCA_FP32, 0, nparts, offset, n);
}

static void batch_norm(void)
{
	for (int i = 0; i < 128; i++)
		for (int k = 0; k < 16; k++)
			in[i][k] = (float)(k + i);
	begin(NCA_ENGINE_VECTOR, NCA_OP_BN_STATS);
	inst->ew.dst = sb(128, OUT, 6);
	inst->ew.src0 = sb(128, 0, 16);
	CU_ASSERT_EQUAL(run(), CORE_DONE);
	for (int i = 0; i < 128; i++) {
		const float want[6] = { 8, (float)(7 + i), 168, 8, (float)(8 + i), 168 };

		CU_ASSERT_EQUAL(memcmp(&out[i][OUT / 4], want, sizeof(want)), 0);
		memcpy(in[i], want, sizeof(want));
	}
	begin(NCA_ENGINE_VECTOR, NCA_OP_BN_AGGR);
	inst->ew.dst = sb(128, OUT, 2);
	inst->ew.src0 = sb(128, 0, 6);
	CU_ASSERT_EQUAL(run(), CORE_DONE);
	for (int i = 0; i < 128; i++) {
		CU_ASSERT_EQUAL(out[i][OUT / 4], (float)(7.5 + i));
		CU_ASSERT_EQUAL(out[i][OUT / 4 + 1], 21.25f);
	}
}

static void order(void)
{
	static const float row[12] = { 3, 9, -1, 9, 4, 0, 12, 5, 5, 2, 9, -7 };
	static const float top[8] = { 12, 9, 9, 9, 5, 5, 4, 3 };
	static const int32_t where[8] = { 6, 1, 3, 10, 7, 8, 4, 0 };

	for (int i = 0; i < 128; i++) {
		memcpy(in[i], row, sizeof(row));
		memcpy(&in[i][AUX / 4], top, sizeof(top));
	}
	in[5][AUX / 4] = 1000;	/* not there */
	begin(NCA_ENGINE_VECTOR, NCA_OP_MAX8);
	inst->ew.dst = sb(70, OUT, 8);
	inst->ew.src0 = sb(70, 0, 12);
	CU_ASSERT_EQUAL(run(), CORE_DONE);
	CU_ASSERT_EQUAL(memcmp(&out[69][OUT / 4], top, sizeof(top)), 0);
	begin(NCA_ENGINE_VECTOR, NCA_OP_INDEX8);
	inst->ew.dst = sb(70, OUT, 8);
	inst->ew.dst.dtype = NCA_INT32;
	inst->ew.src0 = sb(70, 0, 12);
	inst->ew.src1 = sb(70, AUX, 8);
	CU_ASSERT_EQUAL(run(), CORE_DONE);
	CU_ASSERT_EQUAL(memcmp(&out[69][OUT / 4], where, sizeof(where)), 0);
	CU_ASSERT_EQUAL(ints(out[5])[OUT / 4], -1);
	begin(NCA_ENGINE_GPSIMD, NCA_OP_TOPK);
	inst->ew.dst = sb(128, OUT, 5);
	inst->ew.src0 = sb(128, 0, 12);
	inst->ew.src1 = sb(128, AUX, 5);
	inst->ew.src1.dtype = NCA_INT32;
	inst->ew.param = 5;
	CU_ASSERT_EQUAL(run(), CORE_DONE);
	CU_ASSERT_EQUAL(memcmp(&out[127][OUT / 4], top, 20), 0);
	CU_ASSERT_EQUAL(memcmp(&out[127][AUX / 4], where, 20), 0);
}

static void lanes_moved(void)
{
	for (int i = 0; i < 128; i++)
		for (int k = 0; k < 64; k++)
			ints(in[i])[k] = 1000 * i + k;
	begin(NCA_ENGINE_VECTOR, NCA_OP_SHUFFLE);
	inst->shuffle.dst = sb(96, OUT, 10);
	inst->shuffle.src0 = sb(96, 0, 10);
	for (uint8_t i = 0; i < 32; i++)
		inst->shuffle.mask[i] = 31 - i;
	CU_ASSERT_EQUAL(run(), CORE_DONE);
	for (int i = 0; i < 96; i++)
		for (int k = 0; k < 10; k++)
			CU_ASSERT_EQUAL(ints(out[i])[OUT / 4 + k], 1000 * (i / 32 * 32 + 31 - i % 32) + k);
	begin(NCA_ENGINE_VECTOR, NCA_OP_TRANSPOSE32);	/* in place */
	inst->ew.dst = inst->ew.src0 = sb(128, 0, 64);
	CU_ASSERT_EQUAL(run(), CORE_DONE);
	for (int i = 0; i < 128; i++)
		for (int k = 0; k < 64; k++)
			CU_ASSERT_EQUAL(ints(out[i])[k],
					1000 * (i / 32 * 32 + k % 32) + k / 32 * 32 + i % 32);
	begin(NCA_ENGINE_GPSIMD, NCA_OP_PART_BROADCAST);
	inst->ew.dst = sb(128, OUT, 10);
	inst->ew.src0 = sb(1, 0, 10);
	inst->ew.src0.part = 32;
	CU_ASSERT_EQUAL(run(), CORE_DONE);
	CU_ASSERT_EQUAL(ints(out[127])[OUT / 4 + 9], 32009);
	begin(NCA_ENGINE_GPSIMD, NCA_OP_PART_REDUCE);
	inst->ew.dst = sb(1, OUT, 10);
	inst->ew.src0 = sb(100, 0, 10);
	inst->ew.dst.dtype = inst->ew.src0.dtype = NCA_INT32;
	inst->ew.op0 = NCA_ALU_ADD;
	CU_ASSERT_EQUAL(run(), CORE_DONE);
	CU_ASSERT_EQUAL(ints(out[0])[OUT / 4 + 3], 1000 * 4950 + 300);
	CU_ASSERT_EQUAL(ints(out[1])[OUT / 4 + 3], 0);
}

static void positions(void)
{
	begin(NCA_ENGINE_GPSIMD, NCA_OP_IOTA);
	inst->ew.dst = sb(128, OUT, 40);
	inst->ew.s0 = imm_int(-5);
	inst->ew.s1 = imm_int(3);
	inst->ew.param = (uint32_t)-2;
	CU_ASSERT_EQUAL(run(), CORE_DONE);
	CU_ASSERT_EQUAL(out[100][OUT / 4 + 30], -5 + 90 - 200);

	for (int i = 0; i < 128; i++)
		for (int k = 0; k < 64; k++)
			in[i][k] = 1;
	begin(NCA_ENGINE_GPSIMD, NCA_OP_AFFINE_SELECT);	/* causal mask: k <= lane */
	inst->ew.dst = sb(64, OUT, 64);
	inst->ew.src0 = sb(64, 0, 64);
	inst->ew.s0 = imm_int(0);
	inst->ew.s1 = imm_int(-1);
	inst->ew.param = 1;
	inst->ew.op0 = NCA_ALU_GE;
	inst->ew.func = NCA_FILL_LOWEST;
	CU_ASSERT_EQUAL(run(), CORE_DONE);
	CU_ASSERT_EQUAL(out[10][OUT / 4 + 10], 1.0f);
	CU_ASSERT(out[10][OUT / 4 + 11] < -3e38f);
}

static void by_index(void)
{
	static const int32_t index[6] = { 5, 0, 3, 3, 1, 2 };

	for (int i = 0; i < 128; i++) {
		for (int k = 0; k < 6; k++) {
			in[i][k] = (float)(10 * k + i);
			ints(in[i])[AUX / 4 + k] = index[k];
		}
	}
	begin(NCA_ENGINE_GPSIMD, NCA_OP_GATHER);	/* over itself: sources are read first */
	inst->ew.dst = inst->ew.src0 = sb(128, 0, 6);
	inst->ew.src1 = sb(128, AUX, 6);
	inst->ew.src1.dtype = NCA_INT32;
	CU_ASSERT_EQUAL(run(), CORE_DONE);
	for (int k = 0; k < 6; k++)
		CU_ASSERT_EQUAL(out[77][k], in[77][index[k]]);
	begin(NCA_ENGINE_GPSIMD, NCA_OP_SCATTER);
	inst->ew.dst = sb(128, OUT, 8);
	inst->ew.src0 = sb(128, 0, 6);
	inst->ew.src1 = sb(128, AUX, 6);
	inst->ew.src1.dtype = NCA_INT32;
	for (int i = 0; i < 128; i++)
		for (int k = 0; k < 8; k++)
			in[i][OUT / 4 + k] = -1;
	CU_ASSERT_EQUAL(run(), CORE_DONE);
	CU_ASSERT_EQUAL(out[77][OUT / 4 + 5], 77.0f);
	CU_ASSERT_EQUAL(out[77][OUT / 4 + 3], 77.0f + 30);	/* the later of two */
	CU_ASSERT_EQUAL(out[77][OUT / 4 + 4], -1.0f);
	ints(in[77])[AUX / 4 + 4] = 6;
	begin(NCA_ENGINE_GPSIMD, NCA_OP_GATHER);
	inst->ew.dst = sb(128, OUT, 6);
	inst->ew.src0 = sb(128, 0, 6);
	inst->ew.src1 = sb(128, AUX, 6);
	inst->ew.src1.dtype = NCA_INT32;
	CU_ASSERT_EQUAL(run(), CORE_FAULT);
	CU_ASSERT_EQUAL(r.fault.rule, NCA_RULE_INDEX);
	CU_ASSERT(strstr(r.fault.text, "index 4 of lane 77 is 6") != NULL);
}

/* A scan keeps its state in FP32, and overlapping operands are read before they are written. */
static void scans_and_overlaps(void)
{
	for (int i = 0; i < 128; i++)
		for (int k = 0; k < 32; k++)
			in[i][k] = (float)(k + 1);
	begin(NCA_ENGINE_VECTOR, NCA_OP_SCAN);	/* y = y * 1 + x: running sums */
	inst->ew.dst = sb(128, OUT, 32);
	inst->ew.src0 = sb(128, 0, 32);
	inst->ew.src0.stride[3] = 0;
	inst->ew.src1 = sb(128, 0, 32);
	inst->ew.s0 = imm(100);
	inst->ew.op0 = NCA_ALU_MUL;
	inst->ew.op1 = NCA_ALU_ADD;
	CU_ASSERT_EQUAL(run(), CORE_DONE);
	CU_ASSERT_EQUAL(out[127][OUT / 4 + 31], 100.0f + 528.0f);
	begin(NCA_ENGINE_VECTOR, NCA_OP_COPY);	/* one word along: memmove, not memcpy */
	inst->ew.dst = sb(128, 4, 31);
	inst->ew.src0 = sb(128, 0, 31);
	CU_ASSERT_EQUAL(run(), CORE_DONE);
	for (int k = 1; k < 32; k++)
		CU_ASSERT_EQUAL(out[3][k], (float)k);
}

void suite_lanes(void)
{
	CU_pSuite s = CU_add_suite("rows and lanes", NULL, NULL);

	CU_add_test(s, "BN_STATS, BN_AGGR", batch_norm);
	CU_add_test(s, "MAX8, INDEX8, TOPK", order);
	CU_add_test(s, "SHUFFLE, TRANSPOSE32, PART_*", lanes_moved);
	CU_add_test(s, "IOTA, AFFINE_SELECT", positions);
	CU_add_test(s, "GATHER, SCATTER", by_index);
	CU_add_test(s, "SCAN, overlapping operands", scans_and_overlaps);
}
