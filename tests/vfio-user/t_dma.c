/* SPDX-License-Identifier: MIT */
/* The client's memory: mapping, unmapping, and unmapping while the device is inside. */
#include "client.h"

#include <CUnit/CUnit.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define RW	(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)
#define PAGE	4096ull

static void map_and_unmap(void)
{
	int fd = memory_file(16 * PAGE, 0x11);
	struct bench b;
	uint8_t *mine;

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	CU_ASSERT_EQUAL(client_map(&b, 0x100000, 4 * PAGE, fd, 2 * PAGE, RW), 0);
	CU_ASSERT_EQUAL(mock_ranges(b.sim), 1);
	CU_ASSERT_EQUAL(b.sim->range[0].prot, NCASIM_DMA_READ | NCASIM_DMA_WRITE);
	/* It is the client's memory, at the right offset. */
	mine = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	mine[2 * PAGE + 5] = 0x77;
	CU_ASSERT_EQUAL(*mock_at(b.sim, 0x100005), 0x77);
	*mock_at(b.sim, 0x100000 + 3 * PAGE) = 0x88;
	CU_ASSERT_EQUAL(mine[5 * PAGE], 0x88);
	/* Read only for the device; another part of the same file. */
	CU_ASSERT_EQUAL(client_map(&b, 0x200000, PAGE, fd, 0, VFIO_DMA_MAP_FLAG_READ), 0);
	CU_ASSERT_EQUAL(b.sim->range[1].prot, NCASIM_DMA_READ);
	CU_ASSERT_EQUAL(client_unmap(&b, 0x100000, 4 * PAGE, 0), 0);
	CU_ASSERT_EQUAL(mock_ranges(b.sim), 1);
	CU_ASSERT_EQUAL(client_map(&b, 0x100000, PAGE, fd, 0, RW), 0);
	munmap(mine, 16 * PAGE);
	bench_close(&b);
	close(fd);
}

static void without_fd(void)
{
	struct bench b;

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	CU_ASSERT_EQUAL(client_map(&b, 0xc0000, 8 * PAGE, -1, 0, RW), 0);
	CU_ASSERT_EQUAL(mock_ranges(b.sim), 1);
	CU_ASSERT_PTR_NULL(b.sim->range[0].ptr);
	CU_ASSERT_EQUAL(client_unmap(&b, 0xc0000, 8 * PAGE, 0), 0);
	CU_ASSERT_EQUAL(mock_ranges(b.sim), 0);
	bench_close(&b);
}

static void refused(void)
{
	int fd = memory_file(4 * PAGE, 0), ro, null = open("/dev/null", O_RDWR);
	char path[64];
	struct bench b;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro = open(path, O_RDONLY);
	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	CU_ASSERT_EQUAL(client_map(&b, 0x10000, 2 * PAGE, fd, 0, RW), 0);
	/* Overlaps, from every side. */
	CU_ASSERT_EQUAL(client_map(&b, 0x10000, 2 * PAGE, fd, 0, RW), EEXIST);
	CU_ASSERT_EQUAL(client_map(&b, 0x11000, 2 * PAGE, fd, 0, RW), EEXIST);
	CU_ASSERT_EQUAL(client_map(&b, 0xf000, 2 * PAGE, fd, 0, RW), EEXIST);
	CU_ASSERT_EQUAL(client_map(&b, 0xf000, 4 * PAGE, fd, 0, RW), EEXIST);
	/* Neighbours are fine. */
	CU_ASSERT_EQUAL(client_map(&b, 0xf000, PAGE, fd, 0, RW), 0);
	CU_ASSERT_EQUAL(client_map(&b, 0x12000, PAGE, fd, 0, RW), 0);
	/* Sizes, alignment, wrap-around, past the end of the file. */
	CU_ASSERT_EQUAL(client_map(&b, 0x100000, 0, fd, 0, RW), EINVAL);
	CU_ASSERT_EQUAL(client_map(&b, 0x100001, PAGE, fd, 0, RW), EINVAL);
	CU_ASSERT_EQUAL(client_map(&b, 0x100000, PAGE + 1, fd, 0, RW), EINVAL);
	CU_ASSERT_EQUAL(client_map(&b, 0x100000, PAGE, fd, 8, RW), EINVAL);
	CU_ASSERT_EQUAL(client_map(&b, -PAGE, 2 * PAGE, fd, 0, RW), EINVAL);
	CU_ASSERT_EQUAL(client_map(&b, 0x100000, 5 * PAGE, fd, 0, RW), EINVAL);
	CU_ASSERT_EQUAL(client_map(&b, 0x100000, PAGE, fd, 4 * PAGE, RW), EINVAL);
	CU_ASSERT_EQUAL(client_map(&b, 0x100000, 2 * PAGE, fd, -PAGE, RW), EINVAL);
	CU_ASSERT_EQUAL(client_map(&b, 0x100000, PAGE, fd, 0, 4), EINVAL);
	/* Not memory; memory that may only be read. */
	CU_ASSERT_EQUAL(client_map(&b, 0x100000, PAGE, null, 0, RW), EINVAL);
	CU_ASSERT_EQUAL(client_unmap(&b, 0, 0x100000, 0), 0);
	CU_ASSERT_EQUAL(mock_ranges(b.sim), 0);
	bench_disconnect(&b);
	bench_connect(&b, true);
	CU_ASSERT_EQUAL(client_map(&b, 0x100000, PAGE, ro, 0, RW), EACCES);
	CU_ASSERT_EQUAL(client_map(&b, 0x100000, PAGE, ro, 0, VFIO_DMA_MAP_FLAG_READ), 0);
	bench_close(&b);
	close(fd);
	close(ro);
	close(null);
}

static void unmap_rules(void)
{
	int fd = memory_file(8 * PAGE, 0);
	struct bench b;

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	for (uint64_t i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(client_map(&b, 0x10000 + 2 * i * PAGE, 2 * PAGE, fd, 0, RW), 0);
	/* A request that cuts a range in two changes nothing. */
	CU_ASSERT_EQUAL(client_unmap(&b, 0x11000, 2 * PAGE, 0), EINVAL);
	CU_ASSERT_EQUAL(client_unmap(&b, 0x10000, 3 * PAGE, 0), EINVAL);
	CU_ASSERT_EQUAL(client_unmap(&b, 0x10000, PAGE, 0), EINVAL);
	CU_ASSERT_EQUAL(mock_ranges(b.sim), 4);
	/* A virtual IOMMU unmaps many at once, and where nothing is. */
	CU_ASSERT_EQUAL(client_unmap(&b, 0x12000, 4 * PAGE, 0), 0);
	CU_ASSERT_EQUAL(mock_ranges(b.sim), 2);
	CU_ASSERT_EQUAL(client_unmap(&b, 0x12000, 4 * PAGE, 0), 0);
	CU_ASSERT_EQUAL(client_unmap(&b, 0xfef00000, -0xfef00000ull, 0), 0);
	CU_ASSERT_EQUAL(mock_ranges(b.sim), 2);
	CU_ASSERT_EQUAL(client_unmap(&b, 0x10000, 0, 0), EINVAL);
	CU_ASSERT_EQUAL(client_unmap(&b, 0x10001, PAGE, 0), EINVAL);
	CU_ASSERT_EQUAL(client_unmap(&b, 0x10000, PAGE, VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP),
			ENOTSUP);
	CU_ASSERT_EQUAL(client_unmap(&b, 0x10000, PAGE, VFIO_DMA_UNMAP_FLAG_ALL), EINVAL);
	CU_ASSERT_EQUAL(client_unmap(&b, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL), 0);
	CU_ASSERT_EQUAL(mock_ranges(b.sim), 0);
	bench_close(&b);
	close(fd);
}

/* As many ranges as are promised, then no more: behind an IOMMU, page by page. */
static void many(void)
{
	struct vu_dma_map map = { sizeof(map), RW, 0, 0, PAGE };
	int fd = memory_file(PAGE, 0);
	struct bench b;

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	for (unsigned int i = 0; i < VU_MAX_DMA_MAPS; i++) {
		map.address = (uint64_t)i * 2 * PAGE;
		client_send(&b, VU_DMA_MAP, VU_FLAG_NO_REPLY, &map, sizeof(map), &fd, 1);
	}
	CU_ASSERT_EQUAL(client_map(&b, 1ull << 40, PAGE, fd, 0, RW), ENOSPC);
	CU_ASSERT_EQUAL(mock_ranges(b.sim), VU_MAX_DMA_MAPS);
	CU_ASSERT_EQUAL(client_unmap(&b, 2 * PAGE, PAGE, 0), 0);
	CU_ASSERT_EQUAL(client_map(&b, 1ull << 40, PAGE, fd, 0, RW), 0);
	bench_disconnect(&b);
	CU_ASSERT_EQUAL(mock_ranges(b.sim), 0);
	bench_close(&b);
	close(fd);
}

/* More files than are kept mapped: unused ones make room, used ones do not. */
static void many_files(void)
{
	struct bench b;

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	for (unsigned int i = 0; i < 3 * GUEST_FILES_MAX; i++) {
		int fd = memory_file(PAGE, i);

		CU_ASSERT_EQUAL(client_map(&b, 0x10000, PAGE, fd, 0, RW), 0);
		CU_ASSERT_EQUAL(*mock_at(b.sim, 0x10000), i);
		CU_ASSERT_EQUAL(client_unmap(&b, 0x10000, PAGE, 0), 0);
		close(fd);
	}
	for (unsigned int i = 0; i <= GUEST_FILES_MAX; i++) {
		int fd = memory_file(PAGE, i);

		CU_ASSERT_EQUAL(client_map(&b, i * PAGE, PAGE, fd, 0, RW),
				i < GUEST_FILES_MAX ? 0 : ENOSPC);
		close(fd);
	}
	bench_close(&b);
}

static void client_vanishes(void)
{
	int fd = memory_file(PAGE, 0);
	unsigned int resets;
	struct bench b;

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	enable_function(&b);
	CU_ASSERT_EQUAL(client_map(&b, 0x10000, PAGE, fd, 0, RW), 0);
	resets = b.sim->resets;
	bench_disconnect(&b);
	CU_ASSERT_EQUAL(mock_ranges(b.sim), 0);
	CU_ASSERT_FALSE(b.sim->master);
	CU_ASSERT_EQUAL(b.sim->resets, resets + 1);
	/* The next one finds a fresh function. */
	bench_connect(&b, true);
	CU_ASSERT_EQUAL(config_word(&b, 4), 0);
	bench_close(&b);
	close(fd);
}

struct unmapping {
	struct bench *b;
	int result;
};

static void *unmap_in_thread(void *arg)
{
	struct unmapping *u = arg;

	u->result = client_unmap(u->b, 0x10000, PAGE, 0);
	return NULL;
}

/* The acknowledgement waits for the engine that is inside. */
static void unmap_in_use(void)
{
	int fd = memory_file(PAGE, 0);
	struct unmapping u = { .result = -2 };
	struct bench b;
	pthread_t t;

	bench_open(&b, 60000, 0);
	bench_connect(&b, true);
	CU_ASSERT_EQUAL(client_map(&b, 0x10000, PAGE, fd, 0, RW), 0);
	mock_hold(b.sim, true);
	u.b = &b;
	pthread_create(&t, NULL, unmap_in_thread, &u);
	while (!mock_waiting(b.sim))
		usleep(1000);
	CU_ASSERT_EQUAL(mock_ranges(b.sim), 1);
	/* No answer yet: nothing to read at the client's end. */
	CU_ASSERT_EQUAL(recv(b.fd, &(char){ 0 }, 1, MSG_PEEK | MSG_DONTWAIT), -1);
	mock_hold(b.sim, false);
	pthread_join(t, NULL);
	CU_ASSERT_EQUAL(u.result, 0);
	CU_ASSERT_EQUAL(mock_ranges(b.sim), 0);
	bench_close(&b);
	close(fd);
}

/* An engine that never comes out loses the memory instead, and everything else goes on. */
static void unmap_wedged(void)
{
	int fd = memory_file(4 * PAGE, 0x22);
	struct bench b;
	uint8_t *mine, *stuck;

	bench_open(&b, 30, 0);
	bench_connect(&b, true);
	mine = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CU_ASSERT_EQUAL(client_map(&b, 0x10000, PAGE, fd, 0, RW), 0);
	CU_ASSERT_EQUAL(client_map(&b, 0x20000, PAGE, fd, PAGE, RW), 0);
	stuck = mock_at(b.sim, 0x10000);
	mock_hold(b.sim, true);
	CU_ASSERT_EQUAL(client_unmap(&b, 0x10000, PAGE, 0), 0);
	/* What the engine still does there does not reach the client, nor the other way round. */
	CU_ASSERT_EQUAL(*stuck, 0);
	*stuck = 0x99;
	CU_ASSERT_EQUAL(mine[0], 0x22);
	/* Other ranges of the same file are as they were. */
	*mock_at(b.sim, 0x20000) = 0x33;
	CU_ASSERT_EQUAL(mine[PAGE], 0x33);
	/* The same memory given anew is the client's memory, not what was cut. */
	CU_ASSERT_EQUAL(client_map(&b, 0x30000, PAGE, fd, 0, RW), 0);
	*mock_at(b.sim, 0x30000) = 0x44;
	CU_ASSERT_EQUAL(mine[0], 0x44);
	CU_ASSERT_EQUAL(config_word(&b, 0), NCA_PCI_VENDOR_ID);
	/* Leaving is bounded as well, and the device is usable when it comes to itself. */
	bench_disconnect(&b);
	mock_hold(b.sim, false);
	bench_connect(&b, true);
	CU_ASSERT_EQUAL(client_map(&b, 0x10000, PAGE, fd, 0, RW), 0);
	munmap(mine, 4 * PAGE);
	bench_close(&b);
	close(fd);
}

/* Bus mastering off and resets wait as well, and not for ever. */
static void master_off_wedged(void)
{
	struct bench b;

	bench_open(&b, 30, 0);
	bench_connect(&b, true);
	enable_function(&b);
	mock_hold(b.sim, true);
	set_config_word(&b, 4, 0);
	CU_ASSERT_EQUAL(client_call(&b, VU_DEVICE_RESET, NULL, 0, NULL, 0, NULL), ETIMEDOUT);
	CU_ASSERT_EQUAL(config_word(&b, 0), NCA_PCI_VENDOR_ID);
	mock_hold(b.sim, false);
	bench_close(&b);
}

/* A file that shrinks after it was mapped must not take the device down. */
static void shrinking_file(void)
{
	int fd = memory_file(4 * PAGE, 0x55);
	struct bench b;
	uint8_t *p;

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	CU_ASSERT_EQUAL(client_map(&b, 0x10000, 4 * PAGE, fd, 0, RW), 0);
	p = mock_at(b.sim, 0x10000);
	CU_ASSERT_EQUAL(ftruncate(fd, PAGE), 0);
	CU_ASSERT_EQUAL(p[2 * PAGE], 0);
	p[3 * PAGE] = 1;
	CU_ASSERT_EQUAL(p[0], 0x55);
	CU_ASSERT_EQUAL(client_unmap(&b, 0x10000, 4 * PAGE, 0), 0);
	bench_close(&b);
	close(fd);
}

void add_dma_tests(void)
{
	CU_pSuite s = CU_add_suite("client memory", NULL, NULL);

	CU_add_test(s, "map and unmap", map_and_unmap);
	CU_add_test(s, "map without descriptor", without_fd);
	CU_add_test(s, "maps refused", refused);
	CU_add_test(s, "unmap rules", unmap_rules);
	CU_add_test(s, "as many maps as promised", many);
	CU_add_test(s, "many files", many_files);
	CU_add_test(s, "client vanishes", client_vanishes);
	CU_add_test(s, "unmap while in use", unmap_in_use);
	CU_add_test(s, "unmap from a wedged device", unmap_wedged);
	CU_add_test(s, "bus mastering off on a wedged device", master_off_wedged);
	CU_add_test(s, "memory file that shrinks", shrinking_file);
}
