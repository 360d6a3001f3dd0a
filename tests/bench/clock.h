/* SPDX-License-Identifier: MIT */
/* What the peers share: a clock, pinning, percentiles, one line of JSON. */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline void idle_ns(long ns)
{
	struct timespec t = { 0, ns };

	while (nanosleep(&t, &t))
		;
}

static inline void pin(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("cannot run on the CPU asked for; two CPUs are needed");
		exit(1);
	}
}

static inline int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Sorts @v. */
static inline void print_latency(const char *name, uint64_t *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_value);
	printf("{\"name\": \"%s\", \"p50_ns\": %llu, \"p99_ns\": %llu, \"min_ns\": %llu, \"count\": %zu}\n",
	       name, (unsigned long long)v[(n * 50 + 99) / 100 - 1],
	       (unsigned long long)v[(n * 99 + 99) / 100 - 1], (unsigned long long)v[0], n);
}

static inline void print_rate(const char *name, uint64_t count, uint64_t ns)
{
	printf("{\"name\": \"%s\", \"rate\": %.0f, \"count\": %llu}\n", name,
	       (double)count * 1e9 / (double)ns, (unsigned long long)count);
}

#endif
