// SPDX-License-Identifier: MIT
/*
 * Which dimension of each tensor lies on the partitions (ir_value.cdim).
 *
 * Convolutions and pools want their channels there, products and normalizations of transformers the
 * last dimension. Operators that work element by element take any, as long as operands and result
 * agree, and so do reshapes that leave the channels alone: nothing moves then. Wishes spread along
 * those, first from operands to results, then back to where tensors come from. Where two
 * wishes meet, a reshape to the same type stands for the way through device memory.
 */
#include "pass.h"

#define NONE (-1)

/* The dimension that @op wants on the partitions in @v, a result or an operand; NONE: any. */
static int wish(const struct ir_op *op, const struct ir_value *v)
{
	switch (op->opcode) {
	case IR_CONV:
	case IR_AFFINE:
		return ir_op_channel(op, &v->type);
	case IR_LAYER_NORM:
	case IR_ATTENTION:
		return v->type.rank - 1;
	case IR_TENSOR_SCALAR:
		return ir_in(op, IR_TENSOR_SCALAR_VECTOR) ? ir_op_channel(op, &v->type) : NONE;
	case IR_MAX_POOL:
	case IR_AVG_POOL:
		return v->type.rank > 1;
	default:
		return NONE;
	}
}

/* Whether operand @slot is read in SBUF with the channels that the result has. */
static bool is_tied(const struct ir_op *op, int slot)
{
	const struct ir_value *v = ir_in(op, slot);

	if (!v)
		return false;
	switch (op->opcode) {
	case IR_CONV:
		return slot == IR_CONV_X || slot == IR_CONV_RESIDUAL;
	case IR_ATTENTION:
		return slot <= IR_ATTENTION_V;
	case IR_AFFINE:
	case IR_LAYER_NORM:
	case IR_TENSOR_SCALAR:
	case IR_MAX_POOL:
	case IR_AVG_POOL:
	case IR_RELU:
	case IR_ACTIVATE:
		return slot == 0;
	case IR_RESHAPE:
		return slot == IR_RESHAPE_X;
	case IR_TRANSPOSE:
	case IR_TAKE:
	case IR_CONCAT:
		return ir_is_float(v->type.dtype);
	case IR_ADD:
	case IR_TENSOR_TENSOR:
		return ir_type_equal(&v->type, &op->out->type);
	default:
		return false;
	}
}

/*
 * The dimension of @to that holds what dimension @dim of @from does, if both are the same elements in
 * the same order; NONE if it is cut or merged.
 */
static int same_dim(const struct ir_type *from, const struct ir_type *to, int dim)
{
	int64_t before = 1, at = 1;

	for (int i = 0; i < dim; i++)
		before *= from->dim[i];
	for (int i = 0; i < to->rank; i++) {
		if (at == before && to->dim[i] == from->dim[dim] && (i == 0 || to->dim[i] > 1))
			return i;
		at *= to->dim[i];
	}
	return NONE;
}

/* Only these are laid out so that the other dimensions are at most three; see ir_value_nchw(). */
static bool is_possible(const struct ir_type *t, int dim)
{
	return dim >= 0 && (t->rank <= 4 || dim <= 1 || dim == t->rank - 1);
}

/* What @known of an operand of @op means for its result. */
static int carried_on(const struct ir_op *op, const struct ir_value *v, int known)
{
	int dim = known;

	if (op->opcode == IR_RESHAPE)
		dim = same_dim(&v->type, &op->out->type, known);
	for (int i = 0; op->opcode == IR_TRANSPOSE && i < v->type.rank; i++)
		if (op->attr.perm[i] == known)
			dim = i;
	return is_possible(&op->out->type, dim) ? dim : NONE;
}

/* The other way round. */
static int carried_back(const struct ir_op *op, const struct ir_value *v, int known)
{
	int dim = known;

	if (op->opcode == IR_RESHAPE)
		dim = same_dim(&op->out->type, &v->type, known);
	else if (op->opcode == IR_TRANSPOSE)
		dim = (int)op->attr.perm[known];
	return is_possible(&v->type, dim) ? dim : NONE;
}

static void spread_forward(struct ir_graph *g, int *want)
{
	for (struct ir_op *op = g->first; op; op = op->next) {
		int *w = &want[op->out->id];

		if (*w == NONE)
			*w = wish(op, op->out);
		for (int i = 0; *w == NONE && i < op->num_inputs; i++) {
			const struct ir_value *v = ir_in(op, i);

			if (is_tied(op, i) && want[v->id] != NONE)
				*w = carried_on(op, v, want[v->id]);
		}
	}
}

static void spread_back(struct ir_graph *g, int *want)
{
	for (struct ir_op *op = g->last; op; op = op->prev)
		for (int i = 0; i < op->num_inputs; i++) {
			const struct ir_value *v = ir_in(op, i);

			if (!is_tied(op, i) || want[v->id] != NONE)
				continue;
			want[v->id] = wish(op, v);
			if (want[v->id] == NONE && want[op->out->id] != NONE)
				want[v->id] = carried_back(op, v, want[op->out->id]);
		}
}

/* A tensor of the same elements with other channels. */
static struct ir_value *relaid(struct ir_graph *g, struct ir_op *op, struct ir_value *v, int cdim)
{
	int64_t rank = v->type.rank, *dims = cc_new_n(g->cc, int64_t, (size_t)rank + 1);
	struct ir_type shape_type = ir_type_make(IR_DT_I64, 1, &rank);
	struct ir_value *in[2];
	struct ir_op *reshape;

	for (int i = 0; i < rank; i++)
		dims[i] = v->type.dim[i];
	in[IR_RESHAPE_X] = v;
	in[IR_RESHAPE_SHAPE] = ir_const_i64(g, NULL, &shape_type, dims);
	reshape = pass_op(g, IR_RESHAPE, op, 2, in, NULL, op);
	reshape->out->cdim = cdim;
	reshape->out->name = v->name;
	return reshape->out;
}

/* Operands that lie otherwise than @op needs them are laid out anew. */
static void settle(struct ir_graph *g, struct ir_op *op)
{
	for (int i = 0; i < op->num_inputs; i++) {
		struct ir_value *v = ir_in(op, i), *with;
		int need;

		if (!is_tied(op, i) || ir_opcode_makes_dram(op->opcode))
			continue;
		need = wish(op, v);
		if (need == NONE)
			need = ir_value_cdim(op->out);
		if (ir_value_cdim(v) == need)
			continue;
		with = relaid(g, op, v, need);
		for (int k = i; k < op->num_inputs; k++)
			if (ir_in(op, k) == v && is_tied(op, k))
				ir_set_input(op, k, with);
	}
}

void pass_assign_layouts(struct ir_graph *g)
{
	int *want = cc_new_n(g->cc, int, g->next_id + 1u);

	for (uint32_t i = 0; i <= g->next_id; i++)
		want[i] = NONE;
	spread_forward(g, want);
	spread_back(g, want);
	spread_forward(g, want);
	for (struct ir_value *v = g->values; v; v = v->next)
		if (want[v->id] != NONE && want[v->id] != (v->type.rank > 1))
			v->cdim = want[v->id];
	for (struct ir_op *op = g->first; op; op = op->next)
		settle(g, op);
}
