/* SPDX-License-Identifier: MIT */
/* Error sentences: kept per thread, handed out by accel_last_error(). */
#ifndef ACC_ERROR_H
#define ACC_ERROR_H

#include <errno.h>

/* Remember the sentence and return @err (negative errno). */
int acc_fail(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3), cold));

/* The sentence, then what strerror() says about @err. */
int acc_fail_sys(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3), cold));

/*
 * For results that are no failure of anybody (ring full, time is up) and that a
 * loop may see often: a literal, remembered by its address.
 */
int acc_fail_text(int err, const char *text);

#endif
