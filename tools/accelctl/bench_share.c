// SPDX-License-Identifier: MIT
/* Is a share a share? Contexts of different sizes saturate one device; who gets how much? */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "printer.h"
#include "session.h"
#include "share.h"
#include "units.h"

static struct {
	const char *device, *sizes, *times;
	uint64_t seconds_ns;
	double check;
	bool same_core, json;
} opt = { .sizes = "medium,large,xlarge", .times = "1ms", .seconds_ns = 2000000000, .check = -1 };

static const struct ctl_option options[] = {
	CTL_OPTION_DEVICE(opt.device),
	{ .name = "sizes", .kind = CTL_STRING, .value = &opt.sizes, .metavar = "SIZE,...",
	  .help = "one context each (default medium,large,xlarge)" },
	{ .name = "launch-time", .kind = CTL_STRING, .value = &opt.times, .metavar = "TIME,...",
	  .help = "device time of one launch, for all or one per context, e.g. 100ms,1ms (default 1ms)" },
	{ .name = "same-core", .kind = CTL_FLAG, .value = &opt.same_core,
	  .help = "only use contexts that were placed on the cores of the first one" },
	{ .name = "seconds", .kind = CTL_SECONDS, .value = &opt.seconds_ns, .metavar = "S", .min = 1,
	  .max = 3600000000000, .help = "device time to measure (default 2)" },
	{ .name = "check", .kind = CTL_DOUBLE, .value = &opt.check, .metavar = "PERCENT",
	  .help = "exit 8 if a share, or the device's own counter, is off by more than this" },
	CTL_OPTION_JSON(opt.json),
	CTL_END_OPTIONS
};

/* The next item of a comma-separated list; false at its end. */
static bool next_item(const char **list, char *item, size_t room)
{
	size_t n = strcspn(*list, ",");

	if (!**list)
		return false;
	snprintf(item, room, "%.*s", (int)n, *list);
	*list += n + ((*list)[n] == ',');
	return true;
}

static enum ctl_exit parse_tenants(const struct ctl_command *cmd, struct ctl_share_tenant *t,
				   size_t *count)
{
	const char *sizes = opt.sizes, *times = opt.times;
	uint64_t ns = 0;
	char item[32];

	for (*count = 0; next_item(&sizes, item, sizeof(item)); (*count)++) {
		unsigned int i = 0;

		if (*count == CTL_SHARE_CONTEXTS)
			return ctl_usage(cmd, "--sizes names more than %d contexts", CTL_SHARE_CONTEXTS);
		while (ctl_size_names[i] && strcmp(ctl_size_names[i], item))
			i++;
		if (!ctl_size_names[i])
			return ctl_usage(cmd, "--sizes: '%s' is not one of medium, large, xlarge, full",
					 item);
		t[*count].size_index = i;
		if (next_item(&times, item, sizeof(item)) &&
		    (!ctl_parse_duration(item, 1000000, &ns) || ns < 1000 || ns > 10000000000))
			return ctl_usage(cmd, "--launch-time: '%s' is not a time from 1us to 10s", item);
		t[*count].launch_ns = ns;
	}
	if (!*count)
		return ctl_usage(cmd, "--sizes names no context");
	if (*times)
		return ctl_usage(cmd, "--launch-time names more times than there are contexts");
	return CTL_OK;
}

static enum ctl_exit create(struct ctl_session *s, struct ctl_share_tenant *t, int *err)
{
	ACCEL_INIT(struct accel_context_options, co);

	co.slices = ctl_size_of(t->size_index);
	*err = accel_context_create(s->dev, &co, &t->ctx);
	if (*err)
		return ctl_exit_of(*err);
	t->info.size = sizeof(t->info);
	*err = accel_context_info(t->ctx, &t->info);
	return ctl_exit_of(*err);
}

/*
 * The device chooses the cores. To get one on the cores of @first, contexts placed elsewhere are
 * held until it comes out right, then given back.
 */
static enum ctl_exit create_beside(struct ctl_session *s, struct ctl_share_tenant *t,
				   uint32_t core_mask)
{
	struct ctl_share_tenant held[CTL_SHARE_CONTEXTS] = { 0 };
	unsigned int n = 0;
	enum ctl_exit ret;
	int err;

	for (;;) {
		ret = create(s, t, &err);
		if (ret || !core_mask || t->info.core_mask == core_mask || n == CTL_SHARE_CONTEXTS)
			break;
		held[n++].ctx = t->ctx;
		t->ctx = NULL;
	}
	if (ret)
		ctl_accel_error(err, "cannot create a %s context%s on %s", ctl_size_names[t->size_index],
				core_mask ? " on the same core" : "", s->info.name);
	while (n--)
		accel_context_destroy(held[n].ctx);
	if (!ret && core_mask && t->info.core_mask != core_mask)
		ret = ctl_error(CTL_BUSY, "the device placed no %s context on core mask %#x; close other contexts and try again",
				ctl_size_names[t->size_index], core_mask);
	return ret;
}

/* Share of one core that a queue got, from the end of its first launch to the end of its last. */
static double queue_share(const struct ctl_share_queue *q, uint64_t device_ns,
			  struct ctl_samples *own, struct ctl_samples *wait)
{
	const struct ctl_share_record *r = q->record;
	uint64_t busy = 0;
	size_t i;

	for (i = 1; i < q->records; i++) {
		uint64_t gap = r[i].end_ns - r[i - 1].end_ns;

		/* Later ones may have run while others were finishing. */
		if (i > 2 && r[i].end_ns - r[0].start_ns > device_ns)
			break;
		busy += r[i].own_ns;
		if (!ctl_samples_add(own, r[i].own_ns) ||
		    !ctl_samples_add(wait, gap > r[i].own_ns ? gap - r[i].own_ns : 0))
			break;
	}
	return (double)busy / (double)(r[i - 1].end_ns - r[0].end_ns);
}

static void summarize(struct ctl_share_tenant *t, struct ctl_share_context *c, uint32_t cores)
{
	struct ctl_samples own = { 0 }, wait = { 0 };
	double share = 0;

	accel_context_info(t->ctx, &t->info);
	c->size = ctl_size_text(t->info.slices);
	c->slices = t->info.slices;
	c->core_mask = t->info.core_mask;
	c->launch_ns = t->launch_ns;
	for (unsigned int k = 0; k < t->queues; k++) {
		share += queue_share(&t->queue[k], opt.seconds_ns, &own, &wait);
		c->launches += t->queue[k].records;
		for (size_t i = 0; i < t->queue[k].records; i++)
			c->completion_busy_ns += t->queue[k].record[i].own_ns;
	}
	c->device_share = share / cores;
	c->core_share = share / t->queues;
	c->expected_share = t->info.slices / 8.0;
	c->arbiter_busy_ns = t->info.busy_ns;
	c->preempt_ns = t->preempt_ns;
	c->preemptions = t->preemptions;
	ctl_samples_summary(&own, &c->device_ns);
	ctl_samples_summary(&wait, &c->wait_ns);
	ctl_samples_free(&own);
	ctl_samples_free(&wait);
}

static bool within(const struct ctl_share_context *c)
{
	double counted = (double)c->arbiter_busy_ns / (double)(c->completion_busy_ns + 1);

	return fabs(c->device_share / c->expected_share - 1) <= opt.check / 100 &&
	       fabs(counted - 1) <= opt.check / 100;
}

static enum ctl_exit report(struct ctl_session *s, struct ctl_share_tenant *t, size_t count)
{
	struct ctl_share_context result[CTL_SHARE_CONTEXTS] = { 0 };
	struct ctl_bench_share r = {
		.cores = s->info.cores, .quantum_us = s->info.quantum_us,
		.seconds = (double)opt.seconds_ns / 1e9, .context = result, .count = count,
		.tolerance_percent = opt.check, .within = true,
	};

	memcpy(r.device, s->info.name, sizeof(r.device));
	memcpy(r.target, s->info.target, sizeof(s->info.target));
	for (size_t i = 0; i < count; i++) {
		summarize(&t[i], &result[i], s->info.cores);
		if (opt.check >= 0 && !within(&result[i]))
			r.within = false;
	}
	ctl_printer(opt.json)->bench_share(&r);
	if (!r.within)
		return ctl_error(CTL_MISMATCH, "a share is off by more than %g%%; see the table for which", opt.check);
	return CTL_OK;
}

static enum ctl_exit run(const struct ctl_command *cmd, const char **args, int nargs)
{
	struct ctl_share_tenant tenant[CTL_SHARE_CONTEXTS] = { 0 };
	struct ctl_session s = { 0 };
	size_t count = 0;
	enum ctl_exit ret = parse_tenants(cmd, tenant, &count);

	(void)args;
	(void)nargs;
	if (!ret)
		ret = ctl_session_open(&s, opt.device);
	for (size_t i = 0; !ret && i < count; i++)
		ret = create_beside(&s, &tenant[i],
				    opt.same_core && i ? tenant[0].info.core_mask : 0);
	for (size_t i = 0; !ret && i < count; i++)
		ret = ctl_share_prepare(&tenant[i], s.info.target);
	if (!ret)
		ret = ctl_share_run(tenant, count, opt.seconds_ns);
	if (!ret)
		ret = report(&s, tenant, count);
	for (size_t i = 0; i < count; i++)
		ctl_share_release(&tenant[i]);
	ctl_session_close(&s);
	return ret;
}

const struct ctl_command ctl_cmd_bench_share = {
	.name = "bench share",
	.summary = "how contexts that saturate one device share it",
	.description =
		"Creates one context per size, keeps all of them busy with generated launches (timed mode) and\n"
		"reports what each got: from completion timestamps, and from the device's own counter. A\n"
		"launch's wait is the time since its predecessor's end that it did not run itself.",
	.options = options,
	.run = run,
};
