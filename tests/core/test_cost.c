/* SPDX-License-Identifier: MIT */
/*
 * The published cost of every instruction, written down once more and met to the tick by
 * instructions that run: alone and back to back, at many sizes, on both targets.
 */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"

static struct prog p;
static struct run r;
static uint8_t buffer[1 << 20];

enum { DST = 0, SRC0 = 24576, SRC1 = 49152, OUT1 = 73728, II = 64 };

static uint64_t at_least(uint64_t least, uint64_t cycles)
{
	return cycles < least ? least : cycles;
}

/* Formulas of n, the elements per partition. */
static uint64_t one(uint32_t n)
{
	return at_least(II, n);
}
static uint64_t two(uint32_t n)
{
	return at_least(II, 2 * n);
}
static uint64_t half(uint32_t n)
{
	return at_least(II, (n + 1) / 2);
}
static uint64_t eight(uint32_t n)
{
	return at_least(II, 8 * n);
}
static uint64_t twice(uint32_t n)
{
	return n == 1 ? II : 2 * at_least(II, n);	/* one element has no stride */
}
static uint64_t reduced(uint32_t n)
{
	return at_least(II, n) + II;
}
static uint64_t dynamic(uint32_t n)
{
	return at_least(600, n);
}
static uint64_t groups(uint32_t n)
{
	return at_least(II, 13 * n / 3);
}
static uint64_t gpsimd(uint32_t n)
{
	return 150 + n;
}
static uint64_t tree(uint32_t n)
{
	return 150 + 7 * n;
}
static uint64_t top8(uint32_t n)
{
	return 150 + 2 * n;
}
static uint64_t top20(uint32_t n)
{
	return 150 + 6 * n;
}
static uint64_t even_one(uint32_t n)
{
	return n % 2 ? two(n) : one(n);
}

#define V (1u << NCA_ENGINE_VECTOR)
#define S (1u << NCA_ENGINE_SCALAR)
#define G (1u << NCA_ENGINE_GPSIMD)

enum { SB = NCA_MEM_SBUF, PS = NCA_MEM_PSUM };
enum scalars { NO_SCALAR, S0, S0_S1, ZERO, REG_0, INTS };

struct row {
	const char *name;
	uint64_t (*cycles)(uint32_t n);
	uint8_t opcode, engines;
	uint8_t dtype[3]; /* dst, src0, src1 */
	uint8_t mem[3];
	int16_t stride[3]; /* innermost, elements; 0 stands for 1 */
	bool src1;
	uint8_t scalars; /* enum scalars */
	uint8_t op0, op1, op2;
	uint32_t param;
	uint32_t least; /* smallest n that is legal; others must be multiples of @unit */
	uint32_t unit;
	uint16_t dst_elems;	  /* if it is not n */
	uint8_t dst_reg, src_reg; /* address from this register */
	uint8_t parts[2];	  /* of dst and src0, if not 128 */
};

#define FP     NCA_FP32
#define BF     NCA_BF16
#define ALL_BF .dtype = { BF, BF, BF }

static const struct row rows[] = {
	{ "COPY", one, NCA_OP_COPY, V | S | G, .param = 0 },
	{ "COPY from PSUM", one, NCA_OP_COPY, V | S, .mem = { SB, PS } },
	{ "COPY to PSUM", one, NCA_OP_COPY, V | S, .mem = { PS, SB } },
	{ "COPY with cast", one, NCA_OP_COPY, V | S | G, .dtype = { NCA_INT8, BF } },
	{ "COPY, 16-byte stride", one, NCA_OP_COPY, V | S | G, .stride = { 1, 4 } },
	{ "COPY, 20-byte stride", twice, NCA_OP_COPY, V | S | G, .stride = { 1, 5 } },
	{ "COPY, backwards", one, NCA_OP_COPY, V, .stride = { 1, -4 } },
	{ "COPY, far backwards", twice, NCA_OP_COPY, V, .stride = { 1, -5 } },
	{ "COPY to 20-byte stride", twice, NCA_OP_COPY, V, .stride = { 5, 1 } },
	{ "COPY BF16, 16-byte stride", one, NCA_OP_COPY, V, ALL_BF, .stride = { 1, 8 } },
	{ "COPY BF16, 18-byte stride", twice, NCA_OP_COPY, V, ALL_BF, .stride = { 1, 9 } },
	{ "COPY, address from register", dynamic, NCA_OP_COPY, V | S | G, .src_reg = 1 },
	{ "COPY to address from register", dynamic, NCA_OP_COPY, V | S | G, .dst_reg = 32 },
	{ "MEMSET", one, NCA_OP_MEMSET, V | G, .scalars = S0 },
	{ "MEMSET BF16", one, NCA_OP_MEMSET, V | G, ALL_BF, .scalars = S0 },
	{ "MEMSET BF16 zero", half, NCA_OP_MEMSET, V | G, ALL_BF, .scalars = ZERO },
	{ "MEMSET INT16 zero", half, NCA_OP_MEMSET, V, .dtype = { NCA_INT16 }, .scalars = ZERO },
	{ "MEMSET FP32 zero", one, NCA_OP_MEMSET, V, .scalars = ZERO },
	{ "MEMSET UINT8 zero", one, NCA_OP_MEMSET, V, .dtype = { NCA_UINT8 }, .scalars = ZERO },
	{ "MEMSET BF16 register", one, NCA_OP_MEMSET, V, ALL_BF, .scalars = REG_0 },
	{ "TENSOR_TENSOR", two, NCA_OP_TENSOR_TENSOR, V | G, .src1 = true, .op0 = NCA_ALU_ADD },
	{ "TENSOR_TENSOR, src0 in PSUM", one, NCA_OP_TENSOR_TENSOR, V, .mem = { SB, PS, SB },
	  .src1 = true, .op0 = NCA_ALU_MAX },
	{ "TENSOR_TENSOR, src1 in PSUM", one, NCA_OP_TENSOR_TENSOR, V, .mem = { SB, SB, PS },
	  .src1 = true, .op0 = NCA_ALU_DIV },
	{ "TENSOR_TENSOR, dst in PSUM", two, NCA_OP_TENSOR_TENSOR, V, .mem = { PS, SB, SB },
	  .src1 = true, .op0 = NCA_ALU_ADD },
	{ "TENSOR_TENSOR BF16 add", one, NCA_OP_TENSOR_TENSOR, V | G, ALL_BF, .src1 = true,
	  .op0 = NCA_ALU_ADD },
	{ "TENSOR_TENSOR BF16 sub", one, NCA_OP_TENSOR_TENSOR, V, ALL_BF, .src1 = true,
	  .op0 = NCA_ALU_SUB },
	{ "TENSOR_TENSOR BF16 mul", one, NCA_OP_TENSOR_TENSOR, V, ALL_BF, .src1 = true,
	  .op0 = NCA_ALU_MUL },
	{ "TENSOR_TENSOR BF16 max", two, NCA_OP_TENSOR_TENSOR, V, ALL_BF, .src1 = true,
	  .op0 = NCA_ALU_MAX },
	{ "TENSOR_TENSOR BF16 to FP32", two, NCA_OP_TENSOR_TENSOR, V, .dtype = { FP, BF, BF },
	  .src1 = true, .op0 = NCA_ALU_ADD },
	{ "TENSOR_TENSOR BF16 to PSUM", two, NCA_OP_TENSOR_TENSOR, V, ALL_BF, .mem = { PS, SB, SB },
	  .src1 = true, .op0 = NCA_ALU_ADD },
	{ "TENSOR_TENSOR BF16 strided", two, NCA_OP_TENSOR_TENSOR, V, ALL_BF, .stride = { 1, 1, 2 },
	  .src1 = true, .op0 = NCA_ALU_ADD },
	{ "TENSOR_SCALAR", one, NCA_OP_TENSOR_SCALAR, V | G, .scalars = S0, .op0 = NCA_ALU_MUL },
	{ "TENSOR_SCALAR, two operations", one, NCA_OP_TENSOR_SCALAR, V | G, .scalars = S0_S1,
	  .op0 = NCA_ALU_MUL, .op1 = NCA_ALU_POW },
	{ "TENSOR_SCALAR, reduction", reduced, NCA_OP_TENSOR_SCALAR, V | G, .scalars = S0,
	  .op0 = NCA_ALU_MUL, .op2 = NCA_ALU_ADD },
	{ "SCALAR_TENSOR", two, NCA_OP_SCALAR_TENSOR, V | G, .src1 = true, .scalars = S0,
	  .op0 = NCA_ALU_SUB, .op1 = NCA_ALU_MUL },
	{ "SCALAR_TENSOR BF16 subtract, multiply", even_one, NCA_OP_SCALAR_TENSOR, V | G, ALL_BF,
	  .src1 = true, .scalars = S0, .op0 = NCA_ALU_SUB, .op1 = NCA_ALU_MUL },
	{ "SCALAR_TENSOR BF16 multiply, add", two, NCA_OP_SCALAR_TENSOR, V, ALL_BF, .src1 = true,
	  .scalars = S0, .op0 = NCA_ALU_MUL, .op1 = NCA_ALU_ADD },
	{ "SCAN", two, NCA_OP_SCAN, V, .src1 = true, .scalars = S0, .op0 = NCA_ALU_MUL,
	  .op1 = NCA_ALU_ADD },
	{ "SELECT", two, NCA_OP_SELECT, V | G, .src1 = true, .scalars = S0 },
	{ "COPY_PRED", two, NCA_OP_COPY_PRED, V | G, .src1 = true },
	{ "COPY_PRED from PSUM", one, NCA_OP_COPY_PRED, V, .mem = { SB, PS, SB }, .src1 = true },
	{ "COPY_PRED to PSUM", one, NCA_OP_COPY_PRED, V, .mem = { PS, SB, SB }, .src1 = true },
	{ "REDUCE", one, NCA_OP_REDUCE, V, .op0 = NCA_ALU_ADD, .param = 1, .dst_elems = 1 },
	{ "REDUCE BF16 add", half, NCA_OP_REDUCE, V, .dtype = { FP, BF }, .op0 = NCA_ALU_ADD,
	  .param = 1, .dst_elems = 1 },
	{ "REDUCE BF16 max", half, NCA_OP_REDUCE, V, ALL_BF, .op0 = NCA_ALU_MAX, .param = 4,
	  .dst_elems = 1 },
	{ "REDUCE BF16 min", one, NCA_OP_REDUCE, V, ALL_BF, .op0 = NCA_ALU_MIN, .param = 1,
	  .dst_elems = 1 },
	{ "RECIPROCAL", eight, NCA_OP_RECIPROCAL, V, .param = 0 },
	{ "BN_STATS", one, NCA_OP_BN_STATS, V, .dst_elems = 6 },
	{ "BN_AGGR", groups, NCA_OP_BN_AGGR, V, .dst_elems = 2, .least = 3, .unit = 3 },
	{ "MAX8", one, NCA_OP_MAX8, V, .dst_elems = 8, .least = 8 },
	{ "INDEX8", one, NCA_OP_INDEX8, V, .dtype = { NCA_INT32 }, .src1 = true, .dst_elems = 8,
	  .least = 8 },
	{ "SHUFFLE", one, NCA_OP_SHUFFLE, V, .param = 0 },
	{ "SHUFFLE, far apart", one, NCA_OP_SHUFFLE, V, .stride = { 1, 5 } },
	{ "TRANSPOSE32", one, NCA_OP_TRANSPOSE32, V, .least = 32, .unit = 32 },
	{ "ACTIVATE", one, NCA_OP_ACTIVATE, S, .param = 0 },
	{ "ACTIVATE with scale and bias", one, NCA_OP_ACTIVATE, S, .mem = { SB, PS },
	  .scalars = S0_S1 },
	{ "ACTIVATE, reduction", reduced, NCA_OP_ACTIVATE, S, .scalars = S0, .op2 = NCA_ALU_MAX },
	{ "IOTA", gpsimd, NCA_OP_IOTA, G, .scalars = INTS },
	{ "AFFINE_SELECT", gpsimd, NCA_OP_AFFINE_SELECT, G, .scalars = INTS, .op0 = NCA_ALU_GE },
	{ "GATHER", gpsimd, NCA_OP_GATHER, G, .dtype = { FP, FP, NCA_INT32 }, .src1 = true },
	{ "SCATTER", gpsimd, NCA_OP_SCATTER, G, .dtype = { FP, FP, NCA_INT32 }, .src1 = true },
	{ "TOPK 8", top8, NCA_OP_TOPK, G, .op2 = NCA_ALU_NONE, .dtype = { FP, FP, NCA_INT32 },
	  .src1 = true, .param = 8, .dst_elems = 8, .least = 8 },
	{ "TOPK 20", top20, NCA_OP_TOPK, G, .dtype = { FP, FP, NCA_INT32 }, .src1 = true,
	  .param = 20, .dst_elems = 20, .least = 20 },
	{ "PART_REDUCE", tree, NCA_OP_PART_REDUCE, G, .op0 = NCA_ALU_ADD, .parts = { 1, 128 } },
	{ "PART_BROADCAST", gpsimd, NCA_OP_PART_BROADCAST, G, .parts = { 128, 1 } },
};

static const uint32_t sizes[] = { 1,  2,   3,	8,   20,  32,  63,  64,	 65,  66,
				  96, 127, 128, 129, 500, 511, 512, 601, 1024 };

/* One operand; backwards ones begin at their last byte. */
static struct nca_ap operand(const struct row *w, int which, uint32_t part, uint32_t nparts,
			     uint32_t offset, uint32_t n)
{
	struct nca_ap a = ap(w->mem[which], w->dtype[which], part, nparts,
			     w->mem[which] == PS ? 0 : offset, n);

	if (w->stride[which])
		a.stride[3] = w->stride[which];
	if (a.stride[3] < 0)
		a.offset += (n - 1) * (uint32_t)-a.stride[3] * nca_dtype_size(a.dtype);
	return a;
}

static bool build(const struct row *w, struct nca_inst *in, uint32_t n)
{
	struct nca_body_ew *b = &in->ew;
	uint32_t d = w->dst_elems ? w->dst_elems : n;

	if (n < w->least || (w->unit && n % w->unit))
		return false;
	in->opcode = w->opcode;
	b->dst = operand(w, 0, 0, w->parts[0] ? w->parts[0] : 128, DST, d);
	b->dst.offset |= (uint32_t)w->dst_reg << 24;
	if (w->opcode != NCA_OP_MEMSET && w->opcode != NCA_OP_IOTA) {
		b->src0 = operand(w, 1, 0, w->parts[1] ? w->parts[1] : 128, SRC0, n);
		b->src0.offset |= (uint32_t)w->src_reg << 24;
	}
	if (w->opcode == NCA_OP_SHUFFLE)
		return true;
	if (w->src1)
		b->src1 = operand(w, 2, 0, 128, SRC1, d);
	else if (w->op2)
		b->src1 = ap(SB, FP, 0, 128, OUT1, 1);
	b->op0 = w->op0;
	b->op1 = w->op1;
	b->op2 = w->op2;
	b->param = w->param;
	switch (w->scalars) {
	case S0_S1:
		b->s1 = imm(2);
		/* fall through */
	case S0:
		b->s0 = imm(3);
		break;
	case ZERO:
		b->s0 = imm(0);
		break;
	case REG_0:
		b->s0 = (struct nca_scalar){ .kind = NCA_SCALAR_REG, .dtype = FP };
		break;
	case INTS:
		b->s0 = imm_int(0);
		b->s1 = imm_int(1);
		break;
	}
	return true;
}

static void start(uint32_t target)
{
	prog_init(&p, target);
	memset(&r, 0, sizeof(r));
	r.slot[0] = (struct slot){ buffer, sizeof(buffer), true, false, 0 };
}

static bool run(const char *name, uint32_t n)
{
	prog_end(&p);
	if (!prog_run(&p, &r) && r.result == CORE_DONE)
		return true;
	printf(" %s, n = %u: %s\n", name, n, r.fault.text);
	CU_FAIL("a row of the table is no instruction");
	return false;
}

static void expect(const char *name, uint32_t target, uint32_t engine, uint32_t n, uint64_t got,
		   uint64_t cycles)
{
	uint64_t want = cycles * nca_target_by_id(target)->engine_ticks[engine];

	CU_ASSERT_EQUAL(got, want);
	if (got != want)
		printf(" %s on %s, engine %u, n = %u: %llu ticks, published %llu\n", name,
		       nca_target_by_id(target)->name, engine, n, (unsigned long long)got,
		       (unsigned long long)want);
}

static uint32_t checked;

/* Three independent ones: each takes its cost, and the next begins where it ends. */
static void one_row(const struct row *w, uint32_t target, uint32_t engine, uint32_t n,
		    uint32_t func)
{
	struct nca_inst in = { 0 };

	start(target);
	if (!p.target->engine_ticks[engine] || !build(w, &in, n))
		return;
	in.ew.func = w->opcode == NCA_OP_ACTIVATE ? (uint8_t)func : in.ew.func;
	/* Sources and results are apart; only COPY_PRED reads its destination and would wait for
	 * it. */
	for (uint32_t i = 0; i < (w->opcode == NCA_OP_COPY_PRED ? 1 : 3); i++)
		*emit(&p, engine, 0) = in;
	if (!run(w->name, n))
		return;
	expect(w->name, target, engine, n, r.end[engine][0] - r.start[engine][0], w->cycles(n));
	for (uint32_t i = 1; i + 1 < p.header.stream[engine].count; i++)
		expect(w->name, target, engine, n, r.start[engine][i] - r.start[engine][i - 1],
		       w->cycles(n));
	checked++;
}

static void elementwise(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *w = &rows[i];
		uint32_t funcs = w->opcode == NCA_OP_ACTIVATE ? NCA_FUNC_COUNT : 1;

		for (uint32_t e = 0; e < NCA_ENGINES; e++) {
			for (size_t k = 0;
			     k < sizeof(sizes) / sizeof(sizes[0]) && w->engines & 1u << e; k++)
				for (uint32_t t = NCA_TARGET_NCA1; t <= NCA_TARGET_NCA2; t++)
					for (uint32_t f = 0; f < funcs; f++)
						if (!w->mem[0] || sizes[k] <= 1024)
							one_row(w, t, e, sizes[k], f);
		}
	}
	printf(" %zu rows, %u cases ", sizeof(rows) / sizeof(rows[0]), checked);
}

struct mm_row {
	const char *name;
	uint8_t dtype, flags, factor; /* factor: times the cost of one pass */
};

static const struct mm_row mm_rows[] = {
	{ "FP32", FP, 0, 4 },
	{ "TF32", FP, NCA_F_TF32, 1 },
	{ "BF16", BF, 0, 1 },
	{ "FP16", NCA_FP16, 0, 1 },
	{ "FP8E4M3", NCA_FP8E4M3, 0, 1 },
	{ "FP8E5M2", NCA_FP8E5M2, 0, 1 },
	{ "INT8", NCA_INT8, NCA_F_INT, 1 },
	{ "UINT8", NCA_UINT8, NCA_F_INT, 1 },
};

static void matmuls(void)
{
	static const uint8_t columns[] = { 1, 31, 32, 64, 65, 100, 128 };
	const uint32_t e = NCA_ENGINE_TENSOR;
	uint32_t cases = 0;

	for (size_t i = 0; i < sizeof(mm_rows) / sizeof(mm_rows[0]); i++) {
		for (uint32_t t = NCA_TARGET_NCA1; t <= NCA_TARGET_NCA2; t++) {
			for (size_t c = 0; c < sizeof(columns); c++) {
				for (size_t k = 0;
				     k < sizeof(sizes) / sizeof(sizes[0]) && sizes[k] <= 512; k++) {
					const struct mm_row *w = &mm_rows[i];
					uint32_t m = columns[c], n = sizes[k],
						 tile = m <= 64 ? 64 : 128;
					/* nca1's array has 64 columns: a wider tile takes two
					 * passes. */
					uint64_t f =
						w->factor *
						(t == NCA_TARGET_NCA1 && tile == 128 ? 2u : 1u);
					uint64_t load = f * at_least(16, (m + 3) / 4),
						 mul = f * at_least(64, n);
					struct nca_inst *in;

					start(t);
					for (int j = 0; j < 4;
					     j++) { /* two loads and multiplications each */
						in = emit(&p, e,
							  j % 2 ? NCA_OP_MATMUL : NCA_OP_LDSTAT);
						in->flags = w->flags;
						in->mm.tile = (struct nca_pe_tile){ 0, 0, 128,
										    (uint8_t)tile };
						in->mm.src = ap(SB, w->dtype, 0, 128, 4096,
								j % 2 ? n : m);
						if (j % 2)
							in->mm.dst =
								ap(PS,
								   w->flags & NCA_F_INT ? NCA_INT32
											: FP,
								   0, m, 0, n);
					}
					if (!run(w->name, n))
						return;
					expect(w->name, t, e, m, r.end[e][0] - r.start[e][0], load);
					expect(w->name, t, e, n, r.end[e][1] - r.start[e][1], mul);
					/* The second tile loads behind the first multiplication. */
					expect(w->name, t, e, n, r.start[e][3] - r.start[e][1],
					       at_least(mul, 16 + load));
					cases++;
				}
			}
		}
	}
	printf(" %u cases ", cases);
}

static void transposes(void)
{
	static const uint8_t counts[] = { 1, 8, 32, 63, 64, 65, 100, 128 };
	const uint32_t e = NCA_ENGINE_TENSOR;

	for (size_t i = 0; i < sizeof(counts); i++) {
		for (size_t k = 0; k < sizeof(counts); k++) {
			uint32_t parts = counts[i], elems = counts[k];
			struct nca_inst *in;

			start(NCA_TARGET_NCA2);
			for (int j = 0; j < 2; j++) {
				in = emit(&p, e, NCA_OP_TRANSPOSE);
				in->mm.src = ap(SB, FP, 0, parts, 0, elems);
				in->mm.dst = ap(PS, FP, 0, elems, 0, parts);
			}
			if (!run("TRANSPOSE", elems))
				return;
			for (int j = 0; j < 2; j++)
				expect("TRANSPOSE", NCA_TARGET_NCA2, e, elems,
				       r.end[e][j] - r.start[e][j],
				       at_least(parts, elems < 64 ? elems : 64));
			expect("TRANSPOSE", NCA_TARGET_NCA2, e, elems,
			       r.start[e][1] - r.start[e][0],
			       at_least(16, at_least(parts, elems < 64 ? elems : 64)));
		}
	}
}

static void control(void)
{
	for (uint32_t t = NCA_TARGET_NCA1; t <= NCA_TARGET_NCA2; t++) {
		for (uint32_t e = 0; e < NCA_ENGINES; e++) {
			static const uint8_t ops[] = { NCA_OP_NOP, NCA_OP_MOVI, NCA_OP_ALU,
						       NCA_OP_BRANCH, NCA_OP_LOADARG };

			start(t);
			if (!p.target->engine_ticks[e])
				continue;
			for (uint32_t i = 0; i < sizeof(ops); i++) {
				struct nca_inst *in = emit(&p, e, ops[i]);

				if (ops[i] == NCA_OP_ALU)
					in->ctl.op = NCA_ALU_ADD;
				in->ctl.target = ops[i] == NCA_OP_BRANCH ? i + 1 : 0;
			}
			emit_dma(&p, e, true, SB, 0, 1, 0, 4, 0, 0, 0);
			if (!run("control", 0))
				return;
			for (uint32_t i = 0; i <= sizeof(ops) + 1; i++)
				expect("control", t, e, i, r.end[e][i] - r.start[e][i],
				       i == sizeof(ops) ? 32 : 16);
			for (uint32_t i = 0; i <= sizeof(ops); i++)
				CU_ASSERT_EQUAL(r.start[e][i + 1], r.end[e][i]);
		}
	}
}

void suite_cost(void)
{
	CU_pSuite s = CU_add_suite("published costs", NULL, NULL);

	CU_add_test(s, "vector, scalar, gpsimd", elementwise);
	CU_add_test(s, "matmul", matmuls);
	CU_add_test(s, "transpose on the array", transposes);
	CU_add_test(s, "control, DMA trigger", control);
}
