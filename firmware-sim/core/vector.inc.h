/* SPDX-License-Identifier: MIT */
/*
 * Vector arithmetic, included once per instruction-set extension by a file that
 * defines VL (lanes of a vector), VTABLE, VNAME and these few operations:
 *
 *   vf v_fma(vf, vf, vf)   vf v_sqrt(vf)   vf v_rint(vf)   vf v_floor(vf)   vf v_ceil(vf)
 *   vi v_cvt(vf)           FP32 to INT32, nearest even, 0x80000000 out of range
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
#define UNROLL _Pragma("unroll")
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

INLINE vf canonical(vf v)
{
	return pickf(v != v, (vf)splat(CANONICAL_NAN), v);
}

INLINE vf absf(vf v)
{
	return (vf)((vi)v & INT32_MAX);
}

INLINE vf with_sign(vf mag, vf sign)
{
	return (vf)(((vi)mag & INT32_MAX) | ((vi)sign & INT32_MIN));
}

/* ---- formats ------------------------------------------------------------------- */
INLINE vf from_e4m3(vi b)
{
	vi em = b & 0x7f;
	/* Exponent and mantissa placed as an FP32 that is 2^120 too small; exact. */
	vf v = (vf)(em << 20) * splatf(0x1p120f);

	v = pickf(em == 0x7f, (vf)splat(CANONICAL_NAN), v);
	return (vf)((vi)v | ((vi)((vu)b << 24) & INT32_MIN));
}

INLINE vf from_uint32(vi b)
{
	vf hi = __builtin_convertvector(b >> 16 & 0xffff, vf);
	vf lo = __builtin_convertvector(b & 0xffff, vf);

	return v_fma(hi, splatf(65536.0f), lo);	/* one rounding */
}

INLINE vi widen(vi b, uint32_t dtype, enum domain dom)
{
	if (dom == DOM_BITS)
		return b;
	switch (dtype) {
	case NCA_INT16:
		b = (vi)((vu)b << 16) >> 16;
		break;
	case NCA_INT8:
		b = (vi)((vu)b << 24) >> 24;
		break;
	default:
		break;
	}
	if (dom != DOM_FP)
		return b;
	switch (dtype) {
	case NCA_FP32:
		return b;
	case NCA_BF16:
		return (vi)((vu)b << 16);
	case NCA_FP16:
		return (vi)v_from_half(b);
	case NCA_FP8E4M3:
		return (vi)from_e4m3(b);
	case NCA_FP8E5M2:
		return (vi)v_from_half((vi)((vu)b << 8));
	case NCA_UINT32:
		return (vi)from_uint32(b);
	default:
		return (vi)__builtin_convertvector(b, vf);
	}
}

INLINE vi to_bf16(vf v)
{
	vu b = (vu)(vi)v;
	vi r = (vi)((b + 0x7fffu + (b >> 16 & 1u)) >> 16);

	return pick(v != v, splat(CANONICAL_NAN >> 16), r);
}

INLINE vi to_int(vf v, float lo, float hi)
{
	vi nan = v != v;

	v = pickf(v < lo, splatf(lo), v);
	v = pickf(v > hi, splatf(hi), v);
	return v_cvt(v) & ~nan;
}

INLINE vi to_int32(vf v)
{
	vi r = v_cvt(v);

	r = pick(v >= 0x1p31f, splat(INT32_MAX), r);
	return r & ~(v != v);
}

INLINE vi to_uint32(vf v)
{
	vi low = v_cvt(v), high = v_cvt(v - 0x1p31f) ^ INT32_MIN;
	vi r = pick(v >= 0x1p31f, high, low);

	r = pick(v >= 0x1p32f, splat(UINT32_MAX), r);
	return r & (v > 0.0f);
}

INLINE vi slow_narrow(vf v, uint32_t dtype)
{
	vi r;

	for (int k = 0; k < VL; k++)
		r[k] = (int32_t)golden_from_fp32(v[k], dtype);
	return r;
}

INLINE vi clamp_int(vi v, int32_t lo, int32_t hi, enum domain dom)
{
	if (dom == DOM_UINT)	/* as unsigned: whatever is negative is too large */
		return pick((vi)((vu)v > (vu)splat((uint32_t)hi)), splat((uint32_t)hi), v);
	v = pick(v < lo, splat((uint32_t)lo), v);
	return pick(v > hi, splat((uint32_t)hi), v);
}

INLINE vi narrow_fp(vf v, uint32_t dtype)
{
	switch (dtype) {
	case NCA_FP32:
		return (vi)canonical(v);
	case NCA_BF16:
		return to_bf16(v);
	case NCA_FP16:
		return pick(v != v, splat(0x7e00), v_to_half(v));
	case NCA_INT32:
		return to_int32(v);
	case NCA_UINT32:
		return to_uint32(v);
	case NCA_INT16:
		return to_int(v, INT16_MIN, INT16_MAX);
	case NCA_UINT16:
		return to_int(v, 0, UINT16_MAX);
	case NCA_INT8:
		return to_int(v, INT8_MIN, INT8_MAX);
	case NCA_UINT8:
		return to_int(v, 0, UINT8_MAX);
	default:
		return slow_narrow(v, dtype);
	}
}

INLINE vi narrow(vi v, uint32_t dtype, enum domain dom)
{
	if (dom == DOM_BITS)
		return v;
	if (dom == DOM_FP)
		return narrow_fp((vf)v, dtype);
	switch (dtype) {
	case NCA_INT32:
		return dom == DOM_UINT ? pick(v < 0, splat(INT32_MAX), v) : v;
	case NCA_UINT32:
		return dom == DOM_UINT ? v : v & ~(v < 0);
	case NCA_INT16:
		return clamp_int(v, INT16_MIN, INT16_MAX, dom);
	case NCA_UINT16:
		return clamp_int(v, 0, UINT16_MAX, dom);
	case NCA_INT8:
		return clamp_int(v, INT8_MIN, INT8_MAX, dom);
	case NCA_UINT8:
		return clamp_int(v, 0, UINT8_MAX, dom);
	default:
		return narrow_fp(dom == DOM_UINT ? from_uint32(v) : __builtin_convertvector(v, vf),
				 dtype);
	}
}

INLINE void load_as(uint32_t *out, const uint8_t *base, const uint32_t *off, uint32_t n,
		    uint32_t lanes, uint32_t dtype, enum domain dom)
{
	uint32_t es = nca_dtype_size(dtype);

	for (uint32_t r = 0; r < n; r++) {
		const uint8_t *p = base + (off[r] & ~3u);
		uint32_t shift = (off[r] & 3) * 8;

		for (uint32_t i = 0; i < lanes; i += VL) {
			vi v = ld(p + i * 4);

			if (es < 4)
				v = (vi)((vu)v >> shift) & (es == 2 ? 0xffff : 0xff);
			st(out + r * LANES + i, widen(v, dtype, dom));
		}
	}
}

INLINE void store_as(uint8_t *base, const uint32_t *off, const uint32_t *in, uint32_t n,
		     uint32_t lanes, uint32_t dtype, enum domain dom)
{
	uint32_t es = nca_dtype_size(dtype);

	for (uint32_t r = 0; r < n; r++) {
		uint8_t *p = base + (off[r] & ~3u);
		uint32_t shift = (off[r] & 3) * 8;

		for (uint32_t i = 0; i < lanes; i += VL) {
			vi v = narrow(ld(in + r * LANES + i), dtype, dom);

			if (es < 4) {
				vi field = splat((es == 2 ? 0xffffu : 0xffu) << shift);

				v = pick(field, (vi)((vu)v << shift), ld(p + i * 4));
			}
			st_lanes(p + i * 4, v, i, lanes);
		}
	}
}

/* One loop per combination of type and domain: the switch is outside. */
#define BY_TYPE(f, dom, ...)							\
	switch (dtype) {							\
	case NCA_FP32: f(__VA_ARGS__, NCA_FP32, dom); break;			\
	case NCA_BF16: f(__VA_ARGS__, NCA_BF16, dom); break;			\
	case NCA_FP16: f(__VA_ARGS__, NCA_FP16, dom); break;			\
	case NCA_FP8E4M3: f(__VA_ARGS__, NCA_FP8E4M3, dom); break;		\
	case NCA_FP8E5M2: f(__VA_ARGS__, NCA_FP8E5M2, dom); break;		\
	case NCA_INT32: f(__VA_ARGS__, NCA_INT32, dom); break;			\
	case NCA_INT16: f(__VA_ARGS__, NCA_INT16, dom); break;			\
	case NCA_UINT16: f(__VA_ARGS__, NCA_UINT16, dom); break;		\
	case NCA_INT8: f(__VA_ARGS__, NCA_INT8, dom); break;			\
	case NCA_UINT8: f(__VA_ARGS__, NCA_UINT8, dom); break;			\
	default: f(__VA_ARGS__, NCA_UINT32, dom); break;			\
	}

static void load(uint32_t *out, const uint8_t *base, const uint32_t *off, uint32_t n,
		 uint32_t lanes, uint32_t dtype, enum domain dom)
{
	if (dom == DOM_FP) {
		BY_TYPE(load_as, DOM_FP, out, base, off, n, lanes);
	} else if (dom == DOM_BITS) {
		BY_TYPE(load_as, DOM_BITS, out, base, off, n, lanes);
	} else {
		BY_TYPE(load_as, DOM_INT, out, base, off, n, lanes);
	}
}

static void store(uint8_t *base, const uint32_t *off, const uint32_t *in, uint32_t n,
		  uint32_t lanes, uint32_t dtype, enum domain dom)
{
	if (dom == DOM_FP) {
		BY_TYPE(store_as, DOM_FP, base, off, in, n, lanes);
	} else if (dom == DOM_BITS) {
		BY_TYPE(store_as, DOM_BITS, base, off, in, n, lanes);
	} else if (dom == DOM_INT) {
		BY_TYPE(store_as, DOM_INT, base, off, in, n, lanes);
	} else {
		BY_TYPE(store_as, DOM_UINT, base, off, in, n, lanes);
	}
}

/* ---- ALU ------------------------------------------------------------------------- */
INLINE vf maximum(vf a, vf b)
{
	vf r = pickf(a > b, a, b);

	/* Equal: of two zeroes +0; and clears a sign that only one of them has. */
	r = pickf(a == b, (vf)((vi)a & (vi)b), r);
	return pickf((a != a) | (b != b), (vf)splat(CANONICAL_NAN), r);
}

INLINE vf minimum(vf a, vf b)
{
	vf r = pickf(a < b, a, b);

	r = pickf(a == b, (vf)((vi)a | (vi)b), r);
	return pickf((a != a) | (b != b), (vf)splat(CANONICAL_NAN), r);
}

INLINE vi truth(vi mask, enum domain dom)
{
	return mask & (dom == DOM_FP ? (int32_t)0x3f800000 : 1);
}

INLINE vi shifted(uint32_t op, vi a, vi b)
{
	vi out = (vi)((vu)b > (vu)splat(31)), by = b & 31;

	if (op == NCA_ALU_SHL)
		return (vi)((vu)a << (vu)by) & ~out;
	if (op == NCA_ALU_SHR)
		return (vi)((vu)a >> (vu)by) & ~out;
	return pick(out, a >> 31, a >> by);
}

INLINE vi one_alu_fp(uint32_t op, vf a, vf b)
{
	switch (op) {
	case NCA_ALU_ADD:
		return (vi)(a + b);
	case NCA_ALU_SUB:
		return (vi)(a - b);
	case NCA_ALU_MUL:
		return (vi)(a * b);
	case NCA_ALU_DIV:
		return (vi)(a / b);
	case NCA_ALU_MAX:
		return (vi)maximum(a, b);
	case NCA_ALU_MIN:
		return (vi)minimum(a, b);
	case NCA_ALU_ABSMAX:
		return (vi)maximum(absf(a), absf(b));
	case NCA_ALU_EQ:
		return truth(a == b, DOM_FP);
	case NCA_ALU_NE:
		return truth(a != b, DOM_FP);
	case NCA_ALU_LT:
		return truth(a < b, DOM_FP);
	case NCA_ALU_LE:
		return truth(a <= b, DOM_FP);
	case NCA_ALU_GT:
		return truth(a > b, DOM_FP);
	case NCA_ALU_GE:
		return truth(a >= b, DOM_FP);
	case NCA_ALU_LAND:
		return truth((a != 0.0f) & (b != 0.0f), DOM_FP);
	default:
		return truth((a != 0.0f) | (b != 0.0f), DOM_FP);
	}
}

INLINE vi less(vi a, vi b, enum domain dom)
{
	return dom == DOM_UINT ? (vi)((vu)a < (vu)b) : (vi)(a < b);
}

INLINE vi one_alu_int(uint32_t op, vi a, vi b, enum domain dom)
{
	vi x, y;

	switch (op) {
	case NCA_ALU_ADD:
		return (vi)((vu)a + (vu)b);
	case NCA_ALU_SUB:
		return (vi)((vu)a - (vu)b);
	case NCA_ALU_MUL:
		return (vi)((vu)a * (vu)b);
	case NCA_ALU_MAX:
		return pick(less(b, a, dom), a, b);
	case NCA_ALU_MIN:
		return pick(less(a, b, dom), a, b);
	case NCA_ALU_EQ:
		return truth(a == b, dom);
	case NCA_ALU_NE:
		return truth(a != b, dom);
	case NCA_ALU_LT:
		return truth(less(a, b, dom), dom);
	case NCA_ALU_LE:
		return truth(~less(b, a, dom), dom);
	case NCA_ALU_GT:
		return truth(less(b, a, dom), dom);
	case NCA_ALU_GE:
		return truth(~less(a, b, dom), dom);
	case NCA_ALU_AND:
		return a & b;
	case NCA_ALU_OR:
		return a | b;
	case NCA_ALU_XOR:
		return a ^ b;
	case NCA_ALU_SHL:
	case NCA_ALU_SHR:
	case NCA_ALU_SAR:
		return shifted(op, a, b);
	case NCA_ALU_LAND:
		return truth((a != 0) & (b != 0), dom);
	case NCA_ALU_LOR:
		return truth((a != 0) | (b != 0), dom);
	default:		/* ABSMAX */
		x = dom == DOM_UINT ? a : pick(a < 0, (vi)((vu)splat(0) - (vu)a), a);
		y = dom == DOM_UINT ? b : pick(b < 0, (vi)((vu)splat(0) - (vu)b), b);
		return pick((vi)((vu)x > (vu)y), x, y);
	}
}

INLINE void alu_as(uint32_t *a, const uint32_t *b, uint32_t bstep, uint32_t n, uint32_t lanes,
		   bool reverse, uint32_t op, enum domain dom)
{
	for (uint32_t r = 0; r < n; r++, a += LANES, b += bstep) {
		for (uint32_t i = 0; i < lanes; i += VL) {
			vi x = ld(a + i), y = ld(b + i), t = x;

			if (reverse) {
				x = y;
				y = t;
			}
			st(a + i, dom == DOM_FP ? one_alu_fp(op, (vf)x, (vf)y) :
			   one_alu_int(op, x, y, dom));
		}
	}
}

INLINE void reduce_as(uint32_t *acc, const uint32_t *a, uint32_t n, uint32_t lanes, uint32_t op,
		      enum domain dom)
{
	for (uint32_t i = 0; i < lanes; i += VL) {
		vi x = ld(acc + i);

		for (uint32_t r = 0; r < n; r++) {
			vi y = ld(a + r * LANES + i);

			x = dom == DOM_FP ? one_alu_fp(op, (vf)x, (vf)y) : one_alu_int(op, x, y, dom);
		}
		st(acc + i, x);
	}
}

#define OP_CASE(f, o, dom, ...) case o: f(__VA_ARGS__, o, dom); return
#define OPS_BOTH(f, dom, ...)						\
	OP_CASE(f, NCA_ALU_ADD, dom, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_SUB, dom, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_MUL, dom, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_MAX, dom, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_MIN, dom, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_ABSMAX, dom, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_EQ, dom, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_NE, dom, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_LT, dom, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_LE, dom, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_GT, dom, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_GE, dom, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_LAND, dom, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_LOR, dom, __VA_ARGS__)
#define OPS_INT(f, dom, ...)						\
	OP_CASE(f, NCA_ALU_AND, dom, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_OR, dom, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_XOR, dom, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_SHL, dom, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_SHR, dom, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_SAR, dom, __VA_ARGS__)

static void alu(uint32_t *a, const uint32_t *b, uint32_t bstep, uint32_t n, uint32_t lanes,
		uint32_t op, enum domain dom, bool reverse)
{
	if (dom == DOM_FP) {
		switch (op) {
		OP_CASE(alu_as, NCA_ALU_DIV, DOM_FP, a, b, bstep, n, lanes, reverse);
		OPS_BOTH(alu_as, DOM_FP, a, b, bstep, n, lanes, reverse);
		}
	} else if (dom == DOM_INT) {
		switch (op) {
		OPS_BOTH(alu_as, DOM_INT, a, b, bstep, n, lanes, reverse);
		OPS_INT(alu_as, DOM_INT, a, b, bstep, n, lanes, reverse);
		}
	} else {
		switch (op) {
		OPS_BOTH(alu_as, DOM_UINT, a, b, bstep, n, lanes, reverse);
		OPS_INT(alu_as, DOM_UINT, a, b, bstep, n, lanes, reverse);
		}
	}
	/* Powers, remainders and integer quotients: rare, one lane at a time. */
	core_kernels_golden.alu(a, b, bstep, n, lanes, op, dom, reverse);
}

static void reduce(uint32_t *acc, const uint32_t *a, uint32_t n, uint32_t lanes, uint32_t op,
		   enum domain dom)
{
	if (dom == DOM_FP) {
		switch (op) {
		OPS_BOTH(reduce_as, DOM_FP, acc, a, n, lanes);
		}
	} else if (dom == DOM_INT) {
		switch (op) {
		OPS_BOTH(reduce_as, DOM_INT, acc, a, n, lanes);
		OPS_INT(reduce_as, DOM_INT, acc, a, n, lanes);
		}
	} else {
		switch (op) {
		OPS_BOTH(reduce_as, DOM_UINT, acc, a, n, lanes);
		OPS_INT(reduce_as, DOM_UINT, acc, a, n, lanes);
		}
	}
}

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

#include "vector_func.inc.h"
#include "vector_mm.inc.h"

const struct core_kernels VTABLE = {
	.name = VNAME,
	.load = load,
	.store = store,
	.alu = alu,
	.reduce = reduce,
	.func = func,
	.select = select_rows,
	.tf32 = tf32,
	.matmul = matmul,
	.matmul_int = matmul_int,
	.transpose = transpose,
};
