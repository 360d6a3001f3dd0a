// SPDX-License-Identifier: MIT
/* ONNX's own backend test allows a relative error of 1e-3; integers and bools must be equal. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "conformance.h"

static double half_value(uint16_t h)
{
	int exponent = h >> 10 & 31;
	double m = h & 1023, v;

	if (exponent == 31)
		v = m ? (double)NAN : HUGE_VAL;
	else if (exponent)
		v = ldexp(1024 + m, exponent - 25);
	else
		v = ldexp(m, -24);
	return h >> 15 ? -v : v;
}

static double value(const char *type, const void *data, size_t i)
{
	if (type[1] == '8') {
		double d;

		memcpy(&d, (const uint8_t *)data + 8 * i, 8);
		return d;
	}
	if (type[1] == '4') {
		float f;

		memcpy(&f, (const uint8_t *)data + 4 * i, 4);
		return (double)f;
	}
	if (type[0] == 'B') {
		uint32_t bits = (uint32_t)((const uint16_t *)data)[i] << 16;
		float f;

		memcpy(&f, &bits, 4);
		return (double)f;
	}
	return half_value(((const uint16_t *)data)[i]);
}

static bool floats_agree(const char *type, const void *got, const void *want, size_t n, char *why,
			 size_t why_size)
{
	/* bfloat16 has eight bits: half a unit of the last place is 4e-3. */
	double relative = type[0] == 'B' ? 8e-3 : 1e-3, absolute = 1e-6;

	for (size_t i = 0; i < n; i++) {
		double g = value(type, got, i), w = value(type, want, i);

		if ((isnan(g) && isnan(w)) || g == w)
			continue;
		if (fabs(g - w) <= absolute + relative * fabs(w) && isfinite(g))
			continue;
		snprintf(why, why_size, "element %zu of %zu is %.9g and should be %.9g", i, n, g,
			 w);
		return false;
	}
	return true;
}

bool tensors_agree(const char *type, const void *got, const void *want, size_t n, char *why,
		   size_t why_size)
{
	size_t elem = (size_t)(type[1] - '0');

	if (type[0] == 'f' || type[0] == 'B')
		return floats_agree(type, got, want, n, why, why_size);
	for (size_t i = 0; i < n; i++) {
		int64_t g = 0, w = 0;

		memcpy(&g, (const uint8_t *)got + i * elem, elem);
		memcpy(&w, (const uint8_t *)want + i * elem, elem);
		if (g == w)
			continue;
		snprintf(why, why_size, "element %zu of %zu is %#llx and should be %#llx", i, n,
			 (unsigned long long)g, (unsigned long long)w);
		return false;
	}
	return true;
}
