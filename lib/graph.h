/* SPDX-License-Identifier: MIT */
/*
 * A loaded graph: one program and one copy of the weights in device memory,
 * read-only for the device and shared by all instances; and per instance
 * (struct accel_launch) scratch in device memory and one piece of host memory:
 *
 *   argument table | launch report | input 0 | ... | output 0 | ...
 *
 * A launch that found no free instance is refused; instances never share.
 */
#ifndef ACC_GRAPH_H
#define ACC_GRAPH_H

#include <nca/isa.h>

#include "objects.h"

struct acc_tensor {
	struct accel_tensor_info info;	/* name: in the graph's own strings */
	uint64_t offset;		/* in an instance's host memory */
};

struct accel_launch {
	struct accel_graph *graph;
	struct accel_buffer *host, *scratch;
	uint8_t *cpu;			/* of host */
	uint64_t args_va, report_va;
	struct nca_launch_report *report;
	uint32_t *scalars;
	struct accel_launch *next_free;	/* guarded by graph.lock */
	bool taken;			/* likewise */
};

struct accel_graph {
	struct accel_context *ctx;
	uint64_t epoch;
	struct accel_buffer *program, *weights;
	uint32_t inputs, outputs, scalar_count;
	struct acc_tensor *tensor;	/* inputs, then outputs */
	char *strings;
	uint64_t scratch_size, host_size, report_offset, args_len;
	uint8_t launch_flags;
	uint32_t instances;
	struct accel_launch *launch;
	pthread_mutex_t lock;
	struct accel_launch *free;
	LIST_ENTRY(accel_graph) link;
};

#endif
