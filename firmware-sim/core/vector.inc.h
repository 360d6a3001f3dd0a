/* SPDX-License-Identifier: MIT */
/*
 * Vector arithmetic, included once per instruction-set extension by a file that
 * defines VL (lanes of a vector), VTABLE, VNAME and these few operations:
 *
 *   vf canonical(vf)       every NaN becomes the canonical one
 *   bool any(vi)           is any bit set?
 *   vf v_max(vf, vf)       as maxps: the second operand if one is NaN or both are zero
 *   vf v_fma(vf, vf, vf)   vf v_sqrt(vf)   vf v_rint(vf)   vf v_floor(vf)   vf v_ceil(vf)
 *   vi v_cvt(vf)           FP32 to INT32, nearest even, 0x80000000 out of range
 *   vi ld_bf16(const void *)   consecutive BF16 as FP32
 *   vf v_from_half(vi)     low 16 bits as FP16        vi v_to_half(vf)
 *
 * Everything else is GCC vector arithmetic, which is IEEE arithmetic. Rows may be
 * read past @lanes up to a whole vector (a row has 128 lanes, VL divides them);
 * lanes past @lanes are never changed in memory.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "func_coef.h"
#include "kernels.h"

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

INLINE vi splat(uint32_t x)
{
	return (vi){ 0 } + (int32_t)x;
}

INLINE vf splatf(float x)
{
	return (vf)splat(float_bits(x));
}

INLINE vi ld(const void *p)
{
	vi v;

	memcpy(&v, p, sizeof(v));
	return v;
}

INLINE void st(void *p, vi v)
{
	memcpy(p, &v, sizeof(v));
}

INLINE vi pick(vi mask, vi a, vi b)
{
	return (a & mask) | (b & ~mask);
}

INLINE vf pickf(vi mask, vf a, vf b)
{
	return (vf)pick(mask, (vi)a, (vi)b);
}

/* All ones in the lanes that count, for the last vector of a row. */
INLINE vi lane_mask(uint32_t i, uint32_t lanes)
{
	vi index;

	for (int k = 0; k < VL; k++)
		index[k] = k;
	return index < (int32_t)(lanes - i);
}

INLINE void st_lanes(void *p, vi v, uint32_t i, uint32_t lanes)
{
	if (i + VL > lanes)
		v = pick(lane_mask(i, lanes), v, ld(p));
	st(p, v);
}

INLINE vf absf(vf v)
{
	return (vf)((vi)v & INT32_MAX);
}

INLINE vf with_sign(vf mag, vf sign)
{
	return (vf)(((vi)mag & INT32_MAX) | ((vi)sign & INT32_MIN));
}

/* ---- rows ------------------------------------------------------------------------ */
static void select_rows(uint32_t *a, const uint32_t *b, uint32_t bstep, const uint32_t *mask,
			uint32_t n, uint32_t lanes, bool mask_fp)
{
	for (uint32_t r = 0; r < n; r++, a += LANES, b += bstep, mask += LANES) {
		for (uint32_t i = 0; i < lanes; i += VL) {
			vi m = ld(mask + i);

			m = mask_fp ? (vi)((vf)m != 0.0f) : (vi)(m != 0);
			st(a + i, pick(m, ld(a + i), ld(b + i)));
		}
	}
}

static void tf32(uint32_t *a, uint32_t n, uint32_t lanes)
{
	for (uint32_t r = 0; r < n; r++) {
		for (uint32_t i = 0; i < lanes; i += VL) {
			vi b = ld(a + r * LANES + i), special = (b & 0x7f800000) == 0x7f800000;
			vi t = (vi)(((vu)b + 0xfffu + ((vu)b >> 13 & 1u)) & ~0x1fffu);

			st(a + r * LANES + i, pick(special, b, t));
		}
	}
}

#include "vector_types.inc.h"
#include "vector_alu.inc.h"
#include "vector_func.inc.h"
#include "vector_mm.inc.h"

const struct core_kernels VTABLE = {
	.name = VNAME,
	.ew = ew,
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
