/* SPDX-License-Identifier: MIT */
/* What the files of lower_attention*.c share; see lower_attention.c. */
#ifndef LOWER_ATTENTION_H
#define LOWER_ATTENTION_H

#include "ir_attention.h"
#include "lower.h"

#define ATTENTION_UNITS 16	/* heads worked on together, at most */
#define ATTENTION_MASKS 64

/* Queries, keys, values or the result as they lie in SBUF: all of the tensor, or one image. */
struct attention_side {
	struct ir_value *value;
	const struct ir_attention_part *part;
	struct rows rows;
	bool banded;		/* image by image */
	bool aligned;		/* every head starts at a partition where operands may start */
};

/* Channels of one head, channel 0 of @buf's blocks on. */
struct attention_head {
	struct mir_buf *buf;
	uint64_t at, block_bytes;	/* first token of block 0; distance of blocks */
	int64_t channel, token;		/* first channel; distance of tokens, elements */
};

/* Rows of masks that have been brought, divided by the scale; the oldest make room for others. */
struct lower_masks {
	struct {
		uint32_t value;
		int64_t at, parts, keys;
		float scale;
		struct mir_buf *buf;
	} mask[ATTENTION_MASKS];
	int num, next, max;
};

struct attention_unit {
	int64_t batch[IR_ATTENTION_BATCHES], head;
	int v;			/* which of the group's transposed values */
};

struct attention {
	struct lower *l;
	struct ir_op *op;
	const struct ir_attention *a;
	struct attention_side q, k, v, out;
	int64_t images, image;		/* batches of dimension 0 that are worked on, the first of them */
	int64_t k_blocks;
	int64_t v_first, v_blocks, v_channels;	/* blocks of channels that hold values */
	bool in_psum;			/* scores stay there */
	int64_t per_bank;		/* units whose scores share a bank */

	/* The group at hand. */
	int64_t q0, qn;
	struct attention_unit unit[ATTENTION_UNITS];
	int units;
	struct mir_buf *scores, *weights, *turned, *stats, *values[ATTENTION_UNITS];
	unsigned int score_bank, turn_bank, out_bank;

	struct dram_view mask_view;
	struct lower_masks *masks;
};

int64_t attention_pixel(const struct attention *t, const struct attention_side *s,
			const struct attention_unit *u, int64_t token);
/* A head's channels; those that do not start at a partition fit for engines are copied to one. */
struct attention_head attention_head(struct attention *t, const struct attention_side *s,
				     const struct attention_unit *u, int64_t channels, int64_t token,
				     int64_t tokens);
struct mir_tile attention_tile(const struct attention *t, const struct attention_head *h,
			       int64_t channel, int64_t parts, int64_t tokens);
void attention_copy(struct attention *t, const struct mir_tile *dst, const struct mir_tile *src);

/* ---- lower_attention_out.c: weights times values ---- */
void attention_turn_values(struct attention *t, int which, const struct attention_unit *u);
void attention_turn_weights(struct attention *t);
void attention_multiply(struct attention *t);

#endif
