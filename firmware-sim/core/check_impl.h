/* SPDX-License-Identifier: MIT */
/*
 * Checking mode. Two questions are asked of every access, whatever today's
 * timing: has somebody written what is read, and does a chain of program order
 * and semaphores order it against every earlier overlapping access of another
 * engine or transfer.
 *
 *   check.c         clocks: who knows of which accesses, and through what
 *   check_access.c  footprints: which bytes an access touches
 */
#ifndef NCASIM_CORE_CHECK_IMPL_H
#define NCASIM_CORE_CHECK_IMPL_H

#include "core_impl.h"

/* The bytes of an access: the same byte set in every partition of a set. */
struct footprint {
	uint32_t space;		/* NCA_MEM_SBUF, NCA_MEM_PSUM, or SPACE_SLOT + slot */
	uint64_t part[2];	/* bit per partition; all ones for a slot */
	int64_t lo, hi;		/* bounds of the byte set */
	int64_t base;
	uint32_t size[4];
	int64_t stride[4];	/* bytes */
	uint32_t elem;
};
#define SPACE_SLOT	16u

struct access {
	struct footprint fp;
	bool read, write;
};

#define MAX_ACCESS	8u

/* Everything an instruction touches; returns the count. */
uint32_t accesses_of(const struct exec *x, struct access out[MAX_ACCESS]);
bool footprints_meet(const struct footprint *a, const struct footprint *b, uint8_t *bitmap);
#define BITMAP_BYTES	(1u << 17)	/* a window of 1 MiB, or all of a partition */

/* False, with the place, if a byte that is read was never written. */
bool written_all(struct core_state *st, const struct footprint *fp, uint8_t *bitmap,
		 uint32_t *part, int64_t *byte);
void written_set(struct core_state *st, const struct footprint *fp, uint8_t *bitmap);

#endif
