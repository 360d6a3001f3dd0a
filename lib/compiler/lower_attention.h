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
	bool cut;		/* some heads at a time: @rows has the blocks of their channels */
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
	int64_t heads, head;		/* heads likewise */
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

/* The first channel that a side has in SBUF. */
static inline int64_t attention_base(const struct attention_side *s)
{
	return s->rows.cb0 * NCA_PARTITIONS;
}

/* ---- lower_attention_side.c ---- */
int64_t attention_pixel(const struct attention *t, const struct attention_side *s,
			const struct attention_unit *u, int64_t token);
/* A head's channels; those that do not start at a partition fit for engines are copied to one. */
struct attention_head attention_head(struct attention *t, const struct attention_side *s,
				     const struct attention_unit *u, int64_t channels, int64_t token,
				     int64_t tokens);
struct mir_tile attention_tile(const struct attention *t, const struct attention_head *h,
			       int64_t channel, int64_t parts, int64_t tokens);
/* Whether and how a side is too large to be there as a whole. */
void attention_set_side(struct attention *t, struct attention_side *s, struct ir_value *v,
			const struct ir_attention_part *part);
/* As many heads at a time as the sides that are cut allow. */
int64_t attention_heads_at_once(const struct attention *t);
/* Blocks of channels of the heads at hand, of @size channels each. */
void attention_head_blocks(const struct attention *t, const struct ir_attention_part *p, int64_t size,
			   int64_t *first, int64_t *num);
/* What is worked on of a side: to SBUF, or with @result a place there for it. */
void attention_bring(struct attention *t, struct attention_side *s, bool result);

/* ---- lower_attention.c ---- */
void attention_copy(struct attention *t, const struct mir_tile *dst, const struct mir_tile *src);

/* ---- lower_attention_out.c: weights times values ---- */
void attention_turn_values(struct attention *t, int which, const struct attention_unit *u);
void attention_turn_weights(struct attention *t);
void attention_multiply(struct attention *t);

#endif
