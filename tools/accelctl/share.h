/* SPDX-License-Identifier: MIT */
/* Several contexts saturating one device at the same time, from one thread. */
#ifndef CTL_SHARE_H
#define CTL_SHARE_H

#include "session.h"
#include "stats.h"

#define CTL_SHARE_CONTEXTS 8
#define CTL_SHARE_QUEUES 8		/* one per core of a context */
#define CTL_SHARE_INFLIGHT 3		/* launches per queue, so that one is always waiting */

/* One finished launch. */
struct ctl_share_record {
	uint64_t start_ns, end_ns;
	uint64_t own_ns;		/* device time of its own, without preemption */
};

struct ctl_share_queue {
	accel_queue *queue;
	accel_launch *launch[CTL_SHARE_INFLIGHT];
	uint64_t submitted, completed;
	struct ctl_share_record *record;
	size_t records, room;
};

struct ctl_share_tenant {
	accel_context *ctx;
	accel_graph *graph;
	unsigned int size_index;
	uint64_t launch_ns;
	struct accel_context_info info;
	struct ctl_share_queue queue[CTL_SHARE_QUEUES];
	unsigned int queues;
	uint64_t preempt_ns, preemptions;
};

/* Context with its queues, a generated graph and its launches. tenant->ctx exists already. */
enum ctl_exit ctl_share_prepare(struct ctl_share_tenant *t, const char *target);

/*
 * Keep every queue of every tenant busy until each has seen @device_ns of device time, then let
 * all of them finish.
 */
enum ctl_exit ctl_share_run(struct ctl_share_tenant *t, size_t count, uint64_t device_ns);

void ctl_share_release(struct ctl_share_tenant *t);

#endif
