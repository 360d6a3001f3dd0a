// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xf86drm.h>

#include "kmd.h"

static struct kmd_mem *new_mem(struct kmd_dev *dev)
{
	struct kmd_mem *mem = calloc(1, sizeof(*mem));

	if (mem)
		mem->dev = dev;
	else
		acc_fail(-ENOMEM, "no memory for a buffer");
	return mem;
}

int kmd_mem_alloc(struct acc_bctx *bctx, uint64_t size, enum accel_memory where,
		  struct acc_bmem **out)
{
	struct kmd_ctx *ctx = (struct kmd_ctx *)bctx;
	struct drm_nca_bo_create arg = {
		.size = size,
		.placement = where == ACCEL_DEVICE ? DRM_NCA_BO_DEVICE : DRM_NCA_BO_HOST,
		.ctx = where == ACCEL_DEVICE ? ctx->handle : 0,
	};
	struct kmd_mem *mem = new_mem(ctx->dev);
	struct kmd_near near;
	int r;

	if (!mem)
		return -ENOMEM;
	kmd_near_begin(ctx->dev, &near);
	r = kmd_call(ctx->dev, DRM_IOCTL_NCA_BO_CREATE, &arg);
	kmd_near_end(&near);
	if (r) {
		free(mem);
		if (r == -ENOSPC && where == ACCEL_DEVICE)
			return acc_fail(r, "%llu bytes of device memory do not fit what is left of the context's %llu",
					(unsigned long long)size,
					(unsigned long long)ctx->b.quota);
		return acc_fail_sys(r, "cannot make a buffer of %llu bytes in %s memory",
				    (unsigned long long)size,
				    where == ACCEL_DEVICE ? "device" : "host");
	}
	mem->handle = arg.handle;
	mem->b.size = arg.size;
	mem->b.where = where;
	mem->b.write_combining = where == ACCEL_DEVICE;
	*out = &mem->b;
	return 0;
}

int kmd_mem_import(struct acc_bctx *bctx, int fd, struct acc_bmem **out)
{
	struct kmd_ctx *ctx = (struct kmd_ctx *)bctx;
	struct kmd_mem *mem = new_mem(ctx->dev);
	struct drm_nca_bo_info info = { 0 };
	int r;

	if (!mem)
		return -ENOMEM;
	r = drmPrimeFDToHandle(ctx->dev->fd, fd, &mem->handle);
	if (r) {
		free(mem);
		return acc_fail_sys(-errno, "cannot import descriptor %d as a dma-buf", fd);
	}
	info.handle = mem->handle;
	r = kmd_call(ctx->dev, DRM_IOCTL_NCA_BO_INFO, &info);
	if (r) {
		acc_fail_sys(r, "cannot learn the size of an imported buffer");
		kmd_mem_free(&mem->b);
		return r;
	}
	mem->b.size = info.size;
	mem->b.where = info.placement == DRM_NCA_BO_DEVICE ? ACCEL_DEVICE : ACCEL_HOST;
	mem->b.write_combining = mem->b.where == ACCEL_DEVICE;
	*out = &mem->b;
	return 0;
}

int kmd_mem_export(struct acc_bmem *bmem, int *fd)
{
	struct kmd_mem *mem = (struct kmd_mem *)bmem;

	if (drmPrimeHandleToFD(mem->dev->fd, mem->handle, DRM_CLOEXEC | DRM_RDWR, fd))
		return acc_fail_sys(-errno, "cannot export the buffer as a dma-buf");
	return 0;
}

int kmd_mem_map(struct acc_bmem *bmem)
{
	struct kmd_mem *mem = (struct kmd_mem *)bmem;
	struct drm_nca_bo_info info = { .handle = mem->handle };
	int r = kmd_call(mem->dev, DRM_IOCTL_NCA_BO_INFO, &info);

	if (r)
		return acc_fail_sys(r, "cannot learn where to map a buffer");
	bmem->cpu = kmd_map(mem->dev, info.mmap_offset, bmem->size, PROT_READ | PROT_WRITE,
			    "a buffer");
	return bmem->cpu ? 0 : -ENOMEM;
}

int kmd_mem_bind(struct acc_bctx *bctx, struct acc_bmem *bmem, uint64_t va, uint32_t access)
{
	struct kmd_ctx *ctx = (struct kmd_ctx *)bctx;
	struct kmd_mem *mem = (struct kmd_mem *)bmem;
	struct drm_nca_bind arg = {
		.ctx = ctx->handle,
		.bo = mem->handle,
		.va = va,
		.size = bmem->size,
		.flags = (access & ACCEL_READ ? DRM_NCA_BIND_READ : 0) |
			 (access & ACCEL_WRITE ? DRM_NCA_BIND_WRITE : 0),
	};
	struct kmd_near near;
	int r;

	/* Binding is what makes the kernel allocate the pages of host memory. */
	kmd_near_begin(ctx->dev, &near);
	r = kmd_call(ctx->dev, DRM_IOCTL_NCA_BIND, &arg);
	kmd_near_end(&near);
	if (r == -EDQUOT || r == -ENOMEM)
		return acc_fail_sys(r, "cannot pin %llu bytes for the device (see ulimit -l, and %llu bytes per user)",
				    (unsigned long long)bmem->size,
				    (unsigned long long)ctx->dev->info.max_user_pinned);
	return r ? acc_fail_sys(r, "cannot bind %llu bytes at 0x%llx",
				(unsigned long long)bmem->size, (unsigned long long)va) : 0;
}

void kmd_mem_unbind(struct acc_bctx *bctx, struct acc_bmem *bmem, uint64_t va)
{
	struct kmd_ctx *ctx = (struct kmd_ctx *)bctx;
	struct drm_nca_unbind arg = { .ctx = ctx->handle, .va = va, .size = bmem->size };

	/* It fails only for a device that is gone, which uses nothing any more. */
	kmd_call(ctx->dev, DRM_IOCTL_NCA_UNBIND, &arg);
}

void kmd_mem_free(struct acc_bmem *bmem)
{
	struct kmd_mem *mem = (struct kmd_mem *)bmem;

	if (bmem->cpu)
		munmap(bmem->cpu, bmem->size);
	drmCloseBufferHandle(mem->dev->fd, mem->handle);
	free(mem);
}
