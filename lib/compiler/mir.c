// SPDX-License-Identifier: MIT
#include "mir.h"

#include <nca/cost.h>
#include <string.h>

/* What the device takes in one transfer. */
#define DMA_MAX_DESCRIPTORS ((int64_t)1 << 20)
#define DMA_MAX_BYTES ((int64_t)1 << 26)
#define DMA_MAX_RUN ((int64_t)1 << 16)	/* bytes of a descriptor */

struct mir *mir_new(struct cc *cc, const struct nca_target *target, uint64_t max_insts)
{
	struct mir *m = cc_new(cc, struct mir);

	m->cc = cc;
	m->target = target;
	m->max_insts = max_insts;
	return m;
}

static struct mir_buf *new_buf(struct mir *m, enum mir_space space, uint64_t bytes,
			       const char *what)
{
	struct mir_buf *b = cc_new(m->cc, struct mir_buf);

	b->space = space;
	b->bytes = bytes;
	b->first = -1;
	b->last = -1;
	b->early = -1;
	b->what = what;
	b->next = m->bufs;
	m->bufs = b;
	b->id = (uint32_t)m->num_bufs++;
	return b;
}

struct mir_buf *mir_sbuf(struct mir *m, uint64_t bytes, const char *what)
{
	return new_buf(m, MIR_SBUF, bytes, what);
}

struct mir_buf *mir_scratch(struct mir *m, uint64_t bytes, const char *what)
{
	return new_buf(m, MIR_SLOT, bytes, what);
}

uint32_t mir_psum(struct mir *m, uint32_t banks)
{
	uint32_t bank = m->next_bank;

	cc_assert(m->cc, banks > 0 && banks <= NCA_PSUM_BANKS);
	if (bank + banks > NCA_PSUM_BANKS)
		bank = 0;
	m->next_bank = (bank + banks) % NCA_PSUM_BANKS;
	if (bank + banks > m->psum_banks)
		m->psum_banks = bank + banks;
	return bank * NCA_PSUM_BANK_BYTES;
}

void mir_next_block(struct mir *m)
{
	m->block++;
}

struct mir_tile mir_sbuf_tile(struct mir_buf *buf, uint64_t offset, uint8_t dtype, int64_t nparts)
{
	return (struct mir_tile){ .buf = buf,
				  .space = MIR_SBUF,
				  .dtype = dtype,
				  .nparts = (uint8_t)nparts,
				  .offset = offset,
				  .size = { 1, 1, 1, 1 } };
}

struct mir_tile mir_psum_tile(uint32_t offset, uint8_t dtype, int64_t nparts)
{
	return (struct mir_tile) { .space = MIR_PSUM, .dtype = dtype, .nparts = (uint8_t)nparts,
				   .offset = offset, .size = { 1, 1, 1, 1 } };
}

struct mir_tile mir_shape(struct mir_tile t, int64_t s1, int64_t s2, int64_t s3, int64_t d1,
			  int64_t d2, int64_t d3)
{
	t.size[0] = 1;
	t.size[1] = s1;
	t.size[2] = s2;
	t.size[3] = s3;
	t.stride[0] = 0;
	t.stride[1] = s1 > 1 ? d1 : 0;
	t.stride[2] = s2 > 1 ? d2 : 0;
	t.stride[3] = s3 > 1 ? d3 : 1;
	return t;
}

static struct mir_inst *new_inst(struct mir *m, enum nca_engine engine, enum nca_opcode opcode)
{
	struct mir_inst *i;

	if (++m->count[engine] > m->max_insts)
		cc_fail(m->cc, ACCELCC_BAD_INPUT,
			"the program has more than %llu instructions in one stream, more "
			"than the device takes; the model is too large for it",
			(unsigned long long)m->max_insts);
	m->inst = cc_move(m->cc, m->inst, m->num_insts, &m->cap_insts, sizeof(*m->inst));
	i = &m->inst[m->num_insts++];
	memset(i, 0, sizeof(*i));
	i->in.opcode = (uint8_t)opcode;
	i->in.op_id = m->op_id;
	i->engine = (uint8_t)engine;
	i->block = m->block;
	return i;
}

static void add_ref(struct mir *m, struct mir_inst *i, const struct mir_ref *ref)
{
	cc_assert(m->cc, i->num_refs < MIR_MAX_REFS);
	cc_assert(m->cc, ref->lo < ref->hi && ref->nparts + ref->part <= NCA_PARTITIONS);
	if (ref->buf)
		cc_assert(m->cc, ref->hi <= ref->buf->bytes);
	else if (ref->space == MIR_PSUM)
		cc_assert(m->cc, ref->hi <= NCA_PSUM_BYTES);
	i->ref[i->num_refs++] = *ref;
}

/* Lowest and highest byte that strides reach. */
static void extent(struct mir *m, const int64_t *size, const int64_t *stride, int first,
		   int64_t unit, int64_t elem, int64_t *lo, int64_t *hi)
{
	*lo = 0;
	*hi = 0;
	for (int d = first; d < 4; d++) {
		cc_assert(m->cc, size[d] >= 1);
		*(stride[d] < 0 ? lo : hi) += (size[d] - 1) * stride[d] * unit;
	}
	*hi += elem;
}

static void set_ap(struct mir *m, struct mir_inst *i, struct nca_ap *ap, const struct mir_tile *t,
		   enum mir_field field, bool write)
{
	int64_t elem = nca_dtype_size(t->dtype), lo, hi;
	struct mir_ref ref = { .buf = t->buf,
			       .space = t->space,
			       .field = (uint8_t)field,
			       .write = write,
			       .part = t->part,
			       .nparts = t->nparts };

	cc_assert(m->cc,
		  t->nparts >= 1 && t->nparts <= NCA_PARTITIONS && t->offset % (uint64_t)elem == 0);
	ap->mem = t->space == MIR_PSUM ? NCA_MEM_PSUM : NCA_MEM_SBUF;
	ap->dtype = t->dtype;
	ap->part = t->part;
	ap->nparts = t->nparts;
	ap->offset = (uint32_t)t->offset;
	for (int d = 0; d < 4; d++) {
		cc_assert(m->cc, t->size[d] >= 1 && t->size[d] <= UINT16_MAX);
		cc_assert(m->cc, t->stride[d] >= INT16_MIN && t->stride[d] <= INT16_MAX);
		ap->size[d] = (uint16_t)t->size[d];
		ap->stride[d] = (int16_t)t->stride[d];
	}
	extent(m, t->size, t->stride, 0, elem, elem, &lo, &hi);
	cc_assert(m->cc, (int64_t)t->offset + lo >= 0);
	ref.lo = t->offset + (uint64_t)lo;
	ref.hi = t->offset + (uint64_t)hi;
	add_ref(m, i, &ref);
}

/* A place of the array that holds @n rows or columns. */
static uint8_t pe_span(int64_t n)
{
	return n <= 32 ? 32 : n <= 64 ? 64 : 128;
}

static struct nca_pe_tile pe_tile(const struct mir *m, int64_t rows, int64_t cols, uint32_t place)
{
	struct nca_pe_tile t = { .rows = pe_span(rows), .cols = pe_span(cols) };
	uint32_t across;

	if (t.rows == 32 && t.cols == 32) /* does not exist on every target */
		t.cols = 64;
	across = t.cols < m->target->pe_cols ? m->target->pe_cols / t.cols : 1;
	t.row = (uint8_t)(place / across * t.rows);
	t.col = (uint8_t)(place % across * t.cols);
	cc_assert(m->cc, place < across * (m->target->pe_rows / t.rows));
	return t;
}

uint32_t mir_places(const struct mir *m, int64_t rows, int64_t cols)
{
	struct nca_pe_tile t = pe_tile(m, rows, cols, 0);

	return m->target->pe_rows / t.rows *
	       (t.cols < m->target->pe_cols ? m->target->pe_cols / t.cols : 1);
}

static bool in_psum(const struct nca_ap *a)
{
	return a->nparts && a->mem == NCA_MEM_PSUM;
}

static void account(struct mir *m, const struct mir_inst *i)
{
	uint64_t ticks = nca_cost_cycles(m->target, &i->in) * m->target->engine_ticks[i->engine];
	const struct nca_pe_tile *t = &i->in.mm.tile;

	if (i->in.opcode == NCA_OP_LDSTAT)
		return;		/* loads behind what runs */
	if (i->in.opcode == NCA_OP_MATMUL)
		ticks = ticks * t->rows * (t->cols < m->target->pe_cols ? t->cols : m->target->pe_cols) /
			(m->target->pe_rows * m->target->pe_cols);
	m->load[i->engine] += ticks;
	if ((i->engine == NCA_ENGINE_VECTOR || i->engine == NCA_ENGINE_SCALAR) &&
	    (in_psum(&i->in.ew.dst) || in_psum(&i->in.ew.src0) || in_psum(&i->in.ew.src1)))
		m->psum_load += ticks;
}

void mir_ldstat_at(struct mir *m, const struct mir_tile *stationary, uint32_t place)
{
	struct mir_inst *i = new_inst(m, NCA_ENGINE_TENSOR, NCA_OP_LDSTAT);
	int64_t cols = stationary->size[2] * stationary->size[3];

	set_ap(m, i, &i->in.mm.src, stationary, MIR_SRC0, false);
	i->in.mm.tile = pe_tile(m, stationary->nparts, cols, place);
	account(m, i);
}

void mir_ldstat(struct mir *m, const struct mir_tile *stationary)
{
	mir_ldstat_at(m, stationary, 0);
}

void mir_matmul_at(struct mir *m, const struct mir_tile *psum, const struct mir_tile *moving,
		   int64_t rows, int64_t cols, bool accumulate, uint32_t place)
{
	struct mir_inst *i = new_inst(m, NCA_ENGINE_TENSOR, NCA_OP_MATMUL);

	cc_assert(m->cc,
		  psum->offset / NCA_PSUM_BANK_BYTES == (psum->offset + 3) / NCA_PSUM_BANK_BYTES);
	set_ap(m, i, &i->in.mm.dst, psum, MIR_DST, true);
	cc_assert(m->cc,
		  i->ref[0].lo / NCA_PSUM_BANK_BYTES == (i->ref[0].hi - 1) / NCA_PSUM_BANK_BYTES);
	set_ap(m, i, &i->in.mm.src, moving, MIR_SRC0, false);
	i->in.mm.tile = pe_tile(m, rows, cols, place);
	if (accumulate)
		i->in.flags |= NCA_F_ACCUMULATE;
	m->macs += (uint64_t)(rows * cols * moving->size[0] * moving->size[1] * moving->size[2] *
			      moving->size[3]);
	account(m, i);
}

void mir_matmul(struct mir *m, const struct mir_tile *psum, const struct mir_tile *moving,
		int64_t rows, int64_t cols, bool accumulate)
{
	mir_matmul_at(m, psum, moving, rows, cols, accumulate, 0);
}

void mir_transpose(struct mir *m, const struct mir_tile *psum, const struct mir_tile *src)
{
	struct mir_inst *i = new_inst(m, NCA_ENGINE_TENSOR, NCA_OP_TRANSPOSE);

	set_ap(m, i, &i->in.mm.dst, psum, MIR_DST, true);
	cc_assert(m->cc,
		  i->ref[0].lo / NCA_PSUM_BANK_BYTES == (i->ref[0].hi - 1) / NCA_PSUM_BANK_BYTES);
	set_ap(m, i, &i->in.mm.src, src, MIR_SRC0, false);
	account(m, i);
}

static void set_scalar(struct mir *m, struct mir_inst *i, struct nca_scalar *out,
		       const struct mir_scalar *s, enum mir_field field, uint8_t nparts)
{
	struct mir_ref ref = { .buf = s->buf,
			       .space = MIR_SBUF,
			       .field = (uint8_t)field,
			       .part = s->part,
			       .nparts = nparts,
			       .lo = s->offset,
			       .hi = s->offset + 4 };

	out->dtype = NCA_FP32;
	switch (s->kind) {
	case MIR_S_NONE:
		out->dtype = 0;
		break;
	case MIR_S_IMM:
		out->kind = NCA_SCALAR_IMM;
		memcpy(&out->value, &s->imm, sizeof(out->value));
		break;
	case MIR_S_INT:
		out->kind = NCA_SCALAR_IMM;
		out->dtype = NCA_INT32;
		out->value = (uint32_t)s->integer;
		break;
	case MIR_S_PTR:
		out->kind = NCA_SCALAR_SBUF;
		out->part = s->part;
		out->value = (uint32_t)s->offset;
		add_ref(m, i, &ref);
		break;
	}
}

void mir_elementwise(struct mir *m, const struct mir_ew *ew)
{
	struct mir_inst *i = new_inst(m, ew->engine, ew->opcode);
	struct nca_body_ew *e = &i->in.ew;

	cc_assert(m->cc, m->target->engine_ticks[ew->engine]);
	set_ap(m, i, &e->dst, ew->dst, MIR_DST, true);
	if (ew->src0)
		set_ap(m, i, &e->src0, ew->src0, MIR_SRC0, false);
	if (ew->src1)
		set_ap(m, i, &e->src1, ew->src1, MIR_SRC1, ew->src1_written);
	set_scalar(m, i, &e->s0, &ew->s0, MIR_S0, ew->dst->nparts);
	set_scalar(m, i, &e->s1, &ew->s1, MIR_S1, ew->dst->nparts);
	i->in.flags = ew->flags;
	e->op0 = (uint8_t)ew->op0;
	e->op1 = (uint8_t)ew->op1;
	e->op2 = (uint8_t)ew->op2;
	e->func = (uint8_t)ew->func;
	e->param = ew->param;
	account(m, i);
}

enum nca_engine mir_lighter_engine(const struct mir *m, uint64_t elements)
{
	uint64_t v =
		m->load[NCA_ENGINE_VECTOR] + elements * m->target->engine_ticks[NCA_ENGINE_VECTOR];
	uint64_t s =
		m->load[NCA_ENGINE_SCALAR] + elements * m->target->engine_ticks[NCA_ENGINE_SCALAR];

	return s <= v ? NCA_ENGINE_SCALAR : NCA_ENGINE_VECTOR;
}

enum nca_engine mir_psum_engine(const struct mir *m, uint64_t elements)
{
	uint64_t v = elements * m->target->engine_ticks[NCA_ENGINE_VECTOR];
	uint64_t s = elements * m->target->engine_ticks[NCA_ENGINE_SCALAR];

	v += m->load[NCA_ENGINE_VECTOR] > m->psum_load ? m->load[NCA_ENGINE_VECTOR] : m->psum_load;
	s += m->load[NCA_ENGINE_SCALAR] > m->psum_load ? m->load[NCA_ENGINE_SCALAR] : m->psum_load;
	return s <= v ? NCA_ENGINE_SCALAR : NCA_ENGINE_VECTOR;
}

enum nca_engine mir_store_engine(const struct mir *m)
{
	return m->target->engine_ticks[NCA_ENGINE_GPSIMD] ? NCA_ENGINE_GPSIMD : NCA_ENGINE_SYNC;
}

enum nca_engine mir_load_engine(const struct mir *m, const struct mir_mem *src)
{
	return src->space == MIR_SLOT && !src->buf && src->slot == MIR_SLOT_WEIGHTS ?
	       NCA_ENGINE_SYNC : mir_store_engine(m);
}

static void set_side(struct mir *m, struct mir_inst *i, struct nca_dma_side *side,
		     const struct mir_mem *mem, const int64_t size[4], int64_t elem, bool cast,
		     enum mir_field field)
{
	struct mir_ref ref = { .buf = mem->buf, .space = mem->space, .field = (uint8_t)field,
			       .write = field == MIR_DST, .slot = mem->slot, .part = mem->part };
	int64_t lo, hi, parts;

	side->mem = mem->space == MIR_SLOT ? NCA_MEM_SLOT : NCA_MEM_SBUF;
	side->dtype = cast ? mem->dtype : 0;	/* a copy has no types */
	side->slot = mem->slot;
	side->part = mem->part;
	side->offset = mem->offset;
	for (int d = 0; d < 4; d++) {
		cc_assert(m->cc, mem->stride[d] >= INT32_MIN && mem->stride[d] <= INT32_MAX);
		side->stride[d] = (int32_t)mem->stride[d];
	}
	if (mem->space == MIR_SLOT) {
		extent(m, size, mem->stride, 0, 1, elem, &lo, &hi);
		if (mem->buf) {
			side->slot = MIR_SLOT_SCRATCH;
			ref.slot = MIR_SLOT_SCRATCH;
		}
	} else {
		extent(m, size, mem->stride, 1, 1, elem, &lo, &hi);
		parts = (size[0] - 1) * mem->stride[0] + 1;
		cc_assert(m->cc, parts >= 1 && mem->part + parts <= NCA_PARTITIONS);
		ref.nparts = (uint8_t)parts;
	}
	cc_assert(m->cc, (int64_t)mem->offset + lo >= 0);
	ref.lo = mem->offset + (uint64_t)lo;
	ref.hi = mem->offset + (uint64_t)hi;
	add_ref(m, i, &ref);
}

static bool is_host(const struct mir_mem *mem)
{
	return mem->space == MIR_SLOT && !mem->buf && mem->slot >= MIR_SLOT_IO;
}

static void one_dma(struct mir *m, enum nca_engine engine, const struct mir_mem *dst,
		    const struct mir_mem *src, const int64_t size[4], uint16_t elem, bool cast,
		    uint64_t prefetch)
{
	struct mir_inst *i = new_inst(m, engine, NCA_OP_DMA);
	struct nca_body_dma *d = &i->in.dma;

	for (int k = 0; k < 4; k++)
		d->size[k] = (uint32_t)size[k];
	d->elem = elem;
	d->mode = cast ? NCA_DMA_CAST : NCA_DMA_COPY;
	/* What crosses the host link is slow and must not hold up what comes from device memory. */
	d->queue = is_host(dst) || is_host(src) ? (uint8_t)(m->target->dma_engines - 1) : NCA_DMA_SPREAD;
	if (m->queue)
		d->queue = (uint8_t)(m->queue - 1);
	/* A cast's elements have a size of their own on each side. */
	set_side(m, i, &d->dst, dst, size, cast ? nca_dtype_size(dst->dtype) : elem, cast, MIR_DST);
	set_side(m, i, &d->src, src, size, cast ? nca_dtype_size(src->dtype) : elem, cast,
		 MIR_SRC0);
	i->prefetch = prefetch != 0;
	i->prefetch_bytes = (uint32_t)prefetch;
	account(m, i);
}

void mir_dma_indexed(struct mir *m, enum nca_engine engine, const struct mir_mem *dst,
		     const struct mir_mem *src, const struct mir_mem *index, const int64_t size[4],
		     uint16_t elem, int64_t table, bool scatter)
{
	struct mir_inst *i = new_inst(m, engine, NCA_OP_DMA);
	int64_t whole[4] = { table, size[1], size[2], size[3] };
	struct nca_body_dma *d = &i->in.dma;
	struct mir_ref ref = { .buf = index->buf, .space = MIR_SLOT, .field = MIR_INDEX,
			       .slot = index->buf ? MIR_SLOT_SCRATCH : index->slot,
			       .lo = index->offset,
			       .hi = index->offset + (uint64_t)size[0] * 4 };

	for (int k = 0; k < 4; k++)
		d->size[k] = (uint32_t)size[k];
	d->elem = elem;
	d->mode = scatter ? NCA_DMA_SCATTER : NCA_DMA_GATHER;
	d->queue = NCA_DMA_SPREAD;
	d->index_slot = ref.slot;
	d->index_offset = index->offset;
	set_side(m, i, &d->dst, dst, scatter ? whole : size, elem, false, MIR_DST);
	set_side(m, i, &d->src, src, scatter ? size : whole, elem, false, MIR_SRC0);
	i->ref[scatter ? 0 : 1].anywhere = true;
	add_ref(m, i, &ref);
	account(m, i);
}

static struct mir_mem advanced(struct mir_mem mem, int dim, int64_t steps)
{
	if (dim == 0 && mem.space != MIR_SLOT)
		mem.part = (uint8_t)(mem.part + steps * mem.stride[0]);
	else
		mem.offset += (uint64_t)(steps * mem.stride[dim]);
	return mem;
}

void mir_dma(struct mir *m, enum nca_engine engine, const struct mir_mem *dst,
	     const struct mir_mem *src, const int64_t size[4], uint16_t elem, bool cast,
	     uint64_t prefetch)
{
	int64_t dst_elem = cast ? nca_dtype_size(dst->dtype) : elem, total = 1, descriptors, half[4];
	bool rows = dst->stride[3] == dst_elem && src->stride[3] == elem;
	int widest = 0;

	for (int k = 0; k < 4; k++) {
		cc_assert(m->cc, size[k] >= 1 && size[k] <= INT64_MAX / 8 / total);
		total *= size[k];
		if (size[k] > size[widest])
			widest = k;
	}
	descriptors = rows ? total / size[3] * (size[3] * elem / DMA_MAX_RUN + 1) : total;
	if (descriptors <= DMA_MAX_DESCRIPTORS &&
	    total <= DMA_MAX_BYTES / (dst_elem > elem ? dst_elem : elem)) {
		one_dma(m, engine, dst, src, size, elem, cast, prefetch);
		return;
	}
	memcpy(half, size, sizeof(half));
	half[widest] = size[widest] / 2;
	mir_dma(m, engine, dst, src, half, elem, cast, prefetch);
	{
		struct mir_mem d = advanced(*dst, widest, half[widest]),
			       s = advanced(*src, widest, half[widest]);

		half[widest] = size[widest] - half[widest];
		mir_dma(m, engine, &d, &s, half, elem, cast, prefetch);
	}
}
