/* SPDX-License-Identifier: MIT */
/*
 * Golden model: one core of the device, as a library for test benches.
 *
 * A model holds the state a program can see: SBUF, PSUM, registers, semaphores,
 * stationary tiles of the array, and the slots and scalars a launch would bind.
 * Instructions are executed by the scalar arithmetic that is written from the
 * data sheet (docs/hardware-isa.md); every result has one right value, bit for
 * bit. Usable from C and C++, and from SystemVerilog through DPI-C.
 *
 * Link libncasim.a and -lm.
 *
 * Threads: a model, a reader and a case are used by one thread at a time;
 * different ones may be used by different threads at the same time. There is no
 * global state. The floating point environment of the caller neither matters
 * nor changes.
 *
 * Errors: functions return 0 (or a documented positive number), or a negative
 * errno; ncagolden_error() then has a sentence.
 *   -EINVAL  an argument is outside what the target has; the state is unchanged
 *   -EFAULT  a program broke a rule of the ISA: ncagolden_fault() says which one,
 *            the state is what the instructions before it have left
 *   -ETIME   a program executed more instructions than it was allowed
 *   -ENOMEM  the host has no memory
 *   -EBADMSG a vector file is malformed
 */
#ifndef NCAGOLDEN_H
#define NCAGOLDEN_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <nca/isa.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ncagolden;		/* a model */
struct ncagolden_reader;	/* a vector file being read */

/*
 * All state is bytes, little-endian, at (space, index, offset):
 */
enum ncagolden_space {
	NCAGOLDEN_SBUF = 0,	/* index: partition 0..127; offset 0..sbuf_bytes - 1 of the target */
	NCAGOLDEN_PSUM = 1,	/* index: partition 0..127; offset 0..16383, 2048 per bank */
	NCAGOLDEN_SLOT = 2,	/* index: slot 0..255; offset into the slot */
	NCAGOLDEN_REG = 3,	/* index: enum nca_engine; register r at offset 4 * r, r in 0..31 */
	NCAGOLDEN_SEM = 4,	/* index: 0; semaphore s at offset 4 * s */
	NCAGOLDEN_SCALAR = 5,	/* index: 0; launch scalar i at offset 4 * i, i in 0..63 */
	NCAGOLDEN_SPACES = 6,
};

struct ncagolden_fault {
	uint32_t rule;		/* enum nca_fault_rule */
	uint32_t engine;	/* enum nca_engine; NCA_ENGINES: no single one */
	uint32_t pc;		/* instruction in the engine's stream */
	uint64_t address;	/* what the rule is about: byte, index, semaphore */
};

/* ---- a model ------------------------------------------------------------------ */

/*
 * A model of one core of @target ("nca1", "nca2"), all state zero, no slots. The
 * caller owns it. -EINVAL: no such target; -ENOMEM. 16 MiB on nca1, 28 MiB on nca2, of
 * which only what is touched is backed by memory.
 */
int ncagolden_create(const char *target, struct ncagolden **out);

/* NULL is allowed. */
void ncagolden_destroy(struct ncagolden *g);

/* Back to the state after ncagolden_create(): all zero, no program, no slots. */
int ncagolden_reset(struct ncagolden *g);

/* Why the last call on @g failed, one sentence; valid until the next call. Never NULL. */
const char *ncagolden_error(const struct ncagolden *g);

/* The fault of the last -EFAULT; owned by @g, valid until the next program runs. */
const struct ncagolden_fault *ncagolden_fault(const struct ncagolden *g);

/*
 * Bind slot @slot (0..255) to @bytes of zeroed memory owned by the model (1 byte to
 * 256 MiB, replacing an earlier binding). @flags: NCA_SLOT_READ | NCA_SLOT_WRITE, what
 * programs may do; ncagolden_write() is always allowed.
 */
int ncagolden_slot(struct ncagolden *g, uint32_t slot, uint64_t bytes, uint32_t flags);

/*
 * Load state: @len bytes from @data to (@space, @index, @offset). The range must lie
 * within one partition, slot or engine. Allowed at any time, also between
 * two ncagolden_step().
 */
int ncagolden_write(struct ncagolden *g, uint32_t space, uint32_t index, uint64_t offset,
		    const void *data, size_t len);

/* Read state: the same, to @data. What nothing has written reads as zero. */
int ncagolden_read(struct ncagolden *g, uint32_t space, uint32_t index, uint64_t offset,
		   void *data, size_t len);

/*
 * Compare state with @expected. Returns 0: equal; 1: they differ, *@where (if not NULL) is
 * the number of the first byte that does; negative errno.
 */
int ncagolden_compare(struct ncagolden *g, uint32_t space, uint32_t index, uint64_t offset,
		      const void *expected, size_t len, size_t *where);

/*
 * Execute one instruction on @engine: waits, effect, updates, transfers included. A wait
 * that does not hold is a DEADLOCK fault, since nothing else runs. BRANCH needs a
 * program (-EINVAL). Ends a program that was being stepped.
 */
int ncagolden_exec(struct ncagolden *g, uint32_t engine, const struct nca_inst *inst);

/*
 * Load a program: @inst[e] are the @count[e] instructions of engine e (copied). A stream
 * that ends neither in HALT nor in an unconditional BRANCH gets a HALT. Memories,
 * registers, semaphores, tiles and scalars stay as they are: on the device a launch begins
 * with zero, which is what ncagolden_reset() gives. -EFAULT: the program is refused as the
 * device refuses it at launch.
 */
int ncagolden_load(struct ncagolden *g, const struct nca_inst *const inst[NCA_ENGINES],
		   const uint32_t count[NCA_ENGINES]);

/*
 * Execute the next instruction of the loaded program, in the device's own order of time.
 * Returns 1 and *@engine, *@pc (if not NULL) of the instruction; 0: the program has ended
 * (all streams halted, all transfers complete); -EFAULT. Memory and registers are complete
 * after each step; semaphores are those of this moment of simulated time.
 */
int ncagolden_step(struct ncagolden *g, uint32_t *engine, uint32_t *pc);

/* Step to the end, at most @limit instructions (0: no limit). Returns 0 or an error. */
int ncagolden_run(struct ncagolden *g, uint64_t limit);

/* Ticks (of the target's tick_hz) the current or last program has taken so far. */
uint64_t ncagolden_ticks(const struct ncagolden *g);

/* ---- vectors: docs/golden-model.md has the file format --------------------------- */

struct ncagolden_data {
	uint32_t space, index;	/* enum ncagolden_space */
	uint64_t offset;
	size_t len;
	uint8_t *bytes;
};

struct ncagolden_slot_def {
	uint32_t slot, flags;	/* NCA_SLOT_* */
	uint64_t bytes;
};

/* One test: state before, instructions, state after or the fault they end in. */
struct ncagolden_case {
	char name[64];
	uint32_t line;		/* of the file, 0: not from a file */
	struct ncagolden_slot_def *slot;
	struct ncagolden_data *write, *expect;
	size_t slots, writes, expects;
	struct nca_inst *inst[NCA_ENGINES];
	uint32_t count[NCA_ENGINES];
	uint32_t faults;	/* 1: it must end in this fault; 0: it must end well */
	struct ncagolden_fault fault;
};

/* What did not match; the text has the four bytes around the first difference. */
struct ncagolden_diff {
	const struct ncagolden_data *expect;	/* NULL: see @text */
	size_t where;				/* first byte of it that differs */
	size_t bytes;				/* how many bytes of all expectations differ */
	char text[224];				/* a sentence */
};

/* Instructions a case may execute: a program that loops for ever is a mismatch. */
#define NCAGOLDEN_CASE_LIMIT	(1u << 20)

/*
 * Begin to read vectors from @f, which stays the caller's and must outlive the reader.
 * The first lines (format and target) are read at once. On -EBADMSG *@out is still set, so that
 * ncagolden_reader_error() can be asked; close it as well.
 */
int ncagolden_reader_open(FILE *f, struct ncagolden_reader **out);
void ncagolden_reader_close(struct ncagolden_reader *r);
/* "nca1" or "nca2" */
const char *ncagolden_reader_target(const struct ncagolden_reader *r);
/* "line N: sentence"; never NULL */
const char *ncagolden_reader_error(const struct ncagolden_reader *r);
/* Returns 1 and *@out (owned by the reader, until the next call), 0 at the end, -EBADMSG, -ENOMEM. */
int ncagolden_reader_next(struct ncagolden_reader *r, const struct ncagolden_case **out);

/* Reset @g and load slots, state and program of @c; nothing is executed. */
int ncagolden_case_load(struct ncagolden *g, const struct ncagolden_case *c);

/*
 * Load, run and compare @c. Returns 0: as expected; 1: not, @diff (if not NULL) says where;
 * -EINVAL: the case does not fit the target; -ENOMEM.
 */
int ncagolden_case_run(struct ncagolden *g, const struct ncagolden_case *c,
		       struct ncagolden_diff *diff);

/*
 * Load and run @c and put what the model has into c->expect[].bytes and c->fault: how
 * vectors are made. Returns 0 or as ncagolden_case_run().
 */
int ncagolden_case_fill(struct ncagolden *g, struct ncagolden_case *c);

/* Write the first lines, and a case, as text. 0 or -EIO. */
int ncagolden_write_header(FILE *f, const char *target);
int ncagolden_write_case(FILE *f, const struct ncagolden_case *c);

/*
 * Build a case: the case owns copies. @bytes NULL: zeroes (to be filled). 0 or -ENOMEM.
 * ncagolden_case_clear() frees the contents and leaves an empty case.
 */
int ncagolden_case_slot(struct ncagolden_case *c, uint32_t slot, uint64_t bytes, uint32_t flags);
int ncagolden_case_write(struct ncagolden_case *c, uint32_t space, uint32_t index,
			 uint64_t offset, const void *bytes, size_t len);
int ncagolden_case_expect(struct ncagolden_case *c, uint32_t space, uint32_t index,
			  uint64_t offset, const void *bytes, size_t len);
int ncagolden_case_inst(struct ncagolden_case *c, uint32_t engine, const struct nca_inst *inst);
void ncagolden_case_clear(struct ncagolden_case *c);

/* Names as they appear in vector files; NULL: no such value. */
const char *ncagolden_space_name(uint32_t space);
const char *ncagolden_engine_name(uint32_t engine);
const char *ncagolden_rule_name(uint32_t rule);

#ifdef __cplusplus
}
#endif

#endif
