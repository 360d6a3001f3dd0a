// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts: vector 0 for the admin queue and the device as a whole, every
 * other vector with an event queue in kernel memory.
 *
 * An event names a queue or a context by id and generation. Both are looked up
 * under evt_lock in tables that teardown empties before it lets an id be used
 * again, so an event that is late or invented hits nobody.
 */
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/log2.h>

#include <drm/drm_print.h>

#include "nca_ctx.h"
#include "nca_device.h"
#include "nca_event.h"
#include "nca_hw.h"
#include "nca_queue.h"
#include "nca_reset.h"
#include "nca_trace.h"

static void nca_event_handle(struct nca_eq *eq, const struct nca_event *ev)
{
	struct nca_device *ndev = eq->ndev;
	struct nca_queue *queue;
	struct nca_ctx *ctx;
	bool stale = true;

	trace_nca_event(ndev, eq->vector, ev);
	eq->events++;

	switch (ev->type) {
	case NCA_EVENT_QUEUE:
		spin_lock(&ndev->evt_lock);
		queue = ev->queue < ndev->num_queues ? ndev->queue_tbl[ev->queue] : NULL;
		if (queue && queue->gen == ev->queue_gen) {
			nca_queue_event_locked(queue);
			stale = false;
		}
		spin_unlock(&ndev->evt_lock);
		break;
	case NCA_EVENT_CTX_FAULT:
		spin_lock(&ndev->evt_lock);
		ctx = ev->ctx <= ndev->num_contexts ? ndev->ctx_tbl[ev->ctx] : NULL;
		if (ctx && ctx->gen == ev->ctx_gen) {
			nca_ctx_lose_locked(ctx, NCA_CTX_LOST,
					    ev->cause ? ev->cause : NCA_CAUSE_FAULT);
			stale = false;
		}
		spin_unlock(&ndev->evt_lock);
		break;
	case NCA_EVENT_FATAL:
		nca_reset_request(ndev, NCA_CAUSE_FATAL);
		stale = false;
		break;
	}
	if (stale)
		eq->stale++;
}

static void nca_eq_poll(struct nca_eq *eq)
{
	struct nca_device *ndev = eq->ndev;
	u32 mask = (1u << eq->order) - 1;
	unsigned int seen = 0;
	unsigned long flags;

	spin_lock_irqsave(&eq->lock, flags);
	/* The ring cannot hold more than a lap; who writes more is not to be trusted. */
	while (eq->running && seen <= mask) {
		struct nca_event *entry = &eq->ring[eq->head & mask];
		u16 want = eq->head >> eq->order & 1 ? 0 : 1;
		struct nca_event ev;

		if ((READ_ONCE(entry->phase) & 1) != want)
			break;
		/* The device wrote the phase last; read it first. */
		dma_rmb();
		ev = *entry;
		eq->head++;
		seen++;
		nca_event_handle(eq, &ev);
	}
	if (seen)
		nca_write(ndev, NCA_REG_EQ_HEAD(eq->vector), eq->head);
	spin_unlock_irqrestore(&eq->lock, flags);
}

void nca_event_poll_all(struct nca_device *ndev)
{
	unsigned int i;

	for (i = 0; i < ndev->num_eqs; i++)
		nca_eq_poll(&ndev->eqs[i]);
}

static irqreturn_t nca_event_irq(int irq, void *data)
{
	nca_eq_poll(data);
	return IRQ_HANDLED;
}

static irqreturn_t nca_admin_irq(int irq, void *data)
{
	struct nca_device *ndev = data;

	/* No completion: the vector also tells of faults of the whole device. */
	if (!nca_admin_poll(ndev))
		nca_watchdog_now(ndev);
	return IRQ_HANDLED;
}

int nca_event_init(struct nca_device *ndev)
{
	struct pci_dev *pdev = ndev->pdev;
	u32 cap = nca_read(ndev, NCA_REG_CAP_VECTORS);
	unsigned int i, order;
	int nvec, ret;

	order = clamp(order_base_2(ndev->num_queues + ndev->num_contexts + 1),
		      NCA_EQ_MIN_ORDER, NCA_EQ_MAX_ORDER);
	nvec = min3(cap, num_possible_cpus() + 1, 64u);
	nvec = pci_alloc_irq_vectors(pdev, 2, max(nvec, 2), PCI_IRQ_MSIX);
	if (nvec < 0)
		return dev_err_probe(&pdev->dev, nvec, "two MSI-X vectors are needed\n");
	ndev->num_eqs = nvec - 1;

	ndev->eqs = devm_kcalloc(&pdev->dev, ndev->num_eqs, sizeof(*ndev->eqs), GFP_KERNEL);
	if (!ndev->eqs)
		return -ENOMEM;

	for (i = 0; i < ndev->num_eqs; i++) {
		struct nca_eq *eq = &ndev->eqs[i];

		eq->ndev = ndev;
		eq->vector = i + 1;
		eq->order = order;
		spin_lock_init(&eq->lock);
		eq->ring = dmam_alloc_coherent(&pdev->dev,
					       PAGE_ALIGN(sizeof(*eq->ring) << order),
					       &eq->dma, GFP_KERNEL);
		if (!eq->ring)
			return -ENOMEM;
	}

	ret = devm_request_irq(&pdev->dev, pci_irq_vector(pdev, 0), nca_admin_irq, 0,
			       "nca-admin", ndev);
	if (ret)
		return ret;
	for (i = 0; i < ndev->num_eqs; i++) {
		struct nca_eq *eq = &ndev->eqs[i];

		eq->irq = pci_irq_vector(pdev, eq->vector);
		ret = devm_request_irq(&pdev->dev, eq->irq, nca_event_irq, 0,
				       "nca-event", eq);
		if (ret)
			return ret;
	}
	return 0;
}

/* After a reset the device knows no event queue: make them anew, from slot 0. */
int nca_event_start(struct nca_device *ndev)
{
	unsigned int i;
	int ret;

	for (i = 0; i < ndev->num_eqs; i++) {
		struct nca_admin_cmd cmd = { .opcode = NCA_ADMIN_EQ_CREATE };
		struct nca_eq *eq = &ndev->eqs[i];

		spin_lock_irq(&eq->lock);
		memset(eq->ring, 0, sizeof(*eq->ring) << eq->order);
		eq->head = 0;
		eq->running = true;
		spin_unlock_irq(&eq->lock);

		cmd.eq.base = eq->dma;
		cmd.eq.vector = eq->vector;
		cmd.eq.order = eq->order;
		ret = nca_admin_exec(ndev, &cmd, NULL);
		if (ret) {
			drm_err(&ndev->drm, "cannot create the event queue of vector %u: %d\n",
				eq->vector, ret);
			return ret;
		}
	}
	return 0;
}

void nca_event_stop(struct nca_device *ndev)
{
	unsigned int i;

	for (i = 0; i < ndev->num_eqs; i++) {
		struct nca_eq *eq = &ndev->eqs[i];

		spin_lock_irq(&eq->lock);
		eq->running = false;
		spin_unlock_irq(&eq->lock);
	}
}
