// SPDX-License-Identifier: MIT
/*
 * Names and place of a PCI function. libpci's default error handler ends the
 * process, so it is given one that jumps back here.
 */
#include <setjmp.h>
#include <stdio.h>

#include <pci/pci.h>

#include "kmd.h"

/* One libpci call sequence per thread at a time; the handler gets no argument of ours. */
static _Thread_local jmp_buf failed;

static void __attribute__((noreturn)) on_error(char *msg, ...)
{
	(void)msg;
	longjmp(failed, 1);
}

static void silent(char *msg, ...)
{
	(void)msg;
}

static void look_up(struct pci_access *pci, struct kmd_node *node)
{
	unsigned int domain, bus, slot, func;
	struct pci_dev *dev;

	if (sscanf(node->pci_address, "%x:%x:%x.%x", &domain, &bus, &slot, &func) != 4)
		return;
	pci->error = on_error;
	pci->warning = silent;
	pci->debug = silent;
	pci->method = PCI_ACCESS_SYS_BUS_PCI;
	pci_init(pci);
	dev = pci_get_dev(pci, domain, bus, slot, func);
	if (!dev)
		return;
	pci_fill_info(dev, PCI_FILL_IDENT | PCI_FILL_NUMA_NODE);
	node->pci_vendor = dev->vendor_id;
	node->pci_device = dev->device_id;
	node->numa_node = dev->numa_node;
	if (!pci_lookup_name(pci, node->pci_name, sizeof(node->pci_name),
			     PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE | PCI_LOOKUP_NO_NUMBERS,
			     dev->vendor_id, dev->device_id))
		node->pci_name[0] = '\0';
	pci_free_dev(dev);
}

void kmd_pci_describe(struct kmd_node *node)
{
	struct pci_access *volatile pci = pci_alloc();

	if (!pci)
		return;
	if (!setjmp(failed)) {
		look_up(pci, node);
		pci_cleanup(pci);
	}
	/* After a jump the access object is in an unknown state and stays allocated. */
}
