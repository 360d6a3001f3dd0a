// SPDX-License-Identifier: MIT
/* Rows of constants gathered and scattered. */
#include <inttypes.h>
#include <string.h>

#include "eval.h"
#include "ir_gather.h"

static size_t element_size(const struct ir_op *op)
{
	return ir_is_float(op->out->type.dtype) ? sizeof(float) : sizeof(int64_t);
}

static int64_t row_number(struct ir_graph *g, const struct ir_op *op, int64_t i)
{
	int64_t rows = ir_type_elements(&ir_in(op, 0)->type) / op->attr.gather->row;
	int64_t r = ir_in(op, 1)->data.i64[i];

	if (r < 0 || r >= rows)
		ir_unsupported(g, op, "an index is out of range");
	return r;
}

const void *eval_gather(struct ir_graph *g, const struct ir_op *op)
{
	size_t row = (size_t)op->attr.gather->row * element_size(op);
	const uint8_t *from = ir_in(op, IR_GATHER_DATA)->data.any;
	int64_t n = ir_type_elements(&ir_in(op, IR_GATHER_INDEX)->type);
	uint8_t *to = cc_calloc(g->cc, (size_t)ir_type_elements(&op->out->type) + 1,
				element_size(op));

	for (int64_t i = 0; i < n; i++)
		memcpy(to + (size_t)i * row, from + (size_t)row_number(g, op, i) * row, row);
	return to;
}

static void combine(enum nca_alu alu, bool floating, void *to, const void *from, int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		if (floating) {
			float *x = (float *)to + i, y = ((const float *)from)[i];

			*x = alu == NCA_ALU_ADD ? *x + y : alu == NCA_ALU_MUL ? *x * y : y;
		} else {
			int64_t *x = (int64_t *)to + i, y = ((const int64_t *)from)[i];

			*x = alu == NCA_ALU_ADD ? (int64_t)((uint64_t)*x + (uint64_t)y) :
			     alu == NCA_ALU_MUL ? (int64_t)((uint64_t)*x * (uint64_t)y) : y;
		}
	}
}

const void *eval_scatter(struct ir_graph *g, const struct ir_op *op)
{
	int64_t row = op->attr.gather->row, total = ir_type_elements(&op->out->type);
	int64_t n = ir_type_elements(&ir_in(op, IR_SCATTER_INDEX)->type);
	const uint8_t *from = ir_in(op, IR_SCATTER_UPDATES)->data.any;
	size_t elem = element_size(op);
	uint8_t *to = cc_calloc(g->cc, (size_t)total + 1, elem);

	/* Maximum and minimum are left to the device. */
	if (op->attr.alu != NCA_ALU_NONE && op->attr.alu != NCA_ALU_ADD &&
	    op->attr.alu != NCA_ALU_MUL)
		return NULL;
	memcpy(to, ir_in(op, IR_SCATTER_DATA)->data.any, (size_t)total * elem);
	for (int64_t i = 0; i < n; i++)
		combine(op->attr.alu, ir_is_float(op->out->type.dtype),
			to + (size_t)(row_number(g, op, i) * row) * elem,
			from + (size_t)(i * row) * elem, row);
	return to;
}
