/* SPDX-License-Identifier: MIT */
/*
 * ALU operations and reductions. Part of vector.inc.h.
 *
 * One loop per operation; signed and unsigned integers share theirs: with the
 * top bit flipped, unsigned order is signed order.
 */
INLINE vf maximum(vf a, vf b)
{
	vf r = pickf(a > b, a, b);

	/* Equal: of two zeroes +0; and clears a sign that only one of them has. */
	r = pickf(a == b, (vf)((vi)a & (vi)b), r);
	return pickf((a != a) | (b != b), (vf)splat(CANONICAL_NAN), r);
}

INLINE vf minimum(vf a, vf b)
{
	vf r = pickf(a < b, a, b);

	r = pickf(a == b, (vf)((vi)a | (vi)b), r);
	return pickf((a != a) | (b != b), (vf)splat(CANONICAL_NAN), r);
}

/* The other operand on the left: what has no mirror image among the operations. */
enum { REV_SUB = NCA_ALU_COUNT, REV_DIV };

INLINE vi one_alu_fp(uint32_t op, vf a, vf b)
{
	vi m;

	switch (op) {
	case NCA_ALU_ADD:
		return (vi)(a + b);
	case NCA_ALU_SUB:
		return (vi)(a - b);
	case REV_SUB:
		return (vi)(b - a);
	case NCA_ALU_MUL:
		return (vi)(a * b);
	case NCA_ALU_DIV:
		return (vi)(a / b);
	case REV_DIV:
		return (vi)(b / a);
	case NCA_ALU_MAX:
		return (vi)maximum(a, b);
	case NCA_ALU_MIN:
		return (vi)minimum(a, b);
	case NCA_ALU_ABSMAX:
		return (vi)maximum(absf(a), absf(b));
	case NCA_ALU_EQ:
		m = a == b;
		break;
	case NCA_ALU_NE:
		m = a != b;
		break;
	case NCA_ALU_LT:
		m = a < b;
		break;
	case NCA_ALU_LE:
		m = a <= b;
		break;
	case NCA_ALU_GT:
		m = a > b;
		break;
	case NCA_ALU_GE:
		m = a >= b;
		break;
	case NCA_ALU_LAND:
		m = (a != 0.0f) & (b != 0.0f);
		break;
	default:
		m = (a != 0.0f) | (b != 0.0f);
		break;
	}
	return m & 0x3f800000;
}

INLINE vi shifted(uint32_t op, vi a, vi b)
{
	vi out = (vi)((vu)b > (vu)splat(31)), by = b & 31;

	if (op == NCA_ALU_SHL)
		return (vi)((vu)a << (vu)by) & ~out;
	if (op == NCA_ALU_SHR)
		return (vi)((vu)a >> (vu)by) & ~out;
	return pick(out, a >> 31, a >> by);
}

/* @flip: the top bit if the integers are unsigned. */
INLINE vi one_alu_int(uint32_t op, vi a, vi b, int32_t flip)
{
	vi x, y, m;

	switch (op) {
	case NCA_ALU_ADD:
		return (vi)((vu)a + (vu)b);
	case NCA_ALU_SUB:
		return (vi)((vu)a - (vu)b);
	case REV_SUB:
		return (vi)((vu)b - (vu)a);
	case NCA_ALU_MUL:
		return (vi)((vu)a * (vu)b);
	case NCA_ALU_MAX:
		return pick((a ^ flip) > (b ^ flip), a, b);
	case NCA_ALU_MIN:
		return pick((a ^ flip) < (b ^ flip), a, b);
	case NCA_ALU_AND:
		return a & b;
	case NCA_ALU_OR:
		return a | b;
	case NCA_ALU_XOR:
		return a ^ b;
	case NCA_ALU_SHL:
	case NCA_ALU_SHR:
	case NCA_ALU_SAR:
		return shifted(op, a, b);
	case NCA_ALU_ABSMAX:
		x = pick((a < 0) & ~flip >> 31, (vi)((vu)splat(0) - (vu)a), a);
		y = pick((b < 0) & ~flip >> 31, (vi)((vu)splat(0) - (vu)b), b);
		return pick((vi)((vu)x > (vu)y), x, y);
	case NCA_ALU_EQ:
		m = a == b;
		break;
	case NCA_ALU_NE:
		m = a != b;
		break;
	case NCA_ALU_LT:
		m = (a ^ flip) < (b ^ flip);
		break;
	case NCA_ALU_LE:
		m = (a ^ flip) <= (b ^ flip);
		break;
	case NCA_ALU_GT:
		m = (a ^ flip) > (b ^ flip);
		break;
	case NCA_ALU_GE:
		m = (a ^ flip) >= (b ^ flip);
		break;
	case NCA_ALU_LAND:
		m = (a != 0) & (b != 0);
		break;
	default:
		m = (a != 0) | (b != 0);
		break;
	}
	return m & 1;
}

INLINE void alu_as(uint32_t *a, const uint32_t *b, uint32_t bstep, uint32_t n, uint32_t lanes,
		   int32_t flip, uint32_t op, bool fp)
{
	for (uint32_t r = 0; r < n; r++, a += LANES, b += bstep) {
		for (uint32_t i = 0; i < lanes; i += VL) {
			vi x = ld(a + i), y = ld(b + i);

			st(a + i, fp ? one_alu_fp(op, (vf)x, (vf)y) : one_alu_int(op, x, y, flip));
		}
	}
}

INLINE void reduce_as(uint32_t *acc, const uint32_t *a, uint32_t n, uint32_t lanes, int32_t flip,
		      uint32_t op, bool fp)
{
	for (uint32_t i = 0; i < lanes; i += VL) {
		vi x = ld(acc + i);

		for (uint32_t r = 0; r < n; r++) {
			vi y = ld(a + r * LANES + i);

			x = fp ? one_alu_fp(op, (vf)x, (vf)y) : one_alu_int(op, x, y, flip);
		}
		st(acc + i, x);
	}
}

#define OP_CASE(f, o, fp, ...) case o: f(__VA_ARGS__, flip, o, fp); return
#define OPS_REDUCE(f, fp, ...)						\
	OP_CASE(f, NCA_ALU_ADD, fp, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_MUL, fp, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_MAX, fp, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_MIN, fp, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_ABSMAX, fp, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_LAND, fp, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_LOR, fp, __VA_ARGS__)
#define OPS_BOTH(f, fp, ...)						\
	OPS_REDUCE(f, fp, __VA_ARGS__);					\
	OP_CASE(f, NCA_ALU_SUB, fp, __VA_ARGS__);			\
	OP_CASE(f, REV_SUB, fp, __VA_ARGS__);				\
	OP_CASE(f, NCA_ALU_EQ, fp, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_NE, fp, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_LT, fp, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_LE, fp, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_GT, fp, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_GE, fp, __VA_ARGS__)
#define OPS_BITS(f, ...)						\
	OP_CASE(f, NCA_ALU_AND, false, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_OR, false, __VA_ARGS__);			\
	OP_CASE(f, NCA_ALU_XOR, false, __VA_ARGS__)

static uint32_t mirrored(uint32_t op)
{
	switch (op) {
	case NCA_ALU_SUB:
		return REV_SUB;
	case NCA_ALU_DIV:
		return REV_DIV;
	case NCA_ALU_LT:
		return NCA_ALU_GT;
	case NCA_ALU_LE:
		return NCA_ALU_GE;
	case NCA_ALU_GT:
		return NCA_ALU_LT;
	case NCA_ALU_GE:
		return NCA_ALU_LE;
	case NCA_ALU_SHL:
	case NCA_ALU_SHR:
	case NCA_ALU_SAR:
		return NCA_ALU_NONE;
	default:
		return op;
	}
}

static int32_t flip_of(enum domain dom)
{
	return dom == DOM_UINT ? INT32_MIN : 0;
}

static void alu(uint32_t *a, const uint32_t *b, uint32_t bstep, uint32_t n, uint32_t lanes,
		uint32_t op, enum domain dom, bool reverse)
{
	int32_t flip = flip_of(dom);

	if (dom == DOM_FP) {
		switch (reverse ? mirrored(op) : op) {
		OPS_BOTH(alu_as, true, a, b, bstep, n, lanes);
		OP_CASE(alu_as, NCA_ALU_DIV, true, a, b, bstep, n, lanes);
		OP_CASE(alu_as, REV_DIV, true, a, b, bstep, n, lanes);
		}
	} else {
		switch (reverse ? mirrored(op) : op) {
		OPS_BOTH(alu_as, false, a, b, bstep, n, lanes);
		OPS_BITS(alu_as, a, b, bstep, n, lanes);
		OP_CASE(alu_as, NCA_ALU_SHL, false, a, b, bstep, n, lanes);
		OP_CASE(alu_as, NCA_ALU_SHR, false, a, b, bstep, n, lanes);
		OP_CASE(alu_as, NCA_ALU_SAR, false, a, b, bstep, n, lanes);
		}
	}
	/* Powers, remainders and integer quotients: rare, one lane at a time. */
	core_kernels_golden.alu(a, b, bstep, n, lanes, op, dom, reverse);
}

static void reduce(uint32_t *acc, const uint32_t *a, uint32_t n, uint32_t lanes, uint32_t op,
		   enum domain dom)
{
	int32_t flip = flip_of(dom);

	if (dom == DOM_FP) {
		switch (op) {
		OPS_REDUCE(reduce_as, true, acc, a, n, lanes);
		}
	} else {
		switch (op) {
		OPS_REDUCE(reduce_as, false, acc, a, n, lanes);
		OPS_BITS(reduce_as, acc, a, n, lanes);
		}
	}
	core_kernels_golden.reduce(acc, a, n, lanes, op, dom);
}

/* ---- an instruction in one pass ----------------------------------------------------- */
INLINE vf ew_step(uint32_t op, vf x, vf y)
{
	switch (op) {
	case NCA_ALU_ADD:
		return x + y;
	case NCA_ALU_SUB:
		return x - y;
	case REV_SUB:
		return y - x;
	case NCA_ALU_MUL:
		return x * y;
	case NCA_ALU_MAX:
		return maximum(x, y);
	case NCA_ALU_MIN:
		return minimum(x, y);
	default:
		return x;
	}
}

INLINE void ew_rows(const struct ew_args *a, uint32_t op0, uint32_t op1, bool relu)
{
	uint32_t lanes = a->lanes, whole = lanes / VL * VL;

	for (uint32_t r = 0; r < a->n; r++) {
		const uint8_t *x = a->src + a->src_off[r];
		const uint8_t *y0 = op0 ? a->y[0] + (a->y_off[0] ? a->y_off[0][r] : 0) : x;
		const uint8_t *y1 = op1 ? a->y[1] + (a->y_off[1] ? a->y_off[1][r] : 0) : x;
		uint8_t *to = a->dst + a->dst_off[r];

		for (uint32_t i = 0; i < lanes; i += VL) {
			vf v = ew_step(op0, (vf)ld(x + i * 4), (vf)ld(y0 + i * 4));

			v = ew_step(op1, v, (vf)ld(y1 + i * 4));
			/* Of maxps the second operand is the result for NaN and for two zeroes. */
			if (relu)
				v = v_max(splatf(0), v) + splatf(0);
			v = canonical(v);
			if (i < whole)
				st(to + i * 4, (vi)v);
			else
				st_lanes(to + i * 4, (vi)v, i, lanes);
		}
	}
}

static bool ew(const struct ew_args *a)
{
	uint32_t op[2];

	for (int i = 0; i < 2; i++) {
		op[i] = a->reverse[i] ? mirrored(a->op[i]) : a->op[i];
		if (op[i] > NCA_ALU_MIN && op[i] != REV_SUB)
			return false;
		if (op[i] == NCA_ALU_DIV)
			return false;
	}
	/* The usual end of a layer, and the sum of two, without a choice in the loop. */
	if (op[0] == NCA_ALU_MUL && op[1] == NCA_ALU_ADD && a->relu)
		ew_rows(a, NCA_ALU_MUL, NCA_ALU_ADD, true);
	else if (op[0] == NCA_ALU_ADD && op[1] == NCA_ALU_NONE && !a->relu)
		ew_rows(a, NCA_ALU_ADD, NCA_ALU_NONE, false);
	else
		ew_rows(a, op[0], op[1], a->relu);
	return true;
}
