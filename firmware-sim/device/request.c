/* SPDX-License-Identifier: MIT */
/*
 * Requests: how another thread changes something the front end owns.
 *
 * The caller blocks until the front end has run the function and, if asked,
 * until every core_run() that was in progress then has returned to the front
 * end: after that no engine holds a pointer found before the change. Cores are
 * told to yield, which they do at the next instruction boundary, so the wait is
 * short whatever the launch does; the front end itself never waits.
 */
#include "device.h"

int front_call(struct ncasim *dev, int (*fn)(struct ncasim *dev, void *arg), void *arg,
	       bool wait_runs)
{
	struct request req = { .fn = fn, .arg = arg, .wait_cores = wait_runs ? ~0u : 0 };
	struct request **p;

	pthread_mutex_lock(&dev->req_lock);
	for (p = &dev->req_list; *p; p = &(*p)->next)
		;
	*p = &req;
	pthread_mutex_unlock(&dev->req_lock);
	front_attention(dev, ATTN_REQUEST);

	pthread_mutex_lock(&dev->req_lock);
	while (!req.done)
		pthread_cond_wait(&dev->req_done, &dev->req_lock);
	pthread_mutex_unlock(&dev->req_lock);
	return req.result;
}

static uint32_t stop_all_runs(struct ncasim *dev)
{
	uint32_t mask = 0;

	for (uint32_t c = 0; c < dev->target->cores; c++) {
		if (!dev->core[c].running || dev->core[c].running->returned)
			continue;
		__atomic_store_n(&dev->core[c].running->stop, true, __ATOMIC_RELEASE);
		mask |= 1u << c;
	}
	return mask;
}

void requests_run(struct ncasim *dev)
{
	for (;;) {
		struct request *req;

		pthread_mutex_lock(&dev->req_lock);
		req = dev->req_list;
		if (req)
			dev->req_list = req->next;
		pthread_mutex_unlock(&dev->req_lock);
		if (!req)
			return;
		req->next = NULL;
		req->result = req->fn(dev, req->arg);
		if (req->wait_cores)
			req->wait_cores = stop_all_runs(dev);

		pthread_mutex_lock(&dev->req_lock);
		if (!req->wait_cores) {
			req->done = true;
			pthread_cond_broadcast(&dev->req_done);
		} else {
			req->next = dev->req_waiting;
			dev->req_waiting = req;
		}
		pthread_mutex_unlock(&dev->req_lock);
	}
}

void requests_core_returned(struct ncasim *dev, uint32_t core)
{
	struct request **p;

	if (!dev->req_waiting)
		return;
	pthread_mutex_lock(&dev->req_lock);
	p = &dev->req_waiting;
	while (*p) {
		struct request *req = *p;

		req->wait_cores &= ~(1u << core);
		if (req->wait_cores) {
			p = &req->next;
			continue;
		}
		*p = req->next;
		req->done = true;	/* the caller's stack may be gone after unlock */
		pthread_cond_broadcast(&dev->req_done);
	}
	pthread_mutex_unlock(&dev->req_lock);
}
