/* SPDX-License-Identifier: MIT */
/* Sleeping devices, racing submitters; armed waiters, racing completions. */
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>

#include "tests.h"

/*
 * The device polls for a microsecond before it sleeps, so nearly every
 * submission falls into the window between "asleep" and the futex. A lost
 * wake-up shows as work that only the heartbeat finds; the device counts those.
 * A machine with more to do than CPUs gets through fewer rounds, not through
 * other ones: after PATIENCE_NS those that were made have to do.
 */
#define PATIENCE_NS	15000000000ull

static void hammer_submit(void)
{
	struct ncasim_telemetry t;
	struct hqueue q;
	struct hctx ctx;
	struct host h;
	uint64_t begin = now_ns();
	unsigned int delay = 1, window = 40000;

	host_open(&h, "nca1,spin_us=1");
	CU_ASSERT_EQUAL(host_ctx_create(&h, &ctx, 1, 0, 0), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(host_queue_create(&h, &ctx, &q, 0, 4, 4, NCA_CORE_ANY), NCA_ADMIN_OK);
	for (int i = 0; i < 20000; i++) {
		struct nca_sqe s = { .cookie = (uint64_t)i };
		struct nca_cqe c;

		hq_submit(&q, &s);
		CU_ASSERT_TRUE_FATAL(hq_wait(&q, &c));
		/* Sweep the window in uneven steps; widen it if the device hardly ever slept. */
		delay = delay * 1103515245u + 12345u;
		for (uint64_t until = now_ns() + (delay >> 8) % window; now_ns() < until;)
			;
		ncasim_telemetry(h.dev, &t);
		if (i % 500 == 499 && t.kicks < (uint64_t)i / 20 && window < 1000000)
			window *= 2;
		if (t.kicks > 100 && t.sleeps > 100 && now_ns() - begin > PATIENCE_NS)
			break;
	}
	CU_ASSERT_TRUE(t.sleeps > 100);
	CU_ASSERT_TRUE(t.kicks > 100);
	/* The scheduler may stop us between tail and kick now and then; lost wake-ups are far more. */
	CU_ASSERT_TRUE(t.unkicked < 40);
	host_close(&h);
}

/* The other way round: the host sleeps on events only, one per armed sequence. */
static void hammer_events(void)
{
	struct nca_event ev;
	uint64_t begin = now_ns();
	uint32_t events = 0, waited = 0;
	struct hqueue q;
	struct hctx ctx;
	struct host h;

	host_open(&h, "nca1,spin_us=1");
	CU_ASSERT_EQUAL(host_ctx_create(&h, &ctx, 1, 0, 0), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(host_queue_create(&h, &ctx, &q, 0, 4, 4, NCA_CORE_ANY), NCA_ADMIN_OK);
	for (int i = 0; i < 5000; i++) {
		struct nca_sqe s = { .cookie = (uint64_t)i };
		struct nca_cqe c;

		hq_submit(&q, &s);
		hq_arm(&q);
		if (!hq_poll(&q, &c)) {
			/* Not there after arming: an event of this or an earlier sequence must come. */
			waited++;
			do {
				CU_ASSERT_TRUE_FATAL(host_event(&h, &ev, 10000000000ull));
				CU_ASSERT_EQUAL(ev.type, NCA_EVENT_QUEUE);
				CU_ASSERT_EQUAL(ev.queue, q.id);
				CU_ASSERT_EQUAL(ev.queue_gen, q.gen);
				events++;
			} while (ev.arm_seq != q.arm_seq);
			CU_ASSERT_TRUE_FATAL(hq_poll(&q, &c));
		}
		CU_ASSERT_EQUAL(c.cookie, (uint64_t)i);
		if (waited > 100 && now_ns() - begin > PATIENCE_NS)
			break;
	}
	CU_ASSERT_TRUE(events <= 5000);
	CU_ASSERT_TRUE(waited > 0);
	host_close(&h);
}

/* One event per armed sequence, however many completions. */
static void one_shot(void)
{
	struct nca_event ev;
	struct hqueue q;
	struct hctx ctx;
	struct nca_cqe c;
	struct host h;

	host_open(&h, "nca1");
	CU_ASSERT_EQUAL(host_ctx_create(&h, &ctx, 1, 0, 0), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(host_queue_create(&h, &ctx, &q, 0, 4, 4, NCA_CORE_ANY), NCA_ADMIN_OK);
	__atomic_store_n(&q.db->arm, 7ull << 32, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 10; i++) {
		struct nca_sqe s = { .cookie = 1 };

		hq_submit(&q, &s);
		CU_ASSERT_TRUE(hq_wait(&q, &c));
	}
	CU_ASSERT_TRUE(host_event(&h, &ev, 1000000000));
	CU_ASSERT_EQUAL(ev.arm_seq, 7);
	CU_ASSERT_FALSE(host_event(&h, &ev, 1000000));
	/* Armed with the head that is current: nothing to report yet. */
	__atomic_store_n(&q.db->arm, 8ull << 32 | q.head, __ATOMIC_SEQ_CST);
	CU_ASSERT_FALSE(host_event(&h, &ev, 1000000));
	CU_ASSERT_TRUE(host_irqs(&h, 1) == 1);
	host_close(&h);
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* CPU time, not wall time: a busy machine does not change what an idle device uses. */
static void idle(void)
{
	struct nca_sqe s = { .cookie = 1 };
	uint64_t beat, cpu;
	struct hqueue q;
	struct hctx ctx;
	struct nca_cqe c;
	struct host h;

	host_open(&h, "nca1");
	CU_ASSERT_EQUAL(host_ctx_create(&h, &ctx, 1, 0, 0), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(host_queue_create(&h, &ctx, &q, 0, 4, 4, NCA_CORE_ANY), NCA_ADMIN_OK);
	hq_submit(&q, &s);
	CU_ASSERT_TRUE(hq_wait(&q, &c));
	/* When it falls asleep depends on how much of a CPU it gets; that it does, not. */
	for (int i = 0; i < 1000 && !hq_asleep(&q); i++)
		poll(NULL, 0, 10);
	CU_ASSERT_TRUE(hq_asleep(&q));
	beat = ncasim_reg_read(h.dev, NCA_REG_HEARTBEAT, 4);
	cpu = cpu_ns();
	poll(NULL, 0, 1000);
	cpu = cpu_ns() - cpu;
	CU_ASSERT_TRUE(cpu < 10000000);		/* 1% of a second */
	CU_ASSERT_TRUE(ncasim_reg_read(h.dev, NCA_REG_HEARTBEAT, 4) >= beat + 2);
	hq_submit(&q, &s);
	CU_ASSERT_TRUE(hq_wait(&q, &c));
	host_close(&h);
}

CU_TestInfo sleep_tests[] = {
	{ "submitters against a sleepy device", hammer_submit },
	{ "waiters against completions", hammer_events },
	{ "arming is one-shot", one_shot },
	{ "an idle device costs nothing", idle },
	CU_TEST_INFO_NULL,
};
