// SPDX-License-Identifier: MIT
#include "command.h"
#include "printer.h"
#include "session.h"

static const char *device;
static bool json;

static const struct ctl_option options[] = {
	CTL_OPTION_DEVICE(device),
	CTL_OPTION_JSON(json),
	CTL_END_OPTIONS
};

static enum ctl_exit run(const struct ctl_command *cmd, const char **args, int nargs)
{
	struct ctl_info info = { .telemetry.size = sizeof(info.telemetry) };
	struct ctl_session s;
	enum ctl_exit ret = ctl_session_open(&s, device);

	(void)cmd;
	(void)args;
	(void)nargs;
	if (ret)
		return ret;
	info.device = s.info;
	/* A wedged device still has an identity; its telemetry may be missing. */
	info.has_telemetry = !accel_device_telemetry(s.dev, &info.telemetry);
	ctl_printer(json)->info(&info);
	ctl_session_close(&s);
	return CTL_OK;
}

const struct ctl_command ctl_cmd_info = {
	.name = "info",
	.summary = "one device: topology, what is free, counters",
	.description = "Prints identity, limits, free capacity and the device's own counters.",
	.options = options,
	.run = run,
};
