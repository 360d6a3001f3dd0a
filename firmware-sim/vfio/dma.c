/* SPDX-License-Identifier: MIT */
#include "dma.h"

#include "proto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void dma_init(struct vu_dma *dma, struct ncasim *sim, struct bounded *bounded,
	      struct vu_log *log, unsigned int unmap_ms)
{
	*dma = (struct vu_dma){
		.sim = sim,
		.bounded = bounded,
		.log = log,
		.unmap_ms = unmap_ms ? unmap_ms : DMA_UNMAP_MS,
	};
	guest_files_init(&dma->files);
}

void dma_fini(struct vu_dma *dma)
{
	/* Mappings a stuck engine may still touch stay; the process is about to end anyway. */
	if (!dma->left_behind)
		guest_files_drop_all(&dma->files);
	free(dma->range);
}

/* Index of the first range that ends after @address. */
static unsigned int first_after(const struct vu_dma *dma, uint64_t address)
{
	unsigned int lo = 0, hi = dma->count;

	while (lo < hi) {
		unsigned int mid = lo + (hi - lo) / 2;

		if (dma->range[mid].address + dma->range[mid].size > address)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

static int make_room(struct vu_dma *dma)
{
	unsigned int room = dma->room ? 2 * dma->room : 64;
	struct dma_range *range;

	if (dma->count >= VU_MAX_DMA_MAPS)
		return -ENOSPC;
	if (dma->count < dma->room)
		return 0;
	range = realloc(dma->range, room * sizeof(*range));
	if (!range)
		return -ENOMEM;
	dma->range = range;
	dma->room = room;
	return 0;
}

static bool aligned(uint64_t v)
{
	return !(v & (VU_PAGE_SIZE - 1));
}

int dma_map(struct vu_dma *dma, uint64_t address, uint64_t size, unsigned int prot, int fd,
	    uint64_t offset)
{
	void *ptr = NULL;
	int file = -1, err;
	unsigned int at;
	uint64_t end;

	if (!size || !aligned(address) || !aligned(size) || !aligned(offset) ||
	    __builtin_add_overflow(address, size, &end))
		return -EINVAL;
	at = first_after(dma, address);
	if (at < dma->count && dma->range[at].address < end)
		return -EEXIST;
	err = make_room(dma);
	if (err)
		return err;
	if (fd >= 0) {
		file = guest_files_get(&dma->files, fd, offset, size,
				       prot & NCASIM_DMA_WRITE, &ptr);
		if (file < 0)
			return file;
	}
	err = ncasim_dma_map(dma->sim, address, ptr, size, prot);
	if (err) {
		if (file >= 0)
			guest_files_put(&dma->files, file);
		return err;
	}
	memmove(dma->range + at + 1, dma->range + at, (dma->count - at) * sizeof(*dma->range));
	dma->range[at] = (struct dma_range){ address, size, ptr, file };
	dma->count++;
	return 0;
}

static int unmap_job(void *sim, unsigned long long address, unsigned long long size)
{
	return ncasim_dma_unmap(sim, address, size);
}

/* The range is given up in any case; see the top of dma.h for why that is safe. */
static void unmap_one(struct vu_dma *dma, const struct dma_range *r)
{
	int err = bounded_call(dma->bounded, unmap_job, dma->sim, r->address, r->size,
			       dma->unmap_ms);

	if (err) {
		vu_log(dma->log, "the device did not let go of bus addresses 0x%llx..+0x%llx (%s); "
		       "its access to them was cut", (unsigned long long)r->address,
		       (unsigned long long)r->size, strerror(-err));
		dma->left_behind = true;
		if (r->ptr && guest_files_cut(&dma->files, r->file, r->ptr, r->size)) {
			/* An engine that can still write into a guest's freed memory must not run. */
			vu_log(dma->log, "cutting failed, so accel-sim stops here");
			abort();
		}
	}
	/*
	 * A file the device may still point into must stay mapped, or the addresses
	 * could come to mean something else: its use is never given back.
	 */
	if (r->file >= 0 && !err)
		guest_files_put(&dma->files, r->file);
}

static void unmap_span(struct vu_dma *dma, unsigned int from, unsigned int to)
{
	if (from == to)
		return;
	for (unsigned int i = from; i < to; i++)
		unmap_one(dma, &dma->range[i]);
	memmove(dma->range + from, dma->range + to, (dma->count - to) * sizeof(*dma->range));
	dma->count -= to - from;
}

int dma_unmap(struct vu_dma *dma, uint64_t address, uint64_t size)
{
	unsigned int from, to;
	uint64_t last;

	/* The last byte, not the end: a virtual IOMMU's window reaches to 2^64. */
	if (!size || !aligned(address) || !aligned(size) ||
	    __builtin_add_overflow(address, size - 1, &last))
		return -EINVAL;
	from = first_after(dma, address);
	for (to = from; to < dma->count && dma->range[to].address <= last; to++) {
		const struct dma_range *r = &dma->range[to];

		if (r->address < address || r->address + r->size - 1 > last)
			return -EINVAL;
	}
	unmap_span(dma, from, to);
	return 0;
}

void dma_unmap_all(struct vu_dma *dma)
{
	unmap_span(dma, 0, dma->count);
	if (!dma->left_behind)
		guest_files_drop_all(&dma->files);
}
