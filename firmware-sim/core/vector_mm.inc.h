/* SPDX-License-Identifier: MIT */
/*
 * Matrix products and transposes of words: the part of vector.inc.h (which
 * includes this) that decides how fast a network runs.
 */
/* ---- matmul ------------------------------------------------------------------------- */
#define MV_MAX	(MM_COLS / VL)	/* vectors of one step over columns */
#define NB_MAX	6		/* moving rows at a time */

/*
 * @nb moving rows times @mv vectors of stationary columns, over all of k in
 * ascending order. Both counts are constants here, so that the accumulators
 * live in registers: 24 of 32 with AVX-512, 12 of 16 with AVX2.
 */
INLINE void micro(const struct mm_args *a, const float *stat, uint32_t n0, uint32_t m0, int nb,
		  int mv)
{
	vf acc[NB_MAX][MV_MAX];
	const float *mov[NB_MAX];

	UNROLL
	for (int j = 0; j < nb; j++) {
		mov[j] = (const float *)(a->mov + a->mov_off[n0 + j]);
		UNROLL
		for (int v = 0; v < mv; v++)
			acc[j][v] = splatf(0);
	}
	for (uint32_t k = 0; k < a->k; k++, stat += PANEL) {
		vf s[MV_MAX];

		UNROLL
		for (int v = 0; v < mv; v++)
			s[v] = (vf)ld(stat + v * VL);
		UNROLL
		for (int j = 0; j < nb; j++) {
			vf x = splatf(mov[j][k]);

			UNROLL
			for (int v = 0; v < mv; v++)
				acc[j][v] = v_fma(s[v], x, acc[j][v]);
		}
	}
	UNROLL
	for (int j = 0; j < nb; j++) {
		uint8_t *out = a->out + a->out_off[n0 + j] + m0 * 4;

		UNROLL
		for (int v = 0; v < mv; v++) {
			vf r = acc[j][v];

			if (a->accumulate)
				r = (vf)ld(out + v * VL * 4) + r;
			st_lanes(out + v * VL * 4, (vi)canonical(r), m0 + v * VL, a->m);
		}
	}
}

#define MICRO_ROWS(mv)								\
static __attribute__((noinline)) void						\
micro_##mv(const struct mm_args *a, const float *stat, uint32_t n0, uint32_t m0, uint32_t nb)	\
{										\
	switch (nb) {								\
	case 1: micro(a, stat, n0, m0, 1, mv); break;				\
	case 2: micro(a, stat, n0, m0, 2, mv); break;				\
	case 3: micro(a, stat, n0, m0, 3, mv); break;				\
	case 4: micro(a, stat, n0, m0, 4, mv); break;				\
	case 5: micro(a, stat, n0, m0, 5, mv); break;				\
	default: micro(a, stat, n0, m0, 6, mv); break;				\
	}									\
}
MICRO_ROWS(1)
MICRO_ROWS(2)
#if MM_COLS / VL > 2
MICRO_ROWS(3)
MICRO_ROWS(4)
#endif

static void matmul(const struct mm_args *a)
{
	for (uint32_t m0 = 0; m0 < a->m; m0 += MM_COLS) {
		const float *stat = a->stat + (size_t)(m0 / PANEL * PANEL) * a->k + m0 % PANEL;
		uint32_t cols = a->m - m0 < MM_COLS ? a->m - m0 : MM_COLS;
		uint32_t mv = (cols + VL - 1) / VL;

		for (uint32_t n0 = 0; n0 < a->n; n0 += NB_MAX) {
			uint32_t nb = a->n - n0 < NB_MAX ? a->n - n0 : NB_MAX;

			switch (mv) {
			case 1: micro_1(a, stat, n0, m0, nb); break;
			case 2: micro_2(a, stat, n0, m0, nb); break;
#if MM_COLS / VL > 2
			case 3: micro_3(a, stat, n0, m0, nb); break;
			default: micro_4(a, stat, n0, m0, nb); break;
#endif
			}
		}
	}
}

static void matmul_int(const struct mm_args *a)
{
	for (uint32_t m0 = 0; m0 < a->m; m0 += VL) {
		const float *stat = a->stat + (size_t)(m0 / PANEL * PANEL) * a->k + m0 % PANEL;

		for (uint32_t n = 0; n < a->n; n++) {
			const int32_t *mov = (const int32_t *)(a->mov + a->mov_off[n]);
			uint8_t *out = a->out + a->out_off[n] + m0 * 4;
			vi acc = a->accumulate ? ld(out) : splat(0);

			for (uint32_t k = 0; k < a->k; k++)
				acc = (vi)((vu)acc + (vu)(ld(stat + k * PANEL) * mov[k]));
			st_lanes(out, acc, m0, a->m);
		}
	}
}

/* ---- transpose of words ---------------------------------------------------------------- */
INLINE void transpose8(uint8_t *dst, size_t dst_pitch, const uint8_t *src, size_t src_pitch)
{
	__m256 r[8], t[8];

	UNROLL
	for (int i = 0; i < 8; i++)
		r[i] = _mm256_loadu_ps((const float *)(src + i * src_pitch));
	UNROLL
	for (int i = 0; i < 8; i += 2) {
		t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
		t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
	}
	UNROLL
	for (int i = 0; i < 8; i += 4) {
		r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
		r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
		r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
		r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
	}
	UNROLL
	for (int i = 0; i < 4; i++) {
		_mm256_storeu_ps((float *)(dst + i * dst_pitch),
				 _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
		_mm256_storeu_ps((float *)(dst + (i + 4) * dst_pitch),
				 _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
	}
}

static void transpose(uint8_t *dst, size_t dst_pitch, const uint8_t *src, size_t src_pitch,
		      uint32_t rows, uint32_t cols)
{
	uint32_t r, c;

	for (r = 0; r + 8 <= rows; r += 8) {
		for (c = 0; c + 8 <= cols; c += 8)
			transpose8(dst + c * dst_pitch + r * 4, dst_pitch,
				   src + r * src_pitch + c * 4, src_pitch);
		for (; c < cols; c++)
			for (uint32_t i = r; i < r + 8; i++)
				memcpy(dst + c * dst_pitch + i * 4, src + i * src_pitch + c * 4, 4);
	}
	for (; r < rows; r++)
		for (c = 0; c < cols; c++)
			memcpy(dst + c * dst_pitch + r * 4, src + r * src_pitch + c * 4, 4);
}
