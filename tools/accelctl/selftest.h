/* SPDX-License-Identifier: MIT */
/* Tests that any working device passes; each says in one line what it found. */
#ifndef CTL_SELFTEST_H
#define CTL_SELFTEST_H

#include <stdio.h>

#include "result.h"
#include "session.h"

struct ctl_selftest_env {
	struct ctl_session *s;		/* a medium context with one queue of SELFTEST_DEPTH */
	char *detail;			/* what happened, for the report */
	size_t detail_len;
};

#define SELFTEST_DEPTH 64

#define DETAIL(env, ...) snprintf((env)->detail, (env)->detail_len, __VA_ARGS__)

/* Failures of libaccel calls and of the device: detail is filled in. */
enum ctl_exit selftest_call_failed(struct ctl_selftest_env *env, int err, const char *what);
/* Submit and wait for one prepared command. */
enum ctl_exit selftest_one(struct ctl_selftest_env *env, accel_queue *q, const char *what,
			   struct accel_completion *c);
/* The first context still works: a NOP comes back. */
enum ctl_exit selftest_alive(struct ctl_selftest_env *env);

enum ctl_exit selftest_queue_order(struct ctl_selftest_env *env);
enum ctl_exit selftest_queue_sleep(struct ctl_selftest_env *env);
enum ctl_exit selftest_queue_eventfd(struct ctl_selftest_env *env);
enum ctl_exit selftest_semaphore(struct ctl_selftest_env *env);
enum ctl_exit selftest_timestamp(struct ctl_selftest_env *env);
enum ctl_exit selftest_fill(struct ctl_selftest_env *env);
enum ctl_exit selftest_copy(struct ctl_selftest_env *env);
enum ctl_exit selftest_launch(struct ctl_selftest_env *env);
enum ctl_exit selftest_bad_address(struct ctl_selftest_env *env);
enum ctl_exit selftest_bad_program(struct ctl_selftest_env *env);

#endif
