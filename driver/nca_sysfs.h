/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NCA_SYSFS_H
#define NCA_SYSFS_H

struct attribute_group;

extern const struct attribute_group *nca_sysfs_groups[];

#endif
