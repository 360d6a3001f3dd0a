/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NCA_BIND_H
#define NCA_BIND_H

struct drm_device;
struct drm_file;
struct nca_ctx;

int nca_ioctl_bind(struct drm_device *drm, void *data, struct drm_file *file);
int nca_ioctl_unbind(struct drm_device *drm, void *data, struct drm_file *file);
void nca_bind_release_all(struct nca_ctx *ctx);

#endif
