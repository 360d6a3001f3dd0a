/* SPDX-License-Identifier: MIT */
/* Activation functions on vectors: a part of vector.inc.h, which includes this. */
/* ---- activation functions ---------------------------------------------------------- */
INLINE vf horner(vf x, const float *c, int n)
{
	vf p = splatf(c[0]);

	for (int i = 1; i < n; i++)
		p = v_fma(p, x, splatf(c[i]));
	return p;
}

#define HORNER(x, ...) ({					\
	static const float coef_[] = __VA_ARGS__;		\
	horner(x, coef_, sizeof(coef_) / sizeof(coef_[0]));	\
})

INLINE vf power_of_two(vi n)
{
	return (vf)((n + 127) << 23);
}

INLINE vf exp_reduced(vf x, vi *n)
{
	vf k = v_rint(x * LOG2E), r;

	*n = v_cvt(k);
	r = v_fma(k, splatf(-LN2_HI), x);
	r = v_fma(k, splatf(-LN2_LO), r);
	return v_fma(r * r, HORNER(r, EXP_COEF), r);
}

/* Called, not inlined: seven functions contain it. */
static __attribute__((noinline)) vf f_exp(vf x)
{
	vi n, nan = x != x;
	vf y;

	x = pickf(x < EXP_MIN, splatf(EXP_MIN), x);
	x = pickf(x > EXP_MAX, splatf(EXP_MAX), x);
	y = exp_reduced(x, &n) + 1.0f;
	n = n & ~nan;
	y = y * power_of_two(n >> 1);
	return y * power_of_two(n - (n >> 1));
}

INLINE vf f_expm1(vf x)
{
	vi n, nan = x != x;
	vf e = exp_reduced(x, &n), s = power_of_two(n & ~nan);

	return v_fma(s, e, s - 1.0f);
}

INLINE vf f_log(vf x)
{
	vi tiny = x < FLT_MIN, i, e;
	vf y, f, s, k, x0 = x;

	x = pickf(tiny, x * 0x1p23f, x);
	i = (vi)((vu)(vi)x - SQRT_HALF_BITS);
	e = (i >> 23) - (tiny & 23);
	f = (vf)((i & 0x7fffff) + (int32_t)SQRT_HALF_BITS) - 1.0f;
	k = __builtin_convertvector(e, vf);
	s = f * f;
	y = v_fma(f * s, HORNER(f, LOG_COEF), k * LN2_LO);
	y = v_fma(splatf(-0.5f), s, y);
	y = f + y;
	y = v_fma(k, splatf(LN2_HI), y);
	y = pickf(x0 == INFINITY, x0, y);
	y = pickf(x0 == 0.0f, splatf(-INFINITY), y);
	return pickf((x0 != x0) | (x0 < 0.0f), (vf)splat(CANONICAL_NAN), y);
}

INLINE vf f_tanh(vf x)
{
	vf a = absf(x), e;

	a = pickf(a > TANH_MAX, splatf(TANH_MAX), a);
	e = f_expm1(a + a);
	return with_sign(e / (e + 2.0f), x);
}

INLINE vf f_erf(vf x)
{
	vf a = absf(x), c, small, large;

	small = v_fma(x, HORNER(x * x, ERF_SMALL_COEF), x);
	c = pickf(a > ERF_MAX, splatf(ERF_MAX), a);
	large = v_fma(c, HORNER(c, ERF_LARGE_COEF), c);
	large = with_sign(1.0f - f_exp(-large), x);
	return pickf(a <= ERF_SMALL, small, large);
}

INLINE vf f_sine(vf x, float quarter)
{
	vf k = v_rint(x * TWO_OVER_PI), r, s, y, c;
	vi odd;

	r = v_fma(k, splatf(-PI_2_HI), x);
	r = v_fma(k, splatf(-PI_2_MID), r);
	r = v_fma(k, splatf(-PI_2_LO), r);
	k = k + quarter;
	k = k - 4.0f * v_floor(k * 0.25f);
	s = r * r;
	c = v_fma(s * s, HORNER(s, COS_COEF), v_fma(splatf(-0.5f), s, splatf(1.0f)));
	y = v_fma(r * s, HORNER(s, SIN_COEF), r);
	odd = (k == 1.0f) | (k == 3.0f);
	y = pickf(odd, c, y);
	y = (vf)((vi)y ^ ((vi)(k >= 2.0f) & INT32_MIN));
	return pickf(absf(x) < SIN_MAX, y, (vf)splat(CANONICAL_NAN));
}

INLINE vf f_softplus(vf x)
{
	vf u = f_exp(-absf(x)), w = u + 1.0f, l = f_log(w) * (u / (w - 1.0f));

	l = pickf(w == 1.0f, u, l);
	return pickf(x > 0.0f, x, splatf(0)) + l;
}

INLINE vf f_mish(vf x)
{
	vf e = f_exp(pickf(x > MISH_MAX, splatf(MISH_MAX), x)), n = e * (e + 2.0f);

	return x * (n / (n + 2.0f));
}

INLINE vf not_minus_inf(vf x)
{
	return pickf(x < -FLT_MAX, splatf(-FLT_MAX), x);
}

INLINE vf f_sign(vf x)
{
	return pickf(x > 0.0f, splatf(1), pickf(x < 0.0f, splatf(-1), x));
}

INLINE vf f_elu(vf x, float alpha)
{
	vf m = pickf(x < EXPM1_MIN, splatf(EXPM1_MIN), x);

	m = pickf(x > 0.0f, splatf(0), m);	/* stays in the range of expm1 */
	return pickf(x > 0.0f, x, f_expm1(m) * alpha);
}

INLINE vf f_gelu_tanh(vf x)
{
	return x * 0.5f * (f_tanh(v_fma(x * GELU_CUBIC, x * x, x) * SQRT_2_PI) + 1.0f);
}

#define FUNC(name, expr)						\
	case name:							\
		for (uint32_t r = 0; r < n; r++) {			\
			for (uint32_t i = 0; i < lanes; i += VL) {	\
				vf x = (vf)ld(a + r * LANES + i);	\
									\
				st(a + r * LANES + i, (vi)(expr));	\
			}						\
		}							\
		break

static void func(uint32_t *a, uint32_t n, uint32_t lanes, uint32_t f, uint32_t param)
{
	float alpha = bits_float(param);

	switch (f) {
	FUNC(NCA_FUNC_RELU, maximum(x, splatf(0)));
	FUNC(NCA_FUNC_LRELU, pickf(x >= 0.0f, x, x * alpha));
	FUNC(NCA_FUNC_EXP, f_exp(x));
	FUNC(NCA_FUNC_LOG, f_log(x));
	FUNC(NCA_FUNC_SIGMOID, 1.0f / (f_exp(-x) + 1.0f));
	FUNC(NCA_FUNC_TANH, f_tanh(x));
	FUNC(NCA_FUNC_GELU, not_minus_inf(x) * 0.5f * (f_erf(not_minus_inf(x) * SQRT_HALF) + 1.0f));
	FUNC(NCA_FUNC_GELU_TANH, f_gelu_tanh(not_minus_inf(x)));
	FUNC(NCA_FUNC_SILU, not_minus_inf(x) / (f_exp(-not_minus_inf(x)) + 1.0f));
	FUNC(NCA_FUNC_SOFTPLUS, f_softplus(x));
	FUNC(NCA_FUNC_SQRT, v_sqrt(x));
	FUNC(NCA_FUNC_RSQRT, 1.0f / v_sqrt(x));
	FUNC(NCA_FUNC_SQUARE, x * x);
	FUNC(NCA_FUNC_ERF, f_erf(x));
	FUNC(NCA_FUNC_SIN, f_sine(x, 0.0f));
	FUNC(NCA_FUNC_COS, f_sine(x, 1.0f));
	FUNC(NCA_FUNC_MISH, f_mish(not_minus_inf(x)));
	FUNC(NCA_FUNC_ABS, absf(x));
	FUNC(NCA_FUNC_SIGN, f_sign(x));
	FUNC(NCA_FUNC_RECIPROCAL, 1.0f / x);
	FUNC(NCA_FUNC_ELU, f_elu(x, alpha));
	FUNC(NCA_FUNC_FLOOR, v_floor(x));
	FUNC(NCA_FUNC_CEIL, v_ceil(x));
	FUNC(NCA_FUNC_ROUND, v_rint(x));
	default:
		break;
	}
}
