/* SPDX-License-Identifier: MIT */
/*
 * From operators on tensors to instructions on tiles.
 *
 * A tensor is seen as batch, channels, height, width (struct ir_nchw) and lives in one or both of:
 *
 *   SBUF  channel c in partition c % 128; in each partition [c / 128][n][h][w], dense
 *   a slot of device memory, row-major as the host sees it: a graph input or output, constants, scratch
 *
 * Padding is never stored: a window that reaches over the edge is computed on the part inside.
 */
#ifndef LOWER_H
#define LOWER_H

#include "ir.h"
#include "ir_window.h"
#include "mir.h"

/* A row-major tensor in device memory. */
struct dram_view {
	bool valid;
	struct mir_buf *buf;	/* scratch, or NULL: slot */
	uint16_t slot;
	uint8_t dtype;
	uint64_t offset;
};

struct home {
	struct dram_view dram;
	struct mir_buf *sbuf;
};

struct weight_piece {
	const void *data;
	uint64_t offset, size;
};

/* Weights that one DMA brings: a row of @bytes in each partition. */
struct weight_group {
	struct mir_buf *buf;
	size_t load;			/* index of the DMA instruction */
	uint64_t bytes, nparts;
	struct weight_part {
		const uint8_t *data;	/* [nparts][bytes] */
		uint64_t bytes, nparts, at;
		struct weight_part *next;
	} *parts;
};

struct lower {
	struct cc *cc;
	struct ir_graph *g;
	struct mir *m;
	uint8_t dtype;			/* of activations and weights */
	uint32_t elem;			/* its size */
	bool *spilled;			/* values that live in scratch memory, by id */
	struct home *homes;		/* by value id */

	struct weight_piece *pieces;
	size_t num_pieces, cap_pieces;
	uint64_t weights_size;
	struct weight_group group;

	struct mir_buf *columns;	/* per-channel vectors, FP32, a column of 128 each */
	float *column_data;		/* [128][num_columns] */
	uint32_t num_columns, next_column;

	const char **op_names;		/* by op_id; 0 is the program itself */
	size_t num_op_names, cap_op_names;
};

struct lower_options {
	const struct nca_target *target;
	bool bf16;
};

/* Lowers the graph; the caller schedules the result. */
struct lower *lower_graph(struct ir_graph *g, const struct lower_options *options);

/* ---- lower_memory.c ---- */
uint64_t lower_weights(struct lower *l, const void *data, uint64_t size);
/* Space for [nparts][bytes] constants in SBUF; sets *buf and returns the offset in it. */
uint64_t lower_place_weights(struct lower *l, const uint8_t *data, uint64_t nparts, uint64_t bytes,
			     struct mir_buf **buf);
void lower_close_weights(struct lower *l);
/* Constant data as the device keeps it: FP32 values rounded to the activation type. */
void *lower_convert(struct lower *l, const float *src, int64_t n);
void lower_store_elem(const struct lower *l, uint8_t *dst, float value);
void lower_plan_columns(struct lower *l);
/* The next per-channel vector of @n elements: a column for every 128; returns the byte offset. */
uint64_t lower_column(struct lower *l, const struct ir_value *v);
struct mir_scalar lower_column_scalar(const struct lower *l, uint64_t offset);

/* The value in SBUF, loaded if need be. */
struct mir_buf *lower_in_sbuf(struct lower *l, struct ir_value *v);
/* The value in device memory, stored to scratch if need be. */
struct dram_view lower_in_dram(struct lower *l, struct ir_value *v);
/* A fresh SBUF home for a result. */
struct mir_buf *lower_new_sbuf(struct lower *l, struct ir_value *v);
void lower_store(struct lower *l, struct mir_buf *sbuf, const struct ir_nchw *s, const struct dram_view *to);
struct mir_mem lower_view_mem(const struct dram_view *v, uint64_t offset);
/* SBUF home of [cblock][n][h][w] from device memory with these byte strides (n, c, h, w). */
void lower_load(struct lower *l, struct mir_buf *sbuf, const struct ir_nchw *s, const struct dram_view *from,
		const int64_t stride[4]);

/* ---- one operator each ---- */
void lower_conv(struct lower *l, struct ir_op *op);
void lower_pool(struct lower *l, struct ir_op *op);
void lower_add(struct lower *l, struct ir_op *op);
void lower_relu(struct lower *l, struct ir_op *op);
void lower_affine(struct lower *l, struct ir_op *op);
void lower_softmax(struct lower *l, struct ir_op *op);
void lower_matmul(struct lower *l, struct ir_op *op);
void lower_reshape(struct lower *l, struct ir_op *op);

/* Clamp at zero, in place or not, on the engine with less to do. */
void lower_clamp(struct lower *l, const struct mir_tile *dst, const struct mir_tile *src);

static inline int64_t ceil_div(int64_t a, int64_t b)
{
	return (a + b - 1) / b;
}

static inline int64_t min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static inline int64_t max64(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Partitions that channel block @cb of @channels fills. */
static inline int64_t block_parts(int64_t channels, int64_t cb)
{
	return min64(NCA_PARTITIONS, channels - cb * NCA_PARTITIONS);
}

#endif
