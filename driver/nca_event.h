/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NCA_EVENT_H
#define NCA_EVENT_H

#include <linux/spinlock.h>
#include <linux/types.h>

#include <nca/admin.h>

struct nca_device;

#define NCA_EQ_MIN_ORDER	5
#define NCA_EQ_MAX_ORDER	16

/* The event queue of one MSI-X vector. */
struct nca_eq {
	struct nca_device *ndev;
	unsigned int vector;
	int irq;
	u32 order;
	spinlock_t lock;		/* consumer side; hard irq */
	bool running;
	u32 head;
	struct nca_event *ring;
	dma_addr_t dma;
	u64 events;			/* for debugfs */
	u64 stale;
};

int nca_event_init(struct nca_device *ndev);
int nca_event_start(struct nca_device *ndev);
void nca_event_stop(struct nca_device *ndev);
void nca_event_poll_all(struct nca_device *ndev);

#endif
