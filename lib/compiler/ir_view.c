// SPDX-License-Identifier: MIT
#include "ir_view.h"

#include <string.h>

#include "ir_move.h"

int64_t ir_view_elements(const struct ir_view *view)
{
	int64_t n = 1;

	for (int i = 0; i < view->num; i++)
		n *= view->atom[i].size;
	return n;
}

struct ir_view ir_view_self(struct ir_value *v)
{
	return (struct ir_view) { .root = v, .num = 1, .atom = { { ir_type_elements(&v->type), 1 } } };
}

bool ir_view_cut(struct ir_view *view, int64_t inner)
{
	int64_t after = 1;

	for (int i = view->num - 1; i >= 0; i--) {
		struct ir_atom *a = &view->atom[i];
		int64_t all = after * a->size, in;

		if (inner == after)
			return true;
		if (inner >= all) {
			after = all;
			continue;
		}
		if (inner % after || all % inner || view->num == IR_VIEW_ATOMS)
			return false;
		in = inner / after;
		memmove(a + 1, a, (size_t)(view->num - i) * sizeof(*a));
		view->num++;
		a[0] = (struct ir_atom) { a[0].size / in, a[0].stride * in };
		a[1].size = in;
		return true;
	}
	return inner == after;
}

bool ir_view_dims(struct ir_view *view, const struct ir_type *type, int from, int to,
		  struct ir_view *part)
{
	int64_t inner = 1, outer, after = 1;

	for (int i = to; i < type->rank; i++)
		inner *= type->dim[i];
	outer = inner;
	for (int i = from; i < to; i++)
		outer *= type->dim[i];
	*part = (struct ir_view) { .root = view->root };
	if (!ir_view_cut(view, outer) || !ir_view_cut(view, inner))
		return false;
	for (int i = view->num - 1; i >= 0; i--) {
		if (after >= inner && after < outer) {
			memmove(&part->atom[1], &part->atom[0], (size_t)part->num * sizeof(part->atom[0]));
			part->atom[0] = view->atom[i];
			part->num++;
		}
		after *= view->atom[i].size;
	}
	return true;
}

void ir_view_join(struct ir_view *view)
{
	int n = 0;

	for (int i = 0; i < view->num; i++) {
		struct ir_atom *last = &view->atom[n - 1], a = view->atom[i];

		if (a.size == 1)
			continue;
		if (n && last->stride == a.size * a.stride)
			*last = (struct ir_atom) { last->size * a.size, a.stride };
		else
			view->atom[n++] = a;
	}
	view->num = n;
}

static bool append(struct ir_view *to, const struct ir_view *part)
{
	if (to->num + part->num > IR_VIEW_ATOMS)
		return false;
	memcpy(&to->atom[to->num], part->atom, (size_t)part->num * sizeof(part->atom[0]));
	to->num += part->num;
	return true;
}

static bool through_transpose(struct ir_view *view, const struct ir_op *op)
{
	const struct ir_type *t = &ir_in(op, 0)->type;
	struct ir_view out = { .root = view->root, .at = view->at };

	for (int i = 0; i < t->rank; i++) {
		int from = (int)op->attr.perm[i];
		struct ir_view part;

		if (!ir_view_dims(view, t, from, from + 1, &part) || !append(&out, &part))
			return false;
	}
	*view = out;
	return true;
}

/* Some elements of a dimension, at one distance. */
static bool through_take(struct ir_view *view, const struct ir_op *op)
{
	const struct ir_type *t = &ir_in(op, 0)->type;
	const struct ir_take *take = op->attr.take;
	struct ir_view out = { .root = view->root, .at = view->at };

	for (int i = 0; i < t->rank; i++) {
		const int64_t *index = take->index[i];
		struct ir_view part;
		int64_t step = 1;

		if (!ir_view_dims(view, t, i, i + 1, &part))
			return false;
		if (index) {
			ir_view_join(&part);
			if (part.num > 1 || index[0] < 0)
				return false;
			if (!part.num)
				part.atom[part.num++] = (struct ir_atom) { 1, 0 };
			if (take->num[i] > 1)
				step = index[1] - index[0];
			for (int64_t k = 0; k < take->num[i]; k++)
				if (index[k] != index[0] + k * step)
					return false;
			out.at += index[0] * part.atom[0].stride;
			part.atom[0] = (struct ir_atom) { take->num[i], part.atom[0].stride * step };
		}
		if (!append(&out, &part))
			return false;
	}
	*view = out;
	return true;
}

bool ir_view_through(struct ir_view *view, const struct ir_op *op)
{
	switch (op->opcode) {
	case IR_RESHAPE:
	case IR_FLATTEN:
	case IR_IDENTITY:
		return true;
	case IR_TRANSPOSE:
		return through_transpose(view, op);
	case IR_TAKE:
		return through_take(view, op);
	default:
		return false;
	}
}

bool ir_const_number(const struct ir_value *v, float *number)
{
	if (!ir_is_const(v) || !ir_is_float(v->type.dtype) || ir_type_elements(&v->type) != 1)
		return false;
	*number = v->data.f32[0];
	return true;
}

/* x * number or x / number: which operand x is, or -1. */
static int scaled(const struct ir_op *op, float *by)
{
	bool mul = op->attr.alu == NCA_ALU_MUL, div = op->attr.alu == NCA_ALU_DIV;

	if (op->opcode != IR_TENSOR_TENSOR || op->attr.relu || (!mul && !div))
		return -1;
	for (int i = 0; i < 2; i++) {
		if (!ir_const_number(ir_in(op, 1 - i), by) ||
		    !ir_type_equal(&ir_in(op, i)->type, &op->out->type))
			continue;
		if (div)
			*by = 1.0f / *by;
		return mul || i == 0 ? i : -1;
	}
	return -1;
}

struct ir_view ir_view_of(struct ir_value *v, float *scale)
{
	struct ir_view view;
	float by;

	if (!v->def)
		return ir_view_self(v);
	if (scale) {
		int x = scaled(v->def, &by);

		if (x >= 0) {
			*scale *= by;
			return ir_view_of(ir_in(v->def, x), scale);
		}
	}
	switch (v->def->opcode) {
	case IR_RESHAPE:
	case IR_FLATTEN:
	case IR_IDENTITY:
	case IR_TRANSPOSE:
	case IR_TAKE: {
		float inside = 1.0f;

		view = ir_view_of(ir_in(v->def, 0), scale ? &inside : NULL);
		if (ir_view_through(&view, v->def)) {
			if (scale)
				*scale *= inside;
			return view;
		}
		break;
	}
	default:
		break;
	}
	return ir_view_self(v);
}
