/* SPDX-License-Identifier: MIT */
/* Runs a program file on one simulated core in checking mode; nothing of libaccel is involved. */
#ifndef TEST_SIM_RUN_H
#define TEST_SIM_RUN_H

#include <stdbool.h>

#include <nca/isa.h>
#include <nca/ncx.h>

#define SIM_MAX_TENSORS 64

struct sim_tensor {
	char name[128];
	uint32_t type;		/* enum ncx_type */
	uint64_t elements, bytes;
	void *data;		/* inputs: the caller's; outputs: from malloc */
};

struct sim_run {
	struct sim_tensor in[SIM_MAX_TENSORS], out[SIM_MAX_TENSORS];
	uint32_t num_in, num_out;
	bool timed;		/* the caller's choice: no arithmetic, no checking */
	uint64_t est_ticks;
	struct nca_launch_report report;
	char error[256];
};

/* Reads names and sizes of inputs and outputs into @run. Returns 0, or -1 with run->error. */
int sim_inspect(const uint8_t *ncx, size_t size, struct sim_run *run);
/*
 * Runs with the inputs in @run. Returns 0, or -1 with run->error: a fault, or a launch that did not take
 * the time the compiler said, to the tick.
 */
int sim_launch(const uint8_t *ncx, size_t size, struct sim_run *run);
void sim_free(struct sim_run *run);

#endif
