/* SPDX-License-Identifier: MIT */
/* nca-golden: run, fill in and make test vectors with the golden model. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "command.h"

static const char usage[] =
	"usage: nca-golden run FILE [--json]              execute the cases, compare with what they expect\n"
	"       nca-golden fill FILE [-o OUT]             write the cases with what the model gives\n"
	"       nca-golden random OPCODE [--seed N] [--count N] [--target nca1|nca2] [--lanes N]\n"
	"                  [--elems N] [--dtype TYPE] [--plain] [-o OUT]\n"
	"                                                 make cases for an opcode, or for 'all'\n"
	"       nca-golden opcodes                        list the opcodes\n"
	"FILE and OUT may be '-'. Exit codes: 0 all as expected, 1 failed, 2 usage, 6 bad file,\n"
	"8 a case does not match. The file format: docs/golden-model.md.\n";

int complain(int code, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "nca-golden: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	return code;
}

int main(int argc, char **argv)
{
	if (argc >= 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))) {
		fputs(usage, stdout);
		return EXIT_FINE;
	}
	if (argc >= 2 && (!strcmp(argv[1], "run") || !strcmp(argv[1], "fill")))
		return cmd_run(argc - 1, argv + 1);
	if (argc >= 2 && !strcmp(argv[1], "random"))
		return cmd_random(argc - 1, argv + 1);
	if (argc >= 2 && !strcmp(argv[1], "opcodes"))
		return cmd_opcodes(argc - 1, argv + 1);
	fputs(usage, stderr);
	return EXIT_USAGE;
}
