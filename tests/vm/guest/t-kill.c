// SPDX-License-Identifier: MIT
/*
 * Processes killed with work outstanding, twenty times over, in different situations. Each time
 * everything they had has to be back within a second, and a neighbour that checks every byte it
 * moves must not notice.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dev.h"
#include "stall.h"
#include "tap.h"

#define KILLS		20
#define BACK_NS		1000000000ll	/* of a machine that runs; and four times that in any case */
#define LEN		(64 * PAGE)

/* Written by the children, read by the parent; lies in shared memory. */
struct shared {
	_Atomic uint32_t ready;		/* of the victim: number of its situation + 1 */
	_Atomic uint32_t outstanding;
	_Atomic uint32_t stop;		/* for the neighbour */
	_Atomic uint32_t rounds;
	_Atomic uint32_t wrong;
};

static struct shared *sh;

static void neighbour(void)
{
	int fd = dev_open();
	struct bo src, dst;
	struct nca_cqe cqe;
	struct ctx ctx;
	struct queue q;
	uint32_t seed = 1;

	tap_prefix = "kill neighbour: ";
	if (fd < 0)
		tap_bail("open");
	NEED_OK(ctx_create(fd, 1, &ctx), "a context");
	NEED_OK(bo_make(&ctx, LEN, DRM_NCA_BO_HOST, &src), "a buffer");
	NEED_OK(bo_make(&ctx, LEN, DRM_NCA_BO_DEVICE, &dst), "device memory");
	NEED_OK(queue_create(&ctx, 4, 4, &q), "a queue");
	while (!sh->stop) {
		uint32_t *w = src.map;

		for (unsigned int i = 0; i < LEN / 4; i++)
			w[i] = rnd(&seed);
		queue_copy(&q, sh->rounds, dst.va, src.va, LEN);
		queue_submit(&q);
		if (queue_spin(&q, &cqe, 10000) || cqe.status != NCA_CQE_OK ||
		    cqe.cookie != sh->rounds || memcmp(src.map, dst.map, LEN))
			sh->wrong++;
		sh->rounds++;
	}
	_exit(sh->wrong ? 1 : 0);
}

static void *sleeper(void *arg)
{
	uint64_t events = 0;

	for (;;)
		queue_wait(arg, INT64_MAX, &events);
	return NULL;
}

static void *churn(void *arg)
{
	struct ctx *ctx = arg;
	struct bo bo;

	for (;;) {
		if (bo_make(ctx, LEN, DRM_NCA_BO_HOST, &bo) == 0) {
			bo_unbind(&bo);
			bo_close(&bo);
		}
	}
	return NULL;
}

/* Holds a large context with three queues and some memory, and never comes to an end. */
static void victim(unsigned int situation)
{
	int fd = dev_open();
	struct queue blocked, busy, idle;
	struct bo host, devm, sem;
	struct nca_cqe cqe;
	pthread_t thread;
	struct ctx ctx;

	tap_prefix = "kill victim: ";
	if (fd < 0)
		tap_bail("open");
	NEED_OK(ctx_create(fd, 2, &ctx), "a context");
	NEED_OK(bo_make(&ctx, 256 * PAGE, DRM_NCA_BO_HOST, &host), "a buffer");
	NEED_OK(bo_make(&ctx, 4096 * PAGE, DRM_NCA_BO_DEVICE, &devm), "device memory");
	NEED_OK(bo_make(&ctx, PAGE, DRM_NCA_BO_HOST, &sem), "a semaphore page");
	NEED_OK(queue_create(&ctx, 5, 5, &blocked), "a queue");
	NEED_OK(queue_create(&ctx, 5, 5, &busy), "a queue");
	NEED_OK(queue_create(&ctx, 8, 8, &idle), "a queue");

	/* What waits for a semaphore that nobody signals is outstanding at any later moment. */
	queue_sem_wait(&blocked, 1, sem.va, 1);
	for (int i = 0; i < 7; i++)
		queue_nop(&blocked, 2 + i);
	queue_submit(&blocked);
	switch (situation % 4) {
	case 1:
		pthread_create(&thread, NULL, sleeper, &blocked);
		break;
	case 2:
		pthread_create(&thread, NULL, churn, &ctx);
		break;
	case 3:			/* buffers closed, their bindings are all that is left */
		bo_close(&host);
		bo_close(&devm);
		break;
	}
	for (uint64_t n = 0;; n++) {
		while (queue_outstanding(&busy) < 16) {
			queue_copy(&busy, n, devm.va + n % 15 * 256 * PAGE, host.va, 256 * PAGE);
			queue_submit(&busy);
		}
		sh->outstanding = queue_outstanding(&blocked) + queue_outstanding(&busy);
		sh->ready = situation + 1;
		while (queue_poll(&busy, &cqe))
			;
	}
}

/* What the driver and the device count, apart from what a neighbour changes all the time. */
static bool same(const struct drm_nca_usage *a, const struct drm_nca_usage *b)
{
	return a->slices_free == b->slices_free && a->slices_largest == b->slices_largest &&
	       a->contexts == b->contexts && a->queues == b->queues &&
	       a->devmem_used == b->devmem_used && a->devmem_reclaiming == b->devmem_reclaiming &&
	       a->host_pinned == b->host_pinned &&
	       a->contexts_reclaiming == b->contexts_reclaiming && a->state == b->state;
}

static void kill_one(int fd, unsigned int n, int64_t *worst)
{
	struct drm_nca_usage before, after;
	uint32_t outstanding, rounds, seed = n + 1;
	int64_t start, took, stalled;
	int status;
	pid_t pid;

	NEED_OK(dev_usage(fd, &before), "usage");
	sh->ready = 0;
	pid = fork();
	if (!pid)
		victim(n);
	start = now_ns();
	while (sh->ready != n + 1) {
		if (waitpid(pid, &status, WNOHANG) == pid || now_ns() - start > 20 * BACK_NS)
			tap_bail("victim %u did not come up", n);
		sleep_ms(1);
	}
	sleep_ms(rnd(&seed) % 8);
	stalled = stall_ns();
	kill(pid, SIGKILL);
	start = now_ns();
	waitpid(pid, &status, 0);
	outstanding = sh->outstanding;
	do {
		NEED_OK(dev_usage(fd, &after), "usage");
		took = now_ns() - start - (stall_ns() - stalled);
	} while (!same(&before, &after) && took < BACK_NS && now_ns() - start < 4 * BACK_NS);
	printf("# kill %u: %u commands outstanding, all back after %.1f ms", n + 1, outstanding, took / 1e6);
	stalled = stall_ns() - stalled;
	if (stalled)
		printf(", not counting %.0f in which the machine stood still", stalled / 1e6);
	printf("\n");
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%u: died of it", n + 1);
	CHECK(outstanding > 0, "%u: %u commands were outstanding", n + 1, outstanding);
	errno = 0;
	if (!CHECK(same(&before, &after), "%u: all is back within a second", n + 1))
		printf("# before/after: slices %u/%u contexts %u/%u queues %u/%u devmem %llu/%llu pinned %llu/%llu reclaiming %u/%u state %u/%u\n",
		       before.slices_free, after.slices_free, before.contexts, after.contexts,
		       before.queues, after.queues, (unsigned long long)before.devmem_used,
		       (unsigned long long)after.devmem_used, (unsigned long long)before.host_pinned,
		       (unsigned long long)after.host_pinned, before.contexts_reclaiming,
		       after.contexts_reclaiming, before.state, after.state);
	if (took > *worst)
		*worst = took;
	rounds = sh->rounds;
	start = now_ns();
	while (sh->rounds < rounds + 2 && now_ns() - start < 10 * BACK_NS)
		sleep_ms(1);
	CHECK(sh->rounds >= rounds + 2 && !sh->wrong, "%u: the neighbour goes on, undisturbed", n + 1);
}

int main(void)
{
	struct drm_nca_usage before, after;
	int fd = dev_open(), status;
	int64_t worst = 0, end;
	pid_t pid;

	tap_prefix = "kill ";
	if (fd < 0)
		tap_bail("open " DEV_NODE);
	sh = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	NEED_OK(dev_usage(fd, &before), "usage");
	pid = fork();
	if (!pid)
		neighbour();
	/* After the fork: not in the neighbour. */
	stall_start();
	end = now_ns() + 20 * BACK_NS;
	while (sh->rounds < 3 && now_ns() < end)
		sleep_ms(1);
	for (unsigned int n = 0; n < KILLS; n++)
		kill_one(fd, n, &worst);
	sh->stop = 1;
	waitpid(pid, &status, 0);
	CHECK(status == 0 && sh->wrong == 0, "the neighbour moved %u buffers, all right", sh->rounds);
	end = now_ns() + BACK_NS;
	do {
		NEED_OK(dev_usage(fd, &after), "usage");
	} while (!same(&before, &after) && now_ns() < end);
	CHECK(same(&before, &after), "all as at the start; longest wait %.1f ms", worst / 1e6);
	close(fd);
	return tap_done();
}
