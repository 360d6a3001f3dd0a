// SPDX-License-Identifier: MIT
/*
 * Buffers shared between processes as dma-bufs, and host memory of somebody else's making
 * (udmabuf) brought in: both are used by the device, in both directions, and survive the death of
 * whoever made them.
 */
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dev.h"
#include "tap.h"

#define LEN		(64 * PAGE)
#define LIMIT_MS	20000

static void send_fd(int sock, int fd)
{
	char byte = 0, space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec io = { &byte, 1 };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = space,
			    .msg_controllen = sizeof(space) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (sendmsg(sock, &m, 0) != 1)
		tap_bail("sendmsg");
}

static int receive_fd(int sock)
{
	char byte, space[CMSG_SPACE(sizeof(int))];
	struct iovec io = { &byte, 1 };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = space,
			    .msg_controllen = sizeof(space) };
	int fd;

	if (recvmsg(sock, &m, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&m))
		tap_bail("recvmsg");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

static void step(int sock)		/* let the other process go on */
{
	if (write(sock, "g", 1) != 1)
		tap_bail("write to the other process");
}

static void await(int sock)
{
	char c;

	if (read(sock, &c, 1) != 1)
		tap_bail("the other process has gone");
}

static int run_copy(struct queue *q, uint64_t dst, uint64_t src, uint64_t len)
{
	struct nca_cqe cqe;
	int err;

	queue_copy(q, 77, dst, src, len);
	queue_submit(q);
	err = queue_spin(q, &cqe, LIMIT_MS);
	return err ? err : cqe.status == NCA_CQE_OK ? 0 : -EIO;
}

static bool pattern(const void *p, uint32_t seed, bool write)
{
	uint32_t *w = (uint32_t *)p;

	for (uint64_t i = 0; i < LEN / 4; i++) {
		uint32_t v = rnd(&seed);

		if (write)
			w[i] = v;
		else if (w[i] != v)
			return false;
	}
	return true;
}

static void importer(int sock)
{
	int fd = dev_open(), dmabuf = receive_fd(sock);
	struct bo shared = { .size = LEN }, own;
	struct ctx ctx;
	struct queue q;

	tap_prefix = "prime importer: ";
	if (fd < 0)
		tap_bail("open");
	NEED_OK(ctx_create(fd, 1, &ctx), "a context");
	NEED_OK(bo_make(&ctx, LEN, DRM_NCA_BO_HOST, &own), "a buffer");
	NEED_OK(queue_create(&ctx, 4, 4, &q), "a queue");
	shared.ctx = &ctx;
	CHECK_OK(prime_import(fd, dmabuf, &shared.handle), "import");
	close(dmabuf);
	CHECK_OK(bo_bind(&shared, DRM_NCA_BIND_READ | DRM_NCA_BIND_WRITE), "bind");
	CHECK_OK(run_copy(&q, own.va, shared.va, LEN), "the device reads what the other process wrote");
	CHECK(pattern(own.map, 1, false), "and gets it right");
	pattern(own.map, 2, true);
	CHECK_OK(run_copy(&q, shared.va, own.va, LEN), "the device writes to it");
	step(sock);
	await(sock);		/* the exporter has closed all it had */
	memset(own.map, 0, LEN);
	CHECK_OK(run_copy(&q, own.va, shared.va, LEN), "the exporter has gone, the memory has not");
	CHECK(pattern(own.map, 2, false), "nor have its contents");
	/* Exits with everything open and bound. */
	_exit(tap_done());
}

static void test_between(int placement)
{
	int sock[2], fd, dmabuf, status;
	struct bo bo;
	struct ctx ctx;
	uint32_t again;
	pid_t pid;
	void *p;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sock))
		tap_bail("socketpair");
	pid = fork();
	if (!pid) {
		close(sock[0]);
		importer(sock[1]);
	}
	close(sock[1]);
	fd = dev_open();
	NEED_OK(ctx_create(fd, 1, &ctx), "a context");
	NEED_OK(bo_make(&ctx, LEN, placement, &bo), "a buffer");
	pattern(bo.map, 1, true);
	dmabuf = prime_export(fd, bo.handle);
	if (!CHECK(dmabuf >= 0, "export"))
		return;
	CHECK(fcntl(dmabuf, F_GETFD) & FD_CLOEXEC, "the dma-buf is close-on-exec");
	CHECK_OK(prime_import(fd, dmabuf, &again), "import in the same file");
	CHECK(again == bo.handle, "gives the same handle");
	p = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);
	CHECK(p != MAP_FAILED && !memcmp(p, bo.map, LEN), "the dma-buf can be mapped, too");
	if (p != MAP_FAILED)
		munmap(p, LEN);
	send_fd(sock[0], dmabuf);
	close(dmabuf);
	await(sock[0]);
	CHECK(pattern(bo.map, 2, false), "what the other's device wrote is seen here");
	bo_unbind(&bo);
	bo_close(&bo);
	ctx_destroy(&ctx);
	close(fd);
	step(sock[0]);
	waitpid(pid, &status, 0);
	CHECK(status == 0, "the importer was content");
	close(sock[0]);
}

static int make_udmabuf(int memfd, uint64_t size)
{
	struct udmabuf_create c = { .memfd = memfd, .flags = UDMABUF_FLAGS_CLOEXEC, .size = size };
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), fd;

	if (dev < 0)
		tap_bail("open /dev/udmabuf");
	fd = ioctl(dev, UDMABUF_CREATE, &c);
	if (fd < 0)
		tap_bail("UDMABUF_CREATE");
	close(dev);
	return fd;
}

static void test_udmabuf(void)
{
	int fd = dev_open(), memfd = memfd_create("nca-test", MFD_CLOEXEC | MFD_ALLOW_SEALING), dmabuf;
	struct bo foreign = { .size = LEN }, own;
	struct drm_nca_bo_info i;
	struct ctx ctx;
	struct queue q;
	void *p;

	tap_prefix = "prime udmabuf: ";
	if (fd < 0 || memfd < 0 || ftruncate(memfd, LEN) || fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		tap_bail("memfd");
	p = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	pattern(p, 3, true);
	dmabuf = make_udmabuf(memfd, LEN);
	NEED_OK(ctx_create(fd, 1, &ctx), "a context");
	NEED_OK(bo_make(&ctx, LEN, DRM_NCA_BO_DEVICE, &own), "device memory");
	NEED_OK(queue_create(&ctx, 4, 4, &q), "a queue");
	foreign.ctx = &ctx;
	CHECK_OK(prime_import(fd, dmabuf, &foreign.handle), "import");
	close(dmabuf);
	close(memfd);
	i = (struct drm_nca_bo_info){ .handle = foreign.handle };
	CHECK_OK(dev_ioctl(fd, DRM_IOCTL_NCA_BO_INFO, &i), "bo-info");
	CHECK(i.size == LEN && i.placement == DRM_NCA_BO_HOST, "it is host memory of the right size");
	CHECK_OK(bo_bind(&foreign, DRM_NCA_BIND_READ | DRM_NCA_BIND_WRITE), "bind");
	CHECK_OK(run_copy(&q, own.va, foreign.va, LEN), "the device reads it");
	CHECK(pattern(own.map, 3, false), "and gets it right");
	pattern(own.map, 4, true);
	CHECK_OK(run_copy(&q, foreign.va, own.va, LEN), "the device writes it");
	CHECK(pattern(p, 4, false), "and the memfd has it");
	CHECK_OK(bo_unbind(&foreign), "unbind");
	CHECK_OK(gem_close(fd, foreign.handle), "close");
	CHECK(pattern(p, 4, false), "the memfd outlives it");
	munmap(p, LEN);
	/* Once more, and leave it bound when the file is closed. */
	memfd = memfd_create("nca-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memfd < 0 || ftruncate(memfd, LEN) || fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		tap_bail("memfd");
	dmabuf = make_udmabuf(memfd, LEN);
	CHECK_OK(prime_import(fd, dmabuf, &foreign.handle), "import another");
	CHECK_OK(bo_bind(&foreign, DRM_NCA_BIND_READ), "bind it for reading");
	close(dmabuf);
	close(memfd);
	struct nca_cqe cqe;

	queue_fill(&q, 1, foreign.va, 0, PAGE);
	queue_submit(&q);
	CHECK(queue_spin(&q, &cqe, LIMIT_MS) == 0 && cqe.status == NCA_CQE_BAD_ADDRESS &&
	      cqe.detail == NCA_ACCESS_WRITE, "a write to it is refused by the device");
	/* Mappings keep the file alive. */
	bo_close(&own);
	queue_unmap(&q);
	munmap((void *)ctx.status, PAGE);
	close(fd);
}

static void test_bad(void)
{
	int fd = dev_open(), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct drm_prime_handle p = { .handle = 0x7f00ff, .flags = DRM_CLOEXEC };
	uint32_t handle;

	tap_prefix = "prime ";
	CHECK_ERR(ENOENT, dev_ioctl(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &p), "export of an unknown handle");
	CHECK_ERR(EINVAL, prime_import(fd, null, &handle), "import of what is no dma-buf");
	CHECK_ERR(EBADF, prime_import(fd, 1000, &handle), "import of a closed file");
	close(null);
	close(fd);
}

int main(void)
{
	struct drm_nca_usage before, u;
	int fd = dev_open();
	int64_t end;

	if (fd < 0)
		tap_bail("open " DEV_NODE);
	NEED_OK(dev_usage(fd, &before), "usage");
	tap_prefix = "prime exporter: ";
	test_between(DRM_NCA_BO_HOST);
	test_udmabuf();
	test_bad();
	end = now_ns() + 1000000000;
	do {
		NEED_OK(dev_usage(fd, &u), "usage");
	} while ((u.host_pinned != before.host_pinned || u.contexts != before.contexts ||
		  u.devmem_used != before.devmem_used) && now_ns() < end);
	CHECK(u.host_pinned == before.host_pinned, "nothing stays pinned");
	CHECK(u.contexts == before.contexts && u.devmem_used == before.devmem_used, "nothing stays allocated");
	close(fd);
	return tap_done();
}
