/* SPDX-License-Identifier: MIT */
/*
 * The command loop of one queue: fetch, dispatch, complete.
 *
 * A submission entry is copied once into device memory and never looked at
 * again in the ring. Completions are stored one by one as they happen, the last
 * eight bytes with release order; the new sq_head follows per batch. The fence
 * and the look at the arm word come when the queue has nothing more to fetch, or
 * after CHECK_AFTER batches: a fence right behind the stores would wait for every
 * line of the completion ring to arrive from the host's cache.
 */
#include <string.h>

#include "device.h"

#define BATCH		64u	/* entries per visit: other queues get their turn */
#define CHECK_AFTER	8u

static inline struct nca_sqe *sq_slot(const struct queue *q, uint32_t index)
{
	uint32_t slot = index & (q->sq_size - 1);

	return (struct nca_sqe *)(q->sq_page[slot / 64] + (slot % 64) * sizeof(struct nca_sqe));
}

static inline uint64_t *cq_slot(const struct queue *q, uint32_t index)
{
	uint32_t slot = index & (q->cq_size - 1);

	return (uint64_t *)(q->cq_page[slot / 128] + (slot % 128) * sizeof(struct nca_cqe));
}

static inline void cqe_store(struct queue *q, uint64_t cookie, uint64_t start_ns, uint64_t end_ns,
			     uint32_t detail, uint32_t status, uint32_t core, uint32_t engine)
{
	uint64_t *w = cq_slot(q, q->cq_tail);
	uint64_t last = detail | (uint64_t)status << 32 | (uint64_t)(core & 0xff) << 48 |
			(uint64_t)(engine | nca_cqe_phase(q->cq_tail, q->cq_order)) << 56;

	__atomic_store_n(&w[0], cookie, __ATOMIC_RELAXED);
	__atomic_store_n(&w[1], start_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&w[2], end_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&w[3], last, __ATOMIC_RELEASE);
	q->cq_tail++;
}

/*
 * After one or more completions: tell the submitter which slots are free, then
 * the device's half of the arm protocol (fence, look at the arm word).
 */
void queue_after_publish(struct ncasim *dev, struct queue *q)
{
	__atomic_store_n(&q->state->sq_head, q->sq_head, __ATOMIC_RELEASE);
	front_publish_time(dev, q->clock_ns);
	queue_check_arm(dev, q);
}

void queue_check_arm(struct ncasim *dev, struct queue *q)
{
	q->unchecked = 0;
	atomic_thread_fence(memory_order_seq_cst);
	event_arm_check(dev, q);
}

static bool slow(const struct queue *q)
{
	return (q->mode != QUEUE_FETCH && q->mode != QUEUE_DEAD) || q->stalled || q->event_due;
}

void queue_set_mode(struct ncasim *dev, struct queue *q, enum queue_mode mode)
{
	bool was = slow(q);

	q->mode = mode;
	if (slow(q) != was)
		dev->slow_queues += was ? -1u : 1u;
}

static void set_stalled(struct ncasim *dev, struct queue *q, bool stalled)
{
	bool was = slow(q);

	q->stalled = stalled;
	if (slow(q) != was)
		dev->slow_queues += was ? -1u : 1u;
}

/* Indices that cannot be, or ring memory that is gone: the queue is never touched again. */
void queue_ring_fault(struct ncasim *dev, struct queue *q)
{
	struct nca_fault_record rec = {
		.time_ns = q->clock_ns, .ctx = q->ctx->id, .ctx_gen = q->ctx->gen, .queue = q->id,
		.status = NCA_CQE_CTX_LOST, .core = 0xff, .address = q->sq_va,
		.aux = NCA_CAUSE_RING,
	};

	set_stalled(dev, q, false);
	queue_set_mode(dev, q, QUEUE_DEAD);
	fault_record(dev, &rec);
	context_lose(dev, q->ctx, NCA_CAUSE_RING, q, true);
}

/* Room in the completion ring, after a fresh look at cq_head if needed; ~0: impossible head. */
static uint32_t cq_room(struct queue *q)
{
	uint32_t used = q->cq_tail - q->cq_head;

	if (used < q->cq_size)
		return q->cq_size - used;
	q->cq_head = __atomic_load_n(&q->db->cq_head, __ATOMIC_ACQUIRE);
	used = q->cq_tail - q->cq_head;
	return used > q->cq_size ? ~0u : q->cq_size - used;
}

/* One command is over: publish now, or when the wall clock gets there (pace=real). */
void queue_complete(struct ncasim *dev, struct queue *q, uint32_t status, uint32_t detail,
		    uint64_t start, uint64_t end, uint32_t core, uint32_t engine)
{
	uint64_t start_ns = to_ns(dev, start), end_ns = to_ns(dev, end);

	if (end > q->clock) {
		q->clock = end;
		q->clock_ns = end_ns;
	}
	if (dev->pace_real && status == NCA_CQE_OK && end_ns > device_wall_ns(dev)) {
		q->held = (struct nca_cqe){
			.cookie = q->sqe.cookie, .start_ns = start_ns, .end_ns = end_ns,
			.detail = detail, .status = (uint16_t)status, .core = (uint8_t)core,
		};
		q->held_until = end_ns;
		q->seen_tail = __atomic_load_n(&q->db->sq_tail, __ATOMIC_ACQUIRE);
		queue_set_mode(dev, q, QUEUE_HELD);
		return;
	}
	queue_set_mode(dev, q, QUEUE_FETCH);
	cqe_store(q, q->sqe.cookie, start_ns, end_ns, detail, status, core, engine);
}

/* A command failed: log it, complete it, lose the context. */
void queue_fail(struct ncasim *dev, struct queue *q, uint32_t status, uint32_t detail,
		uint32_t rule, uint64_t address, uint64_t start, uint64_t end)
{
	struct nca_fault_record rec = {
		.time_ns = to_ns(dev, end), .ctx = q->ctx->id, .ctx_gen = q->ctx->gen,
		.queue = q->id, .status = (uint16_t)status, .core = 0xff, .rule = rule,
		.address = address, .aux = detail,
	};

	fault_record(dev, &rec);
	queue_complete(dev, q, status, detail, start, end, 0xff, 0);
	context_lose(dev, q->ctx, NCA_CAUSE_FAULT, q, true);
}

static const char *command_name(uint32_t opcode)
{
	static const char *const name[] = {
		"NOP", "COPY", "FILL", "SEM_WAIT", "SEM_SIGNAL", "TIMESTAMP", "LAUNCH",
	};

	return opcode < sizeof(name) / sizeof(name[0]) ? name[opcode] : "?";
}

/*
 * Device time at which a command that was just fetched starts. With pace=real
 * that is when it arrived, if that is later; what was seen in the ring before
 * its predecessor ended has been waiting, however late this thread may be.
 */
static uint64_t arrival(struct ncasim *dev, const struct queue *q)
{
	if (!dev->pace_real || (int32_t)(q->seen_tail - (q->sq_head - 1)) > 0)
		return q->clock;
	return max_u64(q->clock, nca_ns_to_ticks(dev->target, device_wall_ns(dev)));
}

/* q->sqe holds a new command. If it did not complete at once, q->mode says what it waits for. */
static void command_start(struct ncasim *dev, struct queue *q)
{
	const struct nca_sqe *s = &q->sqe;
	uint64_t start = arrival(dev, q);

	q->start_clock = start;
	if (q->ctx->lost) {
		queue_complete(dev, q, NCA_CQE_CTX_LOST, q->ctx->cause, q->clock, q->clock, 0xff, 0);
		return;
	}
	if (s->rsvd0 || s->rsvd1) {
		queue_fail(dev, q, NCA_CQE_BAD_FIELD,
			   s->rsvd0 ? offsetof(struct nca_sqe, rsvd0) : offsetof(struct nca_sqe, rsvd1),
			   NCA_RULE_NONE, 0, start, start);
		return;
	}
	if (s->opcode == NCA_SQE_LAUNCH) {
		q->launch = launch_new(dev, q);
		if (!q->launch)
			return;
		queue_set_mode(dev, q, QUEUE_LAUNCH);
		arbiter_add(dev, q->launch);
		return;
	}
	light_start(dev, q);
	if (q->mode == QUEUE_FETCH && dev->trace)
		trace_command(dev->trace, q->ctx->id, q->id, command_name(s->opcode),
			      to_ns(dev, start), q->clock_ns, NCA_CQE_OK);
}

/*
 * A hint that the host reads this line next: it leaves our own caches for the
 * shared one. Worth 20 to 40 % of the rate; a NOP on CPUs that do not know it.
 */
static inline void hand_over_line(const void *line)
{
#if defined(__x86_64__)
	__asm__ volatile("cldemote %0" : : "m"(*(const char *)line));
#else
	(void)line;
#endif
}

/*
 * The hot loop: a run of NOPs without flags, at most @n, everything in
 * registers. An entry that is something else ends the run; it has then been
 * copied to q->sqe and counts as fetched. Every word of an entry is read once.
 * Returns the entries fetched; *other says whether the last one is in q->sqe.
 */
static uint32_t nop_run(const struct ncasim *dev, struct queue *q, uint32_t n, bool *other)
{
	uint8_t *const *const sq = q->sq_page, *const *const cq = q->cq_page;
	const uint32_t sq_mask = q->sq_size - 1, cq_mask = q->cq_size - 1, order = q->cq_order;
	const uint64_t step = dev->nop_ns;
	uint32_t head = q->sq_head, tail = q->cq_tail, nops = 0;
	uint64_t ns = q->clock_ns;

	*other = false;
	while (nops < n) {
		const uint32_t si = head & sq_mask, ci = tail & cq_mask;
		const uint64_t *e = (const uint64_t *)(const void *)(sq[si / 64] + si % 64 * 64);
		uint64_t *w = (uint64_t *)(void *)(cq[ci / 128] + ci % 128 * 32);
		uint64_t first = __atomic_load_n(&e[0], __ATOMIC_RELAXED);

		head++;
		if (unlikely(first)) {	/* not opcode NOP, or flags or reserved fields set */
			memcpy(&q->sqe, &first, sizeof(first));
			memcpy((uint8_t *)&q->sqe + 8, e + 1, sizeof(q->sqe) - 8);
			__asm__ volatile("" ::: "memory");
			*other = true;
			break;
		}
		__atomic_store_n(&w[0], __atomic_load_n(&e[1], __ATOMIC_RELAXED), __ATOMIC_RELAXED);
		__atomic_store_n(&w[1], ns, __ATOMIC_RELAXED);
		ns += step;
		__atomic_store_n(&w[2], ns, __ATOMIC_RELAXED);
		__atomic_store_n(&w[3], 0xffull << 48 | (uint64_t)nca_cqe_phase(tail, order) << 56,
				 __ATOMIC_RELEASE);
		if (ci & 1)	/* the line is full */
			hand_over_line(w);
		tail++;
		nops++;
	}
	q->clock += nops * dev->nop_ticks;
	q->clock_ns = ns;
	q->cq_tail = tail;
	q->sq_head = head;
	return nops + *other;
}

bool queue_service(struct ncasim *dev, struct queue *q, uint32_t tail)
{
	uint32_t n = tail - q->sq_head, room = cq_room(q), done = 0;

	if (unlikely(n > q->sq_size || room == ~0u)) {
		queue_ring_fault(dev, q);
		return true;
	}
	if (unlikely(!room)) {
		if (!q->stalled)
			set_stalled(dev, q, true);
		if (q->unchecked)
			queue_check_arm(dev, q);
		return false;
	}
	if (unlikely(q->stalled))
		set_stalled(dev, q, false);
	if (n > room)
		n = room;
	if (n > BATCH)
		n = BATCH;

	while (done < n && q->mode == QUEUE_FETCH) {
		if (likely(dev->fast && !q->ctx->lost)) {
			bool other;

			done += nop_run(dev, q, n - done, &other);
			if (!other)
				break;
		} else {
			memcpy(&q->sqe, sq_slot(q, q->sq_head), sizeof(q->sqe));
			__asm__ volatile("" ::: "memory");	/* the copy is the only read */
			q->sq_head++;
			done++;
		}
		command_start(dev, q);
	}
	q->seen_tail = tail;
	q->ctx->usage.commands += done;
	add_stat(&dev->n_commands, done);
	if (likely(q->mode == QUEUE_FETCH && ++q->unchecked < CHECK_AFTER)) {
		__atomic_store_n(&q->state->sq_head, q->sq_head, __ATOMIC_RELEASE);
		front_publish_time(dev, q->clock_ns);
	} else if (q->mode != QUEUE_DEAD) {
		queue_after_publish(dev, q);
	}
	return true;
}

/* A queue whose command is in progress. Returns true when something happened. */
bool queue_progress(struct ncasim *dev, struct queue *q)
{
	bool done = false;
	uint32_t tail;

	switch (q->mode) {
	case QUEUE_STEP:
		dev->polls += 64;	/* a step takes long: read the clock more often */
		light_step(dev, q);
		done = true;
		break;
	case QUEUE_SEM:
		done = light_sem_poll(dev, q);
		break;
	case QUEUE_HELD:
		if (device_wall_ns(dev) < q->held_until) {
			q->seen_tail = __atomic_load_n(&q->db->sq_tail, __ATOMIC_ACQUIRE);
			return false;
		}
		queue_set_mode(dev, q, QUEUE_FETCH);
		cqe_store(q, q->held.cookie, q->held.start_ns, q->held.end_ns, q->held.detail,
			  q->held.status, q->held.core, 0);
		queue_after_publish(dev, q);
		/* Its successor may be a launch: let the arbiter see it in this round. */
		tail = __atomic_load_n(&q->db->sq_tail, __ATOMIC_ACQUIRE);
		if (tail != q->sq_head)
			queue_service(dev, q, tail);
		return true;
	case QUEUE_FETCH:
	case QUEUE_LAUNCH:
	case QUEUE_DEAD:
		return false;
	}
	if (done && q->mode == QUEUE_FETCH) {
		if (dev->trace)
			trace_command(dev->trace, q->ctx->id, q->id, command_name(q->sqe.opcode),
				      to_ns(dev, q->start_clock), q->clock_ns, NCA_CQE_OK);
		queue_after_publish(dev, q);
	}
	return done;
}
