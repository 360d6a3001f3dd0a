/* SPDX-License-Identifier: MIT */
/* Running a graph over tensors from files: what `run` and `trace` share. */
#ifndef CTL_RUN_H
#define CTL_RUN_H

#include "command.h"
#include "result.h"
#include "session.h"
#include "tensor.h"

struct ctl_run_options {
	const char *device, *entry, *output_dir, *trace;
	unsigned int size, mode;	/* mode: 0 full, 1 timed */
	uint64_t repeat, warmup, timeout_ns;
	struct ctl_strings inputs, expects;
	const char *labels;
	double tolerance, min_accuracy;
	bool check, json;
};

extern const char *const ctl_mode_names[];

struct ctl_run_input {
	struct accel_tensor_info info;
	struct ctl_tensor tensor;
	bool given, batched;
};

/*
 * A tensor file may hold several of what the graph takes: its first dimension is then k times the
 * graph's, or it has one dimension of k more in front. The graph runs once for each of the k
 * slices; inputs that are not batched are the same for all of them.
 */
struct ctl_run_job {
	const struct ctl_command *cmd;
	const struct ctl_run_options *opt;
	accel_graph_file *file;
	unsigned int entry;
	struct accel_graph_info info;
	struct ctl_run_input *input;
	uint64_t slices;
	bool extra_dim;			/* a batch is a dimension of its own */
	struct ctl_run_output *output;
	uint8_t **result;		/* per output: slices * bytes of the first repetition */
	uint64_t changed;		/* outputs of later repetitions that differ */
	struct ctl_samples wall, device;
};

enum ctl_exit ctl_run_read_inputs(struct ctl_run_job *job);
enum ctl_exit ctl_run_prepare_outputs(struct ctl_run_job *job);
/* Copy out the outputs of one launch, or compare them with those of the first repetition. */
void ctl_run_collect(struct ctl_run_job *job, accel_launch *l, uint64_t slice, bool first);
/* Before the run: do --expect and --labels name outputs? */
enum ctl_exit ctl_run_check_names(struct ctl_run_job *job);
/* After it: --expect, --labels, --output-dir. */
enum ctl_exit ctl_run_judge(struct ctl_run_job *job);
enum ctl_exit ctl_run_write_outputs(struct ctl_run_job *job);
void ctl_run_free(struct ctl_run_job *job);

enum ctl_exit ctl_run_graph(const struct ctl_command *cmd, const struct ctl_run_options *opt,
			    const char *path);

/* Open a .ncx file: whatever is wrong with it is CTL_BAD_INPUT. */
enum ctl_exit ctl_graph_open(const char *path, accel_graph_file **file);

#endif
