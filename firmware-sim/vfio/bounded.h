/* SPDX-License-Identifier: MIT */
/*
 * Calls into the device that may have to wait for its engines, with a bound.
 *
 * A DMA unmap, bus mastering off and a reset return only when no engine is
 * inside host memory any more. That is microseconds on a healthy device, but
 * the thread that answers the client must not depend on it: a client such as
 * QEMU gives up after five seconds, and takes a later answer for garbage. So
 * these calls run, in order, on a worker thread; the message thread waits for
 * the result up to a deadline and then goes on without it.
 *
 * When a call did not return in time the device is wedged, and later calls are
 * not waited for (their deadline would only add up) until the worker has caught
 * up. What makes going on safe is the caller's business; see dma.h.
 */
#ifndef VU_BOUNDED_H
#define VU_BOUNDED_H

#include <pthread.h>
#include <stdbool.h>

struct bounded_job;

struct bounded {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	struct bounded_job *head, **tail;
	unsigned int queued;		/* not finished yet */
	bool late;			/* somebody stopped waiting and the queue is not empty yet */
	bool stop, ended;
};

#define BOUNDED_MAX_QUEUED	1024u

int bounded_init(struct bounded *b);

/* Waits up to @timeout_ms for the worker; false: it is stuck, and @b must stay allocated. */
bool bounded_fini(struct bounded *b, unsigned int timeout_ms);

/*
 * Run fn(arg, a, b) on the worker. Returns its result, -ETIMEDOUT when it has
 * not finished in time (it still will be run, exactly once), or -EBUSY when so
 * many calls are late that this one was not accepted.
 */
int bounded_call(struct bounded *bd, int (*fn)(void *arg, unsigned long long a,
					       unsigned long long b),
		 void *arg, unsigned long long a, unsigned long long b, unsigned int timeout_ms);

#endif
