/* SPDX-License-Identifier: MIT */
#ifndef VU_VERSION_H
#define VU_VERSION_H

#include "proto.h"

#include <stddef.h>

struct vu_limits {
	uint32_t max_msg_fds;		/* descriptors the client takes in one message */
};

/*
 * Answer a VERSION request whose payload is @data. Writes the reply's payload
 * (at most @room bytes) to @reply. Returns its length, or a negative errno; the
 * connection is of no use then.
 */
int version_negotiate(const void *data, size_t len, void *reply, size_t room,
		      struct vu_limits *limits);

#endif
