// SPDX-License-Identifier: MIT
/*
 * Queries, keys, values and result of attention: where they are in SBUF, and how much of them at a time.
 */
#include "lower_attention.h"

int64_t attention_pixel(const struct attention *t, const struct attention_side *s,
			const struct attention_unit *u, int64_t token)
{
	const struct ir_attention_part *p = s->part;
	int64_t pixel = p->pixel + token * p->token + u->head * p->head_pixel;

	for (int i = 0; i < IR_ATTENTION_BATCHES; i++)
		pixel += u->batch[i] * p->batch[i];
	return s->banded ? pixel - t->image * s->rows.s.h * s->rows.s.w : pixel;
}

static int64_t pixels_of(const struct rows *r)
{
	return r->nn * r->rows * r->s.w;
}

struct attention_head attention_head(struct attention *t, const struct attention_side *s,
				     const struct attention_unit *u, int64_t channels, int64_t token,
				     int64_t tokens)
{
	int64_t es = t->l->elem, pixels = pixels_of(&s->rows);
	struct attention_head from = { .buf = s->rows.buf, .block_bytes = (uint64_t)(pixels * es),
				       .at = (uint64_t)(attention_pixel(t, s, u, token) * es),
				       .channel = s->part->channel + u->head * s->part->head - attention_base(s),
				       .token = s->part->token };
	struct attention_head to = { .block_bytes = (uint64_t)(tokens * es), .token = 1 };

	if (s->aligned)
		return from;
	to.buf = mir_sbuf(t->l->m, (uint64_t)(ceil_div(channels, NCA_PARTITIONS) * tokens * es),
			  "channels of a head");
	for (int64_t c = 0, n; c < channels; c += n) {
		int64_t at = from.channel + c, p = at % NCA_PARTITIONS, q = c % NCA_PARTITIONS;
		int64_t size[4] = { 0, 1, 1, tokens };
		struct mir_mem src = { .buf = from.buf, .space = MIR_SBUF, .dtype = t->l->dtype,
				       .part = (uint8_t)p, .stride = { 1, 0, 0, from.token * es } };
		struct mir_mem dst = { .buf = to.buf, .space = MIR_SBUF, .dtype = t->l->dtype,
				       .part = (uint8_t)q, .stride = { 1, 0, 0, es } };

		n = min64(channels - c, NCA_PARTITIONS - max64(p, q));
		size[0] = n;
		src.offset = from.at + (uint64_t)(at / NCA_PARTITIONS) * from.block_bytes;
		dst.offset = (uint64_t)(c / NCA_PARTITIONS) * to.block_bytes;
		mir_dma(t->l->m, NCA_ENGINE_SYNC, &dst, &src, size, (uint16_t)es, false, 0);
	}
	return to;
}

struct mir_tile attention_tile(const struct attention *t, const struct attention_head *h,
			       int64_t channel, int64_t parts, int64_t tokens)
{
	int64_t c = h->channel + channel;
	struct mir_tile tile = mir_sbuf_tile(h->buf, h->at + (uint64_t)(c / NCA_PARTITIONS) *
					     h->block_bytes, t->l->dtype, parts);

	tile.part = (uint8_t)(c % NCA_PARTITIONS);
	return mir_shape(tile, 1, 1, tokens, 0, 0, h->token);
}

/* Blocks of channels of the heads at hand. */
void attention_head_blocks(const struct attention *t, const struct ir_attention_part *p, int64_t size,
			   int64_t *first, int64_t *num)
{
	int64_t channel = p->channel + t->head * p->head;

	*first = channel / NCA_PARTITIONS;
	*num = (channel + (t->heads - 1) * p->head + size - 1) / NCA_PARTITIONS - *first + 1;
}

void attention_bring(struct attention *t, struct attention_side *s, bool result)
{
	struct rows r = lower_all_rows(s->value);

	if (s->banded) {
		r.n0 = t->image;
		r.nn = 1;
	} else if (s->cut) {
		attention_head_blocks(t, s->part, s == &t->v || result ? t->a->v_size : t->a->size,
				      &r.cb0, &r.ncb);
	} else if (!result) {
		r.buf = lower_in_sbuf(t->l, s->value);
		s->rows = r;
		return;
	}
	if (result)
		lower_result_rows(t->l, s->value, &r);
	else
		lower_operand_rows(t->l, s->value, &r);
	s->rows = r;
}

/*
 * Sides that are too large for SBUF are worked on image by image if the batch is the images, and otherwise
 * some heads at a time, if their channels fill whole blocks.
 */
void attention_set_side(struct attention *t, struct attention_side *s, struct ir_value *v,
			const struct ir_attention_part *part)
{
	struct ir_nchw n = ir_value_nchw(v);
	bool spilled = lower_is_banded(t->l, v);

	cc_assert(t->l->cc, ir_value_cdim(v) == v->type.rank - 1);
	s->value = v;
	s->part = part;
	s->banded = spilled && n.n == t->a->batch[0] && part->batch[0] == n.h * n.w;
	s->cut = spilled && !s->banded && !part->head_pixel && part->channel % NCA_PARTITIONS == 0 &&
		 (NCA_PARTITIONS % max64(1, part->head) == 0 || part->head % NCA_PARTITIONS == 0);
	s->aligned = part->channel % 32 == 0 && (part->head % 32 == 0 || t->a->heads == 1);
}

/* As many heads at a time as have whole blocks of channels on every side that is cut, and fit a band. */
int64_t attention_heads_at_once(const struct attention *t)
{
	const struct attention_side *side[] = { &t->q, &t->k, &t->v, &t->out };
	int64_t step = 1, fit = INT64_MAX;

	for (size_t i = 0; i < sizeof(side) / sizeof(side[0]); i++) {
		struct rows all = lower_all_rows(side[i]->value);
		int64_t head = side[i]->part->head;
		uint64_t block;

		if (!side[i]->cut || !head)
			continue;
		all.ncb = 1;
		block = lower_rows_bytes(t->l, &all);
		step = max64(step, NCA_PARTITIONS / min64(head, NCA_PARTITIONS));
		fit = min64(fit, (int64_t)(lower_band_bytes(t->l->m->target) / block) * NCA_PARTITIONS / head);
	}
	return fit == INT64_MAX ? t->a->heads : max64(step, fit / step * step);
}
