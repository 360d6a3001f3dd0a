/* SPDX-License-Identifier: MIT */
#include "sim.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
"Usage: accel-sim --vfio-user SOCKET [OPTION...]\n"
"\n"
"Runs a simulated NCA device as a PCI function. QEMU (10.1 or later) connects with\n"
"  -device '{\"driver\":\"vfio-user-pci\",\"socket\":{\"type\":\"unix\",\"path\":\"SOCKET\"}}'\n"
"and needs guest memory that can be shared (-object memory-backend-memfd,share=on).\n"
"\n"
"  --vfio-user SOCKET   Unix socket to listen on for QEMU\n"
"  --target SPEC        the device: nca1 (default) or nca2, then options, as in\n"
"                       nca2,threads=2,simd=scalar,trace=FILE (see docs/accel-sim.md)\n"
"  --control SOCKET     Unix socket for commands: telemetry, status, vanish, return,\n"
"                       hang, unhang, reset, quit\n"
"  --once               end when the first client has left\n"
"  --strict             exit with 7 if the device ever accessed an unmapped bus address\n"
"  --quiet              say nothing on stdout\n"
"  --help               this text\n"
"\n"
"When the sockets are ready it prints \"accel-sim: listening on SOCKET\". SIGTERM and SIGINT\n"
"end it and remove the sockets.\n"
"\n"
"Exit codes: 0 fine, 1 failed, 2 usage, 4 permission, 5 the socket is in use, 7 with --strict,\n"
"the device accessed an unmapped bus address.\n";

void complain(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fprintf(stderr, "accel-sim: %s\n", line);
}

int options_parse(struct options *opts, int argc, char **argv)
{
	enum { VFIO_USER = 256, TARGET, CONTROL, ONCE, STRICT, QUIET, HELP };
	static const struct option longs[] = {
		{ "vfio-user", required_argument, NULL, VFIO_USER },
		{ "target", required_argument, NULL, TARGET },
		{ "control", required_argument, NULL, CONTROL },
		{ "once", no_argument, NULL, ONCE },
		{ "strict", no_argument, NULL, STRICT },
		{ "quiet", no_argument, NULL, QUIET },
		{ "help", no_argument, NULL, HELP },
		{ 0 },
	};
	int c;

	*opts = (struct options){ .device = "nca1" };
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", longs, NULL)) != -1) {
		switch (c) {
		case VFIO_USER:
			opts->socket_path = optarg;
			break;
		case TARGET:
			opts->device = optarg;
			break;
		case CONTROL:
			opts->control_path = optarg;
			break;
		case ONCE:
			opts->once = true;
			break;
		case STRICT:
			opts->strict = true;
			break;
		case QUIET:
			opts->quiet = true;
			break;
		case HELP:
			fputs(help, stdout);
			return EXIT_FINE;
		case ':':
			complain("option %s needs a value; see accel-sim --help", argv[optind - 1]);
			return EXIT_USAGE;
		default:
			complain("option %s is not known; see accel-sim --help", argv[optind - 1]);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		complain("argument %s is not expected; see accel-sim --help", argv[optind]);
		return EXIT_USAGE;
	}
	if (!opts->socket_path) {
		complain("--vfio-user SOCKET is missing; say where QEMU is to connect to");
		return EXIT_USAGE;
	}
	if (opts->control_path && !strcmp(opts->control_path, opts->socket_path)) {
		complain("--vfio-user and --control both name %s; they need a socket each",
			 opts->socket_path);
		return EXIT_USAGE;
	}
	return -1;
}
