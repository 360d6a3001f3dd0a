/* SPDX-License-Identifier: MIT */
/* Latency statistics: exact over stored samples, or a histogram when there are millions. */
#ifndef CTL_STATS_H
#define CTL_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ctl_summary {
	uint64_t count;
	double min, mean, p50, p99, max;
};

/* Growable list of samples. */
struct ctl_samples {
	uint64_t *value;
	size_t count, room;
};

bool ctl_samples_add(struct ctl_samples *s, uint64_t value);
void ctl_samples_free(struct ctl_samples *s);
/* Sorts the samples. Percentiles are nearest-rank. */
void ctl_samples_summary(struct ctl_samples *s, struct ctl_summary *out);

/*
 * Log-linear histogram: values below 256 have a bucket each, above that every power of two is cut
 * into 128 buckets, so a percentile is off by less than 0.8%.
 */
#define CTL_HIST_SUB	128
#define CTL_HIST_BUCKETS ((64 - 7) * CTL_HIST_SUB + CTL_HIST_SUB)

struct ctl_histogram {
	uint64_t count, min, max;
	double sum;
	uint64_t bucket[CTL_HIST_BUCKETS];
};

static inline unsigned int ctl_hist_index(uint64_t v)
{
	unsigned int shift;

	if (v < 2 * CTL_HIST_SUB)
		return (unsigned int)v;
	shift = 63 - (unsigned int)__builtin_clzll(v) - 7;
	return (shift + 1) * CTL_HIST_SUB + (unsigned int)((v >> shift) - CTL_HIST_SUB);
}

static inline void ctl_hist_add(struct ctl_histogram *h, uint64_t v)
{
	if (!h->count || v < h->min)
		h->min = v;
	if (v > h->max)
		h->max = v;
	h->count++;
	h->sum += (double)v;
	h->bucket[ctl_hist_index(v)]++;
}

/* Smallest value that falls into bucket @index. */
uint64_t ctl_hist_value(unsigned int index);
void ctl_hist_summary(const struct ctl_histogram *h, struct ctl_summary *out);

#endif
