// SPDX-License-Identifier: GPL-2.0-only
/*
 * BARs, capability registers, reset and start of the function.
 *
 * Nothing the device says is taken on trust: every capability is clamped to
 * what this driver and the BARs can hold, and a function whose registers make
 * no sense is refused.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/ktime.h>

#include <drm/drm_print.h>

#include "nca_event.h"
#include "nca_hw.h"
#include "nca_user.h"

#define NCA_MAX_QUEUES		32768u
#define NCA_MAX_CONTEXTS	4096u
#define NCA_MAX_TIMEOUT_MS	30000u

int nca_hw_map(struct nca_device *ndev)
{
	struct pci_dev *pdev = ndev->pdev;
	int ret;

	ndev->regs = pcim_iomap_region(pdev, NCA_BAR_REGS, NCA_DRIVER_NAME);
	if (IS_ERR(ndev->regs))
		return dev_err_probe(&pdev->dev, PTR_ERR(ndev->regs),
				     "cannot map the registers (BAR0)\n");
	if (pci_resource_len(pdev, NCA_BAR_REGS) < NCA_BAR_REGS_SIZE) {
		dev_err(&pdev->dev, "BAR0 has %llu bytes, %u are needed\n",
			(u64)pci_resource_len(pdev, NCA_BAR_REGS), NCA_BAR_REGS_SIZE);
		return -ENODEV;
	}

	ndev->db = pcim_iomap_region(pdev, NCA_BAR_DOORBELL, NCA_DRIVER_NAME);
	if (IS_ERR(ndev->db))
		return dev_err_probe(&pdev->dev, PTR_ERR(ndev->db),
				     "cannot map the doorbells (BAR2)\n");
	ndev->db_phys = pci_resource_start(pdev, NCA_BAR_DOORBELL);

	ret = pcim_request_region(pdev, NCA_BAR_DEVMEM, NCA_DRIVER_NAME);
	if (ret)
		return dev_err_probe(&pdev->dev, ret,
				     "cannot claim the device memory window (BAR4)\n");
	ndev->devmem_phys = pci_resource_start(pdev, NCA_BAR_DEVMEM);

	/* Without this, user mappings of the window would be uncached. */
	return devm_arch_io_reserve_memtype_wc(&pdev->dev, ndev->devmem_phys,
					       pci_resource_len(pdev, NCA_BAR_DEVMEM));
}

int nca_hw_probe_caps(struct nca_device *ndev)
{
	struct device *dev = &ndev->pdev->dev;
	u64 bar2 = pci_resource_len(ndev->pdev, NCA_BAR_DOORBELL);
	u64 last_base, devmem;
	u32 magic, version, n;

	magic = nca_read(ndev, NCA_REG_MAGIC);
	if (magic != NCA_MAGIC) {
		dev_err(dev, "register MAGIC is %#x, not %#x: no such device here\n",
			magic, NCA_MAGIC);
		return -ENODEV;
	}
	version = nca_read(ndev, NCA_REG_VERSION);
	if (version >> 16 != NCA_VERSION_MAJOR) {
		dev_err(dev, "hardware interface %u.%u is not supported, only %u.x\n",
			version >> 16, version & 0xffff, NCA_VERSION_MAJOR);
		return -ENODEV;
	}
	ndev->info.version = version;

	ndev->timeout_ms = clamp(nca_read(ndev, NCA_REG_CAP_TIMEOUT_MS), 100u,
				 NCA_MAX_TIMEOUT_MS);
	ndev->num_contexts = min(nca_read(ndev, NCA_REG_CAP_CONTEXTS), NCA_MAX_CONTEXTS);
	n = min(nca_read(ndev, NCA_REG_CAP_QUEUES), NCA_MAX_QUEUES);

	/* A doorbell page must be a page of the host, or two owners would share one. */
	ndev->db_offset = nca_read(ndev, NCA_REG_DB_OFFSET);
	ndev->kick_offset = nca_read(ndev, NCA_REG_KICK_OFFSET);
	ndev->db_stride = nca_read(ndev, NCA_REG_DB_STRIDE);
	if (!IS_ALIGNED(ndev->db_offset, PAGE_SIZE) ||
	    !IS_ALIGNED(ndev->kick_offset, PAGE_SIZE) ||
	    !IS_ALIGNED(ndev->db_stride, PAGE_SIZE) || !ndev->db_stride) {
		dev_err(dev, "doorbells at %#x, kicks at %#x, stride %#x are not aligned to pages\n",
			ndev->db_offset, ndev->kick_offset, ndev->db_stride);
		return -ENODEV;
	}
	last_base = max(ndev->db_offset, ndev->kick_offset);
	if (last_base + PAGE_SIZE > bar2)
		n = 0;
	else
		n = min_t(u64, n, (bar2 - last_base - PAGE_SIZE) / ndev->db_stride + 1);

	if (!n || !ndev->num_contexts) {
		dev_err(dev, "device offers %u queues and %u contexts\n", n, ndev->num_contexts);
		return -ENODEV;
	}
	/* One event slot for each queue and context and one more. */
	ndev->num_queues = min(n, (1u << NCA_EQ_MAX_ORDER) - ndev->num_contexts - 1);

	devmem = nca_read64(ndev, NCA_REG_DEVMEM_SIZE);
	if (devmem > pci_resource_len(ndev->pdev, NCA_BAR_DEVMEM)) {
		dev_warn(dev, "device memory of %llu bytes, window of %llu: using the smaller\n",
			 devmem, (u64)pci_resource_len(ndev->pdev, NCA_BAR_DEVMEM));
		devmem = pci_resource_len(ndev->pdev, NCA_BAR_DEVMEM);
	}
	ndev->devmem.size = ALIGN_DOWN(devmem, PAGE_SIZE);
	return 0;
}

/* Waits for STATUS; a device that has gone is found at once. */
static int nca_hw_wait_status(struct nca_device *ndev, u32 mask, u32 want)
{
	ktime_t end = ktime_add_ms(ktime_get(), ndev->timeout_ms);
	bool last = false;
	u32 status;

	for (;;) {
		status = nca_read(ndev, NCA_REG_STATUS);
		if (status == U32_MAX && !nca_hw_present(ndev))
			return -ENODEV;
		if ((status & mask) == want)
			return 0;
		if (last)
			return -ETIMEDOUT;
		/* Having been scheduled away is no reason to give up: look once more. */
		last = ktime_after(ktime_get(), end);
		usleep_range(500, 1000);
	}
}

/*
 * Leaves bus mastering off. Afterwards the device knows no context, queue,
 * mapping or ring, and does no DMA.
 */
int nca_hw_reset(struct nca_device *ndev)
{
	int ret;

	pci_clear_master(ndev->pdev);
	nca_write(ndev, NCA_REG_CTRL, 0);
	nca_write(ndev, NCA_REG_RESET, NCA_RESET_MAGIC);
	ret = nca_hw_wait_status(ndev, NCA_STATUS_RESETTING | NCA_STATUS_FATAL, 0);
	if (ret)
		drm_err(&ndev->drm, "device does not come out of reset (STATUS %#x, cause %#x)\n",
			nca_read(ndev, NCA_REG_STATUS), nca_read(ndev, NCA_REG_FATAL_CAUSE));
	return ret;
}

/* After nca_hw_reset(): admin queue and event queues, from the first slot on. */
int nca_hw_start(struct nca_device *ndev)
{
	int ret;

	pci_set_master(ndev->pdev);
	ret = nca_admin_start(ndev);
	if (ret)
		goto err_master;
	nca_write(ndev, NCA_REG_CTRL, NCA_CTRL_ENABLE);
	ret = nca_hw_wait_status(ndev, NCA_STATUS_READY, NCA_STATUS_READY);
	if (ret) {
		drm_err(&ndev->drm, "admin queue does not become ready (STATUS %#x)\n",
			nca_read(ndev, NCA_REG_STATUS));
		goto err_admin;
	}
	ndev->device_gen = nca_read(ndev, NCA_REG_GENERATION);
	ndev->heartbeat = nca_read(ndev, NCA_REG_HEARTBEAT);
	ndev->heartbeat_stalls = 0;
	ndev->heartbeat_time = ktime_get();

	ret = nca_event_start(ndev);
	if (ret)
		goto err_admin;
	return 0;

err_admin:
	nca_admin_stop(ndev);
err_master:
	pci_clear_master(ndev->pdev);
	return ret;
}

int nca_hw_identify(struct nca_device *ndev)
{
	struct nca_admin_cmd cmd = { .opcode = NCA_ADMIN_IDENTIFY };
	struct drm_nca_device_info *info = &ndev->info;
	const struct nca_identify *id = ndev->log_page;
	int ret;

	cmd.identify.addr = ndev->log_dma;
	mutex_lock(&ndev->log_lock);
	ret = nca_admin_exec(ndev, &cmd, NULL);
	if (ret)
		goto out;

	info->target = id->target;
	memcpy(info->target_name, id->target_name, sizeof(info->target_name));
	memcpy(info->serial, id->serial, sizeof(info->serial));
	memcpy(info->firmware, id->firmware, sizeof(info->firmware));
	info->target_name[sizeof(info->target_name) - 1] = '\0';
	info->serial[sizeof(info->serial) - 1] = '\0';
	info->firmware[sizeof(info->firmware) - 1] = '\0';
	info->features = id->features;
	info->cores = id->cores;
	info->slices = id->slices;
	info->max_contexts = ndev->num_contexts;
	info->max_queues = ndev->num_queues;
	info->max_queue_order = min_t(u32, READ_ONCE(id->max_queue_order), NCA_QUEUE_MAX_ORDER);
	info->quantum_us = id->quantum_us;
	info->devmem_size = ndev->devmem.size;
	info->devmem_bw = id->devmem_bw;
	info->va_start = max_t(u64, READ_ONCE(id->va_user_start), NCA_VA_USER_START);
	info->va_end = min_t(u64, READ_ONCE(id->va_user_end), NCA_VA_USER_END);
	info->tick_hz = id->tick_hz;
	info->pci_link_bw = id->pci_link_bw;
	info->simulated = id->simulated;

	if (!info->cores || info->cores > 32 || !info->slices || info->slices > 64 ||
	    info->max_queue_order < 3 || info->va_start >= info->va_end ||
	    !PAGE_ALIGNED(info->va_start) || !PAGE_ALIGNED(info->va_end)) {
		drm_err(&ndev->drm,
			"identify: %u cores, %u slices, queue order %u, addresses %#llx to %#llx make no sense\n",
			info->cores, info->slices, info->max_queue_order,
			info->va_start, info->va_end);
		ret = -ENODEV;
	}
out:
	mutex_unlock(&ndev->log_lock);
	return ret;
}

/* For good: no DMA and no interrupts from here on. */
void nca_hw_stop(struct nca_device *ndev)
{
	pci_clear_master(ndev->pdev);
	nca_admin_stop(ndev);
	nca_write(ndev, NCA_REG_CTRL, 0);
	nca_write(ndev, NCA_REG_RESET, NCA_RESET_MAGIC);
}
