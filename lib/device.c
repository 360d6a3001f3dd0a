// SPDX-License-Identifier: MIT
/* Devices: names, opening, information. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "objects.h"
#include "versioned.h"

int accel_device_list(char ***names, size_t *count)
{
	size_t n;

	if (!names)
		return acc_fail(-EINVAL, "accel_device_list: names must not be NULL");
	return acc_drm_list(names, count ? count : &n);
}

void accel_device_list_free(char **names)
{
	if (!names)
		return;
	for (char **n = names; *n; n++)
		free(*n);
	free(names);
}

static int open_backend(const char *name, struct acc_bdev **b)
{
	char **names;
	size_t count;
	int r;

	if (name) {
		if (!strncmp(name, "sim", 3) && (!name[3] || name[3] == ':'))
			return acc_backend_sim.open(name, b);
		return acc_backend_drm.open(name, b);
	}
	r = acc_drm_list(&names, &count);
	if (r)
		return r;
	r = count ? acc_backend_drm.open(names[0], b) : acc_backend_sim.open("sim", b);
	accel_device_list_free(names);
	return r;
}

int accel_device_open(const char *name, accel_device **out)
{
	struct accel_device *dev;
	int r;

	if (!out)
		return acc_fail(-EINVAL, "accel_device_open: dev must not be NULL");
	dev = calloc(1, sizeof(*dev));
	if (!dev)
		return acc_fail(-ENOMEM, "no memory for a device handle");
	dev->epoch = acc_fork_epoch();
	if (!dev->epoch) {
		free(dev);
		return acc_fail(-ENOSYS, "this kernel has no MADV_WIPEONFORK (Linux 4.14), which fork safety needs");
	}
	dev->pid = getpid();
	r = open_backend(name, &dev->b);
	if (r) {
		free(dev);
		return r;
	}
	pthread_mutex_init(&dev->lock, NULL);
	LIST_INIT(&dev->contexts);
	*out = dev;
	return 0;
}

int accel_device_close(accel_device *dev)
{
	unsigned int n = 0;
	struct accel_context *c;

	if (!dev)
		return 0;
	if (acc_is_child(dev->epoch)) {
		dev->b->ops->forget(dev->b);
		free(dev);
		return 0;
	}
	pthread_mutex_lock(&dev->lock);
	LIST_FOREACH(c, &dev->contexts, link)
		n++;
	pthread_mutex_unlock(&dev->lock);
	if (n)
		return acc_fail(-EBUSY, "%u context%s of this device %s not been destroyed", n,
				n == 1 ? "" : "s", n == 1 ? "has" : "have");
	dev->b->ops->close(dev->b);
	pthread_mutex_destroy(&dev->lock);
	free(dev);
	return 0;
}

int accel_device_info(accel_device *dev, struct accel_device_info *info)
{
	struct accel_device_info i = { .size = sizeof(i), .numa_node = -1 };
	int r;

	if (!dev)
		return acc_fail(-EINVAL, "accel_device_info: dev must not be NULL");
	ACC_CHECK_CHILD(dev, dev);
	r = acc_check_out(info, "struct accel_device_info");
	if (!r)
		r = dev->b->ops->info(dev->b, &i);
	if (!r)
		acc_copy_out(info, &i, sizeof(i));
	return r;
}

void acc_telemetry_from_device(struct accel_telemetry *out, const struct nca_telemetry *t)
{
	out->time_ns = t->time_ns;
	memcpy(out->core_busy_ns, t->core_busy_ns, sizeof(out->core_busy_ns));
	out->memory_bytes = t->devmem_bytes;
	out->host_bytes = t->host_bytes;
	out->commands = t->commands;
	out->launches = t->launches;
	out->faults = t->faults;
	out->bad_bus_accesses = t->bad_bus_accesses;
	out->temperature_mc = t->temperature_mc;
	out->power_mw = t->power_mw;
}

int accel_device_telemetry(accel_device *dev, struct accel_telemetry *t)
{
	struct accel_telemetry v = { .size = sizeof(v) };
	int r;

	if (!dev)
		return acc_fail(-EINVAL, "accel_device_telemetry: dev must not be NULL");
	ACC_CHECK_CHILD(dev, dev);
	r = acc_check_out(t, "struct accel_telemetry");
	if (!r)
		r = dev->b->ops->telemetry(dev->b, &v);
	if (!r)
		acc_copy_out(t, &v, sizeof(v));
	return r;
}

int accel_device_reset(accel_device *dev)
{
	if (!dev)
		return acc_fail(-EINVAL, "accel_device_reset: dev must not be NULL");
	ACC_CHECK_CHILD(dev, dev);
	return dev->b->ops->reset(dev->b);
}
