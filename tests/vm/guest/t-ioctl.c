// SPDX-License-Identifier: MIT
/*
 * Every way in which an ioctl has to refuse its arguments, one result per failure: undefined
 * flags, nonzero pads, handles that do not exist or belong to another open file, numbers that
 * overflow, structures that are shorter or longer than the kernel's.
 */
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dev.h"
#include "tap.h"

#define BOGUS		0x7f00ffu		/* a handle nobody was given */

static struct drm_nca_device_info info;

/* Some limits may be found by more than one check; any of the named ones is a fair answer. */
static void check_any(int err, const int *want, const char *what)
{
	bool good = false;

	for (; *want; want++)
		good |= err == -*want;
	errno = -err;
	CHECK(good, "%s", what);
}
#define CHECK_ANY(err, what, ...) check_any(err, (const int[]){ __VA_ARGS__, 0 }, what)

static void test_query(int fd)
{
	struct drm_nca_query q = { .query = 99, .size = 0 };
	char *edge = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *last = edge + PAGE - 16;

	CHECK_ERR(EINVAL, dev_ioctl(fd, DRM_IOCTL_NCA_QUERY, &q), "query: unknown kind");
	q = (struct drm_nca_query){ .query = ~0u };
	CHECK_ERR(EINVAL, dev_ioctl(fd, DRM_IOCTL_NCA_QUERY, &q), "query: kind 0xffffffff");
	q = (struct drm_nca_query){ .query = DRM_NCA_QUERY_DEVICE };
	CHECK_OK(dev_ioctl(fd, DRM_IOCTL_NCA_QUERY, &q), "query: size 0 asks for the size");
	CHECK(q.size == sizeof(info), "query: device answer is %zu bytes", sizeof(info));
	q = (struct drm_nca_query){ .query = DRM_NCA_QUERY_DEVICE, .size = sizeof(info), .data = 16 };
	CHECK_ERR(EFAULT, dev_ioctl(fd, DRM_IOCTL_NCA_QUERY, &q), "query: bad pointer");
	q.data = 0xffffffffffff0000ull;
	CHECK_ERR(EFAULT, dev_ioctl(fd, DRM_IOCTL_NCA_QUERY, &q), "query: kernel pointer");

	/* A short buffer at the end of a mapping: not a byte more may be written. */
	mprotect(edge + PAGE, PAGE, PROT_NONE);
	for (unsigned int kind = DRM_NCA_QUERY_DEVICE; kind <= DRM_NCA_QUERY_FAULTS; kind++) {
		memset(last, 0x5a, 16);
		q = (struct drm_nca_query){ .query = kind, .size = 12, .data = (uintptr_t)last };
		CHECK_OK(dev_ioctl(fd, DRM_IOCTL_NCA_QUERY, &q), "query: kind %u into a short buffer", kind);
		CHECK(!memcmp(last + 12, "ZZZZ", 4), "query: kind %u does not write past it", kind);
	}
	munmap(edge, 2 * PAGE);
	CHECK_OK(dev_info(fd, &info), "query: device");
}

static int ctx_new(int fd, uint32_t slices, uint32_t flags, uint64_t quota)
{
	struct drm_nca_ctx_create c = { .slices = slices, .flags = flags, .devmem_quota = quota };

	return dev_ioctl(fd, DRM_IOCTL_NCA_CTX_CREATE, &c);
}

static void test_ctx(int fd)
{
	static const uint32_t bad_slices[] = { 0, 3, 5, 6, 7, 9, 16, 0x10001, ~0u };
	struct drm_nca_ctx_destroy d = { .handle = BOGUS };
	struct drm_nca_ctx_abort a = { .handle = BOGUS };
	struct ctx ctx;

	for (size_t i = 0; i < sizeof(bad_slices) / sizeof(*bad_slices); i++)
		CHECK_ERR(EINVAL, ctx_new(fd, bad_slices[i], 0, 0), "ctx-create: %u slices", bad_slices[i]);
	for (unsigned int bit = 1; bit < 32; bit++)
		if (ctx_new(fd, 1, 1u << bit, 0) != -EINVAL)
			CHECK(false, "ctx-create: flag bit %u", bit);
	CHECK_ERR(EINVAL, ctx_new(fd, 1, 0x80000000u, 0), "ctx-create: undefined flags");
	CHECK_ANY(ctx_new(fd, 1, 0, ~0ull), "ctx-create: quota of 2^64 - 1", EINVAL, ENOSPC);
	CHECK_ANY(ctx_new(fd, 1, 0, info.devmem_size + PAGE), "ctx-create: quota above the device's memory",
		  EINVAL, ENOSPC);

	CHECK_ERR(ENOENT, dev_ioctl(fd, DRM_IOCTL_NCA_CTX_DESTROY, &d), "ctx-destroy: unknown handle");
	CHECK_ERR(ENOENT, dev_ioctl(fd, DRM_IOCTL_NCA_CTX_ABORT, &a), "ctx-abort: unknown handle");
	d.handle = a.handle = 0;
	CHECK_ERR(ENOENT, dev_ioctl(fd, DRM_IOCTL_NCA_CTX_DESTROY, &d), "ctx-destroy: handle 0");
	CHECK_ERR(ENOENT, dev_ioctl(fd, DRM_IOCTL_NCA_CTX_ABORT, &a), "ctx-abort: handle 0");

	NEED_OK(ctx_create(fd, 1, &ctx), "ctx-create");
	d = (struct drm_nca_ctx_destroy){ .handle = ctx.c.handle, .pad = 1 };
	CHECK_ERR(EINVAL, dev_ioctl(fd, DRM_IOCTL_NCA_CTX_DESTROY, &d), "ctx-destroy: pad");
	a = (struct drm_nca_ctx_abort){ .handle = ctx.c.handle, .pad = 1u << 31 };
	CHECK_ERR(EINVAL, dev_ioctl(fd, DRM_IOCTL_NCA_CTX_ABORT, &a), "ctx-abort: pad");
	CHECK(ctx_state(&ctx) == NCA_CTX_RUNNING, "ctx: refused calls changed nothing");
	CHECK_OK(ctx_destroy(&ctx), "ctx-destroy");
	d = (struct drm_nca_ctx_destroy){ .handle = ctx.c.handle };
	CHECK_ERR(ENOENT, dev_ioctl(fd, DRM_IOCTL_NCA_CTX_DESTROY, &d), "ctx-destroy: a second time");
}

static int bo_new(int fd, uint64_t size, uint32_t placement, uint32_t ctx, uint32_t flags)
{
	struct drm_nca_bo_create c = {
		.size = size, .placement = placement, .ctx = ctx, .flags = flags,
	};
	int err = dev_ioctl(fd, DRM_IOCTL_NCA_BO_CREATE, &c);

	if (!err)
		gem_close(fd, c.handle);
	return err;
}

static void test_bo(struct ctx *ctx)
{
	struct drm_nca_bo_info i = { .handle = BOGUS };
	uint32_t h = ctx->c.handle;
	int fd = ctx->fd;

	CHECK_ERR(EINVAL, bo_new(fd, 0, DRM_NCA_BO_HOST, 0, 0), "bo-create: host, size 0");
	CHECK_ERR(EINVAL, bo_new(fd, 0, DRM_NCA_BO_DEVICE, h, 0), "bo-create: device, size 0");
	CHECK_ANY(bo_new(fd, ~0ull, DRM_NCA_BO_HOST, 0, 0), "bo-create: host, size overflows when rounded",
		  EINVAL, ENOMEM, EOVERFLOW, E2BIG);
	CHECK_ANY(bo_new(fd, ~0ull, DRM_NCA_BO_DEVICE, h, 0), "bo-create: device, size overflows when rounded",
		  EINVAL, ENOSPC, EOVERFLOW, E2BIG);
	CHECK_ANY(bo_new(fd, 1ull << 62, DRM_NCA_BO_HOST, 0, 0), "bo-create: host, 4 EiB",
		  EINVAL, ENOMEM, ENOSPC, E2BIG, EDQUOT, EOVERFLOW);
	CHECK_ANY(bo_new(fd, 1ull << 62, DRM_NCA_BO_DEVICE, h, 0), "bo-create: device, 4 EiB",
		  EINVAL, ENOSPC, E2BIG, EOVERFLOW);
	CHECK_ERR(ENOSPC, bo_new(fd, ctx->c.devmem_quota + PAGE, DRM_NCA_BO_DEVICE, h, 0),
		  "bo-create: device, a page above the quota");
	CHECK_ERR(EINVAL, bo_new(fd, PAGE, 2, 0, 0), "bo-create: unknown placement");
	CHECK_ERR(EINVAL, bo_new(fd, PAGE, ~0u, 0, 0), "bo-create: placement 0xffffffff");
	CHECK_ERR(EINVAL, bo_new(fd, PAGE, DRM_NCA_BO_HOST, 0, 1), "bo-create: flags");
	CHECK_ERR(EINVAL, bo_new(fd, PAGE, DRM_NCA_BO_HOST, h, 0), "bo-create: host memory charged to a context");
	CHECK_ERR(ENOENT, bo_new(fd, PAGE, DRM_NCA_BO_DEVICE, 0, 0), "bo-create: device memory of nobody");
	CHECK_ERR(ENOENT, bo_new(fd, PAGE, DRM_NCA_BO_DEVICE, BOGUS, 0), "bo-create: unknown context");
	CHECK_ERR(ENOENT, dev_ioctl(fd, DRM_IOCTL_NCA_BO_INFO, &i), "bo-info: unknown handle");
	i.handle = 0;
	CHECK_ERR(ENOENT, dev_ioctl(fd, DRM_IOCTL_NCA_BO_INFO, &i), "bo-info: handle 0");
}

static int bind(int fd, const struct drm_nca_bind *from)
{
	struct drm_nca_bind b = *from;

	return dev_ioctl(fd, DRM_IOCTL_NCA_BIND, &b);
}

static void test_bind(struct ctx *ctx)
{
	struct drm_nca_bind b, good;
	struct drm_nca_unbind u, gone;
	int fd = ctx->fd;
	struct bo bo;

	NEED_OK(bo_create(ctx, 8 * PAGE, DRM_NCA_BO_HOST, &bo), "bo-create");
	good = (struct drm_nca_bind){
		.ctx = ctx->c.handle, .bo = bo.handle, .va = 0x40000000, .size = 4 * PAGE,
		.flags = DRM_NCA_BIND_READ | DRM_NCA_BIND_WRITE,
	};
#define BAD_BIND(want, what, ...) ({ b = good; __VA_ARGS__; CHECK_ERR(want, bind(fd, &b), "bind: " what); })
	BAD_BIND(ENOENT, "unknown context", b.ctx = BOGUS);
	BAD_BIND(ENOENT, "context 0", b.ctx = 0);
	BAD_BIND(ENOENT, "unknown buffer", b.bo = BOGUS);
	BAD_BIND(ENOENT, "buffer 0", b.bo = 0);
	BAD_BIND(EINVAL, "unaligned address", b.va++);
	BAD_BIND(EINVAL, "address below the range", b.va = 0);
	BAD_BIND(EINVAL, "address at the end of the range", b.va = info.va_end);
	BAD_BIND(EINVAL, "runs over the end of the range", b.va = info.va_end - PAGE);
	BAD_BIND(EINVAL, "address plus size overflows", b.va = -2 * PAGE);
	BAD_BIND(EINVAL, "unaligned offset", b.offset = 8);
	BAD_BIND(EINVAL, "offset at the buffer's end", b.offset = 8 * PAGE);
	BAD_BIND(EINVAL, "runs over the buffer's end", b.offset = 5 * PAGE);
	BAD_BIND(EINVAL, "offset plus size overflows", b.offset = -4 * PAGE);
	BAD_BIND(EINVAL, "size 0", b.size = 0);
	BAD_BIND(EINVAL, "unaligned size", b.size--);
	BAD_BIND(EINVAL, "size above the buffer's", b.size = 9 * PAGE);
	BAD_BIND(EINVAL, "size of nearly 2^64", b.size = -PAGE);
	BAD_BIND(EINVAL, "no access at all", b.flags = 0);
	BAD_BIND(EINVAL, "undefined flags", b.flags = 4 | DRM_NCA_BIND_READ);
	BAD_BIND(EINVAL, "pad", b.pad = 1);

	CHECK_OK(bind(fd, &good), "bind");
	b = good;
	CHECK_ANY(bind(fd, &b), "bind: the same range again", EEXIST, EBUSY);
	b.va += 3 * PAGE;
	CHECK_ANY(bind(fd, &b), "bind: overlaps the end of another", EEXIST, EBUSY);
	b.va = good.va - 3 * PAGE;
	CHECK_ANY(bind(fd, &b), "bind: overlaps the start of another", EEXIST, EBUSY);

	gone = (struct drm_nca_unbind){ .ctx = ctx->c.handle, .va = good.va, .size = good.size };
#define BAD_UNBIND(what, want, ...) ({ u = gone; __VA_ARGS__;					\
	CHECK_ERR(want, dev_ioctl(fd, DRM_IOCTL_NCA_UNBIND, &u), "unbind: " what); })
	BAD_UNBIND("unknown context", ENOENT, u.ctx = BOGUS);
	BAD_UNBIND("pad", EINVAL, u.pad = 1);
	BAD_UNBIND("nothing is bound there", ENOENT, u.va += 0x100000);
	u = gone;
	u.size -= PAGE;
	CHECK_ANY(dev_ioctl(fd, DRM_IOCTL_NCA_UNBIND, &u), "unbind: part of a binding", ENOENT, EINVAL);
	u = gone;
	u.va += PAGE;
	u.size -= PAGE;
	CHECK_ANY(dev_ioctl(fd, DRM_IOCTL_NCA_UNBIND, &u), "unbind: the end of a binding", ENOENT, EINVAL);
	CHECK_OK(dev_ioctl(fd, DRM_IOCTL_NCA_UNBIND, &gone), "unbind");
	CHECK_ERR(ENOENT, dev_ioctl(fd, DRM_IOCTL_NCA_UNBIND, &gone), "unbind: a second time");
	gem_close(fd, bo.handle);
}

static int queue_new(int fd, const struct drm_nca_queue_create *from)
{
	struct drm_nca_queue_create c = *from;

	return dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_CREATE, &c);
}

static void test_queue(struct ctx *ctx)
{
	struct drm_nca_queue_create good = {
		.ctx = ctx->c.handle, .sq_order = 4, .cq_order = 5, .core = ~0u,
	}, c;
	uint32_t other_core = 0;
	int fd = ctx->fd, plain = open("/dev/null", O_RDWR | O_CLOEXEC), ev = eventfd(0, EFD_CLOEXEC);
	uint64_t events = 0;
	struct queue q;

#define BAD_QUEUE(want, what, ...) ({ c = good; __VA_ARGS__;						\
	CHECK_ERR(want, queue_new(fd, &c), "queue-create: " what); })
	BAD_QUEUE(ENOENT, "unknown context", c.ctx = BOGUS);
	BAD_QUEUE(ENOENT, "context 0", c.ctx = 0);
	BAD_QUEUE(EINVAL, "submission ring of 2^0 entries", c.sq_order = 0);
	BAD_QUEUE(EINVAL, "submission ring of 2^2 entries", c.sq_order = 2);
	BAD_QUEUE(EINVAL, "rings too large", c.sq_order = c.cq_order = info.max_queue_order + 1);
	BAD_QUEUE(EINVAL, "submission ring of 2^64 entries", c.sq_order = c.cq_order = 64);
	BAD_QUEUE(EINVAL, "order 65535", c.sq_order = c.cq_order = 65535);
	BAD_QUEUE(EINVAL, "completion ring too large", c.cq_order = info.max_queue_order + 1);
	BAD_QUEUE(EINVAL, "completion ring smaller than submission ring", c.cq_order = 3);
	BAD_QUEUE(EINVAL, "flags", c.flags = 1);
	BAD_QUEUE(EINVAL, "pad", c.pad = 1);
	BAD_QUEUE(EINVAL, "a core the device does not have", c.core = info.cores);
	BAD_QUEUE(EINVAL, "core 31", c.core = 31);
	BAD_QUEUE(EINVAL, "core 32", c.core = 32);
	BAD_QUEUE(EINVAL, "core 0xfffffffe", c.core = ~1u);
	while (ctx->c.core_mask & (1u << other_core))
		other_core++;
	if (other_core < info.cores)
		BAD_QUEUE(EINVAL, "another context's core", c.core = other_core);

	NEED_OK(queue_create(ctx, 4, 5, &q), "queue-create");
	struct drm_nca_queue_destroy d = { .queue = BOGUS };
	struct drm_nca_queue_wait w = { .queue = BOGUS };
	struct drm_nca_queue_eventfd e = { .queue = BOGUS, .fd = ev };
	struct drm_nca_queue_kick k = { .queue = BOGUS };

	CHECK_ERR(ENOENT, dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_DESTROY, &d), "queue-destroy: unknown queue");
	CHECK_ERR(ENOENT, dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_WAIT, &w), "queue-wait: unknown queue");
	CHECK_ERR(ENOENT, dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_EVENTFD, &e), "queue-eventfd: unknown queue");
	CHECK_ERR(ENOENT, dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_KICK, &k), "queue-kick: unknown queue");
	d = (struct drm_nca_queue_destroy){ .queue = q.c.queue, .pad = 1 };
	CHECK_ERR(EINVAL, dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_DESTROY, &d), "queue-destroy: pad");
	w = (struct drm_nca_queue_wait){ .queue = q.c.queue, .flags = 1 };
	CHECK_ERR(EINVAL, dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_WAIT, &w), "queue-wait: flags");
	CHECK_ERR(ETIME, queue_wait(&q, 0, &events), "queue-wait: time is over");
	CHECK_ERR(ETIME, queue_wait(&q, -1, &events), "queue-wait: a time before the beginning");
	CHECK_ERR(ETIME, queue_wait(&q, INT64_MIN, &events), "queue-wait: time -2^63");
	e = (struct drm_nca_queue_eventfd){ .queue = q.c.queue, .fd = plain };
	CHECK_ERR(EINVAL, dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_EVENTFD, &e), "queue-eventfd: not an eventfd");
	e.fd = 1000;
	CHECK_ERR(EBADF, dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_EVENTFD, &e), "queue-eventfd: not an open file");
	e.fd = -2;
	CHECK_ANY(dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_EVENTFD, &e), "queue-eventfd: fd -2", EBADF, EINVAL);
	e.fd = ev;
	CHECK_OK(dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_EVENTFD, &e), "queue-eventfd");
	CHECK_OK(dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_EVENTFD, &e), "queue-eventfd: a second one replaces it");
	e.fd = -1;
	CHECK_OK(dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_EVENTFD, &e), "queue-eventfd: detach");
	CHECK(ctx_state(ctx) == NCA_CTX_RUNNING, "queue: refused calls changed nothing");
	CHECK_OK(queue_destroy(&q), "queue-destroy");
	d.pad = 0;
	CHECK_ERR(ENOENT, dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_DESTROY, &d), "queue-destroy: a second time");
	close(plain);
	close(ev);
}

/* Handles of one open file mean nothing in another, mmap offsets neither. */
static void test_owner(struct ctx *ctx)
{
	int fd = dev_open();
	struct drm_nca_bo_info i;
	struct ctx own;
	struct queue q;
	struct bo bo;

	if (fd < 0)
		tap_bail("second open");
	NEED_OK(bo_make(ctx, PAGE, DRM_NCA_BO_HOST, &bo), "a buffer");
	NEED_OK(queue_create(ctx, 4, 4, &q), "a queue");
	i = (struct drm_nca_bo_info){ .handle = bo.handle };
	NEED_OK(dev_ioctl(ctx->fd, DRM_IOCTL_NCA_BO_INFO, &i), "bo-info");

	struct drm_nca_ctx_destroy cd = { .handle = ctx->c.handle };
	struct drm_nca_ctx_abort ca = { .handle = ctx->c.handle };
	struct drm_nca_bo_info bi = { .handle = bo.handle };
	struct drm_nca_unbind u = { .ctx = ctx->c.handle, .va = bo.va, .size = bo.size };
	struct drm_nca_queue_create qc = { .ctx = ctx->c.handle, .sq_order = 4, .cq_order = 4, .core = ~0u };
	struct drm_nca_queue_destroy qd = { .queue = q.c.queue };
	struct drm_nca_queue_wait qw = { .queue = q.c.queue };
	struct drm_nca_queue_eventfd qe = { .queue = q.c.queue, .fd = -1 };
	struct drm_nca_queue_kick qk = { .queue = q.c.queue };

	CHECK_ERR(ENOENT, dev_ioctl(fd, DRM_IOCTL_NCA_CTX_DESTROY, &cd), "owner: ctx-destroy");
	CHECK_ERR(ENOENT, dev_ioctl(fd, DRM_IOCTL_NCA_CTX_ABORT, &ca), "owner: ctx-abort");
	CHECK_ERR(ENOENT, bo_new(fd, PAGE, DRM_NCA_BO_DEVICE, ctx->c.handle, 0), "owner: bo-create");
	CHECK_ERR(ENOENT, dev_ioctl(fd, DRM_IOCTL_NCA_BO_INFO, &bi), "owner: bo-info");
	CHECK_ERR(ENOENT, dev_ioctl(fd, DRM_IOCTL_NCA_UNBIND, &u), "owner: unbind");
	CHECK_ERR(ENOENT, queue_new(fd, &qc), "owner: queue-create");
	CHECK_ERR(ENOENT, dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_DESTROY, &qd), "owner: queue-destroy");
	CHECK_ERR(ENOENT, dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_WAIT, &qw), "owner: queue-wait");
	CHECK_ERR(ENOENT, dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_EVENTFD, &qe), "owner: queue-eventfd");
	CHECK_ERR(ENOENT, dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_KICK, &qk), "owner: queue-kick");
	/* With a context of its own, the other file still cannot bind a foreign buffer into it. */
	NEED_OK(ctx_create(fd, 1, &own), "a context in the second file");
	struct drm_nca_bind b = {
		.ctx = own.c.handle, .bo = bo.handle, .va = 0x40000000, .size = PAGE,
		.flags = DRM_NCA_BIND_READ,
	};
	CHECK_ERR(ENOENT, dev_ioctl(fd, DRM_IOCTL_NCA_BIND, &b), "owner: bind");

	static const char *const names[] = { "status", "ring", "doorbell", "kick", "buffer" };
	const uint64_t offsets[] = { ctx->c.status_offset, q.c.ring_offset, q.c.doorbell_offset,
				     q.c.kick_offset, i.mmap_offset };
	for (int n = 0; n < 5; n++)
		CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, offsets[n]) == MAP_FAILED,
		      "owner: mmap of the %s page", names[n]);

	/* Nothing of the above has touched the owner's things. */
	struct nca_cqe cqe;

	queue_nop(&q, 7);
	queue_submit(&q);
	CHECK_OK(queue_spin(&q, &cqe, 5000), "owner: the queue still works for its owner");
	close(fd);
	queue_destroy(&q);
	bo_unbind(&bo);
	bo_close(&bo);
}

/* DRM pads short structures with zeros and ignores what is past its own; both must be harmless. */
static void test_size(int fd)
{
	static const unsigned int size[] = {
		sizeof(struct drm_nca_query), sizeof(struct drm_nca_ctx_create),
		sizeof(struct drm_nca_ctx_destroy), sizeof(struct drm_nca_ctx_abort),
		sizeof(struct drm_nca_bo_create), sizeof(struct drm_nca_bo_info),
		sizeof(struct drm_nca_bind), sizeof(struct drm_nca_unbind),
		sizeof(struct drm_nca_queue_create), sizeof(struct drm_nca_queue_destroy),
		sizeof(struct drm_nca_queue_wait), sizeof(struct drm_nca_queue_eventfd),
		sizeof(struct drm_nca_queue_kick), sizeof(struct drm_nca_device_reset),
	};
	char *edge = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char big[512];

	mprotect(edge + PAGE, PAGE, PROT_NONE);
	for (unsigned int nr = 0; nr < sizeof(size) / sizeof(*size); nr++) {
		bool refused = true, intact = true;

		/*
		 * Truncated, all ones: flags, pads and handles are as wrong as can be. Only the first
		 * half of a buffer's size is a fair question.
		 */
		for (unsigned int n = nr == DRM_NCA_BO_CREATE ? 8 : 4; n < size[nr]; n += 4) {
			void *p = edge + PAGE - n;

			memset(p, 0xff, n);
			refused &= dev_ioctl(fd, _IOC(_IOC_READ | _IOC_WRITE, 'd', DRM_COMMAND_BASE + nr, n), p) < 0;
		}
		CHECK(refused, "size: ioctl %u, shortened", nr);

		/* Longer: refused for its contents; the kernel may write back zeros, but only inside. */
		memset(big, 0xff, sizeof(big));
		refused = dev_ioctl(fd, _IOC(_IOC_READ | _IOC_WRITE, 'd', DRM_COMMAND_BASE + nr, size[nr] + 64), big) < 0;
		for (size_t i = size[nr] + 64; i < sizeof(big); i++)
			intact &= big[i] == (char)0xff;
		CHECK(refused && intact, "size: ioctl %u, lengthened", nr);
		CHECK_ERR(EFAULT, dev_ioctl(fd, _IOC(_IOC_READ | _IOC_WRITE, 'd', DRM_COMMAND_BASE + nr, size[nr]),
					    (void *)16), "size: ioctl %u, bad pointer", nr);
	}
	for (unsigned int nr = sizeof(size) / sizeof(*size); DRM_COMMAND_BASE + nr < DRM_COMMAND_END; nr++)
		if (dev_ioctl(fd, _IOC(_IOC_READ | _IOC_WRITE, 'd', DRM_COMMAND_BASE + nr, 64), big) != -EINVAL)
			CHECK(false, "size: ioctl %u does not exist", nr);
	CHECK(true, "size: no ioctls beyond the last");
	munmap(edge, 2 * PAGE);
}

static void test_reset(int fd)
{
	struct drm_nca_device_reset r = { .flags = 1 };
	pid_t pid;
	int status;

	CHECK_ERR(EINVAL, dev_ioctl(fd, DRM_IOCTL_NCA_DEVICE_RESET, &r), "device-reset: flags");
	r = (struct drm_nca_device_reset){ .pad = 1 };
	CHECK_ERR(EINVAL, dev_ioctl(fd, DRM_IOCTL_NCA_DEVICE_RESET, &r), "device-reset: pad");
	pid = fork();
	if (!pid) {
		r = (struct drm_nca_device_reset){ 0 };
		if (setgid(65534) || setuid(65534))
			_exit(2);
		status = dev_ioctl(fd, DRM_IOCTL_NCA_DEVICE_RESET, &r);
		_exit(status == -EPERM || status == -EACCES ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	CHECK(status == 0, "device-reset: refused without CAP_SYS_ADMIN");
}

/* Whatever the arguments are, the driver answers; the seed makes a failure repeatable. */
static void test_random(int fd)
{
	uint32_t seed = 20241122, words[20];
	unsigned int calls = 20000;
	struct drm_nca_usage usage;
	int own = dev_open();

	(void)fd;
	for (unsigned int i = 0; i < calls; i++) {
		unsigned int nr = rnd(&seed) % DRM_NCA_DEVICE_RESET;

		for (int w = 0; w < 20; w++)
			switch (rnd(&seed) % 8) {
			case 0: words[w] = rnd(&seed); break;
			case 1: words[w] = 1u << rnd(&seed) % 32; break;
			case 2: words[w] = rnd(&seed) % 16; break;
			case 3: words[w] = rnd(&seed) % 64 * PAGE; break;
			case 4: words[w] = ~0u; break;
			default: words[w] = 0;
			}
		if (nr == DRM_NCA_QUEUE_WAIT)		/* must not wait for ever for what never comes */
			words[2] = words[3] = 0;
		dev_ioctl(own, _IOC(_IOC_READ | _IOC_WRITE, 'd', DRM_COMMAND_BASE + nr, 64), words);
	}
	CHECK(true, "random: %u calls came back", calls);
	CHECK_OK(dev_usage(own, &usage), "random: the device still answers");
	CHECK(usage.state == 0, "random: and works");
	close(own);
}

int main(void)
{
	int fd = dev_open();
	struct ctx ctx;

	tap_prefix = "ioctl ";
	if (fd < 0)
		tap_bail("open " DEV_NODE);
	test_query(fd);
	test_ctx(fd);
	NEED_OK(ctx_create(fd, 1, &ctx), "a medium context");
	test_bo(&ctx);
	test_bind(&ctx);
	test_queue(&ctx);
	test_owner(&ctx);
	test_size(fd);
	test_reset(fd);
	test_random(fd);
	CHECK(ctx_state(&ctx) == NCA_CTX_RUNNING, "the context came through it all");
	CHECK_OK(ctx_destroy(&ctx), "and can be destroyed");
	close(fd);
	return tap_done();
}
