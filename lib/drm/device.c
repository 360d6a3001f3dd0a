// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xf86drm.h>

#include "kmd.h"

int kmd_call(const struct kmd_dev *dev, unsigned long request, void *arg)
{
	return drmIoctl(dev->fd, request, arg) ? -errno : 0;
}

static int fixed_query(const struct kmd_dev *dev, uint32_t query, void *data, uint32_t size)
{
	struct drm_nca_query q = { .query = query, .size = size, .data = (uintptr_t)data };
	int r = kmd_call(dev, DRM_IOCTL_NCA_QUERY, &q);

	/* A shorter answer (older driver) leaves the rest of @data as it was: zero. */
	return r ? acc_fail_sys(r, "%s does not answer query %u", dev->node.name, query) : 0;
}

int kmd_query(const struct kmd_dev *dev, uint32_t query, void **data, uint32_t *size)
{
	struct drm_nca_query q = { .query = query };
	int r = kmd_call(dev, DRM_IOCTL_NCA_QUERY, &q);
	uint32_t room;

	if (r)
		return acc_fail_sys(r, "%s does not answer query %u", dev->node.name, query);
	room = q.size ? q.size : 1;
	*data = calloc(1, room);
	if (!*data)
		return acc_fail(-ENOMEM, "no memory for an answer of %u bytes", q.size);
	q.data = (uintptr_t)*data;
	r = kmd_call(dev, DRM_IOCTL_NCA_QUERY, &q);
	if (r) {
		free(*data);
		return acc_fail_sys(r, "%s does not answer query %u", dev->node.name, query);
	}
	/* The answer may have grown in between; the rest of it does not interest. */
	*size = q.size < room ? q.size : room;
	return 0;
}

void *kmd_map(const struct kmd_dev *dev, uint64_t offset, uint64_t len, int prot,
	      const char *what)
{
	void *p = mmap(NULL, len, prot, MAP_SHARED, dev->fd, (off_t)offset);

	if (p == MAP_FAILED) {
		acc_fail_sys(-errno, "cannot map %s of %s", what, dev->node.name);
		return NULL;
	}
	madvise(p, len, MADV_DONTFORK);
	return p;
}

static int check_driver(int fd, const char *path)
{
	drmVersionPtr v = drmGetVersion(fd);
	bool ours = v && v->name && !strcmp(v->name, NCA_DRIVER);

	drmFreeVersion(v);
	return ours ? 0 : acc_fail(-ENODEV, "%s belongs to another driver than " NCA_DRIVER, path);
}

static int kmd_open(const char *name, struct acc_bdev **out)
{
	struct kmd_dev *dev = calloc(1, sizeof(*dev));
	char path[64];
	int r;

	if (!dev)
		return acc_fail(-ENOMEM, "no memory for a device");
	dev->b.ops = &acc_backend_drm;
	r = kmd_node_find(name, &dev->node);
	if (r)
		goto free_dev;
	snprintf(path, sizeof(path), "/dev/accel/%s", dev->node.name);
	dev->fd = open(path, O_RDWR | O_CLOEXEC);
	if (dev->fd < 0) {
		r = acc_fail_sys(-errno, "cannot open %s%s", path,
				 errno == EACCES || errno == EPERM ?
				 " (is this user in the group of the node?)" : "");
		goto free_dev;
	}
	r = check_driver(dev->fd, path);
	if (!r)
		r = fixed_query(dev, DRM_NCA_QUERY_DEVICE, &dev->info, sizeof(dev->info));
	if (!r && dev->info.version >> 16 != NCA_VERSION_MAJOR)
		r = acc_fail(-ENODEV, "%s has hardware interface version %u and this library needs %d",
			     path, dev->info.version >> 16, NCA_VERSION_MAJOR);
	if (!r && (dev->info.max_queue_order < 3 ||
		   dev->info.max_queue_order > NCA_QUEUE_MAX_ORDER))
		r = acc_fail(-ENODEV, "%s claims queues of 2^%u entries", path,
			     dev->info.max_queue_order);
	if (r)
		goto close_fd;
	dev->b.tick_hz = dev->info.tick_hz;
	dev->b.features = dev->info.features;
	dev->b.target = dev->info.target;
	dev->b.max_queue_order = dev->info.max_queue_order;
	*out = &dev->b;
	return 0;

close_fd:
	close(dev->fd);
free_dev:
	free(dev);
	return r;
}

/* In a child too: an inherited descriptor would keep the parent's contexts alive. */
static void kmd_close(struct acc_bdev *bdev)
{
	struct kmd_dev *dev = (struct kmd_dev *)bdev;

	close(dev->fd);
	free(dev);
}

static int kmd_info(struct acc_bdev *bdev, struct accel_device_info *info)
{
	struct kmd_dev *dev = (struct kmd_dev *)bdev;
	const struct drm_nca_device_info *d = &dev->info;
	struct drm_nca_usage u = { 0 };
	int r = fixed_query(dev, DRM_NCA_QUERY_USAGE, &u, sizeof(u));

	if (r)
		return r;
	memcpy(info->name, dev->node.name, sizeof(info->name));
	snprintf(info->target, sizeof(info->target), "%.15s", d->target_name);
	snprintf(info->serial, sizeof(info->serial), "%.31s", d->serial);
	snprintf(info->firmware, sizeof(info->firmware), "%.31s", d->firmware);
	snprintf(info->driver, sizeof(info->driver), "drm");
	memcpy(info->pci_address, dev->node.pci_address, sizeof(info->pci_address));
	info->pci_vendor = dev->node.pci_vendor;
	info->pci_device = dev->node.pci_device;
	memcpy(info->pci_name, dev->node.pci_name, sizeof(info->pci_name));
	info->numa_node = dev->node.numa_node;
	info->cores = d->cores;
	info->slices = d->slices;
	info->slices_free = u.slices_free;
	info->slices_largest = u.slices_largest;
	info->contexts = u.contexts;
	info->queues = u.queues;
	info->max_contexts = d->max_contexts;
	info->max_queues = d->max_queues;
	info->max_queue_order = d->max_queue_order;
	info->memory_size = d->devmem_size;
	info->memory_used = u.devmem_used;
	info->memory_bandwidth = d->devmem_bw;
	info->link_bandwidth = d->pci_link_bw;
	info->tick_hz = d->tick_hz;
	info->quantum_us = d->quantum_us;
	info->simulated = d->simulated;
	info->state = u.state;
	info->contexts_reclaiming = u.contexts_reclaiming;
	return 0;
}

static int kmd_telemetry(struct acc_bdev *bdev, struct accel_telemetry *out)
{
	struct nca_telemetry t = { 0 };
	int r = fixed_query((struct kmd_dev *)bdev, DRM_NCA_QUERY_TELEMETRY, &t, sizeof(t));

	if (r)
		return r;
	acc_telemetry_from_device(out, &t);
	return 0;
}

static int kmd_reset(struct acc_bdev *bdev)
{
	struct kmd_dev *dev = (struct kmd_dev *)bdev;
	struct drm_nca_device_reset arg = { 0 };
	int r = kmd_call(dev, DRM_IOCTL_NCA_DEVICE_RESET, &arg);

	if (r == -EPERM || r == -EACCES)
		return acc_fail(r, "resetting %s needs CAP_SYS_ADMIN: it ends the work of every user",
				dev->node.name);
	return r ? acc_fail_sys(r, "cannot reset %s", dev->node.name) : 0;
}

const struct acc_backend acc_backend_drm = {
	.name = "drm",
	.open = kmd_open,
	.close = kmd_close,
	.forget = kmd_close,
	.info = kmd_info,
	.telemetry = kmd_telemetry,
	.reset = kmd_reset,
	.ctx_create = kmd_ctx_create,
	.ctx_destroy = kmd_ctx_destroy,
	.ctx_abort = kmd_ctx_abort,
	.ctx_usage = kmd_ctx_usage,
	.ctx_fault = kmd_ctx_fault,
	.mem_alloc = kmd_mem_alloc,
	.mem_import = kmd_mem_import,
	.mem_export = kmd_mem_export,
	.mem_map = kmd_mem_map,
	.mem_bind = kmd_mem_bind,
	.mem_unbind = kmd_mem_unbind,
	.mem_free = kmd_mem_free,
	.queue_create = kmd_queue_create,
	.queue_destroy = kmd_queue_destroy,
	.queue_sleep = kmd_queue_sleep,
	.queue_eventfd = kmd_queue_eventfd,
	.queue_doorbell = kmd_queue_doorbell,
};
