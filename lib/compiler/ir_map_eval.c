// SPDX-License-Identifier: MIT
/* Maps on constants. Integers are computed in the model's width, functions by the C library. */
#include <math.h>
#include <string.h>

#include "ir_map.h"

union number {
	float f;
	int64_t i;
};

struct eval {
	const struct ir_op *op;
	const union number *in;
	union number *step;
	bool wide;	/* some type has 64 bits */
};

static union number value_of(const struct eval *e, const struct ir_map_arg *x,
			     enum ir_map_class *as)
{
	union number v = { .i = 0 };

	*as = ir_map_arg_class(e->op, x);
	switch (x->kind) {
	case IR_MAP_INPUT:
		return e->in[x->index];
	case IR_MAP_STEP:
		return e->step[x->index];
	case IR_MAP_FLOAT:
		v.f = x->f;
		break;
	case IR_MAP_INT:
		v.i = x->i;
		break;
	case IR_MAP_NOTHING:
		break;
	}
	return v;
}

static float as_float(union number v, enum ir_map_class as)
{
	return as == IR_MAP_F32 ? v.f : (float)v.i;
}

static int64_t saturated(float f, int64_t low, int64_t high)
{
	if (f != f)
		return 0;
	f = rintf(f);
	return f <= (float)low ? low : f >= (float)high ? high : (int64_t)f;
}

static union number convert(union number v, enum ir_map_class from, enum ir_map_class to)
{
	union number out = v;

	if (to == IR_MAP_F32)
		out.f = as_float(v, from);
	else if (from == IR_MAP_F32)
		out.i = to == IR_MAP_U32 ? saturated(v.f, 0, UINT32_MAX) :
					   saturated(v.f, INT32_MIN, INT32_MAX);
	return out;
}

float ir_alu_f32(enum nca_alu alu, float a, float b)
{
	switch (alu) {
	case NCA_ALU_ADD:
		return a + b;
	case NCA_ALU_SUB:
		return a - b;
	case NCA_ALU_MUL:
		return a * b;
	case NCA_ALU_DIV:
		return a / b;
	case NCA_ALU_MAX:
		return a > b || a != a ? a : b;
	case NCA_ALU_MIN:
		return a < b || a != a ? a : b;
	case NCA_ALU_POW:
		return powf(a, b);
	case NCA_ALU_MOD:
		return fmodf(a, b);
	case NCA_ALU_EQ:
		return a == b;
	case NCA_ALU_NE:
		return a != b;
	case NCA_ALU_LT:
		return a < b;
	case NCA_ALU_LE:
		return a <= b;
	case NCA_ALU_GT:
		return a > b;
	case NCA_ALU_GE:
		return a >= b;
	case NCA_ALU_LAND:
		return a != 0.0f && b != 0.0f;
	case NCA_ALU_LOR:
		return a != 0.0f || b != 0.0f;
	default:
		return NAN;
	}
}

static int64_t calculate_int(enum nca_alu alu, int64_t a, int64_t b)
{
	uint64_t ua = (uint64_t)a, ub = (uint64_t)b;

	switch (alu) {
	case NCA_ALU_ADD:
		return (int64_t)(ua + ub);
	case NCA_ALU_SUB:
		return (int64_t)(ua - ub);
	case NCA_ALU_MUL:
		return (int64_t)(ua * ub);
	case NCA_ALU_DIV:
		return !b ? 0 : b == -1 ? (int64_t)(0 - ua) : a / b;
	case NCA_ALU_MOD:
		return !b || b == -1 ? 0 : a % b;
	case NCA_ALU_MAX:
		return a > b ? a : b;
	case NCA_ALU_MIN:
		return a < b ? a : b;
	case NCA_ALU_EQ:
		return a == b;
	case NCA_ALU_NE:
		return a != b;
	case NCA_ALU_LT:
		return a < b;
	case NCA_ALU_LE:
		return a <= b;
	case NCA_ALU_GT:
		return a > b;
	case NCA_ALU_GE:
		return a >= b;
	case NCA_ALU_AND:
		return a & b;
	case NCA_ALU_OR:
		return a | b;
	case NCA_ALU_XOR:
		return a ^ b;
	case NCA_ALU_SHL:
		return ub > 63 ? 0 : (int64_t)(ua << ub);
	case NCA_ALU_SHR:
		return ub > 63 ? 0 : (int64_t)(ua >> ub);
	case NCA_ALU_SAR:
		return a >> (ub > 63 ? 63 : b);
	case NCA_ALU_LAND:
		return a && b;
	case NCA_ALU_LOR:
		return a || b;
	default:
		return 0;
	}
}

static float apply(enum nca_func func, float x, float alpha)
{
	switch (func) {
	case NCA_FUNC_RELU:
		return x > 0.0f || x != x ? x : 0.0f;
	case NCA_FUNC_LRELU:
		return x >= 0.0f ? x : alpha * x;
	case NCA_FUNC_ELU:
		return x > 0.0f ? x : alpha * expm1f(x);
	case NCA_FUNC_EXP:
		return expf(x);
	case NCA_FUNC_LOG:
		return logf(x);
	case NCA_FUNC_SIGMOID:
		return 1.0f / (1.0f + expf(-x));
	case NCA_FUNC_TANH:
		return tanhf(x);
	case NCA_FUNC_GELU:
		return 0.5f * x * (1.0f + erff(x * 0x1.6a09e6p-1f));
	case NCA_FUNC_GELU_TANH:
		return 0.5f * x * (1.0f + tanhf(0x1.988454p-1f * (x + 0.044715f * x * x * x)));
	case NCA_FUNC_SILU:
		return x / (1.0f + expf(-x));
	case NCA_FUNC_SOFTPLUS:
		return (x > 0.0f ? x : 0.0f) + log1pf(expf(-fabsf(x)));
	case NCA_FUNC_MISH:
		return x * tanhf((x > 0.0f ? x : 0.0f) + log1pf(expf(-fabsf(x))));
	case NCA_FUNC_SQRT:
		return sqrtf(x);
	case NCA_FUNC_RSQRT:
		return 1.0f / sqrtf(x);
	case NCA_FUNC_SQUARE:
		return x * x;
	case NCA_FUNC_ERF:
		return erff(x);
	case NCA_FUNC_SIN:
		return sinf(x);
	case NCA_FUNC_COS:
		return cosf(x);
	case NCA_FUNC_ABS:
		return fabsf(x);
	case NCA_FUNC_SIGN:
		return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x;
	case NCA_FUNC_RECIPROCAL:
		return 1.0f / x;
	case NCA_FUNC_FLOOR:
		return floorf(x);
	case NCA_FUNC_CEIL:
		return ceilf(x);
	case NCA_FUNC_ROUND:
		return rintf(x);
	default:
		return x;
	}
}

static union number evaluate_step(const struct eval *e, const struct ir_map_step *s)
{
	enum ir_map_class ca, cb, cc;
	union number a = value_of(e, &s->a, &ca), b = value_of(e, &s->b, &cb), r;
	union number c = value_of(e, &s->c, &cc);

	switch (s->kind) {
	case IR_MAP_ALU:
		if (ca != IR_MAP_F32 && cb != IR_MAP_F32) {
			r.i = calculate_int(s->alu, a.i, b.i);
			if (!e->wide)
				r.i = s->as == IR_MAP_U32 ? (int64_t)(uint32_t)r.i : (int32_t)r.i;
			return s->as == IR_MAP_F32 ? convert(r, IR_MAP_I32, IR_MAP_F32) : r;
		}
		r.f = ir_alu_f32(s->alu, as_float(a, ca), as_float(b, cb));
		return convert(r, IR_MAP_F32, s->as);
	case IR_MAP_FUNC:
		r.f = apply(s->func, as_float(a, ca), s->alpha);
		return convert(r, IR_MAP_F32, s->as);
	case IR_MAP_SELECT:
		if (ca == IR_MAP_F32 ? a.f != 0.0f : a.i != 0)
			return convert(b, cb, s->as);
		return convert(c, cc, s->as);
	case IR_MAP_CONVERT:
		break;
	}
	return convert(a, ca, s->as);
}

/* What storing in the model's type leaves of a 64-bit number. */
static int64_t stored(enum ir_dtype dtype, int64_t v)
{
	switch (dtype) {
	case IR_DT_I32:
		return (int32_t)v;
	case IR_DT_U32:
		return (uint32_t)v;
	case IR_DT_I16:
		return v > INT16_MAX ? INT16_MAX : v < INT16_MIN ? INT16_MIN : v;
	case IR_DT_I8:
		return v > INT8_MAX ? INT8_MAX : v < INT8_MIN ? INT8_MIN : v;
	case IR_DT_U16:
		return v > UINT16_MAX ? UINT16_MAX : v < 0 ? 0 : v;
	case IR_DT_U8:
		return v > UINT8_MAX ? UINT8_MAX : v < 0 ? 0 : v;
	default:
		return v;
	}
}

struct ir_value *ir_map_eval(struct ir_graph *g, const struct ir_op *op)
{
	const struct ir_map *map = op->attr.map;
	const struct ir_type *t = &op->out->type;
	int64_t n = ir_type_elements(t);
	int64_t(*stride)[IR_MAX_RANK] = cc_calloc(g->cc, (size_t)op->num_inputs, sizeof(*stride));
	union number *in = cc_new_n(g->cc, union number, (size_t)op->num_inputs);
	union number *step = cc_new_n(g->cc, union number, (size_t)map->num_steps);
	bool is_float = ir_is_float(t->dtype);
	int64_t *ints = is_float ? NULL : cc_new_n(g->cc, int64_t, (size_t)n + 1);
	float *floats = is_float ? cc_new_n(g->cc, float, (size_t)n + 1) : NULL;
	struct eval e = { .op = op, .in = in, .step = step };

	for (int k = 0; k < op->num_inputs; k++)
		ir_broadcast_strides(&ir_in(op, k)->type, t, stride[k]);
	e.wide = ir_dtype_size(t->dtype) == 8;
	for (int k = 0; k < op->num_inputs; k++)
		e.wide |= ir_dtype_size(ir_in(op, k)->type.dtype) == 8;
	for (int64_t i = 0; i < n; i++) {
		for (int k = 0; k < op->num_inputs; k++) {
			const struct ir_value *v = ir_in(op, k);
			int64_t rest = i, at = 0;

			for (int d = t->rank - 1; d >= 0; d--) {
				at += rest % t->dim[d] * stride[k][d];
				rest /= t->dim[d];
			}
			if (ir_is_float(v->type.dtype))
				in[k].f = v->data.f32[at];
			else
				in[k].i = v->data.i64[at];
		}
		for (int s = 0; s < map->num_steps; s++)
			step[s] = evaluate_step(&e, &map->step[s]);
		if (is_float)
			floats[i] = step[map->num_steps - 1].f;
		else
			ints[i] = stored(t->dtype, step[map->num_steps - 1].i);
	}
	return is_float ? ir_const_f32(g, op->out->name, t, floats) :
			  ir_const_i64(g, op->out->name, t, ints);
}
