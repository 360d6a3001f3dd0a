// SPDX-License-Identifier: MIT
/* Quantization: rounding to nearest even, saturation, and products of 8-bit integers. */
#include <string.h>

#include "onnx_quant.h"

static void type_range(struct onnx_node *n, enum ir_dtype dtype, float *low, float *high)
{
	switch (dtype) {
	case IR_DT_I8:
		*low = -128.0f;
		*high = 127.0f;
		return;
	case IR_DT_U8:
		*low = 0.0f;
		*high = 255.0f;
		return;
	case IR_DT_I16:
		*low = -32768.0f;
		*high = 32767.0f;
		return;
	case IR_DT_U16:
		*low = 0.0f;
		*high = 65535.0f;
		return;
	default:
		onnx_node_fail(n, "quantizing to %s cannot be compiled, only to 8 and 16 bits",
			       ir_dtype_name(dtype));
	}
}

struct ir_value *quant_parameter(struct onnx_node *n, struct ir_value *v, int axis, int rank)
{
	int64_t dims[IR_MAX_RANK];

	if (!v || ir_type_elements(&v->type) == 1)
		return v ? onnx_reshape(n, v, 0, NULL) : NULL;
	if (v->type.rank != 1)
		onnx_node_fail(n, "a scale or zero point with %d dimensions cannot be compiled, only "
				  "scalars and vectors", v->type.rank);
	for (int i = 0; i < rank; i++)
		dims[i] = i == axis ? v->type.dim[0] : 1;
	return onnx_reshape(n, v, rank, dims);
}

struct ir_value *quantized(struct onnx_node *n, struct ir_value *x, struct ir_value *scale,
			   struct ir_value *zero, enum ir_dtype dtype)
{
	struct ir_map_builder builder, *b = &builder;
	float low, high;
	marg y;

	type_range(n, dtype, &low, &high);
	onnx_map_begin(n, b);
	y = ir_map_input(b, x);
	y = ir_map_alu(b, NCA_ALU_DIV, ir_map_convert(b, IR_MAP_F32, y), ir_map_input(b, scale));
	y = ir_map_func(b, NCA_FUNC_ROUND, y);
	if (zero)
		y = ir_map_alu(b, NCA_ALU_ADD, y, ir_map_input(b, zero));
	y = ir_map_alu(b, NCA_ALU_MAX, y, ir_map_float(low));
	y = ir_map_alu(b, NCA_ALU_MIN, y, ir_map_float(high));
	return ir_map_end(b, y, dtype);
}

static struct ir_value *import_quantize(struct onnx_node *n)
{
	struct ir_value *x, *zero;
	int64_t axis = 1, saturate;
	int dim = 0;

	onnx_need_inputs(n, 2, 3);
	onnx_attr_int(n, "axis", &axis);
	onnx_attr_int(n, "saturate", &saturate);	/* of 8-bit floating types only */
	x = n->in[0];
	zero = n->in[2];
	if (ir_type_elements(&n->in[1]->type) != 1)
		dim = onnx_axis(n, axis, x->type.rank);
	return quantized(n, x, quant_parameter(n, n->in[1], dim, x->type.rank),
			 quant_parameter(n, zero, dim, x->type.rank),
			 zero ? zero->type.dtype : IR_DT_U8);
}

static struct ir_value *import_dequantize(struct onnx_node *n)
{
	struct ir_value *x, *zero;
	struct ir_map_builder b;
	int64_t axis = 1;
	int dim = 0;
	marg y;

	onnx_need_inputs(n, 2, 3);
	onnx_attr_int(n, "axis", &axis);
	x = n->in[0];
	if (!ir_is_int(x->type.dtype))
		onnx_node_fail(n, "its input has element type %s, and only integers can be compiled",
			       ir_dtype_name(x->type.dtype));
	if (ir_type_elements(&n->in[1]->type) != 1)
		dim = onnx_axis(n, axis, x->type.rank);
	zero = quant_parameter(n, n->in[2], dim, x->type.rank);
	onnx_map_begin(n, &b);
	y = ir_map_input(&b, x);
	if (zero)
		y = ir_map_alu(&b, NCA_ALU_SUB, y, ir_map_input(&b, zero));
	y = ir_map_alu(&b, NCA_ALU_MUL, y,
		       ir_map_input(&b, quant_parameter(n, n->in[1], dim, x->type.rank)));
	return ir_map_end(&b, y, n->in[1]->type.dtype);
}

static struct ir_value *import_dynamic_quantize(struct onnx_node *n)
{
	struct ir_value *x, *high, *low, *scale, *zero;
	uint32_t all;

	onnx_need_inputs(n, 1, 1);
	x = n->in[0];
	all = (1u << x->type.rank) - 1;
	high = build_number(n, NCA_ALU_MAX, build_reduce(n, NCA_ALU_MAX, x, all), 0.0);
	low = build_number(n, NCA_ALU_MIN, build_reduce(n, NCA_ALU_MIN, x, all), 0.0);
	scale = build_number(n, NCA_ALU_DIV, build_binary(n, NCA_ALU_SUB, high, low), 255.0);
	scale = onnx_reshape(n, scale, 0, NULL);
	zero = build_number(n, NCA_ALU_MUL, onnx_reshape(n, low, 0, NULL), -1.0);
	zero = quantized(n, zero, scale, NULL, IR_DT_U8);
	if (n->num_more > 0)
		n->more[0] = scale;
	if (n->num_more > 1)
		n->more[1] = zero;
	return quantized(n, x, scale, zero, IR_DT_U8);
}

static bool is_zero(const struct ir_value *v)
{
	if (!v)
		return true;
	if (!ir_is_const(v) || !ir_is_int(v->type.dtype))
		return false;
	for (int64_t i = 0; i < ir_type_elements(&v->type); i++)
		if (v->data.i64[i])
			return false;
	return true;
}

static void need_bytes(struct onnx_node *n, const struct ir_value *v)
{
	if (v->type.dtype != IR_DT_I8 && v->type.dtype != IR_DT_U8)
		onnx_node_fail(n, "an operand has element type %s, and products are of int8 and uint8",
			       ir_dtype_name(v->type.dtype));
}

/* sum (a - za)(b - zb) = sum ab - zb sum a - za sum b + k za zb, all modulo 2^32 */
struct ir_value *integer_product(struct onnx_node *n, struct ir_value *a, struct ir_value *b,
				 struct ir_value *za, struct ir_value *zb)
{
	struct ir_value *in[2] = { a, b }, *c, *sum, *t;
	int ra = a->type.rank, rb = b->type.rank;
	int64_t k = a->type.dim[ra - 1], perm[IR_MAX_RANK];
	struct ir_attrs attr = { 0 };

	need_bytes(n, a);
	need_bytes(n, b);
	if (ir_is_const(a)) {	/* the array takes it the other way round */
		for (int i = 0; i < ra; i++)
			perm[i] = i;
		perm[ra - 1] = ra - 2;
		perm[ra - 2] = ra - 1;
		in[0] = onnx_transpose(n, a, perm);
		attr.trans_a = true;
	}
	c = build_op(n, IR_INT_MATMUL, 2, in, &attr);
	if (!is_zero(zb)) {
		sum = build_reduce(n, NCA_ALU_ADD, build_convert(n, a, IR_DT_I32), 1u << (ra - 1));
		t = build_binary(n, NCA_ALU_MUL, sum, build_convert(n, zb, IR_DT_I32));
		c = build_binary(n, NCA_ALU_SUB, c, t);
	}
	if (!is_zero(za)) {
		sum = build_reduce(n, NCA_ALU_ADD, build_convert(n, b, IR_DT_I32), 1u << (rb - 2));
		if (!is_zero(zb))
			sum = build_binary(n, NCA_ALU_SUB, sum,
					   build_number(n, NCA_ALU_MUL, build_convert(n, zb, IR_DT_I32),
							(double)k));
		t = build_binary(n, NCA_ALU_MUL, sum, build_convert(n, za, IR_DT_I32));
		c = build_binary(n, NCA_ALU_SUB, c, t);
	}
	return c;
}

/* A zero point of the left operand may differ from row to row, of the right one by column. */
static struct ir_value *row_parameter(struct onnx_node *n, struct ir_value *v)
{
	int64_t dims[2];

	if (!v || ir_type_elements(&v->type) == 1)
		return v ? onnx_reshape(n, v, 0, NULL) : NULL;
	if (v->type.rank != 1)
		return v;	/* [..][rows][1] */
	dims[0] = v->type.dim[0];
	dims[1] = 1;
	return onnx_reshape(n, v, 2, dims);
}

static struct ir_value *scalar_if_one(struct onnx_node *n, struct ir_value *v)
{
	return v && ir_type_elements(&v->type) == 1 ? onnx_reshape(n, v, 0, NULL) : v;
}

/* Vectors as matrices. */
static struct ir_value *as_matrix(struct onnx_node *n, struct ir_value *v, bool left)
{
	int64_t dims[2] = { 1, 1 };

	if (v->type.rank == 0)
		onnx_node_fail(n, "a scalar cannot be multiplied as a matrix");
	if (v->type.rank > 1)
		return v;
	dims[left ? 1 : 0] = v->type.dim[0];
	return onnx_reshape(n, v, 2, dims);
}

static struct ir_value *drop_vectors(struct onnx_node *n, struct ir_value *c, int ra, int rb)
{
	uint32_t axes = 0;

	if (ra == 1)
		axes |= 1u << (c->type.rank - 2);
	if (rb == 1)
		axes |= 1u << (c->type.rank - 1);
	return axes ? build_squeeze(n, c, axes) : c;
}

static struct ir_value *import_matmul_integer(struct onnx_node *n)
{
	struct ir_value *c;

	onnx_need_inputs(n, 2, 4);
	c = integer_product(n, as_matrix(n, n->in[0], true), as_matrix(n, n->in[1], false),
			    row_parameter(n, n->in[2]), scalar_if_one(n, n->in[3]));
	return drop_vectors(n, c, n->in[0]->type.rank, n->in[1]->type.rank);
}

/* The sums @c in units of @sa * @sb, quantized again. */
struct ir_value *requantized(struct onnx_node *n, struct ir_value *c, struct ir_value *sa,
			     struct ir_value *sb, struct ir_value *sy, struct ir_value *zy)
{
	struct ir_value *scale = build_binary(n, NCA_ALU_DIV, sy, build_binary(n, NCA_ALU_MUL, sa, sb));

	return quantized(n, c, scale, zy, zy->type.dtype);
}

static struct ir_value *import_qlinear_matmul(struct onnx_node *n)
{
	struct ir_value *c;

	onnx_need_inputs(n, 8, 8);
	c = integer_product(n, as_matrix(n, n->in[0], true), as_matrix(n, n->in[3], false),
			    row_parameter(n, n->in[2]), scalar_if_one(n, n->in[5]));
	c = requantized(n, c, row_parameter(n, n->in[1]), scalar_if_one(n, n->in[4]),
			row_parameter(n, n->in[6]), row_parameter(n, n->in[7]));
	return drop_vectors(n, c, n->in[0]->type.rank, n->in[3]->type.rank);
}

struct ir_value *onnx_import_quant(struct onnx_node *n)
{
	static const struct onnx_importer table[] = {
		{ "DequantizeLinear", import_dequantize },
		{ "DynamicQuantizeLinear", import_dynamic_quantize },
		{ "MatMulInteger", import_matmul_integer },
		{ "QLinearMatMul", import_qlinear_matmul },
		{ "QuantizeLinear", import_quantize },
	};

	return onnx_import_from(n, table, sizeof(table) / sizeof(table[0]));
}
