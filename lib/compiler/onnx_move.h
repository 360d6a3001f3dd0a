/* SPDX-License-Identifier: MIT */
/* What importers of data movement share. */
#ifndef ONNX_MOVE_H
#define ONNX_MOVE_H

#include "ir_move.h"
#include "onnx_map.h"

#define MAX_TAKE_PIECES 32	/* strided copies of one TAKE */

struct ir_value *onnx_take(struct onnx_node *n, struct ir_value *x, const struct ir_take *take);
struct ir_value *onnx_take_axis(struct onnx_node *n, struct ir_value *x, int axis,
				const int64_t *index, int64_t num);
/* With another fill value than zero; all dimensions at once. */
struct ir_value *onnx_take_filled(struct onnx_node *n, struct ir_value *x,
				  const struct ir_take *take, float fill, int64_t fill_int);
struct ir_value *onnx_slice(struct onnx_node *n, struct ir_value *x, int axis, int64_t start,
			    int64_t num, int64_t step);
/* Broadcast to the shape @dims, which @x's broadcasts to. */
struct ir_value *onnx_expand(struct onnx_node *n, struct ir_value *x, int rank,
			     const int64_t *dims);

struct ir_value *onnx_import_pad(struct onnx_node *n);
struct ir_value *onnx_import_center_crop_pad(struct onnx_node *n);

#endif
