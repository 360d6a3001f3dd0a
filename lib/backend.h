/* SPDX-License-Identifier: MIT */
/*
 * What a device backend gives the rest of the library. `sim` (the device is a
 * thread of this process) and `drm` (the kernel module) implement it; nothing
 * above this line knows which one it talks to.
 *
 * Backend objects are single malloc() blocks that begin with the struct below.
 * In a fork()ed child they are only free()d: their mappings do not exist there
 * and what they name belongs to the parent.
 *
 * Every operation may be called from any thread; those on one object are not
 * called while it is being destroyed. Operations that fail have said why
 * through acc_fail().
 */
#ifndef ACC_BACKEND_H
#define ACC_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include <nca/queue.h>

#include "accel.h"

#define ACC_PAGE	4096ull

struct acc_bdev {
	const struct acc_backend *ops;
	uint64_t tick_hz;
	uint32_t target;		/* enum nca_target_id */
	uint32_t max_queue_order;
	uint64_t features;		/* NCA_FEATURE_* */
};

struct acc_bctx {
	const struct nca_status_page *status;
	uint64_t va_start, va_end;	/* addresses the library hands out */
	uint64_t quota;
	uint32_t core_mask;
	uint32_t id, gen;
};

struct acc_bmem {
	uint64_t size;			/* whole pages */
	enum accel_memory where;
	void *cpu;			/* NULL until mapped */
	bool write_combining;		/* stores through @cpu need a flush before the doorbell */
};

struct acc_bqueue {
	const struct nca_queue_state *state;
	struct nca_sqe *sq;
	const struct nca_cqe *cq;
	struct nca_doorbell *db;
	/* A kick is a store to @kick, or a call where there is no such page. */
	volatile uint32_t *kick;
	void (*kick_fn)(struct acc_bqueue *q);
};

struct acc_ctx_request {
	uint32_t slices;
	bool burst;
	uint64_t quota;			/* 0: the size's share */
};

/* What is left when a context does not fit. */
struct acc_capacity {
	uint32_t free;			/* slices */
	uint32_t largest;		/* size in slices, 0: none */
};

struct acc_backend {
	const char *name;

	/* -ENODEV when @name is not a name of this backend's devices. */
	int (*open)(const char *name, struct acc_bdev **dev);
	void (*close)(struct acc_bdev *dev);
	void (*forget)(struct acc_bdev *dev);	/* close() in a fork child */
	int (*info)(struct acc_bdev *dev, struct accel_device_info *info);
	int (*telemetry)(struct acc_bdev *dev, struct accel_telemetry *t);
	int (*reset)(struct acc_bdev *dev);

	/* -ENOSPC fills in @left and leaves the sentence to the caller. */
	int (*ctx_create)(struct acc_bdev *dev, const struct acc_ctx_request *req,
			  struct acc_capacity *left, struct acc_bctx **ctx);
	void (*ctx_destroy)(struct acc_bctx *ctx);
	int (*ctx_abort)(struct acc_bctx *ctx);
	/* Fills in memory_used, busy_ns, preempt_ns, commands, launches. */
	int (*ctx_usage)(struct acc_bctx *ctx, struct accel_context_info *info);

	/* Newest fault of the context; -ENODATA without a sentence if there is none. */
	int (*ctx_fault)(struct acc_bctx *ctx, struct nca_fault_record *fault);

	int (*mem_alloc)(struct acc_bctx *ctx, uint64_t size, enum accel_memory where,
			 struct acc_bmem **mem);
	int (*mem_import)(struct acc_bctx *ctx, int fd, struct acc_bmem **mem);
	int (*mem_export)(struct acc_bmem *mem, int *fd);
	int (*mem_map)(struct acc_bmem *mem);	/* sets mem->cpu */
	int (*mem_bind)(struct acc_bctx *ctx, struct acc_bmem *mem, uint64_t va, uint32_t access);
	/* Returns when the device no longer uses the range. */
	void (*mem_unbind)(struct acc_bctx *ctx, struct acc_bmem *mem, uint64_t va);
	void (*mem_free)(struct acc_bmem *mem);

	int (*queue_create)(struct acc_bctx *ctx, unsigned int sq_order, unsigned int cq_order,
			    uint32_t core, struct acc_bqueue **queue);
	void (*queue_destroy)(struct acc_bqueue *queue);
	/* Called before a queue is armed; may be NULL. */
	void (*queue_before_arm)(struct acc_bqueue *queue);
	/*
	 * Sleep until the queue's event count differs from *events, the context is
	 * lost, or @deadline (CLOCK_MONOTONIC ns, INT64_MAX = never) has passed.
	 * 0 and the new count in *events, -ETIME, or another error for a device that
	 * is gone. May return 0 early; the caller looks at the ring again.
	 */
	int (*queue_sleep)(struct acc_bqueue *queue, uint64_t *events, int64_t deadline);
	int (*queue_eventfd)(struct acc_bqueue *queue, int fd);
	int (*queue_doorbell)(struct acc_bqueue *queue, uint32_t tail);
};

/* What both backends read from the device; the embedded one knows a little more. */
void acc_telemetry_from_device(struct accel_telemetry *out, const struct nca_telemetry *t);

extern const struct acc_backend acc_backend_sim;
extern const struct acc_backend acc_backend_drm;

/* Names of /dev/accel nodes that belong to the nca driver; malloc()ed, NULL-terminated. */
int acc_drm_list(char ***names, size_t *count);

#endif
