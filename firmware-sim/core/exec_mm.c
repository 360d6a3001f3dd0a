/* SPDX-License-Identifier: MIT */
/* The tensor engine: stationary tiles, matmul, transpose. */
#include <stdlib.h>
#include <string.h>

#include "core_impl.h"

#define LOOK_AHEAD	8u	/* instructions */
#define FEW_ROWS	6u	/* of a moving operand: packing the other takes longer than this product */

static int oom(struct exec *x)
{
	return fault_set(x->fault, NCA_RULE_WATCHDOG, x->engine, x->pc, 0, "the host has no memory");
}

static enum domain mm_domain(const struct pinst *p)
{
	return p->kind == MM_INT ? DOM_INT : DOM_FP;
}

/* Rows of the SBUF operand widened to 32 bits, or where they lie if they are that wide. */
static const uint8_t *widen(struct exec *x, uint32_t offset, uint32_t *off, uint32_t *n)
{
	const struct nca_ap *a = &x->in->mm.src;
	const uint8_t *base = mem_at(&x->st->mem[NCA_MEM_SBUF], a->part, 0);

	*n = exec_offsets(a, offset, off);
	if (x->p->kind == MM_FP32)
		return base;
	x->k->load((uint32_t *)x->core->mov, base, off, *n, a->nparts, a->dtype, mm_domain(x->p));
	if (x->p->kind == MM_TF32)
		x->k->tf32((uint32_t *)x->core->mov, *n, a->nparts);
	for (uint32_t i = 0; i < *n; i++)
		off[i] = i * ROW_BYTES;
	return (const uint8_t *)x->core->mov;
}

/* The stationary tile is kept transposed in panels: [column / 64][k][column % 64]. */
static void load_panel(struct exec *x, struct stationary *s, uint32_t offset)
{
	uint32_t n, *off = x->core->off[0];
	const uint8_t *src = widen(x, offset, off, &n);
	uint32_t k = x->in->mm.src.nparts;

	for (uint32_t m0 = 0; m0 < n; m0 += PANEL) {
		uint8_t *panel = (uint8_t *)(s->panel + (size_t)m0 * k);
		uint32_t cols = n - m0 < PANEL ? n - m0 : PANEL;
		bool even = true;

		if (cols < PANEL)
			memset(panel, 0, (size_t)k * PANEL * sizeof(float));
		for (uint32_t m = 1; m < cols && even; m++)
			even = off[m0 + m] == off[m0] + m * (off[m0 + 1] - off[m0]) &&
			       off[m0 + 1] > off[m0];
		if (even) {
			x->k->transpose(panel, PANEL * sizeof(float), src + off[m0],
					cols > 1 ? off[m0 + 1] - off[m0] : ROW_BYTES, cols, k);
			continue;
		}
		for (uint32_t m = 0; m < cols; m++)
			x->k->transpose(panel + m * 4, PANEL * sizeof(float), src + off[m0 + m],
					ROW_BYTES, 1, k);
	}
}

/* Where the rows of a stationary operand are if they have not been moved yet (alias.c). */
static bool rows_in_slot(const struct core_state *st, const struct nca_inst *in,
			 const struct box *b, uint32_t lo, uint32_t hi, struct mm_tile *t)
{
	const struct nca_ap *a = &in->mm.src;

	if (a->size[0] != 1 || a->size[1] != 1 || a->size[2] != 1 ||
	    (a->stride[3] != 1 && a->size[3] > 1) || in->flags & NCA_F_TF32 ||
	    (a->dtype != NCA_FP32 && a->dtype != NCA_BF16))
		return false;
	t->k = a->nparts;
	t->m = a->size[3];
	t->dtype = a->dtype;
	t->row = alias_find(&st->mem[NCA_MEM_SBUF], b, lo, hi, &t->offset, &t->pitch);
	return t->row;
}

static void pack_now(struct stationary *s)
{
	for (uint32_t k = 0; k < s->k; k++)
		for (uint32_t m = 0; m < s->m; m += PANEL)
			memcpy(s->panel + (m * s->k + k * PANEL), s->src + k * s->pitch + m * 4, PANEL * 4);
	s->src = NULL;
}

void stationary_settle(struct core_state *st, const uint8_t *p, uint64_t len)
{
	for (int i = 0; i < 16; i++) {
		struct stationary *s = &st->stat[i];

		if (s->cells && s->src &&
		    (!p || (s->src < p + len && p < s->src + (s->k - 1u) * s->pitch + s->m * 4u)))
			pack_now(s);
	}
}

/* Of most tiles the first row tells. */
static bool is_diagonal(const struct stationary *s)
{
	if (s->k != s->m || s->kind == MM_INT)
		return false;
	for (uint32_t k = 0; k < s->k; k++) {
		for (uint32_t m0 = 0; m0 < s->m; m0 += PANEL) {
			const float *row = s->panel + (size_t)m0 * s->k + k * PANEL;
			uint32_t others = 0;

			for (uint32_t m = 0; m < PANEL; m++)	/* past the last it is 0 */
				others += row[m] != 0;
			if (k >= m0 && k < m0 + PANEL)
				others -= row[k - m0] != 0;
			if (others)
				return false;
		}
	}
	return true;
}

/* Whole panels of FP32 that lie regularly can be multiplied where they are. */
static bool usable_as_is(const struct mm_tile *t)
{
	return t->dtype == NCA_FP32 && t->m % PANEL == 0 && t->pitch && t->pitch % 4 == 0 &&
	       (uintptr_t)t->row[0] % 4 == 0;
}

/*
 * Weights come from memory once for every launch and are used at once: have the
 * next tile's on their way while this one is multiplied.
 */
static void look_ahead(struct exec *x, struct mm_args *a)
{
	struct core_state *st = x->st;
	const struct core_program *prog = st->prog;
	struct mm_tile t;

	for (uint32_t pc = x->pc + 1; pc < prog->count[NCA_ENGINE_TENSOR]; pc++) {
		const struct nca_inst *in = &prog->inst[NCA_ENGINE_TENSOR][pc];
		const struct pinst *p = &prog->code[NCA_ENGINE_TENSOR][pc];

		if (pc > x->pc + LOOK_AHEAD || p->by_register || st->ahead == pc)
			return;
		if (p->opcode != NCA_OP_LDSTAT)
			continue;
		if (!rows_in_slot(st, in, &p->src[0], (uint32_t)p->src[0].lo,
				  (uint32_t)p->src[0].hi, &t) || !t.pitch)
			return;
		a->ahead.at = t.row[0] + t.offset;
		a->ahead.pitch = t.pitch;
		a->ahead.rows = t.k;
		a->ahead.bytes = t.m * nca_dtype_size(t.dtype);
		st->ahead = pc;
		return;
	}
}

static int exec_ldstat(struct exec *x, uint64_t end)
{
	struct core_state *st = x->st;
	struct stationary *s = stationary_of(st, x->p->cells);
	const struct nca_ap *a = &x->in->mm.src;
	const struct box *b = &x->p->src[0];
	struct mm_tile t;
	uint32_t lo, hi;

	if ((!st->launch.timed_only || x->p->by_register) &&
	    exec_range(x, b, nca_dtype_size(a->dtype), &lo, &hi))
		return -1;
	/* Tiles that share a cell are gone; where one has just these cells there is no other. */
	if (st->loaded & x->p->cells && s->cells != x->p->cells) {
		for (int i = 0; i < 16; i++) {
			if (!(st->stat[i].cells & x->p->cells))
				continue;
			st->loaded &= (uint16_t)~st->stat[i].cells;
			st->stat[i].cells = 0;
		}
	}
	s->cells = x->p->cells;
	st->loaded |= s->cells;
	s->k = x->p->src[0].nparts;
	s->m = x->p->columns;
	s->kind = x->p->kind;
	s->ready = end;
	s->src = NULL;
	s->diagonal = false;
	if (st->launch.timed_only)
		return 0;
	if (!s->panel) {
		s->panel = aligned_alloc(64, 2 * (size_t)LANES * PANEL * sizeof(float));
		if (!s->panel)
			return oom(x);
	}
	t.panel = s->panel;
	if (rows_in_slot(st, x->in, b, lo, hi, &t)) {
		if (usable_as_is(&t)) {
			s->src = t.row[0] + t.offset;
			s->pitch = t.pitch;
			return 0;
		}
		x->k->pack(&t);
	} else {
		mem_touch(&st->mem[NCA_MEM_SBUF], lo, hi);
		load_panel(x, s, (a->offset & NCA_AP_OFFSET_MASK) + (uint32_t)((int32_t)lo - b->lo));
	}
	s->diagonal = is_diagonal(s);
	return 0;
}

static struct stationary *find_stationary(struct exec *x)
{
	const struct nca_body_matmul *b = &x->in->mm;
	struct stationary *s = stationary_of(x->st, x->p->cells);

	if (s->cells == x->p->cells) {
		if (s->k == x->p->src[0].nparts && s->m == x->p->dst[0].nparts &&
		    s->kind == x->p->kind)
			return s;
		fault_set(x->fault, NCA_RULE_SHAPE, x->engine, x->pc, s->k,
			  "matmul of %u rows into %u partitions, the tile holds %u x %u of kind %u",
			  b->src.nparts, b->dst.nparts, s->k, s->m, s->kind);
		return NULL;
	}
	fault_set(x->fault, NCA_RULE_SHAPE, x->engine, x->pc, 0,
		  "no stationary tile is loaded at {%u, %u, %u, %u}", b->tile.row, b->tile.col,
		  b->tile.rows, b->tile.cols);
	return NULL;
}

/* BF16 results are computed in FP32, added to what is there, and rounded once. */
static void store_narrow(struct exec *x, struct mm_args *a, uint8_t *base, const uint32_t *off)
{
	struct core *core = x->core;
	uint32_t *rows = (uint32_t *)core->out, dtype = x->in->mm.dst.dtype;
	uint32_t *old = core->row[0];

	for (uint32_t i = 0; i < a->n; i++)
		core->off[2][i] = i * ROW_BYTES;
	a->out = (uint8_t *)rows;
	a->out_off = core->off[2];
	a->accumulate = false;
	x->k->matmul(a);
	for (uint32_t i = 0; i < a->n; i++) {
		uint32_t *row = rows + i * LANES;

		if (x->in->flags & NCA_F_ACCUMULATE) {
			x->k->load(old, base, off + i, 1, a->m, dtype, DOM_FP);
			x->k->alu(old, row, LANES, 1, a->m, NCA_ALU_ADD, DOM_FP, false);
			row = old;
		}
		x->k->store(base, off + i, row, 1, a->m, dtype, DOM_FP);
	}
}

static int exec_matmul(struct exec *x)
{
	const struct nca_body_matmul *b = &x->in->mm;
	struct stationary *s = find_stationary(x);
	struct mm_args a;
	uint32_t slo, shi, dlo, dhi, n;
	uint8_t *out;

	if (!s)
		return -1;
	if (x->st->launch.timed_only && !x->p->by_register)
		return 0;
	if (exec_box(x, &x->p->src[0], nca_dtype_size(b->src.dtype), &slo, &shi) ||
	    exec_box(x, &x->p->dst[0], nca_dtype_size(b->dst.dtype), &dlo, &dhi))
		return -1;
	if (dlo / NCA_PSUM_BANK_BYTES != (dhi - 1) / NCA_PSUM_BANK_BYTES)
		return fault_set(x->fault, NCA_RULE_OUT_OF_RANGE, x->engine, x->pc, dlo,
				 "dst: bytes %u to %u cross a PSUM bank", dlo, dhi - 1);
	if (x->st->launch.timed_only)
		return 0;
	a = (struct mm_args){ .stat = s->panel, .panel = (size_t)PANEL * s->k, .pitch = PANEL,
			      .k = s->k, .m = s->m,
			      .mov_off = x->core->off[0], .out_off = x->core->off[1],
			      .accumulate = x->in->flags & NCA_F_ACCUMULATE,
			      .diagonal = s->diagonal };
	a.mov = widen(x, (b->src.offset & NCA_AP_OFFSET_MASK) +
		      (uint32_t)((int32_t)slo - x->p->src[0].lo), x->core->off[0], &n);
	a.n = n;
	if (s->src) {
		a.stat = (const float *)s->src;
		a.panel = PANEL;
		a.pitch = s->pitch / sizeof(float);
		if (n > FEW_ROWS) {
			a.keep = s->panel;
			s->src = NULL;
		}
	}
	if (x->p->kind != MM_INT)
		look_ahead(x, &a);
	exec_offsets(&b->dst, (b->dst.offset & NCA_AP_OFFSET_MASK) +
		     (uint32_t)((int32_t)dlo - x->p->dst[0].lo), x->core->off[1]);
	out = mem_at(&x->st->mem[NCA_MEM_PSUM], b->dst.part, 0);
	a.out = out;
	if (x->p->kind == MM_INT)
		x->k->matmul_int(&a);
	else if (b->dst.dtype == NCA_FP32)
		x->k->matmul(&a);
	else
		store_narrow(x, &a, out, x->core->off[1]);
	return 0;
}

static int exec_transpose(struct exec *x)
{
	const struct nca_body_matmul *b = &x->in->mm;
	uint32_t es = nca_dtype_size(b->src.dtype), slo, shi, dlo, dhi;
	uint32_t *soff = x->core->off[0], *doff = x->core->off[1];
	uint32_t parts = b->src.nparts, elems = b->dst.nparts;
	uint8_t *src, *dst;

	if (exec_box(x, &x->p->src[0], es, &slo, &shi) ||
	    exec_box(x, &x->p->dst[0], es, &dlo, &dhi))
		return -1;
	if (dlo / NCA_PSUM_BANK_BYTES != (dhi - 1) / NCA_PSUM_BANK_BYTES)
		return fault_set(x->fault, NCA_RULE_OUT_OF_RANGE, x->engine, x->pc, dlo,
				 "dst: bytes %u to %u cross a PSUM bank", dlo, dhi - 1);
	if (x->st->launch.timed_only)
		return 0;
	exec_offsets(&b->src, (b->src.offset & NCA_AP_OFFSET_MASK) +
		     (uint32_t)((int32_t)slo - x->p->src[0].lo), soff);
	exec_offsets(&b->dst, (b->dst.offset & NCA_AP_OFFSET_MASK) +
		     (uint32_t)((int32_t)dlo - x->p->dst[0].lo), doff);
	src = mem_at(&x->st->mem[NCA_MEM_SBUF], b->src.part, 0);
	dst = mem_at(&x->st->mem[NCA_MEM_PSUM], b->dst.part, 0);
	for (uint32_t p = 0; p < parts; p++)
		for (uint32_t f = 0; f < elems; f++)
			memcpy(dst + doff[p] + f * 4, src + soff[f] + p * 4, es);
	return 0;
}

int exec_mm(struct exec *x, uint64_t end)
{
	switch (x->in->opcode) {
	case NCA_OP_LDSTAT:
		return exec_ldstat(x, end);
	case NCA_OP_MATMUL:
		return exec_matmul(x);
	default:
		return exec_transpose(x);
	}
}
