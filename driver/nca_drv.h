/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NCA_DRV_H
#define NCA_DRV_H

struct drm_driver;
struct pci_driver;

extern const struct drm_driver nca_drm_driver;
extern struct pci_driver nca_pci_driver;

#endif
