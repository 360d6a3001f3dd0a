/* SPDX-License-Identifier: MIT */
/* What importers of operators with computed indices share. */
#ifndef ONNX_GATHER_H
#define ONNX_GATHER_H

#include "ir_gather.h"
#include "onnx_move.h"

/* Integers start, start + step, ... along dimension @dim of @rank, to be broadcast along the others. */
struct ir_value *onnx_iota(struct onnx_node *n, int rank, int dim, int64_t num, int64_t start,
			   int64_t step);
/* A negative index counts from the end. */
marg onnx_wrap_index(struct ir_map_builder *b, marg index, int64_t dim);
/* Rows of @row elements of @data; @type has the shape of the result. */
struct ir_value *onnx_gather_rows(struct onnx_node *n, struct ir_value *data,
				  struct ir_value *index, int64_t row, const struct ir_type *type);
/* The elements along @axis that a tensor of indices names; they lie there one after the other. */
struct ir_value *onnx_gather_axis(struct onnx_node *n, struct ir_value *x, int axis,
				  struct ir_value *index);
struct ir_value *onnx_scatter_rows(struct onnx_node *n, struct ir_value *data,
				   struct ir_value *index, struct ir_value *updates, int64_t row,
				   enum nca_alu reduction);

#endif
