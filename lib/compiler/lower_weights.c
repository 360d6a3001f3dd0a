// SPDX-License-Identifier: MIT
/* Constants: how they lie in the weights section and how they get into SBUF. */
#include <string.h>

#include "lower.h"


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
	uint16_t b;

	if (l->dtype == NCA_BF16) {
		b = to_bf16(value);
		memcpy(dst, &b, sizeof(b));
	} else {
		memcpy(dst, &value, sizeof(value));
	}
}

void *lower_convert(struct lower *l, const float *src, int64_t n)
{
	uint8_t *out = cc_calloc(l->cc, (size_t)n, l->elem);

	for (int64_t i = 0; i < n; i++)
		lower_store_elem(l, out + i * l->elem, src[i]);
	return out;
}

/* Integer constants as the device keeps them. */
static void *convert_ints(struct lower *l, const struct ir_value *v, uint8_t dtype)
{
	int64_t n = ir_type_elements(&v->type);
	uint32_t elem = nca_dtype_size(dtype);
	uint8_t *out = cc_calloc(l->cc, (size_t)n + 1, elem);

	for (int64_t i = 0; i < n; i++) {
		int64_t x = v->data.i64[i];

		if (ir_dtype_size(v->type.dtype) == 8 && (x < INT32_MIN || x > UINT32_MAX ||
		    (dtype == NCA_INT32 && x > INT32_MAX) || (dtype == NCA_UINT32 && x < 0)))
			cc_fail(l->cc, ACCELCC_BAD_INPUT,
				"the constant '%.120s' has the value %lld, and the device computes "
				"with 32-bit integers",
				v->name ? v->name : "", (long long)x);
		memcpy(out + i * elem, &x, elem);	/* little endian: the low bytes */
	}
	return out;
}

struct dram_view lower_constant(struct lower *l, const struct ir_value *v)
{
	struct dram_view d = { .valid = true, .dtype = lower_dtype(l, v), .slot = MIR_SLOT_WEIGHTS };
	int64_t n = ir_type_elements(&v->type);

	d.offset = lower_weights(l, ir_is_int(v->type.dtype) ? convert_ints(l, v, d.dtype) :
						lower_convert(l, v->data.f32, n),
				 (uint64_t)n * nca_dtype_size(d.dtype));
	return d;
}

uint64_t lower_weights(struct lower *l, const void *data, uint64_t size)
{
	struct weight_piece *p = cc_push(l->cc, l->pieces, l->num_pieces, l->cap_pieces);

	p->data = data;
	p->size = size;
	p->offset = l->weights_size;
	p->hash = 0;
	l->weights_size += (size + 63) & ~(uint64_t)63;
	return p->offset;
}

/* Every weight is a converted copy, so nothing looks at the constants again. */
void lower_discard_constants(struct lower *l)
{
	for (struct ir_value *v = l->g->values; v; v = v->next) {
		if (!ir_is_const(v) || !v->data.any)
			continue;
		cc_discard(v->data.any, (size_t)ir_type_elements(&v->type) *
						(ir_is_int(v->type.dtype) ? sizeof(int64_t) : sizeof(float)));
		v->data.any = NULL;
	}
}

/* ---- stationary tiles in groups: few large transfers instead of many small ones ---- */

/* Emit the transfer of a group; its size may not be known yet. */
static void emit_load(struct lower *l, struct weight_group *gr)
{
	int64_t size[4] = { gr->nparts ? (int64_t)gr->nparts : 1, 1, 1,
			    gr->bytes ? (int64_t)(gr->bytes / l->elem) : 1 };
	struct mir_mem dst = { .space = MIR_SBUF,
			       .dtype = l->dtype,
			       .stride = { 1, 0, 0, l->elem } };
	struct mir_mem src = { .space = MIR_SLOT, .slot = MIR_SLOT_WEIGHTS, .dtype = l->dtype,
			       .offset = gr->offset,
			       .stride = { (int64_t)gr->bytes, 0, 0, l->elem } };

	mir_next_block(l->m);
	gr->buf = mir_sbuf(l->m, gr->bytes ? gr->bytes : WEIGHT_GROUP_BYTES, "weights");
	dst.buf = gr->buf;
	gr->load = l->m->num_insts;
	mir_dma(l->m, NCA_ENGINE_SYNC, &dst, &src, size, (uint16_t)l->elem, false,
		gr->bytes ? gr->bytes : 1);
}

static uint64_t hash_group(const struct lower *l, const struct weight_group *gr)
{
	uint64_t hash = gr->bytes;

	for (uint64_t k = 0; k < gr->nparts; k++)
		for (uint64_t i = 0; i < gr->bytes; i += 4) {
			uint32_t word;

			memcpy(&word, l->staging + k * WEIGHT_GROUP_BYTES + i, sizeof(word));
			hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
			hash ^= hash >> 29;
		}
	return hash ? hash : 1;
}

static bool is_same(const struct lower *l, const struct weight_group *gr, const struct weight_piece *p)
{
	for (uint64_t k = 0; k < gr->nparts; k++)
		if (memcmp((const uint8_t *)p->data + k * gr->bytes, l->staging + k * WEIGHT_GROUP_BYTES,
			   gr->bytes))
			return false;
	return true;
}

/*
 * The open group's place among the weights. Where operators are repeated for other images, the
 * same groups come again, and are there already.
 */
static uint64_t keep_group(struct lower *l, const struct weight_group *gr)
{
	uint64_t hash = l->repeats ? hash_group(l, gr) : 0, offset;
	uint8_t *image;

	for (size_t i = 0; hash && i < l->num_pieces; i++) {
		const struct weight_piece *p = &l->pieces[i];

		if (p->hash == hash && p->size == gr->nparts * gr->bytes && is_same(l, gr, p))
			return p->offset;
	}
	image = cc_calloc(l->cc, gr->nparts, gr->bytes);
	for (uint64_t k = 0; k < gr->nparts; k++)
		memcpy(image + k * gr->bytes, l->staging + k * WEIGHT_GROUP_BYTES, gr->bytes);
	offset = lower_weights(l, image, gr->nparts * gr->bytes);
	l->pieces[l->num_pieces - 1].hash = hash;
	return offset;
}

void lower_close_weights(struct lower *l)
{
	struct weight_group *gr = l->group;
	struct mir_inst *load;
	struct nca_body_dma *d;

	if (!gr)
		return;
	gr->offset = keep_group(l, gr);
	/* The transfer was emitted when the group was opened; now its size is known. */
	load = &l->m->inst[gr->load];
	d = &load->in.dma;
	d->src.offset = gr->offset;
	d->src.stride[0] = (int32_t)gr->bytes;
	d->size[0] = (uint32_t)gr->nparts;
	d->size[3] = (uint32_t)(gr->bytes / l->elem);
	gr->buf->bytes = gr->bytes;
	load->prefetch_bytes = (uint32_t)gr->bytes;
	load->ref[0].nparts = (uint8_t)gr->nparts;
	load->ref[0].hi = gr->bytes;
	load->ref[1].lo = gr->offset;
	load->ref[1].hi = gr->offset + gr->nparts * gr->bytes;
	l->group = NULL;
}

/* What a transfer costs before its first byte, in bytes moved meanwhile; a few are under way. */
static uint64_t transfer_cost(const struct nca_target *t)
{
	uint64_t engines = (uint64_t)t->dma_bpt_q16 * t->dma_engines * t->dma_t0_ticks / 65536;
	uint64_t memory = (uint64_t)((unsigned __int128)t->devmem_bw * t->slices_per_core * t->dma_t0_ticks /
				     NCA_SLICES / t->tick_hz);

	return (engines < memory ? engines : memory) / MIR_LOADS_AHEAD;
}

/*
 * All partitions of a transfer have rows of one length, so tiles of different numbers of partitions
 * make padding. A little of it costs less than another transfer.
 */
static bool fits_group(const struct lower *l, const struct weight_group *gr, uint64_t nparts,
		       uint64_t bytes)
{
	uint64_t parts = nparts > gr->nparts ? nparts : gr->nparts;

	return gr->bytes + bytes <= WEIGHT_GROUP_BYTES &&
	       parts * (gr->bytes + bytes) - (gr->used + nparts * bytes) <= transfer_cost(l->m->target);
}

struct weight_group *lower_place_weights(struct lower *l, const uint8_t *data, uint64_t nparts,
					 uint64_t bytes, uint64_t *at)
{
	struct weight_group *gr = l->group;

	cc_assert(l->cc, bytes <= WEIGHT_GROUP_BYTES && nparts <= NCA_PARTITIONS);
	if (gr && !fits_group(l, gr, nparts, bytes))
		lower_close_weights(l);
	gr = l->group;
	if (!gr) {
		if (!l->staging)
			l->staging = cc_alloc(l->cc, (size_t)NCA_PARTITIONS * WEIGHT_GROUP_BYTES);
		memset(l->staging, 0, (size_t)NCA_PARTITIONS * WEIGHT_GROUP_BYTES);
		gr = cc_new(l->cc, struct weight_group);
		emit_load(l, gr);
		l->group = gr;
	}
	for (uint64_t k = 0; k < nparts; k++)
		memcpy(l->staging + k * WEIGHT_GROUP_BYTES + gr->bytes, data + k * bytes, bytes);
	*at = gr->bytes;
	gr->bytes += (bytes + 3) & ~(uint64_t)3;
	gr->used += nparts * bytes;
	if (nparts > gr->nparts)
		gr->nparts = nparts;
	return gr;
}

struct weight_group *lower_place_apart(struct lower *l, const uint8_t *data, uint64_t nparts, uint64_t bytes)
{
	struct weight_group *gr = cc_new(l->cc, struct weight_group);

	gr->bytes = bytes;
	gr->nparts = nparts;
	gr->used = nparts * bytes;
	gr->offset = lower_weights(l, data, nparts * bytes);
	emit_load(l, gr);
	return gr;
}

void lower_reload_weights(struct lower *l, struct weight_group *gr)
{
	if (gr == l->group)
		lower_close_weights(l);
	emit_load(l, gr);
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

	for (const struct ir_op *op = l->g->first; op; op = op->next) {
		if (op->opcode == IR_CONV)
			l->num_columns += columns_of(ir_in(op, IR_CONV_BIAS));
		if (op->opcode == IR_AFFINE)
			l->num_columns += 2 * columns_of(ir_in(op, IR_AFFINE_SCALE));
		if (op->opcode == IR_LAYER_NORM)
			l->num_columns += columns_of(ir_in(op, IR_NORM_SCALE)) +
					  columns_of(ir_in(op, IR_NORM_SHIFT));
		if (op->opcode == IR_TENSOR_SCALAR)
			l->num_columns += columns_of(ir_in(op, IR_TENSOR_SCALAR_VECTOR));
	}
	if (!l->num_columns)
		return;
	l->column_data = cc_new_n(l->cc, float, (size_t)NCA_PARTITIONS * l->num_columns);
	l->columns = mir_sbuf(l->m, (uint64_t)l->num_columns * 4, "channel vectors");
	dst.buf = l->columns;
	src.offset =
		lower_weights(l, l->column_data, (uint64_t)NCA_PARTITIONS * l->num_columns * 4);
	src.stride[0] = (int64_t)l->num_columns * 4;
	src.stride[3] = 4;
	size[3] = l->num_columns;
	mir_dma(l->m, NCA_ENGINE_SYNC, &dst, &src, size, 4, false, (uint64_t)l->num_columns * 4);
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
