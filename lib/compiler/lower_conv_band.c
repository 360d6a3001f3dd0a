// SPDX-License-Identifier: MIT
/*
 * Bands of a convolution: the rows or images that are in SBUF at once, and an input with few
 * channels that is loaded once per window row.
 */
#include "lower_conv.h"

#define SMALL_INPUT_BYTES 4096	/* takes less time to read again than to pass on */

static void zero_rows(struct conv *c, const struct rows *r, int64_t from, int64_t to, int64_t parts)
{
	for (int64_t n = r->n0; from < to && n < r->n0 + r->nn; n++) {
		struct mir_tile t = mir_sbuf_tile(
			r->buf, lower_rows_at(c->l, r, 0, n, r->r0 + from, 0), c->l->dtype, parts);
		struct mir_ew zero = { .engine = NCA_ENGINE_VECTOR,
				       .opcode = NCA_OP_MEMSET,
				       .dst = &t,
				       .s0 = { .kind = MIR_S_IMM, .imm = 0.0f } };

		t = mir_shape(t, 1, to - from, r->s.w, 0, r->s.w, 1);
		mir_elementwise(c->l->m, &zero);
	}
}

/* Input rows under the windows of output rows [r0, r0 + rows). */
static void rows_under(const struct conv *c, int64_t r0, int64_t rows, int64_t *first, int64_t *num)
{
	int64_t lo = r0 * c->win->stride[0] - c->geo.pad_before[0];
	int64_t hi = (r0 + rows - 1) * c->win->stride[0] - c->geo.pad_before[0] + c->geo.reach[0];

	lo = max64(0, min64(lo, c->x.h - 1));
	hi = min64(c->x.h, max64(hi, lo + 1));
	*first = lo;
	*num = hi - lo;
}

/* First and last + 1 row that @b needs and the band before it did not. */
static void new_rows(const struct conv *c, const struct conv_band *b, int64_t *first, int64_t *last)
{
	int64_t hi = (b->r0 + b->rows - 1) * c->win->stride[0] - c->geo.pad_before[0] +
		     c->geo.reach[0];
	int64_t lo = (b->r0 - 1) * c->win->stride[0] - c->geo.pad_before[0] + c->geo.reach[0];

	if (b->r0 == 0)
		lo = -c->geo.pad_before[0];
	*first = max64(0, min64(lo, c->x.h));
	*last = max64(*first, min64(hi, c->x.h));
}

/*
 * The image may be across the host link, which is slow: unless it is tiny, each row crosses once and
 * is copied inside SBUF.
 */
void conv_stage_band(struct conv *c, struct conv_band *b)
{
	struct dram_view dram;
	int64_t stride[4], last;

	if (!c->packed)
		return;
	dram = lower_in_dram(c->l, ir_in(c->op, IR_CONV_X));
	if (c->x.c * c->x.n * c->x.h * c->x.w * nca_dtype_size(dram.dtype) <= SMALL_INPUT_BYTES)
		return;
	b->staged = (struct rows) { .s = c->x, .ncb = 1, .n0 = b->n0, .nn = b->nn, .band = true };
	new_rows(c, b, &b->staged.r0, &last);
	b->staged.rows = last - b->staged.r0;
	if (!b->staged.rows)
		return;
	mir_next_block(c->l->m);
	lower_dense_strides(&c->x, nca_dtype_size(dram.dtype), stride);
	lower_load_rows(c->l, &b->staged, &dram, stride, "input");
}

/* Rows [first, last) of the image into the copy for window row @k, whose row @at they become. */
static void copy_rows(struct conv *c, const struct rows *in, int64_t k, int64_t at, int64_t first,
		      int64_t last, const struct rows *from)
{
	int64_t es = c->l->elem, row_bytes = c->x.w * es, stride[4];
	struct mir_mem dst = { .buf = in->buf, .space = MIR_SBUF, .dtype = c->l->dtype,
			       .part = (uint8_t)(k * c->x.c), .offset = (uint64_t)(at * row_bytes),
			       .stride = { 1, in->rows * row_bytes, 0, es } };
	struct mir_mem src;
	int64_t size[4] = { c->x.c, in->nn, 1, (last - first) * c->x.w };
	struct dram_view dram;

	if (first >= last)
		return;
	if (from) {
		src = (struct mir_mem) { .buf = from->buf, .space = MIR_SBUF, .dtype = c->l->dtype,
					 .offset = lower_rows_at(c->l, from, 0, in->n0, first, 0),
					 .stride = { 1, from->rows * row_bytes, 0, es } };
	} else {
		dram = lower_in_dram(c->l, ir_in(c->op, IR_CONV_X));
		lower_dense_strides(&c->x, nca_dtype_size(dram.dtype), stride);
		src = lower_view_mem(&dram, (uint64_t)(in->n0 * stride[0] + first * stride[2]));
		src.stride[0] = stride[1];
		src.stride[1] = stride[0];
		src.stride[3] = stride[3];
	}
	mir_dma(c->l->m, mir_load_engine(c->l->m, &src), &dst, &src, size,
		nca_dtype_size(src.dtype), src.dtype != c->l->dtype, 0);
}

/*
 * Copies of the band's rows, one per window row, each in partitions of its own and shifted so that
 * output row r needs buffer row r * stride in all of them. Rows outside the image are zero.
 */
static void bring_packed(struct conv *c, struct conv_band *b)
{
	int64_t taps = c->win->kernel[0], base = b->r0 * c->win->stride[0], head = 0, tail;
	struct rows *in = &b->in;

	*in = (struct rows) { .s = c->x, .ncb = 1, .n0 = b->n0, .nn = b->nn, .r0 = base,
			      .rows = (b->rows - 1) * c->win->stride[0] + 1 };
	in->buf = mir_sbuf(c->l->m, lower_rows_bytes(c->l, in), "packed input");
	/* Rows [head, tail) come from the image in every copy and need no zeros. */
	tail = in->rows;
	for (int64_t k = 0; k < taps; k++) {
		int64_t first = base + k * c->win->dilation[0] - c->geo.pad_before[0];

		head = max64(head, min64(in->rows, -first));
		tail = min64(tail, c->x.h - first);
	}
	if (tail <= head) {
		head = in->rows;
		tail = in->rows;
	}
	zero_rows(c, in, 0, head, c->x.c * taps);
	zero_rows(c, in, tail, in->rows, c->x.c * taps);
	for (int64_t k = 0; k < taps; k++) {
		int64_t shift = base + k * c->win->dilation[0] - c->geo.pad_before[0];
		int64_t first = max64(0, shift), last = min64(c->x.h, in->rows + shift);

		if (!b->staged.s.w) {
			copy_rows(c, in, k, first - shift, first, last, NULL);
			continue;
		}
		/* What the bands before this one have brought is still there as far as it is needed. */
		for (struct conv_band *p = b; p >= c->bands && p->n0 == b->n0; p--) {
			int64_t lo = max64(first, p->staged.r0);
			int64_t hi = min64(last, p->staged.r0 + p->staged.rows);

			copy_rows(c, in, k, lo - shift, lo, hi, &p->staged);
			if (p->staged.r0 <= first)
				break;
		}
	}
}

void conv_bring_band(struct conv *c, struct conv_band *b)
{
	struct ir_value *residual = ir_in(c->op, IR_CONV_RESIDUAL);

	mir_next_block(c->l->m);
	if (c->packed) {
		bring_packed(c, b);
	} else {
		b->in = (struct rows){
			.s = c->x, .ncb = ceil_div(c->x.c, NCA_PARTITIONS), .n0 = b->n0, .nn = b->nn
		};
		rows_under(c, b->r0, b->rows, &b->in.r0, &b->in.rows);
		lower_operand_rows(c->l, ir_in(c->op, IR_CONV_X), &b->in);
	}
	b->out = (struct rows){ .s = c->y,
				.cb0 = b->cb0,
				.ncb = b->ncb,
				.n0 = b->n0,
				.nn = b->nn,
				.r0 = b->r0,
				.rows = b->rows };
	if (residual) {
		b->residual = b->out;
		lower_operand_rows(c->l, residual, &b->residual);
	}
	lower_result_rows(c->l, c->op->out, &b->out);
}

/*
 * Cut the work into bands that fit: some rows of an image, or several images. Returns false if
 * nothing has to be cut.
 */
static bool band_size(const struct conv *c, int64_t *images, int64_t *rows)
{
	struct ir_value *x = ir_in(c->op, IR_CONV_X), *res = ir_in(c->op, IR_CONV_RESIDUAL);
	int64_t limit = (int64_t)lower_band_bytes(c->l->m->target) / (c->packed ? 2 : 1);
	int64_t es = c->l->elem;
	int64_t in_row = (c->packed ? c->x.w : ceil_div(c->x.c, NCA_PARTITIONS) * c->x.w) * es;
	int64_t out_row = ceil_div(c->y.c, NCA_PARTITIONS) * c->y.w * es;
	int64_t image_rows = c->packed ? (c->y.h - 1) * c->win->stride[0] + 1 : c->x.h;
	bool in = c->packed || lower_is_banded(c->l, x);
	bool out = lower_is_banded(c->l, c->op->out) || (res && lower_is_banded(c->l, res));

	*images = c->y.n;
	*rows = c->y.h;
	if ((!in || (c->packed && c->x.n * image_rows * in_row <= limit)) && !out)
		return false;
	if (in)
		*images = min64(*images, limit / (image_rows * in_row));
	if (out)
		*images = min64(*images, limit / (c->y.h * out_row));
	if (*images > 0)
		return true;
	*images = 1;
	if (in) {
		int64_t fit = limit / in_row, reach = c->packed ? 1 : c->geo.reach[0];

		*rows = min64(*rows, fit > reach ? (fit - reach) / c->win->stride[0] + 1 : 1);
	}
	if (out)
		*rows = min64(*rows, limit / out_row);
	if (*rows > conv_tile_rows(c))
		*rows -= *rows % conv_tile_rows(c);
	*rows = max64(1, *rows);
	return true;
}

/*
 * A result that is too large, of an input that is not: some of its channels at a time, for all pixels. The
 * weights then come once, and not for every band of rows; and a single row may be too large. 0 if that does
 * not fit or does not matter.
 */
static int64_t band_blocks(const struct conv *c, uint64_t weights)
{
	const struct nca_target *t = c->l->m->target;
	int64_t limit = (int64_t)lower_band_bytes(t), row = c->y.w * c->l->elem;

	if (c->packed || lower_is_banded(c->l, ir_in(c->op, IR_CONV_X)) || !lower_is_banded(c->l, c->op->out) ||
	    (weights <= t->sbuf_bytes / 4 && (int64_t)c->num_blocks * row <= limit))
		return 0;
	return limit / (c->y.n * c->y.h * row);
}

struct conv_band *conv_make_bands(struct conv *c, uint64_t weights, size_t *num, bool *cut)
{
	int64_t images, rows, all = (int64_t)c->num_blocks, blocks = band_blocks(c, weights);
	struct conv_band *bands;
	size_t at = 0;

	*cut = band_size(c, &images, &rows);
	if (blocks > 0) {
		images = c->y.n;
		rows = c->y.h;
	} else {
		blocks = all;
	}
	*num = (size_t)(ceil_div(c->y.n, images) * ceil_div(c->y.h, rows) * ceil_div(all, blocks));
	bands = cc_new_n(c->l->cc, struct conv_band, *num);
	for (int64_t n = 0; n < c->y.n; n += images)
		for (int64_t r = 0; r < c->y.h; r += rows)
			for (int64_t b = 0; b < all; b += blocks)
				bands[at++] = (struct conv_band) {
					.n0 = n, .nn = min64(images, c->y.n - n), .r0 = r,
					.rows = min64(rows, c->y.h - r), .cb0 = b,
					.ncb = min64(blocks, all - b)
				};
	return bands;
}
