/* SPDX-License-Identifier: MIT */
/*
 * DMA as far as bytes are concerned. A transfer moves its bytes when it is
 * triggered, as a whole: programs that order their accesses cannot tell.
 */
#include <string.h>

#include "core_impl.h"

#define ALIAS_BYTES	4096u

/* A slot or an on-chip memory as seen by one transfer. */
struct side {
	struct exec *x;
	const struct nca_dma_side *s;
	struct core_mem *mem;	/* NULL: slot */
	int64_t base;		/* offset with its register added */
	uint32_t lo, hi;	/* on chip: bytes of each partition */
	bool write, dev_mem;
	/* The piece of the slot that was translated last. */
	uint8_t *piece;
	uint64_t piece_at, piece_len;
};

static int slot_fault(struct side *d, int64_t at)
{
	return fault_set(d->x->fault, NCA_RULE_SLOT, d->x->engine, d->x->pc, (uint64_t)at,
			 "slot %u offset %lld cannot be %s", d->s->slot, (long long)at,
			 d->write ? "written" : "read");
}

/* Up to @len bytes at @at of the slot, *@avail of them contiguous. */
static uint8_t *slot_at(struct side *d, uint64_t at, uint64_t len, uint64_t *avail)
{
	const struct core_memory *m = &d->x->st->launch.memory;

	if (d->piece && at >= d->piece_at && at - d->piece_at < d->piece_len) {
		*avail = d->piece_len - (at - d->piece_at);
		return d->piece + (at - d->piece_at);
	}
	d->piece = m->translate(m->opaque, d->s->slot, at, len, d->write, avail, &d->dev_mem);
	if (!d->piece || !*avail)
		return NULL;
	if (d->write) {
		alias_written(&d->x->st->mem[NCA_MEM_SBUF], d->piece, *avail);
		stationary_settle(d->x->st, d->piece, *avail);
	}
	d->piece_at = at;
	d->piece_len = *avail < len ? *avail : len;
	return d->piece;
}

static int side_open(struct side *d, struct exec *x, int which, uint32_t elem)
{
	const struct pinst *p = x->p;
	uint64_t avail, lo;
	int64_t reg = 0;

	*d = (struct side){ .x = x, .s = which ? &x->in->dma.src : &x->in->dma.dst,
			    .write = !which };
	d->base = (int64_t)d->s->offset;
	if (d->s->mem != NCA_MEM_SLOT) {
		if (exec_range(x, &p->dma.box[which], elem < 4 ? elem : 4, &d->lo, &d->hi))
			return -1;
		d->mem = &x->st->mem[d->s->mem];
		d->base += (int32_t)d->lo - p->dma.box[which].lo;
		return 0;
	}
	if (d->s->reg)
		reg = x->st->stream[x->engine].reg[d->s->reg - 1];
	if (d->s->offset > 1ull << 62)
		return slot_fault(d, d->base);
	d->base += reg;
	if (d->base + p->dma.slot_lo[which] < 0)
		return slot_fault(d, d->base + p->dma.slot_lo[which]);
	/* The whole extent at once: one answer for the permission, mostly one piece. */
	lo = (uint64_t)(d->base + p->dma.slot_lo[which]);
	if (!slot_at(d, lo, p->dma.slot_len[which], &avail))
		return slot_fault(d, (int64_t)lo);
	return 0;
}

static int slot_copy(struct side *d, int64_t at, uint8_t *buf, uint64_t len)
{
	while (len) {
		uint64_t avail;
		uint8_t *p = slot_at(d, (uint64_t)at, len, &avail);

		if (!p)
			return slot_fault(d, at);
		if (avail > len)
			avail = len;
		if (d->write)
			memcpy(p, buf, avail);
		else
			memcpy(buf, p, avail);
		at += (int64_t)avail;
		buf += avail;
		len -= avail;
	}
	return 0;
}

/* One element of either kind of side. */
static int get(struct side *d, uint32_t part, int64_t at, uint8_t *buf, uint32_t elem)
{
	if (!d->mem)
		return slot_copy(d, at, buf, elem);
	memcpy(buf, mem_at(d->mem, part, (uint32_t)at), elem < 4 ? elem : 4);
	if (elem == 8)
		memcpy(buf + 4, mem_at(d->mem, part, (uint32_t)at + 4), 4);
	return 0;
}

static int put(struct side *d, uint32_t part, int64_t at, uint8_t *buf, uint32_t elem)
{
	if (!d->mem)
		return slot_copy(d, at, buf, elem);
	memcpy(mem_at(d->mem, part, (uint32_t)at), buf, elem < 4 ? elem : 4);
	if (elem == 8)
		memcpy(mem_at(d->mem, part, (uint32_t)at + 4), buf + 4, 4);
	return 0;
}

/* FP32, or the 32-bit integers when both types are integers; one rounding into dst. */
static uint32_t convert(uint32_t bits, uint32_t from, uint32_t to)
{
	if (from == to)
		return bits;
	if (from >= NCA_INT32)
		return golden_from_int(golden_to_int(bits, from), to,
				       from == NCA_UINT32 ? DOM_UINT : DOM_INT);
	return golden_from_fp32(golden_to_fp32(bits, from), to);
}

static uint32_t accumulate(uint32_t dst, uint32_t src, uint32_t to, uint32_t from)
{
	uint32_t sum;

	if (from >= NCA_INT32 && to >= NCA_INT32) {
		enum domain dom = to == NCA_UINT32 ? DOM_UINT : DOM_INT;

		sum = golden_alu(NCA_ALU_ADD, golden_to_int(dst, to), golden_to_int(src, from), dom);
		return golden_from_int(sum, to, dom);
	}
	sum = golden_alu(NCA_ALU_ADD, float_bits(golden_to_fp32(dst, to)),
			 float_bits(golden_to_fp32(src, from)), DOM_FP);
	return golden_from_fp32(bits_float(sum), to);
}

struct walk {
	struct side dst, src;
	const struct nca_body_dma *d;
	uint32_t dst_elem, src_elem;
};

static int one_element(struct walk *w, uint32_t dpart, int64_t dat, uint32_t spart, int64_t sat)
{
	uint32_t from = w->d->src.dtype, to = w->d->dst.dtype, v = 0, old = 0;
	uint8_t buf[8];

	if (w->d->mode != NCA_DMA_CAST && w->d->mode != NCA_DMA_ACCUMULATE)
		return get(&w->src, spart, sat, buf, w->src_elem) ||
		       put(&w->dst, dpart, dat, buf, w->dst_elem) ? -1 : 0;
	if (get(&w->src, spart, sat, (uint8_t *)&v, w->src_elem))
		return -1;
	if (w->d->mode == NCA_DMA_CAST) {
		v = convert(v, from, to);
	} else {
		bool write = w->dst.write;

		w->dst.write = false;
		if (get(&w->dst, dpart, dat, (uint8_t *)&old, w->dst_elem))
			return -1;
		w->dst.write = write;
		v = accumulate(old, v, to, from);
	}
	return put(&w->dst, dpart, dat, (uint8_t *)&v, w->dst_elem);
}

/*
 * A run of contiguous whole words between a slot and one partition, a word per
 * row of the memory. @at is a multiple of 4.
 */
static int run_words(struct side *slot, int64_t slot_at_, struct side *chip, uint32_t part,
		     uint32_t at, uint64_t bytes)
{
	while (bytes) {
		uint64_t avail;
		uint8_t *p = slot_at(slot, (uint64_t)slot_at_, bytes, &avail);
		uint8_t *q = mem_at(chip->mem, part, at);
		uint64_t n;

		if (!p)
			return slot_fault(slot, slot_at_);
		n = (avail < bytes ? avail : bytes) / 4;
		if (!n) {	/* a word across two pieces of host memory */
			if (slot_copy(slot, slot_at_, q, 4))
				return -1;
			n = 1;
		} else if (slot->write) {
			for (uint64_t i = 0; i < n; i++)
				memcpy(p + i * 4, q + i * ROW_BYTES, 4);
		} else {
			for (uint64_t i = 0; i < n; i++)
				memcpy(q + i * ROW_BYTES, p + i * 4, 4);
		}
		at += (uint32_t)n * 4;
		slot_at_ += (int64_t)n * 4;
		bytes -= n * 4;
	}
	return 0;
}

static int one_run(struct walk *w, uint32_t dpart, int64_t dat, uint32_t spart, int64_t sat)
{
	const struct nca_body_dma *d = w->d;
	uint64_t bytes = (uint64_t)d->size[3] * d->elem;
	bool whole = bytes % 4 == 0 && d->dst.stride[3] == d->elem && d->src.stride[3] == d->elem &&
		     d->mode != NCA_DMA_CAST && d->mode != NCA_DMA_ACCUMULATE;

	if (whole && w->dst.mem && !w->src.mem && dat % 4 == 0)
		return run_words(&w->src, sat, &w->dst, dpart, (uint32_t)dat, bytes);
	if (whole && w->src.mem && !w->dst.mem && sat % 4 == 0)
		return run_words(&w->dst, dat, &w->src, spart, (uint32_t)sat, bytes);
	for (uint32_t i = 0; i < d->size[3]; i++)
		if (one_element(w, dpart, dat + (int64_t)i * d->dst.stride[3], spart,
				sat + (int64_t)i * d->src.stride[3]))
			return -1;
	return 0;
}

/*
 * Fast path of the common weight and tile transfer: consecutive partitions, one
 * run each, on a slot side that is one piece: a transpose of words.
 */
static bool as_transpose(struct walk *w)
{
	const struct nca_body_dma *d = w->d;
	struct side *chip = w->dst.mem ? &w->dst : &w->src, *slot = w->dst.mem ? &w->src : &w->dst;
	uint64_t run = (uint64_t)d->size[3] * d->elem, len, avail;
	const struct nca_dma_side *cs = chip->s, *ss = slot->s;
	uint32_t words = (uint32_t)(run / 4);

	if (!!w->dst.mem == !!w->src.mem || d->mode != NCA_DMA_COPY || run % 4 ||
	    d->dst.stride[3] != d->elem || d->src.stride[3] != d->elem ||
	    (d->size[0] > 1 && cs->stride[0] != 1) || chip->base % 4 ||
	    (d->size[0] > 1 && ss->stride[0] < (int64_t)run) ||
	    (d->size[1] > 1 && (cs->stride[1] % 4 || ss->stride[1] < 0)) ||
	    (d->size[2] > 1 && (cs->stride[2] % 4 || ss->stride[2] < 0)))
		return false;
	len = (uint64_t)ss->stride[0] * (d->size[0] - 1) + run;
	len += d->size[1] > 1 ? (uint64_t)ss->stride[1] * (d->size[1] - 1) : 0;
	len += d->size[2] > 1 ? (uint64_t)ss->stride[2] * (d->size[2] - 1) : 0;
	if (!slot_at(slot, (uint64_t)slot->base, len, &avail) || avail < len)
		return false;
	for (uint32_t j = 0; j < d->size[1]; j++) {
		for (uint32_t k = 0; k < d->size[2]; k++) {
			uint64_t o = (uint64_t)((int64_t)j * ss->stride[1] + (int64_t)k * ss->stride[2]);
			uint8_t *p = slot_at(slot, (uint64_t)slot->base + o, len - o, &avail);
			uint8_t *q = mem_at(chip->mem, cs->part,
					    (uint32_t)(chip->base + (int64_t)j * cs->stride[1] +
						       (int64_t)k * cs->stride[2]));
			size_t pitch = d->size[0] > 1 ? (size_t)ss->stride[0] : run;

			if (chip == &w->dst)
				w->dst.x->k->transpose(q, ROW_BYTES, p, pitch, d->size[0], words);
			else
				w->dst.x->k->transpose(p, pitch, q, ROW_BYTES, words, d->size[0]);
		}
	}
	return true;
}

/*
 * A block of weights: a run of words for each of consecutive partitions, from
 * memory that will not change. Small ones are not worth the note.
 */
static bool as_alias(struct walk *w)
{
	const struct core_memory *m = &w->dst.x->st->launch.memory;
	const struct nca_body_dma *d = w->d;
	uint64_t run = (uint64_t)d->size[3] * d->elem, len, avail;
	const struct nca_dma_side *ss = w->src.s, *ds = w->dst.s;
	const uint8_t *p;

	if (d->mode != NCA_DMA_COPY || ds->mem != NCA_MEM_SBUF || w->src.mem ||
	    run * d->size[0] < ALIAS_BYTES || d->size[1] != 1 || d->size[2] != 1 || run % 4 ||
	    w->dst.base % 4 || ds->stride[3] != d->elem || ss->stride[3] != d->elem ||
	    (d->size[0] > 1 && (ds->stride[0] != 1 || ss->stride[0] < (int64_t)run)) ||
	    w->dst.x->st->launch.check || !m->stable || !m->stable(m->opaque, ss->slot))
		return false;
	len = (uint64_t)ss->stride[0] * (d->size[0] - 1) + run;
	p = slot_at(&w->src, (uint64_t)w->src.base, len, &avail);
	return p && avail >= len &&
	       alias_note(w->dst.mem, w->dst.x->k, &w->dst.x->p->dma.box[0], w->dst.lo, w->dst.hi, p,
			  d->size[0] > 1 ? (size_t)ss->stride[0] : run);
}

static bool meet(const struct side *a, const struct box *x, const struct side *b,
		 const struct box *y)
{
	return a->mem == b->mem && a->lo < b->hi && b->lo < a->hi &&
	       x->part < y->part + y->nparts && y->part < x->part + x->nparts;
}

/* Within the chip, words of consecutive partitions: they are neighbours in a row. */
static bool as_rows(struct walk *w)
{
	const struct nca_body_dma *d = w->d;
	const struct nca_dma_side *ds = w->dst.s, *ss = w->src.s;
	const struct box *box = w->dst.x->p->dma.box;
	uint32_t words = d->size[3] * d->elem / 4, bytes = d->size[0] * 4;

	if (!w->dst.mem || !w->src.mem || d->mode != NCA_DMA_COPY || d->size[3] * d->elem % 4 ||
	    ds->stride[3] != d->elem || ss->stride[3] != d->elem || w->dst.base % 4 ||
	    w->src.base % 4 || (d->size[0] > 1 && (ds->stride[0] != 1 || ss->stride[0] != 1)) ||
	    (d->size[1] > 1 && (ds->stride[1] % 4 || ss->stride[1] % 4)) ||
	    (d->size[2] > 1 && (ds->stride[2] % 4 || ss->stride[2] % 4)) ||
	    meet(&w->dst, &box[0], &w->src, &box[1]))
		return false;
	for (uint32_t j = 0; j < d->size[1]; j++) {
		for (uint32_t k = 0; k < d->size[2]; k++) {
			uint8_t *q = mem_at(w->dst.mem, ds->part,
					    (uint32_t)(w->dst.base + (int64_t)j * ds->stride[1] +
						       (int64_t)k * ds->stride[2]));
			const uint8_t *p = mem_at(w->src.mem, ss->part,
						  (uint32_t)(w->src.base + (int64_t)j * ss->stride[1] +
							     (int64_t)k * ss->stride[2]));

			for (uint32_t i = 0; i < words; i++, p += ROW_BYTES, q += ROW_BYTES) {
				if (bytes > 16)
					memcpy(q, p, bytes);
				else
					for (uint32_t b = 0; b < bytes; b += 4)
						memcpy(q + b, p + b, 4);
			}
		}
	}
	return true;
}

static int dma_index(struct side *index, uint32_t i, struct side *target, int32_t stride,
		     int64_t *row)
{
	int32_t v;

	if (slot_copy(index, index->base + (int64_t)i * 4, (uint8_t *)&v, 4))
		return -1;
	*row = (int64_t)v * stride;
	if (v < 0)
		return fault_set(target->x->fault, NCA_RULE_INDEX, target->x->engine, target->x->pc,
				 i, "index %u is %d", i, v);
	return 0;
}

static int walk_all(struct walk *w, struct side *index)
{
	const struct nca_body_dma *d = w->d;

	for (uint32_t i = 0; i < d->size[0]; i++) {
		int64_t dbase = w->dst.base, sbase = w->src.base, row;
		uint32_t dpart = 0, spart = 0;

		if (w->dst.mem)
			dpart = (uint32_t)(d->dst.part + (int64_t)i * d->dst.stride[0]);
		else
			dbase += (int64_t)i * d->dst.stride[0];
		if (w->src.mem)
			spart = (uint32_t)(d->src.part + (int64_t)i * d->src.stride[0]);
		else
			sbase += (int64_t)i * d->src.stride[0];
		if (index) {
			struct side *target = d->mode == NCA_DMA_GATHER ? &w->src : &w->dst;

			if (dma_index(index, i, target, target->s->stride[0], &row))
				return -1;
			*(d->mode == NCA_DMA_GATHER ? &sbase : &dbase) = target->base + row;
		}
		for (uint32_t j = 0; j < d->size[1]; j++)
			for (uint32_t k = 0; k < d->size[2]; k++)
				if (one_run(w, dpart, dbase + (int64_t)j * d->dst.stride[1] +
					    (int64_t)k * d->dst.stride[2], spart,
					    sbase + (int64_t)j * d->src.stride[1] +
					    (int64_t)k * d->src.stride[2]))
					return -1;
	}
	return 0;
}

static void path_of(const struct walk *w, struct dma_path *path)
{
	path->factor = 0;
	if (!w->src.mem) {
		path->servers |= 1u << (w->src.dev_mem ? SERVER_DEVMEM : SERVER_LINK_IN);
		path->factor += w->src.dev_mem;
	}
	if (!w->dst.mem) {
		path->servers |= 1u << (w->dst.dev_mem ? SERVER_DEVMEM : SERVER_LINK_OUT);
		path->factor += w->dst.dev_mem;
	}
}

int exec_dma(struct exec *x, struct dma_path *path)
{
	const struct nca_body_dma *d = &x->in->dma;
	bool typed = d->mode == NCA_DMA_CAST || d->mode == NCA_DMA_ACCUMULATE;
	bool indexed = d->mode == NCA_DMA_GATHER || d->mode == NCA_DMA_SCATTER;
	struct nca_dma_side index_side = { .mem = NCA_MEM_SLOT, .slot = d->index_slot };
	struct side index = { .x = x, .s = &index_side };
	struct walk w = { .d = d, .dst_elem = d->elem, .src_elem = d->elem };

	if (typed) {
		w.dst_elem = nca_dtype_size(d->dst.dtype);
		w.src_elem = nca_dtype_size(d->src.dtype);
	}
	if (side_open(&w.dst, x, 0, w.dst_elem) || side_open(&w.src, x, 1, w.src_elem))
		return -1;
	if (indexed) {
		if (d->index_offset > 1ull << 62)
			return slot_fault(&index, (int64_t)d->index_offset);
		index.base = (int64_t)d->index_offset;
	}
	path_of(&w, path);
	if (checker_dma(x, &path->clock))
		return -1;
	if (x->st->launch.timed_only || as_alias(&w))
		return 0;
	if (w.dst.mem)
		mem_touch(w.dst.mem, w.dst.lo, w.dst.hi);
	if (w.src.mem)
		mem_touch(w.src.mem, w.src.lo, w.src.hi);
	if (as_transpose(&w) || as_rows(&w))
		return 0;
	return walk_all(&w, indexed ? &index : NULL);
}
