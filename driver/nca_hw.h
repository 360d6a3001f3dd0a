/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NCA_HW_H
#define NCA_HW_H

#include "nca_device.h"

static inline u32 nca_read(struct nca_device *ndev, u32 reg)
{
	return readl(ndev->regs + reg);
}

static inline void nca_write(struct nca_device *ndev, u32 reg, u32 val)
{
	writel(val, ndev->regs + reg);
}

/* The low half first: a write takes effect with the high half. */
static inline void nca_write64(struct nca_device *ndev, u32 reg, u64 val)
{
	writel(lower_32_bits(val), ndev->regs + reg);
	writel(upper_32_bits(val), ndev->regs + reg + 4);
}

static inline u64 nca_read64(struct nca_device *ndev, u32 reg)
{
	u32 lo = readl(ndev->regs + reg);

	return lo | (u64)readl(ndev->regs + reg + 4) << 32;
}

static inline bool nca_hw_present(struct nca_device *ndev)
{
	return nca_read(ndev, NCA_REG_MAGIC) == NCA_MAGIC;
}

int nca_hw_map(struct nca_device *ndev);
int nca_hw_probe_caps(struct nca_device *ndev);
int nca_hw_reset(struct nca_device *ndev);
int nca_hw_start(struct nca_device *ndev);
int nca_hw_identify(struct nca_device *ndev);
void nca_hw_stop(struct nca_device *ndev);

#endif
