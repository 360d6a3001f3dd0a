/* SPDX-License-Identifier: MIT */
#include "device.h"

#include <errno.h>
#include <linux/vfio.h>
#include <nca/regs.h>
#include <stdlib.h>
#include <string.h>

static uint64_t power_of_two(uint64_t v)
{
	uint64_t p = VU_IRQ_MAX_VECTORS;	/* any small power of two will do to start from */

	while (p < v && p < 1ull << 62)
		p <<= 1;
	return p;
}

static void describe(struct vu_device *dev, uint16_t device_id)
{
	struct pci_config_desc desc = {
		.vendor = NCA_PCI_VENDOR_ID,
		.device = device_id,
		.class = NCA_PCI_CLASS,
		.revision = NCA_PCI_REVISION,
		.bar_64_prefetch = 1u << NCA_BAR_DEVMEM,
		.msix_vectors = dev->vectors,
		.msix_bar = NCA_BAR_REGS,
		.msix_table = NCA_MSIX_TABLE_OFFSET,
		.msix_pba = NCA_MSIX_PBA_OFFSET,
	};

	dev->region_size[NCA_BAR_REGS] = NCA_BAR_REGS_SIZE;
	dev->region_size[NCA_BAR_DOORBELL] = power_of_two(2ull * dev->kick_offset);
	dev->region_size[NCA_BAR_DEVMEM] = power_of_two(dev->devmem_len);
	memcpy(desc.bar_size, dev->region_size, sizeof(desc.bar_size));
	dev->region_size[VFIO_PCI_CONFIG_REGION_INDEX] = PCI_CONFIG_SIZE;
	pci_config_init(&dev->cfg, &desc);
}

int device_init(struct vu_device *dev, struct ncasim *sim, struct vu_irqs *irqs,
		const struct vu_device_opts *opts)
{
	int err;

	memset(dev, 0, sizeof(*dev));
	dev->sim = sim;
	dev->irqs = irqs;
	dev->log = (struct vu_log){ opts->log, opts->log_opaque, VU_LOG_BUDGET };
	dev->doorbells = ncasim_doorbells(sim, &dev->doorbells_len, &dev->doorbells_fd);
	dev->devmem = ncasim_devmem(sim, &dev->devmem_len, &dev->devmem_fd);
	dev->kick_offset = ncasim_kick_offset(sim);
	dev->stride = ncasim_reg_read(sim, NCA_REG_DB_STRIDE, 4);
	dev->queues = ncasim_reg_read(sim, NCA_REG_CAP_QUEUES, 4);
	dev->vectors = ncasim_reg_read(sim, NCA_REG_CAP_VECTORS, 4);
	if (!dev->doorbells || !dev->devmem || !dev->stride || !dev->vectors ||
	    dev->vectors > VU_IRQ_MAX_VECTORS || dev->doorbells_len > dev->kick_offset)
		return -EPROTO;
	dev->msix_table = calloc(dev->vectors, 16);
	if (!dev->msix_table)
		return -ENOMEM;
	err = bounded_init(&dev->bounded);
	if (err) {
		free(dev->msix_table);
		return err;
	}
	pthread_mutex_init(&dev->lock, NULL);
	describe(dev, opts->device_id);
	irqs_set_count(irqs, dev->vectors);
	dma_init(&dev->dma, sim, &dev->bounded, &dev->log, opts->unmap_ms);
	/* No client, so nothing may leave the function. */
	ncasim_set_bus_master(sim, false);
	return 0;
}

bool device_fini(struct vu_device *dev)
{
	if (!bounded_fini(&dev->bounded, DEVICE_RESET_MS))
		return false;
	dma_fini(&dev->dma);
	pthread_mutex_destroy(&dev->lock);
	free(dev->msix_table);
	return true;
}

/* ---- calls that wait for engines ------------------------------------------------ */

static int master_job(void *sim, unsigned long long on, unsigned long long unused)
{
	(void)unused;
	ncasim_set_bus_master(sim, on);
	return 0;
}

static int reset_job(void *sim, unsigned long long unused1, unsigned long long unused2)
{
	(void)unused1;
	(void)unused2;
	ncasim_reset(sim);
	return 0;
}

/* On and off go through the same worker, so the device sees them in the client's order. */
static void set_master(struct vu_device *dev, bool on)
{
	if (bounded_call(&dev->bounded, master_job, dev->sim, on, 0, DEVICE_MASTER_MS))
		vu_log(&dev->log, "the device did not stop its DMA within %u ms of losing bus mastering",
		       DEVICE_MASTER_MS);
}

int device_reset(struct vu_device *dev)
{
	int err = 0;

	pthread_mutex_lock(&dev->lock);
	pci_config_reset(&dev->cfg);
	pthread_mutex_unlock(&dev->lock);
	irqs_set_enabled(dev->irqs, false);
	set_master(dev, false);
	/* A function that is gone does not hear a reset; only NCASIM_RETURN brings it back. */
	if (!ncasim_vanished(dev->sim))
		err = bounded_call(&dev->bounded, reset_job, dev->sim, 0, 0, DEVICE_RESET_MS);
	if (err)
		vu_log(&dev->log, "the device did not finish its reset within %u ms",
		       DEVICE_RESET_MS);
	return err;
}

void device_client_gone(struct vu_device *dev)
{
	/*
	 * Bus mastering goes first: work that is still running then stops at the bus, instead of
	 * being counted as accesses to unmapped addresses while the ranges disappear.
	 */
	irqs_release_all(dev->irqs);
	set_master(dev, false);
	dma_unmap_all(&dev->dma);
	device_reset(dev);
	dev->log.budget = VU_LOG_BUDGET;
}

void device_return(struct vu_device *dev)
{
	/* While it is gone the client's config writes are dropped, so this is not undone. */
	pthread_mutex_lock(&dev->lock);
	pci_config_reset(&dev->cfg);
	pthread_mutex_unlock(&dev->lock);
	irqs_set_enabled(dev->irqs, false);
	ncasim_set_bus_master(dev->sim, false);
	ncasim_inject(dev->sim, NCASIM_RETURN);
}

bool device_master(struct vu_device *dev)
{
	bool on;

	pthread_mutex_lock(&dev->lock);
	on = pci_config_master(&dev->cfg);
	pthread_mutex_unlock(&dev->lock);
	return on;
}

/* ---- config space --------------------------------------------------------------- */

static void config_read(struct vu_device *dev, uint32_t offset, void *buf, uint32_t len)
{
	pthread_mutex_lock(&dev->lock);
	pci_config_read(&dev->cfg, offset, buf, len);
	pthread_mutex_unlock(&dev->lock);
}

static void config_write(struct vu_device *dev, uint32_t offset, const void *buf, uint32_t len)
{
	unsigned int events;
	bool master, msix;

	pthread_mutex_lock(&dev->lock);
	events = pci_config_write(&dev->cfg, offset, buf, len);
	master = pci_config_master(&dev->cfg);
	msix = pci_config_msix(&dev->cfg);
	pthread_mutex_unlock(&dev->lock);

	irqs_set_enabled(dev->irqs, msix);
	if (events & PCI_CONFIG_MASTER)
		set_master(dev, master);
	if (events & PCI_CONFIG_FLR)
		device_reset(dev);
}

/* ---- BARs ----------------------------------------------------------------------- */

static bool natural(uint64_t offset, uint32_t len)
{
	return (len == 1 || len == 2 || len == 4 || len == 8) && !(offset & (len - 1));
}

/* Part of a table that is plain memory here? */
static bool in_window(uint64_t offset, uint64_t start, uint64_t len)
{
	return offset >= start && offset - start < len;
}

static int regs_read(struct vu_device *dev, uint64_t offset, void *buf, uint32_t len)
{
	uint64_t v;

	if (!natural(offset, len))
		return -EINVAL;
	if (in_window(offset, NCA_MSIX_TABLE_OFFSET, 16ull * dev->vectors)) {
		memcpy(buf, dev->msix_table + (offset - NCA_MSIX_TABLE_OFFSET), len);
	} else if (offset >= NCA_MSIX_PBA_OFFSET) {
		irqs_read_pba(dev->irqs, offset - NCA_MSIX_PBA_OFFSET, buf, len);
	} else {
		v = ncasim_reg_read(dev->sim, offset, len);
		memcpy(buf, &v, len);
	}
	return 0;
}

static int regs_write(struct vu_device *dev, uint64_t offset, const void *buf, uint32_t len)
{
	uint64_t v = 0;

	if (!natural(offset, len))
		return -EINVAL;
	if (in_window(offset, NCA_MSIX_TABLE_OFFSET, 16ull * dev->vectors)) {
		memcpy(dev->msix_table + (offset - NCA_MSIX_TABLE_OFFSET), buf, len);
	} else if (offset < NCA_MSIX_TABLE_OFFSET) {
		memcpy(&v, buf, len);
		ncasim_reg_write(dev->sim, offset, v, len);
	}
	return 0;
}

/*
 * Doorbell words are polled by the device while a client without a mapping
 * writes them through messages: one access, never byte by byte.
 */
static void copy_words(void *dst, const void *src, uint32_t len, const void *shared)
{
	uint64_t at = (uintptr_t)shared;

	if (len == 8 && natural(at, 8))
		__atomic_store_n((uint64_t *)dst, __atomic_load_n((const uint64_t *)src,
				 __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
	else if (len == 4 && natural(at, 4))
		__atomic_store_n((uint32_t *)dst, __atomic_load_n((const uint32_t *)src,
				 __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
	else
		memcpy(dst, src, len);
}

static int memory_access(uint8_t *base, uint64_t base_len, uint64_t offset, void *in,
			 const void *out, uint32_t len)
{
	uint64_t word;		/* aligned, whatever the message buffer is */

	/* The BAR may be larger than what is behind it, being a power of two. */
	if (offset >= base_len || len > base_len - offset) {
		if (in)
			memset(in, 0, len);
		return 0;
	}
	if (len > sizeof(word)) {
		if (in)
			memcpy(in, base + offset, len);
		else
			memcpy(base + offset, out, len);
	} else if (in) {
		copy_words(&word, base + offset, len, base + offset);
		memcpy(in, &word, len);
	} else {
		memcpy(&word, out, len);
		copy_words(base + offset, &word, len, base + offset);
	}
	return 0;
}

static int doorbell_read(struct vu_device *dev, uint64_t offset, void *buf, uint32_t len)
{
	return memory_access(dev->doorbells, dev->doorbells_len, offset, buf, NULL, len);
}

static int doorbell_write(struct vu_device *dev, uint64_t offset, const void *buf, uint32_t len)
{
	uint64_t kick;

	if (offset < dev->kick_offset)
		return memory_access(dev->doorbells, dev->doorbells_len, offset, NULL, buf, len);
	kick = offset - dev->kick_offset;
	if (len == 4 && kick % dev->stride == NCA_KICK_WORD && kick / dev->stride < dev->queues)
		ncasim_kick(dev->sim, kick / dev->stride);
	return 0;
}

/* A function that is gone, asleep, or told not to answer leaves the bus floating. */
static bool answers(struct vu_device *dev, unsigned int region)
{
	bool memory;

	if (ncasim_vanished(dev->sim))
		return false;
	if (region == VFIO_PCI_CONFIG_REGION_INDEX)
		return true;
	pthread_mutex_lock(&dev->lock);
	memory = pci_config_memory(&dev->cfg);
	pthread_mutex_unlock(&dev->lock);
	return memory;
}

int device_read(struct vu_device *dev, unsigned int region, uint64_t offset, void *buf,
		uint32_t len)
{
	if (!answers(dev, region)) {
		memset(buf, 0xff, len);
		return 0;
	}
	switch (region) {
	case VFIO_PCI_CONFIG_REGION_INDEX:
		config_read(dev, offset, buf, len);
		return 0;
	case NCA_BAR_REGS:
		return regs_read(dev, offset, buf, len);
	case NCA_BAR_DOORBELL:
		return doorbell_read(dev, offset, buf, len);
	case NCA_BAR_DEVMEM:
		return memory_access(dev->devmem, dev->devmem_len, offset, buf, NULL, len);
	}
	return -EINVAL;
}

int device_write(struct vu_device *dev, unsigned int region, uint64_t offset, const void *buf,
		 uint32_t len)
{
	if (!answers(dev, region))
		return 0;
	switch (region) {
	case VFIO_PCI_CONFIG_REGION_INDEX:
		config_write(dev, offset, buf, len);
		return 0;
	case NCA_BAR_REGS:
		return regs_write(dev, offset, buf, len);
	case NCA_BAR_DOORBELL:
		return doorbell_write(dev, offset, buf, len);
	case NCA_BAR_DEVMEM:
		return memory_access(dev->devmem, dev->devmem_len, offset, NULL, buf, len);
	}
	return -EINVAL;
}
