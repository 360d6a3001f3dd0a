// SPDX-License-Identifier: MIT
/*
 * Operators that only move elements, on row-major tensors in device memory: strided copies by DMA.
 * Where neighbours in one tensor are not neighbours in the other one, a descriptor moves a single
 * element, and lower_turn.c goes through SBUF instead.
 */
#include "ir_move.h"
#include "lower_space.h"

#define FILL_BYTES 16384	/* per partition that fill values are stored from */

/* The innermost four dimensions in one transfer, those outside one by one. */
static void copy_dims(struct lower *l, struct mir_mem *dst, struct mir_mem *src,
		      const struct ir_piece *p, int d)
{
	int64_t size[4] = { 1, 1, 1, 1 };
	int64_t es = nca_dtype_size(src->dtype), ed = nca_dtype_size(dst->dtype);

	if (p->rank - d > 4) {
		for (int64_t i = 0; i < p->size[d]; i++) {
			struct mir_mem to = *dst, from = *src;

			to.offset += (uint64_t)(i * p->dst[d] * ed);
			from.offset += (uint64_t)(i * p->src[d] * es);
			copy_dims(l, &to, &from, p, d + 1);
		}
		return;
	}
	dst->stride[3] = ed;
	src->stride[3] = es;
	for (int k = 3, i = p->rank - 1; i >= d; k--, i--) {
		size[k] = p->size[i];
		dst->stride[k] = p->dst[i] * ed;
		src->stride[k] = p->src[i] * es;
	}
	mir_dma(l->m, mir_store_engine(l->m), dst, src, size, (uint16_t)es,
		src->dtype != dst->dtype, 0);
}

void lower_copy_piece(struct lower *l, const struct dram_view *to, const struct dram_view *from,
		      const struct ir_piece *p)
{
	struct mir_mem dst = lower_view_mem(to, (uint64_t)p->dst_at * nca_dtype_size(to->dtype));
	struct mir_mem src = lower_view_mem(from, (uint64_t)p->src_at * nca_dtype_size(from->dtype));

	mir_next_block(l->m);
	copy_dims(l, &dst, &src, p, 0);
}

void lower_fill_dram(struct lower *l, const struct dram_view *to, int64_t n, float value,
		     int64_t integer)
{
	int64_t elem = nca_dtype_size(to->dtype);
	int64_t each = min64(FILL_BYTES / elem, ceil_div(n, NCA_PARTITIONS));
	int64_t parts = min64(NCA_PARTITIONS, n / each);
	struct mir_buf *buf = mir_sbuf(l->m, (uint64_t)(each * elem), "fill value");
	struct mir_tile tile = mir_shape(mir_sbuf_tile(buf, 0, to->dtype, parts), 1, 1, each, 0, 0,
					 1);
	struct mir_ew set = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_MEMSET, .dst = &tile,
			      .s0 = { .kind = MIR_S_IMM, .imm = value } };

	if (to->dtype >= NCA_INT32)
		set.s0 = (struct mir_scalar) { .kind = MIR_S_INT, .integer = (int32_t)integer };
	mir_next_block(l->m);
	mir_elementwise(l->m, &set);
	for (int64_t at = 0; at < n;) {
		struct mir_mem src = { .buf = buf, .space = MIR_SBUF, .dtype = to->dtype,
				       .stride = { 1, 0, 0, elem } };
		struct mir_mem dst = lower_view_mem(to, (uint64_t)(at * elem));
		int64_t size[4] = { parts, 1, 1, min64(each, n - at) };

		if (n - at < parts * each)
			size[0] = (n - at) / size[3];
		dst.stride[0] = size[3] * elem;
		dst.stride[3] = elem;
		mir_dma(l->m, mir_store_engine(l->m), &dst, &src, size, (uint16_t)elem, false, 0);
		at += size[0] * size[3];
	}
}

void lower_check_moved(struct lower *l, const struct ir_op *op)
{
	for (int i = -1; i < op->num_inputs; i++) {
		const struct ir_value *v = i < 0 ? op->out : ir_in(op, i);

		/* Strides of a transfer are 32-bit numbers of bytes. */
		if (v && ir_type_elements(&v->type) > INT32_MAX / 4)
			ir_unsupported(l->g, op, "a tensor of %lld elements is too large to be moved by one "
				       "operator; split it", (long long)ir_type_elements(&v->type));
	}
}

void lower_move(struct lower *l, struct ir_op *op)
{
	struct ir_moves m;
	struct dram_view to;

	lower_check_moved(l, op);
	m = ir_moves_of(l->g, op);
	to = lower_new_dram(l, op->out);

	for (size_t i = 0; i < m.num; i++) {
		const struct ir_piece *p = &m.piece[i];
		struct dram_view from;

		if (p->slot < 0) {
			lower_fill_dram(l, &to, p->rank ? p->size[0] : 1, op->attr.fill,
					op->attr.fill_int);
			continue;
		}
		from = lower_in_dram(l, ir_in(op, p->slot));
		if (!lower_turn_piece(l, &to, &from, p))
			lower_copy_piece(l, &to, &from, p);
	}
}
