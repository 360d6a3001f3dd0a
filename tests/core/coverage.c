/* SPDX-License-Identifier: MIT */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coverage.h"
#include "firmware-sim/core/kernels.h"
#include "values.h"

#define V	  (1u << NCA_ENGINE_VECTOR)
#define S	  (1u << NCA_ENGINE_SCALAR)
#define G	  (1u << NCA_ENGINE_GPSIMD)
#define T	  (1u << NCA_ENGINE_TENSOR)
#define OPCODE(x) .opcode = NCA_OP_##x, .name = #x
#define RANKS	  .dst_ranks = 4, .src_ranks = 4

const struct opcode_form opcode_forms[] = {
	{ OPCODE(COPY), V | S | G, .src0 = true, RANKS },
	{ OPCODE(MEMSET), V | G, .scalars = 1, RANKS },
	{ OPCODE(TENSOR_TENSOR), V | G, .src0 = true, .src1 = true, .alus = 1, RANKS },
	{ OPCODE(TENSOR_SCALAR), V | G, .src0 = true, .src1_out = true, .scalars = 3, .alus = 7,
	  RANKS },
	{ OPCODE(SCALAR_TENSOR), V | G, .src0 = true, .src1 = true, .scalars = 1, .alus = 3,
	  RANKS },
	{ OPCODE(REDUCE), V, .src0 = true, .alus = 1, .reducing = true, .dst_ranks = 4,
	  .src_ranks = 4 },
	{ OPCODE(SCAN), V, .src0 = true, .src1 = true, .scalars = 1, .alus = 3, RANKS },
	{ OPCODE(SELECT), V | G, .src0 = true, .src1 = true, .scalars = 1, RANKS },
	{ OPCODE(COPY_PRED), V | G, .src0 = true, .src1 = true, RANKS },
	{ OPCODE(BN_STATS), V, .src0 = true, .dst_ranks = 2, .src_ranks = 4 },
	{ OPCODE(BN_AGGR), V, .src0 = true, .dst_ranks = 1, .src_ranks = 4 },
	{ OPCODE(MAX8), V, .src0 = true, .dst_ranks = 3, .src_ranks = 4 },
	{ OPCODE(INDEX8), V, .src0 = true, .src1 = true, .dst_ranks = 3, .src_ranks = 4 },
	{ OPCODE(RECIPROCAL), V, .src0 = true, RANKS },
	{ OPCODE(SHUFFLE), V, .src0 = true, .same_type = true, RANKS },
	{ OPCODE(TRANSPOSE32), V, .src0 = true, .same_type = true, RANKS },
	{ OPCODE(ACTIVATE), S, .src0 = true, .src1_out = true, .scalars = 3, .alus = 4, RANKS },
	{ OPCODE(IOTA), G, .scalars = 3, .compares = true, RANKS },
	{ OPCODE(AFFINE_SELECT), G, .src0 = true, .scalars = 3, .alus = 1, .compares = true,
	  RANKS },
	{ OPCODE(GATHER), G, .src0 = true, .src1 = true, .index = true, .same_type = true, RANKS },
	{ OPCODE(SCATTER), G, .src0 = true, .src1 = true, .index = true, .same_type = true, RANKS },
	{ OPCODE(TOPK), G, .src0 = true, .src1_out = true, RANKS },
	{ OPCODE(PART_REDUCE), G, .src0 = true, .alus = 1, .reducing = true, RANKS },
	{ OPCODE(PART_BROADCAST), G, .src0 = true, RANKS },
	{ OPCODE(LDSTAT), T, .src0 = true, .src_ranks = 4 },
	{ OPCODE(MATMUL), T, .src0 = true, RANKS },
	{ OPCODE(TRANSPOSE), T, .src0 = true, .same_type = true, RANKS },
};
const uint32_t opcode_form_count = sizeof(opcode_forms) / sizeof(opcode_forms[0]);

enum { SLOTS = 1 << 16 };
static struct cover_bin bins[SLOTS];
static uint32_t undeclared;
static uint64_t cases[256];

const struct opcode_form *opcode_form(uint32_t opcode)
{
	for (uint32_t i = 0; i < opcode_form_count; i++)
		if (opcode_forms[i].opcode == opcode)
			return &opcode_forms[i];
	return NULL;
}

bool op_reduces(uint32_t op)
{
	return op == NCA_ALU_ADD || op == NCA_ALU_MUL || op == NCA_ALU_MAX || op == NCA_ALU_MIN ||
	       op == NCA_ALU_AND || op == NCA_ALU_OR || op == NCA_ALU_XOR || op == NCA_ALU_LAND ||
	       op == NCA_ALU_LOR || op == NCA_ALU_ABSMAX;
}

uint32_t ap_rank(const struct nca_ap *a)
{
	uint32_t rank = 0;

	for (int d = 0; d < 4; d++)
		rank += a->size[d] > 1;
	return rank;
}

static struct cover_bin *find(uint32_t group, uint32_t opcode, uint32_t k0, uint32_t k1,
			      uint32_t k2)
{
	uint32_t h = ((((group * 131 + opcode) * 131 + k0) * 131 + k1) * 131 + k2) * 2654435761u;

	for (uint32_t i = h >> 16;; i = (i + 1) % SLOTS) {
		struct cover_bin *b = &bins[i];

		if (b->opcode == UINT32_MAX ||
		    (b->group == group && b->opcode == opcode && b->key[0] == k0 &&
		     b->key[1] == k1 && b->key[2] == k2))
			return b;
	}
}

static void want(uint32_t group, uint32_t opcode, uint32_t k0, uint32_t k1, uint32_t k2)
{
	*find(group, opcode, k0, k1, k2) = (struct cover_bin){ group, opcode, { k0, k1, k2 }, 0 };
}

static void hit(uint32_t group, uint32_t opcode, uint32_t k0, uint32_t k1, uint32_t k2)
{
	struct cover_bin *b = find(group, opcode, k0, k1, k2);

	if (b->opcode != UINT32_MAX) {
		b->hits++;
		return;
	}
	if (!undeclared++)
		printf(" no bin for group %u, opcode 0x%02x: %u %u %u\n", group, opcode, k0, k1,
		       k2);
}

/* ---- what is legal -------------------------------------------------------------- */
static bool array_type(uint32_t dtype)
{
	return dtype <= NCA_FP8E5M2 || dtype == NCA_INT8 || dtype == NCA_UINT8;
}

static bool type_legal(const struct opcode_form *f, uint32_t operand, uint32_t dtype)
{
	if (f->opcode == NCA_OP_LDSTAT || (f->opcode == NCA_OP_MATMUL && operand == COVER_SRC0))
		return array_type(dtype);
	if (f->opcode == NCA_OP_MATMUL)
		return dtype == NCA_FP32 || dtype == NCA_BF16 || dtype == NCA_INT32;
	return operand != COVER_SRC1 || !f->index || dtype >= NCA_INT32;
}

bool op_legal(const struct opcode_form *f, uint32_t place, uint32_t op, uint32_t dom)
{
	if ((f->reducing && !place) || place == 2)
		if (!op_reduces(op))
			return false;
	if (f->compares && (op < NCA_ALU_EQ || op > NCA_ALU_GE))
		return false;
	if (f->opcode == NCA_OP_ACTIVATE && dom != DOM_FP)
		return false;
	return dom == DOM_FP ? op < NCA_ALU_AND || op > NCA_ALU_SAR : op != NCA_ALU_POW;
}

/* A first partition and a class of counts: up to 32, up to 64, more. */
static uint32_t lanes_key(uint32_t part, uint32_t nparts)
{
	return part / 32 * 3 + (nparts > 64 ? 2 : nparts > 32);
}

static void want_operand(const struct opcode_form *f, uint32_t operand)
{
	uint32_t op = f->opcode, ranks = operand == COVER_SRC0 ? f->src_ranks : f->dst_ranks;
	bool one_out = operand == COVER_SRC1 && f->src1_out && op != NCA_OP_TOPK;
	bool blocks = op == NCA_OP_SHUFFLE || op == NCA_OP_TRANSPOSE32, read = operand != COVER_DST;
	/* Of one element there is one stride, and its rank is 0. */
	if (operand == COVER_SRC1 && f->index)
		ranks = 4;
	if (one_out)
		ranks = 0;
	for (uint32_t t = 0; t < NCA_DTYPES; t++)
		if (type_legal(f, operand, t))
			want(COVER_TYPE, op, operand, t, 0);
	for (uint32_t r = ranks ? 1 : 0; r <= ranks; r++)
		want(COVER_RANK, op, operand, r, 0);
	for (uint32_t s = 0; s < STRIDES && ranks; s++)
		want(COVER_STRIDE, op, operand, s, 0);
	for (uint32_t part = 0; part < 4; part++) {
		for (uint32_t n = 1; n <= NCA_PARTITIONS; n += 31) {
			bool one_lane = (op == NCA_OP_PART_REDUCE && operand == COVER_DST) ||
					(op == NCA_OP_PART_BROADCAST && operand == COVER_SRC0);

			if (part * 32 %
				    (n <= 32   ? 32
				     : n <= 64 ? 64
					       : 128) ||
			    (one_lane && n > 32) || (blocks && n == 1))
				continue;
			want(COVER_LANES, op, operand, lanes_key(part * 32, n), 0);
		}
	}
	if (!(f->engines & T)) {
		want(COVER_MEMORY, op, operand, NCA_MEM_SBUF, 0);
		if (f->engines & (V | S))
			want(COVER_MEMORY, op, operand, NCA_MEM_PSUM, 0);
	}
	want(COVER_REGISTER, op, operand, 0, 0);
	if (!read || one_out || (operand == COVER_SRC1 && (f->src1_out || f->index)))
		return;
	for (uint32_t t = 0; t < NCA_DTYPES; t++) {
		for (uint32_t c = 0; c < VALUE_CLASSES; c++) {
			if (!type_legal(f, operand, t) || !value_class_exists(t, c))
				continue;
			if (operand == COVER_SRC1)
				want(COVER_VALUE1, op, t, c, 0);
			for (uint32_t r = 1; r <= ranks && operand == COVER_SRC0; r++)
				want(COVER_VALUE, op, t, r, c);
		}
	}
}

static void want_scalars(const struct opcode_form *f)
{
	static const uint8_t pointed[] = { NCA_FP32, NCA_BF16, NCA_FP16 };

	for (uint32_t which = 0; which < 2; which++) {
		if (!(f->scalars & (1u << which)))
			continue;
		for (uint32_t i = 0; i < 3; i++) {
			if (i < 2 && !(f->compares && !i)) {
				want(COVER_SCALAR, f->opcode, which, NCA_SCALAR_IMM,
				     i ? NCA_INT32 : NCA_FP32);
				want(COVER_SCALAR, f->opcode, which, NCA_SCALAR_REG,
				     i ? NCA_INT32 : NCA_FP32);
			}
			if (f->compares)
				continue;
			want(COVER_SCALAR, f->opcode, which, NCA_SCALAR_SBUF, pointed[i]);
			if (f->engines & (V | S))
				want(COVER_SCALAR, f->opcode, which, NCA_SCALAR_PSUM, pointed[i]);
		}
	}
}

static void want_ops(const struct opcode_form *f)
{
	for (uint32_t place = 0; place < 3; place++)
		for (uint32_t op = NCA_ALU_ADD; op < NCA_ALU_COUNT && f->alus & 1u << place; op++)
			for (uint32_t dom = DOM_FP; dom <= DOM_UINT; dom++)
				if (op_legal(f, place, op, dom))
					want(COVER_ALU, f->opcode, place, op, dom);
}

static void want_array(void)
{
	for (uint32_t s = 0; s < NCA_DTYPES; s++) {
		for (uint32_t m = 0; m < NCA_DTYPES; m++) {
			bool ints = s >= NCA_INT32;

			if (!array_type(s) || !array_type(m) || ints != (m >= NCA_INT32) ||
			    (s == NCA_FP32) != (m == NCA_FP32))
				continue;
			for (uint32_t acc = 0; acc < 2; acc++) {
				want(COVER_ARRAY, s, m, ints ? NCA_INT32 : NCA_FP32, acc);
				if (!ints)
					want(COVER_ARRAY, s, m, NCA_BF16, acc);
			}
		}
	}
	want(COVER_FLAG, NCA_OP_MATMUL, NCA_F_TF32, 0, 0);
}

void cover_declare(void)
{
	for (uint32_t i = 0; i < SLOTS; i++)
		bins[i].opcode = UINT32_MAX;
	for (uint32_t i = 0; i < opcode_form_count; i++) {
		const struct opcode_form *f = &opcode_forms[i];

		for (uint32_t e = 0; e < NCA_ENGINES; e++)
			if (f->engines & 1u << e)
				want(COVER_ENGINE, f->opcode, e, 0, 0);
		if (f->opcode != NCA_OP_LDSTAT)
			want_operand(f, COVER_DST);
		if (f->src0)
			want_operand(f, COVER_SRC0);
		if (f->src1 || f->src1_out)
			want_operand(f, COVER_SRC1);
		want_scalars(f);
		want_ops(f);
		for (uint32_t k = 0; k < OVERLAPS && f->src0 && !(f->engines & T); k++)
			if ((k != OVERLAP_SRC1 || f->src1) &&
			    (k != OVERLAP_IN_PLACE || f->opcode != NCA_OP_BN_AGGR))
				want(COVER_OVERLAP, f->opcode, k, 0, 0);
		if (f->opcode == NCA_OP_TENSOR_SCALAR || f->opcode == NCA_OP_SCALAR_TENSOR) {
			want(COVER_FLAG, f->opcode, NCA_F_REVERSE0, 0, 0);
			want(COVER_FLAG, f->opcode, NCA_F_REVERSE1, 0, 0);
		}
		if (f->opcode == NCA_OP_REDUCE || (f->src1_out && f->opcode != NCA_OP_TOPK))
			want(COVER_FLAG, f->opcode, NCA_F_ACC_REDUCE, 0, 0);
	}
	for (uint32_t k = 0; k < NCA_FUNC_COUNT; k++)
		for (uint32_t t = 0; t < NCA_DTYPES; t++)
			for (uint32_t c = 0; c < VALUE_CLASSES; c++)
				if (value_class_exists(t, c))
					want(COVER_FUNC, k, t, c, 0);
	want_array();
}

/* ---- what has run ---------------------------------------------------------------- */
static uint32_t stride_of(const struct nca_ap *a)
{
	int32_t s = 0, bytes;

	for (int d = 0; d < 4; d++) /* of the innermost dimension that has one */
		if (a->size[d] > 1)
			s = a->stride[d];
	bytes = s * (int32_t)nca_dtype_size(a->dtype);
	if (s == 0)
		return STRIDE_ZERO;
	if (s < 0)
		return STRIDE_NEGATIVE;
	return s == 1 ? STRIDE_CONTIGUOUS : bytes > 16 ? STRIDE_WIDE : STRIDE_GAP;
}

static void record_operand(uint32_t opcode, uint32_t operand, const struct nca_ap *a)
{
	uint32_t rank = ap_rank(a);

	hit(COVER_TYPE, opcode, operand, a->dtype, 0);
	/* A single element counts as a row of one, unless there is never more. */
	hit(COVER_RANK, opcode, operand,
	    rank || (operand == COVER_SRC1 && opcode_form(opcode)->src1_out &&
		     opcode != NCA_OP_TOPK)
		    ? rank
		    : 1,
	    0);
	if (rank)
		hit(COVER_STRIDE, opcode, operand, stride_of(a), 0);
	hit(COVER_LANES, opcode, operand, lanes_key(a->part, a->nparts), 0);
	if (opcode >= NCA_OP_COPY)
		hit(COVER_MEMORY, opcode, operand, a->mem, 0);
	if (a->offset >> 24)
		hit(COVER_REGISTER, opcode, operand, 0, 0);
}

static bool touches(const struct oracle *o, const struct nca_ap *a, const struct nca_ap *b)
{
	static uint8_t marked[1 << 16];
	static uint32_t off[ORACLE_ELEMS];
	uint32_t n = oracle_offsets(o, a, off);
	bool met = false;

	if (a->mem != b->mem || a->part >= b->part + b->nparts || b->part >= a->part + a->nparts)
		return false;
	for (uint32_t i = 0; i < n; i++)
		memset(marked + off[i], 1, nca_dtype_size(a->dtype));
	n = oracle_offsets(o, b, off);
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < nca_dtype_size(b->dtype); k++)
			met |= marked[off[i] + k];
	n = oracle_offsets(o, a, off);
	for (uint32_t i = 0; i < n; i++)
		memset(marked + off[i], 0, nca_dtype_size(a->dtype));
	return met;
}

static bool twice(const struct oracle *o, const struct nca_ap *a)
{
	static uint32_t off[ORACLE_ELEMS];
	uint32_t n = oracle_offsets(o, a, off);

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = i + 1; k < n; k++)
			if (off[i] == off[k])
				return true;
	return false;
}

static void record_overlap(const struct oracle *o, const struct nca_inst *in,
			   const struct opcode_form *f)
{
	const struct nca_body_ew *e = &in->ew;
	bool src0 = touches(o, &e->dst, &e->src0), src1 = f->src1 && touches(o, &e->dst, &e->src1);
	bool place = src0 && e->dst.part == e->src0.part && e->dst.offset == e->src0.offset &&
		     !memcmp(e->dst.size, e->src0.size, 16);

	if (!src0 && !src1)
		hit(COVER_OVERLAP, f->opcode, OVERLAP_NONE, 0, 0);
	if (src0)
		hit(COVER_OVERLAP, f->opcode, place ? OVERLAP_IN_PLACE : OVERLAP_PARTLY, 0, 0);
	if (src1)
		hit(COVER_OVERLAP, f->opcode, OVERLAP_SRC1, 0, 0);
	if (twice(o, &e->dst))
		hit(COVER_OVERLAP, f->opcode, OVERLAP_ITSELF, 0, 0);
}

static uint32_t classes_of(const struct oracle *o, const struct nca_ap *a)
{
	static uint32_t off[ORACLE_ELEMS];
	uint32_t n = oracle_offsets(o, a, off), seen = 0;

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t l = 0; l < a->nparts; l++)
			seen |= 1u << value_class_of(oracle_fetch(o, a, l, off[i]), a->dtype);
	return seen;
}

static void record_values(const struct oracle *o, const struct nca_inst *in,
			  const struct opcode_form *f, const struct nca_ap *src0)
{
	uint32_t rank = ap_rank(src0), seen = classes_of(o, src0);

	for (uint32_t c = 0; c < VALUE_CLASSES; c++) {
		if (!(seen & 1u << c))
			continue;
		hit(COVER_VALUE, f->opcode, src0->dtype, rank ? rank : 1, c);
		if (f->opcode == NCA_OP_ACTIVATE)
			hit(COVER_FUNC, in->ew.func, src0->dtype, c, 0);
	}
	if (!f->src1 || f->index)
		return;
	seen = classes_of(o, &in->ew.src1);
	for (uint32_t c = 0; c < VALUE_CLASSES; c++)
		if (seen & 1u << c)
			hit(COVER_VALUE1, f->opcode, in->ew.src1.dtype, c, 0);
}

static void record_ew(const struct oracle *o, const struct nca_inst *in,
		      const struct opcode_form *f)
{
	static const uint32_t flags[] = { NCA_F_REVERSE0, NCA_F_REVERSE1, NCA_F_ACC_REDUCE };
	const struct nca_body_ew *e = &in->ew;
	const uint8_t op[3] = { e->op0, e->op1, e->op2 };
	uint32_t dom = oracle_domain(in);

	record_operand(f->opcode, COVER_DST, &e->dst);
	if (f->src0) {
		record_operand(f->opcode, COVER_SRC0, &e->src0);
		record_overlap(o, in, f);
		record_values(o, in, f, &e->src0);
	}
	if (f->opcode == NCA_OP_SHUFFLE)
		return;
	if (e->src1.nparts)
		record_operand(f->opcode, COVER_SRC1, &e->src1);
	for (uint32_t i = 0; i < 3; i++)
		if (op[i])
			hit(COVER_ALU, f->opcode, i, op[i], dom);
	if (e->s0.kind)
		hit(COVER_SCALAR, f->opcode, 0, e->s0.kind, e->s0.dtype);
	if (e->s1.kind)
		hit(COVER_SCALAR, f->opcode, 1, e->s1.kind, e->s1.dtype);
	for (uint32_t i = 0; i < 3; i++)
		if (in->flags & flags[i])
			hit(COVER_FLAG, f->opcode, flags[i], 0, 0);
}

void cover_record(const struct oracle *o, uint32_t engine, const struct nca_inst *in)
{
	const struct opcode_form *f = opcode_form(in->opcode);
	static uint32_t stationary;

	cases[in->opcode]++;
	hit(COVER_ENGINE, in->opcode, engine, 0, 0);
	if (in->opcode >= NCA_OP_COPY) {
		record_ew(o, in, f);
		return;
	}
	record_operand(in->opcode, COVER_SRC0, &in->mm.src);
	record_values(o, in, f, &in->mm.src);
	if (in->opcode == NCA_OP_LDSTAT) {
		stationary = in->mm.src.dtype;
		return;
	}
	record_operand(in->opcode, COVER_DST, &in->mm.dst);
	if (in->opcode == NCA_OP_MATMUL) {
		hit(COVER_ARRAY, stationary, in->mm.src.dtype, in->mm.dst.dtype,
		    !!(in->flags & NCA_F_ACCUMULATE));
		if (in->flags & NCA_F_TF32)
			hit(COVER_FLAG, NCA_OP_MATMUL, NCA_F_TF32, 0, 0);
	}
}

/* ---- the report -------------------------------------------------------------------- */
const struct cover_bin *cover_empty(const struct cover_bin *after)
{
	for (const struct cover_bin *b = after ? after + 1 : bins; b < bins + SLOTS; b++)
		if (b->opcode != UINT32_MAX && !b->hits)
			return b;
	return NULL;
}

uint32_t cover_undeclared(void)
{
	return undeclared;
}

static const char *const group_names[COVER_GROUPS] = {
	"engine",
	"type",
	"rank",
	"type x rank x value",
	"second value",
	"operation x domain",
	"function x type x value",
	"scalar",
	"stride",
	"partitions",
	"memory",
	"overlap",
	"register",
	"array types",
	"flag",
};

static void row(const char *name, uint64_t n, const uint32_t have[COVER_GROUPS],
		const uint32_t legal[COVER_GROUPS])
{
	static const uint8_t shown[] = { COVER_TYPE,   COVER_RANK,  COVER_VALUE,
					 COVER_VALUE1, COVER_ALU,   COVER_SCALAR,
					 COVER_STRIDE, COVER_LANES, COVER_OVERLAP };

	printf("  %-15s %7llu", name, (unsigned long long)n);
	for (size_t i = 0; i < sizeof(shown); i++) {
		char text[24] = "-";

		if (legal[shown[i]])
			snprintf(text, sizeof(text), "%u/%u", have[shown[i]], legal[shown[i]]);
		printf(" %11s", text);
	}
	putchar('\n');
}

static bool belongs(const struct cover_bin *b, uint32_t opcode)
{
	return b->opcode == opcode && b->group != COVER_FUNC && b->group != COVER_ARRAY;
}

uint32_t cover_report(void)
{
	uint32_t all[2][COVER_GROUPS] = { 0 }, have = 0, legal = 0, shown = 0;
	uint64_t total = 0;

	printf("\n  %-15s %7s %11s %11s %11s %11s %11s %11s %11s %11s %11s\n", "opcode", "cases",
	       "types", "ranks", "t x r x val", "2nd values", "operations", "scalars", "strides",
	       "partitions", "overlaps");
	for (uint32_t i = 0; i < opcode_form_count; i++) {
		uint32_t n[2][COVER_GROUPS] = { 0 };

		for (uint32_t k = 0; k < SLOTS; k++) {
			if (!belongs(&bins[k], opcode_forms[i].opcode))
				continue;
			n[0][bins[k].group] += !!bins[k].hits;
			n[1][bins[k].group]++;
		}
		row(opcode_forms[i].name, cases[opcode_forms[i].opcode], n[0], n[1]);
		total += cases[opcode_forms[i].opcode];
	}
	for (uint32_t k = 0; k < SLOTS; k++) {
		const struct cover_bin *b = &bins[k];

		if (b->opcode == UINT32_MAX)
			continue;
		all[0][b->group] += !!b->hits;
		all[1][b->group]++;
		if (!b->hits && shown++ < 20)
			printf("  EMPTY: %s, 0x%02x: %u %u %u\n", group_names[b->group], b->opcode,
			       b->key[0], b->key[1], b->key[2]);
	}
	for (uint32_t g = 0; g < COVER_GROUPS; g++) {
		printf("  %-24s %5u of %5u bins\n", group_names[g], all[0][g], all[1][g]);
		have += all[0][g];
		legal += all[1][g];
	}
	printf("  %llu instructions, %u of %u legal bins\n ", (unsigned long long)total, have,
	       legal);
	return legal - have;
}
