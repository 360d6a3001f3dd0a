// SPDX-License-Identifier: MIT
/*
 * Transpositions through SBUF. Neighbours of the source lie along dimension a, neighbours of the
 * destination along dimension b. Rows along a come to partitions that stand for b; the tensor engine
 * turns blocks of 128 x 128, and rows along b leave from partitions that stand for a.
 * Where one of the two dimensions is short, rows would be short, too: then each partition gets a
 * stretch of the long one with all of the short one, and an engine reorders it in place.
 */
#include "ir_move.h"
#include "lower.h"

#define LEAST_ELEMENTS 512	/* fewer are moved sooner one by one */
#define SHORT 32		/* a dimension is short */
#define STRETCH 4096		/* elements per partition */
#define ROW 512			/* elements of a row */

struct turn {
	struct lower *l;
	const struct dram_view *to, *from;
	int64_t es, ed;			/* bytes of an element there; in SBUF it is that of @to */
	int64_t a, b;			/* sizes */
	int64_t a_dst, b_src;		/* strides in elements; a_src = b_dst = 1 */
};

/* [parts][rows][len] between device memory and a buffer that holds it densely. */
static void transfer(const struct turn *t, struct mir_buf *buf, bool load, uint64_t at,
		     int64_t parts, int64_t part_step, int64_t rows, int64_t row_step, int64_t len)
{
	const struct dram_view *view = load ? t->from : t->to;
	bool dense = row_step == len;
	int64_t e = load ? t->es : t->ed;
	int64_t size[4] = { parts, 1, dense ? 1 : rows, dense ? rows * len : len };
	struct mir_mem sbuf = { .buf = buf, .space = MIR_SBUF, .dtype = t->to->dtype,
				.stride = { 1, 0, len * t->ed, t->ed } };
	struct mir_mem mem = lower_view_mem(view, at * (uint64_t)e);

	mem.stride[0] = part_step * e;
	mem.stride[2] = row_step * e;
	mem.stride[3] = e;
	mir_dma(t->l->m, load ? NCA_ENGINE_SYNC : mir_store_engine(t->l->m), load ? &sbuf : &mem,
		load ? &mem : &sbuf, size, (uint16_t)(load ? e : t->ed),
		load && view->dtype != t->to->dtype, 0);
}

static void copy_tile(const struct turn *t, const struct mir_tile *dst, const struct mir_tile *src)
{
	uint64_t n = (uint64_t)(dst->size[1] * dst->size[2] * dst->size[3]);
	struct mir_ew copy = { .engine = mir_lighter_engine(t->l->m, n), .opcode = NCA_OP_COPY,
			       .dst = dst, .src0 = src };

	mir_elementwise(t->l->m, &copy);
}

/* dst[y][x] = src[x][y] in each of @parts partitions. */
static void reorder(const struct turn *t, struct mir_buf *to, struct mir_buf *from, int64_t parts,
		    int64_t y, int64_t x)
{
	struct mir_tile dst = mir_shape(mir_sbuf_tile(to, 0, t->to->dtype, parts), 1, y, x, 0, x, 1);
	struct mir_tile src = mir_shape(mir_sbuf_tile(from, 0, t->to->dtype, parts), 1, y, x, 0, 1,
					y);

	copy_tile(t, &dst, &src);
}

/* A stretch of @len of the long dimension, @parts times, from its element @at on. */
static void short_stretch(const struct turn *t, uint64_t src, uint64_t dst, int64_t at,
			  int64_t parts, int64_t len)
{
	bool b_short = t->b <= t->a;
	int64_t other = b_short ? t->b : t->a;
	uint64_t bytes = (uint64_t)(len * other * t->ed);
	struct mir_buf *in = mir_sbuf(t->l->m, bytes, "transposed");
	struct mir_buf *out = mir_sbuf(t->l->m, bytes, "transposed");

	mir_next_block(t->l->m);
	if (b_short) {
		transfer(t, in, true, src + (uint64_t)at, parts, len, t->b, t->b_src, len);
		reorder(t, out, in, parts, len, t->b);
		transfer(t, out, false, dst + (uint64_t)(at * t->a_dst), parts, len * t->a_dst, len,
			 t->a_dst, t->b);
	} else {
		transfer(t, in, true, src + (uint64_t)(at * t->b_src), parts, len * t->b_src, len,
			 t->b_src, t->a);
		reorder(t, out, in, parts, t->a, len);
		transfer(t, out, false, dst + (uint64_t)at, parts, len, t->a, t->a_dst, len);
	}
}

static void turn_short(const struct turn *t, uint64_t src, uint64_t dst)
{
	int64_t n = max64(t->a, t->b), most = STRETCH / min64(t->a, t->b);

	for (int64_t at = 0; at < n;) {
		int64_t len = min64(most, ceil_div(n - at, NCA_PARTITIONS));
		int64_t parts = min64(NCA_PARTITIONS, (n - at) / len);

		short_stretch(t, src, dst, at, parts, len);
		at += parts * len;
	}
}

/* Blocks of 128 along b side by side in one bank, then one row each for up to 128 along a. */
static void turn_column(const struct turn *t, struct mir_buf *const *in, uint64_t dst, int64_t a0,
			int64_t first, int64_t bn)
{
	int64_t an = min64(NCA_PARTITIONS, t->a - first - a0);
	uint32_t bank = mir_psum(t->l->m, 1);
	struct mir_buf *out = mir_sbuf(t->l->m, (uint64_t)(bn * t->ed), "transposed");
	struct mir_tile from = mir_psum_tile(bank, t->to->dtype, an), to;

	for (int64_t k = 0; k * NCA_PARTITIONS < bn; k++) {
		int64_t parts = min64(NCA_PARTITIONS, bn - k * NCA_PARTITIONS);
		struct mir_tile src = mir_sbuf_tile(in[k], (uint64_t)(a0 * t->ed), t->to->dtype,
						    parts);
		struct mir_tile psum = mir_psum_tile(
			bank + (uint32_t)(k * NCA_PARTITIONS * t->ed), t->to->dtype, an);

		src = mir_shape(src, 1, 1, an, 0, 0, 1);
		psum = mir_shape(psum, 1, 1, parts, 0, 0, 1);
		mir_transpose(t->l->m, &psum, &src);
	}
	from = mir_shape(from, 1, 1, bn, 0, 0, 1);
	to = mir_shape(mir_sbuf_tile(out, 0, t->to->dtype, an), 1, 1, bn, 0, 0, 1);
	copy_tile(t, &to, &from);
	transfer(t, out, false, dst + (uint64_t)((first + a0) * t->a_dst), an, t->a_dst, 1, 0, bn);
}

static void turn_blocks(const struct turn *t, uint64_t src, uint64_t dst)
{
	int64_t row = min64(ROW, NCA_PSUM_BANK_BYTES / t->ed);
	struct mir_buf *in[ROW / NCA_PARTITIONS];

	for (int64_t b = 0; b < t->b; b += row) {
		int64_t bn = min64(row, t->b - b);

		for (int64_t a = 0; a < t->a; a += ROW) {
			int64_t an = min64(ROW, t->a - a);

			mir_next_block(t->l->m);
			for (int64_t k = 0; k * NCA_PARTITIONS < bn; k++) {
				int64_t b0 = b + k * NCA_PARTITIONS;

				in[k] = mir_sbuf(t->l->m, (uint64_t)(an * t->ed), "transposed");
				transfer(t, in[k], true, src + (uint64_t)(b0 * t->b_src + a),
					 min64(NCA_PARTITIONS, t->b - b0), t->b_src, 1, 0, an);
			}
			for (int64_t a0 = 0; a0 < an; a0 += NCA_PARTITIONS)
				turn_column(t, in, dst + (uint64_t)b, a0, a, bn);
		}
	}
}

/* Every combination of the dimensions other than a and b. */
static void turn_rest(const struct turn *t, const struct ir_piece *p, int d, int da, int db,
		      uint64_t src, uint64_t dst)
{
	if (d == da || d == db) {
		turn_rest(t, p, d + 1, da, db, src, dst);
		return;
	}
	if (d < p->rank) {
		for (int64_t i = 0; i < p->size[d]; i++)
			turn_rest(t, p, d + 1, da, db, src + (uint64_t)(i * p->src[d]),
				  dst + (uint64_t)(i * p->dst[d]));
		return;
	}
	if (min64(t->a, t->b) <= SHORT)
		turn_short(t, src, dst);
	else
		turn_blocks(t, src, dst);
}

bool lower_turn_piece(struct lower *l, const struct dram_view *to, const struct dram_view *from,
		      const struct ir_piece *p)
{
	struct turn t = { .l = l, .to = to, .from = from, .es = nca_dtype_size(from->dtype),
			  .ed = nca_dtype_size(to->dtype) };
	int da = -1, db = -1;

	for (int d = 0; d < p->rank; d++) {
		if (p->src[d] == 1)
			da = d;
		if (p->dst[d] == 1)
			db = d;
	}
	if (da < 0 || db < 0 || da == db || p->size[da] * p->size[db] < LEAST_ELEMENTS)
		return false;
	t.a = p->size[da];
	t.b = p->size[db];
	t.a_dst = p->dst[da];
	t.b_src = p->src[db];
	turn_rest(&t, p, 0, da, db, (uint64_t)p->src_at, (uint64_t)p->dst_at);
	return true;
}
