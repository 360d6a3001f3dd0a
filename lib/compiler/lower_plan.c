// SPDX-License-Identifier: MIT
/*
 * What stays in SBUF. Whole tensors are the fast case: no transfers between operators. Where those
 * alive at one operator do not fit together, the largest goes to device memory and is worked on in
 * bands of rows, until the rest fits. If that is not enough, tensors that the operator does not touch
 * are parked: they wait in device memory and come to SBUF for the operators that do.
 */
#include <string.h>

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
	bool *spilled, *parked;
	int64_t *touched;	/* by value id: 1 + the last operator looked at that works on it */
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

/* Marks what operator @op, the one at @at, works on in SBUF. */
static void mark_touched(struct plan *p, const struct ir_op *op, int64_t at)
{
	for (int i = -1; i < op->num_inputs; i++) {
		const struct ir_value *v = i < 0 ? op->out : ir_in(op, i);

		if (v)
			p->touched[made_in_dram(v) ? v->id : shared(v)->id] = at + 1;
	}
}

/* Whether @op copies one operand after the other, so that parked ones need not be there together. */
static bool one_by_one(const struct ir_op *op)
{
	return op->opcode == IR_CONCAT && lower_rearranges(op);
}

/* Bytes that are live at @at, the operator @op. */
static uint64_t live_bytes(const struct plan *p, const struct ir_op *op, int64_t at)
{
	uint64_t live = 0, most = 0;

	for (const struct ir_value *v = p->g->values; v; v = v->next) {
		const struct life *life = &p->life[v->id];
		/* Two bands, so that one is brought while the other is worked on. */
		uint64_t bytes = p->spilled[v->id] ? (uint64_t)min64((int64_t)life->bytes, (int64_t)(2 * p->band)) :
						     life->bytes;

		if (life->first < 0 || at < life->first || at > life->last)
			continue;
		if (!p->parked[v->id])
			live += bytes;
		else if (p->touched[v->id] != at + 1)
			continue;
		else if (!one_by_one(op) || v == op->out)
			live += bytes;
		else if (bytes > most)
			most = bytes;
	}
	return live + most;
}

/* The largest value that could be spilled, or with @park parked, at @at. */
static const struct ir_value *find_largest(const struct plan *p, const struct ir_op *op, int64_t at, bool park)
{
	const struct ir_value *largest = NULL;

	for (const struct ir_value *v = p->g->values; v; v = v->next) {
		const struct life *life = &p->life[v->id];

		if (life->first < 0 || at < life->first || at > life->last || p->spilled[v->id] ||
		    p->parked[v->id] || (largest && life->bytes <= p->life[largest->id].bytes))
			continue;
		if (park ? p->touched[v->id] != at + 1 || (one_by_one(op) && v != op->out) :
			   life->bytes > 2 * p->band)
			largest = v;
	}
	return largest;
}

/* At operator @at: bring what is live below the limit, if spilling and parking can. */
static void relieve(struct plan *p, const struct ir_op *op, int64_t at, bool parks)
{
	mark_touched(p, op, at);
	while (live_bytes(p, op, at) > p->limit) {
		const struct ir_value *v = find_largest(p, op, at, false);

		if (v) {
			p->spilled[v->id] = true;
			continue;
		}
		v = parks ? find_largest(p, op, at, true) : NULL;
		if (!v)
			return;
		p->parked[v->id] = true;
	}
}

struct lower_plan *lower_plan(struct ir_graph *g, const struct lower_options *options, int percent, bool parks)
{
	struct plan p = { .g = g, .band = lower_band_bytes(options->target), .elem = options->bf16 ? 2 : 4,
			  .limit = (uint64_t)options->target->sbuf_bytes * (unsigned int)percent / 100 };
	struct lower_plan *plan = cc_new(g->cc, struct lower_plan);
	int64_t at = 0;

	p.life = cc_new_n(g->cc, struct life, g->next_id);
	p.spilled = cc_new_n(g->cc, bool, g->next_id);
	p.parked = cc_new_n(g->cc, bool, g->next_id);
	p.touched = cc_new_n(g->cc, int64_t, g->next_id);
	find_lives(&p);
	for (const struct ir_op *op = g->first; op; op = op->next, at++)
		relieve(&p, op, at, parks);
	for (const struct ir_value *v = g->values; v; v = v->next)
		if (!made_in_dram(v)) {
			p.spilled[v->id] = p.spilled[shared(v)->id];
			p.parked[v->id] = p.parked[shared(v)->id];
		}
	plan->percent = percent;
	plan->spilled = p.spilled;
	plan->parked = p.parked;
	return plan;
}

bool lower_plans_equal(const struct ir_graph *g, const struct lower_plan *a, const struct lower_plan *b)
{
	/* Products of tensors in device memory use what the plan leaves. */
	for (const struct ir_op *op = g->first; op && a->percent != b->percent; op = op->next)
		if (op->opcode == IR_MATMUL)
			return false;
	return !memcmp(a->spilled, b->spilled, g->next_id * sizeof(bool)) &&
	       !memcmp(a->parked, b->parked, g->next_id * sizeof(bool));
}
