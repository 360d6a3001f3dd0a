// SPDX-License-Identifier: MIT
/*
 * Rings and buffers go to the device's NUMA node: the kernel allocates them in
 * the name of the calling thread, whose memory policy is lent for the moment.
 * On a machine with one node, or without NUMA in the kernel, nothing happens.
 */
#include <numa.h>
#include <numaif.h>

#include "kmd.h"

void kmd_near_begin(const struct kmd_dev *dev, struct kmd_near *near)
{
	struct bitmask *saved;
	int node = dev->node.numa_node;

	near->saved = NULL;
	if (node < 0 || numa_available() < 0 || numa_max_node() < 1 || node > numa_max_node())
		return;
	saved = numa_allocate_nodemask();
	if (!saved)
		return;
	if (get_mempolicy(&near->mode, saved->maskp, saved->size + 1, NULL, 0)) {
		numa_free_nodemask(saved);
		return;
	}
	/* Preferred, not bound: memory far away is better than none. */
	numa_set_preferred(node);
	near->saved = saved;
}

void kmd_near_end(struct kmd_near *near)
{
	struct bitmask *saved = near->saved;

	if (!saved)
		return;
	set_mempolicy(near->mode, near->mode == MPOL_DEFAULT ? NULL : saved->maskp,
		      near->mode == MPOL_DEFAULT ? 0 : saved->size + 1);
	numa_free_nodemask(saved);
}
