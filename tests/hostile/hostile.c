// SPDX-License-Identifier: MIT
/*
 * usage: hostile [DEVICE [SECONDS [SEED]]]
 *
 * One tenant writes random bytes over its rings, doorbells, arguments and programs, context after
 * context. Beside it a well-behaved one runs a matmul again and again: every result must be right in
 * every bit and take the same device time as the first. At the end the device must be as it was
 * before, with everything given back. Exit status 0 if all that holds.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../tools/accelctl/synth_program.h"

#include "mischief.h"

#define K CTL_MATMUL_K
#define M CTL_MATMUL_M
#define N CTL_MATMUL_N
#define INPUTS 16

static float weights[K * M], input[INPUTS][K * N], want[INPUTS][M * N];

struct good {
	accel_device *dev;
	const accel_graph_file *file;
	_Atomic bool stop;
	uint64_t launches, ticks;
	bool failed;
};

static bool complain(const char *what)
{
	fprintf(stderr, "hostile: the well-behaved tenant: %s: %s\n", what, accel_last_error());
	return false;
}

static bool one_launch(struct good *g, accel_launch *l, accel_queue *q, unsigned int which)
{
	ACCEL_INIT(struct accel_launch_report, rep);
	struct accel_completion c;

	memcpy(accel_launch_input(l, 0), input[which], sizeof(input[which]));
	if (accel_launch_run(l, q, 60000000000, &c))
		return complain("a launch failed");
	if (accel_launch_report(l, &rep))
		return complain("a launch left no report");
	if (memcmp(accel_launch_output(l, 0), want[which], sizeof(want[which]))) {
		fprintf(stderr, "hostile: launch %llu of the well-behaved tenant has a wrong result\n",
			(unsigned long long)g->launches);
		return false;
	}
	if (g->launches && rep.ticks != g->ticks) {
		fprintf(stderr, "hostile: launch %llu of the well-behaved tenant took %llu ticks, the first one %llu\n",
			(unsigned long long)g->launches, (unsigned long long)rep.ticks,
			(unsigned long long)g->ticks);
		return false;
	}
	g->ticks = rep.ticks;
	g->launches++;
	return true;
}

static bool behave(struct good *g, accel_context *ctx)
{
	ACCEL_INIT(struct accel_queue_options, qo);
	accel_queue *q;
	accel_graph *graph;
	accel_launch *l;
	unsigned int i = 0;

	qo.core = -1;
	if (accel_queue_create(ctx, &qo, &q) || accel_graph_load(ctx, g->file, NULL, &graph) ||
	    accel_launch_get(graph, &l))
		return complain("cannot start");
	while (!atomic_load(&g->stop))
		if (!one_launch(g, l, q, i++ % INPUTS))
			return false;
	return true;
}

static void *good_main(void *arg)
{
	struct good *g = arg;
	accel_context *ctx;

	if (accel_context_create(g->dev, NULL, &ctx)) {
		g->failed = !complain("no context");
		return NULL;
	}
	g->failed = !behave(g, ctx);
	accel_context_destroy(ctx);
	return NULL;
}

static void make_data(struct mischief *m)
{
	for (int i = 0; i < K * M; i++)
		weights[i] = (float)(int32_t)mischief_next(m) / 1073741824.0f;
	for (int k = 0; k < INPUTS; k++) {
		for (int i = 0; i < K * N; i++)
			input[k][i] = (float)(int32_t)mischief_next(m) / 1073741824.0f;
		ctl_synth_matmul_reference(weights, input[k], want[k]);
	}
}

static bool all_given_back(accel_device *dev, const struct accel_device_info *before)
{
	ACCEL_INIT(struct accel_telemetry, t);
	struct accel_device_info now;

	for (int i = 0; i < 100; i++) {
		struct timespec ms = { 0, 10000000 };

		now.size = sizeof(now);
		if (accel_device_info(dev, &now))
			return complain("the device cannot be queried afterwards");
		if (now.slices_free == before->slices_free && now.queues == before->queues &&
		    now.memory_used == before->memory_used && now.contexts == before->contexts)
			break;
		nanosleep(&ms, NULL);
	}
	if (now.slices_free != before->slices_free || now.memory_used != before->memory_used ||
	    now.queues != before->queues) {
		fprintf(stderr, "hostile: after 1 s %u of %u slices, %u queues and %llu bytes are still taken\n",
			before->slices_free - now.slices_free, before->slices_free,
			now.queues - before->queues,
			(unsigned long long)(now.memory_used - before->memory_used));
		return false;
	}
	if (accel_device_telemetry(dev, &t) || t.bad_bus_accesses) {
		fprintf(stderr, "hostile: the device went to %llu bus addresses that are not mapped\n",
			(unsigned long long)t.bad_bus_accesses);
		return false;
	}
	return true;
}

static bool run(accel_device *dev, const struct accel_device_info *info, struct mischief *m,
		time_t seconds)
{
	accel_graph_file *file;
	struct good g = { .dev = dev };
	time_t end = time(NULL) + seconds;
	bool bad = false;
	pthread_t t;

	make_data(m);
	if (ctl_synth_matmul(info->target, weights, &file))
		return false;
	g.file = file;
	if (pthread_create(&t, NULL, good_main, &g)) {
		fputs("hostile: cannot start a thread\n", stderr);
		return false;
	}
	while (!bad && !g.failed && time(NULL) < end)
		bad = mischief_round(m, dev, file) != 0;
	atomic_store(&g.stop, true);
	pthread_join(t, NULL);
	accel_graph_file_close(file);
	printf("hostile tenant: %llu contexts, %llu lost to a fault; well-behaved tenant: %llu launches, %s\n",
	       (unsigned long long)m->contexts, (unsigned long long)m->lost,
	       (unsigned long long)g.launches, g.failed ? "FAILED" : "all right to the bit and the tick");
	printf("completions the hostile tenant saw, by status:");
	for (int i = 0; i < 16; i++)
		if (m->statuses[i])
			printf(" %s %llu", *accel_status_name((uint32_t)i) ? accel_status_name((uint32_t)i) : "?",
			       (unsigned long long)m->statuses[i]);
	putchar('\n');
	if (!m->lost || !g.launches) {
		fputs("hostile: nothing happened; the test proves nothing\n", stderr);
		return false;
	}
	return !bad && !g.failed;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "sim";
	time_t seconds = argc > 2 ? atol(argv[2]) : 60;
	struct mischief m = { .random = argc > 3 ? strtoull(argv[3], NULL, 0) : (uint64_t)time(NULL) };
	ACCEL_INIT(struct accel_device_info, info);
	accel_device *dev;
	bool ok;

	m.random |= 1ull << 63;
	printf("hostile: %s for %ld s, seed 0x%llx\n", name, (long)seconds, (unsigned long long)m.random);
	fflush(stdout);
	if (accel_device_open(name, &dev) || accel_device_info(dev, &info)) {
		fprintf(stderr, "hostile: cannot open %s: %s\n", name, accel_last_error());
		return 1;
	}
	ok = run(dev, &info, &m, seconds);
	ok &= all_given_back(dev, &info);
	if (accel_device_close(dev)) {
		fprintf(stderr, "hostile: cannot close %s: %s\n", name, accel_last_error());
		ok = false;
	}
	puts(ok ? "ok" : "FAILED");
	return !ok;
}
