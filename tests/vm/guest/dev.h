/* SPDX-License-Identifier: MIT */
/*
 * The raw kernel interface for test programs: no library between the test and the driver. All
 * functions return 0 or a negative errno; nothing is retried or hidden.
 */
#ifndef TEST_VM_DEV_H
#define TEST_VM_DEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <drm/nca_accel.h>
#include <nca/queue.h>

#define PAGE		4096ull
#define DEV_NODE	"/dev/accel/accel0"

int dev_open(void);				/* fd or negative errno */
int dev_ioctl(int fd, unsigned long request, void *arg);	/* 0 or negative errno, no retry */

int dev_info(int fd, struct drm_nca_device_info *info);
int dev_usage(int fd, struct drm_nca_usage *usage);

struct ctx {
	int fd;
	struct drm_nca_ctx_create c;		/* as granted */
	const struct nca_status_page *status;
	uint64_t next_va;			/* addresses are handed out upwards */
};

int ctx_create(int fd, uint32_t slices, struct ctx *ctx);
int ctx_destroy(struct ctx *ctx);
uint32_t ctx_state(const struct ctx *ctx);

struct bo {
	struct ctx *ctx;
	uint32_t handle;
	uint64_t size;
	uint64_t va;				/* 0: not bound */
	void *map;				/* NULL: not mapped */
};

int bo_create(struct ctx *ctx, uint64_t size, uint32_t placement, struct bo *bo);
int bo_map(struct bo *bo);
int bo_bind(struct bo *bo, uint32_t flags);
int bo_unbind(struct bo *bo);
/* Create, map and bind for reading and writing. */
int bo_make(struct ctx *ctx, uint64_t size, uint32_t placement, struct bo *bo);
void bo_close(struct bo *bo);			/* unmap and close the handle; a binding stays */
int gem_close(int fd, uint32_t handle);
int prime_export(int fd, uint32_t handle);	/* dma-buf or negative errno */
int prime_import(int fd, int dmabuf, uint32_t *handle);

struct queue {
	struct ctx *ctx;
	struct drm_nca_queue_create c;
	void *ring;
	const volatile struct nca_queue_state *state;
	struct nca_sqe *sq;
	const struct nca_cqe *cq;
	struct nca_doorbell *db;
	volatile uint32_t *kick;
	uint32_t tail, head;			/* submitted, consumed */
	uint32_t armed;				/* sequence of the last arm */
};

int queue_create(struct ctx *ctx, unsigned int sq_order, unsigned int cq_order, struct queue *q);
int queue_destroy(struct queue *q);
void queue_unmap(struct queue *q);

/* Append one command (the ring must have room), not yet visible to the device. */
struct nca_sqe *queue_next(struct queue *q, uint8_t opcode, uint64_t cookie);
void queue_submit(struct queue *q);		/* doorbell, and kick if asleep */
void queue_nop(struct queue *q, uint64_t cookie);
void queue_copy(struct queue *q, uint64_t cookie, uint64_t dst, uint64_t src, uint64_t len);
void queue_fill(struct queue *q, uint64_t cookie, uint64_t dst, uint32_t pattern, uint64_t len);
void queue_sem_wait(struct queue *q, uint64_t cookie, uint64_t va, uint64_t value);
void queue_sem_signal(struct queue *q, uint64_t cookie, uint64_t va, uint64_t value);

/* Take a completion if there is one. */
bool queue_poll(struct queue *q, struct nca_cqe *out);
/* Spin until a completion, the context's end (-EIO, ...) or a timeout (-ETIME). */
int queue_spin(struct queue *q, struct nca_cqe *out, uint64_t timeout_ms);
/* One event for the next completion. Look at the ring once more afterwards. */
void queue_arm(struct queue *q);
/* Commands submitted whose completions have not been taken. */
uint32_t queue_outstanding(const struct queue *q);

int queue_wait(struct queue *q, int64_t deadline_ns, uint64_t *events);

int64_t now_ns(void);				/* CLOCK_MONOTONIC */
void sleep_ms(unsigned int ms);
uint32_t rnd(uint32_t *state);			/* small, seedable, repeatable */

#endif
