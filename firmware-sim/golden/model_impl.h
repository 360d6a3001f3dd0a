/* SPDX-License-Identifier: MIT */
/* Inside of a golden model. */
#ifndef NCAGOLDEN_MODEL_IMPL_H
#define NCAGOLDEN_MODEL_IMPL_H

#include "firmware-sim/core/core_impl.h"
#include "firmware-sim/golden/ncagolden.h"

#define GOLDEN_SLOT_MAX	(256ull << 20)

struct golden_slot {
	uint8_t *data;
	uint64_t len;
	uint32_t flags;
};

struct ncagolden {
	const struct nca_target *target;
	struct core *core;
	struct core_state *st;		/* always a launch: of prog, or of no instructions */
	struct core_program *prog;
	struct core_trace trace;
	uint32_t scalar[NCA_PROGRAM_MAX_SCALARS];
	struct golden_slot slot[NCA_PROGRAM_MAX_SLOTS];
	/* set by the trace callback: the instruction just executed */
	bool stepped;
	uint32_t engine, pc;
	bool ended;			/* done or faulted: nothing to step */
	uint64_t ticks;
	struct ncagolden_fault fault;
	char error[224];
};

int golden_fail(struct ncagolden *g, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
