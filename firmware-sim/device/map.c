/* SPDX-License-Identifier: MIT */
/*
 * A context's address map: sorted mappings, each a sorted list of extents in
 * host bus addresses or device memory. Host extents are looked up in the DMA
 * region table at every access, so a region that was taken away is never
 * reached through a stale pointer.
 */
#include <stdlib.h>
#include <string.h>

#include "device.h"

/* First mapping that ends after @va. */
static size_t map_index(const struct addr_map *map, uint64_t va)
{
	size_t lo = 0, hi = map->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (map->m[mid]->va + map->m[mid]->len <= va)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool map_user_range(uint64_t va, uint64_t len)
{
	uint64_t end;

	return !__builtin_add_overflow(va, len, &end) && va >= NCA_VA_USER_START &&
	       end <= NCA_VA_USER_END;
}

static bool perm_ok(const struct mapping *m, uint32_t perm)
{
	return (m->flags & perm) == perm;
}

uint8_t *map_translate(struct ncasim *dev, struct context *ctx, uint64_t va, uint64_t len,
		       uint32_t perm, uint64_t *avail, bool *dev_mem)
{
	const struct addr_map *map = &ctx->map;
	size_t i = map_index(map, va);
	const struct mapping *m;
	uint32_t lo = 0, hi;
	uint64_t off, n, prot;

	if (!len || i == map->count || va < map->m[i]->va || !perm_ok(map->m[i], perm))
		return NULL;
	m = map->m[i];
	off = va - m->va;
	hi = m->extents - 1;
	while (lo < hi) {	/* last extent that starts at or before off */
		uint32_t mid = lo + (hi - lo + 1) / 2;

		if (m->extent[mid].offset <= off)
			lo = mid;
		else
			hi = mid - 1;
	}
	off -= m->extent[lo].offset;
	n = min_u64(len, m->extent[lo].len - off);
	if (dev_mem)
		*dev_mem = m->flags & NCA_MAP_DEVICE;
	if (m->flags & NCA_MAP_DEVICE) {
		*avail = n;
		return dev->devmem + m->extent[lo].addr + off;
	}
	prot = (perm & NCA_MAP_READ ? NCASIM_DMA_READ : 0) |
	       (perm & NCA_MAP_WRITE ? NCASIM_DMA_WRITE : 0);
	return dma_lookup(dev, m->extent[lo].addr + off, n, (uint32_t)prot, avail);
}

uint8_t *map_translate_locked(struct ncasim *dev, struct context *ctx, uint64_t va, uint64_t len,
			      uint32_t perm, uint64_t *avail, bool *dev_mem)
{
	uint8_t *p;

	pthread_rwlock_rdlock(&ctx->map.lock);
	pthread_rwlock_rdlock(&dev->dma.lock);
	p = map_translate(dev, ctx, va, len, perm, avail, dev_mem);
	pthread_rwlock_unlock(&dev->dma.lock);
	pthread_rwlock_unlock(&ctx->map.lock);
	return p;
}

/* Is all of [va, va + len) mapped with @perm? *bad: the first address that is not. */
bool map_covers(struct context *ctx, uint64_t va, uint64_t len, uint32_t perm, uint64_t *bad)
{
	const struct addr_map *map = &ctx->map;

	for (size_t i = map_index(map, va); len; i++) {
		uint64_t n;

		*bad = va;
		if (i == map->count || va < map->m[i]->va || !perm_ok(map->m[i], perm))
			return false;
		n = min_u64(len, map->m[i]->va + map->m[i]->len - va);
		va += n;
		len -= n;
	}
	return true;
}

bool map_covers_locked(struct context *ctx, uint64_t va, uint64_t len, uint32_t perm, uint64_t *bad)
{
	bool ok;

	pthread_rwlock_rdlock(&ctx->map.lock);
	ok = map_covers(ctx, va, len, perm, bad);
	pthread_rwlock_unlock(&ctx->map.lock);
	return ok;
}

static bool page_aligned(uint64_t v)
{
	return !(v & (DEV_PAGE - 1));
}

/* Byte offset of the first field of a MAP command that is wrong, or 0. */
static uint32_t map_bad_field(const struct nca_admin_cmd *cmd)
{
	uint64_t end, va = cmd->map.va, len = cmd->map.len;

	if (cmd->map.rsvd[0] || cmd->map.rsvd[1])
		return offsetof(struct nca_admin_cmd, map.rsvd);
	if (cmd->map.flags & ~(uint32_t)(NCA_MAP_READ | NCA_MAP_WRITE | NCA_MAP_DEVICE) ||
	    !(cmd->map.flags & (NCA_MAP_READ | NCA_MAP_WRITE)))
		return offsetof(struct nca_admin_cmd, map.flags);
	if (!len || !page_aligned(len) || __builtin_add_overflow(va, len, &end) ||
	    end > NCA_VA_KERNEL_END)
		return offsetof(struct nca_admin_cmd, map.len);
	if (!page_aligned(va) || va < NCA_VA_USER_START ||
	    (va < NCA_VA_USER_END && end > NCA_VA_USER_END))
		return offsetof(struct nca_admin_cmd, map.va);
	if (!page_aligned(cmd->map.list))
		return offsetof(struct nca_admin_cmd, map.list);
	if (!cmd->map.extents || cmd->map.extents > len / DEV_PAGE)
		return offsetof(struct nca_admin_cmd, map.extents);
	return 0;
}

static bool extent_ok(struct ncasim *dev, const struct nca_extent *e, uint32_t flags)
{
	uint64_t end;

	if (!e->len || !page_aligned(e->len) || !page_aligned(e->addr) ||
	    __builtin_add_overflow(e->addr, e->len - 1, &end))
		return false;
	return !(flags & NCA_MAP_DEVICE) || end < dev->devmem_len;
}

/* Append @e, merged with its predecessor when the two are contiguous. */
static void extent_append(struct mapping *m, const struct nca_extent *e, uint64_t offset)
{
	struct map_extent *last = m->extents ? &m->extent[m->extents - 1] : NULL;

	if (last && last->addr + last->len == e->addr) {
		last->len += e->len;
		return;
	}
	m->extent[m->extents++] = (struct map_extent){ offset, e->addr, e->len };
}

/* Read the whole indirect list; every page is copied once and then checked. */
static uint16_t read_extents(struct ncasim *dev, const struct nca_admin_cmd *cmd,
			     struct mapping *m)
{
	struct nca_extent_page page;
	uint64_t at = cmd->map.list, offset = 0;
	uint32_t left = cmd->map.extents;

	while (left) {
		if (!at || !page_aligned(at) || !dma_read(dev, at, &page, sizeof(page)))
			return NCA_ADMIN_BAD_ADDRESS;
		if (!page.count || page.count > NCA_EXTENTS_PER_PAGE || page.count > left ||
		    page.rsvd)
			return NCA_ADMIN_BAD_FIELD;
		for (uint32_t i = 0; i < page.count; i++) {
			if (!extent_ok(dev, &page.extent[i], m->flags))
				return NCA_ADMIN_BAD_ADDRESS;
			if (page.extent[i].len > m->len - offset)
				return NCA_ADMIN_BAD_FIELD;
			extent_append(m, &page.extent[i], offset);
			offset += page.extent[i].len;
		}
		left -= page.count;
		at = page.next;
	}
	return offset == m->len ? NCA_ADMIN_OK : NCA_ADMIN_BAD_FIELD;
}

uint16_t map_add(struct ncasim *dev, struct context *ctx, const struct nca_admin_cmd *cmd,
		 uint32_t *detail)
{
	struct addr_map *map = &ctx->map;
	struct mapping *mapping, *fit;
	struct mapping **grown = NULL;
	uint16_t status;
	size_t i;

	*detail = map_bad_field(cmd);
	if (*detail)
		return NCA_ADMIN_BAD_FIELD;
	i = map_index(map, cmd->map.va);
	if (i < map->count && map->m[i]->va < cmd->map.va + cmd->map.len)
		return NCA_ADMIN_BAD_ADDRESS;

	mapping = malloc(sizeof(*mapping) + sizeof(mapping->extent[0]) * cmd->map.extents);
	if (!mapping)
		return NCA_ADMIN_INTERNAL;
	*mapping = (struct mapping){
		.va = cmd->map.va, .len = cmd->map.len, .flags = cmd->map.flags,
	};
	status = read_extents(dev, cmd, mapping);
	if (status == NCA_ADMIN_OK && map->count == map->cap) {
		grown = malloc((map->cap * 2 + 16) * sizeof(*grown));
		if (!grown)
			status = NCA_ADMIN_INTERNAL;
	}
	if (status != NCA_ADMIN_OK) {
		if (status == NCA_ADMIN_BAD_FIELD)
			*detail = offsetof(struct nca_admin_cmd, map.list);
		free(mapping);
		return status;
	}
	fit = realloc(mapping, sizeof(*mapping) + sizeof(mapping->extent[0]) * mapping->extents);
	if (fit)
		mapping = fit;

	pthread_rwlock_wrlock(&map->lock);
	if (grown) {
		if (map->count)
			memcpy(grown, map->m, map->count * sizeof(*grown));
		free(map->m);
		map->m = grown;
		map->cap = map->cap * 2 + 16;
	}
	memmove(&map->m[i + 1], &map->m[i], (map->count - i) * sizeof(map->m[0]));
	map->m[i] = mapping;
	map->count++;
	pthread_rwlock_unlock(&map->lock);
	return NCA_ADMIN_OK;
}

bool map_remove(struct context *ctx, uint64_t va, uint64_t len)
{
	struct addr_map *map = &ctx->map;
	size_t i = map_index(map, va);
	struct mapping *mapping;

	if (i == map->count || map->m[i]->va != va || map->m[i]->len != len)
		return false;
	mapping = map->m[i];
	pthread_rwlock_wrlock(&map->lock);
	map->count--;
	memmove(&map->m[i], &map->m[i + 1], (map->count - i) * sizeof(map->m[0]));
	pthread_rwlock_unlock(&map->lock);
	free(mapping);
	return true;
}

void map_free(struct context *ctx)
{
	for (size_t i = 0; i < ctx->map.count; i++)
		free(ctx->map.m[i]);
	free(ctx->map.m);
	pthread_rwlock_destroy(&ctx->map.lock);
}
