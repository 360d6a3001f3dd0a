/* SPDX-License-Identifier: MIT */
/*
 * Which bus addresses the client has given us, as one sorted table.
 *
 * An unmap is acknowledged only when no engine can reach the memory any more.
 * Normally that is when ncasim_dma_unmap() has returned. It is given
 * DMA_UNMAP_MS; if an engine is still inside by then, the range is cut instead:
 * the client's pages are replaced in our address space (guest_files_cut), which
 * takes the memory from a wedged engine as surely as an IOMMU would, and the
 * unmap is acknowledged then. Either way the message thread is held up for no
 * longer than that, and the promise to the client is kept.
 *
 * Message thread only.
 */
#ifndef VU_DMA_H
#define VU_DMA_H

#include "bounded.h"
#include "guest_files.h"
#include "log.h"

#include "../ncasim.h"

#define DMA_UNMAP_MS		2000u

struct dma_range {
	uint64_t address, size;
	void *ptr;			/* NULL: known but unreachable */
	int file;			/* index in guest_files, -1 without one */
};

struct vu_dma {
	struct ncasim *sim;
	struct bounded *bounded;
	struct vu_log *log;
	struct guest_files files;
	struct dma_range *range;	/* sorted by address, not overlapping */
	unsigned int count, room;
	unsigned int unmap_ms;
	bool left_behind;		/* the device may still look at something unmapped or cut */
};

void dma_init(struct vu_dma *dma, struct ncasim *sim, struct bounded *bounded,
	      struct vu_log *log, unsigned int unmap_ms);

/* Everything unmapped; may keep mappings of cut files when an engine is stuck. */
void dma_unmap_all(struct vu_dma *dma);
void dma_fini(struct vu_dma *dma);

/* @fd < 0: unreachable. @prot as NCASIM_DMA_*. Returns 0 or a negative errno; does not keep @fd. */
int dma_map(struct vu_dma *dma, uint64_t address, uint64_t size, unsigned int prot, int fd,
	    uint64_t offset);

/*
 * Unmaps every range inside address..+size, as VFIO does: a range that is cut
 * in two by the request is -EINVAL, none at all is fine. All or nothing.
 */
int dma_unmap(struct vu_dma *dma, uint64_t address, uint64_t size);

#endif
