// SPDX-License-Identifier: MIT
/* The kernel's own submission ring with its emptiest command. Every completion is checked. */
#include <errno.h>
#include <string.h>

#include <liburing.h>

#include "clock.h"

#define SINGLES 200000
#define DEEP_NS 2000000000ull
#define IDLES 500

static struct io_uring ring;

static void fail(const char *what, int err)
{
	fprintf(stderr, "uring_nop: %s: %s\n", what, strerror(-err));
	exit(1);
}

static void prepare(uint64_t cookie)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (!sqe)
		fail("the ring is full", -EBUSY);
	io_uring_prep_nop(sqe);
	io_uring_sqe_set_data64(sqe, cookie);
}

static void take(uint64_t cookie)
{
	struct io_uring_cqe *cqe;
	int err = io_uring_wait_cqe(&ring, &cqe);

	if (err)
		fail("no completion", err);
	if (cqe->res || io_uring_cqe_get_data64(cqe) != cookie)
		fail("a wrong completion", cqe->res ? cqe->res : -EIO);
	io_uring_cqe_seen(&ring, cqe);
}

static void singles(const char *name, size_t n, long pause)
{
	uint64_t *ns = malloc(n * sizeof(*ns));

	if (!ns)
		fail("no memory", -ENOMEM);
	for (size_t i = 0; i < n; i++) {
		uint64_t start;
		int err;

		if (pause)
			idle_ns(pause);
		start = now_ns();
		prepare(i);
		err = io_uring_submit(&ring);
		if (err != 1)
			fail("submit", err);
		take(i);
		ns[i] = now_ns() - start;
	}
	print_latency(name, ns, n);
	free(ns);
}

static void deep(const char *name, unsigned int depth)
{
	uint64_t start = now_ns(), end, sent = 0, got = 0;

	do {
		for (unsigned int i = 0; i < depth; i++)
			prepare(sent++);
		if (io_uring_submit(&ring) != (int)depth)
			fail("submit", -EIO);
		for (unsigned int i = 0; i < depth; i++)
			take(got++);
		end = now_ns();
	} while (end - start < DEEP_NS);
	print_rate(name, got, end - start);
}

int main(void)
{
	int err = io_uring_queue_init(256, &ring, 0);

	if (err)
		fail("cannot create a ring", err);
	singles("uring-depth1", SINGLES, 0);
	deep("uring-depth32", 32);
	deep("uring-depth128", 128);
	singles("uring-idle", IDLES, 2000000);
	io_uring_queue_exit(&ring);
	return 0;
}
