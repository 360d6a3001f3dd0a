// SPDX-License-Identifier: MIT
/*
 * Pooling that the back end's operators cannot do: three dimensions, integers, positions of maxima,
 * dilated averages, padding as large as the window. Windows are taken apart and reduced.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "onnx_window.h"

bool onnx_pool_is_simple(struct onnx_node *n)
{
	const struct ir_type *x = &n->in[0]->type;
	bool average = !strcmp(n->proto->op_type, "AveragePool");
	int64_t storage_order = 0;
	struct windows w;

	if (x->rank < 3 || x->rank > 4 || !ir_is_float(x->dtype) || n->num_more || ir_is_const(n->in[0]))
		return false;
	onnx_attr_int(n, "storage_order", &storage_order);
	w = onnx_windows(n, x, NULL);
	for (int i = 0; i < w.dims; i++) {
		int64_t reach = (w.kernel[i] - 1) * w.dilation[i] + 1;

		if (w.before[i] >= reach || w.after[i] >= reach || (average && w.dilation[i] > 1) ||
		    w.dilation[i] * w.in[w.dims - 1] > INT16_MAX ||
		    w.stride[i] * w.in[w.dims - 1] > INT16_MAX || w.kernel[i] > INT16_MAX)
			return false;
	}
	return true;
}

static double lowest(struct onnx_node *n, enum ir_dtype dtype)
{
	switch (dtype) {
	case IR_DT_U8:
		return 0.0;
	case IR_DT_I8:
		return INT8_MIN;
	default:
		if (!ir_is_float(dtype))
			onnx_node_fail(n, "pooling of %s cannot be compiled", ir_dtype_name(dtype));
		return -INFINITY;
	}
}

/* Positions in the whole tensor of the windows' elements: rows of it first, or columns. */
static struct ir_value *positions(struct onnx_node *n, const struct windows *w,
				  const struct ir_type *x, bool by_column)
{
	int64_t pixels = 1, planes = x->dim[0] * x->dim[1], *at, *first;
	int64_t dims[IR_MAX_RANK] = { 1, 1 };
	int rank = 2 + 2 * w->dims;
	struct ir_value *place, *plane;

	for (int i = 0; i < w->dims; i++) {
		dims[2 + i] = w->in[i];
		pixels *= w->in[i];
	}
	at = cc_new_n(n->g->cc, int64_t, (size_t)pixels);
	for (int64_t p = 0; p < pixels; p++) {
		int64_t rest = p, scale = 1;

		for (int i = 0; by_column && i < w->dims; i++)
			scale *= w->in[i];
		if (!by_column)
			at[p] = p;
		for (int i = w->dims - 1; by_column && i >= 0; i--) {
			scale /= w->in[i];
			at[p] += rest % w->in[i] * scale;
			rest /= w->in[i];
		}
	}
	first = cc_new_n(n->g->cc, int64_t, (size_t)planes);
	for (int64_t p = 0; p < planes; p++)
		first[p] = p * pixels;
	place = windows_of(n, w, build_ints(n, IR_DT_I32, 2 + w->dims, dims, at), 0.0);
	dims[0] = x->dim[0];
	dims[1] = x->dim[1];
	for (int i = 2; i < rank; i++)
		dims[i] = 1;
	plane = build_ints(n, IR_DT_I32, rank, dims, first);
	return build_binary(n, NCA_ALU_ADD, plane, place);
}

struct ir_value *onnx_any_max_pool(struct onnx_node *n)
{
	struct ir_value *x = n->in[0], *taps, *max;
	struct windows w = onnx_windows(n, &x->type, NULL);
	int64_t storage_order = 0;
	struct ir_map_builder b;
	marg same, at;

	onnx_attr_int(n, "storage_order", &storage_order);
	taps = windows_of(n, &w, x, lowest(n, x->type.dtype));
	max = build_reduce(n, NCA_ALU_MAX, taps, window_taps(&w));
	if (n->num_more) {
		if (ir_type_elements(&x->type) > INT32_MAX)
			onnx_node_fail(n, "positions in a tensor of that size exceed 32 bits");
		onnx_map_begin(n, &b);
		same = ir_map_input(&b, taps);
		same = ir_map_alu(&b, NCA_ALU_EQ, same, ir_map_input(&b, max));
		at = ir_map_input(&b, positions(n, &w, &x->type, storage_order != 0));
		at = ir_map_select(&b, same, at, ir_map_int(INT32_MAX));
		n->more[0] = build_reduce(n, NCA_ALU_MIN, ir_map_end(&b, at, IR_DT_I32),
					  window_taps(&w));
		n->more[0] = windows_closed(n, &w, build_convert(n, n->more[0], IR_DT_I64));
	}
	return windows_closed(n, &w, max);
}

/* How many taps of each window count. */
static struct ir_value *tap_counts(struct onnx_node *n, const struct windows *w, bool include_pad)
{
	struct ir_value *all = build_float(n, 1.0f);

	for (int i = 0; i < w->dims; i++) {
		float *count = cc_new_n(n->g->cc, float, (size_t)w->out[i]);
		int64_t dims[IR_MAX_RANK];

		for (int d = 0; d < 2 + 2 * w->dims; d++)
			dims[d] = d == 3 + 2 * i ? w->out[i] : 1;
		for (int64_t o = 0; o < w->out[i]; o++)
			for (int64_t k = 0; k < w->kernel[i]; k++) {
				int64_t at = o * w->stride[i] + k * w->dilation[i] - w->before[i];
				bool inside = at >= 0 && at < w->in[i];

				count[o] += inside || (include_pad && at < w->in[i] + w->after[i]);
			}
		for (int64_t o = 0; o < w->out[i]; o++)
			count[o] = count[o] > 0.0f ? count[o] : 1.0f;
		all = build_binary(n, NCA_ALU_MUL, all,
				   build_floats(n, 2 + 2 * w->dims, dims, count));
	}
	return all;
}

struct ir_value *onnx_any_avg_pool(struct onnx_node *n)
{
	struct ir_value *x = n->in[0], *sum;
	struct windows w = onnx_windows(n, &x->type, NULL);
	int64_t include_pad = 0;

	onnx_attr_int(n, "count_include_pad", &include_pad);
	if (!ir_is_float(x->type.dtype))
		onnx_node_fail(n, "averages of %s cannot be compiled", ir_dtype_name(x->type.dtype));
	sum = build_reduce(n, NCA_ALU_ADD, windows_of(n, &w, x, 0.0), window_taps(&w));
	return windows_closed(n, &w, build_binary(n, NCA_ALU_DIV, sum,
						  tap_counts(n, &w, include_pad != 0)));
}

/* (sum of abs(x)^p)^(1/p); @sum has been reduced already when @finish. */
static struct ir_value *power(struct onnx_node *n, struct ir_value *x, int64_t p, bool finish)
{
	if (!finish)
		x = p == 2 ? build_func(n, NCA_FUNC_SQUARE, x) : build_func(n, NCA_FUNC_ABS, x);
	if (p == 1 || (p == 2 && !finish))
		return x;
	if (p == 2)
		return build_func(n, NCA_FUNC_SQRT, x);
	return build_number(n, NCA_ALU_POW, x, finish ? 1.0 / (double)p : (double)p);
}

static int64_t read_p(struct onnx_node *n)
{
	int64_t p = 2;

	onnx_need_inputs(n, 1, 1);
	onnx_attr_int(n, "p", &p);
	if (p < 1 || !ir_is_float(n->in[0]->type.dtype))
		onnx_node_fail(n, "p = %" PRId64 " of %s cannot be compiled", p,
			       ir_dtype_name(n->in[0]->type.dtype));
	return p;
}

static struct ir_value *import_lp_pool(struct onnx_node *n)
{
	int64_t p = read_p(n);
	struct ir_value *x = n->in[0];
	struct windows w = onnx_windows(n, &x->type, NULL);

	x = windows_of(n, &w, power(n, x, p, false), 0.0);
	return windows_closed(n, &w, power(n, build_reduce(n, NCA_ALU_ADD, x, window_taps(&w)), p,
					   true));
}

static uint32_t image_dims(struct onnx_node *n)
{
	int rank = n->in[0]->type.rank;

	if (rank < 3)
		onnx_node_fail(n, "the input has %d dimensions and no image", rank);
	return ((1u << rank) - 1) & ~3u;
}

static struct ir_value *import_global_lp_pool(struct onnx_node *n)
{
	int64_t p = read_p(n);
	struct ir_value *x = power(n, n->in[0], p, false);

	return power(n, build_reduce(n, NCA_ALU_ADD, x, image_dims(n)), p, true);
}

static struct ir_value *import_global_max_pool(struct onnx_node *n)
{
	onnx_need_inputs(n, 1, 1);
	return build_reduce(n, NCA_ALU_MAX, n->in[0], image_dims(n));
}

struct ir_value *onnx_import_pool(struct onnx_node *n)
{
	static const struct onnx_importer table[] = {
		{ "GlobalLpPool", import_global_lp_pool },
		{ "GlobalMaxPool", import_global_max_pool },
		{ "LpPool", import_lp_pool },
	};

	return onnx_import_from(n, table, sizeof(table) / sizeof(table[0]));
}
