/* SPDX-License-Identifier: MIT */
/*
 * Answers for a device that is no longer there: what is read is all-ones, what
 * is written goes nowhere, memory is given and taken back without effect. To
 * the guest this is a card that was pulled.
 */
#include "sim.h"

#include "../../firmware-sim/vfio/proto.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define SEND_MS		5000
#define SILENCE_MS	200
#define ONE_PIECE	4096u	/* what fits into a socket buffer at once for sure */

static uint8_t payload[VU_MAX_MSG_SIZE], reply[VU_MAX_MSG_SIZE];

static bool get(int fd, void *buf, size_t len)
{
	size_t got = 0;

	while (got < len) {
		/* No room for descriptors is offered, so the kernel drops what comes along. */
		ssize_t n = recv(fd, (char *)buf + got, len - got, 0);

		if (n > 0)
			got += n;
		else if (!n || errno != EINTR)
			return false;
	}
	return true;
}

static bool put(int fd, const void *buf, size_t len)
{
	size_t sent = 0;

	while (sent < len) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		ssize_t n = send(fd, (const char *)buf + sent, len - sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			sent += n;
		else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			if (poll(&p, 1, SEND_MS) == 0)
				return false;
		} else if (errno != EINTR) {
			return false;
		}
	}
	return true;
}

/* Length of the reply's payload, or a negative errno. */
static long respond(const struct vu_header *hdr, const uint8_t *in, size_t len, uint8_t *out)
{
	struct vu_region_access a;

	switch (hdr->command) {
	case VU_DMA_MAP:
	case VU_SET_IRQS:
	case VU_DEVICE_RESET:
		return 0;
	case VU_DMA_UNMAP:
		if (len < sizeof(struct vu_dma_unmap))
			return -EINVAL;
		memcpy(out, in, sizeof(struct vu_dma_unmap));
		return sizeof(struct vu_dma_unmap);
	case VU_REGION_READ:
	case VU_REGION_WRITE:
		if (len < sizeof(a))
			return -EINVAL;
		memcpy(&a, in, sizeof(a));
		memcpy(out, &a, sizeof(a));
		if (hdr->command == VU_REGION_WRITE)
			return sizeof(a);
		if (a.count > VU_MAX_DATA_XFER)
			return -EINVAL;
		memset(out + sizeof(a), 0xff, a.count);
		return sizeof(a) + a.count;
	}
	return -ENODEV;
}

static bool answer(int fd, const struct vu_header *hdr, const uint8_t *in)
{
	struct vu_header r = { .id = hdr->id, .command = hdr->command, .flags = VU_FLAG_REPLY };
	long n = respond(hdr, in, hdr->size - sizeof(*hdr), reply + sizeof(r));

	if (n < 0) {
		r.flags |= VU_FLAG_ERROR;
		r.error = -n;
		n = 0;
	}
	r.size = sizeof(r) + n;
	memcpy(reply, &r, sizeof(r));
	return hdr->flags & VU_FLAG_NO_REPLY || put(fd, reply, r.size);
}

static bool plausible(const struct vu_header *hdr)
{
	return hdr->size >= sizeof(*hdr) && hdr->size <= VU_MAX_MSG_SIZE &&
	       hdr->command >= VU_VERSION && hdr->command <= VU_MIG_DATA_WRITE &&
	       !(hdr->flags & ~VU_FLAG_NO_REPLY);
}

/*
 * What accel-sim owed when it died. False: it died inside a message that was
 * not there as a whole, and where the next one begins cannot be known.
 */
static bool settle(int fd, const struct vu_progress *p)
{
	struct pollfd in = { .fd = fd, .events = POLLIN };
	struct vu_header hdr = p->hdr, first;

	switch (atomic_load(&p->stage)) {
	case VU_STAGE_IDLE:
		return true;
	case VU_STAGE_TAKING:
		/* Is it still there? Ids are not used twice in such a short time. */
		if (recv(fd, &first, sizeof(first), MSG_PEEK | MSG_DONTWAIT) == sizeof(first) &&
		    !memcmp(&first, &hdr, sizeof(hdr)))
			return true;
		if (hdr.size > ONE_PIECE)
			return false;
		break;
	case VU_STAGE_REPLYING:
		/*
		 * Sent or not? A client that has its answer asks the next question sooner
		 * or later; one that waits for it, and with it its virtual machine, is
		 * silent.
		 */
		if (poll(&in, 1, SILENCE_MS) > 0)
			return true;
		break;
	}
	return plausible(&hdr) && answer(fd, &hdr, p->payload);
}

void absent_serve(int fd, const struct vu_progress *progress)
{
	struct vu_header hdr;

	if (!settle(fd, progress))
		return;
	/* accel-sim may have died inside a message all the same: then this is no header. */
	while (get(fd, &hdr, sizeof(hdr)) && plausible(&hdr) &&
	       get(fd, payload, hdr.size - sizeof(hdr)) && answer(fd, &hdr, payload))
		;
}
