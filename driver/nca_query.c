// SPDX-License-Identifier: GPL-2.0-only
/*
 * What can be asked of device and driver.
 *
 * The device writes log pages into one page of the driver; they are copied out
 * before anybody looks at them.
 */
#include <linux/capability.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm_file.h>

#include "nca_ctx.h"
#include "nca_device.h"
#include "nca_query.h"
#include "nca_queue.h"
#include "nca_user.h"

static_assert(sizeof(struct nca_telemetry) <= NCA_LOG_PAGE_SIZE);

/**
 * nca_query_log() - have the device write telemetry or a log page
 * @ndev: device, inside nca_enter() or under reset_lock
 * @opcode: NCA_ADMIN_TELEMETRY or NCA_ADMIN_LOG_PAGE
 * @page: which log page
 * @buf: where to; what the device does not write is zero
 * @len: up to 4096 bytes
 */
int nca_query_log(struct nca_device *ndev, u8 opcode, u32 page, void *buf, size_t len)
{
	struct nca_admin_cmd cmd = { .opcode = opcode };
	int ret;

	if (len > NCA_LOG_PAGE_SIZE)
		return -EINVAL;
	mutex_lock(&ndev->log_lock);
	memset(ndev->log_page, 0, len);
	cmd.log.addr = ndev->log_dma;
	cmd.log.len = len;
	cmd.log.page = page;
	ret = nca_admin_exec(ndev, &cmd, NULL);
	if (!ret)
		memcpy(buf, ndev->log_page, len);
	mutex_unlock(&ndev->log_lock);
	return ret;
}

const struct nca_ctx_usage *nca_query_find_usage(const struct nca_ctx_usage *usage,
						 const struct nca_ctx *ctx)
{
	unsigned int i;

	for (i = 0; i < NCA_LOG_USAGES; i++)
		if (usage[i].ctx == ctx->id && usage[i].ctx_gen == ctx->gen)
			return &usage[i];
	return NULL;
}

/* The context is about to go: keep what it used in its file's sum. */
void nca_query_save_usage(struct nca_ctx *ctx)
{
	const struct nca_ctx_usage *usage;
	void *page;

	page = kmalloc(NCA_LOG_PAGE_SIZE, GFP_KERNEL);
	if (!page)
		return;
	if (!nca_query_log(ctx->ndev, NCA_ADMIN_LOG_PAGE, NCA_LOG_ARBITER, page,
			   NCA_LOG_PAGE_SIZE)) {
		usage = nca_query_find_usage(page, ctx);
		if (usage)
			atomic64_add(usage->busy_ns, &ctx->file->closed_busy_ns);
	}
	kfree(page);
}

static int nca_query_copy(struct drm_nca_query *args, const void *answer, size_t len)
{
	size_t room = args->size;

	args->size = len;
	if (room && copy_to_user(u64_to_user_ptr(args->data), answer, min(room, len)))
		return -EFAULT;
	return 0;
}

static int nca_query_device(struct nca_device *ndev, struct drm_nca_query *args)
{
	struct drm_nca_device_info info = ndev->info;

	info.device_gen = READ_ONCE(ndev->device_gen);
	info.max_user_contexts = READ_ONCE(nca_max_user_contexts);
	info.max_user_queues = READ_ONCE(nca_max_user_queues);
	info.max_user_pinned = nca_max_user_pinned();
	return nca_query_copy(args, &info, sizeof(info));
}

static int nca_query_usage(struct nca_device *ndev, struct drm_nca_query *args)
{
	struct drm_nca_usage usage = {};
	struct nca_ctx *ctx;

	nca_ctx_capacity(ndev, &usage.slices_free, &usage.slices_largest);
	mutex_lock(&ndev->ctx_lock);
	usage.contexts = ndev->num_ctx;
	usage.contexts_reclaiming = ndev->num_reclaiming;
	mutex_lock(&ndev->devmem.lock);
	list_for_each_entry(ctx, &ndev->contexts, node)
		if (atomic_read(&ctx->closing))
			usage.devmem_reclaiming += ctx->devmem_used;
	usage.devmem_used = ndev->devmem.used;
	mutex_unlock(&ndev->devmem.lock);
	mutex_unlock(&ndev->ctx_lock);
	usage.queues = atomic_read(&ndev->live_queues);
	usage.host_pinned = (u64)atomic64_read(&ndev->pinned_pages) << PAGE_SHIFT;
	usage.resets = atomic_read(&ndev->resets);
	usage.state = nca_state(ndev);
	return nca_query_copy(args, &usage, sizeof(usage));
}

static void nca_query_fill_ctx(struct nca_ctx *ctx, struct nca_file *file,
			       const struct nca_ctx_usage *usage,
			       struct drm_nca_ctx_info *info)
{
	struct nca_device *ndev = ctx->ndev;
	struct nca_queue *queue;

	info->handle = ctx->file == file ? ctx->handle : 0;
	info->ctx = ctx->id;
	info->ctx_gen = ctx->gen;
	info->slices = ctx->slices;
	info->core_mask = ctx->core_mask;
	info->pid = ctx->file->pid;

	spin_lock_irq(&ndev->evt_lock);
	info->state = ctx->state;
	info->cause = ctx->cause;
	list_for_each_entry(queue, &ctx->evt_queues, evt_node)
		info->queues++;
	spin_unlock_irq(&ndev->evt_lock);

	mutex_lock(&ndev->devmem.lock);
	info->devmem_quota = ctx->devmem_quota;
	info->devmem_used = ctx->devmem_used;
	mutex_unlock(&ndev->devmem.lock);

	if (usage) {
		info->busy_ns = usage->busy_ns;
		info->preempt_ns = usage->preempt_ns;
		info->commands = usage->commands;
		info->launches = usage->launches;
	}
}

static int nca_query_contexts(struct nca_device *ndev, struct drm_nca_query *args,
			      struct nca_file *file)
{
	bool all = perfmon_capable();
	struct drm_nca_ctx_info *infos;
	struct nca_ctx *ctx;
	u32 n = 0, room;
	void *usage;
	int idx, ret;

	usage = kzalloc(NCA_LOG_PAGE_SIZE, GFP_KERNEL);
	if (!usage)
		return -ENOMEM;
	/* A device that does not answer still has contexts to be shown. */
	if (!nca_enter(ndev, &idx)) {
		nca_query_log(ndev, NCA_ADMIN_LOG_PAGE, NCA_LOG_ARBITER, usage,
			      NCA_LOG_PAGE_SIZE);
		nca_exit(ndev, idx);
	}

	room = READ_ONCE(ndev->num_ctx) + 16;
	infos = kvcalloc(room, sizeof(*infos), GFP_KERNEL);
	if (!infos) {
		ret = -ENOMEM;
		goto out;
	}
	mutex_lock(&ndev->ctx_lock);
	list_for_each_entry(ctx, &ndev->contexts, node) {
		if ((!all && ctx->file != file) || atomic_read(&ctx->closing))
			continue;
		if (n == room)
			break;
		nca_query_fill_ctx(ctx, file, nca_query_find_usage(usage, ctx), &infos[n++]);
	}
	mutex_unlock(&ndev->ctx_lock);
	ret = nca_query_copy(args, infos, n * sizeof(*infos));
	kvfree(infos);
out:
	kfree(usage);
	return ret;
}

static int nca_query_telemetry(struct nca_device *ndev, struct drm_nca_query *args)
{
	struct nca_telemetry telemetry;
	int idx, ret;

	ret = nca_enter(ndev, &idx);
	if (ret)
		return ret;
	ret = nca_query_log(ndev, NCA_ADMIN_TELEMETRY, 0, &telemetry, sizeof(telemetry));
	nca_exit(ndev, idx);
	return ret ?: nca_query_copy(args, &telemetry, sizeof(telemetry));
}

static bool nca_query_own_ctx(struct nca_file *file, u32 id, u32 gen)
{
	unsigned long handle;
	struct nca_ctx *ctx;
	bool own = false;

	xa_lock(&file->ctxs);
	xa_for_each(&file->ctxs, handle, ctx)
		own |= ctx->id == id && ctx->gen == gen;
	xa_unlock(&file->ctxs);
	return own;
}

static int nca_query_faults(struct nca_device *ndev, struct drm_nca_query *args,
			    struct nca_file *file)
{
	size_t len = NCA_LOG_RECORDS * sizeof(struct nca_fault_record);
	bool all = perfmon_capable();
	struct nca_fault_record *log;
	unsigned int i, n = 0;
	int idx, ret;

	log = kzalloc(len, GFP_KERNEL);
	if (!log)
		return -ENOMEM;
	ret = nca_enter(ndev, &idx);
	if (ret)
		goto out;
	ret = nca_query_log(ndev, NCA_ADMIN_LOG_PAGE, NCA_LOG_FAULTS, log, len);
	nca_exit(ndev, idx);
	if (ret)
		goto out;

	/* What the device did not write is zero: context ids start at 1. */
	for (i = 0; i < NCA_LOG_RECORDS; i++)
		if (log[i].ctx && (all || nca_query_own_ctx(file, log[i].ctx, log[i].ctx_gen)))
			log[n++] = log[i];
	ret = nca_query_copy(args, log, n * sizeof(*log));
out:
	kfree(log);
	return ret;
}

int nca_ioctl_query(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct nca_file *file = drm_file->driver_priv;
	struct nca_device *ndev = to_nca(drm);
	struct drm_nca_query *args = data;

	switch (args->query) {
	case DRM_NCA_QUERY_DEVICE:
		return nca_query_device(ndev, args);
	case DRM_NCA_QUERY_USAGE:
		return nca_query_usage(ndev, args);
	case DRM_NCA_QUERY_CONTEXTS:
		return nca_query_contexts(ndev, args, file);
	case DRM_NCA_QUERY_TELEMETRY:
		return nca_query_telemetry(ndev, args);
	case DRM_NCA_QUERY_FAULTS:
		return nca_query_faults(ndev, args, file);
	default:
		return -EINVAL;
	}
}
