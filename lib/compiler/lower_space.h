/* SPDX-License-Identifier: MIT */
/*
 * Iteration spaces over row-major tensors in device memory, cut into tiles: some partitions with up to
 * three free dimensions each. Every tensor that takes part has its own strides, zero where it is
 * broadcast; nothing depends on what the dimensions mean.
 */
#ifndef LOWER_SPACE_H
#define LOWER_SPACE_H

#include "lower.h"

#define SPACE_MAX_TENSORS 9
/* Elements per partition of one tile: long enough for the engines, small enough for many buffers. */
#define SPACE_CHUNK 1024

struct space {
	int rank;
	int64_t size[IR_MAX_RANK];
	int num_tensors;
	int64_t stride[SPACE_MAX_TENSORS][IR_MAX_RANK];	/* elements */
};

struct space_tile {
	int64_t at[IR_MAX_RANK];	/* first index along each dimension */
	int64_t parts;
	int part_dim;
	int64_t part_step;		/* indices of part_dim per partition */
	int dim[3];			/* what the free dimensions are, or -1 */
	int64_t free[3];
};

void space_begin(struct space *s, const struct ir_type *shape);
/* A tensor that broadcasts to the space; returns its number. */
int space_tensor(struct space *s, const struct ir_type *t);
/* Neighbouring dimensions that every tensor steps through as through one are joined. */
void space_join(struct space *s);
/* All tiles, in an array from the arena. */
struct space_tile *space_tiles(struct cc *cc, const struct space *s, size_t *num);

/* One tensor's part of a tile in SBUF: dense, with one element where it is broadcast. */
struct space_part {
	struct mir_buf *buf;
	uint8_t dtype;
	bool valid;
	uint64_t offset;		/* where it came from, to notice that it is there already */
	int64_t parts, part_step;
	int64_t size[3];		/* 1 where broadcast */
	bool column;			/* one element in each partition */
	struct mir_tile tile;		/* in the shape of the whole tile */
};

/* Bring tensor @k of @s from @from as @dtype, unless @part holds the same already. */
void space_bring(struct lower *l, const struct space *s, int k, const struct space_tile *t,
		 const struct dram_view *from, uint8_t dtype, struct space_part *part);
/* A tile for tensor @k that is going to be written (never broadcast), and its way to memory. */
void space_make(struct lower *l, const struct space *s, int k, const struct space_tile *t,
		uint8_t dtype, const char *what, struct space_part *part);
void space_store(struct lower *l, const struct space *s, int k, const struct space_tile *t,
		 const struct space_part *part, const struct dram_view *to);

/* Scratch memory for a result that is made there, as its home. */
struct dram_view lower_new_dram(struct lower *l, struct ir_value *v);

#endif
