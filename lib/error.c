// SPDX-License-Identifier: MIT
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "accel.h"

static _Thread_local char sentence[512];
static _Thread_local const char *last;

const char *accel_last_error(void)
{
	return last ? last : "";
}

int acc_fail(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	last = sentence;
	return err;
}

int acc_fail_sys(int err, const char *fmt, ...)
{
	char name[96];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(sentence))
		snprintf(sentence + n, sizeof(sentence) - n, ": %s",
			 strerror_r(-err, name, sizeof(name)));
	last = sentence;
	return err;
}

int acc_fail_text(int err, const char *text)
{
	last = text;
	return err;
}
