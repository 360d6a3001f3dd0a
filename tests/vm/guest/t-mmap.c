// SPDX-License-Identifier: MIT
/*
 * What a process can try with the mappings the driver hands out: more rights than were given,
 * more pages than there are, keeping them over fork, unmap and death of the object. No SIGBUS, no
 * SIGSEGV where a mapping exists, no effect on anybody's next queue.
 */
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dev.h"
#include "tap.h"

#define LIMIT_MS	20000

static sigjmp_buf jump;
static volatile sig_atomic_t caught;

static void on_fault(int sig)
{
	caught = sig;
	siglongjmp(jump, 1);
}

/* 0, or the signal that touching the page gave. */
static int touch(volatile uint32_t *p, bool write)
{
	struct sigaction sa = { .sa_handler = on_fault }, bus, segv;

	sigaction(SIGBUS, &sa, &bus);
	sigaction(SIGSEGV, &sa, &segv);
	caught = 0;
	if (!sigsetjmp(jump, 1)) {
		uint32_t v = *p;

		if (write)
			*p = v;
	}
	sigaction(SIGBUS, &bus, NULL);
	sigaction(SIGSEGV, &segv, NULL);
	return caught;
}

static void *try_map(int fd, uint64_t offset, uint64_t len, int prot, int flags)
{
	void *p = mmap(NULL, len, prot, flags, fd, offset);

	return p == MAP_FAILED ? NULL : p;
}

static bool works(struct queue *q, uint64_t cookie)
{
	struct nca_cqe cqe = { 0 };
	int err;

	queue_nop(q, cookie);
	queue_submit(q);
	err = queue_spin(q, &cqe, LIMIT_MS);
	errno = -err;
	return !err && cqe.cookie == cookie && cqe.status == NCA_CQE_OK;
}

static void test_status(struct ctx *ctx)
{
	uint64_t off = ctx->c.status_offset;
	void *p;

	CHECK(!try_map(ctx->fd, off, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED), "status: not writable");
	CHECK(!try_map(ctx->fd, off, PAGE, PROT_WRITE, MAP_SHARED), "status: not write-only either");
	CHECK(!try_map(ctx->fd, off, 2 * PAGE, PROT_READ, MAP_SHARED), "status: one page only");
	p = try_map(ctx->fd, off, PAGE, PROT_READ, MAP_SHARED);
	CHECK(p && touch(p, false) == 0, "status: readable");
	CHECK(p && mprotect(p, PAGE, PROT_READ | PROT_WRITE) < 0, "status: mprotect does not make it writable");
	CHECK(p && mprotect(p, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) < 0, "status: nor writable and executable");
	CHECK(p && mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED, "status: mremap does not enlarge it");
	CHECK(p && touch(p, true) == SIGSEGV, "status: a store is refused");
	if (p)
		munmap(p, PAGE);
	/* A private mapping may be refused; if not, its copy must not reach the kernel's page. */
	p = try_map(ctx->fd, off, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	if (p && touch(p, true) == 0)
		((volatile struct nca_status_page *)p)->state = 0x55;
	CHECK(ctx_state(ctx) == NCA_CTX_RUNNING, "status: a private mapping does not change it");
	if (p)
		munmap(p, PAGE);
}

static void test_page(struct queue *q, uint64_t off, const char *name)
{
	int fd = q->ctx->fd;
	void *p, *moved;

	CHECK(!try_map(fd, off, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE), "%s: not private", name);
	CHECK(!try_map(fd, off, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED), "%s: one page only", name);
	CHECK(!try_map(fd, off, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED), "%s: nor many", name);
	p = try_map(fd, off, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	CHECK(p && touch(p, false) == 0, "%s: can be mapped a second time", name);
	if (!p)
		return;
	CHECK(mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED, "%s: mremap does not enlarge it", name);
	moved = mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		       mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	if (moved != MAP_FAILED)
		p = moved;
	CHECK(touch(p, false) == 0, "%s: moved by mremap it is still there", name);
	/* An mremap of size 0 duplicates a shared mapping. */
	moved = mremap(p, 0, PAGE, MREMAP_MAYMOVE);
	CHECK(moved == MAP_FAILED || touch(moved, false) == 0, "%s: a duplicate is refused or works", name);
	if (moved != MAP_FAILED)
		munmap(moved, PAGE);
	CHECK(mprotect(p, PAGE, PROT_NONE) == 0 && touch(p, false) == SIGSEGV, "%s: rights can be given up", name);
	mprotect(p, PAGE, PROT_READ | PROT_WRITE);
	CHECK(touch(p, false) == 0, "%s: and taken back", name);
	madvise(p, PAGE, MADV_DONTNEED);
	CHECK(touch(p, false) == 0, "%s: survives MADV_DONTNEED", name);
	CHECK(madvise(p, PAGE, MADV_DOFORK) != 0, "%s: cannot be made to survive fork", name);
	munmap(p, PAGE);
}

static void test_ring(struct queue *q)
{
	uint64_t off = q->c.ring_offset, len = q->c.ring_size;
	int fd = q->ctx->fd;
	char *p;

	CHECK(!try_map(fd, off, len + PAGE, PROT_READ | PROT_WRITE, MAP_SHARED), "ring: not beyond its end");
	p = try_map(fd, off, len, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	if (p) {
		memset(p, 0xee, len);
		munmap(p, len);
	}
	CHECK(works(q, 1), "ring: a private mapping is refused or harmless");
	p = try_map(fd, off, len, PROT_READ | PROT_WRITE, MAP_SHARED);
	CHECK(p != NULL, "ring: can be mapped a second time");
	if (!p)
		return;
	CHECK(mremap(p, len, len + PAGE, MREMAP_MAYMOVE) == MAP_FAILED, "ring: mremap does not enlarge it");
	CHECK(munmap(p, PAGE) == 0 && touch((void *)(p + PAGE), true) == 0, "ring: part of it can be unmapped");
	CHECK(mprotect(p + PAGE, PAGE, PROT_READ) == 0 && touch((void *)(p + PAGE), true) == SIGSEGV,
	      "ring: rights can be given up");
	munmap(p + PAGE, len - PAGE);
	CHECK(works(q, 2), "ring: the first mapping still works");
}

static void test_fork(struct queue *q)
{
	volatile uint32_t *const page[] = { q->ring, (volatile uint32_t *)q->db, q->kick };
	static const char *const name[] = { "ring", "doorbell", "kick page" };
	int status;
	pid_t pid;

	for (int i = 0; i < 3; i++) {
		pid = fork();
		if (!pid)
			_exit(touch(page[i], false) == SIGSEGV ? 0 : 1);
		waitpid(pid, &status, 0);
		CHECK(status == 0, "fork: the %s is not inherited", name[i]);
	}
	CHECK(works(q, 3), "fork: the parent's queue works");
}

/* Mappings outlive their object, show nothing of it, and do not reach its successor. */
static void test_revoked(int fd)
{
	struct queue q, next;
	struct ctx ctx;
	bool silent = true;
	struct bo bo;

	NEED_OK(ctx_create(fd, 1, &ctx), "a context");
	NEED_OK(bo_make(&ctx, 4 * PAGE, DRM_NCA_BO_DEVICE, &bo), "device memory");
	NEED_OK(queue_create(&ctx, 4, 4, &q), "a queue");
	CHECK(works(&q, 4), "revoked: the queue works");
	struct drm_nca_queue_destroy d = { .queue = q.c.queue };

	CHECK_OK(dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_DESTROY, &d), "revoked: queue-destroy, still mapped");
	CHECK(touch((void *)q.db, true) == 0 && touch(q.kick, true) == 0, "revoked: doorbell and kick page do not fault");
	CHECK(touch(q.ring, true) == 0, "revoked: the ring does not fault");
	CHECK(!try_map(fd, q.c.doorbell_offset, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED),
	      "revoked: the doorbell cannot be mapped again");
	NEED_OK(queue_create(&ctx, 4, 4, &next), "the next queue");
	for (int i = 0; i < 1000; i++) {
		q.db->sq_tail = 0x1234 + i;
		q.db->cq_head = 0x4321 + i;
		q.kick[0] = i;
		silent &= next.db->sq_tail == 0 && next.db->cq_head == 0;
	}
	CHECK(silent, "revoked: stores to the old doorbell do not reach the next queue's");
	CHECK(works(&next, 5), "revoked: the next queue works");
	queue_unmap(&q);

	struct drm_nca_ctx_destroy cd = { .handle = ctx.c.handle };

	CHECK_OK(dev_ioctl(fd, DRM_IOCTL_NCA_CTX_DESTROY, &cd), "revoked: ctx-destroy, all still mapped");
	CHECK(ctx_state(&ctx) != NCA_CTX_RUNNING, "revoked: the status page says the context has ended");
	CHECK(touch((void *)next.db, true) == 0 && touch(next.kick, true) == 0, "revoked: doorbell pages do not fault");
	CHECK(touch(bo.map, true) == 0, "revoked: device memory does not fault");
	bo_close(&bo);
	CHECK(touch((void *)ctx.status, false) == 0, "revoked: the status page stays readable");
	queue_unmap(&next);
	munmap((void *)ctx.status, PAGE);
}

static void test_random_offsets(int fd)
{
	uint32_t seed = 4711;
	int mapped = 0;

	for (int i = 0; i < 20000; i++) {
		uint64_t off = (((uint64_t)rnd(&seed) << 32 | rnd(&seed)) >> rnd(&seed) % 60) & ~(PAGE - 1);
		void *p = try_map(fd, off & INT64_MAX, PAGE << rnd(&seed) % 4, PROT_READ, MAP_SHARED);

		if (p) {
			mapped++;
			touch(p, false);
			munmap(p, PAGE * 8);
		}
	}
	CHECK(mapped == 0, "no mmap offset works that was not given out (%d did)", mapped);
}

int main(void)
{
	int fd = dev_open(), other = dev_open();
	struct ctx ctx;
	struct queue q;

	tap_prefix = "mmap ";
	if (fd < 0 || other < 0)
		tap_bail("open " DEV_NODE);
	NEED_OK(ctx_create(fd, 1, &ctx), "a context");
	NEED_OK(queue_create(&ctx, 6, 6, &q), "a queue");
	test_status(&ctx);
	test_page(&q, q.c.doorbell_offset, "doorbell");
	test_page(&q, q.c.kick_offset, "kick");
	test_ring(&q);
	test_fork(&q);
	test_random_offsets(other);
	test_revoked(other);
	CHECK(works(&q, 6), "the first queue still works");
	queue_destroy(&q);
	ctx_destroy(&ctx);
	close(fd);
	close(other);
	return tap_done();
}
