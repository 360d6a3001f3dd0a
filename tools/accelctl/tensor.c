// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <nca/ncx.h>

#include "tensor.h"

void ctl_tensor_free(struct ctl_tensor *t)
{
	free(t->data);
	t->data = NULL;
}

uint32_t ctl_type_size(uint32_t type)
{
	switch (type) {
	case NCX_T_INT8:
	case NCX_T_UINT8:
	case NCX_T_BOOL:
		return 1;
	case NCX_T_BF16:
	case NCX_T_FP16:
	case NCX_T_INT16:
	case NCX_T_UINT16:
		return 2;
	case NCX_T_FP32:
	case NCX_T_INT32:
	case NCX_T_UINT32:
		return 4;
	case NCX_T_INT64:
	case NCX_T_UINT64:
	case NCX_T_FP64:
		return 8;
	default:
		return 0;
	}
}

bool ctl_tensor_measure(struct ctl_tensor *t)
{
	uint64_t n = 1, nonzero = 1;

	for (uint32_t i = 0; i < t->rank; i++) {
		if (t->dim[i] < 0)
			return false;
		/* A zero must not hide that the others overflow: others multiply them, too. */
		if (t->dim[i] && __builtin_mul_overflow(nonzero, (uint64_t)t->dim[i], &nonzero))
			return false;
		n *= (uint64_t)t->dim[i];
	}
	t->elements = n;
	return !__builtin_mul_overflow(n, (uint64_t)ctl_type_size(t->type), &t->bytes) &&
	       t->bytes <= INT64_MAX;
}

static double half_value(uint16_t h)
{
	int exponent = h >> 10 & 31, sign = h >> 15;
	double m = h & 1023, v;

	if (exponent == 31)
		v = m ? NAN : INFINITY;
	else if (exponent)
		v = ldexp(1024 + m, exponent - 25);
	else
		v = ldexp(m, -24);
	return sign ? -v : v;
}

static float bf16_value(uint16_t b)
{
	uint32_t bits = (uint32_t)b << 16;
	float f;

	memcpy(&f, &bits, sizeof(f));
	return f;
}

#define LOAD(ctype) ({							\
	ctype v_;							\
	memcpy(&v_, (const uint8_t *)data + i * sizeof(v_), sizeof(v_));	\
	v_;								\
})

double ctl_tensor_value(uint32_t type, const void *data, uint64_t i)
{
	switch (type) {
	case NCX_T_FP32: return (double)LOAD(float);
	case NCX_T_FP64: return LOAD(double);
	case NCX_T_FP16: return half_value(LOAD(uint16_t));
	case NCX_T_BF16: return (double)bf16_value(LOAD(uint16_t));
	case NCX_T_INT64: return (double)LOAD(int64_t);
	case NCX_T_UINT64: return (double)LOAD(uint64_t);
	case NCX_T_INT32: return LOAD(int32_t);
	case NCX_T_UINT32: return LOAD(uint32_t);
	case NCX_T_INT16: return LOAD(int16_t);
	case NCX_T_UINT16: return LOAD(uint16_t);
	case NCX_T_INT8: return LOAD(int8_t);
	default: return LOAD(uint8_t);
	}
}

bool ctl_tensor_convert(struct ctl_tensor *t, uint32_t type)
{
	uint16_t *out;

	if (t->type != NCX_T_FP32 || type != NCX_T_BF16)
		return false;
	out = malloc(t->elements * 2 + 1);
	if (!out)
		return false;
	for (uint64_t i = 0; i < t->elements; i++) {
		uint32_t bits;

		memcpy(&bits, (const uint8_t *)t->data + 4 * i, 4);
		if ((bits & 0x7fffffff) > 0x7f800000)
			out[i] = 0x7fc0;
		else	/* to nearest even */
			out[i] = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
	}
	free(t->data);
	t->data = out;
	t->type = type;
	t->bytes = t->elements * 2;
	return true;
}

void ctl_tensor_compare(struct ctl_comparison *c, uint32_t type, const void *got, const void *want,
			uint64_t elements, double tolerance)
{
	uint32_t size = ctl_type_size(type);

	c->mismatches = 0;
	c->max_error = 0;
	for (uint64_t i = 0; i < elements; i++) {
		double g = ctl_tensor_value(type, got, i), w = ctl_tensor_value(type, want, i);
		double error = fabs(g - w);
		bool same = !memcmp((const uint8_t *)got + i * size,
				    (const uint8_t *)want + i * size, size);

		if (same || (isnan(g) && isnan(w)))
			continue;
		if (isnan(error))	/* NaN against a number, or infinities of different sign */
			error = INFINITY;
		if (error > c->max_error)
			c->max_error = error;
		if (isinf(error) || !(error <= tolerance * fmax(1, fabs(w))) || tolerance == 0)
			c->mismatches++;
	}
}
