/* SPDX-License-Identifier: MIT */
/* Operators whose bounds the graph computes, see onnx_computed.c. */
#ifndef ONNX_COMPUTED_H
#define ONNX_COMPUTED_H

#include "onnx_map.h"

enum onnx_pad_mode { ONNX_PAD_CONSTANT, ONNX_PAD_EDGE, ONNX_PAD_REFLECT, ONNX_PAD_WRAP };

struct ir_value *onnx_computed_slice(struct onnx_node *n);
struct ir_value *onnx_computed_pad(struct onnx_node *n, enum onnx_pad_mode mode);
struct ir_value *onnx_computed_trilu(struct onnx_node *n, bool upper);

#endif
