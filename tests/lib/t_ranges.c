// SPDX-License-Identifier: MIT
#include "../../lib/ranges.h"
#include "suite.h"

static void everything_comes_back(void)
{
	struct acc_ranges r;
	uint64_t at[16], again;

	CU_ASSERT_FATAL(!acc_ranges_init(&r, 4096, 4096 + 16 * 4096));
	for (int i = 0; i < 16; i++) {
		CU_ASSERT(!acc_ranges_alloc(&r, 4096, 4096, &at[i]));
		CU_ASSERT(at[i] == 4096 + i * 4096ull);
	}
	CU_ASSERT(acc_ranges_alloc(&r, 1, 1, &again) == -ENOSPC);
	CU_ASSERT(r.used == 16 * 4096);
	/* Every other one: holes that do not touch. */
	for (int i = 0; i < 16; i += 2)
		CU_ASSERT(!acc_ranges_free(&r, at[i], 4096));
	CU_ASSERT(acc_ranges_alloc(&r, 8192, 4096, &again) == -ENOSPC);
	CU_ASSERT(!acc_ranges_alloc(&r, 4096, 4096, &again) && again == at[0]);
	CU_ASSERT(!acc_ranges_free(&r, again, 4096));
	/* The rest, backwards: holes must grow together. */
	for (int i = 15; i > 0; i -= 2)
		CU_ASSERT(!acc_ranges_free(&r, at[i], 4096));
	CU_ASSERT(r.used == 0);
	CU_ASSERT(r.free && !r.free->next);
	CU_ASSERT(!acc_ranges_alloc(&r, 16 * 4096, 4096, &again) && again == 4096);
	acc_ranges_fini(&r);
}

static void alignment(void)
{
	struct acc_ranges r;
	uint64_t a, b, c;

	CU_ASSERT_FATAL(!acc_ranges_init(&r, 4096, 1 << 20));
	CU_ASSERT(!acc_ranges_alloc(&r, 100, 65536, &a) && a == 65536);
	CU_ASSERT(!acc_ranges_alloc(&r, 4096, 4096, &b) && b == 4096);
	CU_ASSERT(!acc_ranges_alloc(&r, 4096, 4096, &c) && c == 8192);
	CU_ASSERT(!acc_ranges_free(&r, b, 4096));
	CU_ASSERT(!acc_ranges_free(&r, a, 100));
	CU_ASSERT(!acc_ranges_free(&r, c, 4096));
	CU_ASSERT(r.free && !r.free->next && r.free->start == 4096);
	CU_ASSERT(acc_ranges_alloc(&r, UINT64_MAX, 4096, &a) == -ENOSPC);
	acc_ranges_fini(&r);
}

void suite_ranges(void)
{
	CU_pSuite s = add_suite("ranges");

	add_test(s, "everything comes back", everything_comes_back);
	add_test(s, "alignment", alignment);
}
