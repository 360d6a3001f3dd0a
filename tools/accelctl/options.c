// SPDX-License-Identifier: MIT
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "options.h"
#include "units.h"

#define MAX_OPTIONS 48
#define FIRST_LONG 256

static enum ctl_exit store_choice(const struct ctl_command *cmd, const struct ctl_option *opt,
				  const char *arg)
{
	char all[256] = "";
	size_t len = 0;

	for (unsigned int i = 0; opt->choices[i]; i++) {
		if (!strcmp(opt->choices[i], arg)) {
			*(unsigned int *)opt->value = i;
			return CTL_OK;
		}
		len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s", i ? ", " : "",
					opt->choices[i]);
		if (len >= sizeof(all))
			len = sizeof(all) - 1;
	}
	return ctl_usage(cmd, "--%s must be one of %s, not '%s'", opt->name, all, arg);
}

static enum ctl_exit append_string(struct ctl_strings *list, const char *arg)
{
	const char **grown = reallocarray(list->item, list->count + 1, sizeof(*grown));

	if (!grown)
		return ctl_no_memory();
	grown[list->count] = arg;
	list->item = grown;
	list->count++;
	return CTL_OK;
}

static enum ctl_exit store(const struct ctl_command *cmd, const struct ctl_option *opt,
			   const char *arg)
{
	const char *what = "a number";
	uint64_t v = 0;
	bool ok = true;

	switch (opt->kind) {
	case CTL_FLAG:
		*(bool *)opt->value = true;
		return CTL_OK;
	case CTL_STRING:
		if (!*arg)
			return ctl_usage(cmd, "--%s is empty; give a %s", opt->name, opt->metavar);
		*(const char **)opt->value = arg;
		return CTL_OK;
	case CTL_STRINGS:
		return append_string(opt->value, arg);
	case CTL_CHOICE:
		return store_choice(cmd, opt, arg);
	case CTL_DOUBLE:
		if (!ctl_parse_double(arg, opt->value))
			return ctl_usage(cmd, "--%s must be a number, not '%s'", opt->name, arg);
		return CTL_OK;
	case CTL_U64:
		ok = ctl_parse_u64(arg, &v);
		break;
	case CTL_BYTES:
		ok = ctl_parse_bytes(arg, &v);
		what = "a size such as 64KiB";
		break;
	case CTL_SECONDS:
		ok = ctl_parse_duration(arg, 1000000000, &v);
		what = "a time such as 2 or 500ms";
		break;
	case CTL_USECS:
		ok = ctl_parse_duration(arg, 1000, &v);
		what = "a time such as 2000 (microseconds) or 2ms";
		break;
	}
	if (!ok)
		return ctl_usage(cmd, "--%s must be %s, not '%s'", opt->name, what, arg);
	if ((opt->min || opt->max) && (v < opt->min || v > opt->max))
		return ctl_usage(cmd, "--%s must be between %llu and %llu, not '%s'", opt->name,
				 (unsigned long long)opt->min, (unsigned long long)opt->max, arg);
	*(uint64_t *)opt->value = v;
	return CTL_OK;
}

enum ctl_exit ctl_options_parse(const struct ctl_command *cmd, int argc, char **argv,
				const char **args, int max_args, int *nargs, bool *help)
{
	struct option longs[MAX_OPTIONS + 2] = { 0 };
	/* '-': hand over words that are no options; ':': say which option lacks its value. */
	char letters[2 * MAX_OPTIONS + 8] = "-:h";
	size_t nl = strlen(letters);
	int n = 0, c;

	for (; cmd->options[n].name && n < MAX_OPTIONS; n++) {
		const struct ctl_option *opt = &cmd->options[n];

		longs[n].name = opt->name;
		longs[n].has_arg = opt->metavar ? required_argument : no_argument;
		longs[n].val = FIRST_LONG + n;
		if (opt->letter) {
			letters[nl++] = opt->letter;
			if (opt->metavar)
				letters[nl++] = ':';
		}
	}
	longs[n].name = "help";
	longs[n].val = 'h';
	*help = false;
	*nargs = 0;
	opterr = 0;
	optind = 0;

	while ((c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		const struct ctl_option *opt = NULL;
		enum ctl_exit ret;

		if (c == 'h') {
			*help = true;
			return CTL_OK;
		}
		if (c == ':')
			return ctl_usage(cmd, "option '%s' needs a value", argv[optind - 1]);
		if (c == '?')
			return ctl_usage(cmd, "there is no option '%s' here",
					 optopt && optopt < FIRST_LONG ?
					 (char[]){ '-', (char)optopt, 0 } : argv[optind - 1]);
		if (c == 1) {
			if (*nargs == max_args)
				return ctl_usage(cmd, "'%s' is one argument too many", optarg);
			args[(*nargs)++] = optarg;
			continue;
		}
		if (c >= FIRST_LONG)
			opt = &cmd->options[c - FIRST_LONG];
		for (int i = 0; !opt; i++)
			if (cmd->options[i].letter == c)
				opt = &cmd->options[i];
		ret = store(cmd, opt, optarg);
		if (ret)
			return ret;
	}
	for (; optind < argc; optind++) {	/* after "--" */
		if (*nargs == max_args)
			return ctl_usage(cmd, "'%s' is one argument too many", argv[optind]);
		args[(*nargs)++] = argv[optind];
	}
	return CTL_OK;
}

void ctl_options_free(const struct ctl_option *options)
{
	for (; options->name; options++) {
		struct ctl_strings *list = options->value;

		if (options->kind != CTL_STRINGS)
			continue;
		free(list->item);
		list->item = NULL;
		list->count = 0;
	}
}

bool ctl_split_assignment(const char *text, char **name, const char **value)
{
	const char *eq = strchr(text, '=');

	if (!eq || eq == text || !eq[1])
		return false;
	*name = strndup(text, (size_t)(eq - text));
	*value = eq + 1;
	return *name != NULL;
}
