// SPDX-License-Identifier: MIT
/*
 * Admin ring client. Commands may complete out of order; whoever waits reaps
 * for everybody. A call whose command went unanswered keeps its slot for ever:
 * the device may still write to its page.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim.h"

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

void sim_admin_init(struct sim_dev *dev, uint8_t *mem)
{
	struct sim_admin *a = &dev->admin;

	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->call_free, NULL);
	a->sq = (void *)mem;
	a->cq = (void *)(mem + ACC_PAGE);
	a->pages = mem + 2 * ACC_PAGE;
}

int sim_admin_start(struct sim_dev *dev)
{
	struct sim_admin *a = &dev->admin;
	struct ncasim *hw = dev->hw;
	uint32_t timeout_ms = (uint32_t)ncasim_reg_read(hw, NCA_REG_CAP_TIMEOUT_MS, 4);
	int64_t deadline;

	/* The device's own worst case, with room for a machine that is busy elsewhere. */
	a->timeout_ns = timeout_ms * 4000000ll;
	if (a->timeout_ns < 10000000000ll)
		a->timeout_ns = 10000000000ll;

	memset(a->sq, 0, ACC_PAGE);
	memset(a->cq, 0, ACC_PAGE);
	a->tail = 0;
	a->head = 0;
	ncasim_set_bus_master(hw, true);
	ncasim_reg_write(hw, NCA_REG_ASQ_BASE, (uintptr_t)a->sq, 8);
	ncasim_reg_write(hw, NCA_REG_ACQ_BASE, (uintptr_t)a->cq, 8);
	ncasim_reg_write(hw, NCA_REG_ADMIN_ORDER, SIM_ADMIN_ORDER, 4);
	ncasim_reg_write(hw, NCA_REG_CTRL, NCA_CTRL_ENABLE, 4);
	deadline = now_ns() + a->timeout_ns;
	while (!(ncasim_reg_read(hw, NCA_REG_STATUS, 4) & NCA_STATUS_READY)) {
		if (now_ns() > deadline)
			return acc_fail(-EIO, "the simulated device is not ready %lld ms after it was enabled (status 0x%x)",
					(long long)(a->timeout_ns / 1000000),
					(unsigned int)ncasim_reg_read(hw, NCA_REG_STATUS, 4));
		nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
	}
	a->dead = false;
	return 0;
}

void sim_admin_interrupt(struct sim_dev *dev)
{
	atomic_fetch_add_explicit(&dev->admin.interrupts, 1, memory_order_release);
	sim_futex_wake(&dev->admin.interrupts);
}

int sim_admin_begin(struct sim_dev *dev, struct sim_call *call)
{
	struct sim_admin *a = &dev->admin;
	unsigned int i;

	pthread_mutex_lock(&a->lock);
	for (;;) {
		if (a->restarting && !pthread_equal(a->restarter, pthread_self())) {
			pthread_cond_wait(&a->call_free, &a->lock);
			continue;
		}
		if (a->dead) {
			pthread_mutex_unlock(&a->lock);
			return acc_fail(-EIO, "the device stopped answering; reset it with accel_device_reset()");
		}
		for (i = 0; i < SIM_CALLS && a->call[i].taken; i++)
			;
		if (i < SIM_CALLS)
			break;
		pthread_cond_wait(&a->call_free, &a->lock);
	}
	a->call[i].taken = true;
	a->call[i].done = false;
	a->call[i].serial++;
	pthread_mutex_unlock(&a->lock);
	call->slot = i;
	call->page = a->pages + i * ACC_PAGE;
	call->addr = (uintptr_t)call->page;
	return 0;
}

void sim_admin_end(struct sim_dev *dev, struct sim_call *call)
{
	struct sim_admin *a = &dev->admin;

	pthread_mutex_lock(&a->lock);
	/* Unanswered: see the top of the file. A reset frees it. */
	if (a->call[call->slot].done)
		a->call[call->slot].taken = false;
	else
		a->call[call->slot].abandoned = true;
	pthread_cond_broadcast(&a->call_free);
	pthread_mutex_unlock(&a->lock);
}

static uint16_t cid_of(const struct sim_admin *a, unsigned int slot)
{
	return (uint16_t)(a->call[slot].serial * SIM_CALLS + slot);
}

/* Under admin.lock. */
static void reap(struct sim_dev *dev)
{
	struct sim_admin *a = &dev->admin;
	uint32_t start = a->head;

	for (;;) {
		struct nca_admin_cpl *c = &a->cq[a->head & (SIM_ADMIN_SLOTS - 1)];
		unsigned int want = !((a->head >> SIM_ADMIN_ORDER) & 1), slot;

		if (sim_entry_phase(c) != want)
			break;
		slot = c->cid % SIM_CALLS;
		if (a->call[slot].taken && c->cid == cid_of(a, slot)) {
			a->call[slot].cpl = *c;
			a->call[slot].done = true;
		}
		a->head++;
	}
	if (a->head == start)
		return;
	ncasim_reg_write(dev->hw, NCA_REG_ACQ_HEAD, a->head, 4);
	/* Whoever else waits for one of these looks again. */
	sim_admin_interrupt(dev);
}

/* Under admin.lock, so that a reset comes before all of this or after it. */
static int gave_up(struct sim_dev *dev, const struct nca_admin_cmd *cmd)
{
	struct sim_admin *a = &dev->admin;

	a->dead = true;
	pthread_cond_broadcast(&a->call_free);
	/* No DMA from now on, so memory the device might still have used can be freed. */
	ncasim_set_bus_master(dev->hw, false);
	sim_contexts_lost(dev, NULL, NCA_CTX_DEVICE_RESET, NCA_CAUSE_WATCHDOG);
	pthread_mutex_lock(&dev->table_lock);
	dev->state = 2;
	pthread_mutex_unlock(&dev->table_lock);
	return acc_fail(-EIO, "the device did not answer admin command 0x%x within %lld ms; reset it with accel_device_reset()",
			cmd->opcode, (long long)(a->timeout_ns / 1000000));
}

int sim_admin_run(struct sim_dev *dev, struct sim_call *call, struct nca_admin_cmd *cmd,
		  struct nca_admin_cpl *cpl)
{
	struct sim_admin *a = &dev->admin;
	int64_t deadline;

	cmd->cid = cid_of(a, call->slot);
	pthread_mutex_lock(&a->lock);
	deadline = now_ns() + a->timeout_ns;
	if (a->dead) {
		a->call[call->slot].done = true;	/* never sent */
		pthread_mutex_unlock(&a->lock);
		return acc_fail(-EIO, "the device stopped answering; reset it with accel_device_reset()");
	}
	/* A reset between begin and run has ended this call already. */
	if (!a->call[call->slot].done) {
		/* Fewer calls than slots, so the ring has room. */
		a->sq[a->tail++ & (SIM_ADMIN_SLOTS - 1)] = *cmd;
		ncasim_reg_write(dev->hw, NCA_REG_ASQ_TAIL, a->tail, 4);
	}
	for (;;) {
		uint32_t seen = atomic_load_explicit(&a->interrupts, memory_order_acquire);

		reap(dev);
		if (a->call[call->slot].done)
			break;
		if (now_ns() >= deadline) {
			int r = gave_up(dev, cmd);

			pthread_mutex_unlock(&a->lock);
			return r;
		}
		/* What reap() itself counted must not keep us awake. */
		if (seen != atomic_load_explicit(&a->interrupts, memory_order_relaxed))
			continue;
		pthread_mutex_unlock(&a->lock);
		sim_futex_wait(&a->interrupts, seen, deadline);
		pthread_mutex_lock(&a->lock);
	}
	*cpl = a->call[call->slot].cpl;
	pthread_mutex_unlock(&a->lock);
	if (cpl->status == NCA_ADMIN_ABORTED)
		return acc_fail(-ESTALE, "the device was reset while admin command 0x%x ran",
				cmd->opcode);
	return cpl->status == NCA_ADMIN_OK ? 0 : -EREMOTEIO;
}

int sim_admin_refused(const struct nca_admin_cpl *cpl, const char *what)
{
	static const struct {
		int err;
		const char *text;
	} why[] = {
		[NCA_ADMIN_BAD_OPCODE] = { -EOPNOTSUPP, "the device does not know the command" },
		[NCA_ADMIN_BAD_FIELD] = { -EINVAL, "a field of the command is wrong" },
		[NCA_ADMIN_BAD_ID] = { -ENOENT, "the context or queue does not exist any more" },
		[NCA_ADMIN_ID_IN_USE] = { -EBUSY, "the id is in use" },
		[NCA_ADMIN_NO_CAPACITY] = { -ENOSPC, "the device has no room left" },
		[NCA_ADMIN_BAD_ADDRESS] = { -EFAULT, "an address is not reachable or overlaps" },
		[NCA_ADMIN_BUSY] = { -EBUSY, "it is still in use" },
		[NCA_ADMIN_UNSUPPORTED] = { -EOPNOTSUPP, "this device does not offer it" },
		[NCA_ADMIN_INTERNAL] = { -EIO, "internal error of the device" },
	};

	if (cpl->status < sizeof(why) / sizeof(why[0]) && why[cpl->status].text)
		return acc_fail(why[cpl->status].err, "%s: %s (detail %u)", what,
				why[cpl->status].text, cpl->detail);
	return acc_fail(-EIO, "%s: the device answered with status %u", what, cpl->status);
}

int sim_admin_simple(struct sim_dev *dev, struct nca_admin_cmd *cmd, const char *what)
{
	struct nca_admin_cpl cpl;
	struct sim_call call;
	int r = sim_admin_begin(dev, &call);

	if (r)
		return r;
	r = sim_admin_run(dev, &call, cmd, &cpl);
	sim_admin_end(dev, &call);
	return r == -EREMOTEIO ? sim_admin_refused(&cpl, what) : r;
}
