/* SPDX-License-Identifier: MIT */
/* Footprints of accesses, their overlap, and the map of written bytes. */
#include <string.h>

#include "check_impl.h"

static void bounds(struct footprint *f)
{
	f->lo = f->base;
	f->hi = f->base + f->elem;
	for (int d = 0; d < 4; d++) {
		int64_t reach = (int64_t)(f->size[d] - 1) * f->stride[d];

		/* The same bytes again and again are the same set. */
		if (!f->stride[d])
			f->size[d] = 1;
		*(reach < 0 ? &f->lo : &f->hi) += reach;
	}
}

static void part_range(uint64_t set[2], uint32_t part, uint32_t n, int32_t step)
{
	set[0] = set[1] = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t p = part + (uint32_t)((int32_t)i * step);

		set[p / 64 & 1] |= 1ull << p % 64;
	}
}

static uint32_t reg_value(const struct exec *x, uint32_t reg)
{
	return reg ? x->st->stream[x->engine].reg[reg - 1] : 0;
}

static void of_ap(const struct exec *x, const struct nca_ap *a, bool read, bool write,
		  struct access *out)
{
	struct footprint *f = &out->fp;

	out->read = read;
	out->write = write;
	f->space = a->mem;
	f->elem = nca_dtype_size(a->dtype);
	f->base = (int64_t)(a->offset & NCA_AP_OFFSET_MASK) + (int32_t)reg_value(x, a->offset >> 24);
	part_range(f->part, a->part, a->nparts, 1);
	for (int d = 0; d < 4; d++) {
		f->size[d] = a->size[d];
		f->stride[d] = (int64_t)a->stride[d] * f->elem;
	}
	bounds(f);
}

static void of_side(const struct exec *x, int which, struct access *out)
{
	const struct nca_body_dma *d = &x->in->dma;
	const struct nca_dma_side *s = which ? &d->src : &d->dst;
	bool typed = d->mode == NCA_DMA_CAST || d->mode == NCA_DMA_ACCUMULATE;
	bool by_index = d->mode == (which ? NCA_DMA_GATHER : NCA_DMA_SCATTER);
	struct footprint *f = &out->fp;

	out->read = which || d->mode == NCA_DMA_ACCUMULATE;
	out->write = !which;
	f->elem = typed ? nca_dtype_size(s->dtype) : d->elem;
	f->base = (int64_t)s->offset + (s->mem == NCA_MEM_SLOT ? (int64_t)reg_value(x, s->reg) :
					(int64_t)(int32_t)reg_value(x, s->reg));
	for (int i = 0; i < 4; i++) {
		f->size[i] = d->size[i];
		f->stride[i] = s->stride[i];
	}
	if (s->mem == NCA_MEM_SLOT) {
		f->space = SPACE_SLOT + s->slot;
		f->part[0] = f->part[1] = UINT64_MAX;
	} else {
		f->space = s->mem;
		part_range(f->part, s->part, d->size[0], s->stride[0]);
		f->size[0] = 1;
	}
	bounds(f);
	if (by_index) {		/* any row: all of the slot */
		f->lo = 0;
		f->hi = INT64_MAX;
	}
}

static void of_index(const struct exec *x, struct access *out)
{
	const struct nca_body_dma *d = &x->in->dma;

	*out = (struct access){ .read = true, .fp = {
		.space = SPACE_SLOT + d->index_slot, .part = { UINT64_MAX, UINT64_MAX },
		.base = (int64_t)d->index_offset, .size = { 1, 1, 1, d->size[0] },
		.stride = { 0, 0, 0, 4 }, .elem = 4 } };
	bounds(&out->fp);
}

static void of_scalar(const struct exec *x, const struct nca_scalar *s, struct access *out)
{
	struct nca_ap a = { .mem = s->kind == NCA_SCALAR_SBUF ? NCA_MEM_SBUF : NCA_MEM_PSUM,
			    .dtype = s->dtype, .part = s->part, .nparts = x->in->ew.dst.nparts,
			    .offset = s->value, .size = { 1, 1, 1, 1 } };

	of_ap(x, &a, true, false, out);
}

static uint32_t of_ew(const struct exec *x, struct access *out)
{
	const struct nca_body_ew *b = &x->in->ew;
	bool acc = x->in->flags & NCA_F_ACC_REDUCE, reduced = x->p->ndst > 1;
	bool reads_dst = x->in->opcode == NCA_OP_COPY_PRED || (x->in->opcode == NCA_OP_REDUCE && acc);
	uint32_t n = 0;

	of_ap(x, &b->dst, reads_dst, true, &out[n++]);
	if (b->src0.nparts)
		of_ap(x, &b->src0, true, false, &out[n++]);
	if (x->in->opcode == NCA_OP_SHUFFLE)	/* its mask lies where others have src1 */
		return n;
	if (b->src1.nparts)
		of_ap(x, &b->src1, !reduced || acc, reduced, &out[n++]);
	if (b->s0.kind == NCA_SCALAR_SBUF || b->s0.kind == NCA_SCALAR_PSUM)
		of_scalar(x, &b->s0, &out[n++]);
	if (b->s1.kind == NCA_SCALAR_SBUF || b->s1.kind == NCA_SCALAR_PSUM)
		of_scalar(x, &b->s1, &out[n++]);
	return n;
}

uint32_t accesses_of(const struct exec *x, struct access out[MAX_ACCESS])
{
	switch (x->in->opcode) {
	case NCA_OP_DMA:
		of_side(x, 0, &out[0]);
		of_side(x, 1, &out[1]);
		if (x->in->dma.mode < NCA_DMA_GATHER)
			return 2;
		of_index(x, &out[2]);
		return 3;
	case NCA_OP_LDSTAT:
		of_ap(x, &x->in->mm.src, true, false, &out[0]);
		return 1;
	case NCA_OP_MATMUL:
	case NCA_OP_TRANSPOSE:
		of_ap(x, &x->in->mm.src, true, false, &out[0]);
		of_ap(x, &x->in->mm.dst, x->in->flags & NCA_F_ACCUMULATE, true, &out[1]);
		return 2;
	default:
		return x->in->opcode < NCA_OP_DMA ? 0 : of_ew(x, out);
	}
}

/* Calls for every run of contiguous bytes; stops when the callback says so. */
typedef bool (*run_fn)(void *opaque, int64_t at, int64_t len);

static bool each_run(const struct footprint *f, run_fn fn, void *opaque)
{
	bool joined = f->stride[3] == f->elem;
	uint32_t inner = joined ? 1 : f->size[3];
	int64_t len = joined ? (int64_t)f->size[3] * f->elem : f->elem;

	for (uint32_t i = 0; i < f->size[0]; i++)
		for (uint32_t j = 0; j < f->size[1]; j++)
			for (uint32_t k = 0; k < f->size[2]; k++)
				for (uint32_t l = 0; l < inner; l++)
					if (fn(opaque, f->base + i * f->stride[0] + j * f->stride[1] +
					       k * f->stride[2] + l * f->stride[3], len))
						return true;
	return false;
}

struct window {
	uint8_t *bitmap;
	int64_t lo, hi;
};

static bool mark(void *opaque, int64_t at, int64_t len)
{
	struct window *w = opaque;
	int64_t end = at + len < w->hi ? at + len : w->hi;

	for (int64_t b = at > w->lo ? at : w->lo; b < end; b++)
		w->bitmap[(b - w->lo) / 8] |= (uint8_t)(1 << (b - w->lo) % 8);
	return false;
}

static bool marked(void *opaque, int64_t at, int64_t len)
{
	struct window *w = opaque;
	int64_t end = at + len < w->hi ? at + len : w->hi;

	for (int64_t b = at > w->lo ? at : w->lo; b < end; b++)
		if (w->bitmap[(b - w->lo) / 8] & (1 << (b - w->lo) % 8))
			return true;
	return false;
}

static bool dense(const struct footprint *f)
{
	int64_t extent = f->elem;

	for (int d = 3; d >= 0; d--) {
		if (f->size[d] == 1)
			continue;
		if (f->stride[d] != extent)
			return false;
		extent *= f->size[d];
	}
	return true;
}

/* Exact: bounds first, then the byte sets themselves, a window at a time. */
bool footprints_meet(const struct footprint *a, const struct footprint *b, uint8_t *bitmap)
{
	int64_t lo = a->lo > b->lo ? a->lo : b->lo, hi = a->hi < b->hi ? a->hi : b->hi;

	if (a->space != b->space || lo >= hi ||
	    !((a->part[0] & b->part[0]) | (a->part[1] & b->part[1])))
		return false;
	if (a->hi == INT64_MAX || b->hi == INT64_MAX || (dense(a) && dense(b)))
		return true;
	for (; lo < hi; lo += BITMAP_BYTES * 8) {
		struct window w = { bitmap, lo, lo + BITMAP_BYTES * 8 < hi ? lo + BITMAP_BYTES * 8 : hi };

		memset(bitmap, 0, (size_t)(w.hi - w.lo + 7) / 8);
		each_run(a, mark, &w);
		if (each_run(b, marked, &w))
			return true;
	}
	return false;
}

/* ---- written bytes -------------------------------------------------------------------- */
static bool in_set(const struct footprint *f, uint32_t p)
{
	return f->part[p / 64] >> p % 64 & 1;
}

/* The byte set as a bitmap of whole words from the word of fp->lo. */
static void mark_words(const struct footprint *fp, uint8_t *bitmap)
{
	struct window w = { bitmap, fp->lo & ~3ll, fp->hi };

	memset(bitmap, 0, (size_t)(w.hi - w.lo) / 8 + 1);
	each_run(fp, mark, &w);
}

static uint8_t bytes_of_word(const uint8_t *bitmap, int64_t word)
{
	return bitmap[word / 2] >> word % 2 * 4 & 0xf;
}

bool written_all(struct core_state *st, const struct footprint *fp, uint8_t *bitmap,
		 uint32_t *part, int64_t *byte)
{
	struct core_mem *m = &st->mem[fp->space];
	int64_t first = fp->lo / 4;

	mem_touch(m, (uint32_t)fp->lo, (uint32_t)fp->hi);
	mark_words(fp, bitmap);
	for (int64_t w = first; w * 4 < fp->hi; w++) {
		uint8_t need = bytes_of_word(bitmap, w - first);

		for (uint32_t p = 0; need && p < LANES; p++) {
			uint8_t missing = need & (uint8_t)~m->written[w * LANES + p];

			if (!missing || !in_set(fp, p))
				continue;
			*part = p;
			*byte = w * 4 + __builtin_ctz(missing);
			return false;
		}
	}
	return true;
}

void written_set(struct core_state *st, const struct footprint *fp, uint8_t *bitmap)
{
	struct core_mem *m = &st->mem[fp->space];
	int64_t first = fp->lo / 4;

	mem_touch(m, (uint32_t)fp->lo, (uint32_t)fp->hi);
	mark_words(fp, bitmap);
	for (int64_t w = first; w * 4 < fp->hi; w++) {
		uint8_t bytes = bytes_of_word(bitmap, w - first);

		for (uint32_t p = 0; bytes && p < LANES; p++)
			if (in_set(fp, p))
				m->written[w * LANES + p] |= bytes;
	}
}
