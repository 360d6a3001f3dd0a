// SPDX-License-Identifier: MIT
/*
 * The ONNX project's own test models (Debian package libonnx-testdata): each is compiled and run,
 * or refused with status 6 and a sentence; never anything else. Results are compared with ONNX's.
 */
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accelcc.h"
#include "npy.h"
#include "sim_run.h"

#define DATA "/usr/share/libonnx-testdata/data"

/* What could be compiled when this was written; more is welcome, less is a regression. */
#define LEAST_COMPILED 200

static int compiled, refused;

static double worst_error(const float *got, const float *want, size_t n)
{
	double worst = 0.0, scale = 1e-6;

	for (size_t i = 0; i < n; i++) {
		/* Some models take roots of negative numbers; NaN is then the right answer. */
		if ((isnan(want[i]) && isnan(got[i])) || want[i] == got[i]) {
			scale = fmax(scale, isfinite(want[i]) ? fabs((double)want[i]) : 0.0);
			continue;
		}
		if (!isfinite(got[i]) || !isfinite(want[i]))
			return HUGE_VAL;
		worst = fmax(worst, fabs((double)got[i] - (double)want[i]));
		scale = fmax(scale, fabs((double)want[i]));
	}
	return worst / scale;
}

static bool compare(const char *dir, struct sim_run *run)
{
	char path[1200];
	struct npy t;

	for (uint32_t i = 0; i < run->num_out; i++) {
		double e;

		snprintf(path, sizeof(path), "%s/test_data_set_0/output_%u.pb", dir, i);
		if (!tensor_pb_read(path, &t) || t.elements != run->out[i].elements) {
			printf("  %s: output %u does not fit\n", dir, i);
			return false;
		}
		e = worst_error(run->out[i].data, t.data, t.elements);
		free(t.data);
		if (!(e < 1e-4)) {
			printf("  %s: output %u is off by %g\n", dir, i, e);
			return false;
		}
	}
	return true;
}

static bool run_compiled(const char *dir, const struct accelcc_result *r)
{
	struct sim_run run;
	char path[1200];
	struct npy t;
	bool ok;

	if (sim_inspect(r->ncx, r->ncx_size, &run)) {
		printf("  %s: %s\n", dir, run.error);
		return false;
	}
	for (uint32_t i = 0; i < run.num_in; i++) {
		snprintf(path, sizeof(path), "%s/test_data_set_0/input_%u.pb", dir, i);
		if (!tensor_pb_read(path, &t) || t.elements != run.in[i].elements) {
			printf("  %s: input %u does not fit\n", dir, i);
			return false;
		}
		run.in[i].data = t.data;
	}
	ok = sim_launch(r->ncx, r->ncx_size, &run) == 0;
	if (!ok)
		printf("  %s: %s\n", dir, run.error);
	ok = ok && compare(dir, &run);
	for (uint32_t i = 0; i < run.num_in; i++)
		free(run.in[i].data);
	sim_free(&run);
	return ok;
}

static bool run_dir(const char *dir)
{
	struct accelcc_options o = { .size = sizeof(o) };
	struct accelcc_result r;
	char path[1200];
	bool ok;

	snprintf(path, sizeof(path), "%s/model.onnx", dir);
	if (access(path, R_OK))
		return true;
	accelcc_compile_file(path, &o, &r);
	if (r.status == ACCELCC_BAD_INPUT) {
		refused++;
		return strlen(r.message) > 10;
	}
	if (r.status != ACCELCC_OK) {
		printf("  %s: status %d, %s\n", dir, (int)r.status, r.message);
		return false;
	}
	compiled++;
	ok = run_compiled(dir, &r);
	accelcc_result_free(&r);
	return ok;
}

static void run_group(const char *group)
{
	char path[512];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), DATA "/%s", group);
	d = opendir(path);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);	/* libonnx-testdata and python3-onnx bring it */
	while ((e = readdir(d))) {
		char dir[1024];

		if (e->d_name[0] == '.')
			continue;
		snprintf(dir, sizeof(dir), "%s/%s", path, e->d_name);
		CU_ASSERT(run_dir(dir));
	}
	closedir(d);
}

static void test_node(void)
{
	run_group("node");
}

static void test_converted(void)
{
	run_group("pytorch-converted");
	run_group("pytorch-operator");
	run_group("simple");
}

static void test_enough(void)
{
	printf("\n  %d compiled and right, %d refused ...", compiled, refused);
	CU_ASSERT(compiled >= LEAST_COMPILED);
}

int main(void)
{
	CU_pSuite suite;
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	suite = CU_add_suite("ONNX test models", NULL, NULL);
	CU_add_test(suite, "operators", test_node);
	CU_add_test(suite, "converted from PyTorch", test_converted);
	CU_add_test(suite, "enough of them compile", test_enough);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures ? 1 : 0;
}
