/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NCA_MMAP_H
#define NCA_MMAP_H

#include <linux/bits.h>
#include <linux/types.h>

struct file;
struct nca_device;
struct vm_area_struct;

/*
 * Offsets of what is not a buffer: kind | serial of the queue or context |
 * byte. Far above those of buffers, and each queue and context has its own, so
 * that one can be revoked without touching the others.
 */
enum nca_mmap_kind {
	NCA_MMAP_RING		= 1,
	NCA_MMAP_DOORBELL	= 2,
	NCA_MMAP_KICK		= 3,
	NCA_MMAP_STATUS		= 4,
};

#define NCA_MMAP_KIND_SHIFT	56
#define NCA_MMAP_SERIAL_SHIFT	24
#define NCA_MMAP_SPAN		BIT_ULL(NCA_MMAP_SERIAL_SHIFT)

static inline u64 nca_mmap_offset(enum nca_mmap_kind kind, u32 serial)
{
	return (u64)kind << NCA_MMAP_KIND_SHIFT | (u64)serial << NCA_MMAP_SERIAL_SHIFT;
}

int nca_mmap(struct file *filp, struct vm_area_struct *vma);
void nca_mmap_zap(struct nca_device *ndev, enum nca_mmap_kind kind, u32 serial);

#endif
