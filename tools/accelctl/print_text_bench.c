// SPDX-License-Identifier: MIT
#include <stdio.h>

#include "printer.h"
#include "text_table.h"
#include "units.h"

#define BYTES(v) ctl_format_bytes((char[32]){ 0 }, 32, v)
#define NS(v) ctl_format_ns((char[32]){ 0 }, 32, v)
#define RATE(v) ctl_format_rate((char[32]){ 0 }, 32, v)

void ctl_text_bench_nop(const struct ctl_bench_nop *r)
{
	struct libscols_table *t = ctl_table_new(ctl_pair_columns, false);

	ctl_table_pair(t, "device", "%s, %s context, submitted by %s", r->device, r->size, r->submit);
	ctl_table_pair(t, "NOPs", "%llu at depth %llu in %.3f s, every cookie and status checked",
		       (unsigned long long)r->count, (unsigned long long)r->depth, r->seconds);
	if (r->idle_ns)
		ctl_table_pair(t, "idle before each", "%s", NS((double)r->idle_ns));
	else
		ctl_table_pair(t, "rate", "%s", RATE(r->rate));
	if (r->has_latency)
		ctl_table_pair(t, "round trip", "p50 %s, p99 %s, min %s, max %s",
			       NS(r->latency_ns.p50), NS(r->latency_ns.p99), NS(r->latency_ns.min),
			       NS(r->latency_ns.max));
	if (r->watch_seconds > 0)
		ctl_table_pair(t, "idle", "%.2f%% of a CPU over %.1f s", r->watch_cpu_percent,
			       r->watch_seconds);
	ctl_table_print(t);
}

void ctl_text_bench_copy(const struct ctl_bench_copy *r)
{
	struct libscols_table *t = ctl_table_new(ctl_pair_columns, false);

	ctl_table_pair(t, "device", "%s, %s context", r->device, r->size);
	ctl_table_pair(t, "copies", "%llu of %s, %s to %s memory, depth %llu, in %.3f s",
		       (unsigned long long)r->count, BYTES(r->bytes), r->from, r->to,
		       (unsigned long long)r->depth, r->seconds);
	ctl_table_pair(t, "wall bandwidth", "%s/s", BYTES((uint64_t)r->wall_bytes_per_second));
	ctl_table_pair(t, "device bandwidth", "%s/s", BYTES((uint64_t)r->device_bytes_per_second));
	ctl_table_pair(t, "device time", "p50 %s, p99 %s", NS(r->device_ns.p50), NS(r->device_ns.p99));
	ctl_table_pair(t, "data", "%s", r->verified ? "verified" : "WRONG");
	ctl_table_print(t);
}

void ctl_text_bench_launch(const struct ctl_bench_launch *r)
{
	struct libscols_table *t = ctl_table_new(ctl_pair_columns, false);

	ctl_table_pair(t, "device", "%s, %s context, mode %s", r->device, r->size, r->mode);
	ctl_table_pair(t, "launches", "%llu of %s at depth %llu in %.3f s",
		       (unsigned long long)r->count, r->graph, (unsigned long long)r->depth,
		       r->seconds);
	ctl_table_pair(t, "rate", "%s", RATE(r->rate));
	ctl_table_pair(t, "device time", "p50 %s, p99 %s", NS(r->device_ns.p50), NS(r->device_ns.p99));
	if (r->has_wall)
		ctl_table_pair(t, "wall time", "p50 %s, p99 %s", NS(r->wall_ns.p50), NS(r->wall_ns.p99));
	ctl_table_pair(t, "cycles", "%llu", (unsigned long long)r->cycles);
	ctl_table_print(t);
}

void ctl_text_bench_share(const struct ctl_bench_share *r)
{
	static const char *const columns[] = { "SIZE", "CORES", ">LAUNCHES", ">SHARE", ">EXPECTED",
					       ">OF CORE", ">DEVICE P50", ">WAIT P99", ">BUSY",
					       ">ARBITER", ">PREEMPTED", NULL };
	struct libscols_table *t = ctl_table_new(columns, true);

	printf("%s (%s), %.3f s of device time, quantum %u us\n\n", r->device, r->target, r->seconds,
	       r->quantum_us);
	for (size_t i = 0; i < r->count; i++) {
		const struct ctl_share_context *c = &r->context[i];

		ctl_table_line(t);
		ctl_table_cell(t, 0, "%s", c->size);
		ctl_table_cell(t, 1, "%#x", c->core_mask);
		ctl_table_cell(t, 2, "%llu", (unsigned long long)c->launches);
		ctl_table_cell(t, 3, "%.2f%%", 100 * c->device_share);
		ctl_table_cell(t, 4, "%.2f%%", 100 * c->expected_share);
		ctl_table_cell(t, 5, "%.2f%%", 100 * c->core_share);
		ctl_table_cell(t, 6, "%s", NS(c->device_ns.p50));
		ctl_table_cell(t, 7, "%s", NS(c->wait_ns.p99));
		ctl_table_cell(t, 8, "%s", NS((double)c->completion_busy_ns));
		ctl_table_cell(t, 9, "%s", NS((double)c->arbiter_busy_ns));
		ctl_table_cell(t, 10, "%llu", (unsigned long long)c->preemptions);
	}
	ctl_table_print(t);
	if (r->tolerance_percent >= 0)
		printf("\nshares are %s %g%% of what was asked for\n",
		       r->within ? "within" : "NOT within", r->tolerance_percent);
}

void ctl_text_selftest(const struct ctl_selftest *r)
{
	static const char *const columns[] = { "TEST", "RESULT", ">TIME", "DETAIL", NULL };
	struct libscols_table *t = ctl_table_new(columns, true);

	for (size_t i = 0; i < r->count; i++) {
		ctl_table_line(t);
		ctl_table_cell(t, 0, "%s", r->test[i].name);
		ctl_table_cell(t, 1, "%s", r->test[i].passed ? "pass" : "FAIL");
		ctl_table_cell(t, 2, "%.3f s", r->test[i].seconds);
		ctl_table_cell(t, 3, "%s", r->test[i].detail);
	}
	ctl_table_print(t);
	printf("\n%s (%s): %zu of %zu passed\n", r->device, r->target, r->passed, r->count);
}
