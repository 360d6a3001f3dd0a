/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* Longer than any deadline under test; only a broken server gets there. */
#define PATIENCE_MS	20000

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "%s failed: %s\n", what, strerror(errno));
	abort();
}

static void *talk(void *arg)
{
	struct bench *b = arg;

	server_talk(&b->srv, b->server_fd);
	shutdown(b->server_fd, SHUT_RDWR);
	return NULL;
}

bool client_hello(struct bench *b)
{
	static const char json[] = "{\"capabilities\":{\"max_msg_fds\":8,\"max_dma_maps\":65535}}";
	struct {
		struct vu_version v;
		char json[sizeof(json)];
	} payload = { .v = { 0, 0 } };

	memcpy(payload.json, json, sizeof(json));
	return !client_call(b, VU_VERSION, &payload, sizeof(payload), NULL, 0, NULL);
}

void bench_connect(struct bench *b, bool hello)
{
	int pair[2];

	must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
	b->fd = pair[0];
	b->server_fd = pair[1];
	must(!pthread_create(&b->thread, NULL, talk, b), "pthread_create");
	b->talking = true;
	if (hello)
		must(client_hello(b), "hello");
}

void bench_disconnect(struct bench *b)
{
	if (!b->talking)
		return;
	close(b->fd);
	b->fd = -1;
	pthread_join(b->thread, NULL);
	close(b->server_fd);
	b->talking = false;
}

void client_send_raw(struct bench *b, const void *buf, size_t len, const int *fds,
		     unsigned int nfds)
{
	union {
		char room[CMSG_SPACE(64 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { (void *)buf, len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (nfds) {
		struct cmsghdr *cm;

		memset(&control, 0, sizeof(control));
		mh.msg_control = &control;
		mh.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(cm), fds, nfds * sizeof(int));
	}
	/* The server may have hung up on what came before; the test will see that. */
	if (sendmsg(b->fd, &mh, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
		must(false, "sendmsg");
}

uint16_t client_send(struct bench *b, uint16_t command, uint32_t flags, const void *payload,
		     size_t len, const int *fds, unsigned int nfds)
{
	struct vu_header hdr = {
		.id = ++b->next_id,
		.command = command,
		.size = sizeof(hdr) + len,
		.flags = flags,
	};
	uint8_t *msg = malloc(hdr.size);

	must(msg, "malloc");
	memcpy(msg, &hdr, sizeof(hdr));
	if (len)
		memcpy(msg + sizeof(hdr), payload, len);
	client_send_raw(b, msg, hdr.size, fds, nfds);
	free(msg);
	return hdr.id;
}

static bool get(struct bench *b, void *buf, size_t len, int *fd)
{
	size_t got = 0;

	while (got < len) {
		union {
			char room[CMSG_SPACE(4 * sizeof(int))];
			struct cmsghdr align;
		} control;
		struct iovec iov = { (char *)buf + got, len - got };
		struct msghdr mh = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control.room),
		};
		struct pollfd p = { .fd = b->fd, .events = POLLIN };
		struct cmsghdr *cm;
		ssize_t n;

		must(poll(&p, 1, PATIENCE_MS) == 1, "waiting for the server");
		n = recvmsg(b->fd, &mh, MSG_CMSG_CLOEXEC);
		if (n <= 0)
			return false;
		got += n;
		cm = CMSG_FIRSTHDR(&mh);
		if (cm && cm->cmsg_type == SCM_RIGHTS) {
			must(cm->cmsg_len == CMSG_LEN(sizeof(int)) && *fd < 0, "one descriptor");
			memcpy(fd, CMSG_DATA(cm), sizeof(*fd));
		}
	}
	return true;
}

bool client_recv(struct bench *b, struct answer *a)
{
	a->fd = -1;
	a->len = 0;
	if (!get(b, &a->hdr, sizeof(a->hdr), &a->fd))
		return false;
	must(a->hdr.size >= sizeof(a->hdr) && a->hdr.size - sizeof(a->hdr) <= sizeof(a->data),
	     "reply size");
	a->len = a->hdr.size - sizeof(a->hdr);
	return get(b, a->data, a->len, &a->fd);
}

bool client_eof(struct bench *b)
{
	struct pollfd p = { .fd = b->fd, .events = POLLIN };
	char byte;

	must(poll(&p, 1, PATIENCE_MS) == 1, "waiting for the server to hang up");
	return recv(b->fd, &byte, 1, 0) <= 0;
}

int client_call(struct bench *b, uint16_t command, const void *payload, size_t len,
		const int *fds, unsigned int nfds, struct answer *a)
{
	uint16_t id = client_send(b, command, 0, payload, len, fds, nfds);
	static _Thread_local struct answer mine;
	struct answer *r = a ? a : &mine;

	if (!client_recv(b, r))
		return -1;
	must(r->hdr.id == id && r->hdr.command == command, "id and command of the reply");
	must(r->hdr.flags == VU_FLAG_REPLY || r->hdr.flags == (VU_FLAG_REPLY | VU_FLAG_ERROR),
	     "flags of the reply");
	if (r->hdr.flags & VU_FLAG_ERROR) {
		must(!r->len && r->hdr.error, "an error reply is a header with an errno");
		return (int)r->hdr.error;
	}
	if (!a && r->fd >= 0)
		close(r->fd);
	return 0;
}

int client_read(struct bench *b, uint32_t region, uint64_t offset, void *buf, uint32_t count)
{
	struct vu_region_access acc = { offset, region, count };
	struct answer a;
	int err = client_call(b, VU_REGION_READ, &acc, sizeof(acc), NULL, 0, &a);

	if (!err) {
		must(a.len == sizeof(acc) + count && !memcmp(a.data, &acc, sizeof(acc)),
		     "a read reply repeats the request");
		memcpy(buf, a.data + sizeof(acc), count);
	}
	return err;
}

int client_write(struct bench *b, uint32_t region, uint64_t offset, const void *buf,
		 uint32_t count)
{
	struct vu_region_access acc = { offset, region, count };
	uint8_t msg[sizeof(acc) + 4096];

	must(count <= 4096, "size of a test write");
	memcpy(msg, &acc, sizeof(acc));
	memcpy(msg + sizeof(acc), buf, count);
	return client_call(b, VU_REGION_WRITE, msg, sizeof(acc) + count, NULL, 0, NULL);
}

int client_map(struct bench *b, uint64_t address, uint64_t size, int fd, uint64_t offset,
	       uint32_t flags)
{
	struct vu_dma_map map = { sizeof(map), flags, offset, address, size };

	return client_call(b, VU_DMA_MAP, &map, sizeof(map), &fd, fd >= 0, NULL);
}

int client_unmap(struct bench *b, uint64_t address, uint64_t size, uint32_t flags)
{
	struct vu_dma_unmap unmap = { sizeof(unmap), flags, address, size };
	struct answer a;
	int err = client_call(b, VU_DMA_UNMAP, &unmap, sizeof(unmap), NULL, 0, &a);

	if (!err)
		must(a.len == sizeof(unmap) && !memcmp(a.data, &unmap, sizeof(unmap)),
		     "an unmap reply repeats the request");
	return err;
}

int client_set_irqs(struct bench *b, uint32_t flags, uint32_t start, uint32_t count,
		    const int *fds, unsigned int nfds)
{
	struct vu_irq_set set = { sizeof(set), flags, VFIO_PCI_MSIX_IRQ_INDEX, start, count };

	return client_call(b, VU_SET_IRQS, &set, sizeof(set), fds, nfds, NULL);
}

uint16_t config_word(struct bench *b, uint32_t offset)
{
	uint16_t v = 0;

	must(!client_read(b, VFIO_PCI_CONFIG_REGION_INDEX, offset, &v, 2), "config read");
	return v;
}

void set_config_word(struct bench *b, uint32_t offset, uint16_t v)
{
	must(!client_write(b, VFIO_PCI_CONFIG_REGION_INDEX, offset, &v, 2), "config write");
}

void enable_function(struct bench *b)
{
	set_config_word(b, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

int memory_file(size_t len, uint8_t fill)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);
	void *p;

	must(fd >= 0 && !ftruncate(fd, len), "memfd");
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(p != MAP_FAILED, "mmap");
	memset(p, fill, len);
	munmap(p, len);
	return fd;
}
