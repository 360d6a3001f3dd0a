// SPDX-License-Identifier: MIT
/* Loading graphs: program image, weights and instances. */
#include <stdlib.h>
#include <string.h>

#include "graph.h"
#include "ncx/ncx.h"
#include "versioned.h"

#define DEFAULT_INSTANCES	2
#define MAX_INSTANCES		256

static uint64_t align(uint64_t v, uint64_t a)
{
	return (v + a - 1) & ~(a - 1);
}

/* ---- what is kept of the file, which may be closed afterwards -------------------- */

static int copy_tensors(struct accel_graph *g, const struct accel_graph_file *f, uint32_t entry)
{
	const struct ncx_entry *e = &f->entry[entry];
	uint32_t n = e->inputs + e->outputs;
	size_t len = 0, at = 0;

	g->inputs = e->inputs;
	g->outputs = e->outputs;
	g->tensor = calloc(n ? n : 1, sizeof(*g->tensor));
	if (!g->tensor)
		return acc_fail(-ENOMEM, "no memory for %u tensor descriptions", n);
	for (uint32_t i = 0; i < n; i++) {
		struct accel_tensor_info *t = &g->tensor[i].info;

		t->size = sizeof(*t);
		if (i < e->inputs)
			accel_graph_file_input(f, entry, i, t);
		else
			accel_graph_file_output(f, entry, i - e->inputs, t);
		len += strlen(t->name) + 1;
	}
	g->strings = malloc(len + 1);
	if (!g->strings)
		return acc_fail(-ENOMEM, "no memory for tensor names");
	for (uint32_t i = 0; i < n; i++) {
		struct accel_tensor_info *t = &g->tensor[i].info;
		size_t bytes = strlen(t->name) + 1;

		memcpy(g->strings + at, t->name, bytes);
		t->name = g->strings + at;
		at += bytes;
	}
	return 0;
}

/* Where everything lies in an instance's host memory. Tensors begin on pages of their own. */
static int lay_out(struct accel_graph *g, const struct ncx_entry *e)
{
	uint32_t n = g->inputs + g->outputs;
	uint64_t at;

	g->scalar_count = e->scalars;
	g->scratch_size = e->scratch_size;
	g->args_len = sizeof(struct nca_launch_args) +
		      (2 + (uint64_t)n) * sizeof(struct nca_slot) + 4ull * e->scalars;
	g->report_offset = align(g->args_len, 64);
	at = align(g->report_offset + sizeof(struct nca_launch_report), ACC_PAGE);
	for (uint32_t i = 0; i < n; i++) {
		g->tensor[i].offset = at;
		if (__builtin_add_overflow(at, g->tensor[i].info.bytes, &at) ||
		    at >= NCA_VA_USER_END)
			return acc_fail(-ENOEXEC, "the graph's inputs and outputs do not fit an address space");
		at = align(at, ACC_PAGE);
	}
	g->host_size = at;
	return 0;
}

/* ---- device memory ----------------------------------------------------------------- */

static int load_program(struct accel_graph *g, const struct accel_graph_file *f, uint32_t entry)
{
	const struct ncx_entry *e = &f->entry[entry];
	struct nca_program_header h = {
		.magic = NCA_PROGRAM_MAGIC,
		.version = NCA_ISA_VERSION,
		.target = f->target->id,
		.size = sizeof(h),
		.slots = 2 + e->inputs + e->outputs,
		.scalars = e->scalars,
		.sbuf_live = e->sbuf_live,
		.psum_live = e->psum_live,
	};
	uint8_t *image;
	int r;

	for (uint32_t i = 0; i < NCA_ENGINES; i++) {
		const struct ncx_text *t = ncx_text_of(f, entry, i);

		if (!t)
			continue;
		h.stream[i].offset = h.size;
		h.stream[i].count = (uint32_t)t->count;
		h.size += (uint32_t)t->count * (uint32_t)sizeof(struct nca_inst);
	}
	/* The device may not write it: a program cannot change programs. */
	r = acc_buffer_new(g->ctx, h.size, ACCEL_DEVICE, ACCEL_READ, &g->program);
	if (r)
		return r;
	image = acc_buffer_cpu(g->program);
	if (!image)
		return -ENOMEM;
	memcpy(image, &h, sizeof(h));
	for (uint32_t i = 0; i < NCA_ENGINES; i++) {
		const struct ncx_text *t = ncx_text_of(f, entry, i);

		if (t)
			memcpy(image + h.stream[i].offset, f->section[t->section].data,
			       f->section[t->section].size);
	}
	return 0;
}

static int load_weights(struct accel_graph *g, const struct accel_graph_file *f)
{
	void *p;
	int r;

	if (!f->meta.weights_size)
		return 0;
	r = acc_buffer_new(g->ctx, f->meta.weights_size, ACCEL_DEVICE, ACCEL_READ, &g->weights);
	if (r)
		return r;
	p = acc_buffer_cpu(g->weights);
	if (!p)
		return -ENOMEM;
	memcpy(p, f->weights, f->meta.weights_size);
	return 0;
}

static struct nca_slot slot_of(const struct accel_buffer *buf, uint64_t offset, uint64_t len,
			       uint32_t flags)
{
	/* An empty slot has no address; nothing can be reached through it. */
	return (struct nca_slot){ .va = len ? buf->va + offset : 0, .len = len, .flags = flags };
}

static int make_instance(struct accel_graph *g, struct accel_launch *l, uint64_t weights_size)
{
	uint32_t n = g->inputs + g->outputs;
	struct nca_launch_args *args;
	int r;

	l->graph = g;
	r = acc_buffer_new(g->ctx, g->host_size, ACCEL_HOST, ACCEL_READ | ACCEL_WRITE, &l->host);
	if (r)
		return r;
	if (g->scratch_size) {
		r = acc_buffer_new(g->ctx, g->scratch_size, ACCEL_DEVICE,
				   ACCEL_READ | ACCEL_WRITE, &l->scratch);
		if (r)
			return r;
	}
	l->cpu = acc_buffer_cpu(l->host);
	if (!l->cpu)
		return -ENOMEM;
	l->args_va = l->host->va;
	l->report_va = l->host->va + g->report_offset;
	l->report = (struct nca_launch_report *)(l->cpu + g->report_offset);

	args = (struct nca_launch_args *)l->cpu;
	args->slots = 2 + n;
	args->scalars = g->scalar_count;
	args->slot[0] = slot_of(g->weights, 0, weights_size, NCA_SLOT_READ);
	args->slot[1] = slot_of(l->scratch, 0, g->scratch_size, NCA_SLOT_READ | NCA_SLOT_WRITE);
	for (uint32_t i = 0; i < n; i++)
		args->slot[2 + i] = slot_of(l->host, g->tensor[i].offset, g->tensor[i].info.bytes,
					    i < g->inputs ? NCA_SLOT_READ :
					    NCA_SLOT_READ | NCA_SLOT_WRITE);
	l->scalars = (uint32_t *)&args->slot[2 + n];
	l->next_free = g->free;
	g->free = l;
	return 0;
}

/* ---- objects -------------------------------------------------------------------------- */

static void delete_buffer(struct accel_buffer *buf, bool child)
{
	if (buf)
		acc_buffer_delete(buf, child);
}

/* Everything but the list it is on. */
static void free_graph(struct accel_graph *g, bool child)
{
	for (uint32_t i = 0; g->launch && i < g->instances; i++) {
		delete_buffer(g->launch[i].host, child);
		delete_buffer(g->launch[i].scratch, child);
	}
	delete_buffer(g->weights, child);
	delete_buffer(g->program, child);
	if (!child)
		pthread_mutex_destroy(&g->lock);
	free(g->launch);
	free(g->strings);
	free(g->tensor);
	free(g);
}

void acc_graph_delete(struct accel_graph *g, bool child)
{
	struct accel_context *ctx = g->ctx;

	if (!child)
		pthread_mutex_lock(&ctx->lock);
	LIST_REMOVE(g, link);
	if (!child)
		pthread_mutex_unlock(&ctx->lock);
	free_graph(g, child);
}

static int check_options(const struct accel_context *ctx, const struct accel_graph_file *f,
			 const struct accel_graph_options *opt, struct accel_graph_options *o,
			 uint32_t *entry)
{
	int index, r;

	memset(o, 0, sizeof(*o));
	if (opt) {
		r = acc_copy_in(o, sizeof(*o), opt, "struct accel_graph_options");
		if (r)
			return r;
	}
	if (!o->instances)
		o->instances = DEFAULT_INSTANCES;
	if (o->instances > MAX_INSTANCES)
		return acc_fail(-EINVAL, "%u instances are too many; %d is the most", o->instances,
				MAX_INSTANCES);
	if (f->target->id != ctx->dev->b->target) {
		const struct nca_target *mine = nca_target_by_id(ctx->dev->b->target);

		return acc_fail(-ENOEXEC, "the graph was compiled for %s and the device is %s; compile it with --target %s",
				f->target->name, mine ? mine->name : "of an unknown target",
				mine ? mine->name : "of the device");
	}
	index = ncx_entry_by_name(f, o->entry);
	if (index < 0)
		return acc_fail(-EINVAL, "the graph has no entry point \"%.60s\"; the first is \"%.60s\"",
				o->entry, ncx_string(f, f->entry[0].name));
	*entry = (uint32_t)index;
	return acc_context_error(ctx);
}

int accel_graph_load(accel_context *ctx, const accel_graph_file *f,
		     const struct accel_graph_options *opt, accel_graph **out)
{
	struct accel_graph_options o;
	struct accel_graph *g;
	uint32_t entry = 0;
	int r;

	if (!ctx || !f || !out)
		return acc_fail(-EINVAL, "accel_graph_load: ctx, file and graph must not be NULL");
	ACC_CHECK_CHILD(ctx, ctx->dev);
	r = check_options(ctx, f, opt, &o, &entry);
	if (r)
		return r;
	g = calloc(1, sizeof(*g));
	if (!g)
		return acc_fail(-ENOMEM, "no memory for a graph handle");
	g->ctx = ctx;
	g->epoch = ctx->epoch;
	g->launch_flags = (o.check ? NCA_SQE_F_CHECK : 0) | (o.timed_only ? NCA_SQE_F_TIMED : 0);
	pthread_mutex_init(&g->lock, NULL);
	g->launch = calloc(o.instances, sizeof(*g->launch));
	if (!g->launch)
		r = acc_fail(-ENOMEM, "no memory for %u launches", o.instances);
	g->instances = o.instances;
	if (!r)
		r = copy_tensors(g, f, entry);
	if (!r)
		r = lay_out(g, &f->entry[entry]);
	if (!r)
		r = load_program(g, f, entry);
	if (!r)
		r = load_weights(g, f);
	/* The first instance ends up on top of the free list. */
	for (uint32_t i = o.instances; !r && i--; )
		r = make_instance(g, &g->launch[i], f->meta.weights_size);
	if (r) {
		free_graph(g, false);
		return r;
	}
	pthread_mutex_lock(&ctx->lock);
	LIST_INSERT_HEAD(&ctx->graphs, g, link);
	pthread_mutex_unlock(&ctx->lock);
	*out = g;
	return 0;
}

int accel_graph_unload(accel_graph *g)
{
	if (g)
		acc_graph_delete(g, acc_is_child(g->epoch));
	return 0;
}

static int tensor_info(const struct accel_graph *g, uint32_t index,
		       struct accel_tensor_info *info)
{
	int r = acc_check_out(info, "struct accel_tensor_info");

	if (!r)
		acc_copy_out(info, &g->tensor[index].info, sizeof(g->tensor[index].info));
	return r;
}

int accel_graph_input(const accel_graph *g, unsigned int index, struct accel_tensor_info *info)
{
	if (!g || index >= g->inputs)
		return acc_fail(-EINVAL, "input %u does not exist; the graph has %u", index,
				g ? g->inputs : 0);
	return tensor_info(g, index, info);
}

int accel_graph_output(const accel_graph *g, unsigned int index, struct accel_tensor_info *info)
{
	if (!g || index >= g->outputs)
		return acc_fail(-EINVAL, "output %u does not exist; the graph has %u", index,
				g ? g->outputs : 0);
	return tensor_info(g, g->inputs + index, info);
}
