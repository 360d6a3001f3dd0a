/* SPDX-License-Identifier: MIT */
/* MSI-X vectors as eventfds. */
#include "client.h"

#include <CUnit/CUnit.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TRIGGER		VFIO_IRQ_SET_ACTION_TRIGGER
#define EVENTFD		VFIO_IRQ_SET_DATA_EVENTFD
#define NONE		VFIO_IRQ_SET_DATA_NONE

static uint64_t count(int fd)
{
	uint64_t v = 0;

	return read(fd, &v, sizeof(v)) == sizeof(v) ? v : 0;
}

static void irq_info(void)
{
	struct vu_irq_info info;
	struct bench b;
	struct answer a;

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	for (uint32_t i = 0; i < 3; i++) {
		info = (struct vu_irq_info){ .argsz = sizeof(info), .index = i };
		CU_ASSERT_EQUAL(client_call(&b, VU_GET_IRQ_INFO, &info, sizeof(info), NULL, 0,
					    &a), 0);
		memcpy(&info, a.data, sizeof(info));
		CU_ASSERT_EQUAL(info.index, i);
		CU_ASSERT_EQUAL(info.flags, VFIO_IRQ_INFO_EVENTFD);
		CU_ASSERT_EQUAL(info.count, i == VFIO_PCI_MSIX_IRQ_INDEX ? MOCK_VECTORS : 0);
	}
	info = (struct vu_irq_info){ .argsz = sizeof(info), .index = VFIO_PCI_ERR_IRQ_INDEX };
	CU_ASSERT_EQUAL(client_call(&b, VU_GET_IRQ_INFO, &info, sizeof(info), NULL, 0, NULL),
			EINVAL);
	bench_close(&b);
}

static void fire(void)
{
	struct bench b;
	int fd[3];

	for (int i = 0; i < 3; i++)
		fd[i] = eventfd(0, EFD_NONBLOCK);
	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	CU_ASSERT_EQUAL(client_set_irqs(&b, EVENTFD | TRIGGER, 4, 3, fd, 3), 0);
	irqs_fire(&b.irqs, 5);
	irqs_fire(&b.irqs, 5);
	irqs_fire(&b.irqs, 19);
	irqs_fire(&b.irqs, MOCK_VECTORS);
	irqs_fire(&b.irqs, UINT32_MAX);
	CU_ASSERT_EQUAL(count(fd[0]), 0);
	CU_ASSERT_EQUAL(count(fd[1]), 2);
	/* The client fires them itself: all, or by a list. */
	CU_ASSERT_EQUAL(client_set_irqs(&b, NONE | TRIGGER, 4, 3, NULL, 0), 0);
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(count(fd[i]), 1);
	{
		struct {
			struct vu_irq_set set;
			uint8_t wanted[3];
		} msg = { { sizeof(msg), VFIO_IRQ_SET_DATA_BOOL | TRIGGER,
			    VFIO_PCI_MSIX_IRQ_INDEX, 4, 3 }, { 1, 0, 1 } };

		CU_ASSERT_EQUAL(client_call(&b, VU_SET_IRQS, &msg, sizeof(msg.set) + 3, NULL, 0,
					    NULL), 0);
		CU_ASSERT_EQUAL(client_call(&b, VU_SET_IRQS, &msg, sizeof(msg.set) + 2, NULL, 0,
					    NULL), EINVAL);
	}
	CU_ASSERT_EQUAL(count(fd[0]), 1);
	CU_ASSERT_EQUAL(count(fd[1]), 0);
	CU_ASSERT_EQUAL(count(fd[2]), 1);
	/* De-assigned one by one, then all. */
	CU_ASSERT_EQUAL(client_set_irqs(&b, EVENTFD | TRIGGER, 4, 1, NULL, 0), 0);
	irqs_fire(&b.irqs, 4);
	irqs_fire(&b.irqs, 5);
	CU_ASSERT_EQUAL(count(fd[0]), 0);
	CU_ASSERT_EQUAL(count(fd[1]), 1);
	CU_ASSERT_EQUAL(client_set_irqs(&b, NONE | TRIGGER, 0, 0, NULL, 0), 0);
	irqs_fire(&b.irqs, 5);
	CU_ASSERT_EQUAL(count(fd[1]), 0);
	bench_close(&b);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
}

/* Enabled but without an eventfd: pending, visible, and delivered when there is one. */
static void pending(void)
{
	const uint8_t msix = 0x50;
	int fd = eventfd(0, EFD_NONBLOCK);
	struct bench b;
	uint64_t pba = 0;

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	enable_function(&b);
	CU_ASSERT_EQUAL(config_word(&b, msix) & 0xff, PCI_CAP_ID_MSIX);
	irqs_fire(&b.irqs, 9);
	set_config_word(&b, msix + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE);
	CU_ASSERT_EQUAL(client_read(&b, NCA_BAR_REGS, NCA_MSIX_PBA_OFFSET, &pba, 8), 0);
	CU_ASSERT_EQUAL(pba, 0);
	irqs_fire(&b.irqs, 9);
	CU_ASSERT_EQUAL(client_read(&b, NCA_BAR_REGS, NCA_MSIX_PBA_OFFSET, &pba, 8), 0);
	CU_ASSERT_EQUAL(pba, 1ull << 9);
	CU_ASSERT_EQUAL(client_set_irqs(&b, EVENTFD | TRIGGER, 9, 1, &fd, 1), 0);
	CU_ASSERT_EQUAL(count(fd), 1);
	CU_ASSERT_EQUAL(client_read(&b, NCA_BAR_REGS, NCA_MSIX_PBA_OFFSET, &pba, 8), 0);
	CU_ASSERT_EQUAL(pba, 0);
	/* Nothing is left for the next client. */
	CU_ASSERT_EQUAL(client_set_irqs(&b, NONE | TRIGGER, 0, 0, NULL, 0), 0);
	irqs_fire(&b.irqs, 9);
	bench_disconnect(&b);
	bench_connect(&b, true);
	enable_function(&b);
	CU_ASSERT_EQUAL(client_read(&b, NCA_BAR_REGS, NCA_MSIX_PBA_OFFSET, &pba, 8), 0);
	CU_ASSERT_EQUAL(pba, 0);
	bench_close(&b);
	close(fd);
}

/* A counter nobody reads must not stop the device. */
static void full_counter(void)
{
	int fd = eventfd(0, 0);
	uint64_t almost = UINT64_MAX - 1;
	struct bench b;

	CU_ASSERT_EQUAL(write(fd, &almost, sizeof(almost)), sizeof(almost));
	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	CU_ASSERT_EQUAL(client_set_irqs(&b, EVENTFD | TRIGGER, 0, 1, &fd, 1), 0);
	irqs_fire(&b.irqs, 0);
	irqs_fire(&b.irqs, 0);
	CU_ASSERT_EQUAL(count(fd), almost);
	bench_close(&b);
	close(fd);
}

static void refused(void)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	struct vu_irq_set intx = { sizeof(intx), EVENTFD | TRIGGER, VFIO_PCI_INTX_IRQ_INDEX, 0, 1 };
	struct bench b;

	bench_open(&b, 0, 0);
	bench_connect(&b, true);
	CU_ASSERT_EQUAL(client_set_irqs(&b, EVENTFD | TRIGGER, MOCK_VECTORS, 1, &fd, 1), EINVAL);
	CU_ASSERT_EQUAL(client_set_irqs(&b, EVENTFD | TRIGGER, 1, MOCK_VECTORS, NULL, 0), EINVAL);
	CU_ASSERT_EQUAL(client_set_irqs(&b, EVENTFD | TRIGGER, UINT32_MAX, 2, NULL, 0), EINVAL);
	CU_ASSERT_EQUAL(client_set_irqs(&b, NONE | TRIGGER, 1, UINT32_MAX, NULL, 0), EINVAL);
	CU_ASSERT_EQUAL(client_set_irqs(&b, EVENTFD | TRIGGER, 0, 0, NULL, 0), EINVAL);
	CU_ASSERT_EQUAL(client_set_irqs(&b, EVENTFD | NONE | TRIGGER, 0, 1, &fd, 1), EINVAL);
	CU_ASSERT_EQUAL(client_set_irqs(&b, TRIGGER, 0, 1, NULL, 0), EINVAL);
	CU_ASSERT_EQUAL(client_set_irqs(&b, EVENTFD, 0, 1, &fd, 1), EINVAL);
	CU_ASSERT_EQUAL(client_set_irqs(&b, EVENTFD | TRIGGER | 0x40, 0, 1, &fd, 1), EINVAL);
	CU_ASSERT_EQUAL(client_set_irqs(&b, NONE | VFIO_IRQ_SET_ACTION_MASK, 0, 1, NULL, 0), ENOTTY);
	CU_ASSERT_EQUAL(client_set_irqs(&b, NONE | VFIO_IRQ_SET_ACTION_UNMASK, 0, 1, NULL, 0),
			ENOTTY);
	CU_ASSERT_EQUAL(client_call(&b, VU_SET_IRQS, &intx, sizeof(intx), &fd, 1, NULL), EINVAL);
	bench_close(&b);
	close(fd);
}

void add_irq_tests(void)
{
	CU_pSuite s = CU_add_suite("interrupts", NULL, NULL);

	CU_add_test(s, "irq info", irq_info);
	CU_add_test(s, "assign and fire", fire);
	CU_add_test(s, "pending", pending);
	CU_add_test(s, "full counter", full_counter);
	CU_add_test(s, "requests refused", refused);
}
