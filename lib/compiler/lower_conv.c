// SPDX-License-Identifier: MIT
/*
 * Convolution as products accumulated in PSUM: one product per window position ("tap") and block of
 * 128 input channels, each with an access pattern that picks the pixels under that tap. Where the
 * tap reaches over the edge, only the part of the tile that lies inside is computed, so nothing is
 * padded.
 *
 * An input with few channels would leave most rows of the array idle. If it comes from device
 * memory, it is loaded once per window row, each copy shifted by a row into partitions of its own,
 * and a tap then covers a whole column of the window. Products that still do not fill the array run
 * side by side in places of it: those of several tiles, or of several taps.
 */
#include <string.h>

#include "lower_conv.h"

#define STAGED_AHEAD 4

static uint8_t cells(int64_t j0, int64_t jn)
{
	return (uint8_t)((1u << ceil_div(j0 + jn, 32)) - (1u << j0 / 32));
}

static void multiply(struct conv *c, struct conv_tile *t, const struct conv_step *s, uint32_t place)
{
	const struct rows *in = &c->band->in;
	int64_t r0, r1, c0, c1, row, col;
	uint8_t mine = cells(s->j0, s->jn);
	struct mir_tile mov, acc;

	if (!conv_tap_area(c, t, s, &r0, &r1, &c0, &c1))
		return;
	/* A packed copy has its tap's rows where the window starts. */
	row = r0 * c->win->stride[0];
	if (!c->packed)
		row += s->kh * c->win->dilation[0] - c->geo.pad_before[0];
	col = c0 * c->win->stride[1] + s->kw * c->win->dilation[1] - c->geo.pad_before[1];
	mov = mir_sbuf_tile(in->buf,
			    lower_rows_at(c->l, in, c->packed ? 0 : s->kb, t->n0, row, col),
			    c->l->dtype, s->kn);
	mov.part = (uint8_t)s->k0;
	mov = mir_shape(mov, t->nn, r1 - r0, c1 - c0, in->rows * c->x.w, c->win->stride[0] * c->x.w,
			c->win->stride[1]);
	acc = mir_psum_tile(t->psum + (uint32_t)(((r0 - t->r0) * t->cols + c0 - t->c0) * 4),
			    NCA_FP32, s->jn);
	acc.part = (uint8_t)s->j0;
	acc = mir_shape(acc, t->nn, r1 - r0, c1 - c0, t->rows * t->cols, t->cols, 1);
	mir_matmul_at(c->l->m, &acc, &mov, s->kn, s->jn, (t->started & mine) == mine, place);
	t->started |= mine;
}

/* If no tap covers the whole tile, the sum starts from zeros. */
static void start_tile(struct conv *c, struct conv_tile *t, int64_t mb)
{
	struct mir_tile acc = mir_psum_tile(t->psum, NCA_FP32, mb);
	struct mir_ew zero = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_MEMSET, .dst = &acc,
			       .s0 = { .kind = MIR_S_IMM, .imm = 0.0f } };

	acc = mir_shape(acc, 1, 1, t->nn * t->rows * t->cols, 0, 0, 1);
	mir_elementwise(c->l->m, &zero);
	t->started = cells(0, mb);
}

/* What a step needs of the weights, placed in SBUF the first time, brought again if given up. */
static void need_weights(struct conv *c, const struct conv_step *s, const struct conv_block *b)
{
	struct conv_weights *w = s->weights;

	if (!w->group) {
		w->group = lower_place_weights(c->l, conv_stationary(c, b, w), (uint64_t)w->nparts,
					       w->bytes, &w->at);
		if (!c->num_loaded || c->loaded[c->num_loaded - 1] != w->group)
			*cc_push(c->l->cc, c->loaded, c->num_loaded, c->cap_loaded) = w->group;
		return;
	}
	for (size_t i = c->num_loaded; i-- > 0;)
		if (c->loaded[i] == w->group)
			return;
	lower_reload_weights(c->l, w->group);
	*cc_push(c->l->cc, c->loaded, c->num_loaded, c->cap_loaded) = w->group;
}

/* Put steps first that cover every tile of the group: one for each part of the output channels. */
static void order_steps(const struct conv *c, struct conv_block *b, size_t t0, size_t t1)
{
	uint8_t have = 0;
	size_t front = 0;

	for (size_t i = 0; i < b->num && have != cells(0, b->mb); i++) {
		struct conv_step first = b->steps[i];
		bool all = !(have & cells(first.j0, first.jn));

		for (size_t t = t0; t < t1 && all; t++)
			all = conv_covers_tile(c, &c->tiles[t], &first);
		if (!all)
			continue;
		memmove(&b->steps[front + 1], &b->steps[front], (i - front) * sizeof(first));
		b->steps[front++] = first;
		have |= cells(first.j0, first.jn);
	}
}

/* Whether every element of @t is written by a step that starts sums. */
static bool starts_by_itself(const struct conv *c, const struct conv_block *b,
			     const struct conv_tile *t)
{
	uint8_t seen = 0;

	for (size_t i = 0; i < b->num && seen != cells(0, b->mb); i++) {
		const struct conv_step *s = &b->steps[i];

		if (!(seen & cells(s->j0, s->jn)) && !conv_covers_tile(c, t, s))
			return false;
		seen |= cells(s->j0, s->jn);
	}
	return seen == cells(0, b->mb);
}

/*
 * How products are dealt to the places of the array: tile t and step i go to place
 * (i % steps) * tiles + t % tiles.
 */
struct deal {
	uint32_t steps, tiles;
	const struct conv_step *loaded[16];	/* what a place holds */
};

static struct deal deal_places(const struct conv_block *b, size_t tiles)
{
	struct deal d = { .tiles = 1 };

	while (d.tiles * 2 <= b->places && d.tiles * 2 <= tiles)
		d.tiles *= 2;
	d.steps = b->places / d.tiles;
	return d;
}

static void multiply_step(struct conv *c, const struct conv_block *b, struct deal *d, size_t i,
			  size_t t0, size_t t1)
{
	const struct conv_step *s = &b->steps[i];
	uint32_t first = (uint32_t)(i % d->steps) * d->tiles;
	struct mir_tile stat;

	need_weights(c, s, b);
	stat = mir_sbuf_tile(s->weights->group->buf, s->weights->at, c->l->dtype, s->kn);
	stat.part = (uint8_t)s->w0;
	stat = mir_shape(stat, 1, 1, s->jn, 0, 0, 1);
	for (uint32_t k = 0; k < d->tiles && k < t1 - t0; k++) {
		if (d->loaded[first + k] == s)
			continue;
		mir_ldstat_at(c->l->m, &stat, first + k);
		d->loaded[first + k] = s;
	}
	for (size_t t = t0; t < t1; t++)
		multiply(c, &c->tiles[t], s, first + (uint32_t)(t - t0) % d->tiles);
}

/* All tiles of the band at hand, for one block of output channels. */
static void lower_block(struct conv *c, struct conv_block *b)
{
	struct lower *l = c->l;
	/* Weights too large to stay are brought again for every group of tiles. */
	bool stay = b->bytes <= l->m->target->sbuf_bytes / 4;
	struct deal d = deal_places(b, min64((int64_t)c->at_once, (int64_t)c->num_tiles));

	for (size_t t0 = 0; t0 < c->num_tiles; t0 += c->at_once) {
		size_t t1 = t0 + c->at_once < c->num_tiles ? t0 + c->at_once : c->num_tiles;

		if (t0 == 0 || !stay || b->num > 1) {
			order_steps(c, b, t0, t1);
			memset(d.loaded, 0, sizeof(d.loaded));
		}
		if (!stay)
			c->num_loaded = 0;
		for (size_t t = t0; t < t1; t++) {
			c->tiles[t].psum = mir_psum(l->m, 1);
			c->tiles[t].started = 0;
			if (!starts_by_itself(c, b, &c->tiles[t]))
				start_tile(c, &c->tiles[t], b->mb);
		}
		for (size_t i = 0; i < b->num; i++)
			multiply_step(c, b, &d, i, t0, t1);
		for (size_t t = t0; t < t1; t++)
			if (conv_finish_tile(c, &c->tiles[t], b))
				memset(d.loaded, 0, sizeof(d.loaded));
		mir_next_block(l->m);
	}
}

static void lower_band(struct conv *c, struct conv_band *b, bool keep_weights)
{
	c->band = b;
	conv_make_tiles(c);
	for (int64_t i = b->cb0; i < b->cb0 + b->ncb; i++) {
		if (!keep_weights)
			c->num_loaded = 0;
		lower_block(c, &c->blocks[i]);
	}
	lower_finish_rows(c->l, c->op->out, &b->out);
}

static void lower_bands(struct conv *c)
{
	size_t num;
	bool cut;
	struct conv_band *bands;
	/* Packed rows take two transfers to come, and little room. */
	size_t ahead = c->packed ? 2 : 1;
	uint64_t weights = 0;

	for (size_t i = 0; i < c->num_blocks; i++)
		weights += c->blocks[i].bytes;
	bands = conv_make_bands(c, weights, &num, &cut);
	c->bands = bands;
	/* The next band is brought while one is computed; what crosses the host link, earlier. */
	for (size_t i = 0; i < STAGED_AHEAD && i < num; i++)
		conv_stage_band(c, &bands[i]);
	for (size_t i = 0; i < ahead && i < num; i++)
		conv_bring_band(c, &bands[i]);
	for (size_t i = 0; i < num; i++) {
		if (i + STAGED_AHEAD < num)
			conv_stage_band(c, &bands[i + STAGED_AHEAD]);
		if (i + ahead < num)
			conv_bring_band(c, &bands[i + ahead]);
		lower_band(c, &bands[i], !cut || weights <= c->l->m->target->sbuf_bytes / 4);
	}
}

void lower_conv(struct lower *l, struct ir_op *op)
{
	struct ir_value *x = ir_in(op, IR_CONV_X), *bias = ir_in(op, IR_CONV_BIAS);
	struct conv c = { .l = l, .op = op, .win = &op->attr.window, .group = op->attr.group };

	if (!ir_is_const(ir_in(op, IR_CONV_W)) || (bias && !ir_is_const(bias)))
		ir_unsupported(l->g, op, "weights and bias must be constants");
	c.geo = ir_window_resolve(l->g, op);
	c.x = ir_value_nchw(x);
	c.y = ir_value_nchw(op->out);
	c.m = c.y.c;
	c.w = ir_in(op, IR_CONV_W)->data.f32;
	if (bias) {
		c.has_bias = true;
		c.bias = lower_column(l, bias);
	}
	c.packed = lower_conv_packs(op, !l->homes[x->id].sbuf && !l->homes[x->id].parked);
	conv_make_blocks(&c);
	lower_bands(&c);
}
