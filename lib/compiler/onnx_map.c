// SPDX-License-Identifier: MIT
#include "onnx_map.h"

#include <string.h>

#include "pass.h"

void onnx_need_inputs(struct onnx_node *n, size_t min, size_t max)
{
	if (n->num_in < min || n->num_in > max)
		onnx_node_fail(n, "it has %zu inputs, and the operator takes %zu to %zu", n->num_in,
			       min, max);
	for (size_t i = 0; i < min; i++)
		if (!n->in[i])
			onnx_node_fail(n, "input %zu is missing", i);
}

void onnx_align_operand(struct onnx_node *n)
{
	struct ir_type t;
	struct ir_op from = { .name = n->name, .onnx_type = n->proto->op_type };
	int64_t axis;
	int rank;

	if (!onnx_attr_int(n, "axis", &axis) || !n->in[0] || !n->in[1])
		return;
	t = n->in[1]->type;
	rank = n->in[0]->type.rank;
	if (axis < 0)
		axis += rank;
	if (axis < 0 || axis > rank - t.rank)
		onnx_node_fail(n, "axis does not fit operands of %d and %d dimensions", rank, t.rank);
	while (axis + t.rank < rank)
		t.dim[t.rank++] = 1;
	n->in[1] = pass_reshape(n->g, &from, n->in[1], &t, NULL);
}

void onnx_map_begin(struct onnx_node *n, struct ir_map_builder *b)
{
	ir_map_begin(b, n->g, n->name, n->proto->op_type);
}

struct ir_value *onnx_import_from(struct onnx_node *n, const struct onnx_importer *table,
				  size_t num)
{
	for (size_t i = 0; i < num; i++)
		if (onnx_is(n, table[i].type))
			return table[i].import(n);
	return NULL;
}

struct ir_value *onnx_map_binary(struct onnx_node *n, enum nca_alu alu, struct ir_value *x,
				 struct ir_value *y, enum ir_dtype dtype)
{
	struct ir_map_builder b;
	marg a, c, r;

	onnx_map_begin(n, &b);
	a = ir_map_input(&b, x);
	c = ir_map_input(&b, y);
	r = ir_map_alu(&b, alu, a, c);
	if (ir_is_int(dtype) && dtype != IR_DT_BOOL)
		r = ir_map_wrap(&b, dtype, r);
	return ir_map_end(&b, r, dtype);
}
