/* SPDX-License-Identifier: MIT */
/* State as bytes: load, read, compare. */
#include <errno.h>
#include <stdlib.h>

#include "firmware-sim/golden/model_impl.h"

int ncagolden_slot(struct ncagolden *g, uint32_t slot, uint64_t bytes, uint32_t flags)
{
	uint8_t *data;

	if (slot >= NCA_PROGRAM_MAX_SLOTS)
		return golden_fail(g, -EINVAL, "There is no slot %u, only 0 to %u.", slot,
				   NCA_PROGRAM_MAX_SLOTS - 1);
	if (!bytes || bytes > GOLDEN_SLOT_MAX || (flags & ~(NCA_SLOT_READ | NCA_SLOT_WRITE)))
		return golden_fail(g, -EINVAL, "Slot %u: %llu bytes with flags 0x%x; 1 to %llu bytes, "
				   "flags 1 (read) and 2 (write).", slot, (unsigned long long)bytes,
				   flags, (unsigned long long)GOLDEN_SLOT_MAX);
	data = calloc(1, bytes);
	if (!data)
		return golden_fail(g, -ENOMEM, "The host has no memory for slot %u.", slot);
	free(g->slot[slot].data);
	g->slot[slot] = (struct golden_slot){ .data = data, .len = bytes, .flags = flags };
	return 0;
}

/* Limits of a space: how many indices, how many bytes in each. */
static int check_range(struct ncagolden *g, uint32_t space, uint32_t index, uint64_t offset,
		       size_t len)
{
	uint32_t indices = 1;
	uint64_t bytes = 0;

	switch (space) {
	case NCAGOLDEN_SBUF:
	case NCAGOLDEN_PSUM:
		indices = NCA_PARTITIONS;
		bytes = g->st->mem[space].bytes;
		break;
	case NCAGOLDEN_SLOT:
		indices = NCA_PROGRAM_MAX_SLOTS;
		bytes = index < indices ? g->slot[index].len : 0;
		break;
	case NCAGOLDEN_REG:
		indices = NCA_ENGINES;
		bytes = sizeof(g->st->stream[0].reg);
		break;
	case NCAGOLDEN_SEM:
		bytes = 4ull * g->target->semaphores;
		break;
	case NCAGOLDEN_SCALAR:
		bytes = sizeof(g->scalar);
		break;
	default:
		return golden_fail(g, -EINVAL, "There is no space %u, only 0 to %u.", space,
				   NCAGOLDEN_SPACES - 1);
	}
	if (index >= indices)
		return golden_fail(g, -EINVAL, "%s %u: %s has only 0 to %u.",
				   ncagolden_space_name(space), index, g->target->name, indices - 1);
	if (offset > bytes || len > bytes - offset)
		return golden_fail(g, -EINVAL, "%s %u: %zu bytes at %llu, there are %llu.",
				   ncagolden_space_name(space), index, len,
				   (unsigned long long)offset, (unsigned long long)bytes);
	return 0;
}

/* Memories are word-major; a partition's bytes lie in runs of four. */
static void mem_copy(struct core_mem *m, uint32_t part, uint32_t offset, uint8_t *data, size_t len,
		     bool write)
{
	if (!len)
		return;
	mem_touch(m, offset, offset + (uint32_t)len);
	for (size_t i = 0; i < len; i++) {
		uint8_t *p = mem_at(m, part, offset + (uint32_t)i);

		if (write)
			*p = data[i];
		else
			data[i] = *p;
	}
}

static uint8_t *plain_bytes(struct ncagolden *g, uint32_t space, uint32_t index)
{
	switch (space) {
	case NCAGOLDEN_SLOT:
		return g->slot[index].data;
	case NCAGOLDEN_REG:
		return (uint8_t *)g->st->stream[index].reg;
	case NCAGOLDEN_SEM:
		return (uint8_t *)g->st->sem;
	default:
		return (uint8_t *)g->scalar;
	}
}

/* A launch has its own copy of the scalars. */
static void scalars_changed(struct ncagolden *g)
{
	memcpy(g->st->scalar, g->scalar, sizeof(g->scalar));
}

static int check_semaphores(struct ncagolden *g, const uint8_t *data, uint64_t offset, size_t len)
{
	uint8_t bytes[MAX_SEMAPHORES * 4];

	memcpy(bytes, g->st->sem, sizeof(bytes));
	memcpy(bytes + offset, data, len);
	for (uint32_t i = 0; i < g->target->semaphores; i++) {
		uint32_t v;

		memcpy(&v, bytes + 4 * i, 4);
		if (v > INT32_MAX)
			return golden_fail(g, -EINVAL, "Semaphore %u cannot be %u, at most 2^31 - 1.",
					   i, v);
	}
	return 0;
}

int ncagolden_write(struct ncagolden *g, uint32_t space, uint32_t index, uint64_t offset,
		    const void *data, size_t len)
{
	int ret = check_range(g, space, index, offset, len);

	if (!ret && space == NCAGOLDEN_SEM)
		ret = check_semaphores(g, data, offset, len);
	if (ret || !len)
		return ret;
	if (space <= NCAGOLDEN_PSUM)
		mem_copy(&g->st->mem[space], index, (uint32_t)offset, (uint8_t *)data, len, true);
	else
		memcpy(plain_bytes(g, space, index) + offset, data, len);
	if (space == NCAGOLDEN_SCALAR)
		scalars_changed(g);
	return 0;
}

int ncagolden_read(struct ncagolden *g, uint32_t space, uint32_t index, uint64_t offset,
		   void *data, size_t len)
{
	int ret = check_range(g, space, index, offset, len);

	if (ret || !len)
		return ret;
	if (space <= NCAGOLDEN_PSUM)
		mem_copy(&g->st->mem[space], index, (uint32_t)offset, data, len, false);
	else
		memcpy(data, plain_bytes(g, space, index) + offset, len);
	return 0;
}

int ncagolden_compare(struct ncagolden *g, uint32_t space, uint32_t index, uint64_t offset,
		      const void *expected, size_t len, size_t *where)
{
	const uint8_t *want = expected;
	uint8_t have[256];

	for (size_t done = 0; done < len;) {
		size_t n = len - done < sizeof(have) ? len - done : sizeof(have);
		int ret = check_range(g, space, index, offset, len);

		if (!ret)
			ret = ncagolden_read(g, space, index, offset + done, have, n);
		if (ret)
			return ret;
		for (size_t i = 0; i < n; i++) {
			if (have[i] == want[done + i])
				continue;
			if (where)
				*where = done + i;
			return 1;
		}
		done += n;
	}
	return check_range(g, space, index, offset, len);
}
