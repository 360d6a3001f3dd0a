// SPDX-License-Identifier: MIT
/*
 * A large product: tiles of A, 128 rows with all of k, wait in SBUF, and strips of columns of B pass by
 * them (lower_matmul_plan.c). The array is to be the only limit, so each engine has one thing to do:
 *
 *   sync    sends for B, in chunks of some k, a ring of them; they are dealt to most DMA engines
 *   vector  sends for A and turns it, so that k is on the partitions
 *   tensor  multiplies: chunk by chunk, tile by tile, so that tiles finish one after the other
 *   scalar  empties PSUM and stores C
 *
 * A and C have a DMA engine each, as they go at the pace of the host link.
 */
#include "lower_matmul_large.h"

#define RESULTS NCA_PSUM_BANKS		/* as many tiles may have one that is not complete */
#define RESULT_COLUMNS (2 * BANK_FP32)	/* stored together */
#define LEAST_PRODUCTS 512		/* of a tile and 512 columns and 128 k */

/* ---- C ---- */

static void store(struct large *p, int64_t tile, int64_t end)
{
	int64_t es = p->l->elem, cs = nca_dtype_size(p->mm->c.dtype), first = p->filled[tile];
	int64_t at = tile * MATMUL_TILE_ROWS * p->mm->n + first;
	struct mir_mem src = { .buf = p->buf, .space = MIR_SBUF, .dtype = p->l->dtype,
			       .offset = p->result_at + (uint64_t)p->result[tile] * p->result_bytes,
			       .stride = { 1, 0, 0, es } };
	struct mir_mem dst = lower_view_mem(&p->mm->c, (uint64_t)(at * cs));
	int64_t size[4] = { tile_rows(p, tile), 1, 1, end - first };

	dst.stride[0] = p->mm->n * cs;
	dst.stride[3] = cs;
	p->l->m->queue = p->l->m->target->dma_engines - (p->ends && p->results % 2 ? 0 : 1);
	mir_dma(p->l->m, NCA_ENGINE_SCALAR, &dst, &src, size, (uint16_t)es, p->mm->c.dtype != p->l->dtype, 0);
	p->l->m->queue = 0;
	p->filled[tile] = -1;
}

/* The sums of a tile and a strip; what is complete, or will not become longer, is stored. */
static void finish(struct large *p, int64_t tile, int64_t strip, const uint32_t *banks, bool last)
{
	struct lower *l = p->l;
	int64_t columns = strip_columns(p, strip), first = strip * p->columns;

	if (p->filled[tile] < 0) {
		p->filled[tile] = first;
		p->result[tile] = p->results++ % RESULTS;
	}
	for (int64_t from = 0; from < columns; from += BANK_FP32) {
		int64_t n = min64(BANK_FP32, columns - from), rows = tile_rows(p, tile);
		uint64_t at = p->result_at + (uint64_t)p->result[tile] * p->result_bytes +
			      (uint64_t)(first + from - p->filled[tile]) * l->elem;
		struct mir_tile acc = mir_psum_tile(banks[from / BANK_FP32] * NCA_PSUM_BANK_BYTES, NCA_FP32, rows);
		struct mir_tile out = mir_sbuf_tile(p->buf, at, l->dtype, rows);
		struct mir_ew copy = { .engine = NCA_ENGINE_SCALAR, .opcode = NCA_OP_COPY, .dst = &out,
				       .src0 = &acc };

		acc = mir_shape(acc, 1, 1, n, 0, 0, 1);
		out = mir_shape(out, 1, 1, n, 0, 0, 1);
		if (p->mm->op->attr.relu) {
			copy.opcode = NCA_OP_ACTIVATE;
			copy.func = NCA_FUNC_RELU;
		}
		mir_elementwise(l->m, &copy);
	}
	if (last || p->ends || strip == p->strips - 1 || (first + columns) % RESULT_COLUMNS == 0)
		store(p, tile, first + columns);
}

/* ---- products ---- */

static void multiply(struct large *p, int64_t tile, int64_t strip, const struct cursor *c,
		     const uint32_t *banks)
{
	struct lower *l = p->l;
	int64_t columns = strip_columns(p, strip), rows = tile_rows(p, tile);
	uint64_t b_at = p->ring_at + (uint64_t)(c->number % RING) * CHUNK_BYTES;

	for (int64_t i = 0; i < steps_of_chunk(p, c->chunk); i++) {
		int64_t step = c->chunk * p->chunk_steps + i, parts = step_parts(p, step);
		uint64_t at = (uint64_t)(tile % p->plan.slots) * p->tile_bytes +
			      (uint64_t)(step * MATMUL_TILE_ROWS) * l->elem;
		struct mir_tile a = mir_shape(mir_sbuf_tile(p->buf, at, l->dtype, parts), 1, 1, rows, 0, 0, 1);

		mir_ldstat(l->m, &a);
		for (int64_t from = 0; from < columns; from += BANK_FP32) {
			int64_t n = min64(BANK_FP32, columns - from);
			struct mir_tile b = mir_sbuf_tile(p->buf, b_at + (uint64_t)(i * columns + from) * l->elem,
							  l->dtype, parts);
			struct mir_tile acc = mir_psum_tile(banks[from / BANK_FP32] * NCA_PSUM_BANK_BYTES,
							    NCA_FP32, rows);

			b = mir_shape(b, 1, 1, n, 0, 0, 1);
			acc = mir_shape(acc, 1, 1, n, 0, 0, 1);
			mir_matmul(l->m, &acc, &b, parts, rows, step > 0);
		}
	}
}

static bool next_chunk(const struct large *p, const struct matmul_pass *passes, struct cursor *c)
{
	c->number++;
	if (++c->strip < passes[c->pass].strips)
		return false;
	c->strip = 0;
	if (++c->chunk < p->chunks)
		return false;
	c->chunk = 0;
	c->pass++;
	return true;
}

/* A chunk of B and the tiles of the pass. */
static void use_chunk(struct large *p, const struct matmul_pass *pass, const struct cursor *c, int64_t *met)
{
	int64_t strip = (pass->strip + c->strip) % p->strips;

	for (int64_t i = 0; i < pass->num; i++) {
		uint32_t *banks = &p->banks[(i * pass->strips + c->strip) * p->plan.banks];
		int64_t tile = pass->first + i;

		for (int64_t k = 0; !c->chunk && k < p->plan.banks; k++)
			banks[k] = p->bank++ % NCA_PSUM_BANKS;
		multiply(p, tile, strip, c, banks);
		if (c->chunk == p->chunks - 1)
			finish(p, tile, strip, banks, ++met[tile] == p->strips);
	}
}

static void run(struct large *p, const struct matmul_pass *passes, size_t num)
{
	struct cursor use = { 0 }, bring = { 0 };
	int64_t *met = cc_new_n(p->l->cc, int64_t, (size_t)p->tiles);

	while (use.pass < num) {
		const struct matmul_pass *pass = &passes[use.pass];

		mir_next_block(p->l->m);
		for (; p->loaded < pass->loads; p->loaded++)
			matmul_bring_tile(p, p->loaded);
		matmul_need_tiles(p, pass->first + pass->num);
		p->ends = use.pass + 2 >= num;
		for (; bring.pass < num && bring.number < use.number + RING; next_chunk(p, passes, &bring))
			matmul_bring_chunk(p, &passes[bring.pass], &bring);
		use_chunk(p, pass, &use, met);
		next_chunk(p, passes, &use);
	}
}

/* ---- sizes ---- */

static uint64_t rate_ticks(const struct nca_target *t, uint64_t bytes, uint64_t bw, uint32_t engines)
{
	uint64_t memory = (uint64_t)((unsigned __int128)bytes * t->tick_hz * NCA_SLICES /
				     (bw * t->slices_per_core));
	uint64_t moved = (uint64_t)(((unsigned __int128)bytes << 16) / ((uint64_t)t->dma_bpt_q16 * engines));

	return memory > moved ? memory : moved;
}

/* Cut k and columns up, as they come from a constant (dense chunks) or from memory (rows). */
static void cut(struct large *p, bool constant)
{
	int64_t es = p->l->elem, k = p->mm->k;

	p->quarter = ceil_div(k, NCA_PARTITIONS) * BLOCK;
	p->steps = p->quarter / BLOCK;
	p->plan.banks = constant ? 1 : max64(1, ROW_BYTES / es / BANK_FP32);
	p->columns = p->plan.banks * BANK_FP32;
	p->strips = ceil_div(p->mm->n, p->columns);
	p->tiles = ceil_div(p->mm->m, MATMUL_TILE_ROWS);
	p->chunk_steps = CHUNK_BYTES / (p->columns * es);
	p->chunks = ceil_div(p->steps, p->chunk_steps);
	p->tile_bytes = (uint64_t)(p->steps * MATMUL_TILE_ROWS * es);
	p->result_bytes = (uint64_t)(RESULT_COLUMNS * es);
}

/* Tiles of A that SBUF holds beside everything else. */
static int64_t count_slots(const struct large *p, uint64_t staged)
{
	/* The more tensors the plan keeps out of SBUF, the less of it is left for one operator. */
	uint64_t share = (uint64_t)(96 - (85 - p->l->plan->percent) / 3);
	uint64_t room = p->l->m->target->sbuf_bytes * share / 100;
	uint64_t others = RING * CHUNK_BYTES + staged + RESULTS * p->result_bytes;

	return room < others ? 0 : (int64_t)((room - others) / p->tile_bytes);
}

static void plan(struct large *p)
{
	const struct nca_target *t = p->l->m->target;
	int64_t es = p->l->elem, as = nca_dtype_size(p->mm->a.dtype);
	bool host = !p->mm->a.buf && p->mm->a.slot >= MIR_SLOT_IO;
	uint64_t strip = (uint64_t)(p->steps * NCA_PARTITIONS * p->columns * es);
	uint64_t tile = (uint64_t)(MATMUL_TILE_ROWS * p->mm->k * max64(as, es));
	uint32_t passes = NCA_PARTITIONS / t->pe_cols * (es == 4 ? 4 : 1);

	p->piece_steps = ceil_div(p->steps, max64(1, p->steps * BLOCK * as / ROW_BYTES));
	p->piece_bytes = (uint64_t)(p->piece_steps * MATMUL_TILE_ROWS * es);
	p->b_queues = t->dma_engines >= MANY_ENGINES ? t->dma_engines - (p->mm->weights ? 2 : 3) : 1;
	p->plan.tiles = p->tiles;
	p->plan.strips = p->strips;
	p->plan.slots = min64(p->tiles, count_slots(p, STAGED * p->piece_bytes));
	p->plan.multiply = (uint64_t)(p->steps * p->columns) * passes * t->engine_ticks[NCA_ENGINE_TENSOR];
	p->plan.bring_strip = rate_ticks(t, strip, t->devmem_bw, p->b_queues);
	p->plan.bring_tile = rate_ticks(t, tile, host ? t->link_bw : t->devmem_bw, 1);
	p->ring_at = (uint64_t)p->plan.slots * p->tile_bytes;
	p->staged_at = p->ring_at + RING * CHUNK_BYTES;
	p->result_at = p->staged_at + STAGED * p->piece_bytes;
	p->buf = mir_sbuf(p->l->m, p->result_at + RESULTS * p->result_bytes, "matmul operands");
}

bool lower_matmul_is_large(const struct lower *l, int64_t m, int64_t n, int64_t k, bool constant)
{
	struct matmul mm = { .m = m, .n = n, .k = k };
	struct large p = { .l = (struct lower *)l, .mm = &mm };

	cut(&p, constant);
	/* Transfers step over 32 rows, 32 bits of bytes. */
	return m > MATMUL_TILE_ROWS && k >= 4 * NCA_PARTITIONS && n >= BANK_FP32 &&
	       max64(n, k) <= INT32_MAX / (4 * BLOCK) &&
	       p.tiles * p.strips * p.plan.banks * p.steps >= LEAST_PRODUCTS &&
	       count_slots(&p, 2 * STAGED * ROW_BYTES * QUARTERS) >= 2;
}

void lower_matmul_large(struct lower *l, struct matmul *mm)
{
	struct large p = { .l = l, .mm = mm };
	struct matmul_pass *passes;
	size_t num;

	cut(&p, mm->weights);
	if (mm->weights) {
		matmul_lay_out_weights(&p);
	} else if (!mm->b.buf && mm->b.slot >= MIR_SLOT_IO) {
		/*
		 * What passes by several times must not cross the host link each time, and tiles of A
		 * must not wait behind it.
		 */
		if (l->m->target->dma_engines >= MANY_ENGINES)
			l->m->queue = l->m->target->dma_engines - 2;
		mm->b = lower_stage_matrix(l, &mm->b, mm->k, mm->n, p.columns);
		l->m->queue = 0;
		mm->b_row = mm->n * l->elem;
	}
	plan(&p);
	passes = lower_matmul_plan(l->cc, &p.plan, &num);
	p.banks = cc_new_n(l->cc, uint32_t, NCA_PSUM_BANKS);
	p.result = cc_new_n(l->cc, int64_t, (size_t)p.tiles);
	p.filled = cc_new_n(l->cc, int64_t, (size_t)p.tiles);
	for (int64_t i = 0; i < p.tiles; i++)
		p.filled[i] = -1;
	l->m->psum_banks = NCA_PSUM_BANKS;
	run(&p, passes, num);
}
