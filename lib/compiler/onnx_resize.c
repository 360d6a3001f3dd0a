// SPDX-License-Identifier: MIT
/*
 * Resize and Upsample, one dimension after the other. Where an element of the result lies in the operand
 * is a map over its number and the scale. To the nearest element that is an index; for the other
 * modes the distance to each element of the operand gives a matrix of weights, and resizing is a
 * product with it. With constant scales indices and weights are constants.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "onnx_gather.h"

enum coordinates {
	HALF_PIXEL,
	PYTORCH_HALF_PIXEL,
	HALF_PIXEL_SYMMETRIC,
	ALIGN_CORNERS,
	ASYMMETRIC,
	TF_HALF_PIXEL,
	TF_CROP,
};

enum rounding { PREFER_FLOOR, PREFER_CEIL, FLOOR, CEIL };
enum mode { NEAREST, LINEAR, CUBIC };

struct resize {
	struct onnx_node *n;
	enum mode mode;
	enum coordinates coordinates;
	enum rounding rounding;
	float cubic_a, extrapolation;
	bool exclude_outside;
	struct ir_value *roi;		/* [2 * rank], or NULL */
	struct ir_value *scales;	/* computed by the graph, or NULL */
	float scale[IR_MAX_RANK];
	int64_t out[IR_MAX_RANK];
	struct ir_value *outside[IR_MAX_RANK];	/* TF_CROP: where there is no element; or NULL */
};

static void read_attributes(struct resize *r)
{
	static const char *const modes[] = { "nearest", "linear", "cubic", "bilinear" };
	static const char *const coordinates[] = {
		"half_pixel", "pytorch_half_pixel", "half_pixel_symmetric", "align_corners",
		"asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize",
	};
	static const char *const roundings[] = { "round_prefer_floor", "round_prefer_ceil", "floor",
						 "ceil" };
	struct onnx_node *n = r->n;
	int64_t exclude = 0, antialias = 0;
	int mode = onnx_choice(n, "mode", modes, 4);

	r->mode = mode == 3 ? LINEAR : (enum mode)mode;
	if (!strcmp(n->proto->op_type, "Upsample") || n->opset < 11) {
		r->coordinates = ASYMMETRIC;
		r->rounding = FLOOR;
		return;
	}
	r->coordinates = (enum coordinates)onnx_choice(n, "coordinate_transformation_mode", coordinates, 7);
	r->rounding = (enum rounding)onnx_choice(n, "nearest_mode", roundings, 4);
	r->cubic_a = -0.75f;
	onnx_attr_float(n, "cubic_coeff_a", &r->cubic_a);
	onnx_attr_float(n, "extrapolation_value", &r->extrapolation);
	onnx_attr_int(n, "exclude_outside", &exclude);
	onnx_attr_int(n, "antialias", &antialias);
	if (antialias)
		onnx_node_fail(n, "antialias = %" PRId64 " cannot be compiled", antialias);
	r->exclude_outside = exclude != 0;
}

static void set_out(struct resize *r, int d, double out)
{
	if (!(out >= 1.0 && out <= (double)INT32_MAX))
		onnx_node_fail(r->n, "dimension %d of the result would be %g", d, out);
	r->out[d] = (int64_t)out;
}

/* Scales and sizes of all dimensions from those of the ones that the node names. */
static void read_sizes(struct resize *r, const struct ir_value *scales, const struct ir_value *sizes,
		       const int64_t *axes, size_t num_axes)
{
	const struct ir_type *x = &r->n->in[0]->type;
	const struct ir_value *given = sizes ? sizes : scales;
	size_t num = axes ? num_axes : (size_t)x->rank;

	for (int d = 0; d < x->rank; d++) {
		r->out[d] = x->dim[d];
		r->scale[d] = 1.0f;
	}
	if (given->type.rank != 1 || given->type.dim[0] != (int64_t)num ||
	    ir_is_float(given->type.dtype) == !!sizes)
		onnx_node_fail(r->n, "there is not one scale or size for each dimension");
	if (!ir_is_const(given)) {
		if (!onnx_declares(r->n, 0) || r->n->declared[0].rank != x->rank || axes)
			onnx_node_fail(r->n, "its scales or sizes are computed by the graph, and must be "
					     "constants");
		memcpy(r->out, r->n->declared[0].dim, sizeof(r->out));
		if (!sizes)
			r->scales = r->n->in[r->n->num_in > 2 ? 2 : 1];
		for (int d = 0; d < x->rank; d++)
			r->scale[d] = (float)r->out[d] / (float)x->dim[d];
		return;
	}
	for (size_t i = 0; i < num; i++) {
		int d = axes ? onnx_axis(r->n, axes[i], x->rank) : (int)i;

		if (sizes) {
			set_out(r, d, (double)given->data.i64[i]);
			r->scale[d] = (float)r->out[d] / (float)x->dim[d];
		} else {
			r->scale[d] = given->data.f32[i];
			set_out(r, d, floor((double)x->dim[d] * (double)r->scale[d]));
		}
	}
}

/* One dimension's map: the coordinate of element o of the result in the operand. */
struct axis {
	struct resize *r;
	struct ir_map_builder b;
	int d;
	int64_t in, out;
	marg o, x;
};

static marg op2(struct axis *a, enum nca_alu alu, marg x, marg y)
{
	return ir_map_alu(&a->b, alu, x, y);
}

static marg num(float f)
{
	return ir_map_float(f);
}

/* Element @i of a vector that the graph computes, or of a constant one. */
static marg element(struct axis *a, struct ir_value *v, int i)
{
	return ir_map_input(&a->b, onnx_slice(a->r->n, v, 0, i, 1, 1));
}

static marg coordinate(struct axis *a)
{
	float last = (float)(a->in - 1), steps = (float)(a->out - 1);
	int rank = a->r->n->in[0]->type.rank;
	marg scale = num(a->r->scale[a->d]), o = a->o, start, end;

	if (a->r->scales)
		scale = element(a, a->r->scales, a->d);
	switch (a->r->coordinates) {
	case PYTORCH_HALF_PIXEL:
		if (a->out == 1)
			return op2(a, NCA_ALU_MUL, o, num(0.0f));
		/* fall through */
	case HALF_PIXEL:
		o = op2(a, NCA_ALU_DIV, op2(a, NCA_ALU_ADD, o, num(0.5f)), scale);
		return op2(a, NCA_ALU_SUB, o, num(0.5f));
	case HALF_PIXEL_SYMMETRIC:
		/* The middle of the operand goes to the middle of the result. */
		start = op2(a, NCA_ALU_DIV, num((float)a->out),
			    op2(a, NCA_ALU_MUL, scale, num((float)a->in)));
		start = op2(a, NCA_ALU_MUL, op2(a, NCA_ALU_SUB, num(1.0f), start),
			    num((float)a->in / 2.0f));
		o = op2(a, NCA_ALU_DIV, op2(a, NCA_ALU_ADD, o, num(0.5f)), scale);
		return op2(a, NCA_ALU_SUB, op2(a, NCA_ALU_ADD, o, start), num(0.5f));
	case ALIGN_CORNERS:
		if (a->out == 1)
			return op2(a, NCA_ALU_MUL, o, num(0.0f));
		/* The size of the result before it is rounded to a whole number. */
		scale = op2(a, NCA_ALU_SUB, op2(a, NCA_ALU_MUL, scale, num((float)a->in)), num(1.0f));
		return op2(a, NCA_ALU_DIV, op2(a, NCA_ALU_MUL, o, num(last)), scale);
	case ASYMMETRIC:
		return op2(a, NCA_ALU_DIV, o, scale);
	case TF_HALF_PIXEL:
		return op2(a, NCA_ALU_DIV, op2(a, NCA_ALU_ADD, o, num(0.5f)), scale);
	case TF_CROP:
		break;
	}
	start = element(a, a->r->roi, a->d);
	end = element(a, a->r->roi, a->d + rank);
	if (a->out == 1)
		return op2(a, NCA_ALU_ADD, op2(a, NCA_ALU_MUL, o, num(0.0f)),
			   op2(a, NCA_ALU_MUL, op2(a, NCA_ALU_ADD, start, end), num(0.5f * last)));
	o = op2(a, NCA_ALU_MUL, o, op2(a, NCA_ALU_MUL, op2(a, NCA_ALU_SUB, end, start),
				      num(last / steps)));
	return op2(a, NCA_ALU_ADD, o, op2(a, NCA_ALU_MUL, start, num(last)));
}

static void begin_axis(struct axis *a, struct resize *r, int d, int64_t in, int rank, int dim)
{
	*a = (struct axis) { .r = r, .d = d, .in = in, .out = r->out[d] };
	onnx_map_begin(r->n, &a->b);
	a->o = ir_map_input(&a->b, onnx_iota(r->n, rank, dim, a->out, 0, 1));
	a->x = coordinate(a);
}

static marg clamp(struct axis *a, marg x)
{
	return op2(a, NCA_ALU_MIN, op2(a, NCA_ALU_MAX, x, num(0.0f)), num((float)(a->in - 1)));
}

static struct ir_value *nearest(struct resize *r, struct ir_value *x, int d)
{
	struct ir_value *index;
	struct axis a;
	marg i;

	begin_axis(&a, r, d, x->type.dim[d], 1, 0);
	switch (r->rounding) {
	case PREFER_FLOOR:
		i = ir_map_func(&a.b, NCA_FUNC_CEIL, op2(&a, NCA_ALU_SUB, a.x, num(0.5f)));
		break;
	case PREFER_CEIL:
		i = ir_map_func(&a.b, NCA_FUNC_FLOOR, op2(&a, NCA_ALU_ADD, a.x, num(0.5f)));
		break;
	case FLOOR:
		i = ir_map_func(&a.b, NCA_FUNC_FLOOR, a.x);
		break;
	default:
		i = ir_map_func(&a.b, NCA_FUNC_CEIL, a.x);
		break;
	}
	index = onnx_fold(r->n, ir_map_end(&a.b, ir_map_convert(&a.b, IR_MAP_I32, clamp(&a, i)),
					   IR_DT_I64));
	return onnx_gather_axis(r->n, x, d, index);
}

/* The kernel of cubic interpolation at distance @t. */
static marg cubic(struct axis *a, marg t)
{
	float c = a->r->cubic_a;
	const float near[4] = { c + 2.0f, -(c + 3.0f), 0.0f, 1.0f };
	const float far[4] = { c, -5.0f * c, 8.0f * c, -4.0f * c };
	marg d = ir_map_func(&a->b, NCA_FUNC_ABS, t), w;

	w = ir_map_select(&a->b, op2(a, NCA_ALU_LT, d, num(2.0f)), ir_map_poly(&a->b, d, far, 4),
			  num(0.0f));
	return ir_map_select(&a->b, op2(a, NCA_ALU_LE, d, num(1.0f)), ir_map_poly(&a->b, d, near, 4),
			     w);
}

static marg shifted_cubic(struct axis *a, float by)
{
	return cubic(a, op2(a, NCA_ALU_SUB, a->x, num(by)));
}

/* Weights of the four elements around x that there are. */
static marg total_inside(struct axis *a)
{
	marg base = ir_map_func(&a->b, NCA_FUNC_FLOOR, a->x), sum = num(0.0f);

	for (int k = -1; k <= 2; k++) {
		marg at = op2(a, NCA_ALU_ADD, base, num((float)k));
		marg inside = op2(a, NCA_ALU_LAND, op2(a, NCA_ALU_GE, at, num(0.0f)),
				  op2(a, NCA_ALU_LE, at, num((float)(a->in - 1))));
		marg w = op2(a, NCA_ALU_MUL, cubic(a, op2(a, NCA_ALU_SUB, a->x, at)), inside);

		sum = k < 0 ? w : op2(a, NCA_ALU_ADD, sum, w);
	}
	return sum;
}

/* [out][in]: how much each element of the operand counts. */
static struct ir_value *weights(struct resize *r, int d, int64_t in)
{
	struct axis a;
	marg i, w, edge;

	begin_axis(&a, r, d, in, 2, 0);
	i = ir_map_input(&a.b, onnx_iota(r->n, 2, 1, in, 0, 1));
	if (r->mode == LINEAR) {
		w = ir_map_func(&a.b, NCA_FUNC_ABS, op2(&a, NCA_ALU_SUB, clamp(&a, a.x), i));
		w = op2(&a, NCA_ALU_MAX, op2(&a, NCA_ALU_SUB, num(1.0f), w), num(0.0f));
		return onnx_fold(r->n, ir_map_end(&a.b, w, IR_DT_F32));
	}
	w = cubic(&a, op2(&a, NCA_ALU_SUB, a.x, i));
	if (r->exclude_outside) {
		w = op2(&a, NCA_ALU_DIV, w, total_inside(&a));
	} else {
		/* The first and the last element stand for those outside. */
		edge = op2(&a, NCA_ALU_ADD, shifted_cubic(&a, -1.0f), shifted_cubic(&a, -2.0f));
		edge = op2(&a, NCA_ALU_MUL, edge, op2(&a, NCA_ALU_EQ, i, ir_map_int(0)));
		w = op2(&a, NCA_ALU_ADD, w, edge);
		edge = op2(&a, NCA_ALU_ADD, shifted_cubic(&a, (float)in),
			   shifted_cubic(&a, (float)(in + 1)));
		edge = op2(&a, NCA_ALU_MUL, edge, op2(&a, NCA_ALU_EQ, i, ir_map_int(in - 1)));
		w = op2(&a, NCA_ALU_ADD, w, edge);
	}
	return onnx_fold(r->n, ir_map_end(&a.b, w, IR_DT_F32));
}

static struct ir_value *matmul(struct onnx_node *n, struct ir_value *a, struct ir_value *b)
{
	struct ir_value *in[2] = { a, b };

	return onnx_result(n, onnx_op(n, IR_MATMUL, 2, in));
}

static struct ir_value *weighted(struct resize *r, struct ir_value *x, int d)
{
	static const int64_t swap[2] = { 1, 0 };
	struct ir_value *w = weights(r, d, x->type.dim[d]);
	int rank = x->type.rank;
	int64_t perm[IR_MAX_RANK];

	if (d == rank - 2)
		return matmul(r->n, w, x);
	w = onnx_transpose(r->n, w, swap);
	if (d == rank - 1)
		return matmul(r->n, x, w);
	for (int i = 0; i < rank; i++)
		perm[i] = i;
	perm[d] = rank - 1;
	perm[rank - 1] = d;
	return onnx_transpose(r->n, matmul(r->n, onnx_transpose(r->n, x, perm), w), perm);
}

/* What lies outside the operand, as 1 along dimension @d. */
static struct ir_value *outside(struct resize *r, int d, int64_t in, int rank)
{
	struct axis a;
	marg low, high;

	begin_axis(&a, r, d, in, rank, d);
	low = op2(&a, NCA_ALU_LT, a.x, num(0.0f));
	high = op2(&a, NCA_ALU_GT, a.x, num((float)(in - 1)));
	return onnx_fold(r->n, ir_map_end(&a.b, op2(&a, NCA_ALU_LOR, low, high), IR_DT_BOOL));
}

static struct ir_value *extrapolate(struct resize *r, struct ir_value *y)
{
	struct ir_map_builder b;
	marg v, any = ir_map_int(0);
	bool some = false;

	onnx_map_begin(r->n, &b);
	v = ir_map_input(&b, y);
	for (int d = 0; d < y->type.rank; d++) {
		marg here;

		if (!r->outside[d])
			continue;
		here = ir_map_input(&b, r->outside[d]);
		any = some ? ir_map_alu(&b, NCA_ALU_LOR, any, here) : here;
		some = true;
	}
	if (!some)
		return y;
	return ir_map_end(&b, ir_map_select(&b, any, ir_map_float(r->extrapolation), v),
			  y->type.dtype);
}

static struct ir_value *resize(struct resize *r)
{
	struct ir_value *x = r->n->in[0];
	const struct ir_type t = x->type;

	if (!ir_is_float(t.dtype) && r->mode != NEAREST)
		onnx_node_fail(r->n, "tensors of type %s can only be resized to the nearest element",
			       ir_dtype_name(t.dtype));
	if (r->coordinates == TF_CROP &&
	    (!r->roi || r->roi->type.rank != 1 || r->roi->type.dim[0] != 2 * t.rank))
		onnx_node_fail(r->n, "tf_crop_and_resize needs a region of interest");
	for (int d = 0; d < t.rank; d++) {
		bool same = t.dim[d] == r->out[d];

		if (same && (t.dim[d] == 1 || (!r->scales && r->scale[d] == 1.0f &&
					       r->coordinates != TF_CROP)))
			continue;
		if (r->coordinates == TF_CROP && t.rank < IR_MAP_MAX_INPUTS)
			r->outside[d] = outside(r, d, t.dim[d], t.rank);
		x = r->mode == NEAREST ? nearest(r, x, d) : weighted(r, x, d);
	}
	return extrapolate(r, x);
}

static struct ir_value *import_resize(struct onnx_node *n)
{
	struct resize r = { .n = n };
	const struct ir_value *scales, *sizes = NULL;
	const char *policy = "stretch";
	const int64_t *axes = NULL;
	size_t num_axes = 0;

	onnx_need_inputs(n, n->opset < 11 ? 2 : 1, 4);
	read_attributes(&r);
	if (n->opset >= 18) {
		onnx_attr_ints(n, "axes", &axes, &num_axes);
		onnx_attr_string(n, "keep_aspect_ratio_policy", &policy);
		if (strcmp(policy, "stretch"))
			onnx_node_fail(n, "keep_aspect_ratio_policy '%.40s' cannot be compiled",
				       policy);
	}
	scales = n->in[n->opset < 11 ? 1 : 2];
	if (n->opset >= 11) {
		r.roi = n->in[1];
		sizes = n->num_in > 3 ? n->in[3] : NULL;
	}
	if (sizes && scales && !ir_type_elements(&scales->type))
		scales = NULL;
	if (!scales && !sizes)
		onnx_node_fail(n, "it has neither scales nor sizes");
	read_sizes(&r, scales, sizes, axes, num_axes);
	return resize(&r);
}

static struct ir_value *import_upsample(struct onnx_node *n)
{
	struct resize r = { .n = n };
	struct ir_value *scales;
	const float *given;
	size_t num;

	onnx_need_inputs(n, 1, 2);
	read_attributes(&r);
	if (n->opset < 9) {
		int64_t dim;

		if (!onnx_attr_floats(n, "scales", &given, &num))
			onnx_node_fail(n, "attribute scales is missing");
		dim = (int64_t)num;
		{
			struct ir_type t = ir_type_make(IR_DT_F32, 1, &dim);

			scales = ir_const_f32(n->g, NULL, &t, given);
		}
	} else {
		onnx_need_inputs(n, 2, 2);
		scales = n->in[1];
	}
	read_sizes(&r, scales, NULL, NULL, 0);
	return resize(&r);
}

static const struct onnx_importer importers[] = {
	{ "Resize", import_resize },
	{ "Upsample", import_upsample },
};

struct ir_value *onnx_import_resize(struct onnx_node *n)
{
	return onnx_import_from(n, importers, sizeof(importers) / sizeof(importers[0]));
}
