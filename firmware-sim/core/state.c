/* SPDX-License-Identifier: MIT */
/* Memories of a launch, the pool of states, begin and end. */
#include <cpuid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core_impl.h"

static size_t mem_size(const struct core_mem *m)
{
	return (size_t)mem_blocks(m) * BLOCK_WORDS * ROW_BYTES;
}

static int mem_init(struct core_mem *m, uint32_t bytes)
{
	m->bytes = bytes;
	m->epoch = calloc(mem_blocks(m), sizeof(*m->epoch));
	m->data = mmap(NULL, mem_size(m), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->data == MAP_FAILED)
		m->data = NULL;
	if (!m->epoch || !m->data)
		return -ENOMEM;
	/* Rows are walked with a stride: fewer TLB misses. Only advice. */
	madvise(m->data, mem_size(m), MADV_HUGEPAGE);
	return 0;
}

static void mem_fini(struct core_mem *m)
{
	if (m->data)
		munmap(m->data, mem_size(m));
	free(m->epoch);
	free(m->aliases);
	free(m->written);
}

/* A new launch sees zeroes everywhere, at the price of one counter. */
static void mem_new_epoch(struct core_mem *m)
{
	if (++m->now == 0) {
		memset(m->epoch, 0, mem_blocks(m) * sizeof(*m->epoch));
		m->now = 1;
	}
}

/* Bytes lo..hi of every partition are about to be used: zero what is stale. */
void mem_touch(struct core_mem *m, uint32_t lo, uint32_t hi)
{
	uint32_t first = lo / BLOCK_BYTES, last = (hi - 1) / BLOCK_BYTES;

	for (uint32_t b = first; b <= last; b++) {
		if (m->epoch[b] == m->now || alias_resolve(m, b))
			continue;
		memset(m->data + (size_t)b * BLOCK_WORDS * ROW_BYTES, 0, BLOCK_WORDS * ROW_BYTES);
		if (m->written)
			memset(m->written + (size_t)b * BLOCK_WORDS * LANES, 0, BLOCK_WORDS * LANES);
		m->epoch[b] = m->now;
	}
}

static void state_free(struct core_state *st)
{
	if (!st)
		return;
	mem_fini(&st->mem[0]);
	mem_fini(&st->mem[1]);
	for (int i = 0; i < 16; i++)
		free(st->stat[i].panel);
	for (int i = 0; i < 5; i++)
		free(st->scratch[i]);
	free(st->queue);
	free(st->transfer);
	free(st);
}

static struct core_state *state_alloc(struct core *core)
{
	struct core_state *st = core->pool;

	if (st) {
		core->pool = st->next;
		return st;
	}
	st = calloc(1, sizeof(*st));
	if (!st)
		return NULL;
	st->target = core->target;
	if (mem_init(&st->mem[NCA_MEM_SBUF], core->target->sbuf_bytes) ||
	    mem_init(&st->mem[NCA_MEM_PSUM], NCA_PSUM_BYTES)) {
		state_free(st);
		return NULL;
	}
	return st;
}

/* May the program use @state of the extended registers (XCR0)? */
static bool os_saves(uint32_t state)
{
	uint32_t a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return false;
	__asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return (a & state) == state;
}

static bool has_avx2(void)
{
	const uint32_t one = bit_FMA | bit_F16C | bit_AVX;
	uint32_t a, b, c, d;

	return os_saves(0x6) && __get_cpuid(1, &a, &b, &c, &d) && (c & one) == one &&
	       __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX2);
}

static bool has_avx512(void)
{
	const uint32_t all = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
	uint32_t a, b, c, d;

	return has_avx2() && os_saves(0xe6) && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
	       (b & all) == all;
}

static const struct core_kernels *choose_kernels(enum core_simd simd)
{
	bool avx2 = has_avx2(), avx512 = has_avx512();

	switch (simd) {
	case CORE_SIMD_SCALAR:
		return &core_kernels_golden;
	case CORE_SIMD_AVX2:
		return avx2 ? &core_kernels_avx2 : NULL;
	case CORE_SIMD_AVX512:
		return avx512 ? &core_kernels_avx512 : NULL;
	default:
		return avx512 ? &core_kernels_avx512 : avx2 ? &core_kernels_avx2 :
		       &core_kernels_golden;
	}
}

int core_create(const struct nca_target *target, enum core_simd simd, struct core **out)
{
	const struct core_kernels *k = choose_kernels(simd);
	struct core *core;
	bool ok = true;

	if (!k)
		return -ENOTSUP;
	if (target->dma_engines > MAX_DMA_ENGINES || target->semaphores > MAX_SEMAPHORES)
		return -EINVAL;
	core = calloc(1, sizeof(*core));
	if (!core)
		return -ENOMEM;
	core->target = target;
	core->k = k;
	for (int i = 0; i < 4; i++) {
		core->off[i] = aligned_alloc(64, MAX_OFFSETS * sizeof(uint32_t));
		core->row[i] = aligned_alloc(64, CHUNK * ROW_BYTES);
		ok = ok && core->off[i] && core->row[i];
		if (core->row[i])
			memset(core->row[i], 0, CHUNK * ROW_BYTES);
	}
	core->mov = aligned_alloc(64, 512 * ROW_BYTES);
	core->out = aligned_alloc(64, 512 * ROW_BYTES);
	if (!ok || !core->mov || !core->out) {
		core_destroy(core);
		return -ENOMEM;
	}
	memset(core->mov, 0, 512 * ROW_BYTES);
	memset(core->out, 0, 512 * ROW_BYTES);
	*out = core;
	return 0;
}

void core_destroy(struct core *core)
{
	if (!core)
		return;
	while (core->pool) {
		struct core_state *st = core->pool;

		core->pool = st->next;
		state_free(st);
	}
	for (int i = 0; i < 4; i++) {
		free(core->off[i]);
		free(core->row[i]);
	}
	free(core->mov);
	free(core->out);
	free(core);
}

const char *core_simd_name(const struct core *core)
{
	return core->k->name;
}

int core_launch_begin(struct core *core, const struct core_launch *launch, struct core_state **out)
{
	const struct core_program *prog = launch->prog;
	struct core_state *st;

	if (prog->target != core->target && prog->target->id != core->target->id)
		return -EINVAL;
	if (launch->scalars < prog->scalars || launch->scalars > NCA_PROGRAM_MAX_SCALARS ||
	    !launch->memory.translate || launch->bw_slices < 1 || launch->bw_slices > NCA_SLICES ||
	    launch->dma_engines < 1 || launch->dma_engines > core->target->dma_engines)
		return -EINVAL;
	st = state_alloc(core);
	if (!st)
		return -ENOMEM;
	st->prog = prog;
	st->launch = *launch;
	st->launch.scalar = st->scalar;
	if (launch->scalars)
		memcpy(st->scalar, launch->scalar, launch->scalars * sizeof(st->scalar[0]));
	mem_new_epoch(&st->mem[0]);
	mem_new_epoch(&st->mem[1]);

	st->clock = 0;
	memset(st->stream, 0, sizeof(st->stream));
	for (int e = 0; e < NCA_ENGINES; e++) {
		st->stream[e].count = prog->count[e];
		if (!prog->count[e]) {
			st->stream[e].status = STREAM_HALTED;
			st->stream[e].next = NEVER;
		}
	}
	memset(st->port_free, 0, sizeof(st->port_free));
	memset(st->sem, 0, sizeof(st->sem));
	st->queue_head = st->queue_len = 0;
	for (uint32_t i = 0; i < MAX_DMA_ENGINES; i++) {
		st->dma_at[i] = NEVER;
		st->dma[i].packet = 0;
		st->dma[i].head = st->dma[i].count = 0;
	}
	st->dma_next = NEVER;
	st->dma_deal = 0;
	st->transfer_free = UINT32_MAX;
	for (uint32_t i = 0; i < st->transfer_cap; i++) {
		st->transfer[i].next_free = st->transfer_free;
		st->transfer_free = i;
	}
	dma_servers_init(st);
	memset(st->cell_free, 0, sizeof(st->cell_free));
	st->load_free = st->array_free = st->array_busy = 0;
	st->loaded = 0;
	st->ahead = 0;
	for (int i = 0; i < 16; i++)
		st->stat[i].cells = 0;
	st->dma_busy = st->dma_bytes = 0;
	st->dma_descs = 0;
	if (launch->check && checker_begin(st)) {
		core_launch_end(core, st);
		return -ENOMEM;
	}
	*out = st;
	return 0;
}

void core_launch_end(struct core *core, struct core_state *st)
{
	if (!st)
		return;
	checker_end(st);
	alias_drop_all(&st->mem[NCA_MEM_SBUF]);
	st->prog = NULL;
	st->next = core->pool;
	core->pool = st;
}

void core_launch_report(const struct core_state *st, struct nca_launch_report *r)
{
	r->ticks = st->clock;
	for (int e = 0; e < NCA_ENGINES; e++) {
		const struct stream *s = &st->stream[e];

		r->busy_ticks[e] = s->busy;
		r->wait_ticks[e] = s->wait;
		r->stall_ticks[e] = 0;
		for (int k = 0; k < NCA_STALLS; k++) {
			r->stall_by[e][k] = s->stall[k];
			r->stall_ticks[e] += s->stall[k];
		}
		r->dma_wait_ticks[e] = s->dma_wait;
		r->instructions[e] = s->instructions;
	}
	r->array_ticks = st->array_busy;
	r->dma_busy_ticks = st->dma_busy;
	r->dma_bytes = st->dma_bytes;
	r->dma_descriptors = st->dma_descs;
}
