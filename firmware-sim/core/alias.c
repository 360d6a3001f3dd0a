/* SPDX-License-Identifier: MIT */
/*
 * Transfers that were not made yet. A block of weights mostly goes from a slot
 * into SBUF only to be loaded as stationary tiles once or twice. As long as
 * nobody can change what the slot holds, SBUF keeps an alias of it: a note where
 * the bytes are. LDSTAT reads them there; whatever else touches a block of SBUF
 * that has an alias makes the transfer first (mem_touch()).
 *
 * A block belongs to one alias at most, and its epoch is then 0, so that a block
 * without one costs nothing. Blocks that an alias covers in part are made valid
 * before it is noted; those it covers whole are not looked at.
 */
#include <stdlib.h>

#include "core_impl.h"

struct alias {
	uint32_t lo, hi;		/* bytes of every partition, multiples of 4; hi 0: unused */
	const uint8_t *row[LANES];	/* where byte @lo of a partition is; NULL: in SBUF */
	/* Partitions that were asked for last, all of them here, and how far apart (0: not equally). */
	uint8_t first, count;
	size_t pitch;
};

struct aliases {
	const struct core_kernels *k;
	uint32_t live;
	struct alias a[MAX_ALIASES];
	uint8_t owner[];	/* per block: number + 1 of its alias */
};

/* The blocks of bytes lo..hi are as valid as they will be. */
static void release(struct core_mem *m, uint32_t lo, uint32_t hi)
{
	for (uint32_t b = lo / BLOCK_BYTES; b <= (hi - 1) / BLOCK_BYTES; b++) {
		m->aliases->owner[b] = 0;
		m->epoch[b] = m->now;
	}
}

static void forget(struct core_mem *m, struct alias *a)
{
	release(m, a->lo, a->hi);
	a->hi = 0;
	m->aliases->live--;
}

static void make(struct core_mem *m, struct alias *a)
{
	uint32_t n;

	for (uint32_t p = 0; p < LANES; p += n) {
		uintptr_t at = (uintptr_t)a->row[p], pitch = 0;

		n = 1;
		if (!at)
			continue;
		/* Rows that are equally far apart go together. */
		if (p + 1 < LANES && (uintptr_t)a->row[p + 1] > at)
			pitch = (uintptr_t)a->row[p + 1] - at;
		while (pitch && p + n < LANES && (uintptr_t)a->row[p + n] == at + n * pitch)
			n++;
		m->aliases->k->transpose(mem_at(m, p, a->lo), ROW_BYTES, a->row[p], pitch, n,
					 (a->hi - a->lo) / 4);
	}
	forget(m, a);
}

bool alias_resolve(struct core_mem *m, uint32_t block)
{
	if (!m->aliases || !m->aliases->owner[block])
		return false;
	make(m, &m->aliases->a[m->aliases->owner[block] - 1]);
	return true;
}

void alias_resolve_all(struct core_mem *m)
{
	for (uint32_t i = 0; m->aliases && m->aliases->live && i < MAX_ALIASES; i++)
		if (m->aliases->a[i].hi)
			make(m, &m->aliases->a[i]);
}

void alias_written(struct core_mem *m, const uint8_t *p, uint64_t len)
{
	for (uint32_t i = 0; m->aliases && m->aliases->live && i < MAX_ALIASES; i++) {
		struct alias *a = &m->aliases->a[i];

		for (uint32_t r = 0; a->hi && r < LANES; r++)
			if (a->row[r] && a->row[r] < p + len && p < a->row[r] + (a->hi - a->lo))
				make(m, a);
	}
}

void alias_drop_all(struct core_mem *m)
{
	for (uint32_t i = 0; m->aliases && m->aliases->live && i < MAX_ALIASES; i++)
		if (m->aliases->a[i].hi)
			forget(m, &m->aliases->a[i]);
}

/* Does @b have all partitions whose bytes are elsewhere? */
static bool covers(const struct box *b, const struct alias *a)
{
	for (uint32_t p = 0; p < LANES; p++)
		if (a->row[p] && (p < b->part || p >= (uint32_t)b->part + b->nparts))
			return false;
	return true;
}

/* Bytes lo..hi of @b, all of which are about to be written, are no longer part of @a. */
static void cut(struct core_mem *m, struct alias *a, const struct box *b, uint32_t lo, uint32_t hi)
{
	bool all = covers(b, a);

	if (all && lo <= a->lo && hi >= a->hi) {
		forget(m, a);
	} else if (all && lo <= a->lo && hi % BLOCK_BYTES == 0) {
		release(m, a->lo, hi);
		for (uint32_t p = 0; p < LANES; p++)
			a->row[p] = a->row[p] ? a->row[p] + (hi - a->lo) : NULL;
		a->lo = hi;
	} else if (all && hi >= a->hi && lo % BLOCK_BYTES == 0) {
		release(m, lo, a->hi);
		a->hi = lo;
	} else {
		make(m, a);
	}
}

static void set_rows(struct alias *a, const struct box *b, const uint8_t *src, size_t pitch)
{
	for (uint32_t i = 0; i < b->nparts; i++)
		a->row[b->part + i] = src + i * pitch;
	a->count = 0;
}

/* Are all rows of @b elsewhere? Mostly the same ones are asked for again and again. */
static bool find_rows(struct alias *a, const struct box *b)
{
	const uint8_t *const *row = &a->row[b->part];
	size_t pitch;

	if (a->count == b->nparts && a->first == b->part)
		return true;
	if (!row[0])
		return false;
	pitch = b->nparts > 1 && row[1] > row[0] ? (size_t)(row[1] - row[0]) : 0;
	for (uint32_t i = 1; i < b->nparts; i++) {
		if (!row[i])
			return false;
		if ((uintptr_t)row[i] != (uintptr_t)row[0] + i * pitch)
			pitch = 0;
	}
	a->first = b->part;
	a->count = b->nparts;
	a->pitch = pitch;
	return true;
}

bool alias_note(struct core_mem *m, const struct core_kernels *k, const struct box *b, uint32_t lo,
		uint32_t hi, const uint8_t *src, size_t pitch)
{
	struct aliases *all = m->aliases;
	uint32_t first = lo / BLOCK_BYTES, last = (hi - 1) / BLOCK_BYTES, i = 0;

	if (!all) {
		all = m->aliases = calloc(1, sizeof(*all) + mem_blocks(m));
		if (!all)
			return false;
	}
	all->k = k;
	for (uint32_t n = first; n <= last; n++) {
		struct alias *a;

		if (!all->owner[n])
			continue;
		a = &all->a[all->owner[n] - 1];
		if (a->lo == lo && a->hi == hi) {	/* other partitions of a block in pieces */
			set_rows(a, b, src, pitch);
			return true;
		}
		cut(m, a, b, lo, hi);
	}
	while (i < MAX_ALIASES && all->a[i].hi)
		i++;
	if (i == MAX_ALIASES)
		return false;
	if (b->nparts < LANES) {
		mem_touch(m, lo, hi);
	} else {
		if (lo % BLOCK_BYTES)
			mem_touch(m, lo, lo + 1);
		if (hi % BLOCK_BYTES)
			mem_touch(m, hi - 1, hi);
	}
	for (uint32_t n = first; n <= last; n++) {
		all->owner[n] = (uint8_t)(i + 1);
		m->epoch[n] = 0;
	}
	all->a[i] = (struct alias){ .lo = lo, .hi = hi };
	set_rows(&all->a[i], b, src, pitch);
	all->live++;
	return true;
}

const uint8_t *const *alias_find(const struct core_mem *m, const struct box *b, uint32_t lo,
				 uint32_t hi, uint32_t *offset, size_t *pitch)
{
	struct alias *a;
	uint32_t owner = m->aliases ? m->aliases->owner[lo / BLOCK_BYTES] : 0;

	if (!owner)
		return NULL;
	a = &m->aliases->a[owner - 1];
	if (lo < a->lo || hi > a->hi || !find_rows(a, b))
		return NULL;
	*offset = lo - a->lo;
	*pitch = a->pitch;
	return &a->row[b->part];
}
