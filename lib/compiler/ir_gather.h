/* SPDX-License-Identifier: MIT */
/*
 * GATHER and SCATTER: rows of a tensor chosen by a tensor of row numbers. The tensor is seen as rows of
 * @row neighbouring elements; the numbers are integers in range, made by the importer.
 */
#ifndef IR_GATHER_H
#define IR_GATHER_H

#include "ir.h"

enum { IR_GATHER_DATA = 0, IR_GATHER_INDEX };
enum { IR_SCATTER_DATA = 0, IR_SCATTER_INDEX, IR_SCATTER_UPDATES };

struct ir_gather {
	int64_t row;		/* elements */
	struct ir_type type;	/* of the result */
};

struct ir_type ir_infer_gather(struct ir_graph *g, const struct ir_op *op);

#endif
