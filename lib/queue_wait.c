// SPDX-License-Identifier: MIT
/*
 * Waiting for completions: spin for a while, then arm an event and sleep.
 *
 *   completer                            device
 *   W1 store arm = seq << 32 | head      E1 store-release the completion
 *   W2 full fence                        E2 full fence
 *   W3 look at cqe[head]                 E3 load arm: armed? event
 *   W4 sleep if it is not there
 *
 * The mirror image of submitting: if W3 misses E1, then E3 sees W1. An event
 * that an earlier arming left behind wakes the sleeper for nothing; the loop
 * looks at the ring and sleeps again.
 *
 * Each spin is bounded in time and looks at the status page too, so nobody
 * polls the memory of a device that is gone.
 */
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "queue.h"

/* Looks at the ring between two looks at the clock. */
#define LOOKS	64

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static int64_t deadline_after(int64_t now, uint64_t timeout_ns)
{
	int64_t t;

	if (timeout_ns > INT64_MAX || __builtin_add_overflow(now, (int64_t)timeout_ns, &t))
		return INT64_MAX;
	return t;
}

static bool look(struct accel_queue *q)
{
	for (int i = 0; i < LOOKS; i++) {
		if (acc_queue_has_completion(q))
			return true;
		acc_cpu_relax();
	}
	return acc_queue_is_lost(q);
}

bool acc_queue_arm_and_look(struct accel_queue *q)
{
	const struct acc_backend *ops = q->ctx->dev->b->ops;
	uint32_t head = atomic_load_explicit(&q->head, memory_order_relaxed);

	if (ops->queue_before_arm)
		ops->queue_before_arm(q->b);
	/* A sequence of 0 means "not armed". */
	if (!++q->arm_seq)
		q->arm_seq = 1;
	__atomic_store_n(&q->db->arm, (uint64_t)q->arm_seq << 32 | head, __ATOMIC_RELEASE);
	acc_store_before_load();
	return q->lost || acc_queue_has_completion(q) || acc_queue_is_lost(q);
}

int accel_queue_wait(accel_queue *q, struct accel_completion *out, unsigned int max,
		     uint64_t timeout_ns)
{
	int64_t now, spin_end, deadline;
	int r, n = accel_queue_poll(q, out, max);

	if (n || !max)
		return n;
	if (!timeout_ns)
		goto timed_out;

	/* Short waits never look at the clock. */
	if (look(q)) {
		n = accel_queue_poll(q, out, max);
		if (n)
			return n;
	}
	now = now_ns();
	deadline = deadline_after(now, timeout_ns);
	spin_end = deadline_after(now, q->spin_ns);
	while (now < spin_end && now < deadline) {
		if (look(q)) {
			n = accel_queue_poll(q, out, max);
			if (n)
				return n;
		}
		now = now_ns();
	}
	for (;;) {
		r = 0;
		if (!acc_queue_arm_and_look(q))
			r = q->ctx->dev->b->ops->queue_sleep(q->b, &q->events, deadline);
		n = accel_queue_poll(q, out, max);
		if (n)
			return n;
		if (r == -ETIME)
			goto timed_out;
		if (r)
			return r;
		/*
		 * Lost by a failed completion, the rest not written yet and no event to
		 * come for it: look again, but in no hurry and not past the deadline.
		 */
		if (acc_queue_is_lost(q)) {
			nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
			if (now_ns() >= deadline)
				goto timed_out;
		}
	}
timed_out:
	return acc_fail_text(-ETIME, "no completion within the given time");
}

int accel_queue_eventfd(accel_queue *q)
{
	int r, fd;

	if (acc_is_child(q->epoch))
		return acc_child_error(q->ctx->dev);
	if (q->eventfd >= 0)
		return q->eventfd;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return acc_fail_sys(-errno, "cannot make an eventfd");
	r = q->ctx->dev->b->ops->queue_eventfd(q->b, fd);
	if (r) {
		close(fd);
		return r;
	}
	q->eventfd = fd;
	return fd;
}

int accel_queue_arm(accel_queue *q)
{
	if (acc_is_child(q->epoch))
		return acc_child_error(q->ctx->dev);
	if (q->eventfd < 0)
		return acc_fail(-EINVAL, "the queue has no eventfd yet; call accel_queue_eventfd() first");
	return acc_queue_arm_and_look(q);
}
