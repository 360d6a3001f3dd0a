// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "dev.h"
#include "stall.h"

#define PERIOD_MS	5
#define USUAL_NS	25000000ll	/* a sleep that ends so much too late is no standstill yet */

#define MAX_CPUS	8

static _Atomic int64_t lost_ns[MAX_CPUS];

static void *watch(void *arg)
{
	struct sched_param sp = { .sched_priority = 50 };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((uintptr_t)arg, &set);
	sched_setaffinity(0, sizeof(set), &set);
	sched_setscheduler(0, SCHED_FIFO, &sp);
	for (;;) {
		int64_t late = -now_ns();

		sleep_ms(PERIOD_MS);
		late += now_ns() - PERIOD_MS * 1000000ll;
		if (late > USUAL_NS)
			lost_ns[(uintptr_t)arg] += late;
	}
	return NULL;
}

void stall_start(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t thread;

	for (long i = 0; i < n && i < MAX_CPUS; i++)
		if (pthread_create(&thread, NULL, watch, (void *)(uintptr_t)i))
			abort();
}

int64_t stall_ns(void)
{
	int64_t most = 0;

	for (int i = 0; i < MAX_CPUS; i++)
		if (lost_ns[i] > most)
			most = lost_ns[i];
	return most;
}
