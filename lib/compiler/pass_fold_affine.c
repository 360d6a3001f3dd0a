// SPDX-License-Identifier: MIT
#include <string.h>

#include "pass.h"

/* scale * (W x + b) + shift = (scale W) x + (scale b + shift), per output channel. */
static void fold_into(struct ir_graph *g, struct ir_op *conv, struct ir_op *affine)
{
	const struct ir_value *w = ir_in(conv, IR_CONV_W), *b = ir_in(conv, IR_CONV_BIAS);
	const float *scale = ir_in(affine, IR_AFFINE_SCALE)->data.f32;
	const float *shift = ir_in(affine, IR_AFFINE_SHIFT)->data.f32;
	int64_t m = w->type.dim[0], per = ir_type_elements(&w->type) / m;
	float *weight = cc_new_n(g->cc, float, (size_t)(m * per));
	float *bias = cc_new_n(g->cc, float, (size_t)m);

	for (int64_t i = 0; i < m; i++) {
		for (int64_t k = 0; k < per; k++)
			weight[i * per + k] = w->data.f32[i * per + k] * scale[i];
		bias[i] = (float)((b ? (double)b->data.f32[i] * (double)scale[i] : 0.0) +
				  (double)shift[i]);
	}
	ir_set_input(conv, IR_CONV_W, ir_const_f32(g, w->name, &w->type, weight));
	ir_set_input(conv, IR_CONV_BIAS, pass_vector(g, m, bias));
	if (affine->attr.relu)
		conv->attr.relu = true;
	pass_replace(g, affine, conv->out);
}

void pass_fold_affine(struct ir_graph *g)
{
	struct ir_op *next;

	for (struct ir_op *op = g->first; op; op = next) {
		struct ir_op *conv = op->opcode == IR_AFFINE ? ir_in(op, IR_AFFINE_X)->def : NULL;

		next = op->next;
		if (!conv || conv->opcode != IR_CONV || conv->attr.relu ||
		    ir_in(conv, IR_CONV_RESIDUAL) ||
		    ir_op_channel(conv, &conv->out->type) != ir_op_channel(op, &op->out->type) ||
		    ir_single_user(g, conv->out) != op)
			continue;
		if (ir_in(conv, IR_CONV_BIAS) && !ir_is_const(ir_in(conv, IR_CONV_BIAS)))
			continue;
		fold_into(g, conv, op);
	}
}
