// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/PID/fdinfo in the form of Documentation/gpu/drm-usage-stats.rst.
 *
 * One engine, "core": device time that launches of this file's contexts held
 * cores. Two memory regions: "system" and "device".
 */
#include <linux/slab.h>

#include <drm/drm_file.h>
#include <drm/drm_print.h>

#include "nca_ctx.h"
#include "nca_device.h"
#include "nca_fdinfo.h"
#include "nca_gem.h"
#include "nca_query.h"

/* Closed contexts count too, so the sum never goes back. */
static u64 nca_fdinfo_busy_ns(struct nca_device *ndev, struct nca_file *file)
{
	u64 busy = atomic64_read(&file->closed_busy_ns);
	unsigned long handle;
	struct nca_ctx *ctx;
	void *page;
	int idx;

	if (xa_empty(&file->ctxs))
		return busy;
	page = kzalloc(NCA_LOG_PAGE_SIZE, GFP_KERNEL);
	if (!page)
		return busy;
	if (!nca_enter(ndev, &idx)) {
		nca_query_log(ndev, NCA_ADMIN_LOG_PAGE, NCA_LOG_ARBITER, page, NCA_LOG_PAGE_SIZE);
		nca_exit(ndev, idx);
	}
	xa_lock(&file->ctxs);
	xa_for_each(&file->ctxs, handle, ctx) {
		const struct nca_ctx_usage *usage = nca_query_find_usage(page, ctx);

		if (usage)
			busy += usage->busy_ns;
	}
	xa_unlock(&file->ctxs);
	kfree(page);
	return busy;
}

void nca_fdinfo_show(struct drm_printer *p, struct drm_file *drm_file)
{
	struct nca_device *ndev = to_nca(drm_file->minor->dev);
	struct nca_file *file = drm_file->driver_priv;
	struct drm_memory_stats system = {}, device = {};
	struct drm_gem_object *obj;
	int id;

	drm_printf(p, "drm-engine-core:\t%llu ns\n", nca_fdinfo_busy_ns(ndev, file));
	drm_printf(p, "drm-engine-capacity-core:\t%u\n", ndev->info.cores);

	spin_lock(&drm_file->table_lock);
	idr_for_each_entry(&drm_file->object_idr, obj, id) {
		struct nca_bo *bo = to_nca_bo(obj);
		struct drm_memory_stats *stats = bo->kind == NCA_BO_DEVMEM ? &device : &system;

		if (drm_gem_object_is_shared_for_memory_stats(obj))
			stats->shared += obj->size;
		else
			stats->private += obj->size;
		if (bo->kind == NCA_BO_DEVMEM)
			stats->resident += obj->size;
	}
	spin_unlock(&drm_file->table_lock);

	drm_print_memory_stats(p, &system, 0, "system");
	drm_print_memory_stats(p, &device, DRM_GEM_OBJECT_RESIDENT, "device");
}
