/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NCA_MAP_H
#define NCA_MAP_H

#include <linux/types.h>

struct nca_ctx;
struct nca_device;
struct page;
struct sg_table;

/* List of bus extents, in the form the device reads. */
struct nca_extents {
	struct nca_device *ndev;
	struct nca_extent_page **pages;
	dma_addr_t *dma;
	u32 num_pages;
	u32 room;			/* in the two arrays */
	u32 count;
	u64 bytes;
};

void nca_extents_init(struct nca_extents *ext, struct nca_device *ndev);
void nca_extents_fini(struct nca_extents *ext);
int nca_extents_add(struct nca_extents *ext, u64 addr, u64 len);
int nca_extents_add_sgt(struct nca_extents *ext, struct sg_table *sgt, u64 offset, u64 len);

int nca_map_exec(struct nca_ctx *ctx, u64 va, struct nca_extents *ext, u32 flags);
int nca_unmap_exec(struct nca_ctx *ctx, u64 va, u64 len);

int nca_dma_map_pages(struct nca_device *ndev, struct page **pages, unsigned long n,
		      struct sg_table *sgt);
void nca_dma_unmap_pages(struct nca_device *ndev, struct sg_table *sgt);

#endif
