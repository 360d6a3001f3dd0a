/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NCA_DEBUGFS_H
#define NCA_DEBUGFS_H

struct nca_device;

#ifdef CONFIG_DEBUG_FS
void nca_debugfs_init(struct nca_device *ndev);
#else
static inline void nca_debugfs_init(struct nca_device *ndev)
{
}
#endif

#endif
