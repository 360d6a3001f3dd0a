// SPDX-License-Identifier: MIT
/*
 * The library's private headers are included on purpose: a hostile tenant is not bound by the API,
 * it writes whatever its mappings let it write.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../../lib/graph.h"
#include "../../lib/queue.h"

#include "mischief.h"

struct tenant {
	accel_context *ctx;
	accel_queue *queue;
	accel_graph *graph;
	accel_launch *launch;
};

uint64_t mischief_next(struct mischief *m)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return m->random;
}

static uint64_t below(struct mischief *m, uint64_t n)
{
	return mischief_next(m) % n;
}

static void scribble(struct mischief *m, volatile uint8_t *p, uint64_t len)
{
	for (uint64_t i = 0; i < len; i++)
		p[i] = (uint8_t)mischief_next(m);
}

/* Some bytes of a region, each anywhere in it. */
static void sprinkle(struct mischief *m, volatile uint8_t *p, uint64_t len, unsigned int n)
{
	while (n--)
		p[below(m, len)] = (uint8_t)mischief_next(m);
}

static void kick(accel_queue *q)
{
	if (q->b->kick)
		*q->b->kick = 1;
	else
		q->b->kick_fn(q->b);
}

static uint64_t ring_bytes(const accel_queue *q)
{
	unsigned int sq_order = (unsigned int)__builtin_ctz(q->depth);

	return nca_ring_size(sq_order, q->cq_order);
}

static volatile uint8_t *ring(accel_queue *q)
{
	return (volatile uint8_t *)(uintptr_t)q->state;
}

static void store_tail(accel_queue *q, uint32_t tail)
{
	__atomic_store_n(&q->db->sq_tail, tail, __ATOMIC_RELEASE);
	kick(q);
}

/* Addresses a command might name: mapped ones, their edges, and nonsense. */
static uint64_t some_address(struct mischief *m, const struct tenant *t)
{
	uint64_t program = accel_buffer_address(t->graph->program);

	switch (below(m, 6)) {
	case 0: return program + below(m, 4096) * 8;
	case 1: return t->launch->args_va;
	case 2: return t->launch->report_va;
	case 3: return 0;
	case 4: return UINT64_MAX - below(m, 65536);
	default: return mischief_next(m) >> below(m, 64);
	}
}

static void random_command(struct mischief *m, const struct tenant *t, struct nca_sqe *e)
{
	memset(e, 0, sizeof(*e));
	e->opcode = (uint8_t)below(m, 9);
	e->cookie = mischief_next(m);
	for (int i = 0; i < 6; i++)
		if (below(m, 3))
			e->raw[i] = below(m, 2) ? some_address(m, t) : below(m, 8192);
	if (!below(m, 4))
		e->flags = (uint8_t)mischief_next(m);
	if (e->opcode == NCA_SQE_LAUNCH && below(m, 4)) {
		e->launch.program = accel_buffer_address(t->graph->program);
		e->launch.args = t->launch->args_va;
		e->launch.args_len = (uint32_t)t->graph->args_len;
		e->launch.report = t->launch->report_va;
		e->launch.timeout_ns = 1000000 + below(m, 1000000);
		e->launch.report_len = (uint32_t)below(m, sizeof(struct nca_launch_report) + 64);
		e->launch.rsvd1 = 0;
	}
}

static void push_commands(struct mischief *m, struct tenant *t)
{
	uint32_t tail = t->queue->db->sq_tail, n = 1 + (uint32_t)below(m, t->queue->depth);

	for (uint32_t i = 0; i < n; i++) {
		struct nca_sqe e;

		random_command(m, t, &e);
		t->queue->sq[(tail + i) & (t->queue->depth - 1)] = e;
	}
	store_tail(t->queue, tail + n);
}

static void corrupt_program(struct mischief *m, struct tenant *t)
{
	uint8_t *p = accel_buffer_map(t->graph->program);
	uint64_t len = accel_buffer_size(t->graph->program);

	if (!p)
		return;
	if (below(m, 4))
		sprinkle(m, p, below(m, 2) ? 1024 : len, 1 + (unsigned int)below(m, 16));
	else
		scribble(m, p + (below(m, 2) ? 0 : 128), len - 128);
}

static void corrupt_arguments(struct mischief *m, struct tenant *t)
{
	sprinkle(m, t->launch->cpu, t->graph->args_len, 1 + (unsigned int)below(m, 8));
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Keep changing what the device is reading at this very moment. */
static void race(struct mischief *m, struct tenant *t, uint64_t ns)
{
	uint8_t *program = accel_buffer_map(t->graph->program);
	uint64_t end = now_ns() + ns;

	while (now_ns() < end) {
		sprinkle(m, ring(t->queue), ring_bytes(t->queue), 8);
		if (program)
			sprinkle(m, program, accel_buffer_size(t->graph->program), 8);
		sprinkle(m, t->launch->cpu, t->graph->args_len, 1);
		if (!below(m, 4))
			store_tail(t->queue, t->queue->db->sq_tail + (uint32_t)below(m, 3));
	}
}

static void misbehave(struct mischief *m, struct tenant *t)
{
	switch (below(m, 7)) {
	case 0:			/* random bytes over everything, then any tail */
		scribble(m, ring(t->queue), ring_bytes(t->queue));
		store_tail(t->queue, (uint32_t)mischief_next(m));
		break;
	case 1:			/* a plausible tail over random entries */
		scribble(m, (volatile uint8_t *)t->queue->sq, 64ull * t->queue->depth);
		store_tail(t->queue, t->queue->db->sq_tail + 1 + (uint32_t)below(m, t->queue->depth));
		break;
	case 2:			/* commands that are almost right */
		push_commands(m, t);
		break;
	case 3:			/* a program that is almost right */
		corrupt_program(m, t);
		accel_launch_submit(t->launch, t->queue, 1);
		break;
	case 4:			/* arguments that are almost right */
		corrupt_arguments(m, t);
		accel_launch_submit(t->launch, t->queue, 1);
		break;
	case 5:			/* the doorbell page: tail, head, arm word */
		accel_launch_submit(t->launch, t->queue, 1);
		scribble(m, (volatile uint8_t *)t->queue->db, sizeof(*t->queue->db));
		kick(t->queue);
		break;
	default:		/* good work, changed while it is being done */
		accel_launch_submit(t->launch, t->queue, 1);
		race(m, t, 2000000);
		break;
	}
}

/* Completions may say anything after their ring was written over, but not how many there are. */
static int look(struct mischief *m, struct tenant *t, uint64_t timeout_ns)
{
	struct accel_completion c[8];
	int n = accel_queue_wait(t->queue, c, 8, timeout_ns);

	if (n > 8) {
		fprintf(stderr, "hostile: accel_queue_wait() returned %d of at most 8\n", n);
		return -1;
	}
	for (int i = 0; i < n; i++)
		m->statuses[c[i].status & 15]++;
	return 0;
}

static int prepare(struct tenant *t, accel_device *dev, const accel_graph_file *file)
{
	ACCEL_INIT(struct accel_queue_options, qo);
	ACCEL_INIT(struct accel_graph_options, go);
	int err;

	memset(t, 0, sizeof(*t));
	qo.depth = 64;
	qo.core = -1;
	qo.spin_us = 1;
	go.instances = 1;
	err = accel_context_create(dev, NULL, &t->ctx);
	if (!err)
		err = accel_queue_create(t->ctx, &qo, &t->queue);
	if (!err)
		err = accel_graph_load(t->ctx, file, &go, &t->graph);
	if (!err)
		err = accel_launch_get(t->graph, &t->launch);
	if (!err)
		return 0;
	fprintf(stderr, "hostile: a new context was refused after others misbehaved: %s\n",
		accel_last_error());
	if (t->ctx)
		accel_context_destroy(t->ctx);
	return -1;
}

int mischief_round(struct mischief *m, accel_device *dev, const accel_graph_file *file)
{
	struct tenant t;
	int ret = prepare(&t, dev, file);

	if (ret)
		return ret;
	m->contexts++;
	for (unsigned int i = 1 + (unsigned int)below(m, 4); i && !ret; i--) {
		misbehave(m, &t);
		ret = look(m, &t, 2000000);
		if (accel_context_state(t.ctx))
			break;
	}
	/* A tail far ahead keeps a queue busy for long: half the time leave in the middle of it. */
	if (!ret && below(m, 2))
		ret = look(m, &t, 20000000);
	if (accel_context_state(t.ctx) == -EIO)
		m->lost++;
	if (accel_context_destroy(t.ctx)) {
		fprintf(stderr, "hostile: a context could not be destroyed: %s\n", accel_last_error());
		ret = -1;
	}
	return ret;
}
