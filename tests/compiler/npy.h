/* SPDX-License-Identifier: MIT */
/* .npy files and ONNX .pb tensors, as far as tests need them. */
#ifndef TEST_NPY_H
#define TEST_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct npy {
	char name[128];		/* of a .pb tensor */
	char type[4];		/* "f4", "i8", "b1"; "B2" is bfloat16 */
	int rank;
	int64_t dim[8];
	size_t elements;
	void *data;		/* from malloc */
};

bool npy_read(const char *path, struct npy *out);
bool tensor_pb_read(const char *path, struct npy *out);
void *read_whole_file(const char *path, size_t *size);

#endif
