/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * NCA user queues: what a process and the device share without the kernel.
 *
 * One queue is one in-order stream: commands start in order and complete in
 * order. Parallel work uses several queues, ordered where needed by memory
 * semaphores (SEM_WAIT / SEM_SIGNAL).
 *
 *   submit    write sqe[tail & mask]; store-release doorbell.sq_tail = ++tail;
 *             full fence; if (load state.sleep == ASLEEP) store kick page.
 *   device    about to sleep: store state.sleep = ASLEEP; full fence; load
 *             sq_tail again; if it moved, store AWAKE and go on.
 *   complete  device: if (cq_tail - doorbell.cq_head == size) stall this queue
 *             only; write the first 24 bytes, store-release the last 8 (phase
 *             inside); full fence; load doorbell.arm; fire if armed.
 *   wait      host: store doorbell.arm = seq << 32 | head; full fence; look at
 *             cqe[head] again; sleep only if it is still not there.
 *
 * In both pairs each side stores its own word, fences, then loads the other's:
 * at least one of the two sees the other's store, so no wake-up is lost.
 * docs/hardware.md has the argument, tests/model/ a spin model of it.
 */
#ifndef NCA_QUEUE_H
#define NCA_QUEUE_H

#include <nca/regs.h>
#include <nca/admin.h>

/* Written by the device only. */
struct nca_queue_state {
	__u32 sleep;			/* 0x00: NCA_QUEUE_AWAKE / ASLEEP */
	__u32 rsvd0[15];
	__u32 sq_head;			/* 0x40: entries copied out of the ring; their slots are free */
	__u32 rsvd1[15];
};
NCA_STATIC_ASSERT(sizeof(struct nca_queue_state) == 128);

#define NCA_QUEUE_AWAKE			0
#define NCA_QUEUE_ASLEEP		1

/*
 * Ring memory, as one buffer: state page, submission ring, completion ring,
 * each 4 KiB aligned.
 */
#define NCA_RING_STATE_OFFSET		0
#define NCA_RING_SQ_OFFSET		4096
static inline __u64 nca_ring_cq_offset(unsigned int sq_order)
{
	__u64 sq = (__u64)64 << sq_order;

	return NCA_RING_SQ_OFFSET + ((sq + 4095) & ~4095ull);
}
static inline __u64 nca_ring_size(unsigned int sq_order, unsigned int cq_order)
{
	__u64 cq = (__u64)32 << cq_order;

	return nca_ring_cq_offset(sq_order) + ((cq + 4095) & ~4095ull);
}

enum nca_sqe_opcode {
	NCA_SQE_NOP		= 0,
	NCA_SQE_COPY		= 1,
	NCA_SQE_FILL		= 2,
	NCA_SQE_SEM_WAIT	= 3,	/* until (s64)(*va - value) >= 0 */
	NCA_SQE_SEM_SIGNAL	= 4,	/* *va = value, or += with NCA_SQE_F_ADD */
	NCA_SQE_TIMESTAMP	= 5,	/* *va = device time in ns */
	NCA_SQE_LAUNCH		= 6,
};

#define NCA_SQE_F_ADD		0x01	/* SEM_SIGNAL */
#define NCA_SQE_F_CHECK		0x02	/* LAUNCH in checking mode (NCA_FEATURE_CHECK) */
#define NCA_SQE_F_TIMED		0x04	/* LAUNCH without arithmetic: time is right, data is not written */

struct nca_sqe {
	__u8  opcode;
	__u8  flags;			/* NCA_SQE_F_*, others must be 0 */
	__u16 rsvd0;
	__u32 rsvd1;
	__u64 cookie;			/* returned untouched */
	union {
		__u64 raw[6];
		struct { __u64 dst, src, len, rsvd[3]; } copy;	/* ranges must not overlap */
		struct { __u64 dst, len; __u32 pattern, rsvd0; __u64 rsvd[3]; } fill; /* dst, len: x4 */
		struct { __u64 va; __u64 value; __u64 rsvd[4]; } sem;	/* va 8-byte aligned */
		struct { __u64 va; __u64 rsvd[5]; } timestamp;
		struct {
			__u64 program;	/* struct nca_program_header, 64-byte aligned */
			__u64 args;	/* struct nca_launch_args, 16-byte aligned */
			__u32 args_len;	/* bytes */
			__u32 report_len; /* bytes at report, 0: NCA_LAUNCH_REPORT_MIN (NCA_FEATURE_REPORT_LEN) */
			__u64 report;	/* struct nca_launch_report to fill in, or 0 */
			__u64 timeout_ns; /* device time, 0 = device default watchdog */
			__u64 rsvd1;
		} launch;
	};
};
NCA_STATIC_ASSERT(sizeof(struct nca_sqe) == 64);

enum nca_cqe_status {
	NCA_CQE_OK		= 0,
	NCA_CQE_BAD_OPCODE	= 1,
	NCA_CQE_BAD_FIELD	= 2,	/* detail: byte offset in the sqe */
	NCA_CQE_BAD_ADDRESS	= 3,	/* detail: NCA_ACCESS_*; log page has the VA */
	NCA_CQE_BAD_PROGRAM	= 4,	/* detail: enum nca_fault_rule */
	NCA_CQE_FAULT		= 5,	/* core fault: engine, pc in detail, rule in log page and report */
	NCA_CQE_TIMEOUT		= 6,	/* watchdog: device time limit of a launch */
	NCA_CQE_DEADLOCK	= 7,	/* every engine waits for a semaphore nobody will signal */
	NCA_CQE_CTX_LOST	= 8,	/* outstanding when the context was lost; detail: nca_lost_cause */
	NCA_CQE_DEVICE_RESET	= 9,
};

#define NCA_ACCESS_READ			1
#define NCA_ACCESS_WRITE		2

/*
 * Any status other than OK loses the context: every command outstanding in any
 * of its queues completes with CTX_LOST, in order, and nothing new starts.
 */
struct nca_cqe {
	__u64 cookie;
	__u64 start_ns;			/* device time */
	__u64 end_ns;
	__u32 detail;
	__u16 status;			/* enum nca_cqe_status */
	__u8  core;			/* 0xff: none */
	__u8  flags;			/* bit 7 phase, bits 0..2 engine of a fault */
};
NCA_STATIC_ASSERT(sizeof(struct nca_cqe) == 32);
NCA_STATIC_ASSERT(offsetof(struct nca_cqe, detail) == 24);

#define NCA_CQE_PHASE			0x80
#define NCA_CQE_ENGINE_MASK		0x07

/* Completion i carries PHASE exactly if bit @order of i is 0. */
static inline __u8 nca_cqe_phase(__u32 index, unsigned int order)
{
	return (index >> order) & 1 ? 0 : NCA_CQE_PHASE;
}

/*
 * Context status page: written by the kernel (embedded device: by libaccel),
 * read-only to the user. @state is written last, with release semantics.
 */
struct nca_status_page {
	__u32 version;			/* 1 */
	__u32 ctx_gen;
	__u32 device_gen;
	__u32 state;			/* enum nca_ctx_state */
	__u32 cause;			/* enum nca_lost_cause */
	__u32 rsvd[11];
};
NCA_STATIC_ASSERT(sizeof(struct nca_status_page) == 64);

#endif
