/* SPDX-License-Identifier: MIT */
/* ALU operations, one value at a time, as the data sheet defines them. */
#include <math.h>

#include "kernels.h"

/* IEEE 754-2019 maximum and minimum: NaN wins, and -0 is less than +0. */
static float maximum(float a, float b)
{
	if (a != a || b != b)
		return bits_float(CANONICAL_NAN);
	if (a == b)
		return signbit(a) ? b : a;
	return a > b ? a : b;
}

static float minimum(float a, float b)
{
	if (a != a || b != b)
		return bits_float(CANONICAL_NAN);
	if (a == b)
		return signbit(a) ? a : b;
	return a < b ? a : b;
}

static float alu_fp(uint32_t op, float a, float b)
{
	switch (op) {
	case NCA_ALU_ADD:
		return a + b;
	case NCA_ALU_SUB:
		return a - b;
	case NCA_ALU_MUL:
		return a * b;
	case NCA_ALU_DIV:
		return a / b;
	case NCA_ALU_MAX:
		return maximum(a, b);
	case NCA_ALU_MIN:
		return minimum(a, b);
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
		return a != 0 && b != 0;
	case NCA_ALU_LOR:
		return a != 0 || b != 0;
	case NCA_ALU_POW:
		return golden_pow(a, b);
	case NCA_ALU_MOD:
		return fmodf(a, b);
	case NCA_ALU_ABSMAX:
		return maximum(fabsf(a), fabsf(b));
	default:
		return a;
	}
}

static uint32_t shift(uint32_t op, uint32_t a, uint32_t b)
{
	if (b > 31) {	/* every bit is shifted out */
		if (op == NCA_ALU_SAR)
			return a >> 31 ? UINT32_MAX : 0;
		return 0;
	}
	if (op == NCA_ALU_SHL)
		return a << b;
	if (op == NCA_ALU_SHR)
		return a >> b;
	return (uint32_t)((int64_t)(int32_t)a >> b);
}

static uint32_t divide(uint32_t a, uint32_t b, bool rest, bool is_unsigned)
{
	int64_t x = is_unsigned ? (int64_t)a : (int32_t)a;
	int64_t y = is_unsigned ? (int64_t)b : (int32_t)b;

	if (!y)
		return 0;
	return (uint32_t)(rest ? x % y : x / y);
}

static uint32_t alu_int(uint32_t op, uint32_t a, uint32_t b, bool is_unsigned)
{
	int64_t x = is_unsigned ? (int64_t)a : (int32_t)a;
	int64_t y = is_unsigned ? (int64_t)b : (int32_t)b;

	switch (op) {
	case NCA_ALU_ADD:
		return a + b;
	case NCA_ALU_SUB:
		return a - b;
	case NCA_ALU_MUL:
		return a * b;
	case NCA_ALU_DIV:
	case NCA_ALU_MOD:
		return divide(a, b, op == NCA_ALU_MOD, is_unsigned);
	case NCA_ALU_MAX:
		return x > y ? a : b;
	case NCA_ALU_MIN:
		return x < y ? a : b;
	case NCA_ALU_EQ:
		return x == y;
	case NCA_ALU_NE:
		return x != y;
	case NCA_ALU_LT:
		return x < y;
	case NCA_ALU_LE:
		return x <= y;
	case NCA_ALU_GT:
		return x > y;
	case NCA_ALU_GE:
		return x >= y;
	case NCA_ALU_AND:
		return a & b;
	case NCA_ALU_OR:
		return a | b;
	case NCA_ALU_XOR:
		return a ^ b;
	case NCA_ALU_SHL:
	case NCA_ALU_SHR:
	case NCA_ALU_SAR:
		return shift(op, a, b);
	case NCA_ALU_LAND:
		return a && b;
	case NCA_ALU_LOR:
		return a || b;
	case NCA_ALU_ABSMAX:
		a = x < 0 ? 0 - a : a;
		b = y < 0 ? 0 - b : b;
		return a > b ? a : b;
	default:
		return a;
	}
}

uint32_t golden_alu(uint32_t op, uint32_t a, uint32_t b, enum domain dom)
{
	if (dom == DOM_FP)
		return canonical_bits(alu_fp(op, bits_float(a), bits_float(b)));
	return alu_int(op, a, b, dom == DOM_UINT);
}
