// SPDX-License-Identifier: MIT
/*
 * Anything at all as an ONNX file: compiled or refused, and a refusal is status 6 with a
 * sentence. What was compiled is loaded and run by an embedded device in checking mode: a
 * program the device refuses, or one with a hazard, is a mistake of the compiler. Half of
 * the mutations keep the file a model (onnx_mutate.h).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel.h"
#include "accelcc.h"
#include "onnx_mutate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
				 uint8_t *out, size_t max_out_size, unsigned int seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	size_t n = seed % 8 ? onnx_mutate(data, size, max_size, seed) : 0;

	return n ? n : LLVMFuzzerMutate(data, size, max_size);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
				 uint8_t *out, size_t max_out_size, unsigned int seed)
{
	return onnx_cross(a, a_size, b, b_size, out, max_out_size, seed);
}

/* Longer launches are compiled but not run: a sanitized simulator is slow. */
#define MOST_NS 200000

static const char *const devices[2] = { "sim:nca1,threads=1", "sim:nca2,threads=1" };

static void die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	abort();
}

/* Inputs are zero: hazards and broken rules do not depend on them. */
static void run(const struct accelcc_result *r, unsigned int which)
{
	static accel_device *dev[2];
	static accel_context *ctx[2];
	static accel_queue *queue[2];
	ACCEL_INIT(struct accel_graph_options, opt);
	ACCEL_INIT(struct accel_context_options, co);
	struct accel_completion done;
	accel_graph_file *f;
	accel_launch *l;
	accel_graph *g;
	int err;

	co.slices = ACCEL_XLARGE;
	if (!dev[which] && (accel_device_open(devices[which], &dev[which]) ||
			    accel_context_create(dev[which], &co, &ctx[which]) ||
			    accel_queue_create(ctx[which], NULL, &queue[which])))
		die("cannot open a device", accel_last_error());
	if (accel_graph_file_open_memory(r->ncx, r->ncx_size, &f))
		die("the compiled file is refused", accel_last_error());
	opt.instances = 1;
	opt.check = true;
	err = accel_graph_load(ctx[which], f, &opt, &g);
	if (!err) {
		if (accel_launch_get(g, &l))
			die("no launch", accel_last_error());
		if (accel_launch_run(l, queue[which], 20000000000ull, &done))
			die("the compiled program fails", accel_last_error());
		accel_launch_put(l);
		accel_graph_unload(g);
	} else if (err != -ENOMEM && err != -ENOSPC) {
		die("the compiled file does not load", accel_last_error());
	}
	accel_graph_file_close(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Programs of any length would only make the fuzzer slow. */
	struct accelcc_options o = { .size = sizeof(o), .max_instructions = 20000, .report = true };
	struct accelcc_result r;
	unsigned int which = 0;

	/* Both targets and precisions, the same for the same file. */
	for (size_t i = 0; i < size; i++)
		which = which * 31 + data[i];
	o.target = which & 1 ? "nca2" : "nca1";
	o.precision = which & 2 ? ACCELCC_BF16 : ACCELCC_FP32;
	o.no_fuse = which & 4;
	accelcc_compile(data, size, &o, &r);
	if (r.status != ACCELCC_OK && (r.status != ACCELCC_BAD_INPUT || strlen(r.message) < 10))
		die("not a refusal", r.message);
	if (r.status == ACCELCC_OK && r.stats.estimated_ns < MOST_NS)
		run(&r, which & 1);
	accelcc_result_free(&r);
	return 0;
}
