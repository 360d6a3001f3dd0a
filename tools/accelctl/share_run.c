// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "share.h"
#include "synth_program.h"

static enum ctl_exit open_queue(struct ctl_share_tenant *t, unsigned int core)
{
	ACCEL_INIT(struct accel_queue_options, qo);
	struct ctl_share_queue *q = &t->queue[t->queues];
	int err;

	qo.depth = 8;
	qo.core = 1 + (int32_t)core;
	err = accel_queue_create(t->ctx, &qo, &q->queue);
	if (err)
		return ctl_accel_error(err, "cannot create a queue on core %u", core);
	t->queues++;
	for (unsigned int i = 0; i < CTL_SHARE_INFLIGHT; i++) {
		err = accel_launch_get(t->graph, &q->launch[i]);
		if (err)
			return ctl_accel_error(err, "cannot get launch %u of a generated graph", i);
	}
	return CTL_OK;
}

enum ctl_exit ctl_share_prepare(struct ctl_share_tenant *t, const char *target)
{
	ACCEL_INIT(struct accel_graph_options, go);
	accel_graph_file *file;
	enum ctl_exit ret;
	int err;

	ret = ctl_synth_busy(target, t->launch_ns, &file);
	if (ret)
		return ret;
	go.instances = (uint32_t)__builtin_popcount(t->info.core_mask) * CTL_SHARE_INFLIGHT;
	go.timed_only = 1;
	err = accel_graph_load(t->ctx, file, &go, &t->graph);
	accel_graph_file_close(file);
	if (err)
		return ctl_accel_error(err, "cannot load a generated graph of %llu ns",
				       (unsigned long long)t->launch_ns);
	for (unsigned int core = 0; core < 32 && !ret; core++)
		if (t->info.core_mask >> core & 1 && t->queues < CTL_SHARE_QUEUES)
			ret = open_queue(t, core);
	return ret;
}

void ctl_share_release(struct ctl_share_tenant *t)
{
	for (unsigned int i = 0; i < t->queues; i++) {
		for (unsigned int k = 0; k < CTL_SHARE_INFLIGHT; k++)
			if (t->queue[i].launch[k])
				accel_launch_put(t->queue[i].launch[k]);
		accel_queue_destroy(t->queue[i].queue);
		free(t->queue[i].record);
	}
	if (t->graph)
		accel_graph_unload(t->graph);
	if (t->ctx)
		accel_context_destroy(t->ctx);
	memset(t, 0, sizeof(*t));
}

static enum ctl_exit submit_next(struct ctl_share_queue *q)
{
	int err = accel_launch_submit(q->launch[q->submitted % CTL_SHARE_INFLIGHT], q->queue,
				      q->submitted);

	if (err < 0)
		return ctl_accel_error(err, "cannot submit a launch");
	q->submitted++;
	return CTL_OK;
}

static enum ctl_exit keep_record(struct ctl_share_tenant *t, struct ctl_share_queue *q,
				 const struct accel_completion *c)
{
	ACCEL_INIT(struct accel_launch_report, rep);
	struct ctl_share_record *r;
	int err;

	if (c->error)
		return ctl_completion_error(t->ctx, c, "a launch");
	if (c->cookie != q->completed)
		return ctl_error(CTL_MISMATCH, "launch %llu came back as %llu; see 'accelctl selftest'",
				 (unsigned long long)q->completed, (unsigned long long)c->cookie);
	err = accel_launch_report(q->launch[q->completed % CTL_SHARE_INFLIGHT], &rep);
	if (err)
		return ctl_accel_error(err, "a launch left no report");
	q->completed++;
	if (q->records == q->room) {
		size_t room = q->room ? q->room * 2 : 1024;

		r = reallocarray(q->record, room, sizeof(*r));
		if (!r)
			return ctl_no_memory();
		q->record = r;
		q->room = room;
	}
	r = &q->record[q->records++];
	r->start_ns = c->start_ns;
	r->end_ns = c->end_ns;
	r->own_ns = rep.tick_hz ?
		(uint64_t)((unsigned __int128)rep.ticks * 1000000000u / rep.tick_hz) : 0;
	t->preempt_ns += rep.preempt_ns;
	t->preemptions += rep.preemptions;
	return CTL_OK;
}

/* Take what is there and put as much back; *@taken counts. */
static enum ctl_exit serve(struct ctl_share_tenant *t, struct ctl_share_queue *q, bool refill,
			   unsigned int *taken)
{
	struct accel_completion c[CTL_SHARE_INFLIGHT];
	int n = accel_queue_poll(q->queue, c, CTL_SHARE_INFLIGHT);
	enum ctl_exit ret = CTL_OK;

	if (n < 0)
		return ctl_accel_error(n, "the %s context stopped", ctl_size_text(t->info.slices));
	for (int i = 0; i < n && !ret; i++) {
		ret = keep_record(t, q, &c[i]);
		if (!ret && refill)
			ret = submit_next(q);
	}
	*taken += (unsigned int)n;
	return ret;
}

static bool long_enough(const struct ctl_share_tenant *t, size_t count, uint64_t device_ns)
{
	for (size_t i = 0; i < count; i++) {
		for (unsigned int k = 0; k < t[i].queues; k++) {
			const struct ctl_share_queue *q = &t[i].queue[k];

			/* Two whole launches at least: shares are counted from end to end. */
			if (q->records < 3 ||
			    q->record[q->records - 1].end_ns - q->record[0].start_ns < device_ns)
				return false;
		}
	}
	return true;
}

static bool drained(const struct ctl_share_tenant *t, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (unsigned int k = 0; k < t[i].queues; k++)
			if (t[i].queue[k].completed != t[i].queue[k].submitted)
				return false;
	return true;
}

/* Arm every queue and sleep until one has something. */
static enum ctl_exit sleep_on(struct ctl_share_tenant *t, size_t count, int epfd)
{
	struct epoll_event ev[16];
	bool ready = false;
	int n;

	for (size_t i = 0; i < count; i++) {
		for (unsigned int k = 0; k < t[i].queues; k++) {
			n = accel_queue_arm(t[i].queue[k].queue);
			if (n < 0)
				return ctl_accel_error(n, "cannot arm a queue");
			ready |= n == 1;
		}
	}
	if (ready)
		return CTL_OK;
	n = epoll_wait(epfd, ev, 16, (int)(CTL_TIMEOUT_NS / 1000000));
	if (!n)
		return ctl_error(CTL_FAULT, "no launch completed within %llu s; see 'accelctl info' for the state of the device",
				 CTL_TIMEOUT_NS / 1000000000);
	for (int i = 0; i < n; i++) {
		uint64_t events;

		if (read(ev[i].data.fd, &events, sizeof(events)) < 0 && errno != EAGAIN)
			return ctl_error(CTL_FAILED, "cannot read an eventfd: %s", strerror(errno));
	}
	return CTL_OK;
}

static enum ctl_exit watch(struct ctl_share_tenant *t, size_t count, int epfd)
{
	for (size_t i = 0; i < count; i++) {
		for (unsigned int k = 0; k < t[i].queues; k++) {
			int fd = accel_queue_eventfd(t[i].queue[k].queue);
			struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

			if (fd < 0)
				return ctl_accel_error(fd, "cannot get a queue's eventfd");
			if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev))
				return ctl_error(CTL_FAILED, "cannot watch an eventfd: %s",
						 strerror(errno));
		}
	}
	return CTL_OK;
}

static enum ctl_exit loop(struct ctl_share_tenant *t, size_t count, uint64_t device_ns, int epfd)
{
	enum ctl_exit ret = watch(t, count, epfd);
	bool stopping = false;

	for (size_t i = 0; i < count; i++)
		for (unsigned int k = 0; k < t[i].queues; k++)
			for (unsigned int n = 0; n < CTL_SHARE_INFLIGHT && !ret; n++)
				ret = submit_next(&t[i].queue[k]);
	while (!ret && !(stopping && drained(t, count))) {
		unsigned int taken = 0;

		for (size_t i = 0; i < count; i++)
			for (unsigned int k = 0; k < t[i].queues && !ret; k++)
				ret = serve(&t[i], &t[i].queue[k], !stopping, &taken);
		if (!ret && !stopping)
			stopping = long_enough(t, count, device_ns);
		if (!ret && !taken)
			ret = sleep_on(t, count, epfd);
	}
	return ret;
}

enum ctl_exit ctl_share_run(struct ctl_share_tenant *t, size_t count, uint64_t device_ns)
{
	int epfd = epoll_create1(EPOLL_CLOEXEC);
	enum ctl_exit ret;

	if (epfd < 0)
		return ctl_error(CTL_FAILED, "cannot create an epoll instance: %s", strerror(errno));
	ret = loop(t, count, device_ns, epfd);
	close(epfd);
	/* Launches in flight may not be given back before their context has ended. */
	for (size_t i = 0; ret && i < count; i++)
		accel_context_abort(t[i].ctx);
	return ret;
}
