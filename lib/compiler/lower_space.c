// SPDX-License-Identifier: MIT
#include <string.h>

#include "lower_space.h"

void space_begin(struct space *s, const struct ir_type *shape)
{
	*s = (struct space) { .rank = shape->rank };
	memcpy(s->size, shape->dim, sizeof(s->size));
}

int space_tensor(struct space *s, const struct ir_type *t)
{
	struct ir_type shape = { .rank = s->rank };

	memcpy(shape.dim, s->size, sizeof(s->size));
	ir_broadcast_strides(t, &shape, s->stride[s->num_tensors]);
	return s->num_tensors++;
}

static bool joins(const struct space *s, int outer, int inner)
{
	for (int k = 0; k < s->num_tensors; k++)
		if (s->stride[k][outer] != s->stride[k][inner] * s->size[inner])
			return false;
	return true;
}

void space_join(struct space *s)
{
	int n = 0;

	for (int d = 0; d < s->rank; d++) {
		if (s->size[d] == 1)
			continue;
		s->size[n] = s->size[d];
		for (int k = 0; k < s->num_tensors; k++)
			s->stride[k][n] = s->stride[k][d];
		if (n && joins(s, n - 1, n)) {
			s->size[n - 1] *= s->size[n];
			for (int k = 0; k < s->num_tensors; k++)
				s->stride[k][n - 1] = s->stride[k][n];
		} else {
			n++;
		}
	}
	if (!n) {
		s->size[0] = 1;
		for (int k = 0; k < s->num_tensors; k++)
			s->stride[k][0] = 1;
		n = 1;
	}
	s->rank = n;
}

/* How a space is cut: which dimensions go where. */
struct cut {
	struct cc *cc;
	const struct space *s;
	struct space_tile *tile, now;
	size_t num, cap;
	bool inner[IR_MAX_RANK];	/* free in full */
	int piece_dim;			/* free in pieces of SPACE_CHUNK, or -1 */
	int part_dim;
	int64_t inner_elems;
};

static void emit(struct cut *c)
{
	*cc_push(c->cc, c->tile, c->num, c->cap) = c->now;
}

static void set_free(struct cut *c, int slot, int dim, int64_t n)
{
	c->now.dim[slot] = dim;
	c->now.free[slot] = n;
}

/* Blocks of part_dim: as many partitions as there are, few elements in each. */
static void walk_parts(struct cut *c)
{
	int64_t total = c->s->size[c->part_dim], most = max64(1, SPACE_CHUNK / c->inner_elems);

	for (int64_t at = 0; at < total;) {
		int64_t left = total - at, each = min64(most, ceil_div(left, NCA_PARTITIONS));

		c->now.at[c->part_dim] = at;
		c->now.part_step = each;
		c->now.parts = min64(NCA_PARTITIONS, left / each);
		set_free(c, 0, c->part_dim, each);
		emit(c);
		at += each * c->now.parts;
	}
}

static void walk(struct cut *c, int d)
{
	if (d == c->s->rank) {
		walk_parts(c);
		return;
	}
	if (d == c->part_dim || c->inner[d]) {
		walk(c, d + 1);
		return;
	}
	if (d == c->piece_dim) {
		for (int64_t i = 0; i < c->s->size[d]; i += SPACE_CHUNK) {
			c->now.at[d] = i;
			set_free(c, 2, d, min64(SPACE_CHUNK, c->s->size[d] - i));
			walk(c, d + 1);
		}
	} else {
		for (int64_t i = 0; i < c->s->size[d]; i++) {
			c->now.at[d] = i;
			walk(c, d + 1);
		}
	}
	c->now.at[d] = 0;
}

/* The largest of the dimensions outside @inner_from. */
static int largest(const struct space *s, int inner_from)
{
	int best = inner_from - 1;

	for (int d = inner_from - 2; d >= 0; d--)
		if (s->size[d] > s->size[best])
			best = d;
	return best;
}

struct space_tile *space_tiles(struct cc *cc, const struct space *s, size_t *num)
{
	struct cut c = { .cc = cc, .s = s, .piece_dim = -1, .inner_elems = 1 };
	int first = s->rank, slot = 2;

	c.now.dim[0] = c.now.dim[1] = c.now.dim[2] = -1;
	c.now.free[0] = c.now.free[1] = c.now.free[2] = 1;
	/* Up to two of the last dimensions are free; one at least stays for the partitions. */
	while (first > 1 && slot > 0 && c.inner_elems * s->size[first - 1] <= SPACE_CHUNK) {
		first--;
		c.inner_elems *= s->size[first];
		c.inner[first] = true;
		set_free(&c, slot--, first, s->size[first]);
	}
	c.part_dim = largest(s, first);
	/* A long last dimension is only dealt over partitions if no other one would do. */
	if (first == s->rank && first > 1 && c.part_dim == first - 1) {
		int other = largest(s, first - 1);

		if (s->size[other] >= NCA_PARTITIONS / 2) {
			c.part_dim = other;
			c.piece_dim = first - 1;
			c.inner_elems = SPACE_CHUNK;
		}
	}
	c.now.part_dim = c.part_dim;
	walk(&c, 0);
	*num = c.num;
	return c.tile;
}

static uint64_t element_offset(const struct space *s, int k, const struct space_tile *t)
{
	int64_t at = 0;

	for (int d = 0; d < s->rank; d++)
		at += t->at[d] * s->stride[k][d];
	return (uint64_t)at;
}

/* Shape of @part: sizes, and the access pattern that repeats what is broadcast. */
static void shape_part(const struct space *s, int k, const struct space_tile *t,
		       struct space_part *part)
{
	int64_t dense = 1, step[3];

	part->parts = t->parts;
	part->part_step = t->part_step;
	part->column = true;
	for (int i = 2; i >= 0; i--) {
		bool repeated = t->dim[i] < 0 || !s->stride[k][t->dim[i]];

		part->size[i] = repeated ? 1 : t->free[i];
		step[i] = repeated ? 0 : dense;
		dense *= part->size[i];
		part->column &= part->size[i] == 1;
	}
	if (t->free[2] > 1 && part->size[2] == 1)
		step[2] = 0;
	part->tile.size[0] = 1;
	part->tile.stride[0] = 0;
	for (int i = 0; i < 3; i++) {
		part->tile.size[i + 1] = t->free[i];
		part->tile.stride[i + 1] = t->free[i] > 1 ? step[i] : 0;
	}
	if (t->free[2] == 1)
		part->tile.stride[3] = 1;
}

static int64_t part_elems(const struct space_part *p)
{
	return p->size[0] * p->size[1] * p->size[2];
}

static struct mir_mem sbuf_side(const struct space_part *p)
{
	int64_t es = nca_dtype_size(p->dtype);

	return (struct mir_mem) { .buf = p->buf, .space = MIR_SBUF, .dtype = p->dtype,
				  .stride = { 1, p->size[1] * p->size[2] * es, p->size[2] * es, es } };
}

/* A transfer's sizes, with free dimensions that lie behind each other on both sides made one. */
static void join_transfer(int64_t size[4], struct mir_mem *a, struct mir_mem *b)
{
	for (int i = 2; i >= 1; i--) {
		if (size[i] > 1 && size[3] > 1 &&
		    (a->stride[i] != a->stride[3] * size[3] || b->stride[i] != b->stride[3] * size[3]))
			return;
		if (size[3] == 1 && size[i] > 1) {
			a->stride[3] = a->stride[i];
			b->stride[3] = b->stride[i];
		}
		size[3] *= size[i];
		size[i] = 1;
	}
}

static struct mir_mem dram_side(const struct space *s, int k, const struct space_tile *t,
				const struct dram_view *v)
{
	int64_t es = nca_dtype_size(v->dtype);
	struct mir_mem m = lower_view_mem(v, element_offset(s, k, t) * (uint64_t)es);

	m.stride[0] = s->stride[k][t->part_dim] * t->part_step * es;
	for (int i = 0; i < 3; i++)
		m.stride[i + 1] = t->dim[i] < 0 ? 0 : s->stride[k][t->dim[i]] * es;
	return m;
}

/*
 * What sends for a tile. Loads and stores of many tiles are sent for by two engines, so that none waits behind the
 * other; but the engine that loads is far behind if it has weights to send for, and the first tile is waited for.
 */
static enum nca_engine bring_engine(const struct lower *l, const struct space *s, const struct space_tile *t,
				    const struct mir_mem *src)
{
	for (int i = 0; i < s->rank; i++)
		if (t->at[i])
			return NCA_ENGINE_SYNC;
	return mir_load_engine(l->m, src);
}

void space_bring(struct lower *l, const struct space *s, int k, const struct space_tile *t,
		 const struct dram_view *from, uint8_t dtype, struct space_part *part)
{
	struct space_part p = { .valid = true, .dtype = dtype };
	struct mir_mem dst, src = dram_side(s, k, t, from);
	int64_t size[4];

	p.offset = src.offset;
	shape_part(s, k, t, &p);
	if (part->valid && part->offset == p.offset && part->parts == p.parts &&
	    part->dtype == dtype && !memcmp(part->size, p.size, sizeof(p.size)) &&
	    (part->part_step == p.part_step || !src.stride[0])) {
		p.buf = part->buf;
	} else {
		p.buf = mir_sbuf(l->m, (uint64_t)part_elems(&p) * nca_dtype_size(dtype), "operand");
		dst = sbuf_side(&p);
		size[0] = p.parts;
		memcpy(&size[1], p.size, sizeof(p.size));
		join_transfer(size, &dst, &src);
		/* Only what nobody writes may be read early. */
		mir_dma(l->m, bring_engine(l, s, t, &src), &dst, &src, size, nca_dtype_size(from->dtype),
			from->dtype != dtype,
			from->buf ? 0 : (uint64_t)part_elems(&p) * nca_dtype_size(dtype));
	}
	p.tile.buf = p.buf;
	p.tile.space = MIR_SBUF;
	p.tile.dtype = dtype;
	p.tile.nparts = (uint8_t)p.parts;
	*part = p;
}

void space_make(struct lower *l, const struct space *s, int k, const struct space_tile *t,
		uint8_t dtype, const char *what, struct space_part *part)
{
	*part = (struct space_part) { .dtype = dtype };
	shape_part(s, k, t, part);
	part->buf = mir_sbuf(l->m, (uint64_t)part_elems(part) * nca_dtype_size(dtype), what);
	part->tile.buf = part->buf;
	part->tile.space = MIR_SBUF;
	part->tile.dtype = dtype;
	part->tile.nparts = (uint8_t)part->parts;
}

void space_store(struct lower *l, const struct space *s, int k, const struct space_tile *t,
		 const struct space_part *part, const struct dram_view *to)
{
	struct mir_mem src = sbuf_side(part), dst = dram_side(s, k, t, to);
	int64_t size[4] = { part->parts, part->size[0], part->size[1], part->size[2] };

	join_transfer(size, &dst, &src);
	mir_dma(l->m, mir_store_engine(l->m), &dst, &src, size, nca_dtype_size(part->dtype),
		to->dtype != part->dtype, 0);
}

struct dram_view lower_new_dram(struct lower *l, struct ir_value *v)
{
	struct dram_view d = { .valid = true, .dtype = lower_dtype(l, v), .slot = MIR_SLOT_SCRATCH };

	d.buf = mir_scratch(l->m, (uint64_t)ir_type_elements(&v->type) * nca_dtype_size(d.dtype),
			    v->name);
	l->homes[v->id].dram = d;
	return d;
}
