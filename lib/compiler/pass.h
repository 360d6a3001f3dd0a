/* SPDX-License-Identifier: MIT */
/* Passes over the graph IR, in the order pass.c lists them. */
#ifndef PASS_H
#define PASS_H

#include "ir.h"

struct pass_options {
	bool no_fuse;
	FILE *print;
	const char *print_after;	/* NULL: after every pass */
};

void pass_run_all(struct ir_graph *g, const struct pass_options *options);
const char *const *pass_names(void);

void pass_infer_shapes(struct ir_graph *g);
/* Operators on constants become constants; identities go away. */
void pass_fold_constants(struct ir_graph *g);
/* The constant that @op computes, or NULL if an operand is none or it is better left to the device. */
struct ir_value *pass_fold_op(struct ir_graph *g, const struct ir_op *op);
/* Layer normalization and activations that are written out become one operator each. */
void pass_find_patterns(struct ir_graph *g);
/* softmax(scale Q K^T + mask) V, with the heads cut and joined around it, becomes one operator. */
void pass_fuse_attention(struct ir_graph *g);
/* ONNX operators become core operators. */
void pass_canonicalize(struct ir_graph *g);
/* A per-channel scale and shift after a convolution goes into its weights. */
void pass_fold_affine(struct ir_graph *g);
/* Reshapes that a neighbour can absorb go away. */
void pass_eliminate_reshapes(struct ir_graph *g);
/* Residual additions and clamping become part of the operator that makes their operand. */
void pass_fuse_epilogues(struct ir_graph *g);
/* Maps become part of the maps and reductions beside them. */
void pass_fuse_maps(struct ir_graph *g);
void pass_remove_dead(struct ir_graph *g);
/* Chooses every value's channel dimension; the last pass. */
void pass_assign_layouts(struct ir_graph *g);

/* Put @with in the place of @op's result and remove @op. */
void pass_replace(struct ir_graph *g, struct ir_op *op, struct ir_value *with);
/* A new operator before @before that reports itself under @from's name; its type is inferred. */
struct ir_op *pass_op(struct ir_graph *g, enum ir_opcode opcode, const struct ir_op *from,
		      int num_inputs, struct ir_value *const *inputs, const struct ir_attrs *attr,
		      struct ir_op *before);
struct ir_value *pass_vector(struct ir_graph *g, int64_t n, const float *data);
struct ir_value *pass_reshape(struct ir_graph *g, const struct ir_op *from, struct ir_value *x,
			      const struct ir_type *type, struct ir_op *before);

#endif
