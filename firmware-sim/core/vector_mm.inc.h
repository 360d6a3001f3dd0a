/* SPDX-License-Identifier: MIT */
/*
 * Matrix products and transposes of words: the part of vector.inc.h (which
 * includes this) that decides how fast a network runs.
 */
/* ---- matmul ------------------------------------------------------------------------- */
#define MV_MAX	(MM_COLS / VL)	/* vectors of one step over columns */
#define NB_MAX	6		/* moving rows at a time */
#define DIAGONAL_AHEAD	12u	/* rows */

struct tile {			/* of the result */
	const struct mm_args *a;
	const float *stat;
	size_t pitch;
	float *keep;		/* a panel to fill, see struct mm_args */
	uint32_t n0, m0;
	/*
	 * Prefetched meanwhile: lines of rows, in the order in which they lie in memory,
	 * which is what its open pages and the CPU's own prefetchers like. Line i is at
	 * (i >> log_lines) * ahead_pitch + (i & (1 << log_lines) - 1) * 64.
	 */
	const uint8_t *ahead;
	size_t ahead_pitch;
	uint32_t line, shift, log_lines;
};

INLINE void emit(uint8_t *out, vf r, bool accumulate)
{
	if (accumulate)
		r = (vf)ld(out) + r;
	st(out, (vi)canonical(r));
}

/* As the end of micro(), for any size and a last vector that is not whole. */
static __attribute__((noinline)) void emit_all(const struct tile *t, const vf *acc, int nb, int mv)
{
	const struct mm_args *a = t->a;

	for (int j = 0; j < nb; j++) {
		for (int v = 0; v < mv; v++) {
			uint32_t m = t->m0 + (uint32_t)v * VL;
			uint8_t *out = a->out + a->out_off[t->n0 + (uint32_t)j] + m * 4;
			vf r = *acc++;

			if (a->accumulate)
				r = (vf)ld(out) + r;
			st_lanes(out, (vi)canonical(r), m, a->m);
		}
	}
}

/*
 * @nb moving rows times @mv vectors of stationary columns, over all of k in
 * ascending order. Both counts are constants here, so that the accumulators
 * live in registers: 24 of 32 with AVX-512, 12 of 16 with AVX2.
 */
INLINE void micro(const struct tile *t, int nb, int mv, bool keep)
{
	const struct mm_args *a = t->a;
	vf acc[NB_MAX * MV_MAX];
	const float *mov[NB_MAX], *stat = t->stat;
	const uint8_t *ahead = t->ahead;
	size_t ahead_pitch = t->ahead_pitch;
	uint32_t line = t->line << t->shift, shift = t->shift, log_lines = t->log_lines;
	size_t in_row = t->ahead_pitch ? (64u << log_lines) - 64 : 0;
	float *panel = t->keep;

	UNROLL
	for (int j = 0; j < nb; j++) {
		mov[j] = (const float *)(a->mov + a->mov_off[t->n0 + (uint32_t)j]);
		UNROLL
		for (int v = 0; v < mv; v++)
			acc[j * mv + v] = splatf(0);
	}
	for (size_t k = 0, last = a->k, pitch = t->pitch; k < last; k++, stat += pitch) {
		vf s[MV_MAX];

		size_t i = (line + k) >> shift;

		_mm_prefetch((const char *)ahead + (i >> log_lines) * ahead_pitch + (i * 64 & in_row),
			     _MM_HINT_T1);
		UNROLL
		for (int v = 0; v < mv; v++) {
			s[v] = (vf)ld(stat + v * VL);
			if (keep)
				st(panel + k * PANEL + v * VL, (vi)s[v]);
		}
		UNROLL
		for (int j = 0; j < nb; j++) {
			vf x = splatf(mov[j][k]);

			UNROLL
			for (int v = 0; v < mv; v++)
				acc[j * mv + v] = v_fma(s[v], x, acc[j * mv + v]);
		}
	}
	if (nb * mv <= NB_MAX * MV_MAX / 2 || t->m0 + (uint32_t)mv * VL > a->m) {
		vf copy[NB_MAX * MV_MAX];	/* acc itself stays in registers */

		UNROLL
		for (int j = 0; j < nb; j++) {
			UNROLL
			for (int v = 0; v < mv; v++)
				copy[j * mv + v] = acc[j * mv + v];
		}
		emit_all(t, copy, nb, mv);
		return;
	}
	UNROLL
	for (int j = 0; j < nb; j++) {
		uint8_t *out = a->out + a->out_off[t->n0 + (uint32_t)j] + t->m0 * 4;

		UNROLL
		for (int v = 0; v < mv; v++)
			emit(out + v * VL * 4, acc[j * mv + v], a->accumulate);
	}
}

#define MICRO_ROWS(mv)							\
static __attribute__((noinline)) void micro_##mv(const struct tile *t, uint32_t nb)	\
{									\
	switch (nb) {							\
	case 1: micro(t, 1, mv, false); break;				\
	case 2: micro(t, 2, mv, false); break;				\
	case 3: micro(t, 3, mv, false); break;				\
	case 4: micro(t, 4, mv, false); break;				\
	case 5: micro(t, 5, mv, false); break;				\
	default: micro(t, 6, mv, false); break;				\
	}								\
}
MICRO_ROWS(1)
MICRO_ROWS(2)
#if MM_COLS / VL > 2
MICRO_ROWS(4)		/* does for 3, too */
#endif

/*
 * The first rows of a tile that was not packed: what was loaded to be multiplied
 * is stored, too, which costs nothing beside 24 multiply-adds.
 */
static __attribute__((noinline)) void micro_keep(const struct tile *t)
{
	micro(t, NB_MAX, MV_MAX, true);
}

static void keep_columns(const struct tile *t, uint32_t cols)
{
	for (uint32_t k = 0; k < t->a->k; k++)
		memcpy(t->keep + k * PANEL, t->stat + k * t->pitch, cols * sizeof(float));
}

/* The usual tile: FP32, whole panels. */
static void pack_whole(const struct mm_tile *t)
{
	for (uint32_t i = 0; i < t->k; i++) {
		const uint8_t *src = t->row[i] + t->offset;
		float *to = t->panel + i * PANEL;

		for (uint32_t j = 0; j < t->m; j += PANEL) {
			UNROLL
			for (uint32_t v = 0; v < PANEL; v += VL)
				st(to + v, ld(src + v * 4));
			src += PANEL * 4;
			to += PANEL * t->k;
		}
	}
}

/* Row by row as they lie in memory; nothing past the end of one is read. */
static void pack(const struct mm_tile *t)
{
	uint32_t whole = t->m / VL * VL, end = (t->m + PANEL - 1) / PANEL * PANEL;

	if (t->dtype == NCA_FP32 && t->m % PANEL == 0) {
		pack_whole(t);
		return;
	}
	for (uint32_t i = 0; i < t->k; i++) {
		const uint8_t *src = t->row[i] + t->offset;

		for (uint32_t j = 0; j < end; j += VL) {
			float *to = t->panel + ((size_t)(j / PANEL) * t->k + i) * PANEL + j % PANEL;

			if (j >= whole)
				st(to, splat(0));
			else
				st(to, t->dtype == NCA_FP32 ? ld(src + j * 4) : ld_bf16(src + j * 2));
		}
		for (uint32_t j = whole; j < t->m; j++) {
			float *to = t->panel + ((size_t)(j / PANEL) * t->k + i) * PANEL + j % PANEL;

			if (t->dtype == NCA_FP32)
				memcpy(to, src + j * 4, 4);
			else
				memcpy((uint8_t *)to + 2, src + j * 2, 2);
		}
	}
}

/* How far apart the lines are asked for: a burst would find no free slot and be dropped. */
static void pace(struct tile *t, uint32_t calls)
{
	const struct mm_args *a = t->a;
	uint32_t lines;

	while (64u << t->log_lines < a->ahead.bytes)
		t->log_lines++;
	lines = a->ahead.rows << t->log_lines;
	for (t->shift = 2; t->shift && calls * (a->k >> t->shift) < lines; )
		t->shift--;
}

/* What call number @c asks for. An address past the last row does no harm: it is a hint. */
static void aim(struct tile *t, uint32_t c)
{
	const struct mm_args *a = t->a;

	t->line = c * (a->k >> t->shift);
	if (t->line >> t->log_lines < a->ahead.rows) {
		t->ahead = a->ahead.at;
		t->ahead_pitch = a->ahead.pitch;
	} else {
		t->ahead = (const uint8_t *)t->stat;	/* is in the cache already */
		t->ahead_pitch = 0;
	}
}

static void matmul(const struct mm_args *a);

/* Row @n as any other tile's. */
static __attribute__((noinline)) void one_row(const struct mm_args *a, uint32_t n)
{
	struct mm_args one = *a;

	one.diagonal = false;
	one.mov_off += n;
	one.out_off += n;
	one.n = 1;
	matmul(&one);
}

/* Lines of the next tile, one for every row of this one, and rows of this one before their turn. */
INLINE void diagonal_ahead(const struct mm_args *a, uint32_t n, uint32_t *row, uint32_t *at)
{
	if (n + DIAGONAL_AHEAD < a->n) {
		_mm_prefetch((const char *)a->mov + a->mov_off[n + DIAGONAL_AHEAD], _MM_HINT_T0);
		_mm_prefetch((const char *)a->out + a->out_off[n + DIAGONAL_AHEAD], _MM_HINT_T0);
	}
	if (*row >= a->ahead.rows)
		return;
	_mm_prefetch((const char *)a->ahead.at + *row * a->ahead.pitch + *at, _MM_HINT_T1);
	*at += 64;
	if (*at >= a->ahead.bytes) {
		*at = 0;
		++*row;
	}
}

/*
 * Depthwise convolutions. Zeroes times what is finite change a sum only if it is -0, which
 * takes a product too small for FP32: rows with either go the long way.
 */
INLINE void diagonal_rows(const struct mm_args *a, const float *w, uint32_t m)
{
	uint32_t row = 0, at = 0;

	for (uint32_t n = 0; n < a->n; n++) {
		const uint8_t *mov = a->mov + a->mov_off[n];
		uint8_t *out = a->out + a->out_off[n];
		vi odd = splat(0);
		vf r[LANES / VL] = { 0 };

		diagonal_ahead(a, n, &row, &at);
		for (uint32_t v = 0; v < (m + VL - 1) / VL; v++) {
			vi x = ld(mov + v * VL * 4);

			r[v] = v_fma((vf)ld(w + v * VL), (vf)x, splatf(0));
			odd |= (x & 0x7f800000) == 0x7f800000;
			odd |= (vi)r[v] == INT32_MIN;
		}
		if (any(odd)) {
			one_row(a, n);
			continue;
		}
		for (uint32_t v = 0; v < (m + VL - 1) / VL; v++) {
			vf sum = a->accumulate ? (vf)ld(out + v * VL * 4) + r[v] : r[v];

			st_lanes(out + v * VL * 4, (vi)canonical(sum), v * VL, m);
		}
	}
}

static void matmul_diagonal(const struct mm_args *a)
{
	float w[LANES] = { 0 };

	for (uint32_t m = 0; m < a->m; m++)
		w[m] = a->stat[m / PANEL * a->panel + m * a->pitch + m % PANEL];
	if (a->m == 32)		/* the usual one: a quarter of the array, in registers */
		diagonal_rows(a, w, 32);
	else
		diagonal_rows(a, w, a->m);
}

static void matmul(const struct mm_args *a)
{
	uint32_t groups = (a->n + NB_MAX - 1) / NB_MAX, call = 0;
	struct tile t = { .a = a };

	if (a->diagonal) {
		matmul_diagonal(a);
		return;
	}
	pace(&t, groups * ((a->m + MM_COLS - 1) / MM_COLS));
	for (uint32_t m0 = 0; m0 < a->m; m0 += MM_COLS) {
		uint32_t cols = a->m - m0 < MM_COLS ? a->m - m0 : MM_COLS;
		float *panel = a->keep ? a->keep + m0 / PANEL * PANEL * a->k + m0 % PANEL : NULL;

		t.m0 = m0;
		t.n0 = 0;
		t.pitch = a->pitch;
		t.stat = a->stat + (m0 / PANEL) * a->panel + m0 % PANEL;
		/* Groups of nearly the same size: a last one of one row would be slow. */
		for (uint32_t g = 0; g < groups; g++) {
			uint32_t nb = a->n / groups + (g < a->n % groups);

			aim(&t, call++);
			if (panel) {
				bool full = nb == NB_MAX && cols == MM_COLS;

				t.keep = panel;
				if (full)
					micro_keep(&t);
				else
					keep_columns(&t, cols);
				t.stat = panel;
				t.pitch = PANEL;
				panel = NULL;
				if (full) {
					t.n0 += nb;
					continue;
				}
			}
			switch ((cols + VL - 1) / VL) {
			case 1: micro_1(&t, nb); break;
			case 2: micro_2(&t, nb); break;
#if MM_COLS / VL > 2
			default: micro_4(&t, nb); break;
#endif
			}
			t.n0 += nb;
		}
	}
}

static void matmul_int(const struct mm_args *a)
{
	for (uint32_t m0 = 0; m0 < a->m; m0 += VL) {
		const float *stat = a->stat + (m0 / PANEL) * a->panel + m0 % PANEL;

		for (uint32_t n = 0; n < a->n; n++) {
			const int32_t *mov = (const int32_t *)(a->mov + a->mov_off[n]);
			uint8_t *out = a->out + a->out_off[n] + m0 * 4;
			vi acc = a->accumulate ? ld(out) : splat(0);

			for (uint32_t k = 0; k < a->k; k++)
				acc = (vi)((vu)acc + (vu)(ld(stat + k * a->pitch) * mov[k]));
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
	for (c = 0; r < rows && c < cols; c++)
		for (uint32_t i = r; i < rows; i++)
			memcpy(dst + c * dst_pitch + i * 4, src + i * src_pitch + c * 4, 4);
}
