// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "command.h"

const struct ctl_command *const ctl_commands[] = {
	&ctl_cmd_list,
	&ctl_cmd_info,
	&ctl_cmd_run,
	&ctl_cmd_graph_show,
	&ctl_cmd_trace,
	&ctl_cmd_selftest,
	&ctl_cmd_bench_nop,
	&ctl_cmd_bench_copy,
	&ctl_cmd_bench_launch,
	&ctl_cmd_bench_share,
	&ctl_cmd_reset,
	&ctl_cmd_completion,
	NULL
};

const char *const ctl_size_names[] = { "medium", "large", "xlarge", "full", NULL };

const struct ctl_command *ctl_command_find(int argc, char **argv, int *used)
{
	for (int i = 0; ctl_commands[i]; i++) {
		const char *name = ctl_commands[i]->name, *space = strchr(name, ' ');
		size_t noun = space ? (size_t)(space - name) : strlen(name);

		if (strlen(argv[0]) != noun || strncmp(argv[0], name, noun))
			continue;
		if (!space) {
			*used = 1;
			return ctl_commands[i];
		}
		if (argc > 1 && !strcmp(argv[1], space + 1)) {
			*used = 2;
			return ctl_commands[i];
		}
	}
	return NULL;
}

enum ctl_exit ctl_usage(const struct ctl_command *cmd, const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	return ctl_error(CTL_USAGE, "%s: %s; see 'accelctl %s --help'", cmd->name, text, cmd->name);
}
