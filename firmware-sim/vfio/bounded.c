/* SPDX-License-Identifier: MIT */
#include "bounded.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

struct bounded_job {
	struct bounded_job *next;
	int (*fn)(void *arg, unsigned long long a, unsigned long long b);
	void *arg;
	unsigned long long a, b;
	int result;
	bool finished;
	bool abandoned;			/* nobody waits: the worker frees it */
};

static void *bounded_main(void *arg)
{
	struct bounded *b = arg;

	pthread_mutex_lock(&b->lock);
	for (;;) {
		struct bounded_job *job;

		while (!b->head && !b->stop)
			pthread_cond_wait(&b->work, &b->lock);
		job = b->head;
		if (!job)
			break;
		b->head = job->next;
		if (!b->head)
			b->tail = &b->head;
		pthread_mutex_unlock(&b->lock);
		job->result = job->fn(job->arg, job->a, job->b);
		pthread_mutex_lock(&b->lock);
		if (!--b->queued)
			b->late = false;
		job->finished = true;
		if (job->abandoned)
			free(job);
		else
			pthread_cond_broadcast(&b->done);
	}
	b->ended = true;
	pthread_cond_broadcast(&b->done);
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

int bounded_init(struct bounded *b)
{
	pthread_condattr_t attr;
	int err;

	*b = (struct bounded){ .tail = &b->head };
	pthread_mutex_init(&b->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&b->work, &attr);
	pthread_cond_init(&b->done, &attr);
	pthread_condattr_destroy(&attr);
	err = pthread_create(&b->thread, NULL, bounded_main, b);
	if (err) {
		pthread_cond_destroy(&b->done);
		pthread_cond_destroy(&b->work);
		pthread_mutex_destroy(&b->lock);
	}
	return -err;
}

static struct timespec deadline_in(unsigned int ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += ms / 1000;
	ts.tv_nsec += (long)(ms % 1000) * 1000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_nsec -= 1000000000;
		ts.tv_sec++;
	}
	return ts;
}

bool bounded_fini(struct bounded *b, unsigned int timeout_ms)
{
	struct timespec until = deadline_in(timeout_ms);
	bool ended;

	pthread_mutex_lock(&b->lock);
	b->stop = true;
	pthread_cond_signal(&b->work);
	while (!b->ended)
		if (pthread_cond_timedwait(&b->done, &b->lock, &until) == ETIMEDOUT)
			break;
	ended = b->ended;
	pthread_mutex_unlock(&b->lock);
	if (!ended)
		return false;
	pthread_join(b->thread, NULL);
	pthread_cond_destroy(&b->done);
	pthread_cond_destroy(&b->work);
	pthread_mutex_destroy(&b->lock);
	return true;
}

int bounded_call(struct bounded *bd, int (*fn)(void *arg, unsigned long long a,
					       unsigned long long b),
		 void *arg, unsigned long long a, unsigned long long b, unsigned int timeout_ms)
{
	struct timespec until = deadline_in(timeout_ms);
	struct bounded_job *job = malloc(sizeof(*job));
	int result;

	if (!job)
		return -ENOMEM;
	*job = (struct bounded_job){ .fn = fn, .arg = arg, .a = a, .b = b };

	pthread_mutex_lock(&bd->lock);
	if (bd->queued >= BOUNDED_MAX_QUEUED) {
		pthread_mutex_unlock(&bd->lock);
		free(job);
		return -EBUSY;
	}
	*bd->tail = job;
	bd->tail = &job->next;
	bd->queued++;
	pthread_cond_signal(&bd->work);
	while (!job->finished && !bd->late)
		if (pthread_cond_timedwait(&bd->done, &bd->lock, &until) == ETIMEDOUT)
			break;
	if (job->finished) {
		result = job->result;
		free(job);
	} else {
		job->abandoned = true;
		bd->late = true;
		result = -ETIMEDOUT;
	}
	pthread_mutex_unlock(&bd->lock);
	return result;
}
