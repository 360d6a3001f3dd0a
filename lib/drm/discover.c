// SPDX-License-Identifier: MIT
/*
 * /dev/accel nodes that belong to the nca driver, through /sys/class/accel. The
 * PCI function is found by walking up from the node's device: the node of a
 * part of a device hangs below a child of the function.
 */
#include <errno.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmd.h"

#define CLASS	"/sys/class/accel"

/* Last component of what a symlink points at. */
static bool link_name(const char *path, char *buf, size_t len)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	const char *base;

	if (n < 0)
		return false;
	target[n] = '\0';
	base = strrchr(target, '/');
	snprintf(buf, len, "%.63s", base ? base + 1 : target);
	return true;
}

/* Is the driver of the node's device, or of a device above it, ours? */
static bool walk_up(const char *name, struct kmd_node *node)
{
	char path[PATH_MAX], *dir, link[PATH_MAX + 16], what[64];
	bool ours = false;

	snprintf(path, sizeof(path), CLASS "/%s/device", name);
	dir = realpath(path, NULL);
	if (!dir)
		return false;
	while (!strncmp(dir, "/sys/devices/", 13)) {
		snprintf(link, sizeof(link), "%s/driver", dir);
		if (link_name(link, what, sizeof(what)) && !strncmp(what, NCA_DRIVER, 3))
			ours = true;
		snprintf(link, sizeof(link), "%s/subsystem", dir);
		if (link_name(link, what, sizeof(what)) && !strcmp(what, "pci")) {
			snprintf(node->pci_address, sizeof(node->pci_address), "%.15s",
				 strrchr(dir, '/') + 1);
			break;
		}
		*strrchr(dir, '/') = '\0';
	}
	free(dir);
	return ours;
}

int kmd_node_read(const char *name, struct kmd_node *node)
{
	*node = (struct kmd_node){ .numa_node = -1 };
	if (strlen(name) >= sizeof(node->name) || strchr(name, '/') || !walk_up(name, node))
		return -ENODEV;
	strcpy(node->name, name);
	if (*node->pci_address)
		kmd_pci_describe(node);
	return 0;
}

static int is_node(const struct dirent *d)
{
	return !strncmp(d->d_name, "accel", 5);
}

static int by_number(const struct dirent **a, const struct dirent **b)
{
	int x = atoi((*a)->d_name + 5), y = atoi((*b)->d_name + 5);

	return (x > y) - (x < y);
}

int acc_drm_list(char ***names, size_t *count)
{
	struct dirent **entry = NULL;
	struct kmd_node node;
	int n = scandir(CLASS, &entry, is_node, by_number);
	char **list = calloc((n > 0 ? n : 0) + 1, sizeof(*list));
	size_t found = 0;
	bool full = !list;

	for (int i = 0; i < n; i++) {
		if (!full && !kmd_node_read(entry[i]->d_name, &node)) {
			list[found] = strdup(node.name);
			full = !list[found];
			found += !full;
		}
		free(entry[i]);
	}
	free(entry);
	if (full) {
		accel_device_list_free(list);
		return acc_fail(-ENOMEM, "no memory for the list of devices");
	}
	*names = list;
	*count = found;
	return 0;
}

int kmd_node_find(const char *name, struct kmd_node *node)
{
	char **names;
	size_t count;
	int r;

	if (!strncmp(name, "/dev/accel/", 11))
		name += 11;
	if (!kmd_node_read(name, node))
		return 0;
	r = acc_drm_list(&names, &count);
	if (r)
		return r;
	r = -ENODEV;
	for (size_t i = 0; i < count && r; i++)
		if (!kmd_node_read(names[i], node) && !strcasecmp(node->pci_address, name))
			r = 0;
	accel_device_list_free(names);
	if (r && count)
		return acc_fail(r, "no device \"%.60s\": there %s %zu, accelctl list shows them; \"sim\" is always there",
				name, count == 1 ? "is" : "are", count);
	if (r)
		return acc_fail(r, "no device \"%.60s\": this machine has none (is nca.ko loaded?); \"sim\" is always there",
				name);
	return 0;
}
