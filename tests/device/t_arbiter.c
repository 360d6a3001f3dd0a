/* SPDX-License-Identifier: MIT */
/* Shares, caps, preemption, in device time. */
#include <sched.h>
#include <stdlib.h>

#include "tests.h"

#define MS	4000000ull		/* ticks of nca1 */

/* A client that keeps @depth launches of @ticks outstanding. */
struct client {
	struct hctx ctx;
	struct hqueue q;
	struct hprogram p;
	uint32_t depth, out;
	uint64_t ticks;
	uint64_t first_ns, last_ns;	/* of device time, over all completions */
	uint64_t done;
	uint64_t *wait;			/* device ns from the predecessor's end to the start */
	uint64_t waits;
};

static void client_open(struct host *h, struct client *c, uint32_t id, uint32_t slices,
			uint32_t flags, uint64_t ticks, uint32_t depth, uint32_t live)
{
	memset(c, 0, sizeof(*c));
	CU_ASSERT_EQUAL_FATAL(host_ctx_create(h, &c->ctx, slices, flags, 0), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL_FATAL(host_queue_create(h, &c->ctx, &c->q, id, 4, 4, NCA_CORE_ANY),
			      NCA_ADMIN_OK);
	host_program(h, &c->ctx, &c->p, 0, live);
	host_program_set(&c->p, ticks, FAKE_DONE, 0);
	c->ticks = ticks;
	c->depth = depth;
	c->wait = calloc(100000, sizeof(*c->wait));
}

static bool client_poll(struct client *c)
{
	struct nca_cqe e;
	bool any = false;

	while (hq_poll(&c->q, &e)) {
		CU_ASSERT_EQUAL(e.status, NCA_CQE_OK);
		if (!c->done)
			c->first_ns = e.start_ns;
		else if (c->waits < 100000)
			c->wait[c->waits++] = e.start_ns - c->last_ns;
		c->last_ns = e.end_ns;
		c->done++;
		c->out--;
		any = true;
	}
	while (c->out < c->depth) {
		host_launch(&c->q, &c->p, c->done + c->out);
		c->out++;
	}
	return any;
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
	struct nca_ctx_usage u[2];
	struct client l, s;
	struct host h;
	double busy;

	host_open(&h, "nca1");
	client_open(&h, &l, 0, 1, 0, 100 * MS, 2, live);
	client_open(&h, &s, 1, 1, 0, 1 * MS, short_depth, live);
	CU_ASSERT_EQUAL(l.ctx.core_mask, s.ctx.core_mask);
	while (l.done < 10) {
		bool any = client_poll(&l);

		if (!(client_poll(&s) | any))
			sched_yield();
	}
	usage(&h, u, 2);
	/* From the arbiter's counters... */
	busy = (double)(u[0].busy_ns + u[1].busy_ns);
	near_to((double)u[0].busy_ns / busy, 0.5, 0.05, "long launches' share");
	near_to((double)u[1].busy_ns / busy, 0.5, 0.05, "short launches' share");
	CU_ASSERT_TRUE(u[0].preemptions > 100);
	CU_ASSERT_EQUAL(u[1].preemptions, 0);
	/* ... and from the completions alone. */
	near_to((double)s.done * 1e6 / (double)(s.last_ns - s.first_ns), 0.5, 0.05 + (live ? 0.1 : 0),
		"short launches' share by timestamps");
	near_to((double)s.done * 1e6, (double)u[1].busy_ns, 0.05, "busy by timestamps");
	/* Waits are bounded by a quantum and a switch there and back. */
	CU_ASSERT_TRUE(p99(&s) <= 4000000 + 2 * 300000 + 1000);
	CU_ASSERT_TRUE(live ? u[0].preempt_ns > 0 : u[0].preempt_ns < u[0].busy_ns / 100);
	host_close(&h);
	free(l.wait);
	free(s.wait);
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

/* A size is a cap as well: alone on an idle core, a medium gets half of it. */
static void cap(void)
{
	struct client c;
	struct host h;

	host_open(&h, "nca1");
	client_open(&h, &c, 0, 1, 0, MS, 2, 0);
	while (c.done < 200)
		client_poll(&c);
	near_to((double)c.done * 1e6 / (double)(c.last_ns - c.first_ns), 0.5, 0.03, "capped share");
	host_close(&h);
	free(c.wait);

	host_open(&h, "nca1");
	client_open(&h, &c, 0, 1, NCA_CTX_BURST, MS, 2, 0);
	while (c.done < 200)
		client_poll(&c);
	near_to((double)c.done * 1e6 / (double)(c.last_ns - c.first_ns), 1.0, 0.03, "burst share");
	host_close(&h);
	free(c.wait);
}

/* A burst context lends itself what is unused, and gives it back. */
static void burst(void)
{
	struct nca_ctx_usage u[2];
	struct client b, c;
	struct host h;

	host_open(&h, "nca1");
	client_open(&h, &b, 0, 1, NCA_CTX_BURST, MS, 2, 0);
	client_open(&h, &c, 1, 1, 0, MS, 2, 0);
	while (c.done < 300) {
		client_poll(&b);
		client_poll(&c);
	}
	usage(&h, u, 2);
	near_to((double)c.done * 1e6 / (double)(c.last_ns - c.first_ns), 0.5, 0.05, "guaranteed share");
	near_to((double)u[0].busy_ns / (double)u[1].busy_ns, 1.0, 0.05, "burst next to it");
	host_close(&h);
	free(b.wait);
	free(c.wait);
}

/* Three sizes on nca2's four-slice cores: 1 : 2 on one core, the xlarge alone. */
static void sizes(void)
{
	struct nca_ctx_usage u[3];
	struct client m, l, x;
	struct host h;

	host_open(&h, "nca2");
	client_open(&h, &m, 0, 1, 0, 3 * MS, 2, 0);
	client_open(&h, &l, 1, 2, 0, 1 * MS, 2, 0);
	client_open(&h, &x, 2, 4, 0, 2 * MS, 2, 0);
	CU_ASSERT_EQUAL(m.ctx.core_mask, l.ctx.core_mask);
	CU_ASSERT_NOT_EQUAL(m.ctx.core_mask, x.ctx.core_mask);
	while (m.done < 60) {
		client_poll(&m);
		client_poll(&l);
		client_poll(&x);
	}
	usage(&h, u, 3);
	near_to((double)u[1].busy_ns / (double)u[0].busy_ns, 2.0, 0.05, "large to medium");
	near_to((double)x.done * (double)x.ticks / 5.6 / (double)(x.last_ns - x.first_ns), 1.0, 0.03,
		"xlarge has its core");
	near_to((double)m.done * (double)m.ticks / 5.6 / (double)(m.last_ns - m.first_ns), 0.25, 0.05,
		"medium has a quarter");
	host_close(&h);
	free(m.wait);
	free(l.wait);
	free(x.wait);
}

/* A context of two cores whose queue may use any: both are used. */
static void any_core(void)
{
	struct hqueue second;
	struct client x;
	struct nca_cqe c;
	uint32_t seen = 0;
	struct host h;

	host_open(&h, "nca1");
	client_open(&h, &x, 0, 4, 0, MS, 1, 0);
	CU_ASSERT_EQUAL(__builtin_popcount(x.ctx.core_mask), 2);
	CU_ASSERT_EQUAL(host_queue_create(&h, &x.ctx, &second, 1, 4, 4, NCA_CORE_ANY), NCA_ADMIN_OK);
	for (int i = 0; i < 20; i++) {
		host_launch(&x.q, &x.p, 1);
		host_launch(&second, &x.p, 1);
		CU_ASSERT_TRUE(hq_wait(&x.q, &c));
		seen |= 1u << c.core;
		CU_ASSERT_TRUE(hq_wait(&second, &c));
		seen |= 1u << c.core;
	}
	CU_ASSERT_EQUAL(seen, x.ctx.core_mask);
	host_close(&h);
	free(x.wait);
}

CU_TestInfo arbiter_tests[] = {
	{ "long and short launches share a core", half_each },
	{ "the same, one short launch at a time", half_each_depth_1 },
	{ "the same, with SBUF to save", half_each_with_state },
	{ "a size is a cap", cap },
	{ "burst", burst },
	{ "1 : 2 on one core", sizes },
	{ "any core", any_core },
	CU_TEST_INFO_NULL,
};
