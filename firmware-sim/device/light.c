/* SPDX-License-Identifier: MIT */
/*
 * Commands the front end executes itself: NOP, COPY, FILL, semaphores,
 * TIMESTAMP. Addresses are checked completely before the first byte moves.
 * Large COPY and FILL are done in steps so that one queue never holds up the
 * others; a step looks its addresses up again, so no pointer outlives it.
 */
#include <string.h>

#include "device.h"

#define STEP_BYTES	(256u << 10)

static bool fail_field(struct ncasim *dev, struct queue *q, size_t offset)
{
	queue_fail(dev, q, NCA_CQE_BAD_FIELD, (uint32_t)offset, NCA_RULE_NONE, 0, q->start_clock,
		   q->start_clock);
	return true;
}

static bool fail_address(struct ncasim *dev, struct queue *q, uint32_t access, uint64_t va)
{
	queue_fail(dev, q, NCA_CQE_BAD_ADDRESS, access, NCA_RULE_NONE, va, q->start_clock,
		   q->start_clock);
	return true;
}

/* The first non-zero word of raw[from..5], as a byte offset in the entry, or 0. */
static size_t reserved_used(const struct nca_sqe *s, unsigned int from)
{
	for (unsigned int i = from; i < 6; i++)
		if (s->raw[i])
			return offsetof(struct nca_sqe, raw) + 8 * i;
	return 0;
}

static bool range_ok(struct ncasim *dev, struct queue *q, uint64_t va, uint64_t len, uint32_t perm)
{
	uint64_t bad = va;

	if (map_user_range(va, len) && map_covers(q->ctx, va, len, perm, &bad))
		return true;
	fail_address(dev, q, perm == NCA_MAP_READ ? NCA_ACCESS_READ : NCA_ACCESS_WRITE, bad);
	return false;
}

/* An 8-byte word that can be accessed atomically. */
static uint64_t *word(struct ncasim *dev, struct queue *q, uint64_t va, uint32_t perm)
{
	uint64_t avail;
	uint8_t *p;

	if (!map_user_range(va, 8))
		return NULL;
	p = map_translate(dev, q->ctx, va, 8, perm, &avail, NULL);
	return p && avail >= 8 && !((uintptr_t)p & 7) ? (uint64_t *)(void *)p : NULL;
}

/* ---- Semaphores ------------------------------------------------------------------- */
/*
 * When a SEM_WAIT finds its value, its queue's clock moves to the device time
 * of the signal, so that time is ordered where commands are. The last signal
 * per address is remembered in a small table; a signal that fell out of it, or
 * came from the host, leaves the waiter's clock where it is.
 */
static struct sem_time *sem_entry(struct context *ctx, uint64_t va)
{
	return &ctx->sem[(va >> 3) * 0x9e3779b97f4a7c15ull >> 58];
}

_Static_assert(SEM_TIMES == 64, "sem_entry() takes the top 6 bits");

bool light_sem_poll(struct ncasim *dev, struct queue *q)
{
	const struct nca_sqe *s = &q->sqe;
	uint64_t *p = word(dev, q, s->sem.va, NCA_MAP_READ);
	const struct sem_time *t;
	uint64_t start;

	if (!p)
		return fail_address(dev, q, NCA_ACCESS_READ, s->sem.va);
	if ((int64_t)(__atomic_load_n(p, __ATOMIC_ACQUIRE) - s->sem.value) < 0) {
		if (q->mode != QUEUE_SEM)
			queue_set_mode(dev, q, QUEUE_SEM);
		return false;
	}
	start = q->start_clock;
	t = sem_entry(q->ctx, s->sem.va);
	if (t->va == s->sem.va)
		start = max_u64(start, t->clock);
	if (dev->pace_real)
		start = max_u64(start, nca_ns_to_ticks(dev->target, device_wall_ns(dev)));
	queue_complete(dev, q, NCA_CQE_OK, 0, q->start_clock, start + dev->nop_ticks, 0xff, 0);
	return true;
}

static bool sem_signal(struct ncasim *dev, struct queue *q)
{
	const struct nca_sqe *s = &q->sqe;
	uint64_t *p = word(dev, q, s->sem.va, NCA_MAP_WRITE);
	uint64_t end = q->start_clock + dev->nop_ticks;

	if (!p)
		return fail_address(dev, q, NCA_ACCESS_WRITE, s->sem.va);
	*sem_entry(q->ctx, s->sem.va) = (struct sem_time){ s->sem.va, end };
	if (s->flags & NCA_SQE_F_ADD)
		__atomic_fetch_add(p, s->sem.value, __ATOMIC_ACQ_REL);
	else
		__atomic_store_n(p, s->sem.value, __ATOMIC_RELEASE);
	queue_complete(dev, q, NCA_CQE_OK, 0, q->start_clock, end, 0xff, 0);
	return true;
}

static bool timestamp(struct ncasim *dev, struct queue *q)
{
	uint64_t end = q->start_clock + dev->nop_ticks;
	uint64_t *p = word(dev, q, q->sqe.timestamp.va, NCA_MAP_WRITE);

	if (!p)
		return fail_address(dev, q, NCA_ACCESS_WRITE, q->sqe.timestamp.va);
	__atomic_store_n(p, to_ns(dev, end), __ATOMIC_RELEASE);
	queue_complete(dev, q, NCA_CQE_OK, 0, q->start_clock, end, 0xff, 0);
	return true;
}

/* ---- COPY and FILL ------------------------------------------------------------------ */
/* n * hz / rate, rounded up, without overflow for any byte count the map can hold. */
static uint64_t transfer_ticks(uint64_t bytes, uint64_t hz, uint64_t rate)
{
	return (uint64_t)(((unsigned __int128)bytes * hz + rate - 1) / rate);
}

/*
 * Cost: trigger latency, then the slowest of the context's share of the device
 * memory bandwidth (both ways when both sides are there) and of the host link.
 */
static uint64_t move_ticks(struct ncasim *dev, const struct queue *q, uint64_t bytes,
			   unsigned int dev_sides, unsigned int host_sides)
{
	const struct nca_target *t = dev->target;
	uint64_t share = q->ctx->slices;
	uint64_t mem = transfer_ticks(bytes * dev_sides, t->tick_hz,
				      t->devmem_bw / NCA_SLICES * share);
	uint64_t link = transfer_ticks(host_sides ? bytes : 0, t->tick_hz,
				       t->link_bw / NCA_SLICES * share);

	return t->dma_t0_ticks + max_u64(mem, link);
}

static void count_bytes(struct ncasim *dev, bool dev_mem, uint64_t n)
{
	atomic_fetch_add_explicit(dev_mem ? &dev->n_devmem : &dev->n_host, n,
				  memory_order_relaxed);
}

static bool copy_step(struct ncasim *dev, struct queue *q)
{
	const struct nca_sqe *s = &q->sqe;
	uint64_t budget = STEP_BYTES;
	bool sd = false, dd = false;

	while (budget && q->done_bytes < s->copy.len) {
		uint64_t n = min_u64(budget, s->copy.len - q->done_bytes);
		uint64_t sa = s->copy.src + q->done_bytes, da = s->copy.dst + q->done_bytes;
		uint8_t *from, *to;

		from = map_translate(dev, q->ctx, sa, n, NCA_MAP_READ, &n, &sd);
		if (!from)
			return fail_address(dev, q, NCA_ACCESS_READ, sa);
		to = map_translate(dev, q->ctx, da, n, NCA_MAP_WRITE, &n, &dd);
		if (!to)
			return fail_address(dev, q, NCA_ACCESS_WRITE, da);
		memmove(to, from, n);	/* two addresses may name the same memory */
		count_bytes(dev, sd, n);
		count_bytes(dev, dd, n);
		q->done_bytes += n;
		budget -= n;
	}
	if (q->done_bytes < s->copy.len) {
		queue_set_mode(dev, q, QUEUE_STEP);
		return false;
	}
	queue_complete(dev, q, NCA_CQE_OK, 0, q->start_clock,
		       q->start_clock + move_ticks(dev, q, s->copy.len, sd + dd, !sd + !dd), 0xff, 0);
	return true;
}

static void fill(uint8_t *to, uint32_t pattern, uint64_t phase, uint64_t n)
{
	uint8_t b[4];

	memcpy(b, &pattern, 4);
	if (b[0] == b[1] && b[0] == b[2] && b[0] == b[3]) {
		memset(to, b[0], n);
		return;
	}
	for (uint64_t i = 0; i < n; i++)
		to[i] = b[(phase + i) & 3];
}

static bool fill_step(struct ncasim *dev, struct queue *q)
{
	const struct nca_sqe *s = &q->sqe;
	uint64_t budget = STEP_BYTES;
	bool dd = false;

	while (budget && q->done_bytes < s->fill.len) {
		uint64_t n = min_u64(budget, s->fill.len - q->done_bytes);
		uint64_t da = s->fill.dst + q->done_bytes;
		uint8_t *to = map_translate(dev, q->ctx, da, n, NCA_MAP_WRITE, &n, &dd);

		if (!to)
			return fail_address(dev, q, NCA_ACCESS_WRITE, da);
		fill(to, s->fill.pattern, q->done_bytes, n);
		count_bytes(dev, dd, n);
		q->done_bytes += n;
		budget -= n;
	}
	if (q->done_bytes < s->fill.len) {
		queue_set_mode(dev, q, QUEUE_STEP);
		return false;
	}
	queue_complete(dev, q, NCA_CQE_OK, 0, q->start_clock,
		       q->start_clock + move_ticks(dev, q, s->fill.len, dd, !dd), 0xff, 0);
	return true;
}

bool light_step(struct ncasim *dev, struct queue *q)
{
	return q->sqe.opcode == NCA_SQE_COPY ? copy_step(dev, q) : fill_step(dev, q);
}

static bool start_copy(struct ncasim *dev, struct queue *q)
{
	const struct nca_sqe *s = &q->sqe;
	size_t bad = reserved_used(s, 3);

	if (bad)
		return fail_field(dev, q, bad);
	if (!s->copy.len)
		return fail_field(dev, q, offsetof(struct nca_sqe, copy.len));
	if (!range_ok(dev, q, s->copy.src, s->copy.len, NCA_MAP_READ) ||
	    !range_ok(dev, q, s->copy.dst, s->copy.len, NCA_MAP_WRITE))
		return true;
	if (s->copy.src < s->copy.dst + s->copy.len && s->copy.dst < s->copy.src + s->copy.len)
		return fail_field(dev, q, offsetof(struct nca_sqe, copy.dst));
	q->done_bytes = 0;
	return copy_step(dev, q);
}

static bool start_fill(struct ncasim *dev, struct queue *q)
{
	const struct nca_sqe *s = &q->sqe;
	size_t bad = reserved_used(s, 3);

	if (s->fill.rsvd0)
		bad = offsetof(struct nca_sqe, fill.rsvd0);
	if (bad)
		return fail_field(dev, q, bad);
	if (s->fill.dst & 3)
		return fail_field(dev, q, offsetof(struct nca_sqe, fill.dst));
	if (!s->fill.len || s->fill.len & 3)
		return fail_field(dev, q, offsetof(struct nca_sqe, fill.len));
	if (!range_ok(dev, q, s->fill.dst, s->fill.len, NCA_MAP_WRITE))
		return true;
	q->done_bytes = 0;
	return fill_step(dev, q);
}

/* q->sqe is new, its context is well. The queue's mode says how it went. */
bool light_start(struct ncasim *dev, struct queue *q)
{
	const struct nca_sqe *s = &q->sqe;
	uint32_t flags = s->opcode == NCA_SQE_SEM_SIGNAL ? NCA_SQE_F_ADD : 0;
	size_t bad;

	if (s->opcode > NCA_SQE_LAUNCH) {
		queue_fail(dev, q, NCA_CQE_BAD_OPCODE, 0, NCA_RULE_NONE, 0, q->start_clock,
			   q->start_clock);
		return true;
	}
	if (s->flags & ~flags)
		return fail_field(dev, q, offsetof(struct nca_sqe, flags));
	switch (s->opcode) {
	case NCA_SQE_COPY:
		return start_copy(dev, q);
	case NCA_SQE_FILL:
		return start_fill(dev, q);
	case NCA_SQE_SEM_WAIT:
	case NCA_SQE_SEM_SIGNAL:
		bad = reserved_used(s, 2);
		if (bad)
			return fail_field(dev, q, bad);
		if (s->sem.va & 7)
			return fail_field(dev, q, offsetof(struct nca_sqe, sem.va));
		return s->opcode == NCA_SQE_SEM_WAIT ? light_sem_poll(dev, q) : sem_signal(dev, q);
	case NCA_SQE_TIMESTAMP:
		bad = reserved_used(s, 1);
		if (bad)
			return fail_field(dev, q, bad);
		if (s->timestamp.va & 7)
			return fail_field(dev, q, offsetof(struct nca_sqe, timestamp.va));
		return timestamp(dev, q);
	}
	/* NOP: operands are ignored. */
	queue_complete(dev, q, NCA_CQE_OK, 0, q->start_clock, q->start_clock + dev->nop_ticks, 0xff,
		       0);
	return true;
}
