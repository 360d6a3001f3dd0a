/* SPDX-License-Identifier: MIT */
/*
 * Instructions that look at a whole row, or move data between lanes. What does the same to all
 * lanes goes through the table in use; what depends on a lane's values (order, indices) or goes
 * from lane to lane takes one lane at a time, the same code on every host.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "exec_ew.h"

bool ew_is_lanes(uint32_t opcode)
{
	return (opcode >= NCA_OP_BN_STATS && opcode <= NCA_OP_INDEX8) ||
	       opcode == NCA_OP_SHUFFLE || opcode == NCA_OP_TRANSPOSE32 || opcode >= NCA_OP_IOTA;
}

static int no_memory(struct ew *e)
{
	return fault_set(e->x->fault, NCA_RULE_WATCHDOG, e->x->engine, e->x->pc, 0,
			 "the host has no memory");
}

/* All of an operand as rows; the caller frees them. */
static uint32_t *rows_of(struct ew *e, const struct operand *o, enum domain dom)
{
	uint32_t *rows = aligned_alloc(64, (size_t)o->n * ROW_BYTES);

	if (rows)
		ew_load(e, rows, o, 0, o->n, dom);
	return rows;
}

static uint32_t *rows_new(uint32_t n)
{
	uint32_t *rows = aligned_alloc(64, (size_t)n * ROW_BYTES);

	if (rows)
		memset(rows, 0, (size_t)n * ROW_BYTES);
	return rows;
}

static void put(struct ew *e, const struct operand *o, const uint32_t *rows, enum domain dom)
{
	e->k->store(o->base, o->off, rows, o->n, e->lanes, o->dtype, dom);
}

static float lane(const uint32_t *rows, uint32_t r, uint32_t i)
{
	return bits_float(rows[r * LANES + i]);
}

static void set_lane(uint32_t *rows, uint32_t r, uint32_t i, float v)
{
	rows[r * LANES + i] = canonical_bits(v);
}

/* Of whole rows: a = a op b, by the table in use. */
static void row_op(struct ew *e, uint32_t *a, uint32_t op, const uint32_t *b)
{
	e->k->alu(a, b, 0, 1, e->lanes, op, DOM_FP, false);
}

/* count, mean, M2 of every other element from @first. */
static void stats(struct ew *e, const uint32_t *in, uint32_t first, uint32_t *out)
{
	uint32_t n = e->src0.n, *count = out, *mean = out + LANES, *m2 = out + 2 * LANES;
	_Alignas(64) uint32_t d[LANES];

	if (first >= n)
		return;		/* 0, 0, 0 */
	for (uint32_t i = 0; i < e->lanes; i++)
		count[i] = float_bits((float)((n - first + 1) / 2));
	memcpy(mean, in + first * LANES, ROW_BYTES);
	for (uint32_t r = first + 2; r < n; r += 2)
		row_op(e, mean, NCA_ALU_ADD, in + r * LANES);
	row_op(e, mean, NCA_ALU_DIV, count);
	for (uint32_t r = first; r < n; r += 2) {
		memcpy(d, in + r * LANES, ROW_BYTES);
		row_op(e, d, NCA_ALU_SUB, mean);
		row_op(e, d, NCA_ALU_MUL, d);
		row_op(e, m2, NCA_ALU_ADD, d);
	}
}

static void bn_stats(struct ew *e, const uint32_t *in, uint32_t *out)
{
	stats(e, in, 0, out);
	stats(e, in, 1, out + 3 * LANES);
}

static void bn_aggr(struct ew *e, const uint32_t *in, uint32_t *out)
{
	for (uint32_t i = 0; i < e->lanes; i++) {
		float n = 0, mean = 0, m2 = 0;

		for (uint32_t r = 0; r < e->src0.n; r += 3) {
			float c = lane(in, r, i), d, t, part;

			if (!(c > 0))
				continue;
			d = lane(in, r + 1, i) - mean;
			t = n + c;
			part = c / t;
			mean = mean + d * part;
			m2 = m2 + lane(in, r + 2, i);
			d = d * d;
			d = d * n;
			m2 = m2 + d * part;
			n = t;
		}
		set_lane(out, 0, i, mean);
		set_lane(out, 1, i, n > 0 ? m2 / n : 0);
	}
}

/* Is @a ahead of @b in descending order? Equal values keep their places. */
static bool ahead(uint32_t a, uint32_t b, enum domain dom)
{
	float x = bits_float(a), y = bits_float(b);

	if (dom == DOM_INT)
		return (int32_t)a > (int32_t)b;
	if (dom == DOM_UINT)
		return a > b;
	if (x != x)
		return y == y;
	return x > y;
}

static bool equal(uint32_t a, uint32_t b, enum domain dom)
{
	float x = bits_float(a), y = bits_float(b);

	return dom == DOM_FP ? x == y || (x != x && y != y) : a == b;
}

/* The @k first in descending order, by insertion into a sorted list. */
static void largest(struct ew *e, const uint32_t *in, uint32_t k, uint32_t *out, uint32_t *position)
{
	for (uint32_t i = 0; i < e->lanes; i++) {
		uint32_t len = 0;

		for (uint32_t r = 0; r < e->src0.n; r++) {
			uint32_t v = in[r * LANES + i], at;

			if (len == k && !ahead(v, out[(k - 1) * LANES + i], e->dom))
				continue;
			at = len < k ? len++ : k - 1;
			for (; at && ahead(v, out[(at - 1) * LANES + i], e->dom); at--) {
				out[at * LANES + i] = out[(at - 1) * LANES + i];
				position[at * LANES + i] = position[(at - 1) * LANES + i];
			}
			out[at * LANES + i] = v;
			position[at * LANES + i] = r;
		}
	}
}

/* Asked for the same value again, the next place it is found at. */
static void index8(struct ew *e, const uint32_t *in, const uint32_t *want, uint32_t *out)
{
	for (uint32_t i = 0; i < e->lanes; i++) {
		for (uint32_t j = 0; j < 8; j++) {
			uint32_t v = want[j * LANES + i], skip = 0, r;

			for (uint32_t q = 0; q < j; q++)
				skip += equal(want[q * LANES + i], v, e->dom);
			for (r = 0; r < e->src0.n; r++)
				if (equal(in[r * LANES + i], v, e->dom) && !skip--)
					break;
			out[j * LANES + i] = r < e->src0.n ? r : UINT32_MAX;
		}
	}
}

static void shuffle(struct ew *e, const uint32_t *in, uint32_t *out)
{
	const uint8_t *mask = e->x->in->shuffle.mask;

	for (uint32_t r = 0; r < e->dst.n; r++)
		for (uint32_t i = 0; i < e->lanes; i++)
			out[r * LANES + i] = in[r * LANES + (i & ~31u) + mask[i & 31]];
}

/* Blocks of 32 elements and 32 lanes; an instruction has no others. */
static void transpose32(struct ew *e, const uint32_t *in, uint32_t *out)
{
	for (uint32_t r = 0; r < e->dst.n; r += 32)
		for (uint32_t i = 0; i < e->lanes; i += 32)
			e->k->transpose((uint8_t *)(out + r * LANES + i), ROW_BYTES,
					(const uint8_t *)(in + r * LANES + i), ROW_BYTES, 32, 32);
}

static void affine_row(const struct ew *e, uint32_t r, uint32_t *out)
{
	uint32_t first = e->s[0][0] + r * e->s[1][0], step = e->b->param;

	for (uint32_t i = 0; i < e->lanes; i++)
		out[i] = first + i * step;
}

static uint32_t fill_value(uint32_t fill, enum domain dom)
{
	switch (fill) {
	case NCA_FILL_NEG_INF:
		return dom == DOM_FP ? float_bits(-INFINITY) : dom == DOM_INT ? 0x80000000u : 0;
	case NCA_FILL_POS_INF:
		return dom == DOM_FP ? float_bits(INFINITY) : dom == DOM_INT ? 0x7fffffffu : UINT32_MAX;
	case NCA_FILL_LOWEST:
		return dom == DOM_FP ? float_bits(-FLT_MAX) : dom == DOM_INT ? 0x80000000u : 0;
	default:
		return 0;
	}
}

static void affine_select(struct ew *e, const uint32_t *in, uint32_t *out)
{
	_Alignas(64) uint32_t keep[LANES], fill[LANES];
	static const uint32_t zero[LANES];

	for (uint32_t i = 0; i < LANES; i++)
		fill[i] = fill_value(e->b->func, e->dom);
	for (uint32_t r = 0; r < e->dst.n; r++) {
		affine_row(e, r, keep);
		e->k->alu(keep, zero, 0, 1, e->lanes, e->b->op0, DOM_INT, false);
		memcpy(out + r * LANES, in + r * LANES, ROW_BYTES);
		e->k->select(out + r * LANES, fill, 0, keep, 1, e->lanes, false);
	}
}

static int bad_index(struct ew *e, uint32_t r, uint32_t i, uint32_t v, uint32_t n)
{
	return fault_set(e->x->fault, NCA_RULE_INDEX, e->x->engine, e->x->pc, r,
			 "index %u of lane %u is %d, there are %u elements", r, i, (int32_t)v, n);
}

/* By element addresses, so that neither side has to be loaded as a whole. */
static int gather_scatter(struct ew *e, const uint32_t *index)
{
	bool gather = e->x->in->opcode == NCA_OP_GATHER;
	const struct operand *table = gather ? &e->src0 : &e->dst;
	uint32_t es = nca_dtype_size(e->dst.dtype);

	for (uint32_t r = 0; r < e->src1.n; r++)
		for (uint32_t i = 0; i < e->lanes; i++)
			if (index[r * LANES + i] >= table->n)
				return bad_index(e, r, i, index[r * LANES + i], table->n);
	for (uint32_t r = 0; r < e->src1.n; r++) {
		for (uint32_t i = 0; i < e->lanes; i++) {
			uint32_t v = index[r * LANES + i];

			memcpy(e->dst.base + e->dst.off[gather ? r : v] + 4 * i,
			       e->src0.base + e->src0.off[gather ? v : r] + 4 * i, es);
		}
	}
	return 0;
}

static void part_reduce(struct ew *e, const uint32_t *in, uint32_t lanes, uint32_t *out)
{
	uint32_t op = e->b->op0;
	bool changes = op == NCA_ALU_ABSMAX || op == NCA_ALU_LAND || op == NCA_ALU_LOR;

	for (uint32_t r = 0; r < e->src0.n; r++) {
		uint32_t acc = in[r * LANES];

		if (changes)
			acc = golden_alu(op, acc, acc, e->dom);
		for (uint32_t i = 1; i < lanes; i++)
			acc = golden_alu(op, acc, in[r * LANES + i], e->dom);
		out[r * LANES] = acc;
	}
}

static void iota(struct ew *e, uint32_t *out)
{
	for (uint32_t r = 0; r < e->dst.n; r++)
		affine_row(e, r, out + r * LANES);
}

static int compute(struct ew *e, const uint32_t *in, const uint32_t *in1, uint32_t *out,
		   uint32_t *position)
{
	enum domain dom = e->dom;

	switch (e->x->in->opcode) {
	case NCA_OP_BN_STATS:
		bn_stats(e, in, out);
		break;
	case NCA_OP_BN_AGGR:
		bn_aggr(e, in, out);
		break;
	case NCA_OP_MAX8:
		largest(e, in, 8, out, position);
		break;
	case NCA_OP_INDEX8:
		index8(e, in, in1, out);
		dom = DOM_INT;
		break;
	case NCA_OP_SHUFFLE:
		shuffle(e, in, out);
		break;
	case NCA_OP_TRANSPOSE32:
		transpose32(e, in, out);
		break;
	case NCA_OP_IOTA:
		iota(e, out);
		break;
	case NCA_OP_AFFINE_SELECT:
		affine_select(e, in, out);
		break;
	case NCA_OP_GATHER:
	case NCA_OP_SCATTER:
		return gather_scatter(e, in1);
	case NCA_OP_TOPK:
		largest(e, in, e->b->param, out, position);
		put(e, &e->dst, out, dom);
		put(e, &e->src1, position, DOM_INT);
		return 0;
	case NCA_OP_PART_REDUCE:
		part_reduce(e, in, e->b->src0.nparts, out);
		break;
	default:	/* PART_BROADCAST */
		for (uint32_t r = 0; r < e->dst.n; r++)
			for (uint32_t i = 0; i < e->lanes; i++)
				out[r * LANES + i] = in[r * LANES];
		break;
	}
	put(e, &e->dst, out, dom);
	return 0;
}

int ew_lanes(struct ew *e)
{
	bool indexed = e->x->in->opcode == NCA_OP_GATHER || e->x->in->opcode == NCA_OP_SCATTER;
	uint32_t lanes = e->lanes, n = e->dst.n > e->src0.n ? e->dst.n : e->src0.n;
	uint32_t *in = NULL, *in1 = NULL, *out = rows_new(n), *position = rows_new(e->dst.n);
	bool ok = out && position;
	int ret;

	/* Of a reduction over partitions all of src0's lanes are read, not dst's one. */
	e->lanes = e->b->src0.nparts ? e->b->src0.nparts : lanes;
	if (e->b->src0.nparts && !indexed)
		ok = (in = rows_of(e, &e->src0, e->dom)) && ok;
	e->lanes = lanes;
	if (e->x->in->opcode == NCA_OP_INDEX8)
		ok = (in1 = rows_of(e, &e->src1, e->dom)) && ok;
	else if (indexed)
		ok = (in1 = rows_of(e, &e->src1, DOM_INT)) && ok;
	ret = ok ? compute(e, in, in1, out, position) : no_memory(e);
	free(in);
	free(in1);
	free(out);
	free(position);
	return ret;
}
