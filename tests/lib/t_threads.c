// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "suite.h"

#define COMMANDS	100000

static void *submit_all(void *arg)
{
	accel_queue *q = arg;

	for (uint64_t i = 0; i < COMMANDS; ) {
		int r = accel_queue_nop(q, i);

		if (r == -EAGAIN)
			sched_yield();
		else if (r)
			return (void *)1;
		else
			i++;
		if (accel_queue_submit(q) < 0)
			return (void *)1;
	}
	return NULL;
}

/* One submitter, one completer, no lock between them. */
static void two_threads_one_queue(void)
{
	accel_device *dev = open_dev("sim");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM);
	accel_queue *q = new_queue(ctx, 32);
	struct accel_completion c[32];
	uint64_t got = 0;
	bool good = true;
	pthread_t thread;
	void *result;

	CU_ASSERT_FATAL(!pthread_create(&thread, NULL, submit_all, q));
	while (got < COMMANDS) {
		int n = accel_queue_wait(q, c, 32, LONG_NS);

		CU_ASSERT_FATAL(n > 0);
		for (int i = 0; i < n; i++, got++)
			good &= c[i].cookie == got && !c[i].error;
	}
	pthread_join(thread, &result);
	CU_ASSERT(good && result == NULL);
	OK(accel_context_destroy(ctx));
	OK(accel_device_close(dev));
}

static void *churn(void *arg)
{
	accel_device *dev = arg;

	for (int round = 0; round < 25; round++) {
		ACCEL_INIT(struct accel_device_info, info);
		struct accel_completion c[4];
		accel_context *ctx;
		accel_buffer *a, *b;
		accel_queue *q;
		int n = 0;

		if (accel_context_create(dev, NULL, &ctx) ||
		    accel_buffer_create(ctx, 65536, ACCEL_HOST, 3, &a) ||
		    accel_buffer_create(ctx, 65536, ACCEL_DEVICE, 3, &b) ||
		    accel_queue_create(ctx, NULL, &q))
			return (void *)1;
		if (accel_queue_fill(q, 0, accel_buffer_address(a), round, 65536) ||
		    accel_queue_copy(q, 1, accel_buffer_address(b), accel_buffer_address(a), 65536) ||
		    accel_queue_nop(q, 2) || accel_queue_submit(q) != 3)
			return (void *)2;
		while (n < 3) {
			int r = accel_queue_wait(q, c + n, 3 - n, LONG_NS);

			if (r <= 0)
				return (void *)3;
			n += r;
		}
		for (int i = 0; i < 3; i++)
			if (c[i].error || c[i].cookie != (uint64_t)i)
				return (void *)4;
		if (((uint32_t *)accel_buffer_map(b))[16383] != (uint32_t)round)
			return (void *)5;
		if (accel_device_info(dev, &info) || info.slices_free > 7)
			return (void *)6;
		if (accel_context_destroy(ctx))
			return (void *)7;
	}
	return NULL;
}

static void many_contexts_at_once(void)
{
	accel_device *dev = open_dev("sim");
	ACCEL_INIT(struct accel_device_info, info);
	pthread_t thread[6];

	for (int i = 0; i < 6; i++)
		CU_ASSERT_FATAL(!pthread_create(&thread[i], NULL, churn, dev));
	for (int i = 0; i < 6; i++) {
		void *result;

		pthread_join(thread[i], &result);
		CU_ASSERT_EQUAL((long)result, 0);
	}
	OK(accel_device_info(dev, &info));
	CU_ASSERT(info.slices_free == 8 && info.memory_used == 0 && info.queues == 0);
	OK(accel_device_close(dev));
}

static _Atomic bool stop;

/* Makes and destroys until told to stop; a reset may come between any two calls. */
static void *churn_through_resets(void *arg)
{
	long good = 0;

	while (!stop || !good) {
		struct accel_completion c;
		accel_context *ctx;
		accel_buffer *buf;
		accel_queue *q;
		int r = accel_context_create(arg, NULL, &ctx);

		if (r == -ESTALE || r == -EIO)
			continue;
		if (r) {
			fprintf(stderr, "\n%d: %s\n", r, accel_last_error());
			return NULL;
		}
		r = accel_buffer_create(ctx, 65536, ACCEL_DEVICE, ACCEL_WRITE, &buf);
		if (!r)
			r = accel_queue_create(ctx, NULL, &q);
		if (!r)
			r = accel_queue_fill(q, 1, accel_buffer_address(buf), 1, 65536);
		if (!r)
			r = accel_queue_submit(q);
		if (r > 0)
			r = accel_queue_wait(q, &c, 1, LONG_NS);
		if (r == 1 && !c.error)
			good++;
		if (r != 1 && r != -ESTALE && !accel_context_state(ctx)) {
			fprintf(stderr, "\n%d in a running context: %s\n", r, accel_last_error());
			return NULL;
		}
		if (accel_context_destroy(ctx))
			return NULL;
	}
	return (void *)1;
}

static void resets_in_between(void)
{
	accel_device *dev = open_dev("sim");
	ACCEL_INIT(struct accel_device_info, info);
	pthread_t thread[3];
	void *result;

	stop = false;
	for (int i = 0; i < 3; i++)
		CU_ASSERT_FATAL(!pthread_create(&thread[i], NULL, churn_through_resets, dev));
	for (int i = 0; i < 30; i++) {
		usleep(2000);
		OK(accel_device_reset(dev));
	}
	stop = true;
	for (int i = 0; i < 3; i++) {
		pthread_join(thread[i], &result);
		CU_ASSERT(result != NULL);
	}
	OK(accel_device_info(dev, &info));
	CU_ASSERT(info.state == 0 && info.slices_free == 8 && info.memory_used == 0 &&
		  info.queues == 0 && info.contexts == 0);
	OK(accel_device_close(dev));
}

/* The sentence belongs to the thread. */
static void *fails_too(void *arg)
{
	enum accel_size size;

	(void)arg;
	if (*accel_last_error())
		return (void *)1;
	accel_size_parse("thread", &size);
	return strstr(accel_last_error(), "thread") ? NULL : (void *)2;
}

static void errors_per_thread(void)
{
	enum accel_size size;
	pthread_t thread;
	void *result;

	RET(-EINVAL, accel_size_parse("mine", &size));
	CU_ASSERT_FATAL(!pthread_create(&thread, NULL, fails_too, NULL));
	pthread_join(thread, &result);
	CU_ASSERT(result == NULL);
	SAYS("mine");
}

void suite_threads(void)
{
	CU_pSuite s = add_suite("threads");

	add_test(s, "two threads, one queue", two_threads_one_queue);
	add_test(s, "many contexts at once", many_contexts_at_once);
	add_test(s, "resets in between", resets_in_between);
	add_test(s, "errors per thread", errors_per_thread);
}
