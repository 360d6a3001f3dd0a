// SPDX-License-Identifier: MIT
#include "lower.h"

#define CHUNK 2048	/* elements per partition and instruction, so that engines can take turns */

void lower_clamp(struct lower *l, const struct mir_tile *dst, const struct mir_tile *src)
{
	uint64_t n = (uint64_t)(dst->size[1] * dst->size[2] * dst->size[3]);
	struct mir_ew ew = { .engine = mir_lighter_engine(l->m, n), .dst = dst, .src0 = src };

	if (ew.engine == NCA_ENGINE_SCALAR) {
		ew.opcode = NCA_OP_ACTIVATE;
		ew.func = NCA_FUNC_RELU;
		ew.s0 = (struct mir_scalar) { .kind = MIR_S_IMM, .imm = 1.0f };
		ew.s1 = (struct mir_scalar) { .kind = MIR_S_IMM, .imm = 0.0f };
	} else {
		ew.opcode = NCA_OP_TENSOR_SCALAR;
		ew.op0 = NCA_ALU_MAX;
		ew.s0 = (struct mir_scalar) { .kind = MIR_S_IMM, .imm = 0.0f };
	}
	mir_elementwise(l->m, &ew);
}

/* @n elements of every partition of a buffer, from element @at. */
static struct mir_tile run(const struct lower *l, struct mir_buf *buf, int64_t at, int64_t n, int64_t parts)
{
	struct mir_tile t = mir_sbuf_tile(buf, (uint64_t)(at * l->elem), l->dtype, parts);

	return mir_shape(t, 1, 1, n, 0, 0, 1);
}

/* Byte strides of @t when it is read in the shape of @as; 0 where it is broadcast. False if not possible. */
static bool broadcast_strides(const struct ir_type *t, const struct ir_type *as, int64_t elem, int64_t stride[4])
{
	int64_t by_dim[IR_MAX_RANK], s = elem;

	for (int i = as->rank - 1; i >= 0; i--) {
		int k = i - (as->rank - t->rank);

		by_dim[i] = k < 0 || t->dim[k] == 1 ? 0 : s;
		if (k >= 0)
			s *= t->dim[k];
	}
	for (int i = 0; i < 4; i++)
		stride[i] = 0;
	if (as->rank == 1)
		stride[1] = by_dim[0];
	if (as->rank >= 2) {
		stride[0] = by_dim[0];
		stride[1] = by_dim[1];
	}
	if (as->rank >= 3)
		stride[3] = by_dim[as->rank - 1];
	if (as->rank >= 4)
		stride[2] = by_dim[as->rank - 2];
	/* Further dimensions are seen as part of the height and must lie behind each other. */
	for (int i = as->rank - 3; i >= 2; i--)
		if (by_dim[i] != by_dim[i + 1] * as->dim[i + 1])
			return false;
	return true;
}

/* An operand in SBUF in the shape of the result. */
static struct mir_buf *operand(struct lower *l, struct ir_op *op, int slot)
{
	struct ir_value *v = ir_in(op, slot);
	struct ir_nchw s = ir_type_nchw(&op->out->type);
	struct dram_view from;
	struct mir_buf *buf;
	int64_t stride[4];

	if (ir_type_equal(&v->type, &op->out->type))
		return lower_in_sbuf(l, v);
	from = lower_in_dram(l, v);
	if (!broadcast_strides(&v->type, &op->out->type, nca_dtype_size(from.dtype), stride))
		ir_unsupported(l->g, op, "operand %d is broadcast along an inner dimension of a tensor of %d "
			       "dimensions", slot, op->out->type.rank);
	buf = mir_sbuf(l->m, (uint64_t)(ceil_div(s.c, NCA_PARTITIONS) * s.n * s.h * s.w) * l->elem, v->name);
	lower_load(l, buf, &s, &from, stride);
	return buf;
}

void lower_add(struct lower *l, struct ir_op *op)
{
	struct ir_nchw s = ir_type_nchw(&op->out->type);
	struct mir_buf *a = operand(l, op, 0), *b = operand(l, op, 1), *y = lower_new_sbuf(l, op->out);
	int64_t per = s.n * s.h * s.w;

	for (int64_t cb = 0; cb * NCA_PARTITIONS < s.c; cb++)
		for (int64_t at = 0; at < per; at += CHUNK) {
			int64_t n = min64(CHUNK, per - at), parts = block_parts(s.c, cb);
			struct mir_tile ta = run(l, a, cb * per + at, n, parts);
			struct mir_tile tb = run(l, b, cb * per + at, n, parts);
			struct mir_tile ty = run(l, y, cb * per + at, n, parts);
			struct mir_ew ew = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_TENSOR_TENSOR,
					     .dst = &ty, .src0 = &ta, .src1 = &tb, .op0 = NCA_ALU_ADD };

			mir_elementwise(l->m, &ew);
			if (op->attr.relu)
				lower_clamp(l, &ty, &ty);
		}
}

void lower_relu(struct lower *l, struct ir_op *op)
{
	struct ir_nchw s = ir_type_nchw(&op->out->type);
	struct mir_buf *x = lower_in_sbuf(l, ir_in(op, 0)), *y = lower_new_sbuf(l, op->out);
	int64_t per = s.n * s.h * s.w;

	for (int64_t cb = 0; cb * NCA_PARTITIONS < s.c; cb++)
		for (int64_t at = 0; at < per; at += CHUNK) {
			int64_t n = min64(CHUNK, per - at), parts = block_parts(s.c, cb);
			struct mir_tile tx = run(l, x, cb * per + at, n, parts);
			struct mir_tile ty = run(l, y, cb * per + at, n, parts);

			lower_clamp(l, &ty, &tx);
		}
}

void lower_affine(struct lower *l, struct ir_op *op)
{
	struct ir_nchw s = ir_type_nchw(&op->out->type);
	struct mir_buf *x = lower_in_sbuf(l, ir_in(op, IR_AFFINE_X)), *y = lower_new_sbuf(l, op->out);
	uint64_t scale = lower_column(l, ir_in(op, IR_AFFINE_SCALE));
	uint64_t shift = lower_column(l, ir_in(op, IR_AFFINE_SHIFT));
	int64_t per = s.n * s.h * s.w;

	for (int64_t cb = 0; cb * NCA_PARTITIONS < s.c; cb++)
		for (int64_t at = 0; at < per; at += CHUNK) {
			int64_t n = min64(CHUNK, per - at), parts = block_parts(s.c, cb);
			struct mir_tile tx = run(l, x, cb * per + at, n, parts);
			struct mir_tile ty = run(l, y, cb * per + at, n, parts);
			struct mir_ew ew = { .engine = NCA_ENGINE_SCALAR, .opcode = NCA_OP_ACTIVATE,
					     .dst = &ty, .src0 = &tx,
					     .func = op->attr.relu ? NCA_FUNC_RELU : NCA_FUNC_IDENTITY,
					     .s0 = lower_column_scalar(l, scale + (uint64_t)cb * 4),
					     .s1 = lower_column_scalar(l, shift + (uint64_t)cb * 4) };

			mir_elementwise(l->m, &ew);
		}
}

void lower_reshape(struct lower *l, struct ir_op *op)
{
	/* Row-major bytes do not change; the next reader takes them from device memory in its own shape. */
	l->homes[op->out->id].dram = lower_in_dram(l, ir_in(op, IR_RESHAPE_X));
}
