/* SPDX-License-Identifier: MIT */
/* An opened device, a context on it and a queue, with their failures turned into sentences. */
#ifndef CTL_SESSION_H
#define CTL_SESSION_H

#include <accel.h>

#include "errors.h"

struct ctl_session {
	accel_device *dev;
	accel_context *ctx;
	accel_queue *queue;
	struct accel_device_info info;
};

/* How long a single command may take before the device counts as stuck. */
#define CTL_TIMEOUT_NS 60000000000ull

/* @name as on the command line; NULL: the first device. */
enum ctl_exit ctl_session_open(struct ctl_session *s, const char *name);
/* @size_index: index into ctl_size_names. */
enum ctl_exit ctl_session_context(struct ctl_session *s, unsigned int size_index);
enum ctl_exit ctl_session_queue(struct ctl_session *s, uint32_t depth);
void ctl_session_close(struct ctl_session *s);

enum accel_size ctl_size_of(unsigned int size_index);
/* Index into ctl_size_names for a number of slices. */
const char *ctl_size_text(uint32_t slices);

/* A completion that is not OK, as a sentence, with what the device recorded; returns CTL_FAULT. */
enum ctl_exit ctl_completion_error(accel_context *ctx, const struct accel_completion *c,
				   const char *what);

uint64_t ctl_now_ns(void);
/* Run the calling thread on one CPU only; UINT64_MAX: anywhere. */
enum ctl_exit ctl_pin_cpu(uint64_t cpu);

#endif
