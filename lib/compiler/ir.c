// SPDX-License-Identifier: MIT
#include "ir.h"

#include <inttypes.h>
#include <string.h>

struct ir_graph *ir_graph_new(struct cc *cc, const char *name)
{
	struct ir_graph *g = cc_new(cc, struct ir_graph);

	g->cc = cc;
	g->name = name;
	return g;
}

static struct ir_value *new_value(struct ir_graph *g, enum ir_value_kind kind, const char *name,
				  const struct ir_type *type)
{
	struct ir_value *v = cc_new(g->cc, struct ir_value);

	v->id = g->next_id++;
	v->kind = kind;
	v->cdim = IR_CDIM_DEFAULT;
	v->name = name;
	if (type)
		v->type = *type;
	v->next = g->values;
	g->values = v;
	return v;
}

struct ir_value *ir_input(struct ir_graph *g, const char *name, const struct ir_type *type)
{
	return new_value(g, IR_VALUE_INPUT, name, type);
}

struct ir_value *ir_const_f32(struct ir_graph *g, const char *name, const struct ir_type *type,
			      const float *data)
{
	struct ir_value *v = new_value(g, IR_VALUE_CONST, name, type);

	cc_assert(g->cc, ir_is_float(type->dtype));
	v->data.f32 = data;
	return v;
}

struct ir_value *ir_const_i64(struct ir_graph *g, const char *name, const struct ir_type *type,
			      const int64_t *data)
{
	struct ir_value *v = new_value(g, IR_VALUE_CONST, name, type);

	cc_assert(g->cc, ir_is_int(type->dtype));
	v->data.i64 = data;
	return v;
}

static void unlink_use(struct ir_use *use)
{
	if (!use->value)
		return;
	*use->pprev = use->next;
	if (use->next)
		use->next->pprev = use->pprev;
	use->value = NULL;
	use->next = NULL;
	use->pprev = NULL;
}

/* @slot is below op->max_inputs. */
void ir_set_input(struct ir_op *op, int slot, struct ir_value *value)
{
	struct ir_use *use = &op->in[slot];

	unlink_use(use);
	if (slot >= op->num_inputs)
		op->num_inputs = slot + 1;
	use->op = op;
	use->value = value;
	if (!value)
		return;
	use->next = value->uses;
	if (use->next)
		use->next->pprev = &use->next;
	use->pprev = &value->uses;
	value->uses = use;
}

struct ir_value *ir_in(const struct ir_op *op, int slot)
{
	return slot < op->num_inputs ? op->in[slot].value : NULL;
}

struct ir_op *ir_op_new(struct ir_graph *g, enum ir_opcode opcode, const char *name, int num_inputs,
			struct ir_value *const *inputs, struct ir_op *before)
{
	struct ir_op *op = cc_new(g->cc, struct ir_op);

	op->opcode = opcode;
	op->max_inputs = num_inputs > IR_MIN_SLOTS ? num_inputs : IR_MIN_SLOTS;
	op->in = cc_new_n(g->cc, struct ir_use, (size_t)op->max_inputs);
	op->name = name;
	op->onnx_type = ir_opcode_name(opcode);
	for (int i = 0; i < num_inputs; i++)
		ir_set_input(op, i, inputs[i]);
	op->num_inputs = num_inputs;
	op->out = new_value(g, IR_VALUE_RESULT, NULL, NULL);
	op->out->def = op;

	op->next = before;
	op->prev = before ? before->prev : g->last;
	*(op->prev ? &op->prev->next : &g->first) = op;
	*(before ? &before->prev : &g->last) = op;
	return op;
}

void ir_replace_all_uses(struct ir_graph *g, struct ir_value *from, struct ir_value *to)
{
	cc_assert(g->cc, from != to);
	while (from->uses) {
		struct ir_op *op = from->uses->op;

		ir_set_input(op, (int)(from->uses - op->in), to);
	}
	for (size_t i = 0; i < g->num_outputs; i++)
		if (g->outputs[i] == from)
			g->outputs[i] = to;
	if (!to->name)
		to->name = from->name;
}

void ir_op_erase(struct ir_graph *g, struct ir_op *op)
{
	struct ir_value **link = &g->values;

	cc_assert(g->cc, !op->out->uses && !ir_is_output(g, op->out));
	for (int i = 0; i < op->num_inputs; i++)
		unlink_use(&op->in[i]);
	*(op->prev ? &op->prev->next : &g->first) = op->next;
	*(op->next ? &op->next->prev : &g->last) = op->prev;
	while (*link != op->out)
		link = &(*link)->next;
	*link = op->out->next;
}

bool ir_is_const(const struct ir_value *v)
{
	return v && v->kind == IR_VALUE_CONST;
}

bool ir_is_output(const struct ir_graph *g, const struct ir_value *v)
{
	for (size_t i = 0; i < g->num_outputs; i++)
		if (g->outputs[i] == v)
			return true;
	return false;
}

size_t ir_num_uses(const struct ir_value *v)
{
	size_t n = 0;

	for (const struct ir_use *u = v->uses; u; u = u->next)
		n++;
	return n;
}

struct ir_op *ir_single_user(const struct ir_graph *g, const struct ir_value *v)
{
	if (!v->uses || v->uses->next || ir_is_output(g, v))
		return NULL;
	return v->uses->op;
}

/* Smaller constants are not worth a look. */
#define LARGE_CONSTANT (256u * 1024)

static size_t constant_bytes(const struct ir_value *v)
{
	size_t elem = ir_is_float(v->type.dtype) ? sizeof(float) : sizeof(int64_t);

	return ir_is_const(v) && v->data.any ? (size_t)ir_type_elements(&v->type) * elem : 0;
}

/* Constants may share their data: a reshaped one does. */
static bool data_in_use(const struct ir_graph *g, const struct ir_value *unused)
{
	const char *from = unused->data.any, *to = from + constant_bytes(unused);

	for (const struct ir_value *v = g->values; v; v = v->next) {
		const char *data = v->data.any;

		if (constant_bytes(v) && (v->uses || ir_is_output(g, v)) && data < to &&
		    from < data + constant_bytes(v))
			return true;
	}
	return false;
}

void ir_discard_unused(struct ir_graph *g)
{
	for (struct ir_value *v = g->values; v; v = v->next) {
		if (constant_bytes(v) < LARGE_CONSTANT || v->uses || ir_is_output(g, v) ||
		    data_in_use(g, v))
			continue;
		cc_discard(v->data.any, constant_bytes(v));
		v->data.any = NULL;
	}
}

struct ir_type ir_type_make(enum ir_dtype dtype, int rank, const int64_t *dims)
{
	struct ir_type t = { .dtype = dtype, .rank = rank };

	for (int i = 0; i < rank; i++)
		t.dim[i] = dims[i];
	return t;
}

bool ir_type_equal(const struct ir_type *a, const struct ir_type *b)
{
	if (a->dtype != b->dtype || a->rank != b->rank)
		return false;
	for (int i = 0; i < a->rank; i++)
		if (a->dim[i] != b->dim[i])
			return false;
	return true;
}

int64_t ir_type_elements(const struct ir_type *t)
{
	int64_t n = 1;

	/* The reader and ir_infer() bound the product by IR_MAX_ELEMENTS. */
	for (int i = 0; i < t->rank; i++)
		n *= t->dim[i];
	return n;
}

bool ir_is_float(enum ir_dtype dtype)
{
	return dtype >= IR_DT_F32 && dtype <= IR_DT_F64;
}

bool ir_is_int(enum ir_dtype dtype)
{
	return dtype >= IR_DT_I64 && dtype < IR_NUM_DTYPES;
}

int64_t ir_dtype_size(enum ir_dtype dtype)
{
	static const uint8_t size[IR_NUM_DTYPES] = {
		[IR_DT_F32] = 4, [IR_DT_F16] = 2, [IR_DT_BF16] = 2, [IR_DT_F64] = 8,
		[IR_DT_I64] = 8, [IR_DT_I32] = 4, [IR_DT_I16] = 2,  [IR_DT_I8] = 1,
		[IR_DT_U64] = 8, [IR_DT_U32] = 4, [IR_DT_U16] = 2,  [IR_DT_U8] = 1,
		[IR_DT_BOOL] = 1,
	};

	return size[dtype];
}

int ir_value_cdim(const struct ir_value *v)
{
	return v->cdim != IR_CDIM_DEFAULT ? v->cdim : v->type.rank > 1;
}

struct ir_nchw ir_value_nchw(const struct ir_value *v)
{
	struct ir_nchw s = { 1, 1, 1, 1 };
	const struct ir_type *t = &v->type;
	int cdim = ir_value_cdim(v), last = cdim == t->rank - 1 ? t->rank - 2 : t->rank - 1;
	bool first = true;

	for (int i = 0; i < t->rank; i++) {
		if (i == cdim) {
			s.c = t->dim[i];
		} else if (first) {
			s.n = t->dim[i];
			first = false;
		} else if (i == last) {
			s.w = t->dim[i];
		} else {
			s.h *= t->dim[i];
		}
	}
	return s;
}

struct ir_nchw ir_value_strides(const struct ir_value *v)
{
	struct ir_nchw s = { 0, 0, 0, 0 };
	const struct ir_type *t = &v->type;
	int cdim = ir_value_cdim(v), last = cdim == t->rank - 1 ? t->rank - 2 : t->rank - 1;
	int first = cdim == 0 ? 1 : 0;
	int64_t stride = 1;

	/* Dimensions merged into h lie behind each other, whatever cdim is: only the innermost counts. */
	for (int i = t->rank - 1; i >= 0; i--) {
		if (i == cdim)
			s.c = stride;
		else if (i == first)
			s.n = stride;
		else if (i == last)
			s.w = stride;
		else if (!s.h)
			s.h = stride;
		stride *= t->dim[i];
	}
	return s;
}

int ir_op_channel(const struct ir_op *op, const struct ir_type *t)
{
	return op->attr.channels_last ? t->rank - 1 : t->rank > 1;
}

void ir_broadcast_strides(const struct ir_type *from, const struct ir_type *to, int64_t *stride)
{
	int64_t s = 1;

	for (int i = to->rank - 1; i >= 0; i--) {
		int k = i - (to->rank - from->rank);

		stride[i] = k < 0 || from->dim[k] == 1 ? 0 : s;
		if (k >= 0)
			s *= from->dim[k];
	}
}

void ir_unsupported(struct ir_graph *g, const struct ir_op *op, const char *fmt, ...)
{
	char reason[512], where[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	cc_fail(g->cc, ACCELCC_BAD_INPUT, "%s: %s", ir_op_str(op, where, sizeof(where)), reason);
}
