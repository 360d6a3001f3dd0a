// SPDX-License-Identifier: MIT
#include <string.h>

#include "command.h"
#include "printer.h"
#include "selftest.h"

static const char *device;
static bool json;

static const struct ctl_option options[] = {
	CTL_OPTION_DEVICE(device),
	CTL_OPTION_JSON(json),
	CTL_END_OPTIONS
};

static const struct {
	const char *name;
	enum ctl_exit (*run)(struct ctl_selftest_env *env);
} tests[] = {
	{ "queue-order", selftest_queue_order },
	{ "queue-sleep", selftest_queue_sleep },
	{ "queue-eventfd", selftest_queue_eventfd },
	{ "timestamp", selftest_timestamp },
	{ "semaphore", selftest_semaphore },
	{ "fill", selftest_fill },
	{ "copy", selftest_copy },
	{ "launch", selftest_launch },
	{ "bad-address", selftest_bad_address },
	{ "bad-program", selftest_bad_program },
};

#define TESTS (sizeof(tests) / sizeof(tests[0]))

enum ctl_exit selftest_call_failed(struct ctl_selftest_env *env, int err, const char *what)
{
	DETAIL(env, "%s: %s", what, accel_last_error());
	return ctl_exit_of(err) == CTL_OK ? CTL_FAILED : ctl_exit_of(err);
}

enum ctl_exit selftest_one(struct ctl_selftest_env *env, accel_queue *q, const char *what,
			   struct accel_completion *c)
{
	int n = accel_queue_submit(q);

	if (n >= 0)
		n = accel_queue_wait(q, c, 1, CTL_TIMEOUT_NS);
	return n < 0 ? selftest_call_failed(env, n, what) : CTL_OK;
}

enum ctl_exit selftest_alive(struct ctl_selftest_env *env)
{
	struct accel_completion c;
	enum ctl_exit ret;
	int err = accel_queue_nop(env->s->queue, 4711);

	if (err)
		return selftest_call_failed(env, err, "the other context was disturbed");
	ret = selftest_one(env, env->s->queue, "the other context was disturbed", &c);
	if (!ret && (c.error || c.cookie != 4711)) {
		DETAIL(env, "the other context was disturbed: status %u", c.status);
		ret = CTL_MISMATCH;
	}
	return ret;
}

static enum ctl_exit run_tests(struct ctl_session *s)
{
	struct ctl_selftest_case result[TESTS] = { 0 };
	struct ctl_selftest r = { .test = result };
	enum ctl_exit first = CTL_OK;

	memcpy(r.device, s->info.name, sizeof(r.device));
	memcpy(r.target, s->info.target, sizeof(s->info.target));
	for (; r.count < TESTS; r.count++) {
		struct ctl_selftest_case *t = &result[r.count];
		struct ctl_selftest_env env = {
			.s = s, .detail = t->detail, .detail_len = sizeof(t->detail),
		};
		uint64_t start = ctl_now_ns();
		enum ctl_exit ret = tests[r.count].run(&env);

		t->name = tests[r.count].name;
		t->passed = ret == CTL_OK;
		t->seconds = (double)(ctl_now_ns() - start) / 1e9;
		r.passed += t->passed;
		if (!first)
			first = ret;
	}
	ctl_printer(json)->selftest(&r);
	if (first)
		return ctl_error(first, "%zu of %zu tests failed on %s; the table says where",
				 r.count - r.passed, r.count, s->info.name);
	return CTL_OK;
}

static enum ctl_exit run(const struct ctl_command *cmd, const char **args, int nargs)
{
	struct ctl_session s;
	enum ctl_exit ret = ctl_session_open(&s, device);

	(void)cmd;
	(void)args;
	(void)nargs;
	if (!ret)
		ret = ctl_session_context(&s, 0);
	if (!ret)
		ret = ctl_session_queue(&s, SELFTEST_DEPTH);
	if (!ret)
		ret = run_tests(&s);
	ctl_session_close(&s);
	return ret;
}

const struct ctl_command ctl_cmd_selftest = {
	.name = "selftest",
	.summary = "check that a device does what it should",
	.description =
		"Runs queue, memory, semaphore and launch tests and checks that a bad address and a bad program\n"
		"are reported and disturb nobody else. Takes two medium contexts; other tenants may be working.",
	.options = options,
	.run = run,
};
