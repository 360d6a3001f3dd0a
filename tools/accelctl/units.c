// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "units.h"

bool ctl_parse_u64(const char *text, uint64_t *value)
{
	unsigned long long v;
	char *end;

	/* strtoull() would take "-1" and leading spaces. */
	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	v = strtoull(text, &end, 0);
	if (errno || *end)
		return false;
	*value = v;
	return true;
}

static bool parse_number(const char *text, double *value, const char **rest)
{
	char *end;

	if (!isdigit((unsigned char)text[0]) && text[0] != '.')
		return false;
	errno = 0;
	*value = strtod(text, &end);
	*rest = end;
	return !errno && end != text && isfinite(*value);
}

bool ctl_parse_double(const char *text, double *value)
{
	const char *rest;

	return parse_number(text, value, &rest) && !*rest;
}

struct unit {
	const char *name;
	double factor;
};

static bool scale(double number, const char *name, const struct unit *units, double plain,
		  uint64_t *value)
{
	double factor = plain;

	if (*name) {
		for (; units->name && strcasecmp(units->name, name); units++)
			;
		if (!units->name)
			return false;
		factor = units->factor;
	}
	number *= factor;
	if (number >= 9.2e18)
		return false;
	*value = (uint64_t)llround(number);
	return true;
}

bool ctl_parse_bytes(const char *text, uint64_t *value)
{
	static const struct unit units[] = {
		{ "B", 1 }, { "K", 1 << 10 }, { "KiB", 1 << 10 }, { "M", 1 << 20 },
		{ "MiB", 1 << 20 }, { "G", 1 << 30 }, { "GiB", 1 << 30 }, { NULL, 0 },
	};
	const char *rest;
	double number;

	return parse_number(text, &number, &rest) && scale(number, rest, units, 1, value);
}

bool ctl_parse_duration(const char *text, uint64_t plain_unit_ns, uint64_t *value)
{
	static const struct unit units[] = {
		{ "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { NULL, 0 },
	};
	const char *rest;
	double number;

	return parse_number(text, &number, &rest) &&
	       scale(number, rest, units, (double)plain_unit_ns, value);
}

const char *ctl_format_bytes(char *buf, size_t len, uint64_t bytes)
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double v = (double)bytes;
	unsigned int i = 0;

	while (v >= 1024 && i < 4) {
		v /= 1024;
		i++;
	}
	snprintf(buf, len, v == floor(v) ? "%.0f %s" : "%.1f %s", v, unit[i]);
	return buf;
}

const char *ctl_format_ns(char *buf, size_t len, double ns)
{
	if (ns < 1e3)
		snprintf(buf, len, "%.0f ns", ns);
	else if (ns < 1e6)
		snprintf(buf, len, "%.2f us", ns / 1e3);
	else if (ns < 1e9)
		snprintf(buf, len, "%.3f ms", ns / 1e6);
	else
		snprintf(buf, len, "%.3f s", ns / 1e9);
	return buf;
}

const char *ctl_format_rate(char *buf, size_t len, double per_second)
{
	if (per_second >= 1e9)
		snprintf(buf, len, "%.2f G/s", per_second / 1e9);
	else if (per_second >= 1e6)
		snprintf(buf, len, "%.2f M/s", per_second / 1e6);
	else if (per_second >= 1e3)
		snprintf(buf, len, "%.1f k/s", per_second / 1e3);
	else
		snprintf(buf, len, "%.1f /s", per_second);
	return buf;
}
