/* SPDX-License-Identifier: MIT */
/* Random legal instructions, on request those that fill a given bin of the coverage. */
#ifndef TESTS_CORE_RANDOM_INST_H
#define TESTS_CORE_RANDOM_INST_H

#include "coverage.h"

struct wish {
	uint32_t target, engine, opcode;
	const struct cover_bin *bin;	/* NULL: anything */
};

/*
 * Makes one instruction, or LDSTAT and MATMUL, in memories like those of @o, whose
 * registers it may use. Returns how many, 0 if this attempt led nowhere.
 */
uint32_t random_instruction(struct rng *rng, const struct oracle *o, const struct wish *w,
			    struct nca_inst in[2]);
/* Puts values of every class where @in reads, positions that exist where it reads those. */
void random_operand_values(struct rng *rng, struct oracle *o, const struct nca_inst *in);

#endif
