// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "suite.h"

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static void timeouts(void)
{
	accel_device *dev = open_dev("sim");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM);
	accel_queue *q = new_queue(ctx, 8);
	struct accel_completion c;
	uint64_t t = now_ns();

	RET(-ETIME, accel_queue_wait(q, &c, 1, 0));
	RET(-ETIME, accel_queue_wait(q, &c, 1, 1));
	RET(-ETIME, accel_queue_wait(q, &c, 1, 20000000));
	SAYS("time");
	CU_ASSERT(now_ns() - t >= 20000000);
	RET(0, accel_queue_wait(q, &c, 0, 20000000));
	/* The queue still works, and what a timed-out wait armed does not confuse it. */
	for (int i = 0; i < 50; i++) {
		OK(accel_queue_nop(q, i));
		RET(1, accel_queue_submit(q));
		take(q, &c, 1);
		CU_ASSERT(c.cookie == (uint64_t)i);
		RET(-ETIME, accel_queue_wait(q, &c, 1, 100000));
	}
	OK(accel_context_destroy(ctx));
	OK(accel_device_close(dev));
}

struct signaller {
	accel_queue *q;
	uint64_t va;
	uint64_t until;
	accel_buffer *buf;
};

/* Device and waiter have both gone to sleep when this stores. */
static void *signal_later(void *arg)
{
	struct signaller *s = arg;
	struct accel_completion c;

	for (uint64_t i = 1; i <= s->until; i++) {
		usleep(3000);
		if (accel_queue_sem_signal(s->q, i, s->va, i, 0) ||
		    accel_queue_submit(s->q) != 1 ||
		    accel_queue_wait(s->q, &c, 1, LONG_NS) != 1)
			return (void *)1;
	}
	return NULL;
}

static void sleeps_and_wakes(void)
{
	accel_device *dev = open_dev("sim:nca1,spin_us=1");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM);
	ACCEL_INIT(struct accel_queue_options, opt);
	accel_buffer *buf = new_buffer(ctx, 4096, ACCEL_HOST);
	struct signaller s = { .va = accel_buffer_address(buf), .until = 50 };
	struct accel_completion c;
	accel_queue *q;
	pthread_t thread;
	void *result;

	opt.spin_us = 1;
	OK(accel_queue_create(ctx, &opt, &q));
	s.q = new_queue(ctx, 8);
	CU_ASSERT_FATAL(!pthread_create(&thread, NULL, signal_later, &s));
	for (uint64_t i = 1; i <= s.until; i++) {
		OK(accel_queue_sem_wait(q, i, s.va, i));
		RET(1, accel_queue_submit(q));
		take(q, &c, 1);
		CU_ASSERT(c.cookie == i && !c.error);
	}
	pthread_join(thread, &result);
	CU_ASSERT(result == NULL);
	OK(accel_context_destroy(ctx));
	OK(accel_device_close(dev));
}

/*
 * The device goes to sleep almost at once and the submitter comes after a delay
 * that sweeps over that moment, likewise the waiter: a lost wake-up is a hang.
 */
static void races_to_sleep(void)
{
	accel_device *dev = open_dev("sim:nca1,spin_us=1");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM);
	ACCEL_INIT(struct accel_queue_options, opt);
	struct accel_completion c;
	accel_queue *q;

	opt.spin_us = 1;
	OK(accel_queue_create(ctx, &opt, &q));
	for (uint32_t i = 0; i < 20000; i++) {
		for (volatile uint32_t k = 0; k < i * 7 % 3000; k++)
			;
		OK(accel_queue_nop(q, i));
		RET(1, accel_queue_submit(q));
		if (accel_queue_wait(q, &c, 1, 20000000000ull) != 1) {
			CU_FAIL_FATAL("a wake-up was lost");
		}
		CU_ASSERT_FATAL(c.cookie == i);
	}
	OK(accel_context_destroy(ctx));
	OK(accel_device_close(dev));
}

/* The loop of accel_queue_arm()'s description. */
static void epoll_loop(void)
{
	accel_device *dev = open_dev("sim");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM);
	accel_queue *q = new_queue(ctx, 64);
	struct epoll_event ev = { .events = EPOLLIN };
	struct accel_completion c[64];
	uint64_t got = 0, sent = 0, count;
	int fd, ep, r;

	RET(-EINVAL, accel_queue_arm(q));
	fd = accel_queue_eventfd(q);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT(accel_queue_eventfd(q) == fd);
	ep = epoll_create1(EPOLL_CLOEXEC);
	CU_ASSERT_FATAL(ep >= 0 && !epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	while (got < 3000) {
		while (sent < 3000 && sent - got < 64 && !accel_queue_nop(q, sent))
			sent++;
		CU_ASSERT_FATAL(accel_queue_submit(q) >= 0);
		r = accel_queue_arm(q);
		CU_ASSERT_FATAL(r == 0 || r == 1);
		if (!r) {
			/* Armed, so the event must come. */
			CU_ASSERT_FATAL(epoll_wait(ep, &ev, 1, 120000) == 1);
			CU_ASSERT(read(fd, &count, sizeof(count)) == sizeof(count));
		}
		while ((r = accel_queue_poll(q, c, 64)) > 0)
			for (int i = 0; i < r; i++)
				CU_ASSERT_FATAL(c[i].cookie == got++);
		CU_ASSERT_FATAL(r == 0);
	}
	/* A lost queue makes its eventfd readable although nothing is outstanding. */
	while (read(fd, &count, sizeof(count)) > 0)
		;
	OK(accel_context_abort(ctx));
	CU_ASSERT(epoll_wait(ep, &ev, 1, 120000) == 1);
	RET(1, accel_queue_arm(q));
	RET(-EIO, accel_queue_poll(q, c, 64));
	close(ep);
	OK(accel_context_destroy(ctx));
	OK(accel_device_close(dev));
}

void suite_wait(void)
{
	CU_pSuite s = add_suite("wait");

	add_test(s, "timeouts", timeouts);
	add_test(s, "sleeps and wakes", sleeps_and_wakes);
	add_test(s, "races to sleep", races_to_sleep);
	add_test(s, "epoll loop", epoll_loop);
}
