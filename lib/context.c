// SPDX-License-Identifier: MIT
/* Contexts: a share of the device, and everything made in it. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "objects.h"
#include "queue.h"
#include "versioned.h"

int acc_child_error(const struct accel_device *dev)
{
	return acc_fail(-EOWNERDEAD,
			"opened by process %ld before fork; open the device again in process %ld",
			(long)dev->pid, (long)getpid());
}

static int error_of_cause(uint32_t cause)
{
	switch (cause) {
	case NCA_CAUSE_UNPLUG:
		return -ENODEV;
	case NCA_CAUSE_WATCHDOG:
	case NCA_CAUSE_RESET:
	case NCA_CAUSE_FATAL:
		return -ESTALE;
	default:
		return -EIO;
	}
}

int acc_context_error(const struct accel_context *ctx)
{
	const struct nca_status_page *s = ctx->b->status;
	uint32_t state = acc_status_state(s);
	uint32_t cause = __atomic_load_n(&s->cause, __ATOMIC_RELAXED);

	switch (state) {
	case NCA_CTX_RUNNING:
		cause = atomic_load_explicit(&ctx->lost_hint, memory_order_relaxed);
		if (!cause)
			return 0;
		return acc_fail(error_of_cause(cause), "the context is lost: %s; make it anew",
				acc_cause_name(cause));
	case NCA_CTX_DEVICE_RESET:
		return acc_fail(-ESTALE, "the device was reset (%s); make the context anew",
				acc_cause_name(cause));
	case NCA_CTX_DEVICE_GONE:
		return acc_fail(-ENODEV, "the device is gone (%s); destroy the context and open another device",
				acc_cause_name(cause));
	default:
		return acc_fail(-EIO, "the context is lost: %s; make it anew",
				acc_cause_name(cause));
	}
}

static const char *no_room(char *buf, size_t len, uint32_t slices, const struct acc_capacity *left)
{
	const char *largest = accel_size_name(left->largest);

	if (*largest)
		snprintf(buf, len, "no room for %s (%u slice%s): %u slice%s free, the largest size that fits is %s",
			 accel_size_name(slices), slices, slices == 1 ? "" : "s", left->free,
			 left->free == 1 ? " is" : "s are", largest);
	else
		snprintf(buf, len, "no room for %s (%u slice%s): %u slice%s free, no size fits",
			 accel_size_name(slices), slices, slices == 1 ? "" : "s", left->free,
			 left->free == 1 ? " is" : "s are");
	return buf;
}

int accel_context_create(accel_device *dev, const struct accel_context_options *opt,
			 accel_context **out)
{
	struct accel_context_options o = { .slices = ACCEL_MEDIUM };
	struct acc_ctx_request req;
	struct acc_capacity left = { 0 };
	struct accel_context *ctx;
	char text[160];
	int r;

	if (!dev || !out)
		return acc_fail(-EINVAL, "accel_context_create: dev and ctx must not be NULL");
	ACC_CHECK_CHILD(dev, dev);
	if (opt) {
		r = acc_copy_in(&o, sizeof(o), opt, "struct accel_context_options");
		if (r)
			return r;
		if (!o.slices)
			o.slices = ACCEL_MEDIUM;
	}
	if (!*accel_size_name(o.slices))
		return acc_fail(-EINVAL, "a context of %u slices does not exist; sizes are 1 (medium), 2 (large), 4 (xlarge), 8 (full)",
				(unsigned int)o.slices);
	if (o.burst > 1)
		return acc_fail(-EINVAL, "burst is %u; it is 0 or 1", o.burst);

	ctx = calloc(1, sizeof(*ctx));
	if (!ctx)
		return acc_fail(-ENOMEM, "no memory for a context handle");
	req = (struct acc_ctx_request){ .slices = o.slices, .burst = o.burst, .quota = o.memory };
	r = dev->b->ops->ctx_create(dev->b, &req, &left, &ctx->b);
	if (r) {
		free(ctx);
		if (r == -ENOSPC)
			acc_fail(r, "%s", no_room(text, sizeof(text), o.slices, &left));
		return r;
	}
	if (acc_ranges_init(&ctx->va, ctx->b->va_start, ctx->b->va_end)) {
		dev->b->ops->ctx_destroy(ctx->b);
		free(ctx);
		return acc_fail(-ENOMEM, "no memory for a context's address ranges");
	}
	ctx->dev = dev;
	ctx->epoch = dev->epoch;
	ctx->slices = o.slices;
	pthread_mutex_init(&ctx->lock, NULL);
	LIST_INIT(&ctx->buffers);
	LIST_INIT(&ctx->queues);
	LIST_INIT(&ctx->graphs);
	pthread_mutex_lock(&dev->lock);
	LIST_INSERT_HEAD(&dev->contexts, ctx, link);
	pthread_mutex_unlock(&dev->lock);
	*out = ctx;
	return 0;
}

int accel_context_destroy(accel_context *ctx)
{
	struct accel_device *dev;
	struct accel_queue *q;
	bool child, busy = false;

	if (!ctx)
		return 0;
	dev = ctx->dev;
	child = acc_is_child(ctx->epoch);

	/* Nobody need wait for a long launch whose result nobody will see. */
	LIST_FOREACH(q, &ctx->queues, link)
		busy |= acc_queue_outstanding(q) != 0;
	if (!child && busy && acc_status_state(ctx->b->status) == NCA_CTX_RUNNING)
		dev->b->ops->ctx_abort(ctx->b);

	/* Queues first: after them no command names the memory that goes next. */
	while (!LIST_EMPTY(&ctx->queues))
		acc_queue_delete(LIST_FIRST(&ctx->queues), child);
	while (!LIST_EMPTY(&ctx->graphs))
		acc_graph_delete(LIST_FIRST(&ctx->graphs), child);
	while (!LIST_EMPTY(&ctx->buffers))
		acc_buffer_delete(LIST_FIRST(&ctx->buffers), child);

	/* In a child another thread of the parent may have held the lock for ever. */
	if (!child)
		pthread_mutex_lock(&dev->lock);
	LIST_REMOVE(ctx, link);
	if (!child) {
		pthread_mutex_unlock(&dev->lock);
		dev->b->ops->ctx_destroy(ctx->b);
		pthread_mutex_destroy(&ctx->lock);
	} else {
		free(ctx->b);
	}
	acc_ranges_fini(&ctx->va);
	free(ctx);
	return 0;
}

int accel_context_info(accel_context *ctx, struct accel_context_info *info)
{
	struct accel_context_info i = { .size = sizeof(i) };
	int r;

	if (!ctx)
		return acc_fail(-EINVAL, "accel_context_info: ctx must not be NULL");
	ACC_CHECK_CHILD(ctx, ctx->dev);
	r = acc_check_out(info, "struct accel_context_info");
	if (r)
		return r;
	i.slices = ctx->slices;
	i.core_mask = ctx->b->core_mask;
	i.cores = __builtin_popcount(i.core_mask);
	i.state = acc_status_state(ctx->b->status);
	i.cause = __atomic_load_n(&ctx->b->status->cause, __ATOMIC_RELAXED);
	i.memory_quota = ctx->b->quota;
	i.id = ctx->b->id;
	i.generation = ctx->b->gen;
	r = ctx->dev->b->ops->ctx_usage(ctx->b, &i);
	if (!r)
		acc_copy_out(info, &i, sizeof(i));
	return r;
}

int accel_context_fault(accel_context *ctx, struct accel_fault *fault)
{
	struct accel_fault f = { .size = sizeof(f) };
	struct nca_fault_record r;
	int err;

	if (!ctx)
		return acc_fail(-EINVAL, "accel_context_fault: ctx must not be NULL");
	ACC_CHECK_CHILD(ctx, ctx->dev);
	err = acc_check_out(fault, "struct accel_fault");
	if (err)
		return err;
	err = ctx->dev->b->ops->ctx_fault(ctx->b, &r);
	if (err == -ENODATA)
		return acc_fail_text(err, "the device has recorded no fault of this context");
	if (err)
		return err;
	f.time_ns = r.time_ns;
	f.status = r.status;
	f.rule = r.rule;
	f.core = r.core == 0xff ? ~0u : r.core;
	f.engine = r.core == 0xff ? ~0u : r.engine;
	f.pc = r.core == 0xff ? ~0u : r.pc;
	f.queue = r.queue;
	f.address = r.address;
	f.aux = r.aux;
	acc_copy_out(fault, &f, sizeof(f));
	return 0;
}

int accel_context_state(accel_context *ctx)
{
	if (!ctx)
		return acc_fail(-EINVAL, "accel_context_state: ctx must not be NULL");
	ACC_CHECK_CHILD(ctx, ctx->dev);
	return acc_context_error(ctx);
}

int accel_context_abort(accel_context *ctx)
{
	int r;

	if (!ctx)
		return acc_fail(-EINVAL, "accel_context_abort: ctx must not be NULL");
	ACC_CHECK_CHILD(ctx, ctx->dev);
	r = acc_context_error(ctx);
	if (r)
		return r;
	return ctx->dev->b->ops->ctx_abort(ctx->b);
}
