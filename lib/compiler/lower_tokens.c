// SPDX-License-Identifier: MIT
/*
 * A tensor whose last dimension is the channels, [tokens][channels] in device memory and channels on
 * the partitions in SBUF. Element by element that would be a descriptor each. Instead tokens come
 * to partitions with their channels in one piece, and the tensor engine turns blocks of 128 x 128;
 * stores go the same way back.
 */
#include "lower.h"

/* Fewer are brought sooner one by one. */
#define LEAST_ELEMENTS 256

/* Pixels of @r at one distance: [n][h][w] is @outer runs of @len. */
struct runs {
	int64_t len, stride;		/* pixels, bytes */
	int64_t num[2], step[2];	/* runs: images x rows */
};

static struct runs find_runs(const struct rows *r, const int64_t stride[4])
{
	struct runs u = { .len = r->s.w, .stride = stride[3], .num = { r->nn, r->rows },
			  .step = { stride[0], stride[2] } };

	if (u.len == 1) {
		u.len = u.num[1];
		u.stride = u.step[1];
		u.num[1] = 1;
	} else if (u.num[1] == 1 || u.step[1] == u.len * u.stride) {
		u.len *= u.num[1];
		u.num[1] = 1;
	}
	if (u.num[1] == 1 && u.len == 1) {
		u.len = u.num[0];
		u.stride = u.step[0];
		u.num[0] = 1;
	} else if (u.num[1] == 1 && (u.num[0] == 1 || u.step[0] == u.len * u.stride)) {
		u.len *= u.num[0];
		u.num[0] = 1;
	}
	return u;
}

/* Worth turning: a row of channels is one descriptor then, and the pixels would be one each. */
bool lower_is_token_major(const struct rows *r, const int64_t stride[4], int64_t elem)
{
	return stride[1] == elem && r->s.c > 1 &&
	       r->s.c * r->nn * r->rows * r->s.w >= LEAST_ELEMENTS;
}

/* Blocks of one bank of PSUM; its elements have the type that is turned. */
static int64_t bank_elems(const struct lower *l)
{
	return NCA_PSUM_BANK_BYTES / (int64_t)l->elem;
}

static void copy_out(struct lower *l, const struct mir_tile *dst, const struct mir_tile *src)
{
	uint64_t n = (uint64_t)(src->size[1] * src->size[2] * src->size[3]);
	struct mir_ew copy = { .engine = mir_lighter_engine(l->m, n), .opcode = NCA_OP_COPY,
			       .dst = dst, .src0 = src };

	mir_elementwise(l->m, &copy);
}

/* @num tokens in partitions, in SBUF as [token][channel], with some of the channel blocks of @r. */
struct tile {
	struct mir_buf *buf;
	int64_t at, num;	/* first pixel of @r, how many */
	int64_t cb0, ncb;	/* counted from the first block of @r */
};

static uint64_t pixels_at(const struct lower *l, const struct rows *r, int64_t cb, int64_t pixel)
{
	return lower_rows_at(l, r, r->cb0 + cb, r->n0, r->r0, 0) + (uint64_t)pixel * l->elem;
}

/* [token][channel] to [channel][token], as many blocks at a time as a bank takes. */
static void turn_in(struct lower *l, const struct rows *r, const struct tile *t, int64_t pixels)
{
	int64_t per = max64(1, bank_elems(l) / t->num), cb = t->cb0, end = t->cb0 + t->ncb;

	while (cb < end) {
		int64_t parts = block_parts(r->s.c, r->cb0 + cb), n = 0;
		uint32_t psum = mir_psum(l->m, 1);
		struct mir_tile from, to;

		for (; n < per && cb + n < end && block_parts(r->s.c, r->cb0 + cb + n) == parts; n++) {
			struct mir_tile src = mir_sbuf_tile(
				t->buf, (uint64_t)((cb - t->cb0 + n) * NCA_PARTITIONS) * l->elem, l->dtype,
				t->num);
			struct mir_tile dst = mir_psum_tile(
				psum + (uint32_t)(n * t->num) * l->elem, l->dtype, parts);

			src = mir_shape(src, 1, 1, parts, 0, 0, 1);
			dst = mir_shape(dst, 1, 1, t->num, 0, 0, 1);
			mir_transpose(l->m, &dst, &src);
		}
		from = mir_shape(mir_psum_tile(psum, l->dtype, parts), 1, n, t->num, 0, t->num, 1);
		to = mir_shape(mir_sbuf_tile(r->buf, pixels_at(l, r, cb, t->at), l->dtype, parts), 1, n,
			       t->num, 0, pixels, 1);
		copy_out(l, &to, &from);
		cb += n;
	}
}

static void turn_out(struct lower *l, const struct rows *r, const struct tile *t)
{
	int64_t per = bank_elems(l) / NCA_PARTITIONS;

	for (int64_t cb = t->cb0; cb < t->cb0 + t->ncb; cb += per) {
		int64_t n = min64(per, t->cb0 + t->ncb - cb), channels = 0;
		uint32_t psum = mir_psum(l->m, 1);
		struct mir_tile from, to;

		for (int64_t k = cb; k < cb + n; k++) {
			int64_t parts = block_parts(r->s.c, r->cb0 + k);
			struct mir_tile src = mir_sbuf_tile(r->buf, pixels_at(l, r, k, t->at), l->dtype,
							    parts);
			struct mir_tile dst = mir_psum_tile(psum + (uint32_t)channels * l->elem, l->dtype,
							    t->num);

			src = mir_shape(src, 1, 1, t->num, 0, 0, 1);
			dst = mir_shape(dst, 1, 1, parts, 0, 0, 1);
			mir_transpose(l->m, &dst, &src);
			channels += parts;
		}
		from = mir_shape(mir_psum_tile(psum, l->dtype, t->num), 1, 1, channels, 0, 0, 1);
		to = mir_shape(mir_sbuf_tile(t->buf, (uint64_t)((cb - t->cb0) * NCA_PARTITIONS) * l->elem,
					     l->dtype, t->num), 1, 1, channels, 0, 0, 1);
		copy_out(l, &to, &from);
	}
}

/* Channels of a tile. */
static int64_t num_channels(const struct rows *r, const struct tile *t)
{
	return min64(t->ncb * NCA_PARTITIONS, r->s.c - (r->cb0 + t->cb0) * NCA_PARTITIONS);
}

/*
 * Call @turn for every tile of up to 128 tokens, and as many of their channels as may wait to be
 * turned, with the place of its first element in device memory.
 */
static void for_tiles(struct lower *l, struct rows *r, const int64_t stride[4],
		      void (*turn)(struct lower *l, struct rows *r, struct tile *t, int64_t at,
				   const struct runs *u, const struct dram_view *view),
		      const struct dram_view *view)
{
	struct runs u = find_runs(r, stride);
	int64_t base = r->n0 * stride[0] + r->r0 * stride[2] + r->cb0 * NCA_PARTITIONS * stride[1];
	int64_t most = max64(1, (int64_t)lower_band_bytes(l->m->target) / (NCA_PARTITIONS * (int64_t)l->elem));
	struct tile t = { .at = 0 };

	for (int64_t i = 0; i < u.num[0]; i++)
		for (int64_t j = 0; j < u.num[1]; j++)
			for (int64_t k = 0; k < u.len; k += t.num) {
				int64_t at = base + i * u.step[0] + j * u.step[1] + k * u.stride;

				t.num = min64(NCA_PARTITIONS, u.len - k);
				for (t.cb0 = 0; t.cb0 < r->ncb; t.cb0 += t.ncb) {
					t.ncb = min64(most, r->ncb - t.cb0);
					turn(l, r, &t, at + t.cb0 * NCA_PARTITIONS * stride[1], &u, view);
				}
				t.at += t.num;
			}
}

static void load_tile(struct lower *l, struct rows *r, struct tile *t, int64_t at,
		      const struct runs *u, const struct dram_view *view)
{
	int64_t channels = num_channels(r, t), size[4] = { t->num, 1, 1, channels };
	struct mir_mem dst = { .space = MIR_SBUF, .dtype = l->dtype, .stride = { 1, 0, 0, l->elem } };
	struct mir_mem src = lower_view_mem(view, (uint64_t)at);

	t->buf = mir_sbuf(l->m, (uint64_t)channels * l->elem, "tokens");
	dst.buf = t->buf;
	src.stride[0] = u->stride;
	src.stride[3] = nca_dtype_size(view->dtype);
	/* Not behind weights that are sent for long before they are needed. */
	mir_dma(l->m, mir_store_engine(l->m), &dst, &src, size, nca_dtype_size(view->dtype),
		view->dtype != l->dtype, 0);
	turn_in(l, r, t, r->nn * r->rows * r->s.w);
}

static void store_tile(struct lower *l, struct rows *r, struct tile *t, int64_t at,
		       const struct runs *u, const struct dram_view *view)
{
	int64_t channels = num_channels(r, t), size[4] = { t->num, 1, 1, channels };
	struct mir_mem src = { .space = MIR_SBUF, .dtype = l->dtype, .stride = { 1, 0, 0, l->elem } };
	struct mir_mem dst = lower_view_mem(view, (uint64_t)at);

	t->buf = mir_sbuf(l->m, (uint64_t)channels * l->elem, "tokens");
	src.buf = t->buf;
	turn_out(l, r, t);
	dst.stride[0] = u->stride;
	dst.stride[3] = nca_dtype_size(view->dtype);
	mir_dma(l->m, mir_store_engine(l->m), &dst, &src, size, (uint16_t)l->elem,
		view->dtype != l->dtype, 0);
}

void lower_load_tokens(struct lower *l, struct rows *r, const struct dram_view *from,
		       const int64_t stride[4], const char *what)
{
	r->buf = mir_sbuf(l->m, lower_rows_bytes(l, r), what);
	for_tiles(l, r, stride, load_tile, from);
}

void lower_store_tokens(struct lower *l, const struct rows *r, const struct dram_view *to,
			const int64_t stride[4])
{
	struct rows rows = *r;

	for_tiles(l, &rows, stride, store_tile, to);
}
