/* SPDX-License-Identifier: MIT */
/* Operands of vector, scalar and gpsimd instructions, resolved for execution. */
#ifndef NCASIM_CORE_EXEC_EW_H
#define NCASIM_CORE_EXEC_EW_H

#include "core_impl.h"

struct operand {
	uint8_t *base;
	uint32_t *off;
	uint32_t dtype;
	uint32_t n;		/* elements per partition */
};

struct ew {
	struct exec *x;
	const struct core_kernels *k;
	const struct nca_body_ew *b;
	enum domain dom;
	uint32_t lanes;
	struct operand dst, src0, src1;
	uint32_t s[2][LANES] __attribute__((aligned(64)));
	uint32_t acc[LANES] __attribute__((aligned(64)));
	struct operand old;	/* ACC_REDUCE: what the destination held before */
	bool reduced;		/* src1 receives a reduction */
	bool acc_valid;
};

/* exec_lanes.c: instructions that look at whole rows or move data between lanes. */
bool ew_is_lanes(uint32_t opcode);
int ew_lanes(struct ew *e);

static inline void ew_load(struct ew *e, uint32_t *row, const struct operand *o, uint32_t r0,
			   uint32_t n, enum domain dom)
{
	e->k->load(row, o->base, o->off + r0, n, e->lanes, o->dtype, dom);
}

#endif
