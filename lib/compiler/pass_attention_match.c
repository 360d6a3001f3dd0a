// SPDX-License-Identifier: MIT
/* From a softmax back to the product that makes its scores, past scales and masks. */
#include <math.h>
#include <string.h>

#include "ir_map.h"
#include "pass_attention.h"

/* A score at least this small has weight 0 next to one that is not masked. */
#define VERY_SMALL (-1000.0f)
#define MAX_MASK_ELEMENTS ((int64_t)1 << 24)

static bool add_mask(struct attention_match *m, struct ir_value *v, const struct ir_type *scores,
		     enum nca_alu alu, float factor)
{
	struct attention_mask *mask = &m->mask[m->num_masks];
	int64_t stride[IR_MAX_RANK];

	/* The same number everywhere changes no weight. */
	if (alu == NCA_ALU_ADD && ir_is_const(v) && ir_type_elements(&v->type) == 1 &&
	    isfinite(v->data.f32[0]))
		return true;
	if (m->num_masks == ATTENTION_MAX_MASKS || !ir_is_float(v->type.dtype) ||
	    (factor != 1.0f && !ir_is_const(v)))
		return false;
	ir_broadcast_strides(&v->type, scores, stride);
	*mask = (struct attention_mask) { .value = v, .alu = alu, .factor = factor };
	for (int i = 0; i < scores->rank - 2; i++)
		mask->batch.atom[mask->batch.num++] =
			(struct ir_atom) { scores->dim[i], stride[i] };
	mask->q = stride[scores->rank - 2];
	mask->k = stride[scores->rank - 1];
	m->num_masks++;
	return true;
}

static bool find_scores(struct attention_match *m, struct ir_value *v, float factor);

static bool find_in_sum(struct attention_match *m, const struct ir_op *op, float factor)
{
	for (int i = 0; i < 2; i++) {
		int masks = m->num_masks;

		if (ir_type_equal(&ir_in(op, i)->type, &op->out->type) &&
		    find_scores(m, ir_in(op, i), factor) &&
		    add_mask(m, ir_in(op, 1 - i), &op->out->type, NCA_ALU_ADD, factor))
			return true;
		m->num_masks = masks;
	}
	return false;
}

static bool find_in_product(struct attention_match *m, const struct ir_op *op, float factor)
{
	bool div = op->attr.alu == NCA_ALU_DIV;
	float by;

	if (op->attr.relu || (!div && op->attr.alu != NCA_ALU_MUL))
		return false;
	for (int i = 0; i < (div ? 1 : 2); i++)
		if (ir_const_number(ir_in(op, 1 - i), &by) &&
		    ir_type_equal(&ir_in(op, i)->type, &op->out->type))
			return find_scores(m, ir_in(op, i), div ? factor / by : factor * by);
	return false;
}

static bool is_arg(const struct ir_map_arg *a, int input)
{
	return a->kind == IR_MAP_INPUT && a->index == input;
}

/*
 * Scores where a constant condition holds, a very small number elsewhere: the smaller of the score
 * and infinity or that number.
 */
static bool find_in_choice(struct attention_match *m, const struct ir_op *op, float factor)
{
	const struct ir_map *map = op->attr.map;
	const struct ir_map_step *s = &map->step[0];
	struct ir_value *condition;
	bool keep = s->c.kind == IR_MAP_FLOAT;		/* the score where it holds */
	const struct ir_map_arg *score = keep ? &s->b : &s->c, *number = keep ? &s->c : &s->b;
	struct ir_type t;
	int64_t n;
	float *data;

	if (map->num_steps != 1 || s->kind != IR_MAP_SELECT || !is_arg(&s->a, 0) || op->num_inputs != 2 ||
	    !is_arg(score, 1) || number->kind != IR_MAP_FLOAT || !(number->f <= VERY_SMALL) || factor <= 0.0f)
		return false;
	condition = ir_in(op, 0);
	if (!ir_is_const(condition) || !ir_is_int(condition->type.dtype) ||
	    !ir_type_equal(&ir_in(op, 1)->type, &op->out->type))
		return false;
	n = ir_type_elements(&condition->type);
	data = cc_new_n(m->g->cc, float, (size_t)n);
	for (int64_t i = 0; i < n; i++)
		data[i] = (condition->data.i64[i] != 0) == keep ? INFINITY : number->f;
	t = condition->type;
	t.dtype = op->out->type.dtype;
	return find_scores(m, ir_in(op, 1), factor) &&
	       add_mask(m, ir_const_f32(m->g, NULL, &t, data), &op->out->type, NCA_ALU_MIN, factor);
}

/* Sums that are broadcast over many dimensions are maps of one step. */
static bool is_sum(const struct ir_op *op)
{
	const struct ir_map *map = op->attr.map;
	const struct ir_map_step *s = &map->step[0];

	return map->num_steps == 1 && s->kind == IR_MAP_ALU && s->alu == NCA_ALU_ADD &&
	       op->num_inputs == 2 && is_arg(&s->a, 0) && is_arg(&s->b, 1);
}

static bool same_matrices(const struct ir_type *a, const struct ir_type *b)
{
	return a->rank >= 2 && b->rank >= 2 && a->dim[a->rank - 1] == b->dim[b->rank - 1] &&
	       a->dim[a->rank - 2] == b->dim[b->rank - 2];
}

/* @factor: what is multiplied onto @v further out. */
static bool find_scores(struct attention_match *m, struct ir_value *v, float factor)
{
	struct ir_op *op = v->def;

	if (!op || !ir_single_user(m->g, v))
		return false;
	switch (op->opcode) {
	case IR_MATMUL:
		m->qk = op;
		m->scale = factor;
		return !op->attr.relu && !op->attr.trans_a && !op->attr.trans_b && op->out->type.rank >= 2 &&
		       ir_in(op, 0)->type.rank >= 2 && ir_in(op, 1)->type.rank >= 2;
	case IR_RESHAPE:
		return same_matrices(&ir_in(op, 0)->type, &op->out->type) &&
		       find_scores(m, ir_in(op, 0), factor);
	case IR_ADD:
		return !op->attr.relu && find_in_sum(m, op, factor);
	case IR_TENSOR_TENSOR:
		return find_in_product(m, op, factor);
	case IR_MAP:
		return is_sum(op) ? find_in_sum(m, op, factor) : find_in_choice(m, op, factor);
	default:
		return false;
	}
}

bool attention_find(struct attention_match *m, struct ir_graph *g, struct ir_op *softmax)
{
	const struct ir_type *t = &softmax->out->type;
	int64_t axis = softmax->attr.axis < 0 ? softmax->attr.axis + t->rank : softmax->attr.axis;
	struct ir_value *p = softmax->out;

	*m = (struct attention_match) { .g = g, .softmax = softmax };
	if (softmax->attr.coerce_2d || t->rank < 2 || axis != t->rank - 1 ||
	    !find_scores(m, ir_in(softmax, 0), 1.0f) || !(m->scale > 0.0f))
		return false;
	do {
		m->pv = ir_single_user(g, p);
		if (!m->pv)
			return false;
		p = m->pv->out;
	} while ((m->pv->opcode == IR_RESHAPE && same_matrices(&ir_in(m->pv, 0)->type, &p->type)) ||
		 m->pv->opcode == IR_IDENTITY);
	return m->pv->opcode == IR_MATMUL && ir_in(m->pv, 0)->type.rank >= 2 &&
	       ir_in(m->pv, 0) != ir_in(m->pv, 1) && ir_in(m->pv, 1)->type.rank >= 2 &&
	       (ir_in(m->pv, 0)->def == softmax || ir_in(m->pv, 0)->def->opcode == IR_RESHAPE ||
		ir_in(m->pv, 0)->def->opcode == IR_IDENTITY) &&
	       m->pv->in[0].value->uses == &m->pv->in[0] && !m->pv->attr.relu && !m->pv->attr.trans_a &&
	       !m->pv->attr.trans_b;
}

bool attention_refine(struct ir_view **list, int num)
{
	int64_t total = ir_view_elements(list[0]), cut = 1;

	for (int i = 1; i < num; i++)
		if (ir_view_elements(list[i]) != total)
			return false;
	while (cut < total) {
		int64_t next = total;

		/* The nearest place further out where any of them is cut. */
		for (int i = 0; i < num; i++) {
			int64_t after = 1;

			for (int k = list[i]->num - 1; k >= 0; k--) {
				after *= list[i]->atom[k].size;
				if (after > cut && after < next)
					next = after;
			}
		}
		for (int i = 0; i < num; i++)
			if (!ir_view_cut(list[i], next))
				return false;
		cut = next;
	}
	/* Atoms of one element say nothing. */
	for (int i = 0; i < num; i++) {
		int n = 0;

		for (int k = 0; k < list[i]->num; k++)
			if (list[i]->atom[k].size > 1)
				list[i]->atom[n++] = list[i]->atom[k];
		list[i]->num = n;
		if (n != list[0]->num)
			return false;
	}
	return true;
}

/* The sum of two constant masks over the dimensions that either depends on. */
static bool add_constants(struct attention_match *m, struct attention_mask *a, struct attention_mask *b)
{
	struct ir_view *lists[2] = { &a->batch, &b->batch };
	const struct ir_type *scores = &m->qk->out->type;
	int64_t keys = a->k || b->k ? scores->dim[scores->rank - 1] : 1;
	int64_t queries = a->q || b->q ? scores->dim[scores->rank - 2] : 1, n = queries * keys;
	struct attention_mask sum = { .alu = NCA_ALU_ADD, .factor = 1.0f, .q = queries > 1 ? keys : 0,
				      .k = keys > 1 };
	float *data;

	if (!attention_refine(lists, 2))
		return false;
	sum.batch = a->batch;
	for (int i = a->batch.num - 1; i >= 0; i--) {
		bool used = a->batch.atom[i].stride || b->batch.atom[i].stride;

		sum.batch.atom[i].stride = used ? n : 0;
		n *= used ? a->batch.atom[i].size : 1;
		if (n > MAX_MASK_ELEMENTS)
			return false;
	}
	data = cc_new_n(m->g->cc, float, (size_t)n);
	for (int64_t at = 0; at < n; at++) {
		int64_t rest = at / (queries * keys), q = at / keys % queries, k = at % keys;
		int64_t ia = q * a->q + k * a->k, ib = q * b->q + k * b->k;

		for (int i = sum.batch.num - 1; i >= 0; i--) {
			int64_t size = sum.batch.atom[i].size;

			if (!sum.batch.atom[i].stride)
				continue;
			ia += rest % size * a->batch.atom[i].stride;
			ib += rest % size * b->batch.atom[i].stride;
			rest /= size;
		}
		data[at] = a->value->data.f32[ia] * a->factor + b->value->data.f32[ib] * b->factor;
	}
	sum.value = pass_vector(m->g, n, data);
	*a = sum;
	return true;
}

bool attention_join_masks(struct attention_match *m)
{
	while (m->num_masks > 1) {
		struct attention_mask *a = &m->mask[0], *b = &m->mask[m->num_masks - 1];

		if (a->alu != NCA_ALU_ADD || b->alu != NCA_ALU_ADD || !ir_is_const(a->value) ||
		    !ir_is_const(b->value) || !add_constants(m, a, b))
			return false;
		m->num_masks--;
	}
	if (m->num_masks && m->mask[0].factor != 1.0f) {
		struct attention_mask *a = &m->mask[0];
		int64_t n = ir_type_elements(&a->value->type);
		float *data = cc_new_n(m->g->cc, float, (size_t)n);

		for (int64_t i = 0; i < n; i++)
			data[i] = a->value->data.f32[i] * a->factor;
		a->value = ir_const_f32(m->g, a->value->name, &a->value->type, data);
		a->factor = 1.0f;
	}
	return true;
}
