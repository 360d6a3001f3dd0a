// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mapping for the device: DMA-mapping of pages against the PCI function, lists
 * of bus extents, and the MAP and UNMAP commands.
 *
 * A mapping lasts long and both sides look at the memory at once, so what the
 * DMA layer would bounce through another buffer cannot be used and is refused.
 */
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include <drm/drm_print.h>

#include "nca_ctx.h"
#include "nca_device.h"
#include "nca_map.h"

void nca_extents_init(struct nca_extents *ext, struct nca_device *ndev)
{
	memset(ext, 0, sizeof(*ext));
	ext->ndev = ndev;
}

void nca_extents_fini(struct nca_extents *ext)
{
	struct device *dev = &ext->ndev->pdev->dev;
	u32 i;

	for (i = 0; i < ext->num_pages; i++)
		dma_free_coherent(dev, sizeof(**ext->pages), ext->pages[i], ext->dma[i]);
	kvfree(ext->pages);
	kvfree(ext->dma);
}

static int nca_extents_grow(struct nca_extents *ext)
{
	struct device *dev = &ext->ndev->pdev->dev;
	struct nca_extent_page *page;
	dma_addr_t dma;

	if (ext->num_pages == ext->room) {
		u32 room = ext->room ? ext->room * 2 : 8;
		struct nca_extent_page **pages;
		dma_addr_t *dmas;

		pages = kvcalloc(room, sizeof(*pages), GFP_KERNEL);
		dmas = kvcalloc(room, sizeof(*dmas), GFP_KERNEL);
		if (!pages || !dmas) {
			kvfree(pages);
			kvfree(dmas);
			return -ENOMEM;
		}
		if (ext->num_pages) {
			memcpy(pages, ext->pages, ext->num_pages * sizeof(*pages));
			memcpy(dmas, ext->dma, ext->num_pages * sizeof(*dmas));
		}
		kvfree(ext->pages);
		kvfree(ext->dma);
		ext->pages = pages;
		ext->dma = dmas;
		ext->room = room;
	}
	page = dma_alloc_coherent(dev, sizeof(*page), &dma, GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	if (ext->num_pages)
		ext->pages[ext->num_pages - 1]->next = dma;
	ext->pages[ext->num_pages] = page;
	ext->dma[ext->num_pages] = dma;
	ext->num_pages++;
	return 0;
}

/* Neighbours are joined. */
int nca_extents_add(struct nca_extents *ext, u64 addr, u64 len)
{
	struct nca_extent_page *page = NULL;
	struct nca_extent *last;
	int ret;

	if (!len || !IS_ALIGNED(addr | len, SZ_4K))
		return -EINVAL;
	if (ext->num_pages) {
		page = ext->pages[ext->num_pages - 1];
		last = page->count ? &page->extent[page->count - 1] : NULL;
		if (last && last->addr + last->len == addr) {
			last->len += len;
			ext->bytes += len;
			return 0;
		}
	}
	if (!page || page->count == NCA_EXTENTS_PER_PAGE) {
		ret = nca_extents_grow(ext);
		if (ret)
			return ret;
		page = ext->pages[ext->num_pages - 1];
	}
	page->extent[page->count].addr = addr;
	page->extent[page->count].len = len;
	page->count++;
	ext->count++;
	ext->bytes += len;
	return 0;
}

/* The part [offset, offset + len) of what the table maps for DMA. */
int nca_extents_add_sgt(struct nca_extents *ext, struct sg_table *sgt, u64 offset, u64 len)
{
	struct scatterlist *sg;
	u64 want = len;
	int i, ret;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		u64 addr = sg_dma_address(sg), size = sg_dma_len(sg);

		if (!len)
			break;
		if (offset >= size) {
			offset -= size;
			continue;
		}
		addr += offset;
		size = min(size - offset, len);
		offset = 0;
		ret = nca_extents_add(ext, addr, size);
		if (ret)
			return ret;
		len -= size;
	}
	/* A table shorter than its buffer would be the exporter's fault. */
	return len ? -EINVAL : want ? 0 : -EINVAL;
}

int nca_map_exec(struct nca_ctx *ctx, u64 va, struct nca_extents *ext, u32 flags)
{
	struct nca_admin_cmd cmd = {
		.opcode = NCA_ADMIN_MAP,
		.ctx = ctx->id,
		.ctx_gen = ctx->gen,
	};

	lockdep_assert_held(&ctx->lock);
	cmd.map.va = va;
	cmd.map.len = ext->bytes;
	cmd.map.list = ext->dma[0];
	cmd.map.extents = ext->count;
	cmd.map.flags = flags;
	return nca_admin_exec(ctx->ndev, &cmd, NULL);
}

/**
 * nca_unmap_exec() - make the device forget one earlier MAP
 * @ctx: context
 * @va: where
 * @len: as mapped
 *
 * On return, whatever it is, the device no longer uses the memory.
 */
int nca_unmap_exec(struct nca_ctx *ctx, u64 va, u64 len)
{
	struct nca_device *ndev = ctx->ndev;
	struct nca_admin_cmd cmd = {
		.opcode = NCA_ADMIN_UNMAP,
		.ctx = ctx->id,
		.ctx_gen = ctx->gen,
	};
	int ret;

	lockdep_assert_held(&ctx->lock);
	cmd.unmap.va = va;
	cmd.unmap.len = len;
	ret = nca_admin_exec(ndev, &cmd, NULL);
	if (ret && ret != -EIO && ret != -ENODEV) {
		drm_err(&ndev->drm, "device refuses to unmap %#llx+%#llx of context %u: %d\n",
			va, len, ctx->id, ret);
		nca_admin_fail(ndev, NCA_CAUSE_WATCHDOG);
		ret = -EIO;
	}
	return ret;
}

int nca_dma_map_pages(struct nca_device *ndev, struct page **pages, unsigned long n,
		      struct sg_table *sgt)
{
	struct device *dev = &ndev->pdev->dev;
	struct scatterlist *sg;
	int i, ret;

	ret = sg_alloc_table_from_pages_segment(sgt, pages, n, 0, (size_t)n << PAGE_SHIFT,
						dma_get_max_seg_size(dev), GFP_KERNEL);
	if (ret)
		return ret;
	ret = dma_map_sgtable(dev, sgt, DMA_BIDIRECTIONAL, 0);
	if (ret)
		goto err_free;
	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (dma_need_sync(dev, sg_dma_address(sg))) {
			drm_err_once(&ndev->drm,
				     "memory is not coherent with the device (bounce buffers?)\n");
			ret = -EOPNOTSUPP;
			goto err_unmap;
		}
	}
	return 0;

err_unmap:
	dma_unmap_sgtable(dev, sgt, DMA_BIDIRECTIONAL, 0);
err_free:
	sg_free_table(sgt);
	return ret;
}

void nca_dma_unmap_pages(struct nca_device *ndev, struct sg_table *sgt)
{
	dma_unmap_sgtable(&ndev->pdev->dev, sgt, DMA_BIDIRECTIONAL, 0);
	sg_free_table(sgt);
}
