// SPDX-License-Identifier: MIT
/*
 * Usage: t-stress SECONDS SEED
 *
 * Processes of two threads each make random calls on handles that both threads, and the calls of
 * the moment before, have made or destroyed; they are killed at random moments and started again,
 * and now and then the whole device is reset under them. Nothing may be left over and the kernel
 * must have nothing to say.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dev.h"
#include "tap.h"

#define WORKERS		4
#define HANDLES		6
#define MAPS		12
#define SLOTS		8
#define SLOT_SIZE	(16 * PAGE)
#define SECOND		1000000000ll

static int fd;

/* What the calls gave out last; read and written by both threads, any mixture will do. */
static _Atomic uint64_t offset[MAPS], length[MAPS];

struct map {
	volatile uint32_t *p;
	uint64_t len;
};

static void remember(uint32_t *seed, uint64_t off, uint64_t len)
{
	unsigned int i = rnd(seed) % MAPS;

	offset[i] = off;
	length[i] = len;
}

static uint32_t handle(uint32_t *seed)
{
	return 1 + rnd(seed) % HANDLES;
}

static void make_ctx(uint32_t *seed)
{
	struct drm_nca_ctx_create c = { .slices = 1, .devmem_quota = 64 * SLOT_SIZE };

	if (!dev_ioctl(fd, DRM_IOCTL_NCA_CTX_CREATE, &c))
		remember(seed, c.status_offset, PAGE);
}

static void make_bo(uint32_t *seed)
{
	struct drm_nca_bo_create c = {
		.size = (1 + rnd(seed) % 16) * PAGE, .placement = rnd(seed) & 1,
	};
	struct drm_nca_bo_info i = { 0 };

	if (c.placement == DRM_NCA_BO_DEVICE)
		c.ctx = handle(seed);
	if (dev_ioctl(fd, DRM_IOCTL_NCA_BO_CREATE, &c))
		return;
	i.handle = c.handle;
	if (!dev_ioctl(fd, DRM_IOCTL_NCA_BO_INFO, &i))
		remember(seed, i.mmap_offset, i.size);
	if (c.handle > HANDLES)
		gem_close(fd, c.handle);
}

static void bind(uint32_t *seed)
{
	struct drm_nca_bind b = {
		.ctx = handle(seed), .bo = handle(seed),
		.va = 0x10000000 + rnd(seed) % SLOTS * SLOT_SIZE,
		.size = (1 + rnd(seed) % 16) * PAGE, .flags = 1 + rnd(seed) % 3,
	};

	dev_ioctl(fd, DRM_IOCTL_NCA_BIND, &b);
}

static void unbind(uint32_t *seed)
{
	struct drm_nca_unbind u = {
		.ctx = handle(seed), .va = 0x10000000 + rnd(seed) % SLOTS * SLOT_SIZE,
	};

	for (unsigned int pages = 1; pages <= 16; pages++) {
		u.size = pages * PAGE;
		if (!dev_ioctl(fd, DRM_IOCTL_NCA_UNBIND, &u))
			break;
	}
}

static void make_queue(uint32_t *seed)
{
	struct drm_nca_queue_create c = {
		.ctx = handle(seed), .sq_order = 3 + rnd(seed) % 4, .core = ~0u,
	};

	c.cq_order = c.sq_order + rnd(seed) % 2;
	if (dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_CREATE, &c))
		return;
	remember(seed, c.ring_offset, c.ring_size);
	remember(seed, c.doorbell_offset, PAGE);
	remember(seed, c.kick_offset, PAGE);
	if (c.queue > HANDLES) {
		struct drm_nca_queue_destroy d = { .queue = c.queue };

		dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_DESTROY, &d);
	}
}

static void use_map(uint32_t *seed, struct map *m)
{
	unsigned int i = rnd(seed) % MAPS;
	int prot = rnd(seed) & 3 ? PROT_READ | PROT_WRITE : PROT_READ;
	void *p;

	if (m->p)
		munmap((void *)m->p, m->len);
	m->p = NULL;
	m->len = length[i];
	if (!m->len)
		return;
	p = mmap(NULL, m->len, prot, MAP_SHARED, fd, offset[i]);
	if (p == MAP_FAILED)
		return;
	m->p = p;
	for (uint64_t w = 0; w < m->len / 4; w += 257) {
		uint32_t v = m->p[w];

		if (prot & PROT_WRITE)
			m->p[w] = rnd(seed) & 1 ? v + 1 : rnd(seed);
	}
}

static void share(uint32_t *seed)
{
	int dmabuf = prime_export(fd, handle(seed));
	uint32_t again;
	void *p;

	if (dmabuf < 0)
		return;
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);
	prime_import(fd, dmabuf, &again);
	close(dmabuf);
	if (p != MAP_FAILED) {
		*(volatile uint32_t *)p = rnd(seed);
		munmap(p, PAGE);
	}
}

static void look(uint32_t *seed)
{
	char buf[4096], path[64];
	struct drm_nca_query q = {
		.query = rnd(seed) % 5, .size = rnd(seed) % sizeof(buf), .data = (uintptr_t)buf,
	};
	int f;

	dev_ioctl(fd, DRM_IOCTL_NCA_QUERY, &q);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = open(path, O_RDONLY | O_CLOEXEC);
	if (f >= 0) {
		while (read(f, buf, sizeof(buf)) > 0)
			;
		close(f);
	}
}

static void *worker_thread(void *arg)
{
	uint32_t seed = (uintptr_t)arg;
	int ev = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct map map[4] = { 0 };

	for (;;) {
		struct drm_nca_queue_wait w = {
			.queue = handle(&seed), .timeout_ns = now_ns() + rnd(&seed) % 3000000,
		};
		struct drm_nca_queue_eventfd e = { .queue = handle(&seed), .fd = rnd(&seed) & 1 ? ev : -1 };
		struct drm_nca_queue_kick k = { .queue = handle(&seed), .tail = rnd(&seed) % 64 };
		struct drm_nca_queue_destroy qd = { .queue = handle(&seed) };
		struct drm_nca_ctx_destroy cd = { .handle = handle(&seed) };
		struct drm_nca_ctx_abort a = { .handle = handle(&seed) };

		switch (rnd(&seed) % 20) {
		case 0 ... 2: make_ctx(&seed); break;
		case 3 ... 4: make_bo(&seed); break;
		case 5 ... 7: bind(&seed); break;
		case 8: unbind(&seed); break;
		case 9 ... 10: make_queue(&seed); break;
		case 11 ... 13: use_map(&seed, &map[rnd(&seed) % 4]); break;
		case 14: share(&seed); break;
		case 15: dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_KICK, &k); break;
		case 16: dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_WAIT, &w); break;
		case 17: dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_EVENTFD, &e); break;
		case 18:
			if (rnd(&seed) & 1)
				dev_ioctl(fd, DRM_IOCTL_NCA_QUEUE_DESTROY, &qd);
			else
				gem_close(fd, handle(&seed));
			break;
		case 19:
			switch (rnd(&seed) % 4) {
			case 0: dev_ioctl(fd, DRM_IOCTL_NCA_CTX_DESTROY, &cd); break;
			case 1: dev_ioctl(fd, DRM_IOCTL_NCA_CTX_ABORT, &a); break;
			default: look(&seed);
			}
			break;
		}
	}
	return NULL;
}

static pid_t start(uint32_t seed)
{
	pthread_t other;
	pid_t pid = fork();

	if (pid)
		return pid;
	fd = dev_open();
	if (fd < 0 || pthread_create(&other, NULL, worker_thread, (void *)(uintptr_t)(seed ^ 0x5555)))
		_exit(1);
	worker_thread((void *)(uintptr_t)seed);
	_exit(0);
}

int main(int argc, char **argv)
{
	struct drm_nca_device_reset r = { 0 };
	unsigned int kills = 0, resets = 0;
	struct drm_nca_usage u;
	pid_t worker[WORKERS];
	int64_t end, reset_at;
	bool clean = true;
	uint32_t seed;
	int status;

	tap_prefix = "stress ";
	if (argc != 3)
		tap_bail("usage: t-stress SECONDS SEED");
	seed = strtoul(argv[2], NULL, 0) | 1;
	end = now_ns() + atoi(argv[1]) * SECOND;
	reset_at = now_ns() + 2 * SECOND;
	for (int i = 0; i < WORKERS; i++)
		worker[i] = start(rnd(&seed) | 1);
	fd = dev_open();
	if (fd < 0)
		tap_bail("open " DEV_NODE);
	while (now_ns() < end) {
		int i = rnd(&seed) % WORKERS;

		sleep_ms(20 + rnd(&seed) % 150);
		kill(worker[i], SIGKILL);
		waitpid(worker[i], &status, 0);
		/* No other signal may have ended it: not SIGBUS, not SIGSEGV. */
		clean &= WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		if (!clean) {
			printf("# a worker ended with status %#x\n", status);
			break;
		}
		kills++;
		worker[i] = start(rnd(&seed) | 1);
		if (now_ns() > reset_at) {
			int err = dev_ioctl(fd, DRM_IOCTL_NCA_DEVICE_RESET, &r);

			if (err) {
				CHECK_OK(err, "device reset");
				break;
			}
			resets++;
			reset_at = now_ns() + 2 * SECOND;
		}
	}
	for (int i = 0; i < WORKERS; i++) {
		kill(worker[i], SIGKILL);
		waitpid(worker[i], &status, 0);
	}
	CHECK(clean, "%u workers were killed, none ended in another way; %u resets", kills, resets);
	end = now_ns() + 2 * SECOND;
	do {
		NEED_OK(dev_usage(fd, &u), "usage");
	} while ((u.contexts || u.queues || u.devmem_used || u.host_pinned) && now_ns() < end);
	CHECK(!u.contexts && !u.queues && !u.devmem_used && !u.host_pinned && u.state == 0,
	      "nothing left: %u contexts, %u queues, %llu bytes of device memory, %llu pinned, state %u",
	      u.contexts, u.queues, (unsigned long long)u.devmem_used,
	      (unsigned long long)u.host_pinned, u.state);
	close(fd);
	return tap_done();
}
