// SPDX-License-Identifier: MIT
/* Prints what is in use on the device as one line, so that scripts can compare two of them. */
#include "dev.h"
#include "tap.h"

int main(void)
{
	struct drm_nca_usage u;
	int fd = dev_open();

	if (fd < 0 || dev_usage(fd, &u)) {
		fprintf(stderr, "t-usage: %s does not answer\n", DEV_NODE);
		return 1;
	}
	printf("slices_free=%u largest=%u contexts=%u queues=%u devmem=%llu pinned=%llu reclaiming=%u/%llu state=%u\n",
	       u.slices_free, u.slices_largest, u.contexts, u.queues, (unsigned long long)u.devmem_used,
	       (unsigned long long)u.host_pinned, u.contexts_reclaiming,
	       (unsigned long long)u.devmem_reclaiming, u.state);
	return 0;
}
