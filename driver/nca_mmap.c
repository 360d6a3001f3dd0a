// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mapping rings, doorbells, kick pages and status pages.
 *
 * The mapping holds its queue or context. Pages are inserted by faults, one at
 * a time, so that a doorbell can be taken away: revocation sets a flag under
 * queue->map_lock and then zaps; every later fault gets the queue's dummy page,
 * which belongs to this queue alone, lest it become a channel between tenants.
 *
 * Ring and status pages are ordinary memory that its owner keeps until the
 * last mapping has gone; they need no revoking.
 *
 * All of them are VM_IO and VM_DONTCOPY: a child must not ring its parent's
 * doorbell, and VM_IO is what keeps madvise(MADV_DOFORK) from undoing that.
 */
#include <linux/mm.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>

#include "nca_ctx.h"
#include "nca_device.h"
#include "nca_mmap.h"
#include "nca_queue.h"

static pgoff_t nca_mmap_index(pgoff_t pgoff)
{
	return pgoff & ((NCA_MMAP_SPAN >> PAGE_SHIFT) - 1);
}

static void nca_queue_vm_open(struct vm_area_struct *vma)
{
	nca_queue_get(vma->vm_private_data);
}

static void nca_queue_vm_close(struct vm_area_struct *vma)
{
	nca_queue_put(vma->vm_private_data);
}

static vm_fault_t nca_ring_fault(struct vm_fault *vmf)
{
	struct nca_queue *queue = vmf->vma->vm_private_data;
	pgoff_t index = nca_mmap_index(vmf->pgoff);

	if (index >= queue->num_pages)
		return VM_FAULT_SIGBUS;
	return vmf_insert_pfn(vmf->vma, vmf->address, page_to_pfn(queue->pages[index]));
}

static const struct vm_operations_struct nca_ring_vm_ops = {
	.fault = nca_ring_fault,
	.open = nca_queue_vm_open,
	.close = nca_queue_vm_close,
};

static vm_fault_t nca_doorbell_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct nca_queue *queue = vma->vm_private_data;
	struct nca_device *ndev = queue->ndev;
	bool kick = vmf->pgoff << PAGE_SHIFT >> NCA_MMAP_KIND_SHIFT == NCA_MMAP_KICK;
	pgprot_t prot = vm_get_page_prot(vma->vm_flags);
	bool alive = false;
	vm_fault_t ret;
	int idx;

	if (nca_mmap_index(vmf->pgoff))
		return VM_FAULT_SIGBUS;

	if (drm_dev_enter(&ndev->drm, &idx)) {
		mutex_lock(&queue->map_lock);
		if (!queue->revoked) {
			phys_addr_t phys = ndev->db_phys + (u64)queue->id * ndev->db_stride +
					   (kick ? ndev->kick_offset : ndev->db_offset);

			alive = true;
			ret = vmf_insert_pfn_prot(vma, vmf->address, PHYS_PFN(phys),
						  pgprot_noncached(prot));
		}
		mutex_unlock(&queue->map_lock);
		drm_dev_exit(idx);
	}
	if (alive)
		return ret;
	return vmf_insert_pfn_prot(vma, vmf->address, page_to_pfn(queue->dummy), prot);
}

static const struct vm_operations_struct nca_doorbell_vm_ops = {
	.fault = nca_doorbell_fault,
	.open = nca_queue_vm_open,
	.close = nca_queue_vm_close,
};

static void nca_status_vm_open(struct vm_area_struct *vma)
{
	nca_ctx_get(vma->vm_private_data);
}

static void nca_status_vm_close(struct vm_area_struct *vma)
{
	nca_ctx_put(vma->vm_private_data);
}

static vm_fault_t nca_status_fault(struct vm_fault *vmf)
{
	struct nca_ctx *ctx = vmf->vma->vm_private_data;

	if (nca_mmap_index(vmf->pgoff))
		return VM_FAULT_SIGBUS;
	return vmf_insert_pfn(vmf->vma, vmf->address, page_to_pfn(ctx->status_page));
}

static const struct vm_operations_struct nca_status_vm_ops = {
	.fault = nca_status_fault,
	.open = nca_status_vm_open,
	.close = nca_status_vm_close,
};

static int nca_mmap_special(struct nca_file *file, struct vm_area_struct *vma)
{
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 end = nca_mmap_index(vma->vm_pgoff) + vma_pages(vma);
	u32 serial = offset >> NCA_MMAP_SERIAL_SHIFT;
	u32 kind = offset >> NCA_MMAP_KIND_SHIFT;
	const struct vm_operations_struct *ops;
	struct nca_queue *queue;
	struct nca_ctx *ctx;
	void *owner;

	/* A private mapping would get its own copy at the first store. */
	if (!(vma->vm_flags & VM_SHARED) || vma->vm_flags & VM_EXEC)
		return -EINVAL;

	switch (kind) {
	case NCA_MMAP_RING:
	case NCA_MMAP_DOORBELL:
	case NCA_MMAP_KICK:
		queue = nca_queue_lookup_serial(file, serial);
		if (!queue)
			return -ENOENT;
		if (end > (kind == NCA_MMAP_RING ? queue->num_pages : 1)) {
			nca_queue_put(queue);
			return -EINVAL;
		}
		ops = kind == NCA_MMAP_RING ? &nca_ring_vm_ops : &nca_doorbell_vm_ops;
		owner = queue;
		break;
	case NCA_MMAP_STATUS:
		if (vma->vm_flags & VM_WRITE)
			return -EACCES;
		ctx = nca_ctx_lookup_serial(file, serial);
		if (!ctx)
			return -ENOENT;
		if (end > 1) {
			nca_ctx_put(ctx);
			return -EINVAL;
		}
		/* Without this, mprotect() could make it writable later. */
		vm_flags_clear(vma, VM_MAYWRITE);
		ops = &nca_status_vm_ops;
		owner = ctx;
		break;
	default:
		return -EINVAL;
	}

	vm_flags_mod(vma, VM_IO | VM_PFNMAP | VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP |
		     VM_NORESERVE, VM_MAYEXEC);
	vma->vm_private_data = owner;
	vma->vm_ops = ops;
	return 0;
}

int nca_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct drm_file *drm_file = filp->private_data;

	if (drm_dev_is_unplugged(drm_file->minor->dev))
		return -ENODEV;
	if ((u64)vma->vm_pgoff << PAGE_SHIFT >> NCA_MMAP_KIND_SHIFT)
		return nca_mmap_special(drm_file->driver_priv, vma);
	return drm_gem_mmap(filp, vma);
}

void nca_mmap_zap(struct nca_device *ndev, enum nca_mmap_kind kind, u32 serial)
{
	unmap_mapping_range(ndev->drm.anon_inode->i_mapping,
			    nca_mmap_offset(kind, serial), NCA_MMAP_SPAN, 1);
}
