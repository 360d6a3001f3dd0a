/* SPDX-License-Identifier: MIT */
/* The bus: which bus addresses reach which host memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"

/* First region that ends after @iova. */
static size_t region_index(const struct dma_table *t, uint64_t iova)
{
	size_t lo = 0, hi = t->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->region[mid].iova + (t->region[mid].len - 1) < iova)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/*
 * Host pointer for [iova, iova + len), or NULL and one more bad access. *avail
 * is what is contiguous, at most the rest of the region. Workers hold dma.lock
 * for reading; the front end is the only writer and needs no lock to read.
 */
void *dma_lookup(struct ncasim *dev, uint64_t iova, uint64_t len, uint32_t prot, uint64_t *avail)
{
	const struct dma_table *t = &dev->dma;
	size_t i = region_index(t, iova);
	uint64_t off;

	if (!len || i == t->count || iova < t->region[i].iova || !t->region[i].ptr ||
	    (t->region[i].prot & prot) != prot) {
		atomic_fetch_add_explicit(&dev->n_bad_bus, 1, memory_order_relaxed);
		return NULL;
	}
	off = iova - t->region[i].iova;
	*avail = min_u64(len, t->region[i].len - off);
	return t->region[i].ptr + off;
}

bool dma_read(struct ncasim *dev, uint64_t iova, void *out, size_t len)
{
	uint8_t *to = out;

	while (len) {
		uint64_t n;
		const void *from = dma_lookup(dev, iova, len, NCASIM_DMA_READ, &n);

		if (!from)
			return false;
		memcpy(to, from, n);
		to += n;
		iova += n;
		len -= n;
	}
	return true;
}

bool dma_write(struct ncasim *dev, uint64_t iova, const void *in, size_t len)
{
	const uint8_t *from = in;

	while (len) {
		uint64_t n;
		void *to = dma_lookup(dev, iova, len, NCASIM_DMA_WRITE, &n);

		if (!to)
			return false;
		memcpy(to, from, n);
		from += n;
		iova += n;
		len -= n;
	}
	return true;
}

void dma_free(struct ncasim *dev)
{
	free(dev->dma.region);
	pthread_rwlock_destroy(&dev->dma.lock);
}

static int region_add(struct ncasim *dev, void *arg)
{
	const struct dma_region *new = arg;
	struct dma_table *t = &dev->dma;
	size_t i = region_index(t, new->iova);
	uint64_t last = new->iova + (new->len - 1);

	if (i < t->count && t->region[i].iova <= last)
		return -EEXIST;
	if (t->count == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 64;
		struct dma_region *r = malloc(cap * sizeof(*r));

		if (!r)
			return -ENOMEM;
		pthread_rwlock_wrlock(&t->lock);
		if (t->count)
			memcpy(r, t->region, t->count * sizeof(*r));
		free(t->region);
		t->region = r;
		t->cap = cap;
		pthread_rwlock_unlock(&t->lock);
	}
	pthread_rwlock_wrlock(&t->lock);
	memmove(&t->region[i + 1], &t->region[i], (t->count - i) * sizeof(*new));
	t->region[i] = *new;
	t->count++;
	pthread_rwlock_unlock(&t->lock);
	return 0;
}

static int region_remove(struct ncasim *dev, void *arg)
{
	const struct dma_region *old = arg;
	struct dma_table *t = &dev->dma;
	size_t i = region_index(t, old->iova);

	if (i == t->count || t->region[i].iova != old->iova || t->region[i].len != old->len)
		return -ENOENT;
	pthread_rwlock_wrlock(&t->lock);
	t->count--;
	memmove(&t->region[i], &t->region[i + 1], (t->count - i) * sizeof(*old));
	pthread_rwlock_unlock(&t->lock);
	/* Rings hold resolved pointers: every queue looks its own up again. */
	queues_remap(dev, NULL);
	return 0;
}

int ncasim_dma_map(struct ncasim *dev, uint64_t iova, void *ptr, uint64_t len, unsigned int prot)
{
	struct dma_region r = { .iova = iova, .len = len, .ptr = ptr, .prot = prot };
	uint64_t last;

	if (!len || __builtin_add_overflow(iova, len - 1, &last) ||
	    (prot & ~(NCASIM_DMA_READ | NCASIM_DMA_WRITE)))
		return -EINVAL;
	return front_call(dev, region_add, &r, false);
}

int ncasim_dma_unmap(struct ncasim *dev, uint64_t iova, uint64_t len)
{
	struct dma_region r = { .iova = iova, .len = len };

	if (!len)
		return -ENOENT;
	return front_call(dev, region_remove, &r, true);
}
