// SPDX-License-Identifier: MIT
/*
 * Slice, Pad and Trilu whose bounds the graph computes. The model declares the shape of the result; which
 * elements go there is computed as indices on the device.
 */
#include <inttypes.h>

#include "onnx_computed.h"
#include "onnx_gather.h"

/* Element @i of a vector as a tensor of one element. */
static struct ir_value *element(struct onnx_node *n, struct ir_value *v, int64_t i)
{
	if (i >= ir_type_elements(&v->type))
		onnx_node_fail(n, "its operands have different lengths");
	return onnx_slice(n, v, 0, i, 1, 1);
}

static const struct ir_type *declared(struct onnx_node *n)
{
	if (!onnx_declares(n, 0) || n->declared[0].rank != n->in[0]->type.rank)
		onnx_node_fail(n, "an operand that the shape of its result depends on is computed by the "
				  "graph, and the model does not declare that shape");
	return &n->declared[0];
}

/* @value where one of @axes is dimension @d, counted from either end; @other elsewhere. */
static struct ir_value *for_axis(struct onnx_node *n, struct ir_value *values,
				 struct ir_value *axes, int d, int64_t other)
{
	struct ir_value *found = onnx_ints_const(n, &other, 1);
	int64_t num = ir_type_elements(&values->type);
	int rank = n->in[0]->type.rank;

	for (int64_t j = 0; j < num; j++) {
		struct ir_map_builder b;
		marg axis, here;

		if (!axes) {
			if (j == d)
				return element(n, values, j);
			continue;
		}
		onnx_map_begin(n, &b);
		axis = ir_map_input(&b, element(n, axes, j));
		here = ir_map_alu(&b, NCA_ALU_LOR, ir_map_alu(&b, NCA_ALU_EQ, axis, ir_map_int(d)),
				  ir_map_alu(&b, NCA_ALU_EQ, axis, ir_map_int(d - rank)));
		here = ir_map_select(&b, here, ir_map_input(&b, element(n, values, j)),
				     ir_map_input(&b, found));
		found = onnx_fold(n, ir_map_end(&b, here, IR_DT_I64));
	}
	return found;
}

static marg clamp(struct ir_map_builder *b, marg x, int64_t high)
{
	return ir_map_alu(b, NCA_ALU_MIN, ir_map_alu(b, NCA_ALU_MAX, x, ir_map_int(0)),
			  ir_map_int(high));
}

struct ir_value *onnx_computed_slice(struct onnx_node *n)
{
	struct ir_value *x = n->in[0], *axes = n->num_in > 3 ? n->in[3] : NULL;
	struct ir_value *steps = n->num_in > 4 ? n->in[4] : NULL;
	const struct ir_type *t = declared(n);

	for (int d = 0; d < t->rank; d++) {
		struct ir_value *start = for_axis(n, n->in[1], axes, d, 0), *index;
		struct ir_map_builder b;
		marg first, step;

		if (t->dim[d] > x->type.dim[d])
			onnx_node_fail(n, "the model declares %" PRId64 " elements for dimension %d of its "
					  "result, and there are only %" PRId64, t->dim[d], d,
				       x->type.dim[d]);
		onnx_map_begin(n, &b);
		/* Ends beyond the tensor only make the result smaller, and its size is known. */
		first = clamp(&b, onnx_wrap_index(&b, ir_map_input(&b, start), x->type.dim[d]),
			      x->type.dim[d] - 1);
		step = steps ? ir_map_input(&b, for_axis(n, steps, axes, d, 1)) : ir_map_int(1);
		step = ir_map_alu(&b, NCA_ALU_MUL,
				  ir_map_input(&b, onnx_iota(n, 1, 0, t->dim[d], 0, 1)), step);
		index = onnx_fold(n, ir_map_end(&b, ir_map_alu(&b, NCA_ALU_ADD, step, first),
						IR_DT_I64));
		x = onnx_gather_axis(n, x, d, index);
	}
	return x;
}

/* Where @i lies in a tensor that goes on beyond its ends. */
static marg continued(struct ir_map_builder *b, enum onnx_pad_mode mode, marg i, int64_t dim)
{
	int64_t period = mode == ONNX_PAD_REFLECT ? 2 * (dim - 1) : dim;

	if (mode == ONNX_PAD_CONSTANT || mode == ONNX_PAD_EDGE || !period)
		return clamp(b, i, dim - 1);
	i = ir_map_alu(b, NCA_ALU_MOD, i, ir_map_int(period));
	i = onnx_wrap_index(b, i, period);
	if (mode == ONNX_PAD_REFLECT)
		i = ir_map_alu(b, NCA_ALU_MIN, i, ir_map_alu(b, NCA_ALU_SUB, ir_map_int(period), i));
	return i;
}

/* 1 where there is an element of the operand. */
static struct ir_value *inside(struct onnx_node *n, struct ir_value *index, int d, int64_t dim)
{
	struct ir_map_builder b;
	int rank = n->in[0]->type.rank;
	int64_t dims[IR_MAX_RANK];
	marg i;

	for (int k = 0; k < rank; k++)
		dims[k] = k == d ? ir_type_elements(&index->type) : 1;
	onnx_map_begin(n, &b);
	i = ir_map_input(&b, onnx_reshape(n, index, rank, dims));
	i = ir_map_alu(&b, NCA_ALU_LAND, ir_map_alu(&b, NCA_ALU_GE, i, ir_map_int(0)),
		       ir_map_alu(&b, NCA_ALU_LT, i, ir_map_int(dim)));
	return onnx_fold(n, ir_map_end(&b, i, IR_DT_BOOL));
}

struct ir_value *onnx_computed_pad(struct onnx_node *n, enum onnx_pad_mode mode)
{
	struct ir_value *x = n->in[0], *value = n->num_in > 2 ? n->in[2] : NULL;
	struct ir_value *axes = n->num_in > 3 ? n->in[3] : NULL;
	const struct ir_type *t = declared(n);
	struct ir_map_builder all, b;
	marg there = ir_map_int(1), fill;

	if (axes || t->rank > IR_MAP_MAX_INPUTS - 2)
		onnx_node_fail(n, "its pads are computed by the graph, and must be constants");
	onnx_map_begin(n, &all);
	for (int d = 0; d < t->rank; d++) {
		struct ir_value *index;
		marg i;

		onnx_map_begin(n, &b);
		i = ir_map_alu(&b, NCA_ALU_SUB,
			       ir_map_input(&b, onnx_iota(n, 1, 0, t->dim[d], 0, 1)),
			       ir_map_input(&b, element(n, n->in[1], d)));
		index = onnx_fold(n, ir_map_end(&b, i, IR_DT_I64));
		if (mode == ONNX_PAD_CONSTANT) {
			i = ir_map_input(&all, inside(n, index, d, x->type.dim[d]));
			there = d ? ir_map_alu(&all, NCA_ALU_LAND, there, i) : i;
		}
		onnx_map_begin(n, &b);
		i = continued(&b, mode, ir_map_input(&b, index), x->type.dim[d]);
		x = onnx_gather_axis(n, x, d, onnx_fold(n, ir_map_end(&b, i, IR_DT_I64)));
	}
	if (mode != ONNX_PAD_CONSTANT || !t->rank)
		return x;
	fill = value ? ir_map_input(&all, value) :
	       ir_is_float(x->type.dtype) ? ir_map_float(0.0f) : ir_map_int(0);
	return ir_map_end(&all, ir_map_select(&all, there, ir_map_input(&all, x), fill),
			  x->type.dtype);
}

struct ir_value *onnx_computed_trilu(struct onnx_node *n, bool upper)
{
	const struct ir_type *t = &n->in[0]->type;
	struct ir_map_builder b;
	marg row, col, keep;

	if (t->rank < 2)
		onnx_node_fail(n, "the input has %d dimensions and is no matrix", t->rank);
	onnx_map_begin(n, &b);
	row = ir_map_input(&b, onnx_iota(n, t->rank, t->rank - 2, t->dim[t->rank - 2], 0, 1));
	col = ir_map_input(&b, onnx_iota(n, t->rank, t->rank - 1, t->dim[t->rank - 1], 0, 1));
	keep = ir_map_alu(&b, upper ? NCA_ALU_GE : NCA_ALU_LE,
			  ir_map_alu(&b, NCA_ALU_SUB, col, row), ir_map_input(&b, n->in[1]));
	return ir_map_end(&b, ir_map_select(&b, keep, ir_map_input(&b, n->in[0]),
					    ir_is_float(t->dtype) ? ir_map_float(0.0f) :
								    ir_map_int(0)), t->dtype);
}
