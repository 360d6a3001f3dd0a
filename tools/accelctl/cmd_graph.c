// SPDX-License-Identifier: MIT
#include "command.h"
#include "printer.h"
#include "run.h"

static bool json, ops;

static const struct ctl_option options[] = {
	{ .name = "ops", .kind = CTL_FLAG, .value = &ops, .help = "list the operators too" },
	CTL_OPTION_JSON(json),
	CTL_END_OPTIONS
};

static enum ctl_exit run(const struct ctl_command *cmd, const char **args, int nargs)
{
	ACCEL_INIT(struct accel_graph_info, info);
	struct ctl_graph g = { .path = args[0], .ops = ops };
	accel_graph_file *file;
	enum ctl_exit ret = ctl_graph_open(args[0], &file);

	(void)cmd;
	(void)nargs;
	if (ret)
		return ret;
	if (accel_graph_file_info(file, 0, &info)) {
		ret = ctl_error(CTL_BAD_INPUT, "%s has no entry point; compile it again", args[0]);
	} else {
		g.file = file;
		g.entries = info.entries;
		ctl_printer(json)->graph(&g);
	}
	accel_graph_file_close(file);
	return ret;
}

const struct ctl_command ctl_cmd_graph_show = {
	.name = "graph show",
	.summary = "inputs, outputs, memory and estimated cycles of a compiled graph",
	.args = "GRAPH.ncx",
	.description = "Prints what a .ncx file says about itself. Needs no device.",
	.options = options,
	.min_args = 1, .max_args = 1,
	.run = run,
};
