/* SPDX-License-Identifier: MIT */
/* Each message, answered as the protocol and QEMU expect it. */
#include "client.h"

#include <CUnit/CUnit.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int hello(struct bench *b, uint16_t major, uint16_t minor, const char *json,
		 struct answer *a)
{
	struct {
		struct vu_version v;
		char json[512];
	} payload = { .v = { major, minor } };
	size_t len = json ? strlen(json) + 1 : 0;

	if (json)
		memcpy(payload.json, json, len);
	return client_call(b, VU_VERSION, &payload, sizeof(payload.v) + len, NULL, 0, a);
}

static void version_qemu(void)
{
	/* As QEMU 11.1 sends it; its buffer for the reply is no larger than its request. */
	static const char json[] =
		"{\"capabilities\": {\"migration\": {\"max_bitmap_size\": 268435456, "
		"\"pgsize\": 4096}, \"max_msg_fds\": 16, \"max_data_xfer_size\": 1048576, "
		"\"pgsizes\": 4096, \"max_dma_maps\": 65535, \"write_multiple\": true}}";
	struct vu_version v;
	struct bench b;
	struct answer a;

	bench_open(&b, 0, 0);
	bench_connect(&b, false);
	CU_ASSERT_EQUAL(hello(&b, 0, 0, json, &a), 0);
	CU_ASSERT(a.len > sizeof(v) && a.len <= sizeof(v) + sizeof(json));
	memcpy(&v, a.data, sizeof(v));
	CU_ASSERT_EQUAL(v.major, 0);
	CU_ASSERT_EQUAL(v.minor, 0);
	CU_ASSERT_EQUAL(a.data[a.len - 1], '\0');
	CU_ASSERT_STRING_EQUAL((char *)a.data + sizeof(v),
			       "{\"capabilities\":{\"max_msg_fds\":16,"
			       "\"max_data_xfer_size\":1048576,\"max_dma_maps\":65535,"
			       "\"pgsizes\":4096}}");
	/* Once is enough. */
	CU_ASSERT_EQUAL(hello(&b, 0, 0, json, &a), EINVAL);
	CU_ASSERT_EQUAL(config_word(&b, 0), NCA_PCI_VENDOR_ID);
	bench_close(&b);
}

static void version_plain(void)
{
	struct vu_version v;
	struct bench b;
	struct answer a;

	bench_open(&b, 0, 0);
	bench_connect(&b, false);
	CU_ASSERT_EQUAL(hello(&b, 0, 7, NULL, &a), 0);
	memcpy(&v, a.data, sizeof(v));
	CU_ASSERT_EQUAL(v.minor, VU_VERSION_MINOR);
	CU_ASSERT_STRING_EQUAL((char *)a.data + sizeof(v), "{\"capabilities\":{}}");
	bench_close(&b);
}

static void version_refused(void)
{
	static const char *const bad[] = {
		"", "{", "[]", "null", "{\"capabilities\":3}",
		"{\"capabilities\":{\"max_msg_fds\":\"16\"}}",
		"{\"capabilities\":{\"max_msg_fds\":-1}}",
		"{\"capabilities\":{\"a\":[[[[[[[[[[[[1]]]]]]]]]]]]}}",
		"{\"capabilities\":{}} trailing",
	};
	struct bench b;
	struct answer a;

	bench_open(&b, 0, 0);
	bench_connect(&b, false);
	CU_ASSERT_EQUAL(hello(&b, 1, 0, NULL, &a), ENOTSUP);
	CU_ASSERT(client_eof(&b));
	bench_disconnect(&b);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		bench_connect(&b, false);
		CU_ASSERT_EQUAL(hello(&b, 0, 0, bad[i], &a), EINVAL);
		CU_ASSERT(client_eof(&b));
		bench_disconnect(&b);
	}
	/* JSON without its NUL; no version at all; something else first. */
	bench_connect(&b, false);
	CU_ASSERT_EQUAL(client_call(&b, VU_VERSION, "\0\0\0\0{}", 6, NULL, 0, NULL), EINVAL);
	bench_disconnect(&b);
	bench_connect(&b, false);
	CU_ASSERT_EQUAL(client_call(&b, VU_VERSION, NULL, 0, NULL, 0, NULL), EINVAL);
	bench_disconnect(&b);
	bench_connect(&b, false);
	CU_ASSERT_EQUAL(client_call(&b, VU_DEVICE_RESET, NULL, 0, NULL, 0, NULL), EPROTO);
	CU_ASSERT(client_eof(&b));
	bench_close(&b);
}

static void device_info(void)
{
	struct vu_device_info info = { .argsz = sizeof(info) };
	struct bench b;
	struct answer a;

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	CU_ASSERT_EQUAL(client_call(&b, VU_GET_INFO, &info, sizeof(info), NULL, 0, &a), 0);
	CU_ASSERT_EQUAL(a.len, sizeof(info));
	memcpy(&info, a.data, sizeof(info));
	CU_ASSERT_EQUAL(info.flags, VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET);
	CU_ASSERT_EQUAL(info.num_regions, 9);
	CU_ASSERT_EQUAL(info.num_irqs, 3);
	info.argsz = 8;
	CU_ASSERT_EQUAL(client_call(&b, VU_GET_INFO, &info, sizeof(info), NULL, 0, NULL), EINVAL);
	CU_ASSERT_EQUAL(client_call(&b, VU_GET_INFO, &info, 12, NULL, 0, NULL), EINVAL);
	bench_close(&b);
}

static int region_info(struct bench *b, uint32_t index, uint32_t argsz,
		       struct vu_region_info *info, struct answer *a)
{
	int err;

	*info = (struct vu_region_info){ .argsz = argsz, .index = index };
	err = client_call(b, VU_GET_REGION_INFO, info, sizeof(*info), NULL, 0, a);
	if (!err)
		memcpy(info, a->data, sizeof(*info));
	return err;
}

static void region_infos(void)
{
	static const uint64_t sizes[9] = { NCA_BAR_REGS_SIZE, 0, 2 * MOCK_DB_LEN, 0,
					   MOCK_DEVMEM_LEN, 0, 0, 4096, 0 };
	struct vu_sparse_mmap sparse;
	struct vu_region_info info;
	struct bench b;
	struct answer a;
	uint8_t *p;

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	for (uint32_t i = 0; i < 9; i++) {
		CU_ASSERT_EQUAL(region_info(&b, i, 32, &info, &a), 0);
		CU_ASSERT_EQUAL(info.index, i);
		CU_ASSERT_EQUAL(info.size, sizes[i]);
		CU_ASSERT_EQUAL(a.len, 32);
		/* A descriptor exactly where mapping is offered. */
		CU_ASSERT_EQUAL(a.fd >= 0, i == NCA_BAR_DOORBELL || i == NCA_BAR_DEVMEM);
		CU_ASSERT_EQUAL(!!(info.flags & VFIO_REGION_INFO_FLAG_MMAP), a.fd >= 0);
		if (a.fd >= 0)
			close(a.fd);
	}
	CU_ASSERT_EQUAL(region_info(&b, 9, 32, &info, &a), EINVAL);
	CU_ASSERT_EQUAL(region_info(&b, 0, 31, &info, &a), EINVAL);

	/* The doorbell BAR says how much room it wants, then names its lower half only. */
	CU_ASSERT_EQUAL(region_info(&b, NCA_BAR_DOORBELL, 32, &info, &a), 0);
	CU_ASSERT_EQUAL(info.argsz, 64);
	close(a.fd);
	CU_ASSERT_EQUAL(region_info(&b, NCA_BAR_DOORBELL, 64, &info, &a), 0);
	CU_ASSERT_EQUAL(a.len, 64);
	CU_ASSERT(info.flags & VFIO_REGION_INFO_FLAG_CAPS);
	CU_ASSERT_EQUAL_FATAL(info.cap_offset, 32);
	memcpy(&sparse, a.data + 32, sizeof(sparse));
	CU_ASSERT_EQUAL(sparse.id, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
	CU_ASSERT_EQUAL(sparse.nr_areas, 1);
	CU_ASSERT_EQUAL(sparse.next, 0);
	CU_ASSERT_EQUAL(sparse.offset, 0);
	CU_ASSERT_EQUAL(sparse.size, MOCK_DB_LEN);

	/* What is mapped is what the device sees. */
	p = mmap(NULL, sparse.size, PROT_READ | PROT_WRITE, MAP_SHARED, a.fd, info.offset);
	CU_ASSERT_NOT_EQUAL_FATAL(p, MAP_FAILED);
	p[4096] = 0x5a;
	CU_ASSERT_EQUAL(b.sim->db[4096], 0x5a);
	munmap(p, sparse.size);
	close(a.fd);
	bench_close(&b);
}

/* A client that cannot receive descriptors is not offered a mapping. */
static void region_info_without_fds(void)
{
	struct vu_region_info info;
	struct bench b;
	struct answer a;

	bench_open(&b, 0, 0);
	bench_connect(&b, false);
	CU_ASSERT_EQUAL(hello(&b, 0, 0, "{\"capabilities\":{\"max_msg_fds\":0}}", &a), 0);
	CU_ASSERT_EQUAL(region_info(&b, NCA_BAR_DEVMEM, 64, &info, &a), 0);
	CU_ASSERT_EQUAL(a.fd, -1);
	CU_ASSERT_EQUAL(info.flags, VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE);
	bench_close(&b);
}

static void refused_commands(void)
{
	static const struct {
		uint16_t command;
		int err;
	} want[] = {
		{ VU_GET_REGION_IO_FDS, ENOTSUP }, { VU_DMA_READ, ENOSYS },
		{ VU_DMA_WRITE, ENOSYS }, { VU_DIRTY_PAGES, ENOTSUP },
		{ VU_REGION_WRITE_MULTI, ENOTSUP }, { VU_DEVICE_FEATURE, ENOTTY },
		{ VU_MIG_DATA_READ, ENOTSUP }, { VU_MIG_DATA_WRITE, ENOTSUP },
		{ 0, ENOSYS }, { 19, ENOSYS }, { 0xffff, ENOSYS },
	};
	struct bench b;

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		CU_ASSERT_EQUAL(client_call(&b, want[i].command, "12345678", 8, NULL, 0, NULL),
				want[i].err);
	CU_ASSERT_EQUAL(config_word(&b, 0), NCA_PCI_VENDOR_ID);
	bench_close(&b);
}

static void reset(void)
{
	struct bench b;
	unsigned int before;

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	enable_function(&b);
	CU_ASSERT(b.sim->master);
	before = b.sim->resets;
	CU_ASSERT_EQUAL(client_call(&b, VU_DEVICE_RESET, NULL, 0, NULL, 0, NULL), 0);
	CU_ASSERT_EQUAL(b.sim->resets, before + 1);
	CU_ASSERT_EQUAL(config_word(&b, 4), 0);
	CU_ASSERT_FALSE(b.sim->master);
	CU_ASSERT_EQUAL(client_call(&b, VU_DEVICE_RESET, "x", 1, NULL, 0, NULL), EINVAL);
	bench_close(&b);
}

/* Posted writes: no reply, not even to a wrong one, and they take effect in order. */
static void no_reply(void)
{
	struct {
		struct vu_region_access a;
		uint32_t v;
	} w = { { NCA_REG_CTRL, NCA_BAR_REGS, 4 }, 7 };
	struct bench b;

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	enable_function(&b);
	client_send(&b, VU_REGION_WRITE, VU_FLAG_NO_REPLY, &w, sizeof(w.a) + 4, NULL, 0);
	w.a.region = 99;
	client_send(&b, VU_REGION_WRITE, VU_FLAG_NO_REPLY, &w, sizeof(w.a) + 4, NULL, 0);
	client_send(&b, 77, VU_FLAG_NO_REPLY, NULL, 0, NULL, 0);
	CU_ASSERT_EQUAL(config_word(&b, 0), NCA_PCI_VENDOR_ID);
	CU_ASSERT_EQUAL(b.sim->writes, 1);
	CU_ASSERT_EQUAL(b.sim->last_write, 7);
	bench_close(&b);
}

/* Many requests before the first reply is read: all answered, in order. */
static void pipelined(void)
{
	struct vu_region_access acc = { 0, VFIO_PCI_CONFIG_REGION_INDEX, 4 };
	struct bench b;
	struct answer a;
	uint16_t first;

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	first = client_send(&b, VU_REGION_READ, 0, &acc, sizeof(acc), NULL, 0);
	for (int i = 1; i < 200; i++)
		client_send(&b, VU_REGION_READ, 0, &acc, sizeof(acc), NULL, 0);
	for (int i = 0; i < 200; i++) {
		CU_ASSERT_FATAL(client_recv(&b, &a));
		CU_ASSERT_EQUAL(a.hdr.id, (uint16_t)(first + i));
	}
	bench_close(&b);
}

void add_protocol_tests(void)
{
	CU_pSuite s = CU_add_suite("protocol", NULL, NULL);

	CU_add_test(s, "version as QEMU asks", version_qemu);
	CU_add_test(s, "version without capabilities", version_plain);
	CU_add_test(s, "version refused", version_refused);
	CU_add_test(s, "device info", device_info);
	CU_add_test(s, "region info", region_infos);
	CU_add_test(s, "region info without descriptors", region_info_without_fds);
	CU_add_test(s, "commands not offered", refused_commands);
	CU_add_test(s, "reset", reset);
	CU_add_test(s, "requests without reply", no_reply);
	CU_add_test(s, "pipelined requests", pipelined);
}
