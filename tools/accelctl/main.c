// SPDX-License-Identifier: MIT
/* accelctl: look at NCA devices, run graphs on them, measure and test them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <accel.h>

#include "command.h"

#define MAX_WORDS 4096

static void print_commands(FILE *out)
{
	fputs("usage: accelctl [--device DEV] [--json] COMMAND [OPTION...]\n\n"
	      "Look at NCA accelerators, run compiled graphs on them, measure and test them.\n\n"
	      "Commands:\n", out);
	for (int i = 0; ctl_commands[i]; i++)
		fprintf(out, "  %-14s %s\n", ctl_commands[i]->name, ctl_commands[i]->summary);
	fputs("\n'accelctl COMMAND --help' explains one of them; --version prints the version.\n"
	      "Exit codes: 0 fine, 1 failed, 2 usage, 3 no such device, 4 permission, 5 busy or no\n"
	      "capacity, 6 bad input file, 7 device fault, 8 verification mismatch.\n", out);
}

static void print_help(const struct ctl_command *cmd)
{
	printf("usage: accelctl %s%s%s [OPTION...]\n\n%s\n\nOptions:\n", cmd->name,
	       cmd->args ? " " : "", cmd->args ? cmd->args : "", cmd->description);
	for (const struct ctl_option *o = cmd->options; o->name; o++) {
		char left[64];

		snprintf(left, sizeof(left), "--%s%s%s", o->name, o->metavar ? " " : "",
			 o->metavar ? o->metavar : "");
		if (o->letter)
			printf("  -%c, %-26s %s\n", o->letter, left, o->help);
		else
			printf("      %-26s %s\n", left, o->help);
	}
	printf("  -h, %-26s %s\n", "--help", "print this");
}

static bool has_option(const struct ctl_command *cmd, const char *name)
{
	for (const struct ctl_option *o = cmd->options; o->name; o++)
		if (!strcmp(o->name, name))
			return true;
	return false;
}

/* --device and --json may stand before the command: how many words they take there. */
static int leading_options(int argc, char **argv)
{
	int n = 0;

	while (n < argc) {
		if (!strcmp(argv[n], "--json") || !strcmp(argv[n], "-j") ||
		    !strncmp(argv[n], "--device=", 9))
			n++;
		else if ((!strcmp(argv[n], "--device") || !strcmp(argv[n], "-d")) && n + 1 < argc)
			n += 2;
		else
			break;
	}
	return n;
}

static enum ctl_exit run_command(const struct ctl_command *cmd, int argc, char **argv)
{
	const char *args[CTL_MAX_ARGS];
	enum ctl_exit ret;
	bool help;
	int nargs;

	ret = ctl_options_parse(cmd, argc, argv, args, cmd->max_args, &nargs, &help);
	if (!ret && help) {
		print_help(cmd);
	} else if (!ret && nargs < cmd->min_args) {
		ret = ctl_usage(cmd, "%s is missing", cmd->args);
	} else if (!ret) {
		ret = cmd->run(cmd, args, nargs);
	}
	ctl_options_free(cmd->options);
	return ret;
}

static enum ctl_exit dispatch(int argc, char **argv)
{
	const struct ctl_command *cmd;
	int lead, used, n = 0;
	char **words;
	enum ctl_exit ret;

	lead = leading_options(argc, argv);
	if (lead == argc)
		return ctl_error(CTL_USAGE, "a command is missing; 'accelctl --help' lists them");
	if (!strcmp(argv[lead], "--help") || !strcmp(argv[lead], "-h") || !strcmp(argv[lead], "help")) {
		cmd = lead + 1 < argc ?
			ctl_command_find(argc - lead - 1, argv + lead + 1, &used) : NULL;
		if (cmd)
			print_help(cmd);
		else if (lead + 1 < argc)
			return ctl_error(CTL_USAGE, "there is no command '%s'; 'accelctl --help' lists them",
					 argv[lead + 1]);
		else
			print_commands(stdout);
		return CTL_OK;
	}
	if (!strcmp(argv[lead], "--version") || !strcmp(argv[lead], "-V")) {
		printf("accelctl %d.%d (libaccel %s)\n", ACCEL_VERSION_MAJOR, ACCEL_VERSION_MINOR,
		       accel_version());
		return CTL_OK;
	}
	cmd = ctl_command_find(argc - lead, argv + lead, &used);
	if (!cmd) {
		bool noun = !strcmp(argv[lead], "bench") || !strcmp(argv[lead], "graph");

		if (noun && lead + 1 == argc)
			return ctl_error(CTL_USAGE, "'%s' needs a verb; 'accelctl --help' lists them",
					 argv[lead]);
		return ctl_error(CTL_USAGE, "there is no command '%s%s%s'; 'accelctl --help' lists them",
				 argv[lead], noun ? " " : "", noun ? argv[lead + 1] : "");
	}
	for (int i = 0; i < lead; i++) {
		bool json = !strcmp(argv[i], "--json") || !strcmp(argv[i], "-j");

		if (!has_option(cmd, json ? "json" : "device"))
			return ctl_usage(cmd, "it takes no --%s", json ? "json" : "device");
		if (!json && strncmp(argv[i], "--device=", 9))
			i++;
	}

	words = calloc((size_t)argc + 1, sizeof(*words));
	if (!words)
		return ctl_no_memory();
	words[n++] = argv[lead];
	for (int i = 0; i < lead; i++)
		words[n++] = argv[i];
	for (int i = lead + used; i < argc; i++)
		words[n++] = argv[i];
	ret = run_command(cmd, n, words);
	free(words);
	return ret;
}

int main(int argc, char **argv)
{
	enum ctl_exit ret = argc > MAX_WORDS ?
		ctl_error(CTL_USAGE, "%d words are too many; at most %d are taken", argc, MAX_WORDS) :
		dispatch(argc - 1, argv + 1);

	/* A full disk behind stdout must not look like success. */
	if ((fflush(stdout) || ferror(stdout)) && ret == CTL_OK)
		ret = ctl_error(CTL_FAILED, "the output could not be written; check the disk or pipe behind stdout");
	return ret;
}
