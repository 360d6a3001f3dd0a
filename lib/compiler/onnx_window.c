// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "onnx_move.h"
#include "onnx_window.h"

#define MAX_EXTENT ((int64_t)1 << 20)

/* An attribute with one value for every spatial dimension. */
static bool spatial(struct onnx_node *n, const char *name, int dims, int64_t *out)
{
	const int64_t *v;
	size_t num;

	if (!onnx_attr_ints(n, name, &v, &num))
		return false;
	if (num != (size_t)dims)
		onnx_node_fail(n, "%s has %zu values for %d spatial dimensions", name, num, dims);
	for (int i = 0; i < dims; i++) {
		if (v[i] < 1 || v[i] > MAX_EXTENT)
			onnx_node_fail(n, "%s has the value %" PRId64 ", outside 1 to %" PRId64, name,
				       v[i], MAX_EXTENT);
		out[i] = v[i];
	}
	return true;
}

static void same_padding(struct windows *w, int i, bool upper)
{
	int64_t reach = (w->kernel[i] - 1) * w->dilation[i] + 1, total;

	w->out[i] = (w->in[i] + w->stride[i] - 1) / w->stride[i];
	total = (w->out[i] - 1) * w->stride[i] + reach - w->in[i];
	if (total < 0)
		total = 0;
	w->before[i] = upper ? total / 2 : total - total / 2;
	w->after[i] = total - w->before[i];
}

struct windows onnx_windows(struct onnx_node *n, const struct ir_type *x, const int64_t *kernel)
{
	struct windows w = { .dims = x->rank - 2 };
	const char *auto_pad = "NOTSET";
	const int64_t *pads = NULL;
	int64_t ceil_mode = 0;
	size_t num;

	if (w.dims < 1 || w.dims > MAX_WINDOW_DIMS)
		onnx_node_fail(n, "the input has %d dimensions, and windows of one to %d spatial "
				  "dimensions can be compiled", x->rank, MAX_WINDOW_DIMS);
	for (int i = 0; i < w.dims; i++) {
		w.in[i] = x->dim[i + 2];
		w.kernel[i] = kernel ? kernel[i] : 1;
		w.stride[i] = w.dilation[i] = 1;
		if (w.in[i] > MAX_EXTENT || w.kernel[i] > MAX_EXTENT)
			onnx_node_fail(n, "an extent is larger than %" PRId64, MAX_EXTENT);
	}
	if (!spatial(n, "kernel_shape", w.dims, w.kernel) && !kernel)
		onnx_node_fail(n, "attribute kernel_shape is missing");
	for (int i = 0; kernel && i < w.dims; i++)
		if (w.kernel[i] != kernel[i])
			onnx_node_fail(n, "kernel_shape is not the shape of the weight");
	spatial(n, "strides", w.dims, w.stride);
	spatial(n, "dilations", w.dims, w.dilation);
	onnx_attr_int(n, "ceil_mode", &ceil_mode);
	onnx_attr_string(n, "auto_pad", &auto_pad);
	if (onnx_attr_ints(n, "pads", &pads, &num) && num != 2 * (size_t)w.dims)
		onnx_node_fail(n, "pads has %zu values for %d spatial dimensions", num, w.dims);
	for (int i = 0; i < w.dims; i++) {
		int64_t reach = (w.kernel[i] - 1) * w.dilation[i] + 1, span;

		if (!strncmp(auto_pad, "SAME_", 5)) {
			same_padding(&w, i, !strcmp(auto_pad, "SAME_UPPER"));
			continue;
		}
		if (pads && strcmp(auto_pad, "VALID")) {
			w.before[i] = pads[i];
			w.after[i] = pads[i + w.dims];
		}
		if (w.before[i] < 0 || w.after[i] < 0 || w.before[i] > MAX_EXTENT ||
		    w.after[i] > MAX_EXTENT)
			onnx_node_fail(n, "negative or huge padding cannot be compiled");
		span = w.in[i] + w.before[i] + w.after[i] - reach;
		if (span < 0)
			onnx_node_fail(n, "a window of %" PRId64 " does not fit into an image of %" PRId64
					  " with its padding", reach, w.in[i]);
		w.out[i] = span / w.stride[i] + 1;
		if (ceil_mode && span % w.stride[i] &&
		    w.out[i] * w.stride[i] < w.in[i] + w.before[i])
			w.out[i]++;
	}
	return w;
}

struct ir_value *windows_of(struct onnx_node *n, const struct windows *w, struct ir_value *x,
			    double fill)
{
	int64_t dims[IR_MAX_RANK] = { x->type.dim[0], x->type.dim[1] };

	for (int i = 0; i < w->dims; i++) {
		struct ir_take take = { .num = { 0 } };
		int64_t num = w->kernel[i] * w->out[i];
		int64_t *index = cc_new_n(n->g->cc, int64_t, (size_t)num);

		for (int64_t k = 0; k < num; k++) {
			int64_t at = k % w->out[i] * w->stride[i] +
				     k / w->out[i] * w->dilation[i] - w->before[i];

			index[k] = at >= 0 && at < w->in[i] ? at : -1;
		}
		take.num[i + 2] = num;
		take.index[i + 2] = index;
		x = onnx_take_filled(n, x, &take, (float)fill, (int64_t)fmax(fill, -2147483648.0));
		dims[2 + 2 * i] = w->kernel[i];
		dims[3 + 2 * i] = w->out[i];
	}
	return onnx_reshape(n, x, 2 + 2 * w->dims, dims);
}

uint32_t window_taps(const struct windows *w)
{
	uint32_t taps = 0;

	for (int i = 0; i < w->dims; i++)
		taps |= 1u << (2 + 2 * i);
	return taps;
}

struct ir_value *windows_closed(struct onnx_node *n, const struct windows *w, struct ir_value *y)
{
	int64_t dims[IR_MAX_RANK] = { y->type.dim[0], y->type.dim[1] };

	for (int i = 0; i < w->dims; i++)
		dims[2 + i] = w->out[i];
	return onnx_reshape(n, y, 2 + w->dims, dims);
}

struct ir_value *windows_as_matrix(struct onnx_node *n, const struct windows *w, struct ir_value *x,
				   int64_t group)
{
	int64_t perm[IR_MAX_RANK] = { 0, 1 }, dims[4] = { x->type.dim[0], group, 1, 1 };

	dims[2] = x->type.dim[1] / group;
	for (int i = 0; i < w->dims; i++) {
		perm[2 + i] = 2 + 2 * i;
		perm[2 + w->dims + i] = 3 + 2 * i;
		dims[2] *= w->kernel[i];
		dims[3] *= w->out[i];
	}
	return onnx_reshape(n, onnx_transpose(n, x, perm), 4, dims);
}
