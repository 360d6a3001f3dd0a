// SPDX-License-Identifier: MIT
/* Reductions, positions of extremes, running sums, softmax and its relatives over any dimensions. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "onnx_build.h"

enum step { KEEP, ABSOLUTE, SQUARED, ROOT, LOGARITHM, AVERAGE };

static const struct reduction {
	const char *type;
	enum nca_alu alu;
	enum step before, after;
	int64_t axes_operand;	/* opset since which the axes are an operand */
} reductions[] = {
	{ "ReduceL1", NCA_ALU_ADD, ABSOLUTE, KEEP, 18 },
	{ "ReduceL2", NCA_ALU_ADD, SQUARED, ROOT, 18 },
	{ "ReduceLogSum", NCA_ALU_ADD, KEEP, LOGARITHM, 18 },
	{ "ReduceMax", NCA_ALU_MAX, KEEP, KEEP, 18 },
	{ "ReduceMean", NCA_ALU_ADD, KEEP, AVERAGE, 18 },
	{ "ReduceMin", NCA_ALU_MIN, KEEP, KEEP, 18 },
	{ "ReduceProd", NCA_ALU_MUL, KEEP, KEEP, 18 },
	{ "ReduceSum", NCA_ALU_ADD, KEEP, KEEP, 13 },
	{ "ReduceSumSquare", NCA_ALU_ADD, SQUARED, KEEP, 18 },
};

static struct ir_value *apply(struct onnx_node *n, enum step step, struct ir_value *x,
			      int64_t count)
{
	bool is_float = ir_is_float(x->type.dtype);

	switch (step) {
	case ABSOLUTE:
		if (is_float)
			return build_func(n, NCA_FUNC_ABS, x);
		return build_binary(n, NCA_ALU_MAX, x, build_number(n, NCA_ALU_MUL, x, -1.0));
	case SQUARED:
		return is_float ? build_func(n, NCA_FUNC_SQUARE, x) :
				  build_binary(n, NCA_ALU_MUL, x, x);
	case ROOT:
		return build_func(n, NCA_FUNC_SQRT, x);
	case LOGARITHM:
		return build_func(n, NCA_FUNC_LOG, x);
	case AVERAGE:
		return build_number(n, NCA_ALU_DIV, x, (double)count);
	case KEEP:
		break;
	}
	return x;
}

/* Computed axes, where the model declares a result with as many dimensions: what has become 1. */
static bool axes_from_shape(struct onnx_node *n, uint32_t *axes)
{
	const struct ir_type *x = &n->in[0]->type, *y = &n->declared[0];

	if (!onnx_declares(n, 0) || x->rank != y->rank || !x->rank)
		return false;
	*axes = 0;
	for (int i = 0; i < x->rank; i++) {
		if (y->dim[i] != x->dim[i] && y->dim[i] != 1)
			return false;
		if (y->dim[i] == 1)
			*axes |= 1u << i;
	}
	return true;
}

/* The dimensions to reduce; false if there are none and nothing is to be done. */
static bool read_axes(struct onnx_node *n, int64_t axes_operand, uint32_t *axes)
{
	int rank = n->in[0]->type.rank;
	const int64_t *list = NULL;
	int64_t noop = 0;
	size_t num = 0;

	if (n->opset >= axes_operand) {
		struct ir_value *v = n->num_in > 1 ? n->in[1] : NULL;

		onnx_attr_int(n, "noop_with_empty_axes", &noop);
		if (v && !ir_is_const(v) && axes_from_shape(n, axes))
			return true;
		if (v && (!ir_is_const(v) || !ir_is_int(v->type.dtype)))
			onnx_node_fail(n, "the axes are computed while the model runs; they must be "
					  "constant");
		if (v) {
			num = (size_t)ir_type_elements(&v->type);
			list = v->data.i64;
		}
	} else {
		onnx_attr_ints(n, "axes", &list, &num);
	}
	*axes = 0;
	for (size_t i = 0; i < num; i++)
		*axes |= 1u << onnx_axis(n, list[i], rank);
	if (!num && noop)
		return false;
	if (!num)
		*axes = (1u << rank) - 1;
	return true;
}

static struct ir_value *finish_dims(struct onnx_node *n, struct ir_value *y, uint32_t axes,
				    int64_t keepdims)
{
	return keepdims ? y : build_squeeze(n, y, axes);
}

static struct ir_value *import_reduction(struct onnx_node *n, const struct reduction *r)
{
	struct ir_value *x, *y;
	int64_t keepdims = 1, count;
	uint32_t axes;

	onnx_need_inputs(n, 1, n->opset >= r->axes_operand ? 2 : 1);
	onnx_attr_int(n, "keepdims", &keepdims);
	x = n->in[0];
	if (!read_axes(n, r->axes_operand, &axes))
		return build_op(n, IR_IDENTITY, 1, &x, NULL);
	count = onnx_count(&x->type, axes);
	y = build_reduce(n, r->alu, apply(n, r->before, x, count), axes);
	return finish_dims(n, apply(n, r->after, y, count), axes, keepdims);
}

/* max + log(sum(exp(x - max))); a maximum of infinity would make differences of infinities. */
static struct ir_value *import_log_sum_exp(struct onnx_node *n)
{
	struct ir_value *x, *max, *y;
	int64_t keepdims = 1;
	uint32_t axes;

	onnx_need_inputs(n, 1, n->opset >= 18 ? 2 : 1);
	onnx_attr_int(n, "keepdims", &keepdims);
	x = n->in[0];
	if (!read_axes(n, 18, &axes))
		return build_op(n, IR_IDENTITY, 1, &x, NULL);
	max = build_number(n, NCA_ALU_MAX, build_reduce(n, NCA_ALU_MAX, x, axes), -FLT_MAX);
	max = build_number(n, NCA_ALU_MIN, max, FLT_MAX);
	y = build_func(n, NCA_FUNC_EXP, build_binary(n, NCA_ALU_SUB, x, max));
	y = build_func(n, NCA_FUNC_LOG, build_reduce(n, NCA_ALU_ADD, y, axes));
	return finish_dims(n, build_binary(n, NCA_ALU_ADD, y, max), axes, keepdims);
}

/* The position of the extreme: of all places that hold it, the first or the last. */
static struct ir_value *position(struct onnx_node *n, struct ir_value *x, int axis,
				 struct ir_value *extreme, bool last)
{
	int64_t count = x->type.dim[axis];
	struct ir_map_builder b;
	marg at, same;

	onnx_map_begin(n, &b);
	same = ir_map_input(&b, x);
	same = ir_map_alu(&b, NCA_ALU_EQ, same, ir_map_input(&b, extreme));
	at = ir_map_input(&b, build_iota(n, IR_DT_I32, x->type.rank, axis, count));
	/* A one-element iota has become a number. */
	at = ir_map_select(&b, same, at, ir_map_int(last ? -1 : count));
	return build_reduce(n, last ? NCA_ALU_MAX : NCA_ALU_MIN, ir_map_end(&b, at, IR_DT_I32),
			    1u << axis);
}

static struct ir_value *import_arg(struct onnx_node *n, enum nca_alu alu)
{
	int64_t axis = 0, keepdims = 1, last = 0;
	struct ir_value *x, *y;
	int dim;

	onnx_need_inputs(n, 1, 1);
	onnx_attr_int(n, "axis", &axis);
	onnx_attr_int(n, "keepdims", &keepdims);
	onnx_attr_int(n, "select_last_index", &last);
	x = n->in[0];
	dim = onnx_axis(n, axis, x->type.rank);
	y = position(n, x, dim, build_reduce(n, alu, x, 1u << dim), last != 0);
	return finish_dims(n, build_convert(n, y, IR_DT_I64), 1u << dim, keepdims);
}

static struct ir_value *import_arg_max(struct onnx_node *n)
{
	return import_arg(n, NCA_ALU_MAX);
}

static struct ir_value *import_arg_min(struct onnx_node *n)
{
	return import_arg(n, NCA_ALU_MIN);
}

/* Before opset 13 everything from the axis on was one dimension. */
struct flat {
	struct ir_value *x;
	int axis;
};

static struct flat softmax_operand(struct onnx_node *n)
{
	int64_t axis = n->opset < 13 ? 1 : -1, dims[2] = { 1, 1 };
	const struct ir_type *t;

	onnx_need_inputs(n, 1, 1);
	onnx_attr_int(n, "axis", &axis);
	t = &n->in[0]->type;
	if (n->opset >= 13)
		return (struct flat) { n->in[0], onnx_axis(n, axis, t->rank) };
	if (axis != t->rank)
		axis = onnx_axis(n, axis, t->rank);
	for (int i = 0; i < t->rank; i++)
		dims[i >= axis] *= t->dim[i];
	return (struct flat) { onnx_reshape(n, n->in[0], 2, dims), 1 };
}

static struct ir_value *import_softmax(struct onnx_node *n)
{
	int64_t axis = n->opset < 13 ? 1 : -1;
	struct ir_value *max, *e;
	struct ir_attrs attr = { 0 };
	bool last = true;
	struct flat f;

	f = softmax_operand(n);
	for (int i = f.axis + 1; i < f.x->type.rank; i++)
		last &= f.x->type.dim[i] == 1;
	if (last) {	/* rows of a matrix have an operator of their own */
		onnx_attr_int(n, "axis", &axis);
		attr.axis = axis;
		attr.coerce_2d = n->opset < 13;
		return build_op(n, IR_SOFTMAX, 1, &n->in[0], &attr);
	}
	max = build_reduce(n, NCA_ALU_MAX, f.x, 1u << f.axis);
	e = build_func(n, NCA_FUNC_EXP, build_binary(n, NCA_ALU_SUB, f.x, max));
	e = build_binary(n, NCA_ALU_DIV, e, build_reduce(n, NCA_ALU_ADD, e, 1u << f.axis));
	return onnx_reshape(n, e, n->in[0]->type.rank, n->in[0]->type.dim);
}

static struct ir_value *import_log_softmax(struct onnx_node *n)
{
	struct flat f = softmax_operand(n);
	struct ir_value *y = build_log_softmax(n, f.x, f.axis);

	return onnx_reshape(n, y, n->in[0]->type.rank, n->in[0]->type.dim);
}

struct ir_value *build_log_softmax(struct onnx_node *n, struct ir_value *x, int axis)
{
	struct ir_value *d, *sum;

	d = build_binary(n, NCA_ALU_SUB, x, build_reduce(n, NCA_ALU_MAX, x, 1u << axis));
	sum = build_reduce(n, NCA_ALU_ADD, build_func(n, NCA_FUNC_EXP, d), 1u << axis);
	return build_binary(n, NCA_ALU_SUB, d, build_func(n, NCA_FUNC_LOG, sum));
}

/* 1 at the first maximum, 0 elsewhere */
static struct ir_value *import_hardmax(struct onnx_node *n)
{
	struct flat f = softmax_operand(n);
	struct ir_value *at = position(n, f.x, f.axis,
				       build_reduce(n, NCA_ALU_MAX, f.x, 1u << f.axis), false);
	struct ir_value *iota = build_iota(n, IR_DT_I32, f.x->type.rank, f.axis,
					   f.x->type.dim[f.axis]);

	at = onnx_map_binary(n, NCA_ALU_EQ, iota, at, n->in[0]->type.dtype);
	return onnx_reshape(n, at, n->in[0]->type.rank, n->in[0]->type.dim);
}

/* A constant scalar operand. */
static int64_t constant_int(struct onnx_node *n, size_t slot, const char *what)
{
	const struct ir_value *v = n->in[slot];

	if (!ir_is_const(v) || !ir_is_int(v->type.dtype) || ir_type_elements(&v->type) != 1)
		onnx_node_fail(n, "%s is computed while the model runs; it must be a constant", what);
	return v->data.i64[0];
}

/* As many sums as there are elements along the axis; the work is their square. */
#define MAX_RUNNING 4096

static struct ir_value *import_cum_sum(struct onnx_node *n)
{
	int64_t exclusive = 0, reverse = 0, count, dims[IR_MAX_RANK];
	struct ir_map_builder b;
	marg element, sum, at;
	struct ir_value *x, *y;
	int axis, rank;

	onnx_need_inputs(n, 2, 2);
	onnx_attr_int(n, "exclusive", &exclusive);
	onnx_attr_int(n, "reverse", &reverse);
	x = n->in[0];
	rank = x->type.rank;
	/* A vector has one axis, whatever computes its number. */
	axis = rank == 1 && !ir_is_const(n->in[1]) ? 0 :
	       onnx_axis(n, constant_int(n, 1, "the axis"), rank);
	count = x->type.dim[axis];
	if (count > MAX_RUNNING || rank >= IR_MAX_RANK)
		onnx_node_fail(n, "a running sum of more than %d elements, or of more than %d "
				  "dimensions, cannot be compiled", MAX_RUNNING, IR_MAX_RANK - 1);
	/* [..][1][count][..], of which sum i takes those before it, or those after it */
	for (int i = 0; i <= rank; i++)
		dims[i] = i < axis ? x->type.dim[i] : i == axis ? 1 : x->type.dim[i - 1];
	onnx_map_begin(n, &b);
	element = ir_map_input(&b, onnx_reshape(n, x, rank + 1, dims));
	sum = ir_map_input(&b, build_iota(n, IR_DT_I32, rank + 1, axis, count));
	at = ir_map_input(&b, build_iota(n, IR_DT_I32, rank + 1, axis + 1, count));
	at = ir_map_alu(&b, reverse ? (exclusive ? NCA_ALU_GT : NCA_ALU_GE) :
				      (exclusive ? NCA_ALU_LT : NCA_ALU_LE), at, sum);
	at = ir_map_select(&b, at, element, ir_is_float(x->type.dtype) ? ir_map_float(0.0f) :
								    ir_map_int(0));
	y = ir_map_end(&b, at, x->type.dtype);
	y = build_reduce(n, NCA_ALU_ADD, y, 2u << axis);
	return build_squeeze(n, y, 2u << axis);
}

/*
 * The rank of an element is how many come before it: larger ones, and equal ones with a smaller
 * position. Result k is the element of rank k; the work is the square of the dimension.
 */
static struct ir_value *import_top_k(struct onnx_node *n)
{
	int64_t axis = -1, k = 0, largest = 1, sorted = 1, count, dims[IR_MAX_RANK], zero = 0;
	struct ir_value *x, *a, *b, *rank, *here, *at, *values;
	struct ir_map_builder m;
	marg ma, mb, mi, mk;
	int dim, r;

	onnx_need_inputs(n, n->opset < 10 ? 1 : 2, n->opset < 10 ? 1 : 2);
	onnx_attr_int(n, "axis", &axis);
	onnx_attr_int(n, "largest", &largest);
	onnx_attr_int(n, "sorted", &sorted);	/* sorted results serve those who do not care */
	if (n->opset < 10)
		onnx_attr_int(n, "k", &k);
	x = n->in[0];
	r = x->type.rank;
	dim = onnx_axis(n, axis, r);
	/* Where the model says how large the result is, it says what K is. */
	if (n->opset >= 10 && !ir_is_const(n->in[1]) && onnx_declares(n, 0) &&
	    n->declared[0].rank == r)
		k = n->declared[0].dim[dim];
	else if (n->opset >= 10)
		k = constant_int(n, 1, "K");
	count = x->type.dim[dim];
	if (k < 1 || k > count)
		onnx_node_fail(n, "K = %lld is outside 1 to %lld", (long long)k, (long long)count);
	if (count > MAX_RUNNING || r >= IR_MAX_RANK)
		onnx_node_fail(n, "the largest of more than %d elements, or of more than %d "
				  "dimensions, cannot be compiled", MAX_RUNNING, IR_MAX_RANK - 1);
	/* @a varies along the new dimension, @b along the one before it. */
	for (int i = 0; i <= r; i++)
		dims[i] = i < dim ? x->type.dim[i] : i == dim ? 1 : x->type.dim[i - 1];
	a = onnx_reshape(n, x, r + 1, dims);
	dims[dim] = count;
	dims[dim + 1] = 1;
	b = onnx_reshape(n, x, r + 1, dims);
	onnx_map_begin(n, &m);
	ma = ir_map_input(&m, a);
	mb = ir_map_input(&m, b);
	mi = ir_map_input(&m, build_iota(n, IR_DT_I32, r + 1, dim + 1, count));
	mk = ir_map_input(&m, build_iota(n, IR_DT_I32, r + 1, dim, count));
	mi = ir_map_alu(&m, NCA_ALU_LT, mi, mk);
	mi = ir_map_alu(&m, NCA_ALU_LAND, mi, ir_map_alu(&m, NCA_ALU_EQ, ma, mb));
	mi = ir_map_alu(&m, NCA_ALU_LOR, mi, ir_map_alu(&m, largest ? NCA_ALU_GT : NCA_ALU_LT, ma, mb));
	rank = build_reduce(n, NCA_ALU_ADD, ir_map_end(&m, mi, IR_DT_I32), 2u << dim);
	/* [..][count][1] -> [..][1][count], against 0 .. k - 1 along the other dimension */
	dims[dim] = 1;
	dims[dim + 1] = count;
	rank = onnx_reshape(n, rank, r + 1, dims);
	here = onnx_map_binary(n, NCA_ALU_EQ, rank, build_iota(n, IR_DT_I32, r + 1, dim, k),
			       IR_DT_BOOL);
	at = build_select(n, here, build_iota(n, IR_DT_I32, r + 1, dim + 1, count),
			  build_ints(n, IR_DT_I32, 0, NULL, memcpy(cc_new(n->g->cc, int64_t), &zero,
								   sizeof(zero))));
	at = build_reduce(n, NCA_ALU_ADD, at, 2u << dim);
	values = build_select(n, here, a, ir_is_float(x->type.dtype) ? build_float(n, -INFINITY) :
			      build_ints(n, x->type.dtype, 0, NULL, cc_new(n->g->cc, int64_t)));
	values = build_reduce(n, ir_is_float(x->type.dtype) ? NCA_ALU_MAX : NCA_ALU_ADD, values,
			      2u << dim);
	if (n->num_more)
		n->more[0] = build_squeeze(n, build_convert(n, at, IR_DT_I64), 2u << dim);
	return build_squeeze(n, values, 2u << dim);
}

struct ir_value *onnx_import_reduce(struct onnx_node *n)
{
	static const struct onnx_importer table[] = {
		{ "ArgMax", import_arg_max },
		{ "ArgMin", import_arg_min },
		{ "CumSum", import_cum_sum },
		{ "Hardmax", import_hardmax },
		{ "LogSoftmax", import_log_softmax },
		{ "ReduceLogSumExp", import_log_sum_exp },
		{ "Softmax", import_softmax },
		{ "TopK", import_top_k },
	};

	for (size_t i = 0; i < sizeof(reductions) / sizeof(reductions[0]); i++)
		if (onnx_is(n, reductions[i].type))
			return import_reduction(n, &reductions[i]);
	return onnx_import_from(n, table, sizeof(table) / sizeof(table[0]));
}
