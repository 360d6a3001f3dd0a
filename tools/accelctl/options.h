/* SPDX-License-Identifier: MIT */
/*
 * Options as data: a command lists them once, and parsing, help, completion and the check that the
 * documentation names them all are made from the list.
 */
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "errors.h"

enum ctl_option_kind {
	CTL_FLAG,		/* bool */
	CTL_STRING,		/* const char * */
	CTL_STRINGS,		/* struct ctl_strings, may be repeated */
	CTL_U64,		/* uint64_t, min..max */
	CTL_DOUBLE,		/* double, >= 0 */
	CTL_BYTES,		/* uint64_t, min..max */
	CTL_SECONDS,		/* uint64_t nanoseconds; a plain number is seconds */
	CTL_USECS,		/* uint64_t nanoseconds; a plain number is microseconds */
	CTL_CHOICE,		/* unsigned int index into choices */
};

struct ctl_strings {
	const char **item;
	size_t count;
};

struct ctl_option {
	const char *name;
	enum ctl_option_kind kind;
	void *value;
	const char *metavar;		/* NULL for flags */
	const char *help;
	uint64_t min, max;		/* both 0: any */
	const char *const *choices;
	bool file;			/* completion offers files */
	char letter;			/* 0: none */
};

#define CTL_END_OPTIONS { .name = NULL }

struct ctl_command;

/*
 * Parse @argv (argv[0] is the command's own name) and store values. Arguments that are no options
 * are moved to @args, at most @max_args of them. Sets *@help when help was asked for.
 */
enum ctl_exit ctl_options_parse(const struct ctl_command *cmd, int argc, char **argv,
				const char **args, int max_args, int *nargs, bool *help);
void ctl_options_free(const struct ctl_option *options);

/* Split "NAME=FILE"; @text is not changed. False if there is no '=' or a side is empty. */
bool ctl_split_assignment(const char *text, char **name, const char **value);

#endif
