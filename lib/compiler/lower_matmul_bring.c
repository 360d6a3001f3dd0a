// SPDX-License-Identifier: MIT
/*
 * How operands of a large product come to SBUF.
 *
 * The vector engine turns blocks of 32 x 32 within 32 partitions. So the four quarters of the array's rows
 * have a quarter of all k each: quarter g has [g * quarter, (g + 1) * quarter), 32 of them in a step. Rows of
 * a quarter are long pieces of A's rows in memory, and which k meet in a step is the same on both sides.
 */
#include "ir_move.h"
#include "lower_matmul_large.h"

#define SPLIT 16
#define EARLY_TILES 2			/* which the array waits for; C does not need its DMA engine yet */

/* ---- A ---- */

static void clear(struct large *p, uint64_t at, int64_t n)
{
	struct mir_tile t = mir_sbuf_tile(p->buf, at, p->l->dtype, NCA_PARTITIONS);
	struct mir_ew zero = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_MEMSET, .dst = &t,
			       .s0 = { .kind = MIR_S_IMM, .imm = 0.0f } };

	t = mir_shape(t, 1, 1, n, 0, 0, 1);
	mir_elementwise(p->l->m, &zero);
}

/* Some k of one quarter, of @blocks x @rows rows from @row on. */
static void bring_rows(struct large *p, uint64_t to, int64_t row, int64_t rows, int64_t blocks, int64_t g,
		       int64_t step, int64_t num)
{
	int64_t es = p->l->elem, as = nca_dtype_size(p->mm->a.dtype), n = quarter_k(p, g, step, num);
	int64_t from = row * p->mm->a_row + (g * p->quarter + step * BLOCK) * as;
	struct mir_mem dst = { .buf = p->buf, .space = MIR_SBUF, .dtype = p->l->dtype, .offset = to,
			       .part = (uint8_t)(g * BLOCK), .stride = { 1, num * BLOCK * es, 0, es } };
	struct mir_mem src = lower_view_mem(&p->mm->a, (uint64_t)from);
	int64_t size[4] = { rows, blocks, 1, n };

	if (!rows || !blocks || !n)
		return;
	src.stride[0] = p->mm->a_row;
	src.stride[1] = BLOCK * p->mm->a_row;
	src.stride[3] = as;
	mir_dma(p->l->m, NCA_ENGINE_VECTOR, &dst, &src, size, (uint16_t)as,
		p->mm->a.dtype != p->l->dtype, 0);
}

/* Send for steps [step, step + num) of a tile: [quarter, row % 32][row / 32][k]. */
static void send_for_piece(struct large *p, const struct piece *a)
{
	struct lower *l = p->l;
	int64_t rows = tile_rows(p, a->tile), whole = rows / BLOCK, row = a->tile * MATMUL_TILE_ROWS;
	uint32_t engines = l->m->target->dma_engines;

	/* What is turned and then not used has to be there nevertheless. */
	if (rows % BLOCK || quarter_k(p, QUARTERS - 1, a->step, a->num) < a->num * BLOCK)
		clear(p, a->at, ceil_div(rows, BLOCK) * a->num * BLOCK);
	for (int64_t g = 0; g < QUARTERS; g++) {
		/* Short rows keep two DMA engines busy. */
		l->m->queue = engines - (a->num < p->piece_steps && engines >= MANY_ENGINES ? g % 2 : 0);
		bring_rows(p, a->at, row, BLOCK, whole, g, a->step, a->num);
		bring_rows(p, a->at + (uint64_t)(whole * a->num * BLOCK) * l->elem, row + whole * BLOCK,
			   rows % BLOCK, 1, g, a->step, a->num);
	}
	l->m->queue = 0;
}

static void turn_piece(struct large *p)
{
	const struct piece *a = &p->piece[p->turned++ % STAGED];
	int64_t blocks = ceil_div(tile_rows(p, a->tile), BLOCK);
	uint64_t to = (uint64_t)(a->tile % p->plan.slots) * p->tile_bytes +
		      (uint64_t)(a->step * MATMUL_TILE_ROWS) * p->l->elem;
	struct mir_tile src = mir_sbuf_tile(p->buf, a->at, p->l->dtype, NCA_PARTITIONS);
	struct mir_tile dst = mir_sbuf_tile(p->buf, to, p->l->dtype, NCA_PARTITIONS);
	struct mir_ew turn = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_TRANSPOSE32, .dst = &dst,
			       .src0 = &src };

	src = mir_shape(src, 1, 1, blocks * a->num * BLOCK, 0, 0, 1);
	dst = mir_shape(dst, blocks, a->num, BLOCK, BLOCK, MATMUL_TILE_ROWS, 1);
	mir_elementwise(p->l->m, &turn);
}

/* One piece is on its way while the one before it is turned. */
void matmul_bring_tile(struct large *p, int64_t tile)
{
	int64_t most = tile < EARLY_TILES ? ceil_div(p->piece_steps, 2) : p->piece_steps, num;

	for (int64_t step = 0; step < p->steps; step += num) {
		struct piece *a = &p->piece[p->sent % STAGED];

		if (p->sent == p->turned + STAGED)
			turn_piece(p);
		num = min64(most, p->steps - step);
		*a = (struct piece) { .tile = tile, .step = step, .num = num,
				      .at = p->staged_at + (uint64_t)(p->sent % STAGED) * p->piece_bytes };
		send_for_piece(p, a);
		p->sent++;
	}
}

void matmul_need_tiles(struct large *p, int64_t end)
{
	while (p->turned < p->sent && p->piece[p->turned % STAGED].tile < end)
		turn_piece(p);
}

/* ---- B ---- */

/* A constant, in chunks as the array takes them: [strip][chunk][partition][step][column]. */
void matmul_lay_out_weights(struct large *p)
{
	struct lower *l = p->l;
	struct matmul *mm = p->mm;
	uint64_t bytes = (uint64_t)(p->steps * NCA_PARTITIONS * mm->n) * l->elem;
	uint8_t *data = cc_alloc(l->cc, bytes), *out = data;

	for (int64_t strip = 0; strip < p->strips; strip++)
		for (int64_t chunk = 0; chunk < p->chunks; chunk++)
			for (int64_t part = 0; part < NCA_PARTITIONS; part++)
				for (int64_t i = 0; i < steps_of_chunk(p, chunk); i++) {
					int64_t step = chunk * p->chunk_steps + i, n = strip_columns(p, strip);
					int64_t g = part / BLOCK, in = part % BLOCK;
					int64_t k = g * p->quarter + step * BLOCK + in;
					const float *w = mm->weights + k * mm->weight_stride[0] +
							 strip * p->columns * mm->weight_stride[1];

					if (in < quarter_k(p, g, step, 1))
						for (int64_t c = 0; c < n; c++)
							lower_store_elem(l, out + c * l->elem,
									 w[c * mm->weight_stride[1]]);
					out += n * l->elem;
				}
	p->weights = lower_weights(l, data, bytes);
}

static void deal(struct large *p)
{
	struct mir_inst *i = &p->l->m->inst[p->l->m->num_insts - 1];
	uint32_t rows = i->in.dma.size[0];

	if (p->b_queues < 2)
		return;
	i->split = (uint8_t)(rows < SPLIT ? rows : SPLIT);
	i->queues = (uint8_t)p->b_queues;
}

static void bring_weights(struct large *p, uint64_t to, int64_t strip, int64_t chunk)
{
	int64_t es = p->l->elem, n = strip_columns(p, strip), row = steps_of_chunk(p, chunk) * n;
	int64_t before = strip * p->columns * p->steps + chunk * p->chunk_steps * n;
	struct mir_mem dst = { .buf = p->buf, .space = MIR_SBUF, .dtype = p->l->dtype, .offset = to,
			       .stride = { 1, 0, 0, es } };
	struct mir_mem src = { .space = MIR_SLOT, .slot = MIR_SLOT_WEIGHTS, .dtype = p->l->dtype,
			       .offset = p->weights + (uint64_t)(before * NCA_PARTITIONS * es),
			       .stride = { row * es, 0, 0, es } };
	int64_t size[4] = { NCA_PARTITIONS, 1, 1, row };

	mir_dma(p->l->m, NCA_ENGINE_SYNC, &dst, &src, size, (uint16_t)es, false, 0);
	deal(p);
}

/* Rows of B from memory: @rows of each of @num steps of a quarter. */
static void bring_columns(struct large *p, uint64_t to, int64_t strip, int64_t g, int64_t step, int64_t rows,
			  int64_t num)
{
	int64_t es = p->l->elem, bs = nca_dtype_size(p->mm->b.dtype), n = strip_columns(p, strip);
	int64_t k = g * p->quarter + step * BLOCK;
	struct mir_mem dst = { .buf = p->buf, .space = MIR_SBUF, .dtype = p->l->dtype, .offset = to,
			       .part = (uint8_t)(g * BLOCK), .stride = { 1, n * es, 0, es } };
	struct mir_mem src = lower_view_mem(&p->mm->b,
					    (uint64_t)(k * p->mm->b_row + strip * p->columns * bs));
	int64_t size[4] = { rows, num, 1, n };

	if (!rows || !num)
		return;
	src.stride[0] = p->mm->b_row;
	src.stride[1] = BLOCK * p->mm->b_row;
	src.stride[3] = bs;
	mir_dma(p->l->m, NCA_ENGINE_SYNC, &dst, &src, size, (uint16_t)bs, p->mm->b.dtype != p->l->dtype, 0);
	deal(p);
}

void matmul_bring_chunk(struct large *p, const struct matmul_pass *pass, const struct cursor *c)
{
	uint64_t to = p->ring_at + (uint64_t)(c->number % RING) * CHUNK_BYTES;
	int64_t strip = (pass->strip + c->strip) % p->strips, step = c->chunk * p->chunk_steps;
	int64_t n = strip_columns(p, strip);

	p->l->m->queue = 1;
	if (p->mm->weights)
		bring_weights(p, to, strip, c->chunk);
	for (int64_t g = 0; g < QUARTERS && !p->mm->weights; g++) {
		int64_t k = quarter_k(p, g, step, steps_of_chunk(p, c->chunk));

		bring_columns(p, to, strip, g, step, BLOCK, k / BLOCK);
		bring_columns(p, to + (uint64_t)(k / BLOCK * n) * p->l->elem, strip, g, step + k / BLOCK,
			      k % BLOCK, 1);
	}
	p->l->m->queue = 0;
}

struct dram_view lower_stage_matrix(struct lower *l, const struct dram_view *from, int64_t rows,
				    int64_t n, int64_t columns)
{
	struct dram_view to = { .valid = true, .dtype = l->dtype, .slot = MIR_SLOT_SCRATCH };

	to.buf = mir_scratch(l->m, (uint64_t)(rows * n) * l->elem, "matmul operand");
	for (int64_t c = 0; c < n; c += columns) {
		struct ir_piece strip = { .rank = 2, .size = { rows, min64(columns, n - c) },
					  .src = { n, 1 }, .dst = { n, 1 }, .src_at = c, .dst_at = c };

		lower_copy_piece(l, &to, from, &strip);
	}
	return to;
}
