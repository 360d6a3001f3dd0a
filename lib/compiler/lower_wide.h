/* SPDX-License-Identifier: MIT */
/* Inputs and outputs with elements of 64 bits, a chunk at a time. */
#ifndef LOWER_WIDE_H
#define LOWER_WIDE_H

#include "lower.h"

/*
 * Elements from number @at on, @each of them in each of @parts partitions, on the way from the host's
 * memory, where they have two words, to the device's, where they have one, or back.
 */
struct wide {
	struct lower *l;
	struct dram_view host, device;
	bool is_signed;
	int64_t at, parts, each;
};

/* One word per element of a buffer: every @stride-th, from byte @offset on. */
struct mir_tile wide_tile(const struct wide *w, struct mir_buf *buf, uint64_t offset,
			  int64_t stride);
/* The chunk between a buffer and a memory with @words words per element. */
void wide_move(const struct wide *w, const struct dram_view *view, struct mir_buf *buf,
	       int64_t words, bool load);

void wide_narrow_f64(const struct wide *w);
void wide_widen_f64(const struct wide *w);

#endif
