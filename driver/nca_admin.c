// SPDX-License-Identifier: GPL-2.0-only
/*
 * The admin queue: one command at a time per caller, many callers.
 *
 * A caller owns a slot from nca_admin_exec() entry to return; the slot number
 * and a sequence number make the cid, so completions may arrive in any order
 * and one that is late, repeated or invented finds no pending slot and is only
 * counted. There are no more slots than ring entries, so the submission ring
 * cannot overflow.
 *
 * Waiting is uninterruptible and bounded. A command that is not answered in
 * time means a device that can no longer be believed to have stopped using the
 * memory the command is about. nca_admin_fail() then takes bus mastering away
 * before any caller gets its error, so that a caller may free that memory.
 */
#include <linux/dma-mapping.h>
#include <linux/jiffies.h>

#include <drm/drm_print.h>

#include "nca_device.h"
#include "nca_hw.h"
#include "nca_reset.h"
#include "nca_trace.h"

/* Added to the device's own worst case for the host's scheduling delays. */
#define NCA_ADMIN_SLACK_MS	500

int nca_admin_init(struct nca_device *ndev)
{
	struct nca_admin *admin = &ndev->admin;
	struct device *dev = &ndev->pdev->dev;
	unsigned int i;

	spin_lock_init(&admin->lock);
	init_waitqueue_head(&admin->slot_wq);
	for (i = 0; i < NCA_ADMIN_SLOTS; i++)
		init_completion(&admin->slots[i].done);

	admin->order = clamp(nca_read(ndev, NCA_REG_CAP_ADMIN_ORDER), 1u,
			     (u32)NCA_ADMIN_MAX_ORDER);
	/* Whole pages: the base registers want 4 KiB alignment. */
	admin->sq = dmam_alloc_coherent(dev, PAGE_ALIGN(sizeof(*admin->sq) << admin->order),
					&admin->sq_dma, GFP_KERNEL);
	admin->cq = dmam_alloc_coherent(dev, PAGE_ALIGN(sizeof(*admin->cq) << admin->order),
					&admin->cq_dma, GFP_KERNEL);
	return admin->sq && admin->cq ? 0 : -ENOMEM;
}

/* The device is held in reset or disabled: nobody else looks at the rings. */
int nca_admin_start(struct nca_device *ndev)
{
	struct nca_admin *admin = &ndev->admin;

	spin_lock_irq(&admin->lock);
	memset(admin->sq, 0, sizeof(*admin->sq) << admin->order);
	memset(admin->cq, 0, sizeof(*admin->cq) << admin->order);
	admin->sq_tail = 0;
	admin->cq_head = 0;
	admin->running = true;
	spin_unlock_irq(&admin->lock);

	nca_write64(ndev, NCA_REG_ASQ_BASE, admin->sq_dma);
	nca_write64(ndev, NCA_REG_ACQ_BASE, admin->cq_dma);
	nca_write(ndev, NCA_REG_ADMIN_ORDER, admin->order);
	return 0;
}

/**
 * nca_admin_stop() - answer everything outstanding with an error
 * @ndev: device
 *
 * The caller has made sure that the device does no more DMA.
 */
void nca_admin_stop(struct nca_device *ndev)
{
	struct nca_admin *admin = &ndev->admin;
	unsigned long flags;
	unsigned int i;

	spin_lock_irqsave(&admin->lock, flags);
	admin->running = false;
	for (i = 0; i < NCA_ADMIN_SLOTS; i++) {
		struct nca_admin_slot *slot = &admin->slots[i];

		if (!slot->pending)
			continue;
		slot->pending = false;
		slot->aborted = true;
		complete(&slot->done);
	}
	spin_unlock_irqrestore(&admin->lock, flags);
	wake_up_all(&admin->slot_wq);
}

/**
 * nca_admin_fail() - the device broke its word: cut it off and have it reset
 * @ndev: device
 * @cause: enum nca_lost_cause to report
 *
 * On return the device does no more DMA, so memory it was using may be freed.
 */
void nca_admin_fail(struct nca_device *ndev, u32 cause)
{
	pci_clear_master(ndev->pdev);
	nca_admin_stop(ndev);
	nca_reset_request(ndev, cause);
}

/**
 * nca_admin_poll() - take completions from the ring
 * @ndev: device
 *
 * Called by the interrupt, by the watchdog (an interrupt may get lost) and by
 * a caller whose time is up.
 *
 * Return: number of entries taken.
 */
unsigned int nca_admin_poll(struct nca_device *ndev)
{
	struct nca_admin *admin = &ndev->admin;
	u32 mask = (1u << admin->order) - 1;
	unsigned int seen = 0;
	unsigned long flags;

	spin_lock_irqsave(&admin->lock, flags);
	/* One lap at most: a device that goes on for ever must not hold the CPU. */
	while (admin->running && seen <= mask) {
		struct nca_admin_cpl *entry = &admin->cq[admin->cq_head & mask];
		u16 want = admin->cq_head >> admin->order & 1 ? 0 : 1;
		struct nca_admin_slot *slot;
		struct nca_admin_cpl cpl;

		if ((READ_ONCE(entry->phase) & 1) != want)
			break;
		/* The device wrote the phase last; read it first. */
		dma_rmb();
		cpl = *entry;
		admin->cq_head++;
		seen++;

		slot = &admin->slots[cpl.cid % NCA_ADMIN_SLOTS];
		if (!slot->pending || slot->seq != cpl.cid >> 8 ||
		    cpl.cid % 256 >= NCA_ADMIN_SLOTS) {
			admin->bogus++;
			continue;
		}
		slot->cpl = cpl;
		slot->pending = false;
		admin->completed++;
		complete(&slot->done);
	}
	if (seen)
		nca_write(ndev, NCA_REG_ACQ_HEAD, admin->cq_head);
	spin_unlock_irqrestore(&admin->lock, flags);
	return seen;
}

static struct nca_admin_slot *nca_admin_try_get(struct nca_admin *admin)
{
	struct nca_admin_slot *slot = NULL;
	unsigned int i;

	spin_lock_irq(&admin->lock);
	for (i = 0; i < 1u << admin->order; i++) {
		if (admin->slots[i].busy)
			continue;
		slot = &admin->slots[i];
		slot->busy = true;
		slot->aborted = false;
		slot->seq++;
		reinit_completion(&slot->done);
		break;
	}
	spin_unlock_irq(&admin->lock);
	return slot;
}

static void nca_admin_put(struct nca_admin *admin, struct nca_admin_slot *slot)
{
	spin_lock_irq(&admin->lock);
	slot->busy = false;
	spin_unlock_irq(&admin->lock);
	wake_up(&admin->slot_wq);
}

static int nca_admin_submit(struct nca_device *ndev, struct nca_admin_slot *slot,
			    struct nca_admin_cmd *cmd)
{
	struct nca_admin *admin = &ndev->admin;
	u32 mask = (1u << admin->order) - 1;

	spin_lock_irq(&admin->lock);
	if (!admin->running) {
		spin_unlock_irq(&admin->lock);
		return nca_state(ndev) == NCA_DEV_GONE ? -ENODEV : -EIO;
	}
	cmd->cid = slot->seq << 8 | (u16)(slot - admin->slots);
	slot->opcode = cmd->opcode;
	slot->pending = true;
	admin->sq[admin->sq_tail++ & mask] = *cmd;
	admin->submitted++;
	/* writel() orders the entry before the tail. */
	nca_write(ndev, NCA_REG_ASQ_TAIL, admin->sq_tail);
	spin_unlock_irq(&admin->lock);
	return 0;
}

static int nca_admin_errno(u16 status)
{
	switch (status) {
	case NCA_ADMIN_OK:
		return 0;
	case NCA_ADMIN_BAD_ID:
		return -ENOENT;
	case NCA_ADMIN_ID_IN_USE:
		return -EEXIST;
	case NCA_ADMIN_NO_CAPACITY:
		return -ENOSPC;
	case NCA_ADMIN_BUSY:
		return -EBUSY;
	case NCA_ADMIN_UNSUPPORTED:
	case NCA_ADMIN_BAD_OPCODE:
		return -EOPNOTSUPP;
	case NCA_ADMIN_BAD_FIELD:
	case NCA_ADMIN_BAD_ADDRESS:
		return -EINVAL;
	default:
		return -EPROTO;
	}
}

/**
 * nca_admin_exec() - have one command carried out
 * @ndev: device
 * @cmd: command; the cid is filled in
 * @cpl: the device's answer, or NULL
 *
 * Sleeps, uninterruptibly and not longer than the device's own limit.
 *
 * Return: 0, or a negative errno. -ENODEV and -EIO mean that there was no
 * answer and there will be none: the device has been cut off from the bus. All
 * others are the device's status, with @cpl filled in.
 */
int nca_admin_exec(struct nca_device *ndev, struct nca_admin_cmd *cmd,
		   struct nca_admin_cpl *cpl)
{
	unsigned long timeout = msecs_to_jiffies(ndev->timeout_ms + NCA_ADMIN_SLACK_MS);
	struct nca_admin *admin = &ndev->admin;
	struct nca_admin_slot *slot = NULL;
	int ret;

	might_sleep();
	if (cpl)
		memset(cpl, 0, sizeof(*cpl));

	/* Every owner gives its slot back in bounded time, so this ends. */
	wait_event(admin->slot_wq, (slot = nca_admin_try_get(admin)));

	trace_nca_admin_submit(ndev, cmd);
	ret = nca_admin_submit(ndev, slot, cmd);
	if (ret)
		goto out;

	if (!wait_for_completion_timeout(&slot->done, timeout)) {
		nca_admin_poll(ndev);
		if (!try_wait_for_completion(&slot->done)) {
			drm_err(&ndev->drm,
				"admin command %#x (context %u) is not answered in %u ms\n",
				cmd->opcode, cmd->ctx, ndev->timeout_ms);
			spin_lock_irq(&admin->lock);
			admin->timeouts++;
			spin_unlock_irq(&admin->lock);
			nca_admin_fail(ndev, NCA_CAUSE_WATCHDOG);
			/* nca_admin_stop() completed it, if the device did not just now. */
			wait_for_completion(&slot->done);
		}
	}

	if (slot->aborted) {
		ret = nca_state(ndev) == NCA_DEV_GONE ? -ENODEV : -EIO;
		goto out;
	}
	if (cpl)
		*cpl = slot->cpl;
	ret = nca_admin_errno(slot->cpl.status);
	if (slot->cpl.status == NCA_ADMIN_BAD_FIELD)
		drm_dbg(&ndev->drm, "admin command %#x: bad field at offset %u\n",
			cmd->opcode, slot->cpl.detail);
	trace_nca_admin_complete(ndev, cmd, &slot->cpl);
out:
	nca_admin_put(admin, slot);
	return ret;
}
