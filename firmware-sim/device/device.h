/* SPDX-License-Identifier: MIT */
/*
 * The simulated device's front end, private to firmware-sim/device.
 *
 * Threads and who owns what:
 *
 *   front end   one thread. Owns every structure below unless it says
 *               otherwise: admin queue, contexts, queues, event queues, arbiter.
 *               Nothing it owns needs a lock.
 *   workers     run launches, one core each at a time. They read a context's
 *               address map and the DMA region table (under the two rwlocks) and
 *               own a struct launch from worker_start() until they hand it back.
 *   callers     register reads and writes go through the atomics of struct
 *               regs; anything that changes front-end state is a request
 *               (request.c) that the front end executes and acknowledges.
 *
 * Memory that a host can take away (rings, buffers) is only touched by the
 * front end between two requests and by workers inside core_run(). Taking a
 * DMA region away is a request, so the front end itself is quiescent by
 * construction, and the request is acknowledged when every core_run() that was
 * in progress has returned. The hot path pays nothing for it.
 */
#ifndef NCASIM_DEVICE_H
#define NCASIM_DEVICE_H

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <nca/admin.h>
#include <nca/isa.h>
#include <nca/queue.h>
#include <nca/regs.h>
#include <nca/target.h>

#include "../core/core.h"
#include "../ncasim.h"

#define DEV_QUEUES		256u
#define DEV_CONTEXTS		64u
#define DEV_VECTORS		16u
#define DEV_ADMIN_ORDER		10u
#define DEV_TIMEOUT_MS		2000u
#define DEV_CORES		8u
#define DEV_FIRMWARE		"ncasim 1.0"
#define DEV_PAGE		4096u

#define DEV_HEARTBEAT_MS	50	/* promised: at least every 100 ms */
#define DEV_POLL_MS		1	/* host words without a kick: semaphores, cq_head of a full ring */
#define DEV_GRACE_NS		20000000ull	/* see arbiter.c */
#define DEV_LAUNCH_TIMEOUT_NS	60000000000ull	/* default watchdog, device time */

#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)

/* Bits of dev->attention: something other than a doorbell wants the front end. */
#define ATTN_REQUEST		0x1u	/* request list is not empty */
#define ATTN_REGS		0x2u	/* CTRL, RESET, ASQ_TAIL, ACQ_HEAD or EQ_HEAD written */
#define ATTN_WORKER		0x4u	/* a worker handed a launch back */

struct queue;
struct context;
struct launch;

/* ---- Bus (dma.c) ----------------------------------------------------------- */
struct dma_region {
	uint64_t iova, len;
	uint8_t *ptr;			/* NULL: known but unreachable */
	uint32_t prot;			/* NCASIM_DMA_* */
};

struct dma_table {
	pthread_rwlock_t lock;		/* written by the front end, read by workers */
	struct dma_region *region;	/* sorted by iova */
	size_t count, cap;
};

/* ---- Context address map (map.c) -------------------------------------------- */
struct map_extent {
	uint64_t offset;		/* from the start of the mapping */
	uint64_t addr;			/* bus address or device-memory offset */
	uint64_t len;
};

struct mapping {
	uint64_t va, len;
	uint32_t flags;			/* NCA_MAP_* */
	uint32_t extents;
	struct map_extent extent[];
};

struct addr_map {
	pthread_rwlock_t lock;		/* written by the front end, read by workers */
	struct mapping **m;		/* sorted by va */
	size_t count, cap;
};

/* ---- Contexts ----------------------------------------------------------------- */
/* A context's standing on one core, see arbiter.c. Ticks. */
struct core_share {
	uint32_t slices;		/* of the core's slices_per_core */
	bool active;			/* has, or had a moment ago, launches here */
	uint32_t waiting;		/* launches in the core's list */
	uint32_t misses;		/* submitter did not come within the grace time */
	uint64_t vft;			/* virtual service: sum of ticks / share */
	uint64_t next_ok;		/* cap: no new start before */
	uint64_t served;		/* core->serial of the last start */
	uint64_t done_wall;		/* wall ns of the last completion here */
};

/* Semaphores signalled by this context's queues, with device time, see light.c. */
#define SEM_TIMES		64u
struct sem_time {
	uint64_t va;
	uint64_t clock;
};

struct program_entry;

struct context {
	bool used;
	uint32_t id, gen;
	uint32_t slices, flags, core_mask;
	bool lost;
	uint32_t cause;			/* enum nca_lost_cause */
	bool fault_event_due;
	uint32_t fault_vector, fault_queue, fault_queue_gen;
	uint32_t queues;
	uint32_t runs;			/* launches with a worker */
	bool zombie;			/* dropped by a reset, freed when runs is 0 */
	struct addr_map map;
	struct core_share share[DEV_CORES];
	struct sem_time sem[SEM_TIMES];
	struct nca_ctx_usage usage;	/* busy and preempt kept in ticks below */
	uint64_t busy_ticks, preempt_ticks;
	pthread_mutex_t prog_lock;	/* workers: program cache */
	struct program_entry *programs;
	uint64_t program_bytes;
};

/* ---- Queues --------------------------------------------------------------------- */
enum queue_mode {
	QUEUE_FETCH,			/* next command comes from the ring */
	QUEUE_STEP,			/* COPY or FILL in progress */
	QUEUE_SEM,			/* SEM_WAIT does not hold yet */
	QUEUE_LAUNCH,			/* a launch is with the arbiter or a worker */
	QUEUE_HELD,			/* pace=real: completion waits for the wall clock */
	QUEUE_DEAD,			/* rings impossible: never touched again */
};

struct queue {
	/* hot, in the order the poll loop uses it */
	struct nca_doorbell *db;
	enum queue_mode mode;
	uint32_t sq_head, cq_tail;
	uint32_t sq_size, cq_size;
	uint32_t cq_head;		/* as last read from the doorbell page */
	uint32_t cq_order;
	struct context *ctx;
	uint8_t **sq_page, **cq_page;	/* host pointer of each 4 KiB of ring */
	struct nca_queue_state *state;
	uint64_t clock;			/* ticks: end of the last command */
	uint64_t clock_ns;		/* the same in ns */
	uint32_t arm_fired;		/* last arm sequence that fired */
	uint32_t idle_polls;
	uint32_t unchecked;		/* batches published since the last look at the arm word */
	bool stalled;			/* completion ring is full */
	bool used, remap;
	bool event_due;			/* event ring was full */
	uint32_t id, gen, vector, core;
	uint64_t state_va, sq_va, cq_va;
	uint32_t sq_pages, cq_pages;
	struct nca_sqe sqe;		/* command in progress, private copy */
	uint64_t done_bytes;		/* QUEUE_STEP */
	uint64_t start_clock;
	struct launch *launch;
	struct nca_cqe held;		/* QUEUE_HELD */
	uint64_t held_until;		/* device ns */
	uint32_t seen_tail;		/* pace=real: entries before it had arrived by q->clock */
};

/* ---- Launches -------------------------------------------------------------------- */
struct slot_window {			/* translation good for the current core_run() */
	uint64_t start, end;		/* offsets in the slot */
	uint8_t *ptr;
	bool dev_mem, write;
};

enum launch_result { LAUNCH_YIELDED, LAUNCH_DONE, LAUNCH_FAULT, LAUNCH_TIMEOUT, LAUNCH_REFUSED };

struct launch {
	struct launch *next, *prev;	/* core's waiting list */
	struct ncasim *dev;
	struct queue *q;		/* NULL: nobody wants the result any more */
	struct context *ctx;
	uint32_t core, qid;
	struct nca_sqe sqe;
	uint64_t ready;			/* device ticks */
	uint64_t start;			/* device ticks, of the first instruction */
	uint64_t base;			/* device ticks of launch tick 0, moves with preemption */
	uint64_t ran;			/* launch ticks so far */
	uint64_t until;			/* launch ticks of this slice */
	uint64_t timeout;		/* launch ticks */
	uint64_t quantum_left;
	uint64_t preempt_ticks;
	uint32_t preemptions;
	bool started, saved, over;	/* over: quantum used up, may be preempted */
	bool returned;			/* not in core_run() any more, waiters were told */

	/* The worker's until it hands the launch back; @stop is the front end's. */
	bool stop;			/* release store; read by the core */
	bool begun;
	struct program_entry *prog;
	struct core_state *state;
	struct core_launch cl;
	struct core_trace trace;
	uint32_t slots, scalars;
	enum launch_result result;
	uint32_t status, detail;	/* of LAUNCH_REFUSED */
	uint64_t now;
	struct core_fault fault;
	struct nca_launch_report report;
	uint32_t scalar[NCA_PROGRAM_MAX_SCALARS];
	/* not cleared by launch_new() from here on */
	struct nca_slot slot[NCA_PROGRAM_MAX_SLOTS];
	struct slot_window window[NCA_PROGRAM_MAX_SLOTS];
};

struct worker {
	pthread_t thread;
	struct ncasim *dev;
	uint32_t state;			/* WORKER_*, futex word */
	struct launch *job;
	uint32_t index;
	bool running;			/* thread exists */
};
#define WORKER_IDLE	0u
#define WORKER_SLEEP	1u
#define WORKER_BUSY	2u
#define WORKER_EXIT	3u

struct core_slot {
	struct core *core;
	uint64_t clock, busy_ticks;
	uint64_t vtime;			/* largest vft at a start */
	uint64_t serial;		/* counts starts */
	struct launch *running;		/* with a worker */
	struct worker *worker;
	struct launch *resident;	/* begun, not done, state not saved */
	struct launch *first, *last;	/* waiting */
	struct launch *garbage;		/* states to be freed while the core is not running */
	uint32_t slices_used;
};

/* ---- Events ------------------------------------------------------------------------ */
struct event_queue {
	bool used, due;			/* due: something could not be written, ring was full */
	uint64_t base;
	uint32_t order, tail;
};

/* ---- Registers (regs.c): shared with callers ------------------------------------------ */
struct regs {
	_Atomic uint32_t ctrl, status, generation, heartbeat, fatal_cause;
	_Atomic uint64_t asq_base, acq_base;
	_Atomic uint32_t admin_order, asq_tail, acq_head;
	_Atomic uint32_t eq_head[DEV_VECTORS];
	_Atomic uint32_t reset;
	pthread_mutex_t lock;		/* halves of 64-bit registers, MSI-X table */
	uint32_t msix[(NCA_MSIX_PBA_OFFSET - NCA_MSIX_TABLE_OFFSET) / 4];
};

/* ---- Admin ---------------------------------------------------------------------------- */
struct admin_pending {
	struct admin_pending *next;
	uint16_t cid;
	uint32_t wait_cores;		/* core_run()s that must return first */
};

struct admin {
	bool enabled;
	uint64_t asq_base, acq_base;
	uint32_t order, sq_head, cq_tail;
	uint32_t pending;
	struct admin_pending *list;
};

struct request;
struct trace;

struct ncasim {
	/* Written by others, polled by the front end. */
	_Atomic uint32_t attention __attribute__((aligned(64)));
	_Atomic uint32_t awake;		/* futex word: 0 = front end sleeps or is about to */
	_Atomic bool quit;
	_Atomic bool vanished;
	_Atomic uint64_t kicks;

	/* Front end. */
	struct queue *hot[DEV_QUEUES] __attribute__((aligned(64)));
	struct queue *cold[DEV_QUEUES];
	uint32_t hot_count, cold_count, cold_next;
	uint64_t nop_ticks, nop_ns;
	bool pace_real;
	bool hung, bus_master, fast;	/* fast: no trace, no pacing */
	bool ctrl_enabled;		/* CTRL.ENABLE as last acted on */
	uint32_t polls;			/* since the clock was last read */
	uint64_t last_beat;
	uint32_t irq_pending;		/* vectors */
	uint32_t irq_drop;
	uint32_t slow_queues;		/* in a mode other than FETCH, or stalled */
	_Atomic uint64_t time_ns;	/* free pace: latest completion */

	const struct nca_target *target;
	struct ncasim_config cfg;
	char *trace_path, *serial;
	struct ncasim_host_ops ops;
	void *opaque;
	uint64_t wall0;			/* CLOCK_MONOTONIC ns at creation */
	uint64_t quantum_ticks, spin_ns;
	bool spin_adaptive;

	struct regs regs;
	struct admin admin;
	struct dma_table dma;
	struct event_queue eq[DEV_VECTORS];
	struct context *ctx[DEV_CONTEXTS + 1];
	uint32_t next_ctx, next_gen, contexts;
	struct queue queue[DEV_QUEUES];
	uint32_t queues;

	struct core_slot core[DEV_CORES];
	struct worker worker[DEV_CORES];
	uint32_t workers;
	uint32_t launches_waiting, launches_running;
	uint64_t grace_until;		/* wall ns; 0: no core waits for a submitter */

	pthread_t thread;
	bool thread_running;

	pthread_mutex_t req_lock;
	pthread_cond_t req_done;
	struct request *req_list, *req_waiting;

	uint8_t *doorbells;
	size_t doorbells_len;
	int doorbells_fd;
	uint8_t *devmem;
	uint64_t devmem_len;
	int devmem_fd;

	struct nca_fault_record *faults;
	uint32_t fault_cap;
	uint64_t fault_count;

	struct trace *trace;

	/* Counters: front end writes most of them, anyone reads. */
	_Atomic uint64_t n_commands, n_launches, n_faults, n_irqs, n_sleeps, n_unkicked, n_bad_bus;
	_Atomic uint64_t n_devmem, n_host, n_inst[6], n_core_busy[DEV_CORES];
	_Atomic uint32_t n_contexts, n_queues;
};

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline void add_stat(_Atomic uint64_t *c, uint64_t n)
{
	/* One writer at a time: no need for a locked instruction. */
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static inline uint64_t to_ns(const struct ncasim *dev, uint64_t ticks)
{
	return nca_ticks_to_ns(dev->target, ticks);
}

/* wall.c: time and sleeping */
uint64_t wall_ns(void);
uint64_t device_wall_ns(const struct ncasim *dev);	/* since creation */
void futex_wait(void *word, uint32_t expected, uint64_t timeout_ns);
void futex_wake(void *word);
void front_wake(struct ncasim *dev);
void front_attention(struct ncasim *dev, uint32_t bits);

/* front.c */
void *front_main(void *arg);
bool front_live(const struct ncasim *dev);
void front_publish_time(struct ncasim *dev, uint64_t ns);

/* request.c: run @fn on the front end; it may leave cores to wait for. */
struct request {
	struct request *next;
	int (*fn)(struct ncasim *dev, void *arg);
	void *arg;
	int result;
	uint32_t wait_cores;
	bool done;
};
int front_call(struct ncasim *dev, int (*fn)(struct ncasim *dev, void *arg), void *arg,
	       bool wait_runs);
void requests_run(struct ncasim *dev);
void requests_core_returned(struct ncasim *dev, uint32_t core);

/* regs.c */
void regs_init(struct regs *r);
void regs_reset(struct regs *r);

/* reset.c */
void device_drop_all(struct ncasim *dev);
void device_reset_now(struct ncasim *dev);
void device_enable(struct ncasim *dev);
void device_fatal(struct ncasim *dev, uint32_t cause);

/* dma.c */
void *dma_lookup(struct ncasim *dev, uint64_t iova, uint64_t len, uint32_t prot, uint64_t *avail);
bool dma_read(struct ncasim *dev, uint64_t iova, void *out, size_t len);
bool dma_write(struct ncasim *dev, uint64_t iova, const void *in, size_t len);
void dma_free(struct ncasim *dev);

/* map.c */
uint16_t map_add(struct ncasim *dev, struct context *ctx, const struct nca_admin_cmd *cmd,
		 uint32_t *detail);
bool map_remove(struct context *ctx, uint64_t va, uint64_t len);
void map_free(struct context *ctx);
uint8_t *map_translate(struct ncasim *dev, struct context *ctx, uint64_t va, uint64_t len,
		       uint32_t perm, uint64_t *avail, bool *dev_mem);
uint8_t *map_translate_locked(struct ncasim *dev, struct context *ctx, uint64_t va, uint64_t len,
			      uint32_t perm, uint64_t *avail, bool *dev_mem);
bool map_covers(struct context *ctx, uint64_t va, uint64_t len, uint32_t perm, uint64_t *bad);
bool map_covers_locked(struct context *ctx, uint64_t va, uint64_t len, uint32_t perm,
		       uint64_t *bad);
bool map_user_range(uint64_t va, uint64_t len);

/* context.c */
struct context *context_find(struct ncasim *dev, uint32_t id, uint32_t gen);
uint16_t context_create(struct ncasim *dev, const struct nca_admin_cmd *cmd, uint64_t result[2],
			uint32_t *detail);
void context_free(struct ncasim *dev, struct context *ctx);
void context_lose(struct ncasim *dev, struct context *ctx, uint32_t cause, struct queue *q,
		  bool event);
uint32_t context_stop(struct ncasim *dev, struct context *ctx);	/* cores to wait for */
void context_release(struct context *ctx);
void context_room(struct ncasim *dev, uint32_t *free_slices, uint32_t *largest);

/* queue.c */
uint16_t queue_create(struct ncasim *dev, struct context *ctx, const struct nca_admin_cmd *cmd,
		      uint32_t *detail);
bool queue_resolve(struct ncasim *dev, struct queue *q);
void queue_free(struct ncasim *dev, struct queue *q);
void queue_heat(struct ncasim *dev, struct queue *q);
void queues_remap(struct ncasim *dev, struct context *ctx);

/* service.c: the command loop */
bool queue_service(struct ncasim *dev, struct queue *q, uint32_t tail);
bool queue_progress(struct ncasim *dev, struct queue *q);
void queue_complete(struct ncasim *dev, struct queue *q, uint32_t status, uint32_t detail,
		    uint64_t start, uint64_t end, uint32_t core, uint32_t engine);
void queue_after_publish(struct ncasim *dev, struct queue *q);
void queue_check_arm(struct ncasim *dev, struct queue *q);
void queue_set_mode(struct ncasim *dev, struct queue *q, enum queue_mode mode);
void queue_ring_fault(struct ncasim *dev, struct queue *q);
void queue_fail(struct ncasim *dev, struct queue *q, uint32_t status, uint32_t detail,
		uint32_t rule, uint64_t address, uint64_t start, uint64_t end);

/* light.c: COPY, FILL, semaphores, TIMESTAMP. Return false when the queue must wait. */
bool light_start(struct ncasim *dev, struct queue *q);
bool light_step(struct ncasim *dev, struct queue *q);
bool light_sem_poll(struct ncasim *dev, struct queue *q);

/* launch.c, program.c (worker side) */
/* Bytes of the report that the submitter has room for and this device knows. */
static inline uint64_t launch_report_len(const struct nca_sqe *s)
{
	uint64_t len = s->launch.report_len ? s->launch.report_len : NCA_LAUNCH_REPORT_MIN;

	return len < sizeof(struct nca_launch_report) ? len : sizeof(struct nca_launch_report);
}
struct launch *launch_new(struct ncasim *dev, struct queue *q);
void launch_free(struct launch *l);
bool launch_prepare(struct launch *l);
void launch_run(struct launch *l, struct core *core);
bool launch_read(struct launch *l, uint64_t va, void *out, uint64_t len);
bool launch_refuse(struct launch *l, uint32_t status, uint32_t detail, uint32_t rule,
		   uint64_t address, const char *fmt, ...) __attribute__((format(printf, 6, 7)));
void *launch_translate(void *opaque, uint32_t slot, uint64_t offset, uint64_t len, bool write,
		       uint64_t *avail, bool *dev_mem);
bool program_get(struct launch *l);
void program_put(struct program_entry *e);
void programs_free(struct context *ctx);
const struct core_program *program_core(const struct program_entry *e);
const struct nca_program_header *program_header(const struct program_entry *e);

/* worker.c */
int workers_start(struct ncasim *dev);
void workers_stop(struct ncasim *dev);
struct worker *worker_idle(struct ncasim *dev);
void worker_start(struct worker *w, struct launch *l);
bool workers_collect(struct ncasim *dev);	/* front end: take finished slices back */

/* arbiter.c */
void arbiter_add(struct ncasim *dev, struct launch *l);
bool arbiter_run(struct ncasim *dev);
void arbiter_returned(struct ncasim *dev, struct launch *l);
uint32_t arbiter_choose_core(struct ncasim *dev, struct context *ctx);
void arbiter_cancel(struct ncasim *dev, struct launch *l);
void arbiter_collect_garbage(struct core_slot *c);

/* finish.c: a launch ends */
void launch_finish(struct ncasim *dev, struct launch *l);

/* event.c */
void event_arm_check(struct ncasim *dev, struct queue *q);
void event_ctx_fault(struct ncasim *dev, struct context *ctx);
void event_eq_head_moved(struct ncasim *dev);
void event_fatal(struct ncasim *dev, uint32_t cause);
void irq_raise(struct ncasim *dev, uint32_t vector);
void irq_flush(struct ncasim *dev);

/* admin.c, admin_cmd.c */
bool admin_poll(struct ncasim *dev);
void admin_core_returned(struct ncasim *dev, uint32_t core);
void admin_finish(struct ncasim *dev);
void admin_drop(struct ncasim *dev);
struct admin_result {
	uint64_t result[2];
	uint32_t detail;
	uint16_t status;
	uint32_t wait_cores;		/* complete only when these have returned */
};
void admin_execute(struct ncasim *dev, const struct nca_admin_cmd *cmd, struct admin_result *r);

/* log.c */
void fault_record(struct ncasim *dev, const struct nca_fault_record *rec);
uint32_t log_faults(struct ncasim *dev, void *page, uint32_t len);
uint32_t log_usage(struct ncasim *dev, void *page, uint32_t len);
uint32_t log_telemetry(struct ncasim *dev, void *page, uint32_t len);

/* trace.c: NULL-safe */
struct trace *trace_open(const char *path, const struct nca_target *t);
void trace_close(struct trace *t);
void trace_command(struct trace *t, uint32_t ctx, uint32_t queue, const char *name,
		   uint64_t start_ns, uint64_t end_ns, uint32_t status);
void trace_core(struct trace *t, uint32_t core, uint32_t ctx, const char *name, uint64_t start_ns,
		uint64_t end_ns);
void trace_fault(struct trace *t, const struct launch *l, uint64_t at_ns);
void trace_launch_hooks(struct launch *l);

#endif
