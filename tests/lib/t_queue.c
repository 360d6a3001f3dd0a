// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "suite.h"

/* Every depth, many laps of both rings, each cookie once and in order. */
static void order(void)
{
	static const uint32_t depths[] = { 8, 32, 256, 32768 };
	accel_device *dev = open_dev("sim");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM);

	for (int d = 0; d < 4; d++) {
		accel_queue *q = new_queue(ctx, depths[d]);
		struct accel_completion c[100];
		uint64_t sent = 0, got = 0, total = depths[d] * 5 + 1000;
		bool good = true;

		while (got < total) {
			int n;

			while (sent < total && !accel_queue_nop(q, sent ^ 0xabcd000000000000))
				sent++;
			CU_ASSERT_FATAL(accel_queue_submit(q) >= 0);
			n = accel_queue_wait(q, c, 1 + got % 100, LONG_NS);
			CU_ASSERT_FATAL(n > 0);
			for (int i = 0; i < n; i++, got++)
				good &= c[i].cookie == (got ^ 0xabcd000000000000) && !c[i].error &&
					c[i].status == NCA_CQE_OK && c[i].end_ns >= c[i].start_ns;
		}
		CU_ASSERT(good);
		CU_ASSERT(accel_queue_outstanding(q) == 0);
		OK(accel_queue_destroy(q));
	}
	OK(accel_context_destroy(ctx));
	OK(accel_device_close(dev));
}

/* Nobody takes completions: the ring fills, says so, and nothing is lost or overwritten. */
static void full(void)
{
	accel_device *dev = open_dev("sim");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM);
	accel_queue *q = new_queue(ctx, 16);
	struct accel_completion c[16];

	for (int lap = 0; lap < 20; lap++) {
		for (int i = 0; i < 16; i++)
			OK(accel_queue_nop(q, lap * 16 + i));
		RET(-EAGAIN, accel_queue_nop(q, 0));
		SAYS("full");
		CU_ASSERT(accel_queue_outstanding(q) == 0);
		RET(16, accel_queue_submit(q));
		RET(0, accel_queue_submit(q));
		CU_ASSERT(accel_queue_outstanding(q) == 16);
		RET(-EAGAIN, accel_queue_nop(q, 0));
		/* One taken, one slot free, whatever the device knows of it. */
		take(q, c, 1);
		CU_ASSERT(c[0].cookie == (uint64_t)lap * 16);
		OK(accel_queue_nop(q, 777));
		RET(-EAGAIN, accel_queue_nop(q, 0));
		RET(1, accel_queue_submit(q));
		take(q, c, 16);
		for (int i = 0; i < 15; i++)
			CU_ASSERT(c[i].cookie == (uint64_t)lap * 16 + i + 1);
		CU_ASSERT(c[15].cookie == 777);
		RET(0, accel_queue_poll(q, c, 16));
	}
	OK(accel_context_destroy(ctx));
	OK(accel_device_close(dev));
}

static void options(void)
{
	accel_device *dev = open_dev("sim:nca1");
	accel_context *ctx = new_context(dev, ACCEL_XLARGE);
	ACCEL_INIT(struct accel_context_info, info);
	static const uint32_t bad[] = { 1, 4, 7, 9, 255, 65536, 1u << 31 };
	struct accel_completion c;
	accel_queue *q = NULL;

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ACCEL_INIT(struct accel_queue_options, opt);

		opt.depth = bad[i];
		RET(-EINVAL, accel_queue_create(ctx, &opt, &q));
		SAYS("powers of two from 8 to 32768");
	}
	ACCEL_INIT(struct accel_queue_options, opt);

	opt.core = 5;
	RET(-EINVAL, accel_queue_create(ctx, &opt, &q));
	SAYS("mask");
	opt.core = -2;
	RET(-EINVAL, accel_queue_create(ctx, &opt, &q));
	RET(-EINVAL, accel_queue_create(ctx, NULL, NULL));
	CU_ASSERT(q == NULL);
	OK(accel_context_info(ctx, &info));
	CU_ASSERT(info.cores == 2);
	opt.core = 1 + __builtin_ctz(info.core_mask);
	OK(accel_queue_create(ctx, &opt, &q));
	OK(accel_queue_destroy(q));
	OK(accel_queue_create(ctx, NULL, &q));
	OK(accel_queue_nop(q, 9));
	if (on_sim()) {
		RET(-EOPNOTSUPP, accel_queue_submit_ioctl(q));
		RET(1, accel_queue_submit(q));
	} else {
		RET(1, accel_queue_submit_ioctl(q));
	}
	take(q, &c, 1);
	CU_ASSERT(c.cookie == 9 && !c.error);
	OK(accel_queue_destroy(q));
	OK(accel_queue_destroy(NULL));
	OK(accel_context_destroy(ctx));
	OK(accel_device_close(dev));
}

static void semaphores(void)
{
	accel_device *dev = open_dev("sim");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM);
	accel_queue *a = new_queue(ctx, 8), *b = new_queue(ctx, 8);
	accel_buffer *buf = new_buffer(ctx, 4096, ACCEL_HOST);
	uint64_t va = accel_buffer_address(buf);
	volatile uint64_t *word = accel_buffer_map(buf);
	struct accel_completion c[4];

	OK(accel_queue_sem_wait(a, 1, va, 5));
	OK(accel_queue_timestamp(a, 2, va + 8));
	RET(2, accel_queue_submit(a));
	OK(accel_queue_sem_signal(b, 3, va, 3, 0));
	RET(1, accel_queue_submit(b));
	take(b, c, 1);
	CU_ASSERT(word[0] == 3 && word[1] == 0);
	RET(0, accel_queue_poll(a, c, 4));
	OK(accel_queue_sem_signal(b, 4, va, 2, 1));
	RET(1, accel_queue_submit(b));
	take(b, c, 1);
	take(a, c, 2);
	CU_ASSERT(c[0].cookie == 1 && c[1].cookie == 2);
	CU_ASSERT(word[0] == 5);
	CU_ASSERT(c[1].end_ns >= c[0].end_ns);
	OK(accel_context_destroy(ctx));
	OK(accel_device_close(dev));
}

/* As many queues as there are, and one more. */
static void run_out_of_queues(void)
{
	accel_device *dev = open_dev("sim");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM);
	ACCEL_INIT(struct accel_device_info, info);
	ACCEL_INIT(struct accel_queue_options, opt);
	struct accel_completion c;
	accel_queue **q, *more;
	uint32_t n;
	int r;

	OK(accel_device_info(dev, &info));
	q = calloc(info.max_queues, sizeof(*q));
	CU_ASSERT_FATAL(q != NULL);
	opt.depth = 8;
	for (n = 0; n < info.max_queues; n++)
		if (accel_queue_create(ctx, &opt, &q[n]))
			break;
	CU_ASSERT_FATAL(n > 8);
	/* A kernel has a limit per user, too, and it may be the lower one. */
	r = accel_queue_create(ctx, &opt, &more);
	CU_ASSERT(r == -ENOSPC || (r == -EDQUOT && !on_sim()));
	SAYS("queues");
	OK(accel_device_info(dev, &info));
	CU_ASSERT(info.queues == n);
	for (uint32_t i = 0; i < n; i++) {
		OK(accel_queue_nop(q[i], i));
		RET(1, accel_queue_submit(q[i]));
	}
	for (uint32_t i = 0; i < n; i++) {
		take(q[i], &c, 1);
		CU_ASSERT(c.cookie == i);
	}
	/* An id that is used again starts with a clean doorbell page: nothing runs by itself. */
	for (int i = 0; i < 5; i++)
		OK(accel_queue_nop(q[3], i));
	RET(5, accel_queue_submit(q[3]));
	for (int i = 0; i < 5; i++)
		take(q[3], &c, 1);
	OK(accel_queue_destroy(q[3]));
	OK(accel_queue_create(ctx, &opt, &q[3]));
	RET(-ETIME, accel_queue_wait(q[3], &c, 1, 10000000));
	OK(accel_queue_nop(q[3], 33));
	RET(1, accel_queue_submit(q[3]));
	take(q[3], &c, 1);
	CU_ASSERT(c.cookie == 33);
	RET(0, accel_queue_poll(q[3], &c, 1));
	free(q);
	OK(accel_context_destroy(ctx));
	OK(accel_device_close(dev));
}

struct chain {
	accel_queue *q;
	uint64_t next;
	bool good;
};

/* Keeps eight commands in flight from within the callback. */
static void again(void *opaque, const struct accel_completion *c)
{
	struct chain *chain = opaque;

	chain->good &= c->cookie + 8 == chain->next && !c->error;
	chain->good &= !accel_queue_nop(chain->q, chain->next++);
	chain->good &= accel_queue_submit(chain->q) == 1;
}

static void dispatch(void)
{
	accel_device *dev = open_dev("sim");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM);
	struct chain chain = { .q = new_queue(ctx, 64), .good = true };
	int n;

	RET(0, accel_queue_dispatch(chain.q, 5, again, &chain));
	while (chain.next < 8)
		OK(accel_queue_nop(chain.q, chain.next++));
	RET(8, accel_queue_submit(chain.q));
	for (uint64_t done = 0; done < 5000; done += n) {
		n = accel_queue_dispatch(chain.q, 1 + done % 50, again, &chain);
		if (n < 0)
			CU_FAIL_FATAL("the queue broke");
	}
	CU_ASSERT(chain.good && chain.next >= 5008);
	OK(accel_context_abort(ctx));
	chain.good = true;
	while ((n = accel_queue_dispatch(chain.q, 3, again, &chain)) > 0)
		;
	CU_ASSERT(n == -EIO);
	OK(accel_context_destroy(ctx));
	OK(accel_device_close(dev));
}

void suite_queue(void)
{
	CU_pSuite s = add_suite("queue");

	add_test(s, "order", order);
	add_test(s, "full", full);
	add_test(s, "options", options);
	add_test(s, "semaphores", semaphores);
	add_test(s, "dispatch", dispatch);
	add_test(s, "run out of queues", run_out_of_queues);
}
