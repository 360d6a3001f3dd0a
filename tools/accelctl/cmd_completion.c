// SPDX-License-Identifier: MIT
/* Shell completion, generated from the command table. */
#include <stdio.h>
#include <string.h>

#include "command.h"

static const struct ctl_option options[] = { CTL_END_OPTIONS };

static void print_words(const struct ctl_command *cmd)
{
	for (const struct ctl_option *o = cmd->options; o->name; o++)
		printf("--%s ", o->name);
	fputs("--help", stdout);
}

/* "A|B" for a case label: the options of @cmd that @wanted says yes to. */
static int print_labels(const struct ctl_command *cmd, bool (*wanted)(const struct ctl_option *))
{
	int n = 0;

	for (const struct ctl_option *o = cmd->options; o->name; o++)
		if (wanted(o))
			printf("%s--%s", n++ ? "|" : "", o->name);
	return n;
}

static bool takes_file(const struct ctl_option *o)
{
	return o->file;
}

static enum ctl_exit run(const struct ctl_command *cmd, const char **args, int nargs)
{
	(void)nargs;
	if (strcmp(args[0], "bash"))
		return ctl_usage(cmd, "only bash is known, not '%s'", args[0]);
	puts("# bash completion for accelctl; load it with: source <(accelctl completion bash)");
	puts("_accelctl()\n{\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}");
	puts("\tlocal cmd=${COMP_WORDS[1]}\n\tcase $cmd in bench|graph) cmd=\"$cmd ${COMP_WORDS[2]}\" ;; esac");
	puts("\tif [ \"$COMP_CWORD\" = 1 ]; then");
	fputs("\t\tCOMPREPLY=($(compgen -W \"bench graph --help --version", stdout);
	for (int i = 0; ctl_commands[i]; i++)
		if (!strchr(ctl_commands[i]->name, ' '))
			printf(" %s", ctl_commands[i]->name);
	puts("\" -- \"$cur\"))\n\t\treturn\n\tfi");
	puts("\tif [ \"$COMP_CWORD\" = 2 ]; then\n\t\tcase ${COMP_WORDS[1]} in");
	for (const char *const *noun = (const char *const[]){ "bench", "graph", NULL }; *noun; noun++) {
		printf("\t\t%s) COMPREPLY=($(compgen -W \"", *noun);
		for (int i = 0; ctl_commands[i]; i++)
			if (!strncmp(ctl_commands[i]->name, *noun, strlen(*noun)) &&
			    ctl_commands[i]->name[strlen(*noun)] == ' ')
				printf("%s ", ctl_commands[i]->name + strlen(*noun) + 1);
		puts("\" -- \"$cur\")); return ;;");
	}
	puts("\t\tesac\n\tfi\n\tcase \"$cmd\" in");
	for (int i = 0; ctl_commands[i]; i++) {
		const struct ctl_command *c = ctl_commands[i];

		printf("\t\"%s\")\n\t\tcase $prev in\n", c->name);
		for (const struct ctl_option *o = c->options; o->name; o++) {
			if (o->kind != CTL_CHOICE)
				continue;
			printf("\t\t--%s) COMPREPLY=($(compgen -W \"", o->name);
			for (unsigned int k = 0; o->choices[k]; k++)
				printf("%s ", o->choices[k]);
			puts("\" -- \"$cur\")); return ;;");
		}
		fputs("\t\t", stdout);
		if (!print_labels(c, takes_file))
			fputs("--", stdout);
		puts(") COMPREPLY=($(compgen -f -- \"${cur##*=}\")); return ;;\n\t\tesac");
		fputs("\t\tCOMPREPLY=($(compgen -W \"", stdout);
		print_words(c);
		printf("\" %s-- \"$cur\")) ;;\n", c->args && strstr(c->args, ".ncx") ? "-f " : "");
	}
	puts("\tesac\n}\ncomplete -o filenames -F _accelctl accelctl");
	return CTL_OK;
}

const struct ctl_command ctl_cmd_completion = {
	.name = "completion",
	.summary = "print a shell completion script",
	.args = "bash",
	.description = "Prints a completion script: source <(accelctl completion bash)",
	.options = options,
	.min_args = 1, .max_args = 1,
	.run = run,
};
