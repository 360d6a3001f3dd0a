// SPDX-License-Identifier: MIT
/*
 * Convolution as products accumulated in PSUM: one product per window position ("tap") and block of
 * 128 input channels, each with an access pattern that picks the pixels under that tap. Where the
 * tap reaches over the edge, only the part of the tile that lies inside is computed, so nothing is
 * padded.
 *
 * An input with few channels would leave most rows of the array idle. If it comes from device
 * memory, it is loaded once per window row, each copy shifted by a row into partitions of its own,
 * and a tap then covers a whole column of the window.
 */
#include <string.h>

#include "lower.h"

#define BANK_FP32 (NCA_PSUM_BANK_BYTES / 4)
#define SMALL_INPUT_BYTES 4096	/* takes less time to read again than to pass on */
#define TILES_AT_ONCE 4		/* half of PSUM: the other half is being emptied */

/* A piece of the result that fits one PSUM bank. */
struct tile {
	int64_t n0, nn, r0, rows, c0, cols;
	uint32_t psum;
	bool started;	/* something has been written to every element */
};

/* One product: which input block, which tap, and where its weights are. */
struct step {
	int64_t kb, kh, kw;
	struct weight_group *group;
	uint64_t at;
};

/* The products that make one block of output channels. */
struct block {
	int64_t m0, mb;
	struct step *steps;
	size_t num;
	uint64_t bytes;		/* of weights, per partition */
};

/* Output rows that are computed together, with what they need in SBUF. */
struct band {
	int64_t n0, nn, r0, rows;
	struct rows in, residual, out;
};

struct conv {
	struct lower *l;
	struct ir_op *op;
	struct ir_window_geometry geo;
	struct ir_nchw x, y;
	const struct ir_window *win;
	int64_t group, m;
	const float *w;			/* [m][c / group][kh][kw] */
	bool packed;
	bool has_bias;
	uint64_t bias;			/* column */
	struct block *blocks;
	size_t num_blocks;
	struct weight_group **loaded;	/* groups brought since the last time they were given up */
	size_t num_loaded, cap_loaded;
	struct band *band;		/* at hand */
	struct tile *tiles;		/* of the band at hand */
	size_t num_tiles;
};

/* First and last + 1 output position in [lo, hi) whose pixel under tap @k exists. */
static void clip(int64_t lo, int64_t hi, int64_t k, int64_t dilation, int64_t stride, int64_t pad,
		 int64_t in, int64_t *from, int64_t *to)
{
	int64_t shift = k * dilation - pad;	/* pixel = position * stride + shift */
	int64_t first = shift < 0 ? ceil_div(-shift, stride) : 0;
	int64_t last = in - 1 - shift < 0 ? -1 : (in - 1 - shift) / stride;

	*from = max64(lo, first);
	*to = min64(hi, last + 1);
}

/* Rows of the result that fill a PSUM bank. */
static int64_t tile_rows(const struct conv *c)
{
	if (c->win->stride[0] * c->x.w > INT16_MAX || c->y.w > INT16_MAX)
		return 1;
	return max64(1, BANK_FP32 / min64(c->y.w, BANK_FP32));
}

static void make_tiles(struct conv *c)
{
	const struct band *b = c->band;
	int64_t cols = min64(c->y.w, BANK_FP32), rows = min64(b->rows, tile_rows(c)), nn = 1;
	size_t n = 0, cap;

	/* Whole images together, unless their distance does not fit an access pattern. */
	if (rows == b->rows && cols == c->y.w && b->in.rows * c->x.w <= INT16_MAX &&
	    b->out.rows * c->y.w <= INT16_MAX)
		nn = min64(b->nn, BANK_FP32 / (rows * cols));
	cap = (size_t)(ceil_div(b->nn, nn) * ceil_div(b->rows, rows) * ceil_div(c->y.w, cols));
	c->tiles = cc_new_n(c->l->cc, struct tile, cap);
	for (int64_t i = b->n0; i < b->n0 + b->nn; i += nn)
		for (int64_t r = b->r0; r < b->r0 + b->rows; r += rows)
			for (int64_t x = 0; x < c->y.w; x += cols)
				c->tiles[n++] = (struct tile) {
					.n0 = i, .nn = min64(nn, b->n0 + b->nn - i),
					.r0 = r, .rows = min64(rows, b->r0 + b->rows - r),
					.c0 = x, .cols = min64(cols, c->y.w - x),
				};
	c->num_tiles = n;
}

/* Partitions of the stationary and moving operands in input block @kb. */
static int64_t step_parts(const struct conv *c, int64_t kb)
{
	return c->packed ? c->x.c * c->win->kernel[0] : block_parts(c->x.c, kb);
}

/* Weights of one step as the array takes them: [input row][output channel]. */
static uint8_t *stationary(const struct conv *c, const struct step *s, int64_t m0, int64_t mb)
{
	struct lower *l = c->l;
	int64_t rows = step_parts(c, s->kb), cg = c->x.c / c->group, mg = c->m / c->group;
	int64_t kh = c->win->kernel[0], kw = c->win->kernel[1];
	uint8_t *out = cc_calloc(l->cc, (size_t)(rows * mb), l->elem);

	for (int64_t r = 0; r < rows; r++) {
		/* Packed rows are [window row][channel]. */
		int64_t ch = c->packed ? r % c->x.c : s->kb * NCA_PARTITIONS + r;
		int64_t i = c->packed ? r / c->x.c : s->kh;

		for (int64_t k = 0; k < mb; k++) {
			int64_t m = m0 + k, within = ch - m / mg * cg;

			/* Channels of other groups have weight zero. */
			if (within < 0 || within >= cg)
				continue;
			lower_store_elem(l, out + (r * mb + k) * l->elem,
					 c->w[((m * cg + within) * kh + i) * kw + s->kw]);
		}
	}
	return out;
}

/* The products that make output channels [m0, m0 + mb); taps that no pixel is ever under are left
 * out. */
static struct step *make_steps(const struct conv *c, int64_t m0, int64_t mb, size_t *num)
{
	int64_t cg = c->x.c / c->group, mg = c->m / c->group;
	int64_t first = m0 / mg * cg / NCA_PARTITIONS;
	int64_t last = (((m0 + mb - 1) / mg + 1) * cg - 1) / NCA_PARTITIONS;
	int64_t kh = c->packed ? 1 : c->win->kernel[0], kw = c->win->kernel[1], lo, hi;
	struct step *steps =
		cc_new_n(c->l->cc, struct step, (size_t)((last - first + 1) * kh * kw));
	size_t n = 0;

	for (int64_t kb = first; kb <= last; kb++)
		for (int64_t i = 0; i < kh; i++)
			for (int64_t j = 0; j < kw; j++) {
				if (!c->packed) {
					clip(0, c->y.h, i, c->win->dilation[0], c->win->stride[0],
					     c->geo.pad_before[0], c->x.h, &lo, &hi);
					if (lo >= hi)
						continue;
				}
				clip(0, c->y.w, j, c->win->dilation[1], c->win->stride[1],
				     c->geo.pad_before[1], c->x.w, &lo, &hi);
				if (lo >= hi)
					continue;
				steps[n++] = (struct step) { .kb = kb, .kh = i, .kw = j };
			}
	*num = n;
	return steps;
}

/* The part of @t that tap (i, j) reaches; false if it reaches nothing. */
static bool tap_area(const struct conv *c, const struct tile *t, const struct step *s, int64_t *r0,
		     int64_t *r1, int64_t *c0, int64_t *c1)
{
	*r0 = t->r0;
	*r1 = t->r0 + t->rows;
	if (!c->packed)
		clip(t->r0, t->r0 + t->rows, s->kh, c->win->dilation[0], c->win->stride[0],
		     c->geo.pad_before[0], c->x.h, r0, r1);
	clip(t->c0, t->c0 + t->cols, s->kw, c->win->dilation[1], c->win->stride[1],
	     c->geo.pad_before[1], c->x.w, c0, c1);
	return *r0 < *r1 && *c0 < *c1;
}

static bool covers_tile(const struct conv *c, const struct tile *t, const struct step *s)
{
	int64_t r0, r1, c0, c1;

	return tap_area(c, t, s, &r0, &r1, &c0, &c1) && r1 - r0 == t->rows && c1 - c0 == t->cols;
}

static void multiply(struct conv *c, struct tile *t, const struct step *s, int64_t mb)
{
	const struct rows *in = &c->band->in;
	int64_t r0, r1, c0, c1, row, col, parts = step_parts(c, s->kb);
	struct mir_tile mov, acc;

	if (!tap_area(c, t, s, &r0, &r1, &c0, &c1))
		return;
	/* A packed copy has its tap's rows where the window starts. */
	row = r0 * c->win->stride[0];
	if (!c->packed)
		row += s->kh * c->win->dilation[0] - c->geo.pad_before[0];
	col = c0 * c->win->stride[1] + s->kw * c->win->dilation[1] - c->geo.pad_before[1];
	mov = mir_sbuf_tile(in->buf,
			    lower_rows_at(c->l, in, c->packed ? 0 : s->kb, t->n0, row, col),
			    c->l->dtype, parts);
	mov = mir_shape(mov, t->nn, r1 - r0, c1 - c0, in->rows * c->x.w, c->win->stride[0] * c->x.w,
			c->win->stride[1]);
	acc = mir_psum_tile(t->psum + (uint32_t)(((r0 - t->r0) * t->cols + c0 - t->c0) * 4),
			    NCA_FP32, mb);
	acc = mir_shape(acc, t->nn, r1 - r0, c1 - c0, t->rows * t->cols, t->cols, 1);
	mir_matmul(c->l->m, &acc, &mov, parts, mb, t->started);
	t->started = true;
}

/* If no tap covers the whole tile, the sum starts from zeros. */
static void start_tile(struct conv *c, struct tile *t, int64_t mb)
{
	struct mir_tile acc = mir_psum_tile(t->psum, NCA_FP32, mb);
	struct mir_ew zero = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_MEMSET, .dst = &acc,
			       .s0 = { .kind = MIR_S_IMM, .imm = 0.0f } };

	acc = mir_shape(acc, 1, 1, t->nn * t->rows * t->cols, 0, 0, 1);
	mir_elementwise(c->l->m, &zero);
	t->started = true;
}

/* The piece of SBUF that belongs to a tile of the result. */
static struct mir_tile tile_in(const struct conv *c, const struct rows *r, const struct tile *t,
			       int64_t m0, int64_t mb)
{
	struct mir_tile out = mir_sbuf_tile(
		r->buf, lower_rows_at(c->l, r, m0 / NCA_PARTITIONS, t->n0, t->r0, t->c0),
		c->l->dtype, mb);

	return mir_shape(out, t->nn, t->rows, t->cols, r->rows * c->y.w, c->y.w, 1);
}

/* PSUM to SBUF: bias, clamp, cast. */
static void write_out(struct conv *c, const struct mir_tile *out, const struct mir_tile *acc,
		      int64_t block, enum nca_engine engine)
{
	struct mir_scalar zero = { .kind = MIR_S_IMM, .imm = 0.0f }, bias = zero;
	struct mir_ew ew = { .engine = engine, .dst = out, .src0 = acc };
	bool relu = c->op->attr.relu;

	if (c->has_bias)
		bias = lower_column_scalar(c->l, c->bias + (uint64_t)block * 4);
	if (engine == NCA_ENGINE_SCALAR) {
		ew.opcode = NCA_OP_ACTIVATE;
		ew.func = relu ? NCA_FUNC_RELU : NCA_FUNC_IDENTITY;
		ew.s0 = (struct mir_scalar) { .kind = MIR_S_IMM, .imm = 1.0f };
		ew.s1 = bias;
	} else if (relu || c->has_bias) {
		ew.opcode = NCA_OP_TENSOR_SCALAR;
		ew.op0 = NCA_ALU_ADD;
		ew.s0 = bias;
		ew.op1 = relu ? NCA_ALU_MAX : NCA_ALU_NONE;
		ew.s1 = relu ? zero : (struct mir_scalar) { .kind = MIR_S_NONE };
	} else {
		ew.opcode = NCA_OP_COPY;
	}
	mir_elementwise(c->l->m, &ew);
}

static void finish_tile(struct conv *c, const struct tile *t, int64_t m0, int64_t mb)
{
	struct mir_tile acc = mir_psum_tile(t->psum, NCA_FP32, mb),
			out = tile_in(c, &c->band->out, t, m0, mb), res;
	enum nca_engine engine = mir_lighter_engine(c->l->m, (uint64_t)(t->nn * t->rows * t->cols));

	acc = mir_shape(acc, t->nn, t->rows, t->cols, t->rows * t->cols, t->cols, 1);
	if (c->band->residual.buf) {
		bool more = c->has_bias || c->op->attr.relu;
		struct mir_ew add = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_TENSOR_TENSOR,
				      .dst = more ? &acc : &out, .src0 = &acc, .src1 = &res,
				      .op0 = NCA_ALU_ADD };

		res = tile_in(c, &c->band->residual, t, m0, mb);
		mir_elementwise(c->l->m, &add);
		if (!more)
			return;
		/* The vector engine is busy with the residual; it has nothing to gain from the
		 * rest. */
		engine = NCA_ENGINE_SCALAR;
	}
	write_out(c, &out, &acc, m0 / NCA_PARTITIONS, engine);
}

/* The step's weights in SBUF: placed the first time, brought again if they have been given up. */
static void need_weights(struct conv *c, struct step *s, const struct block *b)
{
	if (!s->group) {
		s->group = lower_place_weights(c->l, stationary(c, s, b->m0, b->mb),
					       (uint64_t)step_parts(c, s->kb),
					       (uint64_t)b->mb * c->l->elem, &s->at);
		if (!c->num_loaded || c->loaded[c->num_loaded - 1] != s->group)
			*cc_push(c->l->cc, c->loaded, c->num_loaded, c->cap_loaded) = s->group;
		return;
	}
	for (size_t i = 0; i < c->num_loaded; i++)
		if (c->loaded[i] == s->group)
			return;
	lower_reload_weights(c->l, s->group);
	*cc_push(c->l->cc, c->loaded, c->num_loaded, c->cap_loaded) = s->group;
}

/* Put a step first that covers every tile of the group, if there is one. */
static void order_steps(const struct conv *c, struct step *steps, size_t num, size_t t0, size_t t1)
{
	for (size_t i = 0; i < num; i++) {
		struct step first = steps[i];
		bool all = true;

		for (size_t t = t0; t < t1 && all; t++)
			all = covers_tile(c, &c->tiles[t], &first);
		if (all) {
			memmove(&steps[1], &steps[0], i * sizeof(*steps));
			steps[0] = first;
			return;
		}
	}
}

/* All tiles of the band at hand, for one block of output channels. */
static void lower_block(struct conv *c, struct block *b)
{
	struct lower *l = c->l;
	/* Weights too large to stay are brought again for every group of tiles. */
	bool stay = b->bytes <= l->m->target->sbuf_bytes / 4;

	for (size_t t0 = 0; t0 < c->num_tiles; t0 += TILES_AT_ONCE) {
		size_t t1 = t0 + TILES_AT_ONCE < c->num_tiles ? t0 + TILES_AT_ONCE : c->num_tiles;

		order_steps(c, b->steps, b->num, t0, t1);
		if (!stay)
			c->num_loaded = 0;
		for (size_t t = t0; t < t1; t++) {
			c->tiles[t].psum = mir_psum(l->m, 1);
			c->tiles[t].started = false;
			if (!b->num || !covers_tile(c, &c->tiles[t], &b->steps[0]))
				start_tile(c, &c->tiles[t], b->mb);
		}
		for (size_t i = 0; i < b->num; i++) {
			struct step *s = &b->steps[i];
			struct mir_tile stat;

			need_weights(c, s, b);
			stat = mir_sbuf_tile(s->group->buf, s->at, l->dtype, step_parts(c, s->kb));
			stat = mir_shape(stat, 1, 1, b->mb, 0, 0, 1);
			mir_ldstat(l->m, &stat);
			for (size_t t = t0; t < t1; t++)
				multiply(c, &c->tiles[t], s, b->mb);
		}
		for (size_t t = t0; t < t1; t++)
			finish_tile(c, &c->tiles[t], b->m0, b->mb);
		mir_next_block(l->m);
	}
}

/* ---- bands ---- */

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

/*
 * Where the copies of a band come from. The image may be across the host link, which is slow:
 * unless it is tiny, it crosses once and is copied inside SBUF.
 */
struct source {
	struct dram_view dram;
	struct rows staged;	/* buf NULL: straight from @dram */
	int64_t stride[4];
};

static struct source packed_source(struct conv *c, const struct band *b)
{
	struct source src = { .dram = lower_in_dram(c->l, ir_in(c->op, IR_CONV_X)) };
	int64_t fs = nca_dtype_size(src.dram.dtype);

	lower_dense_strides(&c->x, fs, src.stride);
	src.staged = (struct rows) { .s = c->x, .ncb = 1, .n0 = b->n0, .nn = b->nn };
	rows_under(c, b->r0, b->rows, &src.staged.r0, &src.staged.rows);
	if (c->x.c * b->nn * src.staged.rows * c->x.w * fs > SMALL_INPUT_BYTES)
		lower_load_rows(c->l, &src.staged, &src.dram, src.stride, "input");
	return src;
}

/*
 * Copies of the band's rows, one per window row, each in partitions of its own and shifted so that
 * output row r needs buffer row r * stride in all of them. Rows outside the image are zero.
 */
static void bring_packed(struct conv *c, struct band *b)
{
	struct source from = packed_source(c, b);
	int64_t es = c->l->elem, w = c->x.w, taps = c->win->kernel[0], row_bytes = w * es;
	int64_t base = b->r0 * c->win->stride[0], head = 0, tail;
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
		int64_t first = max64(0, -shift), last = min64(in->rows, c->x.h - shift);
		struct mir_mem dst = { .buf = in->buf, .space = MIR_SBUF, .dtype = c->l->dtype,
				       .part = (uint8_t)(k * c->x.c),
				       .stride = { 1, in->rows * row_bytes, 0, es } };
		struct mir_mem src = { .buf = from.staged.buf, .space = MIR_SBUF,
				       .stride = { 1, from.staged.rows * row_bytes, 0, es } };
		int64_t size[4] = { c->x.c, in->nn, 1, (last - first) * w };
		bool cast = false;

		if (first >= last)
			continue;
		dst.offset = (uint64_t)(first * row_bytes);
		if (from.staged.buf) {
			src.offset = lower_rows_at(c->l, &from.staged, 0, in->n0, first + shift, 0);
		} else {
			src = lower_view_mem(&from.dram,
					     (uint64_t)(in->n0 * from.stride[0] +
							(first + shift) * from.stride[2]));
			src.stride[0] = from.stride[1];
			src.stride[1] = from.stride[0];
			src.stride[3] = from.stride[3];
			cast = from.dram.dtype != c->l->dtype;
		}
		mir_dma(c->l->m, NCA_ENGINE_SYNC, &dst, &src, size,
			cast ? nca_dtype_size(from.dram.dtype) : (uint16_t)es, cast, 0);
	}
}

static void bring_band(struct conv *c, struct band *b)
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
				.ncb = ceil_div(c->y.c, NCA_PARTITIONS),
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

static void make_blocks(struct conv *c)
{
	c->num_blocks = (size_t)ceil_div(c->m, NCA_PARTITIONS);
	c->blocks = cc_new_n(c->l->cc, struct block, c->num_blocks);
	for (size_t i = 0; i < c->num_blocks; i++) {
		struct block *b = &c->blocks[i];

		b->m0 = (int64_t)i * NCA_PARTITIONS;
		b->mb = min64(NCA_PARTITIONS, c->m - b->m0);
		b->steps = make_steps(c, b->m0, b->mb, &b->num);
		b->bytes = (uint64_t)b->num * (uint64_t)b->mb * c->l->elem;
	}
}

/*
 * Cut the work into bands that fit: some rows of an image, or several images. Returns false if
 * nothing has to be cut.
 */
static bool band_size(const struct conv *c, int64_t *images, int64_t *rows)
{
	struct ir_value *x = ir_in(c->op, IR_CONV_X), *res = ir_in(c->op, IR_CONV_RESIDUAL);
	int64_t limit = (int64_t)lower_band_bytes(c->l->m->target), es = c->l->elem;
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
	if (*rows > tile_rows(c))
		*rows -= *rows % tile_rows(c);
	*rows = max64(1, *rows);
	return true;
}

static void lower_band(struct conv *c, struct band *b, bool keep_weights)
{
	c->band = b;
	make_tiles(c);
	for (size_t i = 0; i < c->num_blocks; i++) {
		if (!keep_weights)
			c->num_loaded = 0;
		lower_block(c, &c->blocks[i]);
	}
	lower_finish_rows(c->l, c->op->out, &b->out);
}

static void lower_bands(struct conv *c)
{
	int64_t images, rows;
	bool cut = band_size(c, &images, &rows);
	size_t num = (size_t)(ceil_div(c->y.n, images) * ceil_div(c->y.h, rows)), at = 0;
	struct band *bands = cc_new_n(c->l->cc, struct band, num);
	uint64_t weights = 0;

	for (size_t i = 0; i < c->num_blocks; i++)
		weights += c->blocks[i].bytes;
	for (int64_t n = 0; n < c->y.n; n += images)
		for (int64_t r = 0; r < c->y.h; r += rows)
			bands[at++] = (struct band) { .n0 = n, .nn = min64(images, c->y.n - n),
						      .r0 = r, .rows = min64(rows, c->y.h - r) };
	/* The next band is brought while one is computed. */
	bring_band(c, &bands[0]);
	for (size_t i = 0; i < num; i++) {
		if (i + 1 < num)
			bring_band(c, &bands[i + 1]);
		lower_band(c, &bands[i], !cut || weights <= c->l->m->target->sbuf_bytes / 4);
	}
}

void lower_conv(struct lower *l, struct ir_op *op)
{
	struct ir_value *x = ir_in(op, IR_CONV_X), *bias = ir_in(op, IR_CONV_BIAS);
	struct conv c = { .l = l, .op = op, .win = &op->attr.window, .group = op->attr.group };

	if (!ir_is_const(ir_in(op, IR_CONV_W)) || (bias && !ir_is_const(bias)))
		ir_unsupported(l->g, op, "weights and bias must be constants");
	c.geo = ir_window_resolve(l->g, op);
	c.x = ir_value_nchw(x);
	c.y = ir_value_nchw(op->out);
	c.m = c.y.c;
	c.w = ir_in(op, IR_CONV_W)->data.f32;
	if (bias) {
		c.has_bias = true;
		c.bias = lower_column(l, bias);
	}
	c.packed = lower_conv_packs(op, !l->homes[x->id].sbuf);
	make_blocks(&c);
	lower_bands(&c);
}
