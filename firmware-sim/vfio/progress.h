/* SPDX-License-Identifier: MIT */
/*
 * How far the request at hand has got, in memory that outlives the process.
 *
 * If the server is killed while it owes an answer, its client waits for that
 * answer for seconds, and a virtual machine stands still as long. Whoever takes
 * the socket over can give the answer, if it knows what was asked. One writer;
 * the reader looks only after the writer's death.
 */
#ifndef VU_PROGRESS_H
#define VU_PROGRESS_H

#include "proto.h"

#include <stdatomic.h>
#include <string.h>

enum vu_stage {
	VU_STAGE_IDLE,		/* nothing owed; the socket stands at the start of a message */
	VU_STAGE_TAKING,	/* the message is still in the socket, or was just taken from it */
	VU_STAGE_OWED,		/* the message was taken, its answer has not been sent */
	VU_STAGE_REPLYING,	/* the answer is not sent yet, or was just sent */
};

#define VU_PROGRESS_PAYLOAD	24u	/* enough to answer any request of a device that is gone */

struct vu_progress {
	_Atomic uint32_t stage;
	struct vu_header hdr;
	uint8_t payload[VU_PROGRESS_PAYLOAD];
};

/*
 * A kill can come between any two instructions, so contents come before the
 * stage that makes them count.
 */
static inline void progress_set(struct vu_progress *p, enum vu_stage stage)
{
	if (p)
		atomic_store_explicit(&p->stage, stage, memory_order_release);
}

/* @peek: the header and the beginning of the payload, still in the socket. */
static inline void progress_taking(struct vu_progress *p, const uint8_t *peek)
{
	if (!p)
		return;
	memcpy(&p->hdr, peek, sizeof(p->hdr));
	memcpy(p->payload, peek + sizeof(p->hdr), sizeof(p->payload));
	progress_set(p, VU_STAGE_TAKING);
}

#endif
