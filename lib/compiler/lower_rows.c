// SPDX-License-Identifier: MIT
/* Tensors in SBUF, whole or some rows of them, and in device memory; the transfers between. */
#include "lower.h"

uint64_t lower_rows_bytes(const struct lower *l, const struct rows *r)
{
	return (uint64_t)(r->ncb * r->nn * r->rows * r->s.w) * l->elem;
}

uint64_t lower_rows_at(const struct lower *l, const struct rows *r, int64_t cb, int64_t n,
		       int64_t row, int64_t col)
{
	int64_t at = (cb - r->cb0) * r->nn + n - r->n0;

	return (uint64_t)((at * r->rows + row - r->r0) * r->s.w + col) * l->elem;
}

struct rows lower_all_rows(const struct ir_value *v)
{
	struct ir_nchw s = ir_value_nchw(v);

	return (struct rows){
		.s = s, .ncb = ceil_div(s.c, NCA_PARTITIONS), .nn = s.n, .rows = s.h
	};
}

bool lower_is_banded(const struct lower *l, const struct ir_value *v)
{
	return l->plan->spilled[v->id];
}

struct mir_mem lower_view_mem(const struct dram_view *v, uint64_t offset)
{
	return (struct mir_mem){ .buf = v->buf,
				 .space = MIR_SLOT,
				 .slot = v->slot,
				 .dtype = v->dtype,
				 .offset = v->offset + offset };
}

void lower_value_strides(const struct ir_value *v, int64_t elem, int64_t stride[4])
{
	struct ir_nchw s = ir_value_strides(v);

	stride[0] = s.n * elem;
	stride[1] = s.c * elem;
	stride[2] = s.h * elem;
	stride[3] = s.w * elem;
}

void lower_dense_strides(const struct ir_nchw *s, int64_t elem, int64_t stride[4])
{
	stride[3] = elem;
	stride[2] = s->w * elem;
	stride[1] = s->h * s->w * elem;
	stride[0] = s->c * s->h * s->w * elem;
}

void lower_load_rows(struct lower *l, struct rows *r, const struct dram_view *from,
		     const int64_t stride[4], const char *what)
{
	int64_t es = l->elem, w = r->s.w;
	bool dense = stride[2] == stride[3] * w;

	if (lower_is_token_major(r, stride, nca_dtype_size(from->dtype))) {
		lower_load_tokens(l, r, from, stride, what);
		return;
	}
	r->buf = mir_sbuf(l->m, lower_rows_bytes(l, r), what);
	for (int64_t cb = r->cb0; cb < r->cb0 + r->ncb; cb++) {
		struct mir_mem dst = { .buf = r->buf, .space = MIR_SBUF, .dtype = l->dtype,
				       .stride = { 1, r->rows * w * es, w * es, es } };
		struct mir_mem src =
			lower_view_mem(from, (uint64_t)(cb * NCA_PARTITIONS * stride[1] +
							r->n0 * stride[0] + r->r0 * stride[2]));
		int64_t size[4] = { block_parts(r->s.c, cb), r->nn, r->rows, w };

		dst.offset = lower_rows_at(l, r, cb, r->n0, r->r0, 0);
		src.stride[0] = stride[1];
		src.stride[1] = stride[0];
		src.stride[2] = stride[2];
		src.stride[3] = stride[3];
		if (dense) {
			size[2] = 1;
			size[3] = r->rows * w;
		}
		/* Only what nobody writes may be read early. */
		mir_dma(l->m, mir_load_engine(l->m, &src), &dst, &src, size, nca_dtype_size(from->dtype),
			from->dtype != l->dtype,
			from->buf || r->band ? 0 : (uint64_t)(r->nn * r->rows * w * es));
	}
}

/* @v says how @to is laid out. */
static void store_rows(struct lower *l, const struct ir_value *v, const struct rows *r,
		       const struct dram_view *to)
{
	int64_t es = l->elem, out = nca_dtype_size(to->dtype), stride[4];

	lower_value_strides(v, out, stride);
	if (lower_is_token_major(r, stride, out)) {
		lower_store_tokens(l, r, to, stride);
		return;
	}
	for (int64_t cb = r->cb0; cb < r->cb0 + r->ncb; cb++) {
		struct mir_mem src = { .buf = r->buf, .space = MIR_SBUF, .dtype = l->dtype,
				       .stride = { 1, r->rows * r->s.w * es, r->s.w * es, es } };
		struct mir_mem dst =
			lower_view_mem(to, (uint64_t)(cb * NCA_PARTITIONS * stride[1] +
						      r->n0 * stride[0] + r->r0 * stride[2]));
		int64_t size[4] = { block_parts(r->s.c, cb), r->nn, r->rows, r->s.w };

		src.offset = lower_rows_at(l, r, cb, r->n0, r->r0, 0);
		dst.stride[0] = stride[1];
		dst.stride[1] = stride[0];
		dst.stride[2] = stride[2];
		dst.stride[3] = stride[3];
		if (stride[2] == stride[3] * r->s.w) {
			size[2] = 1;
			size[3] = r->rows * r->s.w;
		}
		mir_dma(l->m, mir_store_engine(l->m), &dst, &src, size, (uint16_t)es,
			to->dtype != l->dtype, 0);
	}
}

void lower_store(struct lower *l, struct ir_value *v, const struct dram_view *to)
{
	struct rows all = lower_all_rows(v);

	all.buf = l->homes[v->id].sbuf;
	store_rows(l, v, &all, to);
}

/* All of a value between SBUF and its image in device memory: channel blocks that fill all partitions
 * together, the last one if it does not. */
static void move_parked(struct lower *l, const struct ir_value *v, struct mir_buf *sbuf,
			struct mir_buf *image, bool store)
{
	struct rows all = lower_all_rows(v);
	int64_t block = all.nn * all.rows * all.s.w, full = all.s.c / NCA_PARTITIONS;
	int64_t rest = all.s.c % NCA_PARTITIONS, es = l->elem;

	for (int part = 0; part < 2; part++) {
		int64_t size[4] = { part ? rest : NCA_PARTITIONS, 1, 1, part ? block : full * block };
		struct mir_mem a = { .buf = sbuf, .space = MIR_SBUF, .dtype = l->dtype,
				     .offset = part ? (uint64_t)(full * block * es) : 0,
				     .stride = { 1, 0, 0, es } };
		struct mir_mem b = { .buf = image, .space = MIR_SLOT, .dtype = l->dtype,
				     .offset = part ? (uint64_t)(NCA_PARTITIONS * full * block * es) :
						      0,
				     .stride = { size[3] * es, 0, 0, es } };

		if (size[0] && size[3])
			mir_dma(l->m, mir_store_engine(l->m), store ? &b : &a, store ? &a : &b, size,
				(uint16_t)es, false, 0);
	}
}

void lower_park(struct lower *l, struct ir_value *v)
{
	struct home *h = &l->homes[v->id];

	if (h->sbuf && !h->parked) {
		h->parked = mir_scratch(l->m, (uint64_t)ir_type_elements(&v->type) * l->elem, v->name);
		move_parked(l, v, h->sbuf, h->parked, true);
	}
	h->sbuf = NULL;
}

void lower_leave(struct lower *l, struct ir_value *v)
{
	struct home *h = &l->homes[v->id];

	if (!h->sbuf || !l->plan->parked[v->id])
		return;
	if (h->dram.valid)
		h->sbuf = NULL;
	else
		lower_park(l, v);
}

struct mir_buf *lower_in_sbuf(struct lower *l, struct ir_value *v)
{
	struct home *h = &l->homes[v->id];
	struct rows all = lower_all_rows(v);

	if (h->sbuf)
		return h->sbuf;
	if (h->parked) {
		h->sbuf = mir_sbuf(l->m, lower_rows_bytes(l, &all), v->name);
		move_parked(l, v, h->sbuf, h->parked, false);
	} else {
		lower_bring_rows(l, v, &all);
		h->sbuf = all.buf;
	}
	return h->sbuf;
}

void lower_bring_rows(struct lower *l, struct ir_value *v, struct rows *r)
{
	struct dram_view from;
	int64_t stride[4];

	from = lower_in_dram(l, v);
	lower_value_strides(v, nca_dtype_size(from.dtype), stride);
	lower_load_rows(l, r, &from, stride, v->name);
}

/* Device memory for a result that is not there yet. */
static void new_dram(struct lower *l, struct ir_value *v)
{
	struct dram_view *d = &l->homes[v->id].dram;

	*d = (struct dram_view) { .valid = true, .dtype = l->dtype, .slot = MIR_SLOT_SCRATCH };
	d->buf = mir_scratch(l->m, (uint64_t)ir_type_elements(&v->type) * l->elem, v->name);
}

struct dram_view lower_in_dram(struct lower *l, struct ir_value *v)
{
	struct home *h = &l->homes[v->id];

	if (h->dram.valid)
		return h->dram;
	if (ir_is_const(v)) {
		h->dram = lower_constant(l, v);
		return h->dram;
	}
	(void)lower_in_sbuf(l, v);
	new_dram(l, v);
	lower_store(l, v, &h->dram);
	return h->dram;
}

void lower_result_rows(struct lower *l, struct ir_value *v, struct rows *r)
{
	struct home *h = &l->homes[v->id];

	if (lower_is_banded(l, v)) {
		if (!h->dram.valid)
			new_dram(l, v);
		r->buf = mir_sbuf(l->m, lower_rows_bytes(l, r), v->name);
		return;
	}
	*r = lower_all_rows(v);
	if (!h->sbuf)
		h->sbuf = mir_sbuf(l->m, lower_rows_bytes(l, r), v->name);
	r->buf = h->sbuf;
}

void lower_finish_rows(struct lower *l, struct ir_value *v, const struct rows *r)
{
	if (lower_is_banded(l, v))
		store_rows(l, v, r, &l->homes[v->id].dram);
}

void lower_operand_rows(struct lower *l, struct ir_value *v, struct rows *r)
{
	if (lower_is_banded(l, v)) {
		r->band = true;
		lower_bring_rows(l, v, r);
		return;
	}
	*r = lower_all_rows(v);
	r->buf = lower_in_sbuf(l, v);
}
