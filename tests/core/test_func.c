/* SPDX-License-Identifier: MIT */
/*
 * Accuracy of the activation functions against the host's libm in double
 * precision: every 61st FP32 pattern. The bounds are those of the data sheet.
 */
#include <CUnit/Basic.h>
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "firmware-sim/core/kernels.h"
#include "harness.h"

static double r_identity(double x) { return x; }
static double r_sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double r_gelu(double x) { return 0.5 * x * erfc(-x * M_SQRT1_2); }
static double r_silu(double x) { return x / (1 + exp(-x)); }
static double r_softplus(double x) { return fmax(x, 0) + log1p(exp(-fabs(x))); }
static double r_rsqrt(double x) { return 1 / sqrt(x); }
static double r_square(double x) { return x * x; }
static double r_recip(double x) { return 1 / x; }
static double r_elu(double x) { return x > 0 ? x : expm1(x); }
static double r_mish(double x) { return x * tanh(r_softplus(x)); }

static double r_gelu_tanh(double x)
{
	/* 0.5 (1 + tanh y) = 1 / (1 + exp(-2 y)) without the cancellation */
	return x / (1 + exp(-2 * sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

static const struct {
	const char *name;
	uint32_t func;
	double (*ref)(double);
	float lo, hi;		/* arguments for which the relative error is bounded */
	double ulp;		/* bound in ulp of the result */
	double absolute;	/* or an absolute error that is enough */
} f[] = {
	{ "IDENTITY", NCA_FUNC_IDENTITY, r_identity, -FLT_MAX, FLT_MAX, 0, 0 },
	{ "EXP", NCA_FUNC_EXP, exp, -87.33f, 88.72f, 1.1, 0 },
	{ "LOG", NCA_FUNC_LOG, log, 0x1p-149f, FLT_MAX, 1.1, 0 },
	{ "SIGMOID", NCA_FUNC_SIGMOID, r_sigmoid, -87.0f, FLT_MAX, 2.6, 0 },
	{ "TANH", NCA_FUNC_TANH, tanh, -FLT_MAX, FLT_MAX, 2.6, 0 },
	{ "GELU", NCA_FUNC_GELU, r_gelu, -1.0f, FLT_MAX, 5, 0 },
	{ "GELU, negative tail", NCA_FUNC_GELU, r_gelu, -FLT_MAX, -1.0f, 0, 3e-7 },
	{ "GELU_TANH", NCA_FUNC_GELU_TANH, r_gelu_tanh, -1.0f, 1e12f, 5, 0 },
	{ "SILU", NCA_FUNC_SILU, r_silu, -80.0f, FLT_MAX, 3, 0 },
	{ "SOFTPLUS", NCA_FUNC_SOFTPLUS, r_softplus, -80.0f, FLT_MAX, 3, 0 },
	{ "SQRT", NCA_FUNC_SQRT, sqrt, 0, FLT_MAX, 0.5001, 0 },
	{ "RSQRT", NCA_FUNC_RSQRT, r_rsqrt, 0x1p-126f, FLT_MAX, 1.5, 0 },
	{ "SQUARE", NCA_FUNC_SQUARE, r_square, 0x1p-62f, 0x1p63f, 0.5001, 0 },
	{ "ERF", NCA_FUNC_ERF, erf, -FLT_MAX, FLT_MAX, 1.2, 0 },
	{ "SIN", NCA_FUNC_SIN, sin, -131072.0f, 131072.0f, 2, 0 },
	{ "COS", NCA_FUNC_COS, cos, -131072.0f, 131072.0f, 2, 0 },
	{ "MISH", NCA_FUNC_MISH, r_mish, -80.0f, FLT_MAX, 4, 0 },
	{ "RECIPROCAL", NCA_FUNC_RECIPROCAL, r_recip, 0x1p-126f, 0x1p126f, 0.5001, 0 },
	{ "ELU", NCA_FUNC_ELU, r_elu, -FLT_MAX, FLT_MAX, 2, 0 },
	{ "FLOOR", NCA_FUNC_FLOOR, floor, -FLT_MAX, FLT_MAX, 0, 0 },
	{ "CEIL", NCA_FUNC_CEIL, ceil, -FLT_MAX, FLT_MAX, 0, 0 },
	{ "ROUND", NCA_FUNC_ROUND, rint, -FLT_MAX, FLT_MAX, 0, 0 },
	{ "ABS", NCA_FUNC_ABS, fabs, -FLT_MAX, FLT_MAX, 0, 0 },
};

static double ulp_of(double v)
{
	int e;

	frexp(fabs(v), &e);
	return ldexp(1, e - 24 < -149 ? -149 : e - 24);
}

static void accuracy(void)
{
	for (size_t i = 0; i < sizeof(f) / sizeof(f[0]); i++) {
		double worst = 0, worst_abs = 0;
		float at = 0;

		for (uint64_t b = 0; b < 1ull << 32; b += 1021) {
			float x = bits_float((uint32_t)b), y;
			double want, err;

			if (!(x >= f[i].lo && x <= f[i].hi))
				continue;
			want = f[i].ref(x);
			if (fabs(want) < FLT_MIN || fabs(want) > FLT_MAX)
				continue;
			y = golden_func(f[i].func, x, f[i].func == NCA_FUNC_ELU ? 0x3f800000 : 0);
			err = fabs(y - want) / ulp_of(want);
			if (fabs(y - want) > worst_abs)
				worst_abs = fabs(y - want);
			if (!(err <= worst)) {
				worst = err;
				at = x;
			}
		}
		printf("\n    %-20s %.3f ulp at %a, absolute %.2e", f[i].name, worst, (double)at, worst_abs);
		if (f[i].absolute > 0)
			CU_ASSERT(worst_abs <= f[i].absolute)
		else
			CU_ASSERT(worst <= f[i].ulp);
	}
	printf("\n");
}

static uint32_t bits_of(uint32_t func, uint32_t x)
{
	return float_bits(golden_func(func, bits_float(x), 0));
}

/* Where a formula alone would go wrong. */
static void special_values(void)
{
	const uint32_t inf = 0x7f800000, ninf = 0xff800000, nzero = 0x80000000, one = 0x3f800000;

	for (uint32_t i = 0; i < NCA_FUNC_COUNT; i++)
		CU_ASSERT_EQUAL(bits_of(i, 0xffc12345), CANONICAL_NAN);
	CU_ASSERT_EQUAL(bits_of(NCA_FUNC_EXP, inf), inf);
	CU_ASSERT_EQUAL(bits_of(NCA_FUNC_EXP, ninf), 0);
	CU_ASSERT_EQUAL(bits_of(NCA_FUNC_EXP, 0xc2ce8ed0), 1);	/* -103.28: a denormal */
	CU_ASSERT_EQUAL(bits_of(NCA_FUNC_LOG, 0), ninf);
	CU_ASSERT_EQUAL(bits_of(NCA_FUNC_LOG, nzero), ninf);
	CU_ASSERT_EQUAL(bits_of(NCA_FUNC_LOG, inf), inf);
	CU_ASSERT_EQUAL(bits_of(NCA_FUNC_LOG, 0xbf800000), CANONICAL_NAN);
	CU_ASSERT_EQUAL(bits_of(NCA_FUNC_LOG, one), 0);
	CU_ASSERT_EQUAL(bits_of(NCA_FUNC_TANH, ninf), 0xbf800000);
	CU_ASSERT_EQUAL(bits_of(NCA_FUNC_ERF, inf), one);
	CU_ASSERT_EQUAL(bits_of(NCA_FUNC_SILU, ninf), nzero);
	CU_ASSERT_EQUAL(bits_of(NCA_FUNC_GELU, ninf), nzero);
	CU_ASSERT_EQUAL(bits_of(NCA_FUNC_GELU_TANH, ninf), nzero);
	CU_ASSERT_EQUAL(bits_of(NCA_FUNC_MISH, ninf), nzero);
	CU_ASSERT_EQUAL(bits_of(NCA_FUNC_SILU, inf), inf);
	CU_ASSERT_EQUAL(bits_of(NCA_FUNC_SOFTPLUS, inf), inf);
	CU_ASSERT_EQUAL(bits_of(NCA_FUNC_RELU, nzero), 0);
	CU_ASSERT_EQUAL(bits_of(NCA_FUNC_SQRT, 0xbf800000), CANONICAL_NAN);
	CU_ASSERT_EQUAL(bits_of(NCA_FUNC_RSQRT, 0), inf);
	CU_ASSERT_EQUAL(bits_of(NCA_FUNC_SIN, inf), CANONICAL_NAN);
	CU_ASSERT_EQUAL(bits_of(NCA_FUNC_ROUND, 0x40200000), 0x40000000);	/* 2.5 to 2 */
}

static uint32_t narrowed(float v, uint32_t type)
{
	return golden_from_fp32(v, type);
}

/* Rounding of the small formats, by hand. */
static void formats(void)
{
	CU_ASSERT_EQUAL(narrowed(1.00390625f, NCA_BF16), 0x3f80);	/* tie to even */
	CU_ASSERT_EQUAL(narrowed(1.01171875f, NCA_BF16), 0x3f82);
	CU_ASSERT_EQUAL(narrowed(65519.0f, NCA_FP16), 0x7bff);
	CU_ASSERT_EQUAL(narrowed(65520.0f, NCA_FP16), 0x7c00);
	CU_ASSERT_EQUAL(narrowed(0x1p-24f, NCA_FP16), 1);
	CU_ASSERT_EQUAL(narrowed(0x1p-25f, NCA_FP16), 0);
	CU_ASSERT_EQUAL(narrowed(0x1.8p-25f, NCA_FP16), 1);
	CU_ASSERT_EQUAL(narrowed(448.0f, NCA_FP8E4M3), 0x7e);
	CU_ASSERT_EQUAL(narrowed(1e9f, NCA_FP8E4M3), 0x7e);
	CU_ASSERT_EQUAL(narrowed(-INFINITY, NCA_FP8E4M3), 0xfe);
	CU_ASSERT_EQUAL(narrowed(0x1p-9f, NCA_FP8E4M3), 1);
	CU_ASSERT_EQUAL(narrowed(17.0f, NCA_FP8E4M3), 0x58);	/* tie between 16 and 18 */
	CU_ASSERT_EQUAL(narrowed(57344.0f, NCA_FP8E5M2), 0x7b);
	CU_ASSERT_EQUAL(narrowed(INFINITY, NCA_FP8E5M2), 0x7b);
	CU_ASSERT_EQUAL(narrowed(NAN, NCA_FP8E5M2), 0x7e);
	CU_ASSERT_EQUAL(narrowed(2.5f, NCA_INT32), 2);
	CU_ASSERT_EQUAL(narrowed(-129.0f, NCA_INT8), 0x80);
	CU_ASSERT_EQUAL(narrowed(3e9f, NCA_INT32), INT32_MAX);
	CU_ASSERT_EQUAL(narrowed(3e9f, NCA_UINT32), 3000000000u);
	CU_ASSERT_EQUAL(narrowed(-1.0f, NCA_UINT8), 0);
	CU_ASSERT_EQUAL(narrowed(NAN, NCA_INT16), 0);
	CU_ASSERT_EQUAL(golden_tf32(0x1.001p0f), 1.0f);
	CU_ASSERT_EQUAL(golden_tf32(0x1.003p0f), 0x1.004p0f);
	/* Every small value survives the way to FP32 and back. */
	for (uint32_t t = NCA_BF16; t <= NCA_FP8E5M2; t++) {
		uint32_t n = nca_dtype_size(t) == 2 ? 65536 : 256;

		for (uint32_t b = 0; b < n; b++) {
			float v = golden_to_fp32(b, t);

			if (v == v && !(isinf(v) && t == NCA_FP8E5M2))
				CU_ASSERT_EQUAL(golden_from_fp32(v, t), b);
		}
	}
}

void suite_func(void)
{
	CU_pSuite s = CU_add_suite("numbers", NULL, NULL);

	CU_add_test(s, "formats", formats);
	CU_add_test(s, "special values", special_values);
	CU_add_test(s, "accuracy of functions", accuracy);
}
