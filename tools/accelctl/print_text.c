// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "printer.h"
#include "session.h"
#include "text_table.h"
#include "units.h"

#define BYTES(v) ctl_format_bytes((char[32]){ 0 }, 32, v)
#define NS(v) ctl_format_ns((char[32]){ 0 }, 32, v)

static void print_list(const struct ctl_list *r)
{
	static const char *const columns[] = { "NAME", "TARGET", ">CORES", ">FREE", ">MEMORY",
					       "STATE", "ADDRESS", NULL };
	struct libscols_table *t;

	if (!r->count) {
		puts("No NCA device on this machine. '--device sim' simulates one inside the process.");
		return;
	}
	t = ctl_table_new(columns, true);
	for (size_t i = 0; i < r->count; i++) {
		const struct accel_device_info *d = &r->entry[i].info;

		ctl_table_line(t);
		if (r->entry[i].error) {
			ctl_table_cell(t, 0, "%s", r->entry[i].name);
			ctl_table_cell(t, 5, "%s", ctl_open_state(r->entry[i].error));
			continue;
		}
		ctl_table_cell(t, 0, "%s", d->name);
		ctl_table_cell(t, 1, "%s", d->target);
		ctl_table_cell(t, 2, "%u", d->cores);
		ctl_table_cell(t, 3, "%u/%u", d->slices_free, d->slices);
		ctl_table_cell(t, 4, "%s", BYTES(d->memory_size));
		ctl_table_cell(t, 5, "%s", ctl_device_state(d->state));
		ctl_table_cell(t, 6, "%s", *d->pci_address ? d->pci_address : "in this process");
	}
	ctl_table_print(t);
}

static void print_info(const struct ctl_info *r)
{
	struct libscols_table *t = ctl_table_new(ctl_pair_columns, false);
	const struct accel_device_info *d = &r->device;

	ctl_table_pair(t, "device", "%s%s", d->name, d->simulated ? " (simulated)" : "");
	ctl_table_pair(t, "state", "%s", ctl_device_state(d->state));
	ctl_table_pair(t, "target", "%s", d->target);
	ctl_table_pair(t, "serial, firmware", "%s, %s", d->serial, d->firmware);
	if (*d->pci_address)
		ctl_table_pair(t, "PCI", "%s [%04x:%04x] %s", d->pci_address, d->pci_vendor,
			       d->pci_device, d->pci_name);
	if (d->numa_node >= 0)
		ctl_table_pair(t, "NUMA node", "%d", d->numa_node);
	ctl_table_pair(t, "cores", "%u", d->cores);
	ctl_table_pair(t, "slices", "%u of %u free, largest context that fits: %u", d->slices_free,
		       d->slices, d->slices_largest);
	ctl_table_pair(t, "device memory", "%s, %s in use, %s/s", BYTES(d->memory_size),
		       BYTES(d->memory_used), BYTES(d->memory_bandwidth));
	ctl_table_pair(t, "host link", "%s/s", BYTES(d->link_bandwidth));
	ctl_table_pair(t, "contexts", "%u of %u, %u being reclaimed", d->contexts, d->max_contexts,
		       d->contexts_reclaiming);
	ctl_table_pair(t, "queues", "%u of %u", d->queues, d->max_queues);
	ctl_table_pair(t, "quantum", "%u us", d->quantum_us);
	if (r->has_telemetry) {
		const struct accel_telemetry *m = &r->telemetry;

		ctl_table_pair(t, "commands", "%llu, of them %llu launches",
			       (unsigned long long)m->commands, (unsigned long long)m->launches);
		ctl_table_pair(t, "faults", "%llu", (unsigned long long)m->faults);
		ctl_table_pair(t, "device time", "%s", NS((double)m->time_ns));
		for (uint32_t i = 0; i < d->cores && i < 8; i++)
			ctl_table_pair(t, i ? "" : "busy per core", "%s",
				       NS((double)m->core_busy_ns[i]));
		ctl_table_pair(t, "DMA", "%s device memory, %s host", BYTES(m->memory_bytes),
			       BYTES(m->host_bytes));
		ctl_table_pair(t, "power", "%.1f W at %.1f C", m->power_mw / 1e3,
			       m->temperature_mc / 1e3);
		if (*m->simd)
			ctl_table_pair(t, "simulated with", "%s", m->simd);
	}
	ctl_table_print(t);
}

static void add_tensors(struct libscols_table *t, const char *key, const struct ctl_graph *r,
			unsigned int entry, unsigned int count,
			int (*get)(const accel_graph_file *, unsigned int, unsigned int,
				   struct accel_tensor_info *))
{
	ACCEL_INIT(struct accel_tensor_info, info);
	char shape[160];

	for (unsigned int i = 0; i < count; i++)
		if (!get(r->file, entry, i, &info))
			ctl_table_pair(t, i ? "" : key, "%s %s %s", info.name,
				       ctl_type_name(info.type),
				       ctl_shape_text(shape, sizeof(shape), info.dim, info.rank));
}

static void print_graph(const struct ctl_graph *r)
{
	static const char *const columns[] = { "ENGINE", ">INSTRUCTIONS", ">CYCLES", NULL };
	ACCEL_INIT(struct accel_graph_info, info);
	struct libscols_table *t;

	for (unsigned int e = 0; e < r->entries; e++) {
		if (accel_graph_file_info(r->file, e, &info))
			continue;
		t = ctl_table_new(ctl_pair_columns, false);
		if (!e) {
			ctl_table_pair(t, "model", "%s", info.model);
			ctl_table_pair(t, "compiled by", "%s", info.producer);
			ctl_table_pair(t, "target", "%s", info.target);
			ctl_table_pair(t, "precision", "%s", info.precision);
			ctl_table_pair(t, "weights", "%s", BYTES(info.weights_bytes));
			ctl_table_pair(t, "operators", "%u", info.ops);
		}
		ctl_table_pair(t, "entry", "%s", info.entry);
		add_tensors(t, "inputs", r, e, info.inputs, accel_graph_file_input);
		add_tensors(t, "outputs", r, e, info.outputs, accel_graph_file_output);
		ctl_table_pair(t, "scratch", "%s", BYTES(info.scratch_bytes));
		ctl_table_pair(t, "on chip", "%s SBUF, %s PSUM per partition",
			       BYTES(info.sbuf_bytes), BYTES(info.psum_bytes));
		ctl_table_pair(t, "estimate", "%s a launch", NS((double)info.est_ns));
		ctl_table_print(t);
		t = ctl_table_new(columns, true);
		for (unsigned int i = 0; i < 5; i++) {
			ctl_table_line(t);
			ctl_table_cell(t, 0, "%s", ctl_engine_names[i]);
			ctl_table_cell(t, 1, "%llu", (unsigned long long)info.instructions[i]);
			ctl_table_cell(t, 2, "%llu", (unsigned long long)info.est_cycles[i]);
		}
		putchar('\n');
		ctl_table_print(t);
		if (e + 1 < r->entries)
			putchar('\n');
	}
	for (unsigned int i = 0; r->ops && i < info.ops; i++)
		printf("%s%5u  %s\n", i ? "" : "\n", i, accel_graph_file_op(r->file, i));
}

static void add_summary(struct libscols_table *t, const char *key, const struct ctl_summary *s)
{
	ctl_table_pair(t, key, "p50 %s, p99 %s, min %s, mean %s", NS(s->p50), NS(s->p99),
		       NS(s->min), NS(s->mean));
}

static void print_output(struct libscols_table *t, const struct ctl_run_output *o, const char *key)
{
	char shape[160];

	ctl_table_pair(t, key, "%s %s %s%s%s", o->info.name, ctl_type_name(o->info.type),
		       ctl_shape_text(shape, sizeof(shape), o->dim, o->rank),
		       o->file ? " -> " : "", o->file ? o->file : "");
	if (o->compared)
		ctl_table_pair(t, "", "%llu of %llu elements differ by more than %g, largest difference %.3g",
			       (unsigned long long)o->mismatches, (unsigned long long)o->elements,
			       o->tolerance, o->max_error);
	if (o->labelled)
		ctl_table_pair(t, "accuracy", "%llu of %llu correct (%.2f%%)",
			       (unsigned long long)o->correct, (unsigned long long)o->labels,
			       o->labels ? 100.0 * (double)o->correct / (double)o->labels : 0);
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* Where the time of each engine went in the last launch; what is missing to 100% it had ended. */
static void print_engines(const struct accel_launch_report *r)
{
	static const char *const columns[] = { "ENGINE", ">INSTRUCTIONS", ">BUSY", ">WAITS FOR DMA",
					       ">FOR ENGINES", ">STALLS: RESULT", ">PORT", ">ARRAY",
					       ">DMA QUEUE", NULL };
	struct libscols_table *t = ctl_table_new(columns, true);

	for (unsigned int i = 0; i < 5; i++) {
		const uint64_t part[] = {
			i ? r->busy_ticks[i] : r->array_ticks, r->dma_wait_ticks[i],
			r->wait_ticks[i] - r->dma_wait_ticks[i], r->result_stall_ticks[i],
			r->port_stall_ticks[i], r->array_stall_ticks[i], r->queue_stall_ticks[i],
		};

		ctl_table_line(t);
		ctl_table_cell(t, 0, "%s", ctl_engine_names[i]);
		ctl_table_cell(t, 1, "%u", r->instructions[i]);
		for (unsigned int k = 0; k < sizeof(part) / sizeof(part[0]); k++)
			ctl_table_cell(t, 2 + k, "%.1f%%", percent(part[k], r->ticks));
	}
	putchar('\n');
	ctl_table_print(t);
}

static void print_run(const struct ctl_run *r)
{
	struct libscols_table *t = ctl_table_new(ctl_pair_columns, false);

	ctl_table_pair(t, "graph", "%s (%s, %s)", r->graph, r->info.model, r->info.precision);
	ctl_table_pair(t, "device", "%s, %s, %s context%s", r->device, r->target, r->size,
		       !strcmp(r->mode, "timed") ? ", time only" : "");
	ctl_table_pair(t, "launches", "%llu", (unsigned long long)r->launches);
	ctl_table_pair(t, "status", "%s", r->status);
	if (r->launches) {
		add_summary(t, "device latency", &r->device_ns);
		add_summary(t, "wall latency", &r->wall_ns);
		ctl_table_pair(t, "cycles", "%llu (compiler's estimate %llu)",
			       (unsigned long long)r->cycles,
			       (unsigned long long)r->estimated_cycles);
		if (r->report.preemptions)
			ctl_table_pair(t, "preemptions", "%u, %s", r->report.preemptions,
				       NS((double)r->report.preempt_ns));
	}
	for (unsigned int i = 0; i < r->outputs; i++)
		print_output(t, &r->output[i], i ? "" : "outputs");
	if (r->trace)
		ctl_table_pair(t, "trace", "%s, %s; open it at https://ui.perfetto.dev", r->trace,
			       BYTES(r->trace_bytes));
	ctl_table_print(t);
	if (r->report.ticks)
		print_engines(&r->report);
}

const struct ctl_printer ctl_print_text = {
	.list = print_list,
	.info = print_info,
	.graph = print_graph,
	.run = print_run,
	.bench_nop = ctl_text_bench_nop,
	.bench_copy = ctl_text_bench_copy,
	.bench_launch = ctl_text_bench_launch,
	.bench_share = ctl_text_bench_share,
	.selftest = ctl_text_selftest,
};
