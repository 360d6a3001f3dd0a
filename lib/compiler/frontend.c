// SPDX-License-Identifier: MIT
#include "frontend.h"

#include <string.h>

#include "onnx_read.h"
#include "pass.h"

size_t frontend_budget(size_t model_size)
{
	size_t budget;

	/* Parsing, converting, folding and packing each keep a copy of the weights. */
	if (__builtin_mul_overflow(model_size, 16, &budget) ||
	    __builtin_add_overflow(budget, (size_t)1 << 30, &budget))
		return SIZE_MAX;
	return budget;
}

struct ir_graph *frontend(struct cc *cc, const void *model, size_t size, bool mapped,
			  const struct accelcc_options *options)
{
	struct onnx_options read_options = { .dims = options->dims, .num_dims = options->num_dims };
	struct pass_options pass_options = { .no_fuse = options->no_fuse,
					     .print = options->print_ir,
					     .print_after = options->print_after };
	struct ir_graph *g = onnx_read(cc, model, size, &read_options);

	if (mapped)
		cc_discard(model, size);
	if (options->model_name)
		g->name = options->model_name;
	pass_run_all(g, &pass_options);
	return g;
}
