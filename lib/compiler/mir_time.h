/* SPDX-License-Identifier: MIT */
/*
 * When every instruction and transfer of a scheduled program happens on a core that runs nothing
 * else: the event model of the data sheet, part III, without arithmetic.
 */
#ifndef MIR_TIME_H
#define MIR_TIME_H

#include "mir.h"

#define MIR_NOBODY UINT32_MAX

/* What a launch has of the device. */
struct mir_share {
	uint32_t dma_engines;
	uint32_t bw_slices;	/* eighths of device memory and host link */
};

/* All of one core. */
static inline struct mir_share mir_whole_core(const struct nca_target *t)
{
	return (struct mir_share) { .dma_engines = t->dma_engines,
				    .bw_slices = t->slices_per_core };
}

/*
 * The times of one instruction in ticks, in this order, and the instructions it depended on by
 * number (mir_timing.first[engine] + place in its stream), or MIR_NOBODY.
 */
struct mir_inst_time {
	uint64_t came;		/* its stream came to it */
	uint64_t ready;		/* its semaphores let it through */
	uint64_t seen;		/* the results of its own engine that it reads are visible */
	uint64_t start, end;	/* occupation */
	uint64_t moving;	/* DMA: the part that ended last began to move */
	uint64_t done;		/* its results are visible, or its transfer is complete */
	uint32_t waker;		/* made the update that ended the wait until @ready */
	uint32_t result_of;	/* whose result it stood for until @seen */
	uint32_t blocker;	/* held its port, the array or the DMA queue until @start */
	uint32_t behind;	/* DMA: the transfer that engine had before, if that delayed it */
};

struct mir_timing {
	uint64_t ticks;		/* of the launch */
	uint64_t busy[NCA_ENGINES], wait[NCA_ENGINES], stall[NCA_ENGINES];
	uint64_t array_ticks;	/* at least one MATMUL or TRANSPOSE in the array */
	uint64_t dma_busy;	/* sum over DMA engines */
	uint64_t dma_bytes;
	uint64_t dma_descriptors;
	uint32_t first[NCA_ENGINES + 1];	/* number of each stream's first instruction */
	struct mir_inst_time *inst;		/* by number; NULL if not asked for */
};

/*
 * @p as it will run with @share. Slots below MIR_SLOT_IO are device memory, the others the host's.
 * @each: keep the times of every instruction.
 */
struct mir_timing *mir_time(struct cc *cc, const struct mir_program *p, const struct nca_target *t,
			    const struct mir_share *share, bool each);

#endif
