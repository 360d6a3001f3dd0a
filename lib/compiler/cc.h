/* SPDX-License-Identifier: MIT */
/*
 * One compilation: its memory and its way out.
 *
 * Everything a compilation allocates comes from one arena and goes away with it, so a failure
 * anywhere may leave at once: cc_fail() records a sentence and jumps back to the entry point
 * (cc_run). Code below the entry point must not hold anything else (file descriptors, libelf
 * handles) across a call that can fail; the entry point's caller does that.
 */
#ifndef CC_H
#define CC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "accelcc.h"

#define CC_SCOPES 4	/* most that may be open at once */

struct cc_chunk;

struct cc {
	jmp_buf out;
	enum accelcc_status status;
	char message[1024];
	struct cc_chunk *chunks;
	size_t used;		/* bytes handed out */
	size_t budget;		/* most that may be handed out */
	unsigned int scope;	/* how many scopes are open */
	size_t used_before[CC_SCOPES];
};

void cc_init(struct cc *cc, size_t budget);
void cc_destroy(struct cc *cc);

/* Run fn(cc, arg) and return ACCELCC_OK, or the status that cc_fail() was called with. */
enum accelcc_status cc_run(struct cc *cc, void (*fn)(struct cc *cc, void *arg), void *arg);

_Noreturn void cc_fail(struct cc *cc, enum accelcc_status status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* A broken invariant of the compiler itself, never the user's doing. */
#define cc_assert(cc, cond)                                                                        \
	((cond) ? (void)0                                                                          \
		: cc_fail(cc, ACCELCC_FAILED,                                                      \
			  "internal check failed at %s:%d: %s; please "                            \
			  "report it with the model",                                              \
			  __FILE__, __LINE__, #cond))

/* Zeroed memory, aligned for any type; never returns NULL. */
void *cc_alloc(struct cc *cc, size_t size);
void *cc_calloc(struct cc *cc, size_t n, size_t size);
char *cc_strdup(struct cc *cc, const char *s);
char *cc_strndup(struct cc *cc, const char *s, size_t n);
char *cc_printf(struct cc *cc, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * What is allocated between the two can be given back together, when nothing points to it any more:
 * an attempt that came to nothing, or what one step needs only for itself. With @keep it stays, as
 * if there had been no scope. Scopes nest.
 */
void cc_enter(struct cc *cc);
void cc_leave(struct cc *cc, bool keep);

/*
 * The contents of @size bytes at @p are no longer needed: give the pages back. The memory stays the
 * arena's and reads as zeros, or, in a mapped file, as the file.
 */
void cc_discard(const void *p, size_t size);

#define cc_new(cc, type) ((type *)cc_alloc(cc, sizeof(type)))
#define cc_new_n(cc, type, n) ((type *)cc_calloc(cc, n, sizeof(type)))

/* Make room for one more element in an array of *cap; the old array stays in the arena. */
void *cc_grow(struct cc *cc, void *array, size_t used, size_t *cap, size_t elem);
/* The same for a large array that nobody else points into: the old one's pages are given back. */
void *cc_move(struct cc *cc, void *array, size_t used, size_t *cap, size_t elem);
#define cc_push(cc, array, n, cap) \
	((array) = cc_grow(cc, array, n, &(cap), sizeof(*(array))), &(array)[(n)++])

#endif
