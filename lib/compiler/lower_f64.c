// SPDX-License-Identifier: MIT
/*
 * Inputs and outputs of type float64, which the device does not have: their two words are taken apart
 * and put together with integer operations. Rounding is to nearest even; what is below the least
 * normal FP32 number becomes zero, what is above the largest becomes infinite.
 */
#include "lower_wide.h"

#define SIGN INT32_MIN
#define REST INT32_MAX
#define F32_INF 0x7f800000
#define F32_NAN 0x7fc00000
#define F32_LEAST 0x00800000
#define F64_INF 0x7ff00000
#define BIAS (896 << 20)	/* difference of the biases, where the high word has the exponent */

static struct mir_scalar number(int32_t i)
{
	return (struct mir_scalar) { .kind = MIR_S_INT, .integer = i };
}

/* dst = (x op0 s0) op1 s1; op1 NONE leaves that out. */
static void scalars(struct mir *m, const struct mir_tile *dst, const struct mir_tile *x,
		    enum nca_alu op0, int32_t s0, enum nca_alu op1, int32_t s1)
{
	struct mir_ew ew = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_TENSOR_SCALAR, .dst = dst,
			     .src0 = x, .op0 = op0, .s0 = number(s0), .op1 = op1 };

	if (op1 != NCA_ALU_NONE)
		ew.s1 = number(s1);
	mir_elementwise(m, &ew);
}

/* dst = (x op0 s0) op1 y */
static void pair(struct mir *m, const struct mir_tile *dst, const struct mir_tile *x,
		 enum nca_alu op0, int32_t s0, enum nca_alu op1, const struct mir_tile *y)
{
	struct mir_ew ew = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_SCALAR_TENSOR, .dst = dst,
			     .src0 = x, .src1 = y, .op0 = op0, .s0 = number(s0), .op1 = op1 };

	mir_elementwise(m, &ew);
}

/* dst = condition ? value : dst */
static void replace(struct mir *m, const struct mir_tile *dst, const struct mir_tile *condition,
		    const struct mir_tile *value)
{
	struct mir_ew ew = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_COPY_PRED, .dst = dst,
			     .src0 = value, .src1 = condition };

	mir_elementwise(m, &ew);
}

static void set(struct mir *m, const struct mir_tile *dst, int32_t value)
{
	struct mir_ew ew = { .engine = NCA_ENGINE_VECTOR, .opcode = NCA_OP_MEMSET, .dst = dst,
			     .s0 = number(value) };

	mir_elementwise(m, &ew);
}

static struct mir_tile words(const struct wide *w, const char *what)
{
	return wide_tile(w, mir_sbuf(w->l->m, (uint64_t)w->each * 4, what), 0, 1);
}

void wide_narrow_f64(const struct wide *w)
{
	struct mir *m = w->l->m;
	struct mir_buf *pairs = mir_sbuf(m, (uint64_t)w->each * 8, "float64");
	struct mir_tile low = wide_tile(w, pairs, 0, 2), high = wide_tile(w, pairs, 4, 2);
	struct mir_tile y = words(w, "float32"), a = words(w, "rest"), t = words(w, "bits");
	struct mir_tile c = words(w, "value");

	wide_move(w, &w->host, pairs, 2, true);
	scalars(m, &a, &high, NCA_ALU_AND, REST, NCA_ALU_NONE, 0);
	/* Exponent and mantissa of FP32 but for rounding: the high word and three more bits. */
	scalars(m, &y, &a, NCA_ALU_SUB, BIAS, NCA_ALU_SHL, 3);
	pair(m, &y, &low, NCA_ALU_SHR, 29, NCA_ALU_OR, &y);
	/* Up if the rest is more than half, or half and y odd. */
	scalars(m, &t, &low, NCA_ALU_AND, 0x0fffffff, NCA_ALU_NE, 0);
	pair(m, &t, &y, NCA_ALU_AND, 1, NCA_ALU_OR, &t);
	scalars(m, &c, &low, NCA_ALU_SHR, 28, NCA_ALU_AND, 1);
	pair(m, &t, &c, NCA_ALU_AND, 1, NCA_ALU_AND, &t);
	pair(m, &y, &t, NCA_ALU_AND, 1, NCA_ALU_ADD, &y);
	set(m, &c, 0);
	scalars(m, &t, &a, NCA_ALU_LT, BIAS + (1 << 20), NCA_ALU_NONE, 0);
	replace(m, &y, &t, &c);
	set(m, &c, F32_INF);
	scalars(m, &t, &a, NCA_ALU_GE, BIAS + (255 << 20), NCA_ALU_NONE, 0);
	replace(m, &y, &t, &c);
	/* NaN: beyond infinity, the low word included. */
	set(m, &c, F32_NAN);
	scalars(m, &t, &low, NCA_ALU_NE, 0, NCA_ALU_NONE, 0);
	pair(m, &t, &a, NCA_ALU_SUB, F64_INF, NCA_ALU_ADD, &t);
	scalars(m, &t, &t, NCA_ALU_GT, 0, NCA_ALU_NONE, 0);
	replace(m, &y, &t, &c);
	pair(m, &y, &high, NCA_ALU_AND, SIGN, NCA_ALU_OR, &y);
	wide_move(w, &w->device, y.buf, 1, false);
}

void wide_widen_f64(const struct wide *w)
{
	struct mir *m = w->l->m;
	struct mir_buf *pairs = mir_sbuf(m, (uint64_t)w->each * 8, "float64");
	struct mir_tile low = wide_tile(w, pairs, 0, 2), high = wide_tile(w, pairs, 4, 2);
	struct mir_tile x = words(w, "float32"), a = words(w, "rest"), t = words(w, "bits");
	struct mir_tile c = words(w, "value");

	wide_move(w, &w->device, x.buf, 1, true);
	scalars(m, &a, &x, NCA_ALU_AND, REST, NCA_ALU_NONE, 0);
	scalars(m, &low, &x, NCA_ALU_SHL, 29, NCA_ALU_NONE, 0);
	scalars(m, &high, &a, NCA_ALU_SHR, 3, NCA_ALU_ADD, BIAS);
	set(m, &c, 0);
	scalars(m, &t, &a, NCA_ALU_LT, F32_LEAST, NCA_ALU_NONE, 0);
	replace(m, &high, &t, &c);
	replace(m, &low, &t, &c);
	/* Infinity and NaN have the largest exponent there, too. */
	scalars(m, &c, &high, NCA_ALU_ADD, BIAS, NCA_ALU_NONE, 0);
	scalars(m, &t, &a, NCA_ALU_GE, F32_INF, NCA_ALU_NONE, 0);
	replace(m, &high, &t, &c);
	pair(m, &high, &x, NCA_ALU_AND, SIGN, NCA_ALU_OR, &high);
	wide_move(w, &w->host, pairs, 2, false);
}
