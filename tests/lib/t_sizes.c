// SPDX-License-Identifier: MIT
#include "suite.h"

static void parse(void)
{
	static const enum accel_size all[] = {
		ACCEL_MEDIUM, ACCEL_LARGE, ACCEL_XLARGE, ACCEL_FULL,
	};
	enum accel_size size;

	for (int i = 0; i < 4; i++) {
		OK(accel_size_parse(accel_size_name(all[i]), &size));
		CU_ASSERT(size == all[i]);
	}
	RET(-EINVAL, accel_size_parse("huge", &size));
	SAYS("\"huge\"");
	SAYS("medium, large, xlarge or full");
	RET(-EINVAL, accel_size_parse(NULL, &size));
	CU_ASSERT_STRING_EQUAL(accel_size_name(3), "");
}

static void says_what_is_left(void)
{
	accel_device *dev = open_sim("sim:nca1");
	ACCEL_INIT(struct accel_context_options, opt);
	ACCEL_INIT(struct accel_device_info, info);
	accel_context *x = new_context(dev, ACCEL_XLARGE), *m = new_context(dev, ACCEL_MEDIUM);
	accel_context *l, *more;

	opt.slices = ACCEL_XLARGE;
	RET(-ENOSPC, accel_context_create(dev, &opt, &more));
	CU_ASSERT_STRING_EQUAL(accel_last_error(),
			       "no room for xlarge (4 slices): 3 slices are free, the largest size that fits is large");
	OK(accel_device_info(dev, &info));
	CU_ASSERT(info.slices_free == 3 && info.slices_largest == 2 && info.contexts == 2);

	l = new_context(dev, ACCEL_LARGE);
	opt.slices = ACCEL_LARGE;
	RET(-ENOSPC, accel_context_create(dev, &opt, &more));
	SAYS("1 slice is free, the largest size that fits is medium");
	OK(accel_context_destroy(x));
	more = new_context(dev, ACCEL_XLARGE);
	x = new_context(dev, ACCEL_MEDIUM);
	/* A ninth slice. */
	opt.slices = ACCEL_MEDIUM;
	accel_context *ninth;

	RET(-ENOSPC, accel_context_create(dev, &opt, &ninth));
	SAYS("0 slices are free, no size fits");

	OK(accel_context_destroy(x));
	OK(accel_context_destroy(m));
	OK(accel_context_destroy(l));
	OK(accel_context_destroy(more));
	OK(accel_context_create(dev, NULL, &m));
	OK(accel_context_destroy(m));
	OK(accel_device_info(dev, &info));
	CU_ASSERT(info.slices_free == 8 && info.contexts == 0 && info.queues == 0);
	OK(accel_device_close(dev));
}

static void bad_options(void)
{
	accel_device *dev = open_sim("sim");
	ACCEL_INIT(struct accel_context_options, opt);
	accel_context *ctx = NULL;

	opt.slices = 3;
	RET(-EINVAL, accel_context_create(dev, &opt, &ctx));
	SAYS("3 slices");
	opt.slices = ACCEL_MEDIUM;
	opt.burst = 2;
	RET(-EINVAL, accel_context_create(dev, &opt, &ctx));
	opt.burst = 0;
	opt.memory = (1ull << 30) + 1;
	RET(-EINVAL, accel_context_create(dev, &opt, &ctx));
	SAYS("1073741824");
	RET(-EINVAL, accel_context_create(NULL, &opt, &ctx));
	RET(-EINVAL, accel_context_create(dev, &opt, NULL));
	opt.memory = 8192;
	opt.burst = 1;
	OK(accel_context_create(dev, &opt, &ctx));
	accel_buffer *buf = NULL;

	RET(-ENOSPC, accel_buffer_create(ctx, 8193, ACCEL_DEVICE, ACCEL_READ, &buf));
	SAYS("8192");
	OK(accel_buffer_create(ctx, 8192, ACCEL_DEVICE, ACCEL_READ, &buf));
	OK(accel_context_destroy(ctx));
	OK(accel_device_close(dev));
}

void suite_sizes(void)
{
	CU_pSuite s = add_suite("sizes");

	add_test(s, "parse", parse);
	add_test(s, "says what is left", says_what_is_left);
	add_test(s, "bad options", bad_options);
}
