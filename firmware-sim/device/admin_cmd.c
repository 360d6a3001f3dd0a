/* SPDX-License-Identifier: MIT */
/* What each admin command does. @cmd is the device's private copy. */
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/mman.h>

#include "device.h"

#define BAD(r, member)	bad_field(r, (uint32_t)offsetof(struct nca_admin_cmd, member))

static void bad_field(struct admin_result *r, uint32_t offset)
{
	r->status = NCA_ADMIN_BAD_FIELD;
	r->detail = offset;
}

/* Operand bytes from @from on must be zero; reports the first that is not. */
static bool rest_zero(const struct nca_admin_cmd *cmd, size_t from, struct admin_result *r)
{
	const uint8_t *b = (const uint8_t *)cmd;

	for (size_t i = from; i < sizeof(*cmd); i++) {
		if (b[i]) {
			bad_field(r, (uint32_t)i);
			return false;
		}
	}
	return true;
}

#define OPERANDS		offsetof(struct nca_admin_cmd, raw)
#define REST_ZERO(member)	rest_zero(cmd, offsetof(struct nca_admin_cmd, member), r)

static void identify(struct ncasim *dev, const struct nca_admin_cmd *cmd, struct admin_result *r)
{
	const struct nca_target *t = dev->target;
	struct nca_identify id = {
		.version = NCA_VERSION_MAJOR << 16 | NCA_VERSION_MINOR,
		.target = t->id,
		.features = NCA_FEATURE_INJECT | NCA_FEATURE_BURST | NCA_FEATURE_CHECK |
			    NCA_FEATURE_REPORT_LEN,
		.cores = t->cores,
		.slices = NCA_SLICES,
		.max_contexts = DEV_CONTEXTS,
		.max_queues = DEV_QUEUES,
		.vectors = DEV_VECTORS,
		.max_queue_order = NCA_QUEUE_MAX_ORDER,
		.devmem_size = dev->devmem_len,
		.devmem_bw = t->devmem_bw,
		.va_user_start = NCA_VA_USER_START,
		.va_user_end = NCA_VA_USER_END,
		.va_kernel_end = NCA_VA_KERNEL_END,
		.tick_hz = t->tick_hz,
		.quantum_us = dev->cfg.quantum_us,
		.simulated = 1,
		.pci_link_bw = t->link_bw,
	};

	if (cmd->identify.addr & (DEV_PAGE - 1)) {
		BAD(r, identify.addr);
		return;
	}
	if (!REST_ZERO(identify.rsvd))
		return;
	snprintf(id.target_name, sizeof(id.target_name), "%s", t->name);
	snprintf(id.serial, sizeof(id.serial), "%s", dev->serial);
	snprintf(id.firmware, sizeof(id.firmware), "%s", DEV_FIRMWARE);
	if (!dma_write(dev, cmd->identify.addr, &id, sizeof(id)))
		r->status = NCA_ADMIN_BAD_ADDRESS;
}

static void ctx_destroy(struct ncasim *dev, struct context *ctx, struct admin_result *r)
{
	if (ctx->queues) {
		r->status = NCA_ADMIN_BUSY;
		return;
	}
	r->wait_cores = context_stop(dev, ctx);
	context_free(dev, ctx);
}

static void unmap(struct ncasim *dev, struct context *ctx, const struct nca_admin_cmd *cmd,
		  struct admin_result *r)
{
	if (!map_remove(ctx, cmd->unmap.va, cmd->unmap.len)) {
		r->status = NCA_ADMIN_BAD_ADDRESS;
		return;
	}
	if (cmd->unmap.va + cmd->unmap.len > NCA_VA_USER_END)
		queues_remap(dev, ctx);
	r->wait_cores = context_stop(dev, ctx);
}

static void scrub(struct ncasim *dev, const struct nca_admin_cmd *cmd, struct admin_result *r)
{
	uint64_t off = cmd->scrub.offset, len = cmd->scrub.len, end;

	if (off & (DEV_PAGE - 1)) {
		BAD(r, scrub.offset);
		return;
	}
	if (!len || len & (DEV_PAGE - 1) || __builtin_add_overflow(off, len, &end) ||
	    end > dev->devmem_len) {
		BAD(r, scrub.len);
		return;
	}
	/* What is no longer there reads as zero and gives the host its memory back. */
	if (dev->devmem_fd < 0 ? madvise(dev->devmem + off, len, MADV_DONTNEED) :
	    fallocate(dev->devmem_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off,
		      (off_t)len))
		memset(dev->devmem + off, 0, len);
}

static void eq_create(struct ncasim *dev, const struct nca_admin_cmd *cmd, struct admin_result *r)
{
	struct event_queue *eq;

	if (!cmd->eq.vector || cmd->eq.vector >= DEV_VECTORS) {
		BAD(r, eq.vector);
	} else if (cmd->eq.order < 5 || cmd->eq.order > 16) {
		BAD(r, eq.order);
	} else if (cmd->eq.base & (DEV_PAGE - 1)) {
		BAD(r, eq.base);
	} else if (REST_ZERO(eq.rsvd)) {
		eq = &dev->eq[cmd->eq.vector];
		if (eq->used) {
			r->status = NCA_ADMIN_ID_IN_USE;
			return;
		}
		*eq = (struct event_queue){
			.used = true, .base = cmd->eq.base, .order = cmd->eq.order,
		};
		atomic_store(&dev->regs.eq_head[cmd->eq.vector], 0);
	}
}

static void eq_destroy(struct ncasim *dev, const struct nca_admin_cmd *cmd, struct admin_result *r)
{
	uint32_t v = cmd->eq.vector;

	if (!REST_ZERO(eq.rsvd))
		return;
	if (!v || v >= DEV_VECTORS || !dev->eq[v].used) {
		r->status = NCA_ADMIN_BAD_ID;
		return;
	}
	for (uint32_t i = 0; i < DEV_QUEUES; i++) {
		if (dev->queue[i].used && dev->queue[i].vector == v) {
			r->status = NCA_ADMIN_BUSY;
			return;
		}
	}
	memset(&dev->eq[v], 0, sizeof(dev->eq[v]));
}

static struct queue *queue_named(struct ncasim *dev, struct context *ctx,
				 const struct nca_admin_cmd *cmd)
{
	struct queue *q = cmd->queue.queue < DEV_QUEUES ? &dev->queue[cmd->queue.queue] : NULL;

	return q && q->used && q->ctx == ctx && q->gen == cmd->queue.queue_gen ? q : NULL;
}

static void queue_destroy(struct ncasim *dev, struct context *ctx, const struct nca_admin_cmd *cmd,
			  struct admin_result *r)
{
	struct queue *q = queue_named(dev, ctx, cmd);
	struct launch *l;

	if (!q) {
		r->status = NCA_ADMIN_BAD_ID;
		return;
	}
	l = q->launch;
	if (l && dev->core[l->core].running == l && !l->returned)
		r->wait_cores = 1u << l->core;
	queue_free(dev, q);
}

static void do_abort(struct ncasim *dev, struct context *ctx, const struct nca_admin_cmd *cmd,
		     struct admin_result *r)
{
	struct queue *q = NULL;

	if (cmd->queue.cause > NCA_CAUSE_RING) {
		BAD(r, queue.cause);
		return;
	}
	if (cmd->queue.queue != NCA_QUEUE_ALL) {
		q = queue_named(dev, ctx, cmd);
		if (!q) {
			r->status = NCA_ADMIN_BAD_ID;
			return;
		}
	}
	/* The driver asked, so it needs no event. All queues: NULL, none is spared. */
	context_lose(dev, ctx, cmd->queue.cause ? cmd->queue.cause : NCA_CAUSE_ABORT, NULL, false);
	r->wait_cores = context_stop(dev, ctx);
}

static void read_log(struct ncasim *dev, const struct nca_admin_cmd *cmd, struct admin_result *r)
{
	uint8_t page[DEV_PAGE] __attribute__((aligned(8)));
	uint32_t n;

	if (!cmd->log.len || cmd->log.len > DEV_PAGE ||
	    (cmd->log.addr & (DEV_PAGE - 1)) + cmd->log.len > DEV_PAGE) {
		BAD(r, log.len);
		return;
	}
	if (!REST_ZERO(log.rsvd))
		return;
	memset(page, 0, sizeof(page));
	if (cmd->opcode == NCA_ADMIN_TELEMETRY && !cmd->log.page) {
		n = log_telemetry(dev, page, cmd->log.len);
	} else if (cmd->opcode == NCA_ADMIN_LOG_PAGE && cmd->log.page == NCA_LOG_FAULTS) {
		n = log_faults(dev, page, cmd->log.len);
	} else if (cmd->opcode == NCA_ADMIN_LOG_PAGE && cmd->log.page == NCA_LOG_ARBITER) {
		n = log_usage(dev, page, cmd->log.len);
	} else {
		BAD(r, log.page);
		return;
	}
	r->result[0] = n;
	if (n && !dma_write(dev, cmd->log.addr, page, n))
		r->status = NCA_ADMIN_BAD_ADDRESS;
}

static void inject(struct ncasim *dev, const struct nca_admin_cmd *cmd, struct admin_result *r)
{
	struct context *ctx;

	if (!REST_ZERO(inject.rsvd))
		return;
	switch (cmd->inject.what) {
	case NCA_INJECT_HANG:
		dev->hung = true;
		break;
	case NCA_INJECT_FATAL:
		device_fatal(dev, cmd->inject.arg);
		break;
	case NCA_INJECT_CTX_FAULT:
		ctx = context_find(dev, cmd->ctx, cmd->ctx_gen);
		if (ctx)
			context_lose(dev, ctx, cmd->inject.arg ? cmd->inject.arg : NCA_CAUSE_FAULT,
				     NULL, true);
		else
			r->status = NCA_ADMIN_BAD_ID;
		break;
	case NCA_INJECT_DROP_IRQ:
		dev->irq_drop = cmd->inject.arg;
		break;
	default:
		BAD(r, inject.what);
	}
}

static bool needs_context(uint32_t opcode)
{
	switch (opcode) {
	case NCA_ADMIN_CTX_DESTROY:
	case NCA_ADMIN_MAP:
	case NCA_ADMIN_UNMAP:
	case NCA_ADMIN_QUEUE_CREATE:
	case NCA_ADMIN_QUEUE_DESTROY:
	case NCA_ADMIN_ABORT:
		return true;
	}
	return false;
}

void admin_execute(struct ncasim *dev, const struct nca_admin_cmd *cmd, struct admin_result *r)
{
	struct context *ctx = NULL;

	if (cmd->flags) {
		BAD(r, flags);
		return;
	}
	if (cmd->rsvd) {
		BAD(r, rsvd);
		return;
	}
	if (needs_context(cmd->opcode)) {
		ctx = context_find(dev, cmd->ctx, cmd->ctx_gen);
		if (!ctx) {
			r->status = NCA_ADMIN_BAD_ID;
			return;
		}
	}
	switch (cmd->opcode) {
	case NCA_ADMIN_NOP:
		break;
	case NCA_ADMIN_IDENTIFY:
		identify(dev, cmd, r);
		break;
	case NCA_ADMIN_PARTITION_CREATE:
	case NCA_ADMIN_PARTITION_DESTROY:
		r->status = NCA_ADMIN_UNSUPPORTED;
		break;
	case NCA_ADMIN_CTX_CREATE:
		if (REST_ZERO(ctx_create.rsvd0))
			r->status = context_create(dev, cmd, r->result, &r->detail);
		break;
	case NCA_ADMIN_CTX_DESTROY:
		if (rest_zero(cmd, OPERANDS, r))
			ctx_destroy(dev, ctx, r);
		break;
	case NCA_ADMIN_MAP:
		r->status = map_add(dev, ctx, cmd, &r->detail);
		break;
	case NCA_ADMIN_UNMAP:
		if (REST_ZERO(unmap.rsvd))
			unmap(dev, ctx, cmd, r);
		break;
	case NCA_ADMIN_SCRUB:
		if (REST_ZERO(scrub.rsvd))
			scrub(dev, cmd, r);
		break;
	case NCA_ADMIN_EQ_CREATE:
		eq_create(dev, cmd, r);
		break;
	case NCA_ADMIN_EQ_DESTROY:
		eq_destroy(dev, cmd, r);
		break;
	case NCA_ADMIN_QUEUE_CREATE:
		r->status = queue_create(dev, ctx, cmd, &r->detail);
		break;
	case NCA_ADMIN_QUEUE_DESTROY:
		if (REST_ZERO(queue.rsvd0))
			queue_destroy(dev, ctx, cmd, r);
		break;
	case NCA_ADMIN_ABORT:
		if (REST_ZERO(queue.rsvd0))
			do_abort(dev, ctx, cmd, r);
		break;
	case NCA_ADMIN_TELEMETRY:
	case NCA_ADMIN_LOG_PAGE:
		read_log(dev, cmd, r);
		break;
	case NCA_ADMIN_INJECT:
		inject(dev, cmd, r);
		break;
	default:
		r->status = NCA_ADMIN_BAD_OPCODE;
	}
}
