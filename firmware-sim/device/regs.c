/* SPDX-License-Identifier: MIT */
/*
 * BAR0. Reads are answered by the calling thread from atomics; writes store
 * the value and tell the front end, which acts on it. Nothing here blocks, so
 * a bus transport's message thread can call it.
 */
#include "device.h"

void regs_init(struct regs *r)
{
	pthread_mutex_init(&r->lock, NULL);
	atomic_store(&r->generation, 1);
	regs_reset(r);
}

/* Power-on values of everything a reset clears; GENERATION is kept. */
void regs_reset(struct regs *r)
{
	pthread_mutex_lock(&r->lock);
	atomic_store(&r->ctrl, 0);
	atomic_store(&r->fatal_cause, 0);
	atomic_store(&r->asq_base, 0);
	atomic_store(&r->acq_base, 0);
	atomic_store(&r->admin_order, 0);
	atomic_store(&r->asq_tail, 0);
	atomic_store(&r->acq_head, 0);
	for (uint32_t v = 0; v < DEV_VECTORS; v++)
		atomic_store(&r->eq_head[v], 0);
	pthread_mutex_unlock(&r->lock);
}

static uint32_t half(uint64_t v, uint32_t offset)
{
	return offset & 4 ? (uint32_t)(v >> 32) : (uint32_t)v;
}

static uint64_t reg_time(struct ncasim *dev)
{
	if (dev->cfg.pace == NCASIM_PACE_REAL)
		return device_wall_ns(dev);
	return atomic_load_explicit(&dev->time_ns, memory_order_relaxed);
}

static uint32_t read32(struct ncasim *dev, uint32_t offset)
{
	struct regs *r = &dev->regs;
	uint32_t v;

	switch (offset) {
	case NCA_REG_MAGIC:		return NCA_MAGIC;
	case NCA_REG_VERSION:		return NCA_VERSION_MAJOR << 16 | NCA_VERSION_MINOR;
	case NCA_REG_CAP_QUEUES:	return DEV_QUEUES;
	case NCA_REG_CAP_CONTEXTS:	return DEV_CONTEXTS;
	case NCA_REG_CAP_VECTORS:	return DEV_VECTORS;
	case NCA_REG_CAP_ADMIN_ORDER:	return DEV_ADMIN_ORDER;
	case NCA_REG_CAP_TIMEOUT_MS:	return DEV_TIMEOUT_MS;
	case NCA_REG_CTRL:		return atomic_load(&r->ctrl);
	case NCA_REG_STATUS:
		v = atomic_load(&r->status);
		/* A reset that was asked for is in progress until it is done. */
		return atomic_load(&r->reset) ?
			(v & ~(uint32_t)NCA_STATUS_READY) | NCA_STATUS_RESETTING : v;
	case NCA_REG_GENERATION:	return atomic_load(&r->generation);
	case NCA_REG_HEARTBEAT:		return atomic_load(&r->heartbeat);
	case NCA_REG_FATAL_CAUSE:	return atomic_load(&r->fatal_cause);
	case NCA_REG_ASQ_BASE:
	case NCA_REG_ASQ_BASE + 4:	return half(atomic_load(&r->asq_base), offset);
	case NCA_REG_ACQ_BASE:
	case NCA_REG_ACQ_BASE + 4:	return half(atomic_load(&r->acq_base), offset);
	case NCA_REG_ADMIN_ORDER:	return atomic_load(&r->admin_order);
	case NCA_REG_DB_PAGE_SHIFT:	return 12;
	case NCA_REG_DB_OFFSET:		return 0;
	case NCA_REG_KICK_OFFSET:	return ncasim_kick_offset(dev);
	case NCA_REG_DB_STRIDE:		return NCA_DB_PAGE_SIZE;
	case NCA_REG_DEVMEM_SIZE:
	case NCA_REG_DEVMEM_SIZE + 4:	return half(dev->devmem_len, offset);
	case NCA_REG_TIME:
	case NCA_REG_TIME + 4:		return half(reg_time(dev), offset);
	}
	if (offset >= NCA_MSIX_TABLE_OFFSET && offset < NCA_MSIX_TABLE_OFFSET + DEV_VECTORS * 16) {
		pthread_mutex_lock(&r->lock);
		v = r->msix[(offset - NCA_MSIX_TABLE_OFFSET) / 4];
		pthread_mutex_unlock(&r->lock);
		return v;
	}
	return 0;
}

uint64_t ncasim_reg_read(struct ncasim *dev, uint32_t offset, unsigned int size)
{
	uint64_t v;

	if (size != 1 && size != 2 && size != 4 && size != 8)
		return 0;
	if (atomic_load(&dev->vanished))
		return size == 8 ? ~0ull : (1ull << (8 * size)) - 1;
	if (offset >= NCA_BAR_REGS_SIZE || offset % size)
		return 0;
	if (size == 8) {
		if (offset == NCA_REG_TIME)
			return reg_time(dev);
		return read32(dev, offset) | (uint64_t)read32(dev, offset + 4) << 32;
	}
	v = read32(dev, offset & ~3u) >> (8 * (offset & 3));
	return size == 4 ? v : v & ((1ull << (8 * size)) - 1);
}

static void set_half(_Atomic uint64_t *reg, uint32_t offset, uint32_t value)
{
	uint64_t old = atomic_load(reg);

	atomic_store(reg, offset & 4 ? (old & 0xffffffffull) | (uint64_t)value << 32 :
				       (old & ~0xffffffffull) | value);
}

static void write32(struct ncasim *dev, uint32_t offset, uint32_t value)
{
	struct regs *r = &dev->regs;

	if (offset >= NCA_REG_EQ_HEAD(1) && offset < NCA_REG_EQ_HEAD(DEV_VECTORS)) {
		atomic_store(&r->eq_head[(offset - NCA_REG_EQ_HEAD(0)) / 4], value);
		front_attention(dev, ATTN_REGS);
		return;
	}
	if (offset >= NCA_MSIX_TABLE_OFFSET && offset < NCA_MSIX_TABLE_OFFSET + DEV_VECTORS * 16) {
		pthread_mutex_lock(&r->lock);
		r->msix[(offset - NCA_MSIX_TABLE_OFFSET) / 4] = value;
		pthread_mutex_unlock(&r->lock);
		return;
	}
	switch (offset) {
	case NCA_REG_CTRL:
		atomic_store(&r->ctrl, value & NCA_CTRL_ENABLE);
		break;
	case NCA_REG_RESET:
		if (value != NCA_RESET_MAGIC)
			return;
		atomic_store(&r->reset, 1);
		break;
	case NCA_REG_ASQ_BASE:
	case NCA_REG_ASQ_BASE + 4:
		pthread_mutex_lock(&r->lock);
		set_half(&r->asq_base, offset, value);
		pthread_mutex_unlock(&r->lock);
		return;
	case NCA_REG_ACQ_BASE:
	case NCA_REG_ACQ_BASE + 4:
		pthread_mutex_lock(&r->lock);
		set_half(&r->acq_base, offset, value);
		pthread_mutex_unlock(&r->lock);
		return;
	case NCA_REG_ADMIN_ORDER:
		atomic_store(&r->admin_order, value);
		return;
	case NCA_REG_ASQ_TAIL:
		atomic_store(&r->asq_tail, value);
		break;
	case NCA_REG_ACQ_HEAD:
		atomic_store(&r->acq_head, value);
		break;
	default:
		return;
	}
	front_attention(dev, ATTN_REGS);
}

void ncasim_reg_write(struct ncasim *dev, uint32_t offset, uint64_t value, unsigned int size)
{
	if (atomic_load(&dev->vanished) || offset >= NCA_BAR_REGS_SIZE)
		return;
	/* Registers are 32 bits wide: narrower writes have no effect. */
	if (size == 8 && !(offset & 7)) {
		write32(dev, offset, (uint32_t)value);
		write32(dev, offset + 4, (uint32_t)(value >> 32));
	} else if (size == 4 && !(offset & 3)) {
		write32(dev, offset, (uint32_t)value);
	}
}

uint32_t ncasim_kick_offset(struct ncasim *dev)
{
	return (uint32_t)dev->doorbells_len;
}

void ncasim_kick(struct ncasim *dev, uint32_t queue)
{
	if (queue >= DEV_QUEUES || atomic_load(&dev->vanished))
		return;
	atomic_fetch_add_explicit(&dev->kicks, 1, memory_order_relaxed);
	front_wake(dev);
}
