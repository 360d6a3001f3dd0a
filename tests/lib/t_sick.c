// SPDX-License-Identifier: MIT
/*
 * A device that stops answering, reports a fatal error, or is gone. Nothing
 * public makes a device do that, so this test reaches into the embedded one.
 */
#include <pthread.h>
#include <unistd.h>

#include "../../lib/objects.h"
#include "../../lib/sim/sim.h"
#include "suite.h"

static struct sim_dev *inside(accel_device *dev)
{
	return (struct sim_dev *)dev->b;
}

static void *wait_long(void *arg)
{
	struct accel_completion c = { 0 };

	if (accel_queue_wait(arg, &c, 1, LONG_NS) != 1)
		return (void *)1;
	return (void *)(long)c.error;
}

static void works(accel_device *dev)
{
	accel_context *ctx = new_context(dev, ACCEL_XLARGE);
	accel_queue *q = new_queue(ctx, 8);
	accel_buffer *buf = new_buffer(ctx, 1 << 20, ACCEL_DEVICE);
	struct accel_completion c;

	OK(accel_queue_fill(q, 7, accel_buffer_address(buf), 3, 1 << 20));
	RET(1, accel_queue_submit(q));
	take(q, &c, 1);
	CU_ASSERT(c.cookie == 7 && !c.error);
	OK(accel_context_destroy(ctx));
}

/* @what makes the device sick; @error is what callers see. */
static void recovers(void (*what)(accel_device *), int admin_error)
{
	accel_device *dev = open_sim("sim:nca1");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM), *more;
	ACCEL_INIT(struct accel_queue_options, opt);
	ACCEL_INIT(struct accel_device_info, info);
	accel_buffer *buf = new_buffer(ctx, 4096, ACCEL_HOST);
	pthread_t thread;
	accel_queue *q;
	void *result;
	int r;

	works(dev);
	memset(accel_buffer_map(new_buffer(ctx, 1 << 20, ACCEL_DEVICE)), 0xee, 1 << 20);
	opt.spin_us = 1;
	OK(accel_queue_create(ctx, &opt, &q));
	OK(accel_queue_sem_wait(q, 1, accel_buffer_address(buf), 1));
	RET(1, accel_queue_submit(q));
	CU_ASSERT_FATAL(!pthread_create(&thread, NULL, wait_long, q));
	usleep(10000);
	what(dev);
	/* Whoever asks it something finds out; everybody is told. */
	r = accel_context_create(dev, NULL, &more);
	if (admin_error) {
		CU_ASSERT_EQUAL(r, admin_error);
		SAYS("reset it");
		RET(admin_error, accel_context_create(dev, NULL, &more));
	} else if (!r) {
		OK(accel_context_destroy(more));
	}
	pthread_join(thread, &result);
	CU_ASSERT_EQUAL((long)result, -ESTALE);
	RET(-ESTALE, accel_context_state(ctx));
	OK(accel_device_info(dev, &info));
	CU_ASSERT_EQUAL(info.state, 2);
	/* Nothing waits for the device any more. */
	OK(accel_context_destroy(ctx));
	OK(accel_device_info(dev, &info));
	CU_ASSERT(info.memory_used == 1 << 20);	/* cannot be scrubbed now */
	OK(accel_device_reset(dev));
	OK(accel_device_info(dev, &info));
	CU_ASSERT(info.state == 0 && info.slices_free == 8 && info.memory_used == 0);
	ctx = new_context(dev, ACCEL_MEDIUM);
	CU_ASSERT(*(uint64_t *)accel_buffer_map(new_buffer(ctx, 1 << 20, ACCEL_DEVICE)) == 0);
	OK(accel_context_destroy(ctx));
	works(dev);
	OK(accel_device_close(dev));
}

static void make_hang(accel_device *dev)
{
	inside(dev)->admin.timeout_ns = 100000000;
	ncasim_inject(inside(dev)->hw, NCASIM_HANG);
}

static void hang(void)
{
	recovers(make_hang, -EIO);
}

static void make_fatal(accel_device *dev)
{
	struct nca_admin_cmd cmd = {
		.opcode = NCA_ADMIN_INJECT, .inject = { .what = NCA_INJECT_FATAL, .arg = 5 },
	};

	inside(dev)->admin.timeout_ns = 100000000;
	sim_admin_simple(inside(dev), &cmd, "injecting a fatal error");
}

static void fatal(void)
{
	recovers(make_fatal, -EIO);
}

/* Gone for good: calls end with an error, and closing works. */
static void vanish(void)
{
	accel_device *dev = open_sim("sim:nca1");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM), *more;
	accel_queue *q = new_queue(ctx, 8);
	struct accel_completion c;
	int r = 0;

	new_buffer(ctx, 1 << 20, ACCEL_DEVICE);
	OK(accel_queue_nop(q, 1));
	inside(dev)->admin.timeout_ns = 100000000;
	ncasim_inject(inside(dev)->hw, NCASIM_VANISH);
	RET(1, accel_queue_submit(q));
	RET(-ETIME, accel_queue_wait(q, &c, 1, 20000000));
	RET(-EIO, accel_context_create(dev, NULL, &more));
	while (!r)
		r = accel_queue_wait(q, &c, 1, LONG_NS);
	CU_ASSERT(r == 1 && c.cookie == 1 && c.error == -ESTALE);
	RET(-ESTALE, accel_queue_wait(q, &c, 1, LONG_NS));
	OK(accel_context_destroy(ctx));
	OK(accel_device_close(dev));
}

void suite_sick(void)
{
	CU_pSuite s = add_suite("sick");

	add_test(s, "hang", hang);
	add_test(s, "fatal", fatal);
	add_test(s, "vanish", vanish);
}
