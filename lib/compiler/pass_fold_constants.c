// SPDX-License-Identifier: MIT
#include "pass.h"

void pass_fold_constants(struct ir_graph *g)
{
	struct ir_op *next;

	for (struct ir_op *op = g->first; op; op = next) {
		struct ir_value *v = op->opcode == IR_IDENTITY ? ir_in(op, 0) : pass_fold_op(g, op);

		next = op->next;
		if (v)
			pass_replace(g, op, v);
	}
}
