// SPDX-License-Identifier: MIT
/* What it costs to run a graph, with several launches in flight. */
#include <stdlib.h>
#include <string.h>

#include <nca/target.h>

#include "command.h"
#include "printer.h"
#include "run.h"
#include "session.h"
#include "synth_program.h"

#define MAX_DEPTH 64

static struct {
	const char *device;
	unsigned int size, mode;
	uint64_t depth, count, seconds_ns;
	bool json;
} opt = { .depth = 1, .seconds_ns = 2000000000 };

static const struct ctl_option options[] = {
	CTL_OPTION_DEVICE(opt.device),
	CTL_OPTION_SIZE(opt.size),
	{ .name = "depth", .kind = CTL_U64, .value = &opt.depth, .metavar = "N", .min = 1,
	  .max = MAX_DEPTH, .help = "launches outstanding (default 1), each with memory of its own" },
	{ .name = "seconds", .kind = CTL_SECONDS, .value = &opt.seconds_ns, .metavar = "S", .min = 1,
	  .max = 86400000000000, .help = "how long (default 2); ignored with --count" },
	{ .name = "count", .kind = CTL_U64, .value = &opt.count, .metavar = "N",
	  .help = "stop after N launches" },
	{ .name = "mode", .kind = CTL_CHOICE, .value = &opt.mode, .metavar = "MODE",
	  .choices = ctl_mode_names, .help = "full, or timed: right times without arithmetic" },
	CTL_OPTION_JSON(opt.json),
	CTL_END_OPTIONS
};

struct launch_run {
	accel_context *ctx;
	accel_queue *queue;
	accel_launch *launch[MAX_DEPTH];
	uint64_t submitted, completed;
	struct ctl_samples wall, device;
};

static enum ctl_exit launch_loop(struct launch_run *r)
{
	uint64_t deadline = ctl_now_ns() + opt.seconds_ns, then = 0;
	struct accel_completion c;
	int n;

	for (;;) {
		bool more = opt.count ? r->submitted < opt.count : ctl_now_ns() < deadline;

		while (more && r->submitted - r->completed < opt.depth &&
		       (!opt.count || r->submitted < opt.count)) {
			then = ctl_now_ns();
			/* In order: the instance whose turn it is has just come back. */
			n = accel_launch_submit(r->launch[r->submitted % opt.depth], r->queue,
						r->submitted);
			if (n < 0)
				return ctl_accel_error(n, "cannot submit launch %llu",
						       (unsigned long long)r->submitted);
			r->submitted++;
		}
		if (r->completed == r->submitted)
			return CTL_OK;
		n = accel_queue_wait(r->queue, &c, 1, CTL_TIMEOUT_NS);
		if (n < 0)
			return ctl_accel_error(n, "launch %llu did not complete",
					       (unsigned long long)r->completed);
		if (c.error)
			return ctl_completion_error(r->ctx, &c, "a launch");
		if (c.cookie != r->completed)
			return ctl_error(CTL_MISMATCH, "launch %llu came back as %llu; see 'accelctl selftest'",
					 (unsigned long long)r->completed,
					 (unsigned long long)c.cookie);
		r->completed++;
		if (!ctl_samples_add(&r->device, c.end_ns - c.start_ns) ||
		    (opt.depth == 1 && !ctl_samples_add(&r->wall, ctl_now_ns() - then)))
			return ctl_no_memory();
	}
}

static void report(struct ctl_session *s, struct launch_run *r, const char *name, double seconds)
{
	const struct nca_target *t = nca_target_by_name(s->info.target);
	ACCEL_INIT(struct accel_launch_report, last);
	struct ctl_bench_launch result = {
		.size = ctl_size_names[opt.size], .mode = ctl_mode_names[opt.mode], .graph = name,
		.depth = opt.depth, .count = r->completed, .seconds = seconds,
		.rate = (double)r->completed / seconds, .has_wall = opt.depth == 1,
	};

	memcpy(result.device, s->info.name, sizeof(result.device));
	if (t && r->completed &&
	    !accel_launch_report(r->launch[(r->completed - 1) % opt.depth], &last))
		result.cycles = last.ticks / t->engine_ticks[NCA_ENGINE_TENSOR];
	ctl_samples_summary(&r->device, &result.device_ns);
	ctl_samples_summary(&r->wall, &result.wall_ns);
	ctl_printer(opt.json)->bench_launch(&result);
}

static enum ctl_exit measure(struct ctl_session *s, const accel_graph_file *file, const char *name)
{
	ACCEL_INIT(struct accel_graph_options, go);
	struct launch_run r = { .ctx = s->ctx, .queue = s->queue };
	enum ctl_exit ret = CTL_OK;
	accel_graph *g;
	unsigned int got = 0;
	int err;

	go.instances = (uint32_t)opt.depth;
	go.timed_only = opt.mode == 1;
	err = accel_graph_load(s->ctx, file, &go, &g);
	if (err)
		return ctl_accel_error(err, "cannot load %s with %llu instances", name,
				       (unsigned long long)opt.depth);
	for (; !err && got < opt.depth; got += !err)
		err = accel_launch_get(g, &r.launch[got]);
	if (err) {
		ret = ctl_accel_error(err, "cannot get launch %u of %s", got, name);
	} else {
		uint64_t start = ctl_now_ns();

		ret = launch_loop(&r);
		if (!ret)
			report(s, &r, name, (double)(ctl_now_ns() - start) / 1e9);
	}
	/* A launch still in flight after an error may not be given back: end its context first. */
	if (ret)
		accel_context_abort(s->ctx);
	while (got--)
		accel_launch_put(r.launch[got]);
	accel_graph_unload(g);
	ctl_samples_free(&r.wall);
	ctl_samples_free(&r.device);
	return ret;
}

static enum ctl_exit generated(struct ctl_session *s, accel_graph_file **file)
{
	float weights[CTL_MATMUL_K * CTL_MATMUL_M];

	for (int i = 0; i < CTL_MATMUL_K * CTL_MATMUL_M; i++)
		weights[i] = (float)(i % 17 - 8) / 16;
	return ctl_synth_matmul(s->info.target, weights, file);
}

static enum ctl_exit run(const struct ctl_command *cmd, const char **args, int nargs)
{
	accel_graph_file *file = NULL;
	struct ctl_session s = { 0 };
	enum ctl_exit ret = CTL_OK;

	(void)cmd;
	if (nargs)
		ret = ctl_graph_open(args[0], &file);
	if (!ret)
		ret = ctl_session_open(&s, opt.device);
	if (!ret)
		ret = ctl_session_context(&s, opt.size);
	if (!ret)
		ret = ctl_session_queue(&s, (uint32_t)opt.depth);
	if (!ret && !nargs)
		ret = generated(&s, &file);
	if (!ret)
		ret = measure(&s, file, nargs ? args[0] : "a generated matmul");
	if (file)
		accel_graph_file_close(file);
	ctl_session_close(&s);
	return ret;
}

const struct ctl_command ctl_cmd_bench_launch = {
	.name = "bench launch",
	.summary = "launches per second and latency of a graph",
	.args = "[GRAPH.ncx]",
	.description = "Launches a graph over and over with its inputs at zero. Without a graph, a small matmul that\n"
		       "accelctl writes itself.",
	.options = options,
	.max_args = 1,
	.run = run,
};
