// SPDX-License-Identifier: MIT
/*
 * Reductions over any dimensions of row-major tensors in device memory. Partitions are dealt along a
 * dimension that stays; the free dimensions of a tile hold some of what is reduced. Tiles that differ
 * only along reduced dimensions follow each other and accumulate into one result. A map may come
 * before (on the elements) and after (on the results).
 */
#include <string.h>

#include "lower_map.h"

struct reducing {
	struct lower *l;
	const struct ir_op *op;
	struct space space;
	int full, out;			/* numbers of the operands' common shape and the result */
	bool reduced[IR_MAX_RANK];
	int part_dim;			/* -1: everything is reduced */
	int dim[2];			/* free dimensions beside part_dim: a reduced one, any other or -1 */
	int slot_part, slot_piece, slot_other;
	int64_t piece;			/* of dim[0] */

	struct space_tile now;
	struct space_tile *tile;
	bool *first, *last;		/* of those that accumulate, by tile */
	size_t num, cap_tile, cap_first, cap_last;
};

/* The innermost reduced dimension is free, in pieces; so is one more that is short. */
static void choose_dims(struct reducing *r)
{
	const struct space *s = &r->space;

	r->part_dim = -1;
	r->dim[0] = -1;
	r->dim[1] = -1;
	for (int d = s->rank - 1; d >= 0; d--) {
		if (r->reduced[d] && r->dim[0] < 0)
			r->dim[0] = d;
		if (!r->reduced[d] && (r->part_dim < 0 || s->size[d] > s->size[r->part_dim]))
			r->part_dim = d;
	}
	r->piece = min64(s->size[r->dim[0]], SPACE_CHUNK);
	for (int d = s->rank - 1; d >= 0 && r->dim[1] < 0; d--)
		if (d != r->dim[0] && d != r->part_dim && s->size[d] * r->piece <= SPACE_CHUNK)
			r->dim[1] = d;
}

static void add_tile(struct reducing *r, bool first)
{
	*cc_push(r->l->cc, r->first, r->num, r->cap_first) = first;
	r->num--;
	*cc_push(r->l->cc, r->last, r->num, r->cap_last) = false;
	r->num--;
	*cc_push(r->l->cc, r->tile, r->num, r->cap_tile) = r->now;
}

/* Everything that accumulates: the other reduced dimensions from @d on, then pieces of dim[0]. */
static void walk_reduced(struct reducing *r, int d, bool *first)
{
	const struct space *s = &r->space;

	if (d == s->rank) {
		for (int64_t i = 0; i < s->size[r->dim[0]]; i += r->piece) {
			r->now.at[r->dim[0]] = i;
			r->now.free[r->slot_piece] = min64(r->piece, s->size[r->dim[0]] - i);
			add_tile(r, *first);
			*first = false;
		}
		r->now.at[r->dim[0]] = 0;
		return;
	}
	if (!r->reduced[d] || d == r->dim[0] || d == r->dim[1]) {
		walk_reduced(r, d + 1, first);
		return;
	}
	for (int64_t i = 0; i < s->size[d]; i++) {
		r->now.at[d] = i;
		walk_reduced(r, d + 1, first);
	}
	r->now.at[d] = 0;
}

static void walk_group(struct reducing *r)
{
	bool first = true;

	walk_reduced(r, 0, &first);
	r->last[r->num - 1] = true;
}

static void walk_parts(struct reducing *r)
{
	int64_t other = r->dim[1] < 0 ? 1 : r->space.size[r->dim[1]];
	int64_t most = max64(1, SPACE_CHUNK / (r->piece * other));

	r->now.part_step = 1;
	r->now.parts = 1;
	if (r->part_dim < 0) {
		walk_group(r);
		return;
	}
	for (int64_t at = 0; at < r->space.size[r->part_dim];) {
		int64_t left = r->space.size[r->part_dim] - at;
		int64_t each = min64(most, ceil_div(left, NCA_PARTITIONS));

		r->now.at[r->part_dim] = at;
		r->now.part_step = each;
		r->now.parts = min64(NCA_PARTITIONS, left / each);
		r->now.free[r->slot_part] = each;
		walk_group(r);
		at += each * r->now.parts;
	}
}

static void walk_kept(struct reducing *r, int d)
{
	if (d == r->space.rank) {
		walk_parts(r);
		return;
	}
	if (r->reduced[d] || d == r->part_dim || d == r->dim[1]) {
		walk_kept(r, d + 1);
		return;
	}
	for (int64_t i = 0; i < r->space.size[d]; i++) {
		r->now.at[d] = i;
		walk_kept(r, d + 1);
	}
	r->now.at[d] = 0;
}

/* Free dimensions in the order of memory, so that rows are long. */
static void order_slots(struct reducing *r)
{
	int dim[3] = { r->part_dim, r->dim[0], r->dim[1] }, slot[3];

	for (int i = 0; i < 3; i++) {
		slot[i] = 0;
		for (int k = 0; k < 3; k++)
			slot[i] += dim[k] < dim[i] || (dim[k] == dim[i] && k < i);
		r->now.dim[slot[i]] = dim[i];
		r->now.free[slot[i]] = 1;
	}
	r->slot_part = slot[0];
	r->slot_piece = slot[1];
	r->slot_other = slot[2];
}

static void find_tiles(struct reducing *r)
{
	choose_dims(r);
	order_slots(r);
	r->now.part_dim = r->part_dim < 0 ? r->dim[0] : r->part_dim;
	if (r->dim[1] >= 0)
		r->now.free[r->slot_other] = r->space.size[r->dim[1]];
	walk_kept(r, 0);
}

/* The values of a tile with the reduced dimensions last. */
static struct mir_tile reduced_last(const struct reducing *r, const struct space_part *p,
				    int *num_reduced)
{
	struct mir_tile t = p->tile;
	int n = 1;

	*num_reduced = 0;
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < 3; i++) {
			int d = r->now.dim[i];
			bool last = d >= 0 && r->reduced[d];

			if (last != (pass == 1))
				continue;
			t.size[n] = p->tile.size[i + 1];
			t.stride[n++] = p->tile.stride[i + 1];
			*num_reduced += pass;
		}
	return t;
}

static void accumulate(struct reducing *r, const struct space_part *values,
		       const struct space_part *acc, bool first)
{
	struct mir_tile src, dst = acc->tile;
	struct mir_ew ew = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_REDUCE, .dst = &dst,
			     .src0 = &src, .op0 = r->op->attr.alu,
			     .flags = first ? 0 : NCA_F_ACC_REDUCE };
	int num_reduced;

	src = reduced_last(r, values, &num_reduced);
	ew.param = (uint32_t)num_reduced;
	dst = mir_shape(dst, 1, 1, acc->size[0] * acc->size[1] * acc->size[2], 0, 0, 1);
	mir_elementwise(r->l->m, &ew);
}

/* Which dimensions are reduced; if all of those have one element, there is one more of that kind. */
static void find_reduced(struct reducing *r)
{
	struct space *s = &r->space;
	bool any = false;

	for (int d = 0; d < s->rank; d++) {
		r->reduced[d] = !s->stride[r->out][d];
		any |= r->reduced[d];
	}
	if (any)
		return;
	cc_assert(r->l->cc, s->rank < IR_MAX_RANK);
	s->size[s->rank] = 1;
	for (int k = 0; k < s->num_tensors; k++)
		s->stride[k][s->rank] = 0;
	r->reduced[s->rank++] = true;
}

void lower_reduce(struct lower *l, struct ir_op *op)
{
	struct reducing r = { .l = l, .op = op };
	struct map_run pre = { .l = l, .map = op->attr.map, .what = op->out->name };
	struct map_run post = { .l = l, .map = op->attr.post, .what = op->out->name };
	struct ir_type shape = ir_in(op, 0)->type;
	struct space_part acc = { 0 };
	const struct space_part *next;
	struct map_inputs in;
	struct dram_view to;

	for (int i = 1; i < op->num_inputs; i++)
		shape = ir_broadcast(l->g, op, &shape, &ir_in(op, i)->type);
	space_begin(&r.space, &shape);
	map_inputs_begin(&in, l, op, &r.space);
	r.full = space_tensor(&r.space, &shape);
	r.out = space_tensor(&r.space, &op->out->type);
	space_join(&r.space);
	find_reduced(&r);
	to = lower_new_dram(l, op->out);
	find_tiles(&r);
	pre.space = post.space = &r.space;
	pre.shape = r.full;
	post.shape = r.out;
	if (pre.map)
		pre.step = cc_new_n(l->cc, struct space_part, (size_t)pre.map->num_steps);
	if (post.map)
		post.step = cc_new_n(l->cc, struct space_part, (size_t)post.map->num_steps);
	next = map_inputs_bring(&in, &r.tile[0]);
	for (size_t i = 0; i < r.num; i++) {
		const struct space_part *values;

		mir_next_block(l->m);
		pre.tile = post.tile = &r.tile[i];
		pre.in = next;
		if (i + 1 < r.num)
			next = map_inputs_bring(&in, &r.tile[i + 1]);
		values = pre.map ? map_compute(&pre) : &pre.in[0];
		if (r.first[i])
			space_make(l, &r.space, r.out, pre.tile, values->dtype, op->out->name, &acc);
		accumulate(&r, values, &acc, r.first[i]);
		if (!r.last[i])
			continue;
		post.in = &acc;
		space_store(l, &r.space, r.out, pre.tile, post.map ? map_compute(&post) : &acc, &to);
	}
}
