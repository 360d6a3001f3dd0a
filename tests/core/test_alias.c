/* SPDX-License-Identifier: MIT */
/*
 * Transfers that are put off (firmware-sim/core/alias.c) cannot be told from those
 * that are made at once: random programs of blocks of weights, tiles, copies and
 * stores to the very memory the blocks came from give the same bytes either way.
 */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"

enum {
	LIVE = 8192,			/* bytes per partition that the programs use */
	WEIGHTS = (NCA_PARTITIONS + 8) * LIVE,
	STEPS = 60,
	DUMP_SBUF = 2, DUMP_PSUM = 3,	/* slots */
};

static uint8_t weights[WEIGHTS], first[WEIGHTS];
static uint8_t sbuf[2][NCA_PARTITIONS * LIVE], psum[2][NCA_PARTITIONS * LIVE];
static struct prog p;

static struct nca_inst *next(uint32_t engine, uint32_t opcode)
{
	return emit_next(&p, engine, opcode);
}

static void dma(uint32_t part, uint32_t nparts, uint32_t offset, uint32_t bytes, uint32_t slot,
		uint64_t slot_offset, uint32_t pitch, bool to_chip)
{
	struct nca_inst *in = next(NCA_ENGINE_SYNC, NCA_OP_DMA);
	struct nca_dma_side chip = { .mem = NCA_MEM_SBUF, .part = (uint8_t)part, .offset = offset,
				     .stride = { 1, 0, 0, 4 } };
	struct nca_dma_side far = { .mem = NCA_MEM_SLOT, .slot = (uint16_t)slot,
				    .offset = slot_offset, .stride = { (int32_t)pitch, 0, 0, 4 } };

	in->dma.dst = to_chip ? chip : far;
	in->dma.src = to_chip ? far : chip;
	in->dma.size[0] = nparts;
	in->dma.size[1] = in->dma.size[2] = 1;
	in->dma.size[3] = bytes / 4;
	in->dma.elem = 4;
	in->dma.queue = NCA_DMA_SPREAD;
}

static void matmul(struct rng *rng, uint32_t type, uint32_t np, uint32_t m, uint32_t n)
{
	struct nca_inst *in = next(NCA_ENGINE_TENSOR, NCA_OP_MATMUL);

	in->mm.src = ap(NCA_MEM_SBUF, type, 0, np, rng_below(rng, 1024) * 4, n);
	in->mm.tile = (struct nca_pe_tile){ 0, 0, 128, 128 };
	in->mm.dst = ap(NCA_MEM_PSUM, NCA_FP32, 0, m, rng_below(rng, 4) * 2048, n);
	in->flags = rng_below(rng, 2) ? NCA_F_ACCUMULATE : 0;
}

/* A tile and its products; what it was loaded from may change before the first of them. */
static void tile(struct rng *rng, uint32_t type, uint32_t np, uint32_t offset, uint32_t bytes)
{
	uint32_t es = nca_dtype_size(type), m = 1 + rng_below(rng, 128);
	struct nca_inst *in = next(NCA_ENGINE_TENSOR, NCA_OP_LDSTAT);

	if (rng_below(rng, 2))
		m = 64 + rng_below(rng, 2) * 64;	/* whole panels */
	in->mm.src = ap(NCA_MEM_SBUF, type, 0, np, offset / es * es, m);
	in->mm.tile = (struct nca_pe_tile){ 0, 0, 128, 128 };
	if (in->mm.src.offset + m * es > LIVE)
		in->mm.src.offset = 0;
	switch (rng_below(rng, 6)) {
	case 0:
		dma(0, np, offset, bytes, 1, rng_below(rng, 64) * 512, bytes, false);
		break;
	case 1:
		dma(0, np, offset, bytes, 0, rng_below(rng, 32) * 1024, LIVE, true);
		break;
	}
	for (uint32_t i = rng_below(rng, 3); i < 3; i++)
		matmul(rng, type, np, m, 1 + rng_below(rng, i ? 60 : 8));
}

static void random_step(struct rng *rng)
{
	static const uint32_t parts[] = { 128, 128, 128, 100, 64 };
	uint32_t what = rng_below(rng, 8), np = parts[rng_below(rng, 5)];
	uint32_t unit = rng_below(rng, 3) ? 512 : 4;
	uint32_t bytes = 256 + rng_below(rng, 8) * 512 + rng_below(rng, 3) * unit;
	uint32_t offset = rng_below(rng, (LIVE - bytes) / unit) * unit;
	uint32_t type = rng_below(rng, 3) ? NCA_FP32 : NCA_BF16;
	struct nca_inst *in;

	switch (what) {
	case 0:		/* what the blocks come from changes, in the launch's own order */
		dma(0, np, offset, bytes, 1, rng_below(rng, 64) * 512, bytes, false);
		break;
	case 1:
		in = next(NCA_ENGINE_VECTOR, NCA_OP_COPY);
		in->ew.src0 = ap(NCA_MEM_SBUF, NCA_FP32, 0, np, offset, bytes / 4);
		in->ew.dst = ap(NCA_MEM_SBUF, NCA_FP32, 0, np, rng_below(rng, (LIVE - bytes) / 4) * 4,
				bytes / 4);
		break;
	case 2:		/* in pieces */
		what = rng_below(rng, 4) ? 1 + rng_below(rng, 127) : 1;
		dma(0, what, offset, bytes, 0, 0, LIVE, true);
		dma(what, 128 - what, offset, bytes, 0, LIVE * what + rng_below(rng, 2) * 512, LIVE, true);
		break;
	case 3:
	case 4:
		dma(0, np, offset, bytes, 0, rng_below(rng, 32) * 1024, LIVE - rng_below(rng, 2) * 256,
		    true);
		break;
	default:
		tile(rng, type, np, offset, bytes);
		break;
	}
}

static void program(uint64_t seed)
{
	struct rng rng = { seed * 2654435761u + 1 };

	prog_init(&p, NCA_TARGET_NCA2);
	for (uint32_t i = 0; i < WEIGHTS; i += 4) {
		uint32_t b = rng_float_bits(&rng);

		memcpy(first + i, &b, 4);
	}
	for (int i = 0; i < STEPS; i++)
		random_step(&rng);
	dma(0, 128, 0, LIVE, DUMP_SBUF, 0, LIVE, false);
	dma(0, 128, 0, LIVE, DUMP_PSUM, 0, LIVE, false);
	p.inst[NCA_ENGINE_SYNC][p.header.stream[NCA_ENGINE_SYNC].count - 1].dma.src.mem = NCA_MEM_PSUM;
	prog_end(&p);
}

static bool run(uint32_t which, bool stable, enum core_simd simd, uint64_t step)
{
	static struct run r;

	memset(&r, 0, sizeof(r));
	memcpy(weights, first, sizeof(weights));
	r.slot[0] = (struct slot){ .data = weights, .len = WEIGHTS };
	r.stable = stable;
	r.slot[1] = (struct slot){ .data = weights, .len = WEIGHTS, .writable = true };
	r.slot[DUMP_SBUF] = (struct slot){ .data = sbuf[which], .len = sizeof(sbuf[0]), .writable = true };
	r.slot[DUMP_PSUM] = (struct slot){ .data = psum[which], .len = sizeof(psum[0]), .writable = true };
	r.simd = simd;
	r.step = step;
	if (!prog_run(&p, &r) && r.result == CORE_DONE)
		return true;
	printf("%s\n", r.fault.text);
	return false;
}

static void put_off(void)
{
	for (uint64_t seed = 1; seed <= 40; seed++) {
		program(seed);
		CU_ASSERT_TRUE_FATAL(run(0, false, CORE_SIMD_SCALAR, 0));
		for (int s = 0; s < SIMDS; s++) {
			if (!test_core(NCA_TARGET_NCA2, simds[s]))
				continue;
			CU_ASSERT_TRUE(run(1, true, simds[s], seed % 4 ? 0 : 20000));
			if (!memcmp(sbuf[0], sbuf[1], sizeof(sbuf[0])) &&
			    !memcmp(psum[0], psum[1], sizeof(psum[0])))
				continue;
			printf("seed %llu table %d\n", (unsigned long long)seed, s);
			CU_FAIL("a transfer that was put off shows");
			return;
		}
	}
}

/* Pointers into slots are good until core_run() returns: nothing may be put off past that. */
static void yielding(void)
{
	static struct run r;

	prog_init(&p, NCA_TARGET_NCA2);
	memset(first, 0x41, sizeof(first));
	memcpy(weights, first, sizeof(weights));
	dma(0, 128, 0, LIVE, 0, 0, LIVE, true);
	dma(0, 128, 0, LIVE, DUMP_SBUF, 0, LIVE, false);
	prog_end(&p);
	memset(&r, 0, sizeof(r));
	r.slot[0] = (struct slot){ .data = weights, .len = WEIGHTS };
	r.stable = 1;
	r.slot[DUMP_SBUF] = (struct slot){ .data = sbuf[0], .len = sizeof(sbuf[0]), .writable = true };
	r.step = 2000;
	r.lose = 3;
	CU_ASSERT_EQUAL(prog_run(&p, &r), 0);
	CU_ASSERT_EQUAL(r.result, CORE_DONE);
	CU_ASSERT(r.yields > 2);
	CU_ASSERT(!memcmp(sbuf[0], first, sizeof(sbuf[0])));
}

/* Nor may a stationary tile: its rows are multiplied where they are, until then. */
static void yielding_tile(void)
{
	static struct run r;
	uint32_t between = 0;

	prog_init(&p, NCA_TARGET_NCA2);
	for (uint32_t i = 0; i < WEIGHTS; i += 4)
		memcpy(first + i, &(float){ (float)(i % 1020) - 500 }, 4);
	dma(0, 128, 0, LIVE, 0, 0, LIVE, true);
	next(NCA_ENGINE_TENSOR, NCA_OP_LDSTAT)->mm = (struct nca_body_matmul){
		.src = ap(NCA_MEM_SBUF, NCA_FP32, 0, 128, 512, 128), .tile = { 0, 0, 128, 128 } };
	dma(0, 128, 0, LIVE, DUMP_SBUF, 0, LIVE, false);	/* takes a while */
	next(NCA_ENGINE_TENSOR, NCA_OP_MATMUL)->mm = (struct nca_body_matmul){
		.src = ap(NCA_MEM_SBUF, NCA_FP32, 0, 128, 4096, 20), .tile = { 0, 0, 128, 128 },
		.dst = ap(NCA_MEM_PSUM, NCA_FP32, 0, 128, 0, 20) };
	dma(0, 128, 0, LIVE, DUMP_PSUM, 0, LIVE, false);
	p.inst[NCA_ENGINE_SYNC][p.header.stream[NCA_ENGINE_SYNC].count - 1].dma.src.mem = NCA_MEM_PSUM;
	prog_end(&p);
	CU_ASSERT_TRUE_FATAL(run(0, false, CORE_SIMD_SCALAR, 0));
	for (uint64_t step = 2000; !r.yields || r.yields > 1; step += 2000) {
		memset(&r, 0, sizeof(r));
		memcpy(weights, first, sizeof(weights));
		r.slot[0] = (struct slot){ .data = weights, .len = WEIGHTS };
		r.stable = r.lose = 1;
		r.slot[DUMP_SBUF] = (struct slot){ .data = sbuf[1], .len = sizeof(sbuf[0]), .writable = true };
		r.slot[DUMP_PSUM] = (struct slot){ .data = psum[1], .len = sizeof(psum[0]), .writable = true };
		r.step = step;
		CU_ASSERT_EQUAL_FATAL(prog_run(&p, &r), 0);
		CU_ASSERT_EQUAL_FATAL(r.result, CORE_DONE);
		CU_ASSERT(!memcmp(psum[0], psum[1], sizeof(psum[0])));
		between++;
	}
	CU_ASSERT(between > 2);
}

void suite_alias(void)
{
	CU_pSuite s = CU_add_suite("transfers put off", NULL, NULL);

	CU_add_test(s, "random programs", put_off);
	CU_add_test(s, "nothing is put off past a yield", yielding);
	CU_add_test(s, "a tile neither", yielding_tile);
}
