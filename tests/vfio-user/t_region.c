/* SPDX-License-Identifier: MIT */
/* Config space and BARs through messages. */
#include "client.h"

#include <CUnit/CUnit.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#define CONFIG	VFIO_PCI_CONFIG_REGION_INDEX

static uint8_t find_cap(struct bench *b, uint8_t id)
{
	uint8_t at = config_word(b, PCI_CAPABILITY_LIST) & 0xff;

	for (int i = 0; i < 16 && at; i++) {
		uint16_t w = config_word(b, at);

		if ((w & 0xff) == id)
			return at;
		at = w >> 8;
	}
	return 0;
}

static uint32_t config_dword(struct bench *b, uint32_t at)
{
	return config_word(b, at) | (uint32_t)config_word(b, at + 2) << 16;
}

static void identity(void)
{
	struct bench b;
	uint8_t all[4096], cap;

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	CU_ASSERT_EQUAL(client_read(&b, CONFIG, 0, all, 4096), 0);
	CU_ASSERT_EQUAL(config_word(&b, PCI_VENDOR_ID), NCA_PCI_VENDOR_ID);
	CU_ASSERT_EQUAL(config_word(&b, PCI_DEVICE_ID), NCA_PCI_DEVICE_ID_NCA1);
	CU_ASSERT_EQUAL(config_dword(&b, PCI_CLASS_REVISION) >> 8, NCA_PCI_CLASS);
	CU_ASSERT(config_word(&b, PCI_STATUS) & PCI_STATUS_CAP_LIST);
	CU_ASSERT_EQUAL(all[PCI_HEADER_TYPE], 0);
	CU_ASSERT_EQUAL(all[PCI_INTERRUPT_PIN], 0);
	cap = find_cap(&b, PCI_CAP_ID_MSIX);
	CU_ASSERT_FATAL(cap != 0);
	CU_ASSERT_EQUAL(config_word(&b, cap + PCI_MSIX_FLAGS), MOCK_VECTORS - 1);
	CU_ASSERT_EQUAL(config_dword(&b, cap + PCI_MSIX_TABLE), NCA_MSIX_TABLE_OFFSET);
	CU_ASSERT_EQUAL(config_dword(&b, cap + PCI_MSIX_PBA), NCA_MSIX_PBA_OFFSET);
	cap = find_cap(&b, PCI_CAP_ID_EXP);
	CU_ASSERT_FATAL(cap != 0);
	CU_ASSERT(config_dword(&b, cap + PCI_EXP_DEVCAP) & PCI_EXP_DEVCAP_FLR);
	CU_ASSERT_EQUAL(config_word(&b, cap + PCI_EXP_FLAGS) & PCI_EXP_FLAGS_VERS, 2);
	CU_ASSERT(find_cap(&b, PCI_CAP_ID_PM) != 0);
	bench_close(&b);
}

static void bar_sizes(void)
{
	static const uint32_t ones = ~0u;
	struct bench b;

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	for (uint32_t n = 0; n < 6; n++)
		client_write(&b, CONFIG, PCI_BASE_ADDRESS_0 + 4 * n, &ones, 4);
	CU_ASSERT_EQUAL(config_dword(&b, PCI_BASE_ADDRESS_0), ~(NCA_BAR_REGS_SIZE - 1u));
	CU_ASSERT_EQUAL(config_dword(&b, PCI_BASE_ADDRESS_1), 0);
	CU_ASSERT_EQUAL(config_dword(&b, PCI_BASE_ADDRESS_2), ~(2 * MOCK_DB_LEN - 1u));
	CU_ASSERT_EQUAL(config_dword(&b, PCI_BASE_ADDRESS_4),
			(~(MOCK_DEVMEM_LEN - 1u)) | PCI_BASE_ADDRESS_MEM_TYPE_64 |
			PCI_BASE_ADDRESS_MEM_PREFETCH);
	CU_ASSERT_EQUAL(config_dword(&b, PCI_BASE_ADDRESS_5), ~0u);
	/* Read-only fields stay. */
	client_write(&b, CONFIG, PCI_VENDOR_ID, &ones, 4);
	CU_ASSERT_EQUAL(config_word(&b, PCI_VENDOR_ID), NCA_PCI_VENDOR_ID);
	bench_close(&b);
}

static void command_register(void)
{
	uint32_t v = 0;
	struct bench b;

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	CU_ASSERT_FALSE(b.sim->master);
	/* Memory off: the BARs float, writes go nowhere, and nobody is told off. */
	CU_ASSERT_EQUAL(client_read(&b, NCA_BAR_REGS, NCA_REG_MAGIC, &v, 4), 0);
	CU_ASSERT_EQUAL(v, ~0u);
	CU_ASSERT_EQUAL(client_write(&b, NCA_BAR_REGS, NCA_REG_CTRL, &v, 4), 0);
	CU_ASSERT_EQUAL(b.sim->writes, 0);
	set_config_word(&b, PCI_COMMAND, PCI_COMMAND_MEMORY);
	CU_ASSERT_FALSE(b.sim->master);
	CU_ASSERT_EQUAL(client_read(&b, NCA_BAR_REGS, NCA_REG_MAGIC, &v, 4), 0);
	CU_ASSERT_EQUAL(v, NCA_MAGIC);
	set_config_word(&b, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	CU_ASSERT(b.sim->master);
	set_config_word(&b, PCI_COMMAND, PCI_COMMAND_MEMORY);
	CU_ASSERT_FALSE(b.sim->master);
	bench_close(&b);
}

static void power_state(void)
{
	struct bench b;
	uint32_t v = 0;
	uint8_t pm;

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	enable_function(&b);
	pm = find_cap(&b, PCI_CAP_ID_PM);
	set_config_word(&b, pm + PCI_PM_CTRL, 3);
	CU_ASSERT_FALSE(b.sim->master);
	client_read(&b, NCA_BAR_REGS, NCA_REG_MAGIC, &v, 4);
	CU_ASSERT_EQUAL(v, ~0u);
	/* D1 is not offered: nothing changes. */
	set_config_word(&b, pm + PCI_PM_CTRL, 1);
	CU_ASSERT_EQUAL(config_word(&b, pm + PCI_PM_CTRL) & PCI_PM_CTRL_STATE_MASK, 3);
	set_config_word(&b, pm + PCI_PM_CTRL, 0);
	CU_ASSERT(b.sim->master);
	client_read(&b, NCA_BAR_REGS, NCA_REG_MAGIC, &v, 4);
	CU_ASSERT_EQUAL(v, NCA_MAGIC);
	bench_close(&b);
}

static void function_level_reset(void)
{
	struct bench b;
	unsigned int before;
	uint8_t exp;

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	enable_function(&b);
	exp = find_cap(&b, PCI_CAP_ID_EXP);
	before = b.sim->resets;
	set_config_word(&b, exp + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_BCR_FLR);
	CU_ASSERT_EQUAL(b.sim->resets, before + 1);
	CU_ASSERT_EQUAL(config_word(&b, PCI_COMMAND), 0);
	CU_ASSERT_FALSE(b.sim->master);
	CU_ASSERT_FALSE(config_word(&b, exp + PCI_EXP_DEVCTL) & PCI_EXP_DEVCTL_BCR_FLR);
	bench_close(&b);
}

static void registers(void)
{
	struct bench b;
	uint64_t v = 0;
	uint8_t buf[16] = { 0 };

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	enable_function(&b);
	CU_ASSERT_EQUAL(client_read(&b, NCA_BAR_REGS, NCA_REG_TIME, &v, 8), 0);
	CU_ASSERT_EQUAL(v, 0x1122334455667788ull);
	v = 0xfeed;
	CU_ASSERT_EQUAL(client_write(&b, NCA_BAR_REGS, NCA_REG_ASQ_TAIL, &v, 4), 0);
	CU_ASSERT_EQUAL(b.sim->last_offset, NCA_REG_ASQ_TAIL);
	CU_ASSERT_EQUAL(b.sim->last_write, 0xfeed);
	/* Sizes and places no bus has. */
	CU_ASSERT_EQUAL(client_read(&b, NCA_BAR_REGS, 0, buf, 3), EINVAL);
	CU_ASSERT_EQUAL(client_read(&b, NCA_BAR_REGS, 0, buf, 16), EINVAL);
	CU_ASSERT_EQUAL(client_read(&b, NCA_BAR_REGS, 2, buf, 4), EINVAL);
	CU_ASSERT_EQUAL(client_write(&b, NCA_BAR_REGS, 1, buf, 2), EINVAL);
	CU_ASSERT_EQUAL(client_read(&b, NCA_BAR_REGS, NCA_BAR_REGS_SIZE, buf, 4), EINVAL);
	CU_ASSERT_EQUAL(client_read(&b, NCA_BAR_REGS, NCA_BAR_REGS_SIZE - 2, buf, 4), EINVAL);
	CU_ASSERT_EQUAL(client_read(&b, NCA_BAR_REGS, UINT64_MAX - 1, buf, 4), EINVAL);
	CU_ASSERT_EQUAL(client_read(&b, 1, 0, buf, 4), EINVAL);
	CU_ASSERT_EQUAL(client_read(&b, 9, 0, buf, 4), EINVAL);
	CU_ASSERT_EQUAL(client_read(&b, UINT32_MAX, 0, buf, 4), EINVAL);
	CU_ASSERT_EQUAL(client_read(&b, CONFIG, 4094, buf, 4), EINVAL);
	CU_ASSERT_EQUAL(client_write(&b, CONFIG, 4096, buf, 1), EINVAL);
	/* The vector table reads back and is not a register of the device. */
	v = 0x77;
	b.sim->writes = 0;
	CU_ASSERT_EQUAL(client_write(&b, NCA_BAR_REGS, NCA_MSIX_TABLE_OFFSET + 16 * 19, &v, 4), 0);
	v = 0;
	CU_ASSERT_EQUAL(client_read(&b, NCA_BAR_REGS, NCA_MSIX_TABLE_OFFSET + 16 * 19, &v, 4), 0);
	CU_ASSERT_EQUAL(v, 0x77);
	CU_ASSERT_EQUAL(client_write(&b, NCA_BAR_REGS, NCA_BAR_REGS_SIZE - 4, &v, 4), 0);
	CU_ASSERT_EQUAL(b.sim->writes, 0);
	bench_close(&b);
}

static void doorbells(void)
{
	struct bench b;
	uint32_t v = 42;
	uint8_t buf[64];

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	enable_function(&b);
	/* Without a mapping a doorbell is memory all the same. */
	CU_ASSERT_EQUAL(client_write(&b, NCA_BAR_DOORBELL, 3 * 4096, &v, 4), 0);
	CU_ASSERT_EQUAL(b.sim->db[3 * 4096], 42);
	CU_ASSERT_EQUAL(client_read(&b, NCA_BAR_DOORBELL, 3 * 4096, buf, 64), 0);
	CU_ASSERT_EQUAL(buf[0], 42);
	/* A kick is what arrives in the upper half, at the kick word, 32 bits wide. */
	CU_ASSERT_EQUAL(client_write(&b, NCA_BAR_DOORBELL, MOCK_DB_LEN + 5 * 4096, &v, 4), 0);
	CU_ASSERT_EQUAL(b.sim->kicks, 1);
	CU_ASSERT_EQUAL(b.sim->last_kick, 5);
	client_write(&b, NCA_BAR_DOORBELL, MOCK_DB_LEN + 5 * 4096 + 4, &v, 4);
	client_write(&b, NCA_BAR_DOORBELL, MOCK_DB_LEN + 5 * 4096, &v, 2);
	CU_ASSERT_EQUAL(b.sim->kicks, 1);
	CU_ASSERT_EQUAL(client_read(&b, NCA_BAR_DOORBELL, MOCK_DB_LEN + 5 * 4096, &v, 4), 0);
	CU_ASSERT_EQUAL(v, 0);
	/* Across the middle: the part that is not memory is not touched. */
	CU_ASSERT_EQUAL(client_write(&b, NCA_BAR_DOORBELL, MOCK_DB_LEN - 4, buf, 64), 0);
	CU_ASSERT_EQUAL(b.sim->kicks, 1);
	CU_ASSERT_EQUAL(client_write(&b, NCA_BAR_DOORBELL, 2 * MOCK_DB_LEN - 4, buf, 8), EINVAL);
	bench_close(&b);
}

static void device_memory(void)
{
	struct bench b;
	uint8_t buf[4096];

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	enable_function(&b);
	memset(buf, 0x3c, sizeof(buf));
	CU_ASSERT_EQUAL(client_write(&b, NCA_BAR_DEVMEM, MOCK_DEVMEM_LEN - 4096, buf, 4096), 0);
	CU_ASSERT_EQUAL(b.sim->mem[MOCK_DEVMEM_LEN - 1], 0x3c);
	memset(buf, 0, sizeof(buf));
	CU_ASSERT_EQUAL(client_read(&b, NCA_BAR_DEVMEM, MOCK_DEVMEM_LEN - 8, buf, 8), 0);
	CU_ASSERT_EQUAL(buf[7], 0x3c);
	CU_ASSERT_EQUAL(client_read(&b, NCA_BAR_DEVMEM, MOCK_DEVMEM_LEN - 8, buf, 9), EINVAL);
	bench_close(&b);
}

static void vanish_and_return(void)
{
	struct bench b;
	uint32_t v;

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	enable_function(&b);
	ncasim_inject(b.sim, NCASIM_VANISH);
	for (uint32_t region = 0; region <= CONFIG; region++) {
		if (region == 6 || region & 1)
			continue;
		v = 0;
		CU_ASSERT_EQUAL(client_read(&b, region, 0, &v, 4), 0);
		CU_ASSERT_EQUAL(v, ~0u);
	}
	CU_ASSERT_EQUAL(config_word(&b, 0), 0xffff);
	set_config_word(&b, PCI_COMMAND, 0);
	CU_ASSERT_EQUAL(client_call(&b, VU_DEVICE_RESET, NULL, 0, NULL, 0, NULL), 0);
	CU_ASSERT_EQUAL(config_word(&b, 0), 0xffff);
	device_return(&b.dev);
	CU_ASSERT_EQUAL(config_word(&b, 0), NCA_PCI_VENDOR_ID);
	CU_ASSERT_EQUAL(config_word(&b, PCI_COMMAND), 0);
	CU_ASSERT_FALSE(b.sim->master);
	bench_close(&b);
}

void add_region_tests(void)
{
	CU_pSuite s = CU_add_suite("config space and BARs", NULL, NULL);

	CU_add_test(s, "identity and capabilities", identity);
	CU_add_test(s, "BAR sizes", bar_sizes);
	CU_add_test(s, "command register", command_register);
	CU_add_test(s, "power state", power_state);
	CU_add_test(s, "function-level reset", function_level_reset);
	CU_add_test(s, "registers", registers);
	CU_add_test(s, "doorbells and kicks", doorbells);
	CU_add_test(s, "device memory", device_memory);
	CU_add_test(s, "vanish and return", vanish_and_return);
}
