// SPDX-License-Identifier: MIT
/* ONNX operators of shapes: what they make is known while the model is read. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "onnx_map.h"

static struct ir_value *import_shape(struct onnx_node *n)
{
	int64_t start = 0, end = INT64_MAX, rank;
	const struct ir_type *t;

	onnx_need_inputs(n, 1, 1);
	t = &n->in[0]->type;
	rank = t->rank;
	onnx_attr_int(n, "start", &start);
	onnx_attr_int(n, "end", &end);
	start = start < -rank ? 0 : start < 0 ? start + rank : start > rank ? rank : start;
	end = end < -rank ? 0 : end < 0 ? end + rank : end > rank ? rank : end;
	return onnx_ints_const(n, &t->dim[start], end > start ? end - start : 0);
}

static struct ir_value *import_size(struct onnx_node *n)
{
	struct ir_type t = ir_type_make(IR_DT_I64, 0, NULL);
	int64_t *size = cc_new(n->g->cc, int64_t);

	onnx_need_inputs(n, 1, 1);
	*size = ir_type_elements(&n->in[0]->type);
	return ir_const_i64(n->g, NULL, &t, size);
}

static struct ir_value *import_reshape(struct onnx_node *n)
{
	int64_t allow_zero = 0;
	const int64_t *shape;
	struct ir_value *in[2];
	struct ir_op *op;
	size_t num;

	if (n->opset < 5) {
		onnx_need_inputs(n, 1, 1);
		if (!onnx_attr_ints(n, "shape", &shape, &num))
			onnx_node_fail(n, "attribute shape is missing");
		in[1] = onnx_ints_const(n, shape, (int64_t)num);
	} else {
		onnx_need_inputs(n, 2, 2);
		in[1] = n->in[1];
	}
	onnx_attr_int(n, "allowzero", &allow_zero);
	in[0] = n->in[0];
	/* A shape that the graph computes has to come out as the model declares. */
	if (!ir_is_const(in[1]) && onnx_declares(n, 0))
		in[1] = onnx_ints_const(n, n->declared[0].dim, n->declared[0].rank);
	op = onnx_op(n, IR_RESHAPE, 2, in);
	op->attr.allow_zero = allow_zero != 0;
	return onnx_result(n, op);
}

static struct ir_value *import_flatten(struct onnx_node *n)
{
	struct ir_op *op;

	onnx_need_inputs(n, 1, 1);
	op = onnx_op(n, IR_FLATTEN, 1, n->in);
	op->attr.axis = 1;
	onnx_attr_int(n, "axis", &op->attr.axis);
	return onnx_result(n, op);
}

static struct ir_value *import_squeeze(struct onnx_node *n)
{
	const struct ir_type *t;
	int64_t dims[IR_MAX_RANK];
	const int64_t *axes = NULL;
	unsigned int gone = 0;
	size_t num = 0;
	int rank = 0;

	onnx_need_inputs(n, 1, n->opset < 13 ? 1 : 2);
	t = &n->in[0]->type;
	if (n->opset >= 13 && n->num_in > 1 && !ir_is_const(n->in[1]) && onnx_declares(n, 0))
		return onnx_reshape(n, n->in[0], n->declared[0].rank, n->declared[0].dim);
	if (!onnx_ints(n, "axes", 1, 13, &axes, &num)) {
		for (int d = 0; d < t->rank; d++)
			gone |= (unsigned int)(t->dim[d] == 1) << d;
	}
	for (size_t i = 0; i < num; i++) {
		int d = onnx_axis(n, axes[i], t->rank);

		if (t->dim[d] != 1)
			onnx_node_fail(n, "dimension %d has %" PRId64 " elements and cannot go", d,
				       t->dim[d]);
		gone |= 1u << d;
	}
	for (int d = 0; d < t->rank; d++)
		if (!(gone >> d & 1))
			dims[rank++] = t->dim[d];
	return onnx_reshape(n, n->in[0], rank, dims);
}

static struct ir_value *import_unsqueeze(struct onnx_node *n)
{
	const struct ir_type *t;
	int64_t dims[IR_MAX_RANK];
	const int64_t *axes;
	unsigned int new = 0;
	size_t num;
	int rank, from = 0;

	onnx_need_inputs(n, n->opset < 13 ? 1 : 2, n->opset < 13 ? 1 : 2);
	t = &n->in[0]->type;
	if (n->opset >= 13 && !ir_is_const(n->in[1]) && onnx_declares(n, 0))
		return onnx_reshape(n, n->in[0], n->declared[0].rank, n->declared[0].dim);
	if (!onnx_ints(n, "axes", 1, 13, &axes, &num))
		onnx_node_fail(n, "axes are missing");
	if (num > (size_t)(IR_MAX_RANK - t->rank))
		onnx_node_fail(n, "the result would have more than %d dimensions", IR_MAX_RANK);
	rank = t->rank + (int)num;
	for (size_t i = 0; i < num; i++) {
		int d = onnx_axis(n, axes[i], rank);

		if (new >> d & 1)
			onnx_node_fail(n, "axis %d is named twice", d);
		new |= 1u << d;
	}
	for (int d = 0; d < rank; d++)
		dims[d] = new >> d & 1 ? 1 : t->dim[from++];
	return onnx_reshape(n, n->in[0], rank, dims);
}

static struct ir_value *import_constant_of_shape(struct onnx_node *n)
{
	const Onnx__TensorProto *t;
	struct ir_type type = { .dtype = IR_DT_F32 };
	const struct ir_value *value = NULL;
	const int64_t *shape;
	int64_t total = 1;
	size_t num;

	onnx_need_inputs(n, 1, 1);
	t = onnx_attr_tensor(n, "value");
	if (t) {
		value = onnx_tensor(n->g, t, n->name);
		type.dtype = value->type.dtype;
		if (ir_type_elements(&value->type) != 1)
			onnx_node_fail(n, "the value has more than one element");
	}
	if (!onnx_const_ints(n, 0, &shape, &num)) {
		if (!onnx_declares(n, 0))
			onnx_node_fail(n, "the shape is computed by the graph, and must be a constant");
		shape = n->declared[0].dim;
		num = (size_t)n->declared[0].rank;
	}
	if (num > IR_MAX_RANK)
		onnx_node_fail(n, "a shape of %zu dimensions is more than %d", num, IR_MAX_RANK);
	type.rank = (int)num;
	for (size_t i = 0; i < num; i++) {
		type.dim[i] = shape[i];
		if (shape[i] < 0 || __builtin_mul_overflow(total, shape[i], &total) ||
		    total > IR_MAX_ELEMENTS)
			onnx_node_fail(n, "the shape has the impossible dimension %" PRId64, shape[i]);
	}
	return onnx_filled(n, &type, value && ir_is_float(type.dtype) ? value->data.f32[0] : 0.0f,
		      value && ir_is_int(type.dtype) ? value->data.i64[0] : 0);
}

static struct ir_value *import_eye_like(struct onnx_node *n)
{
	struct ir_value *v;
	struct ir_type t;
	int64_t k = 0, to;

	onnx_need_inputs(n, 1, 1);
	t = n->in[0]->type;
	if (t.rank != 2)
		onnx_node_fail(n, "the input has %d dimensions and is no matrix", t.rank);
	onnx_attr_int(n, "k", &k);
	if (onnx_attr_int(n, "dtype", &to)) {
		t.dtype = onnx_dtype((int32_t)to);
		if (t.dtype == IR_DT_NONE)
			onnx_node_fail(n, "element type %" PRId64 " cannot be compiled", to);
	}
	v = onnx_filled(n, &t, 0.0f, 0);
	for (int64_t i = 0; i < t.dim[0]; i++) {
		int64_t at;

		if (__builtin_add_overflow(i, k, &at) || at < 0 || at >= t.dim[1])
			continue;
		at += i * t.dim[1];
		if (ir_is_float(t.dtype))
			((float *)v->data.any)[at] = 1.0f;
		else
			((int64_t *)v->data.any)[at] = 1;
	}
	return v;
}

static double scalar(struct onnx_node *n, size_t slot, enum ir_dtype dtype)
{
	const struct ir_value *v = n->in[slot];

	if (!ir_is_const(v))
		onnx_node_fail(n, "its limits are computed by the graph, so the number of elements is "
				  "not known; they must be constants");
	if (ir_type_elements(&v->type) != 1 || v->type.dtype != dtype)
		onnx_node_fail(n, "its limits must be scalars of one type");
	return ir_is_float(dtype) ? (double)v->data.f32[0] : (double)v->data.i64[0];
}

static struct ir_value *import_range(struct onnx_node *n)
{
	struct ir_value *v;
	struct ir_type t = { .rank = 1 };
	double start, limit, delta, num;

	onnx_need_inputs(n, 3, 3);
	t.dtype = n->in[0]->type.dtype;
	start = scalar(n, 0, t.dtype);
	limit = scalar(n, 1, t.dtype);
	delta = scalar(n, 2, t.dtype);
	num = ceil((limit - start) / delta);
	if (!(num <= (double)((int64_t)1 << 28)) || delta == 0.0)
		onnx_node_fail(n, "a range of %g elements is impossible", num);
	t.dim[0] = num > 0 ? (int64_t)num : 0;
	v = onnx_filled(n, &t, 0.0f, 0);
	for (int64_t i = 0; i < t.dim[0]; i++) {
		if (ir_is_float(t.dtype))
			((float *)v->data.any)[i] = (float)(start + (double)i * delta);
		else
			((int64_t *)v->data.any)[i] = n->in[0]->data.i64[0] +
						      i * n->in[2]->data.i64[0];
	}
	return v;
}

static const struct onnx_importer importers[] = {
	{ "ConstantOfShape", import_constant_of_shape },
	{ "EyeLike", import_eye_like },
	{ "Flatten", import_flatten },
	{ "Range", import_range },
	{ "Reshape", import_reshape },
	{ "Shape", import_shape },
	{ "Size", import_size },
	{ "Squeeze", import_squeeze },
	{ "Unsqueeze", import_unsqueeze },
};

struct ir_value *onnx_import_shape(struct onnx_node *n)
{
	return onnx_import_from(n, importers, sizeof(importers) / sizeof(importers[0]));
}
