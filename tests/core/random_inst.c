/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "firmware-sim/core/kernels.h"
#include "random_inst.h"
#include "values.h"

enum { MOST = 128 /* elements per partition */, ANY = UINT32_MAX };

static bool wants(const struct wish *w, uint32_t group, uint32_t operand)
{
	return w->bin && w->bin->group == group && w->bin->key[0] == operand;
}

static bool wants_group(const struct wish *w, uint32_t group)
{
	return w->bin && w->bin->group == group;
}

/* ---- types ------------------------------------------------------------------------ */
static uint8_t integer(struct rng *rng)
{
	return (uint8_t)(NCA_INT32 + rng_below(rng, NCA_DTYPES - NCA_INT32));
}

static uint8_t pick_dtype(struct rng *rng, const struct wish *w, uint32_t operand, bool ints)
{
	uint8_t t;

	if (wants(w, COVER_TYPE, operand))
		return (uint8_t)w->bin->key[1];
	if ((wants_group(w, COVER_VALUE) && operand == COVER_SRC0) ||
	    (wants_group(w, COVER_VALUE1) && operand == COVER_SRC1))
		return (uint8_t)w->bin->key[0];
	if (wants_group(w, COVER_FUNC) && operand == COVER_SRC0)
		return (uint8_t)w->bin->key[0];
	if (wants_group(w, COVER_ALU) && operand != COVER_DST) {
		if (w->bin->key[2] == DOM_FP)
			return (uint8_t)rng_below(rng, NCA_INT32);
		if (w->bin->key[2] == DOM_UINT && operand == COVER_SRC0)
			return NCA_UINT32;
		do
			t = integer(rng);
		while (t == NCA_UINT32 && operand == COVER_SRC0);
		return t;
	}
	if (ints)
		return integer(rng);
	return (uint8_t)(rng_below(rng, 3) ? rng_below(rng, NCA_DTYPES) : NCA_FP32);
}

/* ---- shapes ------------------------------------------------------------------------- */
/* @n elements as four sizes: its prime factors dealt over @rank dimensions (ANY: some). */
static void factor_sizes(struct rng *rng, uint32_t n, uint32_t rank, uint16_t size[4])
{
	uint8_t dim[4] = { 0, 1, 2, 3 };
	uint32_t dealt = 0;

	if (rank == ANY || !rank)
		rank = 1 + rng_below(rng, 4);
	for (uint32_t d = 0; d < 4; d++) {
		uint32_t other = d + rng_below(rng, 4 - d);
		uint8_t t = dim[d];

		dim[d] = dim[other];
		dim[other] = t;
		size[d] = 1;
	}
	for (uint32_t prime = 2; n > 1; prime++)
		for (; n % prime == 0; n /= prime, dealt++)
			size[dim[dealt < rank ? dealt : rng_below(rng, rank)]] *= (uint16_t)prime;
}

static uint32_t gcd(uint32_t a, uint32_t b)
{
	return b ? gcd(b, a % b) : a;
}

/* A count that can have @rank dimensions, is a multiple of @unit and at least @least. */
static uint32_t random_count(struct rng *rng, uint32_t rank, uint32_t unit, uint32_t least)
{
	for (;;) {
		uint32_t n = 1;

		if (rank == ANY && !rng_below(rng, 3)) {
			n = 1 + rng_below(rng, MOST);
		} else {
			uint32_t r = rank == ANY ? 1 + rng_below(rng, 4) : rank;

			for (uint32_t i = 0; i < r; i++)
				n *= 2 + rng_below(rng, r == 1 ? 126 : r == 2 ? 9 : r == 3 ? 4 : 2);
		}
		n *= unit / gcd(n, unit);
		if (n <= MOST && n >= least)
			return n;
	}
}

static uint32_t random_lanes(struct rng *rng, const struct wish *w, bool blocks)
{
	uint32_t class = rng_below(rng, 3), n;

	if (wants_group(w, COVER_LANES))
		class = w->bin->key[1] % 3;
	n = class == 0	 ? 1 + rng_below(rng, 32)
	    : class == 1 ? 33 + rng_below(rng, 32)
			 : 65 + rng_below(rng, 64);
	return blocks ? (n + 31) / 32 * 32 : n;
}

/* Where @n lanes may begin. */
static uint8_t random_start(struct rng *rng, const struct wish *w, uint32_t operand, uint32_t n)
{
	uint32_t step = n <= 32 ? 32 : n <= 64 ? 64 : 128;

	if (wants(w, COVER_LANES, operand)) {
		uint32_t part = w->bin->key[1] / 3 * 32;

		if (part % step == 0)
			return (uint8_t)part;
	}
	return (uint8_t)(step * rng_below(rng, NCA_PARTITIONS / step));
}

/* ---- access patterns ------------------------------------------------------------------ */
static int32_t innermost_stride(struct rng *rng, uint32_t kind, int32_t es)
{
	switch (kind) {
	case STRIDE_ZERO:
		return 0;
	case STRIDE_NEGATIVE:
		return -1 - (int32_t)rng_below(rng, 2);
	case STRIDE_GAP:
		return 2 + (int32_t)rng_below(rng, 16 / (uint32_t)es - 1);
	case STRIDE_WIDE:
		return 16 / es + 1 + (int32_t)rng_below(rng, 3);
	default:
		return 1;
	}
}

static uint32_t stride_kind(struct rng *rng, const struct wish *w, uint32_t operand)
{
	static const uint8_t often[] = { STRIDE_CONTIGUOUS, STRIDE_CONTIGUOUS, STRIDE_CONTIGUOUS,
					 STRIDE_CONTIGUOUS, STRIDE_NEGATIVE,   STRIDE_GAP,
					 STRIDE_ZERO,	    STRIDE_WIDE };

	if (wants(w, COVER_STRIDE, operand))
		return w->bin->key[1];
	return often[rng_below(rng, sizeof(often))];
}

static bool place(struct rng *rng, const struct oracle *o, const struct wish *w, uint32_t operand,
		  struct nca_ap *a)
{
	int32_t es = (int32_t)nca_dtype_size(a->dtype), lo = 0, hi = es, span = 0, room;
	bool inner = true;

	for (int d = 3; d >= 0; d--) {
		int32_t step, reach;

		if (a->size[d] == 1) {
			a->stride[d] =
				(int16_t)(rng_below(rng, 4) ? 0 : rng_below(rng, 2000)) - 1000;
			continue;
		}
		if (inner) {
			step = innermost_stride(rng, stride_kind(rng, w, operand), es);
			span = step ? (step < 0 ? -step : step) : 1;
			inner = false;
		} else {
			uint32_t how = rng_below(rng, 8);

			step = how == 0 ? 0 : how == 1 ? -span : how == 2 ? span + 1 : span;
			span = step > span ? step : span;
		}
		a->stride[d] = (int16_t)step;
		if (step)
			span *= a->size[d];
		reach = (a->size[d] - 1) * step * es;
		*(reach < 0 ? &lo : &hi) += reach;
	}
	room = ((int32_t)o->bytes - (hi - lo)) / es;
	if (room <= 0)
		return false;
	a->offset = (uint32_t)(-lo + (int32_t)rng_below(rng, (uint32_t)room + 1) * es);
	a->part = random_start(rng, w, operand, a->nparts);
	return true;
}

/* Addresses of some operands come from one of the first four registers. */
static void by_register(struct rng *rng, const struct oracle *o, const struct wish *w,
			uint32_t operand, struct nca_ap *a)
{
	uint32_t reg = rng_below(rng, 4);
	int32_t base = (int32_t)a->offset - (int32_t)o->reg[reg];

	if (a->nparts && base >= 0 && (wants(w, COVER_REGISTER, operand) || !rng_below(rng, 6)))
		a->offset = (uint32_t)base | (reg + 1) << 24;
}

static uint8_t random_memory(struct rng *rng, const struct wish *w, uint32_t operand)
{
	if (w->engine == NCA_ENGINE_GPSIMD)
		return NCA_MEM_SBUF;
	if (wants(w, COVER_MEMORY, operand))
		return (uint8_t)w->bin->key[1];
	return (uint8_t)rng_below(rng, 2);
}

/* ---- vector, scalar, gpsimd ------------------------------------------------------------- */
static struct nca_scalar random_scalar(struct rng *rng, const struct wish *w, uint32_t which,
				       bool compares, uint32_t lanes, uint32_t bytes)
{
	static const uint8_t pointed[] = { NCA_FP32, NCA_BF16, NCA_FP16 };
	struct nca_scalar s = { 0 };
	bool ints = compares || (wants_group(w, COVER_ALU) && w->bin->key[2] != DOM_FP);

	s.kind = (uint8_t)(NCA_SCALAR_IMM + rng_below(rng, 4));
	s.dtype = pointed[rng_below(rng, 3)];
	if (wants(w, COVER_SCALAR, which)) {
		s.kind = (uint8_t)w->bin->key[1];
		s.dtype = (uint8_t)w->bin->key[2];
	} else if (s.kind == NCA_SCALAR_IMM || s.kind == NCA_SCALAR_REG || ints) {
		s.kind = rng_below(rng, 2) || ints ? s.kind & 1 ? NCA_SCALAR_IMM : NCA_SCALAR_REG
						   : s.kind;
		s.dtype = rng_below(rng, 2) || ints ? NCA_INT32 : NCA_FP32;
	}
	if (s.kind == NCA_SCALAR_PSUM && w->engine == NCA_ENGINE_GPSIMD)
		s.kind = NCA_SCALAR_SBUF;
	switch (s.kind) {
	case NCA_SCALAR_IMM:
		s.value = compares ? rng_below(rng, 9) - 4
				   : value_random(rng, s.dtype, rng_below(rng, VALUE_CLASSES));
		break;
	case NCA_SCALAR_REG:
		s.value = rng_below(rng, NCA_REGISTERS);
		break;
	default:
		s.value = nca_dtype_size(s.dtype) * rng_below(rng, bytes / nca_dtype_size(s.dtype));
		s.part = random_start(rng, w, ANY, lanes);
		break;
	}
	return s;
}

static uint8_t random_op(struct rng *rng, const struct wish *w, const struct opcode_form *f,
			 uint32_t op_place, uint32_t dom)
{
	uint32_t op;

	if (wants(w, COVER_ALU, op_place))
		return (uint8_t)w->bin->key[1];
	do
		op = 1 + rng_below(rng, NCA_ALU_COUNT - 1);
	while (!op_legal(f, op_place, op, dom));
	return (uint8_t)op;
}

/* Elements of the three operands, and param. */
static void random_counts(struct rng *rng, const struct wish *w, struct nca_inst *in, uint32_t rank,
			  uint32_t n[3], bool in_place)
{
	struct nca_body_ew *b = &in->ew;

	n[1] = random_count(rng, rank,
			    in->opcode == NCA_OP_TRANSPOSE32 ? 32
			    : in->opcode == NCA_OP_BN_AGGR   ? 3
							     : 1,
			    in->opcode == NCA_OP_MAX8 ? 8 : 1);
	n[0] = n[2] = n[1];
	switch (in->opcode) {
	case NCA_OP_BN_STATS:
		n[0] = 6;
		break;
	case NCA_OP_BN_AGGR:
		n[0] = 2;
		break;
	case NCA_OP_MAX8:
	case NCA_OP_INDEX8:
		n[0] = n[2] = 8;
		break;
	case NCA_OP_GATHER:
		n[0] = n[2] = wants(w, COVER_RANK, COVER_SRC0) || in_place
				      ? n[1]
				      : random_count(rng, ANY, 1, 1);
		break;
	case NCA_OP_SCATTER:
		n[0] = in_place ? n[1] : random_count(rng, ANY, 1, 1);
		break;
	case NCA_OP_TOPK:
		b->param = in_place || wants(w, COVER_RANK, COVER_DST) ||
					   wants(w, COVER_RANK, COVER_SRC1)
				   ? n[1]
				   : 1 + rng_below(rng, n[1]);
		n[0] = n[2] = b->param;
		break;
	default:
		break;
	}
	if (in_place && in->opcode != NCA_OP_REDUCE)
		n[1] = n[0];
}

static uint32_t wished_rank(const struct wish *w)
{
	if (wants_group(w, COVER_VALUE))
		return w->bin->key[1];
	return wants_group(w, COVER_RANK) ? w->bin->key[1] : ANY;
}

static bool random_operands(struct rng *rng, const struct oracle *o, const struct wish *w,
			    const struct opcode_form *f, struct nca_inst *in)
{
	struct nca_body_ew *b = &in->ew;
	struct nca_ap *a[3] = { &b->dst, &b->src0, &b->src1 };
	bool in_place = wants(w, COVER_OVERLAP, OVERLAP_IN_PLACE) || !rng_below(rng, 6);
	bool blocks = in->opcode == NCA_OP_SHUFFLE || in->opcode == NCA_OP_TRANSPOSE32;
	uint32_t rank = wished_rank(w), lanes = random_lanes(rng, w, blocks), n[3];

	random_counts(rng, w, in, rank, n, in_place);
	for (uint32_t k = 0; k < 3; k++) {
		uint32_t r = (wants_group(w, COVER_VALUE) && k == COVER_SRC0) ||
					     (wants_group(w, COVER_RANK) && w->bin->key[0] == k)
				     ? rank
				     : ANY;

		if (k == COVER_SRC0 ? !f->src0 : k == COVER_SRC1 ? !f->src1 && !f->src1_out : false)
			continue;
		if (k == COVER_SRC1 && f->src1_out && in->opcode != NCA_OP_TOPK) {
			if (!wants(w, COVER_TYPE, k) && !wants(w, COVER_LANES, k) &&
			    !wants(w, COVER_MEMORY, k) && !wants(w, COVER_REGISTER, k) &&
			    !wants(w, COVER_ALU, 2) && rng_below(rng, 2))
				continue;
			n[k] = 1;
		}
		a[k]->dtype = pick_dtype(rng, w, k, k == COVER_SRC1 && f->index);
		a[k]->mem = random_memory(rng, w, k);
		a[k]->nparts = (uint8_t)lanes;
		factor_sizes(rng, n[k], r, a[k]->size);
	}
	if (in->opcode == NCA_OP_PART_REDUCE)
		b->dst.nparts = 1;
	if (in->opcode == NCA_OP_PART_BROADCAST)
		b->src0.nparts = 1;
	if (f->same_type || rng_below(rng, 8) == 0)
		b->dst.dtype = wants(w, COVER_TYPE, COVER_DST) ? b->dst.dtype : b->src0.dtype;
	if (f->same_type)
		b->src0.dtype = b->dst.dtype;
	if (in->opcode == NCA_OP_REDUCE) {
		uint32_t inner = 1;

		b->param = 1 + rng_below(rng, 4);
		if (in_place) {
			b->src0.size[0] = (uint16_t)n[1];
			b->src0.size[1] = b->src0.size[2] = b->src0.size[3] = 1;
			b->param = 1 + rng_below(rng, 3);
		}
		for (uint32_t d = 4 - b->param; d < 4; d++)
			inner *= b->src0.size[d];
		factor_sizes(rng, n[1] / inner, wants(w, COVER_RANK, COVER_DST) ? rank : ANY,
			     b->dst.size);
	}
	for (uint32_t k = 0; k < 3; k++)
		if (a[k]->nparts && !place(rng, o, w, k, a[k]))
			return false;
	if (in_place && f->src0 && in->opcode != NCA_OP_BN_AGGR) {
		uint8_t parts = b->dst.nparts, dtype = b->src0.dtype;

		/* The same elements, of any type of the same size. */
		b->dst = b->src0;
		b->dst.nparts = parts;
		b->dst.dtype = dtype;
		if (parts > 32) /* PART_BROADCAST from one lane to many */
			b->dst.part = b->src0.part = 0;
	} else if (f->src1 && (wants(w, COVER_OVERLAP, OVERLAP_SRC1) || !rng_below(rng, 8))) {
		b->src1.mem = b->dst.mem;
		b->src1.part = b->dst.part;
	}
	if (in->opcode == NCA_OP_TENSOR_TENSOR && b->src0.mem == NCA_MEM_PSUM &&
	    b->src1.mem == NCA_MEM_PSUM)
		return false;
	return true;
}

static uint32_t random_ew(struct rng *rng, const struct oracle *o, const struct wish *w,
			  struct nca_inst *in)
{
	const struct opcode_form *f = opcode_form(w->opcode);
	struct nca_body_ew *b = &in->ew;
	uint32_t dom;

	in->opcode = (uint8_t)w->opcode;
	if (!random_operands(rng, o, w, f, in))
		return 0;
	if (f->scalars & 1 && (f->opcode != NCA_OP_SCALAR_TENSOR || rng_below(rng, 8)))
		b->s0 = random_scalar(rng, w, 0, f->compares, b->dst.nparts, o->bytes);
	if (f->scalars & 2 && (f->compares || rng_below(rng, 3)))
		b->s1 = random_scalar(rng, w, 1, f->compares, b->dst.nparts, o->bytes);
	dom = oracle_domain(in);
	if (f->alus & 1 && (!(f->scalars & 1) || b->s0.kind))
		b->op0 = random_op(rng, w, f, 0, dom);
	if (f->alus & 2 && (!(f->scalars & 2) || b->s1.kind))
		b->op1 = random_op(rng, w, f, 1, dom);
	if (f->alus & 4 && b->src1.nparts)
		b->op2 = random_op(rng, w, f, 2, dom);
	if (f->opcode == NCA_OP_TENSOR_SCALAR || f->opcode == NCA_OP_SCALAR_TENSOR)
		in->flags = (uint8_t)(rng_below(rng, 4) * NCA_F_REVERSE0);
	if ((f->opcode == NCA_OP_REDUCE || (f->alus & 4 && b->op2)) && rng_below(rng, 2))
		in->flags |= NCA_F_ACC_REDUCE;
	if (f->compares)
		b->param = (uint32_t)rng_below(rng, 9) - 4;
	if (f->opcode == NCA_OP_AFFINE_SELECT)
		b->func = (uint8_t)rng_below(rng, NCA_FILL_COUNT);
	if (f->opcode == NCA_OP_ACTIVATE) {
		b->func = (uint8_t)(wants_group(w, COVER_FUNC) ? w->bin->opcode
							       : rng_below(rng, NCA_FUNC_COUNT));
		if (b->func == NCA_FUNC_LRELU || b->func == NCA_FUNC_ELU)
			b->param = value_random(rng, NCA_FP32, rng_below(rng, VALUE_CLASSES));
	}
	by_register(rng, o, w, COVER_DST, &b->dst);
	by_register(rng, o, w, COVER_SRC0, &b->src0);
	by_register(rng, o, w, COVER_SRC1, &b->src1);
	if (f->opcode == NCA_OP_SHUFFLE)
		for (uint32_t i = 0; i < 32; i++)
			in->shuffle.mask[i] = (uint8_t)rng_below(rng, 32);
	return 1;
}

/* ---- the array ----------------------------------------------------------------------------- */
static struct nca_pe_tile random_tile(struct rng *rng, uint32_t target, uint32_t k, uint32_t m)
{
	uint32_t wide = nca_target_by_id(target)->pe_cols;

	for (;;) {
		uint32_t rows = 32 * (1 + rng_below(rng, 4)), cols = 32 * (1 + rng_below(rng, 4));
		uint32_t row = 32 * rng_below(rng, 4), col = 32 * rng_below(rng, 4);

		if (rows < k || cols < m || row + rows > 128 || col + cols > 128 ||
		    (col && col + cols > wide) ||
		    (target == NCA_TARGET_NCA2 && rows == 32 && cols == 32))
			continue;
		return (struct nca_pe_tile){ (uint8_t)row, (uint8_t)col, (uint8_t)rows,
					     (uint8_t)cols };
	}
}

static uint8_t array_type(struct rng *rng, const struct wish *w, uint32_t opcode, uint32_t kind)
{
	static const uint8_t narrow[] = { NCA_BF16, NCA_FP16, NCA_FP8E4M3, NCA_FP8E5M2 };

	if (w->opcode == opcode && wants_group(w, COVER_VALUE))
		return (uint8_t)w->bin->key[0];
	if (w->opcode == opcode && wants(w, COVER_TYPE, COVER_SRC0))
		return (uint8_t)w->bin->key[1];
	if (wants_group(w, COVER_ARRAY))
		return (uint8_t)(opcode == NCA_OP_LDSTAT ? w->bin->opcode : w->bin->key[0]);
	return kind == 0   ? NCA_FP32
	       : kind == 1 ? narrow[rng_below(rng, 4)]
			   : (uint8_t)(NCA_INT8 + rng_below(rng, 2));
}

static uint32_t array_kind(uint32_t dtype)
{
	return dtype == NCA_FP32 ? 0 : dtype < NCA_INT32 ? 1 : 2;
}

/* What a wish says about LDSTAT is not meant for MATMUL, and the other way round. */
static const struct wish *meant_for(const struct wish *w, uint32_t opcode, struct wish *any)
{
	*any = *w;
	if (w->opcode != opcode)
		any->bin = NULL;
	return any;
}

static uint32_t random_matmul(struct rng *rng, const struct oracle *o, const struct wish *w,
			      struct nca_inst in[2])
{
	struct nca_ap *s = &in[0].mm.src, *x = &in[1].mm.src, *d = &in[1].mm.dst;
	uint32_t rank = wished_rank(w), k = random_lanes(rng, w, false), m, n,
		 kind = rng_below(rng, 3);
	bool loading = w->opcode == NCA_OP_LDSTAT, to_dst = wants(w, COVER_LANES, COVER_DST);
	struct wish ws, wx;

	in[0].opcode = NCA_OP_LDSTAT;
	in[1].opcode = NCA_OP_MATMUL;
	m = to_dst ? k : random_count(rng, loading ? rank : ANY, 1, 1);
	k = to_dst ? random_lanes(rng, meant_for(w, 0, &ws), false) : k;
	n = random_count(rng, loading ? ANY : rank, 1, 1);
	s->dtype = array_type(rng, w, NCA_OP_LDSTAT, kind);
	x->dtype = array_type(rng, w, NCA_OP_MATMUL, kind);
	if (loading ? array_kind(x->dtype) != array_kind(s->dtype)
		    : array_kind(s->dtype) != array_kind(x->dtype)) {
		if (loading)
			x->dtype = array_type(rng, meant_for(w, 0, &wx), 0, array_kind(s->dtype));
		else
			s->dtype = array_type(rng, meant_for(w, 0, &ws), 0, array_kind(x->dtype));
	}
	kind = array_kind(s->dtype);
	d->dtype = kind == 2 ? NCA_INT32 : rng_below(rng, 2) ? NCA_FP32 : NCA_BF16;
	if (wants_group(w, COVER_ARRAY))
		d->dtype = (uint8_t)w->bin->key[1];
	if (kind == 2)
		in[0].flags = in[1].flags = NCA_F_INT;
	if (kind == 0 && rng_below(rng, 2))
		in[0].flags = in[1].flags = NCA_F_TF32;
	if (wants_group(w, COVER_ARRAY) ? w->bin->key[2] : rng_below(rng, 2))
		in[1].flags |= NCA_F_ACCUMULATE;
	in[0].mm.tile = in[1].mm.tile = random_tile(rng, w->target, k, m);
	s->nparts = x->nparts = (uint8_t)k;
	d->nparts = (uint8_t)m;
	d->mem = NCA_MEM_PSUM;
	factor_sizes(rng, m, loading ? rank : ANY, s->size);
	factor_sizes(rng, n, !loading && !wants(w, COVER_RANK, COVER_DST) ? rank : ANY, x->size);
	factor_sizes(rng, n, !loading && wants(w, COVER_RANK, COVER_DST) ? rank : ANY, d->size);
	if (!place(rng, o, meant_for(w, NCA_OP_LDSTAT, &ws), COVER_SRC0, s) ||
	    !place(rng, o, meant_for(w, NCA_OP_MATMUL, &wx), COVER_SRC0, x) ||
	    !place(rng, o, meant_for(w, NCA_OP_MATMUL, &wx), COVER_DST, d))
		return 0;
	by_register(rng, o, &ws, COVER_SRC0, s);
	by_register(rng, o, &wx, COVER_SRC0, x);
	by_register(rng, o, &wx, COVER_DST, d);
	return 2;
}

static uint32_t random_transpose(struct rng *rng, const struct oracle *o, const struct wish *w,
				 struct nca_inst *in)
{
	struct nca_ap *s = &in->mm.src, *d = &in->mm.dst;
	bool to_dst = wants(w, COVER_LANES, COVER_DST), dst_rank = wants(w, COVER_RANK, COVER_DST);
	uint32_t rank = wished_rank(w), p, f;

	in->opcode = NCA_OP_TRANSPOSE;
	p = dst_rank ? random_count(rng, rank, 1, 1) : random_lanes(rng, w, false);
	f = to_dst ? p : random_count(rng, dst_rank ? ANY : rank, 1, 1);
	p = to_dst ? 1 + rng_below(rng, 128) : p;
	s->dtype = d->dtype = wants(w, COVER_TYPE, COVER_DST)
				      ? (uint8_t)w->bin->key[1]
				      : pick_dtype(rng, w, COVER_SRC0, false);
	d->mem = NCA_MEM_PSUM;
	s->nparts = (uint8_t)p;
	d->nparts = (uint8_t)f;
	factor_sizes(rng, f, dst_rank ? ANY : rank, s->size);
	factor_sizes(rng, p, dst_rank ? rank : ANY, d->size);
	if (!place(rng, o, w, COVER_SRC0, s) || !place(rng, o, w, COVER_DST, d))
		return 0;
	by_register(rng, o, w, COVER_SRC0, s);
	by_register(rng, o, w, COVER_DST, d);
	return 1;
}

uint32_t random_instruction(struct rng *rng, const struct oracle *o, const struct wish *w,
			    struct nca_inst in[2])
{
	memset(in, 0, 2 * sizeof(*in));
	if (w->engine != NCA_ENGINE_TENSOR)
		return random_ew(rng, o, w, in);
	return w->opcode == NCA_OP_TRANSPOSE ? random_transpose(rng, o, w, in)
					     : random_matmul(rng, o, w, in);
}

/* ---- values -----------------------------------------------------------------------------------
 */
static void fill(struct rng *rng, struct oracle *o, const struct nca_ap *a, uint32_t below)
{
	static uint32_t off[ORACLE_ELEMS];
	/* Everything at once turns most sums into NaN: often only ordinary values and ties. */
	uint32_t classes = rng_below(rng, 2)   ? VALUE_CLASSES
			   : rng_below(rng, 2) ? VALUE_DENORMAL
					       : 1;
	uint32_t n = oracle_offsets(o, a, off), first = rng_below(rng, VALUE_CLASSES);
	uint32_t es = nca_dtype_size(a->dtype), top = (es == 1 ? 127 : 32767);

	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t l = 0; l < a->nparts; l++) {
			uint32_t v;

			if (below)
				v = rng_below(rng, below < top ? below : top);
			else
				v = value_random(rng, a->dtype, (first + i + l) % classes);
			memcpy(o->mem[a->mem] + (a->part + l) * o->bytes + off[i], &v, es);
		}
	}
}

void random_operand_values(struct rng *rng, struct oracle *o, const struct nca_inst *in)
{
	const struct opcode_form *f = opcode_form(in->opcode);
	const struct nca_ap *table = in->opcode == NCA_OP_GATHER ? &in->ew.src0 : &in->ew.dst;

	if (in->opcode < NCA_OP_COPY) {
		fill(rng, o, &in->mm.src, 0);
		return;
	}
	if (f->src0)
		fill(rng, o, &in->ew.src0, 0);
	if (f->src1)
		fill(rng, o, &in->ew.src1, f->index ? nca_ap_elems(table) : 0);
	if (in->opcode == NCA_OP_INDEX8 && in->ew.src0.dtype == in->ew.src1.dtype) {
		static uint32_t from[ORACLE_ELEMS], to[ORACLE_ELEMS];
		uint32_t n = oracle_offsets(o, &in->ew.src0, from);

		/* Half of what is asked for is there. */
		oracle_offsets(o, &in->ew.src1, to);
		for (uint32_t l = 0; l < in->ew.src0.nparts; l++) {
			for (uint32_t i = 0; i < 4; i++) {
				uint32_t v =
					oracle_fetch(o, &in->ew.src0, l, from[rng_below(rng, n)]);

				memcpy(o->mem[in->ew.src1.mem] + (in->ew.src1.part + l) * o->bytes +
					       to[i],
				       &v, nca_dtype_size(in->ew.src1.dtype));
			}
		}
	}
}
