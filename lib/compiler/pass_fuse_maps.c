// SPDX-License-Identifier: MIT
/*
 * Maps that only one other map or reduction of the same shape reads become part of it: one pass over
 * the data instead of two, and no rounding in between. A map on the result of a reduction that
 * nobody else reads becomes part of the reduction.
 */
#include <string.h>

#include "ir_map.h"
#include "pass.h"

#define MAX_STEPS 96	/* beyond, the tile buffers of one map would crowd SBUF */

static bool same_dims(const struct ir_type *a, const struct ir_type *b)
{
	if (a->rank != b->rank)
		return false;
	return !memcmp(a->dim, b->dim, (size_t)a->rank * sizeof(a->dim[0]));
}

static struct ir_type operands_shape(struct ir_graph *g, const struct ir_op *op)
{
	struct ir_type t = ir_in(op, 0)->type;

	for (int i = 1; i < op->num_inputs; i++)
		t = ir_broadcast(g, op, &t, &ir_in(op, i)->type);
	return t;
}

struct merge {
	struct ir_value *in[IR_MAP_MAX_INPUTS];
	int num_in;
	struct ir_map *map;
	size_t cap;
};

/* The number of an operand in the merged map, or -1 if there is no room. */
static int take_input(struct merge *m, struct ir_value *v)
{
	for (int i = 0; i < m->num_in; i++)
		if (m->in[i] == v)
			return i;
	if (m->num_in == IR_MAP_MAX_INPUTS)
		return -1;
	m->in[m->num_in] = v;
	return m->num_in++;
}

static void push(struct ir_graph *g, struct merge *m, const struct ir_map_step *s)
{
	*cc_push(g->cc, m->map->step, m->map->num_steps, m->cap) = *s;
}

/* The steps of @map, its operands and steps renumbered. @operand: what stands for each operand. */
static void append_steps(struct ir_graph *g, struct merge *m, const struct ir_map *map,
			 const struct ir_map_arg *operand)
{
	int first = m->map->num_steps;

	for (int i = 0; i < map->num_steps; i++) {
		struct ir_map_step s = map->step[i];
		struct ir_map_arg *args[3] = { &s.a, &s.b, &s.c };

		for (int k = 0; k < 3; k++) {
			if (args[k]->kind == IR_MAP_INPUT)
				*args[k] = operand[args[k]->index];
			else if (args[k]->kind == IR_MAP_STEP)
				args[k]->index += first;
		}
		push(g, m, &s);
	}
}

/* Storing a narrow integer saturates it; what is not stored must be made to. */
static void saturate(struct ir_graph *g, struct merge *m, enum ir_dtype dtype)
{
	static const struct { enum ir_dtype dtype; int32_t low, high; } ranges[] = {
		{ IR_DT_I8, INT8_MIN, INT8_MAX }, { IR_DT_U8, 0, UINT8_MAX },
		{ IR_DT_I16, INT16_MIN, INT16_MAX }, { IR_DT_U16, 0, UINT16_MAX },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		struct ir_map_step s = { .kind = IR_MAP_ALU, .as = IR_MAP_I32, .alu = NCA_ALU_MAX };

		if (ranges[i].dtype != dtype)
			continue;
		s.a = (struct ir_map_arg) { .kind = IR_MAP_STEP, .index = m->map->num_steps - 1 };
		s.b = ir_map_int(ranges[i].low);
		push(g, m, &s);
		s.alu = NCA_ALU_MIN;
		s.a.index++;
		s.b = ir_map_int(ranges[i].high);
		push(g, m, &s);
	}
}

/* The map in operand @slot of @op into @op. */
static bool inline_operand(struct ir_graph *g, struct ir_op *op, int slot)
{
	struct ir_op *from = ir_in(op, slot)->def, *merged;
	struct ir_map_arg own[IR_MAP_MAX_INPUTS], args[IR_MAP_MAX_INPUTS];
	struct ir_type shape = operands_shape(g, op);
	struct merge m = { .map = cc_new(g->cc, struct ir_map) };
	struct ir_attrs attr = op->attr;
	int uses = 0;

	if (!from || from->opcode != IR_MAP || !same_dims(&from->out->type, &shape) ||
	    from->attr.map->num_steps + (attr.map ? attr.map->num_steps : 0) > MAX_STEPS ||
	    ir_is_output(g, from->out))
		return false;
	for (const struct ir_use *u = from->out->uses; u; u = u->next) {
		if (u->op != op)
			return false;
		uses++;
	}
	if (uses != 1)
		return false;
	for (int i = 0; i < from->num_inputs; i++) {
		own[i] = (struct ir_map_arg) { .kind = IR_MAP_INPUT,
					       .index = take_input(&m, ir_in(from, i)) };
		if (own[i].index < 0)
			return false;
	}
	append_steps(g, &m, from->attr.map, own);
	saturate(g, &m, from->attr.map->dtype);
	for (int i = 0; i < op->num_inputs; i++) {
		if (i == slot)
			args[i] = (struct ir_map_arg) { .kind = IR_MAP_STEP,
							.index = m.map->num_steps - 1 };
		else
			args[i] = (struct ir_map_arg) { .kind = IR_MAP_INPUT,
							.index = take_input(&m, ir_in(op, i)) };
		if (args[i].index < 0)
			return false;
	}
	if (attr.map)
		append_steps(g, &m, attr.map, args);
	m.map->dtype = attr.map ? attr.map->dtype : from->attr.map->dtype;
	attr.map = m.map;
	merged = pass_op(g, op->opcode, op, m.num_in, m.in, &attr, op);
	pass_replace(g, op, merged->out);
	ir_op_erase(g, from);
	return true;
}

/* A map of nothing but one reduction's result. */
static bool append_to_reduction(struct ir_graph *g, struct ir_op *map)
{
	struct ir_op *op = ir_in(map, 0)->def;
	struct ir_map_arg arg = { .kind = IR_MAP_INPUT, .index = 0 };
	struct merge m = { .map = cc_new(g->cc, struct ir_map) };

	if (map->num_inputs != 1 || !op || op->opcode != IR_REDUCE ||
	    ir_single_user(g, op->out) != map)
		return false;
	if (op->attr.post) {
		append_steps(g, &m, op->attr.post, &arg);
		saturate(g, &m, op->attr.post->dtype);
		arg = (struct ir_map_arg) { .kind = IR_MAP_STEP, .index = m.map->num_steps - 1 };
	}
	append_steps(g, &m, map->attr.map, &arg);
	m.map->dtype = map->attr.map->dtype;
	op->attr.post = m.map;
	op->out->type = map->out->type;
	pass_replace(g, map, op->out);
	return true;
}

static bool fuse(struct ir_graph *g, struct ir_op *op)
{
	if (op->opcode != IR_MAP && op->opcode != IR_REDUCE)
		return false;
	if (op->opcode == IR_MAP && append_to_reduction(g, op))
		return true;
	for (int i = 0; i < op->num_inputs; i++)
		if (inline_operand(g, op, i))
			return true;
	return false;
}

void pass_fuse_maps(struct ir_graph *g)
{
	struct ir_op *next;

	for (struct ir_op *op = g->first; op; op = next) {
		next = op->next;
		/* What took its place may go on; it stands before @next. */
		if (fuse(g, op))
			next = next ? next->prev : g->last;
	}
}
