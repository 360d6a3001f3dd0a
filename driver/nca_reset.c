// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device reset, heartbeat watchdog, and the end of a device.
 *
 * A reset is asked for from anywhere, interrupts included, and carried out by
 * one work item:
 *
 *   bus mastering goes off, the admin queue fails: callers get errors and let
 *     go of reset_lock, so that the writer is not kept waiting
 *   every context learns DEVICE_RESET from its status page; doorbells are
 *     revoked; waiters wake
 *   the register is written; when the device comes back, rings are set up
 *     from their first slot
 *
 * A device that does not come back is wedged: bus mastering stays off, all
 * calls answer EIO, a device reset may be tried again. One whose registers
 * read as all-ones has gone: calls answer ENODEV and only removal is left.
 */
#include <linux/kobject.h>
#include <linux/module.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_print.h>

#include "nca_ctx.h"
#include "nca_device.h"
#include "nca_event.h"
#include "nca_hw.h"
#include "nca_queue.h"
#include "nca_reset.h"
#include "nca_trace.h"

static unsigned int nca_heartbeat_ms = 600;
module_param_named(heartbeat_ms, nca_heartbeat_ms, uint, 0644);
MODULE_PARM_DESC(heartbeat_ms,
		 "Reset the device when its heartbeat stands still for so long (default 600, 0: never)");

#define NCA_WATCHDOG_MS		100

/**
 * nca_enter() - begin something that needs the device
 * @ndev: device
 * @idx: for nca_exit()
 *
 * Until nca_exit() the driver stays bound and no reset takes place. A caller
 * may sleep, but only for a bounded time. A reset under way is waited for.
 *
 * Return: 0, -ENODEV when the device is gone, -EIO when it is wedged,
 * -ERESTARTSYS when a signal came during a reset.
 */
int nca_enter(struct nca_device *ndev, int *idx)
{
	int ret;

	for (;;) {
		if (!drm_dev_enter(&ndev->drm, idx))
			return -ENODEV;
		down_read(&ndev->reset_lock);
		ret = ndev->removed ? -ENODEV : nca_state_error(ndev);
		if (!ret)
			return 0;
		nca_exit(ndev, *idx);
		if (nca_state(ndev) != NCA_DEV_RESETTING)
			return ret;
		/* Outside of everything the reset, or removal, may wait for. */
		ret = wait_event_interruptible(ndev->state_wq,
					       nca_state(ndev) != NCA_DEV_RESETTING);
		if (ret)
			return ret;
	}
}

void nca_exit(struct nca_device *ndev, int idx)
{
	up_read(&ndev->reset_lock);
	drm_dev_exit(idx);
}

/* GONE is for good. */
static bool nca_set_state(struct nca_device *ndev, enum nca_dev_state state)
{
	unsigned long flags;
	bool ok;

	spin_lock_irqsave(&ndev->state_lock, flags);
	ok = ndev->state != NCA_DEV_GONE;
	if (ok)
		WRITE_ONCE(ndev->state, state);
	spin_unlock_irqrestore(&ndev->state_lock, flags);
	if (ok)
		trace_nca_device_state(ndev, state);
	wake_up_all(&ndev->state_wq);
	return ok;
}

/* As DRM's own helper does it, which is not there on all kernels we build for. */
static void nca_wedged_event(struct nca_device *ndev, const char *method)
{
	struct drm_minor *minor = ndev->drm.accel;
	char event[48];
	char *envp[2] = {};

	if (!minor || !minor->kdev)
		return;
	snprintf(event, sizeof(event), "WEDGED=%s", method);
	envp[0] = event;
	kobject_uevent_env(&minor->kdev->kobj, KOBJ_CHANGE, envp);
}

void nca_reset_request(struct nca_device *ndev, u32 cause)
{
	/* The first cause is the one to report. */
	cmpxchg(&ndev->reset_cause, 0, cause);
	queue_work(ndev->wq, &ndev->reset_work);
}

/* With reset_lock held for writing nobody else changes what the device knows. */
static void nca_reset_forget(struct nca_device *ndev)
{
	struct nca_queue *queue;
	struct nca_ctx *ctx;

	mutex_lock(&ndev->ctx_lock);
	list_for_each_entry(ctx, &ndev->contexts, node) {
		WRITE_ONCE(ctx->hw_live, false);
		list_for_each_entry(queue, &ctx->queues, node) {
			queue->hw_live = false;
			queue->hw_mapped = false;
		}
	}
	mutex_unlock(&ndev->ctx_lock);

	/* Ids start over with the device. */
	spin_lock_irq(&ndev->evt_lock);
	memset(ndev->ctx_tbl, 0, (ndev->num_contexts + 1) * sizeof(*ndev->ctx_tbl));
	spin_unlock_irq(&ndev->evt_lock);
}

/**
 * nca_reset_quiesce() - take everybody off the device
 * @ndev: device
 * @cause: enum nca_lost_cause for the status pages
 *
 * Returns with reset_lock held for writing, to be followed by
 * nca_reset_restart() or up_write().
 */
void nca_reset_quiesce(struct nca_device *ndev, u32 cause)
{
	pci_clear_master(ndev->pdev);
	/*
	 * Status pages and waiters first: they must not wait for the lock, and whose command
	 * ends with EIO must find the context lost.
	 */
	nca_ctx_lose_all(ndev, NCA_CTX_DEVICE_RESET, cause);
	nca_admin_stop(ndev);
	down_write(&ndev->reset_lock);
	nca_event_stop(ndev);
	/* Once more, for contexts that were being made. */
	nca_ctx_lose_all(ndev, NCA_CTX_DEVICE_RESET, cause);
	nca_queue_revoke_all(ndev);
	nca_reset_forget(ndev);
}

/**
 * nca_reset_restart() - bring the device back after nca_reset_quiesce()
 * @ndev: device
 *
 * Releases reset_lock.
 */
int nca_reset_restart(struct nca_device *ndev)
{
	int ret;

	ret = nca_hw_reset(ndev);
	if (!ret)
		ret = nca_hw_start(ndev);
	if (ret) {
		pci_clear_master(ndev->pdev);
		nca_admin_stop(ndev);
		nca_set_state(ndev, NCA_DEV_WEDGED);
		nca_devmem_revoke(ndev);
	} else {
		atomic_inc(&ndev->resets);
		mutex_lock(&ndev->devmem.map_lock);
		ndev->devmem.revoked = false;
		mutex_unlock(&ndev->devmem.map_lock);
		nca_set_state(ndev, NCA_DEV_WORKING);
	}
	up_write(&ndev->reset_lock);

	if (ret == -ENODEV) {
		nca_reset_gone(ndev);
	} else if (ret) {
		drm_err(&ndev->drm, "device is wedged; unbind and bind the driver, or reset the slot\n");
		nca_wedged_event(ndev, "rebind,bus-reset");
	}
	return ret;
}

/* For who quiesces without the work item: callers get EIO until the restart. */
void nca_reset_begin(struct nca_device *ndev)
{
	nca_set_state(ndev, NCA_DEV_RESETTING);
}

void nca_reset_mark_gone(struct nca_device *ndev)
{
	nca_set_state(ndev, NCA_DEV_GONE);
}

/* All-ones: no register will ever answer again. */
void nca_reset_gone(struct nca_device *ndev)
{
	if (nca_set_state(ndev, NCA_DEV_GONE))
		drm_err(&ndev->drm, "device has gone\n");

	pci_clear_master(ndev->pdev);
	nca_admin_stop(ndev);
	nca_event_stop(ndev);
	nca_ctx_lose_all(ndev, NCA_CTX_DEVICE_GONE, NCA_CAUSE_UNPLUG);
	nca_queue_revoke_all(ndev);
	nca_devmem_revoke(ndev);

	/* Whoever was in the middle of making a context has finished by then. */
	down_write(&ndev->reset_lock);
	nca_ctx_lose_all(ndev, NCA_CTX_DEVICE_GONE, NCA_CAUSE_UNPLUG);
	nca_queue_revoke_all(ndev);
	nca_reset_forget(ndev);
	up_write(&ndev->reset_lock);
}

void nca_reset_work(struct work_struct *work)
{
	struct nca_device *ndev = container_of(work, struct nca_device, reset_work);
	u32 cause = xchg(&ndev->reset_cause, 0);
	int idx;

	if (!drm_dev_enter(&ndev->drm, &idx))
		return;
	if (nca_hw_present(ndev) && nca_set_state(ndev, NCA_DEV_RESETTING)) {
		if (cause == NCA_CAUSE_RESET)
			drm_notice(&ndev->drm, "resetting the device on request\n");
		else
			drm_warn(&ndev->drm,
				 "resetting the device (cause %u); all contexts are lost\n", cause);
		/* Nothing else is known to be quiet yet, but registers can be read. */
		nca_coredump(ndev, cause);
		nca_reset_quiesce(ndev, cause);
		if (!nca_reset_restart(ndev) && cause != NCA_CAUSE_RESET)
			nca_wedged_event(ndev, "none");
	} else {
		nca_reset_gone(ndev);
	}
	drm_dev_exit(idx);
}

int nca_ioctl_device_reset(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct drm_nca_device_reset *args = data;
	struct nca_device *ndev = to_nca(drm);

	if (args->flags || args->pad)
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (nca_state(ndev) == NCA_DEV_GONE)
		return -ENODEV;
	nca_reset_request(ndev, NCA_CAUSE_RESET);
	flush_work(&ndev->reset_work);
	return nca_state_error(ndev);
}

static void nca_watchdog_check(struct nca_device *ndev)
{
	unsigned int limit = READ_ONCE(nca_heartbeat_ms);
	u32 status, generation, heartbeat;
	s64 stood;

	if (nca_state(ndev) != NCA_DEV_WORKING)
		return;

	/* An interrupt may have got lost. */
	nca_admin_poll(ndev);
	nca_event_poll_all(ndev);

	status = nca_read(ndev, NCA_REG_STATUS);
	generation = nca_read(ndev, NCA_REG_GENERATION);
	heartbeat = nca_read(ndev, NCA_REG_HEARTBEAT);
	/* It may have gone since the caller looked, and all-ones would pass for any trouble. */
	if (!nca_hw_present(ndev))
		return;
	if (status & NCA_STATUS_FATAL) {
		drm_err(&ndev->drm, "device reports a fatal error, cause %#x\n",
			nca_read(ndev, NCA_REG_FATAL_CAUSE));
		nca_reset_request(ndev, NCA_CAUSE_FATAL);
		return;
	}
	if (generation != ndev->device_gen) {
		drm_err(&ndev->drm, "device was reset behind the driver's back\n");
		nca_reset_request(ndev, NCA_CAUSE_FATAL);
		return;
	}
	if (heartbeat != ndev->heartbeat) {
		ndev->heartbeat = heartbeat;
		ndev->heartbeat_stalls = 0;
		ndev->heartbeat_time = ktime_get();
		return;
	}
	/* Seen several times: one look may come late when this CPU was busy. */
	stood = ktime_ms_delta(ktime_get(), ndev->heartbeat_time);
	if (limit && ++ndev->heartbeat_stalls >= 4 && stood >= limit) {
		drm_err(&ndev->drm, "heartbeat has stood at %u for %lld ms\n", heartbeat, stood);
		ndev->heartbeat_stalls = 0;
		nca_reset_request(ndev, NCA_CAUSE_WATCHDOG);
	}
}

void nca_watchdog_work(struct work_struct *work)
{
	struct nca_device *ndev = container_of(to_delayed_work(work), struct nca_device, watchdog);
	int idx;

	if (!drm_dev_enter(&ndev->drm, &idx))
		return;
	/* During a reset the registers are the reset's. */
	if (down_read_trylock(&ndev->reset_lock)) {
		bool gone = !nca_hw_present(ndev);

		if (!gone)
			nca_watchdog_check(ndev);
		up_read(&ndev->reset_lock);
		if (gone)
			nca_reset_gone(ndev);
	}
	drm_dev_exit(idx);
	if (nca_state(ndev) != NCA_DEV_GONE)
		nca_watchdog_arm(ndev);
}

void nca_watchdog_arm(struct nca_device *ndev)
{
	queue_delayed_work(ndev->wq, &ndev->watchdog, msecs_to_jiffies(NCA_WATCHDOG_MS));
}

/* Interrupt context. */
void nca_watchdog_now(struct nca_device *ndev)
{
	mod_delayed_work(ndev->wq, &ndev->watchdog, 0);
}
