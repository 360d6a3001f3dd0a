/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NCA_RESET_H
#define NCA_RESET_H

#include <linux/types.h>
#include <linux/workqueue.h>

struct drm_device;
struct drm_file;
struct nca_device;

void nca_reset_work(struct work_struct *work);
void nca_reset_request(struct nca_device *ndev, u32 cause);
void nca_reset_quiesce(struct nca_device *ndev, u32 cause);
int nca_reset_restart(struct nca_device *ndev);
void nca_reset_begin(struct nca_device *ndev);
void nca_reset_mark_gone(struct nca_device *ndev);
void nca_reset_gone(struct nca_device *ndev);

void nca_watchdog_work(struct work_struct *work);
void nca_watchdog_now(struct nca_device *ndev);
void nca_watchdog_arm(struct nca_device *ndev);

int nca_ioctl_device_reset(struct drm_device *drm, void *data, struct drm_file *file);

/* nca_coredump.c */
void nca_coredump(struct nca_device *ndev, u32 cause);

#endif
