/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: what a client can say. The input is a list of steps, three bytes
 * and a tail each. A step is a message: a right one for its command, with the
 * tail XORed over it and what is left of the tail appended, so that a tail of
 * zeros is a valid request and each bit that differs is a mistake in it. With
 * the top bit of the second byte the tail lies over the header as well. Some
 * steps are not messages but what else happens to a device.
 */
#include "../../firmware-sim/vfio/session.h"
#include "../vfio-user/mock_sim.h"

#include <nca/regs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct vu_irqs irqs;
static struct vu_device dev;
static int memory = -1;

static void set_up(void)
{
	struct vu_device_opts opts = { .device_id = NCA_PCI_DEVICE_ID_NCA1 };

	irqs_init(&irqs);
	if (device_init(&dev, mock_create(irqs_fire, &irqs), &irqs, &opts))
		abort();
	memory = memfd_create("guest", MFD_CLOEXEC);
	if (memory < 0 || ftruncate(memory, 1 << 16))
		abort();
}

static void check_reply(const struct vu_session *s, const struct vu_header *hdr)
{
	struct vu_header r;

	if (!s->reply_len)
		return;
	memcpy(&r, s->reply, sizeof(r));
	if (r.size != s->reply_len || r.size < sizeof(r) || r.size > VU_MAX_MSG_SIZE ||
	    r.id != hdr->id || r.command != hdr->command || !(r.flags & VU_FLAG_REPLY))
		abort();
	if (r.flags & VU_FLAG_ERROR && (r.size != sizeof(r) || s->reply_fd >= 0))
		abort();
}

static void say_hello(struct vu_session *s)
{
	static const char hello[] = "\0\0\0\0{\"capabilities\":{\"max_msg_fds\":4}}";
	struct vu_header hdr = { 1, VU_VERSION, sizeof(hdr) + sizeof(hello), 0, 0 };

	session_handle(s, &hdr, (const uint8_t *)hello, sizeof(hello), NULL, 0, false);
	if (!s->negotiated)
		abort();
}

enum { STEP_FIRE = 20, STEP_VANISH, STEP_RETURN, STEP_RECONNECT, STEPS };

#define FULL		96

/* A right request; returns its length with the header. */
static size_t right_request(uint8_t *msg, uint16_t command, uint8_t flags)
{
	static const uint32_t regions[] = { 7, NCA_BAR_REGS, NCA_BAR_DOORBELL, NCA_BAR_DEVMEM };
	const uint32_t index = regions[flags >> 4 & 3];
	unsigned int nfds = flags & 3;
	static const struct vu_dma_map map = { 32, 3, 0, 0x10000, 0x1000 };
	static const struct vu_dma_unmap unmap = { 24, 0, 0x10000, 0x1000 };
	static const struct vu_device_info info = { .argsz = 16 };
	const struct vu_region_info region = { .argsz = 64, .index = index };
	static const struct vu_irq_info irq = { .argsz = 16, .index = 2 };
	const struct vu_region_access rd = { 0, index, 4 };
	const struct {
		struct vu_region_access a;
		uint16_t data;
	} wr = { { 4, index, 2 }, 6 };	/* in config space: memory and bus mastering on */
	struct vu_irq_set set = { 20, 0x24, 2, 0, nfds ? nfds : 1 };
	struct vu_header hdr = { 1, command, sizeof(hdr), 0, 0 };
	const void *payload = NULL;
	size_t len = 0;

	switch (command) {
	case VU_DMA_MAP: payload = &map; len = sizeof(map); break;
	case VU_DMA_UNMAP: payload = &unmap; len = sizeof(unmap); break;
	case VU_GET_INFO: payload = &info; len = sizeof(info); break;
	case VU_GET_REGION_INFO: payload = &region; len = sizeof(region); break;
	case VU_GET_IRQ_INFO: payload = &irq; len = sizeof(irq); break;
	case VU_SET_IRQS: payload = &set; len = sizeof(set); break;
	case VU_REGION_READ: payload = &rd; len = sizeof(rd); break;
	case VU_REGION_WRITE: payload = &wr; len = sizeof(wr.a) + sizeof(wr.data); break;
	}
	memset(msg, 0, FULL);
	if (len)
		memcpy(msg + sizeof(hdr), payload, len);
	hdr.size += len;
	memcpy(msg, &hdr, sizeof(hdr));
	return hdr.size;
}

static void message(struct vu_session *s, uint16_t command, uint8_t flags, const uint8_t *tail,
		    size_t tail_len)
{
	unsigned int nfds = flags & 3, from = flags & 0x80 ? 0 : sizeof(struct vu_header);
	struct vu_header hdr;
	int fds[VU_MAX_MSG_FDS];
	uint8_t msg[FULL], *payload;
	size_t len;

	len = right_request(msg, command, flags);
	for (size_t i = 0; i < tail_len && from + i < FULL; i++) {
		msg[from + i] ^= tail[i];
		if (from + i >= len)
			len = from + i + 1;
	}
	memcpy(&hdr, msg, sizeof(hdr));
	if (!(flags & 0x80))
		hdr.size = len;
	if (session_check_header(s, &hdr)) {
		check_reply(s, &hdr);
		return;
	}
	for (unsigned int i = 0; i < nfds; i++)
		fds[i] = flags & 4 ? eventfd(0, 0) : dup(memory);
	/* Exactly as long as the header says, so that a read past the end is seen. */
	len = hdr.size - sizeof(hdr);
	payload = calloc(1, len ? len : 1);
	if (!payload)
		abort();
	memcpy(payload, msg + sizeof(hdr), len < FULL - sizeof(hdr) ? len : FULL - sizeof(hdr));
	session_handle(s, &hdr, payload, len, fds, nfds, flags & 8);
	check_reply(s, &hdr);
	free(payload);
	for (unsigned int i = 0; i < nfds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void begin(struct vu_session *s, bool greeted)
{
	s->negotiated = false;
	s->close = false;
	s->limits.max_msg_fds = 1;
	if (greeted)
		say_hello(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vu_session s;

	if (memory < 0) {
		set_up();
		if (session_init(&s, &dev))
			abort();
	}
	begin(&s, true);
	while (size >= 3 && !s.close) {
		unsigned int step = data[0] % STEPS, flags = data[1];
		size_t tail = data[2] < size - 3 ? data[2] : size - 3;

		switch (step) {
		case STEP_FIRE:
			irqs_fire(&irqs, flags);
			break;
		case STEP_VANISH:
			ncasim_inject(dev.sim, NCASIM_VANISH);
			break;
		case STEP_RETURN:
			device_return(&dev);
			break;
		case STEP_RECONNECT:
			device_client_gone(&dev);
			begin(&s, flags & 1);
			break;
		default:
			message(&s, step, flags, data + 3, tail);
		}
		data += 3 + tail;
		size -= 3 + tail;
	}
	device_return(&dev);
	device_client_gone(&dev);
	return 0;
}
