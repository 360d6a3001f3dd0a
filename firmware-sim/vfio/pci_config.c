/* SPDX-License-Identifier: MIT */
#include "pci_config.h"

#include <linux/pci_regs.h>
#include <string.h>

/* Capabilities, each 4-byte aligned and large enough for what follows its header. */
#define CAP_PM		0x40
#define CAP_MSIX	0x50
#define CAP_EXP		0x60
#define CAP_EXP_SIZE	0x3c		/* version 2 */

#define SUBSYSTEM_ID	0x1100

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = v & 0xff;
	p[1] = v >> 8;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v & 0xffff);
	put16(p + 2, v >> 16);
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static void init_bars(struct pci_config *cfg, const struct pci_config_desc *desc)
{
	for (unsigned int n = 0; n < 6; n++) {
		unsigned int at = PCI_BASE_ADDRESS_0 + 4 * n;
		uint64_t mask = ~(desc->bar_size[n] - 1);

		if (!desc->bar_size[n])
			continue;
		/* Size is read back by writing all-ones: the bits below it are fixed at 0. */
		put32(cfg->wmask + at, (uint32_t)mask & PCI_BASE_ADDRESS_MEM_MASK);
		if (desc->bar_64_prefetch & 1u << n) {
			put32(cfg->reset + at,
			      PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH);
			put32(cfg->wmask + at + 4, mask >> 32);
		}
	}
}

static void init_express(struct pci_config *cfg)
{
	uint8_t *cap = cfg->reset + CAP_EXP, *wmask = cfg->wmask + CAP_EXP;

	cap[0] = PCI_CAP_ID_EXP;
	cap[1] = 0;
	put16(cap + PCI_EXP_FLAGS, 2 | PCI_EXP_TYPE_ENDPOINT << 4);
	put32(cap + PCI_EXP_DEVCAP, 1 /* 256-byte payload */ | PCI_EXP_DEVCAP_RBER |
	      PCI_EXP_DEVCAP_FLR);
	put16(cap + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_NOSNOOP_EN);
	/* The FLR bit reads as 0, so it is not kept: pci_config_write() looks at what is written. */
	put16(wmask + PCI_EXP_DEVCTL, (uint16_t)~PCI_EXP_DEVCTL_BCR_FLR);
	put32(cap + PCI_EXP_LNKCAP, PCI_EXP_LNKCAP_SLS_16_0GB | 16 << 4);
	put16(cap + PCI_EXP_LNKSTA, PCI_EXP_LNKSTA_CLS_16_0GB | 16 << 4);
	put16(wmask + PCI_EXP_LNKCTL, PCI_EXP_LNKCTL_ASPMC | PCI_EXP_LNKCTL_CCC);
	put32(cap + PCI_EXP_DEVCAP2, PCI_EXP_DEVCAP2_COMP_TMOUT_DIS);
	put16(wmask + PCI_EXP_DEVCTL2, 0x1f);
	put32(cap + PCI_EXP_LNKCAP2, 0x1e);		/* 2.5 to 16 GT/s */
	put16(cap + PCI_EXP_LNKCTL2, PCI_EXP_LNKCTL2_TLS_16_0GT);
}

void pci_config_init(struct pci_config *cfg, const struct pci_config_desc *desc)
{
	uint8_t *r = cfg->reset, *w = cfg->wmask;

	memset(cfg, 0, sizeof(*cfg));
	put16(r + PCI_VENDOR_ID, desc->vendor);
	put16(r + PCI_DEVICE_ID, desc->device);
	put16(w + PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY |
	      PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
	put16(r + PCI_STATUS, PCI_STATUS_CAP_LIST);
	r[PCI_REVISION_ID] = desc->revision;
	r[PCI_CLASS_PROG] = desc->class & 0xff;
	put16(r + PCI_CLASS_DEVICE, desc->class >> 8 & 0xffff);
	w[PCI_CACHE_LINE_SIZE] = 0xff;
	init_bars(cfg, desc);
	put16(r + PCI_SUBSYSTEM_VENDOR_ID, desc->vendor);
	put16(r + PCI_SUBSYSTEM_ID, SUBSYSTEM_ID);
	r[PCI_CAPABILITY_LIST] = CAP_PM;
	w[PCI_INTERRUPT_LINE] = 0xff;		/* scratch; the pin register says there is no INTx */

	r[CAP_PM] = PCI_CAP_ID_PM;
	r[CAP_PM + 1] = CAP_MSIX;
	put16(r + CAP_PM + PCI_PM_PMC, 3);
	put16(r + CAP_PM + PCI_PM_CTRL, PCI_PM_CTRL_NO_SOFT_RESET);
	put16(w + CAP_PM + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK);

	r[CAP_MSIX] = PCI_CAP_ID_MSIX;
	r[CAP_MSIX + 1] = CAP_EXP;
	put16(r + CAP_MSIX + PCI_MSIX_FLAGS, (desc->msix_vectors - 1) & PCI_MSIX_FLAGS_QSIZE);
	put16(w + CAP_MSIX + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	put32(r + CAP_MSIX + PCI_MSIX_TABLE, desc->msix_table | desc->msix_bar);
	put32(r + CAP_MSIX + PCI_MSIX_PBA, desc->msix_pba | desc->msix_bar);

	init_express(cfg);
	pci_config_reset(cfg);
}

void pci_config_reset(struct pci_config *cfg)
{
	memcpy(cfg->data, cfg->reset, sizeof(cfg->data));
}

void pci_config_read(const struct pci_config *cfg, uint32_t offset, void *buf, uint32_t len)
{
	memcpy(buf, cfg->data + offset, len);
}

/* D1 and D2 are not offered: a write of an unsupported state is ignored, as the PM spec says. */
static void fix_power_state(struct pci_config *cfg, uint8_t before)
{
	uint8_t state = cfg->data[CAP_PM + PCI_PM_CTRL] & PCI_PM_CTRL_STATE_MASK;

	if (state == 1 || state == 2)
		cfg->data[CAP_PM + PCI_PM_CTRL] = before;
}

unsigned int pci_config_write(struct pci_config *cfg, uint32_t offset, const void *buf,
			      uint32_t len)
{
	const uint32_t flr_byte = CAP_EXP + PCI_EXP_DEVCTL + 1;
	const uint8_t *src = buf, power = cfg->data[CAP_PM + PCI_PM_CTRL];
	bool master = pci_config_master(cfg);
	unsigned int events = 0;

	for (uint32_t i = 0; i < len; i++) {
		uint32_t at = offset + i;
		uint8_t mask = cfg->wmask[at];

		cfg->data[at] = (cfg->data[at] & ~mask) | (src[i] & mask);
		if (at == flr_byte && src[i] & PCI_EXP_DEVCTL_BCR_FLR >> 8)
			events |= PCI_CONFIG_FLR;
	}
	fix_power_state(cfg, power);
	if (pci_config_master(cfg) != master)
		events |= PCI_CONFIG_MASTER;
	return events;
}

static bool in_d0(const struct pci_config *cfg)
{
	return !(cfg->data[CAP_PM + PCI_PM_CTRL] & PCI_PM_CTRL_STATE_MASK);
}

bool pci_config_memory(const struct pci_config *cfg)
{
	return in_d0(cfg) && get16(cfg->data + PCI_COMMAND) & PCI_COMMAND_MEMORY;
}

bool pci_config_master(const struct pci_config *cfg)
{
	return in_d0(cfg) && get16(cfg->data + PCI_COMMAND) & PCI_COMMAND_MASTER;
}

bool pci_config_msix(const struct pci_config *cfg)
{
	return get16(cfg->data + CAP_MSIX + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_ENABLE;
}
