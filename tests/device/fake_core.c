/* SPDX-License-Identifier: MIT */
/*
 * A stand-in for the core executor, so that the arbiter can be tested with
 * launches of any length: scalar 0 and 1 are the ticks a launch takes, scalar 2
 * says how it ends, scalar 3 how much wall time each slice takes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../firmware-sim/core/core.h"
#include "host.h"

struct core {
	const struct nca_target *target;
};

struct core_program {
	uint32_t opcode;
};

struct core_state {
	struct core_memory memory;
	uint64_t ticks, now;
	uint32_t end, wall_us;
	const struct core_trace *trace;
};

uint32_t fake_decodes;

int core_program_create(const struct nca_target *target, const struct nca_program_header *header,
			const struct nca_inst *const inst[NCA_ENGINES], struct core_program **out,
			struct core_fault *fault)
{
	const struct nca_inst *in = inst[NCA_ENGINE_SYNC];

	(void)target;
	(void)header;
	__atomic_fetch_add(&fake_decodes, 1, __ATOMIC_RELAXED);
	if (!in || in->opcode != NCA_OP_HALT) {
		fault->rule = NCA_RULE_ILLEGAL_OPCODE;
		fault->engine = NCA_ENGINE_SYNC;
		return -EINVAL;
	}
	*out = malloc(sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void core_program_destroy(struct core_program *prog)
{
	free(prog);
}

int core_create(const struct nca_target *target, enum core_simd simd, struct core **out)
{
	(void)simd;
	*out = malloc(sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->target = target;
	return 0;
}

void core_destroy(struct core *core)
{
	free(core);
}

const char *core_simd_name(const struct core *core)
{
	(void)core;
	return "scalar";
}

int core_launch_begin(struct core *core, const struct core_launch *launch, struct core_state **out)
{
	struct core_state *s = calloc(1, sizeof(*s));

	(void)core;
	if (!s)
		return -ENOMEM;
	s->memory = launch->memory;
	s->ticks = launch->scalar[0] | (uint64_t)launch->scalar[1] << 32;
	s->end = launch->scalar[2];
	s->wall_us = launch->scalar[3];
	s->trace = launch->trace;
	*out = s;
	return 0;
}

void core_launch_end(struct core *core, struct core_state *state)
{
	(void)core;
	free(state);
}

static bool touch(struct core_state *s, bool write)
{
	uint64_t avail, v;
	bool dev_mem;
	uint64_t *p = s->memory.translate(s->memory.opaque, 0, 0, 8, write, &avail, &dev_mem);

	if (!p)
		return false;
	v = __atomic_load_n(p, __ATOMIC_RELAXED);
	if (write)
		__atomic_store_n(p, v + 1, __ATOMIC_RELAXED);
	/* A real core holds on to the pointer until core_run() returns: so do we, for a while. */
	for (uint64_t until = s->wall_us ? now_ns() + 2000000 : 0; now_ns() < until;)
		(void)__atomic_load_n(p, __ATOMIC_RELAXED);
	return true;
}

enum core_result core_run(struct core *core, struct core_state *s, uint64_t until,
			  const volatile bool *stop, uint64_t *now, struct core_fault *fault)
{
	struct timespec ts = { .tv_nsec = 20000 };

	(void)core;
	for (uint32_t us = 0; us < s->wall_us; us += 20) {
		if (__atomic_load_n((const bool *)stop, __ATOMIC_ACQUIRE)) {
			*now = s->now;
			return CORE_YIELDED;
		}
		if ((s->end == FAKE_READ_SLOT0 || s->end == FAKE_WRITE_SLOT0) &&
		    !touch(s, s->end == FAKE_WRITE_SLOT0)) {
			fault->rule = NCA_RULE_SLOT;
			*now = s->now;
			return CORE_FAULT;
		}
		nanosleep(&ts, NULL);
	}
	if (s->now + 1 > until) {
		*now = s->now;
		return CORE_YIELDED;
	}
	if (s->trace && s->trace->inst) {
		struct nca_inst in = { .opcode = NCA_OP_HALT };

		s->trace->inst(s->trace->opaque, NCA_ENGINE_SYNC, &in, 0, s->now, s->now + 4);
	}
	s->now = s->ticks < until ? s->ticks : until;
	*now = s->now;
	if (s->now < s->ticks)
		return CORE_YIELDED;
	if (s->end == FAKE_FAULT || s->end == FAKE_DEADLOCK) {
		*fault = (struct core_fault){
			.rule = s->end == FAKE_FAULT ? NCA_RULE_OUT_OF_RANGE : NCA_RULE_DEADLOCK,
			.engine = NCA_ENGINE_VECTOR, .pc = 77, .address = 0x1234,
		};
		return CORE_FAULT;
	}
	if ((s->end == FAKE_WRITE_SLOT0 || s->end == FAKE_READ_SLOT0) &&
	    !touch(s, s->end == FAKE_WRITE_SLOT0)) {
		fault->rule = NCA_RULE_SLOT;
		return CORE_FAULT;
	}
	return CORE_DONE;
}

void core_launch_report(const struct core_state *s, struct nca_launch_report *report)
{
	report->ticks = s->now;
	report->instructions[NCA_ENGINE_SYNC] = 1;
}
