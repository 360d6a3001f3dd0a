// SPDX-License-Identifier: MIT
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "session.h"

enum ctl_exit ctl_session_open(struct ctl_session *s, const char *name)
{
	int err;

	memset(s, 0, sizeof(*s));
	err = accel_device_open(name, &s->dev);
	if (err == -EINVAL) {
		/* Only a name that does not parse gives this: the user's to mend. */
		return ctl_error(CTL_USAGE, "--device %s: %s", name ? name : "(none)",
				 accel_last_error());
	}
	if (err)
		return ctl_accel_error(err, "cannot open device '%s'", name ? name : "(first)");
	s->info.size = sizeof(s->info);
	err = accel_device_info(s->dev, &s->info);
	if (err) {
		enum ctl_exit ret = ctl_accel_error(err, "cannot query device '%s'",
						    name ? name : "(first)");

		ctl_session_close(s);
		return ret;
	}
	return CTL_OK;
}

enum accel_size ctl_size_of(unsigned int size_index)
{
	static const enum accel_size slices[] = { ACCEL_MEDIUM, ACCEL_LARGE, ACCEL_XLARGE,
						  ACCEL_FULL };

	return slices[size_index];
}

const char *ctl_size_text(uint32_t slices)
{
	for (unsigned int i = 0; ctl_size_names[i]; i++)
		if ((uint32_t)ctl_size_of(i) == slices)
			return ctl_size_names[i];
	return "custom";
}

enum ctl_exit ctl_session_context(struct ctl_session *s, unsigned int size_index)
{
	ACCEL_INIT(struct accel_context_options, opt);
	int err;

	opt.slices = ctl_size_of(size_index);
	err = accel_context_create(s->dev, &opt, &s->ctx);
	if (err)
		return ctl_accel_error(err, "cannot create a %s context on %s",
				       ctl_size_names[size_index], s->info.name);
	return CTL_OK;
}

enum ctl_exit ctl_session_queue(struct ctl_session *s, uint32_t depth)
{
	ACCEL_INIT(struct accel_queue_options, opt);
	int err;

	opt.depth = 8;
	while (opt.depth < depth)
		opt.depth *= 2;
	opt.core = -1;
	err = accel_queue_create(s->ctx, &opt, &s->queue);
	return err ? ctl_accel_error(err, "cannot create a queue on %s", s->info.name) : CTL_OK;
}

void ctl_session_close(struct ctl_session *s)
{
	if (s->queue)
		accel_queue_destroy(s->queue);
	if (s->ctx)
		accel_context_destroy(s->ctx);
	if (s->dev)
		accel_device_close(s->dev);
	s->queue = NULL;
	s->ctx = NULL;
	s->dev = NULL;
}

enum ctl_exit ctl_completion_error(accel_context *ctx, const struct accel_completion *c,
				   const char *what)
{
	const char *name = accel_status_name(c->status);
	ACCEL_INIT(struct accel_fault, f);
	char where[64] = "";

	if (!accel_context_fault(ctx, &f) && f.address)
		snprintf(where, sizeof(where), ", address %#llx", (unsigned long long)f.address);
	return ctl_error(CTL_FAULT,
			 "%s failed on the device: %s (status %u, detail %u%s); the context is lost, run the command again for a new one",
			 what, *name ? name : "unknown status", c->status, c->detail, where);
}

uint64_t ctl_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

enum ctl_exit ctl_pin_cpu(uint64_t cpu)
{
	cpu_set_t set;

	if (cpu == UINT64_MAX)
		return CTL_OK;
	CPU_ZERO(&set);
	if (cpu < CPU_SETSIZE)
		CPU_SET(cpu, &set);
	if (cpu >= CPU_SETSIZE || sched_setaffinity(0, sizeof(set), &set))
		return ctl_error(CTL_USAGE, "--cpu %llu: this process cannot run there; nproc shows how many CPUs it has",
				 (unsigned long long)cpu);
	return CTL_OK;
}
