// SPDX-License-Identifier: MIT
/*
 * Operands that ONNX gives one type variable must have one element type. Importers rely on
 * it: a sum of integers and floating-point numbers has no type, and no instruction.
 */
#include <string.h>

#include "onnx_read.h"

#define ALL UINT32_MAX

static const struct {
	const char *type;
	uint32_t same;		/* bit i: operand i has the type of the others named here */
} rules[] = {
	{ "Add", ALL },
	{ "And", ALL },
	{ "BatchNormalization", 0x06 },
	{ "BitShift", ALL },
	{ "BitwiseAnd", ALL },
	{ "BitwiseOr", ALL },
	{ "BitwiseXor", ALL },
	{ "Clip", ALL },
	{ "Concat", ALL },
	{ "Conv", ALL },
	{ "ConvTranspose", ALL },
	{ "Div", ALL },
	{ "Einsum", ALL },
	{ "Equal", ALL },
	{ "Gemm", ALL },
	{ "Greater", ALL },
	{ "GreaterOrEqual", ALL },
	{ "InstanceNormalization", ALL },
	{ "Less", ALL },
	{ "LessOrEqual", ALL },
	{ "MatMul", ALL },
	{ "Max", ALL },
	{ "Mean", ALL },
	{ "Min", ALL },
	{ "Mod", ALL },
	{ "Mul", ALL },
	{ "Or", ALL },
	{ "PRelu", ALL },
	{ "Range", ALL },
	{ "ScatterElements", 0x05 },
	{ "ScatterND", 0x05 },
	{ "Sub", ALL },
	{ "Sum", ALL },
	{ "Where", 0x06 },
	{ "Xor", ALL },
};

static uint32_t same_types(const char *type)
{
	for (size_t i = 0; type && i < sizeof(rules) / sizeof(rules[0]); i++)
		if (!strcmp(rules[i].type, type))
			return rules[i].same;
	return 0;
}

void onnx_check_types(const struct onnx_node *n)
{
	uint32_t same = same_types(n->proto->op_type);
	size_t first = SIZE_MAX;

	for (size_t i = 0; same && i < n->num_in; i++) {
		enum ir_dtype have, want;

		/* Any number of operands: those after the last bit are like it. */
		if (!n->in[i] || !(same >> (i < 31 ? i : 31) & 1))
			continue;
		if (first == SIZE_MAX)
			first = i;
		have = n->in[i]->type.dtype;
		want = n->in[first]->type.dtype;
		if (have != want)
			onnx_node_fail(n, "operands %zu and %zu have the element types %s and %s, and "
				       "the operator takes one type: put a Cast in front",
				       first, i, ir_dtype_name(want), ir_dtype_name(have));
	}
}
