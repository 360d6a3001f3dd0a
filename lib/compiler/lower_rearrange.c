// SPDX-License-Identifier: MIT
/*
 * Transposes, slices and concatenations between tensors in SBUF. As long as channels stay on the
 * partitions, only their pixels find new places, which engines copy with strides. Channels move as
 * a piece from one partition to another, by an engine where operands may start there, by DMA elsewhere. A
 * transpose that leaves the pixels in order moves nothing.
 */
#include "ir_move.h"
#include "lower.h"

#define MAX_COPY 16384	/* elements per partition and instruction */

/* A copy of pixels: sizes outermost first, distances in pixels. */
struct walk {
	int num;
	int64_t size[3 * IR_MAX_RANK], src[3 * IR_MAX_RANK], dst[3 * IR_MAX_RANK];
	int64_t src_at, dst_at;
};

/* One side: the buffer, pixels of the tensor, first channel. */
struct place {
	struct mir_buf *buf;
	int64_t pixels, channel;
};

/* Pixels between neighbours along each dimension; 0 along the channels. */
static void pixel_strides(const struct ir_value *v, int64_t *stride)
{
	int64_t s = 1;
	int cdim = ir_value_cdim(v);

	for (int i = v->type.rank - 1; i >= 0; i--) {
		stride[i] = i == cdim ? 0 : s;
		if (i != cdim)
			s *= v->type.dim[i];
	}
}

static struct place place_of(const struct ir_value *v, struct mir_buf *buf)
{
	struct rows all = lower_all_rows(v);

	return (struct place) { .buf = buf, .pixels = all.nn * all.rows * all.s.w };
}

static void add_dim(struct walk *w, int64_t size, int64_t src, int64_t dst)
{
	int last = w->num - 1;

	if (size == 1)
		return;
	if (w->num && w->src[last] == src * size && w->dst[last] == dst * size) {
		w->size[last] *= size;
		w->src[last] = src;
		w->dst[last] = dst;
		return;
	}
	w->size[w->num] = size;
	w->src[w->num] = src;
	w->dst[w->num++] = dst;
}

/* The innermost dimensions that one instruction takes. */
static void copy_tile(struct lower *l, const struct walk *w, int inner, int64_t src_at, int64_t dst_at,
		      const struct place *src, const struct place *dst, int64_t parts)
{
	struct mir_tile tile[2];
	const struct place *p[2] = { dst, src };
	int64_t n = 1;
	struct mir_ew copy = { .opcode = NCA_OP_COPY, .dst = &tile[0], .src0 = &tile[1] };

	for (int k = 0; k < 2; k++) {
		const int64_t *stride = k ? w->src : w->dst;
		int64_t c = p[k]->channel, at = k ? src_at : dst_at;

		tile[k] = mir_sbuf_tile(p[k]->buf, (uint64_t)(c / NCA_PARTITIONS * p[k]->pixels + at) * l->elem,
					l->dtype, parts);
		tile[k].part = (uint8_t)(c % NCA_PARTITIONS);
		for (int d = 0; d < inner; d++) {
			tile[k].size[4 - inner + d] = w->size[w->num - inner + d];
			tile[k].stride[4 - inner + d] = stride[w->num - inner + d];
		}
		if (!inner)
			tile[k].stride[3] = 1;
	}
	for (int d = 0; d < inner; d++)
		n *= w->size[w->num - inner + d];
	copy.engine = mir_lighter_engine(l->m, (uint64_t)n);
	mir_elementwise(l->m, &copy);
}

/* How many of the innermost dimensions fit one instruction. */
static int inner_dims(const struct walk *w)
{
	int64_t n = 1;
	int inner = 0;

	while (inner < w->num && inner < 4) {
		int d = w->num - 1 - inner;

		n *= w->size[d];
		if (n > MAX_COPY || w->src[d] > INT16_MAX || w->dst[d] > INT16_MAX)
			break;
		inner++;
	}
	return inner;
}

static void copy_outer(struct lower *l, const struct walk *w, int d, int inner, int64_t src_at,
		       int64_t dst_at, const struct place *src, const struct place *dst, int64_t parts)
{
	if (d == w->num - inner) {
		copy_tile(l, w, inner, src_at, dst_at, src, dst, parts);
		return;
	}
	for (int64_t i = 0; i < w->size[d]; i++)
		copy_outer(l, w, d + 1, inner, src_at + i * w->src[d], dst_at + i * w->dst[d], src, dst, parts);
}

static void move_parts(struct lower *l, const struct walk *w, const struct place *src,
		       const struct place *dst, int64_t parts)
{
	int64_t es = l->elem, size[4] = { parts, 1, 1, 1 };
	int inner = w->num < 3 ? w->num : 3, outer = w->num - inner;
	struct mir_mem from = { .buf = src->buf, .space = MIR_SBUF, .dtype = l->dtype,
				.part = (uint8_t)(src->channel % NCA_PARTITIONS), .stride = { 1, 0, 0, es } };
	struct mir_mem to = { .buf = dst->buf, .space = MIR_SBUF, .dtype = l->dtype,
			      .part = (uint8_t)(dst->channel % NCA_PARTITIONS), .stride = { 1, 0, 0, es } };
	int64_t index[3 * IR_MAX_RANK] = { 0 };

	for (int d = 0; d < inner; d++) {
		size[4 - inner + d] = w->size[outer + d];
		from.stride[4 - inner + d] = w->src[outer + d] * es;
		to.stride[4 - inner + d] = w->dst[outer + d] * es;
	}
	for (bool more = true; more;) {
		int64_t s = src->channel / NCA_PARTITIONS * src->pixels + w->src_at;
		int64_t t = dst->channel / NCA_PARTITIONS * dst->pixels + w->dst_at;

		for (int d = 0; d < outer; d++) {
			s += index[d] * w->src[d];
			t += index[d] * w->dst[d];
		}
		from.offset = (uint64_t)(s * es);
		to.offset = (uint64_t)(t * es);
		mir_dma(l->m, NCA_ENGINE_SYNC, &to, &from, size, (uint16_t)es, false, 0);
		more = false;
		for (int d = outer - 1; d >= 0 && !more; d--) {
			more = ++index[d] < w->size[d];
			if (!more)
				index[d] = 0;
		}
	}
}

static void copy_channels(struct lower *l, const struct walk *w, struct place src, struct place dst,
			  int64_t channels)
{
	int inner = inner_dims(w), last = w->num - 1;

	/* A long run of neighbours goes in pieces that an instruction takes. */
	if (w->num && w->size[last] > MAX_COPY) {
		struct walk part = *w;

		for (int64_t at = 0; at < w->size[last]; at += MAX_COPY) {
			part.size[last] = min64(MAX_COPY, w->size[last] - at);
			part.src_at = w->src_at + at * w->src[last];
			part.dst_at = w->dst_at + at * w->dst[last];
			copy_channels(l, &part, src, dst, channels);
		}
		return;
	}
	for (int64_t n; channels > 0; channels -= n) {
		int64_t p = src.channel % NCA_PARTITIONS, q = dst.channel % NCA_PARTITIONS;

		n = min64(channels, min64(lower_partition_run(p), lower_partition_run(q)));
		if (n > 0) {
			copy_outer(l, w, 0, inner, w->src_at, w->dst_at, &src, &dst, n);
		} else {
			n = min64(channels, NCA_PARTITIONS - max64(p, q));
			move_parts(l, w, &src, &dst, n);
		}
		src.channel += n;
		dst.channel += n;
	}
}

int64_t lower_partition_run(int64_t p)
{
	return p == 0 ? 128 : p == 64 ? 64 : p % 32 == 0 ? 32 : 0;
}

/* ---- which operators ---- */

static bool is_range(const int64_t *index, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		if (index[i] < 0 || index[i] != index[0] + i)
			return false;
	return true;
}

bool lower_rearranges(const struct ir_op *op)
{
	int cdim = ir_value_cdim(op->out);

	if (!ir_is_float(op->out->type.dtype) || !op->out->type.rank)
		return false;
	switch (op->opcode) {
	case IR_TRANSPOSE:
		return op->attr.perm[cdim] == ir_value_cdim(ir_in(op, 0));
	case IR_TAKE:
		if (ir_value_cdim(ir_in(op, 0)) != cdim ||
		    (op->attr.take->index[cdim] && !is_range(op->attr.take->index[cdim],
							     op->attr.take->num[cdim])))
			return false;
		/* The fill value would have to be written first. */
		for (int i = 0; i < op->out->type.rank; i++)
			for (int64_t k = 0; op->attr.take->index[i] && k < op->attr.take->num[i]; k++)
				if (op->attr.take->index[i][k] < 0)
					return false;
		return true;
	case IR_CONCAT:
		for (int i = 0; i < op->num_inputs; i++)
			if (ir_value_cdim(ir_in(op, i)) != cdim)
				return false;
		return true;
	default:
		return false;
	}
}

bool lower_transposes_nothing(const struct ir_op *op)
{
	const struct ir_value *x = ir_in(op, 0);
	int cdim = ir_value_cdim(op->out), last = -1;

	if (op->opcode != IR_TRANSPOSE || !lower_rearranges(op))
		return false;
	for (int i = 0; i < op->out->type.rank; i++) {
		int from = (int)op->attr.perm[i];

		if (i == cdim || x->type.dim[from] == 1)
			continue;
		if (from < last)
			return false;
		last = from;
	}
	return true;
}

/* ---- one each ---- */

static void transpose(struct lower *l, struct ir_op *op, struct mir_buf *to)
{
	struct ir_value *x = ir_in(op, 0);
	int64_t from[IR_MAX_RANK], into[IR_MAX_RANK];
	struct walk w = { 0 };

	pixel_strides(x, from);
	pixel_strides(op->out, into);
	for (int i = 0; i < op->out->type.rank; i++)
		if (i != ir_value_cdim(op->out))
			add_dim(&w, op->out->type.dim[i], from[op->attr.perm[i]], into[i]);
	copy_channels(l, &w, place_of(x, lower_in_sbuf(l, x)), place_of(op->out, to),
		      x->type.dim[ir_value_cdim(x)]);
}

/* Dimension @d on of a slice: the runs of indices multiply. */
static void take(struct lower *l, struct ir_op *op, int d, struct walk w, struct place src,
		 const struct place *dst)
{
	struct ir_value *x = ir_in(op, 0);
	const struct ir_take *t = op->attr.take;
	int64_t from[IR_MAX_RANK], into[IR_MAX_RANK];
	struct ir_take_run *run;
	size_t num;
	int cdim = ir_value_cdim(x);

	if (d == x->type.rank) {
		copy_channels(l, &w, src, *dst, op->out->type.dim[cdim]);
		return;
	}
	pixel_strides(x, from);
	pixel_strides(op->out, into);
	if (d == cdim) {
		src.channel = t->index[d] ? t->index[d][0] : 0;
		take(l, op, d + 1, w, src, dst);
		return;
	}
	if (!t->index[d]) {
		add_dim(&w, x->type.dim[d], from[d], into[d]);
		take(l, op, d + 1, w, src, dst);
		return;
	}
	run = ir_take_runs(l->cc, t->index[d], t->num[d], &num);
	for (size_t i = 0; i < num; i++) {
		const struct ir_take_run *r = &run[i];
		struct walk part = w;

		part.src_at += r->start * from[d];
		part.dst_at += r->at * into[d];
		add_dim(&part, r->blocks, 0, r->num * r->repeat * into[d]);
		add_dim(&part, r->num, r->step * from[d], r->repeat * into[d]);
		add_dim(&part, r->repeat, 0, into[d]);
		take(l, op, d + 1, part, src, dst);
	}
}

static void concat(struct lower *l, struct ir_op *op, struct mir_buf *to)
{
	const struct ir_type *t = &op->out->type;
	int64_t axis = op->attr.axis < 0 ? op->attr.axis + t->rank : op->attr.axis, at = 0;
	int cdim = ir_value_cdim(op->out);

	for (int i = 0; i < op->num_inputs; i++) {
		struct ir_value *x = ir_in(op, i);
		int64_t from[IR_MAX_RANK], into[IR_MAX_RANK];
		struct place dst = place_of(op->out, to);
		struct walk w = { 0 };

		pixel_strides(x, from);
		pixel_strides(op->out, into);
		w.dst_at = at * into[axis];
		dst.channel = axis == cdim ? at : 0;
		for (int d = 0; d < t->rank; d++)
			if (d != cdim)
				add_dim(&w, x->type.dim[d], from[d], into[d]);
		copy_channels(l, &w, place_of(x, lower_in_sbuf(l, x)), dst, x->type.dim[cdim]);
		lower_leave(l, x);
		at += x->type.dim[axis];
	}
}

bool lower_rearrange(struct lower *l, struct ir_op *op)
{
	struct rows y = lower_all_rows(op->out);

	if (!lower_rearranges(op) || lower_is_banded(l, op->out))
		return false;
	for (int i = 0; i < op->num_inputs; i++)
		if (lower_is_banded(l, ir_in(op, i)))
			return false;
	if (lower_transposes_nothing(op)) {
		l->homes[op->out->id].sbuf = lower_in_sbuf(l, ir_in(op, 0));
		return true;
	}
	lower_result_rows(l, op->out, &y);
	switch (op->opcode) {
	case IR_TRANSPOSE:
		transpose(l, op, y.buf);
		break;
	case IR_TAKE: {
		struct ir_value *x = ir_in(op, 0);
		struct place src = place_of(x, lower_in_sbuf(l, x)), dst = place_of(op->out, y.buf);

		take(l, op, 0, (struct walk) { 0 }, src, &dst);
		break;
	}
	default:
		concat(l, op, y.buf);
		break;
	}
	return true;
}
