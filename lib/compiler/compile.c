// SPDX-License-Identifier: MIT
/* The entry points: everything a compilation needs, in order. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend.h"
#include "lower.h"
#include "mir_time.h"
#include "ncx_write.h"
#include "onnx_read.h"
#include "pass.h"
#include "report.h"

/* The scheduler adds waits of its own. */
#define MAX_INSTS (NCA_PROGRAM_MAX_INST - NCA_PROGRAM_MAX_INST / 8)

struct job {
	const void *model;
	size_t size;
	bool mapped;
	bool single;	/* one image of the batch after the other */
	bool may_split;	/* image by image would be something else */
	bool unfit;	/* the tensors did not fit into SBUF */
	struct accelcc_options options;
	const struct nca_target *target;
	struct lower *lowered;
	struct mir_program *program;
	struct accelcc_report *report;
};

/* Addresses for everything, with as much loaded ahead as there is room for. */
static bool assign_addresses(struct mir *m, int64_t *culprit)
{
	static const struct {
		unsigned int percent;
		enum mir_slack slack;
	} tries[] = { { 97, MIR_EARLY }, { 93, MIR_EARLY }, { 88, MIR_EARLY }, { 80, MIR_EARLY },
		      { 70, MIR_EARLY }, { 55, MIR_EARLY }, { 93, MIR_BLOCK }, { 85, MIR_BLOCK },
		      { 70, MIR_BLOCK }, { 50, MIR_BLOCK }, { 30, MIR_BLOCK }, { 0, MIR_BLOCK },
		      { 50, MIR_EXACT }, { 0, MIR_EXACT } };

	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		mir_prefetch(m, (uint64_t)m->target->sbuf_bytes * tries[i].percent / 100,
			     tries[i].slack);
		if (mir_allocate(m, MIR_LARGEST_FIRST, culprit) || mir_allocate(m, MIR_LASTING_FIRST, culprit))
			return true;
	}
	return false;
}

static bool is_fit(struct cc *cc, struct job *job, struct ir_graph *g, const struct lower_options *options,
		   int64_t *culprit)
{
	cc_enter(cc);
	job->lowered = lower_graph(g, options);
	if (assign_addresses(job->lowered->m, culprit)) {
		cc_leave(cc, true);
		lower_discard_constants(job->lowered);
		return true;
	}
	return false;
}

/*
 * The more of SBUF whole tensors may take, the fewer transfers; but what else needs room there is
 * only known afterwards, so try again with less until it fits. Tensors that go to device memory between
 * operators are the last resort: where images can be had one after the other, that comes first.
 */
static void lower_to_fit(struct cc *cc, struct job *job, struct ir_graph *g)
{
	static const struct {
		int percent;
		bool parks;
	} tries[] = { { 85, false }, { 70, false }, { 55, false }, { 40, false }, { 25, false },
		      { 85, true }, { 55, true }, { 40, true }, { 25, true }, { 10, true } };
	struct lower_options options = { .target = job->target,
					 .bf16 = job->options.precision == ACCELCC_BF16,
					 .max_insts = MAX_INSTS,
					 .no_fuse = job->options.no_fuse };
	const struct lower_plan *plan[sizeof(tries) / sizeof(tries[0])], *last = NULL;
	size_t num = 0;
	int64_t culprit = 0;
	uint64_t needed;

	if (job->options.max_instructions && job->options.max_instructions < MAX_INSTS)
		options.max_insts = job->options.max_instructions;
	for (; num < sizeof(tries) / sizeof(tries[0]) && !(tries[num].parks && job->may_split); num++)
		plan[num] = lower_plan(g, &options, tries[num].percent, tries[num].parks);
	for (size_t i = 0; i < num; i++) {
		if (last && lower_plans_equal(g, last, plan[i]))
			continue;
		if (last)
			cc_leave(cc, false);
		options.plan = plan[i];
		if (is_fit(cc, job, g, &options, &culprit))
			return;
		last = plan[i];
	}
	job->unfit = true;
	needed = (mir_sbuf_needed(job->lowered->m) + 1023) >> 10;
	cc_fail(cc, ACCELCC_BAD_INPUT,
		"the tensors at node '%.200s' do not fit into SBUF even in bands of rows: the program "
		"needs %llu KiB per partition, and %s has %u KiB; use narrower images, --precision "
		"bf16, or another --target",
		job->lowered->op_names[job->lowered->m->inst[culprit].in.op_id],
		(unsigned long long)needed, job->target->name, job->target->sbuf_bytes >> 10);
}

/* @more: bytes besides inputs and outputs. Refused before a program for such tensors is even made. */
static void check_device_memory(struct cc *cc, const struct ir_graph *g,
				const struct nca_target *target, uint64_t more)
{
	uint64_t total = more;

	for (size_t i = 0; i < g->num_inputs + g->num_outputs; i++) {
		const struct ir_value *v = i < g->num_inputs ? g->inputs[i] :
							       g->outputs[i - g->num_inputs];
		uint64_t bytes = (uint64_t)ir_type_elements(&v->type) *
				 (uint64_t)ir_dtype_size(v->type.dtype);

		if (__builtin_add_overflow(total, bytes, &total))
			total = UINT64_MAX;
	}
	if (total > target->devmem_bytes)
		cc_fail(cc, ACCELCC_BAD_INPUT,
			"inputs%s of the model need %.1f GiB, and all of %s's memory is "
			"%.1f GiB; use a smaller batch, --precision bf16, or another --target",
			more ? ", outputs, weights and intermediate results" : " and outputs",
			(double)total / 0x1p30, target->name, (double)target->devmem_bytes / 0x1p30);
}

/* How long a launch takes that has one core to itself, and why. */
static void estimate(struct cc *cc, struct job *job)
{
	struct mir_share share = mir_whole_core(job->target);
	struct mir_program *p = job->program;
	struct mir_timing *timing = mir_time(cc, p, job->target, &share, job->options.report);

	p->est_ticks = timing->ticks;
	p->dma_bytes = timing->dma_bytes;
	for (int e = 0; e < NCA_ENGINES; e++)
		if (p->stream[e].num)
			p->stream[e].cycles = timing->busy[e] / job->target->engine_ticks[e];
	if (job->options.report)
		job->report = report_make(cc, job->target, &share, p, timing,
					  job->lowered->op_names, job->lowered->num_op_names);
}

static void compile(struct cc *cc, void *arg)
{
	struct job *job = arg;
	struct ir_graph *g = frontend(cc, job->model, job->size, job->mapped,
				      &job->options);

	if (!job->options.no_fuse) {
		job->may_split = lower_split_batch(g, job->target, job->options.precision == ACCELCC_BF16 ? 2 : 4,
						   job->single);
		ir_verify(g, "split-batch");
	}
	check_device_memory(cc, g, job->target, 0);
	lower_to_fit(cc, job, g);
	check_device_memory(cc, g, job->target,
			    job->lowered->weights_size + job->lowered->m->scratch_size);
	job->program = mir_schedule(job->lowered->m);
	for (int e = 0; e < NCA_ENGINES; e++)
		if (job->program->stream[e].num > NCA_PROGRAM_MAX_INST)
			cc_fail(cc, ACCELCC_BAD_INPUT,
				"the program has %zu instructions in one stream, more than "
				"the %u of the device",
				job->program->stream[e].num, NCA_PROGRAM_MAX_INST);
	estimate(cc, job);
	if (job->options.print_program)
		mir_print_program(job->program, job->options.print_program);
}

static void fill_stats(const struct job *job, struct accelcc_stats *s)
{
	static const char *const names[NCA_ENGINES] = { "tensor", "vector", "scalar", "gpsimd",
							"sync" };
	const struct mir_program *p = job->program;
	const struct nca_target *t = job->target;

	s->num_engines = NCA_ENGINES;
	for (int e = 0; e < NCA_ENGINES; e++) {
		strcpy(s->engine[e].name, names[e]);
		s->engine[e].instructions = p->stream[e].num;
		s->engine[e].cycles = p->stream[e].cycles;
		s->engine[e].waits = p->stream[e].waits;
	}
	s->estimated_cycles = p->est_ticks / t->engine_ticks[NCA_ENGINE_TENSOR];
	s->estimated_ns = nca_ticks_to_ns(t, p->est_ticks);
	s->macs = job->lowered->m->macs;
	s->weight_bytes = job->lowered->weights_size;
	s->scratch_bytes = job->lowered->m->scratch_size;
	s->dma_bytes = p->dma_bytes;
	s->sbuf_bytes = job->lowered->m->sbuf_used;
	s->psum_banks = job->lowered->m->psum_banks;
	s->semaphores = p->semaphores;
}

static enum accelcc_status usage(struct accelcc_result *r, const char *fmt, const char *what)
{
	r->status = ACCELCC_USAGE;
	snprintf(r->message, sizeof(r->message), fmt, what);
	return r->status;
}

static bool known_pass(const char *name)
{
	for (const char *const *p = pass_names(); *p; p++)
		if (!strcmp(*p, name))
			return true;
	return false;
}

/* Names from the model may hold anything; a message is one printable line. */
static void make_printable(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

/* The report outlives the compilation's memory. */
static void take_report(const struct job *job, struct accelcc_result *r)
{
	r->report = report_copy(job->report);
	if (!r->report) {
		accelcc_result_free(r);
		r->status = ACCELCC_FAILED;
		snprintf(r->message, sizeof(r->message), "out of memory for the report");
		return;
	}
	for (size_t i = 0; i < r->report->num_ops; i++) {
		make_printable(r->report->op[i].name);
		make_printable(r->report->op[i].reason);
	}
	for (size_t i = 0; i < r->report->num_stalls; i++)
		make_printable(r->report->stall[i].text);
}

static enum accelcc_status compile_bytes(const void *model, size_t size, bool mapped,
					 const struct accelcc_options *options,
					 struct accelcc_result *r)
{
	struct job job = { .model = model, .size = size, .mapped = mapped };
	struct cc cc;

	memset(r, 0, sizeof(*r));
	if (options)
		memcpy(&job.options, options, options->size < sizeof(job.options) ? options->size :
						sizeof(job.options));
	if (!job.options.target)
		job.options.target = nca_targets[0].name;
	job.target = nca_target_by_name(job.options.target);
	if (!job.target)
		return usage(r, "there is no target '%.60s'; nca1 and nca2 are known",
			     job.options.target);
	if (job.options.print_after && !known_pass(job.options.print_after))
		return usage(r, "there is no pass '%.60s'; accelcc --help lists them",
			     job.options.print_after);

	cc_init(&cc, frontend_budget(size));
	r->status = cc_run(&cc, compile, &job);
	if (job.unfit && job.may_split) {
		/* Slower, as weights come once for every image, but each needs less room. */
		cc_destroy(&cc);
		cc_init(&cc, frontend_budget(size));
		job.single = true;
		r->status = cc_run(&cc, compile, &job);
	}
	memcpy(r->message, cc.message, sizeof(r->message));
	if (r->status == ACCELCC_OK) {
		snprintf(r->target, sizeof(r->target), "%s", job.target->name);
		snprintf(r->model, sizeof(r->model), "%s", job.lowered->g->name);
		make_printable(r->model);
		fill_stats(&job, &r->stats);
		if (!ncx_write(job.lowered, job.program, &r->ncx, &r->ncx_size, r->message,
			       sizeof(r->message)))
			r->status = ACCELCC_FAILED;
	}
	if (r->status == ACCELCC_OK && job.report)
		take_report(&job, r);
	make_printable(r->message);
	cc_destroy(&cc);
	return r->status;
}

enum accelcc_status accelcc_compile(const void *model, size_t size,
				    const struct accelcc_options *options, struct accelcc_result *r)
{
	return compile_bytes(model, size, false, options, r);
}

static enum accelcc_status bad_file(struct accelcc_result *r, const char *path, const char *why)
{
	memset(r, 0, sizeof(*r));
	r->status = ACCELCC_BAD_INPUT;
	snprintf(r->message, sizeof(r->message), "%.400s: %s", path, why);
	make_printable(r->message);
	return r->status;
}

enum accelcc_status accelcc_compile_file(const char *path, const struct accelcc_options *options,
					 struct accelcc_result *r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum accelcc_status status;
	struct stat st;
	void *data;

	if (fd < 0)
		return bad_file(r, path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0) {
		close(fd);
		return bad_file(r, path, "not a file with something in it; give an ONNX model");
	}
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (data == MAP_FAILED)
		return bad_file(r, path, strerror(errno));
	status = compile_bytes(data, (size_t)st.st_size, true, options, r);
	munmap(data, (size_t)st.st_size);
	return status;
}

void accelcc_result_free(struct accelcc_result *r)
{
	if (r->ncx)
		munmap(r->ncx, r->ncx_size);
	r->ncx = NULL;
	free(r->report);
	r->report = NULL;
}

const char *const *accelcc_pass_names(void)
{
	return pass_names();
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

size_t accelcc_operator_names(const char **names, size_t max)
{
	size_t num = onnx_operator_names(names, max);

	qsort(names, num < max ? num : max, sizeof(*names), by_name);
	return num;
}
