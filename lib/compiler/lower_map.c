// SPDX-License-Identifier: MIT
/*
 * Maps: tile by tile, operands are brought and widened to 32 bits, every step is one or two
 * instructions into a buffer of its own, the last one is narrowed on its way to memory. Buffers live
 * from step to step only, so a long map needs no more room than its widest point.
 */
#include <string.h>

#include "ir_map.h"
#include "lower_map.h"

#define INPUT_PIECES 16
#define INPUT_PIECE_BYTES 65536	/* one descriptor */

uint8_t map_class_dtype(enum ir_map_class c)
{
	return c == IR_MAP_F32 ? NCA_FP32 : c == IR_MAP_U32 ? NCA_UINT32 : NCA_INT32;
}

static bool is_number(const struct ir_map_arg *x)
{
	return x->kind == IR_MAP_FLOAT || x->kind == IR_MAP_INT;
}

static const struct space_part *part_of(const struct map_run *m, const struct ir_map_arg *x)
{
	return x->kind == IR_MAP_INPUT ? &m->in[x->index] : &m->step[x->index];
}

static struct mir_scalar number(const struct ir_map_arg *x)
{
	if (x->kind == IR_MAP_INT)
		return (struct mir_scalar) { .kind = MIR_S_INT, .integer = x->i };
	return (struct mir_scalar) { .kind = MIR_S_IMM, .imm = x->f };
}

/* An operand with one FP32 number for every partition is a scalar to the vector engine. */
static bool is_column(const struct map_run *m, const struct ir_map_arg *x)
{
	const struct space_part *p;

	if (x->kind != IR_MAP_INPUT)
		return false;
	p = part_of(m, x);
	return p->column && p->dtype == NCA_FP32;
}

static struct mir_scalar scalar_of(const struct map_run *m, const struct ir_map_arg *x)
{
	if (is_number(x))
		return number(x);
	return (struct mir_scalar) { .kind = MIR_S_PTR, .buf = part_of(m, x)->buf };
}

static bool is_step(const struct ir_map_arg *x, int index)
{
	return x->kind == IR_MAP_STEP && x->index == index;
}

static int uses_of(const struct ir_map *map, int index)
{
	int uses = 0;

	for (int i = index + 1; i < map->num_steps; i++)
		uses += is_step(&map->step[i].a, index) + is_step(&map->step[i].b, index) +
			is_step(&map->step[i].c, index);
	return uses;
}

/*
 * (x alu s) alu t, with one tensor and two scalars, is one instruction, provided both operations are
 * on FP32 numbers or both on integers. Whether step @i + 1 goes along with step @i.
 */
static bool takes_next(const struct map_run *m, int i)
{
	const struct ir_map_step *s = &m->map->step[i], *t = s + 1;
	bool scalar = is_number(&s->a) || is_number(&s->b) || is_column(m, &s->a) ||
		      is_column(m, &s->b);
	const struct ir_map_arg *with;

	if (i + 1 >= m->map->num_steps || s->kind != IR_MAP_ALU || t->kind != IR_MAP_ALU || !scalar ||
	    (s->alu >= NCA_ALU_EQ && s->alu <= NCA_ALU_GE) || s->alu == NCA_ALU_LAND ||
	    s->alu == NCA_ALU_LOR || uses_of(m->map, i) != 1)
		return false;
	with = is_step(&t->a, i) ? &t->b : is_step(&t->b, i) ? &t->a : NULL;
	return with && is_number(with) && (s->as == IR_MAP_F32 || with->kind == IR_MAP_INT);
}

/* Step @s, and step @t on its result if there is one. */
static void emit_alu(struct map_run *m, const struct ir_map_step *s, const struct ir_map_step *t,
		     const struct mir_tile *dst)
{
	bool left = is_number(&s->a) || (is_column(m, &s->a) && !is_number(&s->b));
	bool right = !left && (is_number(&s->b) || is_column(m, &s->b));
	struct mir_ew ew = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_TENSOR_TENSOR,
			     .dst = dst, .op0 = s->alu };

	if (left || right) {
		ew.opcode = NCA_OP_TENSOR_SCALAR;
		ew.src0 = &part_of(m, left ? &s->b : &s->a)->tile;
		ew.s0 = scalar_of(m, left ? &s->a : &s->b);
		ew.flags = left ? NCA_F_REVERSE0 : 0;
		if (t) {
			bool reverse = is_number(&t->a);

			ew.s1 = number(reverse ? &t->a : &t->b);
			ew.op1 = t->alu;
			ew.flags |= reverse ? NCA_F_REVERSE1 : 0;
		}
	} else {
		ew.src0 = &part_of(m, &s->a)->tile;
		ew.src1 = &part_of(m, &s->b)->tile;
	}
	mir_elementwise(m->l->m, &ew);
}

static void emit_func(struct map_run *m, const struct ir_map_step *s, const struct mir_tile *dst)
{
	struct mir_ew ew = { .engine = NCA_ENGINE_SCALAR, .opcode = NCA_OP_ACTIVATE, .dst = dst,
			     .src0 = &part_of(m, &s->a)->tile, .func = s->func };

	if (s->func == NCA_FUNC_LRELU || s->func == NCA_FUNC_ELU)
		memcpy(&ew.param, &s->alpha, sizeof(ew.param));
	mir_elementwise(m->l->m, &ew);
}

static void emit_copy(struct map_run *m, const struct ir_map_arg *x, const struct mir_tile *dst)
{
	struct mir_ew ew = { .engine = NCA_ENGINE_VECTOR, .dst = dst };

	if (is_number(x)) {
		ew.opcode = NCA_OP_MEMSET;
		ew.s0 = number(x);
	} else {
		ew.opcode = NCA_OP_COPY;
		ew.src0 = &part_of(m, x)->tile;
	}
	mir_elementwise(m->l->m, &ew);
}

static void emit_select(struct map_run *m, const struct ir_map_step *s, const struct mir_tile *dst)
{
	struct mir_ew ew = { .engine = NCA_ENGINE_VECTOR, .dst = dst,
			     .src0 = &part_of(m, &s->b)->tile, .src1 = &part_of(m, &s->a)->tile };

	if (is_number(&s->c)) {
		ew.opcode = NCA_OP_SELECT;
		ew.s0 = number(&s->c);
	} else {
		ew.opcode = NCA_OP_COPY_PRED;
		emit_copy(m, &s->c, dst);
	}
	mir_elementwise(m->l->m, &ew);
}

const struct space_part *map_compute(struct map_run *m)
{
	for (int i = 0; i < m->map->num_steps; i++) {
		const struct ir_map_step *s = &m->map->step[i];
		const struct ir_map_step *next = takes_next(m, i) ? s + 1 : NULL;
		struct space_part *p = &m->step[next ? ++i : i];

		space_make(m->l, m->space, m->shape, m->tile, map_class_dtype(next ? next->as : s->as),
			   m->what, p);
		switch (s->kind) {
		case IR_MAP_ALU:
			emit_alu(m, s, next, &p->tile);
			break;
		case IR_MAP_FUNC:
			emit_func(m, s, &p->tile);
			break;
		case IR_MAP_SELECT:
			emit_select(m, s, &p->tile);
			break;
		case IR_MAP_CONVERT:
			emit_copy(m, &s->a, &p->tile);
			break;
		}
	}
	return &m->step[m->map->num_steps - 1];
}

static void find_used(const struct ir_map *map, bool *used)
{
	for (int i = 0; i < map->num_steps; i++) {
		const struct ir_map_step *s = &map->step[i];
		const struct ir_map_arg *args[3] = { &s->a, &s->b, &s->c };

		for (int k = 0; k < 3; k++)
			if (args[k]->kind == IR_MAP_INPUT)
				used[args[k]->index] = true;
	}
}

/*
 * The host link is slower than device memory: an input that several operators read comes over it once,
 * in pieces, so that the first of them need not wait for all.
 */
static void keep_input(struct lower *l, struct ir_value *v)
{
	struct dram_view *home = &l->homes[v->id].dram, host = *home;
	int64_t n = ir_type_elements(&v->type), es = nca_dtype_size(host.dtype);
	int64_t piece = max64(ceil_div(n, INPUT_PIECES), INPUT_PIECE_BYTES / es);

	if (v->kind != IR_VALUE_INPUT || host.buf || host.slot < MIR_SLOT_IO || ir_num_uses(v) < 2 ||
	    n * es < INPUT_PIECE_BYTES)
		return;
	home->slot = MIR_SLOT_SCRATCH;
	home->buf = mir_scratch(l->m, (uint64_t)(n * es), v->name);
	for (int64_t at = 0; at < n; at += piece) {
		int64_t size[4] = { 1, 1, 1, min64(piece, n - at) };
		struct mir_mem dst = lower_view_mem(home, (uint64_t)(at * es));
		struct mir_mem src = lower_view_mem(&host, (uint64_t)(at * es));

		dst.stride[3] = src.stride[3] = es;
		mir_dma(l->m, NCA_ENGINE_SYNC, &dst, &src, size, (uint16_t)es, false, 0);
	}
}

void map_inputs_begin(struct map_inputs *in, struct lower *l, const struct ir_op *op,
		      struct space *space)
{
	*in = (struct map_inputs) { .l = l, .op = op, .space = space };
	if (op->attr.map)
		find_used(op->attr.map, in->used);
	else
		in->used[0] = true;
	for (int k = 0; k < op->num_inputs; k++) {
		space_tensor(space, &ir_in(op, k)->type);
		if (!in->used[k])
			continue;
		keep_input(l, ir_in(op, k));
		in->from[k] = lower_in_dram(l, ir_in(op, k));
	}
}

const struct space_part *map_inputs_bring(struct map_inputs *in, const struct space_tile *t)
{
	const struct space_part *before = in->part[in->turn];
	struct space_part *now = in->part[!in->turn];

	for (int k = 0; k < in->op->num_inputs; k++) {
		if (!in->used[k])
			continue;
		now[k] = before[k];
		space_bring(in->l, in->space, k, t, &in->from[k],
			    map_class_dtype(ir_map_class(ir_in(in->op, k)->type.dtype)), &now[k]);
	}
	in->turn = !in->turn;
	return now;
}

void lower_map(struct lower *l, struct ir_op *op)
{
	struct map_run m = { .l = l, .map = op->attr.map, .what = op->out->name };
	const struct space_part *next;
	struct map_inputs in;
	struct space_tile *tile;
	struct space space;
	struct dram_view to;
	size_t num;

	m.step = cc_new_n(l->cc, struct space_part, (size_t)m.map->num_steps);
	m.space = &space;
	space_begin(&space, &op->out->type);
	map_inputs_begin(&in, l, op, &space);
	m.shape = space_tensor(&space, &op->out->type);
	to = lower_new_dram(l, op->out);
	space_join(&space);
	tile = space_tiles(l->cc, &space, &num);
	next = map_inputs_bring(&in, &tile[0]);
	for (size_t i = 0; i < num; i++) {
		mir_next_block(l->m);
		m.tile = &tile[i];
		m.in = next;
		/* The next operands arrive while these are worked on. */
		if (i + 1 < num)
			next = map_inputs_bring(&in, &tile[i + 1]);
		space_store(l, &space, m.shape, m.tile, map_compute(&m), &to);
	}
}
