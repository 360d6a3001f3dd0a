/* SPDX-License-Identifier: MIT */
/* Every command registers itself in the table of commands.c. */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

#include "options.h"

#define CTL_MAX_ARGS 1

struct ctl_command {
	const char *name;		/* "run" or "bench nop" */
	const char *summary;		/* one line for the list of commands */
	const char *args;		/* "GRAPH.ncx", "[GRAPH.ncx]" or NULL */
	const char *description;	/* for --help */
	const struct ctl_option *options;
	int min_args, max_args;
	enum ctl_exit (*run)(const struct ctl_command *cmd, const char **args, int nargs);
};

/* NULL-terminated. */
extern const struct ctl_command *const ctl_commands[];

/* The command that argv begins with; *@used is how many words its name took. */
const struct ctl_command *ctl_command_find(int argc, char **argv, int *used);

/* Usage error that names the command and how to get help. */
enum ctl_exit ctl_usage(const struct ctl_command *cmd, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

extern const struct ctl_command ctl_cmd_list, ctl_cmd_info, ctl_cmd_run, ctl_cmd_graph_show,
	ctl_cmd_bench_nop, ctl_cmd_bench_copy, ctl_cmd_bench_launch, ctl_cmd_bench_share,
	ctl_cmd_selftest, ctl_cmd_trace, ctl_cmd_reset, ctl_cmd_completion;

/* Options that most commands share. */
#define CTL_OPTION_DEVICE(v)							\
	{ .name = "device", .letter = 'd', .kind = CTL_STRING, .value = &(v), .metavar = "DEV",	\
	  .help = "accel0, a PCI address, or sim[:target[,key=value...]]; "	\
		  "default: the first device, else sim" }
#define CTL_OPTION_JSON(v)							\
	{ .name = "json", .letter = 'j', .kind = CTL_FLAG, .value = &(v),	\
	  .help = "print one JSON object" }
#define CTL_OPTION_SIZE(v)							\
	{ .name = "size", .kind = CTL_CHOICE, .value = &(v),			\
	  .metavar = "SIZE", .choices = ctl_size_names,				\
	  .help = "share of the device: medium, large, xlarge or full (default medium)" }

extern const char *const ctl_size_names[];

#endif
