/* SPDX-License-Identifier: MIT */
/* What a tenant can do with memory that is its own: rings, doorbell page, programs, arguments. */
#ifndef HOSTILE_MISCHIEF_H
#define HOSTILE_MISCHIEF_H

#include <stdbool.h>
#include <stdint.h>

#include <accel.h>

struct mischief {
	uint64_t random;		/* state of the generator, never 0 */
	uint64_t contexts;		/* made */
	uint64_t lost;			/* of them: lost to a fault */
	uint64_t statuses[16];		/* completions seen, by status */
};

uint64_t mischief_next(struct mischief *m);

/*
 * Make a context, misbehave in it, destroy it. Returns 0, or -1 with a sentence on stderr if the
 * library did what it may not do even to such a caller.
 */
int mischief_round(struct mischief *m, accel_device *dev, const accel_graph_file *file);

#endif
