// SPDX-License-Identifier: MIT
/* Comparisons, logic, choices and operations on bits. */
#include <math.h>
#include <string.h>

#include "onnx_map.h"

static void same_types(struct onnx_node *n, size_t first)
{
	for (size_t i = first + 1; i < n->num_in; i++)
		if (n->in[i] && n->in[i]->type.dtype != n->in[first]->type.dtype)
			onnx_node_fail(n, "its operands have the element types %s and %s",
				       ir_dtype_name(n->in[first]->type.dtype),
				       ir_dtype_name(n->in[i]->type.dtype));
}

static void old_broadcast(struct onnx_node *n)
{
	int64_t broadcast;

	if (n->opset >= 7)
		return;
	onnx_attr_int(n, "broadcast", &broadcast); /* broadcasting unasked is never wrong */
	onnx_align_operand(n);
}

static struct ir_value *compare(struct onnx_node *n, enum nca_alu alu)
{
	onnx_need_inputs(n, 2, 2);
	same_types(n, 0);
	old_broadcast(n);
	return onnx_map_binary(n, alu, n->in[0], n->in[1], IR_DT_BOOL);
}

static struct ir_value *import_equal(struct onnx_node *n)
{
	return compare(n, NCA_ALU_EQ);
}

static struct ir_value *import_less(struct onnx_node *n)
{
	return compare(n, NCA_ALU_LT);
}

static struct ir_value *import_less_equal(struct onnx_node *n)
{
	return compare(n, NCA_ALU_LE);
}

static struct ir_value *import_greater(struct onnx_node *n)
{
	return compare(n, NCA_ALU_GT);
}

static struct ir_value *import_greater_equal(struct onnx_node *n)
{
	return compare(n, NCA_ALU_GE);
}

static struct ir_value *import_and(struct onnx_node *n)
{
	return compare(n, NCA_ALU_LAND);
}

static struct ir_value *import_or(struct onnx_node *n)
{
	return compare(n, NCA_ALU_LOR);
}

static struct ir_value *import_xor(struct onnx_node *n)
{
	return compare(n, NCA_ALU_NE);
}

static struct ir_value *import_not(struct onnx_node *n)
{
	struct ir_map_builder b;
	marg x;

	onnx_need_inputs(n, 1, 1);
	onnx_map_begin(n, &b);
	x = ir_map_input(&b, n->in[0]);
	return ir_map_end(&b, ir_map_alu(&b, NCA_ALU_EQ, x, ir_map_int(0)), IR_DT_BOOL);
}

static struct ir_value *import_where(struct onnx_node *n)
{
	struct ir_map_builder b;
	marg c, x, y;

	onnx_need_inputs(n, 3, 3);
	same_types(n, 1);
	onnx_map_begin(n, &b);
	c = ir_map_input(&b, n->in[0]);
	x = ir_map_input(&b, n->in[1]);
	y = ir_map_input(&b, n->in[2]);
	return ir_map_end(&b, ir_map_select(&b, c, x, y), n->in[1]->type.dtype);
}

static struct ir_value *import_bit_shift(struct onnx_node *n)
{
	const char *direction = "";

	onnx_need_inputs(n, 2, 2);
	same_types(n, 0);
	onnx_attr_string(n, "direction", &direction);
	if (strcmp(direction, "LEFT") && strcmp(direction, "RIGHT"))
		onnx_node_fail(n, "direction '%.40s' is neither LEFT nor RIGHT", direction);
	return onnx_map_binary(n, direction[0] == 'L' ? NCA_ALU_SHL : NCA_ALU_SHR, n->in[0], n->in[1],
			       n->in[0]->type.dtype);
}

static struct ir_value *bitwise(struct onnx_node *n, enum nca_alu alu)
{
	onnx_need_inputs(n, 2, 2);
	same_types(n, 0);
	if (!ir_is_int(n->in[0]->type.dtype))
		onnx_node_fail(n, "it works on integers only");
	return onnx_map_binary(n, alu, n->in[0], n->in[1], n->in[0]->type.dtype);
}

static struct ir_value *import_bitwise_and(struct onnx_node *n)
{
	return bitwise(n, NCA_ALU_AND);
}

static struct ir_value *import_bitwise_or(struct onnx_node *n)
{
	return bitwise(n, NCA_ALU_OR);
}

static struct ir_value *import_bitwise_xor(struct onnx_node *n)
{
	return bitwise(n, NCA_ALU_XOR);
}

static struct ir_value *import_bitwise_not(struct onnx_node *n)
{
	enum ir_dtype dtype;
	struct ir_map_builder b;
	marg x;

	onnx_need_inputs(n, 1, 1);
	dtype = n->in[0]->type.dtype;
	if (!ir_is_int(dtype))
		onnx_node_fail(n, "it works on integers only");
	onnx_map_begin(n, &b);
	x = ir_map_alu(&b, NCA_ALU_XOR, ir_map_input(&b, n->in[0]), ir_map_int(-1));
	return ir_map_end(&b, ir_map_wrap(&b, dtype, x), dtype);
}

static struct ir_value *import_is_nan(struct onnx_node *n)
{
	struct ir_map_builder b;
	marg x;

	onnx_need_inputs(n, 1, 1);
	onnx_map_begin(n, &b);
	x = ir_map_input(&b, n->in[0]);
	return ir_map_end(&b, ir_map_alu(&b, NCA_ALU_NE, x, x), IR_DT_BOOL);
}

static struct ir_value *import_is_inf(struct onnx_node *n)
{
	int64_t negative = 1, positive = 1;
	struct ir_map_builder b;
	marg x;

	onnx_need_inputs(n, 1, 1);
	onnx_attr_int(n, "detect_negative", &negative);
	onnx_attr_int(n, "detect_positive", &positive);
	onnx_map_begin(n, &b);
	x = ir_map_input(&b, n->in[0]);
	if (negative && positive)
		x = ir_map_func(&b, NCA_FUNC_ABS, x);
	if (negative || positive)
		x = ir_map_alu(&b, NCA_ALU_EQ, x, ir_map_float(positive ? INFINITY : -INFINITY));
	else
		x = ir_map_alu(&b, NCA_ALU_LAND, x, ir_map_int(0));
	return ir_map_end(&b, x, IR_DT_BOOL);
}

/* The sign of the divisor, as Python's %, unless fmod asks for C's. */
static struct ir_value *import_mod(struct onnx_node *n)
{
	enum ir_dtype dtype;
	struct ir_map_builder b;
	int64_t fmod = 0;
	marg x, y, r, wrong;

	onnx_need_inputs(n, 2, 2);
	same_types(n, 0);
	onnx_attr_int(n, "fmod", &fmod);
	dtype = n->in[0]->type.dtype;
	onnx_map_begin(n, &b);
	x = ir_map_input(&b, n->in[0]);
	y = ir_map_input(&b, n->in[1]);
	r = ir_map_alu(&b, NCA_ALU_MOD, x, y);
	if (fmod || ir_map_class(dtype) == IR_MAP_U32)
		return ir_map_end(&b, r, dtype);
	wrong = ir_map_alu(&b, NCA_ALU_NE, ir_map_alu(&b, NCA_ALU_LT, r, ir_map_int(0)),
			   ir_map_alu(&b, NCA_ALU_LT, y, ir_map_int(0)));
	wrong = ir_map_alu(&b, NCA_ALU_LAND, wrong, r);
	return ir_map_end(&b, ir_map_alu(&b, NCA_ALU_ADD, r, ir_map_alu(&b, NCA_ALU_MUL, y, wrong)),
			  dtype);
}

struct ir_value *onnx_import_logic(struct onnx_node *n)
{
	static const struct onnx_importer table[] = {
		{ "And", import_and },
		{ "BitShift", import_bit_shift },
		{ "BitwiseAnd", import_bitwise_and },
		{ "BitwiseNot", import_bitwise_not },
		{ "BitwiseOr", import_bitwise_or },
		{ "BitwiseXor", import_bitwise_xor },
		{ "Equal", import_equal },
		{ "Greater", import_greater },
		{ "GreaterOrEqual", import_greater_equal },
		{ "IsInf", import_is_inf },
		{ "IsNaN", import_is_nan },
		{ "Less", import_less },
		{ "LessOrEqual", import_less_equal },
		{ "Mod", import_mod },
		{ "Not", import_not },
		{ "Or", import_or },
		{ "Where", import_where },
		{ "Xor", import_xor },
	};

	return onnx_import_from(n, table, sizeof(table) / sizeof(table[0]));
}
