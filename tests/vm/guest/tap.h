/* SPDX-License-Identifier: MIT */
/*
 * Results of the guest test programs: one line each, "ok NAME" or "not ok NAME", which the
 * guest's init passes on to the host. tap_done() is the exit status.
 */
#ifndef TEST_VM_TAP_H
#define TEST_VM_TAP_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const char *tap_prefix;
extern int tap_failed;

/* One result; returns @good, so that a test can leave when it makes no sense to go on. */
bool tap_result(bool good, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* End the test here: without this nothing that follows can work. */
void tap_bail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

int tap_done(void);

/* CHECK(condition, "what holds"); on failure errno is printed, too. */
#define CHECK(cond, ...) tap_result((cond), __VA_ARGS__)

/* The call has to return 0; @err (negative errno) is printed otherwise. */
#define CHECK_OK(call, ...) ({ int err_ = (call); errno = -err_; tap_result(err_ == 0, __VA_ARGS__); })

/* The call has to fail with exactly this errno. */
#define CHECK_ERR(want, call, ...) ({					\
	int err_ = (call);						\
	errno = -err_;							\
	tap_result(err_ == -(want), __VA_ARGS__);			\
})

#define NEED_OK(call, ...) ({						\
	int err_ = (call);						\
	errno = -err_;							\
	if (err_)							\
		tap_bail(__VA_ARGS__);					\
})

#endif
