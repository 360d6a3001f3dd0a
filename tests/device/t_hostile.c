/* SPDX-License-Identifier: MIT */
/* Tenants that write nonsense over what they share with the device. */
#include <stdlib.h>

#include "tests.h"

static uint64_t rng(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void expect_alive(struct host *h, struct hqueue *good)
{
	struct nca_sqe s = { .cookie = 42 };
	struct nca_admin_cmd nop = { .opcode = NCA_ADMIN_NOP };
	struct nca_cqe c;

	hq_submit(good, &s);
	CU_ASSERT_TRUE(hq_wait(good, &c));
	CU_ASSERT_EQUAL(c.status, NCA_CQE_OK);
	CU_ASSERT_EQUAL(host_admin(h, &nop, NULL), NCA_ADMIN_OK);
}

static void impossible_indices(void)
{
	static const uint32_t tails[] = { 17, 0x80000000u, 0xffffffffu, 0xfffffff0u };
	struct hqueue good, bad;
	struct hctx a, b;
	struct host h;

	host_open(&h, "nca1");
	CU_ASSERT_EQUAL(host_ctx_create(&h, &a, 1, 0, 0), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(host_queue_create(&h, &a, &good, 0, 4, 4, NCA_CORE_ANY), NCA_ADMIN_OK);
	for (size_t i = 0; i < 2 * sizeof(tails) / sizeof(tails[0]); i++) {
		struct nca_event ev;
		struct nca_cqe c;

		CU_ASSERT_EQUAL(host_ctx_create(&h, &b, 1, 0, 0), NCA_ADMIN_OK);
		CU_ASSERT_EQUAL(host_queue_create(&h, &b, &bad, 1, 4, 3, NCA_CORE_ANY), NCA_ADMIN_OK);
		if (i & 1) {
			/* A completion ring that looks full of things never completed. */
			struct nca_sqe s = { .cookie = 1 };

			bad.db->cq_head = tails[i / 2] == 17 ? 200 : tails[i / 2] - 64;
			for (int n = 0; n < 16; n++)
				hq_put(&bad, &s);
			hq_ring(&bad);
		} else {
			bad.tail = tails[i / 2];
			hq_ring(&bad);
		}
		CU_ASSERT_TRUE(host_event(&h, &ev, 5000000000ull));
		CU_ASSERT_EQUAL(ev.type, NCA_EVENT_CTX_FAULT);
		CU_ASSERT_EQUAL(ev.cause, NCA_CAUSE_RING);
		CU_ASSERT_EQUAL(ev.ctx, b.id);
		while (hq_poll(&bad, &c))
			;
		expect_alive(&h, &good);
		CU_ASSERT_EQUAL(host_queue_destroy(&h, &bad), NCA_ADMIN_OK);
		CU_ASSERT_EQUAL(host_ctx_destroy(&h, &b), NCA_ADMIN_OK);
	}
	host_close(&h);
}

/* Random entries: every one is answered, in order, and nobody else is harmed. */
static void random_entries(void)
{
	struct hqueue good, bad;
	struct hctx a, b;
	uint64_t seed = 88172645463325252ull, va;
	struct ncasim_telemetry t;
	struct host h;
	uint8_t *canary;

	host_open(&h, "nca1");
	CU_ASSERT_EQUAL(host_ctx_create(&h, &a, 1, 0, 0), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(host_queue_create(&h, &a, &good, 0, 4, 4, NCA_CORE_ANY), NCA_ADMIN_OK);
	canary = host_alloc(&h, 65536);
	memset(canary, 0xa5, 65536);
	for (int round = 0; round < 400; round++) {
		uint64_t mark = h.used;

		CU_ASSERT_EQUAL_FATAL(host_ctx_create(&h, &b, 1, 0, 0), NCA_ADMIN_OK);
		CU_ASSERT_EQUAL_FATAL(host_queue_create(&h, &b, &bad, 1, 4, 4, NCA_CORE_ANY),
				      NCA_ADMIN_OK);
		host_buffer(&h, &b, 65536, NCA_MAP_READ | NCA_MAP_WRITE, &va);
		for (uint32_t i = 0; i < 16; i++) {
			struct nca_sqe s;
			uint64_t *w = (uint64_t *)(void *)&s;

			for (size_t k = 0; k < sizeof(s) / 8; k++) {
				w[k] = rng(&seed);
				if (rng(&seed) & 1)
					w[k] = va + (w[k] & 0x1fff8);
				else if (rng(&seed) & 1)
					w[k] &= 0xffff;
			}
			s.opcode = (uint8_t)(rng(&seed) % 8);
			s.flags = rng(&seed) & 3 ? 0 : s.flags;
			s.rsvd0 = 0;
			s.rsvd1 = 0;
			s.cookie = i;
			/* A wait that nobody signals is the tenant's own problem, not the test's. */
			if (s.opcode == NCA_SQE_SEM_WAIT)
				s.sem.value = 0;
			hq_put(&bad, &s);
		}
		hq_ring(&bad);
		for (uint32_t i = 0; i < 16; i++) {
			struct nca_cqe c;

			CU_ASSERT_TRUE_FATAL(hq_wait(&bad, &c));
			CU_ASSERT_EQUAL(c.cookie, i);
		}
		if (round % 50 == 0)
			expect_alive(&h, &good);
		CU_ASSERT_EQUAL(host_queue_destroy(&h, &bad), NCA_ADMIN_OK);
		CU_ASSERT_EQUAL(host_ctx_destroy(&h, &b), NCA_ADMIN_OK);
		h.used = mark;
		while (h.eq_head != (uint32_t)-1) {	/* events pile up: take them */
			struct nca_event ev;

			if (!host_event(&h, &ev, 1))
				break;
		}
	}
	for (int i = 0; i < 65536; i++) {
		if (canary[i] != 0xa5) {
			CU_FAIL("memory outside the tenant's map was written");
			break;
		}
	}
	ncasim_telemetry(h.dev, &t);
	CU_ASSERT_EQUAL(t.bad_bus_accesses, 0);
	host_close(&h);
}

/* Random admin commands: always answered, the device stays alive. */
static void random_admin(void)
{
	uint64_t seed = 1234567;
	struct host h;

	host_open(&h, "nca2");
	for (int i = 0; i < 4000; i++) {
		struct nca_admin_cmd cmd;
		uint64_t *w = (uint64_t *)(void *)&cmd;

		for (size_t k = 0; k < sizeof(cmd) / 8; k++) {
			w[k] = rng(&seed);
			if (rng(&seed) & 1)
				w[k] &= 0xff;
			if (rng(&seed) & 1)
				w[k] = 0;
		}
		cmd.flags = 0;
		cmd.rsvd = 0;
		cmd.opcode = (uint8_t)(rng(&seed) % 0x40);
		if (cmd.opcode == NCA_ADMIN_EQ_DESTROY || cmd.opcode == NCA_ADMIN_EQ_CREATE)
			continue;	/* an event ring at a random address is fatal, as it should be */
		host_admin(&h, &cmd, NULL);
	}
	host_close(&h);
}

CU_TestInfo hostile_tests[] = {
	{ "impossible indices", impossible_indices },
	{ "random submission entries", random_entries },
	{ "random admin commands", random_admin },
	CU_TEST_INFO_NULL,
};
