// SPDX-License-Identifier: MIT
/* Result types of operators that only move elements. */
#include <inttypes.h>

#include "ir_move.h"

static struct ir_type transpose(struct ir_graph *g, const struct ir_op *op, const struct ir_type *x)
{
	struct ir_type t = *x;
	unsigned int seen = 0;

	for (int i = 0; i < t.rank; i++) {
		int64_t p = op->attr.perm[i];

		if (p < 0 || p >= t.rank || seen >> p & 1)
			ir_unsupported(g, op, "perm is no permutation of %d dimensions", t.rank);
		seen |= 1u << p;
		t.dim[i] = x->dim[p];
	}
	return t;
}

static struct ir_type take(struct ir_graph *g, const struct ir_op *op, const struct ir_type *x)
{
	const struct ir_take *take = op->attr.take;
	struct ir_type t = *x;

	for (int d = 0; d < t.rank; d++) {
		if (!take->index[d])
			continue;
		t.dim[d] = take->num[d];
		for (int64_t i = 0; i < take->num[d]; i++)
			if (take->index[d][i] >= x->dim[d])
				ir_unsupported(g, op,
					       "index %" PRId64 " is outside dimension %d, which has %" PRId64
					       " elements", take->index[d][i], d, x->dim[d]);
	}
	return t;
}

static struct ir_type concat(struct ir_graph *g, const struct ir_op *op, const struct ir_type *x)
{
	struct ir_type t = *x;
	int64_t axis = op->attr.axis;

	if (axis < 0 || axis >= t.rank)
		ir_unsupported(g, op, "axis %" PRId64 " is outside a tensor of %d dimensions", axis,
			       t.rank);
	for (int k = 1; k < op->num_inputs; k++) {
		const struct ir_type *y = &ir_in(op, k)->type;

		if (y->rank != t.rank || y->dtype != t.dtype)
			ir_unsupported(g, op, "operand %d has another number of dimensions or another "
				       "element type than the first", k);
		for (int i = 0; i < t.rank; i++)
			if (i != axis && y->dim[i] != t.dim[i])
				ir_unsupported(g, op,
					       "dimension %d is %" PRId64 " in operand %d and %" PRId64
					       " in the first", i, y->dim[i], k, t.dim[i]);
		if (__builtin_add_overflow(t.dim[axis], y->dim[axis], &t.dim[axis]))
			ir_unsupported(g, op, "the result is too large");
	}
	return t;
}

struct ir_type ir_infer_move(struct ir_graph *g, const struct ir_op *op)
{
	const struct ir_type *x;

	for (int k = 0; k < op->num_inputs; k++)
		if (!ir_in(op, k))
			ir_unsupported(g, op, "operand %d is missing; the model is broken", k);
	x = &ir_in(op, 0)->type;
	switch (op->opcode) {
	case IR_TRANSPOSE:
		return transpose(g, op, x);
	case IR_CONCAT:
		return concat(g, op, x);
	case IR_TAKE:
		return take(g, op, x);
	default:	/* TRILU */
		if (x->rank < 2)
			ir_unsupported(g, op, "the input has %d dimensions and is no matrix", x->rank);
		return *x;
	}
}
