/* SPDX-License-Identifier: MIT */
/* Products of two matrices, see lower_matmul.c and lower_matmul_large.c. */
#ifndef LOWER_MATMUL_H
#define LOWER_MATMUL_H

#include "lower.h"

/* A product without batches: C[m][n] = A[m][k] B[k][n], rows of A and C in one piece. */
struct matmul {
	struct ir_op *op;
	int64_t m, n, k;
	struct dram_view a, b, c;	/* @b is not valid if @weights are given */
	int64_t a_row, b_row;		/* bytes from one row to the next */
	const float *weights;		/* B as a constant, or NULL, */
	int64_t weight_stride[2];	/* and its strides along k and n, elements */
};

/* Whether lower_matmul_large() takes a product of this size. */
bool lower_matmul_is_large(const struct lower *l, int64_t m, int64_t n, int64_t k, bool constant);
void lower_matmul_large(struct lower *l, struct matmul *mm);

/*
 * A matrix that the host holds, [rows][n], to device memory: strips of @columns one after the other, in
 * the order in which they are needed.
 */
struct dram_view lower_stage_matrix(struct lower *l, const struct dram_view *from, int64_t rows,
				    int64_t n, int64_t columns);

/* ---- lower_matmul_plan.c: which rows meet which columns when ---- */

#define MATMUL_TILE_ROWS NCA_PARTITIONS

/* What the schedule of a large product depends on; times in ticks. */
struct matmul_plan {
	int64_t tiles, strips;		/* of 128 rows of A; of columns of B */
	int64_t banks;			/* of PSUM that a tile needs for a strip */
	int64_t slots;			/* tiles that SBUF holds */
	uint64_t multiply;		/* a tile and a strip in the array */
	uint64_t bring_strip, bring_tile;
};

/* Tiles [first, first + num) meet strips [strip, strip + strips), modulo their number. */
struct matmul_pass {
	int64_t first, num, strip, strips;
	int64_t loads;			/* tiles whose way to SBUF has begun when it starts */
};

struct matmul_pass *lower_matmul_plan(struct cc *cc, const struct matmul_plan *plan, size_t *num);

#endif
