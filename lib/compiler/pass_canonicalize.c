// SPDX-License-Identifier: MIT
#include <math.h>
#include <string.h>

#include "ir_move.h"
#include "pass.h"

#define LARGE_OPERAND ((int64_t)1 << 23)

static const float *const_f32(struct ir_graph *g, const struct ir_op *op, int slot)
{
	const struct ir_value *v = ir_in(op, slot);

	if (!ir_is_const(v))
		ir_unsupported(g, op,
			       "operand %d is computed by the graph, and can only be a constant",
			       slot);
	return v->data.f32;
}

static struct ir_value *filled(struct ir_graph *g, int64_t n, float value)
{
	float *v = cc_new_n(g->cc, float, (size_t)n);

	for (int64_t i = 0; i < n; i++)
		v[i] = value;
	return pass_vector(g, n, v);
}

static struct ir_value *affine_along(struct ir_graph *g, struct ir_op *op, struct ir_value *x,
				     struct ir_value *scale, struct ir_value *shift, bool last)
{
	struct ir_value *in[3] = { x, scale, shift };
	struct ir_attrs attr = { .channels_last = last };

	return pass_op(g, IR_AFFINE, op, 3, in, &attr, op)->out;
}

static struct ir_value *affine(struct ir_graph *g, struct ir_op *op, struct ir_value *x,
			       struct ir_value *scale, struct ir_value *shift)
{
	return affine_along(g, op, x, scale, shift, false);
}

static struct ir_value *batch_norm(struct ir_graph *g, struct ir_op *op)
{
	int64_t c = ir_in(op, 0)->type.dim[1];
	const float *gamma = const_f32(g, op, IR_BN_SCALE), *beta = const_f32(g, op, IR_BN_SHIFT);
	const float *mean = const_f32(g, op, IR_BN_MEAN), *var = const_f32(g, op, IR_BN_VAR);
	float *scale = cc_new_n(g->cc, float, (size_t)c),
	      *shift = cc_new_n(g->cc, float, (size_t)c);

	for (int64_t i = 0; i < c; i++) {
		double s = (double)gamma[i] / sqrt((double)var[i] + (double)op->attr.epsilon);

		scale[i] = (float)s;
		shift[i] = (float)((double)beta[i] - (double)mean[i] * s);
	}
	return affine(g, op, ir_in(op, IR_BN_X), pass_vector(g, c, scale),
		      pass_vector(g, c, shift));
}

/*
 * A constant that broadcasts along everything but one dimension of @to, as a vector over that
 * dimension; NULL if it is not of that form.
 */
static struct ir_value *as_vector(struct ir_graph *g, const struct ir_value *c,
				  const struct ir_type *to, int dim)
{
	int64_t n = to->dim[dim];

	if (!ir_is_const(c) || c->type.rank > to->rank)
		return NULL;
	for (int i = 0; i < c->type.rank; i++) {
		int at = i + to->rank - c->type.rank;

		if (c->type.dim[i] != 1 && at != dim)
			return NULL;
	}
	return ir_type_elements(&c->type) == 1 ? filled(g, n, c->data.f32[0])
					       : pass_vector(g, n, c->data.f32);
}

/*
 * The same over the second dimension or, if that is not possible, over the last; *last says which.
 * One number is neither, unless @x comes from an operator that can take it.
 */
static struct ir_value *channel_vector(struct ir_graph *g, const struct ir_value *c,
				       const struct ir_value *x, bool *last)
{
	const struct ir_op *def = x->def;
	int rank = x->type.rank;
	struct ir_value *v;

	*last = false;
	if (rank < 2)
		return NULL;
	if (ir_type_elements(&c->type) == 1) {
		if (rank > 2 && (!def || (def->opcode != IR_CONV && def->opcode != IR_AFFINE)))
			return NULL;
		*last = rank > 2 && def->attr.channels_last;
		return as_vector(g, c, &x->type, *last ? rank - 1 : 1);
	}
	v = as_vector(g, c, &x->type, 1);
	if (v || rank == 2)
		return v;
	*last = true;
	return as_vector(g, c, &x->type, rank - 1);
}

/* A constant vector over the columns of a product, times @factor. */
static struct ir_value *scaled(struct ir_graph *g, struct ir_value *v, float factor)
{
	int64_t n = ir_type_elements(&v->type);
	float *out;

	if (factor == 1.0f)
		return v;
	out = cc_new_n(g->cc, float, (size_t)n);
	for (int64_t i = 0; i < n; i++)
		out[i] = v->data.f32[i] * factor;
	return ir_const_f32(g, v->name, &v->type, out);
}

/* Constant weights of a product as [columns][inner], which is how a convolution keeps them. */
static struct ir_value *conv_weight(struct ir_graph *g, const struct ir_value *b, bool transposed,
				    float factor)
{
	int64_t k = b->type.dim[transposed ? 1 : 0], n = b->type.dim[transposed ? 0 : 1];
	float *w = cc_new_n(g->cc, float, (size_t)(n * k));
	int64_t dims[2] = { n, k };
	struct ir_type t = ir_type_make(IR_DT_F32, 2, dims);

	for (int64_t i = 0; i < n; i++)
		for (int64_t j = 0; j < k; j++)
			w[i * k + j] = b->data.f32[transposed ? i * k + j : j * n + i] * factor;
	return ir_const_f32(g, b->name, &t, w);
}

static struct ir_value *dense(struct ir_graph *g, struct ir_op *op, struct ir_value *x,
			      struct ir_value *weight, struct ir_value *bias)
{
	struct ir_value *in[3] = { x, weight, bias };
	struct ir_attrs attr = { .group = 1, .flat = true,
		.window = { .kernel = { 1, 1 }, .stride = { 1, 1 }, .dilation = { 1, 1 } } };

	return pass_op(g, IR_CONV, op, bias ? 3 : 2, in, &attr, op)->out;
}

static struct ir_value *add(struct ir_graph *g, struct ir_op *op, struct ir_value *a,
			    struct ir_value *b)
{
	struct ir_value *in[2] = { a, b };

	return pass_op(g, IR_ADD, op, 2, in, NULL, op)->out;
}

static struct ir_value *gemm(struct ir_graph *g, struct ir_op *op)
{
	struct ir_value *a = ir_in(op, IR_GEMM_A), *b = ir_in(op, IR_GEMM_B),
			*c = ir_in(op, IR_GEMM_C);
	const struct ir_attrs *at = &op->attr;
	struct ir_value *bias = NULL, *y;

	if (c && at->beta == 0.0f)
		c = NULL;
	if (c && ir_is_const(c)) {
		c = scaled(g, c, at->beta);
		bias = as_vector(g, c, &op->out->type, 1);
	} else if (c && at->beta != 1.0f) {
		int64_t cols = c->type.rank == 2 ? c->type.dim[1] : 0;

		if (!cols)
			ir_unsupported(
				g, op,
				"beta = %g with a C that the graph computes as a vector cannot be "
				"compiled",
				(double)at->beta);
		c = affine(g, op, c, filled(g, cols, at->beta), filled(g, cols, 0.0f));
	}
	if (ir_is_const(b) && !at->trans_a) {
		y = dense(g, op, a, conv_weight(g, b, at->trans_b, at->alpha), bias);
	} else {
		struct ir_value *in[2] = { a, b };
		struct ir_attrs attr = { .trans_a = at->trans_a, .trans_b = at->trans_b };

		y = pass_op(g, IR_MATMUL, op, 2, in, &attr, op)->out;
		if (at->alpha != 1.0f || bias) {
			int64_t n = y->type.dim[1];

			y = affine(g, op, y, filled(g, n, at->alpha),
				   bias ? bias : filled(g, n, 0.0f));
		}
	}
	return c && !bias ? add(g, op, y, c) : y;
}

/* Weights on the right: rows of any number of dimensions times one matrix. */
static struct ir_value *matmul(struct ir_graph *g, struct ir_op *op)
{
	struct ir_value *a = ir_in(op, 0), *b = ir_in(op, 1), *y;
	struct ir_type rows = { .dtype = a->type.dtype, .rank = 2 };
	struct ir_attrs attr = { .group = 1, .channels_last = true,
		.window = { .kernel = { 1, 1 }, .stride = { 1, 1 }, .dilation = { 1, 1 } } };
	struct ir_type bt = b->type;

	if (!ir_is_const(b) || bt.rank > 2 || op->attr.trans_a || op->attr.trans_b)
		return NULL;
	/* Too large to keep in SBUF on either side: tiled as a product of two tensors. */
	if (ir_type_elements(&a->type) >= LARGE_OPERAND && ir_type_elements(&bt) >= LARGE_OPERAND)
		return NULL;
	if (bt.rank == 1) {
		bt.rank = 2;
		bt.dim[1] = 1;
		b = ir_const_f32(g, b->name, &bt, b->data.f32);
	}
	if (a->type.rank > 2 && b->type.rank == 2) {
		struct ir_value *in[2] = { a, conv_weight(g, b, false, 1.0f) };

		return pass_op(g, IR_CONV, op, 2, in, &attr, op)->out;
	}
	rows.dim[1] = bt.dim[0];
	rows.dim[0] = ir_type_elements(&a->type) / rows.dim[1];
	y = dense(g, op, pass_reshape(g, op, a, &rows, op), conv_weight(g, b, false, 1.0f), NULL);
	return pass_reshape(g, op, y, &op->out->type, op);
}

/* A constant per-channel operand makes an addition an affine map; any other constant is written out
 * in full. */
static struct ir_value *addition(struct ir_graph *g, struct ir_op *op)
{
	for (int i = 0; i < 2; i++) {
		struct ir_value *x = ir_in(op, i), *c = ir_in(op, 1 - i), *shift;
		bool last;

		if (ir_is_const(x) || !ir_is_const(c) || !ir_type_equal(&x->type, &op->out->type))
			continue;
		shift = channel_vector(g, c, x, &last);
		if (shift)
			return affine_along(g, op, x, filled(g, shift->type.dim[0], 1.0f), shift, last);
		if (ir_type_elements(&c->type) == 1) {
			struct ir_attrs attr = { .alu = NCA_ALU_ADD, .imm = c->data.f32[0] };

			return pass_op(g, IR_TENSOR_SCALAR, op, 1, &x, &attr, op)->out;
		}
	}
	return NULL;
}

static struct ir_value *with_constant(struct ir_graph *g, struct ir_op *op, struct ir_value *x,
				      struct ir_value *vector, bool last, float imm, bool reverse)
{
	struct ir_attrs attr = { .alu = op->attr.alu, .imm = imm, .reverse = reverse,
				 .channels_last = last };
	struct ir_value *in[2] = { x, vector };

	return pass_op(g, IR_TENSOR_SCALAR, op, vector ? 2 : 1, in, &attr, op)->out;
}

/* x - c, c - x and x * c as affine maps, which a convolution before them can take. */
static struct ir_value *as_affine(struct ir_graph *g, struct ir_op *op, struct ir_value *x,
				  struct ir_value *vector, bool last, bool reverse)
{
	int64_t n = vector->type.dim[0];

	if (op->attr.alu == NCA_ALU_MUL)
		return affine_along(g, op, x, vector, filled(g, n, 0.0f), last);
	return affine_along(g, op, x, filled(g, n, reverse ? -1.0f : 1.0f),
			    reverse ? vector : scaled(g, vector, -1.0f), last);
}

/* As addition(): a constant that is one number or one per channel needs no tensor. */
static struct ir_value *tensor_tensor(struct ir_graph *g, struct ir_op *op)
{
	for (int i = 0; i < 2; i++) {
		struct ir_value *x = ir_in(op, i), *c = ir_in(op, 1 - i), *vector = NULL;
		bool reverse = i == 1, linear = op->attr.alu == NCA_ALU_SUB ||
						op->attr.alu == NCA_ALU_MUL, last = false;

		if (ir_is_const(x) || !ir_is_const(c) ||
		    !ir_type_equal(&x->type, &op->out->type))
			continue;
		vector = channel_vector(g, c, x, &last);
		if (vector && linear)
			return as_affine(g, op, x, vector, last, reverse);
		if (ir_type_elements(&c->type) > 1)
			return vector ? with_constant(g, op, x, vector, last, 0.0f, reverse) : NULL;
		if (op->attr.alu == NCA_ALU_POW && !reverse && c->data.f32[0] == 2.0f) {
			struct ir_attrs square = { .func = NCA_FUNC_SQUARE };

			return pass_op(g, IR_ACTIVATE, op, 1, &x, &square, op)->out;
		}
		return with_constant(g, op, x, NULL, false, c->data.f32[0], reverse);
	}
	return NULL;
}

static struct ir_value *global_pool(struct ir_graph *g, struct ir_op *op)
{
	struct ir_value *x = ir_in(op, 0), *y;
	struct ir_nchw s = ir_value_nchw(x);
	struct ir_attrs attr = {
		.window = { .kernel = { s.h, s.w }, .stride = { 1, 1 }, .dilation = { 1, 1 } }
	};

	if (x->type.rank > 4) {
		int64_t dims[4] = { s.n, s.c, s.h, s.w };
		struct ir_type t = ir_type_make(x->type.dtype, 4, dims);

		x = pass_reshape(g, op, x, &t, op);
	}
	y = pass_op(g, IR_AVG_POOL, op, 1, &x, &attr, op)->out;
	return pass_reshape(g, op, y, &op->out->type, op);
}

static struct ir_value *softmax(struct ir_graph *g, struct ir_op *op)
{
	struct ir_value *x = ir_in(op, 0);
	struct ir_type t = x->type, rows = { .dtype = t.dtype, .rank = 2, .dim = { 1, 1 } };
	int64_t axis = op->attr.axis < 0 ? op->attr.axis + t.rank : op->attr.axis;
	struct ir_attrs attr = { .axis = 1 };
	bool trailing_ones = true;

	for (int i = (int)axis + 1; i < t.rank; i++)
		trailing_ones &= t.dim[i] == 1;
	if (!op->attr.coerce_2d && !trailing_ones)
		ir_unsupported(g, op,
			       "softmax over dimension %d of %d cannot be compiled, only over the "
			       "last one; "
			       "transpose the tensor first",
			       (int)axis, t.rank);
	if (t.rank == 2 && axis == 1 && !op->attr.coerce_2d)
		return NULL;
	if (t.rank == 2 && axis == 1) {
		op->attr.coerce_2d = false;
		return NULL;
	}
	for (int i = 0; i < t.rank; i++)
		rows.dim[i < axis ? 0 : 1] *= t.dim[i];
	x = pass_reshape(g, op, x, &rows, op);
	return pass_reshape(g, op, pass_op(g, IR_SOFTMAX, op, 1, &x, &attr, op)->out, &t, op);
}

/* Padding with zeros as a result of its own. */
static struct ir_value *padded(struct ir_graph *g, struct ir_op *op)
{
	const int64_t *p = op->attr.window.pad;
	struct ir_take *take = cc_new(g->cc, struct ir_take);
	struct ir_attrs attr = { .take = take };
	struct ir_value *x = ir_in(op, 0);
	int rank = x->type.rank;

	for (int d = 2; d < rank; d++) {
		int side = d == rank - 1;
		int64_t *index = cc_new_n(g->cc, int64_t, (size_t)op->out->type.dim[d]);

		take->index[d] = index;
		take->num[d] = op->out->type.dim[d];
		for (int64_t i = 0; i < take->num[d]; i++)
			index[i] = i < p[side] || i >= take->num[d] - p[side + 2] ? -1 :
				   i - p[side];
	}
	return pass_op(g, IR_TAKE, op, 1, &x, &attr, op)->out;
}

/*
 * A convolution or an average that counts padding can pad by itself; PyTorch exports its average
 * pools that way. Where every reader can, it goes into the readers. Returns what they should read.
 */
static struct ir_value *pad(struct ir_graph *g, struct ir_op *op)
{
	const int64_t *p = op->attr.window.pad;
	struct ir_value *x = ir_in(op, 0);

	if (!p[0] && !p[1] && !p[2] && !p[3])
		return x;
	if (ir_is_output(g, op->out))
		return padded(g, op);
	for (struct ir_use *u = op->out->uses; u; u = u->next) {
		const struct ir_window *w = &u->op->attr.window;
		bool unpadded = !w->pad[0] && !w->pad[1] && !w->pad[2] && !w->pad[3];

		if ((u->op->opcode != IR_CONV &&
		     (u->op->opcode != IR_AVG_POOL || !unpadded || w->ceil_mode)) ||
		    w->auto_pad != IR_PAD_EXPLICIT || u != &u->op->in[0])
			return padded(g, op);
	}
	while (op->out->uses) {
		struct ir_op *reader = op->out->uses->op;

		for (int i = 0; i < 4; i++)
			reader->attr.window.pad[i] += p[i];
		reader->attr.window.count_include_pad = true;
		ir_set_input(reader, 0, x);
	}
	return x;
}

void pass_canonicalize(struct ir_graph *g)
{
	struct ir_op *next;

	for (struct ir_op *op = g->first; op; op = next) {
		struct ir_value *v = NULL;

		next = op->next;
		switch (op->opcode) {
		case IR_BATCH_NORM:
			v = batch_norm(g, op);
			break;
		case IR_GEMM:
			v = gemm(g, op);
			break;
		case IR_MATMUL:
			v = matmul(g, op);
			break;
		case IR_ADD:
			v = addition(g, op);
			break;
		case IR_TENSOR_TENSOR:
			v = tensor_tensor(g, op);
			break;
		case IR_GLOBAL_AVG_POOL:
			v = global_pool(g, op);
			break;
		case IR_FLATTEN:
			v = pass_reshape(g, op, ir_in(op, 0), &op->out->type, op);
			break;
		case IR_SOFTMAX:
			v = softmax(g, op);
			break;
		case IR_PAD:
			v = pad(g, op);
			break;
		case IR_IDENTITY:
			v = ir_in(op, 0);
			break;
		default:
			break;
		}
		if (v)
			pass_replace(g, op, v);
	}
}
