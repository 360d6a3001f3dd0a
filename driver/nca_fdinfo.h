/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NCA_FDINFO_H
#define NCA_FDINFO_H

struct drm_file;
struct drm_printer;

void nca_fdinfo_show(struct drm_printer *p, struct drm_file *file);

#endif
