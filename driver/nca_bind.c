// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bindings: part of a buffer in a context's address space.
 *
 * A binding owns a reference to its buffer, the pins and DMA mapping of exactly
 * the pages it covers, and what these were charged to: DRM drops a file's
 * buffer handles before the driver hears that the file was closed, and the
 * device must be able to go on until it was told to stop.
 *
 * Charging takes the caller's mmap_lock and pinning may take long, so both
 * happen before any lock of ours.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>

#include <drm/drm_file.h>
#include <drm/drm_print.h>

#include "nca_bind.h"
#include "nca_ctx.h"
#include "nca_device.h"
#include "nca_gem.h"
#include "nca_map.h"
#include "nca_trace.h"
#include "nca_user.h"

struct nca_binding {
	struct drm_mm_node node;	/* in ctx->va */
	struct nca_bo *bo;
	u64 offset;
	u32 flags;			/* DRM_NCA_BIND_* */
	struct nca_pin_charge charge;
	/* host memory: the pages of the range; imports are mapped whole */
	struct page **pages;
	unsigned long num_pages;
	struct sg_table sgt;
	bool dma_mapped;
};

static void nca_bind_unpin(struct nca_binding *bind)
{
	bool dirty = bind->flags & DRM_NCA_BIND_WRITE;
	unsigned long i;

	for (i = 0; i < bind->num_pages; i++) {
		struct folio *folio = page_folio(bind->pages[i]);

		if (dirty)
			folio_mark_dirty(folio);
		folio_put(folio);
		if (!(i % 1024))
			cond_resched();
	}
	kvfree(bind->pages);
	bind->pages = NULL;
	bind->num_pages = 0;
}

/*
 * An extra reference keeps a shmem page from being reclaimed or migrated, and
 * nothing of ours truncates the file.
 */
static int nca_bind_pin(struct nca_binding *bind)
{
	struct address_space *mapping = bind->bo->base.filp->f_mapping;
	unsigned long n = bind->node.size >> PAGE_SHIFT, i;
	pgoff_t first = bind->offset >> PAGE_SHIFT;

	/* The size is the caller's idea: too large a one is no cause for a warning. */
	bind->pages = kvmalloc_array(n, sizeof(*bind->pages), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!bind->pages)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		struct page *page;

		if (fatal_signal_pending(current))
			return -EINTR;
		page = shmem_read_mapping_page(mapping, first + i);
		if (IS_ERR(page))
			return PTR_ERR(page);
		bind->pages[bind->num_pages++] = page;
		if (!(i % 1024))
			cond_resched();
	}
	return 0;
}

/* The device has forgotten the binding. Takes mmap_lock: no locks below it are held. */
static void nca_bind_release(struct nca_device *ndev, struct nca_binding *bind)
{
	if (bind->dma_mapped) {
		if (bind->bo->kind == NCA_BO_IMPORT)
			nca_prime_unmap(bind->bo);
		else
			nca_dma_unmap_pages(ndev, &bind->sgt);
	}
	if (bind->pages)
		nca_bind_unpin(bind);
	nca_pin_uncharge(&bind->charge);
	nca_bo_put(bind->bo);
	kfree(bind);
}

/* Inside nca_enter(). */
static int nca_bind_dma_map(struct nca_device *ndev, struct nca_binding *bind,
			    struct nca_extents *ext)
{
	struct sg_table *sgt;
	int ret;

	if (bind->bo->kind == NCA_BO_IMPORT) {
		sgt = nca_prime_map(bind->bo);
		if (IS_ERR(sgt))
			return PTR_ERR(sgt);
		bind->dma_mapped = true;
		return nca_extents_add_sgt(ext, sgt, bind->offset, bind->node.size);
	}
	ret = nca_dma_map_pages(ndev, bind->pages, bind->num_pages, &bind->sgt);
	if (ret)
		return ret;
	bind->dma_mapped = true;
	return nca_extents_add_sgt(ext, &bind->sgt, 0, bind->node.size);
}

static int nca_bind_devmem(struct nca_binding *bind, struct nca_extents *ext)
{
	u64 offset = bind->offset, len = bind->node.size;
	struct nca_block *block;

	list_for_each_entry(block, &bind->bo->blocks, link) {
		u64 size = block->node.size, part;
		int ret;

		if (!len)
			break;
		if (offset >= size) {
			offset -= size;
			continue;
		}
		part = min(size - offset, len);
		ret = nca_extents_add(ext, block->node.start + offset, part);
		if (ret)
			return ret;
		offset = 0;
		len -= part;
	}
	return 0;
}

static int nca_bind_commit(struct nca_ctx *ctx, struct nca_binding *bind)
{
	struct nca_device *ndev = ctx->ndev;
	u32 flags = 0;
	struct nca_extents ext;
	int idx, ret;

	if (bind->flags & DRM_NCA_BIND_READ)
		flags |= NCA_MAP_READ;
	if (bind->flags & DRM_NCA_BIND_WRITE)
		flags |= NCA_MAP_WRITE;

	ret = nca_enter(ndev, &idx);
	if (ret)
		return ret;
	nca_extents_init(&ext, ndev);
	if (bind->bo->kind == NCA_BO_DEVMEM) {
		flags |= NCA_MAP_DEVICE;
		ret = nca_bind_devmem(bind, &ext);
	} else {
		ret = nca_bind_dma_map(ndev, bind, &ext);
	}
	if (ret)
		goto out_ext;

	mutex_lock(&ctx->lock);
	ret = nca_ctx_error(ctx);
	if (!ret && (ctx->torn || !ctx->hw_live))
		ret = -EIO;
	if (ret)
		goto out_unlock;
	ret = drm_mm_reserve_node(&ctx->va, &bind->node);
	if (ret) {
		ret = -EEXIST;
		goto out_unlock;
	}
	ret = nca_map_exec(ctx, bind->node.start, &ext, flags);
	if (ret)
		drm_mm_remove_node(&bind->node);
	else
		trace_nca_bind(ctx, bind->node.start, bind->node.size);
out_unlock:
	mutex_unlock(&ctx->lock);
out_ext:
	nca_extents_fini(&ext);
	if (ret && bind->dma_mapped) {
		/* Inside, as the function is certain to be bound to us here. */
		if (bind->bo->kind == NCA_BO_IMPORT)
			nca_prime_unmap(bind->bo);
		else
			nca_dma_unmap_pages(ndev, &bind->sgt);
		bind->dma_mapped = false;
	}
	nca_exit(ndev, idx);
	return ret;
}

int nca_ioctl_bind(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct nca_file *file = drm_file->driver_priv;
	struct nca_device *ndev = to_nca(drm);
	struct drm_nca_bind *args = data;
	struct nca_binding *bind;
	struct nca_ctx *ctx;
	u64 end;
	int ret;

	if (args->pad || !args->flags ||
	    args->flags & ~(DRM_NCA_BIND_READ | DRM_NCA_BIND_WRITE))
		return -EINVAL;
	if (!args->size || !PAGE_ALIGNED(args->va | args->offset | args->size))
		return -EINVAL;
	if (check_add_overflow(args->va, args->size, &end) ||
	    args->va < ndev->info.va_start || end > ndev->info.va_end)
		return -EINVAL;
	if (check_add_overflow(args->offset, args->size, &end))
		return -EINVAL;

	ctx = nca_ctx_lookup(file, args->ctx);
	if (!ctx)
		return -ENOENT;
	bind = kzalloc(sizeof(*bind), GFP_KERNEL_ACCOUNT);
	if (!bind) {
		ret = -ENOMEM;
		goto out_ctx;
	}
	bind->bo = nca_bo_lookup(drm_file, args->bo);
	if (!bind->bo) {
		kfree(bind);
		ret = -ENOENT;
		goto out_ctx;
	}
	bind->node.start = args->va;
	bind->node.size = args->size;
	bind->offset = args->offset;
	bind->flags = args->flags;

	ret = -EINVAL;
	if (end > bind->bo->base.size)
		goto err_release;
	ret = nca_ctx_error(ctx);
	if (ret)
		goto err_release;
	if (bind->bo->kind != NCA_BO_DEVMEM) {
		ret = nca_pin_charge(&bind->charge, file->user, args->size >> PAGE_SHIFT);
		if (ret)
			goto err_release;
	}
	if (bind->bo->kind == NCA_BO_SHMEM) {
		ret = nca_bind_pin(bind);
		if (ret)
			goto err_release;
	}
	ret = nca_bind_commit(ctx, bind);
	if (ret)
		goto err_release;
	goto out_ctx;

err_release:
	nca_bind_release(ndev, bind);
out_ctx:
	nca_ctx_put(ctx);
	return ret;
}

static struct nca_binding *nca_bind_find(struct nca_ctx *ctx, u64 va, u64 size)
{
	struct drm_mm_node *node;

	lockdep_assert_held(&ctx->lock);
	drm_mm_for_each_node_in_range(node, &ctx->va, va, va + 1) {
		if (node->start == va && node->size == size)
			return container_of(node, struct nca_binding, node);
	}
	return NULL;
}

int nca_ioctl_unbind(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct nca_file *file = drm_file->driver_priv;
	struct nca_device *ndev = to_nca(drm);
	struct drm_nca_unbind *args = data;
	struct nca_binding *bind = NULL;
	struct nca_ctx *ctx;
	int idx, ret;

	if (args->pad || !args->size || !PAGE_ALIGNED(args->va | args->size) ||
	    args->va < ndev->info.va_start || args->va >= ndev->info.va_end)
		return -EINVAL;
	ctx = nca_ctx_lookup(file, args->ctx);
	if (!ctx)
		return -ENOENT;
	ret = nca_enter(ndev, &idx);
	if (ret)
		goto out_ctx;

	mutex_lock(&ctx->lock);
	if (!ctx->torn)
		bind = nca_bind_find(ctx, args->va, args->size);
	if (bind) {
		/* A context that a reset took off the device has no map any more. */
		if (ctx->hw_live)
			ret = nca_unmap_exec(ctx, args->va, args->size);
		drm_mm_remove_node(&bind->node);
		trace_nca_unbind(ctx, args->va, args->size);
	} else {
		ret = -ENOENT;
	}
	mutex_unlock(&ctx->lock);
	if (bind)
		nca_bind_release(ndev, bind);
	nca_exit(ndev, idx);
out_ctx:
	nca_ctx_put(ctx);
	return ret;
}

/* Teardown: the device has forgotten the context, and nobody can add to it. */
void nca_bind_release_all(struct nca_ctx *ctx)
{
	struct drm_mm_node *node, *next;

	drm_mm_for_each_node_safe(node, next, &ctx->va) {
		drm_mm_remove_node(node);
		nca_bind_release(ctx->ndev, container_of(node, struct nca_binding, node));
	}
}
