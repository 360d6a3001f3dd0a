// SPDX-License-Identifier: MIT
/* What operators make of constants: while a model is read, and again between passes. */
#include <string.h>

#include "eval.h"
#include "ir_map.h"
#include "pass.h"

/* Larger results are computed on the device; folding them would only blow the program file up. */
#define MAX_FOLDED_ELEMENTS ((int64_t)1 << 22)

static const float *fold_relu(struct ir_graph *g, const struct ir_op *op)
{
	int64_t n = ir_type_elements(&op->out->type);
	const float *x = ir_in(op, 0)->data.f32;
	float *y = cc_new_n(g->cc, float, (size_t)n);

	for (int64_t i = 0; i < n; i++)
		y[i] = x[i] > 0.0f || x[i] != x[i] ? x[i] : 0.0f;
	return y;
}

static const float *fold_binary(struct ir_graph *g, const struct ir_op *op)
{
	enum nca_alu alu = op->opcode == IR_ADD ? NCA_ALU_ADD : op->attr.alu;
	const struct ir_type *t = &op->out->type;
	const float *a = ir_in(op, 0)->data.f32, *b = ir_in(op, 1)->data.f32;
	int64_t sa[IR_MAX_RANK], sb[IR_MAX_RANK], n = ir_type_elements(t);
	float *y = cc_new_n(g->cc, float, (size_t)n);

	ir_broadcast_strides(&ir_in(op, 0)->type, t, sa);
	ir_broadcast_strides(&ir_in(op, 1)->type, t, sb);
	for (int64_t i = 0; i < n; i++) {
		int64_t rest = i, ia = 0, ib = 0;

		for (int d = t->rank - 1; d >= 0; d--) {
			ia += rest % t->dim[d] * sa[d];
			ib += rest % t->dim[d] * sb[d];
			rest /= t->dim[d];
		}
		y[i] = ir_alu_f32(alu, a[ia], b[ib]);
	}
	return y;
}

struct ir_value *pass_fold_op(struct ir_graph *g, const struct ir_op *op)
{
	const struct ir_type *t = &op->out->type;
	union ir_data data = { NULL };

	for (int i = 0; i < op->num_inputs; i++)
		if (op->in[i].value && !ir_is_const(op->in[i].value))
			return NULL;
	switch (op->opcode) {
	case IR_IDENTITY:
		return ir_in(op, 0);
	case IR_RESHAPE:
	case IR_FLATTEN:
		data = ir_in(op, 0)->data;
		break;
	case IR_GATHER:
		data.any = eval_gather(g, op);
		break;
	case IR_SCATTER:
		data.any = eval_scatter(g, op);
		break;
	case IR_TRANSPOSE:
	case IR_TAKE:
	case IR_CONCAT:
	case IR_TRILU:
		data.any = eval_moves(g, op);
		break;
	case IR_MAP:
		return ir_type_elements(t) <= MAX_FOLDED_ELEMENTS ? ir_map_eval(g, op) : NULL;
	case IR_RELU:
		data.f32 = ir_type_elements(t) <= MAX_FOLDED_ELEMENTS ? fold_relu(g, op) : NULL;
		break;
	case IR_ADD:
	case IR_TENSOR_TENSOR:
		data.f32 = ir_type_elements(t) <= MAX_FOLDED_ELEMENTS ? fold_binary(g, op) : NULL;
		break;
	default:
		break;
	}
	if (!data.any)
		return NULL;
	return ir_is_float(t->dtype) ? ir_const_f32(g, op->out->name, t, data.f32) :
				       ir_const_i64(g, op->out->name, t, data.i64);
}
