/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * NCA admin queue: 64-byte commands, 32-byte completions, events.
 *
 * Ring protocol: indices are free-running 32-bit counters, entry i lives in
 * slot i & (2^order - 1). The driver writes commands, then ASQ_TAIL. The device
 * writes a completion with phase = !((i >> order) & 1), so the first lap has
 * phase 1, then raises MSI-X vector 0 (coalesced). It never overwrites an entry
 * ACQ_HEAD has not passed. Commands may complete out of order (a map is not
 * held up by a context destroy that waits for DMA); @cid ties them together.
 * Admin work needs no memory from the user: every address here is a bus
 * address of kernel memory.
 */
#ifndef NCA_ADMIN_H
#define NCA_ADMIN_H

#include <nca/regs.h>

enum nca_admin_opcode {
	NCA_ADMIN_NOP			= 0x00,
	NCA_ADMIN_IDENTIFY		= 0x01,
	NCA_ADMIN_PARTITION_CREATE	= 0x08,	/* needs NCA_FEATURE_PARTITION */
	NCA_ADMIN_PARTITION_DESTROY	= 0x09,
	NCA_ADMIN_CTX_CREATE		= 0x10,
	NCA_ADMIN_CTX_DESTROY		= 0x11,
	NCA_ADMIN_MAP			= 0x18,
	NCA_ADMIN_UNMAP			= 0x19,
	NCA_ADMIN_SCRUB			= 0x1a,
	NCA_ADMIN_EQ_CREATE		= 0x20,
	NCA_ADMIN_EQ_DESTROY		= 0x21,
	NCA_ADMIN_QUEUE_CREATE		= 0x28,
	NCA_ADMIN_QUEUE_DESTROY		= 0x29,
	NCA_ADMIN_ABORT			= 0x30,
	NCA_ADMIN_TELEMETRY		= 0x38,
	NCA_ADMIN_LOG_PAGE		= 0x39,
	NCA_ADMIN_INJECT		= 0x7f,	/* needs NCA_FEATURE_INJECT (simulated devices) */
};

enum nca_admin_status {
	NCA_ADMIN_OK			= 0,
	NCA_ADMIN_BAD_OPCODE		= 1,
	NCA_ADMIN_BAD_FIELD		= 2,	/* detail: byte offset of the field in the command */
	NCA_ADMIN_BAD_ID		= 3,	/* no such context/queue/eq, or generation is stale */
	NCA_ADMIN_ID_IN_USE		= 4,
	NCA_ADMIN_NO_CAPACITY		= 5,	/* CTX_CREATE: result = nca_capacity of what is left */
	NCA_ADMIN_BAD_ADDRESS		= 6,	/* bus address not reachable, VA not mapped / overlaps */
	NCA_ADMIN_BUSY			= 7,	/* context still has queues, ... */
	NCA_ADMIN_UNSUPPORTED		= 8,	/* feature bit is not offered */
	NCA_ADMIN_ABORTED		= 9,	/* reset came first */
	NCA_ADMIN_INTERNAL		= 10,
};

struct nca_admin_cmd {
	__u8  opcode;
	__u8  flags;			/* 0 */
	__u16 cid;			/* returned in the completion */
	__u32 ctx;			/* context id, 0 = none */
	__u32 ctx_gen;			/* generation from CTX_CREATE, checked */
	__u32 rsvd;
	union {
		__u8 raw[48];

		struct {		/* IDENTIFY: writes struct nca_identify */
			__u64 addr;	/* bus address of a 4 KiB page */
			__u64 rsvd[5];
		} identify;

		struct {		/* CTX_CREATE -> nca_ctx_result */
			__u32 slices;	/* 1, 2, 4, 8 */
			__u32 flags;	/* NCA_CTX_* */
			__u32 core_mask;/* 0: the device places; else exactly these cores */
			__u32 rsvd0;
			__u64 rsvd[4];
		} ctx_create;

		struct {		/* CTX_DESTROY: completes when no DMA of it is left */
			__u64 rsvd[6];
		} ctx_destroy;

		struct {		/* MAP */
			__u64 va;	/* 4 KiB aligned, range must be unmapped */
			__u64 len;	/* multiple of 4 KiB, sum of all extents */
			__u64 list;	/* bus address of first nca_extent_page */
			__u32 extents;	/* in all pages together */
			__u32 flags;	/* NCA_MAP_* */
			__u64 rsvd[2];
		} map;

		struct {		/* UNMAP: exactly one earlier MAP; completes when no engine uses it */
			__u64 va;
			__u64 len;
			__u64 rsvd[4];
		} unmap;

		struct {		/* SCRUB: device memory := 0 */
			__u64 offset;	/* 4 KiB aligned */
			__u64 len;
			__u64 rsvd[4];
		} scrub;

		struct {		/* EQ_CREATE, EQ_DESTROY (base and order unused) */
			__u64 base;	/* bus address, 4 KiB aligned, contiguous */
			__u32 vector;	/* 1..vectors - 1 */
			__u32 order;	/* 5..16, log2 entries of 32 bytes */
			__u64 rsvd[4];
		} eq;

		struct {		/* QUEUE_CREATE */
			__u32 queue;	/* id, chosen by the driver */
			__u32 vector;	/* event queue to report to */
			__u64 state_va;	/* struct nca_queue_state, 4 KiB aligned */
			__u64 sq_va;	/* 4 KiB aligned */
			__u64 cq_va;	/* 4 KiB aligned */
			__u16 sq_order;	/* 3..NCA_QUEUE_MAX_ORDER */
			__u16 cq_order;	/* 3..NCA_QUEUE_MAX_ORDER */
			__u32 queue_gen;/* chosen by the driver, echoed in events */
			__u32 core;	/* NCA_CORE_ANY or a core of the context */
			__u32 flags;	/* 0 */
		} queue_create;

		struct {		/* QUEUE_DESTROY, ABORT */
			__u32 queue;	/* ABORT: NCA_QUEUE_ALL = every queue of ctx */
			__u32 queue_gen;
			__u32 cause;	/* ABORT: enum nca_lost_cause to report */
			__u32 rsvd0;
			__u64 rsvd[4];
		} queue;

		struct {		/* TELEMETRY, LOG_PAGE: writes up to len bytes */
			__u64 addr;
			__u32 len;	/* <= 4096, not crossing a page */
			__u32 page;	/* LOG_PAGE: NCA_LOG_* */
			__u64 rsvd[4];
		} log;

		struct {		/* INJECT */
			__u32 what;	/* enum nca_inject */
			__u32 arg;
			__u64 rsvd[5];
		} inject;
	};
};
NCA_STATIC_ASSERT(sizeof(struct nca_admin_cmd) == 64);

struct nca_admin_cpl {
	__u64 result[2];
	__u32 detail;
	__u32 sq_head;			/* commands fetched so far, free-running */
	__u16 cid;
	__u16 status;			/* enum nca_admin_status */
	__u16 rsvd;
	__u16 phase;			/* bit 0 */
};
NCA_STATIC_ASSERT(sizeof(struct nca_admin_cpl) == 32);

/* CTX_CREATE result[0] = ctx | (u64)gen << 32, result[1] = core_mask. With
 * NO_CAPACITY: result[0] = free slices, result[1] = largest size that fits. */
#define NCA_CTX_BURST			0x1	/* may borrow what others leave unused */

#define NCA_MAP_READ			0x1
#define NCA_MAP_WRITE			0x2
#define NCA_MAP_DEVICE			0x4	/* extents are device-memory offsets */

#define NCA_CORE_ANY			0xffffffffu
#define NCA_QUEUE_ALL			0xffffffffu
#define NCA_QUEUE_MAX_ORDER		15

/* Context address space: user maps below SPLIT, kernel (rings) above. */
#define NCA_VA_USER_START		0x0000000000010000ull
#define NCA_VA_USER_END			0x0000800000000000ull
#define NCA_VA_KERNEL_END		0x0001000000000000ull

struct nca_extent {
	__u64 addr;			/* 4 KiB aligned */
	__u64 len;			/* multiple of 4 KiB */
};
#define NCA_EXTENTS_PER_PAGE		255
struct nca_extent_page {
	__u64 next;			/* bus address of the next page or 0 */
	__u32 count;			/* 1..NCA_EXTENTS_PER_PAGE */
	__u32 rsvd;
	struct nca_extent extent[NCA_EXTENTS_PER_PAGE];
};
NCA_STATIC_ASSERT(sizeof(struct nca_extent_page) == 4096);

#define NCA_FEATURE_PARTITION		(1ull << 0)
#define NCA_FEATURE_INJECT		(1ull << 1)
#define NCA_FEATURE_BURST		(1ull << 2)
#define NCA_FEATURE_CHECK		(1ull << 3)	/* checking mode can be asked for per launch */
#define NCA_FEATURE_REPORT_LEN		(1ull << 4)	/* LAUNCH takes report_len */

struct nca_identify {
	__u32 version;			/* as NCA_REG_VERSION */
	__u32 target;			/* enum nca_target_id */
	char  target_name[16];
	char  serial[32];
	char  firmware[32];
	__u64 features;			/* NCA_FEATURE_* */
	__u32 cores;
	__u32 slices;			/* 8 */
	__u32 max_contexts;
	__u32 max_queues;
	__u32 vectors;
	__u32 max_queue_order;
	__u64 devmem_size;
	__u64 devmem_bw;		/* bytes per second */
	__u64 va_user_start;
	__u64 va_user_end;
	__u64 va_kernel_end;
	__u64 tick_hz;
	__u32 quantum_us;		/* arbiter quantum */
	__u32 simulated;		/* 1: not silicon */
	__u64 pci_link_bw;		/* bytes per second */
	__u8  rsvd[3912];
};
NCA_STATIC_ASSERT(sizeof(struct nca_identify) == 4096);

#define NCA_LOG_FAULTS			1	/* struct nca_fault_record[], newest first */
#define NCA_LOG_ARBITER			2	/* struct nca_ctx_usage[], one per context */

/* One fault, as precise as the core knows it. */
struct nca_fault_record {
	__u64 time_ns;
	__u32 ctx, ctx_gen;
	__u32 queue;
	__u16 status;			/* enum nca_cqe_status */
	__u8  core;
	__u8  engine;
	__u32 pc;			/* instruction index in the engine's stream */
	__u32 rule;			/* enum nca_fault_rule */
	__u64 address;			/* offending VA, SBUF/PSUM offset, ... */
	__u64 aux;
};
NCA_STATIC_ASSERT(sizeof(struct nca_fault_record) == 48);

struct nca_ctx_usage {
	__u32 ctx, ctx_gen;
	__u32 slices, core_mask;
	__u64 busy_ns;			/* device time its launches held cores */
	__u64 preempt_ns;		/* device time spent saving/restoring for it */
	__u64 launches;
	__u64 commands;
	__u64 faults;
	__u64 preemptions;
};
NCA_STATIC_ASSERT(sizeof(struct nca_ctx_usage) == 64);

struct nca_telemetry {
	__u64 time_ns;
	__u64 core_busy_ns[8];
	__u64 devmem_bytes;		/* moved by DMA */
	__u64 host_bytes;
	__u64 commands;
	__u64 launches;
	__u64 faults;
	__u64 bad_bus_accesses;		/* to unmapped bus addresses */
	__u32 contexts, queues;
	__u32 temperature_mc, power_mw;	/* modelled: idle + activity */
	__u64 rsvd[14];
};
NCA_STATIC_ASSERT(sizeof(struct nca_telemetry) == 248);

enum nca_inject {
	NCA_INJECT_HANG		= 1,	/* stop serving everything, heartbeat stops */
	NCA_INJECT_FATAL	= 2,	/* STATUS.FATAL, cause = arg */
	NCA_INJECT_CTX_FAULT	= 3,	/* lose context @ctx, cause = arg */
	NCA_INJECT_DROP_IRQ	= 4,	/* swallow the next arg interrupts */
};

/* ---- Events ------------------------------------------------------------ */
enum nca_event_type {
	NCA_EVENT_QUEUE		= 1,	/* an armed queue has a completion */
	NCA_EVENT_CTX_FAULT	= 2,	/* context lost, cause */
	NCA_EVENT_FATAL		= 3,
};

/*
 * Event ring entry i has phase !((i >> order) & 1). At most one QUEUE event
 * per queue and one CTX_FAULT per context are outstanding, so a ring of at
 * least queues + contexts + 1 entries cannot overflow.
 */
struct nca_event {
	__u32 queue;
	__u32 queue_gen;
	__u32 ctx;
	__u32 ctx_gen;
	__u32 cause;			/* enum nca_lost_cause */
	__u32 arm_seq;			/* QUEUE: the arm sequence that fired */
	__u16 type;
	__u16 rsvd0;
	__u16 rsvd1;
	__u16 phase;			/* bit 0, written last */
};
NCA_STATIC_ASSERT(sizeof(struct nca_event) == 32);

/* Context state and cause: status page, completions, events, uAPI. */
enum nca_ctx_state {
	NCA_CTX_RUNNING		= 0,
	NCA_CTX_LOST		= 1,	/* this context only */
	NCA_CTX_DEVICE_RESET	= 2,
	NCA_CTX_DEVICE_GONE	= 3,
	NCA_CTX_CLOSED		= 4,	/* destroyed by its owner */
};

enum nca_lost_cause {
	NCA_CAUSE_NONE		= 0,
	NCA_CAUSE_FAULT		= 1,	/* a command or program faulted */
	NCA_CAUSE_ABORT		= 2,	/* asked for through the uAPI */
	NCA_CAUSE_WATCHDOG	= 3,	/* heartbeat or admin command timed out */
	NCA_CAUSE_RESET		= 4,	/* device reset on request */
	NCA_CAUSE_UNPLUG	= 5,
	NCA_CAUSE_FATAL		= 6,
	NCA_CAUSE_RING		= 7,	/* ring memory unmapped or indices impossible */
};

/* NCA_REG_FATAL_CAUSE. INJECT_FATAL puts its argument there. */
enum nca_fatal_cause {
	NCA_FATAL_NONE		= 0,
	NCA_FATAL_ADMIN_CONFIG	= 1,	/* ENABLE with an impossible order or base */
	NCA_FATAL_ADMIN_INDEX	= 2,	/* ASQ_TAIL or ACQ_HEAD impossible */
	NCA_FATAL_ADMIN_MEMORY	= 3,	/* admin ring not reachable on the bus */
	NCA_FATAL_EVENT_MEMORY	= 4,	/* event ring not reachable on the bus */
};

#endif
