/* SPDX-License-Identifier: MIT */
/* accel-sim: what its parts know of each other. */
#ifndef ACCEL_SIM_H
#define ACCEL_SIM_H

#include "../../firmware-sim/ncasim.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../../firmware-sim/vfio/server.h"

/* As everywhere in the project. */
enum {
	EXIT_FINE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_PERMISSION = 4,
	EXIT_BUSY = 5,
	EXIT_DEVICE_FAULT = 7,
};

struct options {
	const char *socket_path;
	const char *control_path;	/* NULL = none */
	const char *device;		/* text for ncasim_config_parse() */
	bool once;
	bool strict;			/* accesses to unmapped bus addresses fail the run */
	bool quiet;
};

/* The whole program; returns its exit code. Once per process. */
int accel_sim_run(int argc, char **argv);

/* Returns -1 to go on, else the exit code. */
int options_parse(struct options *opts, int argc, char **argv);

/* One sentence on stderr. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- listening sockets ----------------------------------------------------- */

struct listener {
	const char *path;
	int fd;
	/* Of the file we made, so that only that one is removed. Inode numbers are soon used again. */
	uint32_t dev_major, dev_minor;
	uint64_t ino;
	int64_t born_s;
	uint32_t born_ns;
};

/* Returns 0 or an exit code, having complained. A file left by a dead process is replaced. */
int listener_open(struct listener *l, const char *path, int backlog);

/* Async-signal-safe. Removes the file unless it has become somebody else's. */
void listener_unlink(const struct listener *l);

/* ---- keeper ---------------------------------------------------------------- */

struct keeper {
	int fd;				/* our end; its closing is what the keeper waits for */
	pid_t pid;
	struct vu_progress *progress;	/* shared with the keeper: for vu_server_opts */
};

/* Before the first thread is made. */
int keeper_start(struct keeper *k, const struct listener *listeners, unsigned int count);

/* vu_server_opts.client */
void keeper_client(void *opaque, int fd);

/* Clean end: the keeper leaves without doing anything. */
void keeper_stop(struct keeper *k);

/* Answers a client as a function that has been pulled out, until it leaves or makes no sense. */
void absent_serve(int fd, const struct vu_progress *progress);

/* ---- control socket -------------------------------------------------------- */

struct control {
	struct vu_server *server;
	struct vu_device *device;
	const char *target;
	bool quit;			/* asked for */
};

/* One line in (without its newline), one line out (malloc'ed, with one), NULL when out of memory. */
char *control_command(struct control *ctl, const char *line);

/* Serves clients until @stop_fd is readable or somebody says quit. @listen_fd may be -1. */
void control_run(struct control *ctl, int listen_fd, int stop_fd);

#endif
