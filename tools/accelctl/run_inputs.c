// SPDX-License-Identifier: MIT
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nca/ncx.h>

#include "printer.h"
#include "run.h"

static struct ctl_run_input *find_input(struct ctl_run_job *job, const char *name)
{
	for (unsigned int i = 0; i < job->info.inputs; i++)
		if (!strcmp(job->input[i].info.name, name))
			return &job->input[i];
	return NULL;
}

static void list_inputs(const struct ctl_run_job *job, char *buf, size_t len)
{
	char shape[160];
	size_t n = 0;

	*buf = 0;
	for (unsigned int i = 0; i < job->info.inputs && n < len; i++) {
		const struct accel_tensor_info *t = &job->input[i].info;

		n += (size_t)snprintf(buf + n, len - n, "%s%s (%s %s)", i ? ", " : "", t->name,
				      ctl_type_name(t->type),
				      ctl_shape_text(shape, sizeof(shape), t->dim, t->rank));
	}
}

static bool same_dims(const int64_t *a, const int64_t *b, uint32_t n)
{
	return !n || !memcmp(a, b, n * sizeof(*a));
}

/* How many slices of the graph's shape the tensor holds; 0: it does not fit at all. */
static uint64_t slices_of(const struct ctl_tensor *t, const struct accel_tensor_info *info,
			  bool *batched, bool *extra_dim)
{
	*batched = false;
	*extra_dim = false;
	if (t->rank == info->rank && same_dims(t->dim, info->dim, t->rank))
		return 1;
	*batched = true;
	if (t->rank == info->rank && t->rank && same_dims(t->dim + 1, info->dim + 1, t->rank - 1) &&
	    info->dim[0] > 0 && t->dim[0] > 0 && t->dim[0] % info->dim[0] == 0)
		return (uint64_t)(t->dim[0] / info->dim[0]);
	if (t->rank == info->rank + 1 && same_dims(t->dim + 1, info->dim, info->rank)) {
		*extra_dim = true;
		return (uint64_t)t->dim[0];
	}
	return 0;
}

static enum ctl_exit fit(struct ctl_run_job *job, struct ctl_run_input *in, const char *path)
{
	char have[512], want[160];
	bool extra_dim;
	uint64_t k;

	if (in->tensor.type != in->info.type && !ctl_tensor_convert(&in->tensor, in->info.type))
		return ctl_error(CTL_BAD_INPUT, "%s holds %s, but input '%s' is %s; convert the file",
				 path, ctl_type_name(in->tensor.type), in->info.name,
				 ctl_type_name(in->info.type));
	k = slices_of(&in->tensor, &in->info, &in->batched, &extra_dim);
	if (!k || in->info.bytes > in->tensor.bytes / k || in->tensor.bytes != in->info.bytes * k)
		return ctl_error(CTL_BAD_INPUT,
				 "%s has shape %s, but input '%s' is %s; the shape must be that, or a batch of it",
				 path, ctl_shape_text(have, sizeof(have), in->tensor.dim, in->tensor.rank),
				 in->info.name,
				 ctl_shape_text(want, sizeof(want), in->info.dim, in->info.rank));
	if (!in->batched)
		return CTL_OK;
	if (job->slices && job->slices != k)
		return ctl_error(CTL_BAD_INPUT,
				 "%s is a batch of %llu, but an earlier input is one of %llu; batches must agree",
				 path, (unsigned long long)k, (unsigned long long)job->slices);
	job->slices = k;
	job->extra_dim |= extra_dim;
	return CTL_OK;
}

/* Tensors with 64-bit elements are computed with 32: what would not survive that is refused. */
static enum ctl_exit check_range(const struct ctl_run_input *in, const char *path)
{
	uint32_t type = in->tensor.type;

	if (type != NCX_T_INT64 && type != NCX_T_UINT64 && type != NCX_T_FP64)
		return CTL_OK;
	for (uint64_t i = 0; i < in->tensor.elements; i++) {
		double v = ctl_tensor_value(type, in->tensor.data, i);
		bool fits = type == NCX_T_INT64 ? v >= INT32_MIN && v <= INT32_MAX :
			    type == NCX_T_UINT64 ? v <= UINT32_MAX :
						   !isfinite(v) || fabs(v) <= (double)FLT_MAX;

		if (!fits)
			return ctl_error(CTL_BAD_INPUT,
					 "%s has the value %.17g at element %llu, and the device computes input "
					 "'%s' (%s) with 32 bits, where it does not fit",
					 path, v, (unsigned long long)i, in->info.name,
					 ctl_type_name(type));
	}
	return CTL_OK;
}

static enum ctl_exit read_one(struct ctl_run_job *job, const char *assignment)
{
	struct ctl_run_input *in;
	char names[1024], *name;
	const char *path;
	enum ctl_exit ret;

	if (!ctl_split_assignment(assignment, &name, &path))
		return ctl_usage(job->cmd, "--input must be NAME=FILE, not '%s'", assignment);
	in = find_input(job, name);
	if (!in) {
		list_inputs(job, names, sizeof(names));
		ret = ctl_error(CTL_USAGE, "the graph has no input '%s'; it has %s", name,
				*names ? names : "none");
	} else if (in->given) {
		ret = ctl_usage(job->cmd, "--input %s is given twice", name);
	} else {
		in->given = true;
		ret = ctl_tensor_read(&in->tensor, path);
		if (!ret)
			ret = fit(job, in, path);
		if (!ret)
			ret = check_range(in, path);
	}
	free(name);
	return ret;
}

enum ctl_exit ctl_run_read_inputs(struct ctl_run_job *job)
{
	char shape[160];
	enum ctl_exit ret;

	job->input = calloc(job->info.inputs + 1u, sizeof(*job->input));
	if (!job->input)
		return ctl_no_memory();
	for (unsigned int i = 0; i < job->info.inputs; i++) {
		int err;

		job->input[i].info.size = sizeof(job->input[i].info);
		err = accel_graph_file_input(job->file, job->entry, i, &job->input[i].info);
		if (err)
			return ctl_accel_error(err, "cannot look at input %u", i);
	}
	for (size_t i = 0; i < job->opt->inputs.count; i++) {
		ret = read_one(job, job->opt->inputs.item[i]);
		if (ret)
			return ret;
	}
	for (unsigned int i = 0; i < job->info.inputs; i++) {
		const struct accel_tensor_info *t = &job->input[i].info;

		/* Time does not depend on the data, so a timed run may leave inputs at zero. */
		if (job->input[i].given || job->opt->mode == 1 || job->opt->trace)
			continue;
		return ctl_usage(job->cmd, "input '%s' is missing; add --input %s=FILE.npy with %s %s",
				 t->name, t->name, ctl_type_name(t->type),
				 ctl_shape_text(shape, sizeof(shape), t->dim, t->rank));
	}
	if (!job->slices)
		job->slices = 1;
	return CTL_OK;
}
