/* SPDX-License-Identifier: MIT */
/*
 * Static validation of vector, scalar and gpsimd instructions: one row of a
 * table per opcode says which engines have it and which fields it uses. A field
 * that an opcode does not use must be zero.
 */
#include <string.h>

#include "core_impl.h"

#define E_V	(1u << NCA_ENGINE_VECTOR)
#define E_S	(1u << NCA_ENGINE_SCALAR)
#define E_G	(1u << NCA_ENGINE_GPSIMD)

enum use { NO, MAY, MUST };
enum src1_role { NONE, IN, MASK, INDEX, REDUCED };
enum shape {
	SAME,		/* dst, src0 and an input src1 have equally many elements */
	FILL,		/* only dst */
	REDUCING,	/* dst has the outer dimensions of src0 */
};

struct form {
	uint8_t engines;
	uint8_t src0, src1;	/* enum use, enum src1_role */
	uint8_t s0, s1;
	uint8_t op0, op1;
	uint8_t func, param;
	uint8_t flags;
	uint8_t shape;
};

#define REV	(NCA_F_REVERSE0 | NCA_F_REVERSE1)

static const struct form forms[256] = {
	[NCA_OP_COPY] = { .engines = E_V | E_S | E_G, .src0 = MUST },
	[NCA_OP_TENSOR_TENSOR] = { .engines = E_V | E_G, .src0 = MUST, .src1 = IN, .op0 = MUST },
	[NCA_OP_TENSOR_SCALAR] = { .engines = E_V | E_G, .src0 = MUST, .src1 = REDUCED, .s0 = MAY,
				   .s1 = MAY, .op0 = MAY, .op1 = MAY, .flags = REV | NCA_F_ACC_REDUCE },
	[NCA_OP_SCALAR_TENSOR] = { .engines = E_V | E_G, .src0 = MUST, .src1 = IN, .s0 = MAY,
				   .op0 = MAY, .op1 = MUST, .flags = REV },
	[NCA_OP_REDUCE] = { .engines = E_V, .src0 = MUST, .op0 = MUST, .param = MUST,
			    .flags = NCA_F_ACC_REDUCE, .shape = REDUCING },
	[NCA_OP_SCAN] = { .engines = E_V, .src0 = MUST, .src1 = IN, .s0 = MUST, .op0 = MUST,
			  .op1 = MUST },
	[NCA_OP_SELECT] = { .engines = E_V | E_G, .src0 = MUST, .src1 = MASK, .s0 = MUST },
	[NCA_OP_COPY_PRED] = { .engines = E_V | E_G, .src0 = MUST, .src1 = MASK },
	[NCA_OP_RECIPROCAL] = { .engines = E_V, .src0 = MUST },
	[NCA_OP_MEMSET] = { .engines = E_V | E_G, .s0 = MUST, .shape = FILL },
	[NCA_OP_ACTIVATE] = { .engines = E_S, .src0 = MUST, .src1 = REDUCED, .s0 = MAY, .s1 = MAY,
			      .func = MUST, .param = MAY, .flags = NCA_F_ACC_REDUCE },
};

static bool is_integer(uint32_t dtype)
{
	return dtype >= NCA_INT32;
}

static uint32_t spaces(const struct check *c)
{
	return c->engine == NCA_ENGINE_GPSIMD ? SPACE_SBUF : SPACE_SBUF | SPACE_PSUM;
}

/* A scalar operand in memory is an access pattern of one element. */
static int check_scalar(struct check *c, struct pinst *p, const struct nca_scalar *s,
			const char *what, uint32_t use)
{
	struct nca_ap ap;

	if (s->rsvd)
		return program_fault(c, NCA_RULE_BAD_ENCODING, s->rsvd, "%s: reserved bits", what);
	switch (s->kind) {
	case NCA_SCALAR_NONE:
		if (use == MUST)
			return program_fault(c, NCA_RULE_BAD_ENCODING, 0, "%s is missing", what);
		if (!all_zero(s, sizeof(*s)))
			return program_fault(c, NCA_RULE_BAD_ENCODING, 0, "%s: not zero", what);
		return 0;
	case NCA_SCALAR_IMM:
	case NCA_SCALAR_REG:
		if (use == NO || s->part)
			break;
		if (s->dtype != NCA_FP32 && s->dtype != NCA_INT32)
			return program_fault(c, NCA_RULE_DTYPE, s->dtype,
					     "%s: data type %u, only FP32 and INT32", what, s->dtype);
		if (s->kind == NCA_SCALAR_REG && s->value >= NCA_REGISTERS)
			return program_fault(c, NCA_RULE_REGISTER, s->value, "%s: no register %u",
					     what, s->value);
		return 0;
	case NCA_SCALAR_SBUF:
	case NCA_SCALAR_PSUM:
		if (use == NO)
			break;
		if (s->dtype != NCA_FP32 && s->dtype != NCA_BF16 && s->dtype != NCA_FP16)
			return program_fault(c, NCA_RULE_DTYPE, s->dtype,
					     "%s: data type %u, only FP32, BF16 and FP16", what,
					     s->dtype);
		if (s->value > NCA_AP_OFFSET_MASK)
			return program_fault(c, NCA_RULE_OUT_OF_RANGE, s->value, "%s: offset %u",
					     what, s->value);
		ap = (struct nca_ap){ .mem = s->kind == NCA_SCALAR_SBUF ? NCA_MEM_SBUF : NCA_MEM_PSUM,
				      .dtype = s->dtype, .part = s->part,
				      .nparts = c->in->ew.dst.nparts, .offset = s->value,
				      .size = { 1, 1, 1, 1 } };
		return program_check_ap(c, &ap, what, spaces(c), &p->src[p->nsrc++]);
	default:
		break;
	}
	return program_fault(c, NCA_RULE_BAD_ENCODING, s->kind, "%s: kind %u is not possible here",
			     what, s->kind);
}

static bool bitwise(uint32_t op)
{
	return op >= NCA_ALU_AND && op <= NCA_ALU_SAR;
}

static bool reducing(uint32_t op)
{
	switch (op) {
	case NCA_ALU_ADD:
	case NCA_ALU_MUL:
	case NCA_ALU_MAX:
	case NCA_ALU_MIN:
	case NCA_ALU_AND:
	case NCA_ALU_OR:
	case NCA_ALU_XOR:
	case NCA_ALU_LAND:
	case NCA_ALU_LOR:
	case NCA_ALU_ABSMAX:
		return true;
	default:
		return false;
	}
}

static int check_op(struct check *c, const struct pinst *p, const char *what, uint32_t op,
		    uint32_t use, bool reduce)
{
	if (op >= NCA_ALU_COUNT || (use == NO && op) || (use == MUST && !op) ||
	    (reduce && !reducing(op)))
		return program_fault(c, NCA_RULE_BAD_ENCODING, op, "%s: operation %u is not possible",
				     what, op);
	if (p->dom == DOM_FP && bitwise(op))
		return program_fault(c, NCA_RULE_DTYPE, op,
				     "%s: operation %u needs integers on every input", what, op);
	if (p->dom != DOM_FP && op == NCA_ALU_POW)
		return program_fault(c, NCA_RULE_DTYPE, op, "%s: POW is not for integers", what);
	return 0;
}

/*
 * Integers if every input is an integer, else FP32. A copy or predicated copy
 * between equal types moves bits.
 */
static uint8_t domain(const struct nca_inst *in, const struct form *f)
{
	const struct nca_body_ew *b = &in->ew;
	const struct nca_scalar *s[2] = { &b->s0, &b->s1 };

	if ((in->opcode == NCA_OP_COPY || in->opcode == NCA_OP_COPY_PRED) &&
	    b->dst.dtype == b->src0.dtype)
		return DOM_BITS;
	if (in->opcode == NCA_OP_ACTIVATE || in->opcode == NCA_OP_RECIPROCAL)
		return DOM_FP;
	if (f->src0 && !is_integer(b->src0.dtype))
		return DOM_FP;
	if (f->src1 == IN && !is_integer(b->src1.dtype))
		return DOM_FP;
	for (int i = 0; i < 2; i++)
		if (s[i]->kind && s[i]->dtype != NCA_INT32)
			return DOM_FP;
	return f->src0 && b->src0.dtype == NCA_UINT32 ? DOM_UINT : DOM_INT;
}

static int check_ops(struct check *c, struct pinst *p, const struct form *f)
{
	const struct nca_body_ew *b = &c->in->ew;
	bool reduced = f->src1 == REDUCED && b->src1.nparts;
	int ret;

	if ((f->s0 == MAY && f->op0 && !b->s0.kind != !b->op0) ||
	    (f->s1 == MAY && f->op1 && !b->s1.kind != !b->op1))
		return program_fault(c, NCA_RULE_BAD_ENCODING, b->op0,
				     "an operation and its scalar must come together");
	ret = check_op(c, p, "op0", b->op0, f->op0, f->shape == REDUCING);
	if (!ret)
		ret = check_op(c, p, "op1", b->op1, f->op1, false);
	if (!ret)
		ret = check_op(c, p, "op2", b->op2, reduced ? MUST : NO, reduced);
	if (ret)
		return ret;
	if ((c->in->flags & NCA_F_ACC_REDUCE) && f->src1 == REDUCED && !reduced)
		return program_fault(c, NCA_RULE_BAD_ENCODING, c->in->flags,
				     "ACC_REDUCE without a reduction");
	if (f->func ? b->func >= NCA_FUNC_COUNT : b->func)
		return program_fault(c, NCA_RULE_BAD_ENCODING, b->func, "no function %u", b->func);
	if (f->func && b->func != NCA_FUNC_LRELU && b->func != NCA_FUNC_ELU && b->param)
		return program_fault(c, NCA_RULE_BAD_ENCODING, b->param,
				     "function %u takes no parameter", b->func);
	if (!f->param && b->param)
		return program_fault(c, NCA_RULE_BAD_ENCODING, b->param, "param is not zero");
	return 0;
}

static int check_src1(struct check *c, struct pinst *p, const struct form *f)
{
	const struct nca_body_ew *b = &c->in->ew;
	int ret;

	if (f->src1 == NONE || (f->src1 == REDUCED && !b->src1.nparts)) {
		if (all_zero(&b->src1, sizeof(b->src1)))
			return 0;
		return program_fault(c, NCA_RULE_BAD_ENCODING, 0, "src1 is not zero");
	}
	ret = program_check_ap(c, &b->src1, "src1", spaces(c), f->src1 == REDUCED ?
			       &p->dst[p->ndst++] : &p->src[p->nsrc++]);
	if (ret)
		return ret;
	if (b->src1.nparts != b->dst.nparts ||
	    nca_ap_elems(&b->src1) != (f->src1 == REDUCED ? 1 : nca_ap_elems(&b->dst)))
		return program_fault(c, NCA_RULE_SHAPE, nca_ap_elems(&b->src1),
				     "src1: %u partitions of %u elements do not fit dst (%u of %u)",
				     b->src1.nparts, nca_ap_elems(&b->src1), b->dst.nparts,
				     nca_ap_elems(&b->dst));
	if (f->src1 == REDUCED && (c->in->flags & NCA_F_ACC_REDUCE))
		p->src[p->nsrc++] = p->dst[p->ndst - 1];
	if (c->in->opcode == NCA_OP_TENSOR_TENSOR && b->src0.mem == NCA_MEM_PSUM &&
	    b->src1.mem == NCA_MEM_PSUM)
		return program_fault(c, NCA_RULE_SPACE, 0, "src0 and src1 may not both be in PSUM");
	return 0;
}

static int check_shape(struct check *c, const struct form *f)
{
	const struct nca_body_ew *b = &c->in->ew;
	uint32_t want = nca_ap_elems(&b->src0);

	if (f->shape == FILL)
		return 0;
	if (f->shape == REDUCING) {
		if (b->param < 1 || b->param > 4)
			return program_fault(c, NCA_RULE_BAD_ENCODING, b->param,
					     "a reduction over %u dimensions", b->param);
		for (uint32_t d = 4 - b->param; d < 4; d++)
			want /= b->src0.size[d];
	}
	if (b->src0.nparts == b->dst.nparts && nca_ap_elems(&b->dst) == want)
		return 0;
	return program_fault(c, NCA_RULE_SHAPE, nca_ap_elems(&b->dst),
			     "dst: %u partitions of %u elements, the inputs make %u of %u",
			     b->dst.nparts, nca_ap_elems(&b->dst), b->src0.nparts, want);
}

int program_check_ew(struct check *c, struct pinst *p)
{
	const struct nca_inst *in = c->in;
	const struct nca_body_ew *b = &in->ew;
	const struct form *f = &forms[in->opcode];
	int ret;

	if (!(f->engines & (1u << c->engine)))
		return program_fault(c, NCA_RULE_ILLEGAL_OPCODE, in->opcode,
				     "opcode 0x%02x is not on this engine", in->opcode);
	if (in->flags & ~f->flags)
		return program_fault(c, NCA_RULE_BAD_ENCODING, in->flags, "flags 0x%x", in->flags);
	p->dom = domain(in, f);
	ret = program_check_ap(c, &b->dst, "dst", spaces(c), &p->dst[p->ndst++]);
	if (!ret && f->src0)
		ret = program_check_ap(c, &b->src0, "src0", spaces(c), &p->src[p->nsrc++]);
	else if (!ret && !all_zero(&b->src0, sizeof(b->src0)))
		ret = program_fault(c, NCA_RULE_BAD_ENCODING, 0, "src0 is not zero");
	if (!ret)
		ret = check_src1(c, p, f);
	if (!ret)
		ret = check_scalar(c, p, &b->s0, "s0", f->s0);
	if (!ret)
		ret = check_scalar(c, p, &b->s1, "s1", f->s1);
	if (!ret)
		ret = check_shape(c, f);
	if (!ret)
		ret = check_ops(c, p, f);
	if (ret)
		return ret;
	/* What is read besides the sources: the destination itself. */
	if (in->opcode == NCA_OP_COPY_PRED ||
	    (in->opcode == NCA_OP_REDUCE && (in->flags & NCA_F_ACC_REDUCE)))
		p->src[p->nsrc++] = p->dst[0];
	return 0;
}
