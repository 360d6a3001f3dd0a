// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>

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

static void look_at(struct ctl_list_entry *e, const char *name)
{
	accel_device *dev;

	e->name = name;
	e->info.size = sizeof(e->info);
	e->error = accel_device_open(name, &dev);
	if (e->error)
		return;
	e->error = accel_device_info(dev, &e->info);
	accel_device_close(dev);
}

static enum ctl_exit run(const struct ctl_command *cmd, const char **args, int nargs)
{
	struct ctl_list list = { 0 };
	char **names = NULL;
	size_t count = 0;
	int err;

	(void)cmd;
	(void)args;
	(void)nargs;
	if (device) {
		struct ctl_session s;
		enum ctl_exit ret = ctl_session_open(&s, device);
		struct ctl_list_entry one = { .name = device };

		if (ret)
			return ret;
		one.info = s.info;
		list.entry = &one;
		list.count = 1;
		ctl_printer(json)->list(&list);
		ctl_session_close(&s);
		return CTL_OK;
	}
	err = accel_device_list(&names, &count);
	if (err)
		return ctl_accel_error(err, "cannot list the devices");
	list.entry = calloc(count + 1, sizeof(*list.entry));
	if (!list.entry) {
		accel_device_list_free(names);
		return ctl_no_memory();
	}
	for (size_t i = 0; i < count; i++)
		look_at(&list.entry[list.count++], names[i]);
	ctl_printer(json)->list(&list);
	free(list.entry);
	accel_device_list_free(names);
	return CTL_OK;
}

const struct ctl_command ctl_cmd_list = {
	.name = "list",
	.summary = "the NCA devices of this machine",
	.description = "Lists the devices under /dev/accel that are driven by nca, or with --device that one.\n"
		       "A device this user may not open is listed as such.",
	.options = options,
	.run = run,
};
