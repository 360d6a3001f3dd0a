/* SPDX-License-Identifier: MIT */
/* Where a convolution's or pooling's window goes: padding and output size. */
#ifndef IR_WINDOW_H
#define IR_WINDOW_H

#include "ir.h"

struct ir_window_geometry {
	int64_t in[2];		/* height, width */
	int64_t out[2];
	int64_t pad_before[2];
	int64_t pad_after[2];	/* as declared; ceil_mode may reach further */
	int64_t reach[2];	/* (kernel - 1) * dilation + 1 */
};

/* Resolves auto_pad and ceil_mode; fails the compilation when the window does not fit. */
struct ir_window_geometry ir_window_resolve(struct ir_graph *g, const struct ir_op *op);

#endif
