// SPDX-License-Identifier: MIT
/*
 * Convolution as products accumulated in PSUM: one product per window position ("tap") and block of
 * 128 input channels, each with an access pattern that picks the pixels under that tap. Where the tap
 * reaches over the edge, only the part of the tile that lies inside is computed, so nothing is padded.
 *
 * An input with few channels would leave most rows of the array idle. If it comes from device memory,
 * it is loaded once per window row, each copy shifted by a row into partitions of its own, and a tap
 * then covers a whole column of the window.
 */
#include <string.h>

#include "lower.h"

#define BANK_FP32 (NCA_PSUM_BANK_BYTES / 4)
#define TILES_AT_ONCE 4		/* half of PSUM: the other half is being emptied */
#define MAX_PACKED_CHANNELS 32

/* A piece of the result that fits one PSUM bank. */
struct tile {
	int64_t n0, nn, r0, rows, c0, cols;
	uint32_t psum;
	bool started;	/* something has been written to every element */
};

/* One product: which input block, which tap, and where its weights are. */
struct step {
	int64_t kb, kh, kw;
	struct mir_buf *buf;
	uint64_t at;
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
	struct mir_buf *in, *out, *residual;
	int64_t in_rows;		/* rows of an image in @in; y.h-related when packed */
	bool has_bias;
	uint64_t bias;			/* column */
	struct tile *tiles;
	size_t num_tiles;
};

/* First and last + 1 output position in [lo, hi) whose pixel under tap @k exists. */
static void clip(int64_t lo, int64_t hi, int64_t k, int64_t dilation, int64_t stride, int64_t pad, int64_t in,
		 int64_t *from, int64_t *to)
{
	int64_t shift = k * dilation - pad;	/* pixel = position * stride + shift */
	int64_t first = shift < 0 ? ceil_div(-shift, stride) : 0;
	int64_t last = in - 1 - shift < 0 ? -1 : (in - 1 - shift) / stride;

	*from = max64(lo, first);
	*to = min64(hi, last + 1);
}

static void make_tiles(struct conv *c)
{
	int64_t cols = min64(c->y.w, BANK_FP32), rows = min64(c->y.h, BANK_FP32 / cols), nn = 1;
	size_t n = 0, cap;

	if (c->win->stride[0] * c->x.w > INT16_MAX || c->y.w > INT16_MAX)
		rows = 1;
	/* Whole images together, unless their distance does not fit an access pattern. */
	if (rows == c->y.h && cols == c->y.w && c->in_rows * c->x.w <= INT16_MAX)
		nn = min64(c->y.n, BANK_FP32 / (rows * cols));
	cap = (size_t)(ceil_div(c->y.n, nn) * ceil_div(c->y.h, rows) * ceil_div(c->y.w, cols));
	c->tiles = cc_new_n(c->l->cc, struct tile, cap);
	for (int64_t b = 0; b < c->y.n; b += nn)
		for (int64_t r = 0; r < c->y.h; r += rows)
			for (int64_t x = 0; x < c->y.w; x += cols)
				c->tiles[n++] = (struct tile) {
					.n0 = b, .nn = min64(nn, c->y.n - b),
					.r0 = r, .rows = min64(rows, c->y.h - r),
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

/* The products that make output channels [m0, m0 + mb); taps that no pixel is ever under are left out. */
static struct step *make_steps(const struct conv *c, int64_t m0, int64_t mb, size_t *num)
{
	int64_t cg = c->x.c / c->group, mg = c->m / c->group;
	int64_t first = m0 / mg * cg / NCA_PARTITIONS;
	int64_t last = (((m0 + mb - 1) / mg + 1) * cg - 1) / NCA_PARTITIONS;
	int64_t kh = c->packed ? 1 : c->win->kernel[0], kw = c->win->kernel[1], lo, hi;
	struct step *steps = cc_new_n(c->l->cc, struct step, (size_t)((last - first + 1) * kh * kw));
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
static bool tap_area(const struct conv *c, const struct tile *t, const struct step *s, int64_t *r0, int64_t *r1,
		     int64_t *c0, int64_t *c1)
{
	*r0 = t->r0;
	*r1 = t->r0 + t->rows;
	if (!c->packed)
		clip(t->r0, t->r0 + t->rows, s->kh, c->win->dilation[0], c->win->stride[0],
		     c->geo.pad_before[0], c->x.h, r0, r1);
	clip(t->c0, t->c0 + t->cols, s->kw, c->win->dilation[1], c->win->stride[1], c->geo.pad_before[1], c->x.w,
	     c0, c1);
	return *r0 < *r1 && *c0 < *c1;
}

static bool covers_tile(const struct conv *c, const struct tile *t, const struct step *s)
{
	int64_t r0, r1, c0, c1;

	return tap_area(c, t, s, &r0, &r1, &c0, &c1) && r1 - r0 == t->rows && c1 - c0 == t->cols;
}

static void multiply(struct conv *c, struct tile *t, const struct step *s, int64_t mb)
{
	int64_t r0, r1, c0, c1, row, col, image = c->in_rows * c->x.w;
	struct mir_tile mov, acc;
	int64_t parts = step_parts(c, s->kb);

	if (!tap_area(c, t, s, &r0, &r1, &c0, &c1))
		return;
	row = r0 * c->win->stride[0];
	if (!c->packed)
		row += s->kh * c->win->dilation[0] - c->geo.pad_before[0];
	col = c0 * c->win->stride[1] + s->kw * c->win->dilation[1] - c->geo.pad_before[1];
	mov = mir_sbuf_tile(c->in, (uint64_t)((((c->packed ? 0 : s->kb) * c->x.n + t->n0) * image +
					       row * c->x.w + col) * c->l->elem), c->l->dtype, parts);
	mov = mir_shape(mov, t->nn, r1 - r0, c1 - c0, image, c->win->stride[0] * c->x.w, c->win->stride[1]);
	acc = mir_psum_tile(t->psum + (uint32_t)(((r0 - t->r0) * t->cols + c0 - t->c0) * 4), NCA_FP32, mb);
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

/* PSUM to SBUF: residual, bias, clamp, cast. */
static void finish_tile(struct conv *c, const struct tile *t, int64_t m0, int64_t mb)
{
	struct lower *l = c->l;
	int64_t plane = c->y.h * c->y.w, block = m0 / NCA_PARTITIONS;
	uint64_t at = (uint64_t)(((block * c->y.n + t->n0) * plane + t->r0 * c->y.w + t->c0) * l->elem);
	int64_t elements = t->nn * t->rows * t->cols;
	bool relu = c->op->attr.relu;
	struct mir_tile acc, out, res;
	enum nca_engine engine;
	struct mir_ew ew;

	acc = mir_shape(mir_psum_tile(t->psum, NCA_FP32, mb), t->nn, t->rows, t->cols, t->rows * t->cols,
			t->cols, 1);
	out = mir_shape(mir_sbuf_tile(c->out, at, l->dtype, mb), t->nn, t->rows, t->cols, plane, c->y.w, 1);
	if (c->residual) {
		res = out;
		res.buf = c->residual;
		ew = (struct mir_ew) { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_TENSOR_TENSOR,
				       .dst = c->has_bias || relu ? &acc : &out, .src0 = &acc, .src1 = &res,
				       .op0 = NCA_ALU_ADD };
		mir_elementwise(l->m, &ew);
		if (!c->has_bias && !relu)
			return;
	}
	/* The vector engine is busy with the residual; it has nothing to gain from the rest. */
	engine = c->residual ? NCA_ENGINE_SCALAR : mir_lighter_engine(l->m, (uint64_t)elements);
	if (engine == NCA_ENGINE_SCALAR) {
		ew = (struct mir_ew) { .engine = engine, .opcode = NCA_OP_ACTIVATE, .dst = &out, .src0 = &acc,
				       .func = relu ? NCA_FUNC_RELU : NCA_FUNC_IDENTITY,
				       .s0 = { .kind = MIR_S_IMM, .imm = 1.0f },
				       .s1 = { .kind = MIR_S_IMM, .imm = 0.0f } };
		if (c->has_bias)
			ew.s1 = lower_column_scalar(l, c->bias + (uint64_t)block * 4);
	} else {
		ew = (struct mir_ew) { .engine = engine, .opcode = NCA_OP_TENSOR_SCALAR, .dst = &out,
				       .src0 = &acc, .op0 = NCA_ALU_ADD,
				       .s0 = { .kind = MIR_S_IMM, .imm = 0.0f } };
		if (c->has_bias)
			ew.s0 = lower_column_scalar(l, c->bias + (uint64_t)block * 4);
		if (relu) {
			ew.op1 = NCA_ALU_MAX;
			ew.s1 = (struct mir_scalar) { .kind = MIR_S_IMM, .imm = 0.0f };
		}
		if (!relu && !c->has_bias)
			ew = (struct mir_ew) { .engine = engine, .opcode = NCA_OP_COPY, .dst = &out,
					       .src0 = &acc };
	}
	mir_elementwise(l->m, &ew);
}

static void place_step(struct conv *c, struct step *s, int64_t m0, int64_t mb)
{
	s->at = lower_place_weights(c->l, stationary(c, s, m0, mb), (uint64_t)step_parts(c, s->kb),
				    (uint64_t)mb * c->l->elem, &s->buf);
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

/* All tiles of output channels [m0, m0 + mb). */
static void lower_block(struct conv *c, int64_t m0, int64_t mb)
{
	struct lower *l = c->l;
	size_t num;
	struct step *steps = make_steps(c, m0, mb, &num);
	uint64_t bytes = (uint64_t)(num * (size_t)mb) * l->elem;
	/* Weights too large to stay are brought again for every group of tiles. */
	bool stay = bytes <= l->m->target->sbuf_bytes / 4;

	for (size_t i = 0; stay && i < num; i++)
		place_step(c, &steps[i], m0, mb);
	for (size_t t0 = 0; t0 < c->num_tiles; t0 += TILES_AT_ONCE) {
		size_t t1 = t0 + TILES_AT_ONCE < c->num_tiles ? t0 + TILES_AT_ONCE : c->num_tiles;

		order_steps(c, steps, num, t0, t1);
		for (size_t t = t0; t < t1; t++) {
			c->tiles[t].psum = mir_psum(l->m, 1);
			c->tiles[t].started = false;
			if (!num || !covers_tile(c, &c->tiles[t], &steps[0]))
				start_tile(c, &c->tiles[t], mb);
		}
		for (size_t i = 0; i < num; i++) {
			struct mir_tile stat;

			if (!stay) {
				mir_next_block(l->m);
				place_step(c, &steps[i], m0, mb);
			}
			stat = mir_shape(mir_sbuf_tile(steps[i].buf, steps[i].at, l->dtype,
						       step_parts(c, steps[i].kb)), 1, 1, mb, 0, 0, 1);
			mir_ldstat(l->m, &stat);
			for (size_t t = t0; t < t1; t++)
				multiply(c, &c->tiles[t], &steps[i], mb);
		}
		for (size_t t = t0; t < t1; t++)
			finish_tile(c, &c->tiles[t], m0, mb);
		mir_next_block(l->m);
	}
}

/*
 * Copies of the image, one per window row, each in partitions of its own and shifted so that output
 * row r needs buffer row r * stride in all of them. Rows outside the image are zero.
 */
static void load_packed(struct conv *c, const struct dram_view *from)
{
	struct lower *l = c->l;
	int64_t es = l->elem, fs = nca_dtype_size(from->dtype), w = c->x.w, plane = c->x.h * w;
	int64_t parts = c->x.c * c->win->kernel[0], lo = c->in_rows, hi = 0;

	c->in = mir_sbuf(l->m, (uint64_t)(c->x.n * c->in_rows * w * es), "packed input");
	/* Rows that every copy has from the image need no zeros. */
	for (int64_t k = 0; k < c->win->kernel[0]; k++) {
		int64_t shift = k * c->win->dilation[0] - c->geo.pad_before[0];

		hi = max64(hi, max64(0, -shift));
		lo = min64(lo, max64(0, c->x.h - shift));
	}
	for (int64_t n = 0; n < c->x.n; n++) {
		int64_t edge[2][2] = { { 0, min64(hi, c->in_rows) }, { max64(lo, 0), c->in_rows } };

		if (edge[0][1] >= edge[1][0])
			edge[0][1] = edge[1][0] = c->in_rows;
		for (int k = 0; k < 2; k++) {
			struct mir_tile t;
			struct mir_ew zero = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_MEMSET, .dst = &t,
					       .s0 = { .kind = MIR_S_IMM, .imm = 0.0f } };

			if (edge[k][0] >= edge[k][1])
				continue;
			t = mir_sbuf_tile(c->in, (uint64_t)((n * c->in_rows + edge[k][0]) * w * es), l->dtype,
					  parts);
			t = mir_shape(t, 1, edge[k][1] - edge[k][0], w, 0, w, 1);
			mir_elementwise(l->m, &zero);
		}
	}
	for (int64_t k = 0; k < c->win->kernel[0]; k++) {
		int64_t shift = k * c->win->dilation[0] - c->geo.pad_before[0];
		int64_t first = max64(0, -shift), last = min64(c->in_rows, c->x.h - shift);
		struct mir_mem dst = { .buf = c->in, .space = MIR_SBUF, .dtype = l->dtype,
				       .part = (uint8_t)(k * c->x.c) };
		struct mir_mem src = lower_view_mem(from, (uint64_t)((first + shift) * w * fs));
		int64_t size[4] = { c->x.c, c->x.n, 1, (last - first) * w };

		if (first >= last)
			continue;
		dst.offset = (uint64_t)(first * w * es);
		dst.stride[0] = 1;
		dst.stride[1] = c->in_rows * w * es;
		dst.stride[3] = es;
		src.stride[0] = plane * fs;
		src.stride[1] = c->x.c * plane * fs;
		src.stride[3] = fs;
		mir_dma(l->m, NCA_ENGINE_SYNC, &dst, &src, size, (uint16_t)fs, from->dtype != l->dtype);
	}
}

void lower_conv(struct lower *l, struct ir_op *op)
{
	struct ir_value *x = ir_in(op, IR_CONV_X), *res = ir_in(op, IR_CONV_RESIDUAL);
	struct ir_value *bias = ir_in(op, IR_CONV_BIAS);
	struct conv c = { .l = l, .op = op, .win = &op->attr.window, .group = op->attr.group };

	if (!ir_is_const(ir_in(op, IR_CONV_W)) || (bias && !ir_is_const(bias)))
		ir_unsupported(l->g, op, "weights and bias must be constants");
	c.geo = ir_window_resolve(l->g, op);
	c.x = ir_type_nchw(&x->type);
	c.y = ir_type_nchw(&op->out->type);
	c.m = c.y.c;
	c.w = ir_in(op, IR_CONV_W)->data.f32;
	c.in_rows = c.x.h;
	if (bias) {
		c.has_bias = true;
		c.bias = lower_column(l, bias);
	}
	c.packed = !l->homes[x->id].sbuf && !ir_is_const(x) && c.group == 1 && c.win->kernel[0] > 1 &&
		   c.x.c <= MAX_PACKED_CHANNELS && c.x.c * c.win->kernel[0] <= NCA_PARTITIONS;
	if (c.packed) {
		struct dram_view from = lower_in_dram(l, x);

		c.in_rows = (c.y.h - 1) * c.win->stride[0] + 1;
		load_packed(&c, &from);
	} else {
		c.in = lower_in_sbuf(l, x);
	}
	c.residual = res ? lower_in_sbuf(l, res) : NULL;
	c.out = lower_new_sbuf(l, op->out);
	make_tiles(&c);
	for (int64_t m0 = 0; m0 < c.m; m0 += NCA_PARTITIONS)
		lower_block(&c, m0, min64(NCA_PARTITIONS, c.m - m0));
}
