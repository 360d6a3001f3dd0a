/* SPDX-License-Identifier: MIT */
/*
 * One client's conversation: a request in, a reply out. No sockets in here, so
 * that tests and the fuzzer can talk to it directly.
 */
#ifndef VU_SESSION_H
#define VU_SESSION_H

#include "device.h"
#include "proto.h"
#include "version.h"

struct vu_session {
	struct vu_device *dev;
	struct vu_limits limits;
	bool negotiated;
	bool close;			/* the stream cannot be trusted or used any further */
	uint8_t *reply;			/* VU_MAX_MSG_SIZE bytes */
	size_t reply_len;		/* 0 = no reply */
	int reply_fd;			/* -1 = none; belongs to the device */
};

int session_init(struct vu_session *s, struct vu_device *dev);
void session_fini(struct vu_session *s);

/*
 * Is this a header whose payload should be read? 0, or a negative errno after
 * which the boundary of the next message is not known: s->reply is then an
 * error reply and s->close is set.
 */
int session_check_header(struct vu_session *s, const struct vu_header *hdr);

/*
 * Handle one whole message. @fds that were taken over are set to -1, the caller
 * closes the others. @fds_lost: the client sent more than fit.
 */
void session_handle(struct vu_session *s, const struct vu_header *hdr, const uint8_t *data,
		    size_t len, int *fds, unsigned int nfds, bool fds_lost);

#endif
