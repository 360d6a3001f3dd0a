/* SPDX-License-Identifier: MIT */
/*
 * Core workers: threads that run slices of launches.
 *
 * One mailbox per worker: the front end stores the job and BUSY; the worker
 * stores its results and IDLE, then wakes the front end, which finds a job that
 * is not being worked on. At any time the launch belongs to exactly one of the
 * two. An idle worker polls for a moment, then goes from IDLE to SLEEP.
 */
#include <errno.h>
#include <fenv.h>
#include <sched.h>

#include "device.h"

#define SPIN_ROUNDS	400u		/* about 20 us with pause, then sleep */

static void worker_wait(struct worker *w)
{
	uint32_t idle = WORKER_IDLE;

	for (uint32_t i = 0; i < SPIN_ROUNDS; i++) {
		if (__atomic_load_n(&w->state, __ATOMIC_ACQUIRE) != WORKER_IDLE)
			return;
#if defined(__x86_64__)
		__builtin_ia32_pause();
#endif
		if (i % 64 == 63)
			sched_yield();
	}
	/* IDLE -> SLEEP; if that fails a job has just come. */
	if (!__atomic_compare_exchange_n(&w->state, &idle, WORKER_SLEEP, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE))
		return;
	while (__atomic_load_n(&w->state, __ATOMIC_ACQUIRE) == WORKER_SLEEP)
		futex_wait(&w->state, WORKER_SLEEP, 0);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	char name[16];

	snprintf(name, sizeof(name), "nca-core-%u", w->index);
	pthread_setname_np(pthread_self(), name);
	/* The creating thread may have flush-to-zero or another rounding mode on. */
	fesetenv(FE_DFL_ENV);
	for (;;) {
		uint32_t state = __atomic_load_n(&w->state, __ATOMIC_ACQUIRE);

		if (state == WORKER_EXIT)
			return NULL;
		if (state != WORKER_BUSY) {
			worker_wait(w);
			continue;
		}
		launch_run(w->job, w->dev->core[w->job->core].core);
		__atomic_store_n(&w->state, WORKER_IDLE, __ATOMIC_RELEASE);
		front_attention(w->dev, ATTN_WORKER);
	}
}

struct worker *worker_idle(struct ncasim *dev)
{
	for (uint32_t i = 0; i < dev->workers; i++)
		if (!dev->worker[i].job)
			return &dev->worker[i];
	return NULL;
}

static void set_state(struct worker *w, uint32_t state)
{
	if (__atomic_exchange_n(&w->state, state, __ATOMIC_ACQ_REL) == WORKER_SLEEP)
		futex_wake(&w->state);
}

void worker_start(struct worker *w, struct launch *l)
{
	w->job = l;
	set_state(w, WORKER_BUSY);
}

/*
 * Take back what workers have finished. While the device is hung or may not
 * master the bus, results stay where they are: nothing may be completed. Those
 * who only wait for the core to be out of core_run() are told at once.
 */
bool workers_collect(struct ncasim *dev)
{
	bool any = false;

	for (uint32_t i = 0; i < dev->workers; i++) {
		struct worker *w = &dev->worker[i];
		struct launch *l = w->job;
		uint32_t core;

		if (!l || __atomic_load_n(&w->state, __ATOMIC_ACQUIRE) == WORKER_BUSY)
			continue;
		core = l->core;
		if (l->q && !front_live(dev)) {
			if (!l->returned) {
				l->returned = true;
				requests_core_returned(dev, core);
			}
			continue;
		}
		w->job = NULL;
		set_state(w, WORKER_IDLE);	/* it may sleep on DONE */
		l->returned = true;
		arbiter_returned(dev, l);
		requests_core_returned(dev, core);
		admin_core_returned(dev, core);
		any = true;
	}
	return any;
}

int workers_start(struct ncasim *dev)
{
	for (uint32_t i = 0; i < dev->workers; i++) {
		struct worker *w = &dev->worker[i];

		w->dev = dev;
		w->index = i;
		if (pthread_create(&w->thread, NULL, worker_main, w))
			return -EAGAIN;
		w->running = true;
	}
	return 0;
}

/* The front end has ended; running launches were told to stop. */
void workers_stop(struct ncasim *dev)
{
	for (uint32_t i = 0; i < dev->workers; i++) {
		struct worker *w = &dev->worker[i];

		if (!w->running)
			continue;
		while (__atomic_load_n(&w->state, __ATOMIC_ACQUIRE) == WORKER_BUSY)
			sched_yield();
		set_state(w, WORKER_EXIT);
		pthread_join(w->thread, NULL);
		w->running = false;
	}
}
