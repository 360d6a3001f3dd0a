/* SPDX-License-Identifier: MIT */
#ifndef VU_LOG_H
#define VU_LOG_H

/*
 * One sentence about the bus, for people. The callee may be called from any
 * thread; NULL as function means nobody listens.
 */
typedef void (*vu_log_fn)(void *opaque, const char *sentence);

struct vu_log {
	vu_log_fn fn;
	void *opaque;
	unsigned int budget;		/* sentences left, so that a hostile client cannot flood it */
};

#define VU_LOG_BUDGET		32u	/* per connection */

void vu_log(struct vu_log *log, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
