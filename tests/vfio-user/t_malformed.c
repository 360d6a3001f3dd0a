/* SPDX-License-Identifier: MIT */
/* What no client should send: answered with an error or a hang-up, and the next client is served. */
#include "client.h"

#include <CUnit/CUnit.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static unsigned int open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (d && readdir(d))
		n++;
	closedir(d);
	return n;
}

/* A header the stream cannot recover from. */
static void hang_up_on(struct vu_header hdr, uint32_t err)
{
	struct bench b;
	struct answer a;

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	client_send_raw(&b, &hdr, sizeof(hdr), NULL, 0);
	CU_ASSERT(client_recv(&b, &a));
	CU_ASSERT_EQUAL(a.hdr.flags, VU_FLAG_REPLY | VU_FLAG_ERROR);
	CU_ASSERT_EQUAL(a.hdr.error, err);
	CU_ASSERT(client_eof(&b));
	bench_disconnect(&b);
	bench_connect(&b, true);
	CU_ASSERT_EQUAL(config_word(&b, 0), NCA_PCI_VENDOR_ID);
	bench_close(&b);
}

static void bad_headers(void)
{
	hang_up_on((struct vu_header){ 1, VU_GET_INFO, 15, 0, 0 }, EINVAL);
	hang_up_on((struct vu_header){ 1, VU_GET_INFO, 0, 0, 0 }, EINVAL);
	hang_up_on((struct vu_header){ 1, VU_GET_INFO, UINT32_MAX, 0, 0 }, EMSGSIZE);
	hang_up_on((struct vu_header){ 1, VU_REGION_WRITE, VU_MAX_MSG_SIZE + 1, 0, 0 }, EMSGSIZE);
	hang_up_on((struct vu_header){ 1, VU_GET_INFO, 16, VU_FLAG_REPLY, 0 }, EPROTO);
	hang_up_on((struct vu_header){ 1, VU_GET_INFO, 16, 0xf, 0 }, EPROTO);
}

/* The client leaves at every possible place inside a message. */
static void truncated(void)
{
	struct vu_region_access acc = { 0, VFIO_PCI_CONFIG_REGION_INDEX, 4 };
	struct {
		struct vu_header hdr;
		struct vu_region_access acc;
	} msg = { { 9, VU_REGION_READ, sizeof(msg), 0, 0 }, acc };
	struct bench b;
	unsigned int before;

	bench_open(&b, 0, 0);
	before = open_fds();
	for (size_t len = 0; len < sizeof(msg); len++) {
		bench_connect(&b, true);
		client_send_raw(&b, &msg, len ? len : 1, NULL, 0);
		bench_disconnect(&b);
	}
	CU_ASSERT_EQUAL(open_fds(), before);
	bench_connect(&b, true);
	CU_ASSERT_EQUAL(config_word(&b, 0), NCA_PCI_VENDOR_ID);
	bench_close(&b);
}

/* Arriving byte by byte is slow, not wrong. */
static void in_pieces(void)
{
	struct {
		struct vu_header hdr;
		struct vu_region_access acc;
	} msg = { { 9, VU_REGION_READ, sizeof(msg), 0, 0 },
		  { 0, VFIO_PCI_CONFIG_REGION_INDEX, 4 } };
	struct bench b;
	struct answer a;

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	for (size_t i = 0; i < sizeof(msg); i++)
		client_send_raw(&b, (char *)&msg + i, 1, NULL, 0);
	CU_ASSERT(client_recv(&b, &a));
	CU_ASSERT_EQUAL(a.hdr.id, 9);
	CU_ASSERT_EQUAL(a.hdr.flags, VU_FLAG_REPLY);
	bench_close(&b);
}

static void stalled(void)
{
	struct vu_header hdr = { 1, VU_GET_INFO, 32, 0, 0 };
	struct bench b;

	bench_open(&b, 0, 50);
	bench_connect(&b, true);
	client_send_raw(&b, &hdr, 7, NULL, 0);
	CU_ASSERT(client_eof(&b));
	bench_disconnect(&b);
	bench_connect(&b, true);
	client_send_raw(&b, &hdr, sizeof(hdr), NULL, 0);
	CU_ASSERT(client_eof(&b));
	bench_close(&b);
}

/* A client that asks and asks and never reads. */
static void deaf(void)
{
	struct vu_region_access acc = { 0, VFIO_PCI_CONFIG_REGION_INDEX, 4096 };
	struct {
		struct vu_header hdr;
		struct vu_region_access acc;
	} msg = { { 1, VU_REGION_READ, sizeof(msg), 0, 0 }, acc };
	struct bench b;

	bench_open(&b, 0, 50);
	bench_connect(&b, true);
	/* Sends begin to fail when the server has hung up; client_send_raw() lets that pass. */
	for (int i = 0; i < 2000; i++)
		client_send_raw(&b, &msg, sizeof(msg), NULL, 0);
	pthread_join(b.thread, NULL);
	close(b.server_fd);
	close(b.fd);
	b.talking = false;
	bench_connect(&b, true);
	CU_ASSERT_EQUAL(config_word(&b, 0), NCA_PCI_VENDOR_ID);
	bench_close(&b);
}

static void wrong_descriptors(void)
{
	struct vu_device_info info = { .argsz = sizeof(info) };
	struct vu_dma_map map = { sizeof(map), 3, 0, 0x10000, 4096 };
	int fds[20], mem = memory_file(8192, 0);
	unsigned int before;
	struct bench b;

	for (int i = 0; i < 20; i++)
		fds[i] = eventfd(0, 0);
	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	before = open_fds();
	/* Where none belongs. */
	CU_ASSERT_EQUAL(client_call(&b, VU_GET_INFO, &info, sizeof(info), fds, 1, NULL), EINVAL);
	CU_ASSERT_EQUAL(client_call(&b, VU_DMA_UNMAP, &map, 24, fds, 2, NULL), EINVAL);
	/* More than one, more than fit, the wrong kind. */
	CU_ASSERT_EQUAL(client_call(&b, VU_DMA_MAP, &map, sizeof(map), fds, 2, NULL), EINVAL);
	CU_ASSERT_EQUAL(client_call(&b, VU_DMA_MAP, &map, sizeof(map), fds, 17, NULL), EINVAL);
	CU_ASSERT_EQUAL(client_call(&b, VU_DMA_MAP, &map, sizeof(map), fds, 1, NULL), EINVAL);
	CU_ASSERT_EQUAL(client_set_irqs(&b, VFIO_IRQ_SET_DATA_EVENTFD |
					VFIO_IRQ_SET_ACTION_TRIGGER, 0, 2, fds, 3), EINVAL);
	CU_ASSERT_EQUAL(client_set_irqs(&b, VFIO_IRQ_SET_DATA_EVENTFD |
					VFIO_IRQ_SET_ACTION_TRIGGER, 0, 18, fds, 18), EINVAL);
	CU_ASSERT_EQUAL(client_set_irqs(&b, VFIO_IRQ_SET_DATA_EVENTFD |
					VFIO_IRQ_SET_ACTION_TRIGGER, 0, 1, &mem, 1), EINVAL);
	CU_ASSERT_EQUAL(client_set_irqs(&b, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
					0, 1, fds, 1), EINVAL);
	/* None of them was kept. */
	CU_ASSERT_EQUAL(open_fds(), before);
	CU_ASSERT_EQUAL(mock_ranges(b.sim), 0);
	bench_close(&b);
	for (int i = 0; i < 20; i++)
		close(fds[i]);
	close(mem);
}

static void wrong_sizes(void)
{
	uint8_t zero[64] = { 0 };
	struct bench b;

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	for (uint16_t command = VU_DMA_MAP; command <= VU_REGION_WRITE; command++) {
		if (command == VU_GET_REGION_IO_FDS)
			continue;
		/* All zeros are never right (argsz, count), nor is a payload cut anywhere. */
		for (size_t len = 0; len <= sizeof(zero); len++)
			CU_ASSERT_EQUAL(client_call(&b, command, zero, len, NULL, 0, NULL), EINVAL);
	}
	CU_ASSERT_EQUAL(config_word(&b, 0), NCA_PCI_VENDOR_ID);
	bench_close(&b);
}

static void unknown_flags(void)
{
	struct vu_device_info info = { .argsz = sizeof(info) };
	struct bench b;
	struct answer a;

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	client_send(&b, VU_GET_INFO, 0x40, &info, sizeof(info), NULL, 0);
	CU_ASSERT(client_recv(&b, &a));
	CU_ASSERT_EQUAL(a.hdr.error, EINVAL);
	client_send(&b, VU_GET_INFO, VU_FLAG_ERROR, &info, sizeof(info), NULL, 0);
	CU_ASSERT(client_recv(&b, &a));
	CU_ASSERT_EQUAL(a.hdr.error, EINVAL);
	CU_ASSERT_EQUAL(config_word(&b, 0), NCA_PCI_VENDOR_ID);
	bench_close(&b);
}

static void largest(void)
{
	struct vu_region_access acc = { 0, NCA_BAR_DEVMEM, VU_MAX_DATA_XFER };
	uint8_t *msg = malloc(sizeof(acc) + VU_MAX_DATA_XFER);
	struct bench b;

	CU_ASSERT_FATAL(msg != NULL);
	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	enable_function(&b);
	memcpy(msg, &acc, sizeof(acc));
	memset(msg + sizeof(acc), 0xa5, VU_MAX_DATA_XFER);
	CU_ASSERT_EQUAL(client_call(&b, VU_REGION_WRITE, msg, sizeof(acc) + VU_MAX_DATA_XFER,
				    NULL, 0, NULL), 0);
	CU_ASSERT_EQUAL(b.sim->mem[0], 0xa5);
	CU_ASSERT_EQUAL(b.sim->mem[VU_MAX_DATA_XFER - 1], 0xa5);
	/* A read whose reply would be larger than any message may be. */
	acc.count = VU_MAX_DATA_XFER + 1;
	CU_ASSERT_EQUAL(client_call(&b, VU_REGION_READ, &acc, sizeof(acc), NULL, 0, NULL), EINVAL);
	bench_close(&b);
	free(msg);
}

void add_malformed_tests(void)
{
	CU_pSuite s = CU_add_suite("malformed messages", NULL, NULL);

	CU_add_test(s, "impossible headers", bad_headers);
	CU_add_test(s, "truncated messages", truncated);
	CU_add_test(s, "messages in pieces", in_pieces);
	CU_add_test(s, "stalled client", stalled);
	CU_add_test(s, "client that never reads", deaf);
	CU_add_test(s, "wrong descriptors", wrong_descriptors);
	CU_add_test(s, "wrong payload sizes", wrong_sizes);
	CU_add_test(s, "unknown header flags", unknown_flags);
	CU_add_test(s, "largest messages", largest);
}
