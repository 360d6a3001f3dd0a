// SPDX-License-Identifier: MIT
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>

#include "suite.h"

bool check_ret(const char *what, int got, int want)
{
	if (got == want)
		return true;
	fprintf(stderr, "\n%s returned %d instead of %d: \"%s\"\n", what, got, want,
		accel_last_error());
	return false;
}

bool check_says(const char *text)
{
	if (strstr(accel_last_error(), text))
		return true;
	fprintf(stderr, "\nthe error text \"%s\" does not say \"%s\"\n", accel_last_error(), text);
	return false;
}

bool on_sim(void)
{
	return !getenv("ACCEL_TEST_DEVICE");
}

const char *test_device(const char *name)
{
	return on_sim() ? name : getenv("ACCEL_TEST_DEVICE");
}

accel_device *open_dev(const char *name)
{
	return open_sim(test_device(name));
}

accel_device *open_sim(const char *name)
{
	accel_device *dev = NULL;

	OK(accel_device_open(name, &dev));
	return dev;
}

accel_context *new_context(accel_device *dev, enum accel_size size)
{
	ACCEL_INIT(struct accel_context_options, opt);
	accel_context *ctx = NULL;

	opt.slices = size;
	OK(accel_context_create(dev, &opt, &ctx));
	return ctx;
}

accel_queue *new_queue(accel_context *ctx, uint32_t depth)
{
	ACCEL_INIT(struct accel_queue_options, opt);
	accel_queue *q = NULL;

	opt.depth = depth;
	OK(accel_queue_create(ctx, &opt, &q));
	return q;
}

accel_buffer *new_buffer(accel_context *ctx, uint64_t size, enum accel_memory where)
{
	accel_buffer *buf = NULL;

	OK(accel_buffer_create(ctx, size, where, ACCEL_READ | ACCEL_WRITE, &buf));
	return buf;
}

void take(accel_queue *q, struct accel_completion *out, unsigned int n)
{
	while (n) {
		int r = accel_queue_wait(q, out, n, LONG_NS);

		if (r <= 0)
			check_ret("accel_queue_wait", r, 1);
		CU_ASSERT_FATAL(r > 0);
		out += r;
		n -= (unsigned int)r;
	}
}

CU_pSuite add_suite(const char *name)
{
	CU_pSuite s = CU_add_suite(name, NULL, NULL);

	if (!s)
		abort();
	return s;
}

void add_test(CU_pSuite suite, const char *name, void (*fn)(void))
{
	if (!CU_add_test(suite, name, fn))
		abort();
}

int main(int argc, char **argv)
{
	unsigned int failed = 0;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 2;
	suite_ranges();
	suite_header();
	suite_device();
	suite_sizes();
	suite_buffer();
	suite_queue();
	suite_wait();
	suite_fork();
	suite_lost();
	suite_threads();
	suite_sick();
	suite_ncx();
	suite_graph();
	CU_basic_set_mode(CU_BRM_NORMAL);
	for (int i = 1; i < argc; i++) {
		CU_pSuite s = CU_get_suite_by_name(argv[i], CU_get_registry());

		if (!s) {
			fprintf(stderr, "no suite \"%s\"\n", argv[i]);
			return 2;
		}
		CU_basic_run_suite(s);
		failed += CU_get_number_of_failures();
	}
	if (argc == 1) {
		CU_basic_run_tests();
		failed = CU_get_number_of_failures();
	}
	failed += CU_get_number_of_suites_failed();
	CU_cleanup_registry();
	return failed ? 1 : 0;
}
