// SPDX-License-Identifier: MIT
/*
 * Products of two tensors that the graph computes: C[b][m][n] = A[b][m][k] B[b][k][n].
 *
 * The array wants both operands with the inner dimension on the partitions. Rows of B lie so already;
 * A comes with its rows on the partitions and is turned by the tensor engine. Some tiles of A, 128 rows
 * with all of k each, stay in SBUF while B passes by, so that a tile of B is used for all of them; the next
 * ones are brought meanwhile, in small pieces between the products, as far as there is room. A tile of B is
 * brought some steps ahead of its use.
 *
 * Up to three tiles of A times two banks of columns take six banks of PSUM; one is emptied while the others
 * fill. What is turned takes the other two. Two banks of columns make rows that transfers like.
 */
#include <string.h>

#include "ir_move.h"
#include "lower_matmul.h"

#define BANK_FP32 (NCA_PSUM_BANK_BYTES / 4)
#define SUM_BANKS 6
#define MAX_TILES 6
#define MAX_BANKS 2	/* of columns */
#define MAX_AHEAD 28
#define MAX_PIECES 2
#define LEAST_ENGINES 8
#define LEAST_STEPS 512
#define PIECE 1024		/* elements of a row of A that are brought at once */

/* 128 rows of A, turned: [k % 128][k / 128][row]. */
struct a_tile {
	struct mir_buf *buf;
	int64_t pieces;		/* brought so far */
};

/* A piece that is on its way and will be turned when others have been sent for. */
struct a_piece {
	struct mir_buf *staged, *to;
	int64_t k, num, rows;
};

struct product {
	struct lower *l;
	struct ir_op *op;
	struct ir_type ta, tb, tc;
	int64_t m, n, k, batches;
	struct dram_view a, b, c;
	int64_t a_stride[2], b_stride[2];	/* bytes: (m, k) and (k, n) */

	int64_t tiles, k_steps, columns, strips, groups;	/* of A at once; of B */
	bool ahead_a;		/* there is room for the next tiles */
	bool streams;		/* long enough for DMA engines of their own for each operand */
	int64_t ahead;
	struct a_tile now[MAX_TILES], next[MAX_TILES];
	struct a_piece piece[MAX_PIECES];	/* the first @pieces, oldest first */
	int pieces;
	struct mir_buf *b_tile[MAX_AHEAD];
	int64_t brought;	/* tiles of B, in the order of their use */
	uint32_t bank[MAX_TILES][MAX_BANKS];
	unsigned int sum_bank, turn_bank;
};

/* One tile of B: which matrix, which rows of A go with it, which strip of columns, which k. */
struct step {
	int64_t batch, group, strip, k;
};

static struct step step_at(const struct product *p, int64_t at)
{
	struct step s = { .k = at % p->k_steps };

	at /= p->k_steps;
	s.strip = at % p->strips;
	at /= p->strips;
	s.group = at % p->groups;
	s.batch = at / p->groups;
	return s;
}

static int64_t k_parts(const struct product *p, int64_t k)
{
	return min64(NCA_PARTITIONS, p->k - k * NCA_PARTITIONS);
}

static int64_t strip_columns(const struct product *p, int64_t strip)
{
	return min64(p->columns, p->n - strip * p->columns);
}

static int64_t rows_of(const struct product *p, int64_t group, int64_t tile)
{
	return min64(NCA_PARTITIONS, p->m - (group * p->tiles + tile) * NCA_PARTITIONS);
}

/* Which matrix of a broadcast stack of them goes with matrix @index of the result. */
static int64_t matrix_index(const struct ir_type *t, const struct ir_type *out, int64_t index)
{
	int batch = out->rank - 2, own = t->rank - 2;
	int64_t at = 0, scale = 1;

	for (int i = batch - 1; i >= 0; i--) {
		int64_t coord = index % out->dim[i];
		int k = i - (batch - own);

		index /= out->dim[i];
		if (k < 0)
			continue;
		at += t->dim[k] == 1 ? 0 : coord * scale;
		scale *= t->dim[k];
	}
	return at;
}

/* Some of memory with @parts rows in partitions and @n elements in each. */
static void bring(struct product *p, struct mir_buf *buf, uint64_t to, const struct dram_view *v,
		  int64_t from, int64_t part_stride, int64_t stride, int64_t parts, int64_t n)
{
	struct lower *l = p->l;
	struct mir_mem dst = { .buf = buf, .space = MIR_SBUF, .dtype = l->dtype, .offset = to,
			       .stride = { 1, 0, 0, l->elem } };
	struct mir_mem src = lower_view_mem(v, (uint64_t)from);
	int64_t size[4] = { parts, 1, 1, n };

	src.stride[0] = part_stride;
	src.stride[3] = stride;
	mir_dma(l->m, NCA_ENGINE_SYNC, &dst, &src, size, nca_dtype_size(v->dtype),
		v->dtype != l->dtype, 0);
}

/*
 * In a long product rows come and results leave at the pace of the host link or of memory all the time.
 * With engines of their own they do not hold up the columns, each tile of which comes by one engine.
 */
static void use_queue(const struct product *p, uint32_t queue)
{
	p->l->m->queue = p->streams ? queue + 1 : 0;
}

static void bring_b(struct product *p, int64_t at)
{
	struct step s = step_at(p, at);
	uint32_t engines = p->l->m->target->dma_engines;
	int64_t bs = nca_dtype_size(p->b.dtype), columns = strip_columns(p, s.strip);
	int64_t from = matrix_index(&p->tb, &p->tc, s.batch) * p->k * p->n * bs +
		       s.k * NCA_PARTITIONS * p->b_stride[0] + s.strip * p->columns * p->b_stride[1];

	p->b_tile[at % p->ahead] = mir_sbuf(p->l->m, (uint64_t)columns * p->l->elem, "matmul columns");
	use_queue(p, (uint32_t)(at % (engines - 2)));
	bring(p, p->b_tile[at % p->ahead], 0, &p->b, from, p->b_stride[0], p->b_stride[1],
	      k_parts(p, s.k), columns);
	p->l->m->queue = 0;
}

static int64_t num_pieces(const struct product *p)
{
	return ceil_div(p->k, PIECE);
}

/* The oldest piece, from rows on the partitions to k on them. */
static void turn_piece(struct product *p)
{
	struct lower *l = p->l;
	struct a_piece a = p->piece[0];
	int64_t es = l->elem, per = NCA_PSUM_BANK_BYTES / es / NCA_PARTITIONS;

	p->pieces--;
	memmove(&p->piece[0], &p->piece[1], (size_t)p->pieces * sizeof(p->piece[0]));
	for (int64_t k = 0; k < a.num;) {
		int64_t parts = min64(NCA_PARTITIONS, a.num - k), num = 0;
		uint32_t psum = (SUM_BANKS + (p->turn_bank ^= 1)) * NCA_PSUM_BANK_BYTES;
		struct mir_tile from, to;
		struct mir_ew copy = { .opcode = NCA_OP_COPY, .dst = &to, .src0 = &from };

		for (; num < per && k + (num + 1) * parts <= a.num; num++) {
			struct mir_tile src = mir_sbuf_tile(a.staged, (uint64_t)((k + num * parts) * es),
							    l->dtype, a.rows);
			struct mir_tile dst = mir_psum_tile(psum + (uint32_t)(num * a.rows * es), l->dtype,
							    parts);

			src = mir_shape(src, 1, 1, parts, 0, 0, 1);
			dst = mir_shape(dst, 1, 1, a.rows, 0, 0, 1);
			mir_transpose(l->m, &dst, &src);
		}
		from = mir_shape(mir_psum_tile(psum, l->dtype, parts), 1, num, a.rows, 0, a.rows, 1);
		to = mir_sbuf_tile(a.to, (uint64_t)((a.k + k) * es), l->dtype, parts);
		to = mir_shape(to, 1, num, a.rows, 0, NCA_PARTITIONS, 1);
		copy.engine = mir_psum_engine(l->m, (uint64_t)(num * a.rows));
		mir_elementwise(l->m, &copy);
		k += num * parts;
	}
}

/* One piece of a tile: all of its rows, some of k. */
static void bring_piece(struct product *p, struct a_tile *t, int64_t batch, int64_t row, int64_t rows)
{
	struct lower *l = p->l;
	int64_t as = nca_dtype_size(p->a.dtype), k0 = t->pieces * PIECE, n = min64(PIECE, p->k - k0);
	int64_t from = matrix_index(&p->ta, &p->tc, batch) * p->m * p->k * as + row * p->a_stride[0] +
		       k0 * p->a_stride[1];
	struct mir_buf *staged;

	if (!t->pieces)
		t->buf = mir_sbuf(l->m, (uint64_t)(p->k_steps * NCA_PARTITIONS) * l->elem, "matmul rows");
	t->pieces++;
	use_queue(p, l->m->target->dma_engines - 1);
	if (p->a_stride[1] != as || rows * n < 4 * NCA_PARTITIONS) {
		/* k is on the partitions in memory, or there is too little to turn. */
		for (int64_t k = k0; k < k0 + n; k += NCA_PARTITIONS)
			bring(p, t->buf, (uint64_t)k * l->elem, &p->a, from + (k - k0) * p->a_stride[1],
			      p->a_stride[1], p->a_stride[0], k_parts(p, k / NCA_PARTITIONS), rows);
		l->m->queue = 0;
		return;
	}
	if (p->pieces == MAX_PIECES)
		turn_piece(p);
	staged = mir_sbuf(l->m, (uint64_t)n * l->elem, "matmul rows as they come");
	bring(p, staged, 0, &p->a, from, p->a_stride[0], as, rows, n);
	l->m->queue = 0;
	p->piece[p->pieces++] = (struct a_piece) { .staged = staged, .to = t->buf, .k = k0, .num = n,
						   .rows = rows };
}

/* Pieces of the tiles of one group until @num of them are there. */
static void bring_rows(struct product *p, struct a_tile *tiles, int64_t batch, int64_t group, int64_t num)
{
	for (int64_t i = 0; i < p->tiles && rows_of(p, group, i) > 0; i++)
		while (tiles[i].pieces < num_pieces(p) && i * num_pieces(p) + tiles[i].pieces < num)
			bring_piece(p, &tiles[i], batch, (group * p->tiles + i) * NCA_PARTITIONS,
				    rows_of(p, group, i));
}

/* The rows for step @at, and some of the next ones. */
static void need_rows(struct product *p, int64_t at)
{
	struct step s = step_at(p, at);
	int64_t steps = p->strips * p->k_steps, in = s.strip * p->k_steps + s.k;

	if (!in) {
		for (int64_t i = 0; i < p->tiles; i++) {
			p->now[i] = p->next[i];
			p->next[i] = (struct a_tile) { 0 };
		}
		bring_rows(p, p->now, s.batch, s.group, INT64_MAX);
		while (p->pieces)
			turn_piece(p);
	}
	if (p->ahead_a && (s.batch + 1 < p->batches || s.group + 1 < p->groups)) {
		struct step then = step_at(p, at - in + steps);

		bring_rows(p, p->next, then.batch, then.group, p->tiles * num_pieces(p) * (in + 1) / steps);
	}
}

static void empty_bank(struct product *p, const struct step *s, int64_t tile)
{
	struct lower *l = p->l;
	int64_t rows = rows_of(p, s->group, tile), columns = strip_columns(p, s->strip), es = l->elem;
	int64_t at = s->batch * p->m * p->n + (s->group * p->tiles + tile) * NCA_PARTITIONS * p->n +
		     s->strip * p->columns;
	struct mir_buf *result = mir_sbuf(l->m, (uint64_t)(columns * es), p->op->out->name);
	int64_t size[4] = { rows, 1, 1, columns };
	struct mir_mem src = { .buf = result, .space = MIR_SBUF, .dtype = l->dtype,
			       .stride = { 1, 0, 0, es } };
	int64_t cs = nca_dtype_size(p->c.dtype);
	struct mir_mem dst = lower_view_mem(&p->c, (uint64_t)(at * cs));

	for (int64_t from = 0; from < columns; from += BANK_FP32) {
		int64_t n = min64(BANK_FP32, columns - from);
		struct mir_tile acc = mir_psum_tile(p->bank[tile][from / BANK_FP32], NCA_FP32, rows);
		struct mir_tile out = mir_sbuf_tile(result, (uint64_t)(from * es), l->dtype, rows);
		struct mir_ew copy = { .engine = mir_psum_engine(l->m, (uint64_t)n), .opcode = NCA_OP_COPY,
				       .dst = &out, .src0 = &acc };

		acc = mir_shape(acc, 1, 1, n, 0, 0, 1);
		out = mir_shape(out, 1, 1, n, 0, 0, 1);
		if (p->op->attr.relu)
			lower_clamp(l, &out, &acc);
		else
			mir_elementwise(l->m, &copy);
	}
	dst.stride[0] = p->n * cs;
	dst.stride[3] = cs;
	use_queue(p, l->m->target->dma_engines - 2);
	mir_dma(l->m, mir_store_engine(l->m), &dst, &src, size, (uint16_t)es, p->c.dtype != l->dtype, 0);
	l->m->queue = 0;
}

static void multiply(struct product *p, int64_t at)
{
	struct step s = step_at(p, at);
	int64_t columns = strip_columns(p, s.strip), parts = k_parts(p, s.k);

	for (int64_t i = 0; i < p->tiles && rows_of(p, s.group, i) > 0; i++) {
		int64_t rows = rows_of(p, s.group, i);
		struct mir_tile a = mir_sbuf_tile(p->now[i].buf,
						       (uint64_t)(s.k * NCA_PARTITIONS) * p->l->elem,
						       p->l->dtype, parts);

		a = mir_shape(a, 1, 1, rows, 0, 0, 1);
		mir_ldstat(p->l->m, &a);
		for (int64_t from = 0; from < columns; from += BANK_FP32) {
			uint32_t *bank = &p->bank[i][from / BANK_FP32];
			int64_t n = min64(BANK_FP32, columns - from);
			struct mir_tile acc, b = mir_sbuf_tile(p->b_tile[at % p->ahead],
							       (uint64_t)from * p->l->elem, p->l->dtype, parts);

			if (!s.k) {
				*bank = p->sum_bank * NCA_PSUM_BANK_BYTES;
				p->sum_bank = (p->sum_bank + 1) % SUM_BANKS;
			}
			b = mir_shape(b, 1, 1, n, 0, 0, 1);
			acc = mir_shape(mir_psum_tile(*bank, NCA_FP32, rows), 1, 1, n, 0, 0, 1);
			mir_matmul(p->l->m, &acc, &b, parts, rows, s.k > 0);
		}
		if (s.k == p->k_steps - 1)
			empty_bank(p, &s, i);
	}
}

/* What passes by several times must not cross the host link each time. */
static void stage_b(struct product *p)
{
	int64_t bs = nca_dtype_size(p->b.dtype), es = p->l->elem, total = 1;
	bool turned = p->op->attr.trans_b;

	if (p->b.buf || p->b.slot < MIR_SLOT_IO || p->groups < 2)
		return;
	for (int i = 0; i < p->tb.rank; i++)
		total *= p->tb.dim[i];
	/* If a strip is not in one piece, all of it comes at once. */
	p->b = lower_stage_matrix(p->l, &p->b, turned ? 1 : total / p->n, turned ? total : p->n,
				  turned ? total : p->columns);
	p->b_stride[0] = p->b_stride[0] / bs * es;
	p->b_stride[1] = p->b_stride[1] / bs * es;
}

/* How much of SBUF each operand gets. */
static void plan(struct product *p)
{
	int64_t sbuf = p->l->m->target->sbuf_bytes, es = p->l->elem;
	int64_t tile = ceil_div(p->k, NCA_PARTITIONS) * NCA_PARTITIONS * es, row_tiles = ceil_div(p->m, NCA_PARTITIONS);

	p->k_steps = ceil_div(p->k, NCA_PARTITIONS);
	p->columns = min64(p->n, MAX_BANKS * BANK_FP32);
	p->strips = ceil_div(p->n, p->columns);
	p->ahead_a = 2 * tile <= sbuf * 5 / 8;
	p->tiles = min64(SUM_BANKS / ceil_div(p->columns, BANK_FP32),
			 sbuf * 5 / 8 / (p->ahead_a ? 2 * tile : tile));
	p->tiles = max64(1, min64(p->tiles, row_tiles));
	p->groups = ceil_div(row_tiles, p->tiles);
	p->ahead = max64(2, min64(MAX_AHEAD, sbuf * 3 / 10 / (p->columns * es)));
	p->streams = p->l->m->target->dma_engines >= LEAST_ENGINES &&
		     p->groups * p->strips * p->k_steps * p->batches >= LEAST_STEPS;
	if (tile > sbuf * 3 / 4)
		ir_unsupported(p->l->g, p->op, "the inner dimension of %lld elements does not fit into SBUF",
			       (long long)p->k);
}

/* Vectors as matrices, so that every operand has at least two dimensions. */
static struct ir_type as_matrix(struct ir_type t, bool left)
{
	if (t.rank == 1) {
		t.rank = 2;
		t.dim[1] = left ? t.dim[0] : 1;
		t.dim[0] = left ? 1 : t.dim[0];
	}
	return t;
}

/* Where the result goes: to the host if nothing else reads it. */
static struct dram_view result_view(struct lower *l, const struct ir_value *v)
{
	struct dram_view c;

	if (!lower_output_view(l, v, &c))
		c = (struct dram_view){
			.valid = true, .dtype = l->dtype, .slot = MIR_SLOT_SCRATCH,
			.buf = mir_scratch(l->m, (uint64_t)ir_type_elements(&v->type) * l->elem, v->name)
		};
	return c;
}

/* One matrix on the right, and all rows on the left in one: a large one of these has a way of its own. */
static bool large_product(struct product *p, struct ir_value *va, struct ir_value *vb)
{
	const struct ir_attrs *at = &p->op->attr;
	struct lower *l = p->l;
	int64_t rows = ir_type_elements(&va->type) / p->k;
	struct matmul mm = { .op = p->op, .m = rows, .n = p->n, .k = p->k };

	if (at->trans_a || (at->trans_b && !ir_is_const(vb)) || rows != p->m * p->batches ||
	    ir_type_elements(&vb->type) != p->k * p->n ||
	    !lower_matmul_is_large(l, rows, p->n, p->k, ir_is_const(vb)))
		return false;
	mm.a = lower_in_dram(l, va);
	mm.a_row = p->k * nca_dtype_size(mm.a.dtype);
	if (ir_is_const(vb)) {
		mm.weights = vb->data.f32;
		mm.weight_stride[0] = at->trans_b ? 1 : p->n;
		mm.weight_stride[1] = at->trans_b ? p->k : 1;
	} else {
		mm.b = lower_in_dram(l, vb);
		mm.b_row = p->n * nca_dtype_size(mm.b.dtype);
	}
	mm.c = result_view(l, p->op->out);
	lower_matmul_large(l, &mm);
	l->homes[p->op->out->id].dram = mm.c;
	return true;
}

void lower_matmul(struct lower *l, struct ir_op *op)
{
	struct ir_value *va = ir_in(op, 0), *vb = ir_in(op, 1);
	struct product p = { .l = l, .op = op, .ta = as_matrix(va->type, true),
			     .tb = as_matrix(vb->type, false), .tc = op->out->type };
	const struct ir_type *a = &p.ta, *b = &p.tb;
	struct ir_type *c = &p.tc;
	int64_t as, bs, steps;

	p.m = a->dim[a->rank - (op->attr.trans_a ? 1 : 2)];
	p.k = a->dim[a->rank - (op->attr.trans_a ? 2 : 1)];
	p.n = b->dim[b->rank - (op->attr.trans_b ? 2 : 1)];
	p.batches = ir_type_elements(&op->out->type) / (p.m * p.n);
	if (large_product(&p, va, vb))
		return;
	p.a = lower_in_dram(l, va);
	p.b = lower_in_dram(l, vb);
	as = nca_dtype_size(p.a.dtype);
	bs = nca_dtype_size(p.b.dtype);
	p.a_stride[0] = as * (op->attr.trans_a ? 1 : p.k);
	p.a_stride[1] = as * (op->attr.trans_a ? p.m : 1);
	p.b_stride[0] = bs * (op->attr.trans_b ? 1 : p.n);
	p.b_stride[1] = bs * (op->attr.trans_b ? p.k : 1);
	/* The result with the dimensions that vectors lost put back. */
	if (vb->type.rank == 1)
		c->dim[c->rank++] = 1;
	if (va->type.rank == 1) {
		c->dim[c->rank] = c->dim[c->rank - 1];
		c->dim[c->rank - 1] = 1;
		c->rank++;
	}
	p.c = result_view(l, op->out);
	plan(&p);
	stage_b(&p);
	l->m->psum_banks = NCA_PSUM_BANKS;
	steps = p.batches * p.groups * p.strips * p.k_steps;
	for (int64_t at = 0; at < steps; at++) {
		mir_next_block(l->m);
		need_rows(&p, at);
		for (; p.brought < min64(steps, at + p.ahead); p.brought++)
			bring_b(&p, p.brought);
		multiply(&p, at);
	}
	l->homes[op->out->id].dram = p.c;
}
