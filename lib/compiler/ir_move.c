// SPDX-License-Identifier: MIT
#include "ir_move.h"

#include <stdlib.h>
#include <string.h>

static void dense_strides(const struct ir_type *t, int64_t *stride)
{
	int64_t s = 1;

	for (int i = t->rank - 1; i >= 0; i--) {
		stride[i] = s;
		s *= t->dim[i];
	}
}

/* The longest run that begins at element @i of the list. */
static struct ir_take_run run_at(const int64_t *index, int64_t n, int64_t i)
{
	struct ir_take_run r = { .at = i, .start = index[i], .blocks = 1, .num = 1, .repeat = 1 };
	int64_t length;

	while (i + r.repeat < n && index[i + r.repeat] == r.start)
		r.repeat++;
	if (i + r.repeat < n && index[i + r.repeat] >= 0)
		r.step = index[i + r.repeat] - r.start;
	for (bool same = r.step != 0; same;) {
		int64_t first = i + r.num * r.repeat, value = r.start + r.num * r.step;

		same = value >= 0 && first + r.repeat <= n;
		for (int64_t k = 0; same && k < r.repeat; k++)
			same = index[first + k] == value;
		r.num += same;
	}
	length = r.num * r.repeat;
	while (i + (r.blocks + 1) * length <= n &&
	       !memcmp(&index[i], &index[i + r.blocks * length], (size_t)length * sizeof(*index)))
		r.blocks++;
	return r;
}

struct ir_take_run *ir_take_runs(struct cc *cc, const int64_t *index, int64_t n, size_t *num)
{
	struct ir_take_run *runs = NULL;
	size_t cap = 0;

	*num = 0;
	for (int64_t i = 0; i < n;) {
		struct ir_take_run r;

		if (index[i] < 0) {
			i++;
			continue;
		}
		r = run_at(index, n, i);
		*cc_push(cc, runs, *num, cap) = r;
		i += r.blocks * r.num * r.repeat;
	}
	return runs;
}

size_t ir_take_pieces(struct cc *cc, const struct ir_take *take, int rank)
{
	size_t total = 1, num;

	for (int d = 0; d < rank; d++) {
		if (!take->index[d])
			continue;
		ir_take_runs(cc, take->index[d], take->num[d], &num);
		if (__builtin_mul_overflow(total, num, &total))
			return SIZE_MAX;
	}
	return total;
}

static void add_dim(struct ir_piece *p, int64_t size, int64_t src, int64_t dst)
{
	p->size[p->rank] = size;
	p->src[p->rank] = src;
	p->dst[p->rank++] = dst;
}

static struct ir_piece *add_piece(struct ir_graph *g, struct ir_moves *m, int slot)
{
	struct ir_piece *p = cc_push(g->cc, m->piece, m->num, m->cap);

	memset(p, 0, sizeof(*p));
	p->slot = slot;
	return p;
}

static void transpose(struct ir_graph *g, const struct ir_op *op, struct ir_moves *m)
{
	const struct ir_type *t = &op->out->type, *x = &ir_in(op, 0)->type;
	int64_t src[IR_MAX_RANK], dst[IR_MAX_RANK];
	struct ir_piece *p = add_piece(g, m, 0);

	dense_strides(x, src);
	dense_strides(t, dst);
	for (int i = 0; i < t->rank; i++)
		add_dim(p, t->dim[i], src[op->attr.perm[i]], dst[i]);
}

static void concat(struct ir_graph *g, const struct ir_op *op, struct ir_moves *m)
{
	const struct ir_type *t = &op->out->type;
	int64_t axis = op->attr.axis, inner = 1, at = 0;

	for (int i = (int)axis + 1; i < t->rank; i++)
		inner *= t->dim[i];
	for (int k = 0; k < op->num_inputs; k++) {
		const struct ir_type *x = &ir_in(op, k)->type;
		int64_t run = x->dim[axis] * inner, outer = 1;
		struct ir_piece *p;

		for (int i = 0; i < axis; i++)
			outer *= x->dim[i];
		if (!run || !outer)
			continue;
		p = add_piece(g, m, k);
		p->dst_at = at;
		add_dim(p, outer, run, t->dim[axis] * inner);
		add_dim(p, run, 1, 1);
		at += run;
	}
}

static void fill(struct ir_graph *g, const struct ir_op *op, struct ir_moves *m)
{
	struct ir_piece *p = add_piece(g, m, -1);

	add_dim(p, ir_type_elements(&op->out->type), 0, 1);
}

static bool has_fill(const struct ir_take *take, int rank)
{
	for (int d = 0; d < rank; d++)
		for (int64_t i = 0; take->index[d] && i < take->num[d]; i++)
			if (take->index[d][i] < 0)
				return true;
	return false;
}

/* Every combination of the runs of all dimensions is a piece. */
static void take(struct ir_graph *g, const struct ir_op *op, struct ir_moves *m)
{
	const struct ir_take *take = op->attr.take;
	const struct ir_type *t = &op->out->type, *x = &ir_in(op, 0)->type;
	int64_t src[IR_MAX_RANK], dst[IR_MAX_RANK];
	struct ir_take_run *runs[IR_MAX_RANK];
	size_t num[IR_MAX_RANK], at[IR_MAX_RANK] = { 0 };
	int d;

	dense_strides(x, src);
	dense_strides(t, dst);
	if (has_fill(take, t->rank))
		fill(g, op, m);
	for (d = 0; d < t->rank; d++) {
		if (take->index[d]) {
			runs[d] = ir_take_runs(g->cc, take->index[d], take->num[d], &num[d]);
		} else {
			runs[d] = cc_new(g->cc, struct ir_take_run);
			runs[d]->blocks = 1;
			runs[d]->num = t->dim[d];
			runs[d]->repeat = 1;
			runs[d]->step = 1;
			num[d] = 1;
		}
		if (!num[d])
			return;
	}
	do {
		struct ir_piece *p = add_piece(g, m, 0);

		for (d = 0; d < t->rank; d++) {
			const struct ir_take_run *r = &runs[d][at[d]];

			p->src_at += r->start * src[d];
			p->dst_at += r->at * dst[d];
			add_dim(p, r->blocks, 0, r->num * r->repeat * dst[d]);
			add_dim(p, r->num, r->step * src[d], r->repeat * dst[d]);
			add_dim(p, r->repeat, 0, dst[d]);
		}
		for (d = t->rank - 1; d >= 0; d--) {
			if (++at[d] < num[d])
				break;
			at[d] = 0;
		}
	} while (d >= 0);
}

/* A piece for every row of the matrices that keeps something. */
static void trilu(struct ir_graph *g, const struct ir_op *op, struct ir_moves *m)
{
	const struct ir_type *t = &op->out->type;
	int64_t cols = t->dim[t->rank - 1], rows = t->dim[t->rank - 2];
	int64_t matrices = ir_type_elements(t) / (rows * cols);

	fill(g, op, m);
	for (int64_t i = 0; i < rows; i++) {
		/* Diagonal k has the elements with column - row = k. */
		int64_t split = i + op->attr.axis + !op->attr.upper;
		int64_t from, to;
		struct ir_piece *p;

		split = split < 0 ? 0 : split > cols ? cols : split;
		from = op->attr.upper ? split : 0;
		to = op->attr.upper ? cols : split;
		if (from >= to)
			continue;
		p = add_piece(g, m, 0);
		p->src_at = i * cols + from;
		p->dst_at = p->src_at;
		add_dim(p, matrices, rows * cols, rows * cols);
		add_dim(p, to - from, 1, 1);
	}
}

struct ir_moves ir_moves_of(struct ir_graph *g, const struct ir_op *op)
{
	struct ir_moves m = { NULL, 0, 0 };

	if (!ir_type_elements(&op->out->type))
		return m;
	if (op->opcode == IR_TRANSPOSE)
		transpose(g, op, &m);
	else if (op->opcode == IR_CONCAT)
		concat(g, op, &m);
	else if (op->opcode == IR_TRILU)
		trilu(g, op, &m);
	else
		take(g, op, &m);
	for (size_t i = 0; i < m.num; i++)
		ir_piece_simplify(&m.piece[i]);
	return m;
}

/* Outermost in the destination first. */
static void sort_dims(struct ir_piece *p)
{
	for (int i = 1; i < p->rank; i++)
		for (int k = i; k > 0 && llabs(p->dst[k - 1]) < llabs(p->dst[k]); k--) {
			int64_t size = p->size[k], src = p->src[k], dst = p->dst[k];

			p->size[k] = p->size[k - 1];
			p->src[k] = p->src[k - 1];
			p->dst[k] = p->dst[k - 1];
			p->size[k - 1] = size;
			p->src[k - 1] = src;
			p->dst[k - 1] = dst;
		}
}

void ir_piece_simplify(struct ir_piece *p)
{
	int n = 0;

	for (int i = 0; i < p->rank; i++) {
		if (p->size[i] == 1)
			continue;
		p->size[n] = p->size[i];
		p->src[n] = p->src[i];
		p->dst[n++] = p->dst[i];
	}
	p->rank = n;
	sort_dims(p);
	n = 0;
	for (int i = 1; i < p->rank; i++) {
		if (p->src[n] == p->src[i] * p->size[i] && p->dst[n] == p->dst[i] * p->size[i]) {
			p->size[n] *= p->size[i];
		} else {
			n++;
			p->size[n] = p->size[i];
		}
		p->src[n] = p->src[i];
		p->dst[n] = p->dst[i];
	}
	p->rank = p->rank ? n + 1 : 0;
}
