// SPDX-License-Identifier: MIT
/*
 * A batch of images whose first, large tensors do not fit SBUF together: the operators up to where they do
 * run for some images after the other, from the inputs on, and the results are put together again.
 * The weights of these operators come once for each group of images, which is less than the tensors going
 * to device memory and back as long as the weights are small, as they are where images are large.
 */
#include "ir_move.h"
#include "lower.h"
#include "pass.h"

struct batch {
	struct ir_graph *g;
	const struct nca_target *target;
	bool single;			/* one image at a time, as far as that goes */
	bool alike;		/* weights come in the same transfers for every group */
	int64_t images;
	uint32_t elem;
	struct ir_op **op;		/* in order */
	int64_t num;
	int64_t *first, *last;		/* by value id: operators between which it lives; first < 0: never */
};

static uint64_t value_bytes(const struct batch *b, const struct ir_value *v)
{
	struct rows all = lower_all_rows(v);

	return (uint64_t)(all.ncb * all.nn * all.rows * all.s.w) * b->elem;
}

/* Whether each image of the result follows from the same image of the operands alone. */
static bool is_parallel(const struct batch *b, const struct ir_op *op)
{
	const struct ir_type *t = &op->out->type;

	switch (op->opcode) {
	case IR_CONV:
		if (op->attr.channels_last)
			return false;
		break;
	case IR_AFFINE:
	case IR_TENSOR_SCALAR:
		if (op->attr.channels_last)
			return false;
		break;
	case IR_ADD:
	case IR_TENSOR_TENSOR:
		for (int i = 0; i < 2; i++)
			if (!ir_type_equal(&ir_in(op, i)->type, t))
				return false;
		break;
	case IR_CONCAT:
		/* Joins channels; groups of images would only make more of these copies. */
		if (!b->single || op->attr.axis <= 0)
			return false;
		break;
	case IR_RELU:
	case IR_ACTIVATE:
	case IR_MAX_POOL:
	case IR_AVG_POOL:
		break;
	default:
		return false;
	}
	if (t->rank < 2 || t->dim[0] != b->images || ir_value_cdim(op->out) == 0)
		return false;
	for (int i = 0; i < op->num_inputs; i++) {
		const struct ir_value *v = ir_in(op, i);

		if (v && !ir_is_const(v) && (v->type.rank < 2 || v->type.dim[0] != b->images))
			return false;
	}
	return true;
}

static void find_lives(struct batch *b)
{
	int64_t at = 0;

	for (struct ir_op *op = b->g->first; op; op = op->next)
		b->num++;
	b->op = cc_new_n(b->g->cc, struct ir_op *, (size_t)b->num + 1);
	b->first = cc_new_n(b->g->cc, int64_t, b->g->next_id);
	b->last = cc_new_n(b->g->cc, int64_t, b->g->next_id);
	for (uint32_t i = 0; i < b->g->next_id; i++)
		b->first[i] = b->last[i] = -1;
	for (struct ir_op *op = b->g->first; op; op = op->next, at++) {
		b->op[at] = op;
		b->first[op->out->id] = b->last[op->out->id] = at;
		for (int i = 0; i < op->num_inputs; i++)
			if (ir_in(op, i) && b->first[ir_in(op, i)->id] >= 0)
				b->last[ir_in(op, i)->id] = at;
		for (size_t i = 0; i < b->g->num_outputs; i++)
			if (b->g->outputs[i] == op->out)
				b->last[op->out->id] = INT64_MAX;
	}
}

/* Bytes per partition of what lives while operator @at runs, all images. */
static uint64_t live_at(const struct batch *b, int64_t at)
{
	uint64_t live = 0;

	for (int64_t i = 0; i <= at; i++) {
		const struct ir_value *v = b->op[i]->out;

		if (b->last[v->id] >= at && ir_is_float(v->type.dtype))
			live += value_bytes(b, v);
	}
	return live;
}

/* Operators before the result run in groups of images; 0 if nothing is gained. */
static int64_t find_join(const struct batch *b, uint64_t room, uint64_t *most)
{
	int64_t parallel = 0, join = 0;

	while (parallel < b->num && is_parallel(b, b->op[parallel]))
		parallel++;
	*most = 0;
	for (int64_t at = 0; at < parallel; at++) {
		uint64_t live = live_at(b, at);

		if (live > room || b->single)
			join = at + 1;
		if (live > *most)
			*most = live;
	}
	return join;
}

static uint64_t weight_bytes(const struct batch *b, int64_t join)
{
	uint64_t bytes = 0;

	for (int64_t at = 0; at < join; at++)
		for (int i = 0; i < b->op[at]->num_inputs; i++)
			if (ir_in(b->op[at], i) && ir_is_const(ir_in(b->op[at], i)))
				bytes += (uint64_t)ir_type_elements(&ir_in(b->op[at], i)->type) * b->elem;
	return bytes;
}

/* What would go to device memory and come back. */
static uint64_t spilled_bytes(const struct batch *b, int64_t join, uint64_t room)
{
	uint64_t bytes = 0;

	for (int64_t at = 0; at < join; at++)
		if (live_at(b, at) > room)
			bytes += 2 * (uint64_t)ir_type_elements(&b->op[at]->out->type) * b->elem;
	return bytes;
}

static struct ir_value *slice(struct batch *b, struct ir_value *v, int64_t from, int64_t num,
			      const struct ir_op *reader, struct ir_op *before)
{
	struct ir_take *take = cc_new(b->g->cc, struct ir_take);
	int64_t *index = cc_new_n(b->g->cc, int64_t, (size_t)num);
	struct ir_attrs attr = { .take = take };
	struct ir_op *op;

	for (int64_t i = 0; i < num; i++)
		index[i] = from + i;
	take->num[0] = num;
	take->index[0] = index;
	op = pass_op(b->g, IR_TAKE, reader, 1, &v, &attr, before);
	op->out->cdim = v->cdim;
	return op->out;
}

/* One group of images: what they make, by value id. */
struct group {
	int64_t from, num;
	struct ir_value **map;
};

/*
 * Operators [@from, @to) once more for the images of @k. Where an input is read, the next group's part
 * of it is named as well: it crosses the host link while this group is computed.
 */
static void clone(struct batch *b, int64_t from, int64_t to, struct group *k, struct group *next,
		  struct ir_op *before)
{
	for (int64_t at = from; at < to; at++) {
		struct ir_op *op = b->op[at], *copy;
		struct ir_value **in = cc_new_n(b->g->cc, struct ir_value *, (size_t)op->num_inputs + 1);

		for (int i = 0; i < op->num_inputs; i++) {
			in[i] = ir_in(op, i);
			if (!in[i] || ir_is_const(in[i]))
				continue;
			if (!k->map[in[i]->id])
				k->map[in[i]->id] = slice(b, in[i], k->from, k->num, op, before);
			in[i] = k->map[in[i]->id];
		}
		copy = pass_op(b->g, op->opcode, op, op->num_inputs, in, &op->attr, before);
		copy->out->cdim = op->out->cdim;
		copy->repeated = at == from;
		copy->alike = copy->repeated && b->alike;
		k->map[op->out->id] = copy->out;
		for (int i = 0; i < op->num_inputs && next; i++) {
			struct ir_value *v = ir_in(op, i);

			if (v && v->kind == IR_VALUE_INPUT && !next->map[v->id])
				next->map[v->id] = slice(b, v, next->from, next->num, op, before);
		}
	}
}

/*
 * All groups. If they overlap, each starts in the middle of the one before it, up to its first pool, which keeps
 * the vector engine busy and would have the array wait.
 */
static void clone_all(struct batch *b, int64_t join, struct group *group, int64_t num, bool overlap,
		      struct ir_op *before)
{
	int64_t head = 0, middle;

	for (int64_t at = 0; at < join && overlap && !head; at++)
		if (b->op[at]->opcode == IR_MAX_POOL || b->op[at]->opcode == IR_AVG_POOL)
			head = at + 1;
	middle = head + (join - head) / 2;
	for (int64_t k = 0; k < num; k++) {
		struct group *next = k + 1 < num ? &group[k + 1] : NULL;

		if (k == 0 && head)
			clone(b, 0, head, &group[k], next, before);
		clone(b, head, middle, &group[k], next, before);
		if (next && head)
			clone(b, 0, head, next, k + 2 < num ? &group[k + 2] : NULL, before);
		clone(b, middle, join, &group[k], next, before);
	}
}

/*
 * Weights that every group brings are in the file once if their transfers are the same each time. Where
 * these end at the groups' borders something has to wait, so they do if the file would double otherwise.
 */
static bool worth_alike(const struct batch *b, int64_t join, int64_t groups)
{
	return groups > 1 && weight_bytes(b, join) > weight_bytes(b, b->num) / (uint64_t)(groups - 1);
}

static void split(struct batch *b, int64_t join, int64_t groups, bool overlap)
{
	struct ir_op *before = b->op[join - 1]->next;
	uint32_t ids = b->g->next_id;
	struct group *group = cc_new_n(b->g->cc, struct group, (size_t)groups);

	for (int64_t k = 0; k < groups; k++) {
		group[k].from = b->images * k / groups;
		group[k].num = b->images * (k + 1) / groups - group[k].from;
		group[k].map = cc_new_n(b->g->cc, struct ir_value *, ids);
	}
	b->alike = worth_alike(b, join, groups);
	clone_all(b, join, group, groups, overlap, before);
	for (int64_t at = 0; at < join; at++) {
		struct ir_value *v = b->op[at]->out, **part;
		struct ir_attrs attr = { .axis = 0 };
		struct ir_op *op;

		if (b->last[v->id] < join)
			continue;
		part = cc_new_n(b->g->cc, struct ir_value *, (size_t)groups);
		for (int64_t k = 0; k < groups; k++)
			part[k] = group[k].map[v->id];
		op = pass_op(b->g, IR_CONCAT, b->op[at], (int)groups, part, &attr, before);
		op->out->cdim = v->cdim;
		op->repeated = true;
		op->alike = b->alike;
		ir_replace_all_uses(b->g, v, op->out);
	}
	for (int64_t at = join - 1; at >= 0; at--)
		ir_op_erase(b->g, b->op[at]);
}

/* Time of the array for all products, and of device memory for all weights, in seconds. */
static void rates(const struct batch *b, double *array, double *memory)
{
	const struct nca_target *t = b->target;
	double macs = 0, bytes = 0;

	for (int64_t at = 0; at < b->num; at++) {
		const struct ir_type *w;

		if (b->op[at]->opcode != IR_CONV)
			continue;
		w = &ir_in(b->op[at], IR_CONV_W)->type;
		bytes += (double)ir_type_elements(w) * b->elem;
		macs += (double)ir_type_elements(&b->op[at]->out->type) * (double)ir_type_elements(w) /
			(double)w->dim[0];
	}
	*array = macs * (b->elem == 4 ? 4 : 1) * t->engine_ticks[NCA_ENGINE_TENSOR] /
		 ((double)t->pe_rows * t->pe_cols * (double)t->tick_hz);
	*memory = bytes * NCA_SLICES / ((double)t->devmem_bw * t->slices_per_core);
}

bool lower_split_batch(struct ir_graph *g, const struct nca_target *target, uint32_t elem,
		       bool single)
{
	struct batch b = { .g = g, .target = target, .elem = elem };
	uint64_t room = target->sbuf_bytes / 100 * 55, most, weights;
	int64_t join, groups = 1;
	double array, memory;
	bool overlap, further;

	if (!g->num_inputs || g->inputs[0]->type.rank < 2)
		return false;
	b.images = g->inputs[0]->type.dim[0];
	if (b.images < 2)
		return false;
	find_lives(&b);
	b.single = true;
	join = find_join(&b, room, &most);
	further = !single && join > 0;
	if (single && join > 0)
		split(&b, join, b.images, false);
	if (single)
		return false;
	b.single = false;
	join = find_join(&b, room, &most);
	if (!join || join == b.num)
		return further;
	weights = weight_bytes(&b, join);
	while (groups < b.images && most / (uint64_t)groups > room * 3 / 4)
		groups++;
	/* If the array is the limit and not device memory: single images, overlapping. */
	rates(&b, &array, &memory);
	memory += (double)weights * (double)(b.images - 1) * NCA_SLICES /
		  ((double)target->devmem_bw * target->slices_per_core);
	overlap = memory < array && most / (uint64_t)b.images <= room / 2;
	if (overlap)
		groups = b.images;
	if (weights * (uint64_t)(groups - 1) < spilled_bytes(&b, join, room))
		split(&b, join, groups, overlap);
	return further;
}
