/* SPDX-License-Identifier: MIT */
/*
 * What a map operator computes for each element of its result: a list of steps, each an operation of
 * the device on operands (broadcast to the result's shape), earlier steps and numbers. While it is
 * computed a value is an FP32 number or a 32-bit integer; the result is then converted to its
 * element type.
 */
#ifndef IR_MAP_H
#define IR_MAP_H

#include "ir.h"

enum ir_map_class {
	IR_MAP_F32,
	IR_MAP_I32,	/* bool and the narrow integers too */
	IR_MAP_U32,
};

struct ir_map_arg {
	enum { IR_MAP_NOTHING, IR_MAP_INPUT, IR_MAP_STEP, IR_MAP_FLOAT, IR_MAP_INT } kind;
	int index;		/* of the operand or the step */
	float f;
	int32_t i;
};

struct ir_map_step {
	enum {
		IR_MAP_ALU,	/* a alu b; FP32 if either is FP32, else integers (unsigned if a is) */
		IR_MAP_FUNC,	/* func(a), FP32 */
		IR_MAP_SELECT,	/* a is not 0 ? b : c */
		IR_MAP_CONVERT,	/* a, to nearest even and saturated */
	} kind;
	enum ir_map_class as;	/* what the result is held as */
	enum nca_alu alu;
	enum nca_func func;
	float alpha;		/* of the functions that have a parameter */
	struct ir_map_arg a, b, c;
};

struct ir_map {
	enum ir_dtype dtype;	/* of the result */
	int num_steps;		/* at least 1; the last one is the result */
	struct ir_map_step *step;
};

enum ir_map_class ir_map_class(enum ir_dtype dtype);
enum ir_map_class ir_map_arg_class(const struct ir_op *op, const struct ir_map_arg *arg);

/* Builds one map operator; every call adds a step and returns it as an operand for the next. */
#define IR_MAP_MAX_INPUTS 8	/* what the back end reads at once */

struct ir_map_builder {
	struct ir_graph *g;
	struct ir_map *map;
	size_t cap_steps;
	struct ir_value *in[IR_MAP_MAX_INPUTS];
	int num_in;
	struct ir_type shape;	/* broadcast so far; rank -1: nothing yet */
	struct ir_value *number;	/* some operand that became a number */
	struct ir_op *from;	/* stands in messages */
	const char *name, *onnx_type;
	struct ir_op *before;	/* where the operator goes; NULL: at the end */
};

void ir_map_begin(struct ir_map_builder *b, struct ir_graph *g, const char *name,
		  const char *onnx_type);
/* An operand; a constant of one element becomes a number. */
struct ir_map_arg ir_map_input(struct ir_map_builder *b, struct ir_value *v);
struct ir_map_arg ir_map_float(float f);
struct ir_map_arg ir_map_int(int64_t i);
struct ir_map_arg ir_map_alu(struct ir_map_builder *b, enum nca_alu alu, struct ir_map_arg x,
			     struct ir_map_arg y);
struct ir_map_arg ir_map_func(struct ir_map_builder *b, enum nca_func func, struct ir_map_arg x);
struct ir_map_arg ir_map_func_alpha(struct ir_map_builder *b, enum nca_func func,
				    struct ir_map_arg x, float alpha);
struct ir_map_arg ir_map_select(struct ir_map_builder *b, struct ir_map_arg c, struct ir_map_arg x,
				struct ir_map_arg y);
struct ir_map_arg ir_map_convert(struct ir_map_builder *b, enum ir_map_class as,
				 struct ir_map_arg x);
/* Horner's scheme, coefficients of the highest degree first. */
struct ir_map_arg ir_map_poly(struct ir_map_builder *b, struct ir_map_arg x, const float *coef,
			      int n);
/* The integer @x with the range of @dtype, wrapping around as the model's narrow types do. */
struct ir_map_arg ir_map_wrap(struct ir_map_builder *b, enum ir_dtype dtype, struct ir_map_arg x);
enum ir_map_class ir_map_class_of(const struct ir_map_builder *b, const struct ir_map_arg *x);
/* The operator (and a reshape where numbers gave the result more dimensions); its type is inferred. */
struct ir_value *ir_map_end(struct ir_map_builder *b, struct ir_map_arg result,
			    enum ir_dtype dtype);

/* The result type of MAP, REDUCE and INT_MATMUL. */
struct ir_type ir_infer_map(struct ir_graph *g, const struct ir_op *op);
void ir_map_print(const struct ir_map *map, FILE *out);
/* The result of a map on constants. */
struct ir_value *ir_map_eval(struct ir_graph *g, const struct ir_op *op);
/* One ALU operation as constants are computed; NaN for those of integers only. */
float ir_alu_f32(enum nca_alu alu, float a, float b);

#endif
