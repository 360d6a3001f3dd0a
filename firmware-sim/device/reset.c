/* SPDX-License-Identifier: MIT */
/* Enable, reset, fatal errors, and what a bench engineer does to a device. */
#include <string.h>

#include "device.h"

/*
 * Everything the host made goes away and none of its memory is touched again.
 * Launches with a worker are told to stop and are orphaned: the worker hands
 * them back and they are freed then; they keep their context alive until that.
 */
void device_drop_all(struct ncasim *dev)
{
	admin_drop(dev);
	for (uint32_t i = 0; i < DEV_QUEUES; i++) {
		if (dev->queue[i].used)
			queue_free(dev, &dev->queue[i]);
	}
	for (uint32_t i = 1; i <= DEV_CONTEXTS; i++) {
		if (dev->ctx[i])
			context_free(dev, dev->ctx[i]);
	}
	memset(dev->eq, 0, sizeof(dev->eq));
	dev->irq_pending = 0;
	dev->irq_drop = 0;
	dev->hung = false;
	dev->admin.enabled = false;
	atomic_store(&dev->regs.status, 0);
}

/* All cores have returned (front.c waits for that): the reset is complete. */
void device_reset_now(struct ncasim *dev)
{
	uint32_t gen = atomic_load(&dev->regs.generation) + 1;

	regs_reset(&dev->regs);
	dev->ctrl_enabled = false;
	memset(dev->faults, 0, sizeof(dev->faults[0]) * dev->fault_cap);
	dev->fault_count = 0;
	atomic_store(&dev->regs.generation, gen ? gen : 1);
	atomic_store(&dev->regs.reset, 0);
}

void device_enable(struct ncasim *dev)
{
	struct admin *a = &dev->admin;
	uint32_t order = atomic_load(&dev->regs.admin_order);

	pthread_mutex_lock(&dev->regs.lock);
	a->asq_base = atomic_load(&dev->regs.asq_base);
	a->acq_base = atomic_load(&dev->regs.acq_base);
	pthread_mutex_unlock(&dev->regs.lock);
	if (!order || order > DEV_ADMIN_ORDER || a->asq_base & (DEV_PAGE - 1) ||
	    a->acq_base & (DEV_PAGE - 1)) {
		device_fatal(dev, NCA_FATAL_ADMIN_CONFIG);
		return;
	}
	a->order = order;
	a->sq_head = 0;
	a->cq_tail = 0;
	a->enabled = true;
	atomic_store(&dev->regs.status, NCA_STATUS_READY);
}

void device_fatal(struct ncasim *dev, uint32_t cause)
{
	uint32_t status = atomic_load(&dev->regs.status);

	if (status & NCA_STATUS_FATAL)
		return;
	atomic_store(&dev->regs.fatal_cause, cause);
	atomic_store(&dev->regs.status, (status & ~(uint32_t)NCA_STATUS_READY) | NCA_STATUS_FATAL);
	event_fatal(dev, cause);
	irq_flush(dev);
}

static int drop_and_reset(struct ncasim *dev, void *arg)
{
	(void)arg;
	device_drop_all(dev);
	return 0;
}

static int finish_reset(struct ncasim *dev, void *arg)
{
	(void)arg;
	/* A register reset may have come and gone in between; a second one is harmless. */
	device_drop_all(dev);
	device_reset_now(dev);
	return 0;
}

void ncasim_reset(struct ncasim *dev)
{
	if (atomic_load(&dev->vanished))
		return;
	front_call(dev, drop_and_reset, NULL, true);
	front_call(dev, finish_reset, NULL, false);
}

static int set_bus_master(struct ncasim *dev, void *arg)
{
	dev->bus_master = *(bool *)arg;
	return 0;
}

void ncasim_set_bus_master(struct ncasim *dev, bool on)
{
	front_call(dev, set_bus_master, &on, !on);
}

static int set_hung(struct ncasim *dev, void *arg)
{
	dev->hung = *(bool *)arg;
	return 0;
}

static int power_on(struct ncasim *dev, void *arg)
{
	(void)arg;
	device_drop_all(dev);
	device_reset_now(dev);
	dev->bus_master = false;
	memset(dev->doorbells, 0, dev->doorbells_len);
	return 0;
}

void ncasim_inject(struct ncasim *dev, enum ncasim_fault what)
{
	bool hung = what == NCASIM_HANG;

	switch (what) {
	case NCASIM_VANISH:
		atomic_store(&dev->vanished, true);
		front_call(dev, drop_and_reset, NULL, true);
		break;
	case NCASIM_RETURN:
		if (!atomic_load(&dev->vanished))
			break;
		front_call(dev, power_on, NULL, false);
		atomic_store(&dev->vanished, false);
		break;
	case NCASIM_HANG:
	case NCASIM_UNHANG:
		front_call(dev, set_hung, &hung, hung);
		break;
	}
}

bool ncasim_vanished(struct ncasim *dev)
{
	return atomic_load(&dev->vanished);
}
