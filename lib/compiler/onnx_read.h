/* SPDX-License-Identifier: MIT */
/* ONNX files: bytes -> protobuf message -> graph IR. */
#ifndef ONNX_READ_H
#define ONNX_READ_H

#include "ir.h"
#include "onnx.pb-c.h"

/* Opsets understood. What older ones meant differently is told apart by its attributes, or refused.
 */
#define ONNX_MIN_OPSET 1
#define ONNX_MAX_OPSET 23

struct onnx_options {
	const struct accelcc_dim *dims;
	size_t num_dims;
};

/* Parse a file into the graph IR; fails the compilation on anything broken or unsupported. */
struct ir_graph *onnx_read(struct cc *cc, const void *data, size_t size,
			   const struct onnx_options *options);

/* The protobuf layer: checks nesting before protobuf-c recurses into the file. */
Onnx__ModelProto *onnx_parse(struct cc *cc, const void *data, size_t size);

/* An initializer or a Constant's value; @what names it in messages. */
struct ir_value *onnx_tensor(struct ir_graph *g, const Onnx__TensorProto *t, const char *what);

/* One node. Operands have been looked up; an absent optional operand is NULL. */
struct onnx_node {
	struct ir_graph *g;
	const Onnx__NodeProto *proto;
	int64_t opset;
	const char *name;
	struct ir_value **in;	/* @num_in, and NULLs up to at least IR_MIN_SLOTS */
	size_t num_in;
	struct ir_value **more;	/* results after the first; NULL: not computed */
	size_t num_more;
	/* Types the model declares for the results; of dtype IR_DT_NONE where it does not. */
	const struct ir_type *declared;
	uint64_t attrs_taken;
	/* Where onnx_is() collects the names of all operators, or NULL. */
	const char **names;
	size_t num_names, max_names;
};

/* Fails for a node whose operator has no importer, with the reason if there is one. */
_Noreturn void onnx_refuse(const struct onnx_node *n);
/* Whether the node is of operator @type; no node is while names are collected. */
bool onnx_is(struct onnx_node *n, const char *type);
/* The names of all operators that there is an importer for; returns how many there are. */
size_t onnx_operator_names(const char **names, size_t max);

/*
 * An operator of the node, at the end of the graph. onnx_result() infers its type once its attributes
 * are set, and gives its result, which is a constant if the operands are.
 */
struct ir_op *onnx_op(struct onnx_node *n, enum ir_opcode opcode, int num_inputs,
		      struct ir_value *const *in);
struct ir_value *onnx_result(struct onnx_node *n, struct ir_op *op);

/* The IR's name for an ONNX element type; IR_DT_NONE if there is none (strings, complex numbers). */
enum ir_dtype onnx_dtype(int32_t data_type);
const char *onnx_dtype_name(int32_t data_type);	/* for messages, of those that have none */

/* onnx_types.c: refuses operands of different types where ONNX wants one. */
void onnx_check_types(const struct onnx_node *n);

/* ---- helpers of importers ---- */
/* @axis counted from the back if negative; fails outside [0, rank). */
int onnx_axis(struct onnx_node *n, int64_t axis, int rank);
/* The integers of a constant operand; false if it is absent or the graph computes it. */
bool onnx_const_ints(struct onnx_node *n, size_t slot, const int64_t **values, size_t *num);
/* Likewise, but an attribute before @opset, and fails if it is computed; false: absent. */
bool onnx_ints(struct onnx_node *n, const char *name, size_t slot, int64_t opset,
	       const int64_t **values, size_t *num);
/* Whether the model declares a fixed shape for result @i. */
bool onnx_declares(const struct onnx_node *n, size_t i);
struct ir_value *onnx_reshape(struct onnx_node *n, struct ir_value *x, int rank,
			      const int64_t *dims);
struct ir_value *onnx_transpose(struct onnx_node *n, struct ir_value *x, const int64_t *perm);
/* Which of @num names a string attribute has; the first if it is absent. Fails for others. */
int onnx_choice(struct onnx_node *n, const char *attr, const char *const *names, int num);
/* What a map on constants computes, at once; @v itself otherwise. */
struct ir_value *onnx_fold(struct onnx_node *n, struct ir_value *v);
/* A constant with every element equal. */
struct ir_value *onnx_filled(struct onnx_node *n, const struct ir_type *t, float value,
			     int64_t integer);
/* A vector of integers of type int64. */
struct ir_value *onnx_ints_const(struct onnx_node *n, const int64_t *values, int64_t num);

/* Build the IR of one node; returns its first result, NULL if the node leaves that one out. */
struct ir_value *onnx_import_node(struct onnx_node *n);
/* Likewise, or NULL if it is none of the operators that work element by element. */
struct ir_value *onnx_import_elementwise(struct onnx_node *n);

/* Likewise, operators that move elements, and those of shapes. */
struct ir_value *onnx_import_move(struct onnx_node *n);
struct ir_value *onnx_import_shape(struct onnx_node *n);
struct ir_value *onnx_import_gather(struct onnx_node *n);
struct ir_value *onnx_import_cast(struct onnx_node *n);
struct ir_value *onnx_import_grid_sample(struct onnx_node *n);
struct ir_value *onnx_import_resize(struct onnx_node *n);

_Noreturn void onnx_node_fail(const struct onnx_node *n, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Attributes: each returns false when absent and fails on a wrong type. */
bool onnx_attr_int(struct onnx_node *n, const char *name, int64_t *value);
bool onnx_attr_float(struct onnx_node *n, const char *name, float *value);
bool onnx_attr_ints(struct onnx_node *n, const char *name, const int64_t **values, size_t *num);
bool onnx_attr_string(struct onnx_node *n, const char *name, const char **value);
const Onnx__TensorProto *onnx_attr_tensor(struct onnx_node *n, const char *name);
bool onnx_attr_floats(struct onnx_node *n, const char *name, const float **values, size_t *num);
bool onnx_attr_strings(struct onnx_node *n, const char *name, const char *const **values, size_t *num);
/* Fails if the node has an attribute that nobody asked for. */
void onnx_attrs_done(struct onnx_node *n);

#endif
