// SPDX-License-Identifier: MIT
#include "pass.h"

/* Whether nothing follows the sum and the residual of a convolution yet. */
static bool is_bare(const struct ir_op *conv)
{
	return conv->opcode == IR_CONV && !conv->attr.relu && !conv->attr.func && !conv->attr.alu &&
	       !conv->attr.residual_last;
}

static bool can_clamp(const struct ir_op *op)
{
	switch (op->opcode) {
	case IR_CONV:
		return is_bare(op);
	case IR_ADD:
	case IR_TENSOR_TENSOR:
	case IR_AFFINE:
	case IR_MATMUL:
		return !op->attr.relu;
	default:
		return false;
	}
}

static void fuse_relu(struct ir_graph *g, struct ir_op *relu)
{
	struct ir_op *op = ir_in(relu, 0)->def;

	if (!op || !can_clamp(op) || ir_single_user(g, op->out) != relu)
		return;
	op->attr.relu = true;
	pass_replace(g, relu, op->out);
}

static bool comes_before(const struct ir_op *a, const struct ir_op *b)
{
	for (const struct ir_op *op = a; op; op = op->next)
		if (op == b)
			return true;
	return false;
}

/*
 * add(conv(x), y): the convolution takes y in. It moves to where the addition was, because y may be
 * defined after it. Of two convolutions the later one takes the addition.
 */
static void fuse_add(struct ir_graph *g, struct ir_op *add)
{
	struct ir_value *in[4];
	struct ir_op *best = NULL;
	struct ir_attrs attr;
	int slot = 0;

	for (int i = 0; i < 2; i++) {
		struct ir_op *op = ir_in(add, i)->def;

		if (!op || op->opcode != IR_CONV || ir_in(op, IR_CONV_RESIDUAL) ||
		    ir_single_user(g, op->out) != add ||
		    !ir_type_equal(&ir_in(add, 0)->type, &ir_in(add, 1)->type))
			continue;
		if (!best || comes_before(best, op)) {
			best = op;
			slot = i;
		}
	}
	if (!best)
		return;
	in[IR_CONV_X] = ir_in(best, IR_CONV_X);
	in[IR_CONV_W] = ir_in(best, IR_CONV_W);
	in[IR_CONV_BIAS] = ir_in(best, IR_CONV_BIAS);
	in[IR_CONV_RESIDUAL] = ir_in(add, 1 - slot);
	attr = best->attr;
	attr.residual_last = !is_bare(best);
	pass_replace(g, add, pass_op(g, IR_CONV, best, 4, in, &attr, add)->out);
	ir_op_erase(g, best);
}

static void fuse_function(struct ir_graph *g, struct ir_op *activate)
{
	struct ir_op *conv = ir_in(activate, 0)->def;

	if (!conv || !is_bare(conv) || ir_single_user(g, conv->out) != activate)
		return;
	conv->attr.func = activate->attr.func;
	conv->attr.alpha = activate->attr.alpha;
	pass_replace(g, activate, conv->out);
}

/* (x a s) b t with two numbers is one instruction. */
static void fuse_scalars(struct ir_graph *g, struct ir_op *second)
{
	struct ir_op *first = ir_in(second, IR_TENSOR_SCALAR_X)->def;

	if (!first || first->opcode != IR_TENSOR_SCALAR || first->attr.alu1 || second->attr.alu1 ||
	    second->attr.reverse || ir_in(second, IR_TENSOR_SCALAR_VECTOR) ||
	    ir_single_user(g, first->out) != second)
		return;
	first->attr.alu1 = second->attr.alu;
	first->attr.imm1 = second->attr.imm;
	pass_replace(g, second, first->out);
}

/* Limits, and other operations with numbers, after a convolution. */
static void fuse_limits(struct ir_graph *g, struct ir_op *op)
{
	struct ir_op *conv = ir_in(op, IR_TENSOR_SCALAR_X)->def;
	const struct ir_attrs *a = &op->attr;

	if (!conv || conv->opcode != IR_CONV || conv->attr.alu || conv->attr.residual_last ||
	    a->reverse || ir_in(op, IR_TENSOR_SCALAR_VECTOR) || ir_single_user(g, conv->out) != op)
		return;
	if (is_bare(conv) && a->alu == NCA_ALU_MAX && a->imm == 0.0f) {
		conv->attr.relu = true;
		conv->attr.alu = a->alu1;
		conv->attr.imm = a->imm1;
	} else {
		conv->attr.alu = a->alu;
		conv->attr.imm = a->imm;
		conv->attr.alu1 = a->alu1;
		conv->attr.imm1 = a->imm1;
	}
	pass_replace(g, op, conv->out);
}

void pass_fuse_epilogues(struct ir_graph *g)
{
	struct ir_op *next;

	for (struct ir_op *op = g->first; op; op = next) {
		next = op->next;
		if (op->opcode == IR_TENSOR_SCALAR)
			fuse_scalars(g, op);
	}
	for (struct ir_op *op = g->first; op; op = next) {
		next = op->next;
		if (op->opcode == IR_ADD)
			fuse_add(g, op);
		else if (op->opcode == IR_RELU)
			fuse_relu(g, op);
		else if (op->opcode == IR_ACTIVATE)
			fuse_function(g, op);
		else if (op->opcode == IR_TENSOR_SCALAR)
			fuse_limits(g, op);
	}
}
