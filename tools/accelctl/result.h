/* SPDX-License-Identifier: MIT */
/* What commands found out, before it is printed. */
#ifndef CTL_RESULT_H
#define CTL_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include <accel.h>

#include "stats.h"

struct ctl_list_entry {
	const char *name;
	int error;			/* negative errno: the device could not be opened */
	struct accel_device_info info;
};

struct ctl_list {
	struct ctl_list_entry *entry;
	size_t count;
};

struct ctl_info {
	struct accel_device_info device;
	struct accel_telemetry telemetry;
	bool has_telemetry;
};

struct ctl_graph {
	const char *path;
	const accel_graph_file *file;
	unsigned int entries;
	bool ops;			/* list the operators too */
};

/* One output of a run: where it went, and how it compared with what was expected. */
struct ctl_run_output {
	struct accel_tensor_info info;
	uint32_t rank;			/* with the batch in front */
	int64_t dim[9];
	char *file;			/* written to, or NULL */
	bool compared;
	uint64_t elements, mismatches;
	double max_error;
	double tolerance;
	bool labelled;
	uint64_t labels, correct;
};

struct ctl_run {
	const char *graph;
	struct accel_graph_info info;
	char device[32], target[16];
	const char *size, *mode;
	const char *status;		/* "ok", "fault" or "mismatch" */
	uint64_t slices, repeat, launches;
	struct ctl_summary wall_ns, device_ns;
	uint64_t cycles;		/* of the tensor engine, last launch, preemption left out */
	uint64_t estimated_cycles;
	struct accel_launch_report report;	/* last launch */
	char simd[16];		/* how a simulated device does arithmetic; "" on a real one */
	struct accel_completion completion;	/* last launch */
	struct ctl_run_output *output;
	unsigned int outputs;
	double min_accuracy;		/* < 0: not asked for */
	const char *trace;		/* trace file, or NULL */
	uint64_t trace_bytes;
};

struct ctl_bench_nop {
	char device[32];
	const char *size, *submit;
	uint64_t depth, batch, count;
	double seconds, rate;
	bool has_latency;		/* depth 1 */
	struct ctl_summary latency_ns;
	uint64_t idle_ns;		/* pause before each NOP */
	double watch_seconds;		/* idle watch after the run; 0: none */
	double watch_cpu_percent;
};

struct ctl_bench_copy {
	char device[32];
	const char *size, *from, *to;
	uint64_t bytes, depth, count;
	double seconds, wall_bytes_per_second, device_bytes_per_second;
	struct ctl_summary device_ns;
	bool verified;
};

struct ctl_bench_launch {
	char device[32];
	const char *size, *mode, *graph;
	uint64_t depth, count, cycles;
	double seconds, rate;
	struct ctl_summary wall_ns, device_ns;
	bool has_wall;			/* depth 1 */
};

struct ctl_share_context {
	const char *size;
	uint32_t slices, core_mask;
	uint64_t launches;
	uint64_t launch_ns;		/* asked for */
	double device_share;		/* of all cores, from completion timestamps */
	double core_share;		/* of the cores it runs on */
	double expected_share;
	struct ctl_summary device_ns;	/* of one launch, without preemption */
	struct ctl_summary wait_ns;
	uint64_t completion_busy_ns;	/* sum over its launches */
	uint64_t arbiter_busy_ns;	/* the device's own counter */
	uint64_t preempt_ns;
	uint64_t preemptions;
};

struct ctl_bench_share {
	char device[32], target[16];
	uint32_t cores, quantum_us;
	double seconds;			/* device time */
	struct ctl_share_context *context;
	size_t count;
	double tolerance_percent;	/* < 0: not asked for */
	bool within;
};

struct ctl_selftest_case {
	const char *name;
	bool passed;
	char detail[512];
	double seconds;
};

struct ctl_selftest {
	char device[32], target[16];
	struct ctl_selftest_case *test;
	size_t count, passed;
};

#endif
