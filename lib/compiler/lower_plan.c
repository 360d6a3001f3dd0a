// SPDX-License-Identifier: MIT
/*
 * What stays in SBUF. Whole tensors are the fast case: no transfers between operators. Where those
 * alive at one operator do not fit together, the largest goes to device memory and is worked on in
 * bands of rows, until the rest fits.
 */
#include "ir_move.h"
#include "lower.h"

struct life {
	int64_t first, last;	/* operators during which it would be in SBUF; first < 0: never */
	uint64_t bytes;
};

struct plan {
	struct ir_graph *g;
	uint64_t band, limit;
	uint32_t elem;
	struct life *life;	/* by value id */
	bool *spilled;
};

uint64_t lower_band_bytes(const struct nca_target *target)
{
	return target->sbuf_bytes / 8;
}

bool lower_keeps_channels(const struct ir_op *reshape)
{
	const struct ir_value *x = ir_in(reshape, IR_RESHAPE_X), *y = reshape->out;
	int cx = ir_value_cdim(x), cy = ir_value_cdim(y);
	int64_t before_x = 1, before_y = 1;

	if (!x->type.rank || !y->type.rank || ir_is_const(x) || x->type.dim[cx] != y->type.dim[cy])
		return false;
	for (int i = 0; i < cx; i++)
		before_x *= x->type.dim[i];
	for (int i = 0; i < cy; i++)
		before_y *= y->type.dim[i];
	return before_x == before_y;
}

/* Where the buffer comes from that @v shares. */
static const struct ir_value *shared(const struct ir_value *v)
{
	while (v->def && ((v->def->opcode == IR_RESHAPE && lower_keeps_channels(v->def)) ||
			  lower_transposes_nothing(v->def)))
		v = ir_in(v->def, 0);
	return v;
}

/* Results that are made in device memory, whoever reads them. */
static bool made_in_dram(const struct ir_value *v)
{
	const struct ir_value *from = shared(v);

	if (from->kind != IR_VALUE_RESULT)
		return true;
	if (from != v)
		return made_in_dram(from);
	return ir_opcode_makes_dram(v->def->opcode) &&
	       (!lower_rearranges(v->def) || lower_slices(v->def));
}

bool lower_slices(const struct ir_op *op)
{
	const struct ir_take *t = op->attr.take;
	const struct ir_value *x = ir_in(op, 0);

	if (op->opcode != IR_TAKE || !ir_is_float(op->out->type.dtype) || !op->out->type.rank ||
	    x->kind != IR_VALUE_INPUT || !t->index[0] || ir_value_cdim(x) == 0)
		return false;
	for (int i = 1; i < op->out->type.rank; i++)
		if (t->index[i])
			return false;
	for (int64_t i = 0; i < t->num[0]; i++)
		if (t->index[0][i] < 0 || t->index[0][i] != t->index[0][0] + i)
			return false;
	return true;
}

bool lower_conv_packs(const struct ir_op *op, bool x_in_dram)
{
	int64_t channels = ir_value_nchw(ir_in(op, IR_CONV_X)).c,
		rows = op->attr.window.kernel[0];

	return x_in_dram && op->attr.group == 1 && rows > 1 && channels <= MAX_PACKED_CHANNELS &&
	       channels * rows <= NCA_PARTITIONS;
}

static bool reads_in_sbuf(const struct ir_op *op, int slot)
{
	const struct ir_value *v = ir_in(op, slot);

	switch (op->opcode) {
	case IR_CONV:
		return slot == IR_CONV_RESIDUAL ||
		       (slot == IR_CONV_X && !lower_conv_packs(op, made_in_dram(v)));
	case IR_TRANSPOSE:
	case IR_TAKE:
	case IR_CONCAT:
		return lower_rearranges(op) && !lower_slices(op);
	case IR_ADD:
	case IR_TENSOR_TENSOR:
		/* A broadcast operand is brought in the shape of the result, for this operator
		 * only. */
		return true;
	case IR_ATTENTION:
		return slot <= IR_ATTENTION_V;
	case IR_LAYER_NORM:
	case IR_MAX_POOL:
	case IR_AVG_POOL:
	case IR_RELU:
	case IR_ACTIVATE:
	case IR_TENSOR_SCALAR:
	case IR_AFFINE:
		return slot == 0;
	default:
		return false;
	}
}

static void find_lives(struct plan *p)
{
	int64_t at = 0;

	for (const struct ir_value *v = p->g->values; v; v = v->next) {
		struct rows all = lower_all_rows(v);

		p->life[v->id] = (struct life) { .first = -1, .last = -1 };
		if (ir_is_float(v->type.dtype))
			p->life[v->id].bytes =
				(uint64_t)(all.ncb * all.nn * all.rows * all.s.w) * p->elem;
	}
	for (const struct ir_op *op = p->g->first; op; op = op->next, at++) {
		for (int i = 0; i < op->num_inputs; i++) {
			const struct ir_value *v = ir_in(op, i);

			if (!v || (made_in_dram(v) && !reads_in_sbuf(op, i)))
				continue;
			if (!made_in_dram(v))
				v = shared(v);
			if (p->life[v->id].first < 0)
				p->life[v->id].first = at;
			p->life[v->id].last = at;
		}
		if (!made_in_dram(op->out) && shared(op->out) == op->out)
			p->life[op->out->id] = (struct life) { at, at, p->life[op->out->id].bytes };
	}
}

static uint64_t held(const struct plan *p, const struct ir_value *v)
{
	uint64_t bytes = p->life[v->id].bytes;

	/* Two bands, so that one is brought while the other is worked on. */
	return p->spilled[v->id] && bytes > 2 * p->band ? 2 * p->band : bytes;
}

/* At operator @at: bring what is live below the limit, if spilling can. */
static void relieve(struct plan *p, int64_t at)
{
	for (;;) {
		const struct ir_value *largest = NULL;
		uint64_t live = 0;

		for (const struct ir_value *v = p->g->values; v; v = v->next) {
			const struct life *life = &p->life[v->id];

			if (life->first < 0 || at < life->first || at > life->last)
				continue;
			live += held(p, v);
			if (!p->spilled[v->id] && life->bytes > 2 * p->band &&
			    (!largest || life->bytes > p->life[largest->id].bytes))
				largest = v;
		}
		if (live <= p->limit || !largest)
			return;
		p->spilled[largest->id] = true;
	}
}

bool *lower_plan(struct ir_graph *g, const struct nca_target *target, uint32_t elem, int percent)
{
	struct plan p = { .g = g, .band = lower_band_bytes(target), .elem = elem,
			  .limit = (uint64_t)target->sbuf_bytes * (unsigned int)percent / 100 };
	int64_t at = 0;

	p.life = cc_new_n(g->cc, struct life, g->next_id);
	p.spilled = cc_new_n(g->cc, bool, g->next_id);
	find_lives(&p);
	for (const struct ir_op *op = g->first; op; op = op->next, at++)
		relieve(&p, at);
	for (const struct ir_value *v = g->values; v; v = v->next)
		if (!made_in_dram(v))
			p.spilled[v->id] = p.spilled[shared(v)->id];
	return p.spilled;
}
