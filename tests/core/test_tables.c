/* SPDX-License-Identifier: MIT */
/*
 * The arithmetic tables lane by lane: every ALU operation on all pairs of edge
 * values, every function and conversion on a walk through all bit patterns.
 */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#include "firmware-sim/core/kernels.h"
#include "harness.h"

static const uint32_t edge[] = {
	0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc12345, 1,
	0x80000001, 0x007fffff, 0x00800000, 0x7f7fffff, 0xff7fffff, 0x3f000000, 0x40200000,
	0x4f000000, 0xcf000000, 0x4f800000, 0x33800000, 0x42b17218, 0xc2d00000, 2, 3, 31, 32, 33,
	0xffffffff, 0xfffffffe, 0x7fffffff, 0x7ffffffe, 0x40000000, 0xc0400000, 0x4b800001,
};
#define EDGES (sizeof(edge) / sizeof(edge[0]))

enum { ROWS = 16 };

static const struct core_kernels *tables[2];
static int ntables;

static int find_tables(void)
{
	ntables = 0;
	if (test_core(NCA_TARGET_NCA2, CORE_SIMD_AVX2))
		tables[ntables++] = &core_kernels_avx2;
	if (test_core(NCA_TARGET_NCA2, CORE_SIMD_AVX512))
		tables[ntables++] = &core_kernels_avx512;
	printf(" %d vector tables ", ntables);
	return 0;
}

/* Which NaN an intermediate holds is nobody's business: storing makes it canonical. */
static bool same(uint32_t a, uint32_t b, enum domain dom)
{
	return a == b || (dom == DOM_FP && bits_float(a) != bits_float(a) &&
			  bits_float(b) != bits_float(b));
}

static bool defined(uint32_t op, enum domain dom)
{
	return dom == DOM_FP ? op < NCA_ALU_AND || op > NCA_ALU_SAR : op != NCA_ALU_POW;
}

static void alu_pairs(void)
{
	static uint32_t a[EDGES * LANES], b[LANES];
	uint32_t wrong = 0;

	for (int t = 0; t < ntables; t++) {
		for (uint32_t op = NCA_ALU_ADD; op < NCA_ALU_COUNT; op++) {
			for (uint32_t dom = DOM_FP; dom <= DOM_UINT; dom++) {
				for (int rev = 0; rev < 2 && defined(op, dom); rev++) {
					for (uint32_t i = 0; i < EDGES; i++)
						for (uint32_t j = 0; j < LANES; j++) {
							a[i * LANES + j] = edge[i];
							b[j] = edge[j % EDGES];
						}
					tables[t]->alu(a, b, 0, EDGES, EDGES, op, dom, rev);
					for (uint32_t i = 0; i < EDGES; i++)
						for (uint32_t j = 0; j < EDGES; j++) {
							uint32_t w = rev ? golden_alu(op, edge[j], edge[i], dom) :
								     golden_alu(op, edge[i], edge[j], dom);

							if (same(a[i * LANES + j], w, dom))
								continue;
							if (!wrong++)
								printf("%s op %u dom %u: %08x %08x: %08x not %08x\n",
								       tables[t]->name, op, dom, edge[i],
								       edge[j], a[i * LANES + j], w);
						}
				}
			}
		}
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

/* 2^20 patterns that visit every exponent with many mantissas. */
static uint32_t pattern(uint32_t i)
{
	return i * 4099u + (i >> 7);
}

static void functions(void)
{
	static uint32_t a[ROWS * LANES];
	uint32_t wrong = 0;

	for (int t = 0; t < ntables; t++) {
		for (uint32_t f = 0; f < NCA_FUNC_COUNT; f++) {
			uint32_t alpha = f == NCA_FUNC_LRELU || f == NCA_FUNC_ELU ? 0x3dcccccd : 0;

			for (uint32_t base = 0; base < 1u << 18; base += ROWS * LANES) {
				for (uint32_t i = 0; i < ROWS * LANES; i++)
					a[i] = pattern((base + i) * 4);
				tables[t]->func(a, ROWS, LANES, f, alpha);
				for (uint32_t i = 0; i < ROWS * LANES; i++) {
					uint32_t x = pattern((base + i) * 4);
					uint32_t w = float_bits(golden_func(f, bits_float(x), alpha));

					if (same(a[i], w, DOM_FP))
						continue;
					if (!wrong++)
						printf("%s func %u: %08x: %08x not %08x\n",
						       tables[t]->name, f, x, a[i], w);
				}
			}
		}
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

static void conversions(void)
{
	static uint32_t in[ROWS * LANES], mem[2][ROWS * LANES], out[2][ROWS * LANES];
	static uint32_t off[ROWS];
	uint32_t wrong = 0;

	for (int t = 0; t < ntables; t++) {
		for (uint32_t type = 0; type < NCA_DTYPES; type++) {
			uint32_t es = nca_dtype_size(type);

			for (uint32_t i = 0; i < ROWS; i++)
				off[i] = i * ROW_BYTES + i * es % 4;
			for (uint32_t dom = DOM_FP; dom <= DOM_BITS; dom++) {
				for (uint32_t base = 0; base < 1u << 17; base += ROWS * LANES) {
					for (uint32_t i = 0; i < ROWS * LANES; i++)
						in[i] = mem[0][i] = mem[1][i] =
							pattern((base + i) * 8);
					core_kernels_golden.store((uint8_t *)mem[0], off, in,
								  ROWS, 100, type, dom);
					tables[t]->store((uint8_t *)mem[1], off, in, ROWS, 100,
							 type, dom);
					wrong += memcmp(mem[0], mem[1], sizeof(mem[0])) != 0;
					core_kernels_golden.load(out[0], (uint8_t *)in, off, ROWS,
								 LANES, type, dom);
					tables[t]->load(out[1], (uint8_t *)in, off, ROWS, LANES,
							type, dom);
					for (uint32_t i = 0; i < ROWS * LANES; i++)
						wrong += !same(out[0][i], out[1][i], dom);
					if (wrong)
						break;
				}
				if (wrong) {
					printf("%s type %u dom %u\n", tables[t]->name, type, dom);
					CU_FAIL("conversions disagree");
					return;
				}
			}
		}
	}
	CU_PASS("conversions agree");
}

void suite_tables(void)
{
	CU_pSuite s = CU_add_suite("arithmetic tables", find_tables, NULL);

	CU_add_test(s, "ALU operations on pairs of edge values", alu_pairs);
	CU_add_test(s, "functions", functions);
	CU_add_test(s, "conversions", conversions);
}
