/* SPDX-License-Identifier: MIT */
/*
 * Windows over any number of spatial dimensions, taken apart: [N][C][D..] becomes [N][C][kernel, out
 * for each dimension], by copies. The general way to convolve and pool; the back end's own operators
 * are better at what they can do.
 */
#ifndef ONNX_WINDOW_H
#define ONNX_WINDOW_H

#include "onnx_build.h"

#define MAX_WINDOW_DIMS 3	/* [N][C] and two for each must fit IR_MAX_RANK */

struct windows {
	int dims;
	int64_t in[MAX_WINDOW_DIMS], out[MAX_WINDOW_DIMS];
	int64_t kernel[MAX_WINDOW_DIMS], stride[MAX_WINDOW_DIMS], dilation[MAX_WINDOW_DIMS];
	int64_t before[MAX_WINDOW_DIMS], after[MAX_WINDOW_DIMS];
};

/* The node's window attributes for images of type @x. @kernel: of the weight, or NULL: the attribute's. */
struct windows onnx_windows(struct onnx_node *n, const struct ir_type *x, const int64_t *kernel);
/* The windows of @x; what lies outside is @fill. */
struct ir_value *windows_of(struct onnx_node *n, const struct windows *w, struct ir_value *x,
			    double fill);
/* [N][C][out..] from [N][C][1, out ..] */
struct ir_value *windows_closed(struct onnx_node *n, const struct windows *w, struct ir_value *y);
/* [N][group][channels of one * taps][pixels] */
struct ir_value *windows_as_matrix(struct onnx_node *n, const struct windows *w, struct ir_value *x,
				   int64_t group);
/* Which spatial dimensions of windows_of() are taps, a bit each. */
uint32_t window_taps(const struct windows *w);

/* Convolution with any operands. */
struct ir_value *onnx_any_conv(struct onnx_node *n);
/* Pooling that IR_MAX_POOL and IR_AVG_POOL cannot do. */
struct ir_value *onnx_any_max_pool(struct onnx_node *n);
struct ir_value *onnx_any_avg_pool(struct onnx_node *n);
/* Whether the back end's pooling can do the node. */
bool onnx_pool_is_simple(struct onnx_node *n);

struct ir_value *onnx_import_conv_transpose(struct onnx_node *n);

#endif
