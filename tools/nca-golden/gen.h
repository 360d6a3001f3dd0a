/* SPDX-License-Identifier: MIT */
/*
 * Random cases. A generator fills in a case that is likely to be legal; the model
 * decides whether it is, and the caller tries again if not.
 */
#ifndef NCA_GOLDEN_GEN_H
#define NCA_GOLDEN_GEN_H

#include <stdbool.h>
#include <stdint.h>

#include "firmware-sim/golden/ncagolden.h"

struct gen {
	uint64_t s;			/* xorshift64*; never 0 */
	const struct nca_target *target;
	uint32_t lanes, elems;		/* most partitions, most elements per partition */
	int dtype;			/* of tensor operands; -1: any */
	bool plain;			/* no semaphores, addresses in registers, TF32 */
	uint32_t style;			/* enum style, drawn once a case */
	uint32_t windows[2];		/* next free window of SBUF and PSUM */
	struct ncagolden_case *c;
};

/* values.c */
enum style { ORDINARY, TIES, TINY, HUGE_VALUES, SPECIALS, ANY_BITS, STYLES };
uint64_t gen_next(struct gen *g);
uint32_t gen_below(struct gen *g, uint32_t n);
bool gen_one_in(struct gen *g, uint32_t n);
uint32_t gen_value(struct gen *g, uint32_t dtype);
uint32_t gen_dtype(struct gen *g);
int gen_dtype_by_name(const char *name);

/* place.c: operands in memory */
struct extent {
	int64_t lo, hi;			/* bytes, relative to where element 0 is */
};
/* Sizes of up to four dimensions whose product is @n. */
void gen_sizes(struct gen *g, uint32_t n, uint16_t size[4]);
/* An operand of its own window; its bytes are written with values of its type. */
int gen_operand(struct gen *g, uint32_t engine, uint32_t mem, uint32_t dtype, uint32_t nparts,
		const uint16_t size[4], struct nca_ap *a);
/* The same with integers below @limit: indices. */
int gen_indices(struct gen *g, uint32_t engine, uint32_t dtype, uint32_t nparts,
		const uint16_t size[4], uint32_t limit, struct nca_ap *a);
/* The bytes around an operand are part of what is compared: a stray write shows. */
int gen_expect(struct gen *g, uint32_t engine, const struct nca_ap *a);
uint32_t gen_lanes(struct gen *g);
uint8_t gen_part(struct gen *g, uint32_t nparts);
int gen_register(struct gen *g, uint32_t engine, uint32_t reg, uint32_t value);
/* Waits that hold, and updates whose results are expected. */
int gen_sync(struct gen *g, struct nca_inst *in);

/* One case of an opcode. 0, 1: bad luck, try again; -ENOMEM. */
int gen_ew(struct gen *g, uint32_t opcode, uint32_t engine);
int gen_mm(struct gen *g, uint32_t opcode, uint32_t engine);
int gen_dma(struct gen *g, uint32_t opcode, uint32_t engine);
int gen_ctl(struct gen *g, uint32_t opcode, uint32_t engine);

/* opcodes.c */
struct opcode_info {
	const char *name;
	uint8_t opcode;
	uint8_t engines;		/* 1 << enum nca_engine */
	int (*gen)(struct gen *g, uint32_t opcode, uint32_t engine);
};
extern const struct opcode_info opcodes[];
extern const uint32_t opcode_count;
const struct opcode_info *opcode_by_name(const char *name);

#endif
