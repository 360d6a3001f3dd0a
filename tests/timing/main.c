/* SPDX-License-Identifier: MIT */
/*
 * The loop nests of the public NKI matrix multiplication tutorial on the
 * simulated core, against the times published for a NeuronCore-v2. Device time
 * is exact, so the bounds are about the model, never about this machine.
 */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "firmware-sim/core/core.h"
#include "nests.h"

/* Device time is within a quarter of the published time. */
#define RATIO_MIN	0.75
#define RATIO_MAX	1.25

static const struct {
	const char *name;
	void (*make)(struct nest *x);
	struct nest_shape shape;
	double published_ms;
} nests[] = {
	{ "untuned", nest_tiled, { 4096, 8192, 8192, 1, 1, 1 }, 51.80 },
	{ "loads hoisted", nest_blocked, { 4096, 8192, 8192, 1, 1, 1 }, 42.96 },
	{ "free dimensions blocked", nest_blocked, { 4096, 8192, 8192, 2, 2, 1 }, 22.07 },
	{ "all dimensions blocked", nest_fully_blocked, { 4096, 8192, 8192, 16, 2, 8 }, 6.97 },
};

/*
 * Shapes small enough to compute. Checking mode remembers the last 64 updates of
 * a semaphore and so cannot follow a block that is deep in K.
 */
static const struct {
	const char *name;
	void (*make)(struct nest *x);
	struct nest_shape shape;
	bool check;
} products[] = {
	{ "untuned", nest_tiled, { 512, 512, 2048, 1, 1, 1 }, true },
	{ "loads hoisted", nest_blocked, { 512, 512, 2048, 1, 1, 1 }, true },
	{ "loads hoisted, deep", nest_blocked, { 384, 8192, 1536, 1, 1, 1 }, false },
	{ "free dimensions blocked", nest_blocked, { 512, 512, 4096, 2, 2, 1 }, true },
	{ "free dimensions blocked, deep", nest_blocked, { 512, 8192, 2048, 2, 2, 1 }, false },
	{ "all dimensions blocked", nest_fully_blocked, { 512, 512, 2048, 2, 2, 2 }, true },
};
#define NESTS (sizeof(nests) / sizeof(nests[0]))
#define PRODUCTS (sizeof(products) / sizeof(products[0]))

struct memory {
	uint8_t *base[SLOTS];
	uint64_t len[SLOTS];
};

static void *translate(void *opaque, uint32_t slot, uint64_t offset, uint64_t len, bool write,
		       uint64_t *avail, bool *dev_mem)
{
	struct memory *m = opaque;

	if (slot >= SLOTS || offset > m->len[slot] || len > m->len[slot] - offset ||
	    write != (slot == SLOT_OUT))
		return NULL;
	*avail = len;
	*dev_mem = true;
	return m->base[slot] + offset;
}

/* @prot: PROT_NONE when only time is of interest and no byte may be touched. */
static void memory_map(struct memory *m, const struct nest_shape *s, int prot)
{
	m->len[SLOT_LHST] = (uint64_t)s->k * s->m * 2;
	m->len[SLOT_RHS] = (uint64_t)s->k * s->n * 2;
	m->len[SLOT_OUT] = (uint64_t)s->m * s->n * 2;
	for (int i = 0; i < SLOTS; i++) {
		m->base[i] = mmap(NULL, m->len[i], prot,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		CU_ASSERT_FATAL(m->base[i] != MAP_FAILED);
	}
}

static void memory_unmap(struct memory *m)
{
	for (int i = 0; i < SLOTS; i++)
		munmap(m->base[i], m->len[i]);
}

/* One core's share of a whole device. */
static bool run(struct nest *x, struct memory *m, bool timed_only, bool check,
		struct nca_launch_report *report)
{
	const struct nca_target *t = nca_target_by_id(x->header.target);
	const struct nca_inst *inst[NCA_ENGINES];
	struct core_launch launch = {
		.memory = { .opaque = m, .translate = translate },
		.bw_slices = t->slices_per_core, .dma_engines = t->dma_engines,
		.timed_only = timed_only, .check = check,
	};
	struct core_program *prog;
	struct core_state *st;
	struct core_fault fault;
	enum core_result res;
	struct core *core;
	uint64_t now;

	for (uint32_t e = 0; e < NCA_ENGINES; e++)
		inst[e] = x->inst[e];
	if (core_program_create(t, &x->header, inst, &prog, &fault)) {
		printf(" engine %u, pc %u: %s\n", fault.engine, fault.pc, fault.text);
		return false;
	}
	launch.prog = prog;
	CU_ASSERT_EQUAL_FATAL(core_create(t, CORE_SIMD_AUTO, &core), 0);
	CU_ASSERT_EQUAL_FATAL(core_launch_begin(core, &launch, &st), 0);
	res = core_run(core, st, UINT64_MAX, NULL, &now, &fault);
	if (res != CORE_DONE)
		printf(" engine %u, pc %u: %s\n", fault.engine, fault.pc, fault.text);
	core_launch_report(st, report);
	core_launch_end(core, st);
	core_program_destroy(prog);
	core_destroy(core);
	return res == CORE_DONE;
}

/* A whole number, rounded to nearest even. */
static uint16_t to_bf16(int v)
{
	float f = (float)v;
	uint32_t b;

	memcpy(&b, &f, 4);
	return (uint16_t)((b + 0x7fff + (b >> 16 & 1)) >> 16);
}

/* -1, 0 or 1, mostly 0: sums stay below 256 and partial ones are exact in BF16. */
static int element(uint32_t slot, uint32_t row, uint32_t col)
{
	uint64_t h = ((uint64_t)slot << 40 | (uint64_t)row << 20 | col) + 1;

	h *= 0x9e3779b97f4a7c15u;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	h = h >> 40 & 7;
	return h == 0 ? -1 : h == 1;
}

static void fill(uint8_t *to, uint32_t slot, uint32_t rows, uint32_t cols)
{
	uint16_t *p = (uint16_t *)to;

	for (uint32_t i = 0; i < rows; i++)
		for (uint32_t j = 0; j < cols; j++)
			*p++ = to_bf16(element(slot, i, j));
}

static void products_are_right(void)
{
	for (size_t i = 0; i < PRODUCTS; i++) {
		const struct nest_shape *s = &products[i].shape;
		struct nca_launch_report report;
		struct memory m;
		struct nest x;
		uint32_t wrong = 0;

		memory_map(&m, s, PROT_READ | PROT_WRITE);
		fill(m.base[SLOT_LHST], SLOT_LHST, s->k, s->m);
		fill(m.base[SLOT_RHS], SLOT_RHS, s->k, s->n);
		memset(m.base[SLOT_OUT], 0xff, m.len[SLOT_OUT]);
		nest_init(&x, s);
		products[i].make(&x);
		CU_ASSERT(run(&x, &m, false, products[i].check, &report));
		/* A prime step: all rows, columns and tiles have their turn. */
		for (uint32_t at = 0; at < s->m * s->n; at += 37) {
			uint32_t row = at / s->n, col = at % s->n;
			int sum = 0;

			for (uint32_t k = 0; k < s->k; k++)
				sum += element(SLOT_LHST, k, row) * element(SLOT_RHS, k, col);
			wrong += ((uint16_t *)m.base[SLOT_OUT])[at] != to_bf16(sum);
		}
		CU_ASSERT_EQUAL(wrong, 0);
		if (wrong)
			printf(" %s: %u elements are wrong\n", products[i].name, wrong);
		nest_free(&x);
		memory_unmap(&m);
	}
}

static void published_times(void)
{
	const struct nca_target *t = nca_target_by_id(NCA_TARGET_NCA2);

	printf("\n");
	for (size_t i = 0; i < NESTS; i++) {
		struct nca_launch_report report;
		struct memory m;
		struct nest x;
		double ms, ratio;

		memory_map(&m, &nests[i].shape, PROT_NONE);
		nest_init(&x, &nests[i].shape);
		nests[i].make(&x);
		CU_ASSERT(run(&x, &m, true, false, &report));
		ms = (double)report.ticks / (double)t->tick_hz * 1e3;
		ratio = ms / nests[i].published_ms;
		printf("  %-24s %6.2f ms, published %5.2f, ratio %.3f; "
		       "tensor %4.1f%%, DMA %4.1f%% busy, %.2f GB\n",
		       nests[i].name, ms, nests[i].published_ms, ratio,
		       100.0 * (double)report.busy_ticks[NCA_ENGINE_TENSOR] / (double)report.ticks,
		       100.0 * (double)report.dma_busy_ticks / (double)report.ticks / t->dma_engines,
		       (double)report.dma_bytes / 1e9);
		CU_ASSERT(ratio >= RATIO_MIN && ratio <= RATIO_MAX);
		nest_free(&x);
		memory_unmap(&m);
	}
}

int main(void)
{
	unsigned int failed;
	CU_pSuite s;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	s = CU_add_suite("matmul loop nests", NULL, NULL);
	CU_add_test(s, "products are right", products_are_right);
	CU_add_test(s, "published times", published_times);
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	failed = CU_get_number_of_failures() + CU_get_number_of_suites_failed();
	CU_cleanup_registry();
	return failed ? 1 : 0;
}
