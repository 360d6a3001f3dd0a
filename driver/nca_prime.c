// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sharing buffers as dma-bufs.
 *
 * Exported host memory is pinned while another device is attached. A dma-buf
 * of this very device comes back as the same object. A foreign one is attached
 * to the PCI function when it is imported but mapped for DMA only while it is
 * bound somewhere: bindings end when the driver lets go of the function,
 * imported handles may live longer.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/module.h>

#include <drm/drm_prime.h>

#include "nca_device.h"
#include "nca_gem.h"

/* The argument of MODULE_IMPORT_NS() changed its type; what it emits did not. */
MODULE_INFO(import_ns, "DMA_BUF");

/* How DRM's exports are told from others'; known once something was exported. */
static const struct dma_buf_ops *nca_prime_ops;

struct dma_buf *nca_prime_export(struct drm_gem_object *obj, int flags)
{
	struct dma_buf *dma_buf = drm_gem_prime_export(obj, flags);

	if (!IS_ERR(dma_buf))
		WRITE_ONCE(nca_prime_ops, dma_buf->ops);
	return dma_buf;
}

static bool nca_prime_is_own(struct drm_device *drm, struct dma_buf *dma_buf)
{
	struct drm_gem_object *obj = dma_buf->priv;

	return dma_buf->ops == READ_ONCE(nca_prime_ops) && obj->dev == drm;
}

int nca_prime_pin(struct drm_gem_object *obj)
{
	struct nca_bo *bo = to_nca_bo(obj);
	struct page **pages;
	int ret = 0;

	mutex_lock(&bo->lock);
	if (!bo->export_pins) {
		pages = drm_gem_get_pages(obj);
		if (IS_ERR(pages)) {
			ret = PTR_ERR(pages);
			goto out;
		}
		bo->export_pages = pages;
	}
	bo->export_pins++;
out:
	mutex_unlock(&bo->lock);
	return ret;
}

void nca_prime_unpin(struct drm_gem_object *obj)
{
	struct nca_bo *bo = to_nca_bo(obj);

	mutex_lock(&bo->lock);
	if (!--bo->export_pins) {
		/* Who was attached may have written anything. */
		drm_gem_put_pages(obj, bo->export_pages, true, true);
		bo->export_pages = NULL;
	}
	mutex_unlock(&bo->lock);
}

/* Between pin and unpin. */
struct sg_table *nca_prime_get_sg_table(struct drm_gem_object *obj)
{
	struct nca_bo *bo = to_nca_bo(obj);

	return drm_prime_pages_to_sg(obj->dev, bo->export_pages, obj->size >> PAGE_SHIFT);
}

struct drm_gem_object *nca_prime_import(struct drm_device *drm, struct dma_buf *dma_buf)
{
	struct dma_buf_attachment *attach;
	struct nca_bo *bo;

	if (nca_prime_is_own(drm, dma_buf)) {
		struct drm_gem_object *obj = dma_buf->priv;

		drm_gem_object_get(obj);
		return obj;
	}
	if (!dma_buf->size || !PAGE_ALIGNED(dma_buf->size))
		return ERR_PTR(-EINVAL);

	bo = nca_bo_alloc(NCA_BO_IMPORT);
	if (!bo)
		return ERR_PTR(-ENOMEM);
	attach = dma_buf_attach(dma_buf, drm->dev);
	if (IS_ERR(attach)) {
		mutex_destroy(&bo->lock);
		kfree(bo);
		return ERR_CAST(attach);
	}
	get_dma_buf(dma_buf);
	drm_gem_private_object_init(drm, &bo->base, dma_buf->size);
	bo->base.import_attach = attach;
	bo->base.resv = dma_buf->resv;
	return &bo->base;
}

void nca_prime_free(struct nca_bo *bo)
{
	if (bo->base.import_attach)
		drm_prime_gem_destroy(&bo->base, NULL);
}

/* For a binding; the function is bound to this driver. */
struct sg_table *nca_prime_map(struct nca_bo *bo)
{
	struct sg_table *sgt;

	dma_resv_lock(bo->base.resv, NULL);
	sgt = bo->import_sgt;
	if (!sgt) {
		sgt = dma_buf_map_attachment(bo->base.import_attach, DMA_BIDIRECTIONAL);
		if (IS_ERR(sgt))
			goto out;
		bo->import_sgt = sgt;
	}
	bo->import_maps++;
out:
	dma_resv_unlock(bo->base.resv);
	return sgt;
}

void nca_prime_unmap(struct nca_bo *bo)
{
	dma_resv_lock(bo->base.resv, NULL);
	if (!--bo->import_maps) {
		dma_buf_unmap_attachment(bo->base.import_attach, bo->import_sgt,
					 DMA_BIDIRECTIONAL);
		bo->import_sgt = NULL;
	}
	dma_resv_unlock(bo->base.resv);
}
