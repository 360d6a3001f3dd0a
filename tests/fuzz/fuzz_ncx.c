// SPDX-License-Identifier: MIT
/*
 * The .ncx loader against arbitrary bytes. A file that is accepted is loaded
 * into a context of an embedded device, too, so that what the checks let pass
 * is also used. Inputs begin as damage to a good file: the fuzzer's bytes are
 * (offset, value) pairs applied to it, or, with an odd first byte, the file itself.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/ncx_build.h"
#include "accel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t look_at(accel_graph_file *f)
{
	ACCEL_INIT(struct accel_graph_info, info);
	ACCEL_INIT(struct accel_tensor_info, t);
	size_t seen = 0;

	for (unsigned int e = 0; !accel_graph_file_info(f, e, &info); e++) {
		seen += strlen(info.model) + strlen(info.producer) + strlen(info.entry);
		for (unsigned int i = 0; !accel_graph_file_input(f, e, i, &t); i++)
			seen += strlen(t.name) + t.bytes;
		for (unsigned int i = 0; !accel_graph_file_output(f, e, i, &t); i++)
			seen += strlen(t.name) + t.bytes;
		for (unsigned int i = 0; i < info.ops; i++)
			seen += strlen(accel_graph_file_op(f, i));
	}
	return seen;
}

static void load(accel_graph_file *f)
{
	static accel_device *dev;
	static accel_context *ctx;
	ACCEL_INIT(struct accel_graph_options, opt);
	accel_graph *g;

	if (!dev && (accel_device_open("sim:nca1,threads=1", &dev) ||
		     accel_context_create(dev, NULL, &ctx)))
		abort();
	opt.instances = 1;
	/* Loading may fail (another target, no room), but not badly. */
	if (!accel_graph_load(ctx, f, &opt, &g))
		accel_graph_unload(g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t image[NB_SIZE];
	accel_graph_file *f;
	struct ncx_build b;
	size_t len;
	int r;

	if (!size)
		return 0;
	if (data[0] & 1) {
		r = accel_graph_file_open_memory(data + 1, size - 1, &f);
	} else {
		nb_init(&b);
		len = nb_write(&b, image);
		for (size_t i = 1; i + 3 <= size; i += 3)
			image[(data[i] | (size_t)data[i + 1] << 8) % len] = data[i + 2];
		r = accel_graph_file_open_memory(image, len, &f);
	}
	if (r)
		return 0;
	/* Keeps the compiler from leaving the reads out. */
	if (look_at(f) == SIZE_MAX)
		abort();
	load(f);
	accel_graph_file_close(f);
	return 0;
}
