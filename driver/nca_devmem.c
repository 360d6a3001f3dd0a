// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device memory: allocator, quotas, scrubbing.
 *
 * Memory is scrubbed by the device when it is handed out, before anybody has a
 * handle to it. That also covers what an earlier driver or a reset left there.
 *
 * A quota would be worth little if fragmentation could keep a context from
 * using it, so a buffer may consist of several blocks.
 */
#include <linux/log2.h>
#include <linux/slab.h>

#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include "nca_ctx.h"
#include "nca_device.h"
#include "nca_gem.h"

static void nca_devmem_fini(struct drm_device *drm, void *data)
{
	struct nca_devmem *devmem = data;

	drm_mm_takedown(&devmem->mm);
	mutex_destroy(&devmem->map_lock);
	mutex_destroy(&devmem->lock);
}

int nca_devmem_init(struct nca_device *ndev)
{
	struct nca_devmem *devmem = &ndev->devmem;

	mutex_init(&devmem->lock);
	mutex_init(&devmem->map_lock);
	/* The allocator wants a size above zero; an empty one is never asked. */
	drm_mm_init(&devmem->mm, 0, devmem->size ?: PAGE_SIZE);
	return drmm_add_action_or_reset(&ndev->drm, nca_devmem_fini, devmem);
}

int nca_devmem_reserve(struct nca_device *ndev, u64 quota)
{
	struct nca_devmem *devmem = &ndev->devmem;
	int ret = 0;

	mutex_lock(&devmem->lock);
	if (quota > devmem->size ||
	    devmem->reserved + devmem->orphaned > devmem->size - quota)
		ret = -ENOSPC;
	else
		devmem->reserved += quota;
	mutex_unlock(&devmem->lock);
	return ret;
}

void nca_devmem_unreserve(struct nca_device *ndev, u64 quota)
{
	mutex_lock(&ndev->devmem.lock);
	ndev->devmem.reserved -= quota;
	mutex_unlock(&ndev->devmem.lock);
}

/* The context goes; buffers of it that others still hold stay. */
void nca_devmem_orphan(struct nca_ctx *ctx)
{
	struct nca_devmem *devmem = &ctx->ndev->devmem;

	mutex_lock(&devmem->lock);
	ctx->devmem_orphaned = true;
	devmem->reserved -= ctx->devmem_quota;
	devmem->orphaned += ctx->devmem_used;
	mutex_unlock(&devmem->lock);
}

static void nca_devmem_free_blocks(struct nca_bo *bo)
{
	struct nca_block *block, *tmp;

	list_for_each_entry_safe(block, tmp, &bo->blocks, link) {
		drm_mm_remove_node(&block->node);
		list_del(&block->link);
		kfree(block);
	}
}

static int nca_devmem_alloc_blocks(struct nca_devmem *devmem, struct nca_bo *bo, u64 size)
{
	u64 chunk = size;
	int ret;

	while (size) {
		struct nca_block *block = kzalloc(sizeof(*block), GFP_KERNEL_ACCOUNT);

		if (!block) {
			ret = -ENOMEM;
			goto err_free;
		}
		chunk = min(chunk, size);
		ret = drm_mm_insert_node_generic(&devmem->mm, &block->node, chunk,
						 PAGE_SIZE, 0, DRM_MM_INSERT_BEST);
		if (ret) {
			kfree(block);
			if (ret != -ENOSPC || chunk <= PAGE_SIZE)
				goto err_free;
			/* No hole is that large: go on with smaller pieces. */
			chunk = is_power_of_2(chunk) ? chunk / 2 : rounddown_pow_of_two(chunk);
			chunk = max_t(u64, chunk, PAGE_SIZE);
			continue;
		}
		list_add_tail(&block->link, &bo->blocks);
		size -= chunk;
	}
	return 0;

err_free:
	nca_devmem_free_blocks(bo);
	return ret;
}

/**
 * nca_devmem_alloc() - take memory out of a context's quota
 * @bo: buffer, of a size that is whole pages
 * @ctx: context it is charged to
 *
 * Return: 0, -ENOSPC when the quota or the memory is used up, -ENOMEM.
 */
int nca_devmem_alloc(struct nca_bo *bo, struct nca_ctx *ctx)
{
	struct nca_devmem *devmem = &ctx->ndev->devmem;
	u64 size = bo->base.size;
	int ret;

	mutex_lock(&devmem->lock);
	if (ctx->devmem_orphaned) {
		ret = -ENOENT;
	} else if (size > ctx->devmem_quota - ctx->devmem_used) {
		ret = -ENOSPC;
	} else {
		ret = nca_devmem_alloc_blocks(devmem, bo, size);
		if (!ret) {
			ctx->devmem_used += size;
			devmem->used += size;
			bo->ctx = nca_ctx_get(ctx);
		}
	}
	mutex_unlock(&devmem->lock);
	return ret;
}

void nca_devmem_free(struct nca_bo *bo)
{
	struct nca_devmem *devmem;
	struct nca_ctx *ctx = bo->ctx;

	if (!ctx)
		return;
	devmem = &ctx->ndev->devmem;
	mutex_lock(&devmem->lock);
	nca_devmem_free_blocks(bo);
	ctx->devmem_used -= bo->base.size;
	devmem->used -= bo->base.size;
	if (ctx->devmem_orphaned)
		devmem->orphaned -= bo->base.size;
	mutex_unlock(&devmem->lock);
	bo->ctx = NULL;
	nca_ctx_put(ctx);
}

/* Inside nca_enter(). */
int nca_devmem_scrub(struct nca_bo *bo)
{
	struct nca_device *ndev = bo->ctx->ndev;
	struct nca_block *block;
	int ret;

	list_for_each_entry(block, &bo->blocks, link) {
		struct nca_admin_cmd cmd = { .opcode = NCA_ADMIN_SCRUB };

		cmd.scrub.offset = block->node.start;
		cmd.scrub.len = block->node.size;
		ret = nca_admin_exec(ndev, &cmd, NULL);
		if (ret)
			return ret;
	}
	return 0;
}

/* The window is of no use any more: page faults show dummy pages from now on. */
void nca_devmem_revoke(struct nca_device *ndev)
{
	mutex_lock(&ndev->devmem.map_lock);
	ndev->devmem.revoked = true;
	mutex_unlock(&ndev->devmem.map_lock);
	/* Host memory that is zapped along with it faults in again. */
	unmap_mapping_range(ndev->drm.anon_inode->i_mapping, 0, 0, 1);
}

void nca_devmem_print(struct nca_device *ndev, struct drm_printer *p)
{
	struct nca_devmem *devmem = &ndev->devmem;

	mutex_lock(&devmem->lock);
	drm_printf(p, "size %llu used %llu reserved %llu orphaned %llu\n",
		   devmem->size, devmem->used, devmem->reserved, devmem->orphaned);
	drm_mm_print(&devmem->mm, p);
	mutex_unlock(&devmem->lock);
}
