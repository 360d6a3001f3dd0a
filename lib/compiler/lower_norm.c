// SPDX-License-Identifier: MIT
/*
 * Layer normalization with the channels on the partitions. Sums over partitions are products with a
 * matrix of ones, which leave the sum in every partition: first of the elements, then of the squares
 * of what is left without the mean. Between the two everything is FP32.
 */
#include <nca/cost.h>

#include "lower.h"

#define BANK_FP32 (NCA_PSUM_BANK_BYTES / 4)

struct norm {
	struct lower *l;
	struct ir_op *op;
	int64_t channels, blocks;
	struct mir_buf *ones;
	bool has_scale, has_shift;
	uint64_t scale, shift;		/* columns */
};

/* Neighbouring pixels of all channels. */
struct piece {
	const struct rows *x, *y;
	int64_t at_x, at_y, num;	/* from the first pixel of the rows */
	struct mir_buf *centred, *squares;
	struct mir_tile sum, square_sum;	/* in PSUM */
};

static struct mir_tile flat(struct mir_tile t, int64_t n)
{
	return mir_shape(t, 1, 1, n, 0, 0, 1);
}

static struct mir_tile in_rows(const struct norm *n, const struct rows *r, int64_t at, int64_t num,
			       int64_t cb)
{
	uint64_t offset = lower_rows_at(n->l, r, cb, r->n0, r->r0, 0) + (uint64_t)at * n->l->elem;

	return flat(mir_sbuf_tile(r->buf, offset, n->l->dtype, block_parts(n->channels, cb)), num);
}

static struct mir_tile in_work(const struct norm *n, const struct piece *p, struct mir_buf *buf,
			       uint8_t dtype, int64_t cb)
{
	return flat(mir_sbuf_tile(buf, (uint64_t)(cb * p->num) * nca_dtype_size(dtype), dtype,
				  block_parts(n->channels, cb)), p->num);
}

static void add_up(const struct norm *n, const struct mir_tile *sum, const struct mir_tile *x,
		   int64_t cb)
{
	int64_t parts = block_parts(n->channels, cb);

	/* All blocks but the last have the same ones. */
	if (cb == 0 || parts < NCA_PARTITIONS) {
		struct mir_tile ones = flat(mir_sbuf_tile(n->ones, 0, n->l->dtype, parts),
					    NCA_PARTITIONS);

		mir_ldstat(n->l->m, &ones);
	}
	mir_matmul(n->l->m, sum, x, parts, NCA_PARTITIONS, cb > 0);
}

/* func(x * s0 + s1) */
static void activate(const struct norm *n, const struct mir_tile *dst, const struct mir_tile *src,
		     enum nca_func func, struct mir_scalar s0, struct mir_scalar s1)
{
	struct mir_ew ew = { .engine = NCA_ENGINE_SCALAR, .opcode = NCA_OP_ACTIVATE, .dst = dst,
			     .src0 = src, .func = func, .s0 = s0, .s1 = s1 };

	mir_elementwise(n->l->m, &ew);
}

static void combine(const struct norm *n, const struct mir_tile *dst, const struct mir_tile *a,
		    const struct mir_tile *b, enum nca_alu alu)
{
	struct mir_ew ew = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_TENSOR_TENSOR, .dst = dst,
			     .src0 = a, .src1 = b, .op0 = alu };

	mir_elementwise(n->l->m, &ew);
}

static struct mir_scalar imm(float value)
{
	return (struct mir_scalar) { .kind = MIR_S_IMM, .imm = value };
}

/* ---- stages ---- */

/* The mean, negative. */
static void find_mean(const struct norm *n, struct piece *p)
{
	const struct mir_scalar none = { .kind = MIR_S_NONE };
	struct mir *m = n->l->m;

	p->sum = flat(mir_psum_tile(mir_psum(m, 1), NCA_FP32, NCA_PARTITIONS), p->num);
	for (int64_t cb = 0; cb < n->blocks; cb++) {
		struct mir_tile x = in_rows(n, p->x, p->at_x, p->num, cb);

		add_up(n, &p->sum, &x, cb);
	}
	activate(n, &p->sum, &p->sum, NCA_FUNC_IDENTITY, imm(-1.0f / (float)n->channels), none);
}

static void centre(const struct norm *n, struct piece *p)
{
	p->centred = mir_sbuf(n->l->m, (uint64_t)(n->blocks * p->num) * 4, "layer norm, centred");
	for (int64_t cb = 0; cb < n->blocks; cb++) {
		struct mir_tile x = in_rows(n, p->x, p->at_x, p->num, cb), mean = p->sum;
		struct mir_tile centred = in_work(n, p, p->centred, NCA_FP32, cb);

		mean.nparts = (uint8_t)block_parts(n->channels, cb);
		combine(n, &centred, &x, &mean, NCA_ALU_ADD);
	}
}

static void add_squares(const struct norm *n, struct piece *p)
{
	const struct mir_scalar none = { .kind = MIR_S_NONE };
	struct mir *m = n->l->m;

	p->squares = mir_sbuf(m, (uint64_t)(n->blocks * p->num) * n->l->elem, "layer norm, squares");
	p->square_sum = flat(mir_psum_tile(mir_psum(m, 1), NCA_FP32, NCA_PARTITIONS), p->num);
	for (int64_t cb = 0; cb < n->blocks; cb++) {
		struct mir_tile centred = in_work(n, p, p->centred, NCA_FP32, cb);
		struct mir_tile square = in_work(n, p, p->squares, n->l->dtype, cb);

		activate(n, &square, &centred, NCA_FUNC_SQUARE, none, none);
		add_up(n, &p->square_sum, &square, cb);
	}
}

static void find_deviation(const struct norm *n, struct piece *p)
{
	activate(n, &p->square_sum, &p->square_sum, NCA_FUNC_RSQRT, imm(1.0f / (float)n->channels),
		 imm(n->op->attr.epsilon));
}

static bool has_columns(const struct norm *n)
{
	return n->has_scale || n->has_shift;
}

static void divide(const struct norm *n, struct piece *p)
{
	for (int64_t cb = 0; cb < n->blocks; cb++) {
		struct mir_tile centred = in_work(n, p, p->centred, NCA_FP32, cb), rstd = p->square_sum;
		struct mir_tile y = in_rows(n, p->y, p->at_y, p->num, cb);

		rstd.nparts = (uint8_t)block_parts(n->channels, cb);
		combine(n, has_columns(n) ? &centred : &y, &centred, &rstd, NCA_ALU_MUL);
	}
}

static void scale_and_shift(const struct norm *n, struct piece *p)
{
	for (int64_t cb = 0; cb < n->blocks && has_columns(n); cb++) {
		struct mir_tile centred = in_work(n, p, p->centred, NCA_FP32, cb);
		struct mir_tile y = in_rows(n, p->y, p->at_y, p->num, cb);
		struct mir_scalar scale = imm(1.0f), shift = imm(0.0f);

		if (n->has_scale)
			scale = lower_column_scalar(n->l, n->scale + (uint64_t)cb * 4);
		if (n->has_shift)
			shift = lower_column_scalar(n->l, n->shift + (uint64_t)cb * 4);
		activate(n, &y, &centred, NCA_FUNC_IDENTITY, scale, shift);
	}
}

/*
 * Each stage needs the one before it, on another engine. So that engines do not wait for each other, several
 * pieces are on their way, a stage apart, in an order in which each engine finds first what has been ready longest.
 */
static void lower_pieces(const struct norm *n, struct piece *pieces, int64_t num)
{
	static const struct {
		int behind;
		void (*stage)(const struct norm *n, struct piece *p);
	} stages[] = { { 2, find_deviation }, { 1, centre }, { 2, divide }, { 3, scale_and_shift },
		       { 1, add_squares }, { 0, find_mean } };

	for (int64_t step = 0; step < num + 3; step++)
		for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
			int64_t at = step - stages[i].behind;

			if (at >= 0 && at < num)
				stages[i].stage(n, &pieces[at]);
		}
}

/* Where the first pixel of @want is in @r, which is all of the tensor or the same rows. */
static int64_t pixels_before(const struct rows *r, const struct rows *want)
{
	return ((want->n0 - r->n0) * r->rows + want->r0 - r->r0) * r->s.w;
}

static void lower_part(const struct norm *n, const struct rows *want)
{
	int64_t pixels = want->nn * want->rows * want->s.w;
	/* Three of them at a time. */
	int64_t fit = (int64_t)n->l->m->target->sbuf_bytes / 24 / (n->blocks * 4), num;
	struct rows x = *want, y = *want;
	struct piece *pieces;

	mir_next_block(n->l->m);
	lower_operand_rows(n->l, ir_in(n->op, IR_NORM_X), &x);
	lower_result_rows(n->l, n->op->out, &y);
	fit = max64(1, min64(fit, BANK_FP32));
	/* At least two, unless they would take as long as one. */
	if (pixels >= 2 * NCA_II)
		fit = min64(fit, ceil_div(pixels, 2));
	num = ceil_div(pixels, fit);
	pieces = cc_new_n(n->l->cc, struct piece, (size_t)num);
	for (int64_t i = 0; i < num; i++)
		pieces[i] = (struct piece) { .x = &x, .y = &y, .at_x = pixels_before(&x, want) + i * fit,
					     .at_y = pixels_before(&y, want) + i * fit,
					     .num = min64(fit, pixels - i * fit) };
	lower_pieces(n, pieces, num);
	lower_finish_rows(n->l, n->op->out, &y);
}

void lower_layer_norm(struct lower *l, struct ir_op *op)
{
	struct ir_value *x = ir_in(op, IR_NORM_X), *scale = ir_in(op, IR_NORM_SCALE),
			*shift = ir_in(op, IR_NORM_SHIFT);
	struct rows all = lower_all_rows(x), part = all;
	struct norm n = { .l = l, .op = op, .channels = all.s.c, .blocks = all.ncb,
			  .has_scale = scale, .has_shift = shift };
	int64_t rows = (int64_t)lower_band_bytes(l->m->target) / (all.ncb * all.s.w * l->elem);
	struct mir_ew fill = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_MEMSET, .s0 = imm(1.0f) };
	struct mir_tile ones;

	if (scale)
		n.scale = lower_column(l, scale);
	if (shift)
		n.shift = lower_column(l, shift);
	n.ones = mir_sbuf(l->m, (uint64_t)NCA_PARTITIONS * l->elem, "ones");
	ones = flat(mir_sbuf_tile(n.ones, 0, l->dtype, NCA_PARTITIONS), NCA_PARTITIONS);
	fill.dst = &ones;
	mir_elementwise(l->m, &fill);
	if (!lower_is_banded(l, x) && !lower_is_banded(l, op->out)) {
		lower_part(&n, &part);
		return;
	}
	/* Several small images, or some rows of a large one. */
	for (part.n0 = 0; part.n0 < all.s.n; part.n0 += part.nn) {
		part.nn = min64(max64(1, rows / all.s.h), all.s.n - part.n0);
		for (part.r0 = 0; part.r0 < all.s.h; part.r0 += part.rows) {
			part.rows = min64(max64(1, rows), all.s.h - part.r0);
			lower_part(&n, &part);
		}
	}
}
