// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include <nca/queue.h>

#include "selftest.h"
#include "synth_program.h"

#define K CTL_MATMUL_K
#define M CTL_MATMUL_M
#define N CTL_MATMUL_N

static float noise(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return (float)(int32_t)*x / 1073741824.0f;
}

static enum ctl_exit compare(struct ctl_selftest_env *env, const float *got, const float *want)
{
	for (int i = 0; i < M * N; i++) {
		if (memcmp(&got[i], &want[i], sizeof(*got))) {
			DETAIL(env, "element %d is %.9g instead of %.9g", i, got[i], want[i]);
			return CTL_MISMATCH;
		}
	}
	return CTL_OK;
}

static enum ctl_exit matmul(struct ctl_selftest_env *env, accel_launch *l, const float *weights)
{
	static float x[K * N], want[M * N];
	uint32_t seed = 88172645;
	struct accel_completion c;
	uint64_t first_ns = 0;
	enum ctl_exit ret;

	for (int round = 0; round < 4; round++) {
		int err;

		for (int i = 0; i < K * N; i++)
			x[i] = noise(&seed);
		memcpy(accel_launch_input(l, 0), x, sizeof(x));
		err = accel_launch_run(l, env->s->queue, CTL_TIMEOUT_NS, &c);
		if (err)
			return selftest_call_failed(env, err, "the launch failed");
		ctl_synth_matmul_reference(weights, x, want);
		ret = compare(env, accel_launch_output(l, 0), want);
		if (ret)
			return ret;
		if (!round)
			first_ns = c.end_ns - c.start_ns;
	}
	DETAIL(env, "4 matmuls [%d,%d]x[%d,%d] right in every bit, %llu ns each", M, K, K, N,
	       (unsigned long long)first_ns);
	return CTL_OK;
}

enum ctl_exit selftest_launch(struct ctl_selftest_env *env)
{
	static float weights[K * M];
	uint32_t seed = 2463534242u;
	accel_graph_file *file;
	accel_graph *g;
	accel_launch *l;
	enum ctl_exit ret;
	int err;

	for (int i = 0; i < K * M; i++)
		weights[i] = noise(&seed);
	ret = ctl_synth_matmul(env->s->info.target, weights, &file);
	if (ret) {
		DETAIL(env, "the test program was refused");
		return ret;
	}
	err = accel_graph_load(env->s->ctx, file, NULL, &g);
	accel_graph_file_close(file);
	if (err)
		return selftest_call_failed(env, err, "cannot load the test program");
	err = accel_launch_get(g, &l);
	if (err) {
		ret = selftest_call_failed(env, err, "cannot get a launch");
	} else {
		ret = matmul(env, l, weights);
		accel_launch_put(l);
	}
	accel_graph_unload(g);
	return ret;
}

/* A second context that is meant to be lost, on the same device. */
static enum ctl_exit open_victim(struct ctl_selftest_env *env, struct ctl_session *v)
{
	ACCEL_INIT(struct accel_queue_options, qo);
	int err;

	memset(v, 0, sizeof(*v));
	v->info = env->s->info;
	err = accel_context_create(env->s->dev, NULL, &v->ctx);
	if (err)
		return selftest_call_failed(env, err, "cannot create a second context");
	qo.core = -1;
	err = accel_queue_create(v->ctx, &qo, &v->queue);
	return err ? selftest_call_failed(env, err, "cannot create a queue") : CTL_OK;
}

/* dev stays NULL in a victim: it belongs to the first session. */
static void close_victim(struct ctl_session *v)
{
	ctl_session_close(v);
}

static enum ctl_exit must_be_lost(struct ctl_selftest_env *env, struct ctl_session *v)
{
	int err = accel_context_state(v->ctx);

	if (err == -EIO)
		return CTL_OK;
	DETAIL(env, "the faulting context says %d afterwards instead of lost (EIO)", err);
	return CTL_MISMATCH;
}

#define NOWHERE (0x7100000ull << 12)	/* nothing of a test's is mapped up here */

static enum ctl_exit fault_names(struct ctl_selftest_env *env, struct ctl_session *v, uint64_t va)
{
	ACCEL_INIT(struct accel_fault, f);
	int err = accel_context_fault(v->ctx, &f);

	if (err)
		return selftest_call_failed(env, err, "the fault was not recorded");
	if (f.status == NCA_CQE_BAD_ADDRESS && f.address == va)
		return CTL_OK;
	DETAIL(env, "the fault record says status %u, address %#llx instead of %#llx", f.status,
	       (unsigned long long)f.address, (unsigned long long)va);
	return CTL_MISMATCH;
}

static enum ctl_exit wild_fill(struct ctl_selftest_env *env, struct ctl_session *v)
{
	struct accel_completion c[3];
	int got = 0, n;
	enum ctl_exit ret;

	/* A good command, one that writes where nothing is mapped, one that gets no turn. */
	n = accel_queue_nop(v->queue, 1);
	if (!n)
		n = accel_queue_fill(v->queue, 2, NOWHERE, 0, 4096);
	if (!n)
		n = accel_queue_nop(v->queue, 3);
	if (!n)
		n = accel_queue_submit(v->queue);
	while (n >= 0 && got < 3) {
		n = accel_queue_wait(v->queue, c + got, (unsigned int)(3 - got), CTL_TIMEOUT_NS);
		got += n > 0 ? n : 0;
	}
	if (got < 3)
		return selftest_call_failed(env, n, "not every command of the lost context was reported");
	if (c[0].status != NCA_CQE_OK || c[1].status != NCA_CQE_BAD_ADDRESS ||
	    c[2].status != NCA_CQE_CTX_LOST || c[0].cookie != 1 || c[1].cookie != 2 ||
	    c[2].cookie != 3) {
		DETAIL(env, "statuses %u, %u, %u instead of %u, %u, %u", c[0].status, c[1].status,
		       c[2].status, NCA_CQE_OK, NCA_CQE_BAD_ADDRESS, NCA_CQE_CTX_LOST);
		return CTL_MISMATCH;
	}
	ret = must_be_lost(env, v);
	if (!ret)
		ret = fault_names(env, v, NOWHERE);
	if (!ret)
		ret = selftest_alive(env);
	if (!ret)
		DETAIL(env, "reported in order, the other context is fine");
	return ret;
}

enum ctl_exit selftest_bad_address(struct ctl_selftest_env *env)
{
	struct ctl_session v;
	enum ctl_exit ret = open_victim(env, &v);

	if (!ret)
		ret = wild_fill(env, &v);
	close_victim(&v);
	return ret;
}

static enum ctl_exit wild_program(struct ctl_selftest_env *env, struct ctl_session *v,
				  accel_launch *l)
{
	ACCEL_INIT(struct accel_launch_report, rep);
	struct accel_completion c = { 0 };
	enum ctl_exit ret;
	int err = accel_launch_run(l, v->queue, CTL_TIMEOUT_NS, &c);

	if (!err) {
		DETAIL(env, "a program that reads past its input ran without a fault");
		return CTL_MISMATCH;
	}
	if (c.status != NCA_CQE_FAULT && c.status != NCA_CQE_BAD_PROGRAM &&
	    c.status != NCA_CQE_BAD_ADDRESS)
		return selftest_call_failed(env, err, "the bad program gave no fault");
	err = accel_launch_report(l, &rep);
	if (err)
		return selftest_call_failed(env, err, "the fault left no report");
	if (!rep.fault_rule) {
		DETAIL(env, "the report names no rule, only status %u", c.status);
		return CTL_MISMATCH;
	}
	ret = must_be_lost(env, v);
	if (!ret)
		ret = selftest_alive(env);
	if (!ret)
		DETAIL(env, "%s at %s %u, the other context is fine",
		       accel_fault_rule_name(rep.fault_rule), accel_engine_name(rep.fault_engine),
		       rep.fault_pc);
	return ret;
}

static enum ctl_exit load_bad(struct ctl_selftest_env *env, struct ctl_session *v)
{
	accel_graph_file *file;
	accel_graph *g;
	accel_launch *l;
	enum ctl_exit ret = ctl_synth_fault(env->s->info.target, &file);
	int err;

	if (ret) {
		DETAIL(env, "the test program was refused");
		return ret;
	}
	err = accel_graph_load(v->ctx, file, NULL, &g);
	accel_graph_file_close(file);
	if (err)
		return selftest_call_failed(env, err, "cannot load the test program");
	err = accel_launch_get(g, &l);
	if (err) {
		ret = selftest_call_failed(env, err, "cannot get a launch");
	} else {
		ret = wild_program(env, v, l);
		accel_launch_put(l);
	}
	accel_graph_unload(g);
	return ret;
}

enum ctl_exit selftest_bad_program(struct ctl_selftest_env *env)
{
	struct ctl_session v;
	enum ctl_exit ret = open_victim(env, &v);

	if (!ret)
		ret = load_bad(env, &v);
	close_victim(&v);
	return ret;
}
