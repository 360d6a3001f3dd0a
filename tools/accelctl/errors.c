// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <accel.h>

#include "errors.h"

static void print_sentence(const char *text)
{
	size_t len = strlen(text);

	fprintf(stderr, "accelctl: %s%s\n", text,
		len && strchr(".!?", text[len - 1]) ? "" : ".");
}

enum ctl_exit ctl_error(enum ctl_exit code, const char *format, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	print_sentence(text);
	return code;
}

enum ctl_exit ctl_exit_of(int err)
{
	switch (-err) {
	case 0:
		return CTL_OK;
	case ENODEV:
	case ENXIO:
	case ENOENT:
		return CTL_NO_DEVICE;
	case EACCES:
	case EPERM:
		return CTL_PERMISSION;
	case EBUSY:
	case ENOSPC:
	case EDQUOT:
	case EAGAIN:
		return CTL_BUSY;
	case ENOEXEC:
	case EBADMSG:
		return CTL_BAD_INPUT;
	case EIO:
	case ESTALE:
	case EFAULT:
	case ETIME:
	case ETIMEDOUT:
		return CTL_FAULT;
	default:
		return CTL_FAILED;
	}
}

static const char *hint_of(enum ctl_exit code)
{
	switch (code) {
	case CTL_NO_DEVICE:
		return " Run 'accelctl list' to see the devices of this machine, or use --device sim.";
	case CTL_PERMISSION:
		return " Ask for access to the device node (ls -l /dev/accel), or run as root.";
	case CTL_BUSY:
		return " Use a smaller --size, or wait until another context has been closed.";
	case CTL_FAULT:
		return " See 'accelctl info' for the state of the device.";
	default:
		return "";
	}
}

enum ctl_exit ctl_accel_error(int err, const char *format, ...)
{
	enum ctl_exit code = ctl_exit_of(err);
	char lead[512], reason[1024], text[2048];
	const char *said = accel_last_error();
	size_t len;
	va_list ap;

	/* Copied first of all: the text lives only until the next libaccel call. */
	snprintf(reason, sizeof(reason), "%s", said && *said ? said : strerror(-err));
	va_start(ap, format);
	vsnprintf(lead, sizeof(lead), format, ap);
	va_end(ap);
	len = strlen(reason);
	snprintf(text, sizeof(text), "%s: %s%s%s", lead, reason,
		 len && strchr(".!?", reason[len - 1]) ? "" : ".", hint_of(code));
	print_sentence(text);
	return code;
}

enum ctl_exit ctl_no_memory(void)
{
	return ctl_error(CTL_FAILED, "this machine is out of memory; close other programs or use smaller inputs");
}
