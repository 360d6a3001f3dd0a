/* SPDX-License-Identifier: MIT */
/*
 * Static validation of vector, scalar and gpsimd instructions: one row of a
 * table per opcode says which engines have it and which fields it uses. A field
 * that an opcode does not use must be zero.
 */
#include <string.h>

#include "core_impl.h"

/* Bounds what one instruction can cost the host. */
#define TOPK_MAX	1024u

#define E_V	(1u << NCA_ENGINE_VECTOR)
#define E_S	(1u << NCA_ENGINE_SCALAR)
#define E_G	(1u << NCA_ENGINE_GPSIMD)

enum use { NO, MAY, MUST };
enum src1_role { NONE, IN, MASK, INDEX, REDUCED, POSITIONS };
enum shape {
	SAME,		/* dst, src0 and an input src1 have equally many elements */
	FILL,		/* only dst */
	REDUCING,	/* dst has the outer dimensions of src0 */
	STATS,		/* dst 6 */
	AGGR,		/* src0 groups of 3, dst 2 */
	EIGHT,		/* dst 8 of at least 8 */
	EIGHT_OF,	/* dst 8, src1 8 */
	BLOCKS,		/* like SAME, 32 x 32 blocks */
	BY_INDEX,	/* dst and src1 agree */
	TO_INDEX,	/* src0 and src1 agree */
	LARGEST,	/* dst and src1 of param elements */
	TO_ONE,		/* like SAME, dst has one partition */
	FROM_ONE,	/* like SAME, src0 has one partition */
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
	[NCA_OP_BN_STATS] = { .engines = E_V, .src0 = MUST, .shape = STATS },
	[NCA_OP_BN_AGGR] = { .engines = E_V, .src0 = MUST, .shape = AGGR },
	[NCA_OP_MAX8] = { .engines = E_V, .src0 = MUST, .shape = EIGHT },
	[NCA_OP_INDEX8] = { .engines = E_V, .src0 = MUST, .src1 = IN, .shape = EIGHT_OF },
	[NCA_OP_SHUFFLE] = { .engines = E_V, .src0 = MUST, .shape = BLOCKS },
	[NCA_OP_TRANSPOSE32] = { .engines = E_V, .src0 = MUST, .shape = BLOCKS },
	[NCA_OP_IOTA] = { .engines = E_G, .s0 = MUST, .s1 = MUST, .param = MAY, .shape = FILL },
	[NCA_OP_AFFINE_SELECT] = { .engines = E_G, .src0 = MUST, .s0 = MUST, .s1 = MUST, .op0 = MUST,
				   .func = MUST, .param = MAY },
	[NCA_OP_GATHER] = { .engines = E_G, .src0 = MUST, .src1 = INDEX, .shape = BY_INDEX },
	[NCA_OP_SCATTER] = { .engines = E_G, .src0 = MUST, .src1 = INDEX, .shape = TO_INDEX },
	[NCA_OP_TOPK] = { .engines = E_G, .src0 = MUST, .src1 = POSITIONS, .param = MUST,
			  .shape = LARGEST },
	[NCA_OP_PART_REDUCE] = { .engines = E_G, .src0 = MUST, .op0 = MUST, .shape = TO_ONE },
	[NCA_OP_PART_BROADCAST] = { .engines = E_G, .src0 = MUST, .shape = FROM_ONE },
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

	switch (in->opcode) {
	case NCA_OP_COPY:
	case NCA_OP_COPY_PRED:
	case NCA_OP_PART_BROADCAST:
		if (b->dst.dtype == b->src0.dtype)
			return DOM_BITS;
		break;
	case NCA_OP_SHUFFLE:
	case NCA_OP_TRANSPOSE32:
	case NCA_OP_GATHER:
	case NCA_OP_SCATTER:
		return DOM_BITS;
	case NCA_OP_ACTIVATE:
	case NCA_OP_RECIPROCAL:
	case NCA_OP_BN_STATS:
	case NCA_OP_BN_AGGR:
		return DOM_FP;
	default:
		break;
	}
	if (f->src0 && !is_integer(b->src0.dtype))
		return DOM_FP;
	if (f->src1 == IN && !is_integer(b->src1.dtype))
		return DOM_FP;
	for (int i = 0; i < 2; i++)
		if (s[i]->kind && s[i]->dtype != NCA_INT32)
			return DOM_FP;
	return f->src0 && b->src0.dtype == NCA_UINT32 ? DOM_UINT : DOM_INT;
}

static int check_affine(struct check *c)
{
	const struct nca_body_ew *b = &c->in->ew;

	if (b->op0 < NCA_ALU_EQ || b->op0 > NCA_ALU_GE)
		return program_fault(c, NCA_RULE_BAD_ENCODING, b->op0, "op0: %u is no comparison",
				     b->op0);
	return 0;
}

/* Positions are integers: their first and step must be, too. */
static int check_affine_scalars(struct check *c)
{
	const struct nca_scalar *s[2] = { &c->in->ew.s0, &c->in->ew.s1 };

	for (int i = 0; i < 2; i++)
		if ((s[i]->kind != NCA_SCALAR_IMM && s[i]->kind != NCA_SCALAR_REG) ||
		    s[i]->dtype != NCA_INT32)
			return program_fault(c, NCA_RULE_DTYPE, s[i]->dtype,
					     "s%d must be an INT32 immediate or register", i);
	return 0;
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
	ret = check_op(c, p, "op0", b->op0, f->op0, f->shape == REDUCING || f->shape == TO_ONE);
	if (!ret && c->in->opcode == NCA_OP_AFFINE_SELECT)
		ret = check_affine(c);
	if (!ret)
		ret = check_op(c, p, "op1", b->op1, f->op1, false);
	if (!ret)
		ret = check_op(c, p, "op2", b->op2, reduced ? MUST : NO, reduced);
	if (ret)
		return ret;
	if ((c->in->flags & NCA_F_ACC_REDUCE) && f->src1 == REDUCED && !reduced)
		return program_fault(c, NCA_RULE_BAD_ENCODING, c->in->flags,
				     "ACC_REDUCE without a reduction");
	if (f->func ? b->func >= (f->src1 == REDUCED ? NCA_FUNC_COUNT : NCA_FILL_COUNT) : b->func)
		return program_fault(c, NCA_RULE_BAD_ENCODING, b->func, "no function %u", b->func);
	if (c->in->opcode == NCA_OP_ACTIVATE && b->func != NCA_FUNC_LRELU && b->func != NCA_FUNC_ELU && b->param)
		return program_fault(c, NCA_RULE_BAD_ENCODING, b->param,
				     "function %u takes no parameter", b->func);
	if (!f->param && b->param)
		return program_fault(c, NCA_RULE_BAD_ENCODING, b->param, "param is not zero");
	return 0;
}

static int check_src1(struct check *c, struct pinst *p, const struct form *f)
{
	const struct nca_body_ew *b = &c->in->ew;
	uint32_t want;
	int ret;

	if (f->src1 == NONE || (f->src1 == REDUCED && !b->src1.nparts)) {
		if (all_zero(&b->src1, sizeof(b->src1)))
			return 0;
		return program_fault(c, NCA_RULE_BAD_ENCODING, 0, "src1 is not zero");
	}
	ret = program_check_ap(c, &b->src1, "src1", spaces(c),
			       f->src1 == REDUCED || f->src1 == POSITIONS ?
			       &p->dst[p->ndst++] : &p->src[p->nsrc++]);
	if (ret)
		return ret;
	if (f->src1 == INDEX && !is_integer(b->src1.dtype))
		return program_fault(c, NCA_RULE_DTYPE, b->src1.dtype,
				     "src1: data type %u is no index", b->src1.dtype);
	want = f->src1 == REDUCED ? 1 : f->shape == TO_INDEX ? nca_ap_elems(&b->src0) :
	       nca_ap_elems(&b->dst);
	if (b->src1.nparts != b->dst.nparts || nca_ap_elems(&b->src1) != want)
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

/* What the instruction makes of src0: elements per partition; 0: impossible. */
static uint32_t result_elems(const struct check *c, const struct form *f)
{
	const struct nca_body_ew *b = &c->in->ew;
	uint32_t n = nca_ap_elems(&b->src0);

	switch (f->shape) {
	case REDUCING:
		for (uint32_t d = 4 - b->param; d < 4; d++)
			n /= b->src0.size[d];
		return n;
	case STATS:
		return 6;
	case AGGR:
		return n % 3 ? 0 : 2;
	case EIGHT:
		return n < 8 ? 0 : 8;
	case EIGHT_OF:
		return 8;
	case BLOCKS:
		return b->dst.nparts % 32 || (c->in->opcode == NCA_OP_TRANSPOSE32 && n % 32) ? 0 : n;
	case BY_INDEX:
	case TO_INDEX:
		return nca_ap_elems(&b->dst);
	case LARGEST:
		return b->param > n ? 0 : b->param;
	default:
		return n;
	}
}

static int check_shape(struct check *c, const struct pinst *p, const struct form *f)
{
	const struct nca_body_ew *b = &c->in->ew;
	uint32_t lanes = f->shape == TO_ONE || f->shape == FROM_ONE ? 1 : b->src0.nparts;

	if (f->shape == FILL)
		return 0;
	if (f->shape == REDUCING && (b->param < 1 || b->param > 4))
		return program_fault(c, NCA_RULE_BAD_ENCODING, b->param,
				     "a reduction over %u dimensions", b->param);
	if (f->shape == LARGEST && (b->param < 1 || b->param > TOPK_MAX))
		return program_fault(c, NCA_RULE_BAD_ENCODING, b->param, "the %u largest, 1 to %u",
				     b->param, TOPK_MAX);
	if (p->dom == DOM_BITS && b->dst.dtype != b->src0.dtype)
		return program_fault(c, NCA_RULE_DTYPE, b->dst.dtype,
				     "data types %u and %u differ where bits are kept",
				     b->src0.dtype, b->dst.dtype);
	if (lanes == (f->shape == FROM_ONE ? b->src0.nparts : b->dst.nparts) &&
	    nca_ap_elems(&b->dst) == result_elems(c, f))
		return 0;
	return program_fault(c, NCA_RULE_SHAPE, nca_ap_elems(&b->dst),
			     "dst: %u partitions of %u elements do not fit src0: %u of %u",
			     b->dst.nparts, nca_ap_elems(&b->dst), b->src0.nparts,
			     nca_ap_elems(&b->src0));
}

/* The mask of a shuffle lies where the others have src1 and their scalars. */
static int check_shuffle(struct check *c, const struct pinst *p, const struct form *f)
{
	const struct nca_body_shuffle *b = &c->in->shuffle;

	for (int i = 0; i < 32; i++)
		if (b->mask[i] >= 32)
			return program_fault(c, NCA_RULE_BAD_ENCODING, b->mask[i],
					     "mask[%d] is %u, at most 31", i, b->mask[i]);
	if (!all_zero(b->rsvd, sizeof(b->rsvd)))
		return program_fault(c, NCA_RULE_BAD_ENCODING, 0, "reserved bytes are not zero");
	return check_shape(c, p, f);
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
	if (!ret && in->opcode == NCA_OP_SHUFFLE)
		return check_shuffle(c, p, f);
	if (!ret)
		ret = check_src1(c, p, f);
	if (!ret)
		ret = check_scalar(c, p, &b->s0, "s0", f->s0);
	if (!ret)
		ret = check_scalar(c, p, &b->s1, "s1", f->s1);
	if (!ret && (in->opcode == NCA_OP_IOTA || in->opcode == NCA_OP_AFFINE_SELECT))
		ret = check_affine_scalars(c);
	if (!ret)
		ret = check_shape(c, p, f);
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
