// SPDX-License-Identifier: MIT
/* Making and destroying queues. */
#include <stdlib.h>
#include <unistd.h>

#include "queue.h"
#include "versioned.h"

#define DEFAULT_DEPTH	256
#define MIN_DEPTH	8
#define DEFAULT_SPIN_US	50

static int check_options(const struct accel_context *ctx, struct accel_queue_options *o)
{
	uint32_t max = 1u << ctx->dev->b->max_queue_order;

	if (!o->depth)
		o->depth = DEFAULT_DEPTH;
	if (o->depth < MIN_DEPTH || o->depth > max || o->depth & (o->depth - 1))
		return acc_fail(-EINVAL, "a queue depth of %u cannot be had: powers of two from %u to %u can",
				o->depth, MIN_DEPTH, max);
	if (o->core < -1 || (o->core > 0 && (o->core > 32 ||
					     !(ctx->b->core_mask >> (o->core - 1) & 1))))
		return acc_fail(-EINVAL, "core is %d, and 1 + a core of the context (mask 0x%x) or 0 for any is needed",
				o->core, ctx->b->core_mask);
	return 0;
}

int accel_queue_create(accel_context *ctx, const struct accel_queue_options *opt,
		       accel_queue **out)
{
	struct accel_queue_options o = { 0 };
	unsigned int sq_order, cq_order;
	struct accel_queue *q;
	uint32_t spare;
	int r;

	if (!ctx || !out)
		return acc_fail(-EINVAL, "accel_queue_create: ctx and queue must not be NULL");
	ACC_CHECK_CHILD(ctx, ctx->dev);
	if (opt) {
		r = acc_copy_in(&o, sizeof(o), opt, "struct accel_queue_options");
		if (r)
			return r;
	}
	r = check_options(ctx, &o);
	if (!r)
		r = acc_context_error(ctx);
	if (r)
		return r;

	sq_order = __builtin_ctz(o.depth);
	cq_order = sq_order < ctx->dev->b->max_queue_order ? sq_order + 1 : sq_order;
	q = aligned_alloc(64, (sizeof(*q) + 63) & ~(size_t)63);
	if (!q)
		return acc_fail(-ENOMEM, "no memory for a queue handle");
	memset(q, 0, sizeof(*q));
	q->cookies = calloc(o.depth, sizeof(*q->cookies));
	if (!q->cookies) {
		r = acc_fail(-ENOMEM, "no memory for the cookies of %u commands", o.depth);
		goto free_queue;
	}
	r = ctx->dev->b->ops->queue_create(ctx->b, sq_order, cq_order,
					   o.core > 0 ? (uint32_t)o.core - 1 : NCA_CORE_ANY, &q->b);
	if (r)
		goto free_cookies;
	q->sq = q->b->sq;
	q->cq = q->b->cq;
	q->db = q->b->db;
	q->state = q->b->state;
	q->status = ctx->b->status;
	q->ctx = ctx;
	q->epoch = ctx->epoch;
	q->depth = o.depth;
	q->cq_order = cq_order;
	q->cq_mask = (1u << cq_order) - 1;
	/*
	 * Outstanding commands plus completions not yet given back must fit the
	 * completion ring, or the device would wait for a head that is never told.
	 */
	spare = (1u << cq_order) - o.depth;
	q->head_lag = spare / 4 ? spare / 4 : 1;
	q->spin_ns = (o.spin_us ? o.spin_us : DEFAULT_SPIN_US) * 1000ull;
	q->eventfd = -1;
	pthread_mutex_lock(&ctx->lock);
	LIST_INSERT_HEAD(&ctx->queues, q, link);
	pthread_mutex_unlock(&ctx->lock);
	*out = q;
	return 0;

free_cookies:
	free(q->cookies);
free_queue:
	free(q);
	return r;
}

void acc_queue_delete(struct accel_queue *q, bool child)
{
	struct accel_context *ctx = q->ctx;

	if (!child)
		pthread_mutex_lock(&ctx->lock);
	LIST_REMOVE(q, link);
	if (!child) {
		pthread_mutex_unlock(&ctx->lock);
		/* Rings stay until the device has let go of them: the backend waits for that. */
		ctx->dev->b->ops->queue_destroy(q->b);
	} else {
		free(q->b);
	}
	if (q->eventfd >= 0)
		close(q->eventfd);
	free(q->cookies);
	free(q);
}

int accel_queue_destroy(accel_queue *q)
{
	if (q)
		acc_queue_delete(q, acc_is_child(q->epoch));
	return 0;
}
