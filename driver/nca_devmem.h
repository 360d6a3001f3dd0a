/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NCA_DEVMEM_H
#define NCA_DEVMEM_H

#include <linux/list.h>
#include <linux/mutex.h>

#include <drm/drm_mm.h>

struct nca_bo;
struct nca_ctx;
struct nca_device;
struct drm_printer;

/*
 * Device memory. A context's quota is set aside when it is created, so that it
 * cannot be used up by others; @orphaned is what buffers still hold whose
 * context has gone.
 */
struct nca_devmem {
	struct mutex lock;		/* allocator and sums */
	struct drm_mm mm;
	u64 size;
	u64 reserved;
	u64 used;
	u64 orphaned;
	struct mutex map_lock;		/* page faults */
	bool revoked;
};

/* One contiguous piece of a buffer. */
struct nca_block {
	struct drm_mm_node node;
	struct list_head link;
};

int nca_devmem_init(struct nca_device *ndev);
int nca_devmem_reserve(struct nca_device *ndev, u64 quota);
void nca_devmem_unreserve(struct nca_device *ndev, u64 quota);
void nca_devmem_orphan(struct nca_ctx *ctx);
int nca_devmem_alloc(struct nca_bo *bo, struct nca_ctx *ctx);
void nca_devmem_free(struct nca_bo *bo);
int nca_devmem_scrub(struct nca_bo *bo);
void nca_devmem_revoke(struct nca_device *ndev);
void nca_devmem_print(struct nca_device *ndev, struct drm_printer *p);

#endif
