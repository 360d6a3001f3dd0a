// SPDX-License-Identifier: MIT
#include "cc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHUNK_SIZE (256u * 1024)
#define ALIGNMENT 64u

struct cc_chunk {
	struct cc_chunk *next;
	size_t size;
	size_t used;
	unsigned int scope;
	_Alignas(ALIGNMENT) uint8_t data[];
};

void cc_init(struct cc *cc, size_t budget)
{
	memset(cc, 0, sizeof(*cc));
	cc->budget = budget;
}

void cc_destroy(struct cc *cc)
{
	while (cc->chunks) {
		struct cc_chunk *next = cc->chunks->next;

		free(cc->chunks);
		cc->chunks = next;
	}
}

enum accelcc_status cc_run(struct cc *cc, void (*fn)(struct cc *cc, void *arg), void *arg)
{
	cc->status = ACCELCC_OK;
	cc->message[0] = '\0';
	if (setjmp(cc->out) == 0)
		fn(cc, arg);
	return cc->status;
}

void cc_fail(struct cc *cc, enum accelcc_status status, const char *fmt, ...)
{
	va_list ap;

	cc->status = status;
	va_start(ap, fmt);
	vsnprintf(cc->message, sizeof(cc->message), fmt, ap);
	va_end(ap);
	longjmp(cc->out, 1);
}

static struct cc_chunk *new_chunk(struct cc *cc, size_t size)
{
	struct cc_chunk *c;

	c = calloc(1, sizeof(*c) + size + ALIGNMENT);
	if (!c)
		cc_fail(cc, ACCELCC_FAILED,
			"out of memory after %zu bytes; a smaller model or a machine "
			"with more memory is needed",
			cc->used);
	c->size = size;
	c->scope = cc->scope;
	return c;
}

void *cc_alloc(struct cc *cc, size_t size)
{
	struct cc_chunk *c = cc->chunks;
	uintptr_t start;
	size_t skip;

	if (size > cc->budget - cc->used)
		cc_fail(cc, ACCELCC_BAD_INPUT,
			"the model needs more than %zu bytes of memory to compile, "
			"which its size does not explain; it is broken or far too large",
			cc->budget);
	cc->used += size;
	/* The slack of ALIGNMENT bytes in new_chunk() pays for this. */
	if (c && c->scope == cc->scope && size <= c->size - c->used) {
		start = (uintptr_t)c->data;
		skip = -start & (ALIGNMENT - 1);
		start += skip + c->used;
	} else {
		c = new_chunk(cc, size > CHUNK_SIZE / 4 ? size : CHUNK_SIZE);
		start = (uintptr_t)c->data;
		start += -start & (ALIGNMENT - 1);
		if (cc->chunks && cc->chunks->scope == cc->scope && size > CHUNK_SIZE / 4) {
			/* A large block of its own; keep filling the current chunk. */
			c->next = cc->chunks->next;
			cc->chunks->next = c;
		} else {
			c->next = cc->chunks;
			cc->chunks = c;
		}
	}
	c->used += (size + 15) & ~(size_t)15;
	if (c->used > c->size)
		c->used = c->size;
	return (void *)start;
}

void cc_enter(struct cc *cc)
{
	cc_assert(cc, cc->scope < CC_SCOPES);
	cc->used_before[cc->scope++] = cc->used;
}

/* The chunks of a scope are all in front of those of the scopes around it. */
void cc_leave(struct cc *cc, bool keep)
{
	cc_assert(cc, cc->scope > 0);
	while (!keep && cc->chunks && cc->chunks->scope == cc->scope) {
		struct cc_chunk *next = cc->chunks->next;

		free(cc->chunks);
		cc->chunks = next;
	}
	for (struct cc_chunk *c = cc->chunks; c && c->scope == cc->scope; c = c->next)
		c->scope--;
	cc->scope--;
	if (!keep)
		cc->used = cc->used_before[cc->scope];
}

void *cc_calloc(struct cc *cc, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		cc_fail(cc, ACCELCC_BAD_INPUT, "%zu elements of %zu bytes do not fit in memory", n,
			size);
	return cc_alloc(cc, bytes);
}

void cc_discard(const void *p, size_t size)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)p;
	uintptr_t first = (start + page - 1) & ~(page - 1), end = (start + size) & ~(page - 1);

	if (first < end)
		madvise((void *)first, end - first, MADV_DONTNEED);
}

char *cc_strndup(struct cc *cc, const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = cc_alloc(cc, len + 1);

	memcpy(p, s, len);
	return p;
}

char *cc_strdup(struct cc *cc, const char *s)
{
	return cc_strndup(cc, s, strlen(s));
}

char *cc_printf(struct cc *cc, const char *fmt, ...)
{
	char buf[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	return cc_strdup(cc, buf);
}

void *cc_grow(struct cc *cc, void *array, size_t used, size_t *cap, size_t elem)
{
	void *bigger;

	if (used < *cap)
		return array;
	*cap = *cap ? *cap * 2 : 8;
	bigger = cc_calloc(cc, *cap, elem);
	if (used)
		memcpy(bigger, array, used * elem);
	return bigger;
}

void *cc_move(struct cc *cc, void *array, size_t used, size_t *cap, size_t elem)
{
	size_t had = *cap;
	void *bigger = cc_grow(cc, array, used, cap, elem);

	if (bigger != array && array)
		cc_discard(array, had * elem);
	return bigger;
}
