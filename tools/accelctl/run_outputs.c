// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <nca/ncx.h>

#include "printer.h"
#include "run.h"

static bool batched(const struct ctl_run_job *job)
{
	for (unsigned int i = 0; i < job->info.inputs; i++)
		if (job->input[i].batched)
			return true;
	return false;
}

static void set_shape(const struct ctl_run_job *job, struct ctl_run_output *o)
{
	bool extra = batched(job) && (job->extra_dim || !o->info.rank);

	o->rank = o->info.rank + extra;
	memcpy(o->dim + extra, o->info.dim, o->info.rank * sizeof(*o->dim));
	if (extra)
		o->dim[0] = (int64_t)job->slices;
	else if (batched(job))
		o->dim[0] *= (int64_t)job->slices;
}

enum ctl_exit ctl_run_prepare_outputs(struct ctl_run_job *job)
{
	job->output = calloc(job->info.outputs + 1u, sizeof(*job->output));
	job->result = calloc(job->info.outputs + 1u, sizeof(*job->result));
	if (!job->output || !job->result)
		return ctl_no_memory();
	for (unsigned int i = 0; i < job->info.outputs; i++) {
		struct ctl_run_output *o = &job->output[i];
		uint64_t bytes;
		int err;

		o->info.size = sizeof(o->info);
		err = accel_graph_file_output(job->file, job->entry, i, &o->info);
		if (err)
			return ctl_accel_error(err, "cannot look at output %u", i);
		set_shape(job, o);
		if (job->opt->mode == 1)
			continue;
		if (__builtin_mul_overflow(o->info.bytes, job->slices, &bytes))
			return ctl_no_memory();
		job->result[i] = malloc(bytes + 1);
		if (!job->result[i])
			return ctl_no_memory();
	}
	return CTL_OK;
}

void ctl_run_collect(struct ctl_run_job *job, accel_launch *l, uint64_t slice, bool first)
{
	for (unsigned int i = 0; i < job->info.outputs; i++) {
		uint64_t bytes = job->output[i].info.bytes;
		uint8_t *kept = job->result[i];
		const void *now = accel_launch_output(l, i);

		if (!kept || !now)
			continue;
		if (first)
			memcpy(kept + slice * bytes, now, bytes);
		else if (memcmp(kept + slice * bytes, now, bytes))
			job->changed++;
	}
}

static struct ctl_run_output *find_output(struct ctl_run_job *job, const char *name,
					  unsigned int *index)
{
	for (*index = 0; *index < job->info.outputs; (*index)++)
		if (!strcmp(job->output[*index].info.name, name))
			return &job->output[*index];
	return NULL;
}

static enum ctl_exit no_output(const struct ctl_run_job *job, const char *name)
{
	char names[1024] = "";
	size_t n = 0;

	for (unsigned int i = 0; i < job->info.outputs && n < sizeof(names); i++)
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", i ? ", " : "",
				      job->output[i].info.name);
	return ctl_error(CTL_USAGE, "the graph has no output '%s'; it has %s", name,
			 *names ? names : "none");
}

static enum ctl_exit expect_one(struct ctl_run_job *job, unsigned int index, const char *path)
{
	struct ctl_run_output *o = &job->output[index];
	char have[512], want[160];
	struct ctl_comparison c;
	struct ctl_tensor t;
	enum ctl_exit ret = ctl_tensor_read(&t, path);

	if (ret)
		return ret;
	if (t.type != o->info.type)
		ctl_tensor_convert(&t, o->info.type);
	if (t.type != o->info.type || t.rank != o->rank ||
	    (t.rank && memcmp(t.dim, o->dim, t.rank * sizeof(*t.dim)))) {
		ret = ctl_error(CTL_BAD_INPUT, "%s holds %s %s, but output '%s' is %s %s; give the expected values of the whole run",
				path, ctl_type_name(t.type),
				ctl_shape_text(have, sizeof(have), t.dim, t.rank), o->info.name,
				ctl_type_name(o->info.type),
				ctl_shape_text(want, sizeof(want), o->dim, o->rank));
	} else {
		ctl_tensor_compare(&c, t.type, job->result[index], t.data, t.elements,
				   job->opt->tolerance);
		o->compared = true;
		o->elements = t.elements;
		o->mismatches = c.mismatches;
		o->max_error = c.max_error;
		o->tolerance = job->opt->tolerance;
	}
	ctl_tensor_free(&t);
	return ret;
}

/* Index of the largest of @n values; the first of equals. */
static uint64_t argmax(const struct ctl_run_output *o, const void *data, uint64_t first, uint64_t n)
{
	uint64_t best = 0;

	for (uint64_t i = 1; i < n; i++)
		if (ctl_tensor_value(o->info.type, data, first + i) >
		    ctl_tensor_value(o->info.type, data, first + best))
			best = i;
	return best;
}

static enum ctl_exit label(struct ctl_run_job *job, unsigned int index, const char *path)
{
	struct ctl_run_output *o = &job->output[index];
	uint64_t classes = o->rank ? (uint64_t)o->dim[o->rank - 1] : 0, rows;
	struct ctl_tensor t;
	enum ctl_exit ret = ctl_tensor_read(&t, path);

	if (ret)
		return ret;
	rows = classes ? o->info.bytes / o->info.element_size * job->slices / classes : 0;
	if (!rows || t.elements != rows || t.type == NCX_T_FP32 || t.type == NCX_T_FP64 ||
	    t.type == NCX_T_FP16 || t.type == NCX_T_BF16) {
		ret = ctl_error(CTL_BAD_INPUT, "%s holds %llu values of type %s, but output '%s' makes %llu decisions; give one integer label for each",
				path, (unsigned long long)t.elements, ctl_type_name(t.type),
				o->info.name, (unsigned long long)rows);
	} else {
		o->labelled = true;
		o->labels = rows;
		for (uint64_t i = 0; i < rows; i++)
			if (ctl_tensor_value(t.type, t.data, i) ==
			    (double)argmax(o, job->result[index], i * classes, classes))
				o->correct++;
	}
	ctl_tensor_free(&t);
	return ret;
}

/* "NAME=FILE", or with @plain also just "FILE" for a graph with one output. */
static enum ctl_exit parse_check(struct ctl_run_job *job, const char *text, const char *option,
				 bool plain, unsigned int *index, const char **path)
{
	enum ctl_exit ret = CTL_OK;
	char *name;

	if (!ctl_split_assignment(text, &name, path)) {
		*index = 0;
		*path = text;
		if (!plain)
			return ctl_usage(job->cmd, "--%s must be NAME=FILE, not '%s'", option, text);
		if (job->info.outputs != 1)
			return ctl_usage(job->cmd, "the graph has %u outputs; write --%s OUTPUT=FILE",
					 job->info.outputs, option);
		return CTL_OK;
	}
	if (!find_output(job, name, index))
		ret = no_output(job, name);
	free(name);
	return ret;
}

/* Each --expect and --labels: @judge false only looks whether it makes sense. */
static enum ctl_exit for_each_check(struct ctl_run_job *job, bool judge)
{
	unsigned int index;
	const char *path;
	enum ctl_exit ret;

	for (size_t i = 0; i < job->opt->expects.count; i++) {
		ret = parse_check(job, job->opt->expects.item[i], "expect", false, &index, &path);
		if (!ret && judge)
			ret = expect_one(job, index, path);
		if (ret)
			return ret;
	}
	if (!job->opt->labels)
		return CTL_OK;
	ret = parse_check(job, job->opt->labels, "labels", true, &index, &path);
	if (!ret && judge)
		ret = label(job, index, path);
	return ret;
}

enum ctl_exit ctl_run_judge(struct ctl_run_job *job)
{
	return for_each_check(job, true);
}

enum ctl_exit ctl_run_check_names(struct ctl_run_job *job)
{
	return for_each_check(job, false);
}

/* Names come from the file: none may leave the directory. */
static void file_name(char *out, size_t len, const char *name, unsigned int index)
{
	size_t n = 0;

	for (; *name && n + 1 < len; name++) {
		bool plain = isalnum((unsigned char)*name) || strchr("_-.", *name);

		if (!n && *name == '.')
			plain = false;
		out[n++] = plain ? *name : '_';
	}
	out[n] = 0;
	if (!n)
		snprintf(out, len, "output%u", index);
}

enum ctl_exit ctl_run_write_outputs(struct ctl_run_job *job)
{
	const char *dir = job->opt->output_dir;

	if (mkdir(dir, 0777) && errno != EEXIST)
		return ctl_error(CTL_FAILED, "cannot create directory %s: %s", dir, strerror(errno));
	for (unsigned int i = 0; i < job->info.outputs; i++) {
		struct ctl_run_output *o = &job->output[i];
		char name[200], path[4096];
		enum ctl_exit ret;

		file_name(name, sizeof(name), o->info.name, i);
		for (unsigned int k = 0; k < i; k++)	/* two names may become one */
			if (job->output[k].file &&
			    !strcmp(strrchr(job->output[k].file, '/') + 1, name))
				snprintf(name, sizeof(name), "output%u", i);
		if (snprintf(path, sizeof(path), "%s/%s.npy", dir, name) >= (int)sizeof(path))
			return ctl_error(CTL_FAILED, "the path of output '%s' in %s is too long; choose a shorter --output-dir",
					 o->info.name, dir);
		ret = ctl_npy_write(path, o->info.type, o->dim, o->rank, job->result[i],
				    o->info.bytes * job->slices);
		if (ret)
			return ret;
		o->file = strdup(path);
	}
	return CTL_OK;
}
