// SPDX-License-Identifier: MIT
/*
 * Convolutions that the back end's operator cannot do: weights that the graph computes, three
 * spatial dimensions, integers. Windows are taken apart and multiplied as matrices.
 */
#include <inttypes.h>
#include <string.h>

#include "onnx_quant.h"
#include "onnx_window.h"

/* [group][filters of one][channels of one * taps] */
static struct ir_value *weight_matrix(struct onnx_node *n, struct ir_value *w, int64_t group,
				      int64_t channels)
{
	int64_t dims[3] = { group, 0, 0 };

	if (group < 1 || channels % group || w->type.dim[0] % group ||
	    w->type.dim[1] != channels / group)
		onnx_node_fail(n, "%" PRId64 " input channels in %" PRId64 " groups do not match a "
				  "weight of %" PRId64 " x %" PRId64 " channels", channels, group,
			       w->type.dim[0], w->type.dim[1]);
	dims[1] = w->type.dim[0] / group;
	dims[2] = ir_type_elements(&w->type) / w->type.dim[0];
	return onnx_reshape(n, w, 3, dims);
}

/* A vector over the filters, in the shape of one column of the product. */
static struct ir_value *per_filter(struct onnx_node *n, struct ir_value *v, int64_t group,
				   int64_t filters)
{
	int64_t dims[3] = { group, filters / group, 1 };

	if (!v || ir_type_elements(&v->type) == 1)
		return v ? onnx_reshape(n, v, 0, NULL) : NULL;
	if (ir_type_elements(&v->type) != filters)
		onnx_node_fail(n, "an operand does not have an element for each filter");
	return onnx_reshape(n, v, 3, dims);
}

static struct ir_value *as_image(struct onnx_node *n, const struct windows *w, struct ir_value *y)
{
	int64_t dims[IR_MAX_RANK] = { y->type.dim[0], y->type.dim[1] * y->type.dim[2] };

	for (int i = 0; i < w->dims; i++)
		dims[2 + i] = w->out[i];
	return onnx_reshape(n, y, 2 + w->dims, dims);
}

static struct windows conv_windows(struct onnx_node *n, const struct ir_value *x,
				   const struct ir_value *weight)
{
	if (weight->type.rank != x->type.rank || x->type.rank < 3)
		onnx_node_fail(n, "the weight has %d dimensions and the input %d", weight->type.rank,
			       x->type.rank);
	return onnx_windows(n, &x->type, &weight->type.dim[2]);
}

struct ir_value *onnx_any_conv(struct onnx_node *n)
{
	struct ir_value *x = n->in[0], *weight = n->in[1], *in[2], *y;
	struct windows w = conv_windows(n, x, weight);
	int64_t group = 1;

	onnx_attr_int(n, "group", &group);
	in[0] = weight_matrix(n, weight, group, x->type.dim[1]);
	in[1] = windows_as_matrix(n, &w, windows_of(n, &w, x, 0.0), group);
	y = build_op(n, IR_MATMUL, 2, in, NULL);
	if (n->in[2])
		y = build_binary(n, NCA_ALU_ADD, y, per_filter(n, n->in[2], group,
							       weight->type.dim[0]));
	return as_image(n, &w, y);
}

/*
 * Padding counts as the zero point. With zeros in its place, what the zero point of x takes away is
 * only to be taken where a window is inside: the product with ones there.
 */
static struct ir_value *integer_conv(struct onnx_node *n, struct windows *w, struct ir_value *x,
				     struct ir_value *weight, struct ir_value *zx,
				     struct ir_value *zw, int64_t group)
{
	int64_t dims[IR_MAX_RANK] = { 1, x->type.dim[1] }, num = x->type.dim[1], *ones;
	struct ir_value *a = weight_matrix(n, weight, group, x->type.dim[1]), *b, *c, *inside;

	b = windows_as_matrix(n, w, windows_of(n, w, x, 0.0), group);
	c = integer_product(n, a, b, zw, NULL);
	if (!zx)
		return c;
	for (int i = 0; i < w->dims; i++) {
		dims[2 + i] = w->in[i];
		num *= w->in[i];
	}
	ones = cc_new_n(n->g->cc, int64_t, (size_t)num);
	for (int64_t i = 0; i < num; i++)
		ones[i] = 1;
	inside = build_ints(n, IR_DT_U8, x->type.rank, dims, ones);
	inside = windows_as_matrix(n, w, windows_of(n, w, inside, 0.0), group);
	inside = integer_product(n, a, inside, zw, NULL);
	zx = build_convert(n, onnx_reshape(n, zx, 0, NULL), IR_DT_I32);
	return build_binary(n, NCA_ALU_SUB, c, build_binary(n, NCA_ALU_MUL, inside, zx));
}

static struct ir_value *import_conv_integer(struct onnx_node *n)
{
	struct ir_value *x, *weight, *zw;
	struct windows w;
	int64_t group = 1;

	onnx_need_inputs(n, 2, 4);
	x = n->in[0];
	weight = n->in[1];
	w = conv_windows(n, x, weight);
	onnx_attr_int(n, "group", &group);
	if (group < 1 || weight->type.dim[0] % group)
		onnx_node_fail(n, "its filters do not form %" PRId64 " groups", group);
	zw = per_filter(n, n->in[3], group, weight->type.dim[0]);
	return as_image(n, &w, integer_conv(n, &w, x, weight, n->in[2], zw, group));
}

static struct ir_value *import_qlinear_conv(struct onnx_node *n)
{
	struct ir_value *x, *weight, *c;
	int64_t group = 1, filters;
	struct windows w;

	onnx_need_inputs(n, 8, 9);
	x = n->in[0];
	weight = n->in[3];
	w = conv_windows(n, x, weight);
	onnx_attr_int(n, "group", &group);
	filters = weight->type.dim[0];
	if (group < 1 || filters % group)
		onnx_node_fail(n, "its filters do not form %" PRId64 " groups", group);
	c = integer_conv(n, &w, x, weight, n->in[2], per_filter(n, n->in[5], group, filters), group);
	if (n->in[8])
		c = build_binary(n, NCA_ALU_ADD, c, per_filter(n, n->in[8], group, filters));
	c = requantized(n, c, onnx_reshape(n, n->in[1], 0, NULL),
			per_filter(n, n->in[4], group, filters), onnx_reshape(n, n->in[6], 0, NULL),
			onnx_reshape(n, n->in[7], 0, NULL));
	return as_image(n, &w, c);
}

struct ir_value *onnx_import_window(struct onnx_node *n)
{
	static const struct onnx_importer table[] = {
		{ "ConvInteger", import_conv_integer },
		{ "ConvTranspose", onnx_import_conv_transpose },
		{ "QLinearConv", import_qlinear_conv },
	};

	return onnx_import_from(n, table, sizeof(table) / sizeof(table[0]));
}
