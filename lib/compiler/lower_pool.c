// SPDX-License-Identifier: MIT
/*
 * Pooling: one reduction over a window per output pixel, many pixels per instruction. Rows (and
 * columns) whose windows are cut off by the edge in the same way are done together; in a cut window
 * only the pixels inside are reduced, so maxima need no padding and averages know their count.
 */
#include "lower.h"

#define MAX_ELEMENTS 4096	/* pixels read per instruction, so that engines can take turns */

/* Output positions [lo, hi) whose windows see taps [first, first + taps). */
struct span {
	int64_t lo, hi, first, taps;
	int64_t counted;	/* taps that an average divides by */
};

static struct span *make_spans(struct cc *cc, const struct ir_window_geometry *geo, const struct ir_window *w,
			       int d, size_t *num)
{
	struct span *spans = cc_new_n(cc, struct span, (size_t)geo->out[d]);
	size_t n = 0;

	for (int64_t o = 0; o < geo->out[d]; o++) {
		int64_t start = o * w->stride[d] - geo->pad_before[d], dil = w->dilation[d];
		int64_t first = start < 0 ? ceil_div(-start, dil) : 0;
		int64_t end = min64(w->kernel[d], ceil_div(max64(geo->in[d] - start, 0), dil));
		/* Padding counts where it was declared, not where ceil_mode reaches beyond it. */
		int64_t padded = min64(w->kernel[d], ceil_div(geo->in[d] + geo->pad_after[d] - start, dil));
		struct span s = { o, o + 1, first, end - first, w->count_include_pad ? padded : end - first };

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
	struct mir_buf *sums;
	int64_t parts, cb, n;
};

static void scale(struct pool *p, const struct mir_tile *dst, const struct mir_tile *src, float factor)
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

/* Output rows [r, r + rows) and columns [c, c + cols) of one image: all their windows are cut alike. */
static void pool_area(struct pool *p, const struct span *rs, const struct span *cs, int64_t r, int64_t rows,
		      int64_t c, int64_t cols)
{
	const struct ir_window *w = &p->op->attr.window;
	struct lower *l = p->l;
	bool average = p->op->opcode == IR_AVG_POOL;
	int64_t y = r * w->stride[0] - p->geo.pad_before[0] + rs->first * w->dilation[0];
	int64_t x = c * w->stride[1] - p->geo.pad_before[1] + cs->first * w->dilation[1];
	struct mir_tile in = mir_sbuf_tile(p->in.buf, lower_rows_at(l, &p->in, p->cb, p->n, y, x), l->dtype, p->parts);
	struct mir_tile out = mir_sbuf_tile(p->out.buf, lower_rows_at(l, &p->out, p->cb, p->n, r, c), l->dtype,
					    p->parts);
	struct mir_tile sum = mir_sbuf_tile(p->sums, 0, NCA_FP32, p->parts);
	struct mir_ew ew = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_REDUCE,
			     .dst = average ? &sum : &out, .src0 = &in,
			     .op0 = average ? NCA_ALU_ADD : NCA_ALU_MAX, .param = 2 };

	in.size[0] = rows;
	in.size[1] = cols;
	in.size[2] = rs->taps;
	in.size[3] = cs->taps;
	in.stride[0] = rows > 1 ? w->stride[0] * p->x.w : 0;
	in.stride[1] = cols > 1 ? w->stride[1] : 0;
	in.stride[2] = rs->taps > 1 ? w->dilation[0] * p->x.w : 0;
	in.stride[3] = cs->taps > 1 ? w->dilation[1] : 1;
	out = mir_shape(out, 1, rows, cols, 0, p->y.w, 1);
	sum = mir_shape(sum, 1, rows, cols, 0, cols, 1);
	mir_elementwise(l->m, &ew);
	if (average)
		scale(p, &out, &sum, 1.0f / (float)(rs->counted * cs->counted));
}

/* Output rows [lo, hi) of a span, in pieces that one instruction can do. */
static void pool_span(struct pool *p, const struct span *rs, const struct span *cs, int64_t lo, int64_t hi)
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

			/* Sums are FP32 whatever the activations are: an average is rounded once. */
			if (p->op->opcode == IR_AVG_POOL)
				p->sums = mir_sbuf(p->l->m, (uint64_t)(nr * nc) * 4, "sums");
			pool_area(p, rs, cs, r, nr, c, nc);
		}
}

/* Output rows [r, r + rows) of one image and channel block. */
static void pool_rows(struct pool *p, const struct span *rs, size_t num_rs, const struct span *cs, size_t num_cs,
		      int64_t r, int64_t rows)
{
	for (size_t i = 0; i < num_rs; i++) {
		int64_t lo = max64(rs[i].lo, r), hi = min64(rs[i].hi, r + rows);

		for (size_t j = 0; lo < hi && j < num_cs; j++)
			pool_span(p, &rs[i], &cs[j], lo, hi);
	}
}

static void bring(struct pool *p, int64_t r, int64_t rows)
{
	const struct ir_window *w = &p->op->attr.window;
	int64_t lo = max64(0, r * w->stride[0] - p->geo.pad_before[0]);
	int64_t hi = min64(p->x.h, (r + rows - 1) * w->stride[0] - p->geo.pad_before[0] + p->geo.reach[0]);

	mir_next_block(p->l->m);
	p->in = (struct rows) { .s = p->x, .cb0 = p->cb, .ncb = 1, .n0 = p->n, .nn = 1, .r0 = lo, .rows = hi - lo };
	lower_operand_rows(p->l, ir_in(p->op, 0), &p->in);
	p->out = (struct rows) { .s = p->y, .cb0 = p->cb, .ncb = 1, .n0 = p->n, .nn = 1, .r0 = r, .rows = rows };
	lower_result_rows(p->l, p->op->out, &p->out);
}

void lower_pool(struct lower *l, struct ir_op *op)
{
	const struct ir_window *w = &op->attr.window;
	struct ir_value *x = ir_in(op, 0);
	struct pool p = { .l = l, .op = op };
	struct span *rows, *cols;
	size_t num_rows, num_cols;
	int64_t step, limit;

	p.geo = ir_window_resolve(l->g, op);
	p.x = ir_type_nchw(&x->type);
	p.y = ir_type_nchw(&op->out->type);
	if (w->dilation[0] * p.x.w > INT16_MAX || w->stride[1] > INT16_MAX || w->dilation[1] > INT16_MAX ||
	    w->kernel[0] > UINT16_MAX || w->kernel[1] > UINT16_MAX)
		ir_unsupported(l->g, op, "the window's strides in memory exceed an access pattern");
	rows = make_spans(l->cc, &p.geo, w, 0, &num_rows);
	cols = make_spans(l->cc, &p.geo, w, 1, &num_cols);
	step = p.y.h;
	if (lower_is_banded(l, x) || lower_is_banded(l, op->out)) {
		limit = (int64_t)lower_band_bytes(l->m->target) / (p.x.w * l->elem);
		step = limit > p.geo.reach[0] ? min64(p.y.h, (limit - p.geo.reach[0]) / w->stride[0] + 1) : 1;
	}
	for (p.cb = 0; p.cb * NCA_PARTITIONS < p.x.c; p.cb++) {
		p.parts = block_parts(p.x.c, p.cb);
		for (p.n = 0; p.n < p.x.n; p.n++)
			for (int64_t r = 0; r < p.y.h; r += step) {
				bring(&p, r, min64(step, p.y.h - r));
				pool_rows(&p, rows, num_rows, cols, num_cols, r, min64(step, p.y.h - r));
				lower_finish_rows(l, op->out, &p.out);
			}
	}
}
