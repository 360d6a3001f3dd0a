// SPDX-License-Identifier: MIT
/*
 * What a fork()ed child may do with handles of its parent: be told so, and free
 * them. CUnit lives in the parent; the child reports by its exit status.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"

#define CHILD(cond)							\
	do {								\
		if (!(cond)) {						\
			fprintf(stderr, "\nchild: %s fails at line %d: %s\n", #cond, __LINE__, \
				accel_last_error());			\
			_exit(1);					\
		}							\
	} while (0)

struct handles {
	accel_device *dev;
	accel_context *ctx;
	accel_queue *q;
	accel_buffer *buf;
};

static void in_child(struct handles *h)
{
	ACCEL_INIT(struct accel_device_info, info);
	ACCEL_INIT(struct accel_context_info, cinfo);
	struct accel_completion c;
	accel_context *ctx;
	accel_buffer *buf;
	accel_queue *q;

	CHILD(accel_queue_nop(h->q, 1) == -EOWNERDEAD);
	CHILD(strstr(accel_last_error(), "before fork; open the device again"));
	CHILD(accel_queue_submit(h->q) == -EOWNERDEAD);
	CHILD(accel_queue_poll(h->q, &c, 1) == -EOWNERDEAD);
	CHILD(accel_queue_wait(h->q, &c, 1, LONG_NS) == -EOWNERDEAD);
	CHILD(accel_queue_eventfd(h->q) == -EOWNERDEAD);
	CHILD(accel_queue_arm(h->q) == -EOWNERDEAD);
	CHILD(accel_queue_submit_ioctl(h->q) == -EOWNERDEAD);
	CHILD(accel_buffer_map(h->buf) == NULL);
	CHILD(accel_buffer_create(h->ctx, 4096, ACCEL_HOST, ACCEL_READ, &buf) == -EOWNERDEAD);
	CHILD(accel_queue_create(h->ctx, NULL, &q) == -EOWNERDEAD);
	CHILD(accel_context_state(h->ctx) == -EOWNERDEAD);
	CHILD(accel_context_abort(h->ctx) == -EOWNERDEAD);
	CHILD(accel_context_info(h->ctx, &cinfo) == -EOWNERDEAD);
	CHILD(accel_context_create(h->dev, NULL, &ctx) == -EOWNERDEAD);
	CHILD(accel_device_info(h->dev, &info) == -EOWNERDEAD);
	CHILD(accel_device_reset(h->dev) == -EOWNERDEAD);

	CHILD(accel_buffer_destroy(h->buf) == 0);
	CHILD(accel_context_destroy(h->ctx) == 0);
	CHILD(accel_device_close(h->dev) == 0);

#ifndef __SANITIZE_THREAD__
	/* A device of its own works. (ThreadSanitizer cannot start threads after fork.) */
	CHILD(accel_device_open(test_device("sim"), &h->dev) == 0);
	CHILD(accel_context_create(h->dev, NULL, &ctx) == 0);
	CHILD(accel_queue_create(ctx, NULL, &q) == 0);
	CHILD(accel_queue_nop(q, 42) == 0 && accel_queue_submit(q) == 1);
	CHILD(accel_queue_wait(q, &c, 1, LONG_NS) == 1 && c.cookie == 42);
	CHILD(accel_context_destroy(ctx) == 0);
	CHILD(accel_device_close(h->dev) == 0);
#endif
	_exit(0);
}

static void child_is_told(void)
{
	struct handles h = { .dev = open_dev("sim") };
	struct accel_completion c[3];
	int status;
	pid_t pid;

	h.ctx = new_context(h.dev, ACCEL_MEDIUM);
	h.q = new_queue(h.ctx, 8);
	h.buf = new_buffer(h.ctx, 4096, ACCEL_HOST);
	OK(accel_queue_nop(h.q, 1));
	RET(1, accel_queue_submit(h.q));
	OK(accel_queue_nop(h.q, 2));
	fflush(NULL);
	pid = fork();
	CU_ASSERT_FATAL(pid >= 0);
	if (!pid)
		in_child(&h);
	CU_ASSERT(waitpid(pid, &status, 0) == pid);
	CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);

	/* The parent noticed nothing. */
	RET(1, accel_queue_submit(h.q));
	OK(accel_queue_nop(h.q, 3));
	RET(1, accel_queue_submit(h.q));
	take(h.q, c, 3);
	for (int i = 0; i < 3; i++)
		CU_ASSERT(c[i].cookie == (uint64_t)i + 1 && !c[i].error);
	memset(accel_buffer_map(h.buf), 1, 4096);
	OK(accel_context_destroy(h.ctx));
	OK(accel_device_close(h.dev));
}

void suite_fork(void)
{
	CU_pSuite s = add_suite("fork");

	add_test(s, "child is told", child_is_told);
}
