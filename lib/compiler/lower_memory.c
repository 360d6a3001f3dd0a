// SPDX-License-Identifier: MIT
/* Where tensors live, and the transfers between their homes. */
#include <string.h>

#include "lower.h"

/* A row of a partition that keeps a DMA engine busy; longer rows only delay the first use. */
#define GROUP_BYTES 8192u

static uint32_t float_bits(float f)
{
	uint32_t u;

	memcpy(&u, &f, sizeof(u));
	return u;
}

/* Round to nearest even, NaN stays NaN. */
static uint16_t to_bf16(float f)
{
	uint32_t u = float_bits(f);

	if ((u & 0x7fffffff) > 0x7f800000)
		return (uint16_t)(u >> 16 | 0x40);
	return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

void lower_store_elem(const struct lower *l, uint8_t *dst, float value)
{
	uint16_t b = to_bf16(value);

	if (l->dtype == NCA_BF16)
		memcpy(dst, &b, sizeof(b));
	else
		memcpy(dst, &value, sizeof(value));
}

void *lower_convert(struct lower *l, const float *src, int64_t n)
{
	uint8_t *out = cc_calloc(l->cc, (size_t)n, l->elem);

	for (int64_t i = 0; i < n; i++)
		lower_store_elem(l, out + i * l->elem, src[i]);
	return out;
}

uint64_t lower_weights(struct lower *l, const void *data, uint64_t size)
{
	struct weight_piece *p = cc_push(l->cc, l->pieces, l->num_pieces, l->cap_pieces);

	p->data = data;
	p->size = size;
	p->offset = l->weights_size;
	l->weights_size += (size + 63) & ~(uint64_t)63;
	return p->offset;
}

/* ---- weights in groups: few large transfers instead of many small ones ---- */

void lower_close_weights(struct lower *l)
{
	struct weight_group *gr = &l->group;
	struct mir_inst *load;
	struct nca_body_dma *d;
	uint8_t *image;

	if (!gr->buf)
		return;
	image = cc_calloc(l->cc, gr->nparts, gr->bytes);
	for (const struct weight_part *p = gr->parts; p; p = p->next)
		for (uint64_t k = 0; k < p->nparts; k++)
			memcpy(image + k * gr->bytes + p->at, p->data + k * p->bytes, p->bytes);
	/* The transfer was emitted when the group was opened; now its size is known. */
	load = &l->m->inst[gr->load];
	d = &load->in.dma;
	d->src.offset = lower_weights(l, image, gr->nparts * gr->bytes);
	d->src.stride[0] = (int32_t)gr->bytes;
	d->size[0] = (uint32_t)gr->nparts;
	d->size[3] = (uint32_t)(gr->bytes / l->elem);
	gr->buf->bytes = gr->bytes;
	load->prefetch_bytes = (uint32_t)gr->bytes;
	load->ref[0].nparts = (uint8_t)gr->nparts;
	load->ref[0].hi = gr->bytes;
	load->ref[1].lo = d->src.offset;
	load->ref[1].hi = d->src.offset + gr->nparts * gr->bytes;
	memset(gr, 0, sizeof(*gr));
}

static void open_group(struct lower *l)
{
	static const int64_t one[4] = { 1, 1, 1, 1 };
	struct weight_group *gr = &l->group;
	struct mir_mem dst = { .space = MIR_SBUF, .dtype = l->dtype,
			       .stride = { 1, 0, 0, l->elem } };
	struct mir_mem src = { .space = MIR_SLOT, .slot = MIR_SLOT_WEIGHTS, .dtype = l->dtype,
			       .stride = { 0, 0, 0, l->elem } };

	gr->buf = mir_sbuf(l->m, GROUP_BYTES, "weights");
	dst.buf = gr->buf;
	gr->load = l->m->num_insts;
	mir_dma(l->m, NCA_ENGINE_SYNC, &dst, &src, one, (uint16_t)l->elem, false)->prefetch = true;
}

uint64_t lower_place_weights(struct lower *l, const uint8_t *data, uint64_t nparts, uint64_t bytes,
			     struct mir_buf **buf)
{
	struct weight_group *gr = &l->group;
	struct weight_part *p = cc_new(l->cc, struct weight_part);

	/* Rows of very different numbers of partitions in one transfer would carry mostly padding. */
	if (gr->buf && (gr->bytes + bytes > GROUP_BYTES ||
			(gr->bytes > 1024 && (nparts > 2 * gr->nparts || gr->nparts > 2 * nparts))))
		lower_close_weights(l);
	if (!gr->buf)
		open_group(l);
	p->data = data;
	p->bytes = bytes;
	p->nparts = nparts;
	p->at = gr->bytes;
	p->next = gr->parts;
	gr->parts = p;
	gr->bytes += (bytes + 3) & ~(uint64_t)3;
	if (gr->buf->bytes < gr->bytes)
		gr->buf->bytes = gr->bytes;
	if (nparts > gr->nparts)
		gr->nparts = nparts;
	*buf = gr->buf;
	return p->at;
}

/* ---- per-channel vectors: all of them in one buffer, loaded once ---- */

static uint32_t columns_of(const struct ir_value *v)
{
	return v ? (uint32_t)ceil_div(ir_type_elements(&v->type), NCA_PARTITIONS) : 0;
}

void lower_plan_columns(struct lower *l)
{
	int64_t size[4] = { NCA_PARTITIONS, 1, 1, 0 };
	struct mir_mem dst = { .space = MIR_SBUF, .dtype = NCA_FP32, .stride = { 1, 0, 0, 4 } };
	struct mir_mem src = { .space = MIR_SLOT, .slot = MIR_SLOT_WEIGHTS, .dtype = NCA_FP32 };
	struct mir_inst *load;

	for (const struct ir_op *op = l->g->first; op; op = op->next) {
		if (op->opcode == IR_CONV)
			l->num_columns += columns_of(ir_in(op, IR_CONV_BIAS));
		if (op->opcode == IR_AFFINE)
			l->num_columns += 2 * columns_of(ir_in(op, IR_AFFINE_SCALE));
	}
	if (!l->num_columns)
		return;
	l->column_data = cc_new_n(l->cc, float, (size_t)NCA_PARTITIONS * l->num_columns);
	l->columns = mir_sbuf(l->m, (uint64_t)l->num_columns * 4, "channel vectors");
	dst.buf = l->columns;
	src.offset = lower_weights(l, l->column_data, (uint64_t)NCA_PARTITIONS * l->num_columns * 4);
	src.stride[0] = (int64_t)l->num_columns * 4;
	src.stride[3] = 4;
	size[3] = l->num_columns;
	load = mir_dma(l->m, NCA_ENGINE_SYNC, &dst, &src, size, 4, false);
	load->prefetch = true;
	load->prefetch_bytes = l->num_columns * 4;
}

uint64_t lower_column(struct lower *l, const struct ir_value *v)
{
	int64_t n = ir_type_elements(&v->type);
	uint32_t first = l->next_column;

	cc_assert(l->cc, ir_is_const(v) && first + columns_of(v) <= l->num_columns);
	for (int64_t i = 0; i < n; i++)
		l->column_data[i % NCA_PARTITIONS * l->num_columns + first + i / NCA_PARTITIONS] =
			v->data.f32[i];
	l->next_column += columns_of(v);
	return (uint64_t)first * 4;
}

struct mir_scalar lower_column_scalar(const struct lower *l, uint64_t offset)
{
	return (struct mir_scalar) { .kind = MIR_S_PTR, .buf = l->columns, .offset = offset };
}

/* ---- tensors ---- */

struct mir_mem lower_view_mem(const struct dram_view *v, uint64_t offset)
{
	return (struct mir_mem) { .buf = v->buf, .space = MIR_SLOT, .slot = v->slot, .dtype = v->dtype,
				  .offset = v->offset + offset };
}

struct mir_buf *lower_new_sbuf(struct lower *l, struct ir_value *v)
{
	struct ir_nchw s = ir_type_nchw(&v->type);
	uint64_t bytes = (uint64_t)(ceil_div(s.c, NCA_PARTITIONS) * s.n * s.h * s.w) * l->elem;

	l->homes[v->id].sbuf = mir_sbuf(l->m, bytes, v->name);
	return l->homes[v->id].sbuf;
}

void lower_load(struct lower *l, struct mir_buf *sbuf, const struct ir_nchw *s, const struct dram_view *from,
		const int64_t stride[4])
{
	int64_t plane = s->h * s->w, es = l->elem;
	bool dense = stride[2] == stride[3] * s->w;

	for (int64_t cb = 0; cb * NCA_PARTITIONS < s->c; cb++) {
		struct mir_mem dst = { .buf = sbuf, .space = MIR_SBUF, .dtype = l->dtype };
		struct mir_mem src = lower_view_mem(from, (uint64_t)(cb * NCA_PARTITIONS * stride[1]));
		int64_t size[4] = { block_parts(s->c, cb), s->n, s->h, s->w };
		struct mir_inst *load;

		dst.offset = (uint64_t)(cb * s->n * plane * es);
		dst.stride[0] = 1;
		dst.stride[1] = plane * es;
		dst.stride[2] = s->w * es;
		dst.stride[3] = es;
		src.stride[0] = stride[1];
		src.stride[1] = stride[0];
		src.stride[2] = stride[2];
		src.stride[3] = stride[3];
		if (dense) {
			size[2] = 1;
			size[3] = plane;
		}
		load = mir_dma(l->m, NCA_ENGINE_SYNC, &dst, &src, size, nca_dtype_size(from->dtype),
			       from->dtype != l->dtype);
		/* Only what nobody writes may be read early. */
		if (!from->buf) {
			load->prefetch = true;
			load->prefetch_bytes = (uint32_t)(s->n * plane * es);
		}
	}
}

static void dense_strides(const struct ir_nchw *s, int64_t elem, int64_t stride[4])
{
	stride[3] = elem;
	stride[2] = s->w * elem;
	stride[1] = s->h * s->w * elem;
	stride[0] = s->c * s->h * s->w * elem;
}

struct mir_buf *lower_in_sbuf(struct lower *l, struct ir_value *v)
{
	struct home *h = &l->homes[v->id];
	struct ir_nchw s = ir_type_nchw(&v->type);
	struct dram_view from;
	struct mir_buf *buf;
	int64_t stride[4];

	if (h->sbuf)
		return h->sbuf;
	from = lower_in_dram(l, v);
	dense_strides(&s, nca_dtype_size(from.dtype), stride);
	buf = lower_new_sbuf(l, v);
	/* A spilled value is loaded anew for each use instead of staying. */
	if (l->spilled[v->id])
		h->sbuf = NULL;
	lower_load(l, buf, &s, &from, stride);
	return buf;
}

void lower_store(struct lower *l, struct mir_buf *sbuf, const struct ir_nchw *s, const struct dram_view *to)
{
	int64_t plane = s->h * s->w, es = l->elem, out = nca_dtype_size(to->dtype);

	for (int64_t cb = 0; cb * NCA_PARTITIONS < s->c; cb++) {
		struct mir_mem src = { .buf = sbuf, .space = MIR_SBUF, .dtype = l->dtype };
		struct mir_mem dst = lower_view_mem(to, (uint64_t)(cb * NCA_PARTITIONS * plane * out));
		int64_t size[4] = { block_parts(s->c, cb), 1, s->n, plane };

		src.offset = (uint64_t)(cb * s->n * plane * es);
		src.stride[0] = 1;
		src.stride[2] = plane * es;
		src.stride[3] = es;
		dst.stride[0] = plane * out;
		dst.stride[2] = s->c * plane * out;
		dst.stride[3] = out;
		mir_dma(l->m, mir_store_engine(l->m), &dst, &src, size, (uint16_t)es, to->dtype != l->dtype);
	}
}

struct dram_view lower_in_dram(struct lower *l, struct ir_value *v)
{
	struct home *h = &l->homes[v->id];
	struct ir_nchw s = ir_type_nchw(&v->type);
	uint64_t n = (uint64_t)ir_type_elements(&v->type);

	if (h->dram.valid)
		return h->dram;
	h->dram.valid = true;
	h->dram.dtype = l->dtype;
	if (ir_is_const(v)) {
		h->dram.slot = MIR_SLOT_WEIGHTS;
		h->dram.offset = lower_weights(l, lower_convert(l, v->data.f32, (int64_t)n), n * l->elem);
		return h->dram;
	}
	cc_assert(l->cc, h->sbuf);
	h->dram.slot = MIR_SLOT_SCRATCH;
	h->dram.buf = mir_scratch(l->m, n * l->elem, v->name);
	lower_store(l, h->sbuf, &s, &h->dram);
	return h->dram;
}
