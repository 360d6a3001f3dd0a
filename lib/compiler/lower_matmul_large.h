/* SPDX-License-Identifier: MIT */
/* Inside of the lowering of large products, see lower_matmul_large.c. */
#ifndef LOWER_MATMUL_LARGE_H
#define LOWER_MATMUL_LARGE_H

#include "lower_matmul.h"

#define BLOCK 32			/* rows and columns that are turned at once */
#define QUARTERS (NCA_PARTITIONS / BLOCK)
#define BANK_FP32 (NCA_PSUM_BANK_BYTES / 4)
#define ROW_BYTES 2048			/* that keep a DMA engine busy */
#define CHUNK_BYTES WEIGHT_GROUP_BYTES	/* per partition */
#define RING 6				/* chunks */
#define STAGED 2
#define MANY_ENGINES 8

/* Some k of a tile of A that are turned together. */
struct piece {
	int64_t tile, step, num;
	uint64_t at;			/* where they come to */
};

struct large {
	struct lower *l;
	struct matmul *mm;
	int64_t quarter, steps;		/* k of a quarter; products of a tile and a strip */
	int64_t columns, strips, tiles;
	int64_t chunk_steps, chunks;
	int64_t piece_steps;		/* of A, brought at once */
	uint64_t weights;		/* of a constant B: where its chunks are */
	uint32_t b_queues;		/* DMA engines for B */

	struct mir_buf *buf;
	struct matmul_plan plan;
	uint64_t tile_bytes, piece_bytes, result_bytes;		/* per partition */
	uint64_t ring_at, staged_at, result_at;
	struct piece piece[STAGED];
	int64_t sent, turned, results, loaded;	/* so far: pieces, results, tiles */
	bool ends;			/* the last results: no longer worth waiting for others */
	uint32_t bank;
	uint32_t *banks;		/* of sums: [tile][strip] of a pass */
	int64_t *result;		/* by tile: what is filled now, its first column */
	int64_t *filled;
};

/* A chunk of B on its way through a pass. */
struct cursor {
	size_t pass;
	int64_t chunk, strip, number;
};

static inline int64_t strip_columns(const struct large *p, int64_t strip)
{
	return min64(p->columns, p->mm->n - strip * p->columns);
}

static inline int64_t tile_rows(const struct large *p, int64_t tile)
{
	return min64(MATMUL_TILE_ROWS, p->mm->m - tile * MATMUL_TILE_ROWS);
}

static inline int64_t steps_of_chunk(const struct large *p, int64_t chunk)
{
	return min64(p->chunk_steps, p->steps - chunk * p->chunk_steps);
}

/* How many k quarter @g has in steps [step, step + num). */
static inline int64_t quarter_k(const struct large *p, int64_t g, int64_t step, int64_t num)
{
	int64_t first = step * BLOCK, end = min64(p->quarter, p->mm->k - g * p->quarter);

	return max64(0, min64(end, first + num * BLOCK) - first);
}

/* Partitions that hold something in a step. Only the last quarter with any may be incomplete. */
static inline int64_t step_parts(const struct large *p, int64_t step)
{
	int64_t parts = 0;

	for (int64_t g = 0; g < QUARTERS; g++)
		parts += quarter_k(p, g, step, 1);
	return parts;
}

/* ---- lower_matmul_bring.c ---- */
/* Send for a tile of A, and turn those before it. */
void matmul_bring_tile(struct large *p, int64_t tile);
/* Tiles before @end have to be there. */
void matmul_need_tiles(struct large *p, int64_t end);
void matmul_lay_out_weights(struct large *p);
void matmul_bring_chunk(struct large *p, const struct matmul_pass *pass, const struct cursor *c);

#endif
