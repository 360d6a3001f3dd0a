/* SPDX-License-Identifier: MIT */
/* User queues: light commands, order, overflow, loss. */
#include <poll.h>

#include "tests.h"

struct rig {
	struct host h;
	struct hctx ctx;
	struct hqueue q;
	uint8_t *buf;
	uint64_t va;
};

static void rig_open(struct rig *r, const char *options, uint32_t sq_order, uint32_t cq_order)
{
	host_open(&r->h, options);
	CU_ASSERT_EQUAL_FATAL(host_ctx_create(&r->h, &r->ctx, 2, 0, 0), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL_FATAL(host_queue_create(&r->h, &r->ctx, &r->q, 3, sq_order, cq_order,
						NCA_CORE_ANY), NCA_ADMIN_OK);
	r->buf = host_buffer(&r->h, &r->ctx, 1 << 20, NCA_MAP_READ | NCA_MAP_WRITE, &r->va);
}

static uint32_t run_one(struct rig *r, struct nca_sqe *s, struct nca_cqe *c)
{
	struct nca_cqe none;

	hq_submit(&r->q, s);
	CU_ASSERT_TRUE_FATAL(hq_wait(&r->q, c ? c : &none));
	return c ? c->status : none.status;
}

static void nops(void)
{
	uint32_t done = 0, sent = 0;
	uint64_t last = 0;
	struct rig r;

	rig_open(&r, "nca1", 5, 5);
	/* Free-running through many laps of both rings, never more than 32 outstanding. */
	while (done < 5000) {
		struct nca_cqe c;

		while (sent < 5000 && sent - done < 32) {
			struct nca_sqe s = { .cookie = 0x1000 + sent++ };

			hq_submit(&r.q, &s);
		}
		if (!hq_poll(&r.q, &c))
			continue;
		if (c.cookie != 0x1000 + done || c.status || c.start_ns < last ||
		    c.end_ns <= c.start_ns || c.core != 0xff) {
			CU_FAIL("completion out of order or wrong");
			break;
		}
		last = c.end_ns;
		done++;
	}
	CU_ASSERT_EQUAL(done, 5000);
	host_close(&r.h);
}

static void copy_fill(void)
{
	struct nca_sqe s = { .opcode = NCA_SQE_FILL, .cookie = 7 };
	struct nca_cqe c;
	struct rig r;
	uint32_t *w;

	rig_open(&r, "nca1", 4, 4);
	w = (uint32_t *)(void *)r.buf;
	s.fill.dst = r.va + 4;
	s.fill.len = 300000;	/* several steps */
	s.fill.pattern = 0x04030201;
	CU_ASSERT_EQUAL(run_one(&r, &s, &c), NCA_CQE_OK);
	CU_ASSERT_EQUAL(c.cookie, 7);
	CU_ASSERT_EQUAL(w[0], 0);
	CU_ASSERT_EQUAL(w[1], 0x04030201);
	CU_ASSERT_EQUAL(w[75000], 0x04030201);
	CU_ASSERT_EQUAL(w[75001], 0);
	s = (struct nca_sqe){ .opcode = NCA_SQE_COPY };
	s.copy.src = r.va + 4;
	s.copy.dst = r.va + 500001;
	s.copy.len = 300001;
	CU_ASSERT_EQUAL(run_one(&r, &s, &c), NCA_CQE_OK);
	CU_ASSERT_EQUAL(memcmp(r.buf + 4, r.buf + 500001, 300001), 0);
	CU_ASSERT_TRUE(c.end_ns > c.start_ns + 300001 / 8);	/* not faster than the link */

	/* To device memory and back. */
	CU_ASSERT_EQUAL(host_map_dev(&r.h, &r.ctx, 0x40000000, 1 << 20, 1 << 20,
				     NCA_MAP_READ | NCA_MAP_WRITE), NCA_ADMIN_OK);
	s.copy.src = r.va;
	s.copy.dst = 0x40000000;
	s.copy.len = 262144;
	CU_ASSERT_EQUAL(run_one(&r, &s, NULL), NCA_CQE_OK);
	CU_ASSERT_EQUAL(memcmp((uint8_t *)ncasim_devmem(r.h.dev, NULL, NULL) + (1 << 20), r.buf, 262144),
			0);
	host_close(&r.h);
}

static void semaphores(void)
{
	struct nca_sqe s = { .opcode = NCA_SQE_SEM_WAIT, .cookie = 1 };
	struct hqueue other;
	struct nca_cqe c, d;
	struct rig r;
	uint64_t *sem;

	rig_open(&r, "nca1", 4, 4);
	sem = (uint64_t *)(void *)r.buf;
	CU_ASSERT_EQUAL(host_queue_create(&r.h, &r.ctx, &other, 4, 4, 4, NCA_CORE_ANY), NCA_ADMIN_OK);
	s.sem.va = r.va;
	s.sem.value = 3;
	hq_submit(&r.q, &s);
	s = (struct nca_sqe){ .cookie = 2 };
	hq_submit(&r.q, &s);
	/* Two signals from another queue; the waiter is not let go early. */
	s = (struct nca_sqe){ .opcode = NCA_SQE_SEM_SIGNAL, .flags = NCA_SQE_F_ADD };
	s.sem.va = r.va;
	s.sem.value = 2;
	hq_submit(&other, &s);
	CU_ASSERT_TRUE(hq_wait(&other, &c));
	CU_ASSERT_EQUAL(*(volatile uint64_t *)sem, 2);
	CU_ASSERT_FALSE(hq_poll(&r.q, &d));
	s.flags = 0;
	s.sem.value = 3;
	hq_submit(&other, &s);
	CU_ASSERT_TRUE(hq_wait(&other, &c));
	CU_ASSERT_TRUE(hq_wait(&r.q, &d));
	CU_ASSERT_EQUAL(d.cookie, 1);
	CU_ASSERT_TRUE(d.end_ns >= c.end_ns);	/* device time is ordered by the signal */
	CU_ASSERT_TRUE(hq_wait(&r.q, &d));
	CU_ASSERT_EQUAL(d.cookie, 2);
	/* A signal by the host, without a kick: the device looks by itself. */
	s = (struct nca_sqe){ .opcode = NCA_SQE_SEM_WAIT, .cookie = 9 };
	s.sem.va = r.va;
	s.sem.value = 10;
	hq_submit(&r.q, &s);
	__atomic_store_n(sem, 10, __ATOMIC_RELEASE);
	CU_ASSERT_TRUE(hq_wait(&r.q, &d));
	CU_ASSERT_EQUAL(d.cookie, 9);
	s = (struct nca_sqe){ .opcode = NCA_SQE_TIMESTAMP };
	s.timestamp.va = r.va + 8;
	CU_ASSERT_EQUAL(run_one(&r, &s, &d), NCA_CQE_OK);
	CU_ASSERT_EQUAL(sem[1], d.end_ns);
	host_close(&r.h);
}

/* The device stalls at a full completion ring and goes on when there is room. */
static void overflow(void)
{
	struct nca_cqe c;
	struct rig r;

	rig_open(&r, "nca1", 5, 3);
	for (uint32_t i = 0; i < 32; i++) {
		struct nca_sqe s = { .cookie = i };

		hq_put(&r.q, &s);
	}
	hq_ring(&r.q);
	while (__atomic_load_n(&r.q.state->sq_head, __ATOMIC_ACQUIRE) != 8)
		;
	/* Sixteen round trips through the front end: it has looked again and again. */
	for (int i = 0; i < 16; i++) {
		struct nca_admin_cmd nop = { .opcode = NCA_ADMIN_NOP };

		host_admin(&r.h, &nop, NULL);
	}
	CU_ASSERT_EQUAL(__atomic_load_n(&r.q.state->sq_head, __ATOMIC_ACQUIRE), 8);
	for (uint32_t i = 0; i < 32; i++) {
		CU_ASSERT_TRUE(hq_wait(&r.q, &c));
		CU_ASSERT_EQUAL(c.cookie, i);
	}
	CU_ASSERT_FALSE(hq_poll(&r.q, &c));
	host_close(&r.h);
}

struct bad {
	struct nca_sqe s;
	uint32_t status, detail;
};

static void bad_commands(void)
{
	struct bad bad[] = {
		{ { .opcode = 99 }, NCA_CQE_BAD_OPCODE, 0 },
		{ { .opcode = NCA_SQE_NOP, .flags = 1 }, NCA_CQE_BAD_FIELD, 1 },
		{ { .opcode = NCA_SQE_NOP, .rsvd0 = 1 }, NCA_CQE_BAD_FIELD, 2 },
		{ { .opcode = NCA_SQE_NOP, .rsvd1 = 1 }, NCA_CQE_BAD_FIELD, 4 },
		{ { .opcode = NCA_SQE_COPY, .copy = { 0x10000000, 0x10001000, 0, { 0 } } },
		  NCA_CQE_BAD_FIELD, 32 },
		{ { .opcode = NCA_SQE_COPY, .copy = { 0x10000000, 0x10000800, 4096, { 0 } } },
		  NCA_CQE_BAD_FIELD, 16 },
		{ { .opcode = NCA_SQE_COPY, .copy = { 0x10000000, 0x10001000, 64, { 0, 0, 1 } } },
		  NCA_CQE_BAD_FIELD, 56 },
		{ { .opcode = NCA_SQE_COPY, .copy = { 0x10000000, 0x70000000, 64, { 0 } } },
		  NCA_CQE_BAD_ADDRESS, NCA_ACCESS_READ },
		{ { .opcode = NCA_SQE_COPY, .copy = { 0x70000000, 0x10000000, 64, { 0 } } },
		  NCA_CQE_BAD_ADDRESS, NCA_ACCESS_WRITE },
		{ { .opcode = NCA_SQE_COPY, .copy = { 0x10000000, 0x100ff000, ~0ull, { 0 } } },
		  NCA_CQE_BAD_ADDRESS, NCA_ACCESS_READ },
		{ { .opcode = NCA_SQE_FILL, .fill = { 0x10000001, 4, 0, 0, { 0 } } },
		  NCA_CQE_BAD_FIELD, 16 },
		{ { .opcode = NCA_SQE_FILL, .fill = { 0x10000000, 3, 0, 0, { 0 } } },
		  NCA_CQE_BAD_FIELD, 24 },
		{ { .opcode = NCA_SQE_FILL, .fill = { 0x100ffffc, 8, 0, 0, { 0 } } },
		  NCA_CQE_BAD_ADDRESS, NCA_ACCESS_WRITE },
		/* The rings are mapped in the context, but not for its user. */
		{ { .opcode = NCA_SQE_FILL, .fill = { NCA_VA_USER_END, 4, 0, 0, { 0 } } },
		  NCA_CQE_BAD_ADDRESS, NCA_ACCESS_WRITE },
		{ { .opcode = NCA_SQE_SEM_SIGNAL, .sem = { 0x10000004, 0, { 0 } } },
		  NCA_CQE_BAD_FIELD, 16 },
		{ { .opcode = NCA_SQE_SEM_WAIT, .sem = { 0x70000000, 0, { 0 } } },
		  NCA_CQE_BAD_ADDRESS, NCA_ACCESS_READ },
		{ { .opcode = NCA_SQE_SEM_WAIT, .sem = { ~7ull, 0, { 0 } } },
		  NCA_CQE_BAD_ADDRESS, NCA_ACCESS_READ },
		{ { .opcode = NCA_SQE_TIMESTAMP, .timestamp = { 0x10000000, { 1 } } },
		  NCA_CQE_BAD_FIELD, 24 },
		{ { .opcode = NCA_SQE_LAUNCH, .flags = 0x80 }, NCA_CQE_BAD_FIELD, 1 },
		{ { .opcode = NCA_SQE_LAUNCH, .launch = { .program = 32 } }, NCA_CQE_BAD_FIELD, 16 },
		{ { .opcode = NCA_SQE_LAUNCH }, NCA_CQE_BAD_FIELD, 32 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct nca_sqe nop = { .cookie = 5 };
		struct nca_event ev;
		struct nca_cqe c;
		struct rig r;

		/* Every one costs the context: a new device each time. */
		rig_open(&r, "nca1", 4, 4);
		bad[i].s.cookie = 100 + i;
		hq_put(&r.q, &bad[i].s);
		hq_put(&r.q, &nop);
		hq_ring(&r.q);
		CU_ASSERT_TRUE(hq_wait(&r.q, &c));
		CU_ASSERT_EQUAL(c.cookie, 100 + i);
		CU_ASSERT_EQUAL(c.status, bad[i].status);
		CU_ASSERT_EQUAL(c.detail, bad[i].detail);
		if (c.status != bad[i].status || c.detail != bad[i].detail)
			fprintf(stderr, "bad command %zu: status %u detail %u\n", i, c.status, c.detail);
		CU_ASSERT_TRUE(hq_wait(&r.q, &c));
		CU_ASSERT_EQUAL(c.status, NCA_CQE_CTX_LOST);
		CU_ASSERT_EQUAL(c.detail, NCA_CAUSE_FAULT);
		CU_ASSERT_EQUAL(c.cookie, 5);
		CU_ASSERT_TRUE(host_event(&r.h, &ev, 1000000000));
		CU_ASSERT_EQUAL(ev.type, NCA_EVENT_CTX_FAULT);
		CU_ASSERT_EQUAL(ev.ctx, r.ctx.id);
		CU_ASSERT_EQUAL(ev.ctx_gen, r.ctx.gen);
		host_close(&r.h);
	}
}

/* Losing one context: all its queues report, in order; the neighbour notices nothing. */
static void lost(void)
{
	struct nca_sqe s = { .opcode = NCA_SQE_SEM_WAIT, .cookie = 1 };
	struct nca_admin_cmd abort = { .opcode = NCA_ADMIN_ABORT };
	struct hqueue q2, good;
	struct hctx neighbour;
	struct nca_cqe c;
	struct rig r;

	rig_open(&r, "nca1", 4, 4);
	CU_ASSERT_EQUAL(host_queue_create(&r.h, &r.ctx, &q2, 9, 4, 4, NCA_CORE_ANY), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(host_ctx_create(&r.h, &neighbour, 1, 0, 0), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(host_queue_create(&r.h, &neighbour, &good, 10, 4, 4, NCA_CORE_ANY),
			NCA_ADMIN_OK);
	s.sem.va = r.va;
	s.sem.value = 1;
	hq_submit(&r.q, &s);
	for (uint64_t i = 2; i < 6; i++) {
		struct nca_sqe nop = { .cookie = i };

		hq_submit(&r.q, &nop);
	}
	s.cookie = 50;
	hq_submit(&q2, &s);
	abort.ctx = r.ctx.id;
	abort.ctx_gen = r.ctx.gen;
	abort.queue.queue = NCA_QUEUE_ALL;
	abort.queue.cause = NCA_CAUSE_WATCHDOG;
	CU_ASSERT_EQUAL(host_admin(&r.h, &abort, NULL), NCA_ADMIN_OK);
	for (uint64_t i = 1; i < 6; i++) {
		CU_ASSERT_TRUE(hq_wait(&r.q, &c));
		CU_ASSERT_EQUAL(c.cookie, i);
		CU_ASSERT_EQUAL(c.status, NCA_CQE_CTX_LOST);
		CU_ASSERT_EQUAL(c.detail, NCA_CAUSE_WATCHDOG);
	}
	CU_ASSERT_TRUE(hq_wait(&q2, &c));
	CU_ASSERT_EQUAL(c.cookie, 50);
	CU_ASSERT_EQUAL(c.status, NCA_CQE_CTX_LOST);
	s = (struct nca_sqe){ .cookie = 3 };
	hq_submit(&good, &s);
	CU_ASSERT_TRUE(hq_wait(&good, &c));
	CU_ASSERT_EQUAL(c.status, NCA_CQE_OK);
	/* Destroying: not while queues exist, not with a stale generation. */
	CU_ASSERT_EQUAL(host_ctx_destroy(&r.h, &r.ctx), NCA_ADMIN_BUSY);
	q2.gen++;
	CU_ASSERT_EQUAL(host_queue_destroy(&r.h, &q2), NCA_ADMIN_BAD_ID);
	q2.gen--;
	CU_ASSERT_EQUAL(host_queue_destroy(&r.h, &q2), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(host_queue_destroy(&r.h, &q2), NCA_ADMIN_BAD_ID);
	CU_ASSERT_EQUAL(host_queue_destroy(&r.h, &r.q), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(host_ctx_destroy(&r.h, &r.ctx), NCA_ADMIN_OK);
	/* The doorbell page is zeroed for its next owner. */
	CU_ASSERT_EQUAL(host_ctx_create(&r.h, &r.ctx, 2, 0, 0), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(host_queue_create(&r.h, &r.ctx, &q2, 9, 4, 4, NCA_CORE_ANY), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(q2.db->sq_tail, 0);
	s.cookie = 77;
	hq_submit(&q2, &s);
	CU_ASSERT_TRUE(hq_wait(&q2, &c));
	CU_ASSERT_EQUAL(c.cookie, 77);
	host_close(&r.h);
}

static void create_refused(void)
{
	struct nca_admin_cmd cmd = { .opcode = NCA_ADMIN_QUEUE_CREATE };
	struct hqueue again;
	struct rig r;

	rig_open(&r, "nca1", 4, 4);
	CU_ASSERT_EQUAL(host_queue_create(&r.h, &r.ctx, &again, 3, 4, 4, NCA_CORE_ANY),
			NCA_ADMIN_ID_IN_USE);
	CU_ASSERT_EQUAL(host_queue_create(&r.h, &r.ctx, &again, 100000, 4, 4, NCA_CORE_ANY),
			NCA_ADMIN_BAD_FIELD);
	CU_ASSERT_EQUAL(host_queue_create(&r.h, &r.ctx, &again, 5, 2, 4, NCA_CORE_ANY),
			NCA_ADMIN_BAD_FIELD);
	CU_ASSERT_EQUAL(host_queue_create(&r.h, &r.ctx, &again, 5, 4, 4, 77), NCA_ADMIN_BAD_FIELD);
	cmd.ctx = r.ctx.id;
	cmd.ctx_gen = r.ctx.gen;
	cmd.queue_create.queue = 6;
	cmd.queue_create.vector = 1;
	cmd.queue_create.sq_order = 4;
	cmd.queue_create.cq_order = 4;
	cmd.queue_create.core = NCA_CORE_ANY;
	cmd.queue_create.state_va = 0x7000000;
	cmd.queue_create.sq_va = 0x7001000;
	cmd.queue_create.cq_va = 0x7002000;
	CU_ASSERT_EQUAL(host_admin(&r.h, &cmd, NULL), NCA_ADMIN_BAD_ADDRESS);
	cmd.queue_create.vector = 2;	/* no event queue there */
	CU_ASSERT_EQUAL(host_admin(&r.h, &cmd, NULL), NCA_ADMIN_BAD_FIELD);
	host_close(&r.h);
}

/* More queues than are polled in every round: all of them are served. */
static void many(void)
{
	static struct hqueue q[200];
	struct nca_cqe c;
	struct rig r;

	rig_open(&r, "nca1,spin_us=5000", 4, 4);
	for (uint32_t i = 0; i < 200; i++)
		CU_ASSERT_EQUAL_FATAL(host_queue_create(&r.h, &r.ctx, &q[i], 20 + i, 3, 3,
							NCA_CORE_ANY), NCA_ADMIN_OK);
	for (int lap = 0; lap < 3; lap++) {
		for (uint32_t i = 0; i < 200; i++) {
			struct nca_sqe s = { .cookie = i };

			hq_submit(&q[i], &s);
		}
		for (uint32_t i = 0; i < 200; i++) {
			CU_ASSERT_TRUE(hq_wait(&q[i], &c));
			CU_ASSERT_EQUAL(c.cookie, i);
		}
		/* It counts at most 5 us for 32 polls: 32,000 of them, and then it sleeps. */
		for (int n = 0; n < 6000 && lap == 0 && !hq_asleep(&r.q); n++)
			poll(NULL, 0, 10);
		CU_ASSERT_TRUE(lap || hq_asleep(&r.q));
	}
	host_close(&r.h);
}

static void real_pace(void)
{
	struct nca_sqe s = { .opcode = NCA_SQE_FILL };
	struct nca_cqe c;
	uint64_t wall;
	struct rig r;

	rig_open(&r, "nca1,pace=real", 4, 4);
	s.fill.dst = r.va;
	s.fill.len = 1 << 20;
	wall = now_ns();
	CU_ASSERT_EQUAL(run_one(&r, &s, &c), NCA_CQE_OK);
	wall = now_ns() - wall;
	CU_ASSERT_TRUE(c.end_ns - c.start_ns > 100000);
	CU_ASSERT_TRUE(wall >= c.end_ns - c.start_ns);
	CU_ASSERT_TRUE(ncasim_reg_read(r.h.dev, NCA_REG_TIME, 8) >= c.end_ns);
	s = (struct nca_sqe){ .cookie = 4 };
	CU_ASSERT_EQUAL(run_one(&r, &s, &c), NCA_CQE_OK);
	CU_ASSERT_EQUAL(c.cookie, 4);
	host_close(&r.h);
}

CU_TestInfo queue_tests[] = {
	{ "NOPs through many laps", nops },
	{ "COPY and FILL", copy_fill },
	{ "semaphores and TIMESTAMP", semaphores },
	{ "a full completion ring stalls the queue", overflow },
	{ "every bad command", bad_commands },
	{ "losing a context", lost },
	{ "queues that cannot be created", create_refused },
	{ "200 queues", many },
	{ "pace=real", real_pace },
	CU_TEST_INFO_NULL,
};
