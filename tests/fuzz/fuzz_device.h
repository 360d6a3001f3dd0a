/* SPDX-License-Identifier: MIT */
/* One device for all inputs of a fuzzer, reset in between. */
#ifndef TESTS_FUZZ_DEVICE_H
#define TESTS_FUZZ_DEVICE_H

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <nca/admin.h>
#include <nca/isa.h>
#include <nca/queue.h>

#include "../../firmware-sim/ncasim.h"

#define FUZZ_MEM	(1u << 20)	/* bus addresses 0..1 MiB: small numbers hit it */
#define FUZZ_ORDER	6u
#define FUZZ_RINGS	0x5ca1ab1e0000ull	/* admin rings: where no input reaches them */
#define FUZZ_EQ		0x4000u

static struct ncasim *fuzz_dev;
static uint8_t *fuzz_mem;
static uint8_t *fuzz_rings;	/* submission ring, 4 KiB further the completion ring */
static uint32_t fuzz_tail, fuzz_head;

static inline uint64_t fuzz_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* Fresh device state for the next input. */
static inline void fuzz_reset(void)
{
	if (!fuzz_dev) {
		char err[200];

		fuzz_mem = aligned_alloc(4096, FUZZ_MEM);
		fuzz_rings = aligned_alloc(4096, 8192);
		if (!fuzz_mem || !fuzz_rings ||
		    ncasim_create(NULL, NULL, NULL, &fuzz_dev, err, sizeof(err)) ||
		    ncasim_dma_map(fuzz_dev, 0, fuzz_mem, FUZZ_MEM, 3) ||
		    ncasim_dma_map(fuzz_dev, FUZZ_RINGS, fuzz_rings, 8192, 3))
			abort();
	}
	ncasim_reset(fuzz_dev);
	memset(fuzz_mem, 0, FUZZ_MEM);
	memset(fuzz_rings, 0, 8192);
	fuzz_tail = 0;
	fuzz_head = 0;
	ncasim_set_bus_master(fuzz_dev, true);
	ncasim_reg_write(fuzz_dev, NCA_REG_ASQ_BASE, FUZZ_RINGS, 8);
	ncasim_reg_write(fuzz_dev, NCA_REG_ACQ_BASE, FUZZ_RINGS + 4096, 8);
	ncasim_reg_write(fuzz_dev, NCA_REG_ADMIN_ORDER, FUZZ_ORDER, 4);
	ncasim_reg_write(fuzz_dev, NCA_REG_CTRL, NCA_CTRL_ENABLE, 4);
	while (!(ncasim_reg_read(fuzz_dev, NCA_REG_STATUS, 4) & NCA_STATUS_READY))
		sched_yield();
}

/*
 * Post one command and wait for its answer. False when none can come: the
 * command was an injected hang, or the device says FATAL. Anything else that
 * stays unanswered is a finding.
 */
static inline bool fuzz_admin(const struct nca_admin_cmd *cmd, struct nca_admin_cpl *cpl)
{
	uint32_t mask = (1u << FUZZ_ORDER) - 1;
	struct nca_admin_cpl *c = (void *)(fuzz_rings + 4096 + (fuzz_head & mask) * sizeof(*c));
	uint16_t phase = !((fuzz_head >> FUZZ_ORDER) & 1);
	uint64_t until = fuzz_now() + 10000000000ull;

	memcpy(fuzz_rings + (fuzz_tail & mask) * sizeof(*cmd), cmd, sizeof(*cmd));
	ncasim_reg_write(fuzz_dev, NCA_REG_ASQ_TAIL, ++fuzz_tail, 4);
	while (__atomic_load_n(&((uint64_t *)(void *)c)[3], __ATOMIC_ACQUIRE) >> 48 != phase) {
		if (ncasim_reg_read(fuzz_dev, NCA_REG_STATUS, 4) & NCA_STATUS_FATAL)
			return false;
		if (cmd->opcode == NCA_ADMIN_INJECT && cmd->inject.what == NCA_INJECT_HANG)
			return false;
		if (fuzz_now() > until) {
			fprintf(stderr, "admin command 0x%x was never answered\n", cmd->opcode);
			abort();
		}
		sched_yield();
	}
	*cpl = *c;
	fuzz_head++;
	ncasim_reg_write(fuzz_dev, NCA_REG_ACQ_HEAD, fuzz_head, 4);
	return true;
}

#endif
