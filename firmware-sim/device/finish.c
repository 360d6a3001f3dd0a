/* SPDX-License-Identifier: MIT */
/* The end of a launch: report, fault record, completion. */
#include <string.h>

#include "device.h"

static void write_report(struct ncasim *dev, struct launch *l, uint64_t end)
{
	struct nca_launch_report *r = &l->report;
	const uint8_t *from = (const uint8_t *)r;
	uint64_t va = l->sqe.launch.report, left = launch_report_len(&l->sqe), n;

	if (!va)
		return;
	r->start_ns = to_ns(dev, l->start);
	r->end_ns = to_ns(dev, end);
	r->preempt_ns = to_ns(dev, l->preempt_ticks);
	r->preemptions = l->preemptions;
	if (l->result != LAUNCH_DONE) {
		r->rule = l->fault.rule;
		r->fault_engine = l->fault.engine;
		r->fault_pc = l->fault.pc;
		r->fault_address = l->fault.address;
	}
	while (left) {
		uint8_t *to = map_translate(dev, l->ctx, va, left, NCA_MAP_WRITE, &n, NULL);

		if (!to)
			return;		/* was writable when the launch began; its loss now */
		memcpy(to, from, n);
		from += n;
		va += n;
		left -= n;
	}
}

static uint32_t fault_status(const struct launch *l)
{
	if (l->result == LAUNCH_REFUSED)
		return l->status;
	if (l->result == LAUNCH_TIMEOUT || l->fault.rule == NCA_RULE_WATCHDOG)
		return NCA_CQE_TIMEOUT;
	return l->fault.rule == NCA_RULE_DEADLOCK ? NCA_CQE_DEADLOCK : NCA_CQE_FAULT;
}

static void count(struct ncasim *dev, const struct launch *l)
{
	for (int e = 0; e < NCA_ENGINES; e++)
		add_stat(&dev->n_inst[e], l->report.instructions[e]);
	add_stat(&dev->n_inst[5], l->report.dma_descriptors);
	atomic_fetch_add_explicit(&dev->n_devmem, l->report.dma_bytes, memory_order_relaxed);
	add_stat(&dev->n_launches, 1);
	l->ctx->usage.launches++;
}

void launch_finish(struct ncasim *dev, struct launch *l)
{
	struct queue *q = l->q;
	struct context *ctx = l->ctx;
	uint64_t end = dev->core[l->core].clock;
	bool ok = l->result == LAUNCH_DONE;
	uint32_t status, detail;

	q->launch = NULL;
	if (q->remap && !queue_resolve(dev, q))
		return;		/* its rings are gone: nothing to complete into */
	if (ctx->lost) {
		queue_complete(dev, q, NCA_CQE_CTX_LOST, ctx->cause, l->start, end, l->core, 0);
		queue_after_publish(dev, q);
		return;
	}
	count(dev, l);
	write_report(dev, l, end);
	status = ok ? NCA_CQE_OK : fault_status(l);
	detail = ok ? 0 : l->result == LAUNCH_REFUSED ? l->detail : l->fault.pc;
	trace_command(dev->trace, ctx->id, q->id, "LAUNCH", to_ns(dev, l->start), to_ns(dev, end),
		      status);
	if (!ok) {
		struct nca_fault_record rec = {
			.time_ns = to_ns(dev, end), .ctx = ctx->id, .ctx_gen = ctx->gen,
			.queue = q->id, .status = (uint16_t)status, .core = (uint8_t)l->core,
			.engine = (uint8_t)l->fault.engine, .pc = l->fault.pc,
			.rule = l->fault.rule, .address = l->fault.address, .aux = l->ran,
		};

		fault_record(dev, &rec);
		trace_fault(dev->trace, l, rec.time_ns);
	}
	queue_complete(dev, q, status, detail, l->start, end, l->core,
		       ok ? 0 : l->fault.engine & NCA_CQE_ENGINE_MASK);
	queue_after_publish(dev, q);
	if (!ok)
		context_lose(dev, ctx, NCA_CAUSE_FAULT, q, true);
}
