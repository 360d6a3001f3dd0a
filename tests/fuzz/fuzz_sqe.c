/* SPDX-License-Identifier: MIT */
/*
 * A hostile tenant: submission entries, and below them the memory they name
 * (programs, argument tables, semaphores), all from the input. The first two
 * bytes choose how far the tail is moved. Programs run on the real core.
 */
#include <stdbool.h>

#include "fuzz_device.h"

#define VA	0x10000u	/* user memory, at bus address 0x40000 */
#define LEN	0x40000u
#define RINGS	0x20000u	/* bus address of the rings */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct nca_admin_cmd for_ctx(uint32_t opcode, const struct nca_admin_cpl *ctx)
{
	struct nca_admin_cmd cmd = { .opcode = (uint8_t)opcode };

	cmd.ctx = (uint32_t)ctx->result[0];
	cmd.ctx_gen = (uint32_t)(ctx->result[0] >> 32);
	return cmd;
}

static void must(struct nca_admin_cmd cmd, struct nca_admin_cpl *cpl)
{
	if (!fuzz_admin(&cmd, cpl) || cpl->status != NCA_ADMIN_OK)
		abort();
}

static void map(const struct nca_admin_cpl *ctx, uint64_t va, uint64_t bus, uint64_t len,
		uint32_t flags)
{
	struct nca_extent_page *page = (void *)(fuzz_mem + 0x10000);
	struct nca_admin_cmd cmd = for_ctx(NCA_ADMIN_MAP, ctx);
	struct nca_admin_cpl cpl;

	memset(page, 0, sizeof(*page));
	page->count = 1;
	page->extent[0] = (struct nca_extent){ bus, len };
	cmd.map.va = va;
	cmd.map.len = len;
	cmd.map.list = 0x10000;
	cmd.map.extents = 1;
	cmd.map.flags = flags;
	must(cmd, &cpl);
}

static void set_up(struct nca_admin_cpl *ctx)
{
	struct nca_admin_cmd cmd = { .opcode = NCA_ADMIN_EQ_CREATE };
	struct nca_admin_cpl cpl;

	cmd.eq.base = FUZZ_EQ;
	cmd.eq.vector = 1;
	cmd.eq.order = 6;
	must(cmd, &cpl);
	cmd = (struct nca_admin_cmd){ .opcode = NCA_ADMIN_CTX_CREATE };
	cmd.ctx_create.slices = 2;
	must(cmd, ctx);
	map(ctx, VA, 0x40000, LEN, NCA_MAP_READ | NCA_MAP_WRITE);
	map(ctx, 0x100000, 0, LEN, NCA_MAP_READ | NCA_MAP_WRITE | NCA_MAP_DEVICE);
	map(ctx, NCA_VA_USER_END, RINGS, 0x3000, NCA_MAP_READ | NCA_MAP_WRITE);
	cmd = for_ctx(NCA_ADMIN_QUEUE_CREATE, ctx);
	cmd.queue_create.vector = 1;
	cmd.queue_create.state_va = NCA_VA_USER_END;
	cmd.queue_create.sq_va = NCA_VA_USER_END + 0x1000;
	cmd.queue_create.cq_va = NCA_VA_USER_END + 0x2000;
	cmd.queue_create.sq_order = 4;
	cmd.queue_create.cq_order = 4;
	cmd.queue_create.core = NCA_CORE_ANY;
	must(cmd, &cpl);
}

/* An admin command is answered even while a tenant does its worst. */
static void expect_alive(void)
{
	struct nca_admin_cmd nop = { .opcode = NCA_ADMIN_NOP };
	struct nca_admin_cpl cpl;

	must(nop, &cpl);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nca_doorbell *db;
	struct nca_admin_cpl ctx;
	uint32_t tail, entries;
	uint64_t until;
	size_t n;

	if (size < 2)
		return 0;
	fuzz_reset();
	set_up(&ctx);
	tail = data[0] & 0x80 ? (uint32_t)data[0] << 24 | data[1] : data[1] % 17u;
	data += 2;
	size -= 2;
	entries = (uint32_t)(size / 64 < 16 ? size / 64 : 16);
	memcpy(fuzz_mem + RINGS + 0x1000, data, entries * 64);
	data += entries * 64;
	size -= entries * 64;
	n = size < LEN ? size : LEN;
	if (n)
		memcpy(fuzz_mem + 0x40000, data, n);
	db = ncasim_doorbells(fuzz_dev, NULL, NULL);
	db->arm = 1ull << 32;
	__atomic_store_n(&db->sq_tail, tail, __ATOMIC_RELEASE);
	ncasim_kick(fuzz_dev, 0);
	expect_alive();
	/* Let programs run for a while; what is not over then is dropped by the reset. */
	until = fuzz_now() + 20000000;
	while (fuzz_now() < until) {
		struct nca_queue_state *state = (void *)(fuzz_mem + RINGS);
		struct nca_cqe *cq = (void *)(fuzz_mem + RINGS + 0x2000);

		if (tail > 16)
			break;
		if (__atomic_load_n(&state->sq_head, __ATOMIC_ACQUIRE) == tail &&
		    (!tail || cq[tail - 1].flags & NCA_CQE_PHASE))
			break;
		sched_yield();
	}
	expect_alive();
	return 0;
}
