// SPDX-License-Identifier: MIT
#include "onnx_build.h"

#include <string.h>


struct ir_value *build_op(struct onnx_node *n, enum ir_opcode opcode, int num_inputs,
			  struct ir_value *const *in, const struct ir_attrs *attr)
{
	struct ir_op *op = onnx_op(n, opcode, num_inputs, in);

	if (attr)
		op->attr = *attr;
	return onnx_result(n, op);
}

struct ir_value *build_binary(struct onnx_node *n, enum nca_alu alu, struct ir_value *x,
			      struct ir_value *y)
{
	return onnx_map_binary(n, alu, x, y, x->type.dtype);
}

/* The integer of @dtype that is nearest to @y: the limits of floating-point types are beyond all. */
static int64_t saturated(double y, enum ir_dtype dtype)
{
	double low = dtype == IR_DT_U32 ? 0.0 : INT32_MIN;
	double high = dtype == IR_DT_U32 ? UINT32_MAX : INT32_MAX;

	return (int64_t)(y < low ? low : y > high ? high : y);
}

struct ir_value *build_number(struct onnx_node *n, enum nca_alu alu, struct ir_value *x, double y)
{
	enum ir_dtype dtype = x->type.dtype;
	struct ir_map_builder b;
	marg r;

	onnx_map_begin(n, &b);
	r = ir_map_input(&b, x);
	r = ir_map_alu(&b, alu, r, ir_is_float(dtype) ? ir_map_float((float)y) : ir_map_int(saturated(y, dtype)));
	return ir_map_end(&b, ir_is_int(dtype) ? ir_map_wrap(&b, dtype, r) : r, dtype);
}

struct ir_value *build_func(struct onnx_node *n, enum nca_func func, struct ir_value *x)
{
	struct ir_map_builder b;

	onnx_map_begin(n, &b);
	return ir_map_end(&b, ir_map_func(&b, func, ir_map_input(&b, x)), x->type.dtype);
}

struct ir_value *build_convert(struct onnx_node *n, struct ir_value *x, enum ir_dtype dtype)
{
	struct ir_map_builder b;

	if (x->type.dtype == dtype)
		return x;
	onnx_map_begin(n, &b);
	return ir_map_end(&b, ir_map_input(&b, x), dtype);
}

struct ir_value *build_select(struct onnx_node *n, struct ir_value *c, struct ir_value *x,
			      struct ir_value *y)
{
	struct ir_map_builder b;
	marg mc, mx, my;

	onnx_map_begin(n, &b);
	mc = ir_map_input(&b, c);
	mx = ir_map_input(&b, x);
	my = ir_map_input(&b, y);
	return ir_map_end(&b, ir_map_select(&b, mc, mx, my), x->type.dtype);
}

struct ir_value *build_squeeze(struct onnx_node *n, struct ir_value *x, uint32_t axes)
{
	int64_t dims[IR_MAX_RANK];
	int rank = 0;

	for (int i = 0; i < x->type.rank; i++)
		if (!(axes >> i & 1))
			dims[rank++] = x->type.dim[i];
	return onnx_reshape(n, x, rank, dims);
}

int64_t onnx_count(const struct ir_type *t, uint32_t axes)
{
	int64_t count = 1;

	for (int i = 0; i < t->rank; i++)
		if (axes >> i & 1)
			count *= t->dim[i];
	return count;
}

static struct ir_value *one_reduction(struct onnx_node *n, enum nca_alu alu, struct ir_value *x,
				      uint32_t axes)
{
	struct ir_attrs attr = { .alu = alu, .axes = axes };

	return build_op(n, IR_REDUCE, 1, &x, &attr);
}

/* A divisor of @n to deal what is reduced over partitions by, or 0. */
static int64_t lanes(int64_t n)
{
	for (int64_t i = NCA_PARTITIONS; i >= 8; i--)
		if (n % i == 0)
			return i;
	return 0;
}

/*
 * Partitions are dealt along dimensions that stay. Where hardly any stay, the last dimensions are
 * reduced in two steps, the first of which has lanes to spare.
 */
struct ir_value *build_reduce(struct onnx_node *n, enum nca_alu alu, struct ir_value *x,
			      uint32_t axes)
{
	const struct ir_type t = x->type;
	int64_t dims[IR_MAX_RANK], inner = 1, split, many = 2048;
	int lead = t.rank;
	struct ir_value *y;

	while (lead > 0 && axes >> (lead - 1) & 1)
		inner *= t.dim[--lead];
	split = lanes(inner);
	if (onnx_count(&t, ~axes) > 8 || inner < many || !split || lead > IR_MAX_RANK - 2)
		return one_reduction(n, alu, x, axes);
	memcpy(dims, t.dim, sizeof(dims));
	dims[lead] = split;
	dims[lead + 1] = inner / split;
	y = onnx_reshape(n, x, lead + 2, dims);
	y = one_reduction(n, alu, y, 2u << lead);
	y = one_reduction(n, alu, y, (axes & ((1u << lead) - 1)) | 1u << lead);
	for (int i = 0; i < t.rank; i++)
		dims[i] = axes >> i & 1 ? 1 : t.dim[i];
	return onnx_reshape(n, y, t.rank, dims);
}

struct ir_value *build_ints(struct onnx_node *n, enum ir_dtype dtype, int rank,
			    const int64_t *dims, const int64_t *data)
{
	struct ir_type t = ir_type_make(dtype, rank, dims);

	return ir_const_i64(n->g, n->name, &t, data);
}

struct ir_value *build_floats(struct onnx_node *n, int rank, const int64_t *dims,
			      const float *data)
{
	struct ir_type t = ir_type_make(IR_DT_F32, rank, dims);

	return ir_const_f32(n->g, n->name, &t, data);
}

struct ir_value *build_float(struct onnx_node *n, float f)
{
	float *data = cc_new(n->g->cc, float);

	*data = f;
	return build_floats(n, 0, NULL, data);
}

struct ir_value *build_iota(struct onnx_node *n, enum ir_dtype dtype, int rank, int axis,
			    int64_t count)
{
	int64_t dims[IR_MAX_RANK], *ints;
	float *floats;

	for (int i = 0; i < rank; i++)
		dims[i] = i == axis ? count : 1;
	if (ir_is_float(dtype)) {
		floats = cc_new_n(n->g->cc, float, (size_t)count + 1);
		for (int64_t i = 0; i < count; i++)
			floats[i] = (float)i;
		return build_floats(n, rank, dims, floats);
	}
	ints = cc_new_n(n->g->cc, int64_t, (size_t)count + 1);
	for (int64_t i = 0; i < count; i++)
		ints[i] = i;
	return build_ints(n, dtype, rank, dims, ints);
}
