/* SPDX-License-Identifier: MIT */
/* accelcc_report.h made from a timed program. */
#ifndef REPORT_H
#define REPORT_H

#include <nca/cost.h>

#include "accelcc_report.h"
#include "mir_time.h"

/* What the parts of the report are made from, and the report so far. */
struct report {
	struct cc *cc;
	const struct nca_target *target;
	struct mir_share share;
	const struct mir_program *program;
	const struct mir_timing *timing;
	const char **names;		/* by op_id */
	size_t num_names;
	uint32_t *op_of;		/* op_id -> index of its accelcc_op_report, or UINT32_MAX */
	struct accelcc_report *out;
};

/* What a transfer carries. */
enum cargo { CARGO_WEIGHTS, CARGO_ACTIVATIONS, CARGO_INPUT, CARGO_OUTPUT };
enum cargo report_cargo(const struct nca_body_dma *d);

static inline uint64_t report_ns(const struct report *r, uint64_t ticks)
{
	return nca_ticks_to_ns(r->target, ticks);
}

/* The instruction with this number, and its engine. */
const struct nca_inst *report_inst(const struct report *r, uint32_t number, uint32_t *engine);
struct accelcc_op_report *report_op(const struct report *r, const struct nca_inst *in);

/* @timing has the times of every instruction. Everything is in the arena of @cc. */
struct accelcc_report *report_make(struct cc *cc, const struct nca_target *t,
				   const struct mir_share *share, const struct mir_program *p,
				   const struct mir_timing *timing, const char **names,
				   size_t num_names);
/* One block of memory for free(); NULL: out of memory. */
struct accelcc_report *report_copy(const struct accelcc_report *from);

/* report_stall.c: why engines stood */
void report_stalls(struct report *r);
/* report_path.c: the chain of dependences from the end of the launch to its beginning */
void report_path(struct report *r);

#endif
