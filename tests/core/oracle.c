/* SPDX-License-Identifier: MIT */
#include <float.h>
#include <math.h>
#include <string.h>

#include "firmware-sim/core/kernels.h"
#include "oracle.h"

#define PARTS NCA_PARTITIONS
#define ELEMS ORACLE_ELEMS

/* Values of one operand in the domain of the instruction. */
static uint32_t a[ELEMS][PARTS], b[ELEMS][PARTS], y[ELEMS][PARTS], old[ELEMS][PARTS];
static uint32_t position[ELEMS][PARTS];
static uint32_t dst_off[ELEMS], src_off[ELEMS];

uint32_t oracle_offsets(const struct oracle *o, const struct nca_ap *p, uint32_t *off)
{
	int32_t base = (int32_t)(p->offset & NCA_AP_OFFSET_MASK);
	uint32_t n = 0;

	if (p->offset >> 24)
		base += (int32_t)o->reg[(p->offset >> 24) - 1];
	for (int32_t i = 0; i < p->size[0]; i++)
		for (int32_t j = 0; j < p->size[1]; j++)
			for (int32_t k = 0; k < p->size[2]; k++)
				for (int32_t l = 0; l < p->size[3]; l++)
					off[n++] = (uint32_t)(base +
							      (int32_t)nca_dtype_size(p->dtype) *
								      (i * p->stride[0] +
								       j * p->stride[1] +
								       k * p->stride[2] +
								       l * p->stride[3]));
	return n;
}

static uint8_t *at(const struct oracle *o, const struct nca_ap *p, uint32_t lane, uint32_t off)
{
	return o->mem[p->mem] + (p->part + lane) * o->bytes + off;
}

uint32_t oracle_fetch(const struct oracle *o, const struct nca_ap *p, uint32_t lane, uint32_t off)
{
	uint32_t v = 0;

	memcpy(&v, at(o, p, lane, off), nca_dtype_size(p->dtype));
	return v;
}

static uint32_t widen(uint32_t bits, uint32_t dtype, uint32_t dom)
{
	if (dom == DOM_FP)
		return float_bits(golden_to_fp32(bits, dtype));
	return dom == DOM_BITS ? bits : golden_to_int(bits, dtype);
}

static uint32_t narrow(uint32_t v, uint32_t dtype, uint32_t dom)
{
	if (dom == DOM_FP)
		return golden_from_fp32(bits_float(v), dtype);
	return dom == DOM_BITS ? v : golden_from_int(v, dtype, dom);
}

static uint32_t read_all(const struct oracle *o, const struct nca_ap *p, uint32_t dom,
			 uint32_t out[][PARTS])
{
	uint32_t n = oracle_offsets(o, p, src_off);

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t l = 0; l < p->nparts; l++)
			out[i][l] = widen(oracle_fetch(o, p, l, src_off[i]), p->dtype, dom);
	return n;
}

static void write_all(struct oracle *o, const struct nca_ap *p, uint32_t dom,
		      const uint32_t in[][PARTS])
{
	uint32_t n = oracle_offsets(o, p, dst_off);

	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t l = 0; l < p->nparts; l++) {
			uint32_t v = narrow(in[i][l], p->dtype, dom);

			memcpy(at(o, p, l, dst_off[i]), &v, nca_dtype_size(p->dtype));
		}
	}
}

static uint32_t scalar(const struct oracle *o, const struct nca_scalar *s, uint32_t lane,
		       uint32_t dom)
{
	struct nca_ap p = { .dtype = s->dtype, .part = s->part };
	uint32_t v = s->value;

	switch (s->kind) {
	case NCA_SCALAR_SBUF:
	case NCA_SCALAR_PSUM:
		p.mem = s->kind == NCA_SCALAR_SBUF ? NCA_MEM_SBUF : NCA_MEM_PSUM;
		return widen(oracle_fetch(o, &p, lane, s->value), s->dtype, DOM_FP);
	case NCA_SCALAR_REG:
		v = o->reg[s->value];
		break;
	default:
		break;
	}
	return s->dtype == NCA_INT32 && dom == DOM_FP ? float_bits((float)(int32_t)v) : v;
}

static bool is_float(const struct nca_ap *p)
{
	return p->nparts && p->dtype < NCA_INT32;
}

static bool src1_is_data(uint32_t opcode)
{
	return opcode == NCA_OP_TENSOR_TENSOR || opcode == NCA_OP_SCALAR_TENSOR ||
	       opcode == NCA_OP_SCAN || opcode == NCA_OP_INDEX8;
}

static bool src1_is_output(uint32_t opcode)
{
	return opcode == NCA_OP_TENSOR_SCALAR || opcode == NCA_OP_ACTIVATE || opcode == NCA_OP_TOPK;
}

uint32_t oracle_domain(const struct nca_inst *in)
{
	const struct nca_body_ew *e = &in->ew;

	switch (in->opcode) {
	case NCA_OP_COPY:
	case NCA_OP_COPY_PRED:
	case NCA_OP_PART_BROADCAST:
		if (e->dst.dtype == e->src0.dtype)
			return DOM_BITS;
		break;
	case NCA_OP_SHUFFLE:
	case NCA_OP_TRANSPOSE32:
	case NCA_OP_TRANSPOSE:
	case NCA_OP_GATHER:
	case NCA_OP_SCATTER:
		return DOM_BITS;
	case NCA_OP_ACTIVATE:
	case NCA_OP_RECIPROCAL:
	case NCA_OP_BN_STATS:
	case NCA_OP_BN_AGGR:
		return DOM_FP;
	default:
		break;
	}
	if (is_float(&e->src0) || (src1_is_data(in->opcode) && is_float(&e->src1)) ||
	    (e->s0.kind && e->s0.dtype != NCA_INT32) || (e->s1.kind && e->s1.dtype != NCA_INT32))
		return DOM_FP;
	return e->src0.nparts && e->src0.dtype == NCA_UINT32 ? DOM_UINT : DOM_INT;
}

static uint32_t op2(uint32_t op, uint32_t l, uint32_t r, uint32_t dom, bool reverse)
{
	return !op ? l : reverse ? golden_alu(op, r, l, dom) : golden_alu(op, l, r, dom);
}

/* Section 3.5: the first element, then the others, ascending. */
static uint32_t reduce(uint32_t op, const uint32_t *v, uint32_t step, uint32_t n, uint32_t dom)
{
	uint32_t acc = v[0];

	if (op == NCA_ALU_ABSMAX || op == NCA_ALU_LAND || op == NCA_ALU_LOR)
		acc = golden_alu(op, acc, acc, dom);
	for (uint32_t i = 1; i < n; i++)
		acc = golden_alu(op, acc, v[i * step], dom);
	return acc;
}

static float f(uint32_t v)
{
	return bits_float(v);
}

static void bn_stats(uint32_t n, uint32_t l)
{
	for (uint32_t odd = 0; odd < 2; odd++) {
		float sum = 0, m2 = 0, mean = 0, count = 0;

		for (uint32_t i = odd; i < n; i += 2, count++)
			sum = count == 0 ? f(a[i][l]) : sum + f(a[i][l]);
		if (count > 0)
			mean = sum / count;
		for (uint32_t i = odd; i < n; i += 2) {
			float d = f(a[i][l]) - mean, square = d * d;

			m2 = m2 + square;
		}
		y[3 * odd][l] = float_bits(count);
		y[3 * odd + 1][l] = float_bits(mean);
		y[3 * odd + 2][l] = float_bits(m2);
	}
}

static void bn_aggr(uint32_t n, uint32_t l)
{
	float count = 0, mean = 0, m2 = 0;

	for (uint32_t i = 0; i < n; i += 3) {
		float c = f(a[i][l]), d, t, r, step, square;

		if (!(c > 0))
			continue;
		d = f(a[i + 1][l]) - mean;
		t = count + c;
		r = c / t;
		step = d * r;
		mean = mean + step;
		m2 = m2 + f(a[i + 2][l]);
		square = d * d;
		square = square * count;
		square = square * r;
		m2 = m2 + square;
		count = t;
	}
	y[0][l] = float_bits(mean);
	y[1][l] = float_bits(count > 0 ? m2 / count : 0);
}

static bool larger(uint32_t u, uint32_t v, uint32_t dom)
{
	if (dom != DOM_FP)
		return dom == DOM_UINT ? u > v : (int32_t)u > (int32_t)v;
	return f(u) != f(u) ? f(v) == f(v) : f(u) > f(v);
}

/* Takes the largest that is left, the first of equals, @k times. */
static void largest(uint32_t n, uint32_t k, uint32_t l, uint32_t dom)
{
	bool taken[ELEMS] = { false };

	for (uint32_t i = 0; i < k; i++) {
		uint32_t best = n;

		for (uint32_t j = 0; j < n; j++)
			if (!taken[j] && (best == n || larger(a[j][l], a[best][l], dom)))
				best = j;
		taken[best] = true;
		y[i][l] = a[best][l];
		position[i][l] = best;
	}
}

static bool same_value(uint32_t u, uint32_t v, uint32_t dom)
{
	return dom == DOM_FP ? f(u) == f(v) || (f(u) != f(u) && f(v) != f(v)) : u == v;
}

static void index8(uint32_t n, uint32_t l, uint32_t dom)
{
	for (uint32_t i = 0; i < 8; i++) {
		uint32_t asked = 0, seen = 0;

		for (uint32_t j = 0; j < i; j++)
			asked += same_value(b[j][l], b[i][l], dom);
		y[i][l] = UINT32_MAX;
		for (uint32_t j = 0; j < n && y[i][l] == UINT32_MAX; j++)
			if (same_value(a[j][l], b[i][l], dom) && seen++ == asked)
				y[i][l] = j;
	}
}

static uint32_t fill(uint32_t kind, uint32_t dom)
{
	static const uint32_t value[3][NCA_FILL_COUNT] = {
		[DOM_FP] = { 0, 0xff800000, 0x7f800000, 0xff7fffff },
		[DOM_INT] = { 0, 0x80000000, 0x7fffffff, 0x80000000 },
		[DOM_UINT] = { 0, 0, 0xffffffff, 0 },
	};

	return value[dom][kind];
}

/* One lane of an instruction that computes each element from those at its place. */
static void pointwise(const struct oracle *o, const struct nca_inst *in, uint32_t n, uint32_t l,
		      uint32_t dom)
{
	const struct nca_body_ew *e = &in->ew;
	bool rev0 = in->flags & NCA_F_REVERSE0, rev1 = in->flags & NCA_F_REVERSE1;
	uint32_t s0 = scalar(o, &e->s0, l, dom), s1 = scalar(o, &e->s1, l, dom), state = s0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t x = a[i][l], index;

		switch (in->opcode) {
		case NCA_OP_MEMSET:
			x = s0;
			break;
		case NCA_OP_TENSOR_TENSOR:
			x = op2(e->op0, x, b[i][l], dom, false);
			break;
		case NCA_OP_TENSOR_SCALAR:
			x = op2(e->op1, op2(e->op0, x, s0, dom, rev0), s1, dom, rev1);
			break;
		case NCA_OP_SCALAR_TENSOR:
			x = op2(e->op1, op2(e->op0, x, s0, dom, rev0), b[i][l], dom, rev1);
			break;
		case NCA_OP_SCAN:
			state = op2(e->op1, op2(e->op0, state, x, dom, false), b[i][l], dom, false);
			x = state;
			break;
		case NCA_OP_SELECT:
			x = b[i][l] ? x : s0;
			break;
		case NCA_OP_RECIPROCAL:
			x = float_bits(1.0f / f(x));
			break;
		case NCA_OP_ACTIVATE:
			x = e->s0.kind ? golden_alu(NCA_ALU_MUL, x, s0, DOM_FP) : x;
			x = e->s1.kind ? golden_alu(NCA_ALU_ADD, x, s1, DOM_FP) : x;
			x = float_bits(golden_func(e->func, f(x), e->param));
			break;
		case NCA_OP_IOTA:
		case NCA_OP_AFFINE_SELECT:
			index = scalar(o, &e->s0, l, DOM_INT) + i * scalar(o, &e->s1, l, DOM_INT) +
				l * e->param;
			if (in->opcode == NCA_OP_IOTA)
				x = index;
			else
				x = golden_alu(e->op0, index, 0, DOM_INT) ? x : fill(e->func, dom);
			break;
		default: /* COPY */
			break;
		}
		y[i][l] = x;
	}
}

/* A predicate: -0 is false, NaN is true. */
static void read_mask(const struct oracle *o, const struct nca_ap *p)
{
	uint32_t n = read_all(o, p, p->dtype < NCA_INT32 ? DOM_FP : DOM_BITS, b);

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t l = 0; l < p->nparts; l++)
			b[i][l] = p->dtype < NCA_INT32 ? f(b[i][l]) != 0 : b[i][l] != 0;
}

static void reduce_free(const struct nca_inst *in, uint32_t n, uint32_t nd, uint32_t l,
			uint32_t dom)
{
	for (uint32_t j = 0; j < nd; j++) {
		y[j][l] = reduce(in->ew.op0, &a[j * (n / nd)][l], PARTS, n / nd, dom);
		if (in->flags & NCA_F_ACC_REDUCE)
			y[j][l] = golden_alu(in->ew.op0, old[j][l], y[j][l], dom);
	}
}

static void indexed(const struct nca_inst *in, uint32_t n1, uint32_t nd, uint32_t lanes)
{
	if (in->opcode == NCA_OP_SCATTER)
		memcpy(y, old, sizeof(y));
	for (uint32_t l = 0; l < lanes; l++) {
		for (uint32_t i = 0; i < n1; i++) {
			if (in->opcode == NCA_OP_GATHER && i < nd)
				y[i][l] = a[b[i][l]][l];
			else if (in->opcode == NCA_OP_SCATTER)
				y[b[i][l]][l] = a[i][l];
		}
	}
}

static void engine(struct oracle *o, const struct nca_inst *in)
{
	static uint32_t sum[1][PARTS];
	const struct nca_body_ew *e = &in->ew;
	const struct nca_ap *d = &e->dst;
	uint32_t op = in->opcode, dom = oracle_domain(in), lanes = d->nparts, n = 0, n1 = 0;
	uint32_t nd = nca_ap_elems(d);
	bool reduced =
		op != NCA_OP_TOPK && op != NCA_OP_SHUFFLE && src1_is_output(op) && e->src1.nparts;

	if (e->src0.nparts)
		n = read_all(o, &e->src0, dom, a);
	if (op == NCA_OP_SELECT || op == NCA_OP_COPY_PRED)
		read_mask(o, &e->src1);
	else if (op == NCA_OP_GATHER || op == NCA_OP_SCATTER)
		n1 = read_all(o, &e->src1, DOM_INT, b);
	else if (src1_is_data(op))
		read_all(o, &e->src1, dom, b);
	/* What the destination held: raw for predicated copies and scatters. */
	read_all(o, reduced ? &e->src1 : d,
		 op == NCA_OP_COPY_PRED || op == NCA_OP_SCATTER ? DOM_BITS : dom, old);

	switch (op) {
	case NCA_OP_GATHER:
	case NCA_OP_SCATTER:
		indexed(in, n1, nd, lanes);
		if (op == NCA_OP_SCATTER) { /* only the places that were named */
			oracle_offsets(o, d, dst_off);
			for (uint32_t l = 0; l < lanes; l++)
				for (uint32_t i = 0; i < n1; i++)
					memcpy(at(o, d, l, dst_off[b[i][l]]), &a[i][l],
					       nca_dtype_size(d->dtype));
			return;
		}
		break;
	case NCA_OP_SHUFFLE:
		for (uint32_t i = 0; i < n; i++)
			for (uint32_t l = 0; l < lanes; l++)
				y[i][l] = a[i][l / 32 * 32 + in->shuffle.mask[l % 32]];
		break;
	case NCA_OP_TRANSPOSE32:
		for (uint32_t i = 0; i < n; i++)
			for (uint32_t l = 0; l < lanes; l++)
				y[i][l] = a[i / 32 * 32 + l % 32][l / 32 * 32 + i % 32];
		break;
	case NCA_OP_PART_REDUCE:
		for (uint32_t i = 0; i < n; i++)
			y[i][0] = reduce(e->op0, a[i], 1, e->src0.nparts, dom);
		break;
	case NCA_OP_PART_BROADCAST:
		for (uint32_t i = 0; i < n; i++)
			for (uint32_t l = 0; l < lanes; l++)
				y[i][l] = a[i][0];
		break;
	case NCA_OP_COPY_PRED:
		for (uint32_t i = 0; i < n; i++)
			for (uint32_t l = 0; l < lanes; l++)
				y[i][l] = b[i][l] ? narrow(a[i][l], d->dtype, dom) : old[i][l];
		dom = DOM_BITS;
		break;
	default:
		for (uint32_t l = 0; l < lanes; l++) {
			if (op == NCA_OP_BN_STATS)
				bn_stats(n, l);
			else if (op == NCA_OP_BN_AGGR)
				bn_aggr(n, l);
			else if (op == NCA_OP_MAX8 || op == NCA_OP_TOPK)
				largest(n, nd, l, dom);
			else if (op == NCA_OP_INDEX8)
				index8(n, l, dom);
			else if (op == NCA_OP_REDUCE)
				reduce_free(in, n, nd, l, dom);
			else
				pointwise(o, in, nd, l, dom);
			if (!reduced)
				continue;
			sum[0][l] = reduce(e->op2, &y[0][l], PARTS, nd, dom);
			if (in->flags & NCA_F_ACC_REDUCE)
				sum[0][l] = golden_alu(e->op2, old[0][l], sum[0][l], dom);
		}
		if (op == NCA_OP_INDEX8)
			dom = DOM_INT;
		break;
	}
	write_all(o, d, dom, y);
	if (reduced)
		write_all(o, &e->src1, dom, sum);
	else if (op == NCA_OP_TOPK)
		write_all(o, &e->src1, DOM_INT, position);
}

/* Stationary and moving values as the array sees them. */
static uint32_t tile_value(const struct nca_inst *in, uint32_t bits)
{
	if (in->flags & NCA_F_INT)
		return golden_to_int(bits, in->mm.src.dtype);
	if (in->flags & NCA_F_TF32)
		return float_bits(golden_tf32(bits_float(bits)));
	return float_bits(golden_to_fp32(bits, in->mm.src.dtype));
}

static void matmul(struct oracle *o, const struct nca_inst *in)
{
	const struct nca_ap *d = &in->mm.dst;
	uint32_t n = read_all(o, &in->mm.src, DOM_BITS, a);

	oracle_offsets(o, d, dst_off);
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t m = 0; m < d->nparts; m++) {
			uint8_t *out = at(o, d, m, dst_off[i]);
			uint32_t acc = 0, v;

			for (uint32_t k = 0; k < o->rows; k++) {
				uint32_t s = o->stationary[k][m], x = tile_value(in, a[i][k]);

				acc = in->flags & NCA_F_INT ? acc + s * x
							    : float_bits(fmaf(f(s), f(x), f(acc)));
			}
			if (in->flags & NCA_F_ACCUMULATE) {
				v = oracle_fetch(o, d, m, dst_off[i]);
				acc = in->flags & NCA_F_INT
					      ? v + acc
					      : float_bits(golden_to_fp32(v, d->dtype) + f(acc));
			}
			v = in->flags & NCA_F_INT ? acc : golden_from_fp32(f(acc), d->dtype);
			memcpy(out, &v, nca_dtype_size(d->dtype));
		}
	}
}

void oracle_execute(struct oracle *o, const struct nca_inst *in)
{
	uint32_t n;

	switch (in->opcode) {
	case NCA_OP_LDSTAT:
		o->columns = read_all(o, &in->mm.src, DOM_BITS, a);
		o->rows = in->mm.src.nparts;
		for (uint32_t k = 0; k < o->rows; k++)
			for (uint32_t m = 0; m < o->columns; m++)
				o->stationary[k][m] = tile_value(in, a[m][k]);
		break;
	case NCA_OP_MATMUL:
		matmul(o, in);
		break;
	case NCA_OP_TRANSPOSE:
		n = read_all(o, &in->mm.src, DOM_BITS, a);
		for (uint32_t p = 0; p < in->mm.src.nparts; p++)
			for (uint32_t i = 0; i < n; i++)
				y[p][i] = a[i][p];
		write_all(o, &in->mm.dst, DOM_BITS, y);
		break;
	default:
		engine(o, in);
		break;
	}
}
