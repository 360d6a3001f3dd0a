// SPDX-License-Identifier: MIT
/*
 * Functions that exporters write out, put together again: layer normalization, GELU in both forms,
 * SiLU and Mish. Products are compared as sets of factors with a number, so that the order in which they
 * are written down does not matter.
 */
#include <math.h>
#include <string.h>

#include "ir_map.h"
#include "ir_view.h"
#include "pass.h"

#define MAX_FACTORS 8

/* ---- pieces ---- */

/* An operand of a map of one step, or a number. */
static bool map_arg(const struct ir_op *op, const struct ir_map_arg *a, struct ir_value **v, float *number)
{
	*v = NULL;
	if (a->kind == IR_MAP_FLOAT)
		*number = a->f;
	else if (a->kind == IR_MAP_INT)
		*number = (float)a->i;
	else if (a->kind == IR_MAP_INPUT)
		*v = ir_in(op, a->index);
	else
		return false;
	return true;
}

/* @v = a alu b; of the two, one may be a number instead of a tensor. */
static bool is_binary(const struct ir_value *v, enum nca_alu alu, struct ir_value *arg[2], float *number)
{
	const struct ir_op *op = v->def;
	const struct ir_map *map;

	if (!op || op->attr.relu || !ir_is_float(v->type.dtype))
		return false;
	if (op->opcode == IR_MAP) {
		map = op->attr.map;
		return map->num_steps == 1 && map->step[0].kind == IR_MAP_ALU && map->step[0].alu == alu &&
		       map_arg(op, &map->step[0].a, &arg[0], number) &&
		       map_arg(op, &map->step[0].b, &arg[1], number) && (arg[0] || arg[1]);
	}
	if (op->opcode != (alu == NCA_ALU_ADD ? IR_ADD : IR_TENSOR_TENSOR) ||
	    (op->opcode == IR_TENSOR_TENSOR && op->attr.alu != alu))
		return false;
	for (int i = 0; i < 2; i++)
		arg[i] = ir_const_number(ir_in(op, i), number) ? NULL : ir_in(op, i);
	return arg[0] || arg[1];
}

/* @v = x alu number, or number alu x if the order does not matter. */
static bool has_number(const struct ir_value *v, enum nca_alu alu, struct ir_value **x, float *number)
{
	bool commutes = alu == NCA_ALU_ADD || alu == NCA_ALU_MUL;
	struct ir_value *arg[2];

	if (!is_binary(v, alu, arg, number) || (arg[0] && arg[1]) || (!arg[0] && !commutes))
		return false;
	*x = arg[0] ? arg[0] : arg[1];
	return ir_type_equal(&(*x)->type, &v->type);
}

static struct ir_value *function_of(const struct ir_value *v, enum nca_func func)
{
	return v->def && v->def->opcode == IR_ACTIVATE && v->def->attr.func == func ? ir_in(v->def, 0) :
										      NULL;
}

static bool about(float x, double expected)
{
	return fabs((double)x - expected) <= 1e-4 * fabs(expected);
}

struct factors {
	float number;
	struct ir_value *v[MAX_FACTORS];
	int num;
};

/* False if there are too many. */
static bool collect(struct factors *f, struct ir_value *v)
{
	struct ir_value *arg[2], *x;
	float number;

	if (has_number(v, NCA_ALU_MUL, &x, &number)) {
		f->number *= number;
		return collect(f, x);
	}
	if (has_number(v, NCA_ALU_DIV, &x, &number)) {
		f->number /= number;
		return collect(f, x);
	}
	if (has_number(v, NCA_ALU_POW, &x, &number) && (number == 2.0f || number == 3.0f)) {
		for (int i = 0; i < (int)number; i++)
			if (!collect(f, x))
				return false;
		return true;
	}
	if (is_binary(v, NCA_ALU_MUL, arg, &number) && arg[0] && arg[1] &&
	    ir_type_equal(&arg[0]->type, &v->type) && ir_type_equal(&arg[1]->type, &v->type))
		return collect(f, arg[0]) && collect(f, arg[1]);
	x = function_of(v, NCA_FUNC_SQUARE);
	if (x)
		return collect(f, x) && collect(f, x);
	if (f->num == MAX_FACTORS)
		return false;
	f->v[f->num++] = v;
	return true;
}

static struct factors factors_of(struct ir_value *v)
{
	struct factors f = { .number = 1.0f };

	if (!collect(&f, v))
		f.num = 0;
	return f;
}

static bool is_power(const struct factors *f, const struct ir_value *x, int power, double number)
{
	if (f->num != power || !about(f->number, number))
		return false;
	for (int i = 0; i < power; i++)
		if (f->v[i] != x)
			return false;
	return true;
}

/* ---- activations ---- */

/* x + 0.044715 x^3, times sqrt(2 / pi) */
static bool is_tanh_argument(struct ir_value *v, const struct ir_value *x)
{
	struct factors f = factors_of(v);
	struct ir_value *arg[2];
	float number;

	if (f.num != 1 || !about(f.number, 0.7978845608) || !is_binary(f.v[0], NCA_ALU_ADD, arg, &number) ||
	    !arg[0] || !arg[1])
		return false;
	for (int i = 0; i < 2; i++) {
		f = factors_of(arg[1 - i]);
		if (arg[i] == x && is_power(&f, x, 3, 0.044715))
			return true;
	}
	return false;
}

/* What x times @gate is, with the number that goes with it. */
static enum nca_func gated(const struct ir_value *x, struct ir_value *gate, float number)
{
	struct ir_value *inner = function_of(gate, NCA_FUNC_SIGMOID), *soft;
	struct factors f;
	float one;

	if (inner)
		return inner == x && number == 1.0f ? NCA_FUNC_SILU : NCA_FUNC_IDENTITY;
	inner = function_of(gate, NCA_FUNC_TANH);
	soft = inner ? function_of(inner, NCA_FUNC_SOFTPLUS) : NULL;
	if (soft)
		return soft == x && number == 1.0f ? NCA_FUNC_MISH : NCA_FUNC_IDENTITY;
	if (number != 0.5f || !has_number(gate, NCA_ALU_ADD, &inner, &one) || one != 1.0f)
		return NCA_FUNC_IDENTITY;
	gate = inner;
	inner = function_of(gate, NCA_FUNC_ERF);
	if (inner) {
		f = factors_of(inner);
		return is_power(&f, x, 1, 0.70710678118) ? NCA_FUNC_GELU : NCA_FUNC_IDENTITY;
	}
	inner = function_of(gate, NCA_FUNC_TANH);
	return inner && is_tanh_argument(inner, x) ? NCA_FUNC_GELU_TANH : NCA_FUNC_IDENTITY;
}

static struct ir_value *activation(struct ir_graph *g, struct ir_op *op)
{
	struct factors f = factors_of(op->out);

	for (int i = 0; f.num == 2 && i < 2; i++) {
		enum nca_func func = gated(f.v[i], f.v[1 - i], f.number);
		struct ir_attrs attr = { .func = func };

		if (func != NCA_FUNC_IDENTITY)
			return pass_op(g, IR_ACTIVATE, op, 1, &f.v[i], &attr, op)->out;
	}
	return NULL;
}

/* ---- layer normalization ---- */

/* The mean of what, over the last dimension; NULL if @v is something else. */
static struct ir_value *mean_of(struct ir_value *v)
{
	struct ir_value *sum, *x;
	float number;

	if (!has_number(v, NCA_ALU_DIV, &sum, &number) || !sum->def || sum->def->opcode != IR_REDUCE ||
	    sum->def->attr.alu != NCA_ALU_ADD || sum->def->attr.map || sum->def->attr.post)
		return NULL;
	x = ir_in(sum->def, 0);
	if (x->type.rank < 2 || sum->def->attr.axes != 1u << (x->type.rank - 1) ||
	    number != (float)x->type.dim[x->type.rank - 1])
		return NULL;
	return x;
}

/* x - mean(x): returns x. */
static struct ir_value *centred(struct ir_value *v)
{
	struct ir_value *arg[2], *x;
	float number;

	if (!is_binary(v, NCA_ALU_SUB, arg, &number) || !arg[0] || !arg[1])
		return NULL;
	x = mean_of(arg[1]);
	return x == arg[0] ? x : NULL;
}

/* sqrt(mean(c * c) + epsilon) */
static bool is_deviation(struct ir_value *v, const struct ir_value *c, float *epsilon)
{
	struct ir_value *sum = function_of(v, NCA_FUNC_SQRT), *variance, *square;
	struct factors f;

	if (!sum || !has_number(sum, NCA_ALU_ADD, &variance, epsilon))
		return false;
	square = mean_of(variance);
	if (!square)
		return false;
	f = factors_of(square);
	return is_power(&f, c, 2, 1.0);
}

/* A constant over the last dimension that the only reader of @v adds or multiplies. */
static struct ir_value *vector_of_reader(struct ir_graph *g, const struct ir_value *v, enum nca_alu alu)
{
	struct ir_op *op = ir_single_user(g, v);
	struct ir_value *arg[2];
	float number;

	if (!op || !is_binary(op->out, alu, arg, &number) || !ir_type_equal(&op->out->type, &v->type))
		return NULL;
	for (int i = 0; i < 2; i++) {
		const struct ir_value *c = arg[i];

		if (!ir_is_const(c) || arg[1 - i] != v)
			continue;
		if (ir_type_elements(&c->type) == v->type.dim[v->type.rank - 1] &&
		    c->type.dim[c->type.rank - 1] == v->type.dim[v->type.rank - 1])
			return pass_vector(g, c->type.dim[c->type.rank - 1], c->data.f32);
	}
	return NULL;
}

static struct ir_op *layer_norm(struct ir_graph *g, struct ir_op *op)
{
	struct ir_value *arg[2], *in[3] = { NULL, NULL, NULL };
	struct ir_attrs attr = { 0 };
	struct ir_op *last = op, *norm;
	float number;

	if (!is_binary(op->out, NCA_ALU_DIV, arg, &number) || !arg[0] || !arg[1])
		return NULL;
	in[IR_NORM_X] = centred(arg[0]);
	if (!in[IR_NORM_X] || !is_deviation(arg[1], arg[0], &attr.epsilon))
		return NULL;
	in[IR_NORM_SCALE] = vector_of_reader(g, last->out, NCA_ALU_MUL);
	if (in[IR_NORM_SCALE])
		last = ir_single_user(g, last->out);
	in[IR_NORM_SHIFT] = vector_of_reader(g, last->out, NCA_ALU_ADD);
	if (in[IR_NORM_SHIFT])
		last = ir_single_user(g, last->out);
	norm = pass_op(g, IR_LAYER_NORM, op, 3, in, &attr, op);
	norm->out->name = last->out->name;
	ir_replace_all_uses(g, last->out, norm->out);
	return norm;
}

void pass_find_patterns(struct ir_graph *g)
{
	/* From the end, so that the outermost product of a pattern is met first. */
	for (struct ir_op *op = g->last; op; op = op->prev) {
		struct ir_value *v;

		if (!op->out->uses && !ir_is_output(g, op->out))
			continue;
		v = activation(g, op);
		if (v)
			ir_replace_all_uses(g, op->out, v);
		else
			layer_norm(g, op);
	}
	pass_remove_dead(g);
}
