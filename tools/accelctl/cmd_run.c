// SPDX-License-Identifier: MIT
#include "run.h"

static struct ctl_run_options opt = {
	.repeat = 1, .min_accuracy = -1, .timeout_ns = CTL_TIMEOUT_NS,
};

static const struct ctl_option options[] = {
	CTL_OPTION_DEVICE(opt.device),
	CTL_OPTION_SIZE(opt.size),
	{ .name = "input", .letter = 'i', .kind = CTL_STRINGS, .value = &opt.inputs,
	  .metavar = "NAME=FILE", .file = true,
	  .help = ".npy or ONNX .pb tensor for an input; a batch of it runs slice by slice" },
	{ .name = "output-dir", .letter = 'o', .kind = CTL_STRING, .value = &opt.output_dir,
	  .metavar = "DIR", .file = true, .help = "write every output to DIR/NAME.npy" },
	{ .name = "expect", .kind = CTL_STRINGS, .value = &opt.expects, .metavar = "NAME=FILE",
	  .file = true, .help = "compare an output with a file; exit 8 if it differs" },
	{ .name = "tolerance", .kind = CTL_DOUBLE, .value = &opt.tolerance, .metavar = "T",
	  .help = "allow |got - want| <= T * max(1, |want|) (default 0: every bit)" },
	{ .name = "labels", .kind = CTL_STRING, .value = &opt.labels, .metavar = "[NAME=]FILE",
	  .file = true, .help = "integer labels: count where the largest value of the last axis is there" },
	{ .name = "min-accuracy", .kind = CTL_DOUBLE, .value = &opt.min_accuracy, .metavar = "F",
	  .help = "exit 8 if less than this fraction of the labels is met, e.g. 0.97" },
	{ .name = "entry", .kind = CTL_STRING, .value = &opt.entry, .metavar = "NAME",
	  .help = "entry point of the graph (default: the first)" },
	{ .name = "repeat", .kind = CTL_U64, .value = &opt.repeat, .metavar = "N", .min = 1,
	  .max = 1000000000, .help = "run everything N times; results must repeat bit for bit" },
	{ .name = "warmup", .kind = CTL_U64, .value = &opt.warmup, .metavar = "N", .max = 1000000,
	  .help = "run everything N times more beforehand, without counting it" },
	{ .name = "mode", .kind = CTL_CHOICE, .value = &opt.mode, .metavar = "MODE",
	  .choices = ctl_mode_names,
	  .help = "full, or timed: right times without arithmetic; no outputs, inputs may be left out" },
	{ .name = "check", .kind = CTL_FLAG, .value = &opt.check,
	  .help = "checking mode: unordered accesses and reads of nothing are faults" },
	{ .name = "timeout", .kind = CTL_SECONDS, .value = &opt.timeout_ns, .metavar = "S", .min = 1,
	  .max = 86400000000000, .help = "give up on a launch after S seconds (default 60)" },
	CTL_OPTION_JSON(opt.json),
	CTL_END_OPTIONS
};

static enum ctl_exit run(const struct ctl_command *cmd, const char **args, int nargs)
{
	(void)nargs;
	if (opt.mode == 1 && (opt.output_dir || opt.expects.count || opt.labels))
		return ctl_usage(cmd, "--mode timed computes no outputs, so --output-dir, --expect and --labels do not go with it");
	if (opt.min_accuracy >= 0 && !opt.labels)
		return ctl_usage(cmd, "--min-accuracy needs --labels");
	if (opt.min_accuracy > 1)
		return ctl_usage(cmd, "--min-accuracy is a fraction from 0 to 1, not %g", opt.min_accuracy);
	return ctl_run_graph(cmd, &opt, args[0]);
}

const struct ctl_command ctl_cmd_run = {
	.name = "run",
	.summary = "run a compiled graph over tensors from files",
	.args = "GRAPH.ncx",
	.description =
		"Loads a graph into a context of its own, runs it and reports wall and device latency.\n"
		"An input file may hold a batch: its first dimension is k times the graph's, or it has one\n"
		"dimension of k more in front. The graph then runs k times and outputs are put together again.",
	.options = options,
	.min_args = 1, .max_args = 1,
	.run = run,
};
