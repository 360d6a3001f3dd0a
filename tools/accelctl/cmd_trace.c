// SPDX-License-Identifier: MIT
#include "run.h"

static struct ctl_run_options opt = {
	.repeat = 1, .min_accuracy = -1, .timeout_ns = CTL_TIMEOUT_NS, .trace = "trace.json",
};

static const struct ctl_option options[] = {
	CTL_OPTION_DEVICE(opt.device),
	CTL_OPTION_SIZE(opt.size),
	{ .name = "output", .letter = 'o', .kind = CTL_STRING, .value = &opt.trace, .metavar = "FILE",
	  .file = true, .help = "trace file (default trace.json)" },
	{ .name = "input", .letter = 'i', .kind = CTL_STRINGS, .value = &opt.inputs,
	  .metavar = "NAME=FILE", .file = true,
	  .help = ".npy or ONNX .pb tensor for an input; inputs left out are zero" },
	{ .name = "entry", .kind = CTL_STRING, .value = &opt.entry, .metavar = "NAME",
	  .help = "entry point of the graph (default: the first)" },
	{ .name = "repeat", .kind = CTL_U64, .value = &opt.repeat, .metavar = "N", .min = 1,
	  .max = 1000000, .help = "run everything N times" },
	{ .name = "mode", .kind = CTL_CHOICE, .value = &opt.mode, .metavar = "MODE",
	  .choices = ctl_mode_names, .help = "full, or timed: right times without arithmetic" },
	CTL_OPTION_JSON(opt.json),
	CTL_END_OPTIONS
};

static enum ctl_exit run(const struct ctl_command *cmd, const char **args, int nargs)
{
	(void)nargs;
	return ctl_run_graph(cmd, &opt, args[0]);
}

const struct ctl_command ctl_cmd_trace = {
	.name = "trace",
	.summary = "run a graph and write what every engine did, for Perfetto",
	.args = "GRAPH.ncx",
	.description =
		"Runs a graph on a simulated device inside this process and writes a trace of its engines,\n"
		"DMA queues, semaphore waits and contexts that https://ui.perfetto.dev opens. For a device\n"
		"in a virtual machine the trace is written by accel-sim (its trace= option).",
	.options = options,
	.min_args = 1, .max_args = 1,
	.run = run,
};
