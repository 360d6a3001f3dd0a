/* SPDX-License-Identifier: MIT */
/*
 * Target descriptions: what differs between devices, as data.
 *
 * Compiler and simulator read the same table. Figures for nca2 are the public
 * NeuronCore-v2 ones; figures for nca1 that are not published are choices and
 * are marked so in docs/hardware.md.
 *
 * Time base: every clock is a whole number of ticks. nca2: 5.6 GHz (2.8 GHz =
 * 2 ticks, 1.4 GHz = 4, 1.12 GHz = 5). nca1: 4 GHz (1 GHz = 4 ticks).
 */
#ifndef NCA_TARGET_H
#define NCA_TARGET_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum nca_target_id { NCA_TARGET_NCA1 = 1, NCA_TARGET_NCA2 = 2 };

enum nca_engine {
	NCA_ENGINE_TENSOR	= 0,
	NCA_ENGINE_VECTOR	= 1,
	NCA_ENGINE_SCALAR	= 2,
	NCA_ENGINE_GPSIMD	= 3,
	NCA_ENGINE_SYNC		= 4,
};
#define NCA_ENGINES	5

#define NCA_PARTITIONS		128
#define NCA_PSUM_BANKS		8
#define NCA_PSUM_BANK_BYTES	2048	/* per partition: 512 FP32 */
#define NCA_PSUM_BYTES		(NCA_PSUM_BANKS * NCA_PSUM_BANK_BYTES)
#define NCA_REGISTERS		32
#define NCA_SLICES		8

struct nca_target {
	uint32_t id;			/* enum nca_target_id */
	char name[16];
	uint32_t cores;
	uint32_t slices_per_core;	/* NCA_SLICES / cores */
	uint64_t devmem_bytes;
	uint64_t devmem_bw;		/* bytes per second, whole device */
	uint64_t link_bw;		/* host link, bytes per second each way */
	uint64_t tick_hz;
	uint32_t sbuf_bytes;		/* per partition */
	uint32_t semaphores;		/* per core */
	uint32_t dma_engines;		/* per core */
	uint32_t pe_rows, pe_cols;	/* array; a wider stationary takes several passes */
	uint32_t engine_ticks[NCA_ENGINES];	/* ticks per cycle; 0: engine absent */
	uint32_t lanes_div[NCA_ENGINES];	/* elements per partition and cycle = 1 / div */
	uint32_t pipe_latency[NCA_ENGINES];	/* cycles from end of issue to visible result */
	uint32_t sem_ticks;		/* update to waiter awake, across engines */
	uint32_t dma_t0_ticks;		/* trigger to first data */
	uint32_t dma_desc_ticks;	/* least time of one descriptor on one DMA engine */
	uint32_t dma_bpt_q16;		/* bytes per tick of one DMA engine, 16.16 */
};

static const struct nca_target nca_targets[] = {
	{
		.id = NCA_TARGET_NCA1, .name = "nca1", .cores = 4, .slices_per_core = 2,
		.devmem_bytes = 8ull << 30, .devmem_bw = 50ull << 30, .link_bw = 8000000000ull,
		.tick_hz = 4000000000ull,
		.sbuf_bytes = 96 << 10, .semaphores = 32, .dma_engines = 3,
		.pe_rows = 128, .pe_cols = 64,
		.engine_ticks = { 4, 4, 4, 0, 4 },
		.lanes_div = { 1, 1, 1, 1, 1 },
		.pipe_latency = { 64, 60, 200, 60, 20 },
		.sem_ticks = 80, .dma_t0_ticks = 5200, .dma_desc_ticks = 400,
		.dma_bpt_q16 = 444596,	/* 27.1 GB/s: one engine at its published best */
	},
	{
		.id = NCA_TARGET_NCA2, .name = "nca2", .cores = 2, .slices_per_core = 4,
		.devmem_bytes = 32ull << 30, .devmem_bw = 820000000000ull, .link_bw = 32000000000ull,
		.tick_hz = 5600000000ull,
		.sbuf_bytes = 192 << 10, .semaphores = 256, .dma_engines = 16,
		.pe_rows = 128, .pe_cols = 128,
		.engine_ticks = { 2, 5, 4, 4, 4 },
		.lanes_div = { 1, 1, 1, 1, 1 },
		.pipe_latency = { 64, 60, 200, 60, 20 },
		.sem_ticks = 112, .dma_t0_ticks = 7280,
		.dma_desc_ticks = 672,	/* fitted: docs/hardware-timing.md, section 8 */
		.dma_bpt_q16 = 198949,	/* 17 B/ns: the published effective rate per engine */
	},
};

#define NCA_TARGET_COUNT (sizeof(nca_targets) / sizeof(nca_targets[0]))

static inline const struct nca_target *nca_target_by_id(uint32_t id)
{
	for (size_t i = 0; i < NCA_TARGET_COUNT; i++)
		if (nca_targets[i].id == id)
			return &nca_targets[i];
	return NULL;
}

static inline const struct nca_target *nca_target_by_name(const char *name)
{
	for (size_t i = 0; i < NCA_TARGET_COUNT; i++)
		if (!strcmp(nca_targets[i].name, name))
			return &nca_targets[i];
	return NULL;
}

/* Ticks to ns, rounded down, without overflow for any 64-bit tick count. */
static inline uint64_t nca_ticks_to_ns(const struct nca_target *t, uint64_t ticks)
{
	return ticks / t->tick_hz * 1000000000ull + ticks % t->tick_hz * 1000000000ull / t->tick_hz;
}

static inline uint64_t nca_ns_to_ticks(const struct nca_target *t, uint64_t ns)
{
	return ns / 1000000000ull * t->tick_hz + ns % 1000000000ull * t->tick_hz / 1000000000ull;
}

#endif
