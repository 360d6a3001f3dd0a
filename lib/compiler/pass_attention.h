/* SPDX-License-Identifier: MIT */
/* What pass_attention*.c share. */
#ifndef PASS_ATTENTION_H
#define PASS_ATTENTION_H

#include "ir_attention.h"
#include "ir_view.h"
#include "pass.h"

#define ATTENTION_MAX_MASKS 4

struct attention_mask {
	struct ir_value *value;
	enum nca_alu alu;	/* ADD, or MIN for a choice between a score and a very small number */
	float factor;		/* on the mask */
	struct ir_view batch;	/* strides of the batch dimensions; 0 where it is broadcast */
	int64_t q, k;
};

/* softmax(scale * qk, masked) and the product that reads it. */
struct attention_match {
	struct ir_graph *g;
	struct ir_op *softmax, *qk, *pv;
	float scale;
	struct attention_mask mask[ATTENTION_MAX_MASKS];
	int num_masks;
};

bool attention_find(struct attention_match *m, struct ir_graph *g, struct ir_op *softmax);
/* Several masks made one; false if that is not possible. */
bool attention_join_masks(struct attention_match *m);
/*
 * Mixed-radix lists of one product of sizes, cut at every place where one of them is cut. False if
 * that is not possible.
 */
bool attention_refine(struct ir_view **list, int num);

#endif
