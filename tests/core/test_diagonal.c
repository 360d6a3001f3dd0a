/* SPDX-License-Identifier: MIT */
/*
 * Products with a diagonal stationary tile have a short way (matmul_diagonal() in
 * firmware-sim/core/vector_mm.inc.h). It gives the bits of the long one: whatever the
 * signs of the zeroes beside the diagonal, for infinities and NaNs in the moving rows,
 * for products that are too small for FP32, and for diagonals with one more element.
 */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"

enum { N = 60, TILE = 0, MOVING = 512, LIVE = 1024 };

static float tile[NCA_PARTITIONS][NCA_PARTITIONS], moving[NCA_PARTITIONS][N];
static float start[NCA_PARTITIONS][N], result[2][NCA_PARTITIONS][N];
static struct prog p;

static struct nca_inst *next(uint32_t engine, uint32_t opcode)
{
	return emit_next(&p, engine, opcode);
}

static void move(uint32_t mem, uint32_t offset, uint32_t slot, uint32_t words, bool to_chip)
{
	struct nca_inst *in = next(NCA_ENGINE_SYNC, NCA_OP_DMA);
	struct nca_dma_side chip = { .mem = (uint8_t)mem, .offset = offset, .stride = { 1, 0, 0, 4 } };
	struct nca_dma_side far = { .mem = NCA_MEM_SLOT, .slot = (uint16_t)slot,
				    .stride = { (int32_t)words * 4, 0, 0, 4 } };

	in->dma.dst = to_chip ? chip : far;
	in->dma.src = to_chip ? far : chip;
	in->dma.size[0] = NCA_PARTITIONS;
	in->dma.size[1] = in->dma.size[2] = 1;
	in->dma.size[3] = words;
	in->dma.elem = 4;
	in->dma.queue = NCA_DMA_SPREAD;
}

/* @k partitions from @part on; the products are added to what PSUM holds, or not. */
static void program(uint32_t part, uint32_t k, bool accumulate)
{
	uint32_t side = k > 64 ? 128 : k > 32 ? 64 : 32;
	const struct nca_pe_tile tile_of = { (uint8_t)part, 0, (uint8_t)side,
					     (uint8_t)(side < 64 ? 64 : side) };
	struct nca_inst *in;

	prog_init(&p, NCA_TARGET_NCA2);
	move(NCA_MEM_SBUF, TILE, 0, NCA_PARTITIONS, true);
	move(NCA_MEM_SBUF, MOVING, 1, N, true);
	move(NCA_MEM_PSUM, 0, 2, N, true);
	in = next(NCA_ENGINE_TENSOR, NCA_OP_LDSTAT);
	in->mm.src = ap(NCA_MEM_SBUF, NCA_FP32, part, k, TILE, k);
	in->mm.tile = tile_of;
	in = next(NCA_ENGINE_TENSOR, NCA_OP_MATMUL);
	in->mm.src = ap(NCA_MEM_SBUF, NCA_FP32, part, k, MOVING, N);
	in->mm.tile = tile_of;
	in->mm.dst = ap(NCA_MEM_PSUM, NCA_FP32, 0, k, 0, N);
	in->flags = accumulate ? NCA_F_ACCUMULATE : 0;
	move(NCA_MEM_PSUM, 0, 3, N, false);
	prog_end(&p);
}

static bool run(uint32_t which, enum core_simd simd)
{
	static struct run r;

	memset(&r, 0, sizeof(r));
	r.slot[0] = (struct slot){ .data = (uint8_t *)tile, .len = sizeof(tile) };
	r.slot[1] = (struct slot){ .data = (uint8_t *)moving, .len = sizeof(moving) };
	r.slot[2] = (struct slot){ .data = (uint8_t *)start, .len = sizeof(start) };
	r.slot[3] = (struct slot){ .data = (uint8_t *)result[which], .len = sizeof(result[0]),
				   .writable = true };
	r.simd = simd;
	if (!prog_run(&p, &r) && r.result == CORE_DONE)
		return true;
	printf("%s\n", r.fault.text);
	return false;
}

/* @odd: of 64 values how many are infinities, NaNs, denormals or anything else. */
static float value(struct rng *rng, uint32_t odd)
{
	uint32_t bits = rng_float_bits(rng);
	float v;

	if (rng_below(rng, 64) >= odd)
		return (float)(int32_t)(rng_below(rng, 2001) - 1000) / 64;
	if (rng_below(rng, 2))	/* products of these underflow */
		return (rng_below(rng, 2) ? -1 : 1) * 0x1p-90f;
	memcpy(&v, &bits, 4);
	return v;
}

static void fill(struct rng *rng, uint32_t part, uint32_t k, uint32_t odd)
{
	for (uint32_t i = 0; i < NCA_PARTITIONS; i++) {
		for (uint32_t n = 0; n < N; n++) {
			moving[i][n] = value(rng, odd);
			start[i][n] = rng_below(rng, 4) ? value(rng, odd) : -0.0f;
		}
		for (uint32_t m = 0; m < NCA_PARTITIONS; m++)
			tile[i][m] = rng_below(rng, 2) ? 0.0f : -0.0f;
	}
	for (uint32_t i = 0; i < k; i++)
		tile[part + i][i] = value(rng, odd);
	if (!rng_below(rng, 4))		/* not a diagonal after all */
		tile[part + rng_below(rng, k)][rng_below(rng, k)] = value(rng, odd);
}

static void diagonal(void)
{
	static const struct { uint32_t part, k; } shape[] = {
		{ 0, 32 }, { 32, 32 }, { 96, 32 }, { 0, 128 }, { 64, 64 }, { 0, 9 }, { 64, 50 }, { 0, 1 },
	};

	for (uint32_t seed = 0; seed < 160; seed++) {
		struct rng rng = { seed * 2654435761u + 1 };
		uint32_t s = seed % (sizeof(shape) / sizeof(shape[0]));

		fill(&rng, shape[s].part, shape[s].k, seed / 8 % 4);
		program(shape[s].part, shape[s].k, seed & 8);
		CU_ASSERT_TRUE_FATAL(run(0, CORE_SIMD_SCALAR));
		for (int t = 0; t < SIMDS; t++) {
			if (!test_core(NCA_TARGET_NCA2, simds[t]))
				continue;
			CU_ASSERT_TRUE_FATAL(run(1, simds[t]));
			CU_ASSERT(!memcmp(result[0], result[1], sizeof(result[0])));
		}
	}
}

void suite_diagonal(void)
{
	CU_pSuite s = CU_add_suite("diagonal tiles", NULL, NULL);

	CU_add_test(s, "the same bits", diagonal);
}
