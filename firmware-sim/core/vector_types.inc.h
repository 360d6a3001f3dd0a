/* SPDX-License-Identifier: MIT */
/* Data types: rows loaded, widened, narrowed and stored. Part of vector.inc.h. */
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

INLINE vi widen_fp(vi b, uint32_t dtype)
{
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
	case NCA_INT16:
		return (vi)__builtin_convertvector((vi)((vu)b << 16) >> 16, vf);
	case NCA_INT8:
		return (vi)__builtin_convertvector((vi)((vu)b << 24) >> 24, vf);
	default:
		return (vi)__builtin_convertvector(b, vf);
	}
}

INLINE vi widen(vi b, uint32_t dtype, enum domain dom)
{
	if (dom == DOM_FP)
		return widen_fp(b, dtype);
	if (dom == DOM_INT && dtype == NCA_INT16)
		return (vi)((vu)b << 16) >> 16;
	if (dom == DOM_INT && dtype == NCA_INT8)
		return (vi)((vu)b << 24) >> 24;
	return b;
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

static __attribute__((noinline)) vi slow_narrow(vf v, uint32_t dtype)
{
	float in[VL];
	int32_t out[VL];
	vi r;

	memcpy(in, &v, sizeof(in));
	for (int k = 0; k < VL; k++)
		out[k] = (int32_t)golden_from_fp32(in[k], dtype);
	memcpy(&r, out, sizeof(r));
	return r;
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
			vi v = ld(in + r * LANES + i);

			if (dom == DOM_FP)
				v = narrow_fp((vf)v, dtype);

			if (es < 4) {
				vi field = splat((es == 2 ? 0xffffu : 0xffu) << shift);

				v = pick(field, (vi)((vu)v << shift), ld(p + i * 4));
			}
			st_lanes(p + i * 4, v, i, lanes);
		}
	}
}

/* One loop per type: the switch is outside. */
#define BY_TYPE(f, ...)								\
	switch (dtype) {							\
	case NCA_FP32: f(__VA_ARGS__, NCA_FP32, DOM_FP); break;			\
	case NCA_BF16: f(__VA_ARGS__, NCA_BF16, DOM_FP); break;			\
	case NCA_FP16: f(__VA_ARGS__, NCA_FP16, DOM_FP); break;			\
	case NCA_FP8E4M3: f(__VA_ARGS__, NCA_FP8E4M3, DOM_FP); break;		\
	case NCA_FP8E5M2: f(__VA_ARGS__, NCA_FP8E5M2, DOM_FP); break;		\
	case NCA_INT32: f(__VA_ARGS__, NCA_INT32, DOM_FP); break;		\
	case NCA_INT16: f(__VA_ARGS__, NCA_INT16, DOM_FP); break;		\
	case NCA_UINT16: f(__VA_ARGS__, NCA_UINT16, DOM_FP); break;		\
	case NCA_INT8: f(__VA_ARGS__, NCA_INT8, DOM_FP); break;			\
	case NCA_UINT8: f(__VA_ARGS__, NCA_UINT8, DOM_FP); break;		\
	default: f(__VA_ARGS__, NCA_UINT32, DOM_FP); break;			\
	}
#define BY_SIZE(f, ...)								\
	switch (nca_dtype_size(dtype)) {					\
	case 4: f(__VA_ARGS__, NCA_UINT32, DOM_BITS); break;			\
	case 2: f(__VA_ARGS__, NCA_UINT16, DOM_BITS); break;			\
	default: f(__VA_ARGS__, NCA_UINT8, DOM_BITS); break;			\
	}

static void load(uint32_t *out, const uint8_t *base, const uint32_t *off, uint32_t n,
		 uint32_t lanes, uint32_t dtype, enum domain dom)
{
	if (dom == DOM_FP) {
		BY_TYPE(load_as, out, base, off, n, lanes);
	} else if (dom != DOM_BITS && dtype == NCA_INT16) {
		load_as(out, base, off, n, lanes, NCA_INT16, DOM_INT);
	} else if (dom != DOM_BITS && dtype == NCA_INT8) {
		load_as(out, base, off, n, lanes, NCA_INT8, DOM_INT);
	} else {
		BY_SIZE(load_as, out, base, off, n, lanes);
	}
}

static const struct { int64_t lo, hi; } int_range[NCA_DTYPES] = {
	[NCA_INT32] = { INT32_MIN, INT32_MAX },	[NCA_UINT32] = { 0, UINT32_MAX },
	[NCA_INT16] = { INT16_MIN, INT16_MAX },	[NCA_UINT16] = { 0, UINT16_MAX },
	[NCA_INT8] = { INT8_MIN, INT8_MAX },	[NCA_UINT8] = { 0, UINT8_MAX },
};

/* A row of integers saturated to @dtype, or as FP32 if that is what it is to become. */
static void narrow_row(uint32_t *row, const uint32_t *in, uint32_t lanes, uint32_t dtype,
		       enum domain dom)
{
	int64_t lo = int_range[dtype].lo, hi = int_range[dtype].hi;
	int32_t flip = dom == DOM_UINT ? INT32_MIN : 0;	/* unsigned order becomes signed order */

	if (dom == DOM_UINT) {
		lo = INT32_MIN;
		hi += INT32_MIN;
	} else {
		hi = hi > INT32_MAX ? INT32_MAX : hi;
	}
	for (uint32_t i = 0; i < lanes; i += VL) {
		vi v = ld(in + i);

		if (dtype < NCA_INT32) {
			v = (vi)(dom == DOM_UINT ? from_uint32(v) : __builtin_convertvector(v, vf));
		} else {
			v = v ^ flip;
			v = pick(v < (int32_t)lo, splat((uint32_t)lo), v);
			v = pick(v > (int32_t)hi, splat((uint32_t)hi), v) ^ flip;
		}
		st(row + i, v);
	}
}

static void store(uint8_t *base, const uint32_t *off, const uint32_t *in, uint32_t n,
		  uint32_t lanes, uint32_t dtype, enum domain dom)
{
	uint32_t row[LANES] __attribute__((aligned(64)));

	if (dom == DOM_FP) {
		BY_TYPE(store_as, base, off, in, n, lanes);
	} else if (dom == DOM_BITS) {
		BY_SIZE(store_as, base, off, in, n, lanes);
	} else {
		for (uint32_t r = 0; r < n; r++) {
			narrow_row(row, in + r * LANES, lanes, dtype, dom);
			store(base, off + r, row, 1, lanes, dtype,
			      dtype < NCA_INT32 ? DOM_FP : DOM_BITS);
		}
	}
}
