// SPDX-License-Identifier: MIT
/* Opening, describing, resetting and closing an embedded device. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sim.h"

static int identify(struct sim_dev *dev)
{
	struct nca_admin_cpl cpl;
	struct sim_call call;
	struct nca_admin_cmd cmd;
	int r = sim_admin_begin(dev, &call);

	if (r)
		return r;
	cmd = (struct nca_admin_cmd){
		.opcode = NCA_ADMIN_IDENTIFY, .identify = { .addr = call.addr },
	};
	r = sim_admin_run(dev, &call, &cmd, &cpl);
	dev->id = *(const struct nca_identify *)call.page;
	sim_admin_end(dev, &call);
	if (r == -EREMOTEIO)
		return sim_admin_refused(&cpl, "identifying the device");
	if (r)
		return r;
	if (!dev->id.cores || dev->id.cores > 32 || dev->id.slices < dev->id.cores ||
	    !dev->id.max_queues || dev->id.max_queues > 65536 ||
	    dev->id.max_queue_order > NCA_QUEUE_MAX_ORDER || dev->id.vectors < 2)
		return acc_fail(-EIO, "the device describes itself impossibly: %u cores, %u slices, %u queues, %u vectors",
				dev->id.cores, dev->id.slices, dev->id.max_queues,
				dev->id.vectors);
	return 0;
}

/* Memory both sides use besides rings and buffers: admin rings, payload pages, event ring. */
static int alloc_shared(struct sim_dev *dev)
{
	uint64_t admin = (2 + SIM_CALLS) * ACC_PAGE;
	uint32_t queues = (uint32_t)ncasim_reg_read(dev->hw, NCA_REG_CAP_QUEUES, 4);
	uint32_t contexts = (uint32_t)ncasim_reg_read(dev->hw, NCA_REG_CAP_CONTEXTS, 4);
	uint64_t slots = 2ull * queues + 2ull * contexts + 1;

	/* Two events per queue may wait for EQ_HEAD, see events.c. */
	for (dev->eq_order = 7; (1ull << dev->eq_order) < slots && dev->eq_order < 16; )
		dev->eq_order++;
	if ((1ull << dev->eq_order) < slots)
		return acc_fail(-EIO, "no event ring is big enough for %u queues and %u contexts",
				queues, contexts);
	dev->shared_len = admin + (sizeof(struct nca_event) << dev->eq_order);
	dev->shared = sim_host_alloc(dev, dev->shared_len);
	if (!dev->shared)
		return -ENOMEM;
	sim_admin_init(dev, dev->shared);
	pthread_mutex_lock(&dev->table_lock);
	dev->eq = (struct nca_event *)(dev->shared + admin);
	pthread_mutex_unlock(&dev->table_lock);
	return 0;
}

static int map_bars(struct sim_dev *dev)
{
	uint64_t offset = ncasim_reg_read(dev->hw, NCA_REG_DB_OFFSET, 4);
	uint64_t devmem_len;
	size_t len;
	uint8_t *p;

	dev->db_stride = ncasim_reg_read(dev->hw, NCA_REG_DB_STRIDE, 4);
	p = ncasim_doorbells(dev->hw, &len, NULL);
	if (!p || dev->db_stride < sizeof(struct nca_doorbell) || offset > len ||
	    (len - offset) / dev->db_stride < dev->id.max_queues)
		return acc_fail(-EIO, "%u doorbell pages do not fit a doorbell BAR of %zu bytes",
				dev->id.max_queues, len);
	madvise(p, len, MADV_DONTFORK);
	dev->doorbells = p + offset;
	dev->devmem = ncasim_devmem(dev->hw, &devmem_len, NULL);
	if (!dev->devmem || devmem_len < dev->id.devmem_size)
		return acc_fail(-EIO, "the device says it has %llu bytes of memory but shows %llu",
				(unsigned long long)dev->id.devmem_size,
				(unsigned long long)devmem_len);
	madvise(dev->devmem, devmem_len, MADV_DONTFORK);
	return 0;
}

static void sim_close(struct acc_bdev *bdev)
{
	struct sim_dev *dev = (struct sim_dev *)bdev;
	struct sim_mem *mem;

	if (dev->hw)
		ncasim_destroy(dev->hw);
	while ((mem = LIST_FIRST(&dev->dirty))) {
		LIST_REMOVE(mem, dirty);
		free(mem);
	}
	/* The device's threads are gone: nothing reads the shared memory any more. */
	if (dev->shared)
		munmap(dev->shared, dev->shared_len);
	acc_ranges_fini(&dev->devmem_free);
	ncasim_config_fini(&dev->cfg);
	free(dev->queue);
	free(dev);
}

static void sim_forget(struct acc_bdev *bdev)
{
	/* The device's threads stayed in the parent; what they left here is out of reach. */
	free(bdev);
}

static int start(struct sim_dev *dev)
{
	int r;

	pthread_mutex_lock(&dev->admin.lock);
	r = sim_admin_start(dev);
	pthread_mutex_unlock(&dev->admin.lock);
	return r;
}

static int sim_open(const char *name, struct acc_bdev **out)
{
	static const struct ncasim_host_ops host_ops = { .irq = sim_interrupt };
	char err[256] = "";
	struct sim_dev *dev = calloc(1, sizeof(*dev));
	uint32_t magic, version;
	int r;

	if (!dev)
		return acc_fail(-ENOMEM, "no memory for a simulated device");
	dev->b.ops = &acc_backend_sim;
	snprintf(dev->name, sizeof(dev->name), "%s", name);
	LIST_INIT(&dev->contexts);
	LIST_INIT(&dev->dirty);
	pthread_mutex_init(&dev->ack_lock, NULL);
	pthread_mutex_init(&dev->mem_lock, NULL);
	pthread_mutex_init(&dev->table_lock, NULL);
	pthread_mutex_init(&dev->reset_lock, NULL);
	dev->cfg.size = sizeof(dev->cfg);
	r = ncasim_config_parse(&dev->cfg, name[3] ? name + 4 : "", err, sizeof(err));
	if (r) {
		free(dev);
		return acc_fail(r, "\"%.100s\": %s", name, err);
	}
	dev->cfg.private_memory = true;	/* MADV_DONTFORK in any case, see map_bars() */
	r = ncasim_create(&dev->cfg, &host_ops, dev, &dev->hw, err, sizeof(err));
	if (r) {
		acc_fail(r, "cannot make the simulated device \"%.100s\": %s", name, err);
		goto fail;
	}
	magic = (uint32_t)ncasim_reg_read(dev->hw, NCA_REG_MAGIC, 4);
	version = (uint32_t)ncasim_reg_read(dev->hw, NCA_REG_VERSION, 4);
	if (magic != NCA_MAGIC || version >> 16 != NCA_VERSION_MAJOR) {
		r = acc_fail(-EIO, "the device shows magic 0x%x version 0x%x; this library needs 0x%x and major version %d",
			     magic, version, NCA_MAGIC, NCA_VERSION_MAJOR);
		goto fail;
	}
	r = alloc_shared(dev);
	if (!r)
		r = start(dev);
	if (!r)
		r = identify(dev);
	if (!r)
		r = map_bars(dev);
	if (r)
		goto fail;
	dev->queue = calloc(dev->id.max_queues, sizeof(*dev->queue));
	if (!dev->queue || acc_ranges_init(&dev->devmem_free, 0, dev->id.devmem_size)) {
		r = acc_fail(-ENOMEM, "no memory for the tables of a simulated device");
		goto fail;
	}
	r = sim_events_start(dev);
	if (r)
		goto fail;
	dev->b.tick_hz = dev->id.tick_hz;
	dev->b.features = dev->id.features;
	dev->b.target = dev->id.target;
	dev->b.max_queue_order = dev->id.max_queue_order;
	*out = &dev->b;
	return 0;
fail:
	sim_close(&dev->b);
	return r;
}

static int sim_info(struct acc_bdev *bdev, struct accel_device_info *info)
{
	struct sim_dev *dev = (struct sim_dev *)bdev;
	struct acc_capacity left;

	sim_capacity(dev, &left, &info->contexts, &info->queues);
	snprintf(info->name, sizeof(info->name), "sim");
	snprintf(info->target, sizeof(info->target), "%.15s", dev->id.target_name);
	snprintf(info->serial, sizeof(info->serial), "%.31s", dev->id.serial);
	snprintf(info->firmware, sizeof(info->firmware), "%.31s", dev->id.firmware);
	snprintf(info->driver, sizeof(info->driver), "sim");
	info->cores = dev->id.cores;
	info->slices = dev->id.slices;
	info->slices_free = left.free;
	info->slices_largest = left.largest;
	info->max_contexts = dev->id.max_contexts;
	info->max_queues = dev->id.max_queues;
	info->max_queue_order = dev->id.max_queue_order;
	info->memory_size = dev->id.devmem_size;
	pthread_mutex_lock(&dev->mem_lock);
	info->memory_used = dev->devmem_free.used;
	pthread_mutex_unlock(&dev->mem_lock);
	info->memory_bandwidth = dev->id.devmem_bw;
	info->link_bandwidth = dev->id.pci_link_bw;
	info->tick_hz = dev->id.tick_hz;
	info->quantum_us = dev->id.quantum_us;
	info->simulated = dev->id.simulated;
	pthread_mutex_lock(&dev->table_lock);
	info->state = dev->state;
	pthread_mutex_unlock(&dev->table_lock);
	return 0;
}

static int sim_telemetry(struct acc_bdev *bdev, struct accel_telemetry *out)
{
	struct sim_dev *dev = (struct sim_dev *)bdev;
	struct ncasim_telemetry extra;
	struct nca_admin_cmd cmd;
	struct nca_admin_cpl cpl;
	struct nca_telemetry t;
	struct sim_call call;
	int r = sim_admin_begin(dev, &call);

	if (r)
		return r;
	memset(call.page, 0, ACC_PAGE);
	cmd = (struct nca_admin_cmd){
		.opcode = NCA_ADMIN_TELEMETRY, .log = { .addr = call.addr, .len = sizeof(t) },
	};
	r = sim_admin_run(dev, &call, &cmd, &cpl);
	t = *(const struct nca_telemetry *)call.page;
	sim_admin_end(dev, &call);
	if (r == -EREMOTEIO)
		return sim_admin_refused(&cpl, "reading telemetry");
	if (r)
		return r;
	acc_telemetry_from_device(out, &t);
	ncasim_telemetry(dev->hw, &extra);
	memcpy(out->instructions, extra.instructions, sizeof(out->instructions));
	snprintf(out->simd, sizeof(out->simd), "%s", extra.simd ? extra.simd : "");
	return 0;
}

/*
 * Everybody learns of it first; then whoever waits for an admin command is let
 * go, because the device forgets the command; then the device comes up anew.
 */
static int sim_reset(struct acc_bdev *bdev)
{
	struct sim_dev *dev = (struct sim_dev *)bdev;
	struct sim_admin *a = &dev->admin;
	struct sim_ctx *ctx;
	int r;

	pthread_mutex_lock(&dev->reset_lock);
	pthread_mutex_lock(&dev->table_lock);
	dev->state = 1;
	pthread_mutex_unlock(&dev->table_lock);
	sim_contexts_lost(dev, NULL, NCA_CTX_DEVICE_RESET, NCA_CAUSE_RESET);

	pthread_mutex_lock(&a->lock);
	/* A context made now must find the event queue there. */
	a->restarting = true;
	a->restarter = pthread_self();
	ncasim_reset(dev->hw);
	pthread_mutex_lock(&dev->table_lock);
	dev->resets++;
	LIST_FOREACH(ctx, &dev->contexts, link)
		atomic_store(&ctx->on_device, false);
	pthread_mutex_unlock(&dev->table_lock);
	/* Those, too, that were made after the first time. */
	sim_contexts_lost(dev, NULL, NCA_CTX_DEVICE_RESET, NCA_CAUSE_RESET);
	for (unsigned int i = 0; i < SIM_CALLS; i++) {
		/* Whoever gave up on an answer is gone; the page is free again now. */
		if (a->call[i].abandoned)
			a->call[i].taken = a->call[i].abandoned = false;
		a->call[i].cpl = (struct nca_admin_cpl){ .status = NCA_ADMIN_ABORTED };
		a->call[i].done = true;
	}
	r = sim_admin_start(dev);
	a->dead = r != 0;
	pthread_mutex_unlock(&a->lock);
	sim_admin_interrupt(dev);

	if (!r)
		r = sim_events_start(dev);
	if (!r)
		sim_scrub_dirty(dev);
	pthread_mutex_lock(&dev->table_lock);
	dev->state = r ? 2 : 0;
	pthread_mutex_unlock(&dev->table_lock);
	pthread_mutex_lock(&a->lock);
	a->restarting = false;
	pthread_cond_broadcast(&a->call_free);
	pthread_mutex_unlock(&a->lock);
	pthread_mutex_unlock(&dev->reset_lock);
	return r;
}

const struct acc_backend acc_backend_sim = {
	.name = "sim",
	.open = sim_open,
	.close = sim_close,
	.forget = sim_forget,
	.info = sim_info,
	.telemetry = sim_telemetry,
	.reset = sim_reset,
	.ctx_create = sim_ctx_create,
	.ctx_destroy = sim_ctx_destroy,
	.ctx_abort = sim_ctx_abort,
	.ctx_usage = sim_ctx_usage,
	.ctx_fault = sim_ctx_fault,
	.mem_alloc = sim_mem_alloc,
	.mem_map = sim_mem_map,
	.mem_bind = sim_mem_bind,
	.mem_unbind = sim_mem_unbind,
	.mem_free = sim_mem_free,
	.queue_create = sim_queue_create,
	.queue_destroy = sim_queue_destroy,
	.queue_before_arm = sim_queue_before_arm,
	.queue_sleep = sim_queue_sleep,
	.queue_eventfd = sim_queue_eventfd,
};
