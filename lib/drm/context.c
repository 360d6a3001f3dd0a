// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "kmd.h"

static void destroy_handle(struct kmd_ctx *ctx)
{
	struct drm_nca_ctx_destroy arg = { .handle = ctx->handle };

	kmd_call(ctx->dev, DRM_IOCTL_NCA_CTX_DESTROY, &arg);
}

int kmd_ctx_create(struct acc_bdev *bdev, const struct acc_ctx_request *req,
		   struct acc_capacity *left, struct acc_bctx **out)
{
	struct kmd_dev *dev = (struct kmd_dev *)bdev;
	struct drm_nca_ctx_create arg = {
		.slices = req->slices,
		.flags = req->burst ? DRM_NCA_CTX_BURST : 0,
		.devmem_quota = req->quota,
	};
	struct kmd_ctx *ctx = calloc(1, sizeof(*ctx));
	int r;

	if (!ctx)
		return acc_fail(-ENOMEM, "no memory for a context");
	r = kmd_call(dev, DRM_IOCTL_NCA_CTX_CREATE, &arg);
	if (r) {
		free(ctx);
		*left = (struct acc_capacity){ .free = arg.free_slices, .largest = arg.largest };
		if (r == -ENOSPC)
			return r;
		if (r == -EDQUOT)
			return acc_fail(r, "this user has as many contexts on %s as one user may have (%u)",
					dev->node.name, dev->info.max_user_contexts);
		if (r == -EINVAL && req->quota)
			return acc_fail(r, "a device memory quota of %llu bytes is more than comes with %s, or the size does not exist",
					(unsigned long long)req->quota,
					accel_size_name(req->slices));
		return acc_fail_sys(r, "cannot make a context on %s", dev->node.name);
	}
	ctx->dev = dev;
	ctx->handle = arg.handle;
	ctx->b.status = kmd_map(dev, arg.status_offset, ACC_PAGE, PROT_READ,
				"the status page of a context");
	if (!ctx->b.status) {
		destroy_handle(ctx);
		free(ctx);
		return -ENOMEM;
	}
	ctx->b.va_start = dev->info.va_start;
	ctx->b.va_end = dev->info.va_end;
	ctx->b.quota = arg.devmem_quota;
	ctx->b.core_mask = arg.core_mask;
	ctx->b.id = arg.ctx;
	ctx->b.gen = arg.ctx_gen;
	*out = &ctx->b;
	return 0;
}

void kmd_ctx_destroy(struct acc_bctx *bctx)
{
	struct kmd_ctx *ctx = (struct kmd_ctx *)bctx;

	destroy_handle(ctx);
	munmap((void *)(uintptr_t)ctx->b.status, ACC_PAGE);
	free(ctx);
}

int kmd_ctx_abort(struct acc_bctx *bctx)
{
	struct kmd_ctx *ctx = (struct kmd_ctx *)bctx;
	struct drm_nca_ctx_abort arg = { .handle = ctx->handle };
	int r = kmd_call(ctx->dev, DRM_IOCTL_NCA_CTX_ABORT, &arg);

	return r ? acc_fail_sys(r, "cannot abort the context") : 0;
}

int kmd_ctx_usage(struct acc_bctx *bctx, struct accel_context_info *info)
{
	struct kmd_ctx *ctx = (struct kmd_ctx *)bctx;
	struct drm_nca_ctx_info *list;
	uint32_t size;
	void *data;
	int r = kmd_query(ctx->dev, DRM_NCA_QUERY_CONTEXTS, &data, &size);

	if (r)
		return r;
	list = data;
	for (uint32_t i = 0; i < size / sizeof(*list); i++) {
		/* 0 is another file's context; ours are numbered from 1. */
		if (list[i].handle != ctx->handle)
			continue;
		info->memory_used = list[i].devmem_used;
		info->busy_ns = list[i].busy_ns;
		info->preempt_ns = list[i].preempt_ns;
		info->commands = list[i].commands;
		info->launches = list[i].launches;
		break;
	}
	free(data);
	return 0;
}

int kmd_ctx_fault(struct acc_bctx *bctx, struct nca_fault_record *fault)
{
	struct kmd_ctx *ctx = (struct kmd_ctx *)bctx;
	const struct nca_fault_record *list;
	uint32_t size;
	void *data;
	int r = kmd_query(ctx->dev, DRM_NCA_QUERY_FAULTS, &data, &size);

	if (r)
		return r;
	list = data;
	r = -ENODATA;
	/* Newest first. */
	for (uint32_t i = 0; i < size / sizeof(*list) && r; i++) {
		if (list[i].ctx == ctx->b.id && list[i].ctx_gen == ctx->b.gen) {
			*fault = list[i];
			r = 0;
		}
	}
	free(data);
	return r;
}
