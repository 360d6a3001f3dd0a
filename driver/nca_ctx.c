// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts: admission, state, status page.
 *
 * The device places a context and says NO_CAPACITY when it cannot. A context
 * that was closed a moment ago may still hold its slices, its quota and its
 * owner's limit while the teardown worker runs; a create that finds no room
 * waits for that before it says so.
 *
 * State only ever gets worse (RUNNING, LOST, DEVICE_RESET, DEVICE_GONE,
 * CLOSED). It is changed under evt_lock, in process or interrupt context, and
 * published in the status page with the state word written last.
 */
#include <linux/jiffies.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include <drm/drm_print.h>

#include "nca_ctx.h"
#include "nca_device.h"
#include "nca_devmem.h"
#include "nca_mmap.h"
#include "nca_queue.h"
#include "nca_trace.h"
#include "nca_user.h"

/* Longer than any teardown may take; only a lost wake-up would reach it. */
#define NCA_RECLAIM_WAIT_MS	5000

static void nca_file_release(struct kref *ref)
{
	struct nca_file *file = container_of(ref, struct nca_file, ref);

	xa_destroy(&file->ctxs);
	xa_destroy(&file->queues);
	nca_user_put(file->user);
	kfree(file);
}

struct nca_file *nca_file_get(struct nca_file *file)
{
	kref_get(&file->ref);
	return file;
}

void nca_file_put(struct nca_file *file)
{
	kref_put(&file->ref, nca_file_release);
}

static void nca_ctx_release(struct kref *ref)
{
	struct nca_ctx *ctx = container_of(ref, struct nca_ctx, ref);

	__free_page(ctx->status_page);
	nca_file_put(ctx->file);
	mutex_destroy(&ctx->lock);
	kfree(ctx);
}

void nca_ctx_put(struct nca_ctx *ctx)
{
	kref_put(&ctx->ref, nca_ctx_release);
}

struct nca_ctx *nca_ctx_lookup(struct nca_file *file, u32 handle)
{
	struct nca_ctx *ctx;

	xa_lock(&file->ctxs);
	ctx = xa_load(&file->ctxs, handle);
	if (ctx)
		nca_ctx_get(ctx);
	xa_unlock(&file->ctxs);
	return ctx;
}

struct nca_ctx *nca_ctx_lookup_serial(struct nca_file *file, u32 serial)
{
	struct nca_ctx *ctx, *found = NULL;
	unsigned long handle;

	xa_lock(&file->ctxs);
	xa_for_each(&file->ctxs, handle, ctx) {
		if (ctx->serial == serial) {
			found = nca_ctx_get(ctx);
			break;
		}
	}
	xa_unlock(&file->ctxs);
	return found;
}

static int nca_ctx_state_error(enum nca_ctx_state state)
{
	switch (state) {
	case NCA_CTX_RUNNING:
		return 0;
	case NCA_CTX_DEVICE_GONE:
		return -ENODEV;
	case NCA_CTX_CLOSED:
		return -ENOENT;
	default:
		return -EIO;
	}
}

/* What a caller who uses this context is told. */
int nca_ctx_error(struct nca_ctx *ctx)
{
	return nca_ctx_state_error(READ_ONCE(ctx->state));
}

/**
 * nca_ctx_lose_locked() - the context cannot go on
 * @ctx: context
 * @state: new state; ignored unless it is worse than the present one
 * @cause: enum nca_lost_cause
 *
 * Caller holds ndev->evt_lock. Everybody who waits for one of the context's
 * queues wakes up with an error.
 */
void nca_ctx_lose_locked(struct nca_ctx *ctx, enum nca_ctx_state state, u32 cause)
{
	struct nca_queue *queue;

	lockdep_assert_held(&ctx->ndev->evt_lock);
	if (state <= ctx->state)
		return;
	trace_nca_ctx_state(ctx, state, cause);
	WRITE_ONCE(ctx->state, state);
	if (!ctx->cause)
		ctx->cause = cause;
	WRITE_ONCE(ctx->status->device_gen, ctx->ndev->device_gen);
	WRITE_ONCE(ctx->status->cause, ctx->cause);
	/* Whoever sees the state sees why. */
	smp_store_release(&ctx->status->state, state);

	list_for_each_entry(queue, &ctx->evt_queues, evt_node)
		nca_queue_lose_locked(queue, nca_ctx_state_error(state));
}

void nca_ctx_lose(struct nca_ctx *ctx, enum nca_ctx_state state, u32 cause)
{
	struct nca_device *ndev = ctx->ndev;
	unsigned long flags;

	spin_lock_irqsave(&ndev->evt_lock, flags);
	nca_ctx_lose_locked(ctx, state, cause);
	spin_unlock_irqrestore(&ndev->evt_lock, flags);
}

void nca_ctx_lose_all(struct nca_device *ndev, enum nca_ctx_state state, u32 cause)
{
	struct nca_ctx *ctx;

	mutex_lock(&ndev->ctx_lock);
	list_for_each_entry(ctx, &ndev->contexts, node)
		nca_ctx_lose(ctx, state, cause);
	mutex_unlock(&ndev->ctx_lock);
}

/**
 * nca_ctx_capacity() - what could be created now
 * @ndev: device
 * @free: slices not taken
 * @largest: largest size that fits
 *
 * A size up to one core's slices needs them on one core, a larger one needs
 * whole cores.
 */
void nca_ctx_capacity(struct nca_device *ndev, u32 *free, u32 *largest)
{
	u32 cores = ndev->info.cores, slices = ndev->info.slices;
	u32 per_core = max(slices / cores, 1u);
	u32 used = 0, idle_cores = 0, best = 0, size;
	u32 load[32] = {};
	struct nca_ctx *ctx;
	unsigned int i;

	mutex_lock(&ndev->ctx_lock);
	list_for_each_entry(ctx, &ndev->contexts, node) {
		u32 weight = hweight32(ctx->core_mask);

		/* What a reset threw off the device takes no room on it. */
		if (!READ_ONCE(ctx->hw_live))
			continue;
		used += ctx->slices;
		for (i = 0; weight && i < cores; i++)
			if (ctx->core_mask & BIT(i))
				load[i] += DIV_ROUND_UP(ctx->slices, weight);
	}
	mutex_unlock(&ndev->ctx_lock);

	for (i = 0; i < cores; i++) {
		if (!load[i])
			idle_cores++;
		if (load[i] < per_core)
			best = max(best, per_core - load[i]);
	}
	*free = used < slices ? slices - used : 0;
	*largest = 0;
	for (size = 1; size <= slices && size <= *free; size *= 2)
		if (size <= per_core ? best >= size : idle_cores >= size / per_core)
			*largest = size;
}

/* One attempt. On -ENOSPC and -EDQUOT somebody may be about to give room back. */
static int nca_ctx_try_create(struct nca_device *ndev, struct nca_ctx *ctx,
			      struct drm_nca_ctx_create *args)
{
	struct nca_admin_cmd cmd = { .opcode = NCA_ADMIN_CTX_CREATE };
	struct nca_admin_cpl cpl;
	u32 id, gen, core_mask;
	int idx, ret;

	ret = nca_enter(ndev, &idx);
	if (ret)
		return ret;
	ret = nca_user_charge_ctx(ctx->user);
	if (ret)
		goto err_exit;
	ret = nca_devmem_reserve(ndev, ctx->devmem_quota);
	if (ret)
		goto err_user;

	cmd.ctx_create.slices = args->slices;
	if (args->flags & DRM_NCA_CTX_BURST)
		cmd.ctx_create.flags |= NCA_CTX_BURST;
	ret = nca_admin_exec(ndev, &cmd, &cpl);
	if (ret) {
		if (cpl.status == NCA_ADMIN_NO_CAPACITY) {
			args->free_slices = min_t(u64, cpl.result[0], ndev->info.slices);
			args->largest = min_t(u64, cpl.result[1], ndev->info.slices);
		}
		goto err_devmem;
	}
	id = lower_32_bits(cpl.result[0]);
	gen = upper_32_bits(cpl.result[0]);
	core_mask = lower_32_bits(cpl.result[1]);
	/* An id that is still in the table would let one context's events reach another. */
	if (!id || id > ndev->num_contexts || READ_ONCE(ndev->ctx_tbl[id]) || !core_mask ||
	    (core_mask >> 1) >> (ndev->info.cores - 1)) {
		drm_err(&ndev->drm, "device made context %u on cores %#x, which cannot be\n",
			id, core_mask);
		nca_admin_fail(ndev, NCA_CAUSE_WATCHDOG);
		ret = -EIO;
		goto err_devmem;
	}

	ctx->id = id;
	ctx->gen = gen;
	ctx->core_mask = core_mask;
	ctx->status->version = 1;
	ctx->status->ctx_gen = gen;
	ctx->status->device_gen = ndev->device_gen;
	ctx->hw_live = true;

	/* The device's list holds a reference until teardown. */
	nca_ctx_get(ctx);
	mutex_lock(&ndev->ctx_lock);
	list_add_tail(&ctx->node, &ndev->contexts);
	ndev->num_ctx++;
	mutex_unlock(&ndev->ctx_lock);

	spin_lock_irq(&ndev->evt_lock);
	ndev->ctx_tbl[id] = ctx;
	spin_unlock_irq(&ndev->evt_lock);
	trace_nca_ctx_create(ctx);
	nca_exit(ndev, idx);
	return 0;

err_devmem:
	nca_devmem_unreserve(ndev, ctx->devmem_quota);
err_user:
	nca_user_uncharge_ctx(ctx->user);
err_exit:
	nca_exit(ndev, idx);
	return ret;
}

static bool nca_reclaimed(struct nca_device *ndev, u64 seq)
{
	bool ret;

	mutex_lock(&ndev->ctx_lock);
	ret = ndev->reclaim_seq != seq || !ndev->num_reclaiming;
	mutex_unlock(&ndev->ctx_lock);
	return ret;
}

static int nca_ctx_admit(struct nca_device *ndev, struct nca_ctx *ctx,
			 struct drm_nca_ctx_create *args)
{
	unsigned long end = jiffies + msecs_to_jiffies(NCA_RECLAIM_WAIT_MS);
	bool reclaiming;
	long left;
	u64 seq;
	int ret;

	for (;;) {
		/* Before the attempt: a teardown that ends during it counts. */
		mutex_lock(&ndev->ctx_lock);
		seq = ndev->reclaim_seq;
		reclaiming = ndev->num_reclaiming;
		mutex_unlock(&ndev->ctx_lock);

		ret = nca_ctx_try_create(ndev, ctx, args);
		if ((ret != -ENOSPC && ret != -EDQUOT) || !reclaiming)
			return ret;

		left = (long)(end - jiffies);
		if (left <= 0)
			return ret;
		left = wait_event_interruptible_timeout(ndev->reclaim_wq,
							nca_reclaimed(ndev, seq), left);
		if (left < 0)
			return left;
	}
}

static struct nca_ctx *nca_ctx_alloc(struct nca_device *ndev, struct nca_file *file)
{
	struct nca_ctx *ctx;

	ctx = kzalloc(sizeof(*ctx), GFP_KERNEL_ACCOUNT);
	if (!ctx)
		return NULL;
	ctx->status_page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!ctx->status_page) {
		kfree(ctx);
		return NULL;
	}
	ctx->status = page_address(ctx->status_page);
	kref_init(&ctx->ref);
	ctx->ndev = ndev;
	ctx->file = nca_file_get(file);
	ctx->user = file->user;
	ctx->serial = atomic_inc_return(&ndev->next_serial);
	mutex_init(&ctx->lock);
	INIT_LIST_HEAD(&ctx->node);
	INIT_LIST_HEAD(&ctx->queues);
	INIT_LIST_HEAD(&ctx->evt_queues);
	drm_mm_init(&ctx->va, ndev->info.va_start, ndev->info.va_end - ndev->info.va_start);
	INIT_WORK(&ctx->teardown_work, nca_teardown_worker);
	init_completion(&ctx->torn_down);
	return ctx;
}

static int nca_ctx_check_args(struct nca_device *ndev, struct drm_nca_ctx_create *args, u64 *quota)
{
	u64 share;

	if (args->flags & ~DRM_NCA_CTX_BURST)
		return -EINVAL;
	if (!is_power_of_2(args->slices) || args->slices > ndev->info.slices)
		return -EINVAL;
	share = ALIGN_DOWN(div_u64(ndev->devmem.size, ndev->info.slices), PAGE_SIZE) *
		args->slices;
	/* A size caps memory as it caps compute. */
	if (args->devmem_quota > share)
		return -EINVAL;
	*quota = args->devmem_quota ? PAGE_ALIGN(args->devmem_quota) : share;
	return 0;
}

int nca_ioctl_ctx_create(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct nca_file *file = drm_file->driver_priv;
	struct nca_device *ndev = to_nca(drm);
	struct drm_nca_ctx_create *args = data;
	struct nca_ctx *ctx;
	u64 quota;
	int ret;

	ret = nca_ctx_check_args(ndev, args, &quota);
	if (ret)
		return ret;
	/* Told with ENOSPC, too, by whoever finds out. */
	args->free_slices = 0;
	args->largest = 0;
	ctx = nca_ctx_alloc(ndev, file);
	if (!ctx)
		return -ENOMEM;
	ctx->slices = args->slices;
	ctx->devmem_quota = quota;

	/* The handle is reserved first, so that nothing can fail once the device has said yes. */
	ret = xa_alloc(&file->ctxs, &ctx->handle, NULL, XA_LIMIT(1, S32_MAX), GFP_KERNEL);
	if (ret)
		goto err_put;
	ret = nca_ctx_admit(ndev, ctx, args);
	if (ret)
		goto err_handle;

	nca_ctx_capacity(ndev, &args->free_slices, &args->largest);
	args->handle = ctx->handle;
	args->core_mask = ctx->core_mask;
	args->ctx_gen = ctx->gen;
	args->ctx = ctx->id;
	args->devmem_quota = quota;
	args->status_offset = nca_mmap_offset(NCA_MMAP_STATUS, ctx->serial);
	/* The reference from nca_ctx_alloc() is now the handle's. */
	xa_store(&file->ctxs, ctx->handle, ctx, GFP_KERNEL);
	return 0;

err_handle:
	xa_erase(&file->ctxs, ctx->handle);
	if (ret == -ENOSPC && !args->free_slices && !args->largest)
		nca_ctx_capacity(ndev, &args->free_slices, &args->largest);
err_put:
	drm_mm_takedown(&ctx->va);
	nca_ctx_put(ctx);
	return ret;
}

int nca_ioctl_ctx_destroy(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct nca_file *file = drm_file->driver_priv;
	struct drm_nca_ctx_destroy *args = data;
	struct nca_ctx *ctx;

	if (args->pad)
		return -EINVAL;
	/* An entry that a create has only reserved stays. */
	xa_lock(&file->ctxs);
	ctx = xa_load(&file->ctxs, args->handle);
	if (ctx)
		__xa_erase(&file->ctxs, args->handle);
	xa_unlock(&file->ctxs);
	if (!ctx)
		return -ENOENT;
	nca_queue_forget_ctx(file, ctx);
	nca_teardown_close(ctx);
	/* A signal ends the waiting, not the teardown; the handle is gone either way. */
	wait_for_completion_killable(&ctx->torn_down);
	nca_ctx_put(ctx);
	return 0;
}

int nca_ioctl_ctx_abort(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct nca_admin_cmd cmd = { .opcode = NCA_ADMIN_ABORT };
	struct nca_file *file = drm_file->driver_priv;
	struct drm_nca_ctx_abort *args = data;
	struct nca_device *ndev = to_nca(drm);
	struct nca_ctx *ctx;
	int idx, ret;

	if (args->pad)
		return -EINVAL;
	ctx = nca_ctx_lookup(file, args->handle);
	if (!ctx)
		return -ENOENT;
	ret = nca_enter(ndev, &idx);
	if (ret)
		goto out_put;

	mutex_lock(&ctx->lock);
	if (!ctx->hw_live) {
		ret = nca_ctx_error(ctx) ?: -EIO;
		goto out_unlock;
	}
	cmd.ctx = ctx->id;
	cmd.ctx_gen = ctx->gen;
	cmd.queue.queue = NCA_QUEUE_ALL;
	cmd.queue.cause = NCA_CAUSE_ABORT;
	ret = nca_admin_exec(ndev, &cmd, NULL);
	if (!ret)
		nca_ctx_lose(ctx, NCA_CTX_LOST, NCA_CAUSE_ABORT);
out_unlock:
	mutex_unlock(&ctx->lock);
	nca_exit(ndev, idx);
out_put:
	nca_ctx_put(ctx);
	return ret;
}
