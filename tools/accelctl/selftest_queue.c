// SPDX-License-Identifier: MIT
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "selftest.h"

#define NOPS 20000u

static enum ctl_exit wrong(struct ctl_selftest_env *env, const struct accel_completion *c,
			   uint64_t cookie)
{
	if (c->error) {
		DETAIL(env, "command %llu: %s", (unsigned long long)cookie,
		       accel_status_name(c->status));
		return CTL_FAULT;
	}
	DETAIL(env, "cookie %llu came back as %llu", (unsigned long long)cookie,
	       (unsigned long long)c->cookie);
	return CTL_MISMATCH;
}

/* Many laps around the rings; batches of changing size, so that the wrap falls everywhere. */
enum ctl_exit selftest_queue_order(struct ctl_selftest_env *env)
{
	accel_queue *q = env->s->queue;
	struct accel_completion c[SELFTEST_DEPTH];
	uint64_t sent = 0, got = 0, batch = 1;

	while (got < NOPS) {
		int n;

		for (uint64_t i = 0; i < batch && sent < NOPS && sent - got < SELFTEST_DEPTH; i++) {
			n = accel_queue_nop(q, sent * 0x9e3779b97f4a7c15ull);
			if (n)
				return selftest_call_failed(env, n, "cannot prepare a NOP");
			sent++;
		}
		batch = batch % SELFTEST_DEPTH + 1;
		n = accel_queue_submit(q);
		if (n >= 0)
			n = accel_queue_wait(q, c, SELFTEST_DEPTH, CTL_TIMEOUT_NS);
		if (n < 0)
			return selftest_call_failed(env, n, "a NOP did not complete");
		for (int i = 0; i < n; i++, got++)
			if (c[i].error || c[i].cookie != got * 0x9e3779b97f4a7c15ull ||
			    c[i].end_ns < c[i].start_ns)
				return wrong(env, &c[i], got * 0x9e3779b97f4a7c15ull);
	}
	DETAIL(env, "%u commands in order", NOPS);
	return CTL_OK;
}

/* Pauses long enough for the device to go to sleep, and some that just fall into the window. */
enum ctl_exit selftest_queue_sleep(struct ctl_selftest_env *env)
{
	static const unsigned int pause_us[] = { 0, 20, 45, 50, 55, 80, 200, 1000, 3000 };
	accel_queue *q = env->s->queue;
	unsigned int n = 0;

	for (unsigned int round = 0; round < 5; round++) {
		for (size_t i = 0; i < sizeof(pause_us) / sizeof(pause_us[0]); i++, n++) {
			struct accel_completion c;
			enum ctl_exit ret;
			int err;

			if (pause_us[i])
				usleep(pause_us[i]);
			err = accel_queue_nop(q, n);
			if (err)
				return selftest_call_failed(env, err, "cannot prepare a NOP");
			ret = selftest_one(env, q, "the device did not wake up", &c);
			if (ret)
				return ret;
			if (c.error || c.cookie != n)
				return wrong(env, &c, n);
		}
	}
	DETAIL(env, "%u wake-ups after pauses up to 3 ms", n);
	return CTL_OK;
}

enum ctl_exit selftest_queue_eventfd(struct ctl_selftest_env *env)
{
	accel_queue *q = env->s->queue;
	int fd = accel_queue_eventfd(q);
	unsigned int events = 0;

	if (fd < 0)
		return selftest_call_failed(env, fd, "no eventfd");
	for (uint64_t i = 0; i < 200; i++) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		struct accel_completion c;
		uint64_t count;
		int n;

		n = accel_queue_nop(q, i);
		if (!n)
			n = accel_queue_submit(q);
		if (n < 0)
			return selftest_call_failed(env, n, "cannot submit a NOP");
		n = accel_queue_arm(q);
		if (n < 0)
			return selftest_call_failed(env, n, "cannot arm the queue");
		if (!n) {
			n = poll(&p, 1, 10000);
			if (n != 1) {
				DETAIL(env, "no event within 10 s of command %llu",
				       (unsigned long long)i);
				return CTL_FAULT;
			}
			events++;
		}
		n = accel_queue_wait(q, &c, 1, CTL_TIMEOUT_NS);
		if (n < 0)
			return selftest_call_failed(env, n, "a NOP did not complete");
		if (c.error || c.cookie != i)
			return wrong(env, &c, i);
		/* The event may be on its way although the completion was there: leave none. */
		while (poll(&p, 1, 0) == 1)
			if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
				return selftest_call_failed(env, -errno, "cannot read the eventfd");
	}
	DETAIL(env, "200 commands waited for, %u of them by an event", events);
	return CTL_OK;
}

enum ctl_exit selftest_timestamp(struct ctl_selftest_env *env)
{
	accel_queue *q = env->s->queue;
	uint64_t before = 0, *stamp;
	accel_buffer *buf;
	enum ctl_exit ret = CTL_OK;
	int err = accel_buffer_create(env->s->ctx, 4096, ACCEL_HOST, ACCEL_READ | ACCEL_WRITE, &buf);

	if (err)
		return selftest_call_failed(env, err, "cannot allocate a page");
	stamp = accel_buffer_map(buf);
	for (int i = 0; stamp && i < 100 && !ret; i++) {
		struct accel_completion c;

		err = accel_queue_timestamp(q, (uint64_t)i, accel_buffer_address(buf));
		ret = err ? selftest_call_failed(env, err, "cannot prepare a timestamp") :
			    selftest_one(env, q, "a timestamp did not complete", &c);
		if (ret)
			break;
		if (c.error || c.cookie != (uint64_t)i) {
			ret = wrong(env, &c, (uint64_t)i);
		} else if (*stamp < before || *stamp < c.start_ns || *stamp > c.end_ns) {
			DETAIL(env, "device time %llu is not between %llu and %llu, or before %llu",
			       (unsigned long long)*stamp, (unsigned long long)c.start_ns,
			       (unsigned long long)c.end_ns, (unsigned long long)before);
			ret = CTL_MISMATCH;
		}
		before = *stamp;
	}
	if (!stamp)
		ret = selftest_call_failed(env, -ENOMEM, "cannot map a page");
	else if (!ret)
		DETAIL(env, "100 timestamps, never backwards");
	accel_buffer_destroy(buf);
	return ret;
}

/* Queue A waits for a value that only queue B's signals bring about. */
static enum ctl_exit two_queues(struct ctl_selftest_env *env, accel_queue *b, accel_buffer *buf)
{
	uint64_t va = accel_buffer_address(buf);
	struct accel_completion c, cb[2];
	accel_queue *a = env->s->queue;
	enum ctl_exit ret;
	int n;

	n = accel_queue_sem_wait(a, 1, va, 7);
	if (!n)
		n = accel_queue_submit(a);
	if (n >= 0)
		n = accel_queue_wait(a, &c, 1, 20000000);
	if (n != -ETIME) {
		if (n < 0)
			return selftest_call_failed(env, n, "cannot wait for a semaphore");
		DETAIL(env, "a wait for 7 passed while the semaphore was 0");
		return CTL_MISMATCH;
	}
	n = accel_queue_sem_signal(b, 2, va, 4, 0);
	if (!n)
		n = accel_queue_sem_signal(b, 3, va, 3, 1);
	if (n)
		return selftest_call_failed(env, n, "cannot prepare a signal");
	ret = selftest_one(env, b, "a signal did not complete", &cb[0]);
	if (ret)
		return ret;
	n = accel_queue_wait(b, &cb[1], 1, CTL_TIMEOUT_NS);
	if (n >= 0)
		n = accel_queue_wait(a, &c, 1, CTL_TIMEOUT_NS);
	if (n < 0)
		return selftest_call_failed(env, n, "the wait did not end");
	if (c.error || c.cookie != 1)
		return wrong(env, &c, 1);
	if (cb[1].error || cb[1].cookie != 3)
		return wrong(env, &cb[1], 3);
	if (*(volatile uint64_t *)accel_buffer_map(buf) != 7) {
		DETAIL(env, "4 + 3 gave %llu",
		       (unsigned long long)*(volatile uint64_t *)accel_buffer_map(buf));
		return CTL_MISMATCH;
	}
	DETAIL(env, "a wait on one queue ended by signals on another");
	return CTL_OK;
}

enum ctl_exit selftest_semaphore(struct ctl_selftest_env *env)
{
	ACCEL_INIT(struct accel_queue_options, qo);
	accel_buffer *buf = NULL;
	accel_queue *b = NULL;
	enum ctl_exit ret;
	int err;

	qo.core = -1;
	err = accel_queue_create(env->s->ctx, &qo, &b);
	if (!err)
		err = accel_buffer_create(env->s->ctx, 4096, ACCEL_HOST, ACCEL_READ | ACCEL_WRITE, &buf);
	if (!err && !accel_buffer_map(buf))
		err = -ENOMEM;
	ret = err ? selftest_call_failed(env, err, "cannot create a second queue and a page") :
		    two_queues(env, b, buf);
	if (b)
		accel_queue_destroy(b);
	if (buf)
		accel_buffer_destroy(buf);
	return ret;
}
