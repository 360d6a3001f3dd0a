/* SPDX-License-Identifier: MIT */
/* What importers of operators that become maps share. */
#ifndef ONNX_MAP_H
#define ONNX_MAP_H

#include "ir_map.h"
#include "onnx_read.h"

typedef struct ir_map_arg marg;

/* At least @min and at most @max operands, the first @min of them present. */
void onnx_need_inputs(struct onnx_node *n, size_t min, size_t max);
/* Before opset 7 the second operand could be aligned with the first from dimension "axis" on. */
void onnx_align_operand(struct onnx_node *n);
/* A map under the node's name. */
void onnx_map_begin(struct onnx_node *n, struct ir_map_builder *b);

/* Importers by operator; NULL if it is none of theirs. */
struct onnx_importer {
	const char *type;
	struct ir_value *(*import)(struct onnx_node *n);
};
struct ir_value *onnx_import_from(struct onnx_node *n, const struct onnx_importer *table,
				  size_t num);
struct ir_value *onnx_import_logic(struct onnx_node *n);
struct ir_value *onnx_import_math(struct onnx_node *n);

/* x alu y for operands of any element type, as the model's types do it. */
struct ir_value *onnx_map_binary(struct onnx_node *n, enum nca_alu alu, struct ir_value *x,
				 struct ir_value *y, enum ir_dtype dtype);

#endif
