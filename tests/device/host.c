/* SPDX-License-Identifier: MIT */
/* The tests' minimal driver, see host.h. */
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "host.h"

#define ADMIN_ORDER	4u
#define WAIT_NS		10000000000ull

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "test host: %s\n", what);
	abort();
}

static void on_irq(void *opaque, unsigned int vector)
{
	struct host *h = opaque;

	__atomic_fetch_add(&h->irqs[vector & 15], 1, __ATOMIC_RELEASE);
	if (h->hook)
		h->hook(h->hook_arg);
}

uint32_t host_irqs(struct host *h, unsigned int vector)
{
	return __atomic_load_n(&h->irqs[vector & 15], __ATOMIC_ACQUIRE);
}

void host_hook(struct host *h, void (*hook)(void *arg), void *arg)
{
	h->hook_arg = arg;
	h->hook = hook;
}

void *host_alloc(struct host *h, uint64_t len)
{
	void *p = h->mem + h->used;

	len = (len + 4095) & ~4095ull;
	if (h->used + len > HOST_BYTES)
		die("out of host memory");
	h->used += len;
	return p;
}

uint64_t host_iova(const struct host *h, const void *p)
{
	return HOST_IOVA + (uint64_t)((const uint8_t *)p - h->mem);
}

void host_enable(struct host *h)
{
	uint64_t until = now_ns() + WAIT_NS;
	struct nca_admin_cmd eq = { .opcode = NCA_ADMIN_EQ_CREATE };

	h->admin_tail = 0;
	h->admin_head = 0;
	h->eq_head = 0;
	memset(h->acq, 0, 4096);
	memset(h->eq, 0, sizeof(struct nca_event) << HOST_EQ_ORDER);
	ncasim_reg_write(h->dev, NCA_REG_ASQ_BASE, host_iova(h, h->asq), 8);
	ncasim_reg_write(h->dev, NCA_REG_ACQ_BASE, host_iova(h, h->acq), 8);
	ncasim_reg_write(h->dev, NCA_REG_ADMIN_ORDER, ADMIN_ORDER, 4);
	ncasim_reg_write(h->dev, NCA_REG_CTRL, NCA_CTRL_ENABLE, 4);
	while (ncasim_reg_read(h->dev, NCA_REG_STATUS, 4) != NCA_STATUS_READY) {
		if (now_ns() > until)
			die("device does not become ready");
		sched_yield();
	}
	eq.eq.base = host_iova(h, h->eq);
	eq.eq.vector = 1;
	eq.eq.order = HOST_EQ_ORDER;
	if (host_admin(h, &eq, NULL))
		die("EQ_CREATE failed");
}

void host_open(struct host *h, const char *options)
{
	host_open_memory(h, options, false);
}

void host_open_memory(struct host *h, const char *options, bool private_memory)
{
	static const struct ncasim_host_ops ops = { .irq = on_irq };
	struct ncasim_config cfg;
	char err[256];
	size_t len;
	int fd;

	memset(h, 0, sizeof(*h));
	if (ncasim_config_parse(&cfg, options, err, sizeof(err)))
		die(err);
	cfg.private_memory = private_memory;
	if (ncasim_create(&cfg, &ops, h, &h->dev, err, sizeof(err)))
		die(err);
	ncasim_config_fini(&cfg);
	h->mem = mmap(NULL, HOST_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (h->mem == MAP_FAILED)
		die("mmap");
	h->doorbells = ncasim_doorbells(h->dev, &len, &fd);
	if (ncasim_dma_map(h->dev, HOST_IOVA, h->mem, HOST_BYTES, NCASIM_DMA_READ | NCASIM_DMA_WRITE))
		die("ncasim_dma_map");
	ncasim_set_bus_master(h->dev, true);
	h->asq = host_alloc(h, 4096);
	h->acq = host_alloc(h, 4096);
	h->eq = host_alloc(h, sizeof(struct nca_event) << HOST_EQ_ORDER);
	host_enable(h);
}

void host_close(struct host *h)
{
	ncasim_destroy(h->dev);
	munmap(h->mem, HOST_BYTES);
}

/* ---- Admin ----------------------------------------------------------------------------- */
void host_admin_post(struct host *h, struct nca_admin_cmd *cmd)
{
	cmd->cid = ++h->cid;
	h->asq[h->admin_tail & ((1u << ADMIN_ORDER) - 1)] = *cmd;
	h->admin_tail++;
	ncasim_reg_write(h->dev, NCA_REG_ASQ_TAIL, h->admin_tail, 4);
}

bool host_admin_reap(struct host *h, struct nca_admin_cpl *cpl, uint64_t timeout_ns)
{
	uint64_t until = now_ns() + timeout_ns;
	struct nca_admin_cpl *c = &h->acq[h->admin_head & ((1u << ADMIN_ORDER) - 1)];
	uint16_t phase = !((h->admin_head >> ADMIN_ORDER) & 1);

	while (__atomic_load_n(&((uint64_t *)(void *)c)[3], __ATOMIC_ACQUIRE) >> 48 != phase) {
		if (now_ns() > until)
			return false;
		sched_yield();
	}
	*cpl = *c;
	h->admin_head++;
	ncasim_reg_write(h->dev, NCA_REG_ACQ_HEAD, h->admin_head, 4);
	return true;
}

uint16_t host_admin(struct host *h, struct nca_admin_cmd *cmd, struct nca_admin_cpl *cpl)
{
	struct nca_admin_cpl c;

	host_admin_post(h, cmd);
	if (!host_admin_reap(h, &c, WAIT_NS))
		die("an admin command was not answered");
	if (c.cid != cmd->cid)
		die("an admin completion has another command's id");
	if (cpl)
		*cpl = c;
	return c.status;
}

uint16_t host_ctx_create(struct host *h, struct hctx *ctx, uint32_t slices, uint32_t flags,
			 uint32_t core_mask)
{
	struct nca_admin_cmd cmd = { .opcode = NCA_ADMIN_CTX_CREATE };
	struct nca_admin_cpl cpl;
	uint16_t status;

	cmd.ctx_create.slices = slices;
	cmd.ctx_create.flags = flags;
	cmd.ctx_create.core_mask = core_mask;
	status = host_admin(h, &cmd, &cpl);
	*ctx = (struct hctx){
		.id = (uint32_t)cpl.result[0], .gen = (uint32_t)(cpl.result[0] >> 32),
		.core_mask = (uint32_t)cpl.result[1], .next_va = 0x10000000,
		.next_ring_va = NCA_VA_USER_END,
	};
	return status;
}

uint16_t host_ctx_destroy(struct host *h, struct hctx *ctx)
{
	struct nca_admin_cmd cmd = {
		.opcode = NCA_ADMIN_CTX_DESTROY, .ctx = ctx->id, .ctx_gen = ctx->gen,
	};

	return host_admin(h, &cmd, NULL);
}

static uint16_t map(struct host *h, struct hctx *ctx, uint64_t va, uint64_t addr, uint64_t len,
		    uint32_t flags)
{
	struct nca_admin_cmd cmd = { .opcode = NCA_ADMIN_MAP, .ctx = ctx->id, .ctx_gen = ctx->gen };
	uint64_t mark = h->used;
	struct nca_extent_page *page = host_alloc(h, 4096);
	uint16_t status;

	memset(page, 0, sizeof(*page));
	page->count = 1;
	page->extent[0] = (struct nca_extent){ addr, len };
	cmd.map.va = va;
	cmd.map.len = len;
	cmd.map.list = host_iova(h, page);
	cmd.map.extents = 1;
	cmd.map.flags = flags;
	status = host_admin(h, &cmd, NULL);
	memset(page, 0, sizeof(*page));	/* the next allocation gets it back, zeroed */
	h->used = mark;
	return status;
}

uint16_t host_map(struct host *h, struct hctx *ctx, uint64_t va, const void *p, uint64_t len,
		  uint32_t flags)
{
	return map(h, ctx, va, host_iova(h, p), len, flags);
}

uint16_t host_map_dev(struct host *h, struct hctx *ctx, uint64_t va, uint64_t offset, uint64_t len,
		      uint32_t flags)
{
	return map(h, ctx, va, offset, len, flags | NCA_MAP_DEVICE);
}

uint16_t host_unmap(struct host *h, struct hctx *ctx, uint64_t va, uint64_t len)
{
	struct nca_admin_cmd cmd = { .opcode = NCA_ADMIN_UNMAP, .ctx = ctx->id, .ctx_gen = ctx->gen };

	cmd.unmap.va = va;
	cmd.unmap.len = len;
	return host_admin(h, &cmd, NULL);
}

void *host_buffer(struct host *h, struct hctx *ctx, uint64_t len, uint32_t flags, uint64_t *va)
{
	void *p;

	len = (len + 4095) & ~4095ull;
	p = host_alloc(h, len);
	*va = ctx->next_va;
	ctx->next_va += len + 4096;
	if (host_map(h, ctx, *va, p, len, flags))
		die("MAP failed");
	return p;
}

uint16_t host_queue_create(struct host *h, struct hctx *ctx, struct hqueue *q, uint32_t id,
			   uint32_t sq_order, uint32_t cq_order, uint32_t core)
{
	struct nca_admin_cmd cmd = {
		.opcode = NCA_ADMIN_QUEUE_CREATE, .ctx = ctx->id, .ctx_gen = ctx->gen,
	};
	uint64_t len = nca_ring_size(sq_order, cq_order), va = ctx->next_ring_va;
	uint8_t *mem = host_alloc(h, len);

	memset(mem, 0, len);
	ctx->next_ring_va += len;
	if (host_map(h, ctx, va, mem, len, NCA_MAP_READ | NCA_MAP_WRITE))
		die("MAP of a ring failed");
	*q = (struct hqueue){
		.h = h, .ctx = ctx, .id = id, .gen = id + 1000, .sq_order = sq_order,
		.cq_order = cq_order, .ring_va = va, .ring_len = len,
		.state = (void *)mem, .sq = (void *)(mem + NCA_RING_SQ_OFFSET),
		.cq = (void *)(mem + nca_ring_cq_offset(sq_order)),
		.db = (void *)(h->doorbells + (uint64_t)id * NCA_DB_PAGE_SIZE),
	};
	cmd.queue_create.queue = id;
	cmd.queue_create.vector = 1;
	cmd.queue_create.state_va = va;
	cmd.queue_create.sq_va = va + NCA_RING_SQ_OFFSET;
	cmd.queue_create.cq_va = va + nca_ring_cq_offset(sq_order);
	cmd.queue_create.sq_order = (uint16_t)sq_order;
	cmd.queue_create.cq_order = (uint16_t)cq_order;
	cmd.queue_create.queue_gen = q->gen;
	cmd.queue_create.core = core;
	return host_admin(h, &cmd, NULL);
}

uint16_t host_queue_destroy(struct host *h, struct hqueue *q)
{
	struct nca_admin_cmd cmd = {
		.opcode = NCA_ADMIN_QUEUE_DESTROY, .ctx = q->ctx->id, .ctx_gen = q->ctx->gen,
	};

	cmd.queue.queue = q->id;
	cmd.queue.queue_gen = q->gen;
	return host_admin(h, &cmd, NULL);
}

/* ---- Rings ------------------------------------------------------------------------------- */
void hq_put(struct hqueue *q, const struct nca_sqe *sqe)
{
	q->sq[q->tail++ & ((1u << q->sq_order) - 1)] = *sqe;
}

void hq_ring(struct hqueue *q)
{
	__atomic_store_n(&q->db->sq_tail, q->tail, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&q->state->sleep, __ATOMIC_RELAXED) == NCA_QUEUE_ASLEEP)
		ncasim_kick(q->h->dev, q->id);
}

void hq_submit(struct hqueue *q, const struct nca_sqe *sqe)
{
	hq_put(q, sqe);
	hq_ring(q);
}

void hq_arm(struct hqueue *q)
{
	__atomic_store_n(&q->db->arm, (uint64_t)++q->arm_seq << 32 | q->head, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static struct nca_cqe *head_entry(struct hqueue *q, bool *there)
{
	struct nca_cqe *c = &q->cq[q->head & ((1u << q->cq_order) - 1)];
	uint64_t last = __atomic_load_n(&((uint64_t *)(void *)c)[3], __ATOMIC_ACQUIRE);

	*there = ((last >> 56) & NCA_CQE_PHASE) == nca_cqe_phase(q->head, q->cq_order);
	return c;
}

bool hq_poll(struct hqueue *q, struct nca_cqe *out)
{
	bool there;
	struct nca_cqe *c = head_entry(q, &there);

	if (!there)
		return false;
	*out = *c;
	q->head++;
	__atomic_store_n(&q->db->cq_head, q->head, __ATOMIC_RELEASE);
	return true;
}

bool hq_wait(struct hqueue *q, struct nca_cqe *out)
{
	uint64_t until = now_ns() + WAIT_NS;

	while (!hq_poll(q, out)) {
		if (now_ns() > until)
			return false;
		sched_yield();
	}
	return true;
}

bool hq_asleep(const struct hqueue *q)
{
	return __atomic_load_n(&q->state->sleep, __ATOMIC_ACQUIRE) == NCA_QUEUE_ASLEEP;
}

bool host_event(struct host *h, struct nca_event *out, uint64_t timeout_ns)
{
	uint64_t until = now_ns() + timeout_ns;
	struct nca_event *e = &h->eq[h->eq_head & ((1u << HOST_EQ_ORDER) - 1)];
	uint16_t phase = !((h->eq_head >> HOST_EQ_ORDER) & 1);

	while (__atomic_load_n(&((uint64_t *)(void *)e)[3], __ATOMIC_ACQUIRE) >> 48 != phase) {
		if (now_ns() > until)
			return false;
		sched_yield();
	}
	*out = *e;
	h->eq_head++;
	ncasim_reg_write(h->dev, NCA_REG_EQ_HEAD(1), h->eq_head, 4);
	return true;
}

/* ---- Launches ------------------------------------------------------------------------------ */
void host_program(struct host *h, struct hctx *ctx, struct hprogram *p, uint32_t slots,
		  uint32_t live_bytes)
{
	struct nca_launch_args *args;
	struct nca_inst *inst;
	uint8_t *text;

	text = host_buffer(h, ctx, 4096, NCA_MAP_READ, &p->va);
	p->args = host_buffer(h, ctx, 8192, NCA_MAP_READ, &p->args_va);
	p->header = (void *)text;
	*p->header = (struct nca_program_header){
		.magic = NCA_PROGRAM_MAGIC, .version = NCA_ISA_VERSION,
		.target = (uint32_t)ncasim_reg_read(h->dev, NCA_REG_DEVMEM_SIZE + 4, 4) == 2 ?
			  NCA_TARGET_NCA1 : NCA_TARGET_NCA2,
		.size = sizeof(*p->header) + sizeof(*inst), .slots = slots, .scalars = 4,
		.sbuf_live = live_bytes,
	};
	p->header->stream[NCA_ENGINE_SYNC].offset = sizeof(*p->header);
	p->header->stream[NCA_ENGINE_SYNC].count = 1;
	inst = (void *)(text + sizeof(*p->header));
	memset(inst, 0, sizeof(*inst));
	inst->opcode = NCA_OP_HALT;
	args = (void *)p->args;
	memset(p->args, 0, 8192);
	args->slots = slots;
	args->scalars = 4;
	p->args_len = (uint32_t)sizeof(*args) + slots * (uint32_t)sizeof(struct nca_slot) + 16;
	for (uint32_t i = 0; i < slots; i++)
		args->slot[i].flags = NCA_SLOT_READ;
}

void host_program_set(struct hprogram *p, uint64_t ticks, enum fake_end end, uint32_t wall_us)
{
	struct nca_launch_args *args = (void *)p->args;
	uint32_t *scalar = (void *)&args->slot[args->slots];

	scalar[0] = (uint32_t)ticks;
	scalar[1] = (uint32_t)(ticks >> 32);
	scalar[2] = end;
	scalar[3] = wall_us;
}

void host_program_slot(struct hprogram *p, uint32_t slot, uint64_t va, uint64_t len, uint32_t flags)
{
	struct nca_launch_args *args = (void *)p->args;

	args->slot[slot] = (struct nca_slot){ .va = va, .len = len, .flags = flags };
}

void host_launch(struct hqueue *q, struct hprogram *p, uint64_t cookie)
{
	struct nca_sqe s = { .opcode = NCA_SQE_LAUNCH, .cookie = cookie };

	s.launch.program = p->va;
	s.launch.args = p->args_va;
	s.launch.args_len = p->args_len;
	hq_submit(q, &s);
}
