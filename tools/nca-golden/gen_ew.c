/* SPDX-License-Identifier: MIT */
/* Vector, scalar and gpsimd instructions. */
#include <string.h>

#include "gen.h"

#define SCALAR_REG	24u	/* registers of scalar operands: past those of addresses */

struct ew {
	struct gen *g;
	uint32_t opcode, engine;
	struct nca_inst in;
	struct nca_body_ew *b;
	uint32_t lanes, n;
	bool integers;		/* every input: the integer domain */
	int ret;
};

static bool ok(struct ew *e, int ret)
{
	if (!e->ret)
		e->ret = ret;
	return !e->ret;
}

static uint32_t type(struct ew *e)
{
	if (e->g->dtype < 0 && e->integers)
		return NCA_INT32 + gen_below(e->g, NCA_DTYPES - NCA_INT32);
	return gen_dtype(e->g);
}

static uint32_t memory(struct ew *e)
{
	return e->engine != NCA_ENGINE_GPSIMD && gen_one_in(e->g, 3) ? NCA_MEM_PSUM : NCA_MEM_SBUF;
}

static void operand(struct ew *e, struct nca_ap *a, uint32_t dtype, uint32_t lanes, uint32_t n)
{
	uint16_t size[4];

	if (e->ret)
		return;
	gen_sizes(e->g, n, size);
	ok(e, gen_operand(e->g, e->engine, memory(e), dtype, lanes, size, a));
}

static void expect(struct ew *e, const struct nca_ap *a)
{
	if (!e->ret)
		ok(e, gen_expect(e->g, e->engine, a));
}

static void scalar(struct ew *e, struct nca_scalar *s, bool may_point)
{
	static const uint8_t types[] = { NCA_FP32, NCA_BF16, NCA_FP16 };
	struct gen *g = e->g;
	struct nca_ap a;
	bool integer = e->integers || gen_one_in(g, 8);

	if (e->ret)
		return;
	if (may_point && !e->integers && gen_one_in(g, 2)) {
		static const uint16_t one[4] = { 1, 1, 1, 1 };

		s->kind = memory(e) == NCA_MEM_SBUF ? NCA_SCALAR_SBUF : NCA_SCALAR_PSUM;
		s->dtype = types[gen_below(g, 3)];
		if (!ok(e, gen_operand(g, e->engine, s->kind - NCA_SCALAR_SBUF, s->dtype, e->lanes,
				       one, &a)))
			return;
		s->part = a.part;
		s->value = a.offset;
		if (s->value > NCA_AP_OFFSET_MASK)	/* a scalar's address is never in a register */
			e->ret = 1;
		return;
	}
	s->dtype = integer ? NCA_INT32 : NCA_FP32;
	s->kind = NCA_SCALAR_IMM;
	s->value = gen_value(g, s->dtype);
	if (gen_one_in(g, 4)) {
		uint32_t reg = SCALAR_REG + gen_below(g, 2) + (s == &e->b->s1 ? 2 : 0);

		s->kind = NCA_SCALAR_REG;
		ok(e, gen_register(g, e->engine, reg, s->value));
		s->value = reg;
	}
}

static uint8_t alu(struct ew *e)
{
	return (uint8_t)(1 + gen_below(e->g, NCA_ALU_COUNT - 1));
}

static uint8_t reducing(struct ew *e)
{
	static const uint8_t ops[] = { NCA_ALU_ADD, NCA_ALU_MUL, NCA_ALU_MAX, NCA_ALU_MIN, NCA_ALU_ABSMAX,
				       NCA_ALU_LAND, NCA_ALU_LOR, NCA_ALU_AND, NCA_ALU_OR, NCA_ALU_XOR };

	return ops[gen_below(e->g, e->integers ? 10 : 7)];
}

static void src0(struct ew *e)
{
	operand(e, &e->b->src0, type(e), e->lanes, e->n);
}

/* In place now and then: operands are read before results are written. */
static void dst(struct ew *e, uint32_t dtype, uint32_t n)
{
	if (n == e->n && e->b->src0.nparts == e->lanes && e->b->src0.dtype == dtype &&
	    gen_one_in(e->g, 6))
		e->b->dst = e->b->src0;
	else
		operand(e, &e->b->dst, dtype, e->lanes, n);
	expect(e, &e->b->dst);
}

static void reduced(struct ew *e)
{
	if (gen_one_in(e->g, 2))
		return;
	e->b->op2 = reducing(e);
	if (gen_one_in(e->g, 2))
		e->in.flags |= NCA_F_ACC_REDUCE;
	operand(e, &e->b->src1, type(e), e->lanes, 1);
	expect(e, &e->b->src1);
}

static void tensor_scalar(struct ew *e)
{
	struct nca_body_ew *b = e->b;

	src0(e);
	if (gen_one_in(e->g, 8) == 0) {
		scalar(e, &b->s0, true);
		b->op0 = alu(e);
		e->in.flags |= gen_one_in(e->g, 2) ? NCA_F_REVERSE0 : 0;
	}
	if (gen_one_in(e->g, 2)) {
		scalar(e, &b->s1, true);
		b->op1 = alu(e);
		e->in.flags |= gen_one_in(e->g, 2) ? NCA_F_REVERSE1 : 0;
	}
	dst(e, type(e), e->n);
	reduced(e);
}

static void scalar_tensor(struct ew *e)
{
	src0(e);
	if (gen_one_in(e->g, 8) == 0) {
		scalar(e, &e->b->s0, true);
		e->b->op0 = alu(e);
	}
	e->b->op1 = alu(e);
	e->in.flags = (uint8_t)(gen_below(e->g, 4) * NCA_F_REVERSE0);
	operand(e, &e->b->src1, type(e), e->lanes, e->n);
	dst(e, type(e), e->n);
}

static void activate(struct ew *e)
{
	struct nca_body_ew *b = e->b;

	src0(e);
	if (gen_one_in(e->g, 2))
		scalar(e, &b->s0, true);
	if (gen_one_in(e->g, 2))
		scalar(e, &b->s1, true);
	b->func = (uint8_t)gen_below(e->g, NCA_FUNC_COUNT);
	if (b->func == NCA_FUNC_LRELU || b->func == NCA_FUNC_ELU)
		b->param = gen_value(e->g, NCA_FP32);
	dst(e, type(e), e->n);
	e->integers = false;
	reduced(e);
}

static void reduce(struct ew *e)
{
	struct nca_body_ew *b = e->b;
	uint16_t size[4];
	uint32_t n = 1;

	gen_sizes(e->g, e->n, size);
	b->param = 1 + gen_below(e->g, 4);
	b->op0 = reducing(e);
	ok(e, gen_operand(e->g, e->engine, memory(e), type(e), e->lanes, size, &b->src0));
	for (uint32_t d = 0; d < 4 - b->param; d++)
		n *= size[d];
	if (gen_one_in(e->g, 3))
		e->in.flags |= NCA_F_ACC_REDUCE;
	operand(e, &b->dst, type(e), e->lanes, n);
	expect(e, &b->dst);
}

/* Indices among @limit elements for @n elements. */
static void indices(struct ew *e, uint32_t n, uint32_t limit)
{
	uint16_t size[4];

	gen_sizes(e->g, n, size);
	if (!e->ret)
		ok(e, gen_indices(e->g, e->engine, NCA_INT32 + gen_below(e->g, NCA_DTYPES - NCA_INT32),
				  e->lanes, size, limit, &e->b->src1));
}

static void affine(struct ew *e)
{
	e->integers = true;
	scalar(e, &e->b->s0, false);
	scalar(e, &e->b->s1, false);
	e->b->param = gen_value(e->g, NCA_INT32);
}

static void shuffle(struct ew *e)
{
	e->lanes = 32 * (1 + gen_below(e->g, 2));
	src0(e);
	dst(e, e->b->src0.dtype, e->n);
	for (int i = 0; i < 32; i++)
		e->in.shuffle.mask[i] = (uint8_t)gen_below(e->g, 32);
}

static void positions(struct ew *e)
{
	src0(e);
	e->b->param = 1 + gen_below(e->g, e->n);
	operand(e, &e->b->dst, e->b->src0.dtype, e->lanes, e->b->param);
	operand(e, &e->b->src1, NCA_INT32, e->lanes, e->b->param);
	expect(e, &e->b->dst);
	expect(e, &e->b->src1);
}

static void over_partitions(struct ew *e)
{
	bool reducing_op = e->opcode == NCA_OP_PART_REDUCE;

	operand(e, &e->b->src0, type(e), reducing_op ? e->lanes : 1, e->n);
	e->b->op0 = reducing_op ? reducing(e) : 0;
	operand(e, &e->b->dst, type(e), reducing_op ? 1 : e->lanes, e->n);
	expect(e, &e->b->dst);
}

static void body(struct ew *e)
{
	struct nca_body_ew *b = e->b;

	switch (e->opcode) {
	case NCA_OP_COPY:
	case NCA_OP_RECIPROCAL:
		src0(e);
		dst(e, type(e), e->n);
		break;
	case NCA_OP_TENSOR_TENSOR:
	case NCA_OP_SCAN:
		src0(e);
		operand(e, &b->src1, type(e), e->lanes, e->n);
		b->op0 = alu(e);
		if (e->opcode == NCA_OP_SCAN) {
			b->op1 = alu(e);
			scalar(e, &b->s0, true);
		}
		dst(e, type(e), e->n);
		break;
	case NCA_OP_TENSOR_SCALAR:
		tensor_scalar(e);
		break;
	case NCA_OP_SCALAR_TENSOR:
		scalar_tensor(e);
		break;
	case NCA_OP_REDUCE:
		reduce(e);
		break;
	case NCA_OP_SELECT:
	case NCA_OP_COPY_PRED:
		src0(e);
		/* Few values: enough zeroes among the predicates. */
		indices(e, e->n, 2 + gen_below(e->g, 2));
		if (e->opcode == NCA_OP_SELECT)
			scalar(e, &b->s0, true);
		dst(e, type(e), e->n);
		break;
	case NCA_OP_BN_STATS:
		src0(e);
		dst(e, type(e), 6);
		break;
	case NCA_OP_BN_AGGR:
		e->n = 3 * (1 + gen_below(e->g, 5));
		src0(e);
		dst(e, type(e), 2);
		break;
	case NCA_OP_MAX8:
	case NCA_OP_INDEX8:
		e->n += 7;
		src0(e);
		if (e->opcode == NCA_OP_INDEX8) {
			operand(e, &b->src1, b->src0.dtype, e->lanes, 8);
			operand(e, &b->dst, gen_one_in(e->g, 2) ? NCA_INT32 : NCA_FP32, e->lanes, 8);
			expect(e, &b->dst);
		} else {
			dst(e, b->src0.dtype, 8);
		}
		break;
	case NCA_OP_SHUFFLE:
		shuffle(e);
		break;
	case NCA_OP_TRANSPOSE32:
		e->lanes = e->n = 32;
		src0(e);
		dst(e, b->src0.dtype, 32);
		break;
	case NCA_OP_MEMSET:
		scalar(e, &b->s0, true);
		dst(e, type(e), e->n);
		break;
	case NCA_OP_ACTIVATE:
		activate(e);
		break;
	case NCA_OP_IOTA:
		affine(e);
		dst(e, gen_dtype(e->g), e->n);
		break;
	case NCA_OP_AFFINE_SELECT:
		src0(e);
		affine(e);
		b->op0 = (uint8_t)(NCA_ALU_EQ + gen_below(e->g, 6));
		b->func = (uint8_t)gen_below(e->g, NCA_FILL_COUNT);
		dst(e, gen_dtype(e->g), e->n);
		break;
	case NCA_OP_GATHER:
	case NCA_OP_SCATTER: {
		uint32_t m = 1 + gen_below(e->g, e->g->elems), gather = e->opcode == NCA_OP_GATHER;

		src0(e);
		indices(e, gather ? m : e->n, gather ? e->n : m);
		operand(e, &b->dst, b->src0.dtype, e->lanes, m);
		expect(e, &b->dst);
		break;
	}
	case NCA_OP_TOPK:
		positions(e);
		break;
	default:
		over_partitions(e);
		break;
	}
}

int gen_ew(struct gen *g, uint32_t opcode, uint32_t engine)
{
	struct ew e = { .g = g, .opcode = opcode, .engine = engine, .lanes = gen_lanes(g),
			.n = 1 + gen_below(g, g->elems), .integers = gen_one_in(g, 3) };

	e.b = &e.in.ew;
	e.in.opcode = (uint8_t)opcode;
	body(&e);
	if (!e.ret)
		e.ret = gen_sync(g, &e.in);
	return e.ret ? e.ret : ncagolden_case_inst(g->c, engine, &e.in);
}
