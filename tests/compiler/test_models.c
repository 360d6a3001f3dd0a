// SPDX-License-Identifier: MIT
/* Whole models, compiled and run on a simulated core, against what PyTorch computed. */
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accelcc.h"
#include "npy.h"
#include "sim_run.h"

#define DIGITS "tests/digits"
#define SOME_DIGITS 24

static char models[PATH_MAX + 16];

/* Largest error relative to the largest reference value. */
static double worst_error(const float *got, const float *want, size_t n)
{
	double worst = 0.0, scale = 1e-6;

	for (size_t i = 0; i < n; i++) {
		if (!isfinite(got[i]))
			return HUGE_VAL;
		worst = fmax(worst, fabs((double)got[i] - (double)want[i]));
		scale = fmax(scale, fabs((double)want[i]));
	}
	return worst / scale;
}

static bool compile(const char *path, const char *target, enum accelcc_precision precision,
		    bool no_fuse, struct accelcc_result *r)
{
	struct accelcc_options o = { .size = sizeof(o), .target = target, .precision = precision,
				     .no_fuse = no_fuse };

	if (accelcc_compile_file(path, &o, r) == ACCELCC_OK)
		return true;
	printf("  %s: %s\n", path, r->message);
	return false;
}

static bool run_model(const char *name, const char *target, enum accelcc_precision precision,
		      bool no_fuse)
{
	double limit = precision == ACCELCC_BF16 ? 2e-2 : 1e-4;
	struct accelcc_result r;
	struct sim_run run;
	char path[PATH_MAX + 256];
	struct npy t;
	bool ok = true;

	snprintf(path, sizeof(path), "%s/%s.onnx", models, name);
	if (!compile(path, target, precision, no_fuse, &r))
		return false;
	if (sim_inspect(r.ncx, r.ncx_size, &run)) {
		printf("  %s: %s\n", name, run.error);
		accelcc_result_free(&r);
		return false;
	}
	for (uint32_t i = 0; i < run.num_in && ok; i++) {
		snprintf(path, sizeof(path), "%s/%s.in%u.npy", models, name, i);
		ok = npy_read(path, &t) && t.elements == run.in[i].elements;
		run.in[i].data = t.data;
	}
	if (!ok)
		printf("  %s: inputs do not fit\n", name);
	run.timed = !strncmp(name, "timed_", 6);
	if (ok && sim_launch(r.ncx, r.ncx_size, &run)) {
		printf("  %s for %s: %s\n", name, target, run.error);
		ok = false;
	}
	for (uint32_t i = 0; i < run.num_out && ok && !run.timed; i++) {
		double e;

		snprintf(path, sizeof(path), "%s/%s.out%u.npy", models, name, i);
		ok = npy_read(path, &t) && t.elements == run.out[i].elements;
		if (!ok) {
			printf("  %s: output %u has another size\n", name, i);
			break;
		}
		e = worst_error(run.out[i].data, t.data, t.elements);
		if (!(e < limit)) {
			printf("  %s for %s%s%s: output %u is off by %g\n", name, target,
			       precision == ACCELCC_BF16 ? " bf16" : "", no_fuse ? " unfused" : "",
			       i, e);
			ok = false;
		}
		free(t.data);
	}
	for (uint32_t i = 0; i < run.num_in; i++)
		free(run.in[i].data);
	sim_free(&run);
	accelcc_result_free(&r);
	return ok;
}

static void run_all(const char *target, enum accelcc_precision precision, bool no_fuse)
{
	char path[PATH_MAX + 32], name[128];
	int num = 0;
	FILE *list;

	snprintf(path, sizeof(path), "%s/list.txt", models);
	list = fopen(path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(list);
	while (fscanf(list, "%127s", name) == 1) {
		num++;
		/* These are about SBUF being small, and slow. */
		if (!strncmp(name, "bands_", 6) && (strcmp(target, "nca1") || no_fuse))
			continue;
		CU_ASSERT(run_model(name, target, precision, no_fuse));
	}
	fclose(list);
	CU_ASSERT(num > 50);
}

static void test_nca1_fp32(void)
{
	run_all("nca1", ACCELCC_FP32, false);
}

static void test_nca1_bf16(void)
{
	run_all("nca1", ACCELCC_BF16, false);
}

static void test_nca2_fp32(void)
{
	run_all("nca2", ACCELCC_FP32, false);
}

static void test_nca2_bf16(void)
{
	run_all("nca2", ACCELCC_BF16, false);
}

static void test_no_fuse(void)
{
	run_all("nca1", ACCELCC_FP32, true);
}

/* Images in groups: every group brings the same weights, which the program has once. */
static void test_weights_once(void)
{
	struct accelcc_result grouped, whole;
	char path[PATH_MAX + 256];

	snprintf(path, sizeof(path), "%s/batch_groups.onnx", models);
	CU_ASSERT_FATAL(compile(path, "nca1", ACCELCC_FP32, true, &whole));
	CU_ASSERT_FATAL(compile(path, "nca1", ACCELCC_FP32, false, &grouped));
	CU_ASSERT(grouped.stats.weight_bytes < whole.stats.weight_bytes * 3 / 2);
	accelcc_result_free(&whole);
	accelcc_result_free(&grouped);
}

/* Held-out digits: logits as PyTorch's, and the right digit where PyTorch has it right. */
static void digits(enum accelcc_precision precision, double limit)
{
	struct npy images, labels, logits;
	struct accelcc_result r;
	struct sim_run run;
	int right = 0;

	CU_ASSERT_FATAL(npy_read(DIGITS "/images.npy", &images));
	CU_ASSERT_FATAL(npy_read(DIGITS "/labels.npy", &labels));
	CU_ASSERT_FATAL(npy_read(DIGITS "/logits.npy", &logits));
	CU_ASSERT_FATAL(compile(DIGITS "/digits.onnx", "nca1", precision, false, &r));
	for (int d = 0; d < SOME_DIGITS; d++) {
		const float *y;
		int best = 0;

		CU_ASSERT_FATAL(sim_inspect(r.ncx, r.ncx_size, &run) == 0);
		CU_ASSERT_FATAL(run.num_in == 1 && run.num_out == 1 && run.out[0].elements == 10);
		CU_ASSERT_STRING_EQUAL(run.in[0].name, "image");
		CU_ASSERT_STRING_EQUAL(run.out[0].name, "logits");
		run.in[0].data = (float *)images.data + d * 64;
		if (sim_launch(r.ncx, r.ncx_size, &run))
			CU_FAIL_FATAL(run.error);
		y = run.out[0].data;
		CU_ASSERT(worst_error(y, (float *)logits.data + d * 10, 10) < limit);
		for (int k = 1; k < 10; k++)
			if (y[k] > y[best])
				best = k;
		right += best == ((int64_t *)labels.data)[d];
		sim_free(&run);
	}
	CU_ASSERT(right >= SOME_DIGITS - 1);
	accelcc_result_free(&r);
	free(images.data);
	free(labels.data);
	free(logits.data);
}

static void test_digits_fp32(void)
{
	digits(ACCELCC_FP32, 1e-4);
}

static void test_digits_bf16(void)
{
	digits(ACCELCC_BF16, 3e-2);
}

int main(void)
{
	static const struct {
		const char *name;
		CU_TestFunc fn;
	} tests[] = {
		{ "digits, FP32", test_digits_fp32 },
		{ "digits, BF16", test_digits_bf16 },
		{ "models on nca1, FP32", test_nca1_fp32 },
		{ "models on nca1, BF16", test_nca1_bf16 },
		{ "models on nca2, FP32", test_nca2_fp32 },
		{ "models on nca2, BF16", test_nca2_bf16 },
		{ "models without fusion", test_no_fuse },
		{ "groups of images share weights", test_weights_once },
	};
	char self[PATH_MAX] = "";
	CU_pSuite suite;
	unsigned int failures;

	/* BUILD/tests/test_compiler_models -> BUILD/models */
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	snprintf(models, sizeof(models), "%s/../models", dirname(self));
	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	suite = CU_add_suite("compiled models", NULL, NULL);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		CU_add_test(suite, tests[i].name, tests[i].fn);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures ? 1 : 0;
}
