// SPDX-License-Identifier: MIT
/* JSON with "schema": "accelctl.<thing>/1". Fields are only ever added. */
#include <math.h>
#include <stdio.h>

#include <json-c/json.h>

#include "printer.h"
#include "session.h"

struct json_object *ctl_json_new(const char *schema)
{
	struct json_object *o = json_object_new_object();

	ctl_json_string(o, "schema", schema);
	return o;
}

void ctl_json_put(struct json_object *root)
{
	const int style = JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
			  JSON_C_TO_STRING_NOSLASHESCAPE;

	puts(json_object_to_json_string_ext(root, style));
	json_object_put(root);
}

void ctl_json_string(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, value ? json_object_new_string(value) : NULL);
}

void ctl_json_u64(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

void ctl_json_double(struct json_object *o, const char *key, double value)
{
	char text[40];

	if (!isfinite(value)) {		/* JSON has no name for these */
		json_object_object_add(o, key, NULL);
		return;
	}
	snprintf(text, sizeof(text), "%.9g", value);
	json_object_object_add(o, key, json_object_new_double_s(value, text));
}

void ctl_json_bool(struct json_object *o, const char *key, bool value)
{
	json_object_object_add(o, key, json_object_new_boolean(value));
}

void ctl_json_summary(struct json_object *o, const char *key, const struct ctl_summary *s)
{
	struct json_object *v = json_object_new_object();

	ctl_json_double(v, "p50", s->p50);
	ctl_json_double(v, "p99", s->p99);
	ctl_json_double(v, "min", s->min);
	ctl_json_double(v, "mean", s->mean);
	ctl_json_double(v, "max", s->max);
	ctl_json_u64(v, "count", s->count);
	json_object_object_add(o, key, v);
}

static void add_device(struct json_object *o, const struct accel_device_info *i)
{
	ctl_json_string(o, "name", i->name);
	ctl_json_string(o, "target", i->target);
	ctl_json_string(o, "driver", i->driver);
	ctl_json_string(o, "serial", i->serial);
	ctl_json_string(o, "firmware", i->firmware);
	ctl_json_string(o, "pci_address", *i->pci_address ? i->pci_address : NULL);
	ctl_json_string(o, "pci_name", *i->pci_name ? i->pci_name : NULL);
	ctl_json_u64(o, "pci_vendor", i->pci_vendor);
	ctl_json_u64(o, "pci_device", i->pci_device);
	json_object_object_add(o, "numa_node", json_object_new_int(i->numa_node));
	ctl_json_string(o, "state", ctl_device_state(i->state));
	ctl_json_bool(o, "simulated", i->simulated != 0);
	ctl_json_u64(o, "cores", i->cores);
	ctl_json_u64(o, "slices", i->slices);
	ctl_json_u64(o, "slices_free", i->slices_free);
	ctl_json_u64(o, "slices_largest", i->slices_largest);
	ctl_json_u64(o, "contexts", i->contexts);
	ctl_json_u64(o, "contexts_reclaiming", i->contexts_reclaiming);
	ctl_json_u64(o, "queues", i->queues);
	ctl_json_u64(o, "max_contexts", i->max_contexts);
	ctl_json_u64(o, "max_queues", i->max_queues);
	ctl_json_u64(o, "max_queue_depth", i->max_queue_order < 32 ? 1ull << i->max_queue_order : 0);
	ctl_json_u64(o, "memory_size", i->memory_size);
	ctl_json_u64(o, "memory_used", i->memory_used);
	ctl_json_u64(o, "memory_bandwidth", i->memory_bandwidth);
	ctl_json_u64(o, "link_bandwidth", i->link_bandwidth);
	ctl_json_u64(o, "tick_hz", i->tick_hz);
	ctl_json_u64(o, "quantum_us", i->quantum_us);
}

static void print_list(const struct ctl_list *r)
{
	struct json_object *root = ctl_json_new("accelctl.list/1");
	struct json_object *devices = json_object_new_array();

	for (size_t i = 0; i < r->count; i++) {
		struct json_object *d = json_object_new_object();

		if (r->entry[i].error) {
			ctl_json_string(d, "name", r->entry[i].name);
			ctl_json_string(d, "state", ctl_open_state(r->entry[i].error));
		} else {
			add_device(d, &r->entry[i].info);
		}
		json_object_array_add(devices, d);
	}
	json_object_object_add(root, "devices", devices);
	ctl_json_put(root);
}

static void print_info(const struct ctl_info *r)
{
	struct json_object *root = ctl_json_new("accelctl.info/1"), *t, *a;

	add_device(root, &r->device);
	if (r->has_telemetry) {
		t = json_object_new_object();
		ctl_json_u64(t, "device_time_ns", r->telemetry.time_ns);
		a = json_object_new_array();
		for (uint32_t i = 0; i < r->device.cores && i < 8; i++)
			json_object_array_add(a, json_object_new_uint64(
						      r->telemetry.core_busy_ns[i]));
		json_object_object_add(t, "core_busy_ns", a);
		ctl_json_u64(t, "memory_bytes", r->telemetry.memory_bytes);
		ctl_json_u64(t, "host_bytes", r->telemetry.host_bytes);
		ctl_json_u64(t, "commands", r->telemetry.commands);
		ctl_json_u64(t, "launches", r->telemetry.launches);
		ctl_json_u64(t, "faults", r->telemetry.faults);
		ctl_json_u64(t, "bad_bus_accesses", r->telemetry.bad_bus_accesses);
		ctl_json_double(t, "temperature_c", r->telemetry.temperature_mc / 1e3);
		ctl_json_double(t, "power_w", r->telemetry.power_mw / 1e3);
		if (*r->telemetry.simd)
			ctl_json_string(t, "simd", r->telemetry.simd);
		json_object_object_add(root, "telemetry", t);
	}
	ctl_json_put(root);
}

static struct json_object *tensor_object(const struct accel_tensor_info *t, const int64_t *dim,
					 uint32_t rank)
{
	struct json_object *o = json_object_new_object(), *shape = json_object_new_array();

	ctl_json_string(o, "name", t->name);
	ctl_json_string(o, "type", ctl_type_name(t->type));
	for (uint32_t i = 0; i < rank; i++)
		json_object_array_add(shape, json_object_new_int64(dim[i]));
	json_object_object_add(o, "shape", shape);
	return o;
}

static struct json_object *per_engine(const uint64_t v[5])
{
	struct json_object *o = json_object_new_object();

	for (int i = 0; i < 5; i++)
		ctl_json_u64(o, ctl_engine_names[i], v[i]);
	return o;
}

static struct json_object *graph_entry(const struct ctl_graph *r, unsigned int entry)
{
	struct json_object *e = json_object_new_object(), *list;
	ACCEL_INIT(struct accel_graph_info, info);
	ACCEL_INIT(struct accel_tensor_info, t);

	if (accel_graph_file_info(r->file, entry, &info))
		return e;
	ctl_json_string(e, "name", info.entry);
	list = json_object_new_array();
	for (unsigned int i = 0; i < info.inputs; i++)
		if (!accel_graph_file_input(r->file, entry, i, &t)) {
			json_object_array_add(list, tensor_object(&t, t.dim, t.rank));
			ctl_json_u64(json_object_array_get_idx(list, i), "bytes", t.bytes);
		}
	json_object_object_add(e, "inputs", list);
	list = json_object_new_array();
	for (unsigned int i = 0; i < info.outputs; i++)
		if (!accel_graph_file_output(r->file, entry, i, &t)) {
			json_object_array_add(list, tensor_object(&t, t.dim, t.rank));
			ctl_json_u64(json_object_array_get_idx(list, i), "bytes", t.bytes);
		}
	json_object_object_add(e, "outputs", list);
	ctl_json_u64(e, "scratch_bytes", info.scratch_bytes);
	ctl_json_u64(e, "sbuf_bytes_per_partition", info.sbuf_bytes);
	ctl_json_u64(e, "psum_bytes_per_partition", info.psum_bytes);
	ctl_json_u64(e, "estimated_ns", info.est_ns);
	json_object_object_add(e, "estimated_cycles", per_engine(info.est_cycles));
	json_object_object_add(e, "instructions", per_engine(info.instructions));
	return e;
}

static void print_graph(const struct ctl_graph *r)
{
	struct json_object *root = ctl_json_new("accelctl.graph/1");
	struct json_object *list = json_object_new_array();
	ACCEL_INIT(struct accel_graph_info, info);

	if (!accel_graph_file_info(r->file, 0, &info)) {
		ctl_json_string(root, "file", r->path);
		ctl_json_string(root, "model", info.model);
		ctl_json_string(root, "producer", info.producer);
		ctl_json_string(root, "target", info.target);
		ctl_json_string(root, "precision", info.precision);
		ctl_json_u64(root, "weights_bytes", info.weights_bytes);
		ctl_json_u64(root, "ops", info.ops);
	}
	for (unsigned int i = 0; i < r->entries; i++)
		json_object_array_add(list, graph_entry(r, i));
	json_object_object_add(root, "entries", list);
	if (r->ops) {
		list = json_object_new_array();
		for (unsigned int i = 0; i < info.ops; i++) {
			const char *op = accel_graph_file_op(r->file, i);

			json_object_array_add(list, json_object_new_string(op ? op : ""));
		}
		json_object_object_add(root, "op_names", list);
	}
	ctl_json_put(root);
}

static struct json_object *run_output(const struct ctl_run_output *out)
{
	struct json_object *o = tensor_object(&out->info, out->dim, out->rank), *c;

	if (out->file)
		ctl_json_string(o, "file", out->file);
	if (out->compared) {
		c = json_object_new_object();
		ctl_json_u64(c, "elements", out->elements);
		ctl_json_u64(c, "mismatches", out->mismatches);
		ctl_json_double(c, "max_abs_error", out->max_error);
		ctl_json_double(c, "tolerance", out->tolerance);
		json_object_object_add(o, "expect", c);
	}
	if (out->labelled) {
		c = json_object_new_object();
		ctl_json_u64(c, "correct", out->correct);
		ctl_json_u64(c, "total", out->labels);
		ctl_json_double(c, "fraction",
				out->labels ? (double)out->correct / (double)out->labels : 0);
		json_object_object_add(o, "accuracy", c);
	}
	return o;
}

static struct json_object *run_fault(const struct ctl_run *r)
{
	struct json_object *f = json_object_new_object();

	ctl_json_string(f, "status", accel_status_name(r->completion.status));
	ctl_json_u64(f, "detail", r->completion.detail);
	ctl_json_u64(f, "core", r->completion.core);
	if (r->report.fault_rule) {
		ctl_json_string(f, "rule", accel_fault_rule_name(r->report.fault_rule));
		ctl_json_string(f, "engine", accel_engine_name(r->report.fault_engine));
		ctl_json_u64(f, "pc", r->report.fault_pc);
		ctl_json_u64(f, "address", r->report.fault_address);
	}
	return f;
}

static void print_run(const struct ctl_run *r)
{
	struct json_object *root = ctl_json_new("accelctl.run/1"), *list, *o;

	ctl_json_string(root, "status", r->status);
	ctl_json_string(root, "graph", r->graph);
	ctl_json_string(root, "model", r->info.model);
	ctl_json_string(root, "entry", r->info.entry);
	ctl_json_string(root, "precision", r->info.precision);
	ctl_json_string(root, "device", r->device);
	ctl_json_string(root, "target", r->target);
	ctl_json_string(root, "size", r->size);
	ctl_json_string(root, "mode", r->mode);
	if (*r->simd)
		ctl_json_string(root, "simd", r->simd);
	ctl_json_u64(root, "slices", r->slices);
	ctl_json_u64(root, "repeat", r->repeat);
	ctl_json_u64(root, "launches", r->launches);
	ctl_json_summary(root, "wall_ns", &r->wall_ns);
	ctl_json_summary(root, "device_ns", &r->device_ns);
	ctl_json_u64(root, "cycles", r->cycles);
	ctl_json_u64(root, "estimated_cycles", r->estimated_cycles);
	ctl_json_u64(root, "ticks", r->report.ticks);
	ctl_json_u64(root, "tick_hz", r->report.tick_hz);
	ctl_json_u64(root, "preemptions", r->report.preemptions);
	ctl_json_u64(root, "preempt_ns", r->report.preempt_ns);
	o = json_object_new_object();
	for (int i = 0; i < 5; i++) {
		struct json_object *e = json_object_new_object();

		ctl_json_u64(e, "instructions", r->report.instructions[i]);
		ctl_json_u64(e, "busy_ticks", r->report.busy_ticks[i]);
		ctl_json_u64(e, "wait_ticks", r->report.wait_ticks[i]);
		ctl_json_u64(e, "dma_wait_ticks", r->report.dma_wait_ticks[i]);
		ctl_json_u64(e, "stall_ticks", r->report.stall_ticks[i]);
		ctl_json_u64(e, "result_stall_ticks", r->report.result_stall_ticks[i]);
		ctl_json_u64(e, "port_stall_ticks", r->report.port_stall_ticks[i]);
		ctl_json_u64(e, "array_stall_ticks", r->report.array_stall_ticks[i]);
		ctl_json_u64(e, "queue_stall_ticks", r->report.queue_stall_ticks[i]);
		json_object_object_add(o, ctl_engine_names[i], e);
	}
	json_object_object_add(root, "engines", o);
	ctl_json_u64(root, "array_ticks", r->report.array_ticks);
	o = json_object_new_object();
	ctl_json_u64(o, "descriptors", r->report.dma_descriptors);
	ctl_json_u64(o, "bytes", r->report.dma_bytes);
	ctl_json_u64(o, "busy_ticks", r->report.dma_busy_ticks);
	json_object_object_add(root, "dma", o);
	list = json_object_new_array();
	for (unsigned int i = 0; i < r->outputs; i++)
		json_object_array_add(list, run_output(&r->output[i]));
	json_object_object_add(root, "outputs", list);
	if (r->min_accuracy >= 0)
		ctl_json_double(root, "min_accuracy", r->min_accuracy);
	if (r->trace) {
		o = json_object_new_object();
		ctl_json_string(o, "file", r->trace);
		ctl_json_u64(o, "bytes", r->trace_bytes);
		json_object_object_add(root, "trace", o);
	}
	if (r->completion.error)
		json_object_object_add(root, "fault", run_fault(r));
	ctl_json_put(root);
}

const struct ctl_printer ctl_print_json = {
	.list = print_list,
	.info = print_info,
	.graph = print_graph,
	.run = print_run,
	.bench_nop = ctl_json_bench_nop,
	.bench_copy = ctl_json_bench_copy,
	.bench_launch = ctl_json_bench_launch,
	.bench_share = ctl_json_bench_share,
	.selftest = ctl_json_selftest,
};
