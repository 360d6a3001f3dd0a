/* SPDX-License-Identifier: MIT */
/*
 * From operators on tensors to instructions on tiles.
 *
 * A tensor is seen as batch, channels, height, width (struct ir_nchw) and lives in one or both of:
 *
 *   SBUF  channel c in partition c % 128; in each partition [c / 128][n][h][w], dense; which
 *         dimension the channels are is the value's cdim (pass_layout.c)
 *   a slot of device memory, row-major as the host sees it: a graph input or output, constants,
 * scratch
 *
 * A tensor too large for SBUF lives in device memory only, and operators work on it a band of rows
 * at a time.
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
	struct mir_buf *parked;	/* device memory: what @sbuf held, partition by partition */
};

struct weight_piece {
	const void *data;
	uint64_t offset, size;
	uint64_t hash;		/* of a group's; 0: not known */
};

/* Weights that one DMA brings: a row of @bytes in each of @nparts partitions. */
struct weight_group {
	struct mir_buf *buf;		/* where they are now */
	size_t load;			/* index of the DMA instruction, while the group is open */
	uint64_t bytes, nparts, offset;
	uint64_t used;			/* bytes in all partitions that are not padding */
};

/* A row this long keeps a DMA engine busy; longer ones would only delay the first use. */
#define WEIGHT_GROUP_BYTES 4096u

/* Some rows of a tensor in SBUF: channel blocks, images, rows, each a range; dense. */
struct rows {
	struct mir_buf *buf;
	struct ir_nchw s;	/* of the whole tensor */
	int64_t cb0, ncb, n0, nn, r0, rows;
	bool band;	/* one of many: not brought before its turn */
};

struct lower_masks;

struct lower {
	struct cc *cc;
	struct ir_graph *g;
	struct mir *m;
	uint8_t dtype;			/* of activations and weights */
	uint32_t elem;			/* its size */
	const struct lower_plan *plan;
	struct home *homes;		/* by value id */

	struct weight_piece *pieces;
	size_t num_pieces, cap_pieces;
	uint64_t weights_size;
	bool repeats;			/* several operators have the same weights */
	struct weight_group *group;	/* still open, or NULL */
	uint8_t *staging;		/* [128][WEIGHT_GROUP_BYTES]: the open group */
	uint8_t *stationary;		/* likewise: the tile that goes there next */

	struct weight_group *unit;	/* a unit matrix, if somebody wanted one */

	struct mir_buf *columns;	/* per-channel vectors, FP32, a column of 128 each */
	float *column_data;		/* [128][num_columns] */
	uint32_t num_columns, next_column;

	struct lower_masks *masks;	/* of attention, kept for later operators */

	const char **op_names;		/* by op_id; 0 is the program itself */
	size_t num_op_names, cap_op_names;
};

/* What stays in SBUF, by value id. */
struct lower_plan {
	int percent;	/* how full whole tensors may make it */
	bool *spilled;	/* too large for SBUF, worked on in bands of rows */
	bool *parked;	/* there only while an operator works on it */
};

struct lower_options {
	const struct nca_target *target;
	bool bf16;
	uint64_t max_insts;
	const struct lower_plan *plan;
	bool no_fuse;		/* operator by operator: every result goes to device memory */
};

/* Lowers the graph; the caller schedules the result. */
struct lower *lower_graph(struct ir_graph *g, const struct lower_options *options);
/* Give back the memory of the constants once a lowering is final. */
void lower_discard_constants(struct lower *l);

/* The type @v has on the device, in SBUF and scratch memory. */
uint8_t lower_dtype(const struct lower *l, const struct ir_value *v);

/* ---- lower_io.c: the host's element types ---- */
void lower_input(struct lower *l, size_t i);
void lower_output(struct lower *l, size_t i);
/* The memory of an output that nothing else reads, so that it can be made there; false otherwise. */
bool lower_output_view(struct lower *l, const struct ir_value *v, struct dram_view *view);

/* ---- lower_move.c, lower_turn.c: row-major tensors in device memory ---- */
struct ir_piece;
/* Refuses tensors that transfers cannot address. */
void lower_check_moved(struct lower *l, const struct ir_op *op);
void lower_copy_piece(struct lower *l, const struct dram_view *to, const struct dram_view *from,
		      const struct ir_piece *p);
void lower_fill_dram(struct lower *l, const struct dram_view *to, int64_t n, float value,
		     int64_t integer);
/* A piece whose neighbours in one tensor are far from each other in the other one, through SBUF.
 * False if there is nothing to gain. */
bool lower_turn_piece(struct lower *l, const struct dram_view *to, const struct dram_view *from,
		      const struct ir_piece *p);

/* ---- lower_weights.c ---- */
uint64_t lower_weights(struct lower *l, const void *data, uint64_t size);
/* A constant of any type, row-major. */
struct dram_view lower_constant(struct lower *l, const struct ir_value *v);
/* Have [nparts][bytes] constants brought to SBUF; *at is their offset in the group's buffer. */
struct weight_group *lower_place_weights(struct lower *l, const uint8_t *data, uint64_t nparts,
					 uint64_t bytes, uint64_t *at);
/* The same in a transfer of their own, whatever is open; for what stays when its neighbours would go. */
struct weight_group *lower_place_apart(struct lower *l, const uint8_t *data, uint64_t nparts, uint64_t bytes);
/* Bring a group again, into a new buffer. */
void lower_reload_weights(struct lower *l, struct weight_group *gr);
void lower_close_weights(struct lower *l);
/* Constant data as the device keeps it: FP32 values rounded to the activation type. */
void *lower_convert(struct lower *l, const float *src, int64_t n);
void lower_store_elem(const struct lower *l, uint8_t *dst, float value);
void lower_plan_columns(struct lower *l);
/* The next per-channel vector of @n elements: a column for every 128; returns the byte offset. */
uint64_t lower_column(struct lower *l, const struct ir_value *v);
struct mir_scalar lower_column_scalar(const struct lower *l, uint64_t offset);

/* ---- lower_batch.c ---- */
/*
 * Let operators on tensors too large for a whole batch run for some images after the other; with
 * @single for one image after the other, from the first operator to the last that allows it. Returns
 * whether @single would make a difference.
 */
bool lower_split_batch(struct ir_graph *g, const struct nca_target *target, uint32_t elem,
		       bool single);

/* ---- lower_plan.c ---- */
/* Whether @op takes some images of what is in device memory: nothing has to move. */
bool lower_slices(const struct ir_op *op);
/* Which values are too large to stay, so that what is live at once fits @percent of SBUF; with @parks they
 * may also be away between operators. */
struct lower_plan *lower_plan(struct ir_graph *g, const struct lower_options *options, int percent, bool parks);
bool lower_plans_equal(const struct ir_graph *g, const struct lower_plan *a, const struct lower_plan *b);
/* Whether a reshape leaves everything where it is in SBUF. */
bool lower_keeps_channels(const struct ir_op *reshape);
/* Whether a convolution loads its few channels once per window row, see lower_conv.c. */
#define MAX_PACKED_CHANNELS 32
bool lower_conv_packs(const struct ir_op *op, bool x_in_dram);
/* Bytes per partition that one band of one operand may take. */
uint64_t lower_band_bytes(const struct nca_target *target);

/* ---- lower_rows.c ---- */
uint64_t lower_rows_bytes(const struct lower *l, const struct rows *r);
uint64_t lower_rows_at(const struct lower *l, const struct rows *r, int64_t cb, int64_t n,
		       int64_t row, int64_t col);
struct rows lower_all_rows(const struct ir_value *v);
bool lower_is_banded(const struct lower *l, const struct ir_value *v);
/* The whole value in SBUF, loaded if need be; it stays. */
struct mir_buf *lower_in_sbuf(struct lower *l, struct ir_value *v);
/* Give the value's place in SBUF up; what was there waits in device memory. */
void lower_park(struct lower *l, struct ir_value *v);
/* After an operator, or one step of it: a value that waits in device memory gives up its place. */
void lower_leave(struct lower *l, struct ir_value *v);
/* The value in device memory, stored to scratch if need be. */
struct dram_view lower_in_dram(struct lower *l, struct ir_value *v);
void lower_store(struct lower *l, struct ir_value *v, const struct dram_view *to);
/* The rows @r asks for, in a buffer of their own. */
void lower_bring_rows(struct lower *l, struct ir_value *v, struct rows *r);
/* An operand: the rows @r asks for if it is worked on in bands, all of it otherwise. */
void lower_operand_rows(struct lower *l, struct ir_value *v, struct rows *r);
/* A result likewise, and what to do when its rows have been written. */
void lower_result_rows(struct lower *l, struct ir_value *v, struct rows *r);
void lower_finish_rows(struct lower *l, struct ir_value *v, const struct rows *r);
struct mir_mem lower_view_mem(const struct dram_view *v, uint64_t offset);
/* Byte strides of n, c, h, w in the row-major @v. */
void lower_value_strides(const struct ir_value *v, int64_t elem, int64_t stride[4]);
void lower_dense_strides(const struct ir_nchw *s, int64_t elem, int64_t stride[4]);
/* Rows from device memory with these byte strides (n, c, h, w). */
void lower_load_rows(struct lower *l, struct rows *r, const struct dram_view *from,
		     const int64_t stride[4], const char *what);

/* ---- lower_tokens.c: tensors whose channels are neighbours in device memory ---- */
bool lower_is_token_major(const struct rows *r, const int64_t stride[4], int64_t elem);
void lower_load_tokens(struct lower *l, struct rows *r, const struct dram_view *from,
		       const int64_t stride[4], const char *what);
void lower_store_tokens(struct lower *l, const struct rows *r, const struct dram_view *to,
			const int64_t stride[4]);

/* ---- lower_rearrange.c: moves of elements from SBUF to SBUF ---- */
/* Longest run of partitions that an engine's operand may have from partition @p on; 0: none. */
int64_t lower_partition_run(int64_t p);
/* Whether the layouts allow it. */
bool lower_rearranges(const struct ir_op *op);
/* Whether a transpose leaves everything where it is in SBUF. */
bool lower_transposes_nothing(const struct ir_op *op);
/* False if it has to be done in device memory. */
bool lower_rearrange(struct lower *l, struct ir_op *op);

/* ---- one operator each ---- */
void lower_conv(struct lower *l, struct ir_op *op);
void lower_pool(struct lower *l, struct ir_op *op);
void lower_elementwise(struct lower *l, struct ir_op *op);	/* ADD, RELU, AFFINE, ... */
void lower_layer_norm(struct lower *l, struct ir_op *op);
void lower_attention(struct lower *l, struct ir_op *op);
void lower_softmax(struct lower *l, struct ir_op *op);
void lower_matmul(struct lower *l, struct ir_op *op);
void lower_matmul_int(struct lower *l, struct ir_op *op);
void lower_reduce(struct lower *l, struct ir_op *op);
void lower_map(struct lower *l, struct ir_op *op);
void lower_reshape(struct lower *l, struct ir_op *op);
void lower_gather(struct lower *l, struct ir_op *op);
void lower_scatter(struct lower *l, struct ir_op *op);
void lower_move(struct lower *l, struct ir_op *op);	/* TRANSPOSE, TAKE, CONCAT, ... */

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
