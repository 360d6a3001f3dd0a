/* SPDX-License-Identifier: MIT */
/*
 * What random instructions have exercised. Every legal bin is declared before the first
 * instruction runs, from the data sheet's tables; each executed instruction is recorded
 * with the operand values it really read. A bin that stays empty fails the test, and so
 * does an instruction in a bin that was not declared.
 */
#ifndef TESTS_CORE_COVERAGE_H
#define TESTS_CORE_COVERAGE_H

#include "oracle.h"

enum cover_group {
	COVER_ENGINE,	/* opcode, engine */
	COVER_TYPE,	/* opcode, operand, data type */
	COVER_RANK,	/* opcode, operand, dimensions longer than 1 */
	COVER_VALUE,	/* opcode, data type, rank, class of value: of the first source */
	COVER_VALUE1,	/* opcode, data type, class of value: of the second source */
	COVER_ALU,	/* opcode, place, operation, domain */
	COVER_FUNC,	/* function, data type, class of value */
	COVER_SCALAR,	/* opcode, place, kind, data type */
	COVER_STRIDE,	/* opcode, operand, enum cover_stride */
	COVER_LANES,	/* opcode, operand, start and count of partitions */
	COVER_MEMORY,	/* opcode, operand, memory */
	COVER_OVERLAP,	/* opcode, enum cover_overlap */
	COVER_REGISTER,	/* opcode, operand: address from a register */
	COVER_ARRAY,	/* stationary type, moving type, type of the result, accumulating */
	COVER_FLAG,	/* opcode, flag */
	COVER_GROUPS,
};

enum cover_operand { COVER_DST, COVER_SRC0, COVER_SRC1 };
enum cover_stride {
	STRIDE_CONTIGUOUS, STRIDE_ZERO, STRIDE_NEGATIVE, STRIDE_GAP, STRIDE_WIDE /* > 16 bytes */,
	STRIDES,
};
enum cover_overlap {
	OVERLAP_NONE, OVERLAP_IN_PLACE, OVERLAP_PARTLY, OVERLAP_SRC1, OVERLAP_ITSELF /* dst twice */,
	OVERLAPS,
};

struct cover_bin {
	uint32_t group, opcode;
	uint32_t key[3];
	uint64_t hits;
};

/* Declares all legal bins; to be called once before anything else. */
void cover_declare(void);
/* Records @in, which @o is about to execute on @engine. */
void cover_record(const struct oracle *o, uint32_t engine, const struct nca_inst *in);
/* The next bin that is empty, beginning behind @after (NULL: the first); NULL: there is none. */
const struct cover_bin *cover_empty(const struct cover_bin *after);
/* A row per opcode; returns how many legal bins are empty, after printing the first of them. */
uint32_t cover_report(void);
/* Instructions outside the declared bins. */
uint32_t cover_undeclared(void);

/* What the data sheet says an opcode has. */
struct opcode_form {
	uint8_t opcode;
	const char *name;
	uint8_t engines;		/* 1 << enum nca_engine */
	bool src0, src1;		/* tensor operands that are read */
	bool src1_out;			/* src1 is (or may be) written */
	bool index;			/* src1 is of an integer type */
	bool same_type;			/* dst has src0's type */
	uint8_t scalars;		/* 1: s0, 2: s1, 3: both */
	uint8_t alus;			/* 1: op0, 2: op1, 4: op2 */
	bool reducing;			/* op0 is a reduction */
	bool compares;			/* op0 is a comparison, scalars are positions */
	uint8_t dst_ranks, src_ranks;	/* most dimensions longer than 1 */
};
extern const struct opcode_form opcode_forms[];
extern const uint32_t opcode_form_count;
const struct opcode_form *opcode_form(uint32_t opcode);
bool op_reduces(uint32_t op);
/* May @op stand at @place (0, 1, 2) of an instruction that computes in @dom? */
bool op_legal(const struct opcode_form *f, uint32_t place, uint32_t op, uint32_t dom);
uint32_t ap_rank(const struct nca_ap *a);

#endif
