/* SPDX-License-Identifier: MIT */
/*
 * Vector, scalar and gpsimd instructions on tiles: rows of 128 lanes are loaded
 * CHUNK at a time, widened to the domain of the instruction, computed and
 * stored. Order along the free axis is ascending everywhere.
 */
#include <stdlib.h>
#include <string.h>

#include "exec_ew.h"

/* True if walking @a twice the same way never meets an element it has passed. */
static bool injective(const struct nca_ap *a)
{
	uint32_t extent = 1;

	for (int d = 3; d >= 0; d--) {
		if (a->size[d] == 1)
			continue;
		if (a->stride[d] < 0 || (uint32_t)a->stride[d] < extent)
			return false;
		extent = (uint32_t)a->stride[d] * (uint32_t)(a->size[d] - 1) + extent;
	}
	return true;
}

static bool same_walk(const struct nca_ap *a, const struct nca_ap *b)
{
	if (a->part != b->part || a->offset != b->offset ||
	    nca_dtype_size(a->dtype) != nca_dtype_size(b->dtype))
		return false;
	for (int d = 0; d < 4; d++)
		if (a->size[d] != b->size[d] || (a->size[d] > 1 && a->stride[d] != b->stride[d]))
			return false;
	return injective(a);
}

/*
 * All operands are read before any result is written. Where a later chunk would
 * read what an earlier one wrote, the source is copied aside first.
 */
static int snapshot(struct ew *e, int which, const struct box *b, uint32_t lo, uint32_t hi,
		    struct operand *o)
{
	struct core_state *st = e->x->st;
	uint32_t first = lo / 4, rows = (hi + 3) / 4 - first;
	size_t need = (size_t)rows * ROW_BYTES;

	if (st->scratch_cap[which] < need) {
		uint8_t *p = aligned_alloc(64, need);

		if (!p)
			return fault_set(e->x->fault, NCA_RULE_WATCHDOG, e->x->engine, e->x->pc, 0,
					 "the host has no memory");
		free(st->scratch[which]);
		st->scratch[which] = p;
		st->scratch_cap[which] = need;
	}
	memcpy(st->scratch[which], mem_at(&st->mem[b->mem], 0, first * 4), need);
	o->base = st->scratch[which] + b->part * 4;
	for (uint32_t i = 0; i < o->n; i++)
		o->off[i] -= first * ROW_BYTES;
	return 0;
}

static int resolve(struct ew *e, const struct nca_ap *a, const struct box *b, uint32_t *off,
		   struct operand *o, uint32_t *lo, uint32_t *hi)
{
	struct exec *x = e->x;

	if (exec_box(x, b, nca_dtype_size(a->dtype), lo, hi))
		return -1;
	o->dtype = a->dtype;
	o->base = mem_at(&x->st->mem[b->mem], a->part, 0);
	o->off = off;
	if (!x->st->launch.timed_only)
		o->n = exec_offsets(a, (a->offset & NCA_AP_OFFSET_MASK) +
				    (uint32_t)((int32_t)*lo - b->lo), off);
	return 0;
}

/* Source and destination are walked in different orders. */
static bool by_index(uint32_t opcode)
{
	return opcode == NCA_OP_GATHER || opcode == NCA_OP_SCATTER;
}

static int resolve_src(struct ew *e, int which, const struct nca_ap *a, const struct box *b,
		       struct operand *o, uint32_t dlo, uint32_t dhi)
{
	const struct box *d = &e->x->p->dst[0];
	uint32_t lo, hi;

	if (resolve(e, a, b, e->x->core->off[1 + which], o, &lo, &hi))
		return -1;
	if (e->x->st->launch.timed_only || b->mem != d->mem || lo >= dhi || dlo >= hi ||
	    b->part >= d->part + d->nparts || d->part >= b->part + b->nparts ||
	    (same_walk(a, &e->b->dst) && !by_index(e->x->in->opcode)))
		return 0;
	return snapshot(e, which, b, lo, hi, o);
}

/*
 * What the destination holds is an operand like any other where an accumulating
 * reduction adds to it or a predicated copy keeps it: it is taken before this
 * instruction writes anything, even over itself.
 */
static int resolve_old(struct ew *e, const struct nca_ap *a, const struct box *b,
		       const struct operand *dst, uint32_t lo, uint32_t hi)
{
	e->old = *dst;
	if ((!(e->x->in->flags & NCA_F_ACC_REDUCE) && e->x->in->opcode != NCA_OP_COPY_PRED) ||
	    e->x->st->launch.timed_only || (!e->reduced && injective(a)))
		return 0;
	e->old.off = e->x->core->off[3];
	memcpy(e->old.off, dst->off, dst->n * sizeof(*dst->off));
	return snapshot(e, 2, b, lo, hi, &e->old);
}

/* Box of a scalar in memory: they follow the tensor sources, in order. */
static int resolve_scalar(struct ew *e, const struct nca_scalar *s, uint32_t *row, uint32_t *box)
{
	static const uint32_t zero;
	uint32_t value = s->value, lo, hi;

	switch (s->kind) {
	case NCA_SCALAR_NONE:
		return 0;
	case NCA_SCALAR_REG:
		value = e->x->st->stream[e->x->engine].reg[s->value];
		/* fall through */
	case NCA_SCALAR_IMM:
		/* The first and the step of positions stay integers beside FP32 data. */
		if (s->dtype == NCA_INT32 && e->dom == DOM_FP &&
		    e->x->in->opcode != NCA_OP_AFFINE_SELECT)
			value = float_bits((float)(int32_t)value);
		for (uint32_t i = 0; i < LANES; i++)
			row[i] = value;
		return 0;
	default:
		if (exec_box(e->x, &e->x->p->src[(*box)++], nca_dtype_size(s->dtype), &lo, &hi))
			return -1;
		if (!e->x->st->launch.timed_only)
			e->k->load(row, mem_at(&e->x->st->mem[s->kind == NCA_SCALAR_SBUF ?
							      NCA_MEM_SBUF : NCA_MEM_PSUM],
					       s->part, s->value), &zero, 1, e->lanes, s->dtype,
				   DOM_FP);
		return 0;
	}
}

static void scalar_op(struct ew *e, uint32_t *a, int which, uint32_t n, bool reverse)
{
	uint32_t op = which ? e->b->op1 : e->b->op0;

	if (op)
		e->k->alu(a, e->s[which], 0, n, e->lanes, op, e->dom, reverse);
}

/* A reduction starts with its first element; some operations change even that one. */
static void reduce(struct ew *e, const uint32_t *rows, uint32_t n, uint32_t op)
{
	if (!e->acc_valid) {
		memcpy(e->acc, rows, sizeof(e->acc));
		if (op == NCA_ALU_ABSMAX || op == NCA_ALU_LAND || op == NCA_ALU_LOR)
			e->k->alu(e->acc, rows, 0, 1, e->lanes, op, e->dom, false);
		e->acc_valid = true;
		rows += LANES;
		n--;
	}
	if (n)
		e->k->reduce(e->acc, rows, n, e->lanes, op, e->dom);
}

static void reduced_store(struct ew *e, const struct operand *o, uint32_t index, uint32_t op)
{
	uint32_t *old = e->x->core->row[2];

	if (e->x->in->flags & NCA_F_ACC_REDUCE) {
		ew_load(e, old, &e->old, index, 1, e->dom);
		e->k->alu(e->acc, old, 0, 1, e->lanes, op, e->dom, true);
	}
	e->k->store(o->base, o->off + index, e->acc, 1, e->lanes, o->dtype, e->dom);
	e->acc_valid = false;
}

static void copy_predicated(struct ew *e, uint32_t r0, uint32_t n, const uint32_t *mask,
			    bool mask_fp)
{
	uint32_t *a = e->x->core->row[0], *b = e->x->core->row[1], off[CHUNK];

	/* The new value in the bits of dst's type: the old one must come out untouched. */
	ew_load(e, a, &e->src0, r0, n, e->dom);
	for (uint32_t i = 0; i < n; i++)
		off[i] = i * ROW_BYTES;
	memset(b, 0, n * ROW_BYTES);
	e->k->store((uint8_t *)b, off, a, n, e->lanes, e->dst.dtype, e->dom);
	ew_load(e, a, &e->old, r0, n, DOM_BITS);
	e->k->select(b, a, LANES, mask, n, e->lanes, mask_fp);
	e->k->store(e->dst.base, e->dst.off + r0, b, n, e->lanes, e->dst.dtype, DOM_BITS);
}

static void scan(struct ew *e, uint32_t *a, const uint32_t *b, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		e->k->alu(e->acc, a + i * LANES, LANES, 1, e->lanes, e->b->op0, e->dom, false);
		e->k->alu(e->acc, b + i * LANES, LANES, 1, e->lanes, e->b->op1, e->dom, false);
		memcpy(a + i * LANES, e->acc, sizeof(e->acc));
	}
}

static void chunk(struct ew *e, uint32_t r0, uint32_t n)
{
	const struct nca_body_ew *b = e->b;
	const struct core_kernels *k = e->k;
	uint32_t *a = e->x->core->row[0], *b_rows = e->x->core->row[1], *mask = e->x->core->row[3];
	uint32_t flags = e->x->in->flags;
	bool mask_fp = e->src1.dtype < NCA_INT32;

	switch (e->x->in->opcode) {
	case NCA_OP_MEMSET:
		for (uint32_t i = 0; i < n; i++)
			memcpy(a + i * LANES, e->s[0], sizeof(e->s[0]));
		break;
	case NCA_OP_COPY:
		ew_load(e, a, &e->src0, r0, n, e->dom);
		break;
	case NCA_OP_TENSOR_TENSOR:
		ew_load(e, a, &e->src0, r0, n, e->dom);
		ew_load(e, b_rows, &e->src1, r0, n, e->dom);
		k->alu(a, b_rows, LANES, n, e->lanes, b->op0, e->dom, false);
		break;
	case NCA_OP_TENSOR_SCALAR:
		ew_load(e, a, &e->src0, r0, n, e->dom);
		scalar_op(e, a, 0, n, flags & NCA_F_REVERSE0);
		scalar_op(e, a, 1, n, flags & NCA_F_REVERSE1);
		break;
	case NCA_OP_SCALAR_TENSOR:
		ew_load(e, a, &e->src0, r0, n, e->dom);
		scalar_op(e, a, 0, n, flags & NCA_F_REVERSE0);
		ew_load(e, b_rows, &e->src1, r0, n, e->dom);
		k->alu(a, b_rows, LANES, n, e->lanes, b->op1, e->dom, flags & NCA_F_REVERSE1);
		break;
	case NCA_OP_SCAN:
		ew_load(e, a, &e->src0, r0, n, e->dom);
		ew_load(e, b_rows, &e->src1, r0, n, e->dom);
		scan(e, a, b_rows, n);
		break;
	case NCA_OP_SELECT:
		ew_load(e, a, &e->src0, r0, n, e->dom);
		ew_load(e, mask, &e->src1, r0, n, mask_fp ? DOM_FP : DOM_BITS);
		k->select(a, e->s[0], 0, mask, n, e->lanes, mask_fp);
		break;
	case NCA_OP_COPY_PRED:
		ew_load(e, mask, &e->src1, r0, n, mask_fp ? DOM_FP : DOM_BITS);
		copy_predicated(e, r0, n, mask, mask_fp);
		return;
	case NCA_OP_RECIPROCAL:
		ew_load(e, a, &e->src0, r0, n, e->dom);
		k->func(a, n, e->lanes, NCA_FUNC_RECIPROCAL, 0);
		break;
	case NCA_OP_ACTIVATE:
		ew_load(e, a, &e->src0, r0, n, DOM_FP);
		if (b->s0.kind)
			k->alu(a, e->s[0], 0, n, e->lanes, NCA_ALU_MUL, DOM_FP, false);
		if (b->s1.kind)
			k->alu(a, e->s[1], 0, n, e->lanes, NCA_ALU_ADD, DOM_FP, false);
		k->func(a, n, e->lanes, b->func, b->param);
		break;
	}
	if (e->reduced)
		reduce(e, a, n, b->op2);
	k->store(e->dst.base, e->dst.off + r0, a, n, e->lanes, e->dst.dtype, e->dom);
}

static void exec_reduce(struct ew *e)
{
	uint32_t group = e->src0.n / e->dst.n, *a = e->x->core->row[0];

	for (uint32_t j = 0; j < e->dst.n; j++) {
		for (uint32_t i = 0; i < group; i += CHUNK) {
			uint32_t n = group - i < CHUNK ? group - i : CHUNK;

			ew_load(e, a, &e->src0, j * group + i, n, e->dom);
			reduce(e, a, n, e->b->op0);
		}
		reduced_store(e, &e->dst, j, e->b->op0);
	}
}

/* Step @i of @a with scalar @which. */
static void with_scalar(const struct ew *e, struct ew_args *a, int i, int which, uint32_t op)
{
	a->op[i] = op;
	a->y[i] = (const uint8_t *)e->s[which];
}

static void with_tensor(const struct ew *e, struct ew_args *a, int i, uint32_t op)
{
	a->op[i] = op;
	a->y[i] = e->src1.base;
	a->y_off[i] = e->src1.off;
}

/* The common case: FP32 in and out, a few operations, no reduction. */
static bool in_one_pass(struct ew *e)
{
	const struct nca_body_ew *b = e->b;
	uint32_t flags = e->x->in->flags;
	struct ew_args a = { .dst = e->dst.base, .dst_off = e->dst.off, .src = e->src0.base,
			     .src_off = e->src0.off, .n = e->dst.n, .lanes = e->lanes };

	if (!e->k->ew || e->reduced || e->dom != DOM_FP || e->dst.dtype != NCA_FP32 ||
	    !b->src0.nparts || e->src0.dtype != NCA_FP32 ||
	    (b->src1.nparts && e->src1.dtype != NCA_FP32))
		return false;
	switch (e->x->in->opcode) {
	case NCA_OP_COPY:
		break;
	case NCA_OP_TENSOR_TENSOR:
		with_tensor(e, &a, 0, b->op0);
		break;
	case NCA_OP_TENSOR_SCALAR:
		with_scalar(e, &a, 0, 0, b->op0);
		with_scalar(e, &a, 1, 1, b->op1);
		a.reverse[0] = flags & NCA_F_REVERSE0;
		a.reverse[1] = flags & NCA_F_REVERSE1;
		break;
	case NCA_OP_SCALAR_TENSOR:
		with_scalar(e, &a, 0, 0, b->op0);
		with_tensor(e, &a, 1, b->op1);
		a.reverse[0] = flags & NCA_F_REVERSE0;
		a.reverse[1] = flags & NCA_F_REVERSE1;
		break;
	case NCA_OP_ACTIVATE:
		if (b->func != NCA_FUNC_IDENTITY && b->func != NCA_FUNC_RELU)
			return false;
		with_scalar(e, &a, 0, 0, b->s0.kind ? NCA_ALU_MUL : NCA_ALU_NONE);
		with_scalar(e, &a, 1, 1, b->s1.kind ? NCA_ALU_ADD : NCA_ALU_NONE);
		a.relu = b->func == NCA_FUNC_RELU;
		break;
	default:
		return false;
	}
	return e->k->ew(&a);
}

int exec_ew(struct exec *x)
{
	const struct nca_body_ew *b = &x->in->ew;
	struct ew e;
	uint32_t dlo, dhi, lo, hi, box = 0;

	e.x = x;
	e.k = x->k;
	e.b = b;
	e.dom = x->p->dom;
	e.lanes = b->dst.nparts;
	e.acc_valid = false;
	e.src1.dtype = b->src1.dtype;
	e.reduced = x->p->ndst > 1;
	e.src0.n = 0;
	if (resolve(&e, &b->dst, &x->p->dst[0], x->core->off[0], &e.dst, &dlo, &dhi))
		return -1;
	if (b->src0.nparts &&
	    resolve_src(&e, 0, &b->src0, &x->p->src[box++], &e.src0, dlo, dhi))
		return -1;
	if (e.reduced) {
		if (resolve(&e, &b->src1, &x->p->dst[1], x->core->off[2], &e.src1, &lo, &hi) ||
		    resolve_old(&e, &b->src1, &x->p->dst[1], &e.src1, lo, hi))
			return -1;
		box += !!(x->in->flags & NCA_F_ACC_REDUCE);
	} else if (x->in->opcode != NCA_OP_SHUFFLE && b->src1.nparts &&
		   resolve_src(&e, 1, &b->src1, &x->p->src[box++], &e.src1, dlo, dhi)) {
		return -1;
	}
	if (x->in->opcode != NCA_OP_SHUFFLE && (resolve_scalar(&e, &b->s0, e.s[0], &box) ||
						resolve_scalar(&e, &b->s1, e.s[1], &box)))
		return -1;
	if (x->st->launch.timed_only)
		return 0;
	if (ew_is_lanes(x->in->opcode))
		return ew_lanes(&e);
	if (x->in->opcode == NCA_OP_REDUCE) {
		if (resolve_old(&e, &b->dst, &x->p->dst[0], &e.dst, dlo, dhi))
			return -1;
		exec_reduce(&e);
		return 0;
	}
	if (x->in->opcode == NCA_OP_SCAN) {
		memcpy(e.acc, e.s[0], sizeof(e.acc));
		e.acc_valid = true;
	}
	if (x->in->opcode == NCA_OP_COPY_PRED &&
	    resolve_old(&e, &b->dst, &x->p->dst[0], &e.dst, dlo, dhi))
		return -1;
	if (in_one_pass(&e))
		return 0;
	for (uint32_t r = 0; r < e.dst.n; r += CHUNK)
		chunk(&e, r, e.dst.n - r < CHUNK ? e.dst.n - r : CHUNK);
	if (e.reduced)
		reduced_store(&e, &e.src1, 0, b->op2);
	return 0;
}
