/* SPDX-License-Identifier: MIT */
/*
 * What importers compose operators of: each call appends operators under the node's name and returns
 * a value with its type. Maps that follow each other are fused later, so one operation at a time costs
 * nothing.
 */
#ifndef ONNX_BUILD_H
#define ONNX_BUILD_H

#include "onnx_map.h"

/* x alu y in the type of @x */
struct ir_value *build_binary(struct onnx_node *n, enum nca_alu alu, struct ir_value *x,
			      struct ir_value *y);
/* x alu number */
struct ir_value *build_number(struct onnx_node *n, enum nca_alu alu, struct ir_value *x, double y);
struct ir_value *build_func(struct onnx_node *n, enum nca_func func, struct ir_value *x);
/* To another element type: to nearest even, saturated. */
struct ir_value *build_convert(struct onnx_node *n, struct ir_value *x, enum ir_dtype dtype);
/* c is not 0 ? x : y */
struct ir_value *build_select(struct onnx_node *n, struct ir_value *c, struct ir_value *x,
			      struct ir_value *y);
/* Reduced over the dimensions in @axes (a bit each), which stay as 1. */
struct ir_value *build_reduce(struct onnx_node *n, enum nca_alu alu, struct ir_value *x,
			      uint32_t axes);
/* Without the dimensions in @axes. */
struct ir_value *build_squeeze(struct onnx_node *n, struct ir_value *x, uint32_t axes);
/* Any operator with one operand list and attributes. */
struct ir_value *build_op(struct onnx_node *n, enum ir_opcode opcode, int num_inputs,
			  struct ir_value *const *in, const struct ir_attrs *attr);
/* Constants. */
struct ir_value *build_float(struct onnx_node *n, float f);
struct ir_value *build_ints(struct onnx_node *n, enum ir_dtype dtype, int rank,
			    const int64_t *dims, const int64_t *data);
struct ir_value *build_floats(struct onnx_node *n, int rank, const int64_t *dims,
			      const float *data);
/* 0, 1, 2, ... along @axis of @rank dimensions, which are otherwise 1 */
struct ir_value *build_iota(struct onnx_node *n, enum ir_dtype dtype, int rank, int axis,
			    int64_t count);

/* Product of the dimensions in @axes. */
int64_t onnx_count(const struct ir_type *t, uint32_t axes);

struct ir_value *build_log_softmax(struct onnx_node *n, struct ir_value *x, int axis);

struct ir_value *onnx_import_reduce(struct onnx_node *n);
struct ir_value *onnx_import_norm(struct onnx_node *n);
struct ir_value *onnx_import_quant(struct onnx_node *n);
struct ir_value *onnx_import_pool(struct onnx_node *n);
struct ir_value *onnx_import_window(struct onnx_node *n);
struct ir_value *onnx_import_rnn(struct onnx_node *n);
struct ir_value *onnx_import_einsum(struct onnx_node *n);
struct ir_value *onnx_import_signal(struct onnx_node *n);
struct ir_value *onnx_import_training(struct onnx_node *n);
struct ir_value *onnx_import_loss(struct onnx_node *n);
/* Batch normalization whose parameters or statistics the graph computes. */
struct ir_value *build_batch_norm(struct onnx_node *n, float epsilon, float momentum, bool training);

#endif
