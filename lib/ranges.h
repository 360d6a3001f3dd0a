/* SPDX-License-Identifier: MIT */
/*
 * First-fit allocator of address ranges: context addresses and, for the
 * embedded device, device memory. Not locked; the caller has a lock anyway.
 */
#ifndef ACC_RANGES_H
#define ACC_RANGES_H

#include <stdint.h>

struct acc_range {
	struct acc_range *next;		/* by address, never touching its neighbour */
	uint64_t start, len;
};

struct acc_ranges {
	struct acc_range *free;
	uint64_t used;
};

int acc_ranges_init(struct acc_ranges *r, uint64_t start, uint64_t end);
void acc_ranges_fini(struct acc_ranges *r);

/* Returns 0, -ENOSPC or -ENOMEM. @align is a power of two. */
int acc_ranges_alloc(struct acc_ranges *r, uint64_t len, uint64_t align, uint64_t *start);

/* Give back exactly what acc_ranges_alloc() returned. -ENOMEM: the range stays taken. */
int acc_ranges_free(struct acc_ranges *r, uint64_t start, uint64_t len);

#endif
