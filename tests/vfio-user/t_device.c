/* SPDX-License-Identifier: MIT */
/* The real device behind the bus: a client that does what the kernel driver does first. */
#include "client.h"

#include <CUnit/Basic.h>
#include <linux/pci_regs.h>
#include <nca/admin.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define RW		(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)
#define PAGE		4096ull
#define BUS		0x40000000ull	/* where the guest's memory is on the bus */
#define PAGES		16
#define ORDER		4u
#define WAIT_MS		20000

enum { ASQ_PAGE, ACQ_PAGE, BUFFER_PAGE };

struct machine {
	struct bench b;
	struct ncasim *dev;
	struct ncasim_config config;
	int memory, irq;
	uint8_t *mem;
	uint32_t tail, head;
};

static void reg_write(struct machine *m, uint32_t offset, uint64_t v, uint32_t size)
{
	CU_ASSERT_EQUAL(client_write(&m->b, NCA_BAR_REGS, offset, &v, size), 0);
}

static uint64_t reg_read(struct machine *m, uint32_t offset, uint32_t size)
{
	uint64_t v = 0;

	CU_ASSERT_EQUAL(client_read(&m->b, NCA_BAR_REGS, offset, &v, size), 0);
	return v;
}

static bool reg_becomes(struct machine *m, uint32_t offset, uint32_t want)
{
	for (int i = 0; i < WAIT_MS; i++) {
		if (reg_read(m, offset, 4) == want)
			return true;
		usleep(1000);
	}
	return false;
}

static void power_on(struct machine *m)
{
	static const struct ncasim_host_ops ops = { .irq = irqs_fire };
	struct vu_device_opts opts = { .device_id = NCA_PCI_DEVICE_ID_NCA1 };
	struct vu_server_opts server_opts = { 0 };
	char err[256];

	memset(m, 0, sizeof(*m));
	m->b.fd = -1;
	irqs_init(&m->b.irqs);
	if (ncasim_config_parse(&m->config, "nca1,threads=1", err, sizeof(err)) ||
	    ncasim_create(&m->config, &ops, &m->b.irqs, &m->dev, err, sizeof(err))) {
		fprintf(stderr, "%s\n", err);
		abort();
	}
	CU_ASSERT_EQUAL_FATAL(device_init(&m->b.dev, m->dev, &m->b.irqs, &opts), 0);
	CU_ASSERT_EQUAL_FATAL(server_init(&m->b.srv, &m->b.dev, -1, &server_opts), 0);
	m->memory = memory_file(PAGES * PAGE, 0);
	m->mem = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, m->memory, 0);
	CU_ASSERT_FATAL(m->mem != MAP_FAILED);
	m->irq = eventfd(0, EFD_NONBLOCK);
}

static void power_off(struct machine *m)
{
	bench_disconnect(&m->b);
	server_fini(&m->b.srv);
	CU_ASSERT(device_fini(&m->b.dev));
	ncasim_destroy(m->dev);
	ncasim_config_fini(&m->config);
	irqs_fini(&m->b.irqs);
	munmap(m->mem, PAGES * PAGE);
	close(m->memory);
	close(m->irq);
}

/* From the connection to an admin queue at @asq (bus address). */
static void bring_up(struct machine *m, uint64_t asq)
{
	memset(m->mem, 0, PAGES * PAGE);
	m->tail = 0;
	m->head = 0;
	CU_ASSERT_EQUAL(client_map(&m->b, BUS, PAGES * PAGE, m->memory, 0, RW), 0);
	CU_ASSERT_EQUAL(client_set_irqs(&m->b, VFIO_IRQ_SET_DATA_EVENTFD |
					VFIO_IRQ_SET_ACTION_TRIGGER, 0, 1, &m->irq, 1), 0);
	enable_function(&m->b);
	CU_ASSERT_EQUAL(reg_read(m, NCA_REG_MAGIC, 4), NCA_MAGIC);
	reg_write(m, NCA_REG_ASQ_BASE, asq, 8);
	reg_write(m, NCA_REG_ACQ_BASE, BUS + ACQ_PAGE * PAGE, 8);
	reg_write(m, NCA_REG_ADMIN_ORDER, ORDER, 4);
	reg_write(m, NCA_REG_CTRL, NCA_CTRL_ENABLE, 4);
}

static void submit(struct machine *m, uint8_t opcode, uint64_t addr)
{
	struct nca_admin_cmd *asq = (void *)(m->mem + ASQ_PAGE * PAGE);
	struct nca_admin_cmd cmd = { .opcode = opcode, .cid = (uint16_t)m->tail };

	cmd.identify.addr = addr;
	asq[m->tail & ((1u << ORDER) - 1)] = cmd;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	reg_write(m, NCA_REG_ASQ_TAIL, ++m->tail, 4);
}

static bool interrupted(struct machine *m, int timeout_ms)
{
	struct pollfd p = { .fd = m->irq, .events = POLLIN };
	uint64_t n;

	return poll(&p, 1, timeout_ms) == 1 && read(m->irq, &n, sizeof(n)) == sizeof(n);
}

/* Waits for interrupts until the next completion is there; returns its status, -1 if none comes. */
static int complete(struct machine *m)
{
	struct nca_admin_cpl *acq = (void *)(m->mem + ACQ_PAGE * PAGE);
	struct nca_admin_cpl *cpl = &acq[m->head & ((1u << ORDER) - 1)];
	uint16_t phase = !(m->head >> ORDER & 1);

	while ((__atomic_load_n(&cpl->phase, __ATOMIC_ACQUIRE) & 1) != phase)
		if (!interrupted(m, WAIT_MS))
			return -1;
	reg_write(m, NCA_REG_ACQ_HEAD, ++m->head, 4);
	return cpl->status;
}

static uint64_t bad_accesses(struct machine *m)
{
	struct ncasim_telemetry t;

	ncasim_telemetry(m->dev, &t);
	return t.bad_bus_accesses;
}

static void admin_commands(void)
{
	struct nca_identify id;
	struct machine m;

	power_on(&m);
	bench_connect(&m.b, true);
	bring_up(&m, BUS + ASQ_PAGE * PAGE);
	CU_ASSERT(reg_becomes(&m, NCA_REG_STATUS, NCA_STATUS_READY));
	for (int i = 0; i < 40; i++) {
		submit(&m, NCA_ADMIN_NOP, 0);
		CU_ASSERT_EQUAL(complete(&m), NCA_ADMIN_OK);
	}
	submit(&m, NCA_ADMIN_IDENTIFY, BUS + BUFFER_PAGE * PAGE);
	CU_ASSERT_EQUAL(complete(&m), NCA_ADMIN_OK);
	memcpy(&id, m.mem + BUFFER_PAGE * PAGE, sizeof(id));
	CU_ASSERT_STRING_EQUAL(id.target_name, "nca1");
	CU_ASSERT_EQUAL(id.devmem_size, reg_read(&m, NCA_REG_DEVMEM_SIZE, 8));
	CU_ASSERT_EQUAL(bad_accesses(&m), 0);
	power_off(&m);
}

/* Addresses the client never gave, took back, or gave without a way to reach them: all counted. */
static void unmapped_addresses(void)
{
	struct machine m;
	uint64_t before;

	power_on(&m);
	bench_connect(&m.b, true);
	bring_up(&m, BUS + ASQ_PAGE * PAGE);
	CU_ASSERT(reg_becomes(&m, NCA_REG_STATUS, NCA_STATUS_READY));
	submit(&m, NCA_ADMIN_IDENTIFY, BUS - PAGE);
	CU_ASSERT_EQUAL(complete(&m), NCA_ADMIN_BAD_ADDRESS);
	before = bad_accesses(&m);
	CU_ASSERT(before > 0);
	CU_ASSERT_EQUAL(client_map(&m.b, BUS - PAGE, PAGE, -1, 0, RW), 0);
	submit(&m, NCA_ADMIN_IDENTIFY, BUS - PAGE);
	CU_ASSERT_EQUAL(complete(&m), NCA_ADMIN_BAD_ADDRESS);
	CU_ASSERT(bad_accesses(&m) > before);
	before = bad_accesses(&m);
	/* Readable is not writable. */
	CU_ASSERT_EQUAL(client_unmap(&m.b, BUS - PAGE, PAGE, 0), 0);
	CU_ASSERT_EQUAL(client_map(&m.b, BUS - PAGE, PAGE, m.memory, BUFFER_PAGE * PAGE,
				   VFIO_DMA_MAP_FLAG_READ), 0);
	submit(&m, NCA_ADMIN_IDENTIFY, BUS - PAGE);
	CU_ASSERT_EQUAL(complete(&m), NCA_ADMIN_BAD_ADDRESS);
	CU_ASSERT(bad_accesses(&m) > before);
	CU_ASSERT_EQUAL(m.mem[BUFFER_PAGE * PAGE], 0);
	before = bad_accesses(&m);
	/* The rings themselves are taken away, and then rung. */
	CU_ASSERT_EQUAL(client_unmap(&m.b, BUS, PAGES * PAGE, 0), 0);
	submit(&m, NCA_ADMIN_NOP, 0);
	CU_ASSERT(reg_becomes(&m, NCA_REG_STATUS, NCA_STATUS_FATAL));
	CU_ASSERT(bad_accesses(&m) > before);
	CU_ASSERT_EQUAL(reg_read(&m, NCA_REG_MAGIC, 4), NCA_MAGIC);
	power_off(&m);
}

/* Without bus mastering nothing reaches memory and nothing interrupts; with it, work goes on. */
static void no_master_no_dma(void)
{
	struct nca_admin_cpl *acq;
	struct machine m;

	power_on(&m);
	bench_connect(&m.b, true);
	bring_up(&m, BUS + ASQ_PAGE * PAGE);
	CU_ASSERT(reg_becomes(&m, NCA_REG_STATUS, NCA_STATUS_READY));
	acq = (void *)(m.mem + ACQ_PAGE * PAGE);
	set_config_word(&m.b, PCI_COMMAND, PCI_COMMAND_MEMORY);
	submit(&m, NCA_ADMIN_NOP, 0);
	CU_ASSERT_FALSE(interrupted(&m, 50));
	CU_ASSERT_EQUAL(__atomic_load_n(&acq[0].phase, __ATOMIC_ACQUIRE), 0);
	enable_function(&m.b);
	CU_ASSERT_EQUAL(complete(&m), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(bad_accesses(&m), 0);
	power_off(&m);
}

/* The client holds the files behind the BARs; it must not be able to pull them from under us. */
static void sealed_files(void)
{
	static const uint32_t regions[] = { NCA_BAR_DOORBELL, NCA_BAR_DEVMEM };
	struct machine m;
	struct answer a;

	power_on(&m);
	bench_connect(&m.b, true);
	for (int i = 0; i < 2; i++) {
		struct vu_region_info info = { .argsz = 64, .index = regions[i] };

		CU_ASSERT_EQUAL(client_call(&m.b, VU_GET_REGION_INFO, &info, sizeof(info), NULL, 0,
					    &a), 0);
		CU_ASSERT_FATAL(a.fd >= 0);
		CU_ASSERT_EQUAL(ftruncate(a.fd, 0), -1);
		CU_ASSERT_EQUAL(ftruncate(a.fd, 1ll << 45), -1);
		close(a.fd);
	}
	enable_function(&m.b);
	CU_ASSERT_EQUAL(client_read(&m.b, NCA_BAR_DEVMEM, 0, a.data, 8), 0);
	power_off(&m);
}

/* The client dies with commands on their way: no stray access, and the next client starts afresh. */
static void client_dies(void)
{
	struct machine m;

	power_on(&m);
	for (int round = 0; round < 20; round++) {
		bench_connect(&m.b, true);
		bring_up(&m, BUS + ASQ_PAGE * PAGE);
		CU_ASSERT(reg_becomes(&m, NCA_REG_STATUS, NCA_STATUS_READY));
		for (int i = 0; i < 10; i++)
			submit(&m, NCA_ADMIN_NOP, 0);
		bench_disconnect(&m.b);
	}
	CU_ASSERT_EQUAL(bad_accesses(&m), 0);
	power_off(&m);
}

static void vanish_hang_reset(void)
{
	uint32_t gen, beat;
	struct machine m;

	power_on(&m);
	bench_connect(&m.b, true);
	bring_up(&m, BUS + ASQ_PAGE * PAGE);
	CU_ASSERT(reg_becomes(&m, NCA_REG_STATUS, NCA_STATUS_READY));
	ncasim_inject(m.dev, NCASIM_HANG);
	submit(&m, NCA_ADMIN_NOP, 0);
	CU_ASSERT_FALSE(interrupted(&m, 50));
	CU_ASSERT_EQUAL(reg_read(&m, NCA_REG_MAGIC, 4), NCA_MAGIC);
	beat = reg_read(&m, NCA_REG_HEARTBEAT, 4);
	usleep(250000);
	CU_ASSERT_EQUAL(reg_read(&m, NCA_REG_HEARTBEAT, 4), beat);
	/* A reset helps. */
	gen = reg_read(&m, NCA_REG_GENERATION, 4);
	CU_ASSERT_EQUAL(client_call(&m.b, VU_DEVICE_RESET, NULL, 0, NULL, 0, NULL), 0);
	enable_function(&m.b);
	CU_ASSERT_NOT_EQUAL(reg_read(&m, NCA_REG_GENERATION, 4), gen);
	CU_ASSERT_EQUAL(reg_read(&m, NCA_REG_STATUS, 4), 0);

	ncasim_inject(m.dev, NCASIM_VANISH);
	CU_ASSERT_EQUAL(reg_read(&m, NCA_REG_MAGIC, 4), 0xffffffff);
	CU_ASSERT_EQUAL(config_word(&m.b, 0), 0xffff);
	device_return(&m.b.dev);
	CU_ASSERT_EQUAL(config_word(&m.b, 0), NCA_PCI_VENDOR_ID);
	CU_ASSERT_EQUAL(client_unmap(&m.b, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL), 0);
	bring_up(&m, BUS + ASQ_PAGE * PAGE);
	CU_ASSERT(reg_becomes(&m, NCA_REG_STATUS, NCA_STATUS_READY));
	submit(&m, NCA_ADMIN_NOP, 0);
	CU_ASSERT_EQUAL(complete(&m), NCA_ADMIN_OK);
	CU_ASSERT_EQUAL(bad_accesses(&m), 0);
	power_off(&m);
}

int main(void)
{
	unsigned int failed;
	CU_pSuite s;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	s = CU_add_suite("device on the bus", NULL, NULL);
	CU_add_test(s, "admin commands", admin_commands);
	CU_add_test(s, "unmapped addresses", unmapped_addresses);
	CU_add_test(s, "no DMA without bus mastering", no_master_no_dma);
	CU_add_test(s, "files behind the BARs", sealed_files);
	CU_add_test(s, "client dies", client_dies);
	CU_add_test(s, "vanish, hang, reset", vanish_hang_reset);
	add_run_tests();
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	failed = CU_get_number_of_failures() + (CU_get_number_of_tests_run() == 0);
	CU_cleanup_registry();
	return failed ? 1 : 0;
}
