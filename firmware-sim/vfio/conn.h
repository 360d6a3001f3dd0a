/* SPDX-License-Identifier: MIT */
/*
 * Whole messages with descriptors over a stream socket, with a bound on every
 * wait: for the rest of a message that has begun, and for room to answer. Only
 * the wait for a new message may last for ever; @wake ends it.
 */
#ifndef VU_CONN_H
#define VU_CONN_H

#include "progress.h"
#include "proto.h"

#include <stdbool.h>
#include <stddef.h>

struct vu_conn {
	int fd;
	int wake;			/* readable: give up, -ECANCELED */
	unsigned int stall_ms;
	struct vu_progress *progress;	/* may be NULL */
	uint8_t *data;			/* payload, VU_MAX_MSG_SIZE bytes */
	size_t have;			/* of it, read along with the header */
	int fds[VU_MAX_MSG_FDS];
	unsigned int nfds;
	bool fds_lost;			/* there were more */
};

int conn_init(struct vu_conn *c, int fd, int wake, unsigned int stall_ms,
	      struct vu_progress *progress);

/* Closes descriptors that were received and not taken; not the socket. */
void conn_fini(struct vu_conn *c);
void conn_close_fds(struct vu_conn *c);

/*
 * 0, -EPIPE (the client is gone), -ECANCELED, -ETIMEDOUT (stalled inside a
 * message) or another errno. The payload can only be read after the header.
 */
int conn_recv_header(struct vu_conn *c, struct vu_header *hdr);
int conn_recv_payload(struct vu_conn *c, size_t len);
int conn_send(struct vu_conn *c, const void *buf, size_t len, int fd);

#endif
