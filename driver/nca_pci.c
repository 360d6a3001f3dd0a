// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI function: probe, remove, error recovery, sleep.
 *
 * Managed resources go in the reverse order of their making once remove() has
 * returned: interrupts, then rings, then the register mapping, then the
 * workqueue, then the device's own reference to the drm_device. What runs
 * late (an interrupt, a queued work item) therefore never meets freed memory;
 * remove() itself sees to it that nothing is left to run.
 */
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include "nca_ctx.h"
#include "nca_debugfs.h"
#include "nca_device.h"
#include "nca_drv.h"
#include "nca_event.h"
#include "nca_hw.h"
#include "nca_query.h"
#include "nca_queue.h"
#include "nca_reset.h"
#include "nca_sysfs.h"

static_assert(PAGE_SIZE == NCA_DB_PAGE_SIZE, "a doorbell page is a page of the host");

static void nca_destroy_wq(void *data)
{
	destroy_workqueue(data);
}

static void nca_destroy_ids(struct drm_device *drm, void *data)
{
	ida_destroy(data);
}

static int nca_init_software(struct nca_device *ndev)
{
	struct device *dev = &ndev->pdev->dev;
	int ret;

	init_rwsem(&ndev->reset_lock);
	spin_lock_init(&ndev->state_lock);
	init_waitqueue_head(&ndev->state_wq);
	spin_lock_init(&ndev->evt_lock);
	INIT_WORK(&ndev->reset_work, nca_reset_work);
	INIT_DELAYED_WORK(&ndev->watchdog, nca_watchdog_work);
	INIT_LIST_HEAD(&ndev->contexts);
	INIT_LIST_HEAD(&ndev->users);
	init_waitqueue_head(&ndev->reclaim_wq);
	ida_init(&ndev->queue_ids);
	ret = drmm_add_action_or_reset(&ndev->drm, nca_destroy_ids, &ndev->queue_ids);
	if (ret)
		return ret;
	ret = drmm_mutex_init(&ndev->drm, &ndev->ctx_lock);
	if (ret)
		return ret;
	ret = drmm_mutex_init(&ndev->drm, &ndev->user_lock);
	if (ret)
		return ret;
	ret = drmm_mutex_init(&ndev->drm, &ndev->log_lock);
	if (ret)
		return ret;

	ndev->wq = alloc_workqueue("nca-%s", WQ_UNBOUND | WQ_MEM_RECLAIM, 0, pci_name(ndev->pdev));
	if (!ndev->wq)
		return -ENOMEM;
	return devm_add_action_or_reset(dev, nca_destroy_wq, ndev->wq);
}

/* After the capabilities are known. */
static int nca_init_tables(struct nca_device *ndev)
{
	struct device *dev = &ndev->pdev->dev;

	ndev->ctx_tbl = drmm_kcalloc(&ndev->drm, ndev->num_contexts + 1,
				     sizeof(*ndev->ctx_tbl), GFP_KERNEL);
	ndev->queue_tbl = drmm_kcalloc(&ndev->drm, ndev->num_queues,
				       sizeof(*ndev->queue_tbl), GFP_KERNEL);
	ndev->log_page = dmam_alloc_coherent(dev, NCA_LOG_PAGE_SIZE, &ndev->log_dma, GFP_KERNEL);
	if (!ndev->ctx_tbl || !ndev->queue_tbl || !ndev->log_page)
		return -ENOMEM;
	return 0;
}

static int nca_pci_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct device *dev = &pdev->dev;
	struct nca_device *ndev;
	int ret;

	ndev = devm_drm_dev_alloc(dev, &nca_drm_driver, struct nca_device, drm);
	if (IS_ERR(ndev))
		return PTR_ERR(ndev);
	ndev->pdev = pdev;
	pci_set_drvdata(pdev, ndev);

	ret = nca_init_software(ndev);
	if (ret)
		return ret;
	ret = pcim_enable_device(pdev);
	if (ret)
		return dev_err_probe(dev, ret, "cannot enable the function\n");
	ret = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(64));
	if (ret)
		return dev_err_probe(dev, ret, "no 64-bit DMA\n");
	dma_set_max_seg_size(dev, UINT_MAX);

	ret = nca_hw_map(ndev);
	if (ret)
		return ret;
	ret = nca_hw_probe_caps(ndev);
	if (ret)
		return ret;
	/* Whatever an earlier owner left running stops here. */
	ret = nca_hw_reset(ndev);
	if (ret)
		return ret;

	ret = nca_init_tables(ndev);
	if (ret)
		return ret;
	ret = nca_devmem_init(ndev);
	if (ret)
		return ret;
	ret = nca_admin_init(ndev);
	if (ret)
		return ret;
	ret = nca_event_init(ndev);
	if (ret)
		return ret;
	ret = nca_hw_start(ndev);
	if (ret)
		goto err_quiet;
	ret = nca_hw_identify(ndev);
	if (ret)
		goto err_stop;

	nca_debugfs_init(ndev);
	ret = drm_dev_register(&ndev->drm, 0);
	if (ret)
		goto err_stop;
	nca_watchdog_arm(ndev);

	drm_info(&ndev->drm, "%s, firmware %s: %u cores, %llu MiB, %u contexts, %u queues, %u vectors\n",
		 ndev->info.target_name, ndev->info.firmware, ndev->info.cores,
		 ndev->devmem.size >> 20, ndev->num_contexts, ndev->num_queues,
		 ndev->num_eqs + 1);
	return 0;

err_stop:
	nca_hw_stop(ndev);
err_quiet:
	/* A command that timed out has asked for a reset. */
	nca_event_stop(ndev);
	disable_delayed_work_sync(&ndev->watchdog);
	disable_work_sync(&ndev->reset_work);
	return ret;
}

/*
 * Unbinding, rmmod, hot-unplug, with or without a device behind the registers
 * and with or without open files.
 */
static void nca_pci_remove(struct pci_dev *pdev)
{
	struct nca_device *ndev = pci_get_drvdata(pdev);

	disable_delayed_work_sync(&ndev->watchdog);
	disable_work_sync(&ndev->reset_work);
	if (!nca_hw_present(ndev))
		nca_reset_gone(ndev);

	/* From here on nca_enter() fails, so nothing is added. */
	down_write(&ndev->reset_lock);
	ndev->removed = true;
	up_write(&ndev->reset_lock);
	/*
	 * Callers get ENODEV, also those who wait for the end of a reset that
	 * was cut short. The admin queue goes on for the teardown.
	 */
	nca_reset_mark_gone(ndev);

	nca_ctx_lose_all(ndev, NCA_CTX_DEVICE_GONE, NCA_CAUSE_UNPLUG);
	nca_teardown_all(ndev);
	nca_devmem_revoke(ndev);

	/* Zaps what is mapped; later faults find the device gone. */
	drm_dev_unplug(&ndev->drm);

	nca_event_stop(ndev);
	nca_hw_stop(ndev);
}

static void nca_pci_shutdown(struct pci_dev *pdev)
{
	struct nca_device *ndev = pci_get_drvdata(pdev);

	disable_delayed_work_sync(&ndev->watchdog);
	disable_work_sync(&ndev->reset_work);
	/* Whoever still runs gets errors; the next kernel gets a quiet device. */
	nca_reset_quiesce(ndev, NCA_CAUSE_UNPLUG);
	nca_reset_mark_gone(ndev);
	nca_hw_stop(ndev);
	up_write(&ndev->reset_lock);
}

static void nca_pci_pause(struct nca_device *ndev, u32 cause)
{
	disable_delayed_work_sync(&ndev->watchdog);
	disable_work_sync(&ndev->reset_work);
	nca_reset_begin(ndev);
	nca_reset_quiesce(ndev, cause);
	up_write(&ndev->reset_lock);
}

static int nca_pci_continue(struct nca_device *ndev)
{
	int ret = -ENODEV;

	if (nca_hw_present(ndev)) {
		down_write(&ndev->reset_lock);
		ret = nca_reset_restart(ndev);
	} else {
		nca_reset_gone(ndev);
	}
	enable_work(&ndev->reset_work);
	enable_delayed_work(&ndev->watchdog);
	nca_watchdog_arm(ndev);
	return ret;
}

static pci_ers_result_t nca_pci_error_detected(struct pci_dev *pdev, pci_channel_state_t state)
{
	struct nca_device *ndev = pci_get_drvdata(pdev);

	switch (state) {
	case pci_channel_io_normal:
		return PCI_ERS_RESULT_CAN_RECOVER;
	case pci_channel_io_frozen:
		nca_pci_pause(ndev, NCA_CAUSE_RESET);
		return PCI_ERS_RESULT_NEED_RESET;
	default:
		nca_reset_gone(ndev);
		return PCI_ERS_RESULT_DISCONNECT;
	}
}

static pci_ers_result_t nca_pci_slot_reset(struct pci_dev *pdev)
{
	struct nca_device *ndev = pci_get_drvdata(pdev);

	pci_restore_state(pdev);
	pci_save_state(pdev);
	return nca_pci_continue(ndev) ? PCI_ERS_RESULT_DISCONNECT : PCI_ERS_RESULT_RECOVERED;
}

/* Around a function-level reset asked for through sysfs. */
static void nca_pci_reset_prepare(struct pci_dev *pdev)
{
	nca_pci_pause(pci_get_drvdata(pdev), NCA_CAUSE_RESET);
}

static void nca_pci_reset_done(struct pci_dev *pdev)
{
	nca_pci_continue(pci_get_drvdata(pdev));
}

static const struct pci_error_handlers nca_pci_err_handler = {
	.error_detected = nca_pci_error_detected,
	.slot_reset = nca_pci_slot_reset,
	.reset_prepare = nca_pci_reset_prepare,
	.reset_done = nca_pci_reset_done,
};

/* What is on the device does not survive sleep: contexts learn of a reset. */
static int nca_pci_suspend(struct device *dev)
{
	struct nca_device *ndev = dev_get_drvdata(dev);

	nca_pci_pause(ndev, NCA_CAUSE_RESET);
	nca_hw_stop(ndev);
	return 0;
}

static int nca_pci_resume(struct device *dev)
{
	return nca_pci_continue(dev_get_drvdata(dev));
}

static DEFINE_SIMPLE_DEV_PM_OPS(nca_pm_ops, nca_pci_suspend, nca_pci_resume);

static const struct pci_device_id nca_pci_ids[] = {
	{ PCI_DEVICE(NCA_PCI_VENDOR_ID, NCA_PCI_DEVICE_ID_NCA1) },
	{ PCI_DEVICE(NCA_PCI_VENDOR_ID, NCA_PCI_DEVICE_ID_NCA2) },
	{ }
};
MODULE_DEVICE_TABLE(pci, nca_pci_ids);

struct pci_driver nca_pci_driver = {
	.name = NCA_DRIVER_NAME,
	.id_table = nca_pci_ids,
	.probe = nca_pci_probe,
	.remove = nca_pci_remove,
	.shutdown = nca_pci_shutdown,
	.err_handler = &nca_pci_err_handler,
	.dev_groups = nca_sysfs_groups,
	.driver.pm = pm_sleep_ptr(&nca_pm_ops),
};
