/* SPDX-License-Identifier: MIT */
/* Inside of the convolution's lowering, see lower_conv.c. */
#ifndef LOWER_CONV_H
#define LOWER_CONV_H

#include "lower.h"

#define CONV_BANK_FP32 (NCA_PSUM_BANK_BYTES / 4)

/* A piece of the result that fits one PSUM bank. */
struct conv_tile {
	int64_t n0, nn, r0, rows, c0, cols;
	uint32_t psum;
	uint8_t started;	/* by 32 PSUM partitions: something has been written to every element */
};

/* Weights of one or several steps as they lie in SBUF, @bytes in each of @nparts partitions. */
struct conv_weights {
	int64_t nparts;
	uint64_t bytes;
	struct weight_group *group;	/* NULL: not placed yet */
	uint64_t at;
};

/*
 * One product: which input channels (partitions [k0, k0 + kn) of block @kb), which tap, which of the
 * block's output channels [j0, j0 + jn).
 */
struct conv_step {
	int64_t kb, k0, kn, kh, kw, j0, jn;
	struct conv_weights *weights;
	int64_t w0;		/* first partition of its weights */
};

/* The products that make one block of output channels. */
struct conv_block {
	int64_t m0, mb;
	struct conv_step *steps;
	size_t num;
	uint32_t places;	/* how many of them the array takes side by side */
	uint64_t bytes;		/* of weights, per partition */
};

/* Output rows, and blocks of their channels, that are computed together, with what they need in SBUF. */
struct conv_band {
	int64_t n0, nn, r0, rows;
	int64_t cb0, ncb;
	struct rows in, residual, out;
	struct rows staged;	/* few channels: rows of the image that come with this band */
};

struct conv {
	struct lower *l;
	struct ir_op *op;
	struct ir_window_geometry geo;
	struct ir_nchw x, y;
	const struct ir_window *win;
	int64_t group, m;
	const float *w;			/* [m][c / group][kh][kw] */
	bool packed;
	bool has_bias;
	uint64_t bias;			/* column */
	struct conv_block *blocks;
	size_t num_blocks;
	struct weight_group **loaded;	/* groups brought since the last time they were given up */
	size_t num_loaded, cap_loaded;
	struct conv_band *bands, *band;	/* all of them, the one at hand */
	struct conv_tile *tiles;	/* of the band at hand */
	size_t num_tiles;
	size_t at_once;			/* tiles that are accumulated at the same time */
};

/* ---- lower_conv_plan.c: how the work is cut up ---- */
void conv_make_blocks(struct conv *c);
void conv_make_tiles(struct conv *c);
/* Rows of the result that fill a PSUM bank. */
int64_t conv_tile_rows(const struct conv *c);
/* The part of @t that a step's tap reaches; false if it reaches nothing. */
bool conv_tap_area(const struct conv *c, const struct conv_tile *t, const struct conv_step *s,
		   int64_t *r0, int64_t *r1, int64_t *c0, int64_t *c1);
bool conv_covers_tile(const struct conv *c, const struct conv_tile *t, const struct conv_step *s);
/* The bytes of @w: for each of its steps [input row][output channel], as the array takes it. Good until
 * the next call. */
uint8_t *conv_stationary(const struct conv *c, const struct conv_block *b,
			 const struct conv_weights *w);

/* ---- lower_conv_out.c ---- */
/* True if other stationary tiles have taken places of the array. */
bool conv_finish_tile(struct conv *c, const struct conv_tile *t, const struct conv_block *b);

/* ---- lower_conv_band.c: what is in SBUF at once ---- */
/* @weights: bytes per partition. @cut: the weights are needed again for every band. */
struct conv_band *conv_make_bands(struct conv *c, uint64_t weights, size_t *num, bool *cut);
/* The rows of the image that @b needs and no band before it, for an input with few channels. */
void conv_stage_band(struct conv *c, struct conv_band *b);
void conv_bring_band(struct conv *c, struct conv_band *b);

#endif
