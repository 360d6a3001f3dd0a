// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "kmd.h"

static void destroy_handle(struct kmd_queue *q)
{
	struct drm_nca_queue_destroy arg = { .queue = q->handle };

	kmd_call(q->ctx->dev, DRM_IOCTL_NCA_QUEUE_DESTROY, &arg);
}

static void unmap(struct kmd_queue *q)
{
	if (q->ring)
		munmap(q->ring, q->ring_size);
	if (q->b.db)
		munmap(q->b.db, NCA_DB_PAGE_SIZE);
	if (q->b.kick)
		munmap((void *)(uintptr_t)q->b.kick, NCA_DB_PAGE_SIZE);
}

static int map(struct kmd_queue *q, const struct drm_nca_queue_create *arg)
{
	struct kmd_dev *dev = q->ctx->dev;

	q->ring_size = arg->ring_size;
	if (q->ring_size < nca_ring_size(arg->sq_order, arg->cq_order))
		return acc_fail(-EIO, "the driver's ring of %llu bytes is too small for 2^%u and 2^%u entries",
				(unsigned long long)q->ring_size, arg->sq_order, arg->cq_order);
	q->ring = kmd_map(dev, arg->ring_offset, q->ring_size, PROT_READ | PROT_WRITE,
			  "the rings of a queue");
	if (!q->ring)
		return -ENOMEM;
	q->b.db = kmd_map(dev, arg->doorbell_offset, NCA_DB_PAGE_SIZE, PROT_READ | PROT_WRITE,
			  "the doorbell of a queue");
	if (!q->b.db)
		return -ENOMEM;
	q->b.kick = kmd_map(dev, arg->kick_offset, NCA_DB_PAGE_SIZE, PROT_READ | PROT_WRITE,
			    "the kick page of a queue");
	return q->b.kick ? 0 : -ENOMEM;
}

int kmd_queue_create(struct acc_bctx *bctx, unsigned int sq_order, unsigned int cq_order,
		     uint32_t core, struct acc_bqueue **out)
{
	struct kmd_ctx *ctx = (struct kmd_ctx *)bctx;
	struct kmd_dev *dev = ctx->dev;
	struct drm_nca_queue_create arg = {
		.ctx = ctx->handle, .sq_order = sq_order, .cq_order = cq_order, .core = core,
	};
	struct kmd_queue *q = calloc(1, sizeof(*q));
	struct kmd_near near;
	uint8_t *ring;
	int r;

	if (!q)
		return acc_fail(-ENOMEM, "no memory for a queue");
	q->ctx = ctx;
	kmd_near_begin(dev, &near);
	r = kmd_call(dev, DRM_IOCTL_NCA_QUEUE_CREATE, &arg);
	kmd_near_end(&near);
	if (r) {
		free(q);
		if (r == -ENOSPC)
			return acc_fail(r, "all %u queues of %s are in use; destroy one first",
					dev->info.max_queues, dev->node.name);
		if (r == -EDQUOT)
			return acc_fail(r, "this user has as many queues on %s as one user may have (%u), or too much pinned memory",
					dev->node.name, dev->info.max_user_queues);
		return acc_fail_sys(r, "cannot make a queue on %s", dev->node.name);
	}
	q->handle = arg.queue;
	r = map(q, &arg);
	if (r) {
		unmap(q);
		destroy_handle(q);
		free(q);
		return r;
	}
	ring = q->ring;
	q->b.state = (const struct nca_queue_state *)(ring + NCA_RING_STATE_OFFSET);
	q->b.sq = (struct nca_sqe *)(ring + NCA_RING_SQ_OFFSET);
	q->b.cq = (const struct nca_cqe *)(ring + nca_ring_cq_offset(sq_order));
	*out = &q->b;
	return 0;
}

void kmd_queue_destroy(struct acc_bqueue *bq)
{
	struct kmd_queue *q = (struct kmd_queue *)bq;

	destroy_handle(q);
	unmap(q);
	free(q);
}

int kmd_queue_sleep(struct acc_bqueue *bq, uint64_t *events, int64_t deadline)
{
	struct kmd_queue *q = (struct kmd_queue *)bq;
	struct drm_nca_queue_wait arg = {
		.queue = q->handle, .timeout_ns = deadline, .events = *events,
	};
	int r = kmd_call(q->ctx->dev, DRM_IOCTL_NCA_QUEUE_WAIT, &arg);

	if (!r)
		*events = arg.events;
	/* A lost context: its status page tells the caller more than the error does. */
	if (!r || r == -EIO || r == -ETIME)
		return r == -EIO ? 0 : r;
	return acc_fail_sys(r, "cannot wait for the queue");
}

int kmd_queue_eventfd(struct acc_bqueue *bq, int fd)
{
	struct kmd_queue *q = (struct kmd_queue *)bq;
	struct drm_nca_queue_eventfd arg = { .queue = q->handle, .fd = fd };
	int r = kmd_call(q->ctx->dev, DRM_IOCTL_NCA_QUEUE_EVENTFD, &arg);

	return r ? acc_fail_sys(r, "cannot attach an eventfd to the queue") : 0;
}

int kmd_queue_doorbell(struct acc_bqueue *bq, uint32_t tail)
{
	struct kmd_queue *q = (struct kmd_queue *)bq;
	struct drm_nca_queue_kick arg = { .queue = q->handle, .tail = tail };
	int r = kmd_call(q->ctx->dev, DRM_IOCTL_NCA_QUEUE_KICK, &arg);

	return r ? acc_fail_sys(r, "cannot ring the doorbell through the kernel") : 0;
}
