/* SPDX-License-Identifier: MIT */
/* Numbers as people write them: "64KiB", "2ms", and back. */
#ifndef CTL_UNITS_H
#define CTL_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool ctl_parse_u64(const char *text, uint64_t *value);
bool ctl_parse_double(const char *text, double *value);
/* Bytes: a number with B, K, KiB, M, MiB, G or GiB (all powers of 1024). */
bool ctl_parse_bytes(const char *text, uint64_t *value);
/* Nanoseconds: a number with ns, us, ms or s; without a unit @plain_unit_ns each. */
bool ctl_parse_duration(const char *text, uint64_t plain_unit_ns, uint64_t *value);

/* Text for people, in a buffer of the caller; returns @buf. */
const char *ctl_format_bytes(char *buf, size_t len, uint64_t bytes);
const char *ctl_format_ns(char *buf, size_t len, double ns);
const char *ctl_format_rate(char *buf, size_t len, double per_second);

#endif
