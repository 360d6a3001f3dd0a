/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: what a client can say. The input is a stream of messages; bytes
 * of the flags field that the protocol does not use say which descriptors come
 * along, so that maps and eventfds are reached too.
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vu_session s;

	if (memory < 0)
		set_up();
	if (session_init(&s, &dev))
		abort();
	/* Half of the inputs begin after the handshake, which is hard to guess. */
	if (size && data[0] & 1)
		say_hello(&s);
	if (size) {
		data++;
		size--;
	}
	while (size >= sizeof(struct vu_header) && !s.close) {
		struct vu_header hdr;
		unsigned int nfds;
		int fds[VU_MAX_MSG_FDS];
		uint8_t *payload;
		size_t len;
		bool lost;

		memcpy(&hdr, data, sizeof(hdr));
		data += sizeof(hdr);
		size -= sizeof(hdr);
		nfds = hdr.flags >> 24 & 3;
		lost = hdr.flags >> 26 & 1;
		for (unsigned int i = 0; i < nfds; i++)
			fds[i] = hdr.flags >> 27 & 1 ? dup(memory) : eventfd(0, 0);
		hdr.flags &= 0xffffff;
		if (session_check_header(&s, &hdr)) {
			check_reply(&s, &hdr);
		} else {
			/* A copy of its own, so that a read past the message is seen. */
			len = hdr.size - sizeof(hdr) < size ? hdr.size - sizeof(hdr) : size;
			payload = malloc(len ? len : 1);
			memcpy(payload, data, len);
			session_handle(&s, &hdr, payload, len, fds, nfds, lost);
			check_reply(&s, &hdr);
			free(payload);
			data += len;
			size -= len;
		}
		for (unsigned int i = 0; i < nfds; i++)
			if (fds[i] >= 0)
				close(fds[i]);
	}
	session_fini(&s);
	device_client_gone(&dev);
	return 0;
}
