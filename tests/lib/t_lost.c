// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <unistd.h>

#include "suite.h"

/* The fault, then what was outstanding in order, then the error. */
static void fault_in_order(void)
{
	accel_device *dev = open_dev("sim");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM), *other = new_context(dev, ACCEL_LARGE);
	accel_queue *q = new_queue(ctx, 16), *q2 = new_queue(ctx, 8), *oq = new_queue(other, 8);
	accel_buffer *buf = new_buffer(ctx, 4096, ACCEL_HOST);
	struct accel_completion c[16];
	ACCEL_INIT(struct accel_context_info, info);
	ACCEL_INIT(struct accel_fault, fault);
	accel_queue *more;
	accel_buffer *b;

	/* Another queue of the same context waits for what never comes. */
	OK(accel_queue_sem_wait(q2, 100, accel_buffer_address(buf), 1));
	OK(accel_queue_nop(q2, 101));
	RET(2, accel_queue_submit(q2));

	for (int i = 0; i < 12; i++) {
		if (i == 3)
			OK(accel_queue_fill(q, i, 0x7777000, 1, 4096));
		else
			OK(accel_queue_nop(q, i));
	}
	RET(-ENODATA, accel_context_fault(ctx, &fault));
	RET(12, accel_queue_submit(q));
	take(q, c, 12);
	OK(accel_context_fault(ctx, &fault));
	CU_ASSERT(fault.status == NCA_CQE_BAD_ADDRESS && fault.address == 0x7777000);
	RET(-ENODATA, accel_context_fault(other, &fault));
	for (int i = 0; i < 12; i++) {
		CU_ASSERT_EQUAL(c[i].cookie, (uint64_t)i);
		CU_ASSERT_EQUAL(c[i].status, i < 3 ? NCA_CQE_OK :
				i == 3 ? NCA_CQE_BAD_ADDRESS : NCA_CQE_CTX_LOST);
		CU_ASSERT_EQUAL(c[i].error, i < 3 ? 0 : i == 3 ? -EFAULT : -EIO);
	}
	RET(-EIO, accel_queue_poll(q, c, 16));
	SAYS("faulted");
	RET(-EIO, accel_queue_wait(q, c, 16, LONG_NS));

	take(q2, c, 2);
	CU_ASSERT(c[0].cookie == 100 && c[0].error == -EIO && c[0].status == NCA_CQE_CTX_LOST);
	CU_ASSERT(c[1].cookie == 101 && c[1].error == -EIO);
	RET(-EIO, accel_queue_poll(q2, c, 16));
	RET(-EIO, accel_context_state(ctx));
	RET(-EIO, accel_queue_create(ctx, NULL, &more));
	RET(-EIO, accel_buffer_create(ctx, 4096, ACCEL_HOST, ACCEL_READ, &b));
	RET(-EIO, accel_context_abort(ctx));
	CU_ASSERT(accel_queue_outstanding(q) == 0);

	/* The neighbour noticed nothing. */
	OK(accel_context_state(other));
	OK(accel_queue_nop(oq, 1));
	RET(1, accel_queue_submit(oq));
	take(oq, c, 1);
	CU_ASSERT(!c[0].error);
	OK(accel_context_info(other, &info));
	CU_ASSERT(info.state == ACCEL_CONTEXT_RUNNING);

	/* Made anew it works, on the same device. */
	OK(accel_context_destroy(ctx));
	ctx = new_context(dev, ACCEL_MEDIUM);
	q = new_queue(ctx, 8);
	OK(accel_queue_nop(q, 5));
	RET(1, accel_queue_submit(q));
	take(q, c, 1);
	CU_ASSERT(c[0].cookie == 5 && !c[0].error);
	OK(accel_context_destroy(ctx));
	OK(accel_context_destroy(other));
	OK(accel_device_close(dev));
}

static void submit_after_loss(void)
{
	accel_device *dev = open_dev("sim");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM);
	accel_queue *q = new_queue(ctx, 8);
	struct accel_completion c[8];

	OK(accel_queue_nop(q, 1));
	OK(accel_context_abort(ctx));
	RET(-EIO, accel_queue_submit(q));
	SAYS("aborted");
	RET(-EIO, accel_queue_nop(q, 2));
	/* The command that was only prepared was never outstanding. */
	RET(-EIO, accel_queue_poll(q, c, 8));
	CU_ASSERT(accel_queue_outstanding(q) == 0);
	OK(accel_context_destroy(ctx));
	OK(accel_device_close(dev));
}

struct waiter {
	accel_queue *q;
	struct accel_completion c[3];
	int first, last, taken;
};

static void *wait_for_end(void *arg)
{
	struct waiter *w = arg;

	w->first = accel_queue_wait(w->q, &w->c[0], 1, LONG_NS);
	w->taken = w->first;
	while (w->taken > 0 && w->taken < 3) {
		int r = accel_queue_wait(w->q, &w->c[w->taken], 3 - w->taken, LONG_NS);

		if (r <= 0)
			break;
		w->taken += r;
	}
	w->last = accel_queue_wait(w->q, &w->c[0], 0, LONG_NS);
	struct accel_completion none;

	w->last = accel_queue_wait(w->q, &none, 1, LONG_NS);
	return NULL;
}

/* A thread sleeps in accel_queue_wait() for a semaphore that is never signalled. */
static void sleeper_is_woken(bool reset)
{
	accel_device *dev = open_dev("sim");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM);
	ACCEL_INIT(struct accel_queue_options, opt);
	accel_buffer *buf = new_buffer(ctx, 4096, ACCEL_HOST);
	ACCEL_INIT(struct accel_device_info, info);
	struct accel_completion c;
	struct waiter w = { 0 };
	pthread_t thread;

	opt.spin_us = 1;
	OK(accel_queue_create(ctx, &opt, &w.q));
	OK(accel_queue_sem_wait(w.q, 11, accel_buffer_address(buf), 1));
	OK(accel_queue_nop(w.q, 12));
	OK(accel_queue_nop(w.q, 13));
	RET(3, accel_queue_submit(w.q));
	CU_ASSERT_FATAL(!pthread_create(&thread, NULL, wait_for_end, &w));
	usleep(20000);
	if (reset)
		OK(accel_device_reset(dev));
	else
		OK(accel_context_abort(ctx));
	pthread_join(thread, NULL);
	CU_ASSERT(w.taken == 3);
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(w.c[i].cookie, 11u + i);
		CU_ASSERT_EQUAL(w.c[i].error, reset ? -ESTALE : -EIO);
		CU_ASSERT_EQUAL(w.c[i].detail, reset ? NCA_CAUSE_RESET : NCA_CAUSE_ABORT);
	}
	CU_ASSERT_EQUAL(w.last, reset ? -ESTALE : -EIO);
	RET(reset ? -ESTALE : -EIO, accel_context_state(ctx));
	SAYS(reset ? "reset" : "aborted");
	OK(accel_device_info(dev, &info));
	CU_ASSERT(info.state == 0);

	/* Old and new side by side: ids and doorbells must not meet. */
	accel_context *anew = new_context(dev, ACCEL_MEDIUM);
	accel_queue *q = new_queue(anew, 8);

	for (int i = 0; i < 100; i++) {
		OK(accel_queue_nop(q, i));
		RET(1, accel_queue_submit(q));
		RET(reset ? -ESTALE : -EIO, accel_queue_nop(w.q, i));
		take(q, &c, 1);
		CU_ASSERT(c.cookie == (uint64_t)i && !c.error);
	}
	OK(accel_context_destroy(ctx));
	OK(accel_queue_nop(q, 1));
	RET(1, accel_queue_submit(q));
	take(q, &c, 1);
	OK(accel_context_destroy(anew));
	OK(accel_device_info(dev, &info));
	CU_ASSERT(info.slices_free == 8 && info.queues == 0 && info.contexts == 0 &&
		  info.memory_used == 0);
	OK(accel_device_close(dev));
}

static void abort_wakes(void)
{
	sleeper_is_woken(false);
}

static void reset_wakes(void)
{
	sleeper_is_woken(true);
}

/* Everybody is told, device memory of lost contexts comes back, ten times over. */
static void reset_all(void)
{
	accel_device *dev = open_dev("sim");

	for (int round = 0; round < 10; round++) {
		accel_context *ctx[4];
		accel_queue *q[4];
		struct accel_completion c[8];

		for (int i = 0; i < 4; i++) {
			ctx[i] = new_context(dev, ACCEL_LARGE);
			q[i] = new_queue(ctx[i], 8);
			new_buffer(ctx[i], 1ull << 30, ACCEL_DEVICE);
			new_buffer(ctx[i], 1 << 20, ACCEL_HOST);
			for (int k = 0; k < i; k++)
				OK(accel_queue_nop(q[i], k));
			RET(i, accel_queue_submit(q[i]));
		}
		OK(accel_device_reset(dev));
		for (int i = 0; i < 4; i++) {
			int n = 0, r;

			while ((r = accel_queue_poll(q[i], c + n, 8 - n)) > 0)
				n += r;
			CU_ASSERT_EQUAL(r, -ESTALE);
			CU_ASSERT_EQUAL(n, i);
			for (int k = 0; k < n; k++) {
				CU_ASSERT_EQUAL(c[k].cookie, (uint64_t)k);
				CU_ASSERT(c[k].error == 0 || c[k].error == -ESTALE);
			}
			OK(accel_context_destroy(ctx[i]));
		}
	}
	OK(accel_device_close(dev));
}

/* Destroying while the device is at work. */
static void destroy_busy(void)
{
	accel_device *dev = open_dev("sim");

	for (int round = 0; round < 20; round++) {
		accel_context *ctx = new_context(dev, ACCEL_FULL);
		accel_buffer *buf = new_buffer(ctx, 16 << 20, ACCEL_HOST);
		accel_queue *q = new_queue(ctx, 64);

		for (int i = 0; i < 60; i++)
			OK(accel_queue_fill(q, i, accel_buffer_address(buf), i, 16 << 20));
		OK(accel_queue_sem_wait(q, 60, accel_buffer_address(buf), 1ull << 40));
		RET(61, accel_queue_submit(q));
		if (round % 3 == 0)
			OK(accel_buffer_destroy(buf));
		if (round % 3 == 1)
			OK(accel_queue_destroy(q));
		OK(accel_context_destroy(ctx));
	}
	ACCEL_INIT(struct accel_telemetry, t);

	OK(accel_device_telemetry(dev, &t));
	CU_ASSERT(t.bad_bus_accesses == 0);
	OK(accel_device_close(dev));
}

void suite_lost(void)
{
	CU_pSuite s = add_suite("lost");

	add_test(s, "fault in order", fault_in_order);
	add_test(s, "submit after loss", submit_after_loss);
	add_test(s, "abort wakes", abort_wakes);
	add_test(s, "reset wakes", reset_wakes);
	add_test(s, "reset all", reset_all);
	add_test(s, "destroy busy", destroy_busy);
}
