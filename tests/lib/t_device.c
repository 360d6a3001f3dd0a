// SPDX-License-Identifier: MIT
#include "suite.h"

static void names(void)
{
	accel_device *dev = NULL;
	char **list;
	size_t n = 99;

	OK(accel_device_list(&list, &n));
	for (size_t i = 0; i < n; i++)
		CU_ASSERT(!strncmp(list[i], "accel", 5));
	CU_ASSERT(list[n] == NULL);
	accel_device_list_free(list);

	RET(-ENODEV, accel_device_open("accel99", &dev));
	SAYS("accel99");
	RET(-ENODEV, accel_device_open("0000:99:1f.7", &dev));
	RET(-ENODEV, accel_device_open("/dev/null", &dev));
	RET(-EINVAL, accel_device_open("sim:nca7", &dev));
	SAYS("nca7");
	RET(-EINVAL, accel_device_open("sim:nca1,simd=mmx", &dev));
	SAYS("mmx");
	RET(-EINVAL, accel_device_open("sim", NULL));
	CU_ASSERT(dev == NULL);
}

static void describes_itself(void)
{
	ACCEL_INIT(struct accel_device_info, info);
	accel_device *dev = open_sim("sim");

	OK(accel_device_info(dev, &info));
	CU_ASSERT_STRING_EQUAL(info.name, "sim");
	CU_ASSERT_STRING_EQUAL(info.target, "nca1");
	CU_ASSERT_STRING_EQUAL(info.driver, "sim");
	CU_ASSERT_STRING_EQUAL(info.pci_address, "");
	CU_ASSERT(info.cores == 4 && info.slices == 8 && info.simulated == 1);
	CU_ASSERT(info.slices_free == 8 && info.slices_largest == 8);
	CU_ASSERT(info.memory_size == 8ull << 30 && info.memory_used == 0);
	CU_ASSERT(info.numa_node == -1 && info.state == 0);
	OK(accel_device_close(dev));

	dev = open_sim("sim:nca2");
	OK(accel_device_info(dev, &info));
	CU_ASSERT_STRING_EQUAL(info.target, "nca2");
	CU_ASSERT(info.cores == 2 && info.tick_hz == 5600000000ull);
	OK(accel_device_close(dev));
	OK(accel_device_close(NULL));
}

/* A program built against an older, shorter struct, and one that forgot the size. */
static void struct_sizes(void)
{
	accel_device *dev = open_sim("sim");
	struct accel_device_info info;

	memset(&info, 0x5a, sizeof(info));
	info.size = offsetof(struct accel_device_info, serial);
	OK(accel_device_info(dev, &info));
	CU_ASSERT_STRING_EQUAL(info.target, "nca1");
	CU_ASSERT(info.serial[0] == 0x5a);

	info.size = 0;
	RET(-EINVAL, accel_device_info(dev, &info));
	SAYS("ACCEL_INIT");
	RET(-EINVAL, accel_device_info(dev, NULL));

	struct {
		struct accel_context_options known;
		uint64_t later;
	} newer = { .known = { .size = sizeof(newer), .slices = ACCEL_LARGE } };
	accel_context *ctx;

	OK(accel_context_create(dev, &newer.known, &ctx));
	OK(accel_context_destroy(ctx));
	newer.later = 1;
	RET(-E2BIG, accel_context_create(dev, &newer.known, &ctx));
	OK(accel_device_close(dev));
}

static void close_needs_no_contexts(void)
{
	accel_device *dev = open_sim("sim");
	accel_context *a = new_context(dev, ACCEL_MEDIUM), *b = new_context(dev, ACCEL_LARGE);

	RET(-EBUSY, accel_device_close(dev));
	SAYS("2 contexts");
	OK(accel_context_destroy(a));
	OK(accel_context_destroy(b));
	OK(accel_device_close(dev));
}

static void telemetry_counts(void)
{
	ACCEL_INIT(struct accel_telemetry, t);
	accel_device *dev = open_sim("sim");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM);
	accel_queue *q = new_queue(ctx, 8);
	ACCEL_INIT(struct accel_context_info, info);
	struct accel_completion c[5];

	for (int i = 0; i < 5; i++)
		OK(accel_queue_nop(q, i));
	RET(5, accel_queue_submit(q));
	take(q, c, 5);
	OK(accel_device_telemetry(dev, &t));
	CU_ASSERT(t.commands == 5 && t.faults == 0 && t.bad_bus_accesses == 0);
	CU_ASSERT(t.simd[0] != '\0');
	OK(accel_context_info(ctx, &info));
	CU_ASSERT(info.commands == 5 && info.slices == 1 && info.state == ACCEL_CONTEXT_RUNNING);
	CU_ASSERT(info.memory_quota == 1ull << 30 && info.cores == 1);
	OK(accel_context_destroy(ctx));
	OK(accel_device_close(dev));
}

void suite_device(void)
{
	CU_pSuite s = add_suite("device");

	add_test(s, "names", names);
	add_test(s, "describes itself", describes_itself);
	add_test(s, "struct sizes", struct_sizes);
	add_test(s, "close needs no contexts", close_needs_no_contexts);
	add_test(s, "telemetry counts", telemetry_counts);
}
