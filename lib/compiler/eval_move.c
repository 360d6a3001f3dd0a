// SPDX-License-Identifier: MIT
/* Elements of constants moved; what they mean does not matter. */
#include <string.h>

#include "eval.h"
#include "ir_move.h"

static void copy_piece(const struct ir_piece *p, const uint8_t *from, uint8_t *to, size_t elem)
{
	int64_t at[IR_MOVE_DIMS] = { 0 }, src = p->src_at, dst = p->dst_at;
	int d;

	do {
		memcpy(to + (size_t)dst * elem, from + (size_t)src * elem, elem);
		for (d = p->rank - 1; d >= 0; d--) {
			src += p->src[d];
			dst += p->dst[d];
			if (++at[d] < p->size[d])
				break;
			src -= at[d] * p->src[d];
			dst -= at[d] * p->dst[d];
			at[d] = 0;
		}
	} while (d >= 0);
}

const void *eval_moves(struct ir_graph *g, const struct ir_op *op)
{
	const struct ir_type *t = &op->out->type;
	size_t elem = ir_is_float(t->dtype) ? sizeof(float) : sizeof(int64_t);
	struct ir_moves m = ir_moves_of(g, op);
	uint8_t *to = cc_calloc(g->cc, (size_t)ir_type_elements(t) + 1, elem);

	for (size_t i = 0; i < m.num; i++) {
		const struct ir_piece *p = &m.piece[i];
		const uint8_t *from;

		if (p->slot >= 0)
			from = ir_in(op, p->slot)->data.any;
		else
			from = ir_is_float(t->dtype) ? (const void *)&op->attr.fill :
						       (const void *)&op->attr.fill_int;
		copy_piece(p, from, to, elem);
	}
	return to;
}
