/* SPDX-License-Identifier: MIT */
/*
 * One simulated core: executes and times the five engine streams of a launch.
 *
 * The device front end (firmware-sim/device) owns queues, contexts, shares and
 * address maps; the core knows one launch at a time through struct
 * core_launch, whose program text and arguments are device-private copies.
 * A core object is used by one thread at a time.
 *
 * Time: the core counts ticks from the start of the launch (tick 0). The front
 * end maps that onto the device clock. Whatever the host does, the same launch
 * takes the same ticks.
 */
#ifndef NCASIM_CORE_H
#define NCASIM_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <nca/cost.h>
#include <nca/isa.h>

struct core;			/* execution resources: reusable, holds no launch state */
struct core_state;		/* one launch in progress: SBUF, PSUM, semaphores, registers, clock */
struct core_program;		/* checked and predecoded program, immutable, shareable */

struct core_fault {
	uint32_t rule;		/* enum nca_fault_rule */
	uint32_t engine;
	uint32_t pc;
	uint64_t address;
	char text[160];		/* a sentence for logs: which rule, which value */
};

/*
 * Check @text of every stream against the target: encodings, partition starts,
 * static ranges, branches, engines. @inst[e] are @count[e] instructions, already
 * private to the device. Anything register-dependent is checked at run time.
 * Copies what it needs. Returns 0, -ENOMEM, or -EINVAL with @fault filled in.
 */
int core_program_create(const struct nca_target *target, const struct nca_program_header *header,
			const struct nca_inst *const inst[NCA_ENGINES], struct core_program **out,
			struct core_fault *fault);
void core_program_destroy(struct core_program *prog);

/*
 * How a launch reaches memory. translate() returns a host pointer to
 * [offset, offset + len) of @slot if all of it may be read (or written, @write) and is
 * contiguous in host memory, with *avail the contiguous bytes from there (>= 1, may be
 * less than len: the core then asks again). NULL: slot fault. The pointer stays
 * good until the current core_run() returns. @dev_mem tells whether the bytes
 * are device memory (else across the host link), for timing.
 */
struct core_memory {
	void *opaque;
	void *(*translate)(void *opaque, uint32_t slot, uint64_t offset, uint64_t len, bool write,
			   uint64_t *avail, bool *dev_mem);
	/*
	 * May what a transfer takes from @slot be read a little later instead, before
	 * core_run() returns, because nobody but the launch itself has a right to change
	 * it while the launch runs? NULL: no.
	 */
	bool (*stable)(void *opaque, uint32_t slot);
};

/* Trace callbacks, ticks relative to launch start; NULL members are skipped. */
struct core_trace {
	void *opaque;
	void (*inst)(void *opaque, uint32_t engine, const struct nca_inst *inst, uint32_t pc,
		     uint64_t start, uint64_t end);
	void (*wait)(void *opaque, uint32_t engine, uint32_t sem, uint64_t start, uint64_t end);
	void (*dma)(void *opaque, uint32_t dma_engine, uint32_t op_id, uint64_t bytes,
		    uint64_t start, uint64_t end);
};

struct core_launch {
	const struct core_program *prog;
	struct core_memory memory;
	const struct core_trace *trace;	/* may be NULL */
	const uint32_t *scalar;		/* launch scalars, copied by core_launch_begin() */
	uint32_t scalars;
	uint32_t bw_slices;		/* eighths of device memory bandwidth, 1..8 */
	uint32_t dma_engines;		/* of this core that the share may use, >= 1 */
	bool timed_only;
	bool check;
};

enum core_simd { CORE_SIMD_AUTO, CORE_SIMD_SCALAR, CORE_SIMD_AVX2, CORE_SIMD_AVX512 };

int core_create(const struct nca_target *target, enum core_simd simd, struct core **out);
void core_destroy(struct core *core);
const char *core_simd_name(const struct core *core);	/* "scalar", "avx2", "avx512" */

/*
 * Begin a launch: SBUF and PSUM read as zero (epochs, not clearing). The state
 * object is independent of the core and may be continued on any core of the
 * same target: preempting is simply not calling core_run() for a while.
 */
int core_launch_begin(struct core *core, const struct core_launch *launch, struct core_state **out);
void core_launch_end(struct core *core, struct core_state *state);	/* recycles the state */

enum core_result { CORE_DONE, CORE_YIELDED, CORE_FAULT };

/*
 * Run until the launch is done, faults, or no instruction can be issued before
 * @until ticks (CORE_YIELDED; the launch then stands at an instruction boundary). @now
 * is the launch's clock on return. *stop may be set by another thread to
 * make the core yield soon (reset, abort, destroy).
 */
enum core_result core_run(struct core *core, struct core_state *state, uint64_t until,
			  const volatile bool *stop, uint64_t *now, struct core_fault *fault);

/* Fill in ticks, busy/wait/stall, instruction and DMA counters of @report. */
void core_launch_report(const struct core_state *state, struct nca_launch_report *report);

#endif
