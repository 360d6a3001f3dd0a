/* SPDX-License-Identifier: MIT */
/* The DMA engines of a launch as far as time is concerned (data sheet, part III, section 5). */
#ifndef MIR_TIME_DMA_H
#define MIR_TIME_DMA_H

#include <nca/cost.h>

#include "mir_time.h"

#define DMA_MAX_ENGINES 16
#define DMA_NEVER UINT64_MAX

enum dma_server { SERVER_DEVMEM, SERVER_LINK_IN, SERVER_LINK_OUT, DMA_SERVERS };

struct dma_transfer {
	struct dma_transfer *next;	/* in the list of spare ones */
	const struct nca_inst *in;
	uint32_t number;
	uint8_t servers, factor;	/* memories it passes; times it passes device memory */
	uint32_t parts;			/* DMA engines that still work on it */
	uint32_t desc_bytes;
	uint64_t desc_ticks;
};

struct dma_job {	/* what one DMA engine does of a transfer */
	struct dma_transfer *transfer;
	uint64_t descs, bytes;	/* left */
	uint64_t ready, moving;
	uint32_t behind;
};

struct dma_engine {
	uint64_t next;		/* a packet is done, or a job is ready; DMA_NEVER: idle */
	uint64_t started;	/* of the packet in flight */
	bool in_flight;
	uint32_t last;		/* the transfer it worked on before */
	uint32_t head, count;
	struct dma_job job[NCA_DMA_QUEUE_DEPTH];
};

struct dma_clock {
	struct cc *cc;
	const struct nca_target *target;
	uint32_t engines;
	uint64_t next;		/* least of engine[].next */
	uint32_t deal;		/* engine the next SPREAD starts at */
	struct dma_engine engine[DMA_MAX_ENGINES];
	struct nca_server server[DMA_SERVERS];
	struct dma_transfer *spare;
	uint64_t busy, bytes, descriptors;
};

/* What happened at a DMA engine: if @job, a job is over, and with it its transfer if @complete. */
struct dma_event {
	bool job, complete;
	uint32_t number;		/* of the transfer's instruction */
	const struct nca_inst *in;
	uint64_t moving;
	uint32_t behind;
};

void dma_clock_init(struct dma_clock *d, struct cc *cc, const struct nca_target *t,
		    const struct mir_share *share);
bool dma_clock_has_room(const struct dma_clock *d, const struct nca_inst *in);
void dma_clock_trigger(struct dma_clock *d, const struct nca_inst *in, uint32_t number,
		       uint64_t now);
/* The next thing at the lowest-numbered engine with something to do at @now = d->next. */
struct dma_event dma_clock_step(struct dma_clock *d, uint64_t now);

/* Memories a transfer passes (1 << enum dma_server), and how often it passes device memory. */
uint8_t dma_servers(const struct nca_body_dma *b, uint8_t *factor);

#endif
