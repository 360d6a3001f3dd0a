// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <string.h>

#include "ir.h"

static void check(struct ir_graph *g, bool ok, const char *after, const struct ir_op *op,
		  const char *what)
{
	char where[256];

	if (ok)
		return;
	cc_fail(g->cc, ACCELCC_FAILED,
		"internal check failed after pass %s: %s%s%s; please report it with the "
		"model",
		after, op ? ir_op_str(op, where, sizeof(where)) : "graph", ": ", what);
}

static void check_uses(struct ir_graph *g, const struct ir_value *v, const char *after)
{
	struct ir_use *const *link = &v->uses;

	for (const struct ir_use *u = v->uses; u; u = u->next) {
		check(g, u->value == v, after, u->op, "a use does not point back at its value");
		check(g, u->pprev == link, after, u->op, "the use list is not linked correctly");
		check(g, u >= u->op->in && u < u->op->in + u->op->num_inputs, after, u->op,
		      "a use is outside its operator's operands");
		link = &u->next;
	}
}

void ir_verify(struct ir_graph *g, const char *after)
{
	/* Values become visible as the walk reaches their definition. */
	bool *seen = cc_new_n(g->cc, bool, g->next_id ? g->next_id : 1);
	const struct ir_op *prev = NULL;

	for (const struct ir_value *v = g->values; v; v = v->next) {
		check_uses(g, v, after);
		if (v->kind == IR_VALUE_CONST && v->uses)
			check(g, v->data.any != NULL, after, NULL, "a constant has no data");
		if (v->kind != IR_VALUE_RESULT)
			seen[v->id] = true;
	}
	for (const struct ir_op *op = g->first; op; prev = op, op = op->next) {
		check(g, op->prev == prev, after, op, "the operator list is not linked correctly");
		check(g, op->out && op->out->def == op, after, op,
		      "the result does not point back");
		for (int i = 0; i < op->num_inputs; i++) {
			const struct ir_value *v = op->in[i].value;

			check(g, !v || seen[v->id], after, op,
			      "an operand is used before it is defined");
			check(g, !v || op->in[i].op == op, after, op,
			      "an operand slot has another owner");
		}
		if (op->out->type.dtype != IR_DT_NONE) {
			struct ir_type t = ir_infer(g, op);

			check(g, ir_type_equal(&t, &op->out->type), after, op,
			      "the result type is not what the operands give");
		}
		check(g, !seen[op->out->id], after, op, "a value is defined twice");
		seen[op->out->id] = true;
	}
	check(g, g->last == prev, after, NULL, "the operator list has no proper end");
	for (size_t i = 0; i < g->num_outputs; i++)
		check(g, g->outputs[i] && seen[g->outputs[i]->id], after, NULL,
		      "an output is not defined");
}
