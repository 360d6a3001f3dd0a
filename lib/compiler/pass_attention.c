// SPDX-License-Identifier: MIT
/*
 * Attention, found by what it does and not by how it is written down. Around the two products models
 * cut channels into heads and put them together again with reshapes, transposes and splits in many
 * ways; the views of the operands (ir_view.h) say which elements of the projections meet, and that is all
 * the operator needs to know.
 */
#include "pass_attention.h"

#include <string.h>

/* Rows and columns of one operand or the result, in a tensor whose last dimension is the channels. */
struct side {
	struct ir_view view;
	int64_t channels;
	struct ir_view batch, tokens, inner;
};

/* Atoms that run across the end of the channels are pixels further out. */
static bool cut_at_channels(struct ir_view *v, int64_t channels)
{
	for (int i = 0; i < v->num; i++) {
		struct ir_atom *a = &v->atom[i];
		int64_t reach = a->stride * a->size, in;

		if (a->stride <= 0 || a->stride % channels == 0 || reach <= channels)
			continue;
		if (channels % a->stride || reach % channels || v->num == IR_VIEW_ATOMS)
			return false;
		in = channels / a->stride;
		memmove(a + 1, a, (size_t)(v->num - i) * sizeof(*a));
		v->num++;
		a[0] = (struct ir_atom) { a[0].size / in, channels };
		a[1].size = in;
	}
	return true;
}

/* Batch dimensions of @t as those of the product @out, which may repeat it. */
static bool batch_list(struct side *s, const struct ir_type *t, const struct ir_type *out)
{
	int shift = out->rank - t->rank;

	s->batch = (struct ir_view) { .num = 0 };
	for (int i = 0; i < out->rank - 2; i++) {
		struct ir_view part;

		if (i < shift || (t->dim[i - shift] == 1 && out->dim[i] > 1)) {
			part.num = 1;
			part.atom[0] = (struct ir_atom) { out->dim[i], 0 };
		} else if (!ir_view_dims(&s->view, t, i - shift, i - shift + 1, &part)) {
			return false;
		}
		if (s->batch.num + part.num > IR_VIEW_ATOMS)
			return false;
		memcpy(&s->batch.atom[s->batch.num], part.atom, (size_t)part.num * sizeof(part.atom[0]));
		s->batch.num += part.num;
	}
	return true;
}

/* @turned: the matrix is [channels][tokens]. */
static bool make_side(struct side *s, const struct ir_type *t, const struct ir_type *out, bool turned)
{
	const struct ir_type *root = &s->view.root->type;
	int rows = t->rank - 2, columns = t->rank - 1;

	if (root->rank < 2)
		return false;
	s->channels = root->dim[root->rank - 1];
	if (!batch_list(s, t, out) || !cut_at_channels(&s->batch, s->channels) ||
	    !ir_view_dims(&s->view, t, turned ? columns : rows, turned ? columns + 1 : rows + 1, &s->tokens) ||
	    !ir_view_dims(&s->view, t, turned ? rows : columns, turned ? rows + 1 : columns + 1, &s->inner))
		return false;
	ir_view_join(&s->tokens);
	ir_view_join(&s->inner);
	if (s->tokens.num > 1 || s->inner.num > 1)
		return false;
	if (s->inner.num && s->inner.atom[0].stride != 1)
		return false;
	return !s->tokens.num || (s->tokens.atom[0].stride % s->channels == 0 &&
				  s->tokens.atom[0].stride / s->channels <= INT16_MAX);
}

/* The result's elements in @y, in the order of the product: strides in @y. */
static bool inverse(const struct ir_view *y, struct ir_value *v, struct ir_view *out)
{
	struct ir_atom to[IR_VIEW_ATOMS];	/* stride in the product */
	int64_t stride = 1, dense = 1;

	*out = (struct ir_view) { .root = v };
	for (int i = y->num - 1; i >= 0; i--) {
		int at = out->num;

		if (y->atom[i].size == 1)
			continue;
		while (at > 0 && to[at - 1].stride < y->atom[i].stride) {
			to[at] = to[at - 1];
			out->atom[at] = out->atom[at - 1];
			at--;
		}
		to[at] = y->atom[i];
		out->atom[at] = (struct ir_atom) { y->atom[i].size, stride };
		stride *= y->atom[i].size;
		out->num++;
	}
	for (int i = out->num - 1; i >= 0; i--) {
		if (to[i].stride != dense)
			return false;
		dense *= to[i].size;
	}
	return true;
}

/* ---- batches and heads ---- */

enum { Q, K, V, OUT, SIDES };

struct axes {
	int num;
	int64_t size[IR_VIEW_ATOMS], stride[SIDES][IR_VIEW_ATOMS], mask[IR_VIEW_ATOMS];
	bool head[IR_VIEW_ATOMS];	/* within the channels of some side */
};

static bool follows(const struct axes *x, int outer, int inner)
{
	for (int i = 0; i < SIDES; i++)
		if (x->stride[i][outer] != x->stride[i][inner] * x->size[inner])
			return false;
	return x->mask[outer] == x->mask[inner] * x->size[inner] && x->head[outer] == x->head[inner];
}

/* Axes that are stepped through as one. */
static void join_axes(struct axes *x)
{
	for (int i = 0; i + 1 < x->num;) {
		if (!follows(x, i, i + 1)) {
			i++;
			continue;
		}
		x->size[i + 1] *= x->size[i];
		for (int k = i; k + 1 < x->num; k++) {
			x->size[k] = x->size[k + 1];
			x->mask[k] = x->mask[k + 1];
			x->head[k] = x->head[k + 1];
			for (int s = 0; s < SIDES; s++)
				x->stride[s][k] = x->stride[s][k + 1];
		}
		x->num--;
		i = i ? i - 1 : 0;
	}
}

static bool make_axes(struct axes *x, struct side *side, struct ir_view *mask)
{
	struct ir_view *list[SIDES + 1] = { &side[Q].batch, &side[K].batch, &side[V].batch,
					    &side[OUT].batch, mask };

	if (!attention_refine(list, mask ? SIDES + 1 : SIDES))
		return false;
	x->num = list[0]->num;
	for (int i = 0; i < x->num; i++) {
		x->size[i] = list[0]->atom[i].size;
		x->mask[i] = mask ? mask->atom[i].stride : 0;
		x->head[i] = false;
		for (int s = 0; s < SIDES; s++) {
			x->stride[s][i] = list[s]->atom[i].stride;
			x->head[i] |= x->stride[s][i] % side[s].channels != 0;
		}
	}
	join_axes(x);
	return true;
}

static void set_part(struct ir_attention_part *p, const struct side *s, const struct axes *x, int which)
{
	int batch = 0;

	*p = (struct ir_attention_part) { .channel = s->view.at % s->channels,
					  .pixel = s->view.at / s->channels };
	if (s->tokens.num)
		p->token = s->tokens.atom[0].stride / s->channels;
	for (int i = 0; i < x->num; i++) {
		int64_t stride = x->stride[which][i];

		if (!x->head[i])
			p->batch[batch++] = stride / s->channels;
		else if (stride % s->channels)
			p->head = stride;
		else
			p->head_pixel = stride / s->channels;
	}
}

static bool describe(struct attention_match *m, struct side *side, struct ir_attention *a)
{
	const struct ir_type *scores = &m->qk->out->type, *v = &m->pv->out->type;
	struct ir_view *mask = m->num_masks ? &m->mask[0].batch : NULL;
	struct axes x = { 0 };
	int batch = 0;

	if (!make_axes(&x, side, mask))
		return false;
	a->heads = 1;
	for (int i = 0; i < IR_ATTENTION_BATCHES; i++)
		a->batch[i] = 1;
	for (int i = 0; i < x.num; i++) {
		if (x.head[i]) {
			if (a->heads > 1)
				return false;
			a->heads = x.size[i];
			a->mask_head = x.mask[i];
			continue;
		}
		if (batch == IR_ATTENTION_BATCHES)
			return false;
		a->mask_batch[batch] = x.mask[i];
		a->batch[batch++] = x.size[i];
	}
	a->q_tokens = scores->dim[scores->rank - 2];
	a->k_tokens = scores->dim[scores->rank - 1];
	a->size = ir_in(m->qk, 0)->type.dim[ir_in(m->qk, 0)->type.rank - 1];
	a->v_size = v->dim[v->rank - 1];
	set_part(&a->q, &side[Q], &x, Q);
	set_part(&a->k, &side[K], &x, K);
	set_part(&a->v, &side[V], &x, V);
	set_part(&a->out, &side[OUT], &x, OUT);
	a->scale = m->scale;
	if (mask) {
		a->mask_alu = m->mask[0].alu;
		a->mask_q = m->mask[0].q;
		a->mask_k = m->mask[0].k;
	}
	return a->k_tokens <= INT16_MAX && a->q_tokens <= INT16_MAX;
}

/*
 * The result as far on as reshapes and transposes still leave every head's channels in one piece,
 * heads one after the other. NULL if it is not even so to begin with.
 */
static struct ir_value *find_result(const struct attention_match *m, struct side *best)
{
	struct ir_value *v = m->pv->out, *found = NULL;
	struct ir_view y = ir_view_self(v);

	for (;;) {
		struct side s = { .channels = 1 };
		struct ir_op *next;

		if (inverse(&y, v, &s.view) && make_side(&s, &m->pv->out->type, &m->pv->out->type, false)) {
			*best = s;
			found = v;
		}
		next = ir_single_user(m->g, v);
		if (!next || (next->opcode != IR_RESHAPE && next->opcode != IR_TRANSPOSE) ||
		    !ir_view_through(&y, next))
			return found;
		v = next->out;
	}
}

static void fuse(struct attention_match *m)
{
	struct side side[SIDES];
	struct ir_attention *a = cc_new(m->g->cc, struct ir_attention);
	struct ir_attrs attr = { .attention = a };
	struct ir_value *in[4], *result;

	memset(side, 0, sizeof(side));
	side[Q].view = ir_view_of(ir_in(m->qk, 0), &m->scale);
	side[K].view = ir_view_of(ir_in(m->qk, 1), &m->scale);
	side[V].view = ir_view_of(ir_in(m->pv, 1), NULL);
	result = find_result(m, &side[OUT]);
	if (!(m->scale > 0.0f) || !result || !attention_join_masks(m) ||
	    !make_side(&side[Q], &ir_in(m->qk, 0)->type, &m->qk->out->type, false) ||
	    !make_side(&side[K], &ir_in(m->qk, 1)->type, &m->qk->out->type, true) ||
	    !make_side(&side[V], &ir_in(m->pv, 1)->type, &m->pv->out->type, false) ||
	    !describe(m, side, a))
		return;
	a->result = result->type;
	in[IR_ATTENTION_Q] = side[Q].view.root;
	in[IR_ATTENTION_K] = side[K].view.root;
	in[IR_ATTENTION_V] = side[V].view.root;
	if (m->num_masks)
		in[IR_ATTENTION_MASK] = m->mask[0].value;
	pass_replace(m->g, result->def,
		     pass_op(m->g, IR_ATTENTION, m->softmax, m->num_masks ? 4 : 3, in, &attr,
			     result->def)->out);
}

void pass_fuse_attention(struct ir_graph *g)
{
	struct attention_match m;

	/* What it replaces stays in the list until the end, without uses. */
	for (struct ir_op *op = g->first; op; op = op->next)
		if (op->opcode == IR_SOFTMAX && attention_find(&m, g, op))
			fuse(&m);
	pass_remove_dead(g);
}
