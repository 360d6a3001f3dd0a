// SPDX-License-Identifier: MIT
/* Launches: the instances of a loaded graph, and putting them on a queue. */
#include "graph.h"
#include "queue.h"

int accel_launch_get(accel_graph *g, accel_launch **out)
{
	struct accel_launch *l;

	if (!g || !out)
		return acc_fail(-EINVAL, "accel_launch_get: graph and launch must not be NULL");
	ACC_CHECK_CHILD(g, g->ctx->dev);
	pthread_mutex_lock(&g->lock);
	l = g->free;
	if (l) {
		g->free = l->next_free;
		l->taken = true;
	}
	pthread_mutex_unlock(&g->lock);
	if (!l)
		return acc_fail_text(-EAGAIN, "every instance of the graph is taken: give one back with accel_launch_put(), or load with more instances");
	*out = l;
	return 0;
}

void accel_launch_put(accel_launch *l)
{
	struct accel_graph *g;

	if (!l || acc_is_child(l->graph->epoch))
		return;
	g = l->graph;
	pthread_mutex_lock(&g->lock);
	/* Put twice, it would be handed out twice. */
	if (l->taken) {
		l->taken = false;
		l->next_free = g->free;
		g->free = l;
	}
	pthread_mutex_unlock(&g->lock);
}

static uint8_t *tensor_memory(struct accel_launch *l, bool output, unsigned int index)
{
	struct accel_graph *g;
	uint32_t count;

	if (!l) {
		acc_fail(-EINVAL, "the launch must not be NULL");
		return NULL;
	}
	g = l->graph;
	count = output ? g->outputs : g->inputs;
	if (index >= count) {
		acc_fail(-EINVAL, "%s %u does not exist; the graph has %u",
			 output ? "output" : "input", index, count);
		return NULL;
	}
	if (acc_is_child(g->epoch)) {
		acc_child_error(g->ctx->dev);
		return NULL;
	}
	return l->cpu + g->tensor[output ? g->inputs + index : index].offset;
}

void *accel_launch_input(accel_launch *l, unsigned int index)
{
	return tensor_memory(l, false, index);
}

const void *accel_launch_output(accel_launch *l, unsigned int index)
{
	return tensor_memory(l, true, index);
}

int accel_launch_set_scalar(accel_launch *l, unsigned int index, uint32_t value)
{
	if (!l)
		return acc_fail(-EINVAL, "accel_launch_set_scalar: launch must not be NULL");
	ACC_CHECK_CHILD(l->graph, l->graph->ctx->dev);
	if (index >= l->graph->scalar_count)
		return acc_fail(-EINVAL, "scalar %u does not exist; the graph has %u", index,
				l->graph->scalar_count);
	l->scalars[index] = value;
	return 0;
}

int accel_launch_prepare(accel_launch *l, accel_queue *q, uint64_t cookie)
{
	struct accel_graph *g;
	struct nca_sqe *e;

	if (!l || !q)
		return acc_fail(-EINVAL, "accel_launch_prepare: launch and queue must not be NULL");
	g = l->graph;
	if (q->ctx != g->ctx)
		return acc_fail(-EINVAL, "the queue belongs to another context than the graph");
	ACC_CHECK_CHILD(q, q->ctx->dev);
	/* A report that is still empty after the run says that the run never began. */
	l->report->start_ns = 0;
	l->report->end_ns = 0;
	l->report->ticks = 0;
	l->report->rule = 0;
	e = acc_queue_slot(q, cookie);
	if (!e)
		return acc_queue_no_slot(q);
	*e = (struct nca_sqe){
		.opcode = NCA_SQE_LAUNCH,
		.flags = g->launch_flags,
		.cookie = cookie,
		.launch = {
			.program = g->program->va,
			.args = l->args_va,
			.args_len = (uint32_t)g->args_len,
			.report_len = g->ctx->dev->b->features & NCA_FEATURE_REPORT_LEN ?
				      (uint32_t)sizeof(*l->report) : 0,
			.report = l->report_va,
		},
	};
	return acc_queue_filled(e);
}

int accel_launch_submit(accel_launch *l, accel_queue *q, uint64_t cookie)
{
	int r = accel_launch_prepare(l, q, cookie);

	if (r)
		return r;
	r = accel_queue_submit(q);
	return r < 0 ? r : 0;
}

int accel_launch_run(accel_launch *l, accel_queue *q, uint64_t timeout_ns,
		     struct accel_completion *out)
{
	struct accel_completion c;
	int r;

	if (!l || !q)
		return acc_fail(-EINVAL, "accel_launch_run: launch and queue must not be NULL");
	ACC_CHECK_CHILD(q, q->ctx->dev);
	if (acc_queue_outstanding(q))
		return acc_fail(-EBUSY, "the queue has %u commands outstanding; take their completions first",
				acc_queue_outstanding(q));
	r = accel_launch_submit(l, q, (uintptr_t)l);
	if (r)
		return r;
	/* Commands that had been prepared before come out first. */
	do {
		r = accel_queue_wait(q, &c, 1, timeout_ns);
		if (r < 0)
			return r;
	} while (!c.error && acc_queue_outstanding(q));
	if (out)
		*out = c;
	if (!c.error)
		return 0;
	if (l->report->rule)
		return acc_fail(c.error, "the launch failed: %s: %s engine, instruction %u, %s (0x%llx)",
				accel_status_name(c.status),
				accel_engine_name(l->report->fault_engine), l->report->fault_pc,
				accel_fault_rule_name(l->report->rule),
				(unsigned long long)l->report->fault_address);
	return acc_fail(c.error, "the launch failed: %s (detail %u)", accel_status_name(c.status),
			c.detail);
}
