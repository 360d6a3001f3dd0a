/* SPDX-License-Identifier: MIT */
/*
 * The golden arithmetic: lane by lane, in the order the data sheet gives. The
 * vector tables are compared with this one, never the other way round.
 */
#include <math.h>
#include <string.h>

#include "kernels.h"

static uint32_t read_lane(const uint8_t *p, uint32_t dtype)
{
	uint32_t v = 0;

	memcpy(&v, p, nca_dtype_size(dtype));
	return v;
}

static void load(uint32_t *out, const uint8_t *base, const uint32_t *off, uint32_t n,
		 uint32_t lanes, uint32_t dtype, enum domain dom)
{
	for (uint32_t r = 0; r < n; r++) {
		for (uint32_t i = 0; i < lanes; i++) {
			uint32_t v = read_lane(base + off[r] + 4 * i, dtype);

			if (dom == DOM_FP)
				v = float_bits(golden_to_fp32(v, dtype));
			else if (dom != DOM_BITS)
				v = golden_to_int(v, dtype);
			out[r * LANES + i] = v;
		}
	}
}

static void store(uint8_t *base, const uint32_t *off, const uint32_t *in, uint32_t n,
		  uint32_t lanes, uint32_t dtype, enum domain dom)
{
	for (uint32_t r = 0; r < n; r++) {
		for (uint32_t i = 0; i < lanes; i++) {
			uint32_t v = in[r * LANES + i];

			if (dom == DOM_FP)
				v = golden_from_fp32(bits_float(v), dtype);
			else if (dom != DOM_BITS)
				v = golden_from_int(v, dtype, dom);
			memcpy(base + off[r] + 4 * i, &v, nca_dtype_size(dtype));
		}
	}
}

static void alu(uint32_t *a, const uint32_t *b, uint32_t bstep, uint32_t n, uint32_t lanes,
		uint32_t op, enum domain dom, bool reverse)
{
	for (uint32_t r = 0; r < n; r++) {
		for (uint32_t i = 0; i < lanes; i++) {
			uint32_t *x = &a[r * LANES + i], y = b[r * bstep + i];

			*x = reverse ? golden_alu(op, y, *x, dom) : golden_alu(op, *x, y, dom);
		}
	}
}

static void reduce(uint32_t *acc, const uint32_t *a, uint32_t n, uint32_t lanes, uint32_t op,
		   enum domain dom)
{
	for (uint32_t i = 0; i < lanes; i++)
		for (uint32_t r = 0; r < n; r++)
			acc[i] = golden_alu(op, acc[i], a[r * LANES + i], dom);
}

static void func(uint32_t *a, uint32_t n, uint32_t lanes, uint32_t f, uint32_t param)
{
	for (uint32_t r = 0; r < n; r++)
		for (uint32_t i = 0; i < lanes; i++)
			a[r * LANES + i] = float_bits(golden_func(f, bits_float(a[r * LANES + i]),
								  param));
}

static void select_rows(uint32_t *a, const uint32_t *b, uint32_t bstep, const uint32_t *mask,
			uint32_t n, uint32_t lanes, bool mask_fp)
{
	for (uint32_t r = 0; r < n; r++) {
		for (uint32_t i = 0; i < lanes; i++) {
			uint32_t m = mask[r * LANES + i];

			if (!(mask_fp ? bits_float(m) != 0 : m != 0))
				a[r * LANES + i] = b[r * bstep + i];
		}
	}
}

static void tf32(uint32_t *a, uint32_t n, uint32_t lanes)
{
	for (uint32_t r = 0; r < n; r++)
		for (uint32_t i = 0; i < lanes; i++)
			a[r * LANES + i] = float_bits(golden_tf32(bits_float(a[r * LANES + i])));
}

static void pack(const struct mm_tile *t)
{
	for (uint32_t j = 0; j < (t->m + PANEL - 1) / PANEL * PANEL; j++) {
		for (uint32_t i = 0; i < t->k; i++) {
			const uint8_t *p = t->row[i] + t->offset + j * nca_dtype_size(t->dtype);

			t->panel[(j / PANEL * t->k + i) * PANEL + j % PANEL] =
				j < t->m ? golden_to_fp32(read_lane(p, t->dtype), t->dtype) : 0;
		}
	}
}

/* Where element [k][m] of a stationary tile is. */
static size_t packed(const struct mm_args *a, uint32_t k, uint32_t m)
{
	return m / PANEL * a->panel + k * a->pitch + m % PANEL;
}

static void keep_panels(const struct mm_args *a)
{
	for (uint32_t m = 0; m < a->m; m++)
		for (uint32_t k = 0; k < a->k; k++)
			a->keep[(m / PANEL * a->k + k) * PANEL + m % PANEL] = a->stat[packed(a, k, m)];
}

static void matmul(const struct mm_args *a)
{
	if (a->keep)
		keep_panels(a);
	for (uint32_t n = 0; n < a->n; n++) {
		const float *mov = (const float *)(a->mov + a->mov_off[n]);
		float *out = (float *)(a->out + a->out_off[n]);

		for (uint32_t m = 0; m < a->m; m++) {
			float acc = 0;

			for (uint32_t k = 0; k < a->k; k++)
				acc = fmaf(a->stat[packed(a, k, m)], mov[k], acc);
			if (a->accumulate)
				acc = out[m] + acc;
			out[m] = bits_float(canonical_bits(acc));
		}
	}
}

static void matmul_int(const struct mm_args *a)
{
	const int32_t *stat = (const int32_t *)a->stat;

	for (uint32_t n = 0; n < a->n; n++) {
		const int32_t *mov = (const int32_t *)(a->mov + a->mov_off[n]);
		uint32_t *out = (uint32_t *)(a->out + a->out_off[n]);

		for (uint32_t m = 0; m < a->m; m++) {
			uint32_t acc = a->accumulate ? out[m] : 0;	/* modulo 2^32 */

			for (uint32_t k = 0; k < a->k; k++)
				acc += (uint32_t)(stat[packed(a, k, m)] * mov[k]);
			out[m] = acc;
		}
	}
}

static void transpose(uint8_t *dst, size_t dst_pitch, const uint8_t *src, size_t src_pitch,
		      uint32_t rows, uint32_t cols)
{
	for (uint32_t r = 0; r < rows; r++)
		for (uint32_t c = 0; c < cols; c++)
			memcpy(dst + c * dst_pitch + r * 4, src + r * src_pitch + c * 4, 4);
}

const struct core_kernels core_kernels_golden = {
	.name = "scalar",
	.load = load,
	.store = store,
	.alu = alu,
	.reduce = reduce,
	.func = func,
	.select = select_rows,
	.tf32 = tf32,
	.pack = pack,
	.matmul = matmul,
	.matmul_int = matmul_int,
	.transpose = transpose,
};
