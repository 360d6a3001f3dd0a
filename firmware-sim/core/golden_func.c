/* SPDX-License-Identifier: MIT */
/*
 * Activation functions, one value at a time: the sequences of FP32 operations
 * of the data sheet, in its order. fmaf, sqrtf, rintf, floorf, ceilf and fmodf
 * are exactly defined; nothing else of the host's libm is used.
 */
#include <float.h>
#include <math.h>

#include "func_coef.h"
#include "kernels.h"

static float horner(float x, const float *c, int n)
{
	float p = c[0];

	for (int i = 1; i < n; i++)
		p = fmaf(p, x, c[i]);
	return p;
}

#define HORNER(x, ...) ({					\
	static const float coef_[] = __VA_ARGS__;		\
	horner(x, coef_, sizeof(coef_) / sizeof(coef_[0]));	\
})

static float power_of_two(int n)	/* -126..127 */
{
	return bits_float((uint32_t)(n + 127) << 23);
}

/* x = n ln 2 + r; returns exp(r) - 1. */
static float exp_reduced(float x, int *n)
{
	float k = rintf(x * LOG2E), r;

	*n = (int)k;
	r = fmaf(k, -LN2_HI, x);
	r = fmaf(k, -LN2_LO, r);
	return fmaf(r * r, HORNER(r, EXP_COEF), r);
}

static float f_exp(float x)
{
	int n;
	float y;

	if (x != x)
		return x;
	if (x < EXP_MIN)
		x = EXP_MIN;
	if (x > EXP_MAX)
		x = EXP_MAX;
	y = 1.0f + exp_reduced(x, &n);
	/* In two steps: 2^n need not be a normal number. Only the second can round. */
	y *= power_of_two(n >> 1);
	return y * power_of_two(n - (n >> 1));
}

/* For -40 <= x <= 20, which callers see to. */
static float f_expm1(float x)
{
	int n;
	float e, s;

	if (x != x)
		return x;
	e = exp_reduced(x, &n);
	s = power_of_two(n);
	return fmaf(s, e, s - 1.0f);
}

static float f_log(float x)
{
	float f, s, y, k;
	uint32_t i;
	int e = 0;

	if (x != x || x < 0)
		return bits_float(CANONICAL_NAN);
	if (x == 0)
		return -INFINITY;
	if (isinf(x))
		return x;
	if (x < FLT_MIN) {
		x *= 0x1p23f;
		e = -23;
	}
	i = float_bits(x) - SQRT_HALF_BITS;
	e += (int32_t)i >> 23;
	f = bits_float((i & 0x7fffff) + SQRT_HALF_BITS) - 1.0f;
	k = (float)e;
	s = f * f;
	y = fmaf(f * s, HORNER(f, LOG_COEF), k * LN2_LO);
	y = fmaf(-0.5f, s, y);
	y = f + y;
	return fmaf(k, LN2_HI, y);
}

static float f_tanh(float x)
{
	float a = fabsf(x), e;

	if (a > TANH_MAX)
		a = TANH_MAX;
	e = f_expm1(a + a);
	return copysignf(e / (e + 2.0f), x);
}

static float f_erf(float x)
{
	float a = fabsf(x), y;

	if (a <= ERF_SMALL)
		return fmaf(x, HORNER(x * x, ERF_SMALL_COEF), x);
	if (a > ERF_MAX)
		a = ERF_MAX;
	y = fmaf(a, HORNER(a, ERF_LARGE_COEF), a);
	return copysignf(1.0f - f_exp(-y), x);
}

/* @quarter 0: sine, 1: cosine */
static float f_sine(float x, float quarter)
{
	float k, r, s, y;

	if (!(fabsf(x) < SIN_MAX))
		return bits_float(CANONICAL_NAN);
	k = rintf(x * TWO_OVER_PI);
	r = fmaf(k, -PI_2_HI, x);
	r = fmaf(k, -PI_2_MID, r);
	r = fmaf(k, -PI_2_LO, r);
	k = k + quarter;
	k = k - 4.0f * floorf(k * 0.25f);
	s = r * r;
	if (k == 1.0f || k == 3.0f)
		y = fmaf(s * s, HORNER(s, COS_COEF), fmaf(-0.5f, s, 1.0f));
	else
		y = fmaf(r * s, HORNER(s, SIN_COEF), r);
	return k >= 2.0f ? -y : y;
}

static float f_softplus(float x)
{
	float u = f_exp(-fabsf(x)), w = 1.0f + u, l;

	/* log(1 + u) with the rounding of 1 + u taken back out */
	l = w == 1.0f ? u : f_log(w) * (u / (w - 1.0f));
	return (x > 0 ? x : 0.0f) + l;
}

static float f_mish(float x)
{
	float e = f_exp(x > MISH_MAX ? MISH_MAX : x), n = e * (e + 2.0f);

	return x * (n / (n + 2.0f));
}

/* -inf would meet a factor of 0 in the functions that call this. */
static float not_minus_inf(float x)
{
	return x < -FLT_MAX ? -FLT_MAX : x;
}

static float func(uint32_t f, float x, uint32_t param)
{
	switch (f) {
	case NCA_FUNC_RELU:
		return bits_float(golden_alu(NCA_ALU_MAX, float_bits(x), 0, DOM_FP));
	case NCA_FUNC_LRELU:
		return x >= 0 ? x : bits_float(param) * x;
	case NCA_FUNC_EXP:
		return f_exp(x);
	case NCA_FUNC_LOG:
		return f_log(x);
	case NCA_FUNC_SIGMOID:
		return 1.0f / (1.0f + f_exp(-x));
	case NCA_FUNC_TANH:
		return f_tanh(x);
	case NCA_FUNC_GELU:
		x = not_minus_inf(x);
		return 0.5f * x * (1.0f + f_erf(x * SQRT_HALF));
	case NCA_FUNC_GELU_TANH:
		x = not_minus_inf(x);
		return 0.5f * x * (1.0f + f_tanh(SQRT_2_PI * fmaf(GELU_CUBIC * x, x * x, x)));
	case NCA_FUNC_SILU:
		x = not_minus_inf(x);
		return x / (1.0f + f_exp(-x));
	case NCA_FUNC_SOFTPLUS:
		return f_softplus(x);
	case NCA_FUNC_SQRT:
		return sqrtf(x);
	case NCA_FUNC_RSQRT:
		return 1.0f / sqrtf(x);
	case NCA_FUNC_SQUARE:
		return x * x;
	case NCA_FUNC_ERF:
		return f_erf(x);
	case NCA_FUNC_SIN:
		return f_sine(x, 0.0f);
	case NCA_FUNC_COS:
		return f_sine(x, 1.0f);
	case NCA_FUNC_MISH:
		return f_mish(not_minus_inf(x));
	case NCA_FUNC_ABS:
		return fabsf(x);
	case NCA_FUNC_SIGN:
		return x > 0 ? 1.0f : x < 0 ? -1.0f : x;
	case NCA_FUNC_RECIPROCAL:
		return 1.0f / x;
	case NCA_FUNC_ELU:
		return x > 0 ? x : bits_float(param) * f_expm1(x < EXPM1_MIN ? EXPM1_MIN : x);
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

float golden_func(uint32_t f, float x, uint32_t param)
{
	return bits_float(canonical_bits(func(f, x, param)));
}

/* POW of the ALU: exp(y log |x|), with the sign and the exact cases put right. */
float golden_pow(float x, float y)
{
	float r = f_exp(y * f_log(fabsf(x)));

	if (y == 0 || x == 1.0f)
		return 1.0f;
	if (!(x < 0))
		return r;
	if (rintf(y) != y)
		return bits_float(CANONICAL_NAN);
	return fabsf(y) < 0x1p24f && y * 0.5f != rintf(y * 0.5f) ? -r : r;
}
