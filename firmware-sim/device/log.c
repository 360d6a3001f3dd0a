/* SPDX-License-Identifier: MIT */
/* Fault log, arbiter counters, telemetry. */
#include <string.h>

#include "device.h"

void fault_record(struct ncasim *dev, const struct nca_fault_record *rec)
{
	dev->faults[dev->fault_count++ % dev->fault_cap] = *rec;
}

/* Newest first, whole records only. Returns bytes. */
uint32_t log_faults(struct ncasim *dev, void *page, uint32_t len)
{
	uint64_t kept = min_u64(dev->fault_count, dev->fault_cap);
	struct nca_fault_record *out = page;
	uint32_t n = 0;

	while (n < kept && (n + 1) * sizeof(*out) <= len) {
		out[n] = dev->faults[(dev->fault_count - 1 - n) % dev->fault_cap];
		n++;
	}
	return n * (uint32_t)sizeof(*out);
}

uint32_t log_usage(struct ncasim *dev, void *page, uint32_t len)
{
	struct nca_ctx_usage *out = page;
	uint32_t n = 0;

	for (uint32_t i = 1; i <= DEV_CONTEXTS && (n + 1) * sizeof(*out) <= len; i++) {
		const struct context *ctx = dev->ctx[i];

		if (!ctx)
			continue;
		out[n] = ctx->usage;
		out[n].ctx = ctx->id;
		out[n].ctx_gen = ctx->gen;
		out[n].slices = ctx->slices;
		out[n].core_mask = ctx->core_mask;
		out[n].busy_ns = to_ns(dev, ctx->busy_ticks);
		out[n].preempt_ns = to_ns(dev, ctx->preempt_ticks);
		n++;
	}
	return n * (uint32_t)sizeof(*out);
}

uint32_t log_telemetry(struct ncasim *dev, void *page, uint32_t len)
{
	struct nca_telemetry t = {
		.time_ns = dev->pace_real ? device_wall_ns(dev) : atomic_load(&dev->time_ns),
		.devmem_bytes = atomic_load(&dev->n_devmem),
		.host_bytes = atomic_load(&dev->n_host),
		.commands = atomic_load(&dev->n_commands),
		.launches = atomic_load(&dev->n_launches),
		.faults = atomic_load(&dev->n_faults),
		.bad_bus_accesses = atomic_load(&dev->n_bad_bus),
		.contexts = dev->contexts,
		.queues = dev->queues,
		/* A model, not a measurement: idle plus so much per busy core. */
		.temperature_mc = 38000 + 6000 * dev->launches_running,
		.power_mw = 15000 + 20000 * dev->launches_running,
	};

	for (uint32_t c = 0; c < dev->target->cores; c++)
		t.core_busy_ns[c] = atomic_load(&dev->n_core_busy[c]);
	len = (uint32_t)min_u64(len, sizeof(t));
	memcpy(page, &t, len);
	return len;
}

void ncasim_telemetry(struct ncasim *dev, struct ncasim_telemetry *out)
{
	*out = (struct ncasim_telemetry){
		.time_ns = dev->cfg.pace == NCASIM_PACE_REAL ? device_wall_ns(dev) :
							       atomic_load(&dev->time_ns),
		.commands = atomic_load(&dev->n_commands),
		.launches = atomic_load(&dev->n_launches),
		.faults = atomic_load(&dev->n_faults),
		.interrupts = atomic_load(&dev->n_irqs),
		.kicks = atomic_load(&dev->kicks),
		.sleeps = atomic_load(&dev->n_sleeps),
		.unkicked = atomic_load(&dev->n_unkicked),
		.bad_bus_accesses = atomic_load(&dev->n_bad_bus),
		.devmem_bytes = atomic_load(&dev->n_devmem),
		.host_bytes = atomic_load(&dev->n_host),
		.contexts = atomic_load(&dev->n_contexts),
		.queues = atomic_load(&dev->n_queues),
		.cores = dev->target->cores,
		.simd = core_simd_name(dev->core[0].core),
	};
	for (int e = 0; e < 6; e++)
		out->instructions[e] = atomic_load(&dev->n_inst[e]);
	for (uint32_t c = 0; c < DEV_CORES; c++)
		out->core_busy_ns[c] = atomic_load(&dev->n_core_busy[c]);
}
