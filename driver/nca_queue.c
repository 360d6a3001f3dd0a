// SPDX-License-Identifier: GPL-2.0-only
/*
 * User queues.
 *
 * The kernel allocates the rings, maps them for the device into the kernel's
 * part of the context's address space, and gives the process the offsets to
 * map rings and doorbell. After that it is out of the way.
 *
 * A queue id belongs to one queue until its doorbell page has been revoked and
 * the device has forgotten it; only then may the next owner have the page.
 */
#include <linux/eventfd.h>
#include <linux/idr.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include <drm/drm_file.h>
#include <drm/drm_print.h>

#include "nca_ctx.h"
#include "nca_device.h"
#include "nca_map.h"
#include "nca_mmap.h"
#include "nca_queue.h"
#include "nca_trace.h"
#include "nca_user.h"

/* Each queue id has its own place for its rings in every context. */
#define NCA_RING_VA_SHIFT	24

static u64 nca_queue_va(struct nca_queue *queue)
{
	return NCA_VA_USER_END + ((u64)queue->id << NCA_RING_VA_SHIFT);
}

static void __iomem *nca_queue_doorbell(struct nca_queue *queue)
{
	struct nca_device *ndev = queue->ndev;

	return ndev->db + ndev->db_offset + (size_t)queue->id * ndev->db_stride;
}

static void nca_queue_free_pages(struct nca_queue *queue)
{
	unsigned long i;

	for (i = 0; i < queue->num_pages; i++)
		__free_page(queue->pages[i]);
	kvfree(queue->pages);
}

static void nca_queue_free(struct kref *ref)
{
	struct nca_queue *queue = container_of(ref, struct nca_queue, ref);

	if (queue->eventfd)
		eventfd_ctx_put(queue->eventfd);
	nca_queue_free_pages(queue);
	if (queue->dummy)
		__free_page(queue->dummy);
	nca_ctx_put(queue->ctx);
	mutex_destroy(&queue->map_lock);
	kfree(queue);
}

void nca_queue_put(struct nca_queue *queue)
{
	kref_put(&queue->ref, nca_queue_free);
}

struct nca_queue *nca_queue_lookup(struct nca_file *file, u32 handle)
{
	struct nca_queue *queue;

	xa_lock(&file->queues);
	queue = xa_load(&file->queues, handle);
	if (queue)
		nca_queue_get(queue);
	xa_unlock(&file->queues);
	return queue;
}

struct nca_queue *nca_queue_lookup_serial(struct nca_file *file, u32 serial)
{
	struct nca_queue *queue, *found = NULL;
	unsigned long handle;

	xa_lock(&file->queues);
	xa_for_each(&file->queues, handle, queue) {
		if (queue->serial == serial) {
			found = nca_queue_get(queue);
			break;
		}
	}
	xa_unlock(&file->queues);
	return found;
}

/* The context's handle has gone; its queues' handles go too. */
void nca_queue_forget_ctx(struct nca_file *file, struct nca_ctx *ctx)
{
	struct nca_queue *queue;
	unsigned long handle;

	for (;;) {
		struct nca_queue *found = NULL;

		xa_lock(&file->queues);
		xa_for_each(&file->queues, handle, queue) {
			if (queue->ctx == ctx) {
				found = queue;
				__xa_erase(&file->queues, handle);
				break;
			}
		}
		xa_unlock(&file->queues);
		if (!found)
			return;
		nca_queue_put(found);
	}
}

/* Takes mmap locks of whoever has it mapped; after it, only dummy pages. */
void nca_queue_revoke(struct nca_queue *queue)
{
	mutex_lock(&queue->map_lock);
	queue->revoked = true;
	mutex_unlock(&queue->map_lock);
	nca_mmap_zap(queue->ndev, NCA_MMAP_DOORBELL, queue->serial);
	nca_mmap_zap(queue->ndev, NCA_MMAP_KICK, queue->serial);
}

/* Device reset and removal. */
void nca_queue_revoke_all(struct nca_device *ndev)
{
	struct nca_queue *queue;
	u32 id;

	for (id = 0; id < ndev->num_queues; id++) {
		spin_lock_irq(&ndev->evt_lock);
		queue = ndev->queue_tbl[id];
		if (queue)
			nca_queue_get(queue);
		spin_unlock_irq(&ndev->evt_lock);
		if (!queue)
			continue;
		nca_queue_revoke(queue);
		nca_queue_put(queue);
	}
}

/* The device forgets the queue. On return it does not touch the rings any more. */
void nca_queue_stop_hw(struct nca_queue *queue)
{
	struct nca_device *ndev = queue->ndev;
	struct nca_admin_cmd cmd = {
		.opcode = NCA_ADMIN_QUEUE_DESTROY,
		.ctx = queue->ctx->id,
		.ctx_gen = queue->ctx->gen,
	};
	int ret;

	lockdep_assert_held(&queue->ctx->lock);
	if (queue->hw_live) {
		cmd.queue.queue = queue->id;
		cmd.queue.queue_gen = queue->gen;
		ret = nca_admin_exec(ndev, &cmd, NULL);
		if (ret && ret != -EIO && ret != -ENODEV) {
			drm_err(&ndev->drm, "device refuses to destroy queue %u: %d\n",
				queue->id, ret);
			nca_admin_fail(ndev, NCA_CAUSE_WATCHDOG);
		}
		queue->hw_live = false;
	}
}

/* Of one queue; a context that goes takes the mappings of all its queues with it. */
static void nca_queue_destroy_hw(struct nca_queue *queue)
{
	nca_queue_stop_hw(queue);
	if (queue->hw_mapped) {
		nca_unmap_exec(queue->ctx, nca_queue_va(queue),
			       (u64)queue->num_pages << PAGE_SHIFT);
		queue->hw_mapped = false;
	}
}

/* Take the queue off its context. The device has forgotten it. */
void nca_queue_release(struct nca_queue *queue)
{
	struct nca_device *ndev = queue->ndev;

	lockdep_assert_held(&queue->ctx->lock);
	spin_lock_irq(&ndev->evt_lock);
	ndev->queue_tbl[queue->id] = NULL;
	list_del_init(&queue->evt_node);
	spin_unlock_irq(&ndev->evt_lock);
	list_del_init(&queue->node);

	nca_dma_unmap_pages(ndev, &queue->sgt);
	ida_free(&ndev->queue_ids, queue->id);
	atomic_dec(&ndev->live_queues);
	nca_user_uncharge_rings(queue->ctx->user, queue->num_pages);
	nca_user_uncharge_queue(queue->ctx->user);
	trace_nca_queue_destroy(queue);
	nca_queue_put(queue);
}

static int nca_queue_alloc_pages(struct nca_queue *queue, unsigned long n)
{
	int node = dev_to_node(&queue->ndev->pdev->dev);

	queue->pages = kvcalloc(n, sizeof(*queue->pages), GFP_KERNEL_ACCOUNT);
	if (!queue->pages)
		return -ENOMEM;
	while (queue->num_pages < n) {
		struct page *page = alloc_pages_node(node, GFP_KERNEL_ACCOUNT | __GFP_ZERO, 0);

		if (!page)
			return -ENOMEM;
		queue->pages[queue->num_pages++] = page;
	}
	queue->state = page_address(queue->pages[0]);
	queue->dummy = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	return queue->dummy ? 0 : -ENOMEM;
}

static struct nca_queue *nca_queue_alloc(struct nca_ctx *ctx, struct drm_nca_queue_create *args)
{
	u64 size = nca_ring_size(args->sq_order, args->cq_order);
	struct nca_queue *queue;
	int ret;

	queue = kzalloc(sizeof(*queue), GFP_KERNEL_ACCOUNT);
	if (!queue)
		return ERR_PTR(-ENOMEM);
	kref_init(&queue->ref);
	queue->ndev = ctx->ndev;
	queue->ctx = nca_ctx_get(ctx);
	queue->serial = atomic_inc_return(&ctx->ndev->next_serial);
	queue->sq_order = args->sq_order;
	queue->cq_order = args->cq_order;
	queue->core = args->core;
	mutex_init(&queue->map_lock);
	INIT_LIST_HEAD(&queue->node);
	INIT_LIST_HEAD(&queue->evt_node);
	init_waitqueue_head(&queue->wq);
	ret = nca_queue_alloc_pages(queue, PAGE_ALIGN(size) >> PAGE_SHIFT);
	if (ret) {
		nca_queue_put(queue);
		return ERR_PTR(ret);
	}
	return queue;
}

static int nca_queue_map_rings(struct nca_queue *queue)
{
	struct nca_extents ext;
	int ret;

	nca_extents_init(&ext, queue->ndev);
	ret = nca_extents_add_sgt(&ext, &queue->sgt, 0, (u64)queue->num_pages << PAGE_SHIFT);
	if (!ret)
		ret = nca_map_exec(queue->ctx, nca_queue_va(queue), &ext,
				   NCA_MAP_READ | NCA_MAP_WRITE);
	nca_extents_fini(&ext);
	if (!ret)
		queue->hw_mapped = true;
	return ret;
}

static int nca_queue_create_hw(struct nca_queue *queue)
{
	void __iomem *db = nca_queue_doorbell(queue);
	struct nca_device *ndev = queue->ndev;
	struct nca_admin_cmd cmd = {
		.opcode = NCA_ADMIN_QUEUE_CREATE,
		.ctx = queue->ctx->id,
		.ctx_gen = queue->ctx->gen,
	};
	u64 va = nca_queue_va(queue);
	int ret;

	/* The page may show what its last owner stored. */
	writel(0, db + offsetof(struct nca_doorbell, sq_tail));
	writel(0, db + offsetof(struct nca_doorbell, cq_head));
	writel(0, db + offsetof(struct nca_doorbell, arm));
	writel(0, db + offsetof(struct nca_doorbell, arm) + 4);

	cmd.queue_create.queue = queue->id;
	cmd.queue_create.vector = 1 + queue->id % ndev->num_eqs;
	cmd.queue_create.state_va = va + NCA_RING_STATE_OFFSET;
	cmd.queue_create.sq_va = va + NCA_RING_SQ_OFFSET;
	cmd.queue_create.cq_va = va + nca_ring_cq_offset(queue->sq_order);
	cmd.queue_create.sq_order = queue->sq_order;
	cmd.queue_create.cq_order = queue->cq_order;
	cmd.queue_create.queue_gen = queue->gen;
	cmd.queue_create.core = queue->core;
	ret = nca_admin_exec(ndev, &cmd, NULL);
	if (!ret)
		queue->hw_live = true;
	return ret;
}

/* Inside nca_enter(), under ctx->lock. Everything is undone on failure. */
static int nca_queue_start(struct nca_queue *queue)
{
	struct nca_device *ndev = queue->ndev;
	struct nca_ctx *ctx = queue->ctx;
	struct nca_user *user = ctx->user;
	int ret;

	ret = nca_ctx_error(ctx);
	if (!ret && (ctx->torn || !ctx->hw_live))
		ret = -EIO;
	if (ret)
		return ret;
	ret = nca_user_charge_queue(user);
	if (ret)
		return ret;
	ret = nca_user_charge_rings(user, queue->num_pages);
	if (ret)
		goto err_queue;
	ret = ida_alloc_max(&ndev->queue_ids, ndev->num_queues - 1, GFP_KERNEL);
	if (ret < 0)
		goto err_rings;
	queue->id = ret;
	queue->gen = atomic_inc_return(&ndev->next_queue_gen);
	ret = nca_dma_map_pages(ndev, queue->pages, queue->num_pages, &queue->sgt);
	if (ret)
		goto err_id;

	/* From here on nca_queue_release() undoes everything. */
	atomic_inc(&ndev->live_queues);
	nca_queue_get(queue);
	list_add_tail(&queue->node, &ctx->queues);
	/* Before the device can send an event for it. */
	spin_lock_irq(&ndev->evt_lock);
	ndev->queue_tbl[queue->id] = queue;
	list_add_tail(&queue->evt_node, &ctx->evt_queues);
	spin_unlock_irq(&ndev->evt_lock);

	ret = nca_queue_map_rings(queue);
	if (!ret)
		ret = nca_queue_create_hw(queue);
	if (ret) {
		nca_queue_destroy_hw(queue);
		nca_queue_release(queue);
		return ret;
	}
	/* Lost between the check above and the list: nobody told this queue. */
	ret = nca_ctx_error(ctx);
	if (ret) {
		spin_lock_irq(&ndev->evt_lock);
		nca_queue_lose_locked(queue, ret);
		spin_unlock_irq(&ndev->evt_lock);
	}
	trace_nca_queue_create(queue);
	return 0;

err_id:
	ida_free(&ndev->queue_ids, queue->id);
err_rings:
	nca_user_uncharge_rings(user, queue->num_pages);
err_queue:
	nca_user_uncharge_queue(user);
	return ret;
}

int nca_ioctl_queue_create(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct nca_file *file = drm_file->driver_priv;
	struct drm_nca_queue_create *args = data;
	struct nca_device *ndev = to_nca(drm);
	u32 max_order = ndev->info.max_queue_order;
	struct nca_queue *queue;
	struct nca_ctx *ctx;
	u32 handle;
	int idx, ret;

	if (args->flags || args->pad)
		return -EINVAL;
	if (args->sq_order < 3 || args->sq_order > max_order ||
	    args->cq_order < args->sq_order || args->cq_order > max_order)
		return -EINVAL;
	ctx = nca_ctx_lookup(file, args->ctx);
	if (!ctx)
		return -ENOENT;
	if (args->core != NCA_CORE_ANY &&
	    (args->core >= 32 || !(ctx->core_mask & BIT(args->core)))) {
		ret = -EINVAL;
		goto out_ctx;
	}

	queue = nca_queue_alloc(ctx, args);
	if (IS_ERR(queue)) {
		ret = PTR_ERR(queue);
		goto out_ctx;
	}
	ret = xa_alloc(&file->queues, &handle, NULL, XA_LIMIT(1, S32_MAX), GFP_KERNEL);
	if (ret)
		goto out_queue;
	queue->handle = handle;

	ret = nca_enter(ndev, &idx);
	if (!ret) {
		mutex_lock(&ctx->lock);
		ret = nca_queue_start(queue);
		mutex_unlock(&ctx->lock);
		nca_exit(ndev, idx);
	}
	if (ret) {
		xa_erase(&file->queues, handle);
		goto out_queue;
	}

	args->queue = handle;
	args->ring_offset = nca_mmap_offset(NCA_MMAP_RING, queue->serial);
	args->ring_size = (u64)queue->num_pages << PAGE_SHIFT;
	args->doorbell_offset = nca_mmap_offset(NCA_MMAP_DOORBELL, queue->serial);
	args->kick_offset = nca_mmap_offset(NCA_MMAP_KICK, queue->serial);
	/* Our reference becomes the handle's. */
	xa_store(&file->queues, handle, queue, GFP_KERNEL);
	nca_ctx_put(ctx);
	return 0;

out_queue:
	nca_queue_put(queue);
out_ctx:
	nca_ctx_put(ctx);
	return ret;
}

int nca_ioctl_queue_destroy(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct nca_file *file = drm_file->driver_priv;
	struct drm_nca_queue_destroy *args = data;
	struct nca_device *ndev = to_nca(drm);
	struct nca_queue *queue;
	struct nca_ctx *ctx;

	if (args->pad)
		return -EINVAL;
	/* An entry that a create has only reserved stays. */
	xa_lock(&file->queues);
	queue = xa_load(&file->queues, args->queue);
	if (queue)
		__xa_erase(&file->queues, args->queue);
	xa_unlock(&file->queues);
	if (!queue)
		return -ENOENT;
	ctx = queue->ctx;

	spin_lock_irq(&ndev->evt_lock);
	nca_queue_lose_locked(queue, -ENOENT);
	spin_unlock_irq(&ndev->evt_lock);
	nca_queue_revoke(queue);

	/*
	 * Not by nca_enter(): a queue can be given back whatever state the
	 * device is in, as long as removal has not taken the context down.
	 */
	down_read(&ndev->reset_lock);
	mutex_lock(&ctx->lock);
	if (!list_empty(&queue->node) && !ndev->removed) {
		nca_queue_destroy_hw(queue);
		nca_queue_release(queue);
	}
	mutex_unlock(&ctx->lock);
	up_read(&ndev->reset_lock);
	nca_queue_put(queue);
	return 0;
}

/*
 * Submit on behalf of the caller: what user space would do in its doorbell
 * page. The state word is memory the process can write; believing it can only
 * cost the process its own wake-up.
 */
int nca_ioctl_queue_kick(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct drm_nca_queue_kick *args = data;
	struct nca_device *ndev = to_nca(drm);
	struct nca_queue *queue;
	int idx, ret;

	queue = nca_queue_lookup(drm_file->driver_priv, args->queue);
	if (!queue)
		return -ENOENT;
	ret = nca_enter(ndev, &idx);
	if (ret)
		goto out_put;

	mutex_lock(&queue->map_lock);
	if (queue->revoked) {
		ret = nca_ctx_error(queue->ctx) ?: -ENOENT;
	} else {
		void __iomem *db = nca_queue_doorbell(queue);

		writel(args->tail, db + offsetof(struct nca_doorbell, sq_tail));
		/* The tail before the look at the state: see <nca/queue.h>. */
		mb();
		if (READ_ONCE(queue->state->sleep) != NCA_QUEUE_AWAKE)
			writel(1, ndev->db + ndev->kick_offset +
			       (size_t)queue->id * ndev->db_stride + NCA_KICK_WORD);
	}
	mutex_unlock(&queue->map_lock);
	nca_exit(ndev, idx);
out_put:
	nca_queue_put(queue);
	return ret;
}
