/* SPDX-License-Identifier: MIT */
/*
 * A stand-in for the device behind ncasim.h that does nothing by itself, writes
 * down what it is told, and can be made to hold on to a range: what the real
 * device does only in moments that a test cannot choose.
 */
#ifndef MOCK_SIM_H
#define MOCK_SIM_H

#include "../../firmware-sim/ncasim.h"

#include <pthread.h>

#define MOCK_QUEUES		16u
#define MOCK_VECTORS		20u
#define MOCK_DB_LEN		(MOCK_QUEUES * 4096u)
#define MOCK_DEVMEM_LEN		(1u << 20)
#define MOCK_RANGES		70000u

struct mock_range {
	uint64_t iova, len;
	uint8_t *ptr;
	unsigned int prot;
};

struct ncasim {
	struct ncasim_host_ops ops;
	void *opaque;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int db_fd, mem_fd;
	uint8_t *db, *mem;
	struct mock_range *range;
	/* Read by tests in passing, hence atomic. */
	_Atomic unsigned int ranges;
	_Atomic uint32_t last_kick;
	_Atomic unsigned int kicks, resets, writes;
	_Atomic uint64_t last_write;
	_Atomic uint32_t last_offset;
	_Atomic bool master, vanished, hung;
	bool hold;		/* an engine is inside host memory and does not come out */
	unsigned int waiting;	/* calls that wait for it */
	uint64_t bad;
};

struct ncasim *mock_create(void (*irq)(void *opaque, unsigned int vector), void *opaque);
void mock_destroy(struct ncasim *sim);

void mock_hold(struct ncasim *sim, bool on);
unsigned int mock_waiting(struct ncasim *sim);
unsigned int mock_ranges(struct ncasim *sim);

/* Host address of @iova, or NULL. */
uint8_t *mock_at(struct ncasim *sim, uint64_t iova);

#endif
