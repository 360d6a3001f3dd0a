/* SPDX-License-Identifier: MIT */
/* What the subcommands of nca-golden share. */
#ifndef NCA_GOLDEN_COMMAND_H
#define NCA_GOLDEN_COMMAND_H

enum {
	EXIT_FINE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_BAD_FILE = 6,
	EXIT_MISMATCH = 8,
};

int cmd_run(int argc, char **argv);	/* and fill, by argv[0] */
int cmd_random(int argc, char **argv);
int cmd_opcodes(int argc, char **argv);

/* One sentence on stderr; returns @code. */
int complain(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
