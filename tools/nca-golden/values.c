/* SPDX-License-Identifier: MIT */
/* Numbers that find mistakes: one style a case, so that not everything is NaN. */
#include <string.h>
#include <strings.h>

#include "gen.h"

uint64_t gen_next(struct gen *g)
{
	g->s ^= g->s >> 12;
	g->s ^= g->s << 25;
	g->s ^= g->s >> 27;
	return g->s * 0x2545f4914f6cdd1dull;
}

uint32_t gen_below(struct gen *g, uint32_t n)
{
	return (uint32_t)((gen_next(g) >> 32) * n >> 32);
}

bool gen_one_in(struct gen *g, uint32_t n)
{
	return !gen_below(g, n);
}

struct format {
	const char *name;
	uint8_t exp, man;	/* bits; 0: an integer of man bits */
	uint8_t bias;
};

static const struct format formats[NCA_DTYPES] = {
	[NCA_FP32] = { "fp32", 8, 23, 127 },
	[NCA_BF16] = { "bf16", 8, 7, 127 },
	[NCA_FP16] = { "fp16", 5, 10, 15 },
	[NCA_FP8E4M3] = { "fp8e4m3", 4, 3, 7 },
	[NCA_FP8E5M2] = { "fp8e5m2", 5, 2, 15 },
	[NCA_INT32] = { "int32", 0, 32, 0 },
	[NCA_INT16] = { "int16", 0, 16, 0 },
	[NCA_UINT16] = { "uint16", 0, 16, 0 },
	[NCA_INT8] = { "int8", 0, 8, 0 },
	[NCA_UINT8] = { "uint8", 0, 8, 0 },
	[NCA_UINT32] = { "uint32", 0, 32, 0 },
};

int gen_dtype_by_name(const char *name)
{
	for (int i = 0; i < NCA_DTYPES; i++)
		if (!strcasecmp(formats[i].name, name))
			return i;
	return -1;
}

uint32_t gen_dtype(struct gen *g)
{
	if (g->dtype >= 0)
		return (uint32_t)g->dtype;
	return gen_one_in(g, 2) ? NCA_FP32 : gen_below(g, NCA_DTYPES);
}

static uint32_t mask(uint32_t bits)
{
	return bits >= 32 ? UINT32_MAX : (1u << bits) - 1;
}

static uint32_t integer(struct gen *g, const struct format *f)
{
	static const uint32_t edge[] = { 0, 1, 2, UINT32_MAX, 0x7fffffff, 0x80000000, 0x7fff, 0x8000,
					 0xffff, 0x7f, 0x80, 0xff };

	switch (g->style) {
	case ORDINARY:
	case TIES:
		return (gen_below(g, 33) - 16u) & mask(f->man);
	case SPECIALS:
		if (gen_one_in(g, 2))
			return edge[gen_below(g, sizeof(edge) / sizeof(edge[0]))] & mask(f->man);
		/* fall through */
	default:
		return (uint32_t)gen_next(g) & mask(f->man);
	}
}

/* Zeroes, infinities, NaN with payloads, denormals, the largest and smallest numbers. */
static uint32_t special(struct gen *g, const struct format *f)
{
	uint32_t sign = gen_below(g, 2) << (f->exp + f->man), top = mask(f->exp) << f->man;

	switch (gen_below(g, 9)) {
	case 0:
		return sign;
	case 1:
		return sign | top;
	case 2:
		return sign | top | 1u << (f->man - 1);
	case 3:
		return sign | top | (1 + gen_below(g, mask(f->man)));
	case 4:
		return sign | 1;
	case 5:
		return sign | mask(f->man);
	case 6:
		return sign | 1u << f->man;
	case 7:
		return sign | (top - 1);
	default:
		return sign | (1 + gen_below(g, mask(f->man)));
	}
}

static uint32_t with_exponent(struct gen *g, const struct format *f, int32_t e)
{
	uint32_t m = (uint32_t)gen_next(g) & mask(f->man);

	e += f->bias;
	if (e < 0)
		e = 0;
	if (e > (int32_t)mask(f->exp) - 1)
		e = (int32_t)mask(f->exp) - 1;
	/* Round mantissas make ties of sums and products. */
	if (g->style == TIES)
		m &= mask(f->man) ^ mask(f->man > 4 ? f->man - gen_below(g, 4) : 0);
	return gen_below(g, 2) << (f->exp + f->man) | (uint32_t)e << f->man | m;
}

uint32_t gen_value(struct gen *g, uint32_t dtype)
{
	const struct format *f = &formats[dtype];
	int32_t lowest = 1 - f->bias, highest = (int32_t)mask(f->exp) - 1 - f->bias;

	if (!f->exp)
		return integer(g, f);
	switch (g->style) {
	case ORDINARY:
		return with_exponent(g, f, (int32_t)gen_below(g, 9) - 4);
	case TIES:
		return with_exponent(g, f, (int32_t)gen_below(g, 4) * 8 - 8);
	case TINY:	/* products of two lie around the smallest numbers */
		return with_exponent(g, f, (lowest - f->man) / 2 + (int32_t)gen_below(g, 16) - 4);
	case HUGE_VALUES:
		return with_exponent(g, f, highest / 2 + (int32_t)gen_below(g, 6) - 3);
	case SPECIALS:
		return gen_one_in(g, 12) ? special(g, f) :
		       with_exponent(g, f, (int32_t)gen_below(g, 9) - 4);
	default:
		return (uint32_t)gen_next(g) & mask(1u + f->exp + f->man);
	}
}
