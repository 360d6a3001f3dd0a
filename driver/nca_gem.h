/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NCA_GEM_H
#define NCA_GEM_H

#include <linux/list.h>
#include <linux/mutex.h>

#include <drm/drm_gem.h>

struct nca_ctx;
struct sg_table;

enum nca_bo_kind {
	NCA_BO_SHMEM,		/* host memory, pages of a shmem file */
	NCA_BO_DEVMEM,		/* device memory */
	NCA_BO_IMPORT,		/* another driver's dma-buf */
};

struct nca_bo {
	struct drm_gem_object base;
	enum nca_bo_kind kind;

	struct mutex lock;		/* export_* */
	/* NCA_BO_SHMEM: pinned for the importers of an exported buffer */
	struct page **export_pages;
	unsigned int export_pins;
	/* NCA_BO_IMPORT: DMA mapping, shared by all bindings; under base.resv */
	struct sg_table *import_sgt;
	unsigned int import_maps;

	/* NCA_BO_DEVMEM */
	struct nca_ctx *ctx;		/* whose quota; a reference */
	struct list_head blocks;
	struct page *dummy;		/* shown instead once the window is revoked */
};

static inline struct nca_bo *to_nca_bo(struct drm_gem_object *obj)
{
	return container_of(obj, struct nca_bo, base);
}

static inline u32 nca_bo_placement(struct nca_bo *bo)
{
	return bo->kind == NCA_BO_DEVMEM ? DRM_NCA_BO_DEVICE : DRM_NCA_BO_HOST;
}

struct nca_bo *nca_bo_lookup(struct drm_file *file, u32 handle);
struct nca_bo *nca_bo_alloc(enum nca_bo_kind kind);
void nca_bo_put(struct nca_bo *bo);

int nca_ioctl_bo_create(struct drm_device *drm, void *data, struct drm_file *file);
int nca_ioctl_bo_info(struct drm_device *drm, void *data, struct drm_file *file);

/* nca_prime.c */
struct dma_buf *nca_prime_export(struct drm_gem_object *obj, int flags);
int nca_prime_pin(struct drm_gem_object *obj);
void nca_prime_unpin(struct drm_gem_object *obj);
struct sg_table *nca_prime_get_sg_table(struct drm_gem_object *obj);
struct drm_gem_object *nca_prime_import(struct drm_device *drm, struct dma_buf *dma_buf);
struct sg_table *nca_prime_map(struct nca_bo *bo);
void nca_prime_unmap(struct nca_bo *bo);
void nca_prime_free(struct nca_bo *bo);

#endif
