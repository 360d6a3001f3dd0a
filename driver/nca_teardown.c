// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of a context.
 *
 * Closing a context, by ioctl or because its file was closed, only marks it
 * and hands it to a worker, one work item each: a process that is being killed
 * cannot wait (its interruptible waits return at once), and one slow context
 * does not hold up another. The order never changes:
 *
 *   status page says CLOSED, waiters wake
 *   doorbell and kick pages are revoked
 *   the device aborts and forgets the queues, then the context; its answer to
 *     CTX_DESTROY means that no DMA of the context is left
 *   DMA mappings go, pages are unpinned, buffers are released
 *
 * A device that refuses or does not answer is cut off from the bus first (see
 * nca_admin_fail()); nothing is freed on hope. The waits are uninterruptible
 * and bounded by the admin queue.
 *
 * nca_pci_remove() runs the same code for whatever is still alive and flushes
 * the worker, so no DMA mapping outlives the binding of the driver.
 */
#include <drm/drm_print.h>

#include "nca_bind.h"
#include "nca_ctx.h"
#include "nca_device.h"
#include "nca_query.h"
#include "nca_queue.h"
#include "nca_trace.h"
#include "nca_user.h"

static void nca_teardown_hw(struct nca_ctx *ctx)
{
	struct nca_device *ndev = ctx->ndev;
	struct nca_admin_cmd cmd = {
		.opcode = NCA_ADMIN_ABORT,
		.ctx = ctx->id,
		.ctx_gen = ctx->gen,
	};
	struct nca_queue *queue;
	int ret;

	lockdep_assert_held(&ctx->lock);

	/* Its counters go with it; add them to the file's. */
	nca_query_save_usage(ctx);

	if (!list_empty(&ctx->queues)) {
		cmd.queue.queue = NCA_QUEUE_ALL;
		cmd.queue.cause = NCA_CAUSE_ABORT;
		ret = nca_admin_exec(ndev, &cmd, NULL);
		/* A context that is lost already has nothing left to abort. */
		if (ret && ret != -EIO && ret != -ENODEV)
			drm_dbg(&ndev->drm, "abort of context %u: %d\n", ctx->id, ret);
	}
	list_for_each_entry(queue, &ctx->queues, node)
		nca_queue_stop_hw(queue);

	/*
	 * Once CTX_DESTROY is answered the id may be given to another context,
	 * so the table forgets this one before.
	 */
	spin_lock_irq(&ndev->evt_lock);
	if (ndev->ctx_tbl[ctx->id] == ctx)
		ndev->ctx_tbl[ctx->id] = NULL;
	spin_unlock_irq(&ndev->evt_lock);

	memset(&cmd, 0, sizeof(cmd));
	cmd.opcode = NCA_ADMIN_CTX_DESTROY;
	cmd.ctx = ctx->id;
	cmd.ctx_gen = ctx->gen;
	ret = nca_admin_exec(ndev, &cmd, NULL);
	if (ret && ret != -EIO && ret != -ENODEV) {
		drm_err(&ndev->drm, "device refuses to destroy context %u: %d\n", ctx->id, ret);
		nca_admin_fail(ndev, NCA_CAUSE_WATCHDOG);
	}
	WRITE_ONCE(ctx->hw_live, false);
}

/**
 * nca_teardown_ctx() - take everything back from a context
 * @ctx: context, on the device's list
 *
 * Runs once for each context; the second caller finds the work done. Sleeps
 * uninterruptibly for a bounded time.
 */
void nca_teardown_ctx(struct nca_ctx *ctx)
{
	struct nca_device *ndev = ctx->ndev;
	struct nca_queue *queue, *tmp;

	/* The state says already why: closed by its owner, or the device is leaving. */
	down_read(&ndev->reset_lock);
	mutex_lock(&ctx->lock);
	if (ctx->torn) {
		mutex_unlock(&ctx->lock);
		up_read(&ndev->reset_lock);
		return;
	}
	ctx->torn = true;

	list_for_each_entry(queue, &ctx->queues, node)
		nca_queue_revoke(queue);
	if (ctx->hw_live)
		nca_teardown_hw(ctx);

	list_for_each_entry_safe(queue, tmp, &ctx->queues, node)
		nca_queue_release(queue);
	mutex_unlock(&ctx->lock);

	/* @torn keeps everybody else out; unpinning takes mmap locks. */
	nca_bind_release_all(ctx);
	drm_mm_takedown(&ctx->va);
	up_read(&ndev->reset_lock);

	spin_lock_irq(&ndev->evt_lock);
	if (ndev->ctx_tbl[ctx->id] == ctx)
		ndev->ctx_tbl[ctx->id] = NULL;
	spin_unlock_irq(&ndev->evt_lock);

	nca_devmem_orphan(ctx);
	nca_user_uncharge_ctx(ctx->user);
	trace_nca_ctx_teardown(ctx);

	mutex_lock(&ndev->ctx_lock);
	list_del_init(&ctx->node);
	ndev->num_ctx--;
	if (atomic_read(&ctx->closing))
		ndev->num_reclaiming--;
	ndev->reclaim_seq++;
	mutex_unlock(&ndev->ctx_lock);
	wake_up_all(&ndev->reclaim_wq);
	complete_all(&ctx->torn_down);
	nca_ctx_put(ctx);
}

void nca_teardown_worker(struct work_struct *work)
{
	struct nca_ctx *ctx = container_of(work, struct nca_ctx, teardown_work);

	nca_teardown_ctx(ctx);
	nca_ctx_put(ctx);
}

/**
 * nca_teardown_close() - hand a context to the worker
 * @ctx: context whose handle has just gone
 *
 * Does not wait.
 */
void nca_teardown_close(struct nca_ctx *ctx)
{
	struct nca_device *ndev = ctx->ndev;
	bool queue = false;

	nca_ctx_lose(ctx, NCA_CTX_CLOSED, NCA_CAUSE_NONE);

	/*
	 * Removal sets @removed under this lock before it tears down what is
	 * on the list, so either it sees this context or the worker is queued
	 * before it flushes.
	 */
	down_read(&ndev->reset_lock);
	if (!ndev->removed) {
		mutex_lock(&ndev->ctx_lock);
		if (!list_empty(&ctx->node) && !atomic_xchg(&ctx->closing, 1)) {
			ndev->num_reclaiming++;
			queue = true;
		}
		mutex_unlock(&ndev->ctx_lock);
		if (queue) {
			nca_ctx_get(ctx);
			queue_work(ndev->wq, &ctx->teardown_work);
		}
	}
	up_read(&ndev->reset_lock);
}

/* Removal: @removed is set, no context can be added. */
void nca_teardown_all(struct nca_device *ndev)
{
	struct nca_ctx *ctx;

	for (;;) {
		mutex_lock(&ndev->ctx_lock);
		ctx = list_first_entry_or_null(&ndev->contexts, struct nca_ctx, node);
		if (ctx)
			nca_ctx_get(ctx);
		mutex_unlock(&ndev->ctx_lock);
		if (!ctx)
			break;
		nca_teardown_ctx(ctx);
		/* The worker may have been first and not be through yet. */
		wait_for_completion(&ctx->torn_down);
		nca_ctx_put(ctx);
	}
	flush_workqueue(ndev->wq);
}
