// SPDX-License-Identifier: MIT
#include <json-c/json.h>

#include "printer.h"

void ctl_json_bench_nop(const struct ctl_bench_nop *r)
{
	struct json_object *root = ctl_json_new("accelctl.bench-nop/1"), *o;

	ctl_json_string(root, "device", r->device);
	ctl_json_string(root, "size", r->size);
	ctl_json_string(root, "submit", r->submit);
	ctl_json_u64(root, "depth", r->depth);
	ctl_json_u64(root, "batch", r->batch);
	ctl_json_u64(root, "count", r->count);
	ctl_json_double(root, "seconds", r->seconds);
	ctl_json_double(root, "rate", r->rate);
	ctl_json_u64(root, "verified", r->count);
	ctl_json_u64(root, "idle_ns", r->idle_ns);
	if (r->has_latency)
		ctl_json_summary(root, "latency_ns", &r->latency_ns);
	if (r->watch_seconds > 0) {
		o = json_object_new_object();
		ctl_json_double(o, "seconds", r->watch_seconds);
		ctl_json_double(o, "cpu_percent", r->watch_cpu_percent);
		json_object_object_add(root, "idle", o);
	}
	ctl_json_put(root);
}

void ctl_json_bench_copy(const struct ctl_bench_copy *r)
{
	struct json_object *root = ctl_json_new("accelctl.bench-copy/1");

	ctl_json_string(root, "device", r->device);
	ctl_json_string(root, "size", r->size);
	ctl_json_string(root, "from", r->from);
	ctl_json_string(root, "to", r->to);
	ctl_json_u64(root, "bytes", r->bytes);
	ctl_json_u64(root, "depth", r->depth);
	ctl_json_u64(root, "count", r->count);
	ctl_json_double(root, "seconds", r->seconds);
	ctl_json_double(root, "wall_bytes_per_second", r->wall_bytes_per_second);
	ctl_json_double(root, "device_bytes_per_second", r->device_bytes_per_second);
	ctl_json_summary(root, "device_ns", &r->device_ns);
	ctl_json_bool(root, "verified", r->verified);
	ctl_json_put(root);
}

void ctl_json_bench_launch(const struct ctl_bench_launch *r)
{
	struct json_object *root = ctl_json_new("accelctl.bench-launch/1");

	ctl_json_string(root, "device", r->device);
	ctl_json_string(root, "size", r->size);
	ctl_json_string(root, "mode", r->mode);
	ctl_json_string(root, "graph", r->graph);
	ctl_json_u64(root, "depth", r->depth);
	ctl_json_u64(root, "count", r->count);
	ctl_json_double(root, "seconds", r->seconds);
	ctl_json_double(root, "rate", r->rate);
	ctl_json_u64(root, "cycles", r->cycles);
	ctl_json_summary(root, "device_ns", &r->device_ns);
	if (r->has_wall)
		ctl_json_summary(root, "wall_ns", &r->wall_ns);
	ctl_json_put(root);
}

void ctl_json_bench_share(const struct ctl_bench_share *r)
{
	struct json_object *root = ctl_json_new("accelctl.bench-share/1");
	struct json_object *list = json_object_new_array();

	ctl_json_string(root, "device", r->device);
	ctl_json_string(root, "target", r->target);
	ctl_json_u64(root, "cores", r->cores);
	ctl_json_u64(root, "quantum_ns", (uint64_t)r->quantum_us * 1000);
	ctl_json_double(root, "seconds", r->seconds);
	if (r->tolerance_percent >= 0) {
		ctl_json_double(root, "check_percent", r->tolerance_percent);
		ctl_json_bool(root, "within", r->within);
	}
	for (size_t i = 0; i < r->count; i++) {
		const struct ctl_share_context *c = &r->context[i];
		struct json_object *o = json_object_new_object();

		ctl_json_string(o, "size", c->size);
		ctl_json_u64(o, "slices", c->slices);
		ctl_json_u64(o, "core_mask", c->core_mask);
		ctl_json_u64(o, "launches", c->launches);
		ctl_json_u64(o, "launch_ns", c->launch_ns);
		ctl_json_double(o, "device_share", c->device_share);
		ctl_json_double(o, "core_share", c->core_share);
		ctl_json_double(o, "expected_share", c->expected_share);
		ctl_json_summary(o, "device_ns", &c->device_ns);
		ctl_json_summary(o, "wait_ns", &c->wait_ns);
		ctl_json_u64(o, "completion_busy_ns", c->completion_busy_ns);
		ctl_json_u64(o, "arbiter_busy_ns", c->arbiter_busy_ns);
		ctl_json_u64(o, "preempt_ns", c->preempt_ns);
		ctl_json_u64(o, "preemptions", c->preemptions);
		json_object_array_add(list, o);
	}
	json_object_object_add(root, "contexts", list);
	ctl_json_put(root);
}

void ctl_json_selftest(const struct ctl_selftest *r)
{
	struct json_object *root = ctl_json_new("accelctl.selftest/1");
	struct json_object *list = json_object_new_array();

	ctl_json_string(root, "device", r->device);
	ctl_json_string(root, "target", r->target);
	for (size_t i = 0; i < r->count; i++) {
		struct json_object *o = json_object_new_object();

		ctl_json_string(o, "name", r->test[i].name);
		ctl_json_string(o, "result", r->test[i].passed ? "pass" : "fail");
		ctl_json_string(o, "detail", r->test[i].detail);
		ctl_json_double(o, "seconds", r->test[i].seconds);
		json_object_array_add(list, o);
	}
	json_object_object_add(root, "tests", list);
	ctl_json_u64(root, "passed", r->passed);
	ctl_json_u64(root, "failed", r->count - r->passed);
	ctl_json_put(root);
}
