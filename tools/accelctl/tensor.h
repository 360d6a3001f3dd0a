/* SPDX-License-Identifier: MIT */
/* A tensor in host memory, read from or written to a file. */
#ifndef CTL_TENSOR_H
#define CTL_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "errors.h"

#define CTL_MAX_RANK 32

struct ctl_tensor {
	uint32_t type;			/* enum ncx_type */
	uint32_t rank;
	int64_t dim[CTL_MAX_RANK];
	uint64_t elements;
	uint64_t bytes;
	void *data;			/* C order */
};

void ctl_tensor_free(struct ctl_tensor *t);
uint32_t ctl_type_size(uint32_t type);

/* Set elements and bytes from dim and type; false if they overflow or a dimension is negative. */
bool ctl_tensor_measure(struct ctl_tensor *t);

/* Read a .npy or ONNX .pb file, told apart by their contents. Prints what is wrong. */
enum ctl_exit ctl_tensor_read(struct ctl_tensor *t, const char *path);

/* Parse a file held in memory; false with a sentence in @err. @t->data is newly allocated. */
bool ctl_npy_parse(struct ctl_tensor *t, const uint8_t *file, size_t len, char *err,
		   size_t err_len);
bool ctl_onnx_parse(struct ctl_tensor *t, const uint8_t *file, size_t len, char *err,
		    size_t err_len);
bool ctl_npy_is(const uint8_t *file, size_t len);

/* Write as .npy version 1.0. bfloat16 has no .npy type and is written as float32. */
enum ctl_exit ctl_npy_write(const char *path, uint32_t type, const int64_t *dim, uint32_t rank,
			    const void *data, uint64_t bytes);

/* Element @i as a number. */
double ctl_tensor_value(uint32_t type, const void *data, uint64_t i);

/* The same values as @type; only float32 to bfloat16 is done. False: nothing changed. */
bool ctl_tensor_convert(struct ctl_tensor *t, uint32_t type);

struct ctl_comparison {
	uint64_t mismatches;
	double max_error;
};

/*
 * |got - want| <= tolerance * max(1, |want|) for every element; tolerance 0 wants equal bits,
 * except that any NaN equals any NaN.
 */
void ctl_tensor_compare(struct ctl_comparison *c, uint32_t type, const void *got, const void *want,
			uint64_t elements, double tolerance);

#endif
