/* SPDX-License-Identifier: MIT */
/* Static validation of DMA. */
#include "core_impl.h"

/* Bounds what one instruction can cost the host, whatever the strides are. */
#define DMA_MAX_BYTES	(1u << 26)
#define DMA_MAX_DESCS	(1u << 20)

static bool indexed(const struct nca_body_dma *d)
{
	return d->mode == NCA_DMA_GATHER || d->mode == NCA_DMA_SCATTER;
}

/* @side 0: dst, 1: src. The first dimension of a gathered side is chosen by an index. */
static int check_side(struct check *c, struct pinst *p, int side, uint32_t elem)
{
	const struct nca_body_dma *d = &c->in->dma;
	const struct nca_dma_side *s = side ? &d->src : &d->dst;
	const char *what = side ? "src" : "dst";
	bool by_index = indexed(d) && side == (d->mode == NCA_DMA_GATHER);
	__int128 lo = 0, hi = 0, part_lo = s->part, part_hi = s->part;
	uint32_t align = elem < 4 ? elem : 4, live;

	if (s->rsvd || s->reg > NCA_REGISTERS)
		return program_fault(c, s->rsvd ? NCA_RULE_BAD_ENCODING : NCA_RULE_REGISTER, s->reg,
				     "%s: no register %u", what, s->reg - 1);
	for (int i = 0; i < 4; i++) {
		__int128 reach = (__int128)(d->size[i] - 1) * s->stride[i];

		if (i == 0 && by_index)
			continue;
		if (i == 0 && s->mem != NCA_MEM_SLOT) {
			*(reach < 0 ? &part_lo : &part_hi) += reach;
			continue;
		}
		*(reach < 0 ? &lo : &hi) += reach;
	}
	hi += elem;
	if (s->mem == NCA_MEM_SLOT) {
		if (s->part)
			return program_fault(c, NCA_RULE_BAD_ENCODING, s->part,
					     "%s: a slot has no partitions", what);
		if (s->slot >= c->header->slots)
			return program_fault(c, NCA_RULE_SLOT, s->slot, "%s: slot %u of %u", what,
					     s->slot, c->header->slots);
		if (lo < -((__int128)1 << 62) || hi > (__int128)1 << 62)
			return program_fault(c, NCA_RULE_OUT_OF_RANGE, 0,
					     "%s: the transfer is larger than any memory", what);
		p->dma.slot_lo[side] = (int64_t)lo;
		p->dma.slot_len[side] = (uint64_t)(hi - lo);
		return 0;
	}
	if (s->mem > NCA_MEM_SLOT || s->slot)
		return program_fault(c, NCA_RULE_BAD_ENCODING, s->mem, "%s: memory %u, slot %u", what,
				     s->mem, s->slot);
	if (by_index)
		return program_fault(c, NCA_RULE_SPACE, s->mem, "%s: an indexed side must be a slot",
				     what);
	if (part_lo < 0 || part_hi >= NCA_PARTITIONS)
		return program_fault(c, NCA_RULE_OUT_OF_RANGE, (uint64_t)part_hi,
				     "%s: partitions %lld to %lld, there are 128", what,
				     (long long)part_lo, (long long)part_hi);
	if (s->offset % align || s->stride[1] % (int32_t)align || s->stride[2] % (int32_t)align ||
	    s->stride[3] % (int32_t)align)
		return program_fault(c, NCA_RULE_MISALIGNED, s->offset,
				     "%s: offset %llu or a stride is no multiple of %u bytes", what,
				     (unsigned long long)s->offset, align);
	live = s->mem == NCA_MEM_SBUF ? c->header->sbuf_live : c->header->psum_live;
	lo += s->offset;
	hi += s->offset;
	if (hi - lo > live || s->offset > NCA_AP_OFFSET_MASK || (!s->reg && (lo < 0 || hi > live)))
		return program_fault(c, NCA_RULE_OUT_OF_RANGE, s->offset,
				     "%s: bytes %lld to %lld per partition, the program has %u", what,
				     (long long)lo, (long long)hi - 1, live);
	p->dma.box[side] = (struct box){ .mem = s->mem, .reg = s->reg, .part = (uint8_t)part_lo,
					 .nparts = (uint8_t)(part_hi - part_lo + 1),
					 .lo = (int32_t)lo, .hi = (int32_t)hi };
	return 0;
}

static int check_mode(struct check *c, uint32_t *dst_elem, uint32_t *src_elem)
{
	const struct nca_body_dma *d = &c->in->dma;

	*dst_elem = *src_elem = d->elem;
	switch (d->mode) {
	case NCA_DMA_COPY:
	case NCA_DMA_GATHER:
	case NCA_DMA_SCATTER:
		if (d->dst.dtype || d->src.dtype)
			return program_fault(c, NCA_RULE_BAD_ENCODING, d->dst.dtype,
					     "a copy has no data types");
		break;
	case NCA_DMA_CAST:
	case NCA_DMA_ACCUMULATE:
		*dst_elem = nca_dtype_size(d->dst.dtype);
		*src_elem = nca_dtype_size(d->src.dtype);
		if (!*dst_elem || *src_elem != d->elem)
			return program_fault(c, NCA_RULE_DTYPE, d->src.dtype,
					     "data types %u to %u with elements of %u bytes",
					     d->src.dtype, d->dst.dtype, d->elem);
		break;
	default:
		return program_fault(c, NCA_RULE_BAD_ENCODING, d->mode, "no DMA mode %u", d->mode);
	}
	if (!indexed(d)) {
		if (d->index_slot || d->index_offset)
			return program_fault(c, NCA_RULE_BAD_ENCODING, d->index_slot,
					     "mode %u takes no index", d->mode);
		return 0;
	}
	if (d->index_slot >= c->header->slots)
		return program_fault(c, NCA_RULE_SLOT, d->index_slot, "index: slot %u of %u",
				     d->index_slot, c->header->slots);
	if (d->index_offset % 4)
		return program_fault(c, NCA_RULE_MISALIGNED, d->index_offset,
				     "index: offset %llu is no multiple of 4",
				     (unsigned long long)d->index_offset);
	return 0;
}

int program_check_dma(struct check *c, struct pinst *p)
{
	const struct nca_body_dma *d = &c->in->dma;
	uint32_t dst_elem, src_elem;
	unsigned __int128 elems = 1;
	int ret;

	if (c->in->flags || d->rsvd)
		return program_fault(c, NCA_RULE_BAD_ENCODING, c->in->flags,
				     "flags 0x%x or reserved bytes", c->in->flags);
	if (d->elem != 1 && d->elem != 2 && d->elem != 4 && d->elem != 8)
		return program_fault(c, NCA_RULE_BAD_ENCODING, d->elem, "elements of %u bytes",
				     d->elem);
	if (d->queue != NCA_DMA_SPREAD && d->queue >= c->target->dma_engines)
		return program_fault(c, NCA_RULE_BAD_ENCODING, d->queue, "queue %u, %s has %u",
				     d->queue, c->target->name, c->target->dma_engines);
	for (int i = 0; i < 4; i++) {
		if (!d->size[i])
			return program_fault(c, NCA_RULE_BAD_ENCODING, (uint64_t)i, "size[%d] is 0", i);
		elems *= d->size[i];	/* below 2^128 */
	}
	if (elems > DMA_MAX_BYTES || elems * d->elem > DMA_MAX_BYTES)
		return program_fault(c, NCA_RULE_SHAPE, 0, "a transfer of more than %u bytes",
				     DMA_MAX_BYTES);
	ret = check_mode(c, &dst_elem, &src_elem);
	if (!ret)
		ret = check_side(c, p, 0, dst_elem);
	if (!ret)
		ret = check_side(c, p, 1, src_elem);
	if (ret)
		return ret;
	p->dma.descs = nca_dma_descriptors(d, &p->dma.desc_bytes);
	if (p->dma.descs > DMA_MAX_DESCS)
		return program_fault(c, NCA_RULE_SHAPE, p->dma.descs,
				     "%llu descriptors, at most %u in one transfer",
				     (unsigned long long)p->dma.descs, DMA_MAX_DESCS);
	p->dma.bytes = nca_dma_bytes(d);
	p->dma.desc_ticks = (uint32_t)nca_dma_desc_ticks(c->target, p->dma.desc_bytes);
	return 0;
}
