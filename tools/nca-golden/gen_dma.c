/* SPDX-License-Identifier: MIT */
/* Transfers between SBUF, PSUM and slots. */
#include <string.h>

#include "gen.h"

#define SLOT_BYTES	1024u
#define CHIP_BYTES	512u	/* per partition */

struct dma {
	struct gen *g;
	struct nca_inst in;
	struct nca_body_dma *b;
	uint32_t engine;
};

static int fill_bytes(struct gen *g, uint32_t space, uint32_t index, uint32_t len, uint32_t dtype)
{
	uint8_t bytes[SLOT_BYTES];
	uint32_t es = nca_dtype_size(dtype);

	for (uint32_t i = 0; i < len; i += es) {
		uint32_t v = gen_value(g, dtype);

		memcpy(bytes + i, &v, es);
	}
	return ncagolden_case_write(g->c, space, index, 0, bytes, len);
}

/* Strides of dimensions @first..3, @unit the bytes of an element; returns the extent. */
static void strides(struct dma *d, struct nca_dma_side *s, int first, int32_t unit, int64_t *lo,
		    int64_t *hi)
{
	int32_t step = unit;

	*lo = 0;
	*hi = unit;
	for (int i = 3; i >= first; i--) {
		int64_t reach;

		s->stride[i] = gen_one_in(d->g, 8) ? -step : step;
		step = step * (int32_t)d->b->size[i] + (gen_one_in(d->g, 3) ? unit : 0);
		reach = (int64_t)(d->b->size[i] - 1) * s->stride[i];
		*(reach < 0 ? lo : hi) += reach;
	}
}

static int slot_side(struct dma *d, struct nca_dma_side *s, uint32_t slot, uint32_t elem,
		     uint32_t dtype, bool is_dst, bool indexed)
{
	struct gen *g = d->g;
	int64_t lo, hi;
	int ret;

	s->mem = NCA_MEM_SLOT;
	s->slot = (uint16_t)slot;
	strides(d, s, 0, (int32_t)elem, &lo, &hi);
	if (indexed && s->stride[0] < 0)
		return 1;
	if (hi - lo > SLOT_BYTES)
		return 1;
	s->offset = (uint64_t)-lo + gen_below(g, (uint32_t)(SLOT_BYTES - (hi - lo)) + 1);
	if (is_dst && d->b->mode == NCA_DMA_ACCUMULATE)
		s->offset -= s->offset % elem;
	ret = ncagolden_case_slot(g->c, slot, SLOT_BYTES,
				  is_dst ? NCA_SLOT_READ | NCA_SLOT_WRITE : NCA_SLOT_READ);
	if (!ret)
		ret = fill_bytes(g, NCAGOLDEN_SLOT, slot, SLOT_BYTES, dtype);
	if (!ret && is_dst)
		ret = ncagolden_case_expect(g->c, NCAGOLDEN_SLOT, slot, 0, NULL, SLOT_BYTES);
	return ret;
}

static int chip_side(struct dma *d, struct nca_dma_side *s, uint32_t elem, uint32_t dtype,
		     bool is_dst)
{
	struct gen *g = d->g;
	uint32_t parts = d->b->size[0], step = 1 + gen_one_in(g, 4), align = elem < 4 ? elem : 4;
	int64_t lo, hi;
	int ret = 0;

	s->mem = gen_one_in(g, 4) ? NCA_MEM_PSUM : NCA_MEM_SBUF;
	strides(d, s, 1, (int32_t)elem, &lo, &hi);
	if (hi - lo > CHIP_BYTES || (parts - 1) * step >= NCA_PARTITIONS)
		return 1;
	s->stride[0] = (int32_t)step;
	s->part = (uint8_t)gen_below(g, NCA_PARTITIONS - (parts - 1) * step);
	s->offset = (uint64_t)-lo + align * gen_below(g, (uint32_t)(CHIP_BYTES - (hi - lo)) / align + 1);
	for (uint32_t p = 0; p < parts && !ret; p++) {
		ret = fill_bytes(g, s->mem, s->part + p * step, CHIP_BYTES, dtype);
		if (!ret && is_dst)
			ret = ncagolden_case_expect(g->c, s->mem, s->part + p * step, 0, NULL,
						    CHIP_BYTES);
	}
	return ret;
}

static int add_indices(struct dma *d)
{
	uint32_t slot = 2, bytes = 4 * d->b->size[0];
	int ret = ncagolden_case_slot(d->g->c, slot, bytes, NCA_SLOT_READ);

	d->b->index_slot = (uint16_t)slot;
	for (uint32_t i = 0; i < d->b->size[0] && !ret; i++) {
		uint32_t v = gen_below(d->g, d->b->size[0]);

		ret = ncagolden_case_write(d->g->c, NCAGOLDEN_SLOT, slot, 4 * i, &v, 4);
	}
	return ret;
}

int gen_dma(struct gen *g, uint32_t opcode, uint32_t engine)
{
	struct dma d = { .g = g, .engine = engine };
	struct nca_body_dma *b = d.b = &d.in.dma;
	uint32_t dst_type = gen_dtype(g), src_type = gen_dtype(g), dst_elem;
	uint32_t n = 1 + gen_below(g, g->elems);
	uint16_t size[4];
	bool typed, gather, scatter;
	int ret;

	d.in.opcode = (uint8_t)opcode;
	b->mode = (uint8_t)gen_below(g, 5);
	typed = b->mode == NCA_DMA_CAST || b->mode == NCA_DMA_ACCUMULATE;
	gather = b->mode == NCA_DMA_GATHER;
	scatter = b->mode == NCA_DMA_SCATTER;
	b->elem = (uint16_t)(typed ? nca_dtype_size(src_type) : 1u << gen_below(g, 4));
	dst_elem = typed ? nca_dtype_size(dst_type) : b->elem;
	if (typed) {
		b->dst.dtype = (uint8_t)dst_type;
		b->src.dtype = (uint8_t)src_type;
	}
	b->queue = gen_one_in(g, 3) ? NCA_DMA_SPREAD : (uint8_t)gen_below(g, g->target->dma_engines);
	gen_sizes(g, n, size);
	b->size[0] = gen_lanes(g);
	for (int i = 1; i < 4; i++)
		b->size[i] = size[i];
	if (gather || gen_one_in(g, 2))
		ret = slot_side(&d, &b->src, 0, b->elem, src_type, false, gather);
	else
		ret = chip_side(&d, &b->src, b->elem, src_type, false);
	if (!ret && (scatter || gen_one_in(g, 2)))
		ret = slot_side(&d, &b->dst, 1, dst_elem, dst_type, true, scatter);
	else if (!ret)
		ret = chip_side(&d, &b->dst, dst_elem, dst_type, true);
	if (!ret && (gather || scatter))
		ret = add_indices(&d);
	if (!ret)
		ret = gen_sync(g, &d.in);
	return ret ? ret : ncagolden_case_inst(g->c, engine, &d.in);
}
