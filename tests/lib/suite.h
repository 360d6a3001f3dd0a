/* SPDX-License-Identifier: MIT */
/*
 * Shared by the tests of libaccel. They use the embedded device, and with
 * ACCEL_TEST_DEVICE=accel0 in the environment that one, where it makes sense.
 */
#ifndef TESTS_LIB_SUITE_H
#define TESTS_LIB_SUITE_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include <nca/queue.h>

#include "accel.h"

/* Far beyond what a slow machine under a sanitizer needs; reached only by a hang. */
#define LONG_NS	120000000000ull

/* A call that must return @want; prints what the library says when it does not. */
#define RET(want, call) do { CU_ASSERT_FATAL(check_ret(#call, (call), (want))); } while (0)
#define OK(call) RET(0, call)
/* The sentence about the last failure contains @text. */
#define SAYS(text) do { CU_ASSERT(check_says(text)); } while (0)

bool check_ret(const char *what, int got, int want);
bool check_says(const char *text);

/* The embedded device "sim...", or what ACCEL_TEST_DEVICE names. */
accel_device *open_dev(const char *name);
/* ... always the embedded one. */
accel_device *open_sim(const char *name);
const char *test_device(const char *name);
bool on_sim(void);
accel_context *new_context(accel_device *dev, enum accel_size size);
accel_queue *new_queue(accel_context *ctx, uint32_t depth);
accel_buffer *new_buffer(accel_context *ctx, uint64_t size, enum accel_memory where);
/* Take exactly @n completions, waiting for them. */
void take(accel_queue *q, struct accel_completion *out, unsigned int n);

void suite_buffer(void);
void suite_device(void);
void suite_fork(void);
void suite_graph(void);
void suite_header(void);
void suite_lost(void);
void suite_ncx(void);
void suite_queue(void);
void suite_ranges(void);
void suite_sick(void);
void suite_sizes(void);
void suite_threads(void);
void suite_wait(void);

CU_pSuite add_suite(const char *name);
void add_test(CU_pSuite suite, const char *name, void (*fn)(void));

#endif
