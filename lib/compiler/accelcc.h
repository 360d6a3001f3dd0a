/* SPDX-License-Identifier: MIT */
/*
 * libaccelcc: ONNX model in, device program (.ncx) out.
 *
 * Every function may be called from any thread; calls on different results do not share state.
 */
#ifndef ACCELCC_H
#define ACCELCC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "accelcc_report.h"

#ifdef __cplusplus
extern "C" {
#endif

enum accelcc_status {
	ACCELCC_OK = 0,
	ACCELCC_FAILED = 1,	/* out of memory, no output, an internal check */
	ACCELCC_USAGE = 2,	/* unknown target, precision, pass or dimension name */
	ACCELCC_BAD_INPUT = 6,	/* the model is broken, or cannot be compiled */
};

enum accelcc_precision {
	ACCELCC_FP32,
	ACCELCC_BF16,
};

/* A value for a symbolic dimension of the model, such as "batch" = 1. */
struct accelcc_dim {
	const char *name;
	int64_t value;
};

struct accelcc_options {
	size_t size;			/* sizeof(struct accelcc_options) */
	const char *target;		/* NULL: nca1 */
	enum accelcc_precision precision;
	bool no_fuse;			/* operator by operator, each result to device memory */
	const char *model_name;		/* NULL: the graph's own name */
	const struct accelcc_dim *dims;
	size_t num_dims;
	FILE *print_ir;			/* where to print the IR; NULL: nowhere */
	const char *print_after;	/* only after this pass; NULL: after every pass */
	FILE *print_program;		/* where to print the scheduled program; NULL: nowhere */
	uint64_t max_instructions;	/* refuse longer streams; 0: what the device takes */
	bool report;			/* fill in result->report */
};

/* What one engine does in a launch, by the data sheet's cost function. */
struct accelcc_engine_stats {
	char name[16];
	uint64_t instructions;
	uint64_t cycles;		/* of the engine's own clock */
	uint64_t waits;			/* semaphore waits the scheduler could not avoid */
};

#define ACCELCC_MAX_ENGINES 8

struct accelcc_stats {
	unsigned int num_engines;
	struct accelcc_engine_stats engine[ACCELCC_MAX_ENGINES];
	uint64_t estimated_cycles;	/* of the whole launch, in cycles of the tensor engine */
	uint64_t estimated_ns;
	uint64_t macs;
	uint64_t weight_bytes;
	uint64_t scratch_bytes;
	uint64_t dma_bytes;
	uint32_t sbuf_bytes;		/* per partition, the highest address in use */
	uint32_t psum_banks;
	uint32_t semaphores;
};

struct accelcc_result {
	enum accelcc_status status;
	char message[1024];		/* one sentence when status is not ACCELCC_OK */
	uint8_t *ncx;			/* the program file */
	size_t ncx_size;
	char target[16];
	char model[128];
	struct accelcc_stats stats;
	struct accelcc_report *report;	/* NULL unless options->report */
};

/* Compile an ONNX model held in memory. Returns result->status. */
enum accelcc_status accelcc_compile(const void *model, size_t size,
				    const struct accelcc_options *options,
				    struct accelcc_result *result);

/* The same for a file. */
enum accelcc_status accelcc_compile_file(const char *path, const struct accelcc_options *options,
					 struct accelcc_result *result);

void accelcc_result_free(struct accelcc_result *result);

/* Names of the passes in the order they run, NULL-terminated; static storage. */
const char *const *accelcc_pass_names(void);

/*
 * Names of the ONNX operators that can be compiled, in alphabetical order: up to @max of them in
 * @names (static storage). Returns how many there are. What an operator is limited to is said when a
 * model goes beyond it.
 */
size_t accelcc_operator_names(const char **names, size_t max);

#ifdef __cplusplus
}
#endif
#endif
