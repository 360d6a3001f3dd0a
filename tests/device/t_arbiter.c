/* SPDX-License-Identifier: MIT */
/*
 * Shares, caps, preemption, in device time. The clients run in the interrupt
 * handler, on the device's own thread: their think time is nothing, however busy
 * the machine is, so what is measured is the arbiter and not the scheduler.
 */
#include <sched.h>
#include <stdlib.h>

#include "tests.h"

#define MS	4000000ull		/* ticks of nca1 */

#define CLIENTS	3

/* A client that keeps @depth launches of @ticks outstanding. */
struct client {
	struct hctx ctx;
	struct hqueue q;
	struct hprogram p;
	uint32_t depth, out;
	uint64_t limit;			/* launches to submit in all */
	uint64_t ticks;
	uint64_t first_ns, last_ns;	/* of device time, over all completions */
	uint64_t done, bad;
	uint64_t *wait;			/* device ns from the predecessor's end to the start */
	uint64_t waits;
};

struct run {
	struct host h;
	struct client c[CLIENTS];
	uint32_t clients;
	uint32_t leader;		/* the run is over when this one ... */
	uint64_t until;			/* ... has so many completions */
	bool over;
};

static struct client *client_open(struct run *r, uint32_t slices, uint32_t flags, uint64_t ticks,
				  uint32_t depth, uint32_t live)
{
	struct client *c = &r->c[r->clients];

	CU_ASSERT_EQUAL_FATAL(host_ctx_create(&r->h, &c->ctx, slices, flags, 0), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL_FATAL(host_queue_create(&r->h, &c->ctx, &c->q, r->clients, 4, 4,
						NCA_CORE_ANY), NCA_ADMIN_OK);
	host_program(&r->h, &c->ctx, &c->p, 0, live);
	host_program_set(&c->p, ticks, FAKE_DONE, 0);
	c->ticks = ticks;
	c->depth = depth;
	c->limit = ~0ull;
	c->wait = calloc(100000, sizeof(*c->wait));
	r->clients++;
	return c;
}

static void client_poll(struct client *c)
{
	struct nca_cqe e;

	while (hq_poll(&c->q, &e)) {
		c->bad += e.status != NCA_CQE_OK;
		if (!c->done)
			c->first_ns = e.start_ns;
		else if (c->waits < 100000)
			c->wait[c->waits++] = e.start_ns - c->last_ns;
		c->last_ns = e.end_ns;
		c->done++;
		c->out--;
	}
	while (c->out < c->depth && c->done + c->out < c->limit) {
		host_launch(&c->q, &c->p, c->done + c->out);
		c->out++;
	}
}

static void on_interrupt(void *arg)
{
	struct run *r = arg;

	if (r->over)
		return;
	for (uint32_t i = 0; i < r->clients; i++) {
		client_poll(&r->c[i]);
		hq_arm(&r->c[i].q);
	}
	if (r->c[r->leader].done >= r->until)
		__atomic_store_n(&r->over, true, __ATOMIC_RELEASE);
}

/* Until client @leader has @until completions; afterwards nobody submits any more. */
static void run(struct run *r, uint32_t leader, uint64_t until)
{
	r->leader = leader;
	r->until = until;
	r->c[leader].limit = until;	/* nothing of it runs on until the counters are read */
	ncasim_set_bus_master(r->h.dev, false);
	host_hook(&r->h, on_interrupt, r);
	on_interrupt(r);
	ncasim_set_bus_master(r->h.dev, true);
	while (!__atomic_load_n(&r->over, __ATOMIC_ACQUIRE))
		sched_yield();
	/* The handler is not running any more once this has returned. */
	ncasim_set_bus_master(r->h.dev, false);
	ncasim_set_bus_master(r->h.dev, true);
	for (uint32_t i = 0; i < r->clients; i++)
		CU_ASSERT_EQUAL(r->c[i].bad, 0);
}

static struct run *run_open(const char *options)
{
	struct run *r = calloc(1, sizeof(*r));

	host_open(&r->h, options);
	return r;
}

static void run_close(struct run *r)
{
	host_close(&r->h);
	for (uint32_t i = 0; i < r->clients; i++)
		free(r->c[i].wait);
	free(r);
}

static int cmp(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static uint64_t p99(struct client *c)
{
	qsort(c->wait, c->waits, sizeof(*c->wait), cmp);
	return c->wait[c->waits * 99 / 100];
}

static void usage(struct host *h, struct nca_ctx_usage *out, uint32_t n)
{
	struct nca_admin_cmd cmd = { .opcode = NCA_ADMIN_LOG_PAGE };
	uint64_t mark = h->used;
	void *page = host_alloc(h, 4096);

	cmd.log.addr = host_iova(h, page);
	cmd.log.len = 4096;
	cmd.log.page = NCA_LOG_ARBITER;
	CU_ASSERT_EQUAL(host_admin(h, &cmd, NULL), NCA_ADMIN_OK);
	memcpy(out, page, n * sizeof(*out));
	h->used = mark;
}

static void near_to(double got, double want, double tolerance, const char *what)
{
	if (got < want * (1 - tolerance) || got > want * (1 + tolerance)) {
		fprintf(stderr, "%s: %.4f, expected %.4f within %.0f%%\n", what, got, want,
			tolerance * 100);
		CU_FAIL("out of tolerance");
	}
}

/* Two mediums on one core, 100 ms against 1 ms launches: half each. */
static void long_and_short(uint32_t short_depth, uint32_t live)
{
	struct run *r = run_open("nca1");
	struct client *l = client_open(r, 1, 0, 100 * MS, 2, live);
	struct client *s = client_open(r, 1, 0, 1 * MS, short_depth, live);
	struct nca_ctx_usage u[2];
	double busy, elapsed;

	CU_ASSERT_EQUAL(l->ctx.core_mask, s->ctx.core_mask);
	run(r, 0, 10);
	usage(&r->h, u, 2);
	/* From the arbiter's counters... */
	busy = (double)(u[0].busy_ns + u[1].busy_ns);
	near_to((double)u[0].busy_ns / busy, 0.5, 0.05, "long launches' share");
	near_to((double)u[1].busy_ns / busy, 0.5, 0.05, "short launches' share");
	CU_ASSERT_TRUE(u[0].preemptions > 100);
	CU_ASSERT_EQUAL(u[1].preemptions, 0);
	/* ... and from the completions alone; switches belong to nobody. */
	elapsed = (double)(s->last_ns - s->first_ns) - (double)u[0].preempt_ns;
	near_to((double)s->done * 1e6 / elapsed, 0.5, 0.05, "short launches' share by timestamps");
	near_to((double)s->done * 1e6, (double)u[1].busy_ns, 0.02, "busy by timestamps");
	near_to((double)l->done * 1e8, (double)u[0].busy_ns, 0.001, "busy of the long by timestamps");
	/* Waits are bounded by a quantum and a switch there and back. */
	CU_ASSERT_TRUE(p99(s) <= 4000000 + 2 * 300000 + 1000);
	/* 128 partitions of @live bytes out and in at 50 GiB/s, 1.3 us trigger each. */
	near_to((double)u[0].preempt_ns / (double)u[0].preemptions,
		2 * (1300 + live * 128 / (50.0 * 1.073741824)), 0.05, "a switch out and in");
	run_close(r);
}

static void half_each(void)
{
	long_and_short(2, 0);
}

static void half_each_depth_1(void)
{
	long_and_short(1, 0);
}

static void half_each_with_state(void)
{
	long_and_short(2, 96 << 10);
}

/* At the speed of the wall clock. Shares then depend on when the clients get a CPU. */
static void real_pace(void)
{
	struct run *r = run_open("nca1,pace=real");
	struct client *l = client_open(r, 1, 0, 20 * MS, 2, 0);
	struct client *s = client_open(r, 1, 0, 1 * MS, 2, 0);
	uint64_t wall = now_ns();

	run(r, 0, 3);
	wall = now_ns() - wall;
	CU_ASSERT_TRUE(wall >= l->last_ns - l->first_ns);
	CU_ASSERT_TRUE(l->last_ns - l->first_ns >= 3 * 20000000ull);
	CU_ASSERT_TRUE(s->done > 0);
	run_close(r);
}

static double share(const struct client *c, double ns)
{
	return (double)c->done * ns / (double)(c->last_ns - c->first_ns);
}

/* A size is a cap as well: alone on an idle core, a medium gets half of it. */
static void cap(void)
{
	for (int burst = 0; burst < 2; burst++) {
		struct run *r = run_open("nca1");
		struct client *c = client_open(r, 1, burst ? NCA_CTX_BURST : 0, MS, 2, 0);

		run(r, 0, 200);
		near_to(share(c, 1e6), burst ? 1.0 : 0.5, 0.03, burst ? "burst alone" : "capped");
		run_close(r);
	}
}

/* A burst context is lent what is unused, and gives it back. */
static void burst(void)
{
	struct run *r = run_open("nca1");
	struct client *b = client_open(r, 1, NCA_CTX_BURST, MS, 2, 0);
	struct client *c = client_open(r, 1, 0, MS, 2, 0);
	struct nca_ctx_usage u[2];

	CU_ASSERT_EQUAL(b->ctx.core_mask, c->ctx.core_mask);
	run(r, 1, 300);
	usage(&r->h, u, 2);
	near_to(share(c, 1e6), 0.5, 0.05, "guaranteed share");
	near_to((double)u[0].busy_ns / (double)u[1].busy_ns, 1.0, 0.05, "burst next to it");
	run_close(r);
}

/* Without caps only the weights are left: 1 : 2. */
static void weights(void)
{
	struct run *r = run_open("nca2");
	struct client *m = client_open(r, 1, NCA_CTX_BURST, 1 * MS, 2, 0);
	struct client *l = client_open(r, 2, NCA_CTX_BURST, 20 * MS, 2, 0);
	struct nca_ctx_usage u[2];

	CU_ASSERT_EQUAL(m->ctx.core_mask, l->ctx.core_mask);
	run(r, 1, 40);
	usage(&r->h, u, 2);
	near_to((double)u[1].busy_ns / (double)u[0].busy_ns, 2.0, 0.05, "two bursts");
	near_to((double)(u[1].busy_ns + u[0].busy_ns), (double)(l->last_ns - l->first_ns), 0.05,
		"nothing is left unused");
	run_close(r);
}

/* Three sizes on nca2's four-slice cores: 1 : 2 on one core, the xlarge alone. */
static void sizes(void)
{
	struct run *r = run_open("nca2");
	struct client *m = client_open(r, 1, 0, 3 * MS, 2, 0);
	struct client *l = client_open(r, 2, 0, 1 * MS, 2, 0);
	struct client *x = client_open(r, 4, 0, 2 * MS, 2, 0);
	struct nca_ctx_usage u[3];

	CU_ASSERT_EQUAL(m->ctx.core_mask, l->ctx.core_mask);
	CU_ASSERT_NOT_EQUAL(m->ctx.core_mask, x->ctx.core_mask);
	run(r, 0, 60);
	usage(&r->h, u, 3);
	near_to((double)u[1].busy_ns / (double)u[0].busy_ns, 2.0, 0.05, "large to medium");
	near_to(share(x, (double)x->ticks / 5.6), 1.0, 0.03, "xlarge has its core");
	near_to(share(m, (double)m->ticks / 5.6), 0.25, 0.05, "medium has a quarter");
	run_close(r);
}

/* A context of two cores whose queues may use any: both are used. */
static void any_core(void)
{
	struct run *r = run_open("nca1");
	struct client *x = client_open(r, 4, 0, MS, 1, 0);
	struct hqueue second;
	struct nca_cqe c;
	uint32_t seen = 0;

	CU_ASSERT_EQUAL(__builtin_popcount(x->ctx.core_mask), 2);
	CU_ASSERT_EQUAL(host_queue_create(&r->h, &x->ctx, &second, 1, 4, 4, NCA_CORE_ANY),
			NCA_ADMIN_OK);
	for (int i = 0; i < 20; i++) {
		host_launch(&x->q, &x->p, 1);
		host_launch(&second, &x->p, 1);
		CU_ASSERT_TRUE(hq_wait(&x->q, &c));
		seen |= 1u << c.core;
		CU_ASSERT_TRUE(hq_wait(&second, &c));
		seen |= 1u << c.core;
	}
	CU_ASSERT_EQUAL(seen, x->ctx.core_mask);
	run_close(r);
}

CU_TestInfo arbiter_tests[] = {
	{ "long and short launches share a core", half_each },
	{ "the same, one short launch at a time", half_each_depth_1 },
	{ "the same, with SBUF to save", half_each_with_state },
	{ "long and short launches in real time", real_pace },
	{ "a size is a cap", cap },
	{ "burst", burst },
	{ "weights without caps", weights },
	{ "1 : 2 on one core", sizes },
	{ "any core", any_core },
	CU_TEST_INFO_NULL,
};
