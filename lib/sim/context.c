// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sim.h"

static int create_on_device(struct sim_ctx *ctx, const struct acc_ctx_request *req,
			    struct acc_capacity *left)
{
	struct sim_dev *dev = ctx->dev;
	struct nca_admin_cmd cmd = {
		.opcode = NCA_ADMIN_CTX_CREATE,
		.ctx_create = {
			.slices = req->slices,
			.flags = req->burst ? NCA_CTX_BURST : 0,
		},
	};
	struct nca_admin_cpl cpl;
	struct sim_call call;
	int r = sim_admin_begin(dev, &call);

	if (r)
		return r;
	r = sim_admin_run(dev, &call, &cmd, &cpl);
	sim_admin_end(dev, &call);
	if (r == -EREMOTEIO && cpl.status == NCA_ADMIN_NO_CAPACITY) {
		left->free = (uint32_t)cpl.result[0];
		left->largest = (uint32_t)cpl.result[1];
		return -ENOSPC;
	}
	if (r == -EREMOTEIO)
		return sim_admin_refused(&cpl, "creating a context");
	if (r)
		return r;
	ctx->b.id = (uint32_t)cpl.result[0];
	ctx->b.gen = cpl.result[0] >> 32;
	ctx->b.core_mask = (uint32_t)cpl.result[1];
	return 0;
}

int sim_ctx_create(struct acc_bdev *bdev, const struct acc_ctx_request *req,
		   struct acc_capacity *left, struct acc_bctx **out)
{
	struct sim_dev *dev = (struct sim_dev *)bdev;
	uint64_t share = dev->id.devmem_size / dev->id.slices * req->slices & ~(ACC_PAGE - 1);
	struct sim_ctx *ctx;
	uint32_t resets;
	int r;

	pthread_mutex_lock(&dev->table_lock);
	resets = dev->resets;
	pthread_mutex_unlock(&dev->table_lock);
	if (req->quota > share)
		return acc_fail(-EINVAL, "a device memory quota of %llu bytes is more than the %llu that come with %s",
				(unsigned long long)req->quota, (unsigned long long)share,
				accel_size_name(req->slices));
	ctx = calloc(1, sizeof(*ctx));
	if (!ctx)
		return acc_fail(-ENOMEM, "no memory for a context");
	ctx->dev = dev;
	ctx->slices = req->slices;
	ctx->status = mmap(NULL, ACC_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
	if (ctx->status == MAP_FAILED) {
		r = acc_fail_sys(-errno, "cannot get a context's status page");
		goto free_ctx;
	}
	if (acc_ranges_init(&ctx->ring_va, dev->id.va_user_end, dev->id.va_kernel_end)) {
		r = acc_fail(-ENOMEM, "no memory for a context's ring addresses");
		goto free_status;
	}
	r = create_on_device(ctx, req, left);
	if (r)
		goto free_ranges;
	ctx->b.status = ctx->status;
	ctx->b.va_start = dev->id.va_user_start;
	ctx->b.va_end = dev->id.va_user_end;
	ctx->b.quota = req->quota ? req->quota : share;
	ctx->status->version = 1;
	ctx->status->ctx_gen = ctx->b.gen;
	ctx->status->device_gen = (uint32_t)ncasim_reg_read(dev->hw, NCA_REG_GENERATION, 4);
	atomic_store(&ctx->on_device, true);
	pthread_mutex_lock(&dev->table_lock);
	if (resets == dev->resets)
		LIST_INSERT_HEAD(&dev->contexts, ctx, link);
	else
		r = -ESTALE;
	pthread_mutex_unlock(&dev->table_lock);
	if (r) {
		acc_fail(r, "the device was reset while the context was made; try again");
		goto free_ranges;
	}
	sim_events_ack(dev);
	*out = &ctx->b;
	return 0;

free_ranges:
	acc_ranges_fini(&ctx->ring_va);
free_status:
	munmap(ctx->status, ACC_PAGE);
free_ctx:
	free(ctx);
	return r;
}

void sim_ctx_destroy(struct acc_bctx *bctx)
{
	struct sim_ctx *ctx = (struct sim_ctx *)bctx;
	struct sim_dev *dev = ctx->dev;
	struct nca_admin_cmd cmd = {
		.opcode = NCA_ADMIN_CTX_DESTROY, .ctx = ctx->b.id, .ctx_gen = ctx->b.gen,
	};

	if (atomic_load(&ctx->on_device))
		sim_admin_simple(dev, &cmd, "destroying a context");
	pthread_mutex_lock(&dev->table_lock);
	LIST_REMOVE(ctx, link);
	pthread_mutex_unlock(&dev->table_lock);
	sim_events_ack(dev);
	acc_ranges_fini(&ctx->ring_va);
	munmap(ctx->status, ACC_PAGE);
	free(ctx);
}

int sim_ctx_abort(struct acc_bctx *bctx)
{
	struct sim_ctx *ctx = (struct sim_ctx *)bctx;
	struct nca_admin_cmd cmd = {
		.opcode = NCA_ADMIN_ABORT, .ctx = ctx->b.id, .ctx_gen = ctx->b.gen,
		.queue = { .queue = NCA_QUEUE_ALL, .cause = NCA_CAUSE_ABORT },
	};

	sim_contexts_lost(ctx->dev, ctx, NCA_CTX_LOST, NCA_CAUSE_ABORT);
	if (!atomic_load(&ctx->on_device))
		return 0;
	return sim_admin_simple(ctx->dev, &cmd, "aborting a context");
}

/* Have the device write a log page into a copy of ours; what it leaves out is zero. */
static int read_log(struct sim_dev *dev, uint32_t page, uint8_t copy[ACC_PAGE], const char *what)
{
	struct nca_admin_cmd cmd;
	struct nca_admin_cpl cpl;
	struct sim_call call;
	int r = sim_admin_begin(dev, &call);

	if (r)
		return r;
	memset(call.page, 0, ACC_PAGE);
	cmd = (struct nca_admin_cmd){
		.opcode = NCA_ADMIN_LOG_PAGE,
		.log = { .addr = call.addr, .len = ACC_PAGE, .page = page },
	};
	r = sim_admin_run(dev, &call, &cmd, &cpl);
	memcpy(copy, call.page, ACC_PAGE);
	sim_admin_end(dev, &call);
	return r == -EREMOTEIO ? sim_admin_refused(&cpl, what) : r;
}

int sim_ctx_usage(struct acc_bctx *bctx, struct accel_context_info *info)
{
	struct sim_ctx *ctx = (struct sim_ctx *)bctx;
	struct sim_dev *dev = ctx->dev;
	union {
		uint8_t page[ACC_PAGE];
		struct nca_ctx_usage u[ACC_PAGE / sizeof(struct nca_ctx_usage)];
	} log;
	int r;

	pthread_mutex_lock(&dev->mem_lock);
	info->memory_used = ctx->mem_used;
	pthread_mutex_unlock(&dev->mem_lock);
	/* A reset device has forgotten the context and its counters. */
	if (!atomic_load(&ctx->on_device))
		return 0;
	r = read_log(dev, NCA_LOG_ARBITER, log.page, "reading the arbiter's counters");
	for (unsigned int i = 0; !r && i < sizeof(log.u) / sizeof(log.u[0]); i++) {
		if (log.u[i].ctx != ctx->b.id || log.u[i].ctx_gen != ctx->b.gen)
			continue;
		info->busy_ns = log.u[i].busy_ns;
		info->preempt_ns = log.u[i].preempt_ns;
		info->commands = log.u[i].commands;
		info->launches = log.u[i].launches;
		break;
	}
	return r;
}

int sim_ctx_fault(struct acc_bctx *bctx, struct nca_fault_record *fault)
{
	struct sim_ctx *ctx = (struct sim_ctx *)bctx;
	union {
		uint8_t page[ACC_PAGE];
		struct nca_fault_record f[ACC_PAGE / sizeof(struct nca_fault_record)];
	} log;
	int r = read_log(ctx->dev, NCA_LOG_FAULTS, log.page, "reading the fault log");

	if (r)
		return r;
	/* Newest first; the generation keeps a successor from being blamed. */
	for (unsigned int i = 0; i < sizeof(log.f) / sizeof(log.f[0]); i++) {
		if (log.f[i].ctx == ctx->b.id && log.f[i].ctx_gen == ctx->b.gen) {
			*fault = log.f[i];
			return 0;
		}
	}
	return -ENODATA;
}
