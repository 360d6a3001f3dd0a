/* SPDX-License-Identifier: MIT */
/* Registers, admin commands, placement. */
#include "tests.h"

static void registers(void)
{
	struct host h;

	host_open(&h, "nca1");
	CU_ASSERT_EQUAL(ncasim_reg_read(h.dev, NCA_REG_MAGIC, 4), NCA_MAGIC);
	CU_ASSERT_EQUAL(ncasim_reg_read(h.dev, NCA_REG_VERSION, 4), 0x10000);
	CU_ASSERT_EQUAL(ncasim_reg_read(h.dev, NCA_REG_DEVMEM_SIZE, 8), 8ull << 30);
	CU_ASSERT_EQUAL(ncasim_reg_read(h.dev, NCA_REG_DEVMEM_SIZE + 4, 4), 2);
	CU_ASSERT_EQUAL(ncasim_reg_read(h.dev, NCA_REG_MAGIC, 1), NCA_MAGIC & 0xff);
	CU_ASSERT_EQUAL(ncasim_reg_read(h.dev, NCA_REG_MAGIC + 2, 2), NCA_MAGIC >> 16);
	CU_ASSERT_EQUAL(ncasim_reg_read(h.dev, NCA_REG_MAGIC, 3), 0);
	CU_ASSERT_EQUAL(ncasim_reg_read(h.dev, NCA_REG_MAGIC + 1, 4), 0);
	CU_ASSERT_EQUAL(ncasim_reg_read(h.dev, 0xff000000u, 4), 0);
	CU_ASSERT_EQUAL(ncasim_reg_read(h.dev, 0xfffffffcu, 8), 0);
	ncasim_reg_write(h.dev, 0xfffffffcu, 1, 8);
	ncasim_reg_write(h.dev, NCA_REG_MAGIC, 0, 4);
	CU_ASSERT_EQUAL(ncasim_reg_read(h.dev, NCA_REG_MAGIC, 4), NCA_MAGIC);
	/* 64-bit registers in halves; the MSI-X table holds what is written. */
	ncasim_reg_write(h.dev, NCA_MSIX_TABLE_OFFSET + 4, 0x12345678, 4);
	CU_ASSERT_EQUAL(ncasim_reg_read(h.dev, NCA_MSIX_TABLE_OFFSET, 8), 0x1234567800000000ull);
	CU_ASSERT_EQUAL(ncasim_reg_read(h.dev, NCA_REG_ASQ_BASE, 8), host_iova(&h, h.asq));
	host_close(&h);
}

static void identify(void)
{
	struct nca_admin_cmd cmd = { .opcode = NCA_ADMIN_IDENTIFY };
	struct nca_identify *id;
	struct host h;

	host_open(&h, "nca2");
	id = host_alloc(&h, 4096);
	cmd.identify.addr = host_iova(&h, id);
	CU_ASSERT_EQUAL(host_admin(&h, &cmd, NULL), NCA_ADMIN_OK);
	CU_ASSERT_STRING_EQUAL(id->target_name, "nca2");
	CU_ASSERT_EQUAL(id->cores, 2);
	CU_ASSERT_EQUAL(id->slices, 8);
	CU_ASSERT_EQUAL(id->max_queues, ncasim_reg_read(h.dev, NCA_REG_CAP_QUEUES, 4));
	CU_ASSERT_EQUAL(id->simulated, 1);
	CU_ASSERT_TRUE(host_irqs(&h, 0) >= 1);
	host_close(&h);
}

static void refused(void)
{
	struct nca_admin_cmd cmd;
	struct nca_admin_cpl cpl;
	struct host h;

	host_open(&h, "nca1");
	cmd = (struct nca_admin_cmd){ .opcode = 0x55 };
	CU_ASSERT_EQUAL(host_admin(&h, &cmd, NULL), NCA_ADMIN_BAD_OPCODE);
	cmd = (struct nca_admin_cmd){ .opcode = NCA_ADMIN_NOP, .flags = 1 };
	CU_ASSERT_EQUAL(host_admin(&h, &cmd, &cpl), NCA_ADMIN_BAD_FIELD);
	CU_ASSERT_EQUAL(cpl.detail, 1);
	cmd = (struct nca_admin_cmd){ .opcode = NCA_ADMIN_PARTITION_CREATE };
	CU_ASSERT_EQUAL(host_admin(&h, &cmd, NULL), NCA_ADMIN_UNSUPPORTED);
	cmd = (struct nca_admin_cmd){ .opcode = NCA_ADMIN_CTX_CREATE };
	cmd.ctx_create.slices = 3;
	CU_ASSERT_EQUAL(host_admin(&h, &cmd, &cpl), NCA_ADMIN_BAD_FIELD);
	CU_ASSERT_EQUAL(cpl.detail, 16);
	cmd.ctx_create.slices = 1;
	cmd.ctx_create.rsvd[3] = 1;
	CU_ASSERT_EQUAL(host_admin(&h, &cmd, &cpl), NCA_ADMIN_BAD_FIELD);
	cmd = (struct nca_admin_cmd){ .opcode = NCA_ADMIN_CTX_DESTROY, .ctx = 1, .ctx_gen = 99 };
	CU_ASSERT_EQUAL(host_admin(&h, &cmd, NULL), NCA_ADMIN_BAD_ID);
	cmd = (struct nca_admin_cmd){ .opcode = NCA_ADMIN_IDENTIFY };
	cmd.identify.addr = 0xdead000;
	CU_ASSERT_EQUAL(host_admin(&h, &cmd, NULL), NCA_ADMIN_BAD_ADDRESS);
	cmd = (struct nca_admin_cmd){ .opcode = NCA_ADMIN_SCRUB };
	cmd.scrub.offset = ~0xfffull;
	cmd.scrub.len = 0x2000;
	CU_ASSERT_EQUAL(host_admin(&h, &cmd, NULL), NCA_ADMIN_BAD_FIELD);
	host_close(&h);
}

static void maps(void)
{
	struct nca_extent_page *page, *second;
	struct nca_admin_cmd cmd;
	struct hctx ctx;
	struct host h;
	uint8_t *mem;

	host_open(&h, "nca1");
	CU_ASSERT_EQUAL(host_ctx_create(&h, &ctx, 1, 0, 0), NCA_ADMIN_OK);
	mem = host_alloc(&h, 16384);
	CU_ASSERT_EQUAL(host_map(&h, &ctx, 0x100000, mem, 8192, NCA_MAP_READ), NCA_ADMIN_OK);
	/* Overlap, misalignment, across the split, too high, no permission. */
	CU_ASSERT_EQUAL(host_map(&h, &ctx, 0x101000, mem, 8192, NCA_MAP_READ), NCA_ADMIN_BAD_ADDRESS);
	CU_ASSERT_EQUAL(host_map(&h, &ctx, 0xff000, mem, 8192, NCA_MAP_READ), NCA_ADMIN_BAD_ADDRESS);
	CU_ASSERT_EQUAL(host_map(&h, &ctx, 0x200800, mem, 4096, NCA_MAP_READ), NCA_ADMIN_BAD_FIELD);
	CU_ASSERT_EQUAL(host_map(&h, &ctx, NCA_VA_USER_END - 4096, mem, 8192, NCA_MAP_READ),
			NCA_ADMIN_BAD_FIELD);
	CU_ASSERT_EQUAL(host_map(&h, &ctx, NCA_VA_KERNEL_END - 4096, mem, 8192, NCA_MAP_READ),
			NCA_ADMIN_BAD_FIELD);
	CU_ASSERT_EQUAL(host_map(&h, &ctx, ~0xfffull, mem, 8192, NCA_MAP_READ), NCA_ADMIN_BAD_FIELD);
	CU_ASSERT_EQUAL(host_map(&h, &ctx, 0, mem, 4096, NCA_MAP_READ), NCA_ADMIN_BAD_FIELD);
	CU_ASSERT_EQUAL(host_map(&h, &ctx, 0x300000, mem, 4096, 0), NCA_ADMIN_BAD_FIELD);
	CU_ASSERT_EQUAL(host_map_dev(&h, &ctx, 0x300000, 8ull << 30, 4096, NCA_MAP_READ),
			NCA_ADMIN_BAD_ADDRESS);
	/* Unmapping must name exactly one mapping. */
	CU_ASSERT_EQUAL(host_unmap(&h, &ctx, 0x100000, 4096), NCA_ADMIN_BAD_ADDRESS);
	CU_ASSERT_EQUAL(host_unmap(&h, &ctx, 0x101000, 4096), NCA_ADMIN_BAD_ADDRESS);
	CU_ASSERT_EQUAL(host_unmap(&h, &ctx, 0x100000, 8192), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(host_unmap(&h, &ctx, 0x100000, 8192), NCA_ADMIN_BAD_ADDRESS);

	/* A list of two pages; a loop in it; counts that do not fit. */
	page = host_alloc(&h, 4096);
	second = host_alloc(&h, 4096);
	page->next = host_iova(&h, second);
	page->count = 1;
	page->extent[0] = (struct nca_extent){ host_iova(&h, mem), 4096 };
	second->count = 1;
	second->extent[0] = (struct nca_extent){ host_iova(&h, mem) + 8192, 4096 };
	cmd = (struct nca_admin_cmd){ .opcode = NCA_ADMIN_MAP, .ctx = ctx.id, .ctx_gen = ctx.gen };
	cmd.map.va = 0x400000;
	cmd.map.len = 8192;
	cmd.map.list = host_iova(&h, page);
	cmd.map.extents = 2;
	cmd.map.flags = NCA_MAP_READ;
	CU_ASSERT_EQUAL(host_admin(&h, &cmd, NULL), NCA_ADMIN_OK);
	cmd.map.va = 0x500000;
	second->count = 2;
	CU_ASSERT_EQUAL(host_admin(&h, &cmd, NULL), NCA_ADMIN_BAD_FIELD);
	second->count = 0;
	CU_ASSERT_EQUAL(host_admin(&h, &cmd, NULL), NCA_ADMIN_BAD_FIELD);
	second->count = 1;
	second->extent[0].len = 1ull << 63;
	CU_ASSERT_EQUAL(host_admin(&h, &cmd, NULL), NCA_ADMIN_BAD_FIELD);
	page->next = 0;
	CU_ASSERT_EQUAL(host_admin(&h, &cmd, NULL), NCA_ADMIN_BAD_ADDRESS);
	cmd.map.extents = 0xffffffff;
	CU_ASSERT_EQUAL(host_admin(&h, &cmd, NULL), NCA_ADMIN_BAD_FIELD);
	ctx.gen++;
	CU_ASSERT_EQUAL(host_ctx_destroy(&h, &ctx), NCA_ADMIN_BAD_ID);
	ctx.gen--;
	CU_ASSERT_EQUAL(host_ctx_destroy(&h, &ctx), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(host_ctx_destroy(&h, &ctx), NCA_ADMIN_BAD_ID);
	host_close(&h);
}

static uint32_t cores_of(struct host *h, uint32_t slices)
{
	struct hctx ctx;

	return host_ctx_create(h, &ctx, slices, 0, 0) == NCA_ADMIN_OK ? ctx.core_mask : 0;
}

static void placement_nca1(void)
{
	struct nca_admin_cmd cmd = { .opcode = NCA_ADMIN_CTX_CREATE };
	struct nca_admin_cpl cpl;
	struct hctx ctx, first;
	struct host h;
	uint32_t m;

	host_open(&h, "nca1");
	CU_ASSERT_EQUAL(host_ctx_create(&h, &first, 1, 0, 0), NCA_ADMIN_OK);
	/* Best fit: the second medium joins the first, so that three whole cores are left. */
	CU_ASSERT_EQUAL(cores_of(&h, 1), first.core_mask);
	m = cores_of(&h, 4);
	CU_ASSERT_EQUAL(__builtin_popcount(m), 2);
	CU_ASSERT_EQUAL(m & first.core_mask, 0);
	m = cores_of(&h, 2);
	CU_ASSERT_EQUAL(__builtin_popcount(m), 1);
	/* The ninth slice. */
	cmd.ctx_create.slices = 1;
	CU_ASSERT_EQUAL(host_admin(&h, &cmd, &cpl), NCA_ADMIN_NO_CAPACITY);
	CU_ASSERT_EQUAL(cpl.result[0], 0);
	CU_ASSERT_EQUAL(cpl.result[1], 0);
	/* One slice free, then asked for a large. */
	CU_ASSERT_EQUAL(host_ctx_destroy(&h, &first), NCA_ADMIN_OK);
	cmd.ctx_create.slices = 2;
	CU_ASSERT_EQUAL(host_admin(&h, &cmd, &cpl), NCA_ADMIN_NO_CAPACITY);
	CU_ASSERT_EQUAL(cpl.result[0], 1);
	CU_ASSERT_EQUAL(cpl.result[1], 1);
	CU_ASSERT_EQUAL(host_ctx_create(&h, &ctx, 1, 0, first.core_mask), NCA_ADMIN_OK);
	CU_ASSERT_NOT_EQUAL(ctx.gen, first.gen);
	host_close(&h);
}

static void placement_nca2(void)
{
	struct hctx ctx;
	struct host h;

	host_open(&h, "nca2");
	/* Cores that the driver names: equal parts, no more than there is. */
	CU_ASSERT_EQUAL(host_ctx_create(&h, &ctx, 4, 0, 3), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(ctx.core_mask, 3);
	CU_ASSERT_EQUAL(host_ctx_create(&h, &ctx, 1, 0, 3), NCA_ADMIN_BAD_FIELD);
	CU_ASSERT_EQUAL(host_ctx_create(&h, &ctx, 4, 0, 1), NCA_ADMIN_NO_CAPACITY);
	CU_ASSERT_EQUAL(host_ctx_create(&h, &ctx, 4, 0, 0), NCA_ADMIN_NO_CAPACITY);
	CU_ASSERT_EQUAL(host_ctx_create(&h, &ctx, 8, 0, 4), NCA_ADMIN_BAD_FIELD);
	CU_ASSERT_EQUAL(host_ctx_create(&h, &ctx, 2, 0, 0), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(host_ctx_create(&h, &ctx, 1, 0, 0), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(ctx.core_mask, 2);
	host_close(&h);
}

static void admin_ring(void)
{
	struct nca_admin_cmd cmd = { .opcode = NCA_ADMIN_NOP };
	struct nca_admin_cpl cpl;
	uint64_t until;
	struct host h;
	uint16_t first;

	host_open(&h, "nca1");
	/* More commands than the completion ring holds: none is lost, none overwritten. */
	for (int i = 0; i < 16; i++)
		host_admin_post(&h, &cmd);
	/* All sixteen are answered (the ring's first lap began with EQ_CREATE) but not consumed. */
	while (__atomic_load_n(&((uint64_t *)(void *)&h.acq[0])[3], __ATOMIC_ACQUIRE) >> 48)
		;
	first = (uint16_t)(h.cid - 15);
	for (int i = 0; i < 16; i++)
		host_admin_post(&h, &cmd);
	for (int i = 0; i < 3; i++)
		ncasim_set_bus_master(h.dev, true);	/* round trips through the front end */
	for (int i = 0; i < 32; i++) {
		CU_ASSERT_TRUE(host_admin_reap(&h, &cpl, 1000000000));
		CU_ASSERT_EQUAL(cpl.cid, (uint16_t)(first + i));
	}
	CU_ASSERT_FALSE(host_admin_reap(&h, &cpl, 1000000));
	/* An impossible tail is fatal, and only a reset helps. */
	ncasim_reg_write(h.dev, NCA_REG_ASQ_TAIL, h.admin_tail + 1000, 4);
	until = now_ns() + 5000000000ull;
	while (!(ncasim_reg_read(h.dev, NCA_REG_STATUS, 4) & NCA_STATUS_FATAL) && now_ns() < until)
		;
	CU_ASSERT_EQUAL(ncasim_reg_read(h.dev, NCA_REG_STATUS, 4), NCA_STATUS_FATAL);
	CU_ASSERT_EQUAL(ncasim_reg_read(h.dev, NCA_REG_FATAL_CAUSE, 4), NCA_FATAL_ADMIN_INDEX);
	ncasim_reset(h.dev);
	CU_ASSERT_EQUAL(ncasim_reg_read(h.dev, NCA_REG_STATUS, 4), 0);
	host_enable(&h);
	CU_ASSERT_EQUAL(host_admin(&h, &cmd, NULL), NCA_ADMIN_OK);
	host_close(&h);
}

static void logs(void)
{
	struct nca_admin_cmd cmd = { .opcode = NCA_ADMIN_TELEMETRY };
	struct nca_telemetry *t;
	struct nca_ctx_usage *u;
	struct nca_admin_cpl cpl;
	struct hctx ctx;
	struct host h;
	uint8_t *page;

	host_open(&h, "nca1");
	page = host_alloc(&h, 8192);
	t = (void *)page;
	u = (void *)page;
	CU_ASSERT_EQUAL(host_ctx_create(&h, &ctx, 2, 0, 0), NCA_ADMIN_OK);
	cmd.log.addr = host_iova(&h, page);
	cmd.log.len = sizeof(*t);
	CU_ASSERT_EQUAL(host_admin(&h, &cmd, &cpl), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(cpl.result[0], sizeof(*t));
	CU_ASSERT_EQUAL(t->contexts, 1);
	cmd.opcode = NCA_ADMIN_LOG_PAGE;
	cmd.log.page = NCA_LOG_ARBITER;
	cmd.log.len = 4096;
	CU_ASSERT_EQUAL(host_admin(&h, &cmd, &cpl), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(cpl.result[0], sizeof(*u));
	CU_ASSERT_EQUAL(u->ctx, ctx.id);
	CU_ASSERT_EQUAL(u->slices, 2);
	cmd.log.page = 77;
	CU_ASSERT_EQUAL(host_admin(&h, &cmd, &cpl), NCA_ADMIN_BAD_FIELD);
	cmd.log.page = NCA_LOG_FAULTS;
	cmd.log.addr += 2048;
	CU_ASSERT_EQUAL(host_admin(&h, &cmd, &cpl), NCA_ADMIN_BAD_FIELD);
	cmd.log.len = 2048;
	CU_ASSERT_EQUAL(host_admin(&h, &cmd, &cpl), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(cpl.result[0], 0);
	host_close(&h);
}

static void scrub_memory(bool private_memory)
{
	struct nca_admin_cmd cmd = { .opcode = NCA_ADMIN_SCRUB };
	uint8_t *mem;
	uint64_t len;
	struct host h;
	int fd;

	host_open_memory(&h, "nca1", private_memory);
	mem = ncasim_devmem(h.dev, &len, &fd);
	CU_ASSERT_EQUAL(len, 8ull << 30);
	/* Private memory falls back to a memfd where the kernel will not overcommit. */
	CU_ASSERT(private_memory || fd >= 0);
	memset(mem + 4096, 0x5a, 3 * 4096);
	cmd.scrub.offset = 8192;
	cmd.scrub.len = 4096;
	CU_ASSERT_EQUAL(host_admin(&h, &cmd, NULL), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(mem[8191], 0x5a);
	CU_ASSERT_EQUAL(mem[8192], 0);
	CU_ASSERT_EQUAL(mem[12287], 0);
	CU_ASSERT_EQUAL(mem[12288], 0x5a);
	CU_ASSERT_EQUAL(mem[len - 1], 0);
	host_close(&h);
}

static void scrub(void)
{
	scrub_memory(false);
	scrub_memory(true);
}

CU_TestInfo admin_tests[] = {
	{ "registers", registers },
	{ "identify", identify },
	{ "bad commands", refused },
	{ "address map", maps },
	{ "placement on four cores", placement_nca1 },
	{ "placement on two cores", placement_nca2 },
	{ "admin rings wrap, stall and refuse nonsense", admin_ring },
	{ "telemetry and logs", logs },
	{ "scrub", scrub },
	CU_TEST_INFO_NULL,
};
