/* SPDX-License-Identifier: MIT */
/*
 * Four ways to write out[M][N] = lhsT[K][M]^T x rhs[K][N] in BF16, as device
 * programs: the loop nests of the public NKI matrix multiplication tutorial.
 */
#ifndef TESTS_TIMING_NESTS_H
#define TESTS_TIMING_NESTS_H

#include <nca/isa.h>

enum { SLOT_LHST, SLOT_RHS, SLOT_OUT, SLOTS };

struct nest_shape {
	uint32_t m, k, n;
	uint32_t block_m, block_n, block_k;	/* tiles of 128, 512 and 128 */
};

struct nest {
	struct nest_shape shape;
	struct nca_program_header header;
	struct nca_inst *inst[NCA_ENGINES];
	uint32_t cap[NCA_ENGINES];
};

/* Tile by tile, nothing kept: both tiles are loaded for every matmul. */
void nest_tiled(struct nest *x);
/* A block of lhsT stays for all of N, a block of rhs for a block of lhsT; all of K each. */
void nest_blocked(struct nest *x);
/* All three dimensions blocked: partial results stay in SBUF over the blocks of K. */
void nest_fully_blocked(struct nest *x);

void nest_init(struct nest *x, const struct nest_shape *shape);
void nest_free(struct nest *x);

#endif
