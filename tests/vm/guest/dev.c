// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "dev.h"

int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

void sleep_ms(unsigned int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000l };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

uint32_t rnd(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

int dev_open(void)
{
	int fd = open(DEV_NODE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int dev_ioctl(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) < 0 ? -errno : 0;
}

static int query(int fd, uint32_t what, void *data, uint32_t size)
{
	struct drm_nca_query q = { .query = what, .size = size, .data = (uintptr_t)data };

	return dev_ioctl(fd, DRM_IOCTL_NCA_QUERY, &q);
}

int dev_info(int fd, struct drm_nca_device_info *info)
{
	return query(fd, DRM_NCA_QUERY_DEVICE, info, sizeof(*info));
}

int dev_usage(int fd, struct drm_nca_usage *usage)
{
	return query(fd, DRM_NCA_QUERY_USAGE, usage, sizeof(*usage));
}

int ctx_create(int fd, uint32_t slices, struct ctx *ctx)
{
	int err;

	memset(ctx, 0, sizeof(*ctx));
	ctx->fd = fd;
	ctx->c.slices = slices;
	err = dev_ioctl(fd, DRM_IOCTL_NCA_CTX_CREATE, &ctx->c);
	if (err)
		return err;
	ctx->next_va = 0x100000000ull;
	ctx->status = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, ctx->c.status_offset);
	return ctx->status == MAP_FAILED ? -errno : 0;
}

int ctx_destroy(struct ctx *ctx)
{
	struct drm_nca_ctx_destroy d = { .handle = ctx->c.handle };

	munmap((void *)ctx->status, PAGE);
	return dev_ioctl(ctx->fd, DRM_IOCTL_NCA_CTX_DESTROY, &d);
}

uint32_t ctx_state(const struct ctx *ctx)
{
	return __atomic_load_n(&ctx->status->state, __ATOMIC_ACQUIRE);
}

int bo_create(struct ctx *ctx, uint64_t size, uint32_t placement, struct bo *bo)
{
	struct drm_nca_bo_create c = {
		.size = size, .placement = placement,
		.ctx = placement == DRM_NCA_BO_DEVICE ? ctx->c.handle : 0,
	};
	int err = dev_ioctl(ctx->fd, DRM_IOCTL_NCA_BO_CREATE, &c);

	memset(bo, 0, sizeof(*bo));
	if (err)
		return err;
	bo->ctx = ctx;
	bo->handle = c.handle;
	bo->size = c.size;
	return 0;
}

int bo_map(struct bo *bo)
{
	struct drm_nca_bo_info info = { .handle = bo->handle };
	int err = dev_ioctl(bo->ctx->fd, DRM_IOCTL_NCA_BO_INFO, &info);
	void *p;

	if (err)
		return err;
	p = mmap(NULL, bo->size, PROT_READ | PROT_WRITE, MAP_SHARED, bo->ctx->fd, info.mmap_offset);
	if (p == MAP_FAILED)
		return -errno;
	bo->map = p;
	return 0;
}

int bo_bind(struct bo *bo, uint32_t flags)
{
	struct drm_nca_bind b = {
		.ctx = bo->ctx->c.handle, .bo = bo->handle, .va = bo->ctx->next_va,
		.size = bo->size, .flags = flags,
	};
	int err = dev_ioctl(bo->ctx->fd, DRM_IOCTL_NCA_BIND, &b);

	if (err)
		return err;
	bo->va = b.va;
	/* A page between two bindings, so that running off one is a fault. */
	bo->ctx->next_va += bo->size + PAGE;
	return 0;
}

int bo_unbind(struct bo *bo)
{
	struct drm_nca_unbind u = { .ctx = bo->ctx->c.handle, .va = bo->va, .size = bo->size };
	int err = dev_ioctl(bo->ctx->fd, DRM_IOCTL_NCA_UNBIND, &u);

	if (!err)
		bo->va = 0;
	return err;
}

int bo_make(struct ctx *ctx, uint64_t size, uint32_t placement, struct bo *bo)
{
	int err = bo_create(ctx, size, placement, bo);

	if (!err)
		err = bo_map(bo);
	if (!err)
		err = bo_bind(bo, DRM_NCA_BIND_READ | DRM_NCA_BIND_WRITE);
	return err;
}

void bo_close(struct bo *bo)
{
	if (bo->map)
		munmap(bo->map, bo->size);
	bo->map = NULL;
	gem_close(bo->ctx->fd, bo->handle);
}

int gem_close(int fd, uint32_t handle)
{
	struct drm_gem_close c = { .handle = handle };

	return dev_ioctl(fd, DRM_IOCTL_GEM_CLOSE, &c);
}

int prime_export(int fd, uint32_t handle)
{
	struct drm_prime_handle p = { .handle = handle, .flags = DRM_CLOEXEC | DRM_RDWR };
	int err = dev_ioctl(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &p);

	return err ? err : p.fd;
}

int prime_import(int fd, int dmabuf, uint32_t *handle)
{
	struct drm_prime_handle p = { .fd = dmabuf };
	int err = dev_ioctl(fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &p);

	*handle = p.handle;
	return err;
}

int queue_create(struct ctx *ctx, unsigned int sq_order, unsigned int cq_order, struct queue *q)
{
	int err;

	memset(q, 0, sizeof(*q));
	q->ctx = ctx;
	q->c.ctx = ctx->c.handle;
	q->c.sq_order = sq_order;
	q->c.cq_order = cq_order;
	q->c.core = ~0u;
	err = dev_ioctl(ctx->fd, DRM_IOCTL_NCA_QUEUE_CREATE, &q->c);
	if (err)
		return err;
	q->ring = mmap(NULL, q->c.ring_size, PROT_READ | PROT_WRITE, MAP_SHARED, ctx->fd,
		       q->c.ring_offset);
	q->db = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ctx->fd, q->c.doorbell_offset);
	q->kick = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ctx->fd, q->c.kick_offset);
	if (q->ring == MAP_FAILED || q->db == MAP_FAILED || (void *)q->kick == MAP_FAILED)
		return -errno;
	q->state = q->ring;
	q->sq = (struct nca_sqe *)((char *)q->ring + NCA_RING_SQ_OFFSET);
	q->cq = (const struct nca_cqe *)((char *)q->ring + nca_ring_cq_offset(sq_order));
	return 0;
}

void queue_unmap(struct queue *q)
{
	munmap(q->ring, q->c.ring_size);
	munmap(q->db, PAGE);
	munmap((void *)q->kick, PAGE);
}

int queue_destroy(struct queue *q)
{
	struct drm_nca_queue_destroy d = { .queue = q->c.queue };

	queue_unmap(q);
	return dev_ioctl(q->ctx->fd, DRM_IOCTL_NCA_QUEUE_DESTROY, &d);
}

struct nca_sqe *queue_next(struct queue *q, uint8_t opcode, uint64_t cookie)
{
	struct nca_sqe *e = &q->sq[q->tail++ & ((1u << q->c.sq_order) - 1)];

	memset(e, 0, sizeof(*e));
	e->opcode = opcode;
	e->cookie = cookie;
	return e;
}

/* The device may look at the tail, or fall asleep, at any time: see <nca/queue.h>, "submit". */
void queue_submit(struct queue *q)
{
	__atomic_store_n(&q->db->sq_tail, q->tail, __ATOMIC_RELEASE);
	atomic_thread_fence(memory_order_seq_cst);
	if (q->state->sleep == NCA_QUEUE_ASLEEP)
		q->kick[NCA_KICK_WORD] = 1;
}

void queue_nop(struct queue *q, uint64_t cookie)
{
	queue_next(q, NCA_SQE_NOP, cookie);
}

void queue_copy(struct queue *q, uint64_t cookie, uint64_t dst, uint64_t src, uint64_t len)
{
	struct nca_sqe *e = queue_next(q, NCA_SQE_COPY, cookie);

	e->copy.dst = dst;
	e->copy.src = src;
	e->copy.len = len;
}

void queue_fill(struct queue *q, uint64_t cookie, uint64_t dst, uint32_t pattern, uint64_t len)
{
	struct nca_sqe *e = queue_next(q, NCA_SQE_FILL, cookie);

	e->fill.dst = dst;
	e->fill.len = len;
	e->fill.pattern = pattern;
}

void queue_sem_wait(struct queue *q, uint64_t cookie, uint64_t va, uint64_t value)
{
	struct nca_sqe *e = queue_next(q, NCA_SQE_SEM_WAIT, cookie);

	e->sem.va = va;
	e->sem.value = value;
}

void queue_sem_signal(struct queue *q, uint64_t cookie, uint64_t va, uint64_t value)
{
	struct nca_sqe *e = queue_next(q, NCA_SQE_SEM_SIGNAL, cookie);

	e->sem.va = va;
	e->sem.value = value;
}

bool queue_poll(struct queue *q, struct nca_cqe *out)
{
	const struct nca_cqe *e = &q->cq[q->head & ((1u << q->c.cq_order) - 1)];
	uint64_t last = __atomic_load_n((const uint64_t *)&e->detail, __ATOMIC_ACQUIRE);

	if (((last >> 56) & NCA_CQE_PHASE) != nca_cqe_phase(q->head, q->c.cq_order))
		return false;
	*out = *e;
	q->head++;
	__atomic_store_n(&q->db->cq_head, q->head, __ATOMIC_RELEASE);
	return true;
}

static int state_error(uint32_t state)
{
	switch (state) {
	case NCA_CTX_RUNNING:
		return 0;
	case NCA_CTX_DEVICE_RESET:
		return -ESTALE;
	case NCA_CTX_DEVICE_GONE:
		return -ENODEV;
	default:
		return -EIO;
	}
}

int queue_spin(struct queue *q, struct nca_cqe *out, uint64_t timeout_ms)
{
	int64_t end = now_ns() + timeout_ms * 1000000ll;
	int err;

	for (;;) {
		if (queue_poll(q, out))
			return 0;
		err = state_error(ctx_state(q->ctx));
		/* The state may have been told between the look at the ring and this one. */
		if (err)
			return queue_poll(q, out) ? 0 : err;
		if (now_ns() > end)
			return -ETIME;
	}
}

void queue_arm(struct queue *q)
{
	if (++q->armed == 0)
		q->armed = 1;
	__atomic_store_n(&q->db->arm, (uint64_t)q->armed << 32 | q->head, __ATOMIC_RELEASE);
	atomic_thread_fence(memory_order_seq_cst);
}

uint32_t queue_outstanding(const struct queue *q)
{
	return q->tail - q->head;
}

int queue_wait(struct queue *q, int64_t deadline_ns, uint64_t *events)
{
	struct drm_nca_queue_wait w = {
		.queue = q->c.queue, .timeout_ns = deadline_ns, .events = *events,
	};
	int err = dev_ioctl(q->ctx->fd, DRM_IOCTL_NCA_QUEUE_WAIT, &w);

	*events = w.events;
	return err;
}
