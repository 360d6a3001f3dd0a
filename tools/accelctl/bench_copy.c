// SPDX-License-Identifier: MIT
/* Memory to memory copies by the device's own engine. */
#include <stdlib.h>
#include <string.h>

#include <nca/queue.h>

#include "command.h"
#include "printer.h"
#include "session.h"

#define MAX_DEPTH 1024

static const char *const memory_names[] = { "host", "device", NULL };

static struct {
	const char *device;
	unsigned int size, from, to;
	uint64_t depth, count, seconds_ns, bytes;
	bool json;
} opt = { .depth = 4, .seconds_ns = 2000000000, .bytes = 1 << 20, .to = 1 };

static const struct ctl_option options[] = {
	CTL_OPTION_DEVICE(opt.device),
	CTL_OPTION_SIZE(opt.size),
	{ .name = "bytes", .kind = CTL_BYTES, .value = &opt.bytes, .metavar = "SIZE", .min = 4,
	  .max = 1ull << 34, .help = "bytes per copy, such as 64KiB (default 1MiB)" },
	{ .name = "from", .kind = CTL_CHOICE, .value = &opt.from, .metavar = "MEMORY",
	  .choices = memory_names, .help = "host (default) or device" },
	{ .name = "to", .kind = CTL_CHOICE, .value = &opt.to, .metavar = "MEMORY",
	  .choices = memory_names, .help = "host or device (default)" },
	{ .name = "depth", .kind = CTL_U64, .value = &opt.depth, .metavar = "N", .min = 1,
	  .max = MAX_DEPTH, .help = "copies outstanding (default 4)" },
	{ .name = "seconds", .kind = CTL_SECONDS, .value = &opt.seconds_ns, .metavar = "S", .min = 1,
	  .max = 86400000000000, .help = "how long (default 2); ignored with --count" },
	{ .name = "count", .kind = CTL_U64, .value = &opt.count, .metavar = "N",
	  .help = "stop after N copies" },
	CTL_OPTION_JSON(opt.json),
	CTL_END_OPTIONS
};

struct copy_run {
	accel_context *ctx;
	accel_queue *queue;
	uint64_t src, dst;
	uint64_t submitted, completed, first_start, last_end;
	struct ctl_samples device_ns;
};

static enum ctl_exit take(struct copy_run *r, const struct accel_completion *c, int n)
{
	for (int i = 0; i < n; i++) {
		if (c[i].error || c[i].status != NCA_CQE_OK)
			return ctl_completion_error(r->ctx, &c[i], "a copy");
		if (c[i].cookie != r->completed)
			return ctl_error(CTL_MISMATCH, "copy %llu came back as %llu; see 'accelctl selftest'",
					 (unsigned long long)r->completed,
					 (unsigned long long)c[i].cookie);
		if (!r->completed)
			r->first_start = c[i].start_ns;
		r->last_end = c[i].end_ns;
		r->completed++;
		if (!ctl_samples_add(&r->device_ns, c[i].end_ns - c[i].start_ns))
			return ctl_no_memory();
	}
	return CTL_OK;
}

static enum ctl_exit copy_loop(struct copy_run *r)
{
	uint64_t deadline = ctl_now_ns() + opt.seconds_ns;
	struct accel_completion c[16];
	enum ctl_exit ret;
	int n;

	for (;;) {
		bool more = opt.count ? r->submitted < opt.count : ctl_now_ns() < deadline;

		while (more && r->submitted - r->completed < opt.depth &&
		       (!opt.count || r->submitted < opt.count)) {
			n = accel_queue_copy(r->queue, r->submitted, r->dst, r->src, opt.bytes);
			if (!n)
				n = accel_queue_submit(r->queue);
			if (n < 0)
				return ctl_accel_error(n, "cannot submit a copy");
			r->submitted++;
		}
		if (r->completed == r->submitted)
			return CTL_OK;
		n = accel_queue_wait(r->queue, c, 16, CTL_TIMEOUT_NS);
		if (n < 0)
			return ctl_accel_error(n, "copy %llu did not complete",
					       (unsigned long long)r->completed);
		ret = take(r, c, n);
		if (ret)
			return ret;
	}
}

static void fill_pattern(void *p, uint64_t bytes)
{
	uint64_t x = 0x9e3779b97f4a7c15ull;
	uint8_t *out = p;

	for (uint64_t i = 0; i < bytes; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		out[i] = (uint8_t)x;
	}
}

static enum ctl_exit measure(struct ctl_session *s, accel_buffer *src, accel_buffer *dst)
{
	struct ctl_bench_copy result = {
		.size = ctl_size_names[opt.size], .from = memory_names[opt.from],
		.to = memory_names[opt.to], .bytes = opt.bytes, .depth = opt.depth,
	};
	struct copy_run r = {
		.ctx = s->ctx, .queue = s->queue,
		.src = accel_buffer_address(src), .dst = accel_buffer_address(dst),
	};
	void *from = accel_buffer_map(src), *to = accel_buffer_map(dst);
	uint64_t start;
	enum ctl_exit ret;

	if (!from || !to)
		return ctl_error(CTL_FAILED, "cannot map the buffers: %s", accel_last_error());
	fill_pattern(from, opt.bytes);
	memcpy(result.device, s->info.name, sizeof(result.device));
	start = ctl_now_ns();
	ret = copy_loop(&r);
	result.seconds = (double)(ctl_now_ns() - start) / 1e9;
	if (!ret) {
		uint64_t device = r.last_end - r.first_start;
		double bytes = (double)r.completed * (double)opt.bytes;

		result.count = r.completed;
		result.wall_bytes_per_second = bytes / result.seconds;
		result.device_bytes_per_second =
			device ? bytes * 1e9 / (double)device : 0;
		ctl_samples_summary(&r.device_ns, &result.device_ns);
		result.verified = !memcmp(from, to, opt.bytes);
		ctl_printer(opt.json)->bench_copy(&result);
		if (!result.verified)
			ret = ctl_error(CTL_MISMATCH, "the copy differs from its source; see 'accelctl selftest'");
	}
	ctl_samples_free(&r.device_ns);
	return ret;
}

static enum ctl_exit with_buffers(struct ctl_session *s)
{
	accel_buffer *src = NULL, *dst = NULL;
	enum ctl_exit ret;
	int err;

	err = accel_buffer_create(s->ctx, opt.bytes, opt.from ? ACCEL_DEVICE : ACCEL_HOST,
				  ACCEL_READ | ACCEL_WRITE, &src);
	if (!err)
		err = accel_buffer_create(s->ctx, opt.bytes, opt.to ? ACCEL_DEVICE : ACCEL_HOST,
					  ACCEL_READ | ACCEL_WRITE, &dst);
	ret = err ? ctl_accel_error(err, "cannot allocate two buffers of %llu bytes",
				    (unsigned long long)opt.bytes) : measure(s, src, dst);
	if (src)
		accel_buffer_destroy(src);
	if (dst)
		accel_buffer_destroy(dst);
	return ret;
}

static enum ctl_exit run(const struct ctl_command *cmd, const char **args, int nargs)
{
	struct ctl_session s;
	enum ctl_exit ret;

	(void)args;
	(void)nargs;
	if (opt.bytes % 4)
		return ctl_usage(cmd, "--bytes must be a multiple of 4, not %llu",
				 (unsigned long long)opt.bytes);
	ret = ctl_session_open(&s, opt.device);
	if (!ret)
		ret = ctl_session_context(&s, opt.size);
	if (!ret)
		ret = ctl_session_queue(&s, (uint32_t)opt.depth);
	if (!ret)
		ret = with_buffers(&s);
	ctl_session_close(&s);
	return ret;
}

const struct ctl_command ctl_cmd_bench_copy = {
	.name = "bench copy",
	.summary = "bandwidth of copies between host and device memory",
	.description = "Copies one buffer to another over and over, reports bandwidth in wall and device time and\n"
		       "compares the bytes at the end.",
	.options = options,
	.run = run,
};
