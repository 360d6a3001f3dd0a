/* SPDX-License-Identifier: MIT */
/*
 * A minimal driver for tests of the device: host memory, admin queue, event
 * queue, contexts and user queues, with nothing between test and ring.
 */
#ifndef TESTS_DEVICE_HOST_H
#define TESTS_DEVICE_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include <nca/admin.h>
#include <nca/isa.h>
#include <nca/queue.h>

#include "../../firmware-sim/ncasim.h"

#define HOST_IOVA	0x100000000ull
#define HOST_BYTES	(32u << 20)
#define HOST_EQ_ORDER	13u

struct host {
	struct ncasim *dev;
	uint8_t *mem;			/* bus address HOST_IOVA */
	uint64_t used;
	uint8_t *doorbells;
	struct nca_admin_cmd *asq;
	struct nca_admin_cpl *acq;
	uint32_t admin_tail, admin_head;
	struct nca_event *eq;
	uint32_t eq_head;
	uint32_t irqs[16];		/* read with host_irqs() */
	void (*hook)(void *arg);	/* runs on the device's thread at every interrupt */
	void *hook_arg;
	uint16_t cid;
};

struct hctx {
	uint32_t id, gen, core_mask;
	uint64_t next_va, next_ring_va;
};

struct hqueue {
	struct host *h;
	struct hctx *ctx;
	uint32_t id, gen;
	uint32_t sq_order, cq_order;
	struct nca_queue_state *state;
	struct nca_sqe *sq;
	struct nca_cqe *cq;
	struct nca_doorbell *db;
	uint32_t tail, head, arm_seq;
	uint64_t ring_va, ring_len;
};

/* Options as for ncasim_config_parse(). Aborts the test program on failure. */
void host_open(struct host *h, const char *options);
void host_open_memory(struct host *h, const char *options, bool private_memory);
void host_close(struct host *h);
void host_enable(struct host *h);	/* after a reset, too */

/* Page-aligned host memory, zeroed; bus address = host_iova(). */
void *host_alloc(struct host *h, uint64_t len);
uint64_t host_iova(const struct host *h, const void *p);

/* One admin command, waited for. @cpl may be NULL. Returns the status. */
uint16_t host_admin(struct host *h, struct nca_admin_cmd *cmd, struct nca_admin_cpl *cpl);
void host_admin_post(struct host *h, struct nca_admin_cmd *cmd);	/* not waited for */
bool host_admin_reap(struct host *h, struct nca_admin_cpl *cpl, uint64_t timeout_ns);

uint16_t host_ctx_create(struct host *h, struct hctx *ctx, uint32_t slices, uint32_t flags,
			 uint32_t core_mask);
uint16_t host_ctx_destroy(struct host *h, struct hctx *ctx);
uint16_t host_map(struct host *h, struct hctx *ctx, uint64_t va, const void *p, uint64_t len,
		  uint32_t flags);
uint16_t host_map_dev(struct host *h, struct hctx *ctx, uint64_t va, uint64_t offset, uint64_t len,
		      uint32_t flags);
uint16_t host_unmap(struct host *h, struct hctx *ctx, uint64_t va, uint64_t len);

/* Allocate and map @len bytes; *va is its address in the context. */
void *host_buffer(struct host *h, struct hctx *ctx, uint64_t len, uint32_t flags, uint64_t *va);

uint16_t host_queue_create(struct host *h, struct hctx *ctx, struct hqueue *q, uint32_t id,
			   uint32_t sq_order, uint32_t cq_order, uint32_t core);
uint16_t host_queue_destroy(struct host *h, struct hqueue *q);

/* Write an entry and ring; submit() = put() + ring(). */
void hq_put(struct hqueue *q, const struct nca_sqe *sqe);
void hq_ring(struct hqueue *q);
void hq_submit(struct hqueue *q, const struct nca_sqe *sqe);
bool hq_poll(struct hqueue *q, struct nca_cqe *out);
bool hq_wait(struct hqueue *q, struct nca_cqe *out);	/* false after 10 s */
bool hq_asleep(const struct hqueue *q);	/* the device waits for a kick */

/* Arm, re-check, and wait for an event of this queue; false after @timeout_ns. */
bool host_event(struct host *h, struct nca_event *out, uint64_t timeout_ns);

uint32_t host_irqs(struct host *h, unsigned int vector);

/* Set before the first interrupt that matters, with bus mastering off. */
void host_hook(struct host *h, void (*hook)(void *arg), void *arg);
void hq_arm(struct hqueue *q);

uint64_t now_ns(void);

/* ---- Launches of the fake core (fake_core.c) ------------------------------------------ */
enum fake_end { FAKE_DONE, FAKE_FAULT, FAKE_DEADLOCK, FAKE_WRITE_SLOT0, FAKE_READ_SLOT0 };

struct hprogram {
	uint64_t va, args_va;
	struct nca_program_header *header;
	uint8_t *args;
	uint32_t args_len;
};
void host_program(struct host *h, struct hctx *ctx, struct hprogram *p, uint32_t slots,
		  uint32_t live_bytes);
void host_launch(struct hqueue *q, struct hprogram *p, uint64_t cookie);
/* @ticks of device time; every slice also takes @wall_us of real time. */
void host_program_set(struct hprogram *p, uint64_t ticks, enum fake_end end, uint32_t wall_us);
void host_program_slot(struct hprogram *p, uint32_t slot, uint64_t va, uint64_t len, uint32_t flags);

extern uint32_t fake_decodes;		/* calls of core_program_create() */

#endif
