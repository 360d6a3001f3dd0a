/* SPDX-License-Identifier: MIT */
/* AVX-512 arithmetic: vector.inc.h on 16 lanes. */
#include <immintrin.h>
#include <stdint.h>

#include "kernels.h"

#define VL	16
#define VTABLE	core_kernels_avx512
#define VNAME	"avx512"
#define MM_COLS	64	/* stationary columns of one step: 4 vectors */

typedef float vf __attribute__((vector_size(64)));
typedef int32_t vi __attribute__((vector_size(64)));
typedef uint32_t vu __attribute__((vector_size(64)));

static inline __attribute__((always_inline)) vf v_fma(vf a, vf b, vf c)
{
	return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}

static inline __attribute__((always_inline)) vf v_sqrt(vf a)
{
	return (vf)_mm512_sqrt_ps((__m512)a);
}

static inline __attribute__((always_inline)) vf canonical(vf a)
{
	__m512 x = (__m512)a, nan = (__m512)_mm512_set1_epi32(CANONICAL_NAN);

	return (vf)_mm512_mask_mov_ps(x, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), nan);
}

static inline __attribute__((always_inline)) bool any(vi a)
{
	return _mm512_test_epi32_mask((__m512i)a, (__m512i)a);
}

static inline __attribute__((always_inline)) vf v_max(vf a, vf b)
{
	return (vf)_mm512_max_ps((__m512)a, (__m512)b);
}

static inline __attribute__((always_inline)) vf v_rint(vf a)
{
	return (vf)_mm512_roundscale_ps((__m512)a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static inline __attribute__((always_inline)) vf v_floor(vf a)
{
	return (vf)_mm512_roundscale_ps((__m512)a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}

static inline __attribute__((always_inline)) vf v_ceil(vf a)
{
	return (vf)_mm512_roundscale_ps((__m512)a, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
}

static inline __attribute__((always_inline)) vi v_cvt(vf a)
{
	return (vi)_mm512_cvtps_epi32((__m512)a);
}

static inline __attribute__((always_inline)) vf v_from_half(vi a)
{
	return (vf)_mm512_cvtph_ps(_mm512_cvtepi32_epi16((__m512i)a));
}

static inline __attribute__((always_inline)) vi v_to_half(vf a)
{
	return (vi)_mm512_cvtepu16_epi32(_mm512_cvtps_ph((__m512)a, _MM_FROUND_TO_NEAREST_INT));
}

/* A vector of consecutive BF16 as FP32. */
static inline __attribute__((always_inline)) vi ld_bf16(const void *p)
{
	return (vi)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(p)), 16);
}

#include "vector.inc.h"
