/* SPDX-License-Identifier: MIT */
/*
 * PCI configuration space of the NCA function: bytes, which bits a write
 * reaches, and what a write means. It knows nothing of sockets or devices, and
 * takes no locks.
 */
#ifndef VU_PCI_CONFIG_H
#define VU_PCI_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#define PCI_CONFIG_SIZE		4096u

struct pci_config_desc {
	uint16_t vendor, device;
	uint32_t class;			/* base class, sub class, interface: 24 bits */
	uint8_t revision;
	uint64_t bar_size[6];		/* powers of two, 0 = none; a 64-bit BAR leaves the next one 0 */
	uint8_t bar_64_prefetch;	/* bit n: BAR n is 64-bit prefetchable */
	unsigned int msix_vectors;
	uint8_t msix_bar;
	uint32_t msix_table, msix_pba;	/* offsets in msix_bar */
};

struct pci_config {
	uint8_t data[PCI_CONFIG_SIZE];
	uint8_t wmask[PCI_CONFIG_SIZE];	/* bits a write changes */
	uint8_t reset[PCI_CONFIG_SIZE];	/* contents after power-on */
};

/* What a write asked the function to do; found by comparing before and after. */
#define PCI_CONFIG_MASTER	0x1u	/* pci_config_master() changed */
#define PCI_CONFIG_FLR		0x2u	/* function-level reset was requested */

void pci_config_init(struct pci_config *cfg, const struct pci_config_desc *desc);

/* As after power-on or a function-level reset. */
void pci_config_reset(struct pci_config *cfg);

/* The range has been checked to lie within PCI_CONFIG_SIZE. */
void pci_config_read(const struct pci_config *cfg, uint32_t offset, void *buf, uint32_t len);
unsigned int pci_config_write(struct pci_config *cfg, uint32_t offset, const void *buf,
			      uint32_t len);

/* Power state and Command register together decide what the function may do. */
bool pci_config_memory(const struct pci_config *cfg);	/* answers accesses to its BARs */
bool pci_config_master(const struct pci_config *cfg);	/* may start DMA and interrupts */
bool pci_config_msix(const struct pci_config *cfg);	/* MSI-X is enabled */

#endif
