// SPDX-License-Identifier: MIT
/* How a convolution is cut up: blocks of output channels, tiles of pixels, products. */
#include <nca/cost.h>

#include "lower_conv.h"

#define TILES_AT_ONCE 4		/* half of PSUM: the other half is being emptied */
#define MIN_TILE 128		/* pixels; shorter products cost more than idle places of the array */

/* First and last + 1 output position in [lo, hi) whose pixel under tap @k exists. */
static void clip(int64_t lo, int64_t hi, int64_t k, int64_t dilation, int64_t stride, int64_t pad,
		 int64_t in, int64_t *from, int64_t *to)
{
	int64_t shift = k * dilation - pad;	/* pixel = position * stride + shift */
	int64_t first = shift < 0 ? ceil_div(-shift, stride) : 0;
	int64_t last = in - 1 - shift < 0 ? -1 : (in - 1 - shift) / stride;

	*from = max64(lo, first);
	*to = min64(hi, last + 1);
}

int64_t conv_tile_rows(const struct conv *c)
{
	if (c->win->stride[0] * c->x.w > INT16_MAX || c->y.w > INT16_MAX)
		return 1;
	return max64(1, CONV_BANK_FP32 / min64(c->y.w, CONV_BANK_FP32));
}

/* How many tiles of pixels at once keep the whole array busy. */
static size_t tiles_wanted(const struct conv *c)
{
	size_t wanted = 1;

	for (size_t i = 0; i < c->num_blocks; i++) {
		const struct conv_block *b = &c->blocks[i];

		if (b->num && b->places > wanted * b->num)
			wanted = (size_t)ceil_div(b->places, (int64_t)b->num);
		else if (b->places > 1 && wanted < 2)
			wanted = 2;
	}
	return wanted > TILES_AT_ONCE ? TILES_AT_ONCE : wanted;
}

/* Rows of a tile: tiles of one size, and a number of them that the array's places divide. */
static int64_t even_rows(int64_t rows, int64_t most, int64_t cols, int64_t across, size_t wanted)
{
	int64_t num = ceil_div(rows, most);

	while (wanted > 1 && num * across % (int64_t)wanted && ceil_div(rows, num + 1) * cols >= MIN_TILE)
		num++;
	return ceil_div(rows, num);
}

void conv_make_tiles(struct conv *c)
{
	const struct conv_band *b = c->band;
	int64_t cols = min64(c->y.w, CONV_BANK_FP32), rows = min64(b->rows, conv_tile_rows(c)), nn = 1;
	size_t n = 0, cap, wanted = tiles_wanted(c);

	cols = ceil_div(c->y.w, ceil_div(c->y.w, cols));
	rows = even_rows(b->rows, rows, cols, b->nn * ceil_div(c->y.w, cols), wanted);
	/* Whole images together, unless their distance does not fit an access pattern. */
	if (rows == b->rows && cols == c->y.w && b->in.rows * c->x.w <= INT16_MAX &&
	    b->out.rows * c->y.w <= INT16_MAX) {
		nn = min64(b->nn, CONV_BANK_FP32 / (rows * cols));
		nn = even_rows(b->nn, nn, rows * cols, 1, wanted);
	}
	cap = (size_t)(ceil_div(b->nn, nn) * ceil_div(b->rows, rows) * ceil_div(c->y.w, cols));
	c->tiles = cc_new_n(c->l->cc, struct conv_tile, cap);
	for (int64_t i = b->n0; i < b->n0 + b->nn; i += nn)
		for (int64_t r = b->r0; r < b->r0 + b->rows; r += rows)
			for (int64_t x = 0; x < c->y.w; x += cols)
				c->tiles[n++] = (struct conv_tile) {
					.n0 = i, .nn = min64(nn, b->n0 + b->nn - i),
					.r0 = r, .rows = min64(rows, b->r0 + b->rows - r),
					.c0 = x, .cols = min64(cols, c->y.w - x),
				};
	c->num_tiles = n;
	c->at_once = TILES_AT_ONCE;
}

/* One row of a stationary tile without groups: input channel @ch under one tap. */
static void plain_row(const struct conv *c, const float *w, int64_t m, int64_t num, uint8_t *out)
{
	int64_t stride = c->x.c * c->win->kernel[0] * c->win->kernel[1];

	w += m * stride;
	for (int64_t k = 0; k < num; k++, w += stride)
		lower_store_elem(c->l, out + k * c->l->elem, *w);
}

static void step_weights(const struct conv *c, const struct conv_step *s, int64_t m0, uint8_t *out,
			 uint64_t pitch)
{
	int64_t cg = c->x.c / c->group, mg = c->m / c->group;
	int64_t kh = c->win->kernel[0], kw = c->win->kernel[1];

	for (int64_t r = 0; r < s->kn; r++, out += pitch) {
		/* Packed rows are [window row][channel]. */
		int64_t ch = c->packed ? r % c->x.c : s->kb * NCA_PARTITIONS + s->k0 + r;
		int64_t i = c->packed ? r / c->x.c : s->kh;

		if (c->group == 1) {
			plain_row(c, c->w + (ch * kh + i) * kw + s->kw, m0 + s->j0, s->jn, out);
			continue;
		}
		for (int64_t k = 0; k < s->jn; k++) {
			int64_t m = m0 + s->j0 + k, within = ch - m / mg * cg;

			/* Channels of other groups have weight zero. */
			if (within < 0 || within >= cg)
				continue;
			lower_store_elem(c->l, out + k * c->l->elem,
					 c->w[((m * cg + within) * kh + i) * kw + s->kw]);
		}
	}
}

uint8_t *conv_stationary(const struct conv *c, const struct conv_block *b,
			 const struct conv_weights *w)
{
	struct lower *l = c->l;
	uint8_t *out;

	cc_assert(l->cc, w->nparts <= NCA_PARTITIONS && w->bytes <= WEIGHT_GROUP_BYTES);
	if (!l->stationary)
		l->stationary = cc_alloc(l->cc, (size_t)NCA_PARTITIONS * WEIGHT_GROUP_BYTES);
	out = l->stationary;
	memset(out, 0, (size_t)w->nparts * w->bytes);
	for (size_t i = 0; i < b->num; i++)
		if (b->steps[i].weights == w)
			step_weights(c, &b->steps[i], b->m0,
				     out + (uint64_t)b->steps[i].w0 * w->bytes, w->bytes);
	return out;
}

/* Whether some pixel is ever under this tap. */
static bool tap_exists(const struct conv *c, int64_t i, int64_t j)
{
	int64_t lo, hi;

	if (!c->packed) {
		clip(0, c->y.h, i, c->win->dilation[0], c->win->stride[0], c->geo.pad_before[0],
		     c->x.h, &lo, &hi);
		if (lo >= hi)
			return false;
	}
	clip(0, c->y.w, j, c->win->dilation[1], c->win->stride[1], c->geo.pad_before[1], c->x.w, &lo,
	     &hi);
	return lo < hi;
}

static int64_t num_taps(const struct conv *c)
{
	int64_t n = 0;

	for (int64_t i = 0; i < (c->packed ? 1 : c->win->kernel[0]); i++)
		for (int64_t j = 0; j < c->win->kernel[1]; j++)
			n += tap_exists(c, i, j);
	return n;
}

/* A step for every tap, with the channels that @s names. */
static size_t add_taps(const struct conv *c, struct conv_step *steps, const struct conv_step *s)
{
	size_t n = 0;

	for (int64_t i = 0; i < (c->packed ? 1 : c->win->kernel[0]); i++)
		for (int64_t j = 0; j < c->win->kernel[1]; j++) {
			if (!tap_exists(c, i, j))
				continue;
			steps[n] = *s;
			steps[n].kh = i;
			steps[n].kw = j;
			steps[n].weights = cc_new(c->l->cc, struct conv_weights);
			steps[n].weights->nparts = s->kn;
			steps[n++].weights->bytes = (uint64_t)s->jn * c->l->elem;
		}
	return n;
}

/* Output channels [m0, m0 + mb) from all blocks of input channels that their groups reach. */
static void whole_steps(const struct conv *c, struct conv_block *b)
{
	int64_t cg = c->x.c / c->group, mg = c->m / c->group, taps = num_taps(c);
	int64_t first = b->m0 / mg * cg / NCA_PARTITIONS;
	int64_t last = (((b->m0 + b->mb - 1) / mg + 1) * cg - 1) / NCA_PARTITIONS;

	if (c->packed)
		last = first;
	b->steps = cc_new_n(c->l->cc, struct conv_step, (size_t)((last - first + 1) * taps));
	for (int64_t kb = first; kb <= last; kb++) {
		struct conv_step s = { .kb = kb, .kn = block_parts(c->x.c, kb), .jn = b->mb };

		if (c->packed)
			s.kn = c->x.c * c->win->kernel[0];
		b->num += add_taps(c, b->steps + b->num, &s);
	}
	if (b->num)
		b->places = mir_places(c->l->m, b->steps[0].kn, b->mb);
}

/*
 * Products along the diagonal, @sub channels each: what is outside of it is zero. The weights of one
 * tap lie in one piece, each product's in the partitions of its channels.
 */
static void diagonal_steps(const struct conv *c, struct conv_block *b, int64_t sub)
{
	int64_t taps = num_taps(c), pieces = ceil_div(b->mb, sub);
	struct conv_step all = { .kb = b->m0 / NCA_PARTITIONS, .kn = b->mb, .jn = sub };
	struct conv_step *tap = cc_new_n(c->l->cc, struct conv_step, (size_t)taps);
	size_t n = add_taps(c, tap, &all);

	b->steps = cc_new_n(c->l->cc, struct conv_step, (size_t)(pieces * taps));
	for (size_t t = 0; t < n; t++)
		for (int64_t j = 0; j < b->mb; j += sub) {
			struct conv_step *s = &b->steps[b->num++];

			*s = tap[t];
			s->k0 = s->j0 = s->w0 = j;
			s->kn = s->jn = min64(sub, b->mb - j);
		}
	b->places = mir_places(c->l->m, sub, sub);
}

/*
 * How many channels of a grouped convolution go through the array together. Small pieces waste less of
 * it and need fewer zeros among the weights, but more instructions.
 */
static int64_t diagonal_size(const struct conv *c)
{
	const struct nca_target *t = c->l->m->target;
	int64_t cg = c->x.c / c->group, best = NCA_PARTITIONS, taps = num_taps(c);
	int64_t pixels = c->y.n * c->y.h * c->y.w;
	int64_t tile = min64(pixels, CONV_BANK_FP32), tiles = ceil_div(pixels, CONV_BANK_FP32);
	uint64_t least = UINT64_MAX;

	for (int64_t sub = 32; sub <= NCA_PARTITIONS; sub *= 2) {
		uint64_t pieces = (uint64_t)(NCA_PARTITIONS / sub * taps), array, ticks, dma;

		if (sub % cg)
			continue;
		array = (uint64_t)max64(tile, NCA_II) * (c->l->dtype == NCA_FP32 ? 4 : 1) /
			mir_places(c->l->m, sub, sub);
		/* Dispatched one every 16 cycles. */
		ticks = pieces * (uint64_t)tiles * (array > 16 ? array : 16) *
			t->engine_ticks[NCA_ENGINE_TENSOR];
		dma = (uint64_t)(NCA_PARTITIONS * taps * sub) * c->l->elem * 65536 /
		      ((uint64_t)t->dma_bpt_q16 * t->dma_engines);
		if (dma > ticks)
			ticks = dma;
		if (ticks < least) {
			least = ticks;
			best = sub;
		}
	}
	return best;
}

void conv_make_blocks(struct conv *c)
{
	/* As many channels out as in, whole groups in every block. */
	bool diagonal = c->group > 1 && !c->packed && c->x.c == c->m &&
			NCA_PARTITIONS % (c->m / c->group) == 0;
	int64_t sub = diagonal ? diagonal_size(c) : 0;

	c->num_blocks = (size_t)ceil_div(c->m, NCA_PARTITIONS);
	c->blocks = cc_new_n(c->l->cc, struct conv_block, c->num_blocks);
	for (size_t i = 0; i < c->num_blocks; i++) {
		struct conv_block *b = &c->blocks[i];

		b->m0 = (int64_t)i * NCA_PARTITIONS;
		b->mb = min64(NCA_PARTITIONS, c->m - b->m0);
		b->places = 1;
		if (diagonal)
			diagonal_steps(c, b, sub);
		else
			whole_steps(c, b);
		for (size_t k = 0; k < b->num; k++)
			if (!b->steps[k].w0)
				b->bytes += b->steps[k].weights->bytes;
	}
}

bool conv_tap_area(const struct conv *c, const struct conv_tile *t, const struct conv_step *s,
		   int64_t *r0, int64_t *r1, int64_t *c0, int64_t *c1)
{
	*r0 = t->r0;
	*r1 = t->r0 + t->rows;
	if (!c->packed)
		clip(t->r0, t->r0 + t->rows, s->kh, c->win->dilation[0], c->win->stride[0],
		     c->geo.pad_before[0], c->x.h, r0, r1);
	clip(t->c0, t->c0 + t->cols, s->kw, c->win->dilation[1], c->win->stride[1],
	     c->geo.pad_before[1], c->x.w, c0, c1);
	return *r0 < *r1 && *c0 < *c1;
}

bool conv_covers_tile(const struct conv *c, const struct conv_tile *t, const struct conv_step *s)
{
	int64_t r0, r1, c0, c1;

	return conv_tap_area(c, t, s, &r0, &r1, &c0, &c1) && r1 - r0 == t->rows &&
	       c1 - c0 == t->cols;
}
