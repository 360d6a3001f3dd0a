/* SPDX-License-Identifier: MIT */
/* AVX2 arithmetic: vector.inc.h on 8 lanes. */
#include <immintrin.h>
#include <stdint.h>

#include "kernels.h"

#define VL	8
#define VTABLE	core_kernels_avx2
#define VNAME	"avx2"
#define MM_COLS	16	/* stationary columns of one step: 2 vectors */

typedef float vf __attribute__((vector_size(32)));
typedef int32_t vi __attribute__((vector_size(32)));
typedef uint32_t vu __attribute__((vector_size(32)));

static inline __attribute__((always_inline)) vf v_fma(vf a, vf b, vf c)
{
	return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}

static inline __attribute__((always_inline)) vf v_sqrt(vf a)
{
	return (vf)_mm256_sqrt_ps((__m256)a);
}

static inline __attribute__((always_inline)) vf canonical(vf a)
{
	__m256 x = (__m256)a, nan = (__m256)_mm256_set1_epi32(CANONICAL_NAN);

	return (vf)_mm256_blendv_ps(x, nan, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}

static inline __attribute__((always_inline)) bool any(vi a)
{
	return !_mm256_testz_si256((__m256i)a, (__m256i)a);
}

static inline __attribute__((always_inline)) vf v_max(vf a, vf b)
{
	return (vf)_mm256_max_ps((__m256)a, (__m256)b);
}

static inline __attribute__((always_inline)) vf v_rint(vf a)
{
	return (vf)_mm256_round_ps((__m256)a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static inline __attribute__((always_inline)) vf v_floor(vf a)
{
	return (vf)_mm256_round_ps((__m256)a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}

static inline __attribute__((always_inline)) vf v_ceil(vf a)
{
	return (vf)_mm256_round_ps((__m256)a, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
}

static inline __attribute__((always_inline)) vi v_cvt(vf a)
{
	return (vi)_mm256_cvtps_epi32((__m256)a);
}

/* The 16-bit lanes come packed per 128-bit half: put the halves together. */
static inline __attribute__((always_inline)) vf v_from_half(vi a)
{
	__m256i p = _mm256_packus_epi32((__m256i)(a & 0xffff), _mm256_setzero_si256());

	p = _mm256_permute4x64_epi64(p, 0x08);
	return (vf)_mm256_cvtph_ps(_mm256_castsi256_si128(p));
}

static inline __attribute__((always_inline)) vi v_to_half(vf a)
{
	return (vi)_mm256_cvtepu16_epi32(_mm256_cvtps_ph((__m256)a, _MM_FROUND_TO_NEAREST_INT));
}

/* A vector of consecutive BF16 as FP32. */
static inline __attribute__((always_inline)) vi ld_bf16(const void *p)
{
	return (vi)_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(p)), 16);
}

#include "vector.inc.h"
