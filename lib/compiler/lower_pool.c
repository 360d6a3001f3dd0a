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
	struct mir_buf *in, *out, *sums;
	int64_t parts;
	uint64_t in_at, out_at;		/* of the image at hand */
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
	int64_t es = l->elem;
	int64_t y = r * w->stride[0] - p->geo.pad_before[0] + rs->first * w->dilation[0];
	int64_t x = c * w->stride[1] - p->geo.pad_before[1] + cs->first * w->dilation[1];
	struct mir_tile in = mir_sbuf_tile(p->in, p->in_at + (uint64_t)((y * p->x.w + x) * es), l->dtype, p->parts);
	struct mir_tile out = mir_sbuf_tile(p->out, p->out_at + (uint64_t)((r * p->y.w + c) * es), l->dtype,
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

/* Sums of one area, FP32 whatever the activations are, so that an average is rounded once. */
static void pool_span(struct pool *p, const struct span *rs, const struct span *cs)
{
	const struct ir_window *w = &p->op->attr.window;
	int64_t taps = rs->taps * cs->taps;
	int64_t cols = max64(1, min64(cs->hi - cs->lo, MAX_ELEMENTS / taps));
	int64_t rows = max64(1, min64(rs->hi - rs->lo, MAX_ELEMENTS / taps / cols));

	if (w->stride[0] * p->x.w > INT16_MAX || p->y.w > INT16_MAX)
		rows = 1;
	for (int64_t r = rs->lo; r < rs->hi; r += rows)
		for (int64_t c = cs->lo; c < cs->hi; c += cols) {
			int64_t nr = min64(rows, rs->hi - r), nc = min64(cols, cs->hi - c);

			if (p->op->opcode == IR_AVG_POOL)
				p->sums = mir_sbuf(p->l->m, (uint64_t)(nr * nc) * 4, "sums");
			pool_area(p, rs, cs, r, nr, c, nc);
		}
}

void lower_pool(struct lower *l, struct ir_op *op)
{
	const struct ir_window *w = &op->attr.window;
	struct ir_value *x = ir_in(op, 0);
	struct pool p = { .l = l, .op = op };
	struct span *rows, *cols;
	size_t num_rows, num_cols;

	p.geo = ir_window_resolve(l->g, op);
	p.x = ir_type_nchw(&x->type);
	p.y = ir_type_nchw(&op->out->type);
	if (w->dilation[0] * p.x.w > INT16_MAX || w->stride[1] > INT16_MAX || w->dilation[1] > INT16_MAX ||
	    w->kernel[0] > UINT16_MAX || w->kernel[1] > UINT16_MAX)
		ir_unsupported(l->g, op, "the window's strides in memory exceed an access pattern");
	rows = make_spans(l->cc, &p.geo, w, 0, &num_rows);
	cols = make_spans(l->cc, &p.geo, w, 1, &num_cols);
	p.in = lower_in_sbuf(l, x);
	p.out = lower_new_sbuf(l, op->out);
	for (int64_t cb = 0; cb * NCA_PARTITIONS < p.x.c; cb++) {
		p.parts = block_parts(p.x.c, cb);
		for (int64_t n = 0; n < p.x.n; n++) {
			p.in_at = (uint64_t)((cb * p.x.n + n) * p.x.h * p.x.w * l->elem);
			p.out_at = (uint64_t)((cb * p.x.n + n) * p.y.h * p.y.w * l->elem);
			for (size_t i = 0; i < num_rows; i++)
				for (size_t j = 0; j < num_cols; j++)
					pool_span(&p, &rows[i], &cols[j]);
		}
	}
}
