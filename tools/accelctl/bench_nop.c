// SPDX-License-Identifier: MIT
/* What a command costs when it does nothing: the queue protocol itself. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <nca/queue.h>

#include "command.h"
#include "printer.h"
#include "session.h"

#define POLL_BATCH 64
#define MAX_DEPTH 32768

static const char *const submit_names[] = { "doorbell", "ioctl", NULL };

static struct {
	const char *device;
	unsigned int size, submit;
	uint64_t depth, batch, count, seconds_ns, idle_ns, watch_ns, cpu;
	bool json;
} opt = { .depth = 1, .seconds_ns = 2000000000, .cpu = UINT64_MAX };

static const struct ctl_option options[] = {
	CTL_OPTION_DEVICE(opt.device),
	CTL_OPTION_SIZE(opt.size),
	{ .name = "depth", .kind = CTL_U64, .value = &opt.depth, .metavar = "N", .min = 1,
	  .max = MAX_DEPTH, .help = "commands outstanding (default 1; 1 also measures the round trip)" },
	{ .name = "batch", .kind = CTL_U64, .value = &opt.batch, .metavar = "N", .max = MAX_DEPTH,
	  .help = "submit when there is room for N more (default half the depth)" },
	{ .name = "seconds", .kind = CTL_SECONDS, .value = &opt.seconds_ns, .metavar = "S", .min = 1,
	  .max = 86400000000000, .help = "how long (default 2); ignored with --count" },
	{ .name = "count", .kind = CTL_U64, .value = &opt.count, .metavar = "N",
	  .help = "stop after N commands" },
	{ .name = "idle-us", .kind = CTL_USECS, .value = &opt.idle_ns, .metavar = "US",
	  .help = "sleep this long before each command (depth 1): latency of a device gone to sleep" },
	{ .name = "idle-watch", .kind = CTL_SECONDS, .value = &opt.watch_ns, .metavar = "S",
	  .help = "afterwards stay open: one second to settle, then measure our CPU use for S seconds" },
	{ .name = "submit", .kind = CTL_CHOICE, .value = &opt.submit, .metavar = "HOW",
	  .choices = submit_names,
	  .help = "doorbell (default) or ioctl: ring through the kernel, to see what it costs" },
	{ .name = "cpu", .kind = CTL_U64, .value = &opt.cpu, .metavar = "N",
	  .help = "run the submitting thread on this CPU only" },
	CTL_OPTION_JSON(opt.json),
	CTL_END_OPTIONS
};

struct nop_run {
	accel_context *ctx;
	accel_queue *queue;
	uint64_t submitted, completed;
	struct ctl_histogram *latency;
};

static enum ctl_exit submit(struct nop_run *r)
{
	int n = opt.submit ? accel_queue_submit_ioctl(r->queue) : accel_queue_submit(r->queue);

	return n < 0 ? ctl_accel_error(n, "cannot submit to the queue") : CTL_OK;
}

/* A queue is in order, so the cookies come back in the order they went out. */
static enum ctl_exit check(struct nop_run *r, const struct accel_completion *c, int n)
{
	for (int i = 0; i < n; i++) {
		if (c[i].error || c[i].status != NCA_CQE_OK)
			return ctl_completion_error(r->ctx, &c[i], "a NOP");
		if (c[i].cookie != r->completed)
			return ctl_error(CTL_MISMATCH,
					 "completion %llu carries cookie %llu; the device lost or repeated a command, see 'accelctl selftest'",
					 (unsigned long long)r->completed,
					 (unsigned long long)c[i].cookie);
		r->completed++;
	}
	return CTL_OK;
}

static void sleep_ns(uint64_t ns)
{
	struct timespec t = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };

	while (nanosleep(&t, &t))
		;
}

static enum ctl_exit run_single(struct nop_run *r, uint64_t deadline)
{
	struct accel_completion c;
	uint64_t then = ctl_now_ns(), now;
	enum ctl_exit ret;
	int n;

	for (;;) {
		if (opt.idle_ns) {
			sleep_ns(opt.idle_ns);
			then = ctl_now_ns();
		}
		n = accel_queue_nop(r->queue, r->submitted);
		if (n)
			return ctl_accel_error(n, "cannot prepare a NOP");
		r->submitted++;
		ret = submit(r);
		if (ret)
			return ret;
		n = accel_queue_wait(r->queue, &c, 1, CTL_TIMEOUT_NS);
		if (n < 0)
			return ctl_accel_error(n, "NOP %llu did not complete",
					       (unsigned long long)r->completed);
		now = ctl_now_ns();
		ret = check(r, &c, n);
		if (ret)
			return ret;
		ctl_hist_add(r->latency, now - then);
		then = now;
		if (opt.count ? r->completed >= opt.count : now >= deadline)
			return CTL_OK;
	}
}

static enum ctl_exit run_deep(struct nop_run *r, uint64_t deadline)
{
	struct accel_completion c[POLL_BATCH];
	unsigned int rounds = 0;
	enum ctl_exit ret;
	bool last = false;
	int n;

	for (;;) {
		uint64_t room = opt.depth - (r->submitted - r->completed);

		if (last || room < opt.batch)
			room = 0;
		if (opt.count && room > opt.count - r->submitted)
			room = opt.count - r->submitted;
		for (uint64_t i = 0; i < room; i++) {
			n = accel_queue_nop(r->queue, r->submitted);
			if (n)
				return ctl_accel_error(n, "cannot prepare a NOP");
			r->submitted++;
		}
		if (room) {
			ret = submit(r);
			if (ret)
				return ret;
		}
		if (r->completed == r->submitted)
			return CTL_OK;
		n = accel_queue_poll(r->queue, c, POLL_BATCH);
		if (!n)
			n = accel_queue_wait(r->queue, c, POLL_BATCH, CTL_TIMEOUT_NS);
		if (n < 0)
			return ctl_accel_error(n, "NOP %llu did not complete",
					       (unsigned long long)r->completed);
		ret = check(r, c, n);
		if (ret)
			return ret;
		/* The clock costs as much as a NOP: look at it now and then. */
		if (!opt.count && !(++rounds & 31) && ctl_now_ns() >= deadline)
			last = true;
	}
}

static uint64_t process_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void watch_idle(struct ctl_bench_nop *result)
{
	uint64_t cpu, wall;

	sleep_ns(1000000000);
	cpu = process_cpu_ns();
	wall = ctl_now_ns();
	sleep_ns(opt.watch_ns);
	wall = ctl_now_ns() - wall;
	cpu = process_cpu_ns() - cpu;
	result->watch_seconds = (double)wall / 1e9;
	result->watch_cpu_percent = 100.0 * (double)cpu / (double)wall;
}

static enum ctl_exit measure(struct ctl_session *s)
{
	struct ctl_bench_nop result = {
		.size = ctl_size_names[opt.size], .submit = submit_names[opt.submit],
		.depth = opt.depth, .batch = opt.batch, .idle_ns = opt.idle_ns,
	};
	struct nop_run r = { .ctx = s->ctx, .queue = s->queue };
	uint64_t start;
	enum ctl_exit ret;

	r.latency = calloc(1, sizeof(*r.latency));
	if (!r.latency)
		return ctl_no_memory();
	memcpy(result.device, s->info.name, sizeof(result.device));
	start = ctl_now_ns();
	ret = opt.depth == 1 ? run_single(&r, start + opt.seconds_ns) :
			       run_deep(&r, start + opt.seconds_ns);
	result.seconds = (double)(ctl_now_ns() - start) / 1e9;
	if (!ret) {
		result.count = r.completed;
		result.rate = (double)r.completed / result.seconds;
		result.has_latency = opt.depth == 1;
		ctl_hist_summary(r.latency, &result.latency_ns);
		if (opt.watch_ns)
			watch_idle(&result);
		ctl_printer(opt.json)->bench_nop(&result);
	}
	free(r.latency);
	return ret;
}

static enum ctl_exit run(const struct ctl_command *cmd, const char **args, int nargs)
{
	struct ctl_session s;
	enum ctl_exit ret;

	(void)args;
	(void)nargs;
	if (opt.idle_ns && opt.depth != 1)
		return ctl_usage(cmd, "--idle-us needs --depth 1");
	if (opt.batch > opt.depth)
		return ctl_usage(cmd, "--batch %llu is more than --depth %llu",
				 (unsigned long long)opt.batch, (unsigned long long)opt.depth);
	if (!opt.batch)
		opt.batch = (opt.depth + 1) / 2;
	ret = ctl_session_open(&s, opt.device);
	/* Not earlier: the threads of an embedded device would inherit it. */
	if (!ret)
		ret = ctl_pin_cpu(opt.cpu);
	if (!ret)
		ret = ctl_session_context(&s, opt.size);
	if (!ret)
		ret = ctl_session_queue(&s, (uint32_t)opt.depth);
	if (!ret)
		ret = measure(&s);
	ctl_session_close(&s);
	return ret;
}

const struct ctl_command ctl_cmd_bench_nop = {
	.name = "bench nop",
	.summary = "round trip and rate of empty commands",
	.description = "Submits NOPs and checks the cookie and status of every completion. At depth 1 the time\n"
		       "from one submission to the next gives the round trip; deeper queues give the rate.",
	.options = options,
	.run = run,
};
