// SPDX-License-Identifier: MIT
#include <inttypes.h>

#include "ir_gather.h"

struct ir_type ir_infer_gather(struct ir_graph *g, const struct ir_op *op)
{
	const struct ir_gather *a = op->attr.gather;
	bool scatter = op->opcode == IR_SCATTER;
	const struct ir_value *data = ir_in(op, 0), *index = ir_in(op, 1);
	const struct ir_value *rows = scatter ? ir_in(op, IR_SCATTER_UPDATES) : NULL;
	int64_t moved, table;

	if (!data || !index || (scatter && !rows))
		ir_unsupported(g, op, "an operand is missing; the model is broken");
	table = ir_type_elements(&data->type);
	moved = ir_type_elements(scatter ? &rows->type : &a->type);
	if (!ir_is_int(index->type.dtype) || a->row < 1 || table % a->row ||
	    moved != ir_type_elements(&index->type) * a->row)
		ir_unsupported(g, op, "%" PRId64 " indices do not choose %" PRId64
			       " elements in rows of %" PRId64,
			       ir_type_elements(&index->type), moved, a->row);
	if (scatter && rows->type.dtype != data->type.dtype)
		ir_unsupported(g, op, "updates of type %s do not go into a tensor of type %s",
			       ir_dtype_name(rows->type.dtype), ir_dtype_name(data->type.dtype));
	return scatter ? data->type : a->type;
}
