/* SPDX-License-Identifier: MIT */
/*
 * Attention as one operator: softmax(scale Q K^T, masked) V for every batch and head.
 *
 * Queries, keys and values are parts of tensors whose last dimension is the channels, wherever the
 * model's reshapes, transposes and splits take them from: head h of batch (i, j, k) has channels
 * @channel + h * @head .. of pixels @pixel + i * batch[0] + j * batch[1] + k * batch[2] + t * @token,
 * where pixels count all dimensions but the last, row-major; or heads are @head_pixel apart. The result is described the same way.
 */
#ifndef IR_ATTENTION_H
#define IR_ATTENTION_H

#include "ir.h"

#define IR_ATTENTION_BATCHES 3

struct ir_attention_part {
	int64_t channel, head;
	int64_t pixel, token, head_pixel, batch[IR_ATTENTION_BATCHES];
};

struct ir_attention {
	struct ir_type result;
	int64_t batch[IR_ATTENTION_BATCHES];	/* sizes; at least 1 */
	int64_t heads, q_tokens, k_tokens;
	int64_t size, v_size;			/* channels of a head */
	float scale;
	struct ir_attention_part q, k, v, out;
	/* scale * score @mask_alu mask element; strides in elements. NCA_ALU_NONE: no mask. */
	enum nca_alu mask_alu;
	int64_t mask_batch[IR_ATTENTION_BATCHES], mask_head, mask_q, mask_k;
};

void ir_attention_print(const struct ir_attention *a, FILE *out);

#endif
