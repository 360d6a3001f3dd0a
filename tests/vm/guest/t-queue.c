// SPDX-License-Identifier: MIT
/*
 * User queues through the driver: submission without the kernel, all ways of waiting, order and
 * contents of completions, what a fault does to its context and to nobody else, capacity.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

#include "dev.h"
#include "tap.h"

#define LIMIT_MS	20000		/* far more than anything here takes; a hang, not a measurement */

static bool complete(struct queue *q, uint64_t cookie, uint16_t status)
{
	struct nca_cqe cqe = { 0 };
	int err = queue_spin(q, &cqe, LIMIT_MS);

	if (err) {
		errno = -err;
		return false;
	}
	errno = 0;
	if (cqe.cookie != cookie || cqe.status != status)
		printf("# cookie %#llx status %u detail %#x, expected cookie %#llx status %u\n",
		       (unsigned long long)cqe.cookie, cqe.status, cqe.detail,
		       (unsigned long long)cookie, status);
	return cqe.cookie == cookie && cqe.status == status;
}

static void test_nops(struct ctx *ctx)
{
	const unsigned int total = 5000;
	unsigned int sent = 0, done = 0;
	bool good = true, monotonic = true;
	uint64_t last_ns = 0;
	struct nca_cqe cqe;
	struct queue q;

	NEED_OK(queue_create(ctx, 5, 5, &q), "a queue");
	while (done < total && good) {
		bool more = false;

		while (sent < total && queue_outstanding(&q) < 32) {
			queue_nop(&q, 0xabc00000000ull + sent++);
			more = true;
		}
		if (more)
			queue_submit(&q);
		good = !queue_spin(&q, &cqe, LIMIT_MS) && cqe.cookie == 0xabc00000000ull + done &&
		       cqe.status == NCA_CQE_OK;
		monotonic &= cqe.start_ns <= cqe.end_ns && cqe.end_ns >= last_ns;
		last_ns = cqe.end_ns;
		done++;
	}
	CHECK(good, "%u NOPs at depth 32 complete in order with their cookies", total);
	CHECK(monotonic, "their device times do not go backwards");
	CHECK(q.state->sq_head == q.tail, "the device has taken all entries");
	CHECK_OK(queue_destroy(&q), "queue-destroy");
}

static void test_data(struct ctx *ctx)
{
	const uint64_t len = 1 << 20;
	struct bo host, devm, back;
	uint32_t seed = 99, *h, *b;
	struct queue q, q2;
	uint64_t *sem;
	struct bo s;

	NEED_OK(bo_make(ctx, len, DRM_NCA_BO_HOST, &host), "host buffer");
	NEED_OK(bo_make(ctx, len, DRM_NCA_BO_DEVICE, &devm), "device buffer");
	NEED_OK(bo_make(ctx, len, DRM_NCA_BO_HOST, &back), "second host buffer");
	NEED_OK(bo_make(ctx, PAGE, DRM_NCA_BO_HOST, &s), "semaphore page");
	NEED_OK(queue_create(ctx, 6, 6, &q), "a queue");
	NEED_OK(queue_create(ctx, 6, 6, &q2), "a second queue");
	h = host.map;
	b = back.map;
	sem = s.map;
	for (uint64_t i = 0; i < len / 4; i++)
		h[i] = rnd(&seed);

	bool zero = true;
	const uint32_t *d = devm.map;

	for (uint64_t i = 0; i < len / 4; i += 256)
		zero &= d[i] == 0;
	CHECK(zero, "fresh device memory reads zero through the BAR");
	queue_copy(&q, 1, devm.va, host.va, len);
	queue_copy(&q, 2, back.va, devm.va, len);
	queue_submit(&q);
	CHECK(complete(&q, 1, NCA_CQE_OK) && complete(&q, 2, NCA_CQE_OK), "copy to device memory and back");
	CHECK(!memcmp(h, b, len), "1 MiB came back unchanged");
	CHECK(!memcmp(devm.map, h, 64 * PAGE), "and is seen through the BAR");
	*(volatile uint32_t *)devm.map = 0x600dcafe;
	queue_copy(&q, 3, back.va, devm.va, PAGE);
	queue_fill(&q, 4, back.va + PAGE, 0xa5a5a5a5, PAGE);
	queue_submit(&q);
	CHECK(complete(&q, 3, NCA_CQE_OK) && b[0] == 0x600dcafe, "a CPU store through the BAR reaches the device");
	CHECK(complete(&q, 4, NCA_CQE_OK) && b[1024] == 0xa5a5a5a5 && b[2047] == 0xa5a5a5a5 &&
	      b[2048] == h[2048], "fill writes its range and no more");

	queue_sem_wait(&q, 5, s.va, 10);
	queue_submit(&q);
	queue_sem_signal(&q2, 6, s.va, 9);
	queue_submit(&q2);
	CHECK(complete(&q2, 6, NCA_CQE_OK), "semaphore signal");
	queue_nop(&q2, 7);
	queue_submit(&q2);
	CHECK(complete(&q2, 7, NCA_CQE_OK) && queue_outstanding(&q) == 1, "a wait that is not over waits");
	struct nca_sqe *e = queue_next(&q2, NCA_SQE_SEM_SIGNAL, 8);
	e->flags = NCA_SQE_F_ADD;
	e->sem.va = s.va;
	e->sem.value = 1;
	queue_submit(&q2);
	CHECK(complete(&q2, 8, NCA_CQE_OK) && complete(&q, 5, NCA_CQE_OK) && *sem == 10,
	      "another queue's signal ends it");

	e = queue_next(&q, NCA_SQE_TIMESTAMP, 9);
	e->timestamp.va = s.va + 8;
	queue_submit(&q);
	CHECK(complete(&q, 9, NCA_CQE_OK) && sem[1] != 0, "timestamp");

	CHECK_OK(queue_destroy(&q), "queue-destroy");
	CHECK_OK(queue_destroy(&q2), "queue-destroy of the second");
	CHECK_OK(bo_unbind(&host), "unbind");
	bo_close(&host);
	bo_close(&devm);		/* still bound: the binding holds it until the context goes */
	bo_close(&back);
	bo_close(&s);
}

/* A queue of its own: no arming of earlier may still be about to fire. */
static void test_events(struct ctx *ctx)
{
	uint64_t events = 0;
	struct queue q;
	struct bo s;

	NEED_OK(bo_make(ctx, PAGE, DRM_NCA_BO_HOST, &s), "semaphore page");
	NEED_OK(queue_create(ctx, 4, 4, &q), "a queue");
	queue_sem_wait(&q, 1, s.va, 1);
	queue_submit(&q);
	CHECK_ERR(ETIME, queue_wait(&q, 0, &events), "event: none before anything was armed");
	queue_arm(&q);
	__atomic_store_n((uint64_t *)s.map, 1, __ATOMIC_RELEASE);
	CHECK(complete(&q, 1, NCA_CQE_OK), "event: the host can signal a semaphore");
	CHECK_OK(queue_wait(&q, now_ns() + LIMIT_MS * 1000000ll, &events), "event: for an armed queue");
	CHECK(events == 1, "event: one for one arming");
	events = 0;
	CHECK_OK(queue_wait(&q, 0, &events), "event: one that came before the call is seen");
	CHECK(events == 1, "event: and counted once");
	queue_nop(&q, 2);
	queue_submit(&q);
	CHECK(complete(&q, 2, NCA_CQE_OK), "event: a completion with nothing armed");
	CHECK_ERR(ETIME, queue_wait(&q, now_ns() + 50000000, &events), "event: makes none");
	CHECK_OK(queue_destroy(&q), "event: queue-destroy");
	bo_close(&s);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void test_wait(struct ctx *ctx)
{
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct itimerval every = { { 0, 5000 }, { 0, 5000 } }, never = { 0 };
	struct drm_nca_queue_eventfd e;
	uint64_t events = 0, before, count;
	struct nca_cqe cqe;
	int64_t t, end;
	struct queue q;
	struct bo s;

	NEED_OK(bo_make(ctx, PAGE, DRM_NCA_BO_HOST, &s), "semaphore page");
	NEED_OK(queue_create(ctx, 4, 4, &q), "a queue");

	CHECK_ERR(ETIME, queue_wait(&q, 0, &events), "wait: a time in the past polls");
	t = now_ns();
	CHECK_ERR(ETIME, queue_wait(&q, t + 50000000, &events), "wait: time runs out");
	CHECK(now_ns() >= t + 50000000, "wait: not before its time");

	/* Interrupted many times over, an absolute deadline stays where it is. */
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	end = now_ns() + 200000000;
	CHECK_ERR(ETIME, queue_wait(&q, end, &events), "wait: restarted by signals");
	CHECK(now_ns() >= end, "wait: and not before its time either");
	setitimer(ITIMER_REAL, &never, NULL);

	for (int i = 0; i < 100; i++) {
		bool slept = false;
		int err = 0;

		queue_nop(&q, 100 + i);
		queue_submit(&q);
		while (!queue_poll(&q, &cqe) && !err) {
			queue_arm(&q);
			if (queue_poll(&q, &cqe))
				break;
			before = events;
			err = queue_wait(&q, now_ns() + LIMIT_MS * 1000000ll, &events);
			slept = true;
			if (!err && events == before)
				err = -EPROTO;
		}
		if (err || cqe.cookie != 100u + i) {
			errno = -err;
			CHECK(false, "wait: completion %d %s", i, slept ? "after sleeping" : "");
			break;
		}
	}
	CHECK(queue_outstanding(&q) == 0, "wait: 100 completions by arming and sleeping");

	/* eventfd and poll, as an epoll loop would. */
	int ev = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct pollfd p = { .fd = ev, .events = POLLIN };

	e = (struct drm_nca_queue_eventfd){ .queue = q.c.queue, .fd = ev };
	CHECK_OK(dev_ioctl(ctx->fd, DRM_IOCTL_NCA_QUEUE_EVENTFD, &e), "eventfd: attach");
	CHECK(poll(&p, 1, 0) == 0, "eventfd: quiet while nothing happens");
	for (int i = 0; i < 100; i++) {
		queue_nop(&q, 200 + i);
		queue_submit(&q);
		while (!queue_poll(&q, &cqe)) {
			queue_arm(&q);
			if (queue_poll(&q, &cqe))
				break;
			if (poll(&p, 1, LIMIT_MS) != 1 || read(ev, &count, sizeof(count)) != 8) {
				CHECK(false, "eventfd: event %d", i);
				i = 1000;
				break;
			}
		}
	}
	CHECK(queue_outstanding(&q) == 0, "eventfd: 100 completions by poll");
	e.fd = -1;
	CHECK_OK(dev_ioctl(ctx->fd, DRM_IOCTL_NCA_QUEUE_EVENTFD, &e), "eventfd: detach");
	close(ev);

	/* The doorbell rung by the kernel. */
	struct drm_nca_queue_kick k;

	queue_nop(&q, 300);
	k = (struct drm_nca_queue_kick){ .queue = q.c.queue, .tail = q.tail };
	CHECK_OK(dev_ioctl(ctx->fd, DRM_IOCTL_NCA_QUEUE_KICK, &k), "kick: by the kernel");
	CHECK(complete(&q, 300, NCA_CQE_OK), "kick: submits");

	/* After a pause the device has gone to sleep and must be woken by a kick. */
	sleep_ms(300);
	CHECK(q.state->sleep == NCA_QUEUE_ASLEEP, "an idle device sleeps");
	queue_nop(&q, 301);
	queue_submit(&q);
	CHECK(complete(&q, 301, NCA_CQE_OK), "and is woken by a kick");
	CHECK_OK(queue_destroy(&q), "queue-destroy");
	bo_close(&s);
}

/* One context's fault ends that context, in order and with the cause, and no other. */
static void test_fault(int fd, struct ctx *good)
{
	struct nca_cqe cqe;
	struct queue q, gq;
	uint64_t events = 0;
	struct ctx bad;
	struct bo s;

	NEED_OK(ctx_create(fd, 1, &bad), "another context");
	NEED_OK(bo_make(&bad, PAGE, DRM_NCA_BO_HOST, &s), "semaphore page");
	NEED_OK(queue_create(&bad, 5, 5, &q), "a queue in it");
	NEED_OK(queue_create(good, 5, 5, &gq), "a queue in the good context");
	queue_copy(&q, 1, 0xdead0000, 0xbeef0000, 64);
	for (int i = 2; i < 8; i++)
		queue_nop(&q, i);
	queue_submit(&q);
	CHECK(complete(&q, 1, NCA_CQE_BAD_ADDRESS), "fault: a copy from nowhere");
	bool order = true;

	for (int i = 2; i < 8; i++) {
		int64_t end = now_ns() + LIMIT_MS * 1000000ll;
		bool got;

		while (!(got = queue_poll(&q, &cqe)) && now_ns() < end)
			;
		order &= got && cqe.cookie == (uint64_t)i && cqe.status == NCA_CQE_CTX_LOST;
	}
	CHECK(order, "fault: what was outstanding is reported lost, once each and in order");
	int err;

	while ((err = queue_wait(&q, now_ns() + LIMIT_MS * 1000000ll, &events)) == 0)
		;
	CHECK_ERR(EIO, err, "fault: waiting gives EIO");
	CHECK(ctx_state(&bad) == NCA_CTX_LOST && bad.status->cause == NCA_CAUSE_FAULT,
	      "fault: the status page says lost, by a fault");
	struct drm_nca_queue_create c = { .ctx = bad.c.handle, .sq_order = 4, .cq_order = 4, .core = ~0u };

	CHECK_ERR(EIO, dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_CREATE, &c), "fault: a lost context makes no queues");
	queue_nop(&gq, 5);
	queue_submit(&gq);
	CHECK(complete(&gq, 5, NCA_CQE_OK) && ctx_state(good) == NCA_CTX_RUNNING,
	      "fault: the other context notices nothing");
	queue_destroy(&gq);
	CHECK_OK(queue_destroy(&q), "fault: queue-destroy");
	CHECK_OK(ctx_destroy(&bad), "fault: ctx-destroy");

	/* Asked for by the owner. */
	struct drm_nca_ctx_abort a;

	NEED_OK(ctx_create(fd, 1, &bad), "a third context");
	NEED_OK(bo_make(&bad, PAGE, DRM_NCA_BO_HOST, &s), "semaphore page");
	NEED_OK(queue_create(&bad, 5, 5, &q), "a queue in it");
	queue_sem_wait(&q, 1, s.va, 1);
	queue_nop(&q, 2);
	queue_submit(&q);
	a = (struct drm_nca_ctx_abort){ .handle = bad.c.handle };
	CHECK_OK(dev_ioctl(fd, DRM_IOCTL_NCA_CTX_ABORT, &a), "abort");
	CHECK(ctx_state(&bad) == NCA_CTX_LOST && bad.status->cause == NCA_CAUSE_ABORT,
	      "abort: the status page says so");
	CHECK_OK(ctx_destroy(&bad), "abort: ctx-destroy with a queue still in it");
}

static void test_capacity(int fd)
{
	struct drm_nca_usage before, u;
	struct ctx ctx[9];
	int n = 0, err;

	NEED_OK(dev_usage(fd, &before), "usage");
	while (n < 9 && !(err = ctx_create(fd, 1, &ctx[n])))
		n++;
	CHECK(n == (int)before.slices_free, "capacity: as many mediums as slices are free (%u)", before.slices_free);
	CHECK_ERR(ENOSPC, err, "capacity: one more is refused");
	CHECK(n < 9 && ctx[n].c.free_slices == 0 && ctx[n].c.largest == 0, "capacity: and is told what is left");
	if (n) {
		ctx_destroy(&ctx[--n]);
		struct drm_nca_ctx_create c = { .slices = 2 };

		CHECK_ERR(ENOSPC, dev_ioctl(fd, DRM_IOCTL_NCA_CTX_CREATE, &c), "capacity: a large where one slice is free");
		CHECK(c.free_slices == 1 && c.largest == 1, "capacity: told that a medium fits");
	}
	while (n)
		ctx_destroy(&ctx[--n]);
	NEED_OK(dev_usage(fd, &u), "usage");
	CHECK(u.slices_free == before.slices_free && u.contexts == before.contexts, "capacity: all given back");
}

int main(void)
{
	struct drm_nca_usage before, after;
	int fd = dev_open();
	struct ctx ctx;

	tap_prefix = "queue ";
	if (fd < 0)
		tap_bail("open " DEV_NODE);
	NEED_OK(dev_usage(fd, &before), "usage");
	NEED_OK(ctx_create(fd, 2, &ctx), "a large context");
	test_nops(&ctx);
	test_data(&ctx);
	test_events(&ctx);
	test_wait(&ctx);
	test_fault(fd, &ctx);
	test_capacity(fd);
	CHECK_OK(ctx_destroy(&ctx), "ctx-destroy");
	NEED_OK(dev_usage(fd, &after), "usage");
	CHECK(after.contexts == before.contexts && after.queues == before.queues &&
	      after.devmem_used == before.devmem_used && after.slices_free == before.slices_free,
	      "everything was given back");
	close(fd);
	return tap_done();
}
