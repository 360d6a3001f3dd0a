// SPDX-License-Identifier: MIT
/* ONNX operators that work element by element, as functions and ALU operations of the device. */
#include <math.h>
#include <string.h>

#include "onnx_map.h"

#define MAX_OPERANDS 2

static struct ir_op *append(struct onnx_node *n, enum ir_opcode opcode, int num_inputs,
			    struct ir_value *a, struct ir_value *b)
{
	struct ir_value *in[MAX_OPERANDS] = { a, b };
	struct ir_op *op = ir_op_new(n->g, opcode, n->name, num_inputs, in, NULL);

	op->onnx_type = n->proto->op_type;
	return op;
}

/* The result, with its type, so that more can be built on it. */
static struct ir_value *typed(struct onnx_node *n, struct ir_op *op)
{
	op->out->type = ir_infer(n->g, op);
	return op->out;
}

static struct ir_value *activate(struct onnx_node *n, struct ir_value *x, enum nca_func func,
				 float alpha)
{
	if (ir_is_const(x)) {	/* a map of constants is folded */
		struct ir_map_builder b;

		onnx_map_begin(n, &b);
		return ir_map_end(&b, ir_map_func_alpha(&b, func, ir_map_input(&b, x), alpha),
				  x->type.dtype);
	}
	struct ir_op *op = append(n, IR_ACTIVATE, 1, x, NULL);

	op->attr.func = func;
	op->attr.alpha = alpha;
	return typed(n, op);
}

/* (x alu0 imm0) alu1 imm1 */
static struct ir_value *with_scalars(struct onnx_node *n, struct ir_value *x, enum nca_alu alu0,
				     float imm0, enum nca_alu alu1, float imm1)
{
	struct ir_op *op = append(n, IR_TENSOR_SCALAR, 1, x, NULL);

	op->attr.alu = alu0;
	op->attr.imm = imm0;
	op->attr.alu1 = alu1;
	op->attr.imm1 = imm1;
	return typed(n, op);
}

/*
 * The layout of images takes floating-point operands; of more than four dimensions, those between the
 * second and the last are one to it, so an operand cannot be broadcast along some of them only.
 */
static bool fits_images(const struct ir_value *v, const struct ir_type *t)
{
	int64_t stride[IR_MAX_RANK];

	if (!ir_is_float(v->type.dtype))
		return false;
	ir_broadcast_strides(&v->type, t, stride);
	for (int i = t->rank - 3; i >= 2; i--)
		if (stride[i] != stride[i + 1] * t->dim[i + 1])
			return false;
	return true;
}

static struct ir_value *tensors(struct onnx_node *n, enum nca_alu alu, struct ir_value *a,
				struct ir_value *b)
{
	struct ir_op at = { .name = n->name, .onnx_type = n->proto->op_type };
	struct ir_type t = ir_broadcast(n->g, &at, &a->type, &b->type);

	if (!fits_images(a, &t) || !fits_images(b, &t) || (ir_is_const(a) && ir_is_const(b)))
		return onnx_map_binary(n, alu, a, b, a->type.dtype);
	struct ir_op *op = append(n, alu == NCA_ALU_ADD ? IR_ADD : IR_TENSOR_TENSOR, 2, a, b);

	op->attr.alu = alu;
	return typed(n, op);
}

static void need_inputs(struct onnx_node *n, size_t min, size_t max)
{
	if (n->num_in < min || n->num_in > max)
		onnx_node_fail(n, "it has %zu inputs, and %zu to %zu can be compiled", n->num_in,
			       min, max);
	for (size_t i = 0; i < min; i++)
		if (!n->in[i])
			onnx_node_fail(n, "input %zu is missing", i);
}

/* A function of one operand, and what its attribute alpha is when the node leaves it out. */
static const struct function {
	const char *type;
	enum nca_func func;
	bool has_alpha;
	float alpha;
} functions[] = {
	{ "Abs", NCA_FUNC_ABS, false, 0.0f },
	{ "Ceil", NCA_FUNC_CEIL, false, 0.0f },
	{ "Cos", NCA_FUNC_COS, false, 0.0f },
	{ "Elu", NCA_FUNC_ELU, true, 1.0f },
	{ "Erf", NCA_FUNC_ERF, false, 0.0f },
	{ "Exp", NCA_FUNC_EXP, false, 0.0f },
	{ "Floor", NCA_FUNC_FLOOR, false, 0.0f },
	{ "LeakyRelu", NCA_FUNC_LRELU, true, 0.01f },
	{ "Log", NCA_FUNC_LOG, false, 0.0f },
	{ "Mish", NCA_FUNC_MISH, false, 0.0f },
	{ "Reciprocal", NCA_FUNC_RECIPROCAL, false, 0.0f },
	{ "Round", NCA_FUNC_ROUND, false, 0.0f },
	{ "Sigmoid", NCA_FUNC_SIGMOID, false, 0.0f },
	{ "Sign", NCA_FUNC_SIGN, false, 0.0f },
	{ "Sin", NCA_FUNC_SIN, false, 0.0f },
	{ "Softplus", NCA_FUNC_SOFTPLUS, false, 0.0f },
	{ "Sqrt", NCA_FUNC_SQRT, false, 0.0f },
	{ "Tanh", NCA_FUNC_TANH, false, 0.0f },
};

/* Abs and Sign are defined for integers too. */
static struct ir_value *integer_function(struct onnx_node *n, const struct function *f)
{
	enum ir_dtype dtype = n->in[0]->type.dtype;
	bool is_signed = ir_map_class(dtype) == IR_MAP_I32;
	struct ir_map_builder b;
	marg x, low;

	onnx_map_begin(n, &b);
	x = ir_map_input(&b, n->in[0]);
	if (f->func == NCA_FUNC_ABS) {
		low = ir_map_alu(&b, NCA_ALU_SUB, ir_map_int(0), x);
		if (is_signed)
			x = ir_map_alu(&b, NCA_ALU_MAX, x, low);
		return ir_map_end(&b, ir_map_wrap(&b, dtype, x), dtype);
	}
	if (f->func != NCA_FUNC_SIGN)
		onnx_node_fail(n, "operand 0 has element type %s, and this operator can only be "
			       "compiled for floating-point tensors", ir_dtype_name(dtype));
	if (!is_signed)
		return ir_map_end(&b, ir_map_alu(&b, NCA_ALU_NE, x, ir_map_int(0)), dtype);
	low = ir_map_alu(&b, NCA_ALU_LT, x, ir_map_int(0));
	x = ir_map_alu(&b, NCA_ALU_GT, x, ir_map_int(0));
	return ir_map_end(&b, ir_map_alu(&b, NCA_ALU_SUB, x, low), dtype);
}

static struct ir_value *import_function(struct onnx_node *n, const struct function *f)
{
	float alpha = f->alpha;

	need_inputs(n, 1, 1);
	if (!ir_is_float(n->in[0]->type.dtype))
		return integer_function(n, f);
	if (f->has_alpha)
		onnx_attr_float(n, "alpha", &alpha);
	return activate(n, n->in[0], f->func, alpha);
}

/* An ALU operation; the ones with @many operands take them from left to right. */
static const struct binary {
	const char *type;
	enum nca_alu alu;
	bool many;
} binaries[] = {
	{ "Add", NCA_ALU_ADD, false }, { "Div", NCA_ALU_DIV, false }, { "Max", NCA_ALU_MAX, true },
	{ "Min", NCA_ALU_MIN, true },  { "Mul", NCA_ALU_MUL, false }, { "Pow", NCA_ALU_POW, false },
	{ "Sub", NCA_ALU_SUB, false }, { "Sum", NCA_ALU_ADD, true },
};

static struct ir_value *import_pow(struct onnx_node *n, struct ir_value *x, struct ir_value *y);

/* Integer constants are converted here; nothing else can have become an integer tensor. */
static struct ir_value *as_f32(struct onnx_node *n, struct ir_value *v)
{
	int64_t num;
	float *f;
	struct ir_type t = v->type;

	if (!ir_is_const(v) || !ir_is_int(t.dtype))
		return v;
	num = ir_type_elements(&t);
	f = cc_new_n(n->g->cc, float, (size_t)num + 1);
	for (int64_t i = 0; i < num; i++)
		f[i] = (float)v->data.i64[i];
	t.dtype = IR_DT_F32;
	return ir_const_f32(n->g, v->name, &t, f);
}

static struct ir_value *import_binary(struct onnx_node *n, const struct binary *b)
{
	struct ir_value *v;
	int64_t broadcast;

	need_inputs(n, b->many ? 1 : 2, b->many ? SIZE_MAX : 2);
	if (n->opset < 7) { /* broadcast only on request; broadcasting now is never wrong */
		onnx_attr_int(n, "broadcast", &broadcast);
		onnx_align_operand(n);
	}
	if (n->num_in == 1)
		return append(n, IR_IDENTITY, 1, n->in[0], NULL)->out;
	v = n->in[0];
	for (size_t i = 1; i < n->num_in; i++) {
		if (!n->in[i])
			onnx_node_fail(n, "input %zu is missing", i);
		if (b->alu == NCA_ALU_POW)
			v = import_pow(n, v, as_f32(n, n->in[i]));
		else
			v = tensors(n, b->alu, v, n->in[i]);
	}
	return v;
}

/* x^y modulo 2^32: squares of x for every bit of y. */
static marg integer_power(struct ir_map_builder *b, marg x, marg y)
{
	marg r = ir_map_convert(b, ir_map_class_of(b, &x), ir_map_int(1));

	for (int bit = 0; bit < 31; bit++) {
		marg set = ir_map_alu(b, NCA_ALU_AND, y, ir_map_int(1 << bit));

		r = ir_map_select(b, set, ir_map_alu(b, NCA_ALU_MUL, r, x), r);
		x = ir_map_alu(b, NCA_ALU_MUL, x, x);
	}
	return r;
}

/* The result has the type of the base. */
static struct ir_value *import_pow(struct onnx_node *n, struct ir_value *x, struct ir_value *y)
{
	enum ir_dtype dtype = x->type.dtype;
	struct ir_map_builder b;
	marg a, c, r;

	if (ir_is_float(dtype))
		return tensors(n, NCA_ALU_POW, x, y);
	onnx_map_begin(n, &b);
	a = ir_map_input(&b, x);
	c = ir_map_input(&b, y);
	if (ir_is_int(y->type.dtype)) {
		r = ir_map_wrap(&b, dtype, integer_power(&b, a, c));
	} else {
		/* Toward zero, but not to the number below because a power came out an ulp short. */
		r = ir_map_alu(&b, NCA_ALU_POW, ir_map_convert(&b, IR_MAP_F32, a), c);
		r = ir_map_alu(&b, NCA_ALU_MUL, r, ir_map_float(1.0f + 0x1p-18f));
		r = ir_map_alu(&b, NCA_ALU_SUB, r, ir_map_alu(&b, NCA_ALU_MOD, r, ir_map_float(1.0f)));
	}
	return ir_map_end(&b, r, dtype);
}

static struct ir_value *import_mean(struct onnx_node *n)
{
	struct ir_value *sum;

	need_inputs(n, 1, SIZE_MAX);
	sum = n->in[0];
	for (size_t i = 1; i < n->num_in; i++) {
		if (!n->in[i])
			onnx_node_fail(n, "input %zu is missing", i);
		sum = tensors(n, NCA_ALU_ADD, sum, n->in[i]);
	}
	return n->num_in == 1 ? append(n, IR_IDENTITY, 1, sum, NULL)->out :
				with_scalars(n, sum, NCA_ALU_DIV, (float)n->num_in, NCA_ALU_NONE, 0.0f);
}

/* Bounds are attributes before opset 11, optional operands since. */
static struct ir_value *import_clip(struct onnx_node *n)
{
	static const enum nca_alu alu[2] = { NCA_ALU_MAX, NCA_ALU_MIN };
	float low = -INFINITY, high = INFINITY;
	struct ir_value *v;

	need_inputs(n, 1, n->opset < 11 ? 1 : 3);
	v = n->in[0];
	for (size_t i = 1; i < n->num_in; i++)
		if (n->in[i] && ir_type_elements(&n->in[i]->type) != 1)
			onnx_node_fail(n, "its bounds must be scalars");
	if (n->opset < 11) {
		onnx_attr_float(n, "min", &low);
		onnx_attr_float(n, "max", &high);
		return with_scalars(n, v, NCA_ALU_MAX, low, NCA_ALU_MIN, high);
	}
	for (size_t i = 1; i < n->num_in; i++)
		if (n->in[i])
			v = tensors(n, alu[i - 1], v, n->in[i]);
	return v == n->in[0] ? append(n, IR_IDENTITY, 1, v, NULL)->out : v;
}

static struct ir_value *import_neg(struct onnx_node *n)
{
	need_inputs(n, 1, 1);
	if (!ir_is_float(n->in[0]->type.dtype) || ir_is_const(n->in[0])) {
		struct ir_map_builder b;
		marg x;

		onnx_map_begin(n, &b);
		x = ir_map_input(&b, n->in[0]);
		x = ir_is_float(n->in[0]->type.dtype) ?
			    ir_map_alu(&b, NCA_ALU_MUL, x, ir_map_float(-1.0f)) :
			    ir_map_alu(&b, NCA_ALU_SUB, ir_map_int(0), x);
		return ir_map_end(&b, ir_map_wrap(&b, n->in[0]->type.dtype, x), n->in[0]->type.dtype);
	}
	return with_scalars(n, n->in[0], NCA_ALU_MUL, -1.0f, NCA_ALU_NONE, 0.0f);
}

static struct ir_value *hard_sigmoid(struct onnx_node *n, float alpha, float beta)
{
	struct ir_value *v = with_scalars(n, n->in[0], NCA_ALU_MUL, alpha, NCA_ALU_ADD, beta);

	return with_scalars(n, v, NCA_ALU_MAX, 0.0f, NCA_ALU_MIN, 1.0f);
}

static struct ir_value *import_hard_sigmoid(struct onnx_node *n)
{
	float alpha = 0.2f, beta = 0.5f;

	need_inputs(n, 1, 1);
	onnx_attr_float(n, "alpha", &alpha);
	onnx_attr_float(n, "beta", &beta);
	return hard_sigmoid(n, alpha, beta);
}

static struct ir_value *import_hard_swish(struct onnx_node *n)
{
	need_inputs(n, 1, 1);
	return tensors(n, NCA_ALU_MUL, n->in[0], hard_sigmoid(n, 1.0f / 6.0f, 0.5f));
}

static struct ir_value *import_selu(struct onnx_node *n)
{
	float alpha = 1.6732632f, gamma = 1.0507010f;

	need_inputs(n, 1, 1);
	if (n->opset < 6) { /* the defaults had five digits */
		alpha = 1.6732f;
		gamma = 1.0507f;
	}
	onnx_attr_float(n, "alpha", &alpha);
	onnx_attr_float(n, "gamma", &gamma);
	return with_scalars(n, activate(n, n->in[0], NCA_FUNC_ELU, alpha), NCA_ALU_MUL, gamma,
			    NCA_ALU_NONE, 0.0f);
}

static struct ir_value *import_gelu(struct onnx_node *n)
{
	const char *approximate = "none";
	bool with_tanh;

	need_inputs(n, 1, 1);
	onnx_attr_string(n, "approximate", &approximate);
	with_tanh = !strcmp(approximate, "tanh");
	if (!with_tanh && strcmp(approximate, "none"))
		onnx_node_fail(n, "approximate '%.40s' is not known", approximate);
	return activate(n, n->in[0], with_tanh ? NCA_FUNC_GELU_TANH : NCA_FUNC_GELU, 0.0f);
}

static const struct {
	const char *type;
	struct ir_value *(*import)(struct onnx_node *n);
} composed[] = {
	{ "Clip", import_clip },
	{ "Gelu", import_gelu },
	{ "HardSigmoid", import_hard_sigmoid },
	{ "HardSwish", import_hard_swish },
	{ "Mean", import_mean },
	{ "Neg", import_neg },
	{ "Selu", import_selu },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct ir_value *onnx_import_elementwise(struct onnx_node *n)
{
	for (size_t i = 0; i < COUNT(functions); i++)
		if (onnx_is(n, functions[i].type))
			return import_function(n, &functions[i]);
	for (size_t i = 0; i < COUNT(binaries); i++)
		if (onnx_is(n, binaries[i].type))
			return import_binary(n, &binaries[i]);
	for (size_t i = 0; i < COUNT(composed); i++)
		if (onnx_is(n, composed[i].type))
			return composed[i].import(n);
	return NULL;
}
