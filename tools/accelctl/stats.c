// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "stats.h"

bool ctl_samples_add(struct ctl_samples *s, uint64_t value)
{
	if (s->count == s->room) {
		size_t room = s->room ? s->room * 2 : 256;
		uint64_t *grown = reallocarray(s->value, room, sizeof(*grown));

		if (!grown)
			return false;
		s->value = grown;
		s->room = room;
	}
	s->value[s->count++] = value;
	return true;
}

void ctl_samples_free(struct ctl_samples *s)
{
	free(s->value);
	memset(s, 0, sizeof(*s));
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Nearest rank: the smallest value that at least @percent of the values do not exceed. */
static size_t rank_of(uint64_t count, unsigned int percent)
{
	return (size_t)((count * percent + 99) / 100 - 1);
}

void ctl_samples_summary(struct ctl_samples *s, struct ctl_summary *out)
{
	double sum = 0;

	memset(out, 0, sizeof(*out));
	if (!s->count)
		return;
	qsort(s->value, s->count, sizeof(*s->value), compare_u64);
	for (size_t i = 0; i < s->count; i++)
		sum += (double)s->value[i];
	out->count = s->count;
	out->min = (double)s->value[0];
	out->max = (double)s->value[s->count - 1];
	out->mean = sum / (double)s->count;
	out->p50 = (double)s->value[rank_of(s->count, 50)];
	out->p99 = (double)s->value[rank_of(s->count, 99)];
}

uint64_t ctl_hist_value(unsigned int index)
{
	unsigned int shift;

	if (index < 2 * CTL_HIST_SUB)
		return index;
	shift = index / CTL_HIST_SUB - 1;
	return (uint64_t)(index % CTL_HIST_SUB + CTL_HIST_SUB) << shift;
}

static double percentile(const struct ctl_histogram *h, unsigned int percent)
{
	uint64_t want = (uint64_t)rank_of(h->count, percent) + 1, seen = 0;

	for (unsigned int i = 0; i < CTL_HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= want)
			return (double)ctl_hist_value(i);
	}
	return (double)h->max;
}

void ctl_hist_summary(const struct ctl_histogram *h, struct ctl_summary *out)
{
	memset(out, 0, sizeof(*out));
	if (!h->count)
		return;
	out->count = h->count;
	out->min = (double)h->min;
	out->max = (double)h->max;
	out->mean = h->sum / (double)h->count;
	out->p50 = percentile(h, 50);
	out->p99 = percentile(h, 99);
}
