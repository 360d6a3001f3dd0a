/* SPDX-License-Identifier: MIT */
/*
 * Streams: sync triggers the loads, tensor multiplies, vector empties PSUM,
 * scalar triggers the stores. Tiles live in rings of buffers, so that loads run
 * as far ahead as SBUF has room.
 *
 * SPREAD transfers may complete in any order, so the buffers of a ring have
 * semaphores of their own, one for two buffers where a ring has many. Buffers are
 * used up in the order in which they were filled: one counter a ring frees them.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "nests.h"

enum { TILE = 128, TILE_N = 512, BF16 = 2, OUT_BUFFERS = 4 };

enum {
	SEM_LHS_FREE, SEM_RHS_FREE, SEM_ACC_FULL, SEM_ACC_FREE, SEM_OUT_FULL,
	SEM_OUT_FREE,			/* one a buffer */
	SEM_LHS_FULL = SEM_OUT_FREE + OUT_BUFFERS,
	SEM_RING = 80,			/* at most for one ring */
	SEM_RHS_FULL = SEM_LHS_FULL + SEM_RING,
};

struct ring {
	uint32_t base, bytes, tiles;	/* bytes: of a tile, per partition */
	uint32_t full, free;		/* semaphores: the first of many; one */
	uint32_t share;			/* buffers of one "full" semaphore */
	uint32_t count;			/* tiles loaded so far */
};

void nest_init(struct nest *x, const struct nest_shape *shape)
{
	const struct nca_target *t = nca_target_by_id(NCA_TARGET_NCA2);

	*x = (struct nest){ .shape = *shape, .header = {
		.magic = NCA_PROGRAM_MAGIC, .version = NCA_ISA_VERSION, .target = t->id,
		.slots = SLOTS, .sbuf_live = t->sbuf_bytes, .psum_live = NCA_PSUM_BYTES,
	} };
}

void nest_free(struct nest *x)
{
	for (uint32_t e = 0; e < NCA_ENGINES; e++)
		free(x->inst[e]);
}

/* The pointer is good until the next instruction of the same stream. */
static struct nca_inst *emit(struct nest *x, uint32_t engine, uint32_t opcode)
{
	uint32_t at = x->header.stream[engine].count++;

	if (at == x->cap[engine]) {
		x->cap[engine] = at ? 2 * at : 1024;
		x->inst[engine] = realloc(x->inst[engine], x->cap[engine] * sizeof(struct nca_inst));
		if (!x->inst[engine])
			abort();
	}
	memset(&x->inst[engine][at], 0, sizeof(struct nca_inst));
	x->inst[engine][at].opcode = (uint8_t)opcode;
	return &x->inst[engine][at];
}

static void halt_all(struct nest *x)
{
	static const uint32_t used[] = { NCA_ENGINE_TENSOR, NCA_ENGINE_VECTOR, NCA_ENGINE_SCALAR,
					 NCA_ENGINE_SYNC };

	for (size_t i = 0; i < sizeof(used) / sizeof(used[0]); i++)
		emit(x, used[i], NCA_OP_HALT);
}

static void wait_ge(struct nca_inst *in, uint32_t sem, uint32_t value)
{
	in->wait[in->wait[0].cond ? 1 : 0] =
		(struct nca_wait){ .sem = (uint8_t)sem, .cond = NCA_WAIT_GE, .value = value };
}

static void post(struct nca_inst *in, uint32_t sem, bool on_read)
{
	in->update[in->update[0].op ? 1 : 0] = (struct nca_update){
		.sem = (uint8_t)sem, .value = 1,
		.op = (uint8_t)(NCA_UPDATE_ADD | (on_read ? NCA_UPDATE_ON_READ : 0)),
	};
}

/* Tile number @i can be overwritten when the one @tiles before it has been used up. */
static void wait_room(struct nca_inst *in, uint32_t sem, uint32_t i, uint32_t tiles)
{
	if (i >= tiles)
		wait_ge(in, sem, i - tiles + 1);
}

static struct nca_ap ap(uint32_t mem, uint32_t dtype, uint32_t offset, uint32_t n)
{
	return (struct nca_ap){ .mem = (uint8_t)mem, .dtype = (uint8_t)dtype, .nparts = TILE,
				.offset = offset, .size = { 1, 1, 1, (uint16_t)n },
				.stride = { 0, 0, 0, 1 } };
}

static uint32_t place(const struct ring *r, uint32_t tile)
{
	return r->base + tile % r->tiles * r->bytes;
}

static uint32_t sem_full(const struct ring *r, uint32_t tile)
{
	return r->full + tile % r->tiles / r->share;
}

/* All buffers of the semaphore have come as often as this one. */
static void wait_tile(struct nca_inst *in, const struct ring *r, uint32_t tile)
{
	wait_ge(in, sem_full(r, tile), (tile / r->tiles + 1) * r->share);
}

static void wait_out_buffer(struct nca_inst *in, uint32_t i)
{
	if (i >= OUT_BUFFERS)
		wait_ge(in, SEM_OUT_FREE + i % OUT_BUFFERS, i / OUT_BUFFERS);
}

/* TILE rows of @cols columns, from @row and @col of a matrix @width columns wide. */
static struct nca_inst *transfer(struct nest *x, uint32_t engine, uint32_t slot, uint32_t row,
				 uint32_t col, uint32_t width, uint32_t sbuf, uint32_t cols)
{
	struct nca_inst *in = emit(x, engine, NCA_OP_DMA);
	struct nca_dma_side chip = { .mem = NCA_MEM_SBUF, .offset = sbuf, .stride = { 1, 0, 0, BF16 } };
	struct nca_dma_side far = { .mem = NCA_MEM_SLOT, .slot = (uint16_t)slot,
				    .offset = ((uint64_t)row * width + col) * BF16,
				    .stride = { (int32_t)(width * BF16), 0, 0, BF16 } };

	in->dma = (struct nca_body_dma){ .size = { TILE, 1, 1, cols }, .elem = BF16,
					 .queue = NCA_DMA_SPREAD };
	in->dma.dst = slot == SLOT_OUT ? far : chip;
	in->dma.src = slot == SLOT_OUT ? chip : far;
	return in;
}

/* Returns the number of the tile in its ring. */
static uint32_t load(struct nest *x, struct ring *r, uint32_t slot, uint32_t k, uint32_t col)
{
	uint32_t width = slot == SLOT_LHST ? x->shape.m : x->shape.n, i = r->count++;
	struct nca_inst *in = transfer(x, NCA_ENGINE_SYNC, slot, k * TILE, col, width, place(r, i),
				       r->bytes / BF16);

	wait_room(in, r->free, i, r->tiles);
	post(in, sem_full(r, i), false);
	return i;
}

struct operand {
	struct ring *ring;
	uint32_t tile;
	uint32_t offset;	/* in the tile */
	bool last;		/* nobody needs the tile after this */
};

/* One step along K of result tile number @acc; tiles take turns on the PSUM banks. */
static void multiply(struct nest *x, uint32_t acc, bool first, bool last, struct operand lhs,
		     struct operand rhs)
{
	struct nca_pe_tile all = { 0, 0, TILE, TILE };
	struct nca_inst *in = emit(x, NCA_ENGINE_TENSOR, NCA_OP_LDSTAT);

	in->mm.tile = all;
	in->mm.src = ap(NCA_MEM_SBUF, NCA_BF16, place(lhs.ring, lhs.tile) + lhs.offset, TILE);
	wait_tile(in, lhs.ring, lhs.tile);
	if (lhs.last)
		post(in, lhs.ring->free, true);

	in = emit(x, NCA_ENGINE_TENSOR, NCA_OP_MATMUL);
	in->flags = first ? 0 : NCA_F_ACCUMULATE;
	in->mm.tile = all;
	in->mm.src = ap(NCA_MEM_SBUF, NCA_BF16, place(rhs.ring, rhs.tile) + rhs.offset, TILE_N);
	in->mm.dst = ap(NCA_MEM_PSUM, NCA_FP32, acc % NCA_PSUM_BANKS * NCA_PSUM_BANK_BYTES, TILE_N);
	wait_tile(in, rhs.ring, rhs.tile);
	if (first)
		wait_room(in, SEM_ACC_FREE, acc, NCA_PSUM_BANKS);
	if (rhs.last)
		post(in, rhs.ring->free, true);
	if (last)
		post(in, SEM_ACC_FULL, false);
}

/* PSUM to a BF16 buffer, and from there to device memory. */
static void finish(struct nest *x, uint32_t acc, uint32_t out_base, uint32_t m, uint32_t n)
{
	uint32_t buffer = out_base + acc % OUT_BUFFERS * TILE_N * BF16;
	struct nca_inst *in = emit(x, NCA_ENGINE_VECTOR, NCA_OP_COPY);

	in->ew.dst = ap(NCA_MEM_SBUF, NCA_BF16, buffer, TILE_N);
	in->ew.src0 = ap(NCA_MEM_PSUM, NCA_FP32, acc % NCA_PSUM_BANKS * NCA_PSUM_BANK_BYTES, TILE_N);
	wait_ge(in, SEM_ACC_FULL, acc + 1);
	wait_out_buffer(in, acc);
	post(in, SEM_ACC_FREE, true);
	post(in, SEM_OUT_FULL, false);

	in = transfer(x, NCA_ENGINE_SCALAR, SLOT_OUT, m * TILE, n * TILE_N, x->shape.n, buffer, TILE_N);
	wait_ge(in, SEM_OUT_FULL, acc + 1);
	post(in, SEM_OUT_FREE + acc % OUT_BUFFERS, false);
}

static void rings(struct nest *x, struct ring *lhs, uint32_t lhs_cols, uint32_t lhs_tiles,
		  struct ring *rhs, uint32_t rhs_cols, uint32_t rhs_tiles)
{
	*lhs = (struct ring){ .bytes = lhs_cols * BF16, .tiles = lhs_tiles,
			      .share = lhs_tiles > SEM_RING ? 2 : 1, .full = SEM_LHS_FULL, .free = SEM_LHS_FREE };
	*rhs = (struct ring){ .base = lhs_tiles * lhs->bytes, .bytes = rhs_cols * BF16,
			      .tiles = rhs_tiles,
			      .share = rhs_tiles > SEM_RING ? 2 : 1, .full = SEM_RHS_FULL, .free = SEM_RHS_FREE };
	if (rhs->base + rhs_tiles * rhs->bytes > x->header.sbuf_live ||
	    lhs_tiles > 2 * SEM_RING || rhs_tiles > 2 * SEM_RING)
		abort();
}

static uint32_t end_of(const struct ring *r)
{
	return r->base + r->tiles * r->bytes;
}

void nest_tiled(struct nest *x)
{
	const struct nest_shape *s = &x->shape;
	uint32_t steps = s->k / TILE, acc = 0;
	struct ring lhs, rhs;

	rings(x, &lhs, TILE, 2, &rhs, TILE_N, 2);
	for (uint32_t m = 0; m < s->m / TILE; m++)
		for (uint32_t n = 0; n < s->n / TILE_N; n++, acc++) {
			for (uint32_t k = 0; k < steps; k++) {
				uint32_t a = load(x, &lhs, SLOT_LHST, k, m * TILE);
				uint32_t b = load(x, &rhs, SLOT_RHS, k, n * TILE_N);

				multiply(x, acc, !k, k == steps - 1,
					 (struct operand){ &lhs, a, 0, true },
					 (struct operand){ &rhs, b, 0, true });
			}
			finish(x, acc, end_of(&rhs), m, n);
		}
	halt_all(x);
}

/* Every tile of a block, column of tiles by column of tiles. Returns the first one's number. */
static uint32_t load_block(struct nest *x, struct ring *r, uint32_t slot, uint32_t block,
			   uint32_t tiles)
{
	uint32_t first = r->count, cols = r->bytes / BF16;

	for (uint32_t i = 0; i < tiles; i++)
		for (uint32_t k = 0; k < x->shape.k / TILE; k++)
			load(x, r, slot, k, (block * tiles + i) * cols);
	return first;
}

void nest_blocked(struct nest *x)
{
	const struct nest_shape *s = &x->shape;
	uint32_t steps = s->k / TILE, acc = 0;
	uint32_t blocks_m = s->m / TILE / s->block_m, blocks_n = s->n / TILE_N / s->block_n;
	uint32_t lhs_block = s->block_m * steps, rhs_block = s->block_n * steps, out;
	struct ring lhs, rhs;

	/* Twice a block where that fits beside the results, else what is left. */
	out = OUT_BUFFERS * TILE_N * BF16;
	rings(x, &lhs, TILE, lhs_block + (lhs_block > 64 ? 16 : lhs_block), &rhs, TILE_N,
	      rhs_block + (rhs_block > 64 ? 16 : rhs_block));
	if (end_of(&rhs) + out > x->header.sbuf_live)
		abort();
	for (uint32_t m = 0; m < blocks_m; m++) {
		uint32_t a = load_block(x, &lhs, SLOT_LHST, m, s->block_m);

		for (uint32_t n = 0; n < blocks_n; n++) {
			uint32_t b = load_block(x, &rhs, SLOT_RHS, n, s->block_n);

			for (uint32_t i = 0; i < s->block_m * s->block_n; i++, acc++) {
				uint32_t bm = i / s->block_n, bn = i % s->block_n;
				bool last_a = n == blocks_n - 1 && bn == s->block_n - 1;
				bool last_b = bm == s->block_m - 1;

				for (uint32_t k = 0; k < steps; k++)
					multiply(x, acc, !k, k == steps - 1,
						 (struct operand){ &lhs, a + bm * steps + k, 0, last_a },
						 (struct operand){ &rhs, b + bn * steps + k, 0, last_b });
				finish(x, acc, end_of(&rhs), m * s->block_m + bm,
				       n * s->block_n + bn);
			}
		}
	}
	halt_all(x);
}

/* Partial results: one BF16 tile for each pair of a row of tiles and a column of the block. */
static struct nca_ap partial(const struct nest *x, uint32_t base, uint32_t m, uint32_t bn)
{
	return ap(NCA_MEM_SBUF, NCA_BF16, base + (m * x->shape.block_n + bn) * TILE_N * BF16, TILE_N);
}

static void store_column(struct nest *x, uint32_t n, uint32_t partials, uint32_t packed)
{
	const struct nest_shape *s = &x->shape;
	uint32_t rows = s->m / TILE, cols = s->block_n * TILE_N;

	for (uint32_t m = 0; m < rows; m++) {
		uint32_t i = n * rows + m, buffer = packed + i % OUT_BUFFERS * cols * BF16;
		struct nca_inst *in;

		for (uint32_t bn = 0; bn < s->block_n; bn++) {
			in = emit(x, NCA_ENGINE_VECTOR, NCA_OP_COPY);
			in->ew.src0 = partial(x, partials, m, bn);
			in->ew.dst = ap(NCA_MEM_SBUF, NCA_BF16, buffer + bn * TILE_N * BF16, TILE_N);
			if (!bn)
				wait_out_buffer(in, i);
			if (bn == s->block_n - 1)
				post(in, SEM_OUT_FULL, false);
		}
		in = transfer(x, NCA_ENGINE_SCALAR, SLOT_OUT, m * TILE, n * cols, s->n, buffer, cols);
		wait_ge(in, SEM_OUT_FULL, i + 1);
		post(in, SEM_OUT_FREE + i % OUT_BUFFERS, false);
	}
}

/* A block of lhsT times a block of rhs, added to the partial results. */
static void block_product(struct nest *x, uint32_t *acc, uint32_t m, bool last_m, struct ring *lhs,
			  uint32_t a, struct ring *rhs, uint32_t b, uint32_t partials)
{
	const struct nest_shape *s = &x->shape;

	for (uint32_t i = 0; i < s->block_n * s->block_m; i++, ++*acc) {
		uint32_t bn = i / s->block_m, bm = i % s->block_m;
		bool last = i == s->block_n * s->block_m - 1;
		struct nca_inst *in;

		for (uint32_t k = 0; k < s->block_k; k++)
			multiply(x, *acc, !k, k == s->block_k - 1,
				 (struct operand){ lhs, a + k, bm * TILE * BF16, last },
				 (struct operand){ rhs, b + k, bn * TILE_N * BF16, last && last_m });
		in = emit(x, NCA_ENGINE_VECTOR, NCA_OP_TENSOR_TENSOR);
		in->ew.op0 = NCA_ALU_ADD;
		in->ew.dst = in->ew.src0 = partial(x, partials, m * s->block_m + bm, bn);
		in->ew.src1 = ap(NCA_MEM_PSUM, NCA_FP32, *acc % NCA_PSUM_BANKS * NCA_PSUM_BANK_BYTES,
				 TILE_N);
		wait_ge(in, SEM_ACC_FULL, *acc + 1);
		post(in, SEM_ACC_FREE, true);
	}
}

void nest_fully_blocked(struct nest *x)
{
	const struct nest_shape *s = &x->shape;
	uint32_t cols_m = s->block_m * TILE, cols_n = s->block_n * TILE_N, acc = 0;
	uint32_t blocks_m = s->m / cols_m, blocks_k = s->k / TILE / s->block_k, partials, packed;
	struct ring lhs, rhs;

	rings(x, &lhs, cols_m, 2 * s->block_k, &rhs, cols_n, 2 * s->block_k);
	partials = end_of(&rhs);
	packed = partials + s->m / TILE * cols_n * BF16;
	if (packed + OUT_BUFFERS * cols_n * BF16 > x->header.sbuf_live)
		abort();
	for (uint32_t n = 0; n < s->n / cols_n; n++) {
		for (uint32_t i = 0; i < s->m / TILE * s->block_n; i++) {
			struct nca_inst *in = emit(x, NCA_ENGINE_VECTOR, NCA_OP_MEMSET);

			in->ew.dst = partial(x, partials, i / s->block_n, i % s->block_n);
			in->ew.s0 = (struct nca_scalar){ .kind = NCA_SCALAR_IMM, .dtype = NCA_FP32 };
		}
		for (uint32_t k = 0; k < blocks_k; k++) {
			uint32_t b = rhs.count;

			for (uint32_t i = 0; i < s->block_k; i++)
				load(x, &rhs, SLOT_RHS, k * s->block_k + i, n * cols_n);
			for (uint32_t m = 0; m < blocks_m; m++) {
				uint32_t a = lhs.count;

				for (uint32_t i = 0; i < s->block_k; i++)
					load(x, &lhs, SLOT_LHST, k * s->block_k + i, m * cols_m);
				block_product(x, &acc, m, m == blocks_m - 1, &lhs, a, &rhs, b, partials);
			}
		}
		store_column(x, n, partials, packed);
	}
	halt_all(x);
}
