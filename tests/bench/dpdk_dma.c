// SPDX-License-Identifier: MIT
/*
 * DPDK's software DMA device: a thread behind a ring in the same process, as our embedded device is.
 * 64-byte copies; the contents are checked.
 */
#include <string.h>

#include <rte_dmadev.h>
#include <rte_eal.h>
#include <rte_malloc.h>

#include "clock.h"

#define SINGLES 200000
#define DEEP_NS 2000000000ull
#define IDLES 500
#define BYTES 64
#define MAX_DEPTH 32

static int16_t dev;
static char *src, *dst;

static void fail(const char *what)
{
	fprintf(stderr, "dpdk_dma: %s\n", what);
	exit(1);
}

static void copy(unsigned int slot, bool submit)
{
	rte_iova_t from = (rte_iova_t)(uintptr_t)(src + slot * BYTES);
	rte_iova_t to = (rte_iova_t)(uintptr_t)(dst + slot * BYTES);

	if (rte_dma_copy(dev, 0, from, to, BYTES, submit ? RTE_DMA_OP_FLAG_SUBMIT : 0) < 0)
		fail("the ring is full");
}

static void take(unsigned int n)
{
	bool error = false;
	uint16_t last;

	while (n)
		n -= rte_dma_completed(dev, 0, (uint16_t)n, &last, &error);
	if (error)
		fail("a copy failed");
}

static void singles(const char *name, size_t n, long pause)
{
	uint64_t *ns = malloc(n * sizeof(*ns));

	if (!ns)
		fail("no memory");
	for (size_t i = 0; i < n; i++) {
		uint64_t start;

		if (pause)
			idle_ns(pause);
		memcpy(src, &i, sizeof(i));
		start = now_ns();
		copy(0, true);
		take(1);
		ns[i] = now_ns() - start;
		if (memcmp(dst, &i, sizeof(i)))
			fail("a copy is wrong");
	}
	print_latency(name, ns, n);
	free(ns);
}

static void deep(const char *name, unsigned int depth)
{
	uint64_t start = now_ns(), end, count = 0;

	do {
		for (unsigned int i = 0; i < depth; i++)
			copy(i, i + 1 == depth);
		take(depth);
		count += depth;
		end = now_ns();
	} while (end - start < DEEP_NS);
	print_rate(name, count, end - start);
}

int main(int argc, char **argv)
{
	struct rte_dma_vchan_conf vchan = {
		.direction = RTE_DMA_DIR_MEM_TO_MEM, .nb_desc = 1024,
	};
	struct rte_dma_conf conf = { .nb_vchans = 1 };

	if (rte_eal_init(argc, argv) < 0)
		fail("DPDK did not start");
	dev = (int16_t)rte_dma_get_dev_id_by_name("dma_skeleton");
	if (dev < 0)
		fail("there is no dma_skeleton device");
	if (rte_dma_configure(dev, &conf) || rte_dma_vchan_setup(dev, 0, &vchan) ||
	    rte_dma_start(dev))
		fail("dma_skeleton cannot be set up");
	src = rte_zmalloc("src", BYTES * MAX_DEPTH, 4096);
	dst = rte_zmalloc("dst", BYTES * MAX_DEPTH, 4096);
	if (!src || !dst)
		fail("no memory");
	singles("dpdk-depth1", SINGLES, 0);
	deep("dpdk-depth32", MAX_DEPTH);
	singles("dpdk-idle", IDLES, 2000000);
	rte_dma_stop(dev);
	return 0;
}
