/* SPDX-License-Identifier: MIT */
/* Exit codes are part of the command line's contract; a failure is one sentence on stderr. */
#ifndef CTL_ERRORS_H
#define CTL_ERRORS_H

enum ctl_exit {
	CTL_OK = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2,
	CTL_NO_DEVICE = 3,
	CTL_PERMISSION = 4,
	CTL_BUSY = 5,
	CTL_BAD_INPUT = 6,
	CTL_FAULT = 7,
	CTL_MISMATCH = 8,
};

/* Print "accelctl: <sentence>" to stderr; returns @code, so that callers can return it. */
enum ctl_exit ctl_error(enum ctl_exit code, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * The same for a libaccel call that returned @err: the library's own sentence, led in by @format,
 * and what to do next where the code alone tells.
 */
enum ctl_exit ctl_accel_error(int err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Exit code for a negative errno from libaccel. */
enum ctl_exit ctl_exit_of(int err);

enum ctl_exit ctl_no_memory(void);

#endif
