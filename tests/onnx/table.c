// SPDX-License-Identifier: MIT
/* docs/onnx-coverage.md: what is refused and why, a line per operator and reason. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accelcc.h"
#include "conformance.h"

static const char head[] =
	"# ONNX operator tests\n"
	"\n"
	"Made by `make onnx-coverage`; `make check-onnx` runs the tests.\n"
	"Each model of the ONNX project's operator test suite (Debian package libonnx-testdata) is compiled\n"
	"in FP32 for both targets and run on its data, or refused with exit code 6 and a sentence that names\n"
	"the node. Floating-point results may differ by 1e-3 of the value plus 1e-6 (bfloat16: 8e-3); integers\n"
	"and booleans must be equal.\n"
	"\n";

/* The reason without the target and the node's name, which differ from model to model. */
static const char *bare(const struct outcome *o)
{
	const char *s = strstr(o->reason, ": "), *t;

	s = s ? s + 2 : o->reason;
	t = strncmp(s, "node '", 6) && strncmp(s, "the unnamed", 11) ? NULL : strstr(s, "): ");
	return t ? t + 3 : s;
}

static int order(const void *a, const void *b)
{
	const struct model_outcome *const *x = a, *const *y = b;
	int c = strcmp((*x)->outcome.op, (*y)->outcome.op);

	if (!c)
		c = strcmp(bare(&(*x)->outcome), bare(&(*y)->outcome));
	return c ? c : strcmp((*x)->name, (*y)->name);
}

/* A '|' would end the cell. */
static void put_cell(FILE *f, const char *s)
{
	for (; *s; s++) {
		if (*s == '|' || *s == '<')
			fputc('\\', f);
		fputc(*s, f);
	}
}

static void put_operators(FILE *f)
{
	const char *names[512];
	size_t num = accelcc_operator_names(names, 512);

	fputs("Operators that can be compiled, within the limits of [the compiler](compiler.md):", f);
	for (size_t i = 0; i < num && i < 512; i++)
		fprintf(f, "%s%s", i % 12 ? " " : "\n", names[i]);
	fputs(".\n\n", f);
}

bool write_refusal_table(const char *path, const struct model_outcome *models, size_t num)
{
	const struct model_outcome **sorted = calloc(num + 1, sizeof(const void *));
	size_t refused = 0, passed = 0;
	FILE *f = fopen(path, "w");

	if (!f || !sorted) {
		perror(path);
		free(sorted);
		return false;
	}
	for (size_t i = 0; i < num; i++) {
		passed += models[i].outcome.verdict == PASSED;
		if (models[i].outcome.verdict == REFUSED)
			sorted[refused++] = &models[i];
	}
	qsort(sorted, refused, sizeof(sorted[0]), order);
	fputs(head, f);
	fprintf(f, "%zu models: %zu pass, %zu are refused for these reasons.\n\n", num, passed,
		refused);
	put_operators(f);
	fputs("| operator | models | why | for example |\n|---|---|---|---|\n", f);
	for (size_t i = 0, end; i < refused; i = end) {
		const struct outcome *o = &sorted[i]->outcome;

		for (end = i; end < refused; end++)
			if (strcmp(o->op, sorted[end]->outcome.op) ||
			    strcmp(bare(o), bare(&sorted[end]->outcome)))
				break;
		fprintf(f, "| %s | %zu | ", o->op, end - i);
		put_cell(f, bare(o));
		fprintf(f, " | %s |\n", strchr(sorted[i]->name, '/') + 1);
	}
	free(sorted);
	return !fclose(f);
}
