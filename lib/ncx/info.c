// SPDX-License-Identifier: MIT
/* Looking at a graph file without a device. */
#include <string.h>

#include "../versioned.h"
#include "ncx.h"

static int check_args(const struct accel_graph_file *f, unsigned int entry)
{
	if (!f)
		return acc_fail(-EINVAL, "the graph file must not be NULL");
	if (entry >= f->meta.entries)
		return acc_fail(-EINVAL, "entry point %u does not exist; the file has %u", entry,
				f->meta.entries);
	return 0;
}

int ncx_entry_by_name(const struct accel_graph_file *f, const char *name)
{
	if (!name)
		return 0;
	for (uint32_t i = 0; i < f->meta.entries; i++)
		if (!strcmp(ncx_string(f, f->entry[i].name), name))
			return (int)i;
	return -1;
}

int accel_graph_file_info(const accel_graph_file *f, unsigned int entry,
			  struct accel_graph_info *info)
{
	struct accel_graph_info i = { .size = sizeof(i) };
	const struct ncx_entry *e;
	int r = check_args(f, entry);

	if (!r)
		r = acc_check_out(info, "struct accel_graph_info");
	if (r)
		return r;
	e = &f->entry[entry];
	i.model = ncx_string(f, f->meta.model_name);
	i.producer = ncx_string(f, f->meta.producer);
	i.target = f->target->name;
	i.precision = f->meta.precision == NCX_FP32 ? "fp32" : "bf16";
	i.entry = ncx_string(f, e->name);
	i.inputs = e->inputs;
	i.outputs = e->outputs;
	i.entries = f->meta.entries;
	i.weights_bytes = f->meta.weights_size;
	i.scratch_bytes = e->scratch_size;
	i.est_ns = nca_ticks_to_ns(f->target, e->est_ticks);
	i.sbuf_bytes = e->sbuf_live;
	i.psum_bytes = e->psum_live;
	i.ops = f->meta.ops;
	i.scalars = e->scalars;
	for (uint32_t g = 0; g < NCA_ENGINES; g++) {
		const struct ncx_text *t = ncx_text_of(f, entry, g);

		i.est_cycles[g] = e->est_cycles[g];
		i.instructions[g] = t ? t->count : 0;
	}
	acc_copy_out(info, &i, sizeof(i));
	return 0;
}

static int tensor_info(const struct accel_graph_file *f, const struct ncx_tensor *t,
		       struct accel_tensor_info *info)
{
	struct accel_tensor_info i = { .size = sizeof(i) };
	int r = acc_check_out(info, "struct accel_tensor_info");

	if (r)
		return r;
	i.name = ncx_string(f, t->name);
	i.type = t->type;
	i.element_size = ncx_type_size(t->type);
	i.rank = t->rank;
	memcpy(i.dim, t->dim, t->rank * sizeof(t->dim[0]));
	i.bytes = t->size;
	acc_copy_out(info, &i, sizeof(i));
	return 0;
}

int accel_graph_file_input(const accel_graph_file *f, unsigned int entry, unsigned int index,
			   struct accel_tensor_info *info)
{
	int r = check_args(f, entry);

	if (r)
		return r;
	if (index >= f->entry[entry].inputs)
		return acc_fail(-EINVAL, "input %u does not exist; the graph has %u", index,
				f->entry[entry].inputs);
	return tensor_info(f, &f->tensor[f->entry[entry].first_input + index], info);
}

int accel_graph_file_output(const accel_graph_file *f, unsigned int entry, unsigned int index,
			    struct accel_tensor_info *info)
{
	int r = check_args(f, entry);

	if (r)
		return r;
	if (index >= f->entry[entry].outputs)
		return acc_fail(-EINVAL, "output %u does not exist; the graph has %u", index,
				f->entry[entry].outputs);
	return tensor_info(f, &f->tensor[f->entry[entry].first_output + index], info);
}

const char *accel_graph_file_op(const accel_graph_file *f, unsigned int op)
{
	return f && op < f->meta.ops ? ncx_string(f, f->op[op]) : "";
}
