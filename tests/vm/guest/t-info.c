// SPDX-License-Identifier: MIT
/*
 * Usage: t-info fdinfo | user | devmem | large
 *
 * fdinfo: what /proc says about an open file. user: the limits of a user without privileges, as
 * set by info.sh (2 contexts, 3 queues, 1 MiB pinned). devmem: memory that outlives its context.
 * large: buffers of thousands of scattered pages, and of several pieces of device memory.
 */
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dev.h"
#include "tap.h"

#define LIMIT_MS	20000
#define MIB		(1ull << 20)

static char info[8192];

static bool read_fdinfo(int fd)
{
	char path[64];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	if (!f)
		return false;
	n = fread(info, 1, sizeof(info) - 1, f);
	info[n] = '\0';
	fclose(f);
	return true;
}

/* The number of a key, in the unit it is printed in; -1 when there is no such key. */
static long long value(const char *key)
{
	const char *line = strstr(info, key);

	return line && line[strlen(key)] == ':' ? strtoll(line + strlen(key) + 1, NULL, 10) : -1;
}

static void test_fdinfo(int fd)
{
	struct bo host, devm;
	struct nca_cqe cqe;
	struct queue q;
	struct ctx ctx;

	NEED_OK(ctx_create(fd, 1, &ctx), "a context");
	NEED_OK(bo_make(&ctx, 64 * 1024, DRM_NCA_BO_HOST, &host), "a host buffer");
	NEED_OK(bo_make(&ctx, 2 * MIB, DRM_NCA_BO_DEVICE, &devm), "a device buffer");
	NEED_OK(queue_create(&ctx, 4, 4, &q), "a queue");
	queue_fill(&q, 1, devm.va, 1, 2 * MIB);
	queue_submit(&q);
	CHECK(queue_spin(&q, &cqe, LIMIT_MS) == 0 && cqe.status == NCA_CQE_OK, "fdinfo: some work");
	CHECK(read_fdinfo(fd), "fdinfo: can be read");
	CHECK(strstr(info, "drm-driver:\tnca\n") != NULL, "fdinfo: drm-driver");
	CHECK(value("drm-client-id") > 0, "fdinfo: drm-client-id");
	CHECK(strstr(info, "drm-pdev:\t0000:") != NULL, "fdinfo: drm-pdev");
	CHECK(value("drm-engine-core") >= 0, "fdinfo: drm-engine-core");
	CHECK(value("drm-engine-capacity-core") > 0, "fdinfo: drm-engine-capacity-core");
	CHECK(value("drm-total-system") == 64, "fdinfo: 64 KiB of host memory");
	CHECK(strstr(info, "drm-total-device:\t2 MiB") != NULL, "fdinfo: 2 MiB of device memory");
	CHECK_OK(bo_unbind(&host), "fdinfo: unbind");
	bo_close(&host);
	bo_close(&devm);
	queue_destroy(&q);
	CHECK_OK(ctx_destroy(&ctx), "fdinfo: ctx-destroy");
	CHECK(read_fdinfo(fd) && value("drm-total-device") == 0, "fdinfo: nothing left");
}

static void test_user(void)
{
	struct rlimit lock = { 256 * 1024, 256 * 1024 };
	struct drm_nca_device_info dev;
	struct queue q[4];
	struct ctx ctx[3];
	struct bo bo[3];
	int fd;

	if (setrlimit(RLIMIT_MEMLOCK, &lock) || setgid(65534) || setuid(65534))
		tap_bail("becoming nobody");
	fd = dev_open();
	if (fd < 0)
		tap_bail("open " DEV_NODE);
	CHECK_OK(dev_info(fd, &dev), "user: device info");
	CHECK(dev.max_user_contexts == 2 && dev.max_user_queues == 3 && dev.max_user_pinned == MIB,
	      "user: the limits are told");
	NEED_OK(ctx_create(fd, 1, &ctx[0]), "a context");
	NEED_OK(ctx_create(fd, 1, &ctx[1]), "a second context");
	CHECK_ERR(EDQUOT, ctx_create(fd, 1, &ctx[2]), "user: a third context is refused");
	CHECK_OK(ctx_destroy(&ctx[1]), "user: one is given back");
	CHECK_OK(ctx_create(fd, 1, &ctx[1]), "user: and can be had again at once");

	for (int i = 0; i < 3; i++)
		NEED_OK(queue_create(&ctx[i % 2], 4, 4, &q[i]), "a queue");
	CHECK_ERR(EDQUOT, queue_create(&ctx[0], 4, 4, &q[3]), "user: a fourth queue is refused");
	for (int i = 0; i < 3; i++)
		CHECK_OK(queue_destroy(&q[i]), "user: queue-destroy");

	NEED_OK(bo_make(&ctx[0], 128 * 1024, DRM_NCA_BO_HOST, &bo[0]), "a buffer");
	NEED_OK(bo_make(&ctx[0], 128 * 1024, DRM_NCA_BO_HOST, &bo[1]), "a buffer up to RLIMIT_MEMLOCK");
	NEED_OK(bo_create(&ctx[0], PAGE, DRM_NCA_BO_HOST, &bo[2]), "a buffer, not bound");
	CHECK_ERR(EDQUOT, bo_bind(&bo[2], DRM_NCA_BIND_READ), "user: a page above RLIMIT_MEMLOCK is refused");
	CHECK_OK(bo_unbind(&bo[1]), "user: unbind");
	CHECK_OK(bo_bind(&bo[2], DRM_NCA_BIND_READ), "user: makes room");
	close(fd);
}

static void test_pinned(void)
{
	struct ctx ctx;
	struct bo bo;
	int fd = dev_open();

	/* Root: RLIMIT_MEMLOCK does not hold, the user's limit does. */
	NEED_OK(fd < 0 ? fd : ctx_create(fd, 1, &ctx), "a context");
	NEED_OK(bo_create(&ctx, 2 * MIB, DRM_NCA_BO_HOST, &bo), "a buffer");
	CHECK_ERR(EDQUOT, bo_bind(&bo, DRM_NCA_BIND_READ), "user: 2 MiB above a limit of 1 MiB");
	close(fd);
}

static void test_devmem(int fd)
{
	struct drm_nca_usage before, u;
	struct ctx ctx, full;
	struct bo bo;

	NEED_OK(dev_usage(fd, &before), "usage");
	NEED_OK(ctx_create(fd, 1, &ctx), "a context");
	NEED_OK(bo_make(&ctx, 64 * MIB, DRM_NCA_BO_DEVICE, &bo), "device memory");
	memset(bo.map, 0x5a, 64 * MIB);
	CHECK_OK(ctx_destroy(&ctx), "devmem: ctx-destroy with a buffer of it open");
	NEED_OK(dev_usage(fd, &u), "usage");
	CHECK(u.devmem_used == before.devmem_used + 64 * MIB, "devmem: the buffer stays");
	CHECK_ERR(ENOSPC, ctx_create(fd, 8, &full), "devmem: a full context would not get its memory");
	bo_close(&bo);
	NEED_OK(dev_usage(fd, &u), "usage");
	CHECK(u.devmem_used == before.devmem_used, "devmem: closing the buffer frees it");
	NEED_OK(ctx_create(fd, 8, &full), "a full context");

	/* The whole quota, the memory just freed among it: all zero. */
	bool zero = true;

	NEED_OK(bo_create(&full, full.c.devmem_quota, DRM_NCA_BO_DEVICE, &bo), "all of the memory");
	NEED_OK(bo_map(&bo), "mapped");
	for (uint64_t i = 0; i < 128 * MIB; i += PAGE)
		zero &= *(volatile uint64_t *)((char *)bo.map + i) == 0;
	CHECK(zero, "devmem: shows nothing of its last owner");
	bo_close(&bo);
	CHECK_OK(ctx_destroy(&full), "devmem: ctx-destroy");
}

static int run(struct queue *q)
{
	struct nca_cqe cqe;
	int err;

	queue_submit(q);
	err = queue_spin(q, &cqe, LIMIT_MS);
	return err ? err : cqe.status == NCA_CQE_OK ? 0 : -EIO;
}

/* Many extents: the list of them takes more than one page. */
static void test_scattered(int fd)
{
	const uint64_t len = 64 * MIB;
	struct bo host, devm;
	uint32_t seed = 7, *w;
	struct queue q;
	struct ctx ctx;
	bool same = true;

	NEED_OK(ctx_create(fd, 1, &ctx), "a context");
	NEED_OK(queue_create(&ctx, 4, 4, &q), "a queue");
	NEED_OK(bo_create(&ctx, len, DRM_NCA_BO_HOST, &host), "64 MiB of host memory");
	NEED_OK(bo_map(&host), "mapped");
	w = host.map;
	/* Backwards and in steps, so that neighbours do not come from neighbouring pages. */
	for (uint64_t step = 0; step < 8; step++)
		for (uint64_t i = len / PAGE; i-- > 0;)
			if (i % 8 == step * 5 % 8)
				w[i * PAGE / 4 + i % 1024] = i * 2654435761u;
	CHECK_OK(bo_bind(&host, DRM_NCA_BIND_READ | DRM_NCA_BIND_WRITE), "large: bind");
	NEED_OK(bo_make(&ctx, len, DRM_NCA_BO_DEVICE, &devm), "64 MiB of device memory");
	queue_copy(&q, 1, devm.va, host.va, len);
	CHECK_OK(run(&q), "large: copy to the device");
	for (uint64_t i = 0; i < len / PAGE; i++)
		same &= ((uint32_t *)devm.map)[i * PAGE / 4 + i % 1024] == (uint32_t)(i * 2654435761u);
	CHECK(same, "large: every page came from the right place");
	for (int n = 0; n < 1000; n++)
		((uint32_t *)devm.map)[rnd(&seed) % (len / 4)] = rnd(&seed);
	queue_copy(&q, 2, host.va, devm.va, len);
	CHECK_OK(run(&q), "large: copy back");
	CHECK(!memcmp(host.map, devm.map, len), "large: every byte came back to the right place");
	CHECK_OK(bo_unbind(&host), "large: unbind");
	bo_close(&host);
	bo_close(&devm);
	queue_destroy(&q);
	CHECK_OK(ctx_destroy(&ctx), "large: ctx-destroy");
}

/* One buffer out of two holes. */
static void test_pieces(int fd)
{
	struct bo part[4], two;
	struct queue q;
	struct ctx ctx;
	uint64_t size, edge;
	uint32_t *p;

	NEED_OK(ctx_create(fd, 8, &ctx), "the whole device");
	NEED_OK(queue_create(&ctx, 4, 4, &q), "a queue");
	size = ctx.c.devmem_quota / 4;
	for (int i = 0; i < 4; i++)
		NEED_OK(bo_create(&ctx, size, DRM_NCA_BO_DEVICE, &part[i]), "a quarter of it");
	bo_close(&part[0]);
	bo_close(&part[2]);
	NEED_OK(bo_make(&ctx, 2 * size, DRM_NCA_BO_DEVICE, &two), "two quarters that do not touch");
	p = two.map;
	edge = size / 4;
	p[0] = 1;
	p[edge - 1] = 2;
	p[edge] = 3;
	p[edge * 2 - 1] = 4;
	queue_fill(&q, 1, two.va + size - 8 * PAGE, 0xabcdef01, 16 * PAGE);
	CHECK_OK(run(&q), "large: the device fills over the edge of a piece");
	CHECK(p[edge - 1] == 0xabcdef01 && p[edge] == 0xabcdef01 && p[edge - 8 * 1024 - 1] == 0 &&
	      p[edge + 8 * 1024] == 0, "large: and the CPU sees the same pieces");
	CHECK(p[0] == 1 && p[edge * 2 - 1] == 4, "large: from end to end");
	bo_close(&two);
	bo_close(&part[1]);
	bo_close(&part[3]);
	queue_destroy(&q);
	CHECK_OK(ctx_destroy(&ctx), "large: ctx-destroy");
}

int main(int argc, char **argv)
{
	int fd = dev_open();

	tap_prefix = "info ";
	if (argc != 2)
		tap_bail("usage: t-info fdinfo|user|devmem|large");
	if (fd < 0)
		tap_bail("open " DEV_NODE);
	if (!strcmp(argv[1], "fdinfo")) {
		test_fdinfo(fd);
	} else if (!strcmp(argv[1], "devmem")) {
		test_devmem(fd);
	} else if (!strcmp(argv[1], "large")) {
		test_scattered(fd);
		test_pieces(fd);
	} else {
		test_pinned();
		test_user();
	}
	close(fd);
	return tap_done();
}
