/* SPDX-License-Identifier: MIT */
/* "[target][,key=value...]" -> struct ncasim_config. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"

static int fail(char *err, size_t err_len, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(char *err, size_t err_len, const char *fmt, ...)
{
	va_list ap;

	if (err && err_len) {
		va_start(ap, fmt);
		vsnprintf(err, err_len, fmt, ap);
		va_end(ap);
	}
	return -EINVAL;
}

/* A decimal number up to @max; false if @text is anything else. */
static bool number(const char *text, unsigned long max, unsigned int *out)
{
	char *end;
	unsigned long v;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno || *end || v > max)
		return false;
	*out = (unsigned int)v;
	return true;
}

static bool choice(const char *text, const char *const *names, unsigned int *out)
{
	for (unsigned int i = 0; names[i]; i++) {
		if (!strcmp(text, names[i])) {
			*out = i;
			return true;
		}
	}
	return false;
}

static int set(struct ncasim_config *cfg, const char *key, char *value, char *err, size_t err_len)
{
	static const char *const simd[] = { "auto", "scalar", "avx2", "avx512", NULL };
	static const char *const pace[] = { "free", "real", NULL };
	static const char *const mode[] = { "full", "timed", NULL };
	static const char *const flag[] = { "0", "1", NULL };
	unsigned int v = 0;

	if (!strcmp(key, "threads")) {
		if (!number(value, 64, &cfg->threads))
			return fail(err, err_len, "threads=%s: give a number from 0 to 64", value);
	} else if (!strcmp(key, "quantum_us")) {
		if (!number(value, 1000000, &cfg->quantum_us))
			return fail(err, err_len, "quantum_us=%s: give microseconds, at most 1000000", value);
	} else if (!strcmp(key, "spin_us")) {
		if (!number(value, 1000000, &cfg->spin_us))
			return fail(err, err_len, "spin_us=%s: give microseconds, at most 1000000", value);
	} else if (!strcmp(key, "simd")) {
		if (!choice(value, simd, &v))
			return fail(err, err_len, "simd=%s: use auto, avx512, avx2 or scalar", value);
		cfg->simd = (enum ncasim_simd)v;
	} else if (!strcmp(key, "pace")) {
		if (!choice(value, pace, &v))
			return fail(err, err_len, "pace=%s: use free or real", value);
		cfg->pace = (enum ncasim_pace)v;
	} else if (!strcmp(key, "mode")) {
		if (!choice(value, mode, &v))
			return fail(err, err_len, "mode=%s: use full or timed", value);
		cfg->timed_only = v;
	} else if (!strcmp(key, "check")) {
		if (!choice(value, flag, &v))
			return fail(err, err_len, "check=%s: use 0 or 1", value);
		cfg->check = v;
	} else if (!strcmp(key, "trace")) {
		if (!*value)
			return fail(err, err_len, "trace= needs the path of a file to write");
		cfg->trace_path = value;
	} else {
		return fail(err, err_len,
			    "unknown key '%s': use threads, simd, pace, mode, check, quantum_us, spin_us or trace",
			    key);
	}
	return 0;
}

int ncasim_config_parse(struct ncasim_config *cfg, const char *text, char *err, size_t err_len)
{
	char *copy, *item, *rest;
	bool first = true;
	int ret = 0;

	/*
	 * Everything parsed points into one copy of @text; cfg->target always
	 * points at its start, which is how ncasim_config_fini() finds it.
	 */
	memset(cfg, 0, sizeof(*cfg));
	cfg->size = sizeof(*cfg);
	if (!text)
		text = "";
	copy = malloc(strlen(text) + sizeof("nca1,"));
	if (!copy)
		return fail(err, err_len, "out of memory");
	if (!*text || *text == ',' || memchr(text, '=', strcspn(text, ",")))
		sprintf(copy, *text && *text != ',' ? "nca1,%s" : "nca1%s", text);
	else
		strcpy(copy, text);
	cfg->target = copy;
	for (rest = copy; !ret && (item = strsep(&rest, ",")); first = false) {
		char *value = strchr(item, '=');

		if (first) {
			if (!nca_target_by_name(item))
				ret = fail(err, err_len, "unknown target '%s': use nca1 or nca2", item);
		} else if (!value) {
			ret = fail(err, err_len, "'%s': options are key=value", item);
		} else {
			*value = '\0';
			ret = set(cfg, item, value + 1, err, err_len);
		}
	}
	if (ret)
		ncasim_config_fini(cfg);
	return ret;
}

void ncasim_config_fini(struct ncasim_config *cfg)
{
	free((char *)(uintptr_t)cfg->target);
	memset(cfg, 0, sizeof(*cfg));
}
