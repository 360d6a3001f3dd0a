// SPDX-License-Identifier: MIT
#include <json.h>

#include "print_report.h"

static void add_u64(struct json_object *o, const char *key, uint64_t v)
{
	json_object_object_add(o, key, json_object_new_uint64(v));
}

/* Six digits are what the figure is good for. */
static void add_double(struct json_object *o, const char *key, double v)
{
	char text[40];

	snprintf(text, sizeof(text), "%.6g", v);
	json_object_object_add(o, key, json_object_new_double_s(v, text));
}

static void add_string(struct json_object *o, const char *key, const char *v)
{
	json_object_object_add(o, key, json_object_new_string(v));
}

static struct json_object *engines(const struct accelcc_result *res)
{
	struct json_object *all = json_object_new_object();
	const struct accelcc_report *r = res->report;

	for (unsigned int e = 0; e < res->stats.num_engines; e++) {
		struct json_object *o, *stalls;

		if (!res->stats.engine[e].instructions)
			continue;
		o = json_object_new_object();
		stalls = json_object_new_object();
		add_u64(o, "needs_ns", r->need_ns[e]);
		add_u64(o, "busy_ns", r->engine[e].busy_ns);
		for (unsigned int k = 0; k < ACCELCC_STALLS; k++)
			add_u64(stalls, accelcc_stall_name((enum accelcc_stall_kind)k),
				r->engine[e].stall_ns[k]);
		json_object_object_add(o, "stood_ns", stalls);
		add_u64(o, "critical_ns", r->engine[e].critical_ns);
		json_object_object_add(all, accelcc_resource_name((enum accelcc_resource)e), o);
	}
	return all;
}

static struct json_object *dma(const struct accelcc_report *r)
{
	struct json_object *o = json_object_new_object();

	add_u64(o, "engines_need_ns", r->need_ns[ACCELCC_DMA_ENGINES]);
	add_u64(o, "device_memory_needs_ns", r->need_ns[ACCELCC_DEVICE_MEMORY]);
	add_u64(o, "host_link_in_needs_ns", r->need_ns[ACCELCC_LINK_IN]);
	add_u64(o, "host_link_out_needs_ns", r->need_ns[ACCELCC_LINK_OUT]);
	add_u64(o, "busy_ns", r->dma_busy_ns);
	add_u64(o, "critical_ns", r->dma_critical_ns);
	add_u64(o, "latency_critical_ns", r->dma_latency_ns);
	add_u64(o, "weight_bytes", r->weight_bytes);
	add_u64(o, "activation_bytes", r->activation_bytes);
	add_u64(o, "host_bytes", r->host_bytes);
	return o;
}

static struct json_object *operator(const struct accelcc_result *res, size_t i)
{
	static const char *const roofs[] = { "none", "compute", "memory" };
	struct json_object *o = json_object_new_object(), *cycles = json_object_new_object();
	const struct accelcc_op_report *op = &res->report->op[i];

	add_string(o, "name", op->name);
	add_u64(o, "start_ns", op->start_ns);
	add_u64(o, "end_ns", op->end_ns);
	add_u64(o, "critical_ns", op->critical_ns);
	for (unsigned int e = 0; e < res->stats.num_engines; e++)
		if (res->stats.engine[e].instructions)
			add_u64(cycles, res->stats.engine[e].name, op->cycles[e]);
	json_object_object_add(o, "cycles", cycles);
	add_u64(o, "macs", op->macs);
	add_u64(o, "weight_bytes", op->weight_bytes);
	add_u64(o, "activation_bytes", op->activation_bytes);
	add_u64(o, "host_bytes", op->host_bytes);
	add_double(o, "array_utilization", op->utilization);
	if (op->intensity > 0.0)
		add_double(o, "flop_per_byte", op->intensity);
	else
		json_object_object_add(o, "flop_per_byte", NULL);
	add_string(o, "roof", roofs[op->roof]);
	add_double(o, "share_of_roof", op->roof_share);
	add_string(o, "limit", accelcc_resource_name(op->limit));
	add_u64(o, "limit_ns", op->limit_ns);
	add_string(o, "engine", accelcc_resource_name(op->engine));
	add_u64(o, "stood_ns", op->stalled_ns);
	add_string(o, "stood_longest", op->reason);
	return o;
}

static struct json_object *stalls(const struct accelcc_report *r)
{
	struct json_object *all = json_object_new_array();

	for (size_t i = 0; i < r->num_stalls; i++) {
		const struct accelcc_stall *s = &r->stall[i];
		struct json_object *o = json_object_new_object();

		add_string(o, "engine", accelcc_resource_name(s->engine));
		add_string(o, "operator", r->op[s->op].name);
		add_string(o, "kind", accelcc_stall_name(s->kind));
		add_string(o, "of_operator", r->op[s->of_op].name);
		add_u64(o, "ns", s->ns);
		add_u64(o, "count", s->count);
		add_string(o, "text", s->text);
		json_object_array_add(all, o);
	}
	return all;
}

struct json_object *report_json(const struct accelcc_result *res)
{
	struct json_object *o = json_object_new_object(), *ops = json_object_new_array();
	const struct accelcc_report *r = res->report;

	add_u64(o, "estimated_ns", r->total_ns);
	add_u64(o, "bound_ns", r->bound_ns);
	add_string(o, "bound", accelcc_resource_name(r->bound));
	if (r->bound_ns)
		add_double(o, "estimated_over_bound", (double)r->total_ns / (double)r->bound_ns);
	else
		json_object_object_add(o, "estimated_over_bound", NULL);
	add_string(o, "busiest_engine", accelcc_resource_name(r->busiest));
	add_u64(o, "macs", r->macs);
	add_double(o, "peak_flops", r->peak_flops);
	add_double(o, "memory_bytes_per_second", r->memory_bandwidth);
	add_double(o, "balance_flop_per_byte", r->peak_flops / r->memory_bandwidth);
	json_object_object_add(o, "engines", engines(res));
	json_object_object_add(o, "dma", dma(r));
	for (size_t i = 0; i < r->num_ops; i++)
		json_object_array_add(ops, operator(res, i));
	json_object_object_add(o, "operators", ops);
	json_object_object_add(o, "stalls", stalls(r));
	return o;
}
