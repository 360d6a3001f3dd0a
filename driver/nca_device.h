/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device object and the locks that everything hangs from.
 *
 * Locking, outermost first:
 *
 *   drm_dev_enter()    every access to registers or doorbells from a file
 *                      operation; ends for good with drm_dev_unplug()
 *   ndev->reset_lock   read: anything that talks to the device or changes what
 *                      it knows (nca_enter()). write: device reset, removal.
 *                      The writer first makes the admin queue fail, so that no
 *                      reader waits for hardware that will not answer.
 *   mmap_lock          taken by copy_*_user() and by the RLIMIT_MEMLOCK
 *                      accounting; never taken while a lock below is held
 *   ctx->lock          bindings, queues and hardware state of one context
 *   dma_resv           of one buffer: DMA mapping of an import
 *   bo->lock           pins for those who import one of ours (they hold its
 *                      dma_resv)
 *   ndev->ctx_lock     list of contexts, slices in use
 *   devmem.lock        device memory allocator and quotas
 *   queue->map_lock    whether the doorbell page may still be mapped; this and
 *                      devmem.map_lock are the only ones a page fault takes
 *   eq->lock           consumer side of one event queue (hard irq)
 *   ndev->evt_lock     id tables, event counts, who waits (hard irq)
 *   admin.lock         both admin rings (hard irq)
 *
 * A page fault runs under mmap_lock, so it takes neither reset_lock nor
 * ctx->lock. unmap_mapping_range() is called without any of the locks a fault
 * handler takes: a revocation sets its flag under the lock, drops it, then
 * zaps; a fault that looked before has inserted its entry before the zap, one
 * that looks after sees the flag.
 *
 * Lifetimes: struct nca_device belongs to the drm_device and outlives every
 * file and mapping. What the hardware must not see any more (DMA mappings,
 * rings, interrupts) goes in nca_pci_remove() at the latest, whatever is open.
 */
#ifndef NCA_DEVICE_H
#define NCA_DEVICE_H

#include <linux/atomic.h>
#include <linux/idr.h>
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <drm/drm_device.h>
#include <drm/nca_accel.h>

#include <nca/admin.h>
#include <nca/queue.h>
#include <nca/regs.h>

#include "nca_admin.h"
#include "nca_devmem.h"

#define NCA_DRIVER_NAME		"nca"
#define NCA_DRIVER_DESC		"NCA inference accelerator"

struct nca_ctx;
struct nca_eq;
struct nca_queue;

/* Values are those of drm_nca_usage.state. */
enum nca_dev_state {
	NCA_DEV_WORKING		= 0,
	NCA_DEV_RESETTING	= 1,
	NCA_DEV_WEDGED		= 2,	/* does not come back; bus mastering is off */
	NCA_DEV_GONE		= 3,	/* unplugged, unbound or reads as all-ones */
};

struct nca_device {
	struct drm_device drm;
	struct pci_dev *pdev;

	void __iomem *regs;		/* BAR0 */
	void __iomem *db;		/* BAR2, kernel's view */
	phys_addr_t db_phys;
	phys_addr_t devmem_phys;	/* BAR4 */
	u32 db_offset;
	u32 kick_offset;
	u32 db_stride;
	u32 num_queues;
	u32 num_contexts;
	u32 num_eqs;			/* vectors 1..num_eqs */
	u32 timeout_ms;			/* worst case of an admin command or reset */
	struct drm_nca_device_info info;	/* what the device said, checked */

	struct nca_admin admin;
	struct nca_eq *eqs;
	struct nca_devmem devmem;

	struct rw_semaphore reset_lock;
	enum nca_dev_state state;	/* READ_ONCE(); written under state_lock */
	wait_queue_head_t state_wq;
	spinlock_t state_lock;		/* GONE is never left */
	bool removed;			/* under reset_lock */
	struct workqueue_struct *wq;
	struct work_struct reset_work;
	u32 reset_cause;		/* enum nca_lost_cause, xchg() */
	u32 device_gen;
	atomic_t resets;

	struct delayed_work watchdog;
	u32 heartbeat;
	u32 heartbeat_stalls;
	ktime_t heartbeat_time;

	struct mutex ctx_lock;		/* the list, slices in use, reclaiming */
	struct list_head contexts;
	u32 num_ctx;			/* on the list, teardown included */
	u32 num_reclaiming;
	u64 reclaim_seq;		/* counts finished teardowns */
	wait_queue_head_t reclaim_wq;
	atomic_t next_serial;

	spinlock_t evt_lock;		/* the two tables and who waits; hard irq */
	struct nca_ctx **ctx_tbl;	/* by device context id */
	struct nca_queue **queue_tbl;	/* by queue id */
	struct ida queue_ids;
	atomic_t next_queue_gen;
	atomic_t live_queues;

	struct mutex user_lock;		/* list and end of users */
	struct list_head users;
	atomic64_t pinned_pages;

	struct mutex log_lock;		/* the page below */
	void *log_page;
	dma_addr_t log_dma;
};

static inline struct nca_device *to_nca(struct drm_device *drm)
{
	return container_of(drm, struct nca_device, drm);
}

static inline enum nca_dev_state nca_state(struct nca_device *ndev)
{
	return READ_ONCE(ndev->state);
}

/* What a caller is told about a device in this state. */
static inline int nca_state_error(struct nca_device *ndev)
{
	switch (nca_state(ndev)) {
	case NCA_DEV_WORKING:
		return 0;
	case NCA_DEV_GONE:
		return -ENODEV;
	default:
		return -EIO;
	}
}

int nca_enter(struct nca_device *ndev, int *idx);
void nca_exit(struct nca_device *ndev, int idx);

#endif
