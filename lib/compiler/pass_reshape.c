// SPDX-License-Identifier: MIT
#include <string.h>

#include "pass.h"

/* What a trip through device memory is worth, in products with a small tile. */
#define MAX_EXTRA_STEPS 32

/* reshape(reshape(x)) reads x directly; a reshape to the same shape is nothing. */
static void collapse(struct ir_graph *g, struct ir_op *op)
{
	struct ir_value *x = ir_in(op, IR_RESHAPE_X);

	while (x->def && x->def->opcode == IR_RESHAPE)
		x = ir_in(x->def, IR_RESHAPE_X);
	if (ir_type_equal(&x->type, &op->out->type))
		pass_replace(g, op, x);
	else if (x != ir_in(op, IR_RESHAPE_X))
		pass_replace(g, op, pass_reshape(g, op, x, &op->out->type, op));
}

/*
 * A product over the flattened image [N, C*H*W] is a convolution whose window is the whole image:
 * the weights are the same numbers in the same order, and the flattening need not happen.
 */
static void absorb_flatten(struct ir_graph *g, struct ir_op *conv)
{
	struct ir_value *flat = ir_in(conv, IR_CONV_X), *w = ir_in(conv, IR_CONV_W), *x;
	struct ir_value *in[4];
	struct ir_attrs attr = conv->attr;
	struct ir_type wt = w->type;
	struct ir_nchw s;

	if (!conv->attr.flat || wt.rank != 2 || !flat->def || flat->def->opcode != IR_RESHAPE)
		return;
	x = ir_in(flat->def, IR_RESHAPE_X);
	if ((x->type.rank != 3 && x->type.rank != 4) || x->type.dim[0] != flat->type.dim[0])
		return;
	s = ir_value_nchw(x);
	/* Few channels would leave most of the array idle for every pixel of a large window. */
	if ((s.c + NCA_PARTITIONS - 1) / NCA_PARTITIONS * s.h * s.w >
	    2 * (s.c * s.h * s.w / NCA_PARTITIONS) + MAX_EXTRA_STEPS)
		return;
	wt.rank = x->type.rank;
	wt.dim[1] = s.c;
	wt.dim[2] = x->type.rank == 4 ? s.h : s.w;
	wt.dim[3] = x->type.rank == 4 ? s.w : 0;
	attr.window.kernel[0] = s.h;
	attr.window.kernel[1] = s.w;
	in[IR_CONV_X] = x;
	in[IR_CONV_W] = ir_const_f32(g, w->name, &wt, w->data.f32);
	in[IR_CONV_BIAS] = ir_in(conv, IR_CONV_BIAS);
	in[IR_CONV_RESIDUAL] = ir_in(conv, IR_CONV_RESIDUAL);
	pass_replace(g, conv, pass_op(g, IR_CONV, conv, conv->num_inputs, in, &attr, conv)->out);
}

void pass_eliminate_reshapes(struct ir_graph *g)
{
	struct ir_op *next;

	for (struct ir_op *op = g->first; op; op = next) {
		next = op->next;
		if (op->opcode == IR_RESHAPE)
			collapse(g, op);
		else if (op->opcode == IR_CONV)
			absorb_flatten(g, op);
	}
	pass_remove_dead(g);
}
