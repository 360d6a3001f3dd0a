/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * NCA PCI function: identity, BAR layout and BAR0 registers.
 *
 * All registers are little endian and naturally aligned; 64-bit registers may
 * be read and written as two 32-bit halves, low half first (the write takes
 * effect with the high half). Reads of undefined offsets return 0, writes to
 * them are ignored; a function that is gone reads as all-ones.
 *
 * Only the driver touches BAR0. docs/hardware.md, part I, is the prose.
 */
#ifndef NCA_REGS_H
#define NCA_REGS_H

#include <linux/types.h>

#ifdef __KERNEL__
#include <linux/build_bug.h>
#define NCA_STATIC_ASSERT(x) static_assert(x)
#else
#include <stddef.h>
#ifdef __cplusplus
#define NCA_STATIC_ASSERT(x) static_assert(x, #x)
#else
#define NCA_STATIC_ASSERT(x) _Static_assert(x, #x)
#endif
#endif

/* Red Hat's PCI vendor id has a documented range for experimental devices. */
#define NCA_PCI_VENDOR_ID		0x1b36
#define NCA_PCI_DEVICE_ID_NCA1		0x10fa
#define NCA_PCI_DEVICE_ID_NCA2		0x10fb
#define NCA_PCI_CLASS			0x120000	/* processing accelerator */
#define NCA_PCI_REVISION		0x01

#define NCA_BAR_REGS			0
#define NCA_BAR_DOORBELL		2
#define NCA_BAR_DEVMEM			4	/* 64-bit prefetchable */

#define NCA_BAR_REGS_SIZE		0x20000
#define NCA_MSIX_TABLE_OFFSET		0x10000	/* in BAR0 */
#define NCA_MSIX_PBA_OFFSET		0x18000	/* in BAR0 */

/* ---- BAR0 ------------------------------------------------------------- */
#define NCA_REG_MAGIC			0x000	/* RO: NCA_MAGIC */
#define NCA_REG_VERSION			0x004	/* RO: major << 16 | minor */
#define NCA_REG_CAP_QUEUES		0x008	/* RO: user queues, ids 0..n-1 */
#define NCA_REG_CAP_CONTEXTS		0x00c	/* RO: contexts, ids 1..n */
#define NCA_REG_CAP_VECTORS		0x010	/* RO: MSI-X vectors, 0 = admin */
#define NCA_REG_CAP_ADMIN_ORDER		0x014	/* RO: log2 of the largest admin ring */
#define NCA_REG_CAP_TIMEOUT_MS		0x018	/* RO: worst case of reset and of any admin command */
#define NCA_REG_CTRL			0x020	/* RW: NCA_CTRL_* */
#define NCA_REG_STATUS			0x024	/* RO: NCA_STATUS_* */
#define NCA_REG_RESET			0x028	/* WO: NCA_RESET_MAGIC resets the device */
#define NCA_REG_GENERATION		0x02c	/* RO: counts resets, never 0 */
#define NCA_REG_HEARTBEAT		0x030	/* RO: counts up at least every 100 ms while READY */
#define NCA_REG_FATAL_CAUSE		0x034	/* RO: why STATUS.FATAL is set */
#define NCA_REG_ASQ_BASE		0x040	/* RW 64: bus address, 4 KiB aligned */
#define NCA_REG_ACQ_BASE		0x048	/* RW 64: bus address, 4 KiB aligned */
#define NCA_REG_ADMIN_ORDER		0x050	/* RW: log2 entries of both rings, 1..CAP */
#define NCA_REG_ASQ_TAIL		0x054	/* WO: free-running tail, rings the doorbell */
#define NCA_REG_ACQ_HEAD		0x058	/* WO: free-running head */
#define NCA_REG_DB_PAGE_SHIFT		0x060	/* RO: log2 of a doorbell page (12) */
#define NCA_REG_DB_OFFSET		0x064	/* RO: offset of page 0 in BAR2 */
#define NCA_REG_KICK_OFFSET		0x068	/* RO: offset of kick page 0 in BAR2 */
#define NCA_REG_DB_STRIDE		0x06c	/* RO: bytes from page q to page q + 1 (both halves) */
#define NCA_REG_DEVMEM_SIZE		0x070	/* RO 64: bytes of device memory behind BAR4 */
#define NCA_REG_TIME			0x078	/* RO 64: device time in ns */
/* Event queue v (1 <= v < CAP_VECTORS) consumer index, free-running. */
#define NCA_REG_EQ_HEAD(v)		(0x100 + 4 * (v))

#define NCA_MAGIC			0x3141434eu	/* "NCA1" */
#define NCA_VERSION_MAJOR		1
#define NCA_VERSION_MINOR		0
#define NCA_RESET_MAGIC			0x52534554u	/* "TESR" on the wire */

#define NCA_CTRL_ENABLE			0x1	/* 0 -> 1 latches the admin ring registers */

#define NCA_STATUS_READY		0x1	/* admin queue is served */
#define NCA_STATUS_FATAL		0x2	/* only a reset helps; FATAL_CAUSE says why */
#define NCA_STATUS_RESETTING		0x4

/* ---- BAR2: doorbell page q -------------------------------------------- */
/*
 * Host-written words of one user queue, one cache line each, so that the
 * submitting and the completing thread do not share a line. The page is plain
 * memory: the device polls it. @arm is written as one 64-bit store:
 * sequence << 32 | completion head last seen; a sequence different from the
 * last one fired (and not 0) arms one event.
 */
struct nca_doorbell {
	__u32 sq_tail;		/* 0x00: free-running submission tail */
	__u32 rsvd0[15];
	__u32 cq_head;		/* 0x40: free-running completion head */
	__u32 rsvd1[15];
	__u64 arm;		/* 0x80 */
	__u64 rsvd2[7];
};
NCA_STATIC_ASSERT(sizeof(struct nca_doorbell) == 192);
NCA_STATIC_ASSERT(offsetof(struct nca_doorbell, cq_head) == 0x40);
NCA_STATIC_ASSERT(offsetof(struct nca_doorbell, arm) == 0x80);

/* A 32-bit store of any value at offset 0 of kick page q wakes queue q. */
#define NCA_KICK_WORD			0x0

#define NCA_DB_PAGE_SIZE		4096

#endif
