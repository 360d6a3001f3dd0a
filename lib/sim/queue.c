// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim.h"

static void kick(struct acc_bqueue *bq)
{
	struct sim_queue *q = (struct sim_queue *)bq;

	ncasim_kick(q->ctx->dev->hw, q->id);
}

/*
 * An id, and with it a doorbell page, belongs to a queue until the library has
 * destroyed its handle: a lost queue's owner may still store to the page.
 */
static int take_id(struct sim_queue *q)
{
	struct sim_dev *dev = q->ctx->dev;
	uint32_t id;

	pthread_mutex_lock(&dev->table_lock);
	for (id = 0; id < dev->id.max_queues && dev->queue[id]; id++)
		;
	if (id < dev->id.max_queues) {
		dev->queue[id] = q;
		q->id = id;
		q->gen = ++dev->queue_gen;
	}
	pthread_mutex_unlock(&dev->table_lock);
	if (id == dev->id.max_queues)
		return acc_fail(-ENOSPC, "all %u queues of the device are in use; destroy one first",
				dev->id.max_queues);
	return 0;
}

static void give_id(struct sim_queue *q)
{
	struct sim_dev *dev = q->ctx->dev;

	pthread_mutex_lock(&dev->table_lock);
	dev->queue[q->id] = NULL;
	pthread_mutex_unlock(&dev->table_lock);
}

static int map_ring(struct sim_queue *q)
{
	struct sim_ctx *ctx = q->ctx;
	struct sim_dev *dev = ctx->dev;
	int r;

	q->ring = sim_host_alloc(dev, q->ring_len);
	if (!q->ring)
		return -ENOMEM;
	pthread_mutex_lock(&dev->mem_lock);
	r = acc_ranges_alloc(&ctx->ring_va, q->ring_len + ACC_PAGE, ACC_PAGE, &q->ring_va);
	pthread_mutex_unlock(&dev->mem_lock);
	if (r) {
		acc_fail(r, "no addresses left for the rings of a queue");
		goto free_ring;
	}
	r = sim_map(ctx, q->ring_va, q->ring_len, (uintptr_t)q->ring,
		    NCA_MAP_READ | NCA_MAP_WRITE);
	if (!r)
		return 0;
	pthread_mutex_lock(&dev->mem_lock);
	acc_ranges_free(&ctx->ring_va, q->ring_va, q->ring_len + ACC_PAGE);
	pthread_mutex_unlock(&dev->mem_lock);
free_ring:
	sim_host_free(dev, q->ring, q->ring_len);
	return r;
}

static void unmap_ring(struct sim_queue *q)
{
	struct sim_ctx *ctx = q->ctx;
	struct sim_dev *dev = ctx->dev;

	sim_unmap(ctx, q->ring_va, q->ring_len);
	pthread_mutex_lock(&dev->mem_lock);
	acc_ranges_free(&ctx->ring_va, q->ring_va, q->ring_len + ACC_PAGE);
	pthread_mutex_unlock(&dev->mem_lock);
	sim_host_free(dev, q->ring, q->ring_len);
}

int sim_queue_create(struct acc_bctx *bctx, unsigned int sq_order, unsigned int cq_order,
		     uint32_t core, struct acc_bqueue **out)
{
	struct sim_ctx *ctx = (struct sim_ctx *)bctx;
	struct sim_dev *dev = ctx->dev;
	struct sim_queue *q = calloc(1, sizeof(*q));
	struct nca_admin_cmd cmd;
	int r;

	if (!q)
		return acc_fail(-ENOMEM, "no memory for a queue");
	q->ctx = ctx;
	q->eventfd = -1;
	q->ring_len = nca_ring_size(sq_order, cq_order);
	r = map_ring(q);
	if (r)
		goto free_queue;
	r = take_id(q);
	if (r)
		goto unmap;
	q->b.db = (struct nca_doorbell *)(dev->doorbells + q->id * dev->db_stride);
	q->b.state = (const struct nca_queue_state *)(q->ring + NCA_RING_STATE_OFFSET);
	q->b.sq = (struct nca_sqe *)(q->ring + NCA_RING_SQ_OFFSET);
	q->b.cq = (const struct nca_cqe *)(q->ring + nca_ring_cq_offset(sq_order));
	q->b.kick_fn = kick;
	/* The device reads the page from the moment the queue exists. */
	memset(q->b.db, 0, sizeof(*q->b.db));
	cmd = (struct nca_admin_cmd){
		.opcode = NCA_ADMIN_QUEUE_CREATE, .ctx = ctx->b.id, .ctx_gen = ctx->b.gen,
		.queue_create = {
			.queue = q->id,
			.vector = SIM_EQ_VECTOR,
			.state_va = q->ring_va + NCA_RING_STATE_OFFSET,
			.sq_va = q->ring_va + NCA_RING_SQ_OFFSET,
			.cq_va = q->ring_va + nca_ring_cq_offset(sq_order),
			.sq_order = sq_order,
			.cq_order = cq_order,
			.queue_gen = q->gen,
			.core = core,
		},
	};
	r = sim_admin_simple(dev, &cmd, "creating a queue");
	if (r)
		goto give;
	*out = &q->b;
	return 0;

give:
	give_id(q);
unmap:
	unmap_ring(q);
free_queue:
	free(q);
	return r;
}

void sim_queue_destroy(struct acc_bqueue *bq)
{
	struct sim_queue *q = (struct sim_queue *)bq;
	struct sim_ctx *ctx = q->ctx;
	struct nca_admin_cmd cmd = {
		.opcode = NCA_ADMIN_QUEUE_DESTROY, .ctx = ctx->b.id, .ctx_gen = ctx->b.gen,
		.queue = { .queue = q->id, .queue_gen = q->gen },
	};

	if (atomic_load(&ctx->on_device))
		sim_admin_simple(ctx->dev, &cmd, "destroying a queue");
	give_id(q);
	unmap_ring(q);
	free(q);
}

void sim_queue_before_arm(struct acc_bqueue *bq)
{
	sim_events_ack(((struct sim_queue *)bq)->ctx->dev);
}

int sim_queue_sleep(struct acc_bqueue *bq, uint64_t *events, int64_t deadline)
{
	struct sim_queue *q = (struct sim_queue *)bq;
	uint32_t now = atomic_load_explicit(&q->events, memory_order_acquire);
	long r = 0;

	/* Losing the context counts as an event, so there is nothing else to look at. */
	if (now == (uint32_t)*events) {
		r = sim_futex_wait(&q->events, now, deadline);
		now = atomic_load_explicit(&q->events, memory_order_acquire);
	}
	*events = now;
	return r == -ETIMEDOUT ? -ETIME : 0;
}

int sim_queue_eventfd(struct acc_bqueue *bq, int fd)
{
	struct sim_queue *q = (struct sim_queue *)bq;
	struct sim_dev *dev = q->ctx->dev;

	pthread_mutex_lock(&dev->table_lock);
	q->eventfd = fd;
	pthread_mutex_unlock(&dev->table_lock);
	return 0;
}
