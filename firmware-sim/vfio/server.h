/* SPDX-License-Identifier: MIT */
/*
 * The vfio-user server: one client at a time on a listening Unix socket, for
 * as long as it is told to. Whatever a client does, the server is ready for the
 * next one.
 */
#ifndef VU_SERVER_H
#define VU_SERVER_H

#include "device.h"
#include "progress.h"

#include <stdatomic.h>

#define SERVER_STALL_MS		30000u

struct vu_server_opts {
	unsigned int stall_ms;		/* patience inside a message; 0 = SERVER_STALL_MS */
	bool once;			/* end when the first client has left */
	/* A client's socket, then -1 before that socket is closed. May be NULL. */
	void (*client)(void *opaque, int fd);
	void *opaque;
	struct vu_progress *progress;	/* for whoever takes over; may be NULL */
};

struct vu_server {
	struct vu_device *dev;
	struct vu_server_opts opts;
	int listen_fd;			/* belongs to the caller */
	int wake;			/* eventfd */
	atomic_bool connected;
};

int server_init(struct vu_server *srv, struct vu_device *dev, int listen_fd,
		const struct vu_server_opts *opts);
void server_fini(struct vu_server *srv);

/* Returns 0 after server_stop(), or with @once; a negative errno if the socket cannot be used. */
int server_run(struct vu_server *srv);

/* Any thread, and signal handlers. Ends waits, not calls into the device. */
void server_stop(struct vu_server *srv);

/* Talk to one client on @fd until it leaves, then clean up after it. The fd is not closed. */
void server_talk(struct vu_server *srv, int fd);

#endif
