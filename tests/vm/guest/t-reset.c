// SPDX-License-Identifier: MIT
/* Resets the device. */
#include "dev.h"
#include "tap.h"

int main(void)
{
	struct drm_nca_device_reset r = { 0 };
	int fd = dev_open();

	NEED_OK(fd < 0 ? fd : dev_ioctl(fd, DRM_IOCTL_NCA_DEVICE_RESET, &r), "device reset");
	return 0;
}
