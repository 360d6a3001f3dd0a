// SPDX-License-Identifier: MIT
/* From PSUM to SBUF: residual, bias, function, limits. */
#include <string.h>

#include <nca/cost.h>

#include "lower_conv.h"

/* The piece of SBUF that belongs to a tile of the result. */
static struct mir_tile tile_in(const struct conv *c, const struct rows *r,
			       const struct conv_tile *t, const struct conv_block *b)
{
	struct mir_tile out = mir_sbuf_tile(
		r->buf, lower_rows_at(c->l, r, b->m0 / NCA_PARTITIONS, t->n0, t->r0, t->c0),
		c->l->dtype, b->mb);

	return mir_shape(out, t->nn, t->rows, t->cols, r->rows * c->y.w, c->y.w, 1);
}

static uint64_t elements(const struct mir_tile *t)
{
	return (uint64_t)(t->size[1] * t->size[2] * t->size[3]);
}

/* A unit matrix in SBUF; it stays. */
static struct mir_tile unit_matrix(struct lower *l, int64_t n)
{
	struct mir_tile t;

	if (!l->unit) {
		uint8_t *data = cc_calloc(l->cc, NCA_PARTITIONS * NCA_PARTITIONS, l->elem);

		for (int64_t i = 0; i < NCA_PARTITIONS; i++)
			lower_store_elem(l, data + i * (NCA_PARTITIONS + 1) * l->elem, 1.0f);
		/* What comes next is wanted soon, unless it is to come in the same transfers for every image. */
		if (!l->repeats)
			lower_close_weights(l);
		l->unit = lower_place_apart(l, data, NCA_PARTITIONS, NCA_PARTITIONS * l->elem);
	}
	t = mir_sbuf_tile(l->unit->buf, 0, l->dtype, n);
	return mir_shape(t, 1, 1, n, 0, 0, 1);
}

/*
 * The residual comes in as one more product, with the unit matrix, if the array has less to do than
 * PSUM, and true is returned; otherwise the vector engine adds it.
 */
static bool add_residual(struct conv *c, const struct conv_tile *t, const struct conv_block *b,
			 const struct mir_tile *acc, const struct mir_tile *dst)
{
	struct mir *m = c->l->m;
	struct mir_tile res = tile_in(c, &c->band->residual, t, b), flat = *acc;
	uint64_t array = elements(acc) * m->target->engine_ticks[NCA_ENGINE_TENSOR] *
			 (c->l->dtype == NCA_FP32 ? 4 : 1) / mir_places(m, b->mb, b->mb);
	uint64_t vector = elements(acc) * m->target->engine_ticks[NCA_ENGINE_VECTOR];
	struct mir_ew add = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_TENSOR_TENSOR, .dst = dst,
			      .src0 = acc, .src1 = &res, .op0 = NCA_ALU_ADD };

	if (dst->space == MIR_PSUM && m->load[NCA_ENGINE_TENSOR] + array < m->psum_load + vector) {
		struct mir_tile unit = unit_matrix(c->l, b->mb);

		mir_ldstat(m, &unit);
		mir_matmul(m, &flat, &res, b->mb, b->mb, true);
		return true;
	}
	mir_elementwise(m, &add);
	return false;
}

static uint32_t function_param(const struct ir_attrs *a)
{
	uint32_t param = 0;

	/* Only these two take a parameter; the device wants it to be zero otherwise. */
	if (a->func == NCA_FUNC_LRELU || a->func == NCA_FUNC_ELU)
		memcpy(&param, &a->alpha, sizeof(param));
	return param;
}

/* func(acc + bias), or one operation with a number instead of the function. */
static void write_out(struct conv *c, const struct mir_tile *out, const struct mir_tile *acc,
		      const struct conv_block *b, enum nca_engine engine, bool limit)
{
	const struct ir_attrs *a = &c->op->attr;
	struct mir_scalar bias = { .kind = MIR_S_IMM, .imm = 0.0f };
	struct mir_ew ew = { .engine = engine, .dst = out, .src0 = acc };

	if (c->has_bias)
		bias = lower_column_scalar(c->l, c->bias + (uint64_t)(b->m0 / NCA_PARTITIONS) * 4);
	if (engine == NCA_ENGINE_SCALAR) {
		ew.opcode = NCA_OP_ACTIVATE;
		ew.func = a->relu ? NCA_FUNC_RELU : a->func;
		ew.param = function_param(a);
		ew.s0 = (struct mir_scalar) { .kind = MIR_S_IMM, .imm = 1.0f };
		ew.s1 = bias;
	} else if (a->relu || limit || c->has_bias) {
		ew.opcode = NCA_OP_TENSOR_SCALAR;
		ew.op0 = NCA_ALU_ADD;
		ew.s0 = bias;
		if (a->relu) {
			ew.op1 = NCA_ALU_MAX;
			ew.s1 = (struct mir_scalar) { .kind = MIR_S_IMM, .imm = 0.0f };
		} else if (limit) {
			ew.op1 = a->alu;
			ew.s1 = (struct mir_scalar) { .kind = MIR_S_IMM, .imm = a->imm };
		}
	} else {
		ew.opcode = NCA_OP_COPY;
	}
	mir_elementwise(c->l->m, &ew);
}

/* (x alu imm) alu1 imm1 in SBUF: the engine that shares nothing with those that empty PSUM. */
static void apply_limits(struct conv *c, const struct mir_tile *out)
{
	const struct ir_attrs *a = &c->op->attr;
	struct mir *m = c->l->m;
	struct mir_ew ew = { .engine = m->target->engine_ticks[NCA_ENGINE_GPSIMD] ?
					       NCA_ENGINE_GPSIMD : NCA_ENGINE_VECTOR,
			     .opcode = NCA_OP_TENSOR_SCALAR, .dst = out, .src0 = out, .op0 = a->alu,
			     .s0 = { .kind = MIR_S_IMM, .imm = a->imm }, .op1 = a->alu1 };

	if (a->alu1)
		ew.s1 = (struct mir_scalar) { .kind = MIR_S_IMM, .imm = a->imm1 };
	mir_elementwise(m, &ew);
}

bool conv_finish_tile(struct conv *c, const struct conv_tile *t, const struct conv_block *b)
{
	const struct ir_attrs *a = &c->op->attr;
	struct mir_tile acc = mir_psum_tile(t->psum, NCA_FP32, b->mb),
			out = tile_in(c, &c->band->out, t, b);
	bool plain = !c->has_bias && !a->relu && !a->func && !a->alu;
	/* The vector engine has the time of one operation with a number for nothing. */
	bool limit = a->alu && !a->alu1 && !a->relu && !a->func;
	enum nca_engine engine;
	bool array = false;

	acc = mir_shape(acc, t->nn, t->rows, t->cols, t->rows * t->cols, t->cols, 1);
	if (c->band->residual.buf && !a->residual_last) {
		bool fused = plain && c->l->dtype == NCA_FP32;

		array = add_residual(c, t, b, &acc, fused ? &out : &acc);
		if (fused)
			return array;
	}
	engine = mir_psum_engine(c->l->m, elements(&acc));
	if (a->func)
		engine = NCA_ENGINE_SCALAR;
	else if (limit)
		engine = NCA_ENGINE_VECTOR;
	write_out(c, &out, &acc, b, engine, limit);
	if (a->alu && !limit)
		apply_limits(c, &out);
	if (c->band->residual.buf && a->residual_last) {
		struct mir_tile res = tile_in(c, &c->band->residual, t, b);
		struct mir_ew add = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_TENSOR_TENSOR,
				      .dst = &out, .src0 = &out, .src1 = &res,
				      .op0 = NCA_ALU_ADD };

		mir_elementwise(c->l->m, &add);
	}
	return array;
}
