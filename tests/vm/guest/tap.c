// SPDX-License-Identifier: MIT
#include "tap.h"

const char *tap_prefix = "";
int tap_failed;

bool tap_result(bool good, const char *fmt, ...)
{
	int err = errno;
	va_list ap;
	char what[256];

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (good) {
		printf("ok %s%s\n", tap_prefix, what);
	} else {
		printf("not ok %s%s (errno %d, %s)\n", tap_prefix, what, err, strerror(err));
		tap_failed++;
	}
	fflush(stdout);
	return good;
}

void tap_bail(const char *fmt, ...)
{
	int err = errno;
	va_list ap;
	char what[256];

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	printf("not ok %s%s (errno %d, %s), cannot go on\n", tap_prefix, what, err, strerror(err));
	fflush(stdout);
	exit(1);
}

int tap_done(void)
{
	return tap_failed ? 1 : 0;
}
