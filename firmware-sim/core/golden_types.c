/* SPDX-License-Identifier: MIT */
/*
 * Number formats, one value at a time, as the data sheet defines them: widening
 * is exact, narrowing rounds to nearest even, integers saturate, NaN becomes
 * the canonical NaN of the target format and 0 in an integer.
 */
#include <math.h>

#include "kernels.h"

/* Small floating formats: @e exponent bits, @m mantissa bits, bias 2^(e-1) - 1. */
static float widen_small(uint32_t bits, int e, int m, bool has_inf)
{
	uint32_t sign = bits >> (e + m) & 1, exp = bits >> m & ((1u << e) - 1);
	uint32_t man = bits & ((1u << m) - 1), emax = (1u << e) - 1;
	int bias = (1 << (e - 1)) - 1;
	float v;

	if (exp == emax && has_inf)
		v = man ? bits_float(CANONICAL_NAN) : INFINITY;
	else if (exp == emax && man == (1u << m) - 1 && !has_inf)
		v = bits_float(CANONICAL_NAN);
	else if (exp)
		v = ldexpf((float)(man | 1u << m), (int)exp - bias - m);
	else
		v = ldexpf((float)man, 1 - bias - m);
	return v != v ? v : sign ? -v : v;
}

/* @max: largest finite value's bits without sign; @over: what lies beyond it becomes. */
static uint32_t narrow_small(float v, int e, int m, uint32_t max, uint32_t over, uint32_t nan)
{
	int bias = (1 << (e - 1)) - 1, exp;
	uint32_t sign = float_bits(v) >> 31 << (e + m), q;
	float a = fabsf(v), scaled;

	if (v != v)
		return nan;
	if (a == 0)
		return sign;
	if (isinf(a))
		return sign | over;
	frexpf(a, &exp);	/* a = f * 2^exp, f in [0.5, 1) */
	exp--;
	if (exp < 1 - bias)
		exp = 1 - bias;	/* denormals share the least exponent */
	/*
	 * In units of the last place: a power-of-two scaling is exact, because the
	 * result is below 2^(m + 1) and a's own last place is no smaller than 2^-149.
	 */
	scaled = (float)rint(ldexp((double)a, m - exp));
	q = (uint32_t)scaled;
	if (q >> m)		/* normal, or rounded up into the next binade */
		q += (uint32_t)(exp + bias - 1) << m;
	return sign | (q > max ? over : q);
}

float golden_to_fp32(uint32_t bits, uint32_t dtype)
{
	switch (dtype) {
	case NCA_FP32:
		return bits_float(bits);
	case NCA_BF16:
		return bits_float(bits << 16);
	case NCA_FP16:
		return widen_small(bits & 0xffff, 5, 10, true);
	case NCA_FP8E4M3:
		return widen_small(bits & 0xff, 4, 3, false);
	case NCA_FP8E5M2:
		return widen_small(bits & 0xff, 5, 2, true);
	case NCA_UINT32:
		return (float)bits;
	default:
		return (float)(int32_t)golden_to_int(bits, dtype);
	}
}

uint32_t golden_to_int(uint32_t bits, uint32_t dtype)
{
	switch (dtype) {
	case NCA_INT16:
		return (uint32_t)(int16_t)bits;
	case NCA_UINT16:
		return bits & 0xffff;
	case NCA_INT8:
		return (uint32_t)(int8_t)bits;
	case NCA_UINT8:
		return bits & 0xff;
	default:
		return bits;
	}
}

static int64_t clamp(int64_t v, int64_t lo, int64_t hi)
{
	return v < lo ? lo : v > hi ? hi : v;
}

static uint32_t narrow_int(int64_t v, uint32_t dtype)
{
	switch (dtype) {
	case NCA_INT32:
		return (uint32_t)clamp(v, INT32_MIN, INT32_MAX);
	case NCA_UINT32:
		return (uint32_t)clamp(v, 0, UINT32_MAX);
	case NCA_INT16:
		return (uint32_t)clamp(v, INT16_MIN, INT16_MAX) & 0xffff;
	case NCA_UINT16:
		return (uint32_t)clamp(v, 0, UINT16_MAX);
	case NCA_INT8:
		return (uint32_t)clamp(v, INT8_MIN, INT8_MAX) & 0xff;
	default:
		return (uint32_t)clamp(v, 0, UINT8_MAX);
	}
}

uint32_t golden_from_fp32(float v, uint32_t dtype)
{
	uint32_t bits = canonical_bits(v);

	switch (dtype) {
	case NCA_FP32:
		return bits;
	case NCA_BF16:
		if (v != v)
			return CANONICAL_NAN >> 16;
		/* To nearest, ties to even; a carry into the exponent is right. */
		return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
	case NCA_FP16:
		return narrow_small(v, 5, 10, 0x7bff, 0x7c00, 0x7e00);
	case NCA_FP8E4M3:
		return narrow_small(v, 4, 3, 0x7e, 0x7e, 0x7f);
	case NCA_FP8E5M2:
		return narrow_small(v, 5, 2, 0x7b, 0x7b, 0x7e);
	default:
		if (v != v)
			return 0;
		if (fabsf(v) > 1e10f)
			v = v < 0 ? -1e10f : 1e10f;
		return narrow_int((int64_t)rintf(v), dtype);
	}
}

uint32_t golden_from_int(uint32_t v, uint32_t dtype, enum domain dom)
{
	int64_t wide = dom == DOM_UINT ? (int64_t)v : (int64_t)(int32_t)v;

	if (dtype >= NCA_INT32)
		return narrow_int(wide, dtype);
	/* One rounding to FP32, one more to a narrower type. */
	return golden_from_fp32((float)wide, dtype);
}

/* Ten mantissa bits, to nearest even; infinities and NaN stay. */
float golden_tf32(float v)
{
	uint32_t bits = float_bits(v);

	if (isnan(v) || isinf(v))
		return v;
	bits += 0xfff + (bits >> 13 & 1);
	return bits_float(bits & ~0x1fffu);
}
