/* SPDX-License-Identifier: MIT */
/*
 * The data sheet a second time: instructions of the engines executed element by element
 * on plain memories, all operands read before anything is written. It shares with the
 * core only the arithmetic on single values, which other tests hold against the data sheet.
 */
#ifndef TESTS_CORE_ORACLE_H
#define TESTS_CORE_ORACLE_H

#include "harness.h"

#define ORACLE_ELEMS	512u	/* most elements per partition of one operand */

struct oracle {
	uint32_t bytes;		/* per partition */
	uint8_t *mem[2];	/* [partition][bytes]: SBUF, PSUM */
	uint32_t reg[NCA_REGISTERS];	/* of the one engine whose stream is executed */
	/* the stationary tile, widened */
	uint32_t rows, columns;
	uint32_t stationary[NCA_PARTITIONS][NCA_PARTITIONS];
};

/* Byte offsets of the elements of @a, its register added; returns how many there are. */
uint32_t oracle_offsets(const struct oracle *o, const struct nca_ap *a, uint32_t *off);
uint32_t oracle_fetch(const struct oracle *o, const struct nca_ap *a, uint32_t lane, uint32_t off);
/* Section 3.3 of the data sheet; enum domain, DOM_BITS for moves. */
uint32_t oracle_domain(const struct nca_inst *in);
void oracle_execute(struct oracle *o, const struct nca_inst *in);

#endif
