// SPDX-License-Identifier: MIT
/* Pad and CenterCropPad. */
#include <inttypes.h>
#include <string.h>

#include "onnx_computed.h"
#include "onnx_move.h"

static enum onnx_pad_mode read_mode(struct onnx_node *n)
{
	static const char *const names[] = { "constant", "edge", "reflect", "wrap" };
	const char *mode = "constant";

	onnx_attr_string(n, "mode", &mode);
	for (int i = 0; i < 4; i++)
		if (!strcmp(mode, names[i]))
			return (enum onnx_pad_mode)i;
	onnx_node_fail(n, "mode '%.40s' is not known", mode);
}

/* The element that stands at place @i of a dimension of @dim elements; -1: the fill value. */
static int64_t source(enum onnx_pad_mode mode, int64_t i, int64_t dim)
{
	int64_t period = mode == ONNX_PAD_REFLECT ? 2 * (dim - 1) : dim;

	if (i >= 0 && i < dim)
		return i;
	switch (mode) {
	case ONNX_PAD_CONSTANT:
		return -1;
	case ONNX_PAD_EDGE:
		return i < 0 ? 0 : dim - 1;
	default:
		if (!period)
			return 0;
		i = (i % period + period) % period;
		return i < dim ? i : period - i;
	}
}

/* Amounts per dimension, before and after; operands may name the axes they are for. */
static void read_pads(struct onnx_node *n, int64_t *before, int64_t *after)
{
	const int64_t *pads, *axes = NULL;
	int rank = n->in[0]->type.rank;
	size_t num, num_axes = 0;

	if (!onnx_ints(n, n->opset < 2 ? "paddings" : "pads", 1, 11, &pads, &num))
		onnx_node_fail(n, "pads are missing");
	if (n->opset >= 18)
		onnx_ints(n, "axes", 3, 18, &axes, &num_axes);
	if (!axes)
		num_axes = (size_t)rank;
	if (num != 2 * num_axes)
		onnx_node_fail(n, "pads has %zu values for %zu dimensions", num, num_axes);
	for (size_t i = 0; i < num_axes; i++) {
		int d = axes ? onnx_axis(n, axes[i], rank) : (int)i;

		before[d] = pads[i];
		after[d] = pads[i + num_axes];
	}
}

/* Zeros around an image, which readers may be able to do themselves. */
static struct ir_value *image_padding(struct onnx_node *n, const int64_t *before,
				      const int64_t *after)
{
	int rank = n->in[0]->type.rank;
	struct ir_op *op = onnx_op(n, IR_PAD, 1, n->in);

	op->attr.window.pad[0] = rank == 4 ? before[2] : 0;
	op->attr.window.pad[1] = before[rank - 1];
	op->attr.window.pad[2] = rank == 4 ? after[2] : 0;
	op->attr.window.pad[3] = after[rank - 1];
	return onnx_result(n, op);
}

static bool read_value(struct onnx_node *n, float *value, int64_t *integer)
{
	const struct ir_value *v = n->num_in > 2 ? n->in[2] : NULL;

	*value = 0.0f;
	*integer = 0;
	if (n->opset < 11)
		onnx_attr_float(n, "value", value);
	if (!v)
		return true;
	if (!ir_is_const(v))
		return false;
	if (ir_type_elements(&v->type) != 1 || v->type.dtype != n->in[0]->type.dtype)
		onnx_node_fail(n, "the value to pad with must be one element of the input's type");
	if (ir_is_float(v->type.dtype))
		*value = v->data.f32[0];
	else
		*integer = v->data.i64[0];
	return true;
}

struct ir_value *onnx_import_pad(struct onnx_node *n)
{
	int64_t before[IR_MAX_RANK] = { 0 }, after[IR_MAX_RANK] = { 0 }, fill_int;
	struct ir_take take = { .num = { 0 } };
	const struct ir_type *t;
	struct ir_value *x;
	enum onnx_pad_mode mode;
	bool image, known;
	float fill;

	onnx_need_inputs(n, 1, 4);
	x = n->in[0];
	t = &x->type;
	mode = read_mode(n);
	known = read_value(n, &fill, &fill_int);
	if (n->opset >= 11 && n->in[1] && (!known || !ir_is_const(n->in[1])))
		return onnx_computed_pad(n, mode);
	read_pads(n, before, after);
	image = mode == ONNX_PAD_CONSTANT && ir_is_float(t->dtype) && fill == 0.0f &&
		(t->rank == 3 || t->rank == 4);
	for (int d = 0; d < t->rank; d++) {
		int64_t *index;

		image &= before[d] >= 0 && after[d] >= 0 && (d > 1 || (!before[d] && !after[d]));
		if (!before[d] && !after[d])
			continue;
		if (before[d] < -IR_MAX_ELEMENTS || before[d] > IR_MAX_ELEMENTS ||
		    after[d] < -IR_MAX_ELEMENTS || after[d] > IR_MAX_ELEMENTS ||
		    t->dim[d] + before[d] + after[d] <= 0 ||
		    t->dim[d] + before[d] + after[d] > IR_MAX_ELEMENTS)
			onnx_node_fail(n, "padding of %" PRId64 " and %" PRId64 " around %" PRId64
				       " elements is impossible", before[d], after[d], t->dim[d]);
		take.num[d] = t->dim[d] + before[d] + after[d];
		index = cc_new_n(n->g->cc, int64_t, (size_t)take.num[d]);
		for (int64_t i = 0; i < take.num[d]; i++)
			index[i] = source(mode, i - before[d], t->dim[d]);
		take.index[d] = index;
	}
	if (image)
		return image_padding(n, before, after);
	if (fill == 0.0f && !fill_int)
		return onnx_take(n, x, &take);
	return onnx_take_filled(n, x, &take, fill, fill_int);
}

/* Cut or padded on both sides alike; what is odd is more at the end. */
struct ir_value *onnx_import_center_crop_pad(struct onnx_node *n)
{
	const int64_t *shape, *axes = NULL;
	size_t num, num_axes = 0;
	struct ir_take take = { .num = { 0 } };
	struct ir_value *x;

	onnx_need_inputs(n, 2, 2);
	x = n->in[0];
	onnx_attr_ints(n, "axes", &axes, &num_axes);
	if (!onnx_const_ints(n, 1, &shape, &num)) {
		if (!onnx_declares(n, 0) || n->declared[0].rank != x->type.rank)
			onnx_node_fail(n, "the shape is computed by the graph, and must be a constant");
		shape = n->declared[0].dim;
		num = (size_t)x->type.rank;
		axes = NULL;
	}
	if (axes ? num != num_axes : num != (size_t)x->type.rank)
		onnx_node_fail(n, "the shape has %zu dimensions", num);
	for (size_t i = 0; i < num; i++) {
		int d = axes ? onnx_axis(n, axes[i], x->type.rank) : (int)i;
		int64_t dim = x->type.dim[d], want = shape[i], *index, before;

		if (want <= 0 || want > IR_MAX_ELEMENTS)
			onnx_node_fail(n, "a size of %" PRId64 " is impossible", want);
		if (want == dim)
			continue;
		before = want > dim ? (want - dim) / 2 : -((dim - want) / 2);
		index = cc_new_n(n->g->cc, int64_t, (size_t)want);
		for (int64_t k = 0; k < want; k++)
			index[k] = source(ONNX_PAD_CONSTANT, k - before, dim);
		take.index[d] = index;
		take.num[d] = want;
	}
	return onnx_take(n, x, &take);
}
