/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "firmware-sim/core/kernels.h"
#include "values.h"

const char *const value_class_names[VALUE_CLASSES] = {
	"ordinary", "zero",	   "largest", "tie",	  "-0 or -1",
	"denormal", "NaN payload", "NaN",     "infinite",
};

const char *const dtype_names[NCA_DTYPES] = {
	"FP32",	 "BF16",   "FP16", "E4M3",  "E5M2",   "INT32",
	"INT16", "UINT16", "INT8", "UINT8", "UINT32",
};

struct format {
	uint32_t sign, exponent, mantissa;	  /* masks */
	uint32_t largest, infinite, nan, odd_nan; /* infinite 0: there is none */
	uint32_t tie[4];
};

static const struct format formats[] = {
	[NCA_FP32] = { 0x80000000,
		       0x7f800000,
		       0x007fffff,
		       0x7f7fffff,
		       0x7f800000,
		       0x7fc00000,
		       0x7fa12345,
		       { 0x3f808000, 0x40201000, 0x3f880000, 0x3f900000 } },
	[NCA_BF16] = { 0x8000,
		       0x7f80,
		       0x007f,
		       0x7f7f,
		       0x7f80,
		       0x7fc0,
		       0x7fa1,
		       { 0x4020, 0x3f88, 0x3f98, 0x4060 } },
	[NCA_FP16] = { 0x8000,
		       0x7c00,
		       0x03ff,
		       0x7bff,
		       0x7c00,
		       0x7e00,
		       0x7d01,
		       { 0x4100, 0x3c80, 0x3c40, 0x3e80 } },
	/* The only NaN are 0x7f and 0xff. */
	[NCA_FP8E4M3] = { 0x80, 0x78, 0x07, 0x7e, 0, 0x7f, 0xff, { 0x42, 0x46, 0x42, 0x46 } },
	[NCA_FP8E5M2] = { 0x80, 0x7c, 0x03, 0x7b, 0x7c, 0x7e, 0x7d, { 0x41, 0x43, 0x41, 0x43 } },
};

static bool is_integer(uint32_t dtype)
{
	return dtype >= NCA_INT32;
}

static uint32_t width_mask(uint32_t dtype)
{
	return UINT32_MAX >> (32 - 8 * nca_dtype_size(dtype));
}

static bool is_signed(uint32_t dtype)
{
	return dtype == NCA_INT32 || dtype == NCA_INT16 || dtype == NCA_INT8;
}

/* Ties of 32 bits into FP32, of 16 into BF16, of 8 into FP8E4M3. */
static uint32_t integer_tie(uint32_t dtype)
{
	return nca_dtype_size(dtype) == 4 ? 0x1000001 : nca_dtype_size(dtype) == 2 ? 257 : 17;
}

bool value_class_exists(uint32_t dtype, uint32_t class)
{
	if (is_integer(dtype))
		return class < VALUE_MINUS_ZERO || (class == VALUE_MINUS_ZERO && is_signed(dtype));
	return class != VALUE_INFINITE || formats[dtype].infinite;
}

static bool is_tie(float f)
{
	uint32_t bits = float_bits(f);

	return (fabsf(f) < 0x1p22f && fabsf(f - truncf(f)) == 0.5f) || (bits & 0xffff) == 0x8000 ||
	       (bits & 0x1fff) == 0x1000 || (bits & 0xfffff) == 0x80000 ||
	       (bits & 0x1fffff) == 0x100000;
}

static uint32_t integer_class(uint32_t bits, uint32_t dtype)
{
	uint32_t mask = width_mask(dtype), top = is_signed(dtype) ? mask >> 1 : mask;

	if (!bits)
		return VALUE_ZERO;
	if (bits == top || (is_signed(dtype) && bits == top + 1))
		return VALUE_LARGEST;
	if (is_signed(dtype) && bits == mask)
		return VALUE_MINUS_ZERO;
	return bits == integer_tie(dtype) ? VALUE_TIE : VALUE_ORDINARY;
}

uint32_t value_class_of(uint32_t bits, uint32_t dtype)
{
	const struct format *f;
	uint32_t magnitude;
	float v;

	bits &= width_mask(dtype);
	if (is_integer(dtype))
		return integer_class(bits, dtype);
	f = &formats[dtype];
	magnitude = bits & ~f->sign;
	if (!magnitude)
		return bits ? VALUE_MINUS_ZERO : VALUE_ZERO;
	if (f->infinite && magnitude == f->infinite)
		return VALUE_INFINITE;
	if (magnitude == f->largest)
		return VALUE_LARGEST;
	v = golden_to_fp32(bits, dtype);
	if (v != v)
		return bits == f->nan ? VALUE_NAN : VALUE_NAN_PAYLOAD;
	if (!(magnitude & f->exponent))
		return VALUE_DENORMAL;
	return is_tie(v) ? VALUE_TIE : VALUE_ORDINARY;
}

static uint32_t random_integer(struct rng *rng, uint32_t dtype, uint32_t class)
{
	uint32_t mask = width_mask(dtype), top = is_signed(dtype) ? mask >> 1 : mask;

	switch (class) {
	case VALUE_ZERO:
		return 0;
	case VALUE_LARGEST:
		return top + (is_signed(dtype) && rng_below(rng, 2));
	case VALUE_TIE:
		return integer_tie(dtype);
	case VALUE_MINUS_ZERO:
		return mask;
	default:
		/* Small ones often, for shifts, divisors and positions. */
		return (rng_below(rng, 2) ? rng_below(rng, 40) : (uint32_t)rng_next(rng)) & mask;
	}
}

uint32_t value_random(struct rng *rng, uint32_t dtype, uint32_t class)
{
	uint32_t sign = rng_below(rng, 2) * 0x80000000u >> (32 - 8 * nca_dtype_size(dtype));
	const struct format *f;

	if (!value_class_exists(dtype, class))
		class = VALUE_ORDINARY;
	if (is_integer(dtype))
		return random_integer(rng, dtype, class);
	f = &formats[dtype];
	switch (class) {
	case VALUE_ZERO:
		return 0;
	case VALUE_MINUS_ZERO:
		return f->sign;
	case VALUE_LARGEST:
		return sign | f->largest;
	case VALUE_TIE:
		return sign | f->tie[rng_below(rng, 4)];
	case VALUE_DENORMAL:
		return sign | (1 + rng_below(rng, f->mantissa));
	case VALUE_NAN_PAYLOAD:
		return f->odd_nan | (dtype == NCA_FP8E4M3 ? 0 : sign);
	case VALUE_NAN:
		return f->nan;
	case VALUE_INFINITE:
		return sign | f->infinite;
	default:
		if (!rng_below(rng, 4))
			return (uint32_t)rng_next(rng) & width_mask(dtype);
		/* Around 1, where operations do not overflow at once. */
		return golden_from_fp32(((float)rng_below(rng, 1u << 24) - 8388608.0f) / 1048576.0f,
					dtype);
	}
}
