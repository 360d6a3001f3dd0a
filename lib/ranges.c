// SPDX-License-Identifier: MIT
#include "ranges.h"

#include <errno.h>
#include <stdlib.h>

static struct acc_range *range_new(uint64_t start, uint64_t len, struct acc_range *next)
{
	struct acc_range *n = malloc(sizeof(*n));

	if (n)
		*n = (struct acc_range){ .next = next, .start = start, .len = len };
	return n;
}

int acc_ranges_init(struct acc_ranges *r, uint64_t start, uint64_t end)
{
	r->used = 0;
	r->free = range_new(start, end - start, NULL);
	return r->free ? 0 : -ENOMEM;
}

void acc_ranges_fini(struct acc_ranges *r)
{
	while (r->free) {
		struct acc_range *n = r->free;

		r->free = n->next;
		free(n);
	}
}

int acc_ranges_alloc(struct acc_ranges *r, uint64_t len, uint64_t align, uint64_t *start)
{
	for (struct acc_range **p = &r->free; *p; p = &(*p)->next) {
		struct acc_range *n = *p, *tail;
		uint64_t at, skip, rest;

		if (__builtin_add_overflow(n->start, align - 1, &at))
			break;
		at &= ~(align - 1);
		skip = at - n->start;
		if (skip > n->len || n->len - skip < len)
			continue;
		rest = n->len - skip - len;
		if (!skip && !rest) {
			*p = n->next;
			free(n);
		} else if (!skip) {
			n->start += len;
			n->len = rest;
		} else {
			if (rest) {
				tail = range_new(at + len, rest, n->next);
				if (!tail)
					return -ENOMEM;
				n->next = tail;
			}
			n->len = skip;
		}
		r->used += len;
		*start = at;
		return 0;
	}
	return -ENOSPC;
}

int acc_ranges_free(struct acc_ranges *r, uint64_t start, uint64_t len)
{
	struct acc_range **p = &r->free, *prev = NULL, *next;

	while (*p && (*p)->start < start) {
		prev = *p;
		p = &(*p)->next;
	}
	next = *p;
	if (prev && prev->start + prev->len == start) {
		prev->len += len;
		if (next && prev->start + prev->len == next->start) {
			prev->len += next->len;
			prev->next = next->next;
			free(next);
		}
	} else if (next && start + len == next->start) {
		next->start = start;
		next->len += len;
	} else {
		struct acc_range *n = range_new(start, len, next);

		if (!n)
			return -ENOMEM;
		*p = n;
	}
	r->used -= len;
	return 0;
}
