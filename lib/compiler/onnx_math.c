// SPDX-License-Identifier: MIT
/*
 * Functions that the device does not have, composed of those it has. Odd functions are computed for
 * the absolute value, so that small arguments keep their digits. Largest relative errors, against
 * the real value: Atan, Asin, Acos, Sinh, Cosh, Asinh, Atanh 1e-6; Acosh 2e-6 beyond 1.001; Tan as
 * good as Cos is near its zeros.
 */
#include <math.h>
#include <string.h>

#include "onnx_map.h"

#define ALU(op, x, y) ir_map_alu(b, NCA_ALU_##op, x, y)
#define FUNC(f, x) ir_map_func(b, NCA_FUNC_##f, x)
#define SELECT(c, x, y) ir_map_select(b, c, x, y)
#define F(x) ir_map_float(x)

/* log(1 + u), also where 1 + u rounds most of u away. */
static marg log1p_of(struct ir_map_builder *b, marg u)
{
	marg w = ALU(ADD, u, F(1.0f)), d = ALU(SUB, w, F(1.0f));
	marg l = ALU(MUL, FUNC(LOG, w), ALU(DIV, u, d));

	return SELECT(ALU(EQ, d, F(0.0f)), u, l);
}

static marg with_sign(struct ir_map_builder *b, marg y, marg x)
{
	return ALU(MUL, y, FUNC(SIGN, x));
}

static marg tan_of(struct ir_map_builder *b, marg x)
{
	return ALU(DIV, FUNC(SIN, x), FUNC(COS, x));
}

/* The argument comes down to at most tan(pi / 8). */
static marg atan_of(struct ir_map_builder *b, marg x)
{
	static const float coef[] = { -0x1.089354p-4f, 0x1.b82b0cp-4f, -0x1.2421a8p-3f,
				      0x1.99973ep-3f, -0x1.555554p-2f };
	marg a = FUNC(ABS, x), large = ALU(GT, a, F(2.41421356f)), mid = ALU(GT, a, F(0.41421356f));
	marg t, base, z, p;

	t = SELECT(mid, ALU(DIV, ALU(SUB, a, F(1.0f)), ALU(ADD, a, F(1.0f))), a);
	t = SELECT(large, ALU(DIV, F(-1.0f), a), t);
	base = ALU(MUL, mid, F((float)M_PI_4));
	base = ALU(ADD, base, ALU(MUL, large, F((float)M_PI_4)));
	z = FUNC(SQUARE, t);
	p = ALU(MUL, ALU(MUL, z, ir_map_poly(b, z, coef, 5)), t);
	return with_sign(b, ALU(ADD, base, ALU(ADD, t, p)), x);
}

/* asin(w) for w in [0, 0.5] with z = w * w */
static marg asin_kernel(struct ir_map_builder *b, marg w, marg z)
{
	static const float coef[] = { 0x1.14efa8p-5f, 0x1.17cdecp-6f, 0x1.fdce92p-6f,
				      0x1.6d58dap-5f, 0x1.33343cp-4f, 0x1.555554p-3f };

	return ALU(ADD, w, ALU(MUL, w, ALU(MUL, z, ir_map_poly(b, z, coef, 6))));
}

/* For arguments beyond one half: asin(a) = pi/2 - 2 asin(sqrt((1 - a) / 2)). */
static marg asin_parts(struct ir_map_builder *b, marg x, marg *large)
{
	marg a = FUNC(ABS, x), z, w;

	*large = ALU(GT, a, F(0.5f));
	z = SELECT(*large, ALU(MUL, ALU(SUB, F(1.0f), a), F(0.5f)), FUNC(SQUARE, a));
	w = SELECT(*large, FUNC(SQRT, z), a);
	/* Outside [-1, 1] there is no angle; sqrt(z) is NaN then. */
	return asin_kernel(b, w, z);
}

static marg asin_of(struct ir_map_builder *b, marg x)
{
	marg large, r = asin_parts(b, x, &large);
	marg far = ALU(SUB, F((float)M_PI_2), ALU(MUL, r, F(2.0f)));

	return with_sign(b, SELECT(large, far, r), x);
}

static marg acos_of(struct ir_map_builder *b, marg x)
{
	marg large, r = asin_parts(b, x, &large), twice = ALU(MUL, r, F(2.0f));
	marg far = SELECT(ALU(LT, x, F(0.0f)), ALU(SUB, F((float)M_PI), twice), twice);

	return SELECT(large, far, ALU(SUB, F((float)M_PI_2), with_sign(b, r, x)));
}

/* With m = exp(-a) - 1, which ELU gives without cancellation: -m (2 + m) exp(a) / 2. */
static marg sinh_of(struct ir_map_builder *b, marg x)
{
	marg a = FUNC(ABS, x);
	marg m = ir_map_func_alpha(b, NCA_FUNC_ELU, ALU(MUL, a, F(-1.0f)), 1.0f);
	marg y = ALU(MUL, ALU(MUL, m, ALU(ADD, m, F(2.0f))), F(-0.5f));

	return with_sign(b, ALU(MUL, y, FUNC(EXP, a)), x);
}

static marg cosh_of(struct ir_map_builder *b, marg x)
{
	marg e = FUNC(EXP, FUNC(ABS, x));

	return ALU(ADD, ALU(MUL, e, F(0.5f)), ALU(DIV, F(0.5f), e));
}

/* log1p(a + a^2 / (1 + sqrt(a^2 + 1))); where a^2 would overflow, log(a) + log(2) */
static marg asinh_of(struct ir_map_builder *b, marg x)
{
	marg a = FUNC(ABS, x), near = ALU(MIN, a, F(1e9f)), s = FUNC(SQUARE, near);
	marg root = FUNC(SQRT, ALU(ADD, s, F(1.0f)));
	marg y = log1p_of(b, ALU(ADD, near, ALU(DIV, s, ALU(ADD, root, F(1.0f)))));
	marg far = ALU(ADD, FUNC(LOG, a), F((float)M_LN2));

	return with_sign(b, SELECT(ALU(GT, a, F(1e9f)), far, y), x);
}

/* With t = x - 1: log1p(t + sqrt(2 t + t^2)). */
static marg acosh_of(struct ir_map_builder *b, marg x)
{
	marg t = ALU(SUB, ALU(MIN, x, F(1e9f)), F(1.0f));
	marg root = FUNC(SQRT, ALU(MUL, t, ALU(ADD, t, F(2.0f))));
	marg y = log1p_of(b, ALU(ADD, t, root)), far = ALU(ADD, FUNC(LOG, x), F((float)M_LN2));

	return SELECT(ALU(GT, x, F(1e9f)), far, y);
}

static marg atanh_of(struct ir_map_builder *b, marg x)
{
	marg a = FUNC(ABS, x);
	marg u = ALU(DIV, ALU(MUL, a, F(2.0f)), ALU(SUB, F(1.0f), a));

	return with_sign(b, ALU(MUL, log1p_of(b, u), F(0.5f)), x);
}

static marg softsign_of(struct ir_map_builder *b, marg x)
{
	return ALU(DIV, x, ALU(ADD, FUNC(ABS, x), F(1.0f)));
}

static const struct function {
	const char *type;
	marg (*build)(struct ir_map_builder *b, marg x);
} functions[] = {
	{ "Acos", acos_of },   { "Acosh", acosh_of }, { "Asin", asin_of },
	{ "Asinh", asinh_of }, { "Atan", atan_of },   { "Atanh", atanh_of },
	{ "Cosh", cosh_of },   { "Sinh", sinh_of },   { "Softsign", softsign_of },
	{ "Tan", tan_of },
};

static void need_float(struct onnx_node *n, size_t min, size_t max)
{
	onnx_need_inputs(n, min, max);
	for (size_t i = 0; i < n->num_in; i++)
		if (n->in[i] && !ir_is_float(n->in[i]->type.dtype))
			onnx_node_fail(n, "operand %zu has element type %s, and only floating-point "
				       "tensors can be compiled", i,
				       ir_dtype_name(n->in[i]->type.dtype));
}

static struct ir_value *import_function(struct onnx_node *n, const struct function *f)
{
	struct ir_map_builder b;

	need_float(n, 1, 1);
	onnx_map_begin(n, &b);
	return ir_map_end(&b, f->build(&b, ir_map_input(&b, n->in[0])), n->in[0]->type.dtype);
}

static struct ir_value *import_prelu(struct onnx_node *n)
{
	struct ir_map_builder builder, *b = &builder;
	bool is_float;
	marg x, slope;

	onnx_need_inputs(n, 2, 2);
	if (n->opset < 7 && n->in[0]->type.rank > 2 && n->in[1]->type.rank == 1) {
		int64_t dims[IR_MAX_RANK];	/* a slope for each channel */
		int rank = n->in[0]->type.rank - 1;

		for (int i = 0; i < rank; i++)
			dims[i] = i ? 1 : n->in[1]->type.dim[0];
		n->in[1] = onnx_reshape(n, n->in[1], rank, dims);
	}
	is_float = ir_is_float(n->in[0]->type.dtype);
	onnx_map_begin(n, b);
	x = ir_map_input(b, n->in[0]);
	slope = ir_map_input(b, n->in[1]);
	return ir_map_end(b, SELECT(ALU(LT, x, is_float ? F(0.0f) : ir_map_int(0)),
				    ALU(MUL, x, slope), x), n->in[0]->type.dtype);
}

static struct ir_value *import_celu(struct onnx_node *n)
{
	struct ir_map_builder builder, *b = &builder;
	float alpha = 1.0f;
	marg x;

	need_float(n, 1, 1);
	onnx_attr_float(n, "alpha", &alpha);
	if (alpha == 0.0f)
		onnx_node_fail(n, "alpha is zero");
	onnx_map_begin(n, b);
	x = ir_map_input(b, n->in[0]);
	x = ir_map_func_alpha(b, NCA_FUNC_ELU, ALU(DIV, x, F(alpha)), 1.0f);
	return ir_map_end(b, ALU(MUL, x, F(alpha)), n->in[0]->type.dtype);
}

static struct ir_value *import_thresholded_relu(struct onnx_node *n)
{
	struct ir_map_builder builder, *b = &builder;
	float alpha = 1.0f;
	marg x;

	need_float(n, 1, 1);
	onnx_attr_float(n, "alpha", &alpha);
	onnx_map_begin(n, b);
	x = ir_map_input(b, n->in[0]);
	return ir_map_end(b, SELECT(ALU(GT, x, F(alpha)), x, F(0.0f)), n->in[0]->type.dtype);
}

static struct ir_value *import_shrink(struct onnx_node *n)
{
	struct ir_map_builder builder, *b = &builder;
	float bias = 0.0f, lambd = 0.5f;
	marg x, y;

	need_float(n, 1, 1);
	onnx_attr_float(n, "bias", &bias);
	onnx_attr_float(n, "lambd", &lambd);
	onnx_map_begin(n, b);
	x = ir_map_input(b, n->in[0]);
	y = SELECT(ALU(GT, x, F(lambd)), ALU(SUB, x, F(bias)), F(0.0f));
	y = SELECT(ALU(LT, x, F(-lambd)), ALU(ADD, x, F(bias)), y);
	return ir_map_end(b, y, n->in[0]->type.dtype);
}

struct ir_value *onnx_import_math(struct onnx_node *n)
{
	static const struct onnx_importer table[] = {
		{ "Celu", import_celu },
		{ "PRelu", import_prelu },
		{ "Shrink", import_shrink },
		{ "ThresholdedRelu", import_thresholded_relu },
	};

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		if (onnx_is(n, functions[i].type))
			return import_function(n, &functions[i]);
	return onnx_import_from(n, table, sizeof(table) / sizeof(table[0]));
}
