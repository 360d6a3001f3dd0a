/* SPDX-License-Identifier: MIT */
/* Building small programs by hand and running them on a bare core. */
#ifndef TESTS_CORE_HARNESS_H
#define TESTS_CORE_HARNESS_H

#include "firmware-sim/core/core.h"

#define MAX_INST	640u
#define MAX_SLOTS	8u

struct prog {
	const struct nca_target *target;
	struct nca_program_header header;
	struct nca_inst inst[NCA_ENGINES][MAX_INST];
	uint32_t in_order;	/* instructions of emit_next() */
};

struct slot {
	uint8_t *data;
	uint64_t len;
	bool writable, host;	/* host: across the link */
	uint64_t piece;		/* translate() hands out at most this much at once; 0: all */
};

struct run {
	struct slot slot[MAX_SLOTS];
	uint32_t scalar[8];
	enum core_simd simd;
	bool timed_only, check;
	uint32_t bw_slices, dma_engines;	/* 0: all */
	uint64_t step;				/* core_run() in steps of this many ticks; 0: at once */
	uint32_t stable;			/* slots from which transfers may be put off: bits */
	uint64_t lose;				/* at this yield slot 0 is overwritten */
	/* results */
	enum core_result result;
	struct core_fault fault;
	struct nca_launch_report report;
	uint64_t yields;
	/* last trace: start of each instruction */
	uint64_t start[NCA_ENGINES][MAX_INST], end[NCA_ENGINES][MAX_INST];
};

void prog_init(struct prog *p, uint32_t target);
struct nca_inst *emit(struct prog *p, uint32_t engine, uint32_t opcode);
/* One that comes after all of emit_next() before it, whichever engines have them (semaphore 0). */
struct nca_inst *emit_next(struct prog *p, uint32_t engine, uint32_t opcode);
/* Appends HALT to every stream that has instructions. */
void prog_end(struct prog *p);

struct nca_ap ap(uint32_t mem, uint32_t dtype, uint32_t part, uint32_t nparts, uint32_t offset,
		 uint32_t n);
struct nca_scalar imm(float v);
struct nca_scalar imm_int(int32_t v);
void wait_ge(struct nca_inst *in, uint32_t sem, uint32_t value);
void update_add(struct nca_inst *in, uint32_t sem, uint32_t value);

/* nparts x bytes per partition between a slot (rows of @bytes) and SBUF/PSUM. */
struct nca_inst *emit_dma(struct prog *p, uint32_t engine, bool to_chip, uint32_t mem,
			  uint32_t part, uint32_t nparts, uint32_t offset, uint32_t bytes,
			  uint32_t slot, uint64_t slot_offset, uint32_t queue);

struct core *test_core(uint32_t target, enum core_simd simd);
int prog_load(struct prog *p, struct core_program **out, struct core_fault *fault);
/* Loads, runs to the end, fills in @r. Returns -1 if loading failed (r->fault). */
int prog_run(struct prog *p, struct run *r);

/* xorshift64*: printed seeds make a failing case repeatable */
struct rng {
	uint64_t s;
};
uint64_t rng_next(struct rng *r);
uint32_t rng_below(struct rng *r, uint32_t n);
/* A float from a mix of ordinary numbers, special values and random bits. */
uint32_t rng_float_bits(struct rng *r);

void test_cores_free(void);

#define SIMDS	3
extern const enum core_simd simds[SIMDS];

void suite_timing(void);
void suite_stalls(void);
void suite_control(void);
void suite_cost(void);
void suite_fault(void);
void suite_engine(void);
void suite_random(void);
void suite_tables(void);
void suite_func(void);
void suite_lanes(void);
void suite_check(void);
void suite_dma(void);
void suite_threads(void);
void suite_alias(void);
void suite_diagonal(void);

#endif
