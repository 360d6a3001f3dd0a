// SPDX-License-Identifier: MIT
/*
 * Memory of the embedded device. Host memory's bus address is its address in
 * this process: unique without bookkeeping, and a wild one hits nothing that
 * was not mapped for DMA. Device memory is handed out zeroed: a range is
 * scrubbed when it is given back, before anybody else can get it.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "sim.h"

void *sim_host_alloc(struct sim_dev *dev, uint64_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int r;

	if (p == MAP_FAILED) {
		acc_fail_sys(-errno, "cannot get %llu bytes of host memory",
			     (unsigned long long)len);
		return NULL;
	}
	/* A child must not write into what the parent's device reads, nor copy it. */
	madvise(p, len, MADV_DONTFORK);
	r = ncasim_dma_map(dev->hw, (uintptr_t)p, p, len, NCASIM_DMA_READ | NCASIM_DMA_WRITE);
	if (r) {
		munmap(p, len);
		acc_fail_sys(r, "cannot make %llu bytes of host memory reachable for the device",
			     (unsigned long long)len);
		return NULL;
	}
	return p;
}

void sim_host_free(struct sim_dev *dev, void *p, uint64_t len)
{
	/* Returns only when no engine uses the memory any more. */
	ncasim_dma_unmap(dev->hw, (uintptr_t)p, len);
	munmap(p, len);
}

int sim_map(struct sim_ctx *ctx, uint64_t va, uint64_t len, uint64_t addr, uint32_t flags)
{
	struct sim_dev *dev = ctx->dev;
	struct nca_extent_page *list;
	struct nca_admin_cpl cpl;
	struct sim_call call;
	struct nca_admin_cmd cmd;
	int r = sim_admin_begin(dev, &call);

	if (r)
		return r;
	list = call.page;
	list->next = 0;
	list->count = 1;
	list->rsvd = 0;
	list->extent[0] = (struct nca_extent){ .addr = addr, .len = len };
	cmd = (struct nca_admin_cmd){
		.opcode = NCA_ADMIN_MAP, .ctx = ctx->b.id, .ctx_gen = ctx->b.gen,
		.map = { .va = va, .len = len, .list = call.addr, .extents = 1, .flags = flags },
	};
	r = sim_admin_run(dev, &call, &cmd, &cpl);
	sim_admin_end(dev, &call);
	return r == -EREMOTEIO ? sim_admin_refused(&cpl, "mapping memory into a context") : r;
}

/*
 * Fails only when the context is not on the device any more (reset) or the
 * device does no more DMA (wedged): the range is out of use either way.
 */
void sim_unmap(struct sim_ctx *ctx, uint64_t va, uint64_t len)
{
	struct nca_admin_cmd cmd = {
		.opcode = NCA_ADMIN_UNMAP, .ctx = ctx->b.id, .ctx_gen = ctx->b.gen,
		.unmap = { .va = va, .len = len },
	};

	if (atomic_load(&ctx->on_device))
		sim_admin_simple(ctx->dev, &cmd, "unmapping memory from a context");
}

static int alloc_device(struct sim_ctx *ctx, struct sim_mem *mem)
{
	struct sim_dev *dev = ctx->dev;
	uint64_t size = mem->b.size, left;
	int r;

	pthread_mutex_lock(&dev->mem_lock);
	left = ctx->b.quota - ctx->mem_used;
	if (size > left) {
		pthread_mutex_unlock(&dev->mem_lock);
		return acc_fail(-ENOSPC, "%llu bytes of device memory do not fit: %llu of the context's %llu are free",
				(unsigned long long)size, (unsigned long long)left,
				(unsigned long long)ctx->b.quota);
	}
	r = acc_ranges_alloc(&dev->devmem_free, size, ACC_PAGE, &mem->offset);
	if (!r)
		ctx->mem_used += size;
	pthread_mutex_unlock(&dev->mem_lock);
	if (r)
		return acc_fail(-ENOSPC, "device memory is too fragmented for %llu bytes in one piece",
				(unsigned long long)size);
	return 0;
}

int sim_mem_alloc(struct acc_bctx *bctx, uint64_t size, enum accel_memory where,
		  struct acc_bmem **out)
{
	struct sim_ctx *ctx = (struct sim_ctx *)bctx;
	struct sim_mem *mem = calloc(1, sizeof(*mem));
	int r;

	if (!mem)
		return acc_fail(-ENOMEM, "no memory for a buffer");
	mem->dev = ctx->dev;
	mem->ctx = ctx;
	mem->b.size = size;
	mem->b.where = where;
	if (where == ACCEL_DEVICE) {
		r = alloc_device(ctx, mem);
	} else {
		mem->b.cpu = sim_host_alloc(ctx->dev, size);
		r = mem->b.cpu ? 0 : -ENOMEM;
	}
	if (r) {
		free(mem);
		return r;
	}
	*out = &mem->b;
	return 0;
}

int sim_mem_map(struct acc_bmem *bmem)
{
	struct sim_mem *mem = (struct sim_mem *)bmem;

	bmem->cpu = mem->dev->devmem + mem->offset;
	return 0;
}

int sim_mem_bind(struct acc_bctx *bctx, struct acc_bmem *bmem, uint64_t va, uint32_t access)
{
	struct sim_mem *mem = (struct sim_mem *)bmem;
	uint32_t flags = 0;
	uint64_t addr;

	if (access & ACCEL_READ)
		flags |= NCA_MAP_READ;
	if (access & ACCEL_WRITE)
		flags |= NCA_MAP_WRITE;
	if (bmem->where == ACCEL_DEVICE) {
		flags |= NCA_MAP_DEVICE;
		addr = mem->offset;
	} else {
		addr = (uintptr_t)bmem->cpu;
	}
	return sim_map((struct sim_ctx *)bctx, va, bmem->size, addr, flags);
}

void sim_mem_unbind(struct acc_bctx *bctx, struct acc_bmem *bmem, uint64_t va)
{
	sim_unmap((struct sim_ctx *)bctx, va, bmem->size);
}

static int scrub(struct sim_mem *mem)
{
	struct nca_admin_cmd cmd = {
		.opcode = NCA_ADMIN_SCRUB,
		.scrub = { .offset = mem->offset, .len = mem->b.size },
	};
	int r = sim_admin_simple(mem->dev, &cmd, "scrubbing device memory");

	/* A reset came in between; the device that is back can do it. */
	return r == -ESTALE ? sim_admin_simple(mem->dev, &cmd, "scrubbing device memory") : r;
}

static void scrub_and_free(struct sim_mem *mem)
{
	struct sim_dev *dev = mem->dev;
	int r = scrub(mem);

	pthread_mutex_lock(&dev->mem_lock);
	/* Nobody gets it before it has been scrubbed. */
	if (r)
		LIST_INSERT_HEAD(&dev->dirty, mem, dirty);
	else
		acc_ranges_free(&dev->devmem_free, mem->offset, mem->b.size);
	pthread_mutex_unlock(&dev->mem_lock);
	if (!r)
		free(mem);
}

void sim_mem_free(struct acc_bmem *bmem)
{
	struct sim_mem *mem = (struct sim_mem *)bmem;
	struct sim_dev *dev = mem->dev;

	if (bmem->where == ACCEL_HOST) {
		sim_host_free(dev, bmem->cpu, bmem->size);
		free(mem);
		return;
	}
	pthread_mutex_lock(&dev->mem_lock);
	mem->ctx->mem_used -= bmem->size;
	pthread_mutex_unlock(&dev->mem_lock);
	scrub_and_free(mem);
}

void sim_scrub_dirty(struct sim_dev *dev)
{
	LIST_HEAD(, sim_mem) dirty = LIST_HEAD_INITIALIZER(dirty);
	struct sim_mem *mem;

	pthread_mutex_lock(&dev->mem_lock);
	while ((mem = LIST_FIRST(&dev->dirty))) {
		LIST_REMOVE(mem, dirty);
		LIST_INSERT_HEAD(&dirty, mem, dirty);
	}
	pthread_mutex_unlock(&dev->mem_lock);
	while ((mem = LIST_FIRST(&dirty))) {
		LIST_REMOVE(mem, dirty);
		scrub_and_free(mem);
	}
}
