// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers.
 *
 * Host memory is a shmem file. Faults on user mappings return its pages one by
 * one, as pages with a struct page: they come when touched, count against the
 * memory cgroup of who touches them, and can be used for direct I/O. All pages
 * of a buffer are held in memory only while bound (nca_bind.c) or while
 * exported to another device (nca_prime.c). The mappings stay those of the
 * device file, which keeps this module and the device in place under them.
 *
 * Device memory is mapped from the BAR4 window by its fault handler, which
 * gives a dummy page of the buffer's own once the window is revoked: a process
 * that computes while its device is unplugged must not be killed by SIGBUS.
 */
#include <linux/dma-buf.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_print.h>

#include "nca_ctx.h"
#include "nca_device.h"
#include "nca_gem.h"
#include "nca_mmap.h"

/* Mapped at a fault, around the page asked for: weights are written in one go. */
#define NCA_FAULT_AROUND	SZ_2M

struct nca_bo *nca_bo_lookup(struct drm_file *file, u32 handle)
{
	struct drm_gem_object *obj = drm_gem_object_lookup(file, handle);

	return obj ? to_nca_bo(obj) : NULL;
}

void nca_bo_put(struct nca_bo *bo)
{
	drm_gem_object_put(&bo->base);
}

static void nca_bo_free(struct drm_gem_object *obj)
{
	struct nca_bo *bo = to_nca_bo(obj);

	drm_WARN_ON(obj->dev, bo->export_pins || bo->import_maps);
	nca_devmem_free(bo);
	if (bo->dummy)
		__free_page(bo->dummy);
	if (bo->kind == NCA_BO_IMPORT)
		nca_prime_free(bo);
	drm_gem_object_release(obj);
	mutex_destroy(&bo->lock);
	kfree(bo);
}

static vm_fault_t nca_shmem_fault(struct vm_fault *vmf)
{
	struct drm_gem_object *obj = vmf->vma->vm_private_data;
	pgoff_t pgoff = vmf->pgoff - drm_vma_node_start(&obj->vma_node);
	struct page *page;

	if (pgoff >= obj->size >> PAGE_SHIFT)
		return VM_FAULT_SIGBUS;
	page = shmem_read_mapping_page(obj->filp->f_mapping, pgoff);
	if (IS_ERR(page))
		return vmf_error(PTR_ERR(page));
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct nca_shmem_vm_ops = {
	.fault = nca_shmem_fault,
	.open = drm_gem_vm_open,
	.close = drm_gem_vm_close,
};

static vm_fault_t nca_devmem_insert(struct nca_bo *bo, struct vm_area_struct *vma,
				    unsigned long address, pgoff_t pgoff)
{
	struct nca_device *ndev = to_nca(bo->base.dev);
	u64 want = (u64)pgoff << PAGE_SHIFT, start = 0;
	struct nca_block *block;
	unsigned long lo, hi, at;
	vm_fault_t ret;
	u64 phys;

	list_for_each_entry(block, &bo->blocks, link) {
		if (want - start < block->node.size)
			break;
		start += block->node.size;
	}
	if (list_entry_is_head(block, &bo->blocks, link))
		return VM_FAULT_SIGBUS;

	phys = ndev->devmem_phys + block->node.start + (want - start);
	ret = vmf_insert_pfn(vma, address, PHYS_PFN(phys));
	if (ret != VM_FAULT_NOPAGE)
		return ret;

	/* What else the window, the block and the mapping have in common. */
	lo = max3(vma->vm_start, ALIGN_DOWN(address, NCA_FAULT_AROUND),
		  address - (unsigned long)min_t(u64, want - start, address));
	hi = min(vma->vm_end, ALIGN_DOWN(address, NCA_FAULT_AROUND) + NCA_FAULT_AROUND);
	hi = min_t(u64, hi, address + (block->node.size - (want - start)));
	for (at = lo; at < hi; at += PAGE_SIZE) {
		if (at == address)
			continue;
		if (vmf_insert_pfn(vma, at, PHYS_PFN(phys + at - address)) != VM_FAULT_NOPAGE)
			break;
	}
	return VM_FAULT_NOPAGE;
}

static vm_fault_t nca_devmem_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct drm_gem_object *obj = vma->vm_private_data;
	struct nca_device *ndev = to_nca(obj->dev);
	struct nca_bo *bo = to_nca_bo(obj);
	pgoff_t pgoff = vmf->pgoff - drm_vma_node_start(&obj->vma_node);
	bool alive = false;
	vm_fault_t ret;
	int idx;

	if (pgoff >= obj->size >> PAGE_SHIFT)
		return VM_FAULT_SIGBUS;

	if (drm_dev_enter(obj->dev, &idx)) {
		mutex_lock(&ndev->devmem.map_lock);
		if (!ndev->devmem.revoked) {
			alive = true;
			ret = nca_devmem_insert(bo, vma, vmf->address, pgoff);
		}
		mutex_unlock(&ndev->devmem.map_lock);
		drm_dev_exit(idx);
	}
	if (alive)
		return ret;
	return vmf_insert_pfn_prot(vma, vmf->address, page_to_pfn(bo->dummy),
				   vm_get_page_prot(vma->vm_flags));
}

static const struct vm_operations_struct nca_devmem_vm_ops = {
	.fault = nca_devmem_fault,
	.open = drm_gem_vm_open,
	.close = drm_gem_vm_close,
};

static int nca_shmem_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	return 0;
}

static int nca_devmem_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	if (!(vma->vm_flags & VM_SHARED) || vma->vm_flags & VM_EXEC)
		return -EINVAL;
	vm_flags_mod(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP, VM_MAYEXEC);
	vma->vm_page_prot = pgprot_writecombine(vm_get_page_prot(vma->vm_flags));
	return 0;
}

static int nca_import_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	int ret;

	/* The exporter brings operations of its own. */
	vma->vm_pgoff -= drm_vma_node_start(&obj->vma_node);
	vma->vm_private_data = NULL;
	vma->vm_ops = NULL;
	vm_flags_set(vma, VM_DONTEXPAND);
	ret = dma_buf_mmap(obj->dma_buf, vma, vma->vm_pgoff);
	/* The mapping holds the dma-buf; our caller took a reference for nothing. */
	if (!ret)
		drm_gem_object_put(obj);
	return ret;
}

static const struct drm_gem_object_funcs nca_shmem_funcs = {
	.free = nca_bo_free,
	.export = nca_prime_export,
	.pin = nca_prime_pin,
	.unpin = nca_prime_unpin,
	.get_sg_table = nca_prime_get_sg_table,
	.mmap = nca_shmem_mmap,
	.vm_ops = &nca_shmem_vm_ops,
};

/*
 * Without get_sg_table: device memory can be passed to another process, which
 * gets the same object, but other devices cannot attach to it.
 */
static const struct drm_gem_object_funcs nca_devmem_funcs = {
	.free = nca_bo_free,
	.export = nca_prime_export,
	.mmap = nca_devmem_mmap,
	.vm_ops = &nca_devmem_vm_ops,
};

static const struct drm_gem_object_funcs nca_import_funcs = {
	.free = nca_bo_free,
	.mmap = nca_import_mmap,
	.vm_ops = &nca_shmem_vm_ops,
};

struct nca_bo *nca_bo_alloc(enum nca_bo_kind kind)
{
	struct nca_bo *bo = kzalloc(sizeof(*bo), GFP_KERNEL_ACCOUNT);

	if (!bo)
		return NULL;
	bo->kind = kind;
	mutex_init(&bo->lock);
	INIT_LIST_HEAD(&bo->blocks);
	switch (kind) {
	case NCA_BO_SHMEM:
		bo->base.funcs = &nca_shmem_funcs;
		break;
	case NCA_BO_DEVMEM:
		bo->base.funcs = &nca_devmem_funcs;
		break;
	case NCA_BO_IMPORT:
		bo->base.funcs = &nca_import_funcs;
		break;
	}
	return bo;
}

static struct nca_bo *nca_shmem_create(struct nca_device *ndev, size_t size)
{
	struct nca_bo *bo = nca_bo_alloc(NCA_BO_SHMEM);
	int ret;

	if (!bo)
		return ERR_PTR(-ENOMEM);
	ret = drm_gem_object_init(&ndev->drm, &bo->base, size);
	if (ret) {
		drm_gem_private_object_fini(&bo->base);
		mutex_destroy(&bo->lock);
		kfree(bo);
		return ERR_PTR(ret);
	}
	/* Buffers stay pinned for long, so keep them out of movable memory. */
	mapping_set_gfp_mask(bo->base.filp->f_mapping,
			     GFP_HIGHUSER | __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
	return bo;
}

static struct nca_bo *nca_devmem_create(struct nca_device *ndev, struct nca_ctx *ctx, size_t size)
{
	struct nca_bo *bo = nca_bo_alloc(NCA_BO_DEVMEM);
	int idx, ret;

	if (!bo)
		return ERR_PTR(-ENOMEM);
	drm_gem_private_object_init(&ndev->drm, &bo->base, size);
	bo->dummy = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!bo->dummy) {
		ret = -ENOMEM;
		goto err_put;
	}
	ret = nca_enter(ndev, &idx);
	if (ret)
		goto err_put;
	ret = nca_ctx_error(ctx);
	if (!ret)
		ret = nca_devmem_alloc(bo, ctx);
	if (!ret)
		ret = nca_devmem_scrub(bo);
	nca_exit(ndev, idx);
	if (ret)
		goto err_put;
	return bo;

err_put:
	nca_bo_put(bo);
	return ERR_PTR(ret);
}

int nca_ioctl_bo_create(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct nca_file *file = drm_file->driver_priv;
	struct drm_nca_bo_create *args = data;
	struct nca_device *ndev = to_nca(drm);
	struct nca_ctx *ctx;
	struct nca_bo *bo;
	u64 size;
	int ret;

	if (args->flags || !args->size)
		return -EINVAL;
	if (args->size > SIZE_MAX - PAGE_SIZE || args->size > S64_MAX - PAGE_SIZE)
		return -EINVAL;
	size = PAGE_ALIGN(args->size);

	switch (args->placement) {
	case DRM_NCA_BO_HOST:
		if (args->ctx)
			return -EINVAL;
		ret = nca_state(ndev) == NCA_DEV_GONE ? -ENODEV : 0;
		if (ret)
			return ret;
		bo = nca_shmem_create(ndev, size);
		break;
	case DRM_NCA_BO_DEVICE:
		ctx = nca_ctx_lookup(file, args->ctx);
		if (!ctx)
			return -ENOENT;
		bo = nca_devmem_create(ndev, ctx, size);
		nca_ctx_put(ctx);
		break;
	default:
		return -EINVAL;
	}
	if (IS_ERR(bo))
		return PTR_ERR(bo);

	ret = drm_gem_create_mmap_offset(&bo->base);
	if (!ret)
		ret = drm_gem_handle_create(drm_file, &bo->base, &args->handle);
	if (!ret)
		args->size = size;
	nca_bo_put(bo);
	return ret;
}

int nca_ioctl_bo_info(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct drm_nca_bo_info *args = data;
	struct nca_bo *bo;
	int ret;

	bo = nca_bo_lookup(drm_file, args->handle);
	if (!bo)
		return -ENOENT;
	ret = drm_gem_create_mmap_offset(&bo->base);
	if (!ret) {
		args->placement = nca_bo_placement(bo);
		args->size = bo->base.size;
		args->mmap_offset = drm_vma_node_offset_addr(&bo->base.vma_node);
	}
	nca_bo_put(bo);
	return ret;
}
