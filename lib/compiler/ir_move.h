/* SPDX-License-Identifier: MIT */
/*
 * Operators that only move elements, as strided copies: TRANSPOSE, TAKE, CONCAT, TRILU. The evaluator of
 * constants and the back end both work from this.
 */
#ifndef IR_MOVE_H
#define IR_MOVE_H

#include "ir.h"

#define IR_MOVE_DIMS (3 * IR_MAX_RANK)

/* A strided copy between row-major tensors; strides and places in elements. */
struct ir_piece {
	int slot;		/* operand it comes from; negative: the operator's fill value */
	int rank;
	int64_t size[IR_MOVE_DIMS], src[IR_MOVE_DIMS], dst[IR_MOVE_DIMS];
	int64_t src_at, dst_at;
};

struct ir_moves {
	struct ir_piece *piece;
	size_t num, cap;
};

/* What TAKE picks along each dimension: @num elements, or the whole dimension where @index is NULL. */
struct ir_take {
	int64_t num[IR_MAX_RANK];
	const int64_t *index[IR_MAX_RANK];	/* negative: the fill value */
};

/* A part of the elements of one dimension that strides can express. */
struct ir_take_run {
	int64_t at, start, step;	/* first element of the result, of the operand; distance */
	int64_t blocks, num, repeat;	/* result[block][num][repeat] = operand[start + num * step] */
};

/* The runs of a list of indices, in order; negative ones are left out. *num is their number. */
struct ir_take_run *ir_take_runs(struct cc *cc, const int64_t *index, int64_t n, size_t *num);
/* How many strided copies @take needs. */
size_t ir_take_pieces(struct cc *cc, const struct ir_take *take, int rank);

struct ir_type ir_infer_move(struct ir_graph *g, const struct ir_op *op);
/* In order: a later piece may overwrite what an earlier one wrote. */
struct ir_moves ir_moves_of(struct ir_graph *g, const struct ir_op *op);
/* Dimensions of one element go, neighbours that lie behind each other become one. */
void ir_piece_simplify(struct ir_piece *p);

#endif
