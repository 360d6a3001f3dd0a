/* SPDX-License-Identifier: MIT */
/*
 * Random instructions, the same program on every arithmetic table: SBUF, PSUM and time
 * must agree in every bit, with one another and with the oracle. What they have exercised
 * is counted; programs are made until every legal bin has been. CORE_SEED and CORE_COUNT
 * choose another beginning and how many rounds go over all opcodes.
 */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coverage.h"
#include "oracle.h"
#include "random_inst.h"
#include "values.h"

enum { BYTES = 1536, PER_PROGRAM = 8, IMAGE = NCA_PARTITIONS * BYTES };

static uint8_t start[2][IMAGE], golden[2][IMAGE], result[2][IMAGE];
static struct oracle oracle = { .bytes = BYTES, .mem = { golden[0], golden[1] } };
static uint64_t programs, disagreements;

/* The program that is being put together: instructions of one engine. */
static struct {
	uint32_t target, engine, n;
	struct nca_inst inst[PER_PROGRAM + 1];
} body;

static bool loads(uint32_t target, uint32_t engine, const struct nca_inst *in, uint32_t count)
{
	static struct prog p;
	struct core_program *prog;
	struct core_fault f;

	prog_init(&p, target);
	for (uint32_t i = 0; i < count; i++)
		*emit(&p, engine, 0) = in[i];
	prog_end(&p);
	if (prog_load(&p, &prog, &f))
		return false;
	core_program_destroy(prog);
	return true;
}

static void make_program(struct prog *p)
{
	struct nca_inst *in;

	prog_init(p, body.target);
	for (uint32_t m = 0; m < 2; m++)
		update_add(emit_dma(p, NCA_ENGINE_SYNC, true, m, 0, 128, 0, BYTES, m, 0,
				    NCA_DMA_SPREAD),
			   0, 1);
	for (uint32_t r = 0; r < NCA_REGISTERS; r++) {
		in = emit(p, body.engine, NCA_OP_MOVI);
		in->ctl.dst = (uint8_t)r;
		in->ctl.imm = oracle.reg[r];
	}
	for (uint32_t i = 0; i < body.n; i++) {
		in = emit(p, body.engine, 0);
		*in = body.inst[i];
		if (!i)
			wait_ge(in, 0, 2);
		if (i == body.n - 1)
			update_add(in, 1, 1);
	}
	for (uint32_t m = 0; m < 2; m++)
		wait_ge(emit_dma(p, NCA_ENGINE_SYNC, false, m, 0, 128, 0, BYTES, 2 + m, 0,
				 NCA_DMA_SPREAD),
			1, 1);
	prog_end(p);
}

static void complain(uint64_t seed, const char *table, uint32_t m, size_t at)
{
	CU_FAIL("results differ");
	if (disagreements++ > 5)
		return;
	printf("\n seed %llu, engine %u, %s: %s partition %zu byte %zu: %02x, by the data sheet "
	       "%02x\n",
	       (unsigned long long)seed, body.engine, table, m ? "PSUM" : "SBUF", at / BYTES,
	       at % BYTES, result[m][at], golden[m][at]);
	for (uint32_t i = 0; i < body.n; i++) {
		const struct nca_inst *in = &body.inst[i];

		printf("  %s flags %02x types %s %s %s ops %u %u %u func %u\n",
		       opcode_form(in->opcode)->name, in->flags,
		       dtype_names[in->ew.dst.dtype % NCA_DTYPES],
		       dtype_names[in->ew.src0.dtype % NCA_DTYPES],
		       dtype_names[in->ew.src1.dtype % NCA_DTYPES], in->ew.op0, in->ew.op1,
		       in->ew.op2, in->ew.func);
	}
}

/* Runs what has been put together and begins anew. */
static void flush(uint64_t seed)
{
	static struct prog p;
	static struct run r;
	struct rng rng = { seed * 77 + 1 };
	uint64_t ticks = 0;

	if (!body.n)
		return;
	for (uint32_t m = 0; m < 2; m++)
		for (size_t i = 0; i < IMAGE; i += 4)
			memcpy(&golden[m][i], &(uint32_t){ rng_float_bits(&rng) }, 4);
	for (uint32_t i = 0; i < body.n; i++)
		random_operand_values(&rng, &oracle, &body.inst[i]);
	memcpy(start, golden, sizeof(start));
	make_program(&p);
	for (uint32_t i = 0; i < body.n; i++) {
		cover_record(&oracle, body.engine, &body.inst[i]);
		oracle_execute(&oracle, &body.inst[i]);
	}
	for (int s = 0; s < SIMDS; s++) {
		if (!test_core(body.target, simds[s]))
			continue;
		memset(&r, 0, sizeof(r));
		r.simd = simds[s];
		for (int m = 0; m < 2; m++) {
			r.slot[m] = (struct slot){ start[m], IMAGE, false, false, 0 };
			r.slot[2 + m] = (struct slot){ result[m], IMAGE, true, false, 0 };
		}
		if (prog_run(&p, &r) || r.result != CORE_DONE) {
			printf("seed %llu: %s\n", (unsigned long long)seed, r.fault.text);
			CU_FAIL("a valid program faulted");
			break;
		}
		ticks = ticks ? ticks : r.report.ticks;
		CU_ASSERT_EQUAL(r.report.ticks, ticks);
		for (uint32_t m = 0; m < 2; m++)
			for (size_t i = 0; i < IMAGE; i++)
				if (result[m][i] != golden[m][i]) {
					complain(seed,
						 core_simd_name(test_core(body.target, simds[s])),
						 m, i);
					break;
				}
	}
	programs++;
	body.n = 0;
}

/* Indices must be as they were put: nothing else may have written there. */
static bool stands_alone(uint32_t opcode)
{
	return opcode == NCA_OP_GATHER || opcode == NCA_OP_SCATTER;
}

static void add(struct rng *rng, const struct wish *w, uint64_t seed)
{
	struct nca_inst in[2];
	uint32_t n = 0;

	for (int attempt = 0; attempt < 200 && !n; attempt++) {
		n = random_instruction(rng, &oracle, w, in);
		if (n && !loads(w->target, w->engine, in, n))
			n = 0;
	}
	if (!n)
		return;
	if (body.n + n > PER_PROGRAM || body.engine != w->engine || body.target != w->target ||
	    stands_alone(w->opcode))
		flush(seed);
	body.engine = w->engine;
	body.target = w->target;
	memcpy(body.inst + body.n, in, n * sizeof(in[0]));
	body.n += n;
	if (stands_alone(w->opcode))
		flush(seed);
}

static uint32_t random_engine(struct rng *rng, uint32_t opcode)
{
	const struct opcode_form *f = opcode_form(opcode);

	for (;;) {
		uint32_t e = rng_below(rng, NCA_ENGINES);

		if (f->engines & 1u << e)
			return e;
	}
}

static uint32_t random_target(struct rng *rng, uint32_t engine)
{
	return engine != NCA_ENGINE_GPSIMD && !rng_below(rng, 4) ? NCA_TARGET_NCA1
								 : NCA_TARGET_NCA2;
}

static void set_registers(struct rng *rng)
{
	static const int32_t address[4] = { 0, 4, -8, 16 };

	for (uint32_t r = 0; r < NCA_REGISTERS; r++)
		oracle.reg[r] = r < 4 ? (uint32_t)address[r]
				      : value_random(rng, r % 2 ? NCA_FP32 : NCA_INT32,
						     rng_below(rng, VALUE_CLASSES));
}

static uint64_t first_seed(void)
{
	const char *from = getenv("CORE_SEED");

	return from ? strtoull(from, NULL, 0) : 1000;
}

/* Every opcode on every engine that has it, so many times, with nothing asked for. */
static void all_opcodes(void)
{
	const char *count = getenv("CORE_COUNT");
	uint64_t rounds = count ? strtoull(count, NULL, 0) : 25, seed = first_seed();
	struct rng rng = { seed };

	cover_declare();
	set_registers(&rng);
	for (uint32_t e = 0; e < NCA_ENGINES; e++) {
		for (uint64_t k = 0; k < rounds; k++) {
			for (uint32_t i = 0; i < opcode_form_count; i++) {
				struct wish w = { random_target(&rng, e), e, opcode_forms[i].opcode,
						  NULL };

				if (opcode_forms[i].engines & 1u << e)
					add(&rng, &w, seed++);
			}
		}
		flush(seed++);
	}
	printf(" seeds %llu to %llu ", (unsigned long long)first_seed(), (unsigned long long)seed);
	CU_ASSERT_EQUAL(disagreements, 0);
}

/* An opcode that has the bin; functions belong to ACTIVATE, types of the array to MATMUL. */
static uint32_t opcode_of(const struct cover_bin *b)
{
	return b->group == COVER_FUNC	 ? NCA_OP_ACTIVATE
	       : b->group == COVER_ARRAY ? NCA_OP_MATMUL
					 : b->opcode;
}

/* Round after round, one instruction for each bin that is still empty. */
static void empty_bins(void)
{
	uint64_t seed = first_seed() + 1000000;
	struct rng rng = { seed };

	for (int round = 0; round < 60 && cover_empty(NULL); round++) {
		for (uint32_t e = 0; e < NCA_ENGINES; e++) {
			for (const struct cover_bin *b = cover_empty(NULL); b; b = cover_empty(b)) {
				uint32_t opcode = opcode_of(b);
				struct wish w = { 0, random_engine(&rng, opcode), opcode, b };

				w.target = random_target(&rng, w.engine);
				if (w.engine == e)
					add(&rng, &w, seed++);
			}
			flush(seed++);
		}
	}
	CU_ASSERT_EQUAL(cover_report(), 0);
	CU_ASSERT_EQUAL(cover_undeclared(), 0);
	CU_ASSERT_EQUAL(disagreements, 0);
	printf(" %llu programs on %d tables and by the data sheet ", (unsigned long long)programs,
	       SIMDS);
}

void suite_random(void)
{
	CU_pSuite s = CU_add_suite("scalar, AVX2, AVX-512 and the data sheet agree", NULL, NULL);

	CU_add_test(s, "all opcodes", all_opcodes);
	CU_add_test(s, "every legal bin", empty_bins);
}
