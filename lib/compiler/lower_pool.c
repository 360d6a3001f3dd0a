// SPDX-License-Identifier: MIT
/*
 * Pooling: one reduction over a window per output pixel, many pixels per instruction. Rows (and
 * columns) whose windows are cut off by the edge in the same way are done together; in a cut window
 * only the pixels inside are reduced, so maxima need no padding and averages know their count.
 */
#include "lower.h"

#define MAX_TAPS     16384 /* of one window per instruction; an access pattern has at most 65536 */
#define MAX_ELEMENTS 4096	/* pixels read per instruction, so that engines can take turns */

/* Output positions [lo, hi) whose windows see taps [first, first + taps). */
struct span {
	int64_t lo, hi, first, taps;
	int64_t counted;	/* taps that an average divides by */
};

static struct span *make_spans(struct cc *cc, const struct ir_window_geometry *geo,
			       const struct ir_window *w, int d, size_t *num)
{
	struct span *spans = cc_new_n(cc, struct span, (size_t)geo->out[d]);
	size_t n = 0;

	for (int64_t o = 0; o < geo->out[d]; o++) {
		int64_t start = o * w->stride[d] - geo->pad_before[d], dil = w->dilation[d];
		int64_t first = start < 0 ? ceil_div(-start, dil) : 0;
		int64_t end = min64(w->kernel[d], ceil_div(max64(geo->in[d] - start, 0), dil));
		/* Padding counts where it was declared, not where ceil_mode reaches beyond it. */
		int64_t padded =
			min64(w->kernel[d], ceil_div(geo->in[d] + geo->pad_after[d] - start, dil));
		struct span s = { o, o + 1, first, end - first,
				  w->count_include_pad ? padded : end - first };

		if (n && spans[n - 1].first == s.first && spans[n - 1].taps == s.taps &&
		    spans[n - 1].counted == s.counted)
			spans[n - 1].hi++;
		else
			spans[n++] = s;
	}
	*num = n;
	return spans;
}

struct pool {
	struct lower *l;
	struct ir_op *op;
	struct ir_window_geometry geo;
	struct ir_nchw x, y;
	struct rows in, out;		/* the rows at hand */
	struct mir_buf *sums; /* of an average: FP32, [rows][sum_cols] from (sum_r, sum_c) on */
	int64_t sum_r, sum_c, sum_cols;
	int64_t parts, cb, n;
};

/* Rows of a window that are reduced at once; the last part completes the result. */
struct part {
	int64_t first, taps;
	bool last;
};

static void scale(struct pool *p, const struct mir_tile *dst, const struct mir_tile *src,
		  float factor)
{
	struct lower *l = p->l;
	uint64_t n = (uint64_t)(dst->size[2] * dst->size[3]);
	struct mir_ew ew = { .engine = mir_lighter_engine(l->m, n), .dst = dst, .src0 = src };

	if (ew.engine == NCA_ENGINE_SCALAR) {
		ew.opcode = NCA_OP_ACTIVATE;
		ew.func = NCA_FUNC_IDENTITY;
		ew.s1 = (struct mir_scalar) { .kind = MIR_S_IMM, .imm = 0.0f };
	} else {
		ew.opcode = NCA_OP_TENSOR_SCALAR;
		ew.op0 = NCA_ALU_MUL;
	}
	ew.s0 = (struct mir_scalar) { .kind = MIR_S_IMM, .imm = factor };
	mir_elementwise(l->m, &ew);
}

/* Output rows [r, r + rows) and columns [c, c + cols) of one image: all their windows are cut
 * alike. */
static void pool_area(struct pool *p, const struct span *rs, const struct span *cs,
		      const struct part *part, int64_t r, int64_t rows, int64_t c, int64_t cols)
{
	const struct ir_window *w = &p->op->attr.window;
	struct lower *l = p->l;
	bool average = p->op->opcode == IR_AVG_POOL;
	int64_t y = r * w->stride[0] - p->geo.pad_before[0] + rs->first * w->dilation[0];
	int64_t x = c * w->stride[1] - p->geo.pad_before[1] + cs->first * w->dilation[1];
	int64_t tap_cols = min64(cs->taps, MAX_TAPS),
		tap_rows = max64(1, min64(part->taps, MAX_TAPS / tap_cols));
	struct mir_tile out = mir_sbuf_tile(
		p->out.buf, lower_rows_at(l, &p->out, p->cb, p->n, r, c), l->dtype, p->parts);
	struct mir_tile sum = mir_sbuf_tile(
				p->sums,
				(uint64_t)((r - p->sum_r) * p->sum_cols + c - p->sum_c) * 4,
				NCA_FP32, p->parts),
			in;
	struct mir_ew ew = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_REDUCE,
			     .dst = average ? &sum : &out, .src0 = &in,
			     .op0 = average ? NCA_ALU_ADD : NCA_ALU_MAX, .param = 2,
			     .flags = part->first ? NCA_F_ACC_REDUCE : 0 };

	out = mir_shape(out, 1, rows, cols, 0, p->y.w, 1);
	sum = mir_shape(sum, 1, rows, cols, 0, p->sum_cols, 1);
	/* A large window is reduced in pieces, each added to what the last one left. */
	for (int64_t i = part->first; i < part->first + part->taps; i += tap_rows)
		for (int64_t j = 0; j < cs->taps; j += tap_cols) {
			in = mir_sbuf_tile(p->in.buf,
					   lower_rows_at(l, &p->in, p->cb, p->n,
							 y + i * w->dilation[0],
							 x + j * w->dilation[1]),
					   l->dtype, p->parts);
			in.size[0] = rows;
			in.size[1] = cols;
			in.size[2] = min64(tap_rows, part->first + part->taps - i);
			in.size[3] = min64(tap_cols, cs->taps - j);
			in.stride[0] = rows > 1 ? w->stride[0] * p->x.w : 0;
			in.stride[1] = cols > 1 ? w->stride[1] : 0;
			in.stride[2] = in.size[2] > 1 ? w->dilation[0] * p->x.w : 0;
			in.stride[3] = in.size[3] > 1 ? w->dilation[1] : 1;
			mir_elementwise(l->m, &ew);
			ew.flags = NCA_F_ACC_REDUCE;
		}
	if (average && part->last)
		scale(p, &out, &sum, 1.0f / (float)(rs->counted * cs->counted));
}

/* Sums are FP32 whatever the activations are: an average is rounded once. */
static void new_sums(struct pool *p, int64_t r, int64_t rows, int64_t c, int64_t cols)
{
	p->sum_r = r;
	p->sum_c = c;
	p->sum_cols = cols;
	if (p->op->opcode == IR_AVG_POOL)
		p->sums = mir_sbuf(p->l->m, (uint64_t)(rows * cols) * 4, "sums");
}

/* Output rows [lo, hi) of a span, in pieces that one instruction can do. */
static void pool_span(struct pool *p, const struct span *rs, const struct span *cs, int64_t lo,
		      int64_t hi)
{
	const struct ir_window *w = &p->op->attr.window;
	int64_t taps = rs->taps * cs->taps;
	int64_t cols = max64(1, min64(cs->hi - cs->lo, MAX_ELEMENTS / taps));
	int64_t rows = max64(1, min64(hi - lo, MAX_ELEMENTS / taps / cols));

	if (w->stride[0] * p->x.w > INT16_MAX || p->y.w > INT16_MAX)
		rows = 1;
	for (int64_t r = lo; r < hi; r += rows)
		for (int64_t c = cs->lo; c < cs->hi; c += cols) {
			int64_t nr = min64(rows, hi - r), nc = min64(cols, cs->hi - c);
			struct part all = { .taps = rs->taps, .last = true };

			new_sums(p, r, nr, c, nc);
			pool_area(p, rs, cs, &all, r, nr, c, nc);
		}
}

/* Output rows [r, r + rows) of one image and channel block. */
static void pool_rows(struct pool *p, const struct span *rs, size_t num_rs, const struct span *cs,
		      size_t num_cs, int64_t r, int64_t rows)
{
	const struct ir_window *w = &p->op->attr.window;

	for (size_t i = 0; i < num_rs; i++) {
		int64_t lo = max64(rs[i].lo, r), hi = min64(rs[i].hi, r + rows), step;

		/* All columns of some rows before the next: what made them may still be at work. */
		step = max64(1, MAX_ELEMENTS / (w->kernel[0] * w->kernel[1] * p->y.w));
		for (; lo < hi; lo += step)
			for (size_t j = 0; j < num_cs; j++)
				pool_span(p, &rs[i], &cs[j], lo, min64(hi, lo + step));
	}
}

/* Input rows [lo, hi), as far as they exist, of the image and channel block at hand. */
static void bring_in(struct pool *p, int64_t lo, int64_t hi)
{
	lo = max64(0, lo);
	hi = min64(p->x.h, hi);
	mir_next_block(p->l->m);
	p->in = (struct rows){
		.s = p->x, .cb0 = p->cb, .ncb = 1, .n0 = p->n, .nn = 1, .r0 = lo, .rows = hi - lo
	};
	lower_operand_rows(p->l, ir_in(p->op, 0), &p->in);
}

static void new_out(struct pool *p, int64_t r, int64_t rows)
{
	p->out = (struct rows){
		.s = p->y, .cb0 = p->cb, .ncb = 1, .n0 = p->n, .nn = 1, .r0 = r, .rows = rows
	};
	lower_result_rows(p->l, p->op->out, &p->out);
}

/* One output row whose windows are too tall to be in SBUF at once: @fit rows of the input at a
 * time. */
static void pool_tall(struct pool *p, const struct span *rs, const struct span *cs, size_t num_cs,
		      int64_t r, int64_t fit)
{
	const struct ir_window *w = &p->op->attr.window;
	int64_t top = r * w->stride[0] - p->geo.pad_before[0] + rs->first * w->dilation[0];
	int64_t taps = max64(1, (fit - 1) / w->dilation[0] + 1);

	new_out(p, r, 1);
	new_sums(p, r, 1, 0, p->y.w);
	for (int64_t t = 0; t < rs->taps; t += taps) {
		struct part part = { .first = t,
				     .taps = min64(taps, rs->taps - t),
				     .last = t + taps >= rs->taps };

		bring_in(p, top + t * w->dilation[0],
			 top + (t + part.taps - 1) * w->dilation[0] + 1);
		for (size_t j = 0; j < num_cs; j++) {
			int64_t cols = max64(1, MAX_ELEMENTS / (part.taps * cs[j].taps));

			for (int64_t c = cs[j].lo; c < cs[j].hi; c += cols)
				pool_area(p, rs, &cs[j], &part, r, 1, c, min64(cols, cs[j].hi - c));
		}
	}
	lower_finish_rows(p->l, p->op->out, &p->out);
}

/* One image and channel block, @fit input rows at a time; 0: all of them. */
static void pool_image(struct pool *p, const struct span *rs, size_t num_rs, const struct span *cs,
		       size_t num_cs, int64_t fit)
{
	const struct ir_window *w = &p->op->attr.window;
	int64_t step = p->y.h;

	if (fit && fit < p->geo.reach[0]) {
		for (size_t i = 0; i < num_rs; i++)
			for (int64_t r = rs[i].lo; r < rs[i].hi; r++)
				pool_tall(p, &rs[i], cs, num_cs, r, fit);
		return;
	}
	if (fit)
		step = min64(step, (fit - p->geo.reach[0]) / w->stride[0] + 1);
	for (int64_t r = 0; r < p->y.h; r += step) {
		int64_t rows = min64(step, p->y.h - r),
			top = r * w->stride[0] - p->geo.pad_before[0];

		bring_in(p, top, top + (rows - 1) * w->stride[0] + p->geo.reach[0]);
		new_out(p, r, rows);
		pool_rows(p, rs, num_rs, cs, num_cs, r, rows);
		lower_finish_rows(p->l, p->op->out, &p->out);
	}
}

/*
 * Windows over the whole image: one pixel for each image and channel block, many of them in one
 * instruction. False if access patterns do not reach.
 */
static bool pool_whole(struct pool *p, const struct span *rs, const struct span *cs)
{
	const struct ir_window *w = &p->op->attr.window;
	struct lower *l = p->l;
	bool average = p->op->opcode == IR_AVG_POOL;
	int64_t pixels = p->x.h * p->x.w, images = p->x.n, parts, step;
	int64_t blocks = ceil_div(p->x.c, NCA_PARTITIONS);
	struct mir_buf *sums;

	if (rs->taps * cs->taps > MAX_ELEMENTS || images * pixels > INT16_MAX)
		return false;
	bring_in(p, 0, p->x.h);
	new_out(p, 0, 1);
	sums = mir_sbuf(l->m, (uint64_t)(blocks * images) * 4, "sums");
	for (int64_t cb = 0; cb < blocks; cb += step) {
		parts = block_parts(p->x.c, cb);
		step = max64(1, MAX_ELEMENTS / (images * rs->taps * cs->taps));
		/* The last block may have fewer partitions. */
		step = min64(step, parts < NCA_PARTITIONS ? 1 : p->x.c / NCA_PARTITIONS - cb);
		for (int64_t n = 0, num; n < images; n += num) {
			struct mir_tile in, sum, out;
			struct mir_ew ew = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_REDUCE,
					     .dst = average ? &sum : &out, .src0 = &in, .param = 2,
					     .op0 = average ? NCA_ALU_ADD : NCA_ALU_MAX };

			num = step > 1 ? images :
			      min64(images - n, max64(1, MAX_ELEMENTS / (rs->taps * cs->taps)));
			in = mir_sbuf_tile(p->in.buf,
					   lower_rows_at(l, &p->in, cb, n, rs->first * w->dilation[0] -
							 p->geo.pad_before[0],
							 cs->first * w->dilation[1] -
							 p->geo.pad_before[1]),
					   l->dtype, parts);
			sum = mir_shape(mir_sbuf_tile(sums, (uint64_t)(cb * images + n) * 4, NCA_FP32, parts),
					1, 1, step * num, 0, 0, 1);
			out = mir_shape(mir_sbuf_tile(p->out.buf, lower_rows_at(l, &p->out, cb, n, 0, 0),
						      l->dtype, parts), 1, 1, step * num, 0, 0, 1);
			in.size[0] = step;
			in.size[1] = num;
			in.size[2] = rs->taps;
			in.size[3] = cs->taps;
			in.stride[0] = step > 1 ? images * pixels : 0;
			in.stride[1] = num > 1 ? pixels : 0;
			in.stride[2] = rs->taps > 1 ? w->dilation[0] * p->x.w : 0;
			in.stride[3] = cs->taps > 1 ? w->dilation[1] : 1;
			mir_elementwise(l->m, &ew);
			if (average)
				scale(p, &out, &sum, 1.0f / (float)(rs->counted * cs->counted));
		}
	}
	lower_finish_rows(l, p->op->out, &p->out);
	return true;
}

void lower_pool(struct lower *l, struct ir_op *op)
{
	const struct ir_window *w = &op->attr.window;
	struct ir_value *x = ir_in(op, 0);
	struct pool p = { .l = l, .op = op };
	struct span *rows, *cols;
	size_t num_rows, num_cols;
	int64_t fit = 0;

	p.geo = ir_window_resolve(l->g, op);
	p.x = ir_value_nchw(x);
	p.y = ir_value_nchw(op->out);
	if (w->dilation[0] * p.x.w > INT16_MAX || w->stride[1] > INT16_MAX ||
	    w->dilation[1] > INT16_MAX || w->kernel[0] > UINT16_MAX || w->kernel[1] > UINT16_MAX)
		ir_unsupported(l->g, op, "the window's strides in memory exceed an access pattern");
	rows = make_spans(l->cc, &p.geo, w, 0, &num_rows);
	cols = make_spans(l->cc, &p.geo, w, 1, &num_cols);
	if (lower_is_banded(l, x) || lower_is_banded(l, op->out))
		fit = max64(1, (int64_t)lower_band_bytes(l->m->target) / (p.x.w * l->elem));
	if (p.y.h == 1 && p.y.w == 1 && !fit && pool_whole(&p, rows, cols))
		return;
	for (p.cb = 0; p.cb * NCA_PARTITIONS < p.x.c; p.cb++) {
		p.parts = block_parts(p.x.c, p.cb);
		for (p.n = 0; p.n < p.x.n; p.n++)
			pool_image(&p, rows, num_rows, cols, num_cols, fit);
	}
}
