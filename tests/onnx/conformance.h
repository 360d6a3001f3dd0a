/* SPDX-License-Identifier: MIT */
/* One of ONNX's test models: compiled for both targets, run on all its data, or refused. */
#ifndef TEST_ONNX_CONFORMANCE_H
#define TEST_ONNX_CONFORMANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum verdict {
	PASSED,
	REFUSED,
	WRONG,		/* another result, a fault, a refusal that does not say what is refused */
	CRASHED,	/* or took too long */
	NUM_VERDICTS,
};

struct outcome {
	enum verdict verdict;
	char op[64];		/* what was refused, or what the model is about */
	char reason[512];
};

/* @dir has model.onnx and test_data_set_N/. */
void run_model_dir(const char *dir, struct outcome *out);
/* The same in a process of its own, whose end is awaited and judged. */
void run_model_dir_apart(const char *dir, struct outcome *out);

/* compare.c: whether @got, of the element type @type as in struct npy, is what ONNX expects. */
bool tensors_agree(const char *type, const void *got, const void *want, size_t n, char *why,
		   size_t why_size);

/* table.c: the refused models by operator, as a page of the documentation. */
struct model_outcome {
	char name[160];		/* "node/test_add" */
	struct outcome outcome;
};
bool write_refusal_table(const char *path, const struct model_outcome *models, size_t num);

#endif
