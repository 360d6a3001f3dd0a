/* SPDX-License-Identifier: MIT */
/*
 * The library's own objects. Locks: accel_device.lock guards the list of
 * contexts, accel_context.lock the lists and the address ranges of a context;
 * the first is taken before the second; no backend call that can sleep for the
 * device is made under either.
 */
#ifndef ACC_OBJECTS_H
#define ACC_OBJECTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "backend.h"
#include "error.h"
#include "fork.h"
#include "ranges.h"

struct accel_device {
	struct acc_bdev *b;
	uint64_t epoch;
	pid_t pid;
	pthread_mutex_t lock;
	LIST_HEAD(, accel_context) contexts;
};

struct accel_context {
	struct accel_device *dev;
	struct acc_bctx *b;
	uint64_t epoch;
	uint32_t slices;
	/*
	 * A completion with an error was handed out: the context is lost even if its
	 * status page does not say so yet. Enum nca_lost_cause.
	 */
	_Atomic uint32_t lost_hint;
	/* CPU stores to device memory may sit in write-combining buffers. */
	_Atomic uint32_t write_combining;
	pthread_mutex_t lock;
	struct acc_ranges va;
	LIST_HEAD(, accel_buffer) buffers;
	LIST_HEAD(, accel_queue) queues;
	LIST_HEAD(, accel_graph) graphs;
	LIST_ENTRY(accel_context) link;
};

struct accel_buffer {
	struct accel_context *ctx;
	struct acc_bmem *b;
	uint64_t va;
	LIST_ENTRY(accel_buffer) link;
};

/* ---- context.c ---- */
int acc_child_error(const struct accel_device *dev);
#define ACC_CHECK_CHILD(obj, dev_)						\
	do {									\
		if (acc_is_child((obj)->epoch))					\
			return acc_child_error(dev_);				\
	} while (0)

/* 0, -EIO, -ESTALE or -ENODEV with a sentence, from the status page and the hint. */
int acc_context_error(const struct accel_context *ctx);

static inline uint32_t acc_status_state(const struct nca_status_page *s)
{
	return __atomic_load_n(&s->state, __ATOMIC_ACQUIRE);
}

/* ---- buffer.c: the parts contexts and graphs use; no child check ---- */
int acc_buffer_new(struct accel_context *ctx, uint64_t size, enum accel_memory where,
		   uint32_t access, struct accel_buffer **out);
void *acc_buffer_cpu(struct accel_buffer *buf);
void acc_buffer_delete(struct accel_buffer *buf, bool child);

/* ---- queue_setup.c, graph.c ---- */
void acc_queue_delete(struct accel_queue *q, bool child);
void acc_graph_delete(struct accel_graph *g, bool child);

/* ---- names.c ---- */
const char *acc_cause_name(uint32_t cause);

#endif
