// SPDX-License-Identifier: GPL-2.0-only
/* Attributes of the PCI function; docs/abi/sysfs-nca describes them. */
#include <linux/device.h>
#include <linux/sysfs.h>

#include "nca_ctx.h"
#include "nca_device.h"
#include "nca_sysfs.h"

static ssize_t target_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct nca_device *ndev = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%s\n", ndev->info.target_name);
}
static DEVICE_ATTR_RO(target);

static ssize_t serial_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct nca_device *ndev = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%s\n", ndev->info.serial);
}
static DEVICE_ATTR_RO(serial);

static ssize_t firmware_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct nca_device *ndev = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%s\n", ndev->info.firmware);
}
static DEVICE_ATTR_RO(firmware);

static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	static const char * const names[] = {
		[NCA_DEV_WORKING] = "working",
		[NCA_DEV_RESETTING] = "resetting",
		[NCA_DEV_WEDGED] = "wedged",
		[NCA_DEV_GONE] = "gone",
	};
	struct nca_device *ndev = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%s\n", names[nca_state(ndev)]);
}
static DEVICE_ATTR_RO(state);

static ssize_t resets_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct nca_device *ndev = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%d\n", atomic_read(&ndev->resets));
}
static DEVICE_ATTR_RO(resets);

static ssize_t slices_free_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	u32 free, largest;

	nca_ctx_capacity(dev_get_drvdata(dev), &free, &largest);
	return sysfs_emit(buf, "%u\n", free);
}
static DEVICE_ATTR_RO(slices_free);

static struct attribute *nca_attrs[] = {
	&dev_attr_target.attr,
	&dev_attr_serial.attr,
	&dev_attr_firmware.attr,
	&dev_attr_state.attr,
	&dev_attr_resets.attr,
	&dev_attr_slices_free.attr,
	NULL
};

static const struct attribute_group nca_group = {
	.name = "nca",
	.attrs = nca_attrs,
};

const struct attribute_group *nca_sysfs_groups[] = {
	&nca_group,
	NULL
};
