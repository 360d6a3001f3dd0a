// SPDX-License-Identifier: MIT
/* Why operators that there is no importer for cannot be compiled. */
#include <string.h>

#include "onnx_read.h"

static const char control_flow[] = "there is no control flow on the device; export the model with "
				   "its loops unrolled and its branches taken";
static const char sequence[] = "there are no sequences and optionals on the device, only tensors";
static const char string[] = "there are no strings on the device";
static const char size[] = "the size of its result depends on the data, and a program's tensors have "
			   "fixed sizes";
static const char random[] = "it draws random numbers, and the device has none";

static const struct {
	const char *type, *why;
} reasons[] = {
	{ "Bernoulli", random },
	{ "Compress", size },
	{ "ConcatFromSequence", sequence },
	{ "If", control_flow },
	{ "Loop", control_flow },
	{ "Multinomial", random },
	{ "NonMaxSuppression", size },
	{ "NonZero", size },
	{ "Optional", sequence },
	{ "OptionalGetElement", sequence },
	{ "OptionalHasElement", sequence },
	{ "RandomNormal", random },
	{ "RandomNormalLike", random },
	{ "RandomUniform", random },
	{ "RandomUniformLike", random },
	{ "Scan", control_flow },
	{ "SequenceAt", sequence },
	{ "SequenceConstruct", sequence },
	{ "SequenceEmpty", sequence },
	{ "SequenceErase", sequence },
	{ "SequenceInsert", sequence },
	{ "SequenceLength", sequence },
	{ "SequenceMap", sequence },
	{ "SplitToSequence", sequence },
	{ "StringConcat", string },
	{ "StringNormalizer", string },
	{ "StringSplit", string },
	{ "Unique", size },
};

void onnx_refuse(const struct onnx_node *n)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (n->proto->op_type && !strcmp(reasons[i].type, n->proto->op_type))
			onnx_node_fail(n, "it cannot be compiled: %s", reasons[i].why);
	onnx_node_fail(n, "this operator cannot be compiled; the operators that can are listed by "
			  "accelcc --help");
}
