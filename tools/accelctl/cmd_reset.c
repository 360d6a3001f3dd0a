// SPDX-License-Identifier: MIT
#include <stdio.h>

#include "command.h"
#include "session.h"

static const char *device;

static const struct ctl_option options[] = {
	CTL_OPTION_DEVICE(device),
	CTL_END_OPTIONS
};

static enum ctl_exit run(const struct ctl_command *cmd, const char **args, int nargs)
{
	struct ctl_session s;
	enum ctl_exit ret;
	int err;

	(void)args;
	(void)nargs;
	/* Every tenant loses its work: never on a device that was not named. */
	if (!device)
		return ctl_usage(cmd, "--device is missing; say which device to reset");
	ret = ctl_session_open(&s, device);
	if (ret)
		return ret;
	err = accel_device_reset(s.dev);
	if (err)
		ret = ctl_accel_error(err, "cannot reset %s", s.info.name);
	else
		printf("%s was reset; its contexts were told so and have to be made anew\n", s.info.name);
	ctl_session_close(&s);
	return ret;
}

const struct ctl_command ctl_cmd_reset = {
	.name = "reset",
	.summary = "reset a device; every context on it is lost",
	.description = "Resets the device named by --device. Every context on it, of every user, is lost with\n"
		       "the error ESTALE. Needs CAP_SYS_ADMIN on a real device.",
	.options = options,
	.run = run,
};
