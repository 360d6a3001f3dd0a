// SPDX-License-Identifier: MIT
#include "ncx_build.h"
#include "suite.h"

static uint8_t image[NB_SIZE];

static accel_graph_file *file_of(struct ncx_build *b)
{
	accel_graph_file *f = NULL;

	OK(accel_graph_file_open_memory(image, nb_write(b, image), &f));
	return f;
}

static accel_graph *load(accel_context *ctx, struct ncx_build *b,
			 const struct accel_graph_options *opt)
{
	accel_graph_file *f = file_of(b);
	accel_graph *g = NULL;

	OK(accel_graph_load(ctx, f, opt, &g));
	accel_graph_file_close(f);
	return g;
}

static void runs(void)
{
	accel_device *dev = open_dev("sim");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM);
	accel_queue *q = new_queue(ctx, 8);
	ACCEL_INIT(struct accel_launch_report, report);
	ACCEL_INIT(struct accel_tensor_info, t);
	struct accel_completion c[2];
	accel_launch *l[3];
	struct ncx_build b;
	accel_graph *g;

	nb_init(&b);
	g = load(ctx, &b, NULL);
	OK(accel_graph_input(g, 0, &t));
	CU_ASSERT_STRING_EQUAL(t.name, "x");
	OK(accel_graph_output(g, 0, &t));
	CU_ASSERT_STRING_EQUAL(t.name, "y");
	RET(-EINVAL, accel_graph_input(g, 1, &t));

	OK(accel_launch_get(g, &l[0]));
	OK(accel_launch_get(g, &l[1]));
	RET(-EAGAIN, accel_launch_get(g, &l[2]));
	SAYS("instance");
	RET(-ENODATA, accel_launch_report(l[0], &report));
	/* Both in flight at once, each with memory of its own. */
	for (int i = 0; i < 2; i++) {
		float *x = accel_launch_input(l[i], 0);

		CU_ASSERT_FATAL(x != NULL);
		for (int k = 0; k < NB_FLOATS; k++)
			x[k] = (float)(k + 1000 * i);
		OK(accel_launch_prepare(l[i], q, i));
	}
	CU_ASSERT(accel_launch_input(l[0], 1) == NULL);
	CU_ASSERT(accel_launch_output(l[0], 1) == NULL);
	RET(2, accel_queue_submit(q));
	take(q, c, 2);
	for (int i = 0; i < 2; i++) {
		const float *y = accel_launch_output(l[i], 0);
		bool same = true;

		CU_ASSERT(c[i].cookie == (uint64_t)i && !c[i].error && c[i].core != ~0u);
		for (int k = 0; k < NB_FLOATS; k++)
			same &= y[k] == (float)(k + 1000 * i);
		CU_ASSERT(same);
	}
	OK(accel_launch_report(l[1], &report));
	CU_ASSERT(report.instructions[4] == NB_INSTS && report.fault_rule == 0);
	CU_ASSERT(report.ticks > 0 && report.dma_bytes == 2 * 4 * NB_FLOATS);
	CU_ASSERT(report.tick_hz == 4000000000ull && report.end_ns > report.start_ns);
	accel_launch_put(l[1]);
	accel_launch_put(l[1]);
	OK(accel_launch_get(g, &l[1]));
	RET(-EAGAIN, accel_launch_get(g, &l[2]));

	/* The same launch takes the same time. */
	uint64_t ticks = report.ticks;

	for (int i = 0; i < 5; i++) {
		OK(accel_launch_run(l[0], q, LONG_NS, &c[0]));
		OK(accel_launch_report(l[0], &report));
		CU_ASSERT_EQUAL(report.ticks, ticks);
	}
	RET(-EINVAL, accel_launch_set_scalar(l[0], 0, 1));
	OK(accel_graph_unload(g));
	OK(accel_graph_unload(NULL));
	OK(accel_context_destroy(ctx));
	OK(accel_device_close(dev));
}

static void faults_say_where(void)
{
	accel_device *dev = open_dev("sim");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM);
	accel_queue *q = new_queue(ctx, 8);
	ACCEL_INIT(struct accel_launch_report, report);
	struct accel_completion c;
	struct ncx_build b;
	accel_launch *l;
	int r;

	nb_init(&b);
	/* One float past the end of the output. */
	b.text[1].dma.dst.offset = 4;
	OK(accel_launch_get(load(ctx, &b, NULL), &l));
	r = accel_launch_run(l, q, LONG_NS, &c);
	CU_ASSERT(r == -EIO && c.error == r);
	CU_ASSERT_EQUAL(c.status, NCA_CQE_FAULT);
	SAYS("sync engine, instruction 1");
	OK(accel_launch_report(l, &report));
	CU_ASSERT(report.fault_rule != NCA_RULE_NONE);
	CU_ASSERT(report.fault_engine == NCA_ENGINE_SYNC && report.fault_pc == 1);
	RET(-EIO, accel_launch_run(l, q, LONG_NS, &c));
	OK(accel_context_destroy(ctx));

	/* The weights cannot be written. */
	ctx = new_context(dev, ACCEL_MEDIUM);
	q = new_queue(ctx, 8);
	nb_init(&b);
	b.text[1].dma.dst.slot = 0;
	OK(accel_launch_get(load(ctx, &b, NULL), &l));
	RET(-EIO, accel_launch_run(l, q, LONG_NS, &c));
	OK(accel_context_destroy(ctx));
	OK(accel_device_close(dev));
}

/* Weights are shared by the instances and come from the file. */
static void weights_arrive(void)
{
	accel_device *dev = open_dev("sim");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM);
	accel_queue *q = new_queue(ctx, 8);
	struct ncx_build b;
	accel_launch *l;
	const uint8_t *y;

	nb_init(&b);
	b.text[0].dma.src.slot = 0;
	OK(accel_launch_get(load(ctx, &b, NULL), &l));
	OK(accel_launch_run(l, q, LONG_NS, NULL));
	y = accel_launch_output(l, 0);
	CU_ASSERT(y[0] == 7 && y[4 * NB_FLOATS - 1] == 7);
	OK(accel_context_destroy(ctx));
	OK(accel_device_close(dev));
}

static void timed_only(void)
{
	accel_device *dev = open_dev("sim");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM);
	accel_queue *q = new_queue(ctx, 8);
	ACCEL_INIT(struct accel_graph_options, opt);
	ACCEL_INIT(struct accel_launch_report, report);
	struct ncx_build b;
	accel_launch *l;

	nb_init(&b);
	opt.timed_only = 1;
	opt.instances = 1;
	opt.entry = "main";
	OK(accel_launch_get(load(ctx, &b, &opt), &l));
	memset(accel_launch_input(l, 0), 1, 4 * NB_FLOATS);
	OK(accel_launch_run(l, q, LONG_NS, NULL));
	CU_ASSERT(((const uint8_t *)accel_launch_output(l, 0))[0] == 0);
	OK(accel_launch_report(l, &report));
	CU_ASSERT(report.ticks > 0);
	OK(accel_context_destroy(ctx));
	OK(accel_device_close(dev));
}

static void refuses(void)
{
	accel_device *dev = open_dev("sim:nca1");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM), *other = new_context(dev, ACCEL_MEDIUM);
	ACCEL_INIT(struct accel_graph_options, opt);
	ACCEL_INIT(struct accel_context_info, info);
	accel_queue *q = new_queue(other, 8);
	accel_graph *g = NULL;
	accel_graph_file *f;
	struct ncx_build b;
	accel_launch *l;

	nb_init(&b);
	b.note.n.target = NCA_TARGET_NCA2;
	f = file_of(&b);
	RET(-ENOEXEC, accel_graph_load(ctx, f, NULL, &g));
	SAYS("compiled for nca2 and the device is nca1");
	accel_graph_file_close(f);

	nb_init(&b);
	b.meta.entry[0].scratch_size = 600 << 20;
	f = file_of(&b);
	/* One instance fits a GiB, two do not; what was taken comes back. */
	RET(-ENOSPC, accel_graph_load(ctx, f, NULL, &g));
	SAYS("device memory");
	OK(accel_context_info(ctx, &info));
	CU_ASSERT(info.memory_used == 0);
	opt.instances = 1;
	opt.entry = "nothing";
	RET(-EINVAL, accel_graph_load(ctx, f, &opt, &g));
	SAYS("\"main\"");
	opt.entry = NULL;
	OK(accel_graph_load(ctx, f, &opt, &g));
	accel_graph_file_close(f);
	OK(accel_launch_get(g, &l));
	RET(-EINVAL, accel_launch_submit(l, q, 1));
	SAYS("another context");
	OK(accel_context_destroy(ctx));
	OK(accel_context_destroy(other));
	OK(accel_device_close(dev));
}

static void scalars(void)
{
	accel_device *dev = open_dev("sim");
	accel_context *ctx = new_context(dev, ACCEL_MEDIUM);
	accel_queue *q = new_queue(ctx, 8);
	struct ncx_build b;
	accel_launch *l;
	float *x;

	nb_init(&b);
	/* Scalar 1 is the byte offset of the float that is copied to the start of the output. */
	b.meta.entry[0].scalars = 2;
	b.text[2] = b.text[1];
	b.text[1] = b.text[0];
	memset(&b.text[0], 0, sizeof(b.text[0]));
	b.text[0].opcode = NCA_OP_LOADARG;
	b.text[0].ctl.dst = 3;
	b.text[0].ctl.imm = 1;
	b.text[1].dma.src.reg = 4;
	b.text[1].dma.size[3] = 1;
	b.text[2].dma.size[3] = 1;
	OK(accel_launch_get(load(ctx, &b, NULL), &l));
	x = accel_launch_input(l, 0);
	for (int i = 0; i < NB_FLOATS; i++)
		x[i] = (float)i;
	for (uint32_t i = 0; i < 4; i++) {
		OK(accel_launch_set_scalar(l, 1, 4 * 50 * i));
		OK(accel_launch_run(l, q, LONG_NS, NULL));
		CU_ASSERT_EQUAL(*(const float *)accel_launch_output(l, 0), (float)(50 * i));
	}
	RET(-EINVAL, accel_launch_set_scalar(l, 2, 0));
	OK(accel_context_destroy(ctx));
	OK(accel_device_close(dev));
}

void suite_graph(void)
{
	CU_pSuite s = add_suite("graph");

	add_test(s, "runs", runs);
	add_test(s, "faults say where", faults_say_where);
	add_test(s, "weights arrive", weights_arrive);
	add_test(s, "timed only", timed_only);
	add_test(s, "refuses", refuses);
	add_test(s, "scalars", scalars);
}
