// SPDX-License-Identifier: MIT
/*
 * The path of a command: prepare, submit, poll. No system call, no lock, no
 * clock here.
 *
 * Why nobody sleeps through work (<nca/queue.h> has the other half):
 *
 *   submitter                          device
 *   S1 write entry                     D1 store sleep = ASLEEP
 *   S2 store-release sq_tail           D2 full fence
 *   S3 full fence                      D3 load sq_tail: moved? awake, go on
 *   S4 load sleep: ASLEEP? kick        D4 wait for a kick
 *
 * If S4 does not see D1, then in the order of the two fences S3 came first, so
 * D3 sees S2 and the device does not sleep. Without S3 the store of S2 may
 * still sit in the store buffer when S4 reads AWAKE, and both would wait. The
 * entry is seen with the tail because S2 releases what S1 wrote.
 *
 *   device                             completer
 *   D5 write 24 bytes of the cqe       C1 load-acquire the last 8 bytes
 *   D6 store-release the last 8        C2 phase is ours? read the other 24
 *
 * The phase bit lies in the last 8 bytes, so C2 reads only what D5 wrote. The
 * slot is given back by a store-release of cq_head, so the device overwrites it
 * only after it has been read.
 *
 * Submitter and completer may be two threads: the completer releases @head,
 * the submitter acquires it before it reuses a slot of cookies[] and counts a
 * submission ring slot as free (a completed command has left the ring).
 */
#include "queue.h"

int acc_queue_no_slot(struct accel_queue *q)
{
	if (acc_is_child(q->epoch))
		return acc_child_error(q->ctx->dev);
	if (acc_status_state(q->status) != NCA_CTX_RUNNING)
		return acc_context_error(q->ctx);
	return acc_fail_text(-EAGAIN, "the queue is full: take completions before preparing more");
}

int accel_queue_nop(accel_queue *q, uint64_t cookie)
{
	struct nca_sqe *e = acc_queue_slot(q, cookie);

	if (!e)
		return acc_queue_no_slot(q);
	*e = (struct nca_sqe){ .opcode = NCA_SQE_NOP, .cookie = cookie };
	return acc_queue_filled(e);
}

int accel_queue_copy(accel_queue *q, uint64_t cookie, uint64_t dst, uint64_t src, uint64_t len)
{
	struct nca_sqe *e = acc_queue_slot(q, cookie);

	if (!e)
		return acc_queue_no_slot(q);
	*e = (struct nca_sqe){ .opcode = NCA_SQE_COPY, .cookie = cookie,
			       .copy = { .dst = dst, .src = src, .len = len } };
	return acc_queue_filled(e);
}

int accel_queue_fill(accel_queue *q, uint64_t cookie, uint64_t dst, uint32_t pattern, uint64_t len)
{
	struct nca_sqe *e = acc_queue_slot(q, cookie);

	if (!e)
		return acc_queue_no_slot(q);
	*e = (struct nca_sqe){ .opcode = NCA_SQE_FILL, .cookie = cookie,
			       .fill = { .dst = dst, .len = len, .pattern = pattern } };
	return acc_queue_filled(e);
}

int accel_queue_sem_wait(accel_queue *q, uint64_t cookie, uint64_t va, uint64_t value)
{
	struct nca_sqe *e = acc_queue_slot(q, cookie);

	if (!e)
		return acc_queue_no_slot(q);
	*e = (struct nca_sqe){ .opcode = NCA_SQE_SEM_WAIT, .cookie = cookie,
			       .sem = { .va = va, .value = value } };
	return acc_queue_filled(e);
}

int accel_queue_sem_signal(accel_queue *q, uint64_t cookie, uint64_t va, uint64_t value, int add)
{
	struct nca_sqe *e = acc_queue_slot(q, cookie);

	if (!e)
		return acc_queue_no_slot(q);
	*e = (struct nca_sqe){ .opcode = NCA_SQE_SEM_SIGNAL, .cookie = cookie,
			       .flags = add ? NCA_SQE_F_ADD : 0,
			       .sem = { .va = va, .value = value } };
	return acc_queue_filled(e);
}

int accel_queue_timestamp(accel_queue *q, uint64_t cookie, uint64_t va)
{
	struct nca_sqe *e = acc_queue_slot(q, cookie);

	if (!e)
		return acc_queue_no_slot(q);
	*e = (struct nca_sqe){ .opcode = NCA_SQE_TIMESTAMP, .cookie = cookie,
			       .timestamp = { .va = va } };
	return acc_queue_filled(e);
}

static __attribute__((cold)) int drop_prepared(struct accel_queue *q)
{
	q->tail = atomic_load_explicit(&q->submitted, memory_order_relaxed);
	return acc_context_error(q->ctx);
}

static inline void kick(struct accel_queue *q)
{
	if (q->b->kick)
		*q->b->kick = 1;
	else
		q->b->kick_fn(q->b);
}

int accel_queue_submit(accel_queue *q)
{
	uint32_t n = q->tail - atomic_load_explicit(&q->submitted, memory_order_relaxed);

	if (acc_is_child(q->epoch))
		return acc_child_error(q->ctx->dev);
	if (unlikely(acc_status_state(q->status) != NCA_CTX_RUNNING))
		return drop_prepared(q);
	if (!n)
		return 0;
	if (unlikely(atomic_load_explicit(&q->ctx->write_combining, memory_order_relaxed)))
		acc_flush_write_combining();
	/* Before the doorbell: what the device may complete has to count as outstanding. */
	atomic_store_explicit(&q->submitted, q->tail, memory_order_release);
	acc_ring_before_doorbell();
	__atomic_store_n(&q->db->sq_tail, q->tail, __ATOMIC_RELEASE);
	acc_store_before_load();
	if (unlikely(__atomic_load_n(&q->state->sleep, __ATOMIC_RELAXED) == NCA_QUEUE_ASLEEP))
		kick(q);
	return (int)n;
}

int accel_queue_submit_ioctl(accel_queue *q)
{
	const struct acc_backend *ops = q->ctx->dev->b->ops;
	uint32_t n = q->tail - atomic_load_explicit(&q->submitted, memory_order_relaxed);
	int r;

	if (acc_is_child(q->epoch))
		return acc_child_error(q->ctx->dev);
	if (!ops->queue_doorbell)
		return acc_fail(-EOPNOTSUPP, "the %s backend has no kernel that could ring the doorbell",
				ops->name);
	if (acc_status_state(q->status) != NCA_CTX_RUNNING)
		return drop_prepared(q);
	if (!n)
		return 0;
	acc_flush_write_combining();
	atomic_store_explicit(&q->submitted, q->tail, memory_order_release);
	r = ops->queue_doorbell(q->b, q->tail);
	return r ? r : (int)n;
}

unsigned int acc_queue_take(struct accel_queue *q, struct accel_completion *out, unsigned int max)
{
	uint32_t head = atomic_load_explicit(&q->head, memory_order_relaxed);
	unsigned int n;

	for (n = 0; n < max; n++, head++) {
		const struct nca_cqe *c = &q->cq[head & q->cq_mask];
		uint64_t last = __atomic_load_n((const uint64_t *)&c->detail, __ATOMIC_ACQUIRE);
		struct accel_completion *o = &out[n];

		if (((uint8_t)(last >> 56) & NCA_CQE_PHASE) != nca_cqe_phase(head, q->cq_order))
			break;
		o->cookie = c->cookie;
		o->start_ns = c->start_ns;
		o->end_ns = c->end_ns;
		o->error = 0;
		o->detail = (uint32_t)last;
		o->status = (uint16_t)(last >> 32);
		o->core = (uint8_t)(last >> 48);
		if (o->core == 0xff)
			o->core = ~0u;
		o->engine = (uint8_t)(last >> 56) & NCA_CQE_ENGINE_MASK;
		if (unlikely(o->status != NCA_CQE_OK))
			acc_queue_note_failure(q, o);
	}
	if (!n)
		return 0;
	/*
	 * The device learns of free slots in lots: its line of the doorbell page is
	 * not fetched from it for every completion. It is told before the submitter
	 * is, so it never has more completions to write than it sees room for.
	 */
	if (head - q->head_told >= q->head_lag) {
		q->head_told = head;
		__atomic_store_n(&q->db->cq_head, head, __ATOMIC_RELEASE);
	}
	atomic_store_explicit(&q->head, head, memory_order_release);
	return n;
}

int accel_queue_poll(accel_queue *q, struct accel_completion *out, unsigned int max)
{
	unsigned int n;

	if (acc_is_child(q->epoch))
		return acc_child_error(q->ctx->dev);
	if (max > INT32_MAX)
		max = INT32_MAX;
	if (!unlikely(q->lost)) {
		n = acc_queue_take(q, out, max);
		if (n || !max)
			return (int)n;
		if (!unlikely(acc_queue_is_lost(q)))
			return 0;
	}
	return acc_queue_take_lost(q, out, max);
}

int accel_queue_dispatch(accel_queue *q, unsigned int max,
			 void (*fn)(void *opaque, const struct accel_completion *c), void *opaque)
{
	struct accel_completion c[16];
	unsigned int done = 0;
	int n;

	if (max > INT32_MAX)
		max = INT32_MAX;
	do {
		unsigned int want = max - done < 16 ? max - done : 16;

		n = accel_queue_poll(q, c, want);
		for (int i = 0; i < n; i++)
			fn(opaque, &c[i]);
		done += n > 0 ? n : 0;
	} while (n == 16 && done < max);
	/* An error after completions is there again next time. */
	return done ? (int)done : n;
}

uint32_t accel_queue_outstanding(const accel_queue *q)
{
	return acc_queue_outstanding(q);
}
