// SPDX-License-Identifier: MIT
/*
 * Transposed convolution. Output pixel f - before gets x[i] * w[t] wherever f = i * stride + t * dilation.
 * Outputs with the same remainder of f / stride see only every stride-th tap: with constant weights,
 * all remainders are filters of one ordinary convolution, whose result is then interleaved, and no
 * product is with an inserted zero.
 */
#include <inttypes.h>
#include <string.h>

#include "onnx_move.h"
#include "onnx_window.h"

#define MAX_EXTENT ((int64_t)1 << 20)
#define MAX_INTERLEAVED 16	/* strides beyond would make mostly empty filters */

struct transposed {
	struct windows w;	/* w.in, kernel, stride, dilation, out; before and after of the output */
	int64_t group, filters;	/* filters of one group */
};

static void read_output(struct onnx_node *n, struct transposed *t)
{
	const char *auto_pad = "NOTSET";
	const int64_t *more = NULL, *shape = NULL, *pads = NULL;
	size_t num_more = 0, num_shape = 0, num_pads = 0;
	struct windows *w = &t->w;

	onnx_attr_string(n, "auto_pad", &auto_pad);
	onnx_attr_ints(n, "output_padding", &more, &num_more);
	onnx_attr_ints(n, "output_shape", &shape, &num_shape);
	onnx_attr_ints(n, "pads", &pads, &num_pads);
	if ((more && num_more != (size_t)w->dims) || (pads && num_pads != 2 * (size_t)w->dims) ||
	    (shape && num_shape != (size_t)w->dims && num_shape != 2 + (size_t)w->dims))
		onnx_node_fail(n, "pads, output_padding or output_shape do not have a value for every "
				  "spatial dimension");
	for (int i = 0; i < w->dims; i++) {
		int64_t values[4] = { more ? more[i] : 0, pads ? pads[i] : 0, pads ? pads[i + w->dims] : 0,
				      shape ? shape[num_shape - (size_t)w->dims + (size_t)i] : 0 };

		for (int k = 0; k < 4; k++)
			if (values[k] < -MAX_EXTENT || values[k] > MAX_EXTENT)
				onnx_node_fail(n, "pads, output_padding or output_shape have the impossible "
						  "value %" PRId64, values[k]);
		if (w->in[i] > MAX_EXTENT || w->kernel[i] > MAX_EXTENT)
			onnx_node_fail(n, "an extent is larger than %" PRId64, MAX_EXTENT);
	}
	for (int i = 0; i < w->dims; i++) {
		int64_t reach = (w->kernel[i] - 1) * w->dilation[i] + 1, total;
		int64_t full = (w->in[i] - 1) * w->stride[i] + reach + (more ? more[i] : 0);
		bool same = !strncmp(auto_pad, "SAME_", 5);

		w->before[i] = w->after[i] = 0;
		if (shape || same) {
			w->out[i] = shape ? shape[num_shape - (size_t)w->dims + (size_t)i] :
					    w->in[i] * w->stride[i];
			total = full - w->out[i];
			if (total < 0)
				total = 0;
			w->before[i] = !strcmp(auto_pad, "SAME_UPPER") ? total / 2 : total - total / 2;
		} else {
			if (pads && strcmp(auto_pad, "VALID")) {
				w->before[i] = pads[i];
				w->after[i] = pads[i + w->dims];
			}
			w->out[i] = full - w->before[i] - w->after[i];
		}
		if (w->out[i] < 1 || w->out[i] > MAX_EXTENT || full > MAX_EXTENT)
			onnx_node_fail(n, "the result would have an extent of %" PRId64, w->out[i]);
	}
}

/* The window attributes, without what they would mean for an ordinary convolution. */
static struct transposed read_transposed(struct onnx_node *n)
{
	const struct ir_type *x = &n->in[0]->type, *weight = &n->in[1]->type;
	struct transposed t = { .group = 1 };
	const int64_t *v;
	size_t num;

	t.w.dims = x->rank - 2;
	if (weight->rank != x->rank || t.w.dims < 1 || t.w.dims > MAX_WINDOW_DIMS)
		onnx_node_fail(n, "the input has %d dimensions and the weight %d", x->rank,
			       weight->rank);
	onnx_attr_int(n, "group", &t.group);
	if (t.group < 1 || x->dim[1] != weight->dim[0] || x->dim[1] % t.group)
		onnx_node_fail(n, "%" PRId64 " input channels in %" PRId64 " groups do not match a "
				  "weight of %" PRId64, x->dim[1], t.group, weight->dim[0]);
	t.filters = weight->dim[1];
	for (int i = 0; i < t.w.dims; i++) {
		t.w.in[i] = x->dim[i + 2];
		t.w.kernel[i] = weight->dim[i + 2];
		t.w.stride[i] = t.w.dilation[i] = 1;
	}
	for (int k = 0; k < 3; k++) {
		static const char *const names[] = { "strides", "dilations", "kernel_shape" };
		int64_t *to = k == 0 ? t.w.stride : k == 1 ? t.w.dilation : NULL;

		if (!onnx_attr_ints(n, names[k], &v, &num))
			continue;
		if (num != (size_t)t.w.dims)
			onnx_node_fail(n, "%s has %zu values for %d spatial dimensions", names[k], num,
				       t.w.dims);
		for (int i = 0; i < t.w.dims; i++) {
			if (v[i] < 1 || v[i] > MAX_EXTENT || (!to && v[i] != t.w.kernel[i]))
				onnx_node_fail(n, "%s has the impossible value %" PRId64, names[k], v[i]);
			if (to)
				to[i] = v[i];
		}
	}
	read_output(n, &t);
	return t;
}

/* ---- any weights: the products of every tap, taken to where they belong ---- */

static struct ir_value *with_bias(struct onnx_node *n, struct ir_value *y)
{
	int64_t dims[IR_MAX_RANK];

	if (!n->in[2])
		return y;
	for (int i = 0; i < y->type.rank; i++)
		dims[i] = i == 1 ? y->type.dim[1] : 1;
	if (ir_type_elements(&n->in[2]->type) != y->type.dim[1])
		onnx_node_fail(n, "the bias does not have an element for each filter");
	return build_binary(n, NCA_ALU_ADD, y, onnx_reshape(n, n->in[2], y->type.rank, dims));
}

static struct ir_value *general(struct onnx_node *n, const struct transposed *t)
{
	const struct windows *w = &t->w;
	int64_t dims[IR_MAX_RANK] = { n->in[0]->type.dim[0], n->in[0]->type.dim[1] };
	int64_t channels = dims[1] / t->group, taps = 1, perm[4] = { 0, 2, 1, 3 };
	struct ir_value *x = n->in[0], *in[2], *y;

	for (int i = 0; i < w->dims; i++) {
		int64_t num = w->kernel[i] * w->out[i];
		int64_t *index = cc_new_n(n->g->cc, int64_t, (size_t)num);

		for (int64_t k = 0; k < num; k++) {
			int64_t at = k % w->out[i] + w->before[i] - k / w->out[i] * w->dilation[i];

			index[k] = at >= 0 && at % w->stride[i] == 0 && at / w->stride[i] < w->in[i] ?
					   at / w->stride[i] : -1;
		}
		x = onnx_take_axis(n, x, i + 2, index, num);
		dims[2 + 2 * i] = w->kernel[i];
		dims[3 + 2 * i] = w->out[i];
		taps *= w->kernel[i];
	}
	x = onnx_reshape(n, x, 2 + 2 * w->dims, dims);
	in[1] = windows_as_matrix(n, w, x, t->group);
	dims[0] = t->group;
	dims[1] = channels;
	dims[2] = t->filters;
	dims[3] = taps;
	in[0] = onnx_transpose(n, onnx_reshape(n, n->in[1], 4, dims), perm);
	dims[1] = t->filters;
	dims[2] = channels * taps;
	in[0] = onnx_reshape(n, in[0], 3, dims);
	y = build_op(n, IR_MATMUL, 2, in, NULL);
	dims[0] = n->in[0]->type.dim[0];
	dims[1] = t->group * t->filters;
	for (int i = 0; i < w->dims; i++)
		dims[2 + i] = w->out[i];
	return with_bias(n, onnx_reshape(n, y, 2 + w->dims, dims));
}

/* ---- constant weights, one or two dimensions ---- */

struct interleaved {
	int64_t s[2], k[2], taps[2];	/* stride, kernel, taps of one remainder; height is 1 if one */
};

/* Filter (g, m, r0, r1): tap a of dimension d is w's tap s * (taps - 1 - a) + r. */
static struct ir_value *interleaved_weight(struct onnx_node *n, const struct transposed *t,
					   const struct interleaved *v)
{
	const struct ir_value *weight = n->in[1];
	int64_t channels = weight->type.dim[0] / t->group;
	int64_t num = t->group * t->filters * v->s[0] * v->s[1];
	int64_t dims[4] = { num, channels, v->taps[0], v->taps[1] };
	float *out = cc_new_n(n->g->cc, float,
			      (size_t)(num * channels * v->taps[0] * v->taps[1]) + 1), *to = out;

	for (int64_t f = 0; f < num; f++) {
		int64_t r1 = f % v->s[1], r0 = f / v->s[1] % v->s[0];
		int64_t m = f / (v->s[0] * v->s[1]) % t->filters;
		int64_t g = f / (v->s[0] * v->s[1] * t->filters);

		for (int64_t c = 0; c < channels; c++)
			for (int64_t a = 0; a < v->taps[0] * v->taps[1]; a++, to++) {
				int64_t t0 = v->s[0] * (v->taps[0] - 1 - a / v->taps[1]) + r0;
				int64_t t1 = v->s[1] * (v->taps[1] - 1 - a % v->taps[1]) + r1;
				int64_t at = ((g * channels + c) * t->filters + m) * v->k[0];

				if (t0 < v->k[0] && t1 < v->k[1])
					*to = weight->data.f32[(at + t0) * v->k[1] + t1];
			}
	}
	if (t->w.dims == 1) {
		dims[2] = dims[3];
		return build_floats(n, 3, dims, out);
	}
	return build_floats(n, 4, dims, out);
}

static struct ir_value *interleave(struct onnx_node *n, const struct transposed *t)
{
	const struct windows *w = &t->w;
	int at = 2 - w->dims;	/* of the first spatial dimension among two */
	struct interleaved v = { { 1, 1 }, { 1, 1 }, { 1, 1 } };
	struct ir_attrs attr = { .group = t->group };
	int64_t split[IR_MAX_RANK], perm[IR_MAX_RANK] = { 0, 1 }, dims[IR_MAX_RANK];
	struct ir_value *in[2], *y;

	attr.window = (struct ir_window) { .kernel = { 1, 1 }, .stride = { 1, 1 },
					   .dilation = { 1, 1 } };
	for (int i = 0; i < w->dims; i++) {
		v.s[at + i] = w->stride[i];
		v.k[at + i] = w->kernel[i];
		v.taps[at + i] = (w->kernel[i] + w->stride[i] - 1) / w->stride[i];
		attr.window.kernel[at + i] = v.taps[at + i];
		attr.window.pad[at + i] = attr.window.pad[at + i + 2] = v.taps[at + i] - 1;
	}
	in[0] = n->in[0];
	in[1] = interleaved_weight(n, t, &v);
	y = build_op(n, IR_CONV, 2, in, &attr);
	/* [N][filters][r..][j..] -> [N][filters][j, r ..] */
	split[0] = dims[0] = y->type.dim[0];
	split[1] = dims[1] = t->group * t->filters;
	for (int i = 0; i < w->dims; i++) {
		split[2 + i] = w->stride[i];
		split[2 + w->dims + i] = y->type.dim[2 + i];
		perm[2 + 2 * i] = 2 + w->dims + i;
		perm[3 + 2 * i] = 2 + i;
		dims[2 + i] = w->stride[i] * y->type.dim[2 + i];
	}
	y = onnx_transpose(n, onnx_reshape(n, y, 2 + 2 * w->dims, split), perm);
	y = onnx_reshape(n, y, 2 + w->dims, dims);
	for (int i = 0; i < w->dims; i++) {
		int64_t *index = cc_new_n(n->g->cc, int64_t, (size_t)w->out[i]);

		if (w->before[i] == 0 && w->out[i] == dims[2 + i])
			continue;
		for (int64_t o = 0; o < w->out[i]; o++) {
			int64_t f = o + w->before[i];

			index[o] = f >= 0 && f < dims[2 + i] ? f : -1;
		}
		y = onnx_take_axis(n, y, 2 + i, index, w->out[i]);
	}
	return with_bias(n, y);
}

struct ir_value *onnx_import_conv_transpose(struct onnx_node *n)
{
	struct transposed t;
	bool simple;

	onnx_need_inputs(n, 2, 3);
	t = read_transposed(n);
	simple = ir_is_const(n->in[1]) && ir_is_float(n->in[1]->type.dtype) && t.w.dims <= 2;
	for (int i = 0; i < t.w.dims; i++)
		simple &= t.w.dilation[i] == 1 && t.w.stride[i] <= MAX_INTERLEAVED;
	return simple ? interleave(n, &t) : general(n, &t);
}
