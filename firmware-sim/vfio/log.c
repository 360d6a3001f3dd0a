/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>

void vu_log(struct vu_log *log, const char *fmt, ...)
{
	char line[256];
	va_list ap;

	if (!log->fn || !log->budget)
		return;
	log->budget--;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	log->fn(log->opaque, line);
	if (!log->budget)
		log->fn(log->opaque, "further complaints about this client are not printed");
}
