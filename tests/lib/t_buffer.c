// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <unistd.h>

#include "suite.h"

static bool all(const uint8_t *p, uint8_t want, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != want)
			return false;
	return true;
}

static void run(accel_queue *q, int want)
{
	struct accel_completion c;

	RET(1, accel_queue_submit(q));
	take(q, &c, 1);
	CU_ASSERT_EQUAL(c.error, want);
}

static void copy_and_fill(void)
{
	accel_device *dev = open_dev("sim");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM);
	accel_queue *q = new_queue(ctx, 8);
	const uint64_t size = 3 << 20;
	accel_buffer *host = new_buffer(ctx, size, ACCEL_HOST);
	accel_buffer *back = new_buffer(ctx, size, ACCEL_HOST);
	accel_buffer *devmem = new_buffer(ctx, size, ACCEL_DEVICE);
	uint8_t *p = accel_buffer_map(host), *b = accel_buffer_map(back);

	CU_ASSERT_FATAL(p && b && accel_buffer_map(devmem));
	CU_ASSERT(accel_buffer_size(host) == size);
	CU_ASSERT(all(p, 0, size));
	for (size_t i = 0; i < size; i++)
		p[i] = (uint8_t)(i * 7 + (i >> 8));
	OK(accel_queue_copy(q, 1, accel_buffer_address(devmem), accel_buffer_address(host), size));
	run(q, 0);
	CU_ASSERT(!memcmp(accel_buffer_map(devmem), p, size));
	OK(accel_queue_copy(q, 2, accel_buffer_address(back) + 5, accel_buffer_address(devmem) + 9,
			    size - 9));
	run(q, 0);
	CU_ASSERT(!memcmp(b + 5, p + 9, size - 9) && all(b, 0, 5) && all(b + size - 4, 0, 4));
	OK(accel_queue_fill(q, 3, accel_buffer_address(back) + 8, 0xa5a5a5a5, size - 16));
	run(q, 0);
	CU_ASSERT(all(b + 8, 0xa5, size - 16));
	CU_ASSERT(b[7] == p[11] && all(b + size - 4, 0, 4));
	OK(accel_context_destroy(ctx));
	OK(accel_device_close(dev));
}

/* Device memory changes its owner zeroed. */
static void scrubbed(void)
{
	accel_device *dev = open_dev("sim");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM);
	accel_buffer *buf = new_buffer(ctx, 1 << 20, ACCEL_DEVICE);
	ACCEL_INIT(struct accel_device_info, info);

	memset(accel_buffer_map(buf), 0xee, 1 << 20);
	OK(accel_device_info(dev, &info));
	CU_ASSERT(info.memory_used == 1 << 20);
	OK(accel_buffer_destroy(buf));
	OK(accel_device_info(dev, &info));
	CU_ASSERT(info.memory_used == 0);
	OK(accel_context_destroy(ctx));

	ctx = new_context(dev, ACCEL_LARGE);
	buf = new_buffer(ctx, 2 << 20, ACCEL_DEVICE);
	CU_ASSERT(all(accel_buffer_map(buf), 0, 2 << 20));
	OK(accel_context_destroy(ctx));
	OK(accel_device_close(dev));
}

static void refuses(void)
{
	accel_device *dev = open_dev("sim");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM);
	ACCEL_INIT(struct accel_context_info, info);
	accel_buffer *buf = NULL, *other;

	RET(-EINVAL, accel_buffer_create(ctx, 0, ACCEL_HOST, ACCEL_READ, &buf));
	RET(-EINVAL, accel_buffer_create(ctx, UINT64_MAX, ACCEL_HOST, ACCEL_READ, &buf));
	RET(-EINVAL, accel_buffer_create(ctx, UINT64_MAX - 4000, ACCEL_DEVICE, ACCEL_READ, &buf));
	RET(-EINVAL, accel_buffer_create(ctx, 4096, ACCEL_HOST, 0, &buf));
	RET(-EINVAL, accel_buffer_create(ctx, 4096, ACCEL_HOST, 4, &buf));
	RET(-EINVAL, accel_buffer_create(ctx, 4096, (enum accel_memory)2, ACCEL_READ, &buf));
	RET(-EINVAL, accel_buffer_create(NULL, 4096, ACCEL_HOST, ACCEL_READ, &buf));
	/* A medium context has one GiB. */
	RET(-ENOSPC, accel_buffer_create(ctx, (1ull << 30) + 4096, ACCEL_DEVICE, ACCEL_READ, &buf));
	SAYS("1073741824");
	CU_ASSERT(buf == NULL);
	OK(accel_buffer_create(ctx, 1ull << 30, ACCEL_DEVICE, ACCEL_READ, &buf));
	OK(accel_context_info(ctx, &info));
	CU_ASSERT(info.memory_used == 1ull << 30);
	RET(-ENOSPC, accel_buffer_create(ctx, 1, ACCEL_DEVICE, ACCEL_READ, &other));
	OK(accel_buffer_destroy(buf));
	OK(accel_buffer_destroy(NULL));

	buf = new_buffer(ctx, 1, ACCEL_HOST);
	CU_ASSERT(accel_buffer_size(buf) == 4096);
	CU_ASSERT(accel_buffer_map(NULL) == NULL);
	OK(accel_context_destroy(ctx));
	OK(accel_device_close(dev));
}

/* Out of one context and into another, of another open file if there are files. */
static void dma_buf(void)
{
	accel_device *dev = open_dev("sim"), *dev2;
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM), *ctx2;
	accel_buffer *buf = new_buffer(ctx, 65536, ACCEL_HOST), *in = NULL;
	struct accel_completion c;
	accel_queue *q;
	int fd = -1;

	if (on_sim()) {
		RET(-EOPNOTSUPP, accel_buffer_export(buf, &fd));
		RET(-EOPNOTSUPP, accel_buffer_import(ctx, 0, ACCEL_READ, &in));
		OK(accel_context_destroy(ctx));
		OK(accel_device_close(dev));
		return;
	}
	dev2 = open_dev("sim");
	ctx2 = new_context(dev2, ACCEL_MEDIUM);
	q = new_queue(ctx2, 8);
	OK(accel_buffer_export(buf, &fd));
	CU_ASSERT(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	OK(accel_buffer_import(ctx2, fd, ACCEL_READ | ACCEL_WRITE, &in));
	close(fd);
	CU_ASSERT(accel_buffer_size(in) == 65536);
	OK(accel_queue_fill(q, 1, accel_buffer_address(in), 0x5a5a5a5a, 65536));
	RET(1, accel_queue_submit(q));
	take(q, &c, 1);
	CU_ASSERT(!c.error && all(accel_buffer_map(buf), 0x5a, 65536));
	/* The memory outlives the context it came from. */
	OK(accel_context_destroy(ctx));
	OK(accel_device_close(dev));
	OK(accel_queue_fill(q, 2, accel_buffer_address(in), 0, 65536));
	RET(1, accel_queue_submit(q));
	take(q, &c, 1);
	CU_ASSERT(!c.error);
	RET(-EBADF, accel_buffer_import(ctx2, 9999, ACCEL_READ, &buf));
	OK(accel_context_destroy(ctx2));
	OK(accel_device_close(dev2));
}

/* One command that must fault, in a context of its own. */
static void faults(uint64_t off, uint64_t len, uint32_t access)
{
	accel_device *dev = open_dev("sim");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM);
	accel_queue *q = new_queue(ctx, 8);
	struct accel_completion c;
	accel_buffer *buf, *next;

	OK(accel_buffer_create(ctx, 8192, ACCEL_HOST, access, &buf));
	/* What is allocated next must not lie where the first one ends. */
	OK(accel_buffer_create(ctx, 8192, ACCEL_HOST, ACCEL_READ | ACCEL_WRITE, &next));
	OK(accel_queue_fill(q, 1, accel_buffer_address(buf) + off, 1, len));
	RET(1, accel_queue_submit(q));
	take(q, &c, 1);
	CU_ASSERT_EQUAL(c.error, -EFAULT);
	CU_ASSERT_EQUAL(c.status, NCA_CQE_BAD_ADDRESS);
	CU_ASSERT_EQUAL(c.detail, NCA_ACCESS_WRITE);
	OK(accel_context_destroy(ctx));
	OK(accel_device_close(dev));
}

static void permissions(void)
{
	faults(0, 4096, ACCEL_READ);
}

static void guard_page(void)
{
	faults(4096, 8192, ACCEL_READ | ACCEL_WRITE);
}

static void used_after_destroy(void)
{
	accel_device *dev = open_dev("sim");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM);
	accel_queue *q = new_queue(ctx, 8);
	accel_buffer *buf = new_buffer(ctx, 4096, ACCEL_HOST);
	uint64_t va = accel_buffer_address(buf);
	ACCEL_INIT(struct accel_telemetry, t);

	OK(accel_queue_fill(q, 1, va, 1, 4096));
	run(q, 0);
	OK(accel_buffer_destroy(buf));
	OK(accel_queue_fill(q, 2, va, 1, 4096));
	run(q, -EFAULT);
	/* It was stopped by the context's map and never got as far as the bus. */
	OK(accel_device_telemetry(dev, &t));
	CU_ASSERT(t.bad_bus_accesses == 0);
	OK(accel_context_destroy(ctx));
	OK(accel_device_close(dev));
}

void suite_buffer(void)
{
	CU_pSuite s = add_suite("buffer");

	add_test(s, "copy and fill", copy_and_fill);
	add_test(s, "scrubbed", scrubbed);
	add_test(s, "refuses", refuses);
	add_test(s, "dma-buf", dma_buf);
	add_test(s, "permissions", permissions);
	add_test(s, "guard page", guard_page);
	add_test(s, "used after destroy", used_after_destroy);
}
