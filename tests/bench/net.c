/* SPDX-License-Identifier: MIT */
/*
 * A compiled network on a device, one inference at a command:
 *
 *   net GRAPH.ncx DEVICE SIZE full|timed
 *
 * First prints what it is. Then, for every line "FILE..." (a file of raw elements
 * for each input), writes the inputs, runs, and prints what it took; a last word
 * ">FILE" has the outputs written there. Reading and writing files is not timed.
 */
#include <string.h>

#include <accel.h>

#include "clock.h"

#define MAX_TENSORS 16

static accel_graph *graph;
static accel_launch *launch;
static struct accel_graph_info info;
static struct accel_tensor_info input[MAX_TENSORS];
static char *data[MAX_TENSORS];
static int timed_only;		/* nothing reads the inputs */

static void check(int err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "net: %s: %s\n", what, accel_last_error());
	exit(1);
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void read_file(const char *path, char *to, size_t bytes)
{
	FILE *f = fopen(path, "rb");

	if (!f || fread(to, 1, bytes, f) != bytes || fgetc(f) != EOF) {
		fprintf(stderr, "net: %s does not hold %zu bytes\n", path, bytes);
		exit(1);
	}
	fclose(f);
}

static void write_outputs(const char *path)
{
	FILE *f = fopen(path, "wb");

	for (unsigned int i = 0; f && i < info.outputs; i++) {
		ACCEL_INIT(struct accel_tensor_info, t);
		check(accel_graph_output(graph, i, &t), "output");
		fwrite(accel_launch_output(launch, i), 1, t.bytes, f);
	}
	if (!f || fclose(f)) {
		perror(path);
		exit(1);
	}
}

static void describe(accel_device *dev)
{
	ACCEL_INIT(struct accel_telemetry, t);

	check(accel_device_telemetry(dev, &t), "telemetry");
	printf("{\"simd\": \"%s\", \"target\": \"%s\", \"inputs\": [", t.simd, info.target);
	for (unsigned int i = 0; i < info.inputs; i++)
		printf("%s{\"name\": \"%s\", \"bytes\": %llu, \"element_size\": %u}", i ? ", " : "",
		       input[i].name, (unsigned long long)input[i].bytes, input[i].element_size);
	printf("]}\n");
	fflush(stdout);
}

/* One line of names: inputs in order, then perhaps where outputs go. */
static void one(char *line, accel_queue *queue)
{
	ACCEL_INIT(struct accel_launch_report, report);
	struct accel_completion done;
	unsigned long long instructions = 0;
	char *word = strtok(line, " \n");
	uint64_t wall, cpu;

	for (unsigned int i = 0; i < info.inputs; i++, word = strtok(NULL, " \n")) {
		if (!word) {
			fprintf(stderr, "net: a file for each of %u inputs is needed\n", info.inputs);
			exit(2);
		}
		read_file(word, data[i], input[i].bytes);
	}
	cpu = cpu_ns();
	wall = now_ns();
	for (unsigned int i = 0; i < info.inputs && !timed_only; i++)
		memcpy(accel_launch_input(launch, i), data[i], input[i].bytes);
	check(accel_launch_run(launch, queue, UINT64_MAX, &done), "run");
	wall = now_ns() - wall;
	cpu = cpu_ns() - cpu;
	check(accel_launch_report(launch, &report), "report");
	for (int e = 0; e < 5; e++)
		instructions += report.instructions[e];
	if (word && *word == '>')
		write_outputs(word + 1);
	printf("{\"wall_ns\": %llu, \"cpu_ns\": %llu, \"device_ns\": %llu, \"instructions\": %llu}\n",
	       (unsigned long long)wall, (unsigned long long)cpu,
	       (unsigned long long)(report.end_ns - report.start_ns), instructions);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	ACCEL_INIT(struct accel_context_options, share);
	ACCEL_INIT(struct accel_graph_options, how);
	ACCEL_INIT(struct accel_queue_options, ring);
	accel_graph_file *file;
	accel_device *dev;
	accel_context *ctx;
	accel_queue *queue;
	static char line[65536];

	if (argc != 5) {
		fprintf(stderr, "usage: net GRAPH.ncx DEVICE SIZE full|timed\n");
		return 2;
	}
	how.instances = 1;
	ring.spin_us = 1;	/* everything may be on one CPU: polling would keep the device off it */
	how.timed_only = timed_only = !strcmp(argv[4], "timed");
	check(accel_graph_file_open(argv[1], &file), argv[1]);
	check(accel_device_open(argv[2], &dev), argv[2]);
	check(accel_size_parse(argv[3], &share.slices), argv[3]);
	check(accel_context_create(dev, &share, &ctx), "context");
	check(accel_queue_create(ctx, &ring, &queue), "queue");
	check(accel_graph_load(ctx, file, &how, &graph), "load");
	info.size = sizeof(info);
	check(accel_graph_file_info(file, 0, &info), "info");
	if (info.inputs > MAX_TENSORS) {
		fprintf(stderr, "net: %u inputs, at most %d\n", info.inputs, MAX_TENSORS);
		return 1;
	}
	for (unsigned int i = 0; i < info.inputs; i++) {
		input[i].size = sizeof(input[i]);
		check(accel_graph_input(graph, i, &input[i]), "input");
		data[i] = malloc(input[i].bytes);
		if (!data[i])
			return 1;
	}
	check(accel_launch_get(graph, &launch), "instance");
	describe(dev);
	while (fgets(line, sizeof(line), stdin))
		one(line, queue);
	return accel_context_destroy(ctx) || accel_device_close(dev);
}
