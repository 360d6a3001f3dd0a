/* SPDX-License-Identifier: MIT */
/* Small ONNX models built in memory. Everything is leaked into one arena that model_free() drops.
 */
#ifndef TEST_MODEL_BUILDER_H
#define TEST_MODEL_BUILDER_H

#include <stddef.h>
#include <stdint.h>

#include "onnx.pb-c.h"

struct model {
	Onnx__ModelProto proto;
	Onnx__GraphProto graph;
	Onnx__OperatorSetIdProto opset;
	Onnx__OperatorSetIdProto *opset_list[1];
	void *allocations;
};

void model_init(struct model *m);
void model_free(struct model *m);
void *model_alloc(struct model *m, size_t size);

/* Dimensions end with 0; a negative one becomes the symbol "n". */
void model_input(struct model *m, const char *name, const int64_t *dims);
void model_output(struct model *m, const char *name);
/* Values count up from @start in steps of @step. */
Onnx__TensorProto *model_floats(struct model *m, const char *name, const int64_t *dims, float start,
				float step);
Onnx__TensorProto *model_ints(struct model *m, const char *name, const int64_t *values, size_t num);
/* Names separated by spaces. */
Onnx__NodeProto *model_node(struct model *m, const char *op, const char *name, const char *inputs,
			    const char *output);
Onnx__AttributeProto *model_attr(struct model *m, Onnx__NodeProto *node, const char *name);
void model_attr_int(struct model *m, Onnx__NodeProto *node, const char *name, int64_t v);
void model_attr_ints(struct model *m, Onnx__NodeProto *node, const char *name, size_t num,
		     const int64_t *v);
void model_attr_string(struct model *m, Onnx__NodeProto *node, const char *name, const char *v);
/* The file; valid until model_free(). */
uint8_t *model_pack(struct model *m, size_t *size);

#endif
