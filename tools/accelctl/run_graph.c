// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include <nca/target.h>

#include "printer.h"
#include "run.h"
#include "trace_names.h"

const char *const ctl_mode_names[] = { "full", "timed", NULL };

enum ctl_exit ctl_graph_open(const char *path, accel_graph_file **file)
{
	int err = accel_graph_file_open(path, file);

	if (!err)
		return CTL_OK;
	if (err == -ENOMEM)
		return ctl_no_memory();
	/* Some of the library's sentences name the file already. */
	if (strstr(accel_last_error(), path))
		return ctl_error(CTL_BAD_INPUT, "%s", accel_last_error());
	return ctl_error(CTL_BAD_INPUT, "%s: %s", path, accel_last_error());
}

static enum ctl_exit find_entry(struct ctl_run_job *job)
{
	char names[1024] = "";
	size_t n = 0;
	unsigned int entries;

	job->info.size = sizeof(job->info);
	if (accel_graph_file_info(job->file, 0, &job->info))
		return ctl_error(CTL_BAD_INPUT, "the graph file has no entry point; compile it again");
	if (!job->opt->entry)
		return CTL_OK;
	entries = job->info.entries;
	for (unsigned int i = 0; i < entries; i++) {
		if (accel_graph_file_info(job->file, i, &job->info))
			break;
		if (!strcmp(job->info.entry, job->opt->entry)) {
			job->entry = i;
			return CTL_OK;
		}
		if (n < sizeof(names))
			n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", i ? ", " : "",
					      job->info.entry);
	}
	return ctl_error(CTL_USAGE, "the graph has no entry '%s'; it has %s", job->opt->entry, names);
}

void ctl_run_free(struct ctl_run_job *job)
{
	for (unsigned int i = 0; job->input && i < job->info.inputs; i++)
		ctl_tensor_free(&job->input[i].tensor);
	for (unsigned int i = 0; job->result && i < job->info.outputs; i++)
		free(job->result[i]);
	for (unsigned int i = 0; job->output && i < job->info.outputs; i++)
		free(job->output[i].file);
	free(job->input);
	free(job->result);
	free(job->output);
	ctl_samples_free(&job->wall);
	ctl_samples_free(&job->device);
	accel_graph_file_close(job->file);
}

static void write_inputs(struct ctl_run_job *job, accel_launch *l, uint64_t slice)
{
	for (unsigned int i = 0; i < job->info.inputs; i++) {
		const struct ctl_run_input *in = &job->input[i];
		const uint8_t *from = in->tensor.data;
		void *to = accel_launch_input(l, i);

		if (!in->given || !to)
			continue;
		if (in->batched)
			from += slice * in->info.bytes;
		memcpy(to, from, in->info.bytes);
	}
}

static enum ctl_exit launch_error(struct ctl_run_job *job, struct ctl_session *s,
				  struct ctl_run *r, int err)
{
	const struct accel_launch_report *rep = &r->report;

	r->status = "fault";
	if (!r->completion.error)
		r->completion.error = err;
	if (rep->fault_rule)
		return ctl_error(CTL_FAULT,
				 "launch %llu of %s faulted on core %u: %s (%s), %s engine, instruction %u, address %#llx; the graph breaks a rule of the device, compile it again",
				 (unsigned long long)r->launches, job->info.model, r->completion.core,
				 accel_status_name(r->completion.status),
				 accel_fault_rule_name(rep->fault_rule),
				 accel_engine_name(rep->fault_engine), rep->fault_pc,
				 (unsigned long long)rep->fault_address);
	if (r->completion.status)
		return ctl_completion_error(s->ctx, &r->completion, "the launch");
	return ctl_accel_error(err, "launch %llu failed", (unsigned long long)r->launches);
}

static enum ctl_exit run_slice(struct ctl_run_job *job, struct ctl_session *s, accel_launch *l,
			       struct ctl_run *r, uint64_t slice, uint64_t round)
{
	bool counted = round >= job->opt->warmup;
	uint64_t start;
	int err;

	write_inputs(job, l, slice);
	r->completion = (struct accel_completion){ 0 };
	start = ctl_now_ns();
	err = accel_launch_run(l, s->queue, job->opt->timeout_ns, &r->completion);
	start = ctl_now_ns() - start;
	r->report = (struct accel_launch_report){ .size = sizeof(r->report) };
	accel_launch_report(l, &r->report);
	if (err)
		return launch_error(job, s, r, err);
	if (counted && (!ctl_samples_add(&job->wall, start) ||
			!ctl_samples_add(&job->device,
					 r->completion.end_ns - r->completion.start_ns)))
		return ctl_no_memory();
	r->launches += counted;
	ctl_run_collect(job, l, slice, !round);
	return CTL_OK;
}

static enum ctl_exit run_all(struct ctl_run_job *job, struct ctl_session *s, struct ctl_run *r)
{
	ACCEL_INIT(struct accel_graph_options, go);
	accel_launch *l;
	accel_graph *g;
	enum ctl_exit ret = CTL_OK;
	int err;

	go.entry = job->info.entry;
	go.instances = 1;
	go.check = job->opt->check;
	go.timed_only = job->opt->mode == 1;
	err = accel_graph_load(s->ctx, job->file, &go, &g);
	/* Not the device is full, but this context. */
	if (err == -ENOSPC)
		return ctl_error(CTL_BUSY, "cannot load %s into a %s context: %.500s; use a larger --size",
				 r->graph, r->size, accel_last_error());
	if (err)
		return ctl_accel_error(err, "cannot load %s into a %s context", r->graph, r->size);
	err = accel_launch_get(g, &l);
	if (err) {
		ret = ctl_accel_error(err, "cannot get a launch of %s", r->graph);
	} else {
		for (uint64_t k = 0; !ret && k < job->opt->warmup + job->opt->repeat; k++)
			for (uint64_t i = 0; !ret && i < job->slices; i++)
				ret = run_slice(job, s, l, r, i, k);
		accel_launch_put(l);
	}
	accel_graph_unload(g);
	return ret;
}

static void set_cycles(const struct ctl_run_job *job, struct ctl_run *r)
{
	const struct nca_target *t = nca_target_by_name(r->target);

	if (!t)
		return;
	r->cycles = r->report.ticks / t->engine_ticks[NCA_ENGINE_TENSOR];
	r->estimated_cycles = nca_ns_to_ticks(t, job->info.est_ns) /
			      t->engine_ticks[NCA_ENGINE_TENSOR];
}

/* Exit code of a run whose launches all went well. */
static enum ctl_exit verdict(const struct ctl_run_job *job, struct ctl_run *r)
{
	enum ctl_exit ret = CTL_OK;

	if (job->changed)
		ret = ctl_error(CTL_MISMATCH, "%llu outputs of later repetitions differ from the first; results must repeat bit for bit, run 'accelctl selftest'",
				(unsigned long long)job->changed);
	for (unsigned int i = 0; i < job->info.outputs; i++) {
		const struct ctl_run_output *o = &job->output[i];
		double fraction = o->labels ? (double)o->correct / (double)o->labels : 0;

		if (o->mismatches)
			ret = ctl_error(CTL_MISMATCH, "output '%s' differs from what was expected in %llu of %llu elements, by up to %.9g; raise --tolerance if that is acceptable",
					o->info.name, (unsigned long long)o->mismatches,
					(unsigned long long)o->elements, o->max_error);
		if (o->labelled && job->opt->min_accuracy >= 0 && fraction < job->opt->min_accuracy)
			ret = ctl_error(CTL_MISMATCH, "output '%s' is right in %.4f of the cases, below --min-accuracy %g; check the labels and the model",
					o->info.name, fraction, job->opt->min_accuracy);
	}
	if (ret)
		r->status = "mismatch";
	return ret;
}

/* "sim:nca1,trace=FILE": the simulator inside this process writes the trace when it is closed. */
static enum ctl_exit trace_device(const struct ctl_run_job *job, char *name, size_t len)
{
	const char *dev = job->opt->device ? job->opt->device : "sim";

	if (strncmp(dev, "sim", 3) || (dev[3] && dev[3] != ':'))
		return ctl_usage(job->cmd, "'%s' is not a device inside this process; start accel-sim with trace=FILE for a virtual machine's device, or use --device sim",
				 dev);
	if (strchr(job->opt->trace, ','))
		return ctl_usage(job->cmd, "the trace path '%s' must not contain a comma", job->opt->trace);
	if (snprintf(name, len, "%s%s,trace=%s", dev[3] ? dev : "sim:",
		     dev[3] ? "" : job->info.target, job->opt->trace) >= (int)len)
		return ctl_usage(job->cmd, "the trace path is too long");
	return CTL_OK;
}

static enum ctl_exit open_session(struct ctl_run_job *job, struct ctl_session *s)
{
	char traced[4400];
	enum ctl_exit ret;

	if (!job->opt->trace)
		return ctl_session_open(s, job->opt->device);
	ret = trace_device(job, traced, sizeof(traced));
	return ret ? ret : ctl_session_open(s, traced);
}

static enum ctl_exit execute(struct ctl_run_job *job, struct ctl_run *r)
{
	ACCEL_INIT(struct accel_telemetry, telemetry);
	struct ctl_session s = { 0 };
	enum ctl_exit ret = open_session(job, &s);
	struct stat st;

	if (ret)
		return ret;
	memcpy(r->device, s.info.name, sizeof(r->device));
	memcpy(r->target, s.info.target, sizeof(s.info.target));
	if (!accel_device_telemetry(s.dev, &telemetry))
		memcpy(r->simd, telemetry.simd, sizeof(r->simd));
	ret = ctl_session_context(&s, job->opt->size);
	if (!ret)
		ret = ctl_session_queue(&s, 8);
	if (!ret)
		ret = run_all(job, &s, r);
	ctl_session_close(&s);
	if (!ret && job->opt->trace && !access(job->opt->trace, F_OK))
		ret = ctl_trace_add_names(job->opt->trace, job->file, job->info.ops);
	if (job->opt->trace && !stat(job->opt->trace, &st))
		r->trace_bytes = (uint64_t)st.st_size;
	if (!ret && job->opt->trace && !r->trace_bytes)
		ret = ctl_error(CTL_FAILED, "no trace appeared in %s; check that the directory exists and can be written",
				job->opt->trace);
	return ret;
}

static enum ctl_exit work(struct ctl_run_job *job, struct ctl_run *r)
{
	enum ctl_exit ret = find_entry(job);

	if (!ret)
		ret = ctl_run_read_inputs(job);
	if (!ret)
		ret = ctl_run_prepare_outputs(job);
	if (!ret)
		ret = ctl_run_check_names(job);
	if (ret)
		return ret;
	r->info = job->info;
	r->slices = job->slices;
	r->output = job->output;
	r->outputs = job->info.outputs;
	ret = execute(job, r);
	set_cycles(job, r);
	ctl_samples_summary(&job->wall, &r->wall_ns);
	ctl_samples_summary(&job->device, &r->device_ns);
	if (!ret && job->opt->mode == 0) {
		ret = ctl_run_judge(job);
		if (!ret && job->opt->output_dir)
			ret = ctl_run_write_outputs(job);
		if (!ret)
			ret = verdict(job, r);
	}
	/* Without a single launch there is nothing to report but the error. */
	if (!ret || ret == CTL_MISMATCH || !strcmp(r->status, "fault"))
		ctl_printer(job->opt->json)->run(r);
	return ret;
}

enum ctl_exit ctl_run_graph(const struct ctl_command *cmd, const struct ctl_run_options *opt,
			    const char *path)
{
	struct ctl_run_job job = { .cmd = cmd, .opt = opt };
	struct ctl_run r = {
		.graph = path, .size = ctl_size_names[opt->size], .mode = ctl_mode_names[opt->mode],
		.status = "ok", .repeat = opt->repeat, .min_accuracy = opt->min_accuracy,
		.trace = opt->trace,
	};
	enum ctl_exit ret = ctl_graph_open(path, &job.file);

	if (ret)
		return ret;
	ret = work(&job, &r);
	ctl_run_free(&job);
	return ret;
}
