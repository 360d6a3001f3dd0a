/* SPDX-License-Identifier: MIT */
/*
 * A user queue as the library sees it. The rings and the protocol are
 * <nca/queue.h>; this is the host's private half.
 *
 * Room is counted in commands outstanding (prepared or submitted and not yet
 * taken by the completer), at most @depth. The completion ring is twice as big
 * where the device allows it, so that the device never waits for room although
 * the head it sees lags behind.
 */
#ifndef ACC_QUEUE_H
#define ACC_QUEUE_H

#include "barrier.h"
#include "objects.h"

struct accel_queue {
	/* Constant after creation; both sides read it. */
	struct nca_sqe *sq;
	const struct nca_cqe *cq;
	struct nca_doorbell *db;
	const struct nca_queue_state *state;
	const struct nca_status_page *status;
	uint64_t *cookies;		/* by submission index, for commands a lost device forgot */
	uint64_t epoch;
	struct accel_context *ctx;
	struct acc_bqueue *b;
	uint32_t depth;			/* power of two; cookies and sq have as many slots */
	uint32_t cq_mask;
	uint32_t cq_order;
	uint32_t head_lag;		/* completions taken before the device is told */
	uint64_t spin_ns;
	LIST_ENTRY(accel_queue) link;

	/* The submitter's. */
	_Alignas(64) uint32_t tail;	/* prepared up to here */
	uint32_t head_seen;		/* last look at head */
	_Atomic uint32_t submitted;	/* the device has been told; the completer reads it when lost */

	/* The completer's. */
	_Alignas(64) _Atomic uint32_t head;	/* taken up to here; the submitter reads it when full */
	uint32_t head_told;
	uint32_t arm_seq;
	bool lost;			/* the ring is not looked at any more */
	int eventfd;
	uint64_t events;
};

#define unlikely(x) __builtin_expect(!!(x), 0)

/* ---- queue.c ---- */
/* Why there is no slot for a command. */
int acc_queue_no_slot(struct accel_queue *q) __attribute__((cold));
/* Completions that are in the ring now, up to @max. */
unsigned int acc_queue_take(struct accel_queue *q, struct accel_completion *out, unsigned int max);

/* ---- queue_lost.c ---- */
/* Completions of a queue whose ring is empty and whose context may be lost. */
int acc_queue_take_lost(struct accel_queue *q, struct accel_completion *out, unsigned int max);
/* A completion that is not OK was seen: remember that the context is lost. */
void acc_queue_note_failure(struct accel_queue *q, struct accel_completion *c);

/* ---- queue_wait.c ---- */
/* Arm one event; true if there is something to take already. */
bool acc_queue_arm_and_look(struct accel_queue *q);

/* Is the completion at the head of the ring there? */
static inline bool acc_queue_has_completion(const struct accel_queue *q)
{
	uint32_t head = atomic_load_explicit(&q->head, memory_order_relaxed);
	const struct nca_cqe *c = &q->cq[head & q->cq_mask];

	return (__atomic_load_n(&c->flags, __ATOMIC_ACQUIRE) & NCA_CQE_PHASE) ==
	       nca_cqe_phase(head, q->cq_order);
}

static inline bool acc_queue_is_lost(const struct accel_queue *q)
{
	return acc_status_state(q->status) != NCA_CTX_RUNNING ||
	       atomic_load_explicit(&q->ctx->lost_hint, memory_order_relaxed);
}

/*
 * The next slot, for the caller to fill in, or NULL: acc_queue_no_slot() says why.
 * Inline, so that each kind of command stores its fields straight into the ring.
 */
static inline struct nca_sqe *acc_queue_slot(struct accel_queue *q, uint64_t cookie)
{
	uint32_t slot;

	if (acc_is_child(q->epoch) || unlikely(acc_status_state(q->status) != NCA_CTX_RUNNING))
		return NULL;
	if (unlikely(q->tail - q->head_seen >= q->depth)) {
		q->head_seen = atomic_load_explicit(&q->head, memory_order_acquire);
		if (q->tail - q->head_seen >= q->depth)
			return NULL;
	}
	slot = q->tail++ & (q->depth - 1);
	q->cookies[slot] = cookie;
	return &q->sq[slot];
}

/*
 * An entry is one line, and this thread is done with it. Said here and not at the
 * doorbell: by then the earlier entries of a batch have long arrived.
 */
static inline int acc_queue_filled(const struct nca_sqe *e)
{
	acc_hand_over_line(e);
	return 0;
}

static inline uint32_t acc_queue_outstanding(const struct accel_queue *q)
{
	return atomic_load_explicit(&q->submitted, memory_order_acquire) -
	       atomic_load_explicit(&q->head, memory_order_relaxed);
}

#endif
