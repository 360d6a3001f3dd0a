// SPDX-License-Identifier: MIT
/* Attention, second half: weights and values are turned and multiplied. */
#include "lower_attention.h"

/* Elements of one bank of PSUM that are turned there. */
static int64_t bank_elems(const struct attention *t)
{
	return NCA_PSUM_BANK_BYTES / (int64_t)t->l->elem;
}

static uint32_t next_turn_bank(struct attention *t)
{
	t->turn_bank ^= 1;
	return (4 + t->turn_bank) * NCA_PSUM_BANK_BYTES;
}

static int64_t block_keys(const struct attention *t, int64_t block)
{
	return min64(NCA_PARTITIONS, t->a->k_tokens - block * NCA_PARTITIONS);
}

/* [channel][key] to [key][channel] of the batch of @u, all heads. */
void attention_turn_values(struct attention *t, int which, const struct attention_unit *u)
{
	struct lower *l = t->l;
	int64_t per = bank_elems(t) / NCA_PARTITIONS, pixels = t->v.rows.nn * t->v.rows.rows * t->v.rows.s.w;

	t->values[which] = mir_sbuf(l->m, (uint64_t)(t->k_blocks * t->v_channels) * l->elem, "values");
	for (int64_t kb = 0; kb < t->k_blocks; kb++)
		for (int64_t cb = 0; cb < t->v_blocks; cb += per) {
			int64_t n = min64(per, t->v_blocks - cb), channels = 0, keys = block_keys(t, kb);
			uint32_t psum = next_turn_bank(t);
			struct attention_head v = { .buf = t->v.rows.buf, .token = t->a->v.token,
						    .channel = -attention_base(&t->v) };
			struct mir_tile from, to;

			v.block_bytes = (uint64_t)pixels * l->elem;
			v.at = (uint64_t)attention_pixel(t, &t->v, u, kb * NCA_PARTITIONS) * l->elem;
			for (int64_t k = t->v_first + cb; k < t->v_first + cb + n; k++) {
				int64_t parts = block_parts(t->v.rows.s.c, k);
				struct mir_tile src = attention_tile(t, &v, k * NCA_PARTITIONS, parts, keys);
				struct mir_tile dst = mir_psum_tile(psum + (uint32_t)channels * l->elem,
								    l->dtype, keys);

				dst = mir_shape(dst, 1, 1, parts, 0, 0, 1);
				mir_transpose(l->m, &dst, &src);
				channels += parts;
			}
			from = mir_shape(mir_psum_tile(psum, l->dtype, keys), 1, 1, channels, 0, 0, 1);
			to = mir_sbuf_tile(t->values[which],
					   (uint64_t)(kb * t->v_channels + cb * NCA_PARTITIONS) * l->elem,
					   l->dtype, keys);
			to = mir_shape(to, 1, 1, channels, 0, 0, 1);
			attention_copy(t, &to, &from);
		}
}

/* The turned weights are [block of keys][unit][query]. */
static uint64_t turned_at(const struct attention *t, int64_t kb, int64_t unit)
{
	return (uint64_t)((kb * t->units + unit) * t->qn) * t->l->elem;
}

void attention_turn_weights(struct attention *t)
{
	struct lower *l = t->l;
	int64_t per = bank_elems(t) / t->qn;

	for (int64_t kb = 0; kb < t->k_blocks; kb++)
		for (int64_t first = 0; first < t->units; first += per) {
			int64_t n = min64(per, t->units - first), keys = block_keys(t, kb);
			uint32_t psum = next_turn_bank(t);
			struct mir_tile from, to;

			for (int64_t i = 0; i < n; i++) {
				uint64_t at = (uint64_t)((first + i) * t->a->k_tokens + kb * NCA_PARTITIONS);
				struct mir_tile src = mir_sbuf_tile(t->weights, at * l->elem, l->dtype, t->qn);
				struct mir_tile dst = mir_psum_tile(psum + (uint32_t)(i * t->qn) * l->elem,
								    l->dtype, keys);

				src = mir_shape(src, 1, 1, keys, 0, 0, 1);
				dst = mir_shape(dst, 1, 1, t->qn, 0, 0, 1);
				mir_transpose(l->m, &dst, &src);
			}
			from = mir_shape(mir_psum_tile(psum, l->dtype, keys), 1, 1, n * t->qn, 0, 0, 1);
			to = mir_shape(mir_sbuf_tile(t->turned, turned_at(t, kb, first), l->dtype, keys), 1, 1,
				       n * t->qn, 0, 0, 1);
			attention_copy(t, &to, &from);
		}
}

/* ---- results: some channels of a block at a time ---- */

/* Channels of one block that a bank holds. */
struct result {
	struct attention_head head;	/* where they go, channels counted from block 0 */
	int64_t first, num;
	uint32_t psum;
};

static struct mir_tile result_tile(const struct attention *t, const struct result *r, int64_t channel,
				   int64_t parts)
{
	struct mir_tile acc = mir_psum_tile(r->psum, NCA_FP32, parts);

	acc.part = (uint8_t)(channel % NCA_PARTITIONS);
	return mir_shape(acc, 1, 1, t->qn, 0, 0, 1);
}

static void flush(struct attention *t, struct result *r)
{
	for (int64_t c = r->first, n; c < r->first + r->num; c += n) {
		struct mir_tile acc, dst;

		n = min64(r->first + r->num - c, lower_partition_run(c % NCA_PARTITIONS));
		acc = result_tile(t, r, c, n);
		dst = attention_tile(t, &r->head, c, n, t->qn);
		attention_copy(t, &dst, &acc);
	}
	r->num = 0;
}

/* Channels [c, c + n) of the unit's head, at channel @to of the result. */
static void multiply(struct attention *t, const struct result *r, int unit, int64_t c, int64_t to,
		     int64_t n)
{
	const struct attention_unit *u = &t->unit[unit];
	int64_t column = t->a->v.channel + u->head * t->a->v.head + c - t->v_first * NCA_PARTITIONS;
	struct mir_tile acc = result_tile(t, r, to, n);

	for (int64_t kb = 0; kb < t->k_blocks; kb++) {
		int64_t keys = block_keys(t, kb);
		struct mir_tile stationary = mir_sbuf_tile(
			t->values[u->v], (uint64_t)(kb * t->v_channels + column) * t->l->elem, t->l->dtype,
			keys);
		struct mir_tile moving = mir_sbuf_tile(t->turned, turned_at(t, kb, unit), t->l->dtype, keys);

		stationary = mir_shape(stationary, 1, 1, n, 0, 0, 1);
		moving = mir_shape(moving, 1, 1, t->qn, 0, 0, 1);
		mir_ldstat(t->l->m, &stationary);
		mir_matmul(t->l->m, &acc, &moving, keys, n, kb > 0);
	}
}

static uint32_t next_result_bank(struct attention *t)
{
	t->out_bank ^= 1;
	return (6 + t->out_bank) * NCA_PSUM_BANK_BYTES;
}

/* A head that does not start where operands may: made at partition 0 and copied. */
static void multiply_apart(struct attention *t, int unit)
{
	int64_t es = t->l->elem, size = t->a->v_size, pixels = t->out.rows.nn * t->out.rows.rows * t->out.rows.s.w;
	const struct ir_attention_part *p = t->out.part;
	int64_t to = p->channel + t->unit[unit].head * p->head - attention_base(&t->out);
	struct mir_buf *buf = mir_sbuf(t->l->m, (uint64_t)(ceil_div(size, NCA_PARTITIONS) * t->qn * es),
				       "attention result");
	struct attention_head head = { .buf = buf, .block_bytes = (uint64_t)(t->qn * es), .token = 1 };
	uint64_t at = (uint64_t)(attention_pixel(t, &t->out, &t->unit[unit], t->q0) * es);

	for (int64_t c = 0; c < size; c += NCA_PARTITIONS) {
		struct result r = { .head = head, .first = c, .num = min64(NCA_PARTITIONS, size - c),
				    .psum = next_result_bank(t) };

		multiply(t, &r, unit, c, c, r.num);
		flush(t, &r);
	}
	for (int64_t c = 0, n; c < size; c += n) {
		int64_t q = (to + c) % NCA_PARTITIONS, size4[4] = { 0, 1, 1, t->qn };
		struct mir_mem src = { .buf = buf, .space = MIR_SBUF, .part = (uint8_t)(c % NCA_PARTITIONS),
				       .stride = { 1, 0, 0, es } };
		struct mir_mem dst = { .buf = t->out.rows.buf, .space = MIR_SBUF, .part = (uint8_t)q,
				       .stride = { 1, 0, 0, p->token * es } };

		n = min64(size - c, NCA_PARTITIONS - max64(q, c % NCA_PARTITIONS));
		size4[0] = n;
		src.offset = (uint64_t)(c / NCA_PARTITIONS * t->qn * es);
		dst.offset = at + (uint64_t)((to + c) / NCA_PARTITIONS * pixels * es);
		mir_dma(t->l->m, NCA_ENGINE_SYNC, &dst, &src, size4, (uint16_t)es, false, 0);
	}
}

static bool same_tokens(const struct attention *t, int a, int b)
{
	return attention_pixel(t, &t->out, &t->unit[a], t->q0) ==
	       attention_pixel(t, &t->out, &t->unit[b], t->q0);
}

void attention_multiply(struct attention *t)
{
	struct result r = { .num = 0 };

	for (int i = 0; i < t->units; i++) {
		struct attention_head head;

		if (!t->out.aligned) {
			multiply_apart(t, i);
			continue;
		}
		head = attention_head(t, &t->out, &t->unit[i], t->a->v_size, t->q0, t->qn);
		for (int64_t c = 0, n; c < t->a->v_size; c += n) {
			int64_t to = head.channel + c;

			n = min64(t->a->v_size - c, lower_partition_run(to % NCA_PARTITIONS));
			if (r.num && (to != r.first + r.num || to % NCA_PARTITIONS == 0 ||
				      !same_tokens(t, i, i - (c == 0))))
				flush(t, &r);
			if (!r.num) {
				r = (struct result) { .head = head, .first = to,
						      .psum = next_result_bank(t) };
				r.head.channel = 0;
			}
			multiply(t, &r, i, c, to, n);
			r.num += n;
		}
	}
	if (r.num)
		flush(t, &r);
}
