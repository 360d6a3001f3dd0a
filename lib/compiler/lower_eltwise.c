// SPDX-License-Identifier: MIT
#include <string.h>

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

/* Byte strides of @t when it is read in the shape of @as; 0 where it is broadcast. False if not
 * possible. */
static bool broadcast_strides(const struct ir_type *t, const struct ir_value *out, int64_t elem,
			      int64_t stride[4])
{
	const struct ir_type *as = &out->type;
	int64_t by_dim[IR_MAX_RANK], s = elem, reach = -1;
	int cdim = ir_value_cdim(out), others[IR_MAX_RANK], n = 0;

	for (int i = as->rank - 1; i >= 0; i--) {
		int k = i - (as->rank - t->rank);

		by_dim[i] = k < 0 || t->dim[k] == 1 ? 0 : s;
		if (k >= 0)
			s *= t->dim[k];
	}
	for (int i = 0; i < 4; i++)
		stride[i] = 0;
	for (int i = 0; i < as->rank; i++)
		if (i != cdim)
			others[n++] = i;
	if (as->rank)
		stride[1] = by_dim[cdim];
	if (n >= 1)
		stride[0] = by_dim[others[0]];
	if (n >= 2)
		stride[3] = by_dim[others[n - 1]];
	/* The dimensions between are the height and must lie behind each other. */
	for (int i = n - 2; i >= 1; i--) {
		int64_t size = as->dim[others[i]];

		if (size == 1)
			continue;
		if (reach < 0)
			stride[2] = by_dim[others[i]];
		else if (by_dim[others[i]] != reach)
			return false;
		reach = by_dim[others[i]] * size;
	}
	return true;
}

/*
 * An elementwise operator goes over runs of neighbouring elements: all of a channel block if
 * everything is in SBUF, a band of rows of one image otherwise.
 */
struct run {
	int64_t cb, parts, n;		/* n: elements per partition */
	struct rows a, b, y;
	uint64_t at_a, at_b, at_y;
};

static struct mir_tile piece(const struct lower *l, struct mir_buf *buf, uint64_t at, int64_t first,
			     int64_t n, int64_t parts)
{
	return mir_shape(mir_sbuf_tile(buf, at + (uint64_t)(first * l->elem), l->dtype, parts), 1,
			 1, n, 0, 0, 1);
}

/* The rows of an operand that go with @y, in the shape of the result. */
static void operand(struct lower *l, struct ir_op *op, int slot, const struct rows *y,
		    struct rows *r)
{
	struct ir_value *v = ir_in(op, slot);
	struct dram_view from;
	int64_t stride[4];

	*r = *y;
	if (ir_type_equal(&v->type, &op->out->type)) {
		lower_operand_rows(l, v, r);
		return;
	}
	from = lower_in_dram(l, v);
	if (!broadcast_strides(&v->type, op->out, nca_dtype_size(from.dtype), stride))
		ir_unsupported(l->g, op,
			       "operand %d is broadcast along an inner dimension of a tensor of %d "
			       "dimensions",
			       slot, op->out->type.rank);
	lower_load_rows(l, r, &from, stride, v->name);
}

static bool has_two_tensors(const struct ir_op *op)
{
	return op->opcode == IR_ADD || op->opcode == IR_TENSOR_TENSOR;
}

static void tensor_run(struct lower *l, const struct ir_op *op, const struct run *r)
{
	enum nca_alu alu = op->opcode == IR_ADD ? NCA_ALU_ADD : op->attr.alu;

	for (int64_t at = 0; at < r->n; at += CHUNK) {
		int64_t n = min64(CHUNK, r->n - at);
		struct mir_tile a = piece(l, r->a.buf, r->at_a, at, n, r->parts);
		struct mir_tile b = piece(l, r->b.buf, r->at_b, at, n, r->parts);
		struct mir_tile y = piece(l, r->y.buf, r->at_y, at, n, r->parts);
		struct mir_ew ew = { .engine = NCA_ENGINE_VECTOR,
				     .opcode = NCA_OP_TENSOR_TENSOR,
				     .dst = &y,
				     .src0 = &a,
				     .src1 = &b,
				     .op0 = alu };

		mir_elementwise(l->m, &ew);
		if (op->attr.relu)
			lower_clamp(l, &y, &y);
	}
}

static void relu_run(struct lower *l, const struct run *r)
{
	for (int64_t at = 0; at < r->n; at += CHUNK) {
		int64_t n = min64(CHUNK, r->n - at);
		struct mir_tile x = piece(l, r->a.buf, r->at_a, at, n, r->parts);
		struct mir_tile y = piece(l, r->y.buf, r->at_y, at, n, r->parts);

		lower_clamp(l, &y, &x);
	}
}

static void activate_run(struct lower *l, const struct ir_op *op, const struct run *r)
{
	uint32_t param = 0;

	/* Only these two take a parameter; the device wants it to be zero otherwise. */
	if (op->attr.func == NCA_FUNC_LRELU || op->attr.func == NCA_FUNC_ELU)
		memcpy(&param, &op->attr.alpha, sizeof(param));
	for (int64_t at = 0; at < r->n; at += CHUNK) {
		int64_t n = min64(CHUNK, r->n - at);
		struct mir_tile x = piece(l, r->a.buf, r->at_a, at, n, r->parts);
		struct mir_tile y = piece(l, r->y.buf, r->at_y, at, n, r->parts);
		struct mir_ew ew = { .engine = NCA_ENGINE_SCALAR,
				     .opcode = NCA_OP_ACTIVATE,
				     .dst = &y,
				     .src0 = &x,
				     .func = op->attr.func,
				     .param = param };

		mir_elementwise(l->m, &ew);
	}
}

static void scalar_run(struct lower *l, const struct ir_op *op, const struct run *r,
		       uint64_t vector)
{
	struct mir_scalar s0 = { .kind = MIR_S_IMM, .imm = op->attr.imm }, s1 = { .kind = MIR_S_NONE };

	if (ir_in(op, IR_TENSOR_SCALAR_VECTOR))
		s0 = lower_column_scalar(l, vector + (uint64_t)r->cb * 4);
	if (op->attr.alu1)
		s1 = (struct mir_scalar) { .kind = MIR_S_IMM, .imm = op->attr.imm1 };
	for (int64_t at = 0; at < r->n; at += CHUNK) {
		int64_t n = min64(CHUNK, r->n - at);
		struct mir_tile x = piece(l, r->a.buf, r->at_a, at, n, r->parts);
		struct mir_tile y = piece(l, r->y.buf, r->at_y, at, n, r->parts);
		struct mir_ew ew = { .engine = NCA_ENGINE_VECTOR,
				     .opcode = NCA_OP_TENSOR_SCALAR,
				     .dst = &y,
				     .src0 = &x,
				     .s0 = s0,
				     .op0 = op->attr.alu,
				     .s1 = s1,
				     .op1 = op->attr.alu1,
				     .flags = op->attr.reverse ? NCA_F_REVERSE0 : 0 };

		mir_elementwise(l->m, &ew);
	}
}

static void affine_run(struct lower *l, const struct ir_op *op, const struct run *r, uint64_t scale,
		       uint64_t shift)
{
	for (int64_t at = 0; at < r->n; at += CHUNK) {
		int64_t n = min64(CHUNK, r->n - at);
		struct mir_tile x = piece(l, r->a.buf, r->at_a, at, n, r->parts);
		struct mir_tile y = piece(l, r->y.buf, r->at_y, at, n, r->parts);
		struct mir_ew ew = { .engine = NCA_ENGINE_SCALAR,
				     .opcode = NCA_OP_ACTIVATE,
				     .dst = &y,
				     .src0 = &x,
				     .func = op->attr.relu ? NCA_FUNC_RELU : NCA_FUNC_IDENTITY,
				     .s0 = lower_column_scalar(l, scale + (uint64_t)r->cb * 4),
				     .s1 = lower_column_scalar(l, shift + (uint64_t)r->cb * 4) };

		mir_elementwise(l->m, &ew);
	}
}

/* One run: @y says which rows; operands and result are brought, computed, stored. */
static void lower_run(struct lower *l, struct ir_op *op, const struct rows *y,
		      const uint64_t columns[2])
{
	bool two = has_two_tensors(op);
	struct run r = { .cb = y->cb0,
			 .parts = block_parts(y->s.c, y->cb0),
			 .n = y->nn * y->rows * y->s.w };

	mir_next_block(l->m);
	operand(l, op, 0, y, &r.a);
	if (two)
		operand(l, op, 1, y, &r.b);
	r.y = *y;
	lower_result_rows(l, op->out, &r.y);
	r.at_a = lower_rows_at(l, &r.a, y->cb0, y->n0, y->r0, 0);
	r.at_b = two ? lower_rows_at(l, &r.b, y->cb0, y->n0, y->r0, 0) : 0;
	r.at_y = lower_rows_at(l, &r.y, y->cb0, y->n0, y->r0, 0);
	if (two)
		tensor_run(l, op, &r);
	else if (op->opcode == IR_RELU)
		relu_run(l, &r);
	else if (op->opcode == IR_ACTIVATE)
		activate_run(l, op, &r);
	else if (op->opcode == IR_TENSOR_SCALAR)
		scalar_run(l, op, &r, columns[0]);
	else
		affine_run(l, op, &r, columns[0], columns[1]);
	lower_finish_rows(l, op->out, &r.y);
}

void lower_elementwise(struct lower *l, struct ir_op *op)
{
	struct rows y = lower_all_rows(op->out);
	int64_t cblocks = y.ncb, step = (int64_t)lower_band_bytes(l->m->target) / (y.s.w * l->elem);
	bool banded = lower_is_banded(l, op->out) || lower_is_banded(l, ir_in(op, 0)) ||
		      (has_two_tensors(op) && lower_is_banded(l, ir_in(op, 1)));
	uint64_t columns[2] = { 0, 0 };

	if (op->opcode == IR_AFFINE) {
		columns[0] = lower_column(l, ir_in(op, IR_AFFINE_SCALE));
		columns[1] = lower_column(l, ir_in(op, IR_AFFINE_SHIFT));
	}
	if (op->opcode == IR_TENSOR_SCALAR && ir_in(op, IR_TENSOR_SCALAR_VECTOR))
		columns[0] = lower_column(l, ir_in(op, IR_TENSOR_SCALAR_VECTOR));
	y.ncb = 1;
	for (y.cb0 = 0; y.cb0 < cblocks; y.cb0++) {
		if (!banded) {
			lower_run(l, op, &y, columns);
			continue;
		}
		for (y.n0 = 0; y.n0 < y.s.n; y.n0 += y.nn) {
			/* Several small images, or some rows of a large one. */
			y.nn = min64(max64(1, step / y.s.h), y.s.n - y.n0);
			for (y.r0 = 0; y.r0 < y.s.h; y.r0 += y.rows) {
				y.rows = min64(max64(1, step), y.s.h - y.r0);
				lower_run(l, op, &y, columns);
			}
		}
	}
}

void lower_reshape(struct lower *l, struct ir_op *op)
{
	struct ir_value *x = ir_in(op, IR_RESHAPE_X);
	struct home *from = &l->homes[x->id], *to = &l->homes[op->out->id];

	/* Row-major bytes do not change; the next reader takes them from device memory in its own
	 * shape. With the same channels nothing changes in SBUF either. */
	if ((from->sbuf || from->parked) && lower_keeps_channels(op)) {
		to->sbuf = from->sbuf;
		to->dram = from->dram;
		to->parked = from->parked;
	} else {
		to->dram = lower_in_dram(l, x);
	}
}
