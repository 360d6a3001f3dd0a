/* SPDX-License-Identifier: MIT */
#include "mock_sim.h"

#include <errno.h>
#include <nca/regs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static uint8_t *shared(const char *name, size_t len, int *fd)
{
	void *p;

	*fd = memfd_create(name, MFD_CLOEXEC);
	if (*fd < 0 || ftruncate(*fd, len))
		abort();
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	if (p == MAP_FAILED)
		abort();
	return p;
}

struct ncasim *mock_create(void (*irq)(void *opaque, unsigned int vector), void *opaque)
{
	struct ncasim *sim = calloc(1, sizeof(*sim));

	if (!sim)
		abort();
	sim->ops.irq = irq;
	sim->opaque = opaque;
	pthread_mutex_init(&sim->lock, NULL);
	pthread_cond_init(&sim->changed, NULL);
	sim->db = shared("doorbells", MOCK_DB_LEN, &sim->db_fd);
	sim->mem = shared("devmem", MOCK_DEVMEM_LEN, &sim->mem_fd);
	sim->range = calloc(MOCK_RANGES, sizeof(*sim->range));
	if (!sim->range)
		abort();
	sim->master = true;
	return sim;
}

void mock_destroy(struct ncasim *sim)
{
	munmap(sim->db, MOCK_DB_LEN);
	munmap(sim->mem, MOCK_DEVMEM_LEN);
	close(sim->db_fd);
	close(sim->mem_fd);
	pthread_cond_destroy(&sim->changed);
	pthread_mutex_destroy(&sim->lock);
	free(sim->range);
	free(sim);
}

void mock_hold(struct ncasim *sim, bool on)
{
	pthread_mutex_lock(&sim->lock);
	sim->hold = on;
	pthread_cond_broadcast(&sim->changed);
	pthread_mutex_unlock(&sim->lock);
}

unsigned int mock_waiting(struct ncasim *sim)
{
	unsigned int n;

	pthread_mutex_lock(&sim->lock);
	n = sim->waiting;
	pthread_mutex_unlock(&sim->lock);
	return n;
}

unsigned int mock_ranges(struct ncasim *sim)
{
	unsigned int n;

	pthread_mutex_lock(&sim->lock);
	n = sim->ranges;
	pthread_mutex_unlock(&sim->lock);
	return n;
}

uint8_t *mock_at(struct ncasim *sim, uint64_t iova)
{
	uint8_t *p = NULL;

	pthread_mutex_lock(&sim->lock);
	for (unsigned int i = 0; i < sim->ranges; i++) {
		struct mock_range *r = &sim->range[i];

		if (iova >= r->iova && iova - r->iova < r->len && r->ptr)
			p = r->ptr + (iova - r->iova);
	}
	pthread_mutex_unlock(&sim->lock);
	return p;
}

/* With the lock held. */
static void wait_for_engines(struct ncasim *sim)
{
	sim->waiting++;
	while (sim->hold)
		pthread_cond_wait(&sim->changed, &sim->lock);
	sim->waiting--;
}

/* ---- ncasim.h ------------------------------------------------------------------- */

uint64_t ncasim_reg_read(struct ncasim *sim, uint32_t offset, unsigned int size)
{
	uint64_t v = 0;

	if (ncasim_vanished(sim))
		return UINT64_MAX;
	switch (offset) {
	case NCA_REG_MAGIC:
		v = NCA_MAGIC;
		break;
	case NCA_REG_CAP_QUEUES:
		v = MOCK_QUEUES;
		break;
	case NCA_REG_CAP_VECTORS:
		v = MOCK_VECTORS;
		break;
	case NCA_REG_DB_STRIDE:
		v = 4096;
		break;
	case NCA_REG_TIME:
		v = 0x1122334455667788ull;
		break;
	}
	return size == 8 ? v : v & ((1ull << 8 * size) - 1);
}

void ncasim_reg_write(struct ncasim *sim, uint32_t offset, uint64_t value, unsigned int size)
{
	(void)size;
	pthread_mutex_lock(&sim->lock);
	sim->writes++;
	sim->last_offset = offset;
	sim->last_write = value;
	pthread_mutex_unlock(&sim->lock);
}

void *ncasim_doorbells(struct ncasim *sim, size_t *len, int *fd)
{
	*len = MOCK_DB_LEN;
	*fd = sim->db_fd;
	return sim->db;
}

uint32_t ncasim_kick_offset(struct ncasim *sim)
{
	(void)sim;
	return MOCK_DB_LEN;
}

void ncasim_kick(struct ncasim *sim, uint32_t queue)
{
	pthread_mutex_lock(&sim->lock);
	sim->last_kick = queue;
	sim->kicks++;
	pthread_mutex_unlock(&sim->lock);
}

void *ncasim_devmem(struct ncasim *sim, uint64_t *len, int *fd)
{
	*len = MOCK_DEVMEM_LEN;
	*fd = sim->mem_fd;
	return sim->mem;
}

int ncasim_dma_map(struct ncasim *sim, uint64_t iova, void *ptr, uint64_t len, unsigned int prot)
{
	pthread_mutex_lock(&sim->lock);
	sim->range[sim->ranges++] = (struct mock_range){ iova, len, ptr, prot };
	pthread_mutex_unlock(&sim->lock);
	return 0;
}

int ncasim_dma_unmap(struct ncasim *sim, uint64_t iova, uint64_t len)
{
	int err = -ENOENT;

	pthread_mutex_lock(&sim->lock);
	wait_for_engines(sim);
	for (unsigned int i = 0; i < sim->ranges; i++) {
		if (sim->range[i].iova != iova || sim->range[i].len != len)
			continue;
		sim->range[i] = sim->range[--sim->ranges];
		err = 0;
		break;
	}
	pthread_mutex_unlock(&sim->lock);
	return err;
}

void ncasim_set_bus_master(struct ncasim *sim, bool on)
{
	pthread_mutex_lock(&sim->lock);
	if (!on)
		wait_for_engines(sim);
	sim->master = on;
	pthread_mutex_unlock(&sim->lock);
}

void ncasim_reset(struct ncasim *sim)
{
	pthread_mutex_lock(&sim->lock);
	wait_for_engines(sim);
	sim->resets++;
	pthread_mutex_unlock(&sim->lock);
}

void ncasim_inject(struct ncasim *sim, enum ncasim_fault what)
{
	pthread_mutex_lock(&sim->lock);
	if (what == NCASIM_VANISH || what == NCASIM_RETURN)
		sim->vanished = what == NCASIM_VANISH;
	else
		sim->hung = what == NCASIM_HANG;
	pthread_mutex_unlock(&sim->lock);
}

bool ncasim_vanished(struct ncasim *sim)
{
	bool gone;

	pthread_mutex_lock(&sim->lock);
	gone = sim->vanished;
	pthread_mutex_unlock(&sim->lock);
	return gone;
}

void ncasim_telemetry(struct ncasim *sim, struct ncasim_telemetry *out)
{
	memset(out, 0, sizeof(*out));
	pthread_mutex_lock(&sim->lock);
	out->kicks = sim->kicks;
	out->bad_bus_accesses = sim->bad;
	pthread_mutex_unlock(&sim->lock);
	out->cores = 2;
	out->simd = "none";
}
