/* SPDX-License-Identifier: MIT */
/* DMA regions, bus mastering, reset, and a device that hangs or goes away. */
#include <pthread.h>
#include <sys/mman.h>

#include "tests.h"

struct rig {
	struct host h;
	struct hctx ctx;
	struct hqueue q;
};

static void rig_open(struct rig *r, const char *options)
{
	host_open(&r->h, options);
	CU_ASSERT_EQUAL_FATAL(host_ctx_create(&r->h, &r->ctx, 2, 0, 0), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL_FATAL(host_queue_create(&r->h, &r->ctx, &r->q, 0, 4, 4, NCA_CORE_ANY),
			      NCA_ADMIN_OK);
}

/* Everything submitted so far, and a NOP after it, completes well. */
static void nop(struct rig *r)
{
	struct nca_sqe s = { .cookie = 0x909 };
	struct nca_cqe c;

	hq_submit(&r->q, &s);
	do {
		CU_ASSERT_TRUE_FATAL(hq_wait(&r->q, &c));
		CU_ASSERT_EQUAL(c.status, NCA_CQE_OK);
	} while (c.cookie != 0x909);
}

static uint64_t bad_bus(struct rig *r)
{
	struct ncasim_telemetry t;

	ncasim_telemetry(r->h.dev, &t);
	return t.bad_bus_accesses;
}

static void regions(void)
{
	static uint8_t mem[65536] __attribute__((aligned(4096)));
	struct rig r;

	rig_open(&r, "nca1");
	CU_ASSERT_EQUAL(ncasim_dma_map(r.h.dev, 0x1000, mem, 0x3000, NCASIM_DMA_READ), 0);
	CU_ASSERT_EQUAL(ncasim_dma_map(r.h.dev, 0x3000, mem, 0x3000, NCASIM_DMA_READ), -17);
	CU_ASSERT_EQUAL(ncasim_dma_map(r.h.dev, 0x0, mem, 0x1001, NCASIM_DMA_READ), -17);
	CU_ASSERT_EQUAL(ncasim_dma_map(r.h.dev, 0x4000, mem, 0, NCASIM_DMA_READ), -22);
	CU_ASSERT_EQUAL(ncasim_dma_map(r.h.dev, ~0ull - 10, mem, 12, NCASIM_DMA_READ), -22);
	CU_ASSERT_EQUAL(ncasim_dma_map(r.h.dev, ~0xfffull, NULL, 0x1000, NCASIM_DMA_READ), 0);
	CU_ASSERT_EQUAL(ncasim_dma_unmap(r.h.dev, 0x1000, 0x1000), -2);
	CU_ASSERT_EQUAL(ncasim_dma_unmap(r.h.dev, 0x1000, 0x3000), 0);
	CU_ASSERT_EQUAL(ncasim_dma_unmap(r.h.dev, 0x1000, 0x3000), -2);
	CU_ASSERT_EQUAL(ncasim_dma_map(r.h.dev, 0x3000, mem, 0x3000, NCASIM_DMA_READ), 0);
	/* Taking away what nobody uses disturbs nobody. */
	nop(&r);
	CU_ASSERT_EQUAL(bad_bus(&r), 0);
	host_close(&r.h);
}

/* Rings whose memory is taken away: the context is lost, the memory is not touched. */
static void ring_gone(void)
{
	uint64_t bus = 0x200000000ull, va = 0x20000000;
	struct nca_sqe s = { .opcode = NCA_SQE_FILL, .cookie = 9 };
	struct nca_extent_page *page;
	struct nca_admin_cmd cmd = { .opcode = NCA_ADMIN_MAP };
	struct nca_event ev;
	struct nca_cqe c;
	uint8_t *mem;
	struct rig r;

	rig_open(&r, "nca1");
	mem = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CU_ASSERT_EQUAL(ncasim_dma_map(r.h.dev, bus, mem, 65536, 3), 0);
	page = host_alloc(&r.h, 4096);
	page->count = 1;
	page->extent[0] = (struct nca_extent){ bus, 65536 };
	cmd.ctx = r.ctx.id;
	cmd.ctx_gen = r.ctx.gen;
	cmd.map.va = va;
	cmd.map.len = 65536;
	cmd.map.list = host_iova(&r.h, page);
	cmd.map.extents = 1;
	cmd.map.flags = NCA_MAP_READ | NCA_MAP_WRITE;
	CU_ASSERT_EQUAL(host_admin(&r.h, &cmd, NULL), NCA_ADMIN_OK);
	s.fill.dst = va;
	s.fill.len = 64;
	hq_submit(&r.q, &s);
	CU_ASSERT_TRUE(hq_wait(&r.q, &c));
	CU_ASSERT_EQUAL(c.status, NCA_CQE_OK);
	/* A buffer first: mapped in the context, unreachable on the bus. */
	CU_ASSERT_EQUAL(ncasim_dma_unmap(r.h.dev, bus, 65536), 0);
	munmap(mem, 65536);
	CU_ASSERT_EQUAL(bad_bus(&r), 0);
	hq_submit(&r.q, &s);
	CU_ASSERT_TRUE(hq_wait(&r.q, &c));
	CU_ASSERT_EQUAL(c.status, NCA_CQE_BAD_ADDRESS);
	CU_ASSERT_TRUE(bad_bus(&r) > 0);
	CU_ASSERT_TRUE(host_event(&r.h, &ev, 1000000000));
	host_close(&r.h);

	/* Then the ring itself, through the context's map. */
	rig_open(&r, "nca1");
	CU_ASSERT_EQUAL(host_unmap(&r.h, &r.ctx, r.q.ring_va, r.q.ring_len), NCA_ADMIN_OK);
	CU_ASSERT_TRUE(host_event(&r.h, &ev, 1000000000));
	CU_ASSERT_EQUAL(ev.type, NCA_EVENT_CTX_FAULT);
	CU_ASSERT_EQUAL(ev.cause, NCA_CAUSE_RING);
	CU_ASSERT_EQUAL(host_queue_destroy(&r.h, &r.q), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(host_ctx_destroy(&r.h, &r.ctx), NCA_ADMIN_OK);
	host_close(&r.h);
}

/* Unmapping waits for the core that uses the range, and the core stops for it. */
static void unmap_running(void)
{
	uint64_t bus = 0x200000000ull, va = 0x20000000;
	struct nca_admin_cmd cmd = { .opcode = NCA_ADMIN_MAP };
	struct nca_extent_page *page;
	struct hprogram p;
	struct nca_cqe c;
	uint64_t *mem;
	struct rig r;

	for (int round = 0; round < 20; round++) {
		rig_open(&r, "nca1");
		mem = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CU_ASSERT_EQUAL(ncasim_dma_map(r.h.dev, bus, mem, 4096, 3), 0);
		page = host_alloc(&r.h, 4096);
		page->count = 1;
		page->extent[0] = (struct nca_extent){ bus, 4096 };
		cmd = (struct nca_admin_cmd){ .opcode = NCA_ADMIN_MAP };
		cmd.ctx = r.ctx.id;
		cmd.ctx_gen = r.ctx.gen;
		cmd.map.va = va;
		cmd.map.len = 4096;
		cmd.map.list = host_iova(&r.h, page);
		cmd.map.extents = 1;
		cmd.map.flags = NCA_MAP_READ | NCA_MAP_WRITE;
		CU_ASSERT_EQUAL(host_admin(&r.h, &cmd, NULL), NCA_ADMIN_OK);
		host_program(&r.h, &r.ctx, &p, 1, 0);
		host_program_slot(&p, 0, va, 4096, NCA_SLOT_READ | NCA_SLOT_WRITE);
		host_program_set(&p, 1000, FAKE_WRITE_SLOT0, 2000000000);
		host_launch(&r.q, &p, 1);
		while (round % 2 && !__atomic_load_n(mem, __ATOMIC_RELAXED))
			;	/* running for sure */
		if (round % 4 < 2) {
			CU_ASSERT_EQUAL(ncasim_dma_unmap(r.h.dev, bus, 4096), 0);
		} else {
			CU_ASSERT_EQUAL(host_unmap(&r.h, &r.ctx, va, 4096), NCA_ADMIN_OK);
		}
		munmap(mem, 4096);	/* any later access is a crash */
		CU_ASSERT_TRUE(hq_wait(&r.q, &c));
		CU_ASSERT_NOT_EQUAL(c.status, NCA_CQE_OK);
		host_close(&r.h);
	}
}

static void bus_master(void)
{
	struct nca_sqe s = { .cookie = 3 };
	struct nca_cqe c;
	uint32_t irqs;
	struct rig r;

	rig_open(&r, "nca1");
	nop(&r);
	ncasim_set_bus_master(r.h.dev, false);
	irqs = host_irqs(&r.h, 0);
	hq_submit(&r.q, &s);
	ncasim_set_bus_master(r.h.dev, false);	/* a round trip through the front end */
	CU_ASSERT_FALSE(hq_poll(&r.q, &c));
	CU_ASSERT_EQUAL(host_irqs(&r.h, 0), irqs);
	ncasim_set_bus_master(r.h.dev, true);
	CU_ASSERT_TRUE(hq_wait(&r.q, &c));
	CU_ASSERT_EQUAL(c.cookie, 3);
	host_close(&r.h);
}

static void reset(void)
{
	struct nca_sqe s = { .cookie = 3 };
	struct hprogram p;
	struct nca_cqe c;
	uint32_t gen;
	struct rig r;

	rig_open(&r, "nca1");
	host_program(&r.h, &r.ctx, &p, 0, 0);
	host_program_set(&p, 1000, FAKE_DONE, 2000000000);
	host_launch(&r.q, &p, 1);
	gen = (uint32_t)ncasim_reg_read(r.h.dev, NCA_REG_GENERATION, 4);
	ncasim_reset(r.h.dev);
	CU_ASSERT_EQUAL(ncasim_reg_read(r.h.dev, NCA_REG_GENERATION, 4), gen + 1);
	CU_ASSERT_EQUAL(ncasim_reg_read(r.h.dev, NCA_REG_STATUS, 4), 0);
	CU_ASSERT_EQUAL(ncasim_reg_read(r.h.dev, NCA_REG_ASQ_BASE, 8), 0);
	CU_ASSERT_FALSE(hq_poll(&r.q, &c));
	hq_submit(&r.q, &s);	/* nobody serves it */
	host_enable(&r.h);
	CU_ASSERT_FALSE(hq_poll(&r.q, &c));
	CU_ASSERT_EQUAL(host_ctx_destroy(&r.h, &r.ctx), NCA_ADMIN_BAD_ID);
	CU_ASSERT_EQUAL(host_ctx_create(&r.h, &r.ctx, 8, 0, 0), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(host_queue_create(&r.h, &r.ctx, &r.q, 0, 4, 4, NCA_CORE_ANY), NCA_ADMIN_OK);
	nop(&r);
	/* The register way, and clearing ENABLE. */
	ncasim_reg_write(r.h.dev, NCA_REG_RESET, 1, 4);
	nop(&r);
	ncasim_reg_write(r.h.dev, NCA_REG_RESET, NCA_RESET_MAGIC, 4);
	while (ncasim_reg_read(r.h.dev, NCA_REG_STATUS, 4))
		;
	CU_ASSERT_EQUAL(ncasim_reg_read(r.h.dev, NCA_REG_GENERATION, 4), gen + 2);
	host_enable(&r.h);
	ncasim_reg_write(r.h.dev, NCA_REG_CTRL, 0, 4);
	while (ncasim_reg_read(r.h.dev, NCA_REG_STATUS, 4))
		;
	host_enable(&r.h);
	CU_ASSERT_EQUAL(host_ctx_create(&r.h, &r.ctx, 8, 0, 0), NCA_ADMIN_OK);
	host_close(&r.h);
}

static void hang(void)
{
	struct nca_admin_cmd cmd = { .opcode = NCA_ADMIN_INJECT };
	struct nca_sqe s = { .cookie = 3 };
	struct nca_admin_cpl cpl;
	struct nca_cqe c;
	uint64_t beat;
	struct rig r;

	rig_open(&r, "nca1");
	ncasim_inject(r.h.dev, NCASIM_HANG);
	beat = ncasim_reg_read(r.h.dev, NCA_REG_HEARTBEAT, 4);
	hq_submit(&r.q, &s);
	CU_ASSERT_FALSE(host_admin_reap(&r.h, &cpl, 200000000));
	CU_ASSERT_FALSE(hq_poll(&r.q, &c));
	CU_ASSERT_EQUAL(ncasim_reg_read(r.h.dev, NCA_REG_HEARTBEAT, 4), beat);
	CU_ASSERT_EQUAL(ncasim_reg_read(r.h.dev, NCA_REG_MAGIC, 4), NCA_MAGIC);
	ncasim_inject(r.h.dev, NCASIM_UNHANG);
	CU_ASSERT_TRUE(hq_wait(&r.q, &c));
	/* Through the admin queue, cured by a reset. */
	cmd.inject.what = NCA_INJECT_HANG;
	host_admin_post(&r.h, &cmd);
	CU_ASSERT_FALSE(host_admin_reap(&r.h, &cpl, 50000000));
	ncasim_reset(r.h.dev);
	host_enable(&r.h);
	cmd = (struct nca_admin_cmd){ .opcode = NCA_ADMIN_NOP };
	CU_ASSERT_EQUAL(host_admin(&r.h, &cmd, NULL), NCA_ADMIN_OK);
	/* A fatal error says why and serves nothing. */
	cmd = (struct nca_admin_cmd){ .opcode = NCA_ADMIN_INJECT };
	cmd.inject.what = NCA_INJECT_FATAL;
	cmd.inject.arg = 0x77;
	host_admin_post(&r.h, &cmd);
	while (ncasim_reg_read(r.h.dev, NCA_REG_STATUS, 4) != NCA_STATUS_FATAL)
		;
	CU_ASSERT_EQUAL(ncasim_reg_read(r.h.dev, NCA_REG_FATAL_CAUSE, 4), 0x77);
	host_close(&r.h);
}

/* Whatever state the device is in, writing RESET brings it back. */
static void reset_cures(void)
{
	struct nca_admin_cmd cmd = { .opcode = NCA_ADMIN_INJECT };
	uint64_t until;
	struct hprogram p;
	struct rig r;

	cmd.inject.what = NCA_INJECT_FATAL;
	for (int how = 0; how < 4; how++) {
		rig_open(&r, "nca1");
		host_program(&r.h, &r.ctx, &p, 0, 0);
		host_program_set(&p, 1000, FAKE_DONE, 2000000000);
		host_launch(&r.q, &p, 1);
		if (how == 1) {
			ncasim_inject(r.h.dev, NCASIM_HANG);
		} else if (how == 2) {
			host_admin_post(&r.h, &cmd);
			while (ncasim_reg_read(r.h.dev, NCA_REG_STATUS, 4) != NCA_STATUS_FATAL)
				;
		} else if (how == 3) {
			ncasim_set_bus_master(r.h.dev, false);
		}
		ncasim_reg_write(r.h.dev, NCA_REG_RESET, NCA_RESET_MAGIC, 4);
		until = now_ns() + 5000000000ull;
		while (ncasim_reg_read(r.h.dev, NCA_REG_STATUS, 4) && now_ns() < until)
			;
		CU_ASSERT_EQUAL(ncasim_reg_read(r.h.dev, NCA_REG_STATUS, 4), 0);
		ncasim_set_bus_master(r.h.dev, true);
		host_enable(&r.h);
		CU_ASSERT_EQUAL(host_ctx_create(&r.h, &r.ctx, 8, 0, 0), NCA_ADMIN_OK);
		CU_ASSERT_EQUAL(host_queue_create(&r.h, &r.ctx, &r.q, 0, 4, 4, NCA_CORE_ANY),
				NCA_ADMIN_OK);
		host_program(&r.h, &r.ctx, &p, 0, 0);
		host_program_set(&p, 1000, FAKE_DONE, 0);
		host_launch(&r.q, &p, 1);
		nop(&r);
		host_close(&r.h);
	}
}

static void vanish(void)
{
	struct nca_sqe s = { .cookie = 3 };
	struct hprogram p;
	struct nca_cqe c;
	struct rig r;

	rig_open(&r, "nca1");
	host_program(&r.h, &r.ctx, &p, 0, 0);
	host_program_set(&p, 1000, FAKE_DONE, 2000000000);
	host_launch(&r.q, &p, 1);
	ncasim_inject(r.h.dev, NCASIM_VANISH);
	CU_ASSERT_TRUE(ncasim_vanished(r.h.dev));
	CU_ASSERT_EQUAL(ncasim_reg_read(r.h.dev, NCA_REG_MAGIC, 4), 0xffffffffu);
	CU_ASSERT_EQUAL(ncasim_reg_read(r.h.dev, NCA_REG_TIME, 8), ~0ull);
	hq_submit(&r.q, &s);
	CU_ASSERT_FALSE(hq_poll(&r.q, &c));
	ncasim_inject(r.h.dev, NCASIM_RETURN);
	CU_ASSERT_EQUAL(ncasim_reg_read(r.h.dev, NCA_REG_MAGIC, 4), NCA_MAGIC);
	CU_ASSERT_EQUAL(ncasim_reg_read(r.h.dev, NCA_REG_STATUS, 4), 0);
	ncasim_set_bus_master(r.h.dev, true);
	host_enable(&r.h);
	CU_ASSERT_EQUAL(host_ctx_create(&r.h, &r.ctx, 2, 0, 0), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(host_queue_create(&r.h, &r.ctx, &r.q, 0, 4, 4, NCA_CORE_ANY), NCA_ADMIN_OK);
	nop(&r);
	host_close(&r.h);
}

static void *pester(void *arg)
{
	struct rig *r = arg;

	for (int i = 0; i < 300; i++) {
		ncasim_set_bus_master(r->h.dev, i & 1);
		ncasim_dma_map(r->h.dev, 0x1000, r, 4096, 3);
		ncasim_dma_unmap(r->h.dev, 0x1000, 4096);
		ncasim_reg_read(r->h.dev, NCA_REG_HEARTBEAT, 4);
		ncasim_kick(r->h.dev, 0);
	}
	return NULL;
}

/* Requests from several threads, launches running, then everything dies at once. */
static void storm(void)
{
	struct hprogram p;
	pthread_t t[3];
	struct rig r;

	rig_open(&r, "nca1");
	host_program(&r.h, &r.ctx, &p, 0, 0);
	host_program_set(&p, 1000, FAKE_DONE, 500);
	for (int i = 0; i < 8; i++)
		host_launch(&r.q, &p, 1);
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, pester, &r);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	host_close(&r.h);
}

static void drop_irq(void)
{
	struct nca_admin_cmd cmd = { .opcode = NCA_ADMIN_INJECT };
	struct rig r;
	uint32_t n;

	rig_open(&r, "nca1");
	cmd.inject.what = NCA_INJECT_DROP_IRQ;
	cmd.inject.arg = 3;
	host_admin(&r.h, &cmd, NULL);
	n = host_irqs(&r.h, 0);
	cmd = (struct nca_admin_cmd){ .opcode = NCA_ADMIN_NOP };
	for (int i = 0; i < 10; i++) {
		host_admin(&r.h, &cmd, NULL);
		ncasim_set_bus_master(r.h.dev, true);	/* its interrupt is out */
	}
	CU_ASSERT_TRUE(host_irqs(&r.h, 0) - n >= 7);
	CU_ASSERT_TRUE(host_irqs(&r.h, 0) - n <= 8);
	host_close(&r.h);
}

CU_TestInfo bus_tests[] = {
	{ "DMA regions", regions },
	{ "memory that is taken away", ring_gone },
	{ "unmapping under a running launch", unmap_running },
	{ "bus master off", bus_master },
	{ "reset", reset },
	{ "hang and fatal", hang },
	{ "a reset cures everything", reset_cures },
	{ "vanish and return", vanish },
	{ "requests from many threads", storm },
	{ "lost interrupts", drop_irq },
	CU_TEST_INFO_NULL,
};
