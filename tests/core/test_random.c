/* SPDX-License-Identifier: MIT */
/*
 * Random instructions, the same program on every arithmetic table: SBUF, PSUM
 * and time must agree in every bit. Seeds are printed when they do not.
 */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

enum { BYTES = 2048, PER_PROGRAM = 6 };

static uint32_t image[2][NCA_PARTITIONS * BYTES / 4];
static uint32_t result[SIMDS][2][NCA_PARTITIONS * BYTES / 4];

static void random_partitions(struct rng *rng, uint32_t *part, uint32_t *n)
{
	switch (rng_below(rng, 3)) {
	case 0:
		*n = 1 + rng_below(rng, 32);
		*part = 32 * rng_below(rng, 4);
		break;
	case 1:
		*n = 33 + rng_below(rng, 32);
		*part = 64 * rng_below(rng, 2);
		break;
	default:
		*n = 65 + rng_below(rng, 64);
		*part = 0;
		break;
	}
}

/* Partitions for @n lanes that begin somewhere legal. */
static uint32_t random_start(struct rng *rng, uint32_t n)
{
	return n <= 32 ? 32 * rng_below(rng, 4) : n <= 64 ? 64 * rng_below(rng, 2) : 0;
}

/* Some access pattern of the given sizes inside BYTES; false: no luck. */
static bool random_ap(struct rng *rng, struct nca_ap *a, uint32_t mem, uint32_t dtype, uint32_t n,
		      const uint16_t size[4])
{
	int32_t es = (int32_t)nca_dtype_size(dtype), lo = 0, hi = es, step = 1, space;

	*a = ap(mem, dtype, random_start(rng, n), n, 0, 1);
	for (int d = 3; d >= 0; d--) {
		int32_t reach;

		a->size[d] = size[d];
		switch (rng_below(rng, 6)) {
		case 0:
			a->stride[d] = (int16_t)rng_below(rng, 4);
			break;
		case 1:
			a->stride[d] = (int16_t)-step;
			break;
		default:
			a->stride[d] = (int16_t)step;
			break;
		}
		step *= size[d];
		reach = (size[d] - 1) * a->stride[d] * es;
		*(reach < 0 ? &lo : &hi) += reach;
	}
	space = (BYTES - (hi - lo)) / es;
	if (space <= 0)
		return false;
	a->offset = (uint32_t)(-lo + (int32_t)rng_below(rng, (uint32_t)space) * es);
	return true;
}

static void random_sizes(struct rng *rng, uint16_t size[4])
{
	uint32_t left = 1 + rng_below(rng, 130);

	for (int d = 3; d >= 0; d--) {
		size[d] = (uint16_t)(d && left > 1 && rng_below(rng, 2) ? 1 + rng_below(rng, left) : 1);
		if (d == 3 && rng_below(rng, 2))
			size[d] = (uint16_t)left;
		left /= size[d];
		left += !left;
	}
}

static struct nca_scalar random_scalar(struct rng *rng, bool may_point)
{
	static const uint8_t types[] = { NCA_FP32, NCA_BF16, NCA_FP16 };
	struct nca_scalar s = { 0 };

	switch (rng_below(rng, may_point ? 4 : 2)) {
	case 0:
		return imm_int((int32_t)rng_next(rng) >> rng_below(rng, 32));
	case 1:
		s.kind = NCA_SCALAR_IMM;
		s.value = rng_float_bits(rng);
		return s;
	default:
		s.kind = rng_below(rng, 2) ? NCA_SCALAR_SBUF : NCA_SCALAR_PSUM;
		s.dtype = types[rng_below(rng, 3)];
		s.value = 4 * rng_below(rng, BYTES / 4);
		return s;
	}
}

static uint8_t random_dtype(struct rng *rng)
{
	return (uint8_t)(rng_below(rng, 3) ? NCA_FP32 : rng_below(rng, NCA_DTYPES));
}

/* Fills in anything; the loader decides whether it is an instruction. */
static bool random_ew(struct rng *rng, struct nca_inst *in, uint32_t engine)
{
	static const uint8_t vector[] = {
		NCA_OP_COPY, NCA_OP_TENSOR_TENSOR, NCA_OP_TENSOR_TENSOR, NCA_OP_TENSOR_SCALAR,
		NCA_OP_TENSOR_SCALAR, NCA_OP_SCALAR_TENSOR, NCA_OP_REDUCE, NCA_OP_SCAN,
		NCA_OP_SELECT, NCA_OP_COPY_PRED, NCA_OP_RECIPROCAL, NCA_OP_MEMSET,
	};
	struct nca_body_ew *b = &in->ew;
	uint8_t t0 = random_dtype(rng), t1 = random_dtype(rng), td = random_dtype(rng);
	uint16_t size[4], one[4] = { 1, 1, 1, 1 };
	uint32_t part, n;

	memset(in, 0, sizeof(*in));
	random_partitions(rng, &part, &n);
	random_sizes(rng, size);
	if (!rng_below(rng, 4)) {	/* all integers */
		t0 = (uint8_t)(NCA_INT32 + rng_below(rng, 6));
		t1 = (uint8_t)(NCA_INT32 + rng_below(rng, 6));
	}
	in->opcode = engine == NCA_ENGINE_SCALAR ?
		     (rng_below(rng, 8) ? NCA_OP_ACTIVATE : NCA_OP_COPY) :
		     vector[rng_below(rng, sizeof(vector))];
	if (!random_ap(rng, &b->dst, rng_below(rng, 2), td, n, size) ||
	    !random_ap(rng, &b->src0, rng_below(rng, 2), t0, n, size) ||
	    !random_ap(rng, &b->src1, rng_below(rng, 2), t1, n, size))
		return false;
	b->op0 = (uint8_t)rng_below(rng, NCA_ALU_COUNT);
	b->op1 = (uint8_t)rng_below(rng, NCA_ALU_COUNT);
	b->s0 = random_scalar(rng, true);
	b->s1 = random_scalar(rng, true);
	b->s0.part = b->s0.kind > NCA_SCALAR_IMM ? (uint8_t)random_start(rng, n) : 0;
	b->s1.part = b->s1.kind > NCA_SCALAR_IMM ? (uint8_t)random_start(rng, n) : 0;
	in->flags = (uint8_t)(rng_below(rng, 4) * NCA_F_REVERSE0);
	switch (in->opcode) {
	case NCA_OP_ACTIVATE:
		b->func = (uint8_t)rng_below(rng, NCA_FUNC_COUNT);
		if (b->func == NCA_FUNC_LRELU || b->func == NCA_FUNC_ELU)
			b->param = rng_float_bits(rng);
		b->op0 = b->op1 = 0;
		in->flags = 0;
		if (rng_below(rng, 2))
			memset(&b->s0, 0, sizeof(b->s0));
		if (rng_below(rng, 2))
			memset(&b->s1, 0, sizeof(b->s1));
		break;
	case NCA_OP_TENSOR_SCALAR:
		break;
	case NCA_OP_SCALAR_TENSOR:
		memset(&b->s1, 0, sizeof(b->s1));
		break;
	default:
		in->flags = 0;
		memset(&b->s1, 0, sizeof(b->s1));
		if (in->opcode != NCA_OP_SCAN)
			b->op1 = 0;
		if (in->opcode != NCA_OP_SCAN && in->opcode != NCA_OP_SELECT &&
		    in->opcode != NCA_OP_MEMSET)
			memset(&b->s0, 0, sizeof(b->s0));
		if (in->opcode != NCA_OP_SCAN && in->opcode != NCA_OP_TENSOR_TENSOR &&
		    in->opcode != NCA_OP_REDUCE)
			b->op0 = 0;
		break;
	}
	if (in->opcode == NCA_OP_TENSOR_SCALAR || in->opcode == NCA_OP_ACTIVATE) {
		if (rng_below(rng, 2)) {
			memset(&b->src1, 0, sizeof(b->src1));
		} else {
			b->op2 = (uint8_t)rng_below(rng, NCA_ALU_COUNT);
			in->flags |= rng_below(rng, 2) ? NCA_F_ACC_REDUCE : 0;
			if (!random_ap(rng, &b->src1, rng_below(rng, 2), t1, n, one))
				return false;
		}
	} else if (in->opcode == NCA_OP_COPY || in->opcode == NCA_OP_RECIPROCAL ||
		   in->opcode == NCA_OP_MEMSET || in->opcode == NCA_OP_REDUCE) {
		memset(&b->src1, 0, sizeof(b->src1));
	}
	if (in->opcode == NCA_OP_MEMSET)
		memset(&b->src0, 0, sizeof(b->src0));
	if (in->opcode == NCA_OP_REDUCE) {
		b->param = 1 + rng_below(rng, 4);
		for (uint32_t d = 4 - b->param; d < 4; d++)
			size[d] = 1;
		in->flags = rng_below(rng, 2) ? NCA_F_ACC_REDUCE : 0;
		if (!random_ap(rng, &b->dst, rng_below(rng, 2), td, n, size))
			return false;
	}
	return true;
}

static bool loads(const struct nca_inst *in, uint32_t engine, uint32_t count)
{
	static struct prog p;
	struct core_program *prog;
	struct core_fault f;

	prog_init(&p, NCA_TARGET_NCA2);
	for (uint32_t i = 0; i < count; i++)
		*emit(&p, engine, 0) = in[i];
	prog_end(&p);
	if (prog_load(&p, &prog, &f))
		return false;
	core_program_destroy(prog);
	return true;
}

static bool random_matmul(struct rng *rng, struct nca_inst in[2])
{
	static const struct nca_pe_tile tiles[] = {
		{ 0, 0, 128, 128 }, { 0, 0, 64, 64 }, { 64, 32, 32, 64 }, { 32, 0, 96, 32 },
	};
	static const uint8_t narrow[] = { NCA_BF16, NCA_FP16, NCA_FP8E4M3, NCA_FP8E5M2 };
	const struct nca_pe_tile *t = &tiles[rng_below(rng, 4)];
	uint16_t size[4] = { 1, 1, 1, 1 };
	uint32_t k = 1 + rng_below(rng, t->rows), m = 1 + rng_below(rng, t->cols), n;
	uint8_t ts = NCA_FP32, tm = NCA_FP32, td = NCA_FP32;

	memset(in, 0, 2 * sizeof(*in));
	switch (rng_below(rng, 4)) {
	case 0:
		ts = narrow[rng_below(rng, 4)];
		tm = narrow[rng_below(rng, 4)];
		td = rng_below(rng, 2) ? NCA_FP32 : NCA_BF16;
		break;
	case 1:
		ts = (uint8_t)(NCA_INT8 + rng_below(rng, 2));
		tm = (uint8_t)(NCA_INT8 + rng_below(rng, 2));
		td = NCA_INT32;
		in[0].flags = in[1].flags = NCA_F_INT;
		break;
	case 2:
		in[0].flags = in[1].flags = NCA_F_TF32;
		break;
	}
	in[0].opcode = NCA_OP_LDSTAT;
	in[1].opcode = NCA_OP_MATMUL;
	in[0].mm.tile = in[1].mm.tile = *t;
	in[1].flags |= rng_below(rng, 2) ? NCA_F_ACCUMULATE : 0;
	size[3] = (uint16_t)m;
	if (!random_ap(rng, &in[0].mm.src, NCA_MEM_SBUF, ts, k, size))
		return false;
	random_sizes(rng, size);
	n = (uint32_t)size[0] * size[1] * size[2] * size[3];
	return n <= 512 && random_ap(rng, &in[1].mm.src, NCA_MEM_SBUF, tm, k, size) &&
	       random_ap(rng, &in[1].mm.dst, NCA_MEM_PSUM, td, m, size);
}

static bool random_transpose(struct rng *rng, struct nca_inst *in)
{
	uint16_t size[4] = { 1, 1, 1, 1 };
	uint32_t p = 1 + rng_below(rng, 128), f = 1 + rng_below(rng, 128);
	uint8_t t = random_dtype(rng);

	memset(in, 0, sizeof(*in));
	in->opcode = NCA_OP_TRANSPOSE;
	size[3] = (uint16_t)f;
	if (!random_ap(rng, &in->mm.src, NCA_MEM_SBUF, t, p, size))
		return false;
	size[3] = (uint16_t)p;
	return random_ap(rng, &in->mm.dst, NCA_MEM_PSUM, t, f, size);
}

static uint32_t build(struct rng *rng, uint32_t engine, struct nca_inst *out)
{
	uint32_t n = 0;

	while (n < PER_PROGRAM) {
		bool ok;
		uint32_t step = 1;

		if (engine != NCA_ENGINE_TENSOR) {
			ok = random_ew(rng, &out[n], engine);
		} else if (rng_below(rng, 4)) {
			ok = random_matmul(rng, &out[n]);
			step = 2;
		} else {
			ok = random_transpose(rng, &out[n]);
		}
		if (ok && loads(&out[n], engine, step))
			n += step;
	}
	return n;
}

static void compare(uint64_t seed, uint32_t engine)
{
	static const uint32_t mems[2] = { NCA_MEM_SBUF, NCA_MEM_PSUM };
	static struct prog p;
	static struct run r;
	struct nca_inst body[PER_PROGRAM + 1], *in;
	struct rng rng = { seed };
	uint64_t ticks = 0;
	uint32_t n;
	bool bits = rng_below(&rng, 3) == 0;

	for (int m = 0; m < 2; m++)
		for (size_t i = 0; i < NCA_PARTITIONS * BYTES / 4; i++)
			image[m][i] = bits ? (uint32_t)rng_next(&rng) : rng_float_bits(&rng);
	n = build(&rng, engine, body);
	prog_init(&p, NCA_TARGET_NCA2);
	for (uint32_t m = 0; m < 2; m++) {
		in = emit_dma(&p, NCA_ENGINE_SYNC, true, mems[m], 0, 128, 0, BYTES, m, 0,
			      NCA_DMA_SPREAD);
		update_add(in, 0, 1);
	}
	for (uint32_t i = 0; i < n; i++) {
		in = emit(&p, engine, 0);
		*in = body[i];
		if (!i)
			wait_ge(in, 0, 2);
		if (i == n - 1)
			update_add(in, 1, 1);
	}
	for (uint32_t m = 0; m < 2; m++) {
		in = emit_dma(&p, NCA_ENGINE_SYNC, false, mems[m], 0, 128, 0, BYTES, 2 + m, 0,
			      NCA_DMA_SPREAD);
		wait_ge(in, 1, 1);
	}
	prog_end(&p);
	for (int s = 0; s < SIMDS; s++) {
		if (!test_core(NCA_TARGET_NCA2, simds[s])) {
			printf("this host cannot run table %d\n", s);
			continue;
		}
		memset(&r, 0, sizeof(r));
		r.simd = simds[s];
		for (int m = 0; m < 2; m++) {
			r.slot[m] = (struct slot){ (uint8_t *)image[m], sizeof(image[m]), false,
						   false, 0 };
			r.slot[2 + m] = (struct slot){ (uint8_t *)result[s][m], sizeof(image[m]),
						       true, false, 0 };
		}
		if (prog_run(&p, &r) || r.result != CORE_DONE) {
			printf("seed %llu: %s\n", (unsigned long long)seed, r.fault.text);
			CU_FAIL("a valid program faulted");
			return;
		}
		if (!s) {
			ticks = r.report.ticks;
			continue;
		}
		CU_ASSERT_EQUAL(r.report.ticks, ticks);
		for (int m = 0; m < 2; m++) {
			for (size_t i = 0; i < NCA_PARTITIONS * BYTES / 4; i++) {
				if (result[s][m][i] == result[0][m][i])
					continue;
				printf("seed %llu engine %u table %d: %s partition %zu word %zu: "
				       "%08x, golden %08x\n", (unsigned long long)seed, engine, s,
				       m ? "PSUM" : "SBUF", i / (BYTES / 4), i % (BYTES / 4),
				       result[s][m][i], result[0][m][i]);
				for (uint32_t k = 0; k < n; k++)
					printf("  op %02x flags %02x types %u %u %u ops %u %u %u "
					       "func %u\n", body[k].opcode, body[k].flags,
					       body[k].ew.dst.dtype, body[k].ew.src0.dtype,
					       body[k].ew.src1.dtype, body[k].ew.op0, body[k].ew.op1,
					       body[k].ew.op2, body[k].ew.func);
				CU_FAIL("tables disagree");
				return;
			}
		}
	}
	CU_PASS("tables agree");
}

static void run_engine(uint32_t engine, uint64_t seed)
{
	const char *from = getenv("CORE_SEED"), *count = getenv("CORE_COUNT");
	uint64_t n = count ? strtoull(count, NULL, 0) : 100;

	if (from)
		seed = strtoull(from, NULL, 0);
	printf(" seeds %llu to %llu ", (unsigned long long)seed, (unsigned long long)(seed + n - 1));
	for (uint64_t i = 0; i < n; i++)
		compare(seed + i, engine);
}

static void vector_engine(void)
{
	run_engine(NCA_ENGINE_VECTOR, 1000);
}

static void scalar_engine(void)
{
	run_engine(NCA_ENGINE_SCALAR, 2000);
}

static void tensor_engine(void)
{
	run_engine(NCA_ENGINE_TENSOR, 3000);
}

void suite_random(void)
{
	CU_pSuite s = CU_add_suite("scalar, AVX2 and AVX-512 agree", NULL, NULL);

	CU_add_test(s, "vector engine", vector_engine);
	CU_add_test(s, "scalar engine", scalar_engine);
	CU_add_test(s, "tensor engine", tensor_engine);
}
