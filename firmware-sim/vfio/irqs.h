/* SPDX-License-Identifier: MIT */
/*
 * MSI-X vectors as eventfds of the client.
 *
 * The client owns the vector table: it emulates masking and drops or moves the
 * eventfd accordingly. A vector that fires while it has no eventfd stays
 * pending and is delivered when one is assigned, as a masked vector would.
 */
#ifndef VU_IRQS_H
#define VU_IRQS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define VU_IRQ_MAX_VECTORS	2048u	/* what an MSI-X capability can describe */

struct vu_irqs {
	pthread_mutex_t lock;
	unsigned int count;
	int fd[VU_IRQ_MAX_VECTORS];	/* -1 = none */
	uint8_t pending[VU_IRQ_MAX_VECTORS / 8];
	/*
	 * MSI-X enable in config space. While off, an interrupt without an eventfd is lost. An
	 * assigned eventfd counts as enabled: VFIO clients other than a virtual machine monitor
	 * leave that bit to SET_IRQS.
	 */
	bool enabled;
};

void irqs_init(struct vu_irqs *irqs);
void irqs_fini(struct vu_irqs *irqs);
void irqs_set_count(struct vu_irqs *irqs, unsigned int count);

/* ncasim_host_ops.irq; @opaque is a struct vu_irqs. Any thread, never blocks. */
void irqs_fire(void *opaque, unsigned int vector);

/* Does @fd keep the device from ever blocking on it? 0 or -EINVAL. */
int irqs_check_fd(int fd);

/* Takes over @fd (-1 = none). @vector < count. */
void irqs_assign(struct vu_irqs *irqs, unsigned int vector, int fd);
void irqs_release_all(struct vu_irqs *irqs);

void irqs_set_enabled(struct vu_irqs *irqs, bool on);

/* Pending bits as the PBA shows them. */
void irqs_read_pba(struct vu_irqs *irqs, uint32_t offset, uint8_t *buf, uint32_t len);

#endif
