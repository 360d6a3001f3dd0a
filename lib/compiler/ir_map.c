// SPDX-License-Identifier: MIT
#include "ir_map.h"

#include <string.h>

#include "pass.h"

enum ir_map_class ir_map_class(enum ir_dtype dtype)
{
	if (ir_is_float(dtype))
		return IR_MAP_F32;
	return dtype == IR_DT_U32 || dtype == IR_DT_U64 ? IR_MAP_U32 : IR_MAP_I32;
}

enum ir_map_class ir_map_arg_class(const struct ir_op *op, const struct ir_map_arg *arg)
{
	switch (arg->kind) {
	case IR_MAP_INPUT:
		return ir_map_class(ir_in(op, arg->index)->type.dtype);
	case IR_MAP_STEP:
		return op->attr.map->step[arg->index].as;
	case IR_MAP_INT:
		return IR_MAP_I32;
	default:
		return IR_MAP_F32;
	}
}

void ir_map_begin(struct ir_map_builder *b, struct ir_graph *g, const char *name,
		  const char *onnx_type)
{
	*b = (struct ir_map_builder) { .g = g, .name = name, .onnx_type = onnx_type };
	b->map = cc_new(g->cc, struct ir_map);
	b->shape.rank = -1;
}

static void broaden(struct ir_map_builder *b, const struct ir_value *v)
{
	struct ir_op op = { .name = b->name, .onnx_type = b->onnx_type };

	if (b->shape.rank < 0)
		b->shape = v->type;
	else
		b->shape = ir_broadcast(b->g, &op, &b->shape, &v->type);
}

struct ir_map_arg ir_map_input(struct ir_map_builder *b, struct ir_value *v)
{
	int64_t i;

	broaden(b, v);
	if (ir_is_const(v) && ir_type_elements(&v->type) == 1) {
		b->number = v;
		if (ir_is_float(v->type.dtype))
			return ir_map_float(v->data.f32[0]);
		i = v->data.i64[0];
		/* Only a tensor can have the type UINT32, and only a tensor is refused for being too large. */
		if (ir_map_class(v->type.dtype) == IR_MAP_I32 && i >= INT32_MIN && i <= INT32_MAX)
			return ir_map_int(i);
	}
	for (int k = 0; k < b->num_in; k++)
		if (b->in[k] == v)
			return (struct ir_map_arg) { .kind = IR_MAP_INPUT, .index = k };
	cc_assert(b->g->cc, b->num_in < IR_MAP_MAX_INPUTS);
	b->in[b->num_in] = v;
	return (struct ir_map_arg) { .kind = IR_MAP_INPUT, .index = b->num_in++ };
}

struct ir_map_arg ir_map_float(float f)
{
	return (struct ir_map_arg) { .kind = IR_MAP_FLOAT, .f = f };
}

struct ir_map_arg ir_map_int(int64_t i)
{
	return (struct ir_map_arg) { .kind = IR_MAP_INT, .i = (int32_t)i };
}

enum ir_map_class ir_map_class_of(const struct ir_map_builder *b, const struct ir_map_arg *x)
{
	switch (x->kind) {
	case IR_MAP_INPUT:
		return ir_map_class(b->in[x->index]->type.dtype);
	case IR_MAP_STEP:
		return b->map->step[x->index].as;
	case IR_MAP_INT:
		return IR_MAP_I32;
	default:
		return IR_MAP_F32;
	}
}

static struct ir_map_arg add_step(struct ir_map_builder *b, const struct ir_map_step *step)
{
	struct ir_map *m = b->map;

	*cc_push(b->g->cc, m->step, m->num_steps, b->cap_steps) = *step;
	return (struct ir_map_arg) { .kind = IR_MAP_STEP, .index = m->num_steps - 1 };
}

static bool is_number(const struct ir_map_arg *x)
{
	return x->kind == IR_MAP_FLOAT || x->kind == IR_MAP_INT;
}

struct ir_map_arg ir_map_alu(struct ir_map_builder *b, enum nca_alu alu, struct ir_map_arg x,
			     struct ir_map_arg y)
{
	enum ir_map_class cx = ir_map_class_of(b, &x), cy = ir_map_class_of(b, &y);
	struct ir_map_step s = { .kind = IR_MAP_ALU, .alu = alu };

	/* The device wants a tensor on one side. */
	if (is_number(&x) && is_number(&y)) {
		x = ir_map_convert(b, cx, x);
		cx = ir_map_class_of(b, &x);
	}
	s.as = cx == IR_MAP_F32 || cy == IR_MAP_F32 ? IR_MAP_F32 :
	       cx == IR_MAP_U32 || cy == IR_MAP_U32 ? IR_MAP_U32 : IR_MAP_I32;
	if ((alu >= NCA_ALU_EQ && alu <= NCA_ALU_GE) || alu == NCA_ALU_LAND || alu == NCA_ALU_LOR)
		s.as = IR_MAP_I32;
	s.a = x;
	s.b = y;
	return add_step(b, &s);
}

struct ir_map_arg ir_map_func_alpha(struct ir_map_builder *b, enum nca_func func,
				    struct ir_map_arg x, float alpha)
{
	struct ir_map_step s = { .kind = IR_MAP_FUNC, .as = IR_MAP_F32, .func = func,
				 .alpha = alpha, .a = x };

	if (is_number(&x))
		s.a = ir_map_convert(b, IR_MAP_F32, x);
	return add_step(b, &s);
}

struct ir_map_arg ir_map_func(struct ir_map_builder *b, enum nca_func func, struct ir_map_arg x)
{
	return ir_map_func_alpha(b, func, x, 0.0f);
}

struct ir_map_arg ir_map_select(struct ir_map_builder *b, struct ir_map_arg c, struct ir_map_arg x,
				struct ir_map_arg y)
{
	struct ir_map_step s = { .kind = IR_MAP_SELECT, .c = y };
	enum ir_map_class cx, cy;

	/* At least the chosen one is a tensor; a number may stand for the other. */
	if (is_number(&c))
		c = ir_map_convert(b, ir_map_class_of(b, &c), c);
	if (is_number(&x) && !is_number(&y)) {
		struct ir_map_arg t = x;

		c = ir_map_alu(b, NCA_ALU_EQ, c, ir_map_int(0));
		x = y;
		y = t;
		s.c = y;
	} else if (is_number(&x)) {
		x = ir_map_convert(b, ir_map_class_of(b, &x), x);
	}
	cx = ir_map_class_of(b, &x);
	cy = ir_map_class_of(b, &y);
	s.as = cx == IR_MAP_F32 || cy == IR_MAP_F32 ? IR_MAP_F32 : cx;
	s.a = c;
	s.b = x;
	return add_step(b, &s);
}

struct ir_map_arg ir_map_convert(struct ir_map_builder *b, enum ir_map_class as,
				 struct ir_map_arg x)
{
	struct ir_map_step s = { .kind = IR_MAP_CONVERT, .as = as, .a = x };

	return add_step(b, &s);
}

struct ir_map_arg ir_map_poly(struct ir_map_builder *b, struct ir_map_arg x, const float *coef,
			      int n)
{
	struct ir_map_arg p = ir_map_float(coef[0]);

	for (int i = 1; i < n; i++) {
		p = ir_map_alu(b, NCA_ALU_MUL, x, p);
		p = ir_map_alu(b, NCA_ALU_ADD, p, ir_map_float(coef[i]));
	}
	return p;
}

struct ir_map_arg ir_map_wrap(struct ir_map_builder *b, enum ir_dtype dtype, struct ir_map_arg x)
{
	int bits = (int)ir_dtype_size(dtype) * 8;

	switch (dtype) {
	case IR_DT_I8:
	case IR_DT_I16:
		x = ir_map_alu(b, NCA_ALU_SHL, x, ir_map_int(32 - bits));
		return ir_map_alu(b, NCA_ALU_SAR, x, ir_map_int(32 - bits));
	case IR_DT_U8:
	case IR_DT_U16:
		return ir_map_alu(b, NCA_ALU_AND, x, ir_map_int((1 << bits) - 1));
	default:
		return x;
	}
}

struct ir_value *ir_map_end(struct ir_map_builder *b, struct ir_map_arg result, enum ir_dtype dtype)
{
	enum ir_map_class as = ir_map_class(dtype);
	struct ir_type *want = &b->shape;
	struct ir_op *op;

	/* The result is the last step, and held as what it is going to be. */
	if (result.kind != IR_MAP_STEP || result.index != b->map->num_steps - 1 ||
	    ir_map_class_of(b, &result) != as)
		ir_map_convert(b, as, result);
	if (!b->num_in) {	/* numbers only: a constant */
		cc_assert(b->g->cc, b->number);
		b->in[b->num_in++] = b->number;
	}
	b->map->dtype = dtype;
	op = ir_op_new(b->g, IR_MAP, b->name, b->num_in, b->in, b->before);
	op->onnx_type = b->onnx_type;
	op->attr.map = b->map;
	op->out->type = ir_infer(b->g, op);
	want->dtype = dtype;
	if (ir_type_equal(want, &op->out->type))
		return op->out;
	return pass_reshape(b->g, op, op->out, want, b->before);
}

static void print_arg(const struct ir_map_arg *x, FILE *out)
{
	switch (x->kind) {
	case IR_MAP_INPUT:
		fprintf(out, " $%d", x->index);
		break;
	case IR_MAP_STEP:
		fprintf(out, " t%d", x->index);
		break;
	case IR_MAP_FLOAT:
		fprintf(out, " %g", (double)x->f);
		break;
	case IR_MAP_INT:
		fprintf(out, " %d", x->i);
		break;
	case IR_MAP_NOTHING:
		break;
	}
}

void ir_map_print(const struct ir_map *map, FILE *out)
{
	static const char *const classes[] = { "f32", "i32", "u32" };

	fputs(" {", out);
	for (int i = 0; i < map->num_steps; i++) {
		const struct ir_map_step *s = &map->step[i];

		fprintf(out, "%s t%d:%s =", i ? ";" : "", i, classes[s->as]);
		switch (s->kind) {
		case IR_MAP_ALU:
			fprintf(out, " %s", ir_alu_name(s->alu));
			break;
		case IR_MAP_FUNC:
			fprintf(out, " %s", ir_func_name(s->func));
			break;
		case IR_MAP_SELECT:
			fputs(" select", out);
			break;
		case IR_MAP_CONVERT:
			fputs(" convert", out);
			break;
		}
		print_arg(&s->a, out);
		print_arg(&s->b, out);
		print_arg(&s->c, out);
	}
	fputs(" }", out);
}
