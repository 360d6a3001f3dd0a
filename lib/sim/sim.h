/* SPDX-License-Identifier: MIT */
/*
 * The embedded device's driver: what the kernel module is to a PCI function,
 * this is to a device that runs in threads of this process. Same registers,
 * same admin commands, same rings.
 *
 * Locks, outermost first:
 *   dev->reset_lock   one reset at a time
 *   dev->mem_lock     device memory allocator, quotas, kernel addresses of contexts
 *   dev->ack_lock     writing EQ_HEAD in order
 *   admin.lock        admin rings
 *   dev->table_lock   contexts and queues by id, event ring. The interrupt callback,
 *                     which runs on a thread of the device, takes this one alone, so
 *                     nobody calls into the device while holding it.
 */
#ifndef ACC_SIM_H
#define ACC_SIM_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include <nca/queue.h>

#include "../../firmware-sim/ncasim.h"
#include "../backend.h"
#include "../error.h"
#include "../ranges.h"

#define SIM_ADMIN_ORDER	6
#define SIM_ADMIN_SLOTS	(1u << SIM_ADMIN_ORDER)
#define SIM_CALLS	32u		/* admin commands in flight, each with a page for its payload */
#define SIM_EQ_VECTOR	1

struct sim_admin {
	pthread_mutex_t lock;
	pthread_cond_t call_free;
	struct nca_admin_cmd *sq;
	struct nca_admin_cpl *cq;
	uint8_t *pages;			/* SIM_CALLS pages */
	uint32_t tail, head;
	struct {
		bool taken, done, abandoned;
		uint16_t serial;	/* upper bits of the cid: a late completion finds nobody */
		struct nca_admin_cpl cpl;
	} call[SIM_CALLS];
	_Atomic uint32_t interrupts;	/* futex word, counts vector 0 */
	int64_t timeout_ns;
	bool dead;			/* a command went unanswered; only a reset helps */
	bool restarting;		/* only the thread that resets gets calls until it is through */
	pthread_t restarter;
};

struct sim_dev {
	struct acc_bdev b;
	char name[128];
	struct ncasim *hw;
	struct ncasim_config cfg;
	struct nca_identify id;

	uint8_t *shared;		/* memory the device reads and writes for admin and events */
	uint64_t shared_len;
	struct sim_admin admin;

	struct nca_event *eq;
	uint32_t eq_order;
	uint32_t eq_head;		/* taken; table_lock */
	uint32_t eq_told;		/* written to EQ_HEAD; ack_lock */
	pthread_mutex_t ack_lock;

	uint8_t *doorbells;
	uint64_t db_stride;
	uint8_t *devmem;

	pthread_mutex_t mem_lock;
	struct acc_ranges devmem_free;
	LIST_HEAD(, sim_mem) dirty;	/* given back, not scrubbed yet; mem_lock */

	pthread_mutex_t table_lock;
	LIST_HEAD(, sim_ctx) contexts;
	struct sim_queue **queue;	/* by id */
	uint32_t queue_gen;
	uint32_t resets;		/* a context made during one is not on the device */
	uint32_t state;			/* accel_device_info.state */

	pthread_mutex_t reset_lock;
};

struct sim_ctx {
	struct acc_bctx b;
	struct sim_dev *dev;
	struct nca_status_page *status;	/* a page, as the kernel's is */
	uint32_t slices;
	_Atomic bool on_device;		/* false once a reset has made the device forget it */
	struct acc_ranges ring_va;
	uint64_t mem_used;
	LIST_ENTRY(sim_ctx) link;
};

struct sim_mem {
	struct acc_bmem b;
	struct sim_dev *dev;
	struct sim_ctx *ctx;		/* charged */
	uint64_t offset;		/* of device memory */
	LIST_ENTRY(sim_mem) dirty;
};

struct sim_queue {
	struct acc_bqueue b;
	struct sim_ctx *ctx;
	uint32_t id, gen;
	uint8_t *ring;
	uint64_t ring_len, ring_va;
	_Atomic uint32_t events;	/* futex word */
	int eventfd;			/* table_lock */
};

/*
 * Admin completions and events: 32 bytes, of which the device releases the last
 * 8 as one store, the phase in their uppermost 2 bytes.
 */
static inline unsigned int sim_entry_phase(const void *entry)
{
	const uint64_t *word = entry;

	return __atomic_load_n(&word[3], __ATOMIC_ACQUIRE) >> 48 & 1;
}

/* ---- admin.c: one call = take a slot, fill its page, run the command, read the page, give back */
struct sim_call {
	unsigned int slot;
	void *page;			/* 4 KiB the device can reach at @addr */
	uint64_t addr;
};

void sim_admin_init(struct sim_dev *dev, uint8_t *mem);
int sim_admin_begin(struct sim_dev *dev, struct sim_call *call);
/* 0: done well. -EREMOTEIO: done badly, see cpl->status. Others: not done, sentence is set. */
int sim_admin_run(struct sim_dev *dev, struct sim_call *call, struct nca_admin_cmd *cmd,
		  struct nca_admin_cpl *cpl);
void sim_admin_end(struct sim_dev *dev, struct sim_call *call);
/* All three for a command without payload; a bad status becomes a sentence about @what. */
int sim_admin_simple(struct sim_dev *dev, struct nca_admin_cmd *cmd, const char *what);
int sim_admin_refused(const struct nca_admin_cpl *cpl, const char *what);
void sim_admin_interrupt(struct sim_dev *dev);
/* Bring the device up from reset; the caller holds admin.lock. */
int sim_admin_start(struct sim_dev *dev);

/* ---- events.c */
void sim_interrupt(void *opaque, unsigned int vector);
int sim_events_start(struct sim_dev *dev);
void sim_events_ack(struct sim_dev *dev);
void sim_contexts_lost(struct sim_dev *dev, struct sim_ctx *only, uint32_t state, uint32_t cause);
void sim_queue_signal(struct sim_queue *q);
long sim_futex_wait(_Atomic uint32_t *word, uint32_t seen, int64_t deadline);
void sim_futex_wake(_Atomic uint32_t *word);

/* ---- memory.c */
void *sim_host_alloc(struct sim_dev *dev, uint64_t len);
void sim_host_free(struct sim_dev *dev, void *p, uint64_t len);
int sim_map(struct sim_ctx *ctx, uint64_t va, uint64_t len, uint64_t addr, uint32_t flags);
void sim_unmap(struct sim_ctx *ctx, uint64_t va, uint64_t len);
int sim_mem_alloc(struct acc_bctx *ctx, uint64_t size, enum accel_memory where,
		  struct acc_bmem **mem);
int sim_mem_map(struct acc_bmem *mem);
int sim_mem_bind(struct acc_bctx *ctx, struct acc_bmem *mem, uint64_t va, uint32_t access);
void sim_mem_unbind(struct acc_bctx *ctx, struct acc_bmem *mem, uint64_t va);
void sim_mem_free(struct acc_bmem *mem);
/* Scrub what could not be scrubbed while the device did not answer. */
void sim_scrub_dirty(struct sim_dev *dev);

/* ---- context.c, queue.c, capacity.c */
int sim_ctx_create(struct acc_bdev *dev, const struct acc_ctx_request *req,
		   struct acc_capacity *left, struct acc_bctx **ctx);
void sim_ctx_destroy(struct acc_bctx *ctx);
int sim_ctx_abort(struct acc_bctx *ctx);
int sim_ctx_usage(struct acc_bctx *ctx, struct accel_context_info *info);
int sim_ctx_fault(struct acc_bctx *ctx, struct nca_fault_record *fault);

int sim_queue_create(struct acc_bctx *ctx, unsigned int sq_order, unsigned int cq_order,
		     uint32_t core, struct acc_bqueue **queue);
void sim_queue_destroy(struct acc_bqueue *queue);
void sim_queue_before_arm(struct acc_bqueue *queue);
int sim_queue_sleep(struct acc_bqueue *queue, uint64_t *events, int64_t deadline);
int sim_queue_eventfd(struct acc_bqueue *queue, int fd);

/* Slices and sizes that are free, and what is in use; takes table_lock. */
void sim_capacity(struct sim_dev *dev, struct acc_capacity *left, uint32_t *contexts,
		  uint32_t *queues);

#endif
