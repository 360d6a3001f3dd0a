/* SPDX-License-Identifier: MIT */
/* Creating and destroying a device. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device.h"

static int say(char *err, size_t err_len, int ret, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int say(char *err, size_t err_len, int ret, const char *fmt, ...)
{
	va_list ap;

	if (err && err_len) {
		va_start(ap, fmt);
		vsnprintf(err, err_len, fmt, ap);
		va_end(ap);
	}
	return ret;
}

static void *shared_memory(const char *name, size_t len, int *fd)
{
	void *p;

	*fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd < 0)
		return NULL;
	/* Whoever maps the BAR has this descriptor; shrinking the file would kill us with SIGBUS. */
	if (ftruncate(*fd, (off_t)len) ||
	    fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
		close(*fd);
		*fd = -1;
		return NULL;
	}
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, *fd, 0);
	if (p == MAP_FAILED) {
		close(*fd);
		*fd = -1;
		return NULL;
	}
	return p;
}

#define HUGE_PAGE	(2u << 20)

/*
 * Weights are read as rows that are far apart: with huge pages a TLB entry is enough for
 * hundreds of them. Huge pages need an address that is a multiple of theirs.
 */
static void *private_memory(size_t len)
{
	size_t room = len + HUGE_PAGE, before;
	uint8_t *all = mmap(NULL, room, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (all == MAP_FAILED)
		return NULL;
	before = -(uintptr_t)all % HUGE_PAGE;
	if (before)
		munmap(all, before);
	munmap(all + before + len, HUGE_PAGE - before);
	madvise(all + before, len, MADV_HUGEPAGE);	/* only advice */
	return all + before;
}

static void release_memory(void *p, size_t len, int fd)
{
	if (p)
		munmap(p, len);
	if (fd >= 0)
		close(fd);
}

static int make_cores(struct ncasim *dev)
{
	static const enum core_simd simd[] = {
		[NCASIM_SIMD_AUTO] = CORE_SIMD_AUTO, [NCASIM_SIMD_SCALAR] = CORE_SIMD_SCALAR,
		[NCASIM_SIMD_AVX2] = CORE_SIMD_AVX2, [NCASIM_SIMD_AVX512] = CORE_SIMD_AVX512,
	};

	for (uint32_t c = 0; c < dev->target->cores; c++) {
		int ret = core_create(dev->target, simd[dev->cfg.simd], &dev->core[c].core);

		if (ret)
			return ret;
	}
	return 0;
}

/* Device threads belong to us: the application's signals are not for them. */
static int start_threads(struct ncasim *dev)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = workers_start(dev);
	if (!ret) {
		ret = -pthread_create(&dev->thread, NULL, front_main, dev);
		dev->thread_running = !ret;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ret;
}

static void free_device(struct ncasim *dev)
{
	for (uint32_t c = 0; c < DEV_CORES; c++)
		if (dev->core[c].core)
			core_destroy(dev->core[c].core);
	trace_close(dev->trace);
	release_memory(dev->doorbells, dev->doorbells_len, dev->doorbells_fd);
	release_memory(dev->devmem, dev->devmem_len, dev->devmem_fd);
	dma_free(dev);
	pthread_mutex_destroy(&dev->regs.lock);
	pthread_mutex_destroy(&dev->req_lock);
	pthread_cond_destroy(&dev->req_done);
	free(dev->faults);
	free(dev->trace_path);
	free(dev->serial);
	free(dev);
}

static uint32_t worker_count(const struct ncasim *dev)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	uint32_t n = dev->cfg.threads ? dev->cfg.threads : (uint32_t)(online > 0 ? online : 1);

	return (uint32_t)min_u64(n, dev->target->cores);
}

static struct ncasim *alloc_device(const struct ncasim_config *cfg, const struct nca_target *target)
{
	struct ncasim *dev = aligned_alloc(64, (sizeof(*dev) + 63) & ~(size_t)63);
	pthread_rwlockattr_t attr;

	if (!dev)
		return NULL;
	memset(dev, 0, sizeof(*dev));
	memcpy(&dev->cfg, cfg, min_u64(cfg->size, sizeof(dev->cfg)));
	dev->target = target;
	dev->doorbells_fd = -1;
	dev->devmem_fd = -1;
	if (!dev->cfg.quantum_us)
		dev->cfg.quantum_us = 4000;
	dev->quantum_ticks = nca_ns_to_ticks(target, dev->cfg.quantum_us * 1000ull);
	dev->nop_ticks = target->tick_hz / 10000000;	/* 100 ns, a whole number of both */
	dev->nop_ns = 100;
	dev->pace_real = dev->cfg.pace == NCASIM_PACE_REAL;
	dev->wall0 = wall_ns();
	dev->workers = worker_count(dev);
	dev->fault_cap = dev->cfg.fault_log ? dev->cfg.fault_log : 256;
	atomic_store(&dev->awake, 1);
	regs_init(&dev->regs);
	pthread_mutex_init(&dev->req_lock, NULL);
	pthread_cond_init(&dev->req_done, NULL);
	pthread_rwlockattr_init(&attr);
#ifdef __GLIBC__
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
#endif
	pthread_rwlock_init(&dev->dma.lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	return dev;
}

int ncasim_create(const struct ncasim_config *cfg, const struct ncasim_host_ops *ops, void *opaque,
		  struct ncasim **out, char *err, size_t err_len)
{
	static const struct ncasim_config defaults = { .size = sizeof(defaults) };
	const struct nca_target *target;
	struct ncasim *dev;
	int ret;

	if (!cfg)
		cfg = &defaults;
	if (cfg->size < offsetof(struct ncasim_config, threads))
		return say(err, err_len, -EINVAL, "ncasim_config.size is %zu: set it to sizeof(struct ncasim_config)",
			   cfg->size);
	target = nca_target_by_name(cfg->target ? cfg->target : "nca1");
	if (!target)
		return say(err, err_len, -EINVAL, "unknown target '%s': use nca1 or nca2", cfg->target);
	dev = alloc_device(cfg, target);
	if (!dev)
		return say(err, err_len, -ENOMEM, "out of memory for the device");
	if (ops)
		dev->ops = *ops;
	dev->opaque = opaque;
	dev->serial = strdup(dev->cfg.serial ? dev->cfg.serial : "SIM0");
	dev->faults = calloc(dev->fault_cap, sizeof(*dev->faults));
	dev->doorbells_len = (size_t)DEV_QUEUES * NCA_DB_PAGE_SIZE;
	dev->doorbells = shared_memory("nca-doorbells", dev->doorbells_len, &dev->doorbells_fd);
	dev->devmem_len = target->devmem_bytes;
	/* Where the kernel does not overcommit, only a memfd can be sparse. */
	if (dev->cfg.private_memory)
		dev->devmem = private_memory(dev->devmem_len);
	if (!dev->devmem)
		dev->devmem = shared_memory("nca-devmem", dev->devmem_len, &dev->devmem_fd);
	if (!dev->serial || !dev->faults || !dev->doorbells || !dev->devmem) {
		ret = say(err, err_len, -ENOMEM, "cannot allocate %llu MiB of device memory: %s",
			  (unsigned long long)(dev->devmem_len >> 20), strerror(errno));
		goto fail;
	}
	if (dev->cfg.trace_path) {
		dev->trace_path = strdup(dev->cfg.trace_path);
		dev->trace = dev->trace_path ? trace_open(dev->trace_path, target) : NULL;
		if (!dev->trace) {
			ret = say(err, err_len, -errno, "cannot write the trace to %s: %s",
				  dev->cfg.trace_path, strerror(errno));
			goto fail;
		}
	}
	dev->fast = !dev->trace && !dev->pace_real;
	ret = make_cores(dev);
	if (ret) {
		say(err, err_len, ret, "cannot create the cores: %s", strerror(-ret));
		goto fail;
	}
	ret = start_threads(dev);
	if (ret) {
		say(err, err_len, ret, "cannot start the device's threads: %s", strerror(-ret));
		ncasim_destroy(dev);
		return ret;
	}
	*out = dev;
	return 0;

fail:
	free_device(dev);
	return ret;
}

static int drop(struct ncasim *dev, void *arg)
{
	(void)arg;
	device_drop_all(dev);
	return 0;
}

void ncasim_destroy(struct ncasim *dev)
{
	if (!dev)
		return;
	if (dev->thread_running) {
		front_call(dev, drop, NULL, true);
		atomic_store(&dev->quit, true);
		front_wake(dev);
		pthread_join(dev->thread, NULL);
	}
	workers_stop(dev);
	/* What came back after the front end's last round. */
	workers_collect(dev);
	for (uint32_t c = 0; c < dev->target->cores; c++)
		arbiter_collect_garbage(&dev->core[c]);
	free_device(dev);
}

void *ncasim_doorbells(struct ncasim *dev, size_t *len, int *fd)
{
	if (len)
		*len = dev->doorbells_len;
	if (fd)
		*fd = dev->doorbells_fd;
	return dev->doorbells;
}

void *ncasim_devmem(struct ncasim *dev, uint64_t *len, int *fd)
{
	if (len)
		*len = dev->devmem_len;
	if (fd)
		*fd = dev->devmem_fd;
	return dev->devmem;
}
