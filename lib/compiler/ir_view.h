/* SPDX-License-Identifier: MIT */
/*
 * Where a tensor's elements come from, seen through reshapes, transposes and slices: a list of
 * atoms, outermost first, whose row-major order is the tensor's. An element lies at @at plus the sum of
 * index times stride over the atoms in row-major @root. Reshapes change nothing, the others cut atoms where
 * dimensions begin.
 */
#ifndef IR_VIEW_H
#define IR_VIEW_H

#include "ir.h"

#define IR_VIEW_ATOMS 24

struct ir_atom {
	int64_t size, stride;
};

struct ir_view {
	struct ir_value *root;
	int64_t at;
	int num;
	struct ir_atom atom[IR_VIEW_ATOMS];
};

/*
 * The view of @v from as far back as it can be followed. With @scale, multiplications and divisions by
 * one number are passed too and multiply *scale.
 */
struct ir_view ir_view_of(struct ir_value *v, float *scale);
/* All of @v itself. */
struct ir_view ir_view_self(struct ir_value *v);
/* One step: @view of @op's operand becomes that of its result; false if it cannot be expressed. */
bool ir_view_through(struct ir_view *view, const struct ir_op *op);
/* Cut so that an atom begins where @inner elements follow; false if that is inside of one. */
bool ir_view_cut(struct ir_view *view, int64_t inner);
/* The atoms of dimensions [from, to) of @type, whose view @view is. */
bool ir_view_dims(struct ir_view *view, const struct ir_type *type, int from, int to,
		  struct ir_view *part);
/* Join neighbours that step through the root as one. */
void ir_view_join(struct ir_view *view);
int64_t ir_view_elements(const struct ir_view *view);
/* The number that constant @v is everywhere, if it has one element. */
bool ir_const_number(const struct ir_value *v, float *number);

#endif
