/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic of the engines, once per instruction-set extension of the host.
 *
 * Every table computes the same bits; golden.c is written from the data sheet
 * and is what the others are compared with. Tables know rows, not instructions:
 * a row is 128 32-bit lanes, one per partition, of which the first @lanes count.
 */
#ifndef NCASIM_CORE_KERNELS_H
#define NCASIM_CORE_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <nca/isa.h>

#define LANES		NCA_PARTITIONS
#define ROW_BYTES	(LANES * 4u)
#define PANEL		64u	/* columns of a packed stationary panel */

/* What the 32 bits of a lane mean while an instruction computes. */
enum domain { DOM_FP, DOM_INT, DOM_UINT, DOM_BITS };

/*
 * Element r of an operand lives at base + off[r]; lane i is 4 * i bytes further
 * on, because SBUF and PSUM are held word-major: [4-byte word][128 partitions].
 */
struct mm_args {
	/*
	 * Stationary element [k][m] at (m / PANEL) * panel + k * pitch + m % PANEL; what is
	 * past the last one is readable up to a multiple of 16.
	 */
	const float *stat;
	size_t panel, pitch;
	uint32_t k, m, n;
	const uint8_t *mov;	/* row i at mov + mov_off[i]: k consecutive FP32 (or INT32) */
	const uint32_t *mov_off;
	uint8_t *out;		/* row i at out + out_off[i]: m consecutive FP32 (or INT32) */
	const uint32_t *out_off;
	bool accumulate;
	bool diagonal;		/* k is m, and every stationary element but [i][i] is a zero */
	/* Not NULL: leave the stationary elements here, in panels as pack() makes them. */
	float *keep;
	struct {		/* rows that will be read soon: have them brought nearer */
		const uint8_t *at;
		size_t pitch;
		uint32_t rows, bytes;	/* rows 0: none */
	} ahead;
};

struct mm_tile {		/* a stationary tile, FP32 or BF16: @k rows of @m elements */
	float *panel;
	const uint8_t *const *row;
	uint32_t offset;	/* in each row */
	size_t pitch;		/* how far apart all rows are; 0: not equally */
	uint32_t k, m, dtype;
};

/*
 * What most elementwise instructions are, in one pass: every operand FP32,
 * dst = relu?((src op[0] y[0]) op[1] y[1]).
 */
struct ew_args {
	uint8_t *dst;
	const uint8_t *src;
	const uint32_t *dst_off, *src_off;
	uint32_t n, lanes;
	uint32_t op[2];		/* enum nca_alu; NONE: this step is absent */
	bool reverse[2];	/* the other operand on the left */
	const uint8_t *y[2];
	const uint32_t *y_off[2];	/* per element; NULL: one row for all */
	bool relu;
};

struct core_kernels {
	const char *name;
	/* False if an operation is not among the few it knows; nothing was done then. NULL: none is. */
	bool (*ew)(const struct ew_args *a);
	/* Row r of @out = element r, widened to the domain (DOM_BITS: zero extended). */
	void (*load)(uint32_t *out, const uint8_t *base, const uint32_t *off, uint32_t n,
		     uint32_t lanes, uint32_t dtype, enum domain dom);
	/* Element r = row r of @in, converted from the domain (DOM_BITS: low bits). */
	void (*store)(uint8_t *base, const uint32_t *off, const uint32_t *in, uint32_t n,
		      uint32_t lanes, uint32_t dtype, enum domain dom);
	/* a = a op b, or b op a; b advances by @bstep lanes per row (0: one row for all). */
	void (*alu)(uint32_t *a, const uint32_t *b, uint32_t bstep, uint32_t n, uint32_t lanes,
		    uint32_t op, enum domain dom, bool reverse);
	/* acc = (..((acc op a[0]) op a[1])..) */
	void (*reduce)(uint32_t *acc, const uint32_t *a, uint32_t n, uint32_t lanes, uint32_t op,
		       enum domain dom);
	void (*func)(uint32_t *a, uint32_t n, uint32_t lanes, uint32_t func, uint32_t param);
	/* a = mask != 0 ? a : b; the mask is FP (+-0 is false) or raw integers. */
	void (*select)(uint32_t *a, const uint32_t *b, uint32_t bstep, const uint32_t *mask,
		       uint32_t n, uint32_t lanes, bool mask_fp);
	void (*tf32)(uint32_t *a, uint32_t n, uint32_t lanes);
	/* Rows into panels; what is left of the last panel is 0. */
	void (*pack)(const struct mm_tile *t);
	void (*matmul)(const struct mm_args *a);
	void (*matmul_int)(const struct mm_args *a);
	/* dst[c][r] = src[r][c], words; pitches in bytes. */
	void (*transpose)(uint8_t *dst, size_t dst_pitch, const uint8_t *src, size_t src_pitch,
			  uint32_t rows, uint32_t cols);
};

extern const struct core_kernels core_kernels_golden;
extern const struct core_kernels core_kernels_avx2;
extern const struct core_kernels core_kernels_avx512;

/* golden_types.c: one value at a time, by the data sheet. */
float golden_to_fp32(uint32_t bits, uint32_t dtype);
uint32_t golden_from_fp32(float v, uint32_t dtype);
uint32_t golden_to_int(uint32_t bits, uint32_t dtype);
uint32_t golden_from_int(uint32_t v, uint32_t dtype, enum domain dom);
float golden_tf32(float v);
uint32_t golden_fp32_to_word(float v, enum domain dom);
/* golden_alu.c */
uint32_t golden_alu(uint32_t op, uint32_t a, uint32_t b, enum domain dom);
/* golden_func.c */
float golden_func(uint32_t func, float x, uint32_t param);
float golden_pow(float x, float y);

static inline float bits_float(uint32_t u)
{
	union { uint32_t u; float f; } x = { .u = u };

	return x.f;
}

static inline uint32_t float_bits(float f)
{
	union { float f; uint32_t u; } x = { .f = f };

	return x.u;
}

#define CANONICAL_NAN	0x7fc00000u

static inline uint32_t canonical_bits(float f)
{
	return f != f ? CANONICAL_NAN : float_bits(f);
}

#endif
