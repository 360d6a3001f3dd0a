/* SPDX-License-Identifier: MIT */
/*
 * Mutations of ONNX models that are models again: an attribute's value, a dimension, a
 * type, a name changed; an input, a node, a tensor dropped, doubled or moved. They go by
 * the schema's own description, so that nothing of it is left out.
 */
#ifndef TESTS_FUZZ_ONNX_MUTATE_H
#define TESTS_FUZZ_ONNX_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/*
 * One to four mutations of the model in @data, in place. Returns the new size, 0 if the
 * bytes are no model or the result is larger than @max.
 */
size_t onnx_mutate(uint8_t *data, size_t size, size_t max, unsigned int seed);

/* The first model with a node of the second in it, wired to values of the first. */
size_t onnx_cross(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint8_t *out,
		  size_t max, unsigned int seed);

#endif
