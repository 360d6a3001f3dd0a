// SPDX-License-Identifier: MIT
/*
 * Normalizations, as reductions and maps: mean, then the mean square of what is left without it, so
 * that nothing cancels.
 */
#include <math.h>
#include <string.h>

#include "onnx_build.h"
#include "onnx_move.h"

struct moments {
	struct ir_value *mean, *centred, *variance;
};

static struct moments moments(struct onnx_node *n, struct ir_value *x, uint32_t axes)
{
	double count = (double)onnx_count(&x->type, axes);
	struct moments m;

	m.mean = build_number(n, NCA_ALU_DIV, build_reduce(n, NCA_ALU_ADD, x, axes), count);
	m.centred = build_binary(n, NCA_ALU_SUB, x, m.mean);
	m.variance = build_reduce(n, NCA_ALU_ADD, build_func(n, NCA_FUNC_SQUARE, m.centred), axes);
	m.variance = build_number(n, NCA_ALU_DIV, m.variance, count);
	return m;
}

/* 1 / sqrt(variance + epsilon) */
static struct ir_value *inverse_deviation(struct onnx_node *n, struct ir_value *variance,
					  float epsilon)
{
	struct ir_value *v = build_number(n, NCA_ALU_ADD, variance, (double)epsilon);

	return build_func(n, NCA_FUNC_RECIPROCAL, build_func(n, NCA_FUNC_SQRT, v));
}

/* A vector along dimension 1 of @x. */
static struct ir_value *per_channel(struct onnx_node *n, struct ir_value *v,
				    const struct ir_value *x)
{
	int64_t dims[IR_MAX_RANK];

	if (x->type.rank < 2 || ir_type_elements(&v->type) != x->type.dim[1])
		onnx_node_fail(n, "scale or bias does not have an element for each channel");
	for (int i = 0; i < x->type.rank; i++)
		dims[i] = i == 1 ? x->type.dim[1] : 1;
	return onnx_reshape(n, v, x->type.rank, dims);
}

static struct ir_value *scaled(struct onnx_node *n, struct ir_value *x, struct ir_value *scale,
			       struct ir_value *shift)
{
	x = build_binary(n, NCA_ALU_MUL, x, scale);
	return shift ? build_binary(n, NCA_ALU_ADD, x, shift) : x;
}

static void need_float(struct onnx_node *n)
{
	for (size_t i = 0; i < n->num_in; i++)
		if (n->in[i] && !ir_is_float(n->in[i]->type.dtype))
			onnx_node_fail(n, "operand %zu is not of a floating-point type", i);
}

static uint32_t dims_from(int first, int rank)
{
	return ((1u << rank) - 1) & ~((1u << first) - 1);
}

/* The back end has an operator for constant vectors over the last dimension. */
static bool is_vector_of_last(const struct ir_value *v, const struct ir_value *x)
{
	return !v || (ir_is_const(v) && v->type.rank == 1 &&
		      v->type.dim[0] == x->type.dim[x->type.rank - 1]);
}

static struct ir_value *import_layer_norm(struct onnx_node *n)
{
	int64_t axis = -1, stash = 1;
	struct ir_attrs attr = { .epsilon = 1e-5f };
	struct ir_value *x, *inverse, *y;
	struct moments m;
	uint32_t axes;
	int first;

	onnx_need_inputs(n, 2, 3);
	need_float(n);
	onnx_attr_int(n, "axis", &axis);
	onnx_attr_int(n, "stash_type", &stash);
	onnx_attr_float(n, "epsilon", &attr.epsilon);
	x = n->in[0];
	first = onnx_axis(n, axis, x->type.rank);
	if (first == x->type.rank - 1 && first > 0 && !n->num_more && !ir_is_const(x) &&
	    is_vector_of_last(n->in[1], x) && is_vector_of_last(n->in[2], x))
		return build_op(n, IR_LAYER_NORM, n->in[2] ? 3 : 2, n->in, &attr);
	axes = dims_from(first, x->type.rank);
	m = moments(n, x, axes);
	inverse = inverse_deviation(n, m.variance, attr.epsilon);
	y = scaled(n, build_binary(n, NCA_ALU_MUL, m.centred, inverse), n->in[1], n->in[2]);
	if (n->num_more > 0)
		n->more[0] = m.mean;
	if (n->num_more > 1)
		n->more[1] = inverse;
	return y;
}

static struct ir_value *import_rms_norm(struct onnx_node *n)
{
	int64_t axis = -1, stash = 1;
	float epsilon = 1e-5f;
	struct ir_value *x, *v;
	uint32_t axes;

	onnx_need_inputs(n, 2, 2);
	need_float(n);
	onnx_attr_int(n, "axis", &axis);
	onnx_attr_int(n, "stash_type", &stash);
	onnx_attr_float(n, "epsilon", &epsilon);
	x = n->in[0];
	axes = dims_from(onnx_axis(n, axis, x->type.rank), x->type.rank);
	v = build_reduce(n, NCA_ALU_ADD, build_func(n, NCA_FUNC_SQUARE, x), axes);
	v = build_number(n, NCA_ALU_DIV, v, (double)onnx_count(&x->type, axes));
	return scaled(n, build_binary(n, NCA_ALU_MUL, x, inverse_deviation(n, v, epsilon)), n->in[1],
		      NULL);
}

static struct ir_value *import_instance_norm(struct onnx_node *n)
{
	float epsilon = 1e-5f;
	struct ir_value *x, *y;
	struct moments m;

	onnx_need_inputs(n, 3, 3);
	need_float(n);
	onnx_attr_float(n, "epsilon", &epsilon);
	x = n->in[0];
	if (x->type.rank < 3)
		onnx_node_fail(n, "the input has %d dimensions and no image", x->type.rank);
	m = moments(n, x, dims_from(2, x->type.rank));
	y = build_binary(n, NCA_ALU_MUL, m.centred, inverse_deviation(n, m.variance, epsilon));
	return scaled(n, y, per_channel(n, n->in[1], x), per_channel(n, n->in[2], x));
}

/* Scale and bias were per group before opset 21, per channel since; both are understood. */
static struct ir_value *import_group_norm(struct onnx_node *n)
{
	int64_t groups = 0, stash = 1, dims[3], per[3];
	float epsilon = 1e-5f;
	struct ir_value *x, *y;
	struct moments m;

	onnx_need_inputs(n, 3, 3);
	need_float(n);
	onnx_attr_float(n, "epsilon", &epsilon);
	onnx_attr_int(n, "num_groups", &groups);
	onnx_attr_int(n, "stash_type", &stash);
	x = n->in[0];
	if (x->type.rank < 2 || groups < 1 || x->type.dim[1] % groups)
		onnx_node_fail(n, "its channels do not form %lld groups", (long long)groups);
	dims[0] = x->type.dim[0];
	dims[1] = groups;
	dims[2] = ir_type_elements(&x->type) / dims[0] / groups;
	m = moments(n, onnx_reshape(n, x, 3, dims), 4);
	y = build_binary(n, NCA_ALU_MUL, m.centred, inverse_deviation(n, m.variance, epsilon));
	if (ir_type_elements(&n->in[1]->type) == groups && groups != x->type.dim[1]) {
		per[0] = 1;
		per[1] = groups;
		per[2] = 1;
		y = scaled(n, y, onnx_reshape(n, n->in[1], 3, per), onnx_reshape(n, n->in[2], 3, per));
		return onnx_reshape(n, y, x->type.rank, x->type.dim);
	}
	y = onnx_reshape(n, y, x->type.rank, x->type.dim);
	return scaled(n, y, per_channel(n, n->in[1], x), per_channel(n, n->in[2], x));
}

static struct ir_value *import_mean_variance(struct onnx_node *n)
{
	static const int64_t usual[] = { 0, 2, 3 };
	const int64_t *list = usual;
	struct ir_value *x, *deviation;
	size_t num = 3;
	uint32_t axes = 0;
	struct moments m;

	onnx_need_inputs(n, 1, 1);
	need_float(n);
	onnx_attr_ints(n, "axes", &list, &num);
	x = n->in[0];
	for (size_t i = 0; i < num; i++)
		axes |= 1u << onnx_axis(n, list[i], x->type.rank);
	m = moments(n, x, axes);
	deviation = build_number(n, NCA_ALU_ADD, build_func(n, NCA_FUNC_SQRT, m.variance), 1e-9);
	return build_binary(n, NCA_ALU_DIV, m.centred, deviation);
}

static struct ir_value *import_lp_norm(struct onnx_node *n)
{
	int64_t axis = -1, p = 2;
	struct ir_value *x, *norm;
	uint32_t axes;

	onnx_need_inputs(n, 1, 1);
	need_float(n);
	onnx_attr_int(n, "axis", &axis);
	onnx_attr_int(n, "p", &p);
	if (p != 1 && p != 2)
		onnx_node_fail(n, "p = %lld is neither 1 nor 2", (long long)p);
	x = n->in[0];
	axes = 1u << onnx_axis(n, axis, x->type.rank);
	norm = build_func(n, p == 1 ? NCA_FUNC_ABS : NCA_FUNC_SQUARE, x);
	norm = build_reduce(n, NCA_ALU_ADD, norm, axes);
	if (p == 2)
		norm = build_func(n, NCA_FUNC_SQRT, norm);
	return build_binary(n, NCA_ALU_DIV, x, norm);
}

/* The squares of neighbouring channels: each channel's window is taken out, then summed. */
static struct ir_value *import_lrn(struct onnx_node *n)
{
	float alpha = 1e-4f, beta = 0.75f, bias = 1.0f;
	int64_t size = 0, channels, dims[4], *index;
	struct ir_value *x, *s, *y;

	onnx_need_inputs(n, 1, 1);
	need_float(n);
	onnx_attr_float(n, "alpha", &alpha);
	onnx_attr_float(n, "beta", &beta);
	onnx_attr_float(n, "bias", &bias);
	onnx_attr_int(n, "size", &size);
	x = n->in[0];
	if (x->type.rank < 2)
		onnx_node_fail(n, "the input has %d dimensions and no channels", x->type.rank);
	channels = x->type.dim[1];
	if (size < 1 || size > 1024)
		onnx_node_fail(n, "size = %lld is outside 1 to 1024", (long long)size);
	dims[0] = x->type.dim[0];
	dims[1] = channels;
	dims[2] = ir_type_elements(&x->type) / dims[0] / channels;
	s = onnx_reshape(n, build_func(n, NCA_FUNC_SQUARE, x), 3, dims);
	index = cc_new_n(n->g->cc, int64_t, (size_t)(size * channels));
	for (int64_t k = 0; k < size; k++)
		for (int64_t c = 0; c < channels; c++) {
			int64_t from = c + k - (size - 1) / 2;

			index[k * channels + c] = from >= 0 && from < channels ? from : -1;
		}
	s = onnx_take_axis(n, s, 1, index, size * channels);
	dims[3] = dims[2];
	dims[2] = channels;
	dims[1] = size;
	s = build_reduce(n, NCA_ALU_ADD, onnx_reshape(n, s, 4, dims), 2);
	s = onnx_reshape(n, s, x->type.rank, x->type.dim);
	y = build_number(n, NCA_ALU_MUL, s, (double)alpha / (double)size);
	y = build_number(n, NCA_ALU_ADD, y, (double)bias);
	/* What is normalized is at least bias, which is positive where this operator makes sense. */
	return build_binary(n, NCA_ALU_DIV, x, build_number(n, NCA_ALU_POW, y, (double)beta));
}

struct ir_value *build_batch_norm(struct onnx_node *n, float epsilon, float momentum, bool training)
{
	struct ir_value *x = n->in[0], *mean, *variance, *y;

	need_float(n);
	if (training) {
		uint32_t axes = ((1u << x->type.rank) - 1) & ~2u;
		struct ir_value *old[2] = { n->in[3], n->in[4] }, *now[2];
		struct moments m = moments(n, x, axes);

		mean = m.mean;
		variance = m.variance;
		now[0] = mean;
		now[1] = variance;
		for (size_t i = 0; i < 2 && i < n->num_more; i++) {
			y = onnx_reshape(n, now[i], old[i]->type.rank, old[i]->type.dim);
			n->more[i] = build_binary(
				n, NCA_ALU_ADD,
				build_number(n, NCA_ALU_MUL, old[i], (double)momentum),
				build_number(n, NCA_ALU_MUL, y, 1.0 - (double)momentum));
		}
	} else {
		mean = per_channel(n, n->in[3], x);
		variance = per_channel(n, n->in[4], x);
	}
	y = build_binary(n, NCA_ALU_SUB, x, mean);
	y = build_binary(n, NCA_ALU_MUL, y, inverse_deviation(n, variance, epsilon));
	return scaled(n, y, per_channel(n, n->in[1], x), per_channel(n, n->in[2], x));
}

struct ir_value *onnx_import_norm(struct onnx_node *n)
{
	static const struct onnx_importer table[] = {
		{ "GroupNormalization", import_group_norm },
		{ "InstanceNormalization", import_instance_norm },
		{ "LRN", import_lrn },
		{ "LayerNormalization", import_layer_norm },
		{ "LpNormalization", import_lp_norm },
		{ "MeanVarianceNormalization", import_mean_variance },
		{ "RMSNormalization", import_rms_norm },
	};

	return onnx_import_from(n, table, sizeof(table) / sizeof(table[0]));
}
