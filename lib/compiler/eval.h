/* SPDX-License-Identifier: MIT */
/* What operators make of constants, by kind of operator; pass_fold_op() is the entry (eval.c). */
#ifndef EVAL_H
#define EVAL_H

#include "ir.h"

/* Element data of the result of an operator on constants; op->out has its type. */
const void *eval_gather(struct ir_graph *g, const struct ir_op *op);
const void *eval_scatter(struct ir_graph *g, const struct ir_op *op);	/* or NULL */
const void *eval_moves(struct ir_graph *g, const struct ir_op *op);

#endif
