// SPDX-License-Identifier: MIT
#include "pass.h"

#include <string.h>

static const struct pass {
	const char *name;
	void (*run)(struct ir_graph *g);
	bool fusion;
} passes[] = {
	{ "infer-shapes", pass_infer_shapes, false },
	{ "fold-constants", pass_fold_constants, false },
	{ "find-patterns", pass_find_patterns, true },
	{ "fuse-attention", pass_fuse_attention, true },
	{ "canonicalize", pass_canonicalize, false },
	{ "eliminate-reshapes", pass_eliminate_reshapes, false },
	{ "fold-affine", pass_fold_affine, false },
	{ "fuse-epilogues", pass_fuse_epilogues, true },
	{ "fuse-maps", pass_fuse_maps, true },
	{ "remove-dead", pass_remove_dead, false },
	{ "assign-layouts", pass_assign_layouts, false },
};

#define NUM_PASSES (sizeof(passes) / sizeof(passes[0]))

const char *const *pass_names(void)
{
	static const char *const names[] = {
		"read",
		"infer-shapes",
		"fold-constants",
		"find-patterns",
		"fuse-attention",
		"canonicalize",
		"eliminate-reshapes",
		"fold-affine",
		"fuse-epilogues",
		"fuse-maps",
		"remove-dead",
		"assign-layouts",
		NULL,
	};

	_Static_assert(sizeof(names) / sizeof(names[0]) == NUM_PASSES + 2, "every pass is listed");
	return names;
}

static void print_after(struct ir_graph *g, const struct pass_options *o, const char *name)
{
	if (!o->print || (o->print_after && strcmp(o->print_after, name)))
		return;
	fprintf(o->print, "// after %s\n", name);
	ir_print(g, o->print);
}

void pass_run_all(struct ir_graph *g, const struct pass_options *o)
{
	ir_verify(g, "read");
	print_after(g, o, "read");
	ir_discard_unused(g);
	for (size_t i = 0; i < NUM_PASSES; i++) {
		if (passes[i].fusion && o->no_fuse)
			continue;
		passes[i].run(g);
		ir_verify(g, passes[i].name);
		ir_discard_unused(g);
		print_after(g, o, passes[i].name);
	}
}

void pass_infer_shapes(struct ir_graph *g)
{
	for (struct ir_op *op = g->first; op; op = op->next)
		op->out->type = ir_infer(g, op);
}

void pass_remove_dead(struct ir_graph *g)
{
	struct ir_op *prev;

	for (struct ir_op *op = g->last; op; op = prev) {
		prev = op->prev;
		if (!op->out->uses && !ir_is_output(g, op->out))
			ir_op_erase(g, op);
	}
}

void pass_replace(struct ir_graph *g, struct ir_op *op, struct ir_value *with)
{
	ir_replace_all_uses(g, op->out, with);
	ir_op_erase(g, op);
}

struct ir_op *pass_op(struct ir_graph *g, enum ir_opcode opcode, const struct ir_op *from,
		      int num_inputs, struct ir_value *const *inputs, const struct ir_attrs *attr,
		      struct ir_op *before)
{
	struct ir_op *op = ir_op_new(g, opcode, from->name, num_inputs, inputs, before);

	op->onnx_type = from->onnx_type;
	if (attr)
		op->attr = *attr;
	op->out->type = ir_infer(g, op);
	return op;
}

struct ir_value *pass_vector(struct ir_graph *g, int64_t n, const float *data)
{
	struct ir_type t = ir_type_make(IR_DT_F32, 1, &n);

	return ir_const_f32(g, NULL, &t, data);
}

struct ir_value *pass_reshape(struct ir_graph *g, const struct ir_op *from, struct ir_value *x,
			      const struct ir_type *type, struct ir_op *before)
{
	int64_t rank = type->rank, *dims = cc_new_n(g->cc, int64_t, (size_t)rank + 1);
	struct ir_type shape_type = ir_type_make(IR_DT_I64, 1, &rank);
	struct ir_attrs attr = { .dtype = IR_DT_NONE };
	struct ir_value *in[2];

	if (ir_type_equal(&x->type, type))
		return x;
	memcpy(dims, type->dim, (size_t)rank * sizeof(*dims));
	in[IR_RESHAPE_X] = x;
	in[IR_RESHAPE_SHAPE] = ir_const_i64(g, NULL, &shape_type, dims);
	attr.dtype = type->dtype != x->type.dtype ? type->dtype : IR_DT_NONE;
	return pass_op(g, IR_RESHAPE, from, 2, in, &attr, before)->out;
}
