// SPDX-License-Identifier: MIT
#include "graph.h"
#include "versioned.h"

int accel_launch_report(accel_launch *l, struct accel_launch_report *report)
{
	struct accel_launch_report o = { .size = sizeof(o) };
	struct nca_launch_report r;
	int err;

	if (!l)
		return acc_fail(-EINVAL, "accel_launch_report: launch must not be NULL");
	ACC_CHECK_CHILD(l->graph, l->graph->ctx->dev);
	err = acc_check_out(report, "struct accel_launch_report");
	if (err)
		return err;
	r = *l->report;
	if (!r.end_ns && !r.rule)
		return acc_fail(-ENODATA, "this instance has not run");
	o.start_ns = r.start_ns;
	o.end_ns = r.end_ns;
	o.preempt_ns = r.preempt_ns;
	o.preemptions = r.preemptions;
	o.ticks = r.ticks;
	o.tick_hz = l->graph->ctx->dev->b->tick_hz;
	for (int i = 0; i < NCA_ENGINES; i++) {
		o.busy_ticks[i] = r.busy_ticks[i];
		o.wait_ticks[i] = r.wait_ticks[i];
		o.stall_ticks[i] = r.stall_ticks[i];
		o.instructions[i] = r.instructions[i];
		o.result_stall_ticks[i] = r.stall_by[i][NCA_STALL_RESULT];
		o.port_stall_ticks[i] = r.stall_by[i][NCA_STALL_PORT];
		o.array_stall_ticks[i] = r.stall_by[i][NCA_STALL_ARRAY];
		o.queue_stall_ticks[i] = r.stall_by[i][NCA_STALL_DMA_QUEUE];
		o.dma_wait_ticks[i] = r.dma_wait_ticks[i];
	}
	o.array_ticks = r.array_ticks;
	o.dma_busy_ticks = r.dma_busy_ticks;
	o.dma_bytes = r.dma_bytes;
	o.dma_descriptors = r.dma_descriptors;
	o.fault_rule = r.rule;
	o.fault_engine = r.fault_engine;
	o.fault_pc = r.fault_pc;
	o.fault_address = r.fault_address;
	acc_copy_out(report, &o, sizeof(o));
	return 0;
}
