/* SPDX-License-Identifier: MIT */
/* .npy files and ONNX .pb tensors, as far as tests need them. */
#ifndef TEST_NPY_H
#define TEST_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct npy {
	char type[4];		/* "f4", "i8" */
	int rank;
	int64_t dim[8];
	size_t elements;
	void *data;		/* from malloc */
};

bool npy_read(const char *path, struct npy *out);
bool tensor_pb_read(const char *path, struct npy *out);	/* float tensors only */
void *read_whole_file(const char *path, size_t *size);

#endif
