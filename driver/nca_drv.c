// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DRM driver: ioctl table, file operations, open and close.
 *
 * Interface versions:
 * - 1.0 - query, contexts, buffers, bindings, queues, device reset
 */
#include <linux/module.h>
#include <linux/slab.h>

#include <drm/drm_accel.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_ioctl.h>

#include "nca_bind.h"
#include "nca_ctx.h"
#include "nca_device.h"
#include "nca_drv.h"
#include "nca_fdinfo.h"
#include "nca_gem.h"
#include "nca_mmap.h"
#include "nca_query.h"
#include "nca_queue.h"
#include "nca_reset.h"
#include "nca_user.h"

static int nca_open(struct drm_device *drm, struct drm_file *drm_file)
{
	struct nca_device *ndev = to_nca(drm);
	struct nca_file *file;

	file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
	if (!file)
		return -ENOMEM;
	file->user = nca_user_get(ndev, current_uid());
	if (!file->user) {
		kfree(file);
		return -ENOMEM;
	}
	kref_init(&file->ref);
	file->ndev = ndev;
	file->pid = task_tgid_nr(current);
	xa_init_flags(&file->ctxs, XA_FLAGS_ALLOC1);
	xa_init_flags(&file->queues, XA_FLAGS_ALLOC1);
	drm_file->driver_priv = file;
	return 0;
}

/*
 * The last mapping and the last ioctl are over. DRM has dropped the buffer
 * handles; bindings hold their own references. Nothing here waits for the
 * device: see nca_teardown.c.
 */
static void nca_postclose(struct drm_device *drm, struct drm_file *drm_file)
{
	struct nca_file *file = drm_file->driver_priv;
	struct nca_queue *queue;
	unsigned long handle;
	struct nca_ctx *ctx;

	xa_for_each(&file->queues, handle, queue) {
		xa_erase(&file->queues, handle);
		nca_queue_put(queue);
	}
	xa_for_each(&file->ctxs, handle, ctx) {
		xa_erase(&file->ctxs, handle);
		nca_teardown_close(ctx);
		nca_ctx_put(ctx);
	}
	drm_file->driver_priv = NULL;
	nca_file_put(file);
}

static const struct drm_ioctl_desc nca_ioctls[] = {
	DRM_IOCTL_DEF_DRV(NCA_QUERY, nca_ioctl_query, 0),
	DRM_IOCTL_DEF_DRV(NCA_CTX_CREATE, nca_ioctl_ctx_create, 0),
	DRM_IOCTL_DEF_DRV(NCA_CTX_DESTROY, nca_ioctl_ctx_destroy, 0),
	DRM_IOCTL_DEF_DRV(NCA_CTX_ABORT, nca_ioctl_ctx_abort, 0),
	DRM_IOCTL_DEF_DRV(NCA_BO_CREATE, nca_ioctl_bo_create, 0),
	DRM_IOCTL_DEF_DRV(NCA_BO_INFO, nca_ioctl_bo_info, 0),
	DRM_IOCTL_DEF_DRV(NCA_BIND, nca_ioctl_bind, 0),
	DRM_IOCTL_DEF_DRV(NCA_UNBIND, nca_ioctl_unbind, 0),
	DRM_IOCTL_DEF_DRV(NCA_QUEUE_CREATE, nca_ioctl_queue_create, 0),
	DRM_IOCTL_DEF_DRV(NCA_QUEUE_DESTROY, nca_ioctl_queue_destroy, 0),
	DRM_IOCTL_DEF_DRV(NCA_QUEUE_WAIT, nca_ioctl_queue_wait, 0),
	DRM_IOCTL_DEF_DRV(NCA_QUEUE_EVENTFD, nca_ioctl_queue_eventfd, 0),
	DRM_IOCTL_DEF_DRV(NCA_QUEUE_KICK, nca_ioctl_queue_kick, 0),
	DRM_IOCTL_DEF_DRV(NCA_DEVICE_RESET, nca_ioctl_device_reset, 0),
};

static const struct file_operations nca_fops = {
	.owner = THIS_MODULE,
	.open = accel_open,
	.release = drm_release,
	.unlocked_ioctl = drm_ioctl,
	.compat_ioctl = drm_compat_ioctl,
	.poll = drm_poll,
	.read = drm_read,
	.llseek = noop_llseek,
	.mmap = nca_mmap,
	.show_fdinfo = drm_show_fdinfo,
	.fop_flags = FOP_UNSIGNED_OFFSET,
};

const struct drm_driver nca_drm_driver = {
	.driver_features = DRIVER_GEM | DRIVER_COMPUTE_ACCEL,
	.open = nca_open,
	.postclose = nca_postclose,
	.gem_prime_import = nca_prime_import,
	.show_fdinfo = nca_fdinfo_show,
	.ioctls = nca_ioctls,
	.num_ioctls = ARRAY_SIZE(nca_ioctls),
	.fops = &nca_fops,
	.name = NCA_DRIVER_NAME,
	.desc = NCA_DRIVER_DESC,
	.major = 1,
	.minor = 0,
};

module_pci_driver(nca_pci_driver);

MODULE_DESCRIPTION(NCA_DRIVER_DESC);
MODULE_AUTHOR("The NCA authors");
MODULE_LICENSE("GPL");
/* That of dkms.conf: a module left over from before an update can be told. */
MODULE_VERSION("0.1.0");
