/* SPDX-License-Identifier: MIT */
/*
 * The NCA device as a PCI function: config space, BARs, interrupts, DMA ranges
 * on one side, ncasim on the other. No protocol in here.
 */
#ifndef VU_DEVICE_H
#define VU_DEVICE_H

#include "bounded.h"
#include "dma.h"
#include "irqs.h"
#include "log.h"
#include "pci_config.h"

#include "../ncasim.h"

/* Region indexes are VFIO's: BAR 0..5, ROM, config space, VGA. */
#define VU_REGIONS		9u

/* All below the five seconds after which QEMU stops waiting for an answer. */
#define DEVICE_MASTER_MS	1000u
#define DEVICE_RESET_MS		2500u

struct vu_device {
	struct ncasim *sim;
	struct vu_irqs *irqs;
	struct vu_log log;
	struct bounded bounded;
	struct vu_dma dma;
	pthread_mutex_t lock;		/* cfg: the control socket resets it too */
	struct pci_config cfg;
	uint64_t region_size[VU_REGIONS];
	unsigned int vectors;
	uint8_t *msix_table;		/* what the client writes there is kept and has no effect */
	uint8_t *doorbells;
	size_t doorbells_len;
	int doorbells_fd;
	uint32_t kick_offset, stride, queues;
	uint8_t *devmem;
	uint64_t devmem_len;
	int devmem_fd;
};

struct vu_device_opts {
	uint16_t device_id;
	unsigned int unmap_ms;		/* 0 = default */
	vu_log_fn log;
	void *log_opaque;
};

/* @irqs is what @sim's interrupt callback gets. Returns 0 or a negative errno. */
int device_init(struct vu_device *dev, struct ncasim *sim, struct vu_irqs *irqs,
		const struct vu_device_opts *opts);

/* False: a call into the device never returned; neither @dev nor the device can be freed. */
bool device_fini(struct vu_device *dev);

/* The range has been checked against region_size. 0 or a negative errno. */
int device_read(struct vu_device *dev, unsigned int region, uint64_t offset, void *buf,
		uint32_t len);
int device_write(struct vu_device *dev, unsigned int region, uint64_t offset, const void *buf,
		 uint32_t len);

/* Function-level reset: registers, queues and config space, but not the client's memory. */
int device_reset(struct vu_device *dev);

/* The slot is empty again: nothing of the client is kept, the next one finds a fresh function. */
void device_client_gone(struct vu_device *dev);

/* Any thread: the function is back after NCASIM_VANISH, as after power-on. */
void device_return(struct vu_device *dev);

/* Does the client let the function start DMA? Any thread. */
bool device_master(struct vu_device *dev);

#endif
