/* SPDX-License-Identifier: MIT */
/* Quantized arithmetic that several importers compose. */
#ifndef ONNX_QUANT_H
#define ONNX_QUANT_H

#include "onnx_build.h"

/* A scale or zero point: a scalar, or a vector along @axis of @rank dimensions; NULL stays NULL. */
struct ir_value *quant_parameter(struct onnx_node *n, struct ir_value *v, int axis, int rank);
/* saturate(round(x / scale) + zero) */
struct ir_value *quantized(struct onnx_node *n, struct ir_value *x, struct ir_value *scale,
			   struct ir_value *zero, enum ir_dtype dtype);
/* (a - za) x (b - zb) with 32-bit sums; zero points broadcast to the result, NULL: zero */
struct ir_value *integer_product(struct onnx_node *n, struct ir_value *a, struct ir_value *b,
				 struct ir_value *za, struct ir_value *zb);
struct ir_value *requantized(struct onnx_node *n, struct ir_value *c, struct ir_value *sa,
			     struct ir_value *sb, struct ir_value *sy, struct ir_value *zy);

#endif
