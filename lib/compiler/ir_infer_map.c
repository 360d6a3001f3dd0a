// SPDX-License-Identifier: MIT
/* Result types of maps, reductions and integer products. */
#include <inttypes.h>

#include "ir_map.h"

static const struct ir_type *operand(struct ir_graph *g, const struct ir_op *op, int slot)
{
	cc_assert(g->cc, ir_in(op, slot));
	return &ir_in(op, slot)->type;
}

/* A model may give an operator tensors of types that do not go together. */
static void check_bits(struct ir_graph *g, const struct ir_op *op, const struct ir_map *m)
{
	for (int i = 0; m && i < m->num_steps; i++) {
		const struct ir_map_step *s = &m->step[i];

		if (s->kind == IR_MAP_ALU && s->alu >= NCA_ALU_AND && s->alu <= NCA_ALU_SAR &&
		    s->as == IR_MAP_F32)
			ir_unsupported(g, op, "its operands are both of integer and of floating-point "
					      "types, and must be of one");
	}
}

static struct ir_type infer_map(struct ir_graph *g, const struct ir_op *op)
{
	struct ir_type t = *operand(g, op, 0);

	for (int i = 1; i < op->num_inputs; i++)
		t = ir_broadcast(g, op, &t, operand(g, op, i));
	t.dtype = op->attr.map->dtype;
	return t;
}

static struct ir_type infer_reduce(struct ir_graph *g, const struct ir_op *op)
{
	struct ir_type t = *operand(g, op, 0);

	for (int i = 1; i < op->num_inputs; i++)
		t = ir_broadcast(g, op, &t, operand(g, op, i));
	for (int i = 0; i < t.rank; i++)
		if (op->attr.axes >> i & 1)
			t.dim[i] = 1;
	if (op->attr.map)
		t.dtype = op->attr.map->dtype;
	if (op->attr.post)
		t.dtype = op->attr.post->dtype;
	return t;
}

static struct ir_type infer_int_matmul(struct ir_graph *g, const struct ir_op *op)
{
	const struct ir_type *a = operand(g, op, 0), *b = operand(g, op, 1);
	struct ir_type t, outer[2];
	int64_t k;

	if (a->rank < 2 || b->rank < 2)
		ir_unsupported(g, op, "operands of %d and %d dimensions are no matrices", a->rank,
			       b->rank);
	k = a->dim[a->rank - (op->attr.trans_a ? 2 : 1)];
	if (k != b->dim[b->rank - 2])
		ir_unsupported(g, op, "the left operand gives %" PRId64 " and the right one %" PRId64
				      " as the inner dimension", k, b->dim[b->rank - 2]);
	/* The outer dimensions of the operands, as if their matrices were single elements. */
	outer[0] = *a;
	outer[1] = *b;
	outer[0].rank -= 2;
	outer[1].rank -= 2;
	t = ir_broadcast(g, op, &outer[0], &outer[1]);
	t.rank += 2;
	t.dim[t.rank - 2] = a->dim[a->rank - (op->attr.trans_a ? 1 : 2)];
	t.dim[t.rank - 1] = b->dim[b->rank - 1];
	t.dtype = IR_DT_I32;
	return t;
}

struct ir_type ir_infer_map(struct ir_graph *g, const struct ir_op *op)
{
	switch (op->opcode) {
	case IR_REDUCE:
		check_bits(g, op, op->attr.map);
		check_bits(g, op, op->attr.post);
		return infer_reduce(g, op);
	case IR_INT_MATMUL:
		return infer_int_matmul(g, op);
	default:
		check_bits(g, op, op->attr.map);
		return infer_map(g, op);
	}
}
