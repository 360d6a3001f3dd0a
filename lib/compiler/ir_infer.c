// SPDX-License-Identifier: MIT
/* Result types. The reader has checked operand counts; shapes are checked here. */
#include <inttypes.h>
#include <string.h>

#include "ir_attention.h"
#include "ir_gather.h"
#include "ir_map.h"
#include "ir_move.h"
#include "ir_window.h"

#define MAX_SPATIAL ((int64_t)1 << 20)

static const struct ir_type *operand(struct ir_graph *g, const struct ir_op *op, int slot)
{
	const struct ir_value *v = ir_in(op, slot);

	if (!v)
		ir_unsupported(g, op, "operand %d is missing; the model is broken", slot);
	return &v->type;
}

static const struct ir_type *float_operand(struct ir_graph *g, const struct ir_op *op, int slot)
{
	const struct ir_type *t = operand(g, op, slot);

	if (!ir_is_float(t->dtype))
		ir_unsupported(g, op,
			       "operand %d has element type %s, and this operator can only be "
			       "compiled for floating-point tensors",
			       slot, ir_dtype_name(t->dtype));
	return t;
}

/* Nothing but constants, such as those of a computed shape, may be empty. */
static bool on_constants(const struct ir_op *op)
{
	for (int i = 0; i < op->num_inputs; i++)
		if (ir_in(op, i) && !ir_is_const(ir_in(op, i)))
			return false;
	return true;
}

static void check_elements(struct ir_graph *g, const struct ir_op *op, const struct ir_type *t)
{
	bool may_be_empty = on_constants(op);
	int64_t n = 1;

	for (int i = 0; i < t->rank; i++) {
		if (t->dim[i] < 0 || (!t->dim[i] && !may_be_empty))
			ir_unsupported(g, op,
				       "dimension %d of the result would be %" PRId64 ", and empty "
				       "tensors cannot be compiled",
				       i, t->dim[i]);
		if (__builtin_mul_overflow(n, t->dim[i], &n) || n > IR_MAX_ELEMENTS)
			ir_unsupported(g, op,
				       "the result would have more than %" PRId64 " elements",
				       IR_MAX_ELEMENTS);
	}
	/* Something of nothing: the shape of a scalar, and pieces of a concatenation. */
	if (op->opcode == IR_RESHAPE || (may_be_empty && (!n || op->opcode == IR_CONCAT)))
		return;
	for (int i = 0; i < op->num_inputs; i++)
		if (ir_in(op, i) && !ir_type_elements(&ir_in(op, i)->type))
			ir_unsupported(g, op,
				       "operand %d has no elements, and empty tensors cannot be "
				       "compiled",
				       i);
}

struct ir_window_geometry ir_window_resolve(struct ir_graph *g, const struct ir_op *op)
{
	const struct ir_window *w = &op->attr.window;
	const struct ir_type *x = float_operand(g, op, 0);
	struct ir_window_geometry geo;

	geo.in[0] = x->rank == 4 ? x->dim[2] : 1;
	geo.in[1] = x->rank > 2 ? x->dim[x->rank - 1] : 1;
	for (int i = 0; i < 2; i++) {
		int64_t total, span;

		if (w->kernel[i] <= 0 || w->stride[i] <= 0 || w->dilation[i] <= 0 ||
		    w->kernel[i] > MAX_SPATIAL || w->stride[i] > MAX_SPATIAL ||
		    w->dilation[i] > MAX_SPATIAL || geo.in[i] > MAX_SPATIAL)
			ir_unsupported(
				g, op,
				"kernel, stride, dilation or image size is outside 1 to %" PRId64,
				MAX_SPATIAL);
		if (w->pad[i] < 0 || w->pad[i + 2] < 0 || w->pad[i] > MAX_SPATIAL ||
		    w->pad[i + 2] > MAX_SPATIAL)
			ir_unsupported(g, op, "negative or huge padding cannot be compiled");
		geo.reach[i] = (w->kernel[i] - 1) * w->dilation[i] + 1;
		geo.pad_before[i] = w->pad[i];
		geo.pad_after[i] = w->pad[i + 2];
		if (w->auto_pad == IR_PAD_VALID) {
			geo.pad_before[i] = 0;
			geo.pad_after[i] = 0;
		} else if (w->auto_pad != IR_PAD_EXPLICIT) {
			geo.out[i] = (geo.in[i] + w->stride[i] - 1) / w->stride[i];
			total = (geo.out[i] - 1) * w->stride[i] + geo.reach[i] - geo.in[i];
			if (total < 0)
				total = 0;
			geo.pad_before[i] =
				w->auto_pad == IR_PAD_SAME_UPPER ? total / 2 : total - total / 2;
			geo.pad_after[i] = total - geo.pad_before[i];
		}
		span = geo.in[i] + geo.pad_before[i] + geo.pad_after[i] - geo.reach[i];
		if (span < 0)
			ir_unsupported(
				g, op,
				"a window of %" PRId64 " does not fit into an image of %" PRId64
				" with padding %" PRId64 " and %" PRId64,
				geo.reach[i], geo.in[i], geo.pad_before[i], geo.pad_after[i]);
		geo.out[i] = span / w->stride[i] + 1;
		if (w->ceil_mode && span % w->stride[i]) {
			/* A window that would start past the image and its leading padding is left
			 * out. */
			if (geo.out[i] * w->stride[i] < geo.in[i] + geo.pad_before[i])
				geo.out[i]++;
		}
		if (op->opcode != IR_CONV &&
		    (geo.pad_before[i] >= geo.reach[i] || geo.pad_after[i] >= geo.reach[i]))
			ir_unsupported(
				g, op,
				"padding as large as the window leaves windows without a pixel");
	}
	return geo;
}

static void check_image(struct ir_graph *g, const struct ir_op *op, const struct ir_type *x)
{
	if (x->rank != 3 && x->rank != 4)
		ir_unsupported(g, op,
			       "the input has %d dimensions, and only [N,C,W] and [N,C,H,W] can be "
			       "compiled",
			       x->rank);
}

static struct ir_type windowed(struct ir_graph *g, const struct ir_op *op, const struct ir_type *x,
			       int64_t channels)
{
	struct ir_window_geometry geo = ir_window_resolve(g, op);
	struct ir_type t = *x;

	t.dim[1] = channels;
	if (x->rank == 4)
		t.dim[2] = geo.out[0];
	if (x->rank > 2)
		t.dim[x->rank - 1] = geo.out[1];
	return t;
}

static void check_vector(struct ir_graph *g, const struct ir_op *op, int slot, int64_t n,
			 const char *what)
{
	const struct ir_type *t = float_operand(g, op, slot);

	if (t->rank != 1 || t->dim[0] != n)
		ir_unsupported(g, op, "the %s must be a vector of %" PRId64 " elements", what, n);
}

/* Rows of any number of dimensions times a constant matrix. */
static struct ir_type infer_linear(struct ir_graph *g, const struct ir_op *op)
{
	struct ir_type t = *float_operand(g, op, IR_CONV_X);
	const struct ir_type *w = float_operand(g, op, IR_CONV_W);

	if (t.rank < 2 || w->rank != 2 || w->dim[1] != t.dim[t.rank - 1])
		ir_unsupported(g, op, "the weight does not match the last dimension of the input");
	if (ir_in(op, IR_CONV_BIAS))
		check_vector(g, op, IR_CONV_BIAS, w->dim[0], "bias");
	t.dim[t.rank - 1] = w->dim[0];
	if (ir_in(op, IR_CONV_RESIDUAL) &&
	    !ir_type_equal(&t, float_operand(g, op, IR_CONV_RESIDUAL)))
		ir_unsupported(g, op, "the fused operand does not have the result's shape");
	return t;
}

static struct ir_type infer_conv(struct ir_graph *g, const struct ir_op *op)
{
	const struct ir_type *x = float_operand(g, op, IR_CONV_X);
	const struct ir_type *w = float_operand(g, op, IR_CONV_W);
	int64_t group = op->attr.group;
	struct ir_type t;

	/* A matrix product with constant weights is a convolution over a single pixel. */
	if (x->rank != 2 || strcmp(op->onnx_type, "Conv") == 0)
		check_image(g, op, x);
	if (w->rank != x->rank)
		ir_unsupported(g, op, "the weight has %d dimensions and the input %d", w->rank,
			       x->rank);
	if (group <= 0 || x->dim[1] % group || w->dim[0] % group || w->dim[1] != x->dim[1] / group)
		ir_unsupported(g, op,
			       "%" PRId64 " input channels in %" PRId64
			       " groups do not match a weight of "
			       "%" PRId64 " x %" PRId64 " channels",
			       x->dim[1], group, w->dim[0], w->dim[1]);
	if (op->attr.window.kernel[1] != (w->rank > 2 ? w->dim[w->rank - 1] : 1) ||
	    op->attr.window.kernel[0] != (w->rank == 4 ? w->dim[2] : 1))
		ir_unsupported(g, op,
			       "kernel_shape %" PRId64 "x%" PRId64 " is not the weight's shape",
			       op->attr.window.kernel[0], op->attr.window.kernel[1]);
	if (ir_in(op, IR_CONV_BIAS))
		check_vector(g, op, IR_CONV_BIAS, w->dim[0], "bias");
	t = windowed(g, op, x, w->dim[0]);
	if (op->attr.flat) {
		cc_assert(g->cc, ir_type_elements(&t) == t.dim[0] * t.dim[1]);
		t.rank = 2;
		memset(&t.dim[2], 0, sizeof(t.dim[0]) * 2);
	}
	if (ir_in(op, IR_CONV_RESIDUAL) &&
	    !ir_type_equal(&t, float_operand(g, op, IR_CONV_RESIDUAL)))
		ir_unsupported(g, op, "the fused operand does not have the result's shape");
	return t;
}

/* NumPy broadcasting of the dimensions [0, rank - skip) of both shapes. */
static struct ir_type broadcast(struct ir_graph *g, const struct ir_op *op, const struct ir_type *a,
				const struct ir_type *b, int skip)
{
	int ra = a->rank - skip, rb = b->rank - skip, rank = ra > rb ? ra : rb;
	struct ir_type t = { .dtype = a->dtype, .rank = rank + skip };

	for (int i = 0; i < rank; i++) {
		int64_t da = i < rank - ra ? 1 : a->dim[i - (rank - ra)];
		int64_t db = i < rank - rb ? 1 : b->dim[i - (rank - rb)];

		if (da != db && da != 1 && db != 1)
			ir_unsupported(g, op,
				       "shapes with %" PRId64 " and %" PRId64
				       " in one place do not "
				       "broadcast",
				       da, db);
		t.dim[i] = da == 1 ? db : da;
	}
	return t;
}

struct ir_type ir_broadcast(struct ir_graph *g, const struct ir_op *op, const struct ir_type *a,
			    const struct ir_type *b)
{
	return broadcast(g, op, a, b, 0);
}

static struct ir_type infer_gemm(struct ir_graph *g, const struct ir_op *op)
{
	const struct ir_type *a = float_operand(g, op, IR_GEMM_A);
	const struct ir_type *b = float_operand(g, op, IR_GEMM_B);
	struct ir_type t = { .dtype = a->dtype, .rank = 2 };
	int64_t ka, kb;

	if (a->rank != 2 || b->rank != 2)
		ir_unsupported(g, op, "A and B must be matrices, and have %d and %d dimensions",
			       a->rank, b->rank);
	t.dim[0] = a->dim[op->attr.trans_a ? 1 : 0];
	ka = a->dim[op->attr.trans_a ? 0 : 1];
	t.dim[1] = b->dim[op->attr.trans_b ? 0 : 1];
	kb = b->dim[op->attr.trans_b ? 1 : 0];
	if (ka != kb)
		ir_unsupported(g, op,
			       "A gives %" PRId64 " and B %" PRId64 " as the inner dimension", ka,
			       kb);
	if (ir_in(op, IR_GEMM_C)) {
		const struct ir_type *c = float_operand(g, op, IR_GEMM_C);
		struct ir_type both;

		if (c->rank > 2)
			ir_unsupported(g, op, "C has %d dimensions", c->rank);
		both = broadcast(g, op, &t, c, 0);
		if (!ir_type_equal(&both, &t))
			ir_unsupported(g, op, "C does not broadcast to the result's shape");
	}
	return t;
}

static struct ir_type infer_matmul(struct ir_graph *g, const struct ir_op *op)
{
	struct ir_type a = *float_operand(g, op, IR_GEMM_A), b = *float_operand(g, op, IR_GEMM_B), t;
	bool vec_a = a.rank == 1, vec_b = b.rank == 1;
	int64_t m, k, kb, n;

	if (!a.rank || !b.rank)
		ir_unsupported(g, op, "a scalar cannot be multiplied as a matrix");
	if (vec_a) {
		a.rank = 2;
		a.dim[1] = a.dim[0];
		a.dim[0] = 1;
	}
	if (vec_b) {
		b.rank = 2;
		b.dim[1] = 1;
	}
	m = a.dim[a.rank - (op->attr.trans_a ? 1 : 2)];
	k = a.dim[a.rank - (op->attr.trans_a ? 2 : 1)];
	kb = b.dim[b.rank - (op->attr.trans_b ? 1 : 2)];
	n = b.dim[b.rank - (op->attr.trans_b ? 2 : 1)];
	if (k != kb)
		ir_unsupported(g, op,
			       "the left operand gives %" PRId64 " and the right one %" PRId64
			       " as the "
			       "inner dimension",
			       k, kb);
	t = broadcast(g, op, &a, &b, 2);
	t.rank -= 2;
	if (!vec_a)
		t.dim[t.rank++] = m;
	if (!vec_b)
		t.dim[t.rank++] = n;
	return t;
}

static struct ir_type infer_flatten(struct ir_graph *g, const struct ir_op *op)
{
	const struct ir_type *x = operand(g, op, 0);
	int64_t axis = op->attr.axis < 0 ? op->attr.axis + x->rank : op->attr.axis;
	struct ir_type t = { .dtype = x->dtype, .rank = 2, .dim = { 1, 1 } };

	if (axis < 0 || axis > x->rank)
		ir_unsupported(g, op, "axis %" PRId64 " is outside a tensor of %d dimensions",
			       op->attr.axis, x->rank);
	for (int i = 0; i < x->rank; i++)
		t.dim[i < axis ? 0 : 1] *= x->dim[i];
	return t;
}

static struct ir_type infer_reshape(struct ir_graph *g, const struct ir_op *op)
{
	const struct ir_type *x = operand(g, op, IR_RESHAPE_X);
	const struct ir_value *shape = ir_in(op, IR_RESHAPE_SHAPE);
	struct ir_type t = { .dtype = op->attr.dtype ? op->attr.dtype : x->dtype };
	int64_t known = 1, total = ir_type_elements(x);
	int free_dim = -1;

	if (!shape || !ir_is_const(shape) || !ir_is_int(shape->type.dtype) ||
	    shape->type.rank != 1)
		ir_unsupported(
			g, op,
			"the shape must be a constant vector of integers; export the model with "
			"fixed shapes");
	if (shape->type.dim[0] > IR_MAX_RANK)
		ir_unsupported(g, op, "a shape of %" PRId64 " dimensions is more than %d",
			       shape->type.dim[0], IR_MAX_RANK);
	t.rank = (int)shape->type.dim[0];
	for (int i = 0; i < t.rank; i++) {
		int64_t d = shape->data.i64[i];

		if (d == 0 && !op->attr.allow_zero) {
			if (i >= x->rank)
				ir_unsupported(
					g, op,
					"dimension %d is copied from an input that has only %d", i,
					x->rank);
			d = x->dim[i];
		}
		if (d == -1 && free_dim < 0) {
			free_dim = i;
			continue;
		}
		if (d <= 0 || __builtin_mul_overflow(known, d, &known))
			ir_unsupported(g, op, "the shape has the impossible dimension %" PRId64, d);
		t.dim[i] = d;
	}
	if (free_dim >= 0 && total % known == 0)
		t.dim[free_dim] = total / known;
	else if (free_dim >= 0 || known != total)
		ir_unsupported(g, op, "%" PRId64 " elements do not fit the new shape", total);
	return t;
}

static struct ir_type infer_pad(struct ir_graph *g, const struct ir_op *op)
{
	const int64_t *pad = op->attr.window.pad;
	struct ir_type t = *float_operand(g, op, 0);

	check_image(g, op, &t);
	for (int i = 0; i < 4; i++)
		if (pad[i] < 0 || pad[i] > MAX_SPATIAL)
			ir_unsupported(g, op, "negative or huge padding cannot be compiled");
	if (t.rank == 4)
		t.dim[2] += pad[0] + pad[2];
	t.dim[t.rank - 1] += pad[1] + pad[3];
	return t;
}

static struct ir_type infer_channels(struct ir_graph *g, const struct ir_op *op, int num_vectors)
{
	const struct ir_type *x = float_operand(g, op, 0);

	if (x->rank < 2)
		ir_unsupported(g, op, "the input has %d dimensions and no channels", x->rank);
	for (int i = 1; i <= num_vectors; i++)
		check_vector(g, op, i, x->dim[ir_op_channel(op, x)], "per-channel operand");
	return *x;
}

/* Scale and shift are optional. */
static struct ir_type infer_layer_norm(struct ir_graph *g, const struct ir_op *op)
{
	const struct ir_type *x = float_operand(g, op, IR_NORM_X);

	if (x->rank < 2)
		ir_unsupported(g, op, "the input has %d dimensions, and at least 2 are needed", x->rank);
	for (int i = IR_NORM_SCALE; i <= IR_NORM_SHIFT; i++)
		if (ir_in(op, i))
			check_vector(g, op, i, x->dim[x->rank - 1], "scale or shift");
	return *x;
}

struct ir_type ir_infer(struct ir_graph *g, const struct ir_op *op)
{
	struct ir_type t = { .dtype = IR_DT_NONE };
	const struct ir_type *x;

	switch (op->opcode) {
	case IR_CONV:
		t = op->attr.channels_last ? infer_linear(g, op) : infer_conv(g, op);
		break;
	case IR_GEMM:
		t = infer_gemm(g, op);
		break;
	case IR_MATMUL:
		t = infer_matmul(g, op);
		break;
	case IR_ADD:
	case IR_TENSOR_TENSOR:
		x = float_operand(g, op, 1);
		if (op->onnx_type && !strcmp(op->onnx_type, "Clip") && ir_type_elements(x) != 1)
			ir_unsupported(g, op, "its bounds must be scalars");
		t = broadcast(g, op, float_operand(g, op, 0), x, 0);
		break;
	case IR_TENSOR_SCALAR:
		t = ir_in(op, IR_TENSOR_SCALAR_VECTOR) ? infer_channels(g, op, 1) :
							 *float_operand(g, op, 0);
		break;
	case IR_RELU:
	case IR_ACTIVATE:
		t = *float_operand(g, op, 0);
		break;
	case IR_IDENTITY:
		t = *operand(g, op, 0);
		break;
	case IR_SOFTMAX:
		t = *float_operand(g, op, 0);
		if (op->attr.axis < -t.rank || op->attr.axis > t.rank ||
		    (!op->attr.coerce_2d && op->attr.axis >= t.rank))
			ir_unsupported(g, op,
				       "axis %" PRId64 " is outside a tensor of %d dimensions",
				       op->attr.axis, t.rank);
		break;
	case IR_LAYER_NORM:
		t = infer_layer_norm(g, op);
		break;
	case IR_ATTENTION:
		for (int i = IR_ATTENTION_Q; i <= IR_ATTENTION_V; i++)
			float_operand(g, op, i);
		t = op->attr.attention->result;
		break;
	case IR_BATCH_NORM:
		t = infer_channels(g, op, 4);
		break;
	case IR_AFFINE:
		t = infer_channels(g, op, 2);
		break;
	case IR_MAX_POOL:
	case IR_AVG_POOL:
		x = float_operand(g, op, 0);
		check_image(g, op, x);
		t = windowed(g, op, x, x->dim[1]);
		break;
	case IR_GLOBAL_AVG_POOL:
		x = float_operand(g, op, 0);
		if (x->rank < 3)
			ir_unsupported(g, op, "the input has %d dimensions and nothing to average",
				       x->rank);
		t = *x;
		for (int i = 2; i < t.rank; i++)
			t.dim[i] = 1;
		break;
	case IR_FLATTEN:
		t = infer_flatten(g, op);
		break;
	case IR_RESHAPE:
		t = infer_reshape(g, op);
		break;
	case IR_PAD:
		t = infer_pad(g, op);
		break;
	case IR_GATHER:
	case IR_SCATTER:
		t = ir_infer_gather(g, op);
		break;
	case IR_TRANSPOSE:
	case IR_TAKE:
	case IR_CONCAT:
	case IR_TRILU:
		t = ir_infer_move(g, op);
		break;
	case IR_MAP:
	case IR_REDUCE:
	case IR_INT_MATMUL:
		t = ir_infer_map(g, op);
		break;
	case IR_NUM_OPCODES:
		break;
	}
	cc_assert(g->cc, t.dtype != IR_DT_NONE);
	check_elements(g, op, &t);
	return t;
}
