// SPDX-License-Identifier: MIT
/* What importers of several operators share. */
#include <inttypes.h>
#include <string.h>

#include "onnx_read.h"
#include "pass.h"

int onnx_axis(struct onnx_node *n, int64_t axis, int rank)
{
	if (axis < -rank || axis >= rank)
		onnx_node_fail(n, "axis %" PRId64 " is outside a tensor of %d dimensions", axis,
			       rank);
	return (int)(axis < 0 ? axis + rank : axis);
}

bool onnx_const_ints(struct onnx_node *n, size_t slot, const int64_t **values, size_t *num)
{
	const struct ir_value *v = slot < n->num_in ? n->in[slot] : NULL;

	if (!v || !ir_is_const(v))
		return false;
	if (!ir_is_int(v->type.dtype) || v->type.rank > 1)
		onnx_node_fail(n, "input %zu must be a vector of integers", slot);
	*values = v->data.i64;
	*num = (size_t)ir_type_elements(&v->type);
	return true;
}

bool onnx_ints(struct onnx_node *n, const char *name, size_t slot, int64_t opset,
	       const int64_t **values, size_t *num)
{
	if (n->opset < opset)
		return onnx_attr_ints(n, name, values, num);
	if (onnx_const_ints(n, slot, values, num))
		return true;
	if (slot < n->num_in && n->in[slot])
		onnx_node_fail(n, "its operand %s is computed by the graph, and must be a constant",
			       name);
	return false;
}

bool onnx_declares(const struct onnx_node *n, size_t i)
{
	const struct ir_type *t = &n->declared[i];

	if (i > n->num_more || t->dtype == IR_DT_NONE)
		return false;
	for (int d = 0; d < t->rank; d++)
		if (t->dim[d] <= 0)
			return false;
	return true;
}

struct ir_value *onnx_ints_const(struct onnx_node *n, const int64_t *values, int64_t num)
{
	struct ir_type t = ir_type_make(IR_DT_I64, 1, &num);
	int64_t *copy = cc_new_n(n->g->cc, int64_t, (size_t)num + 1);

	if (num)
		memcpy(copy, values, (size_t)num * sizeof(*copy));
	return ir_const_i64(n->g, NULL, &t, copy);
}

struct ir_value *onnx_reshape(struct onnx_node *n, struct ir_value *x, int rank,
			      const int64_t *dims)
{
	struct ir_value *in[2] = { x, onnx_ints_const(n, dims, rank) };
	struct ir_op *op = onnx_op(n, IR_RESHAPE, 2, in);

	op->attr.allow_zero = true;
	return onnx_result(n, op);
}

struct ir_value *onnx_transpose(struct onnx_node *n, struct ir_value *x, const int64_t *perm)
{
	struct ir_op *op = onnx_op(n, IR_TRANSPOSE, 1, &x);

	memcpy(op->attr.perm, perm, (size_t)x->type.rank * sizeof(*perm));
	return onnx_result(n, op);
}

/* Chains of operators on constants: their reshapes go, too. */
struct ir_value *onnx_fold(struct onnx_node *n, struct ir_value *v)
{
	struct ir_value *folded;

	if (v->kind != IR_VALUE_RESULT)
		return v;
	for (int i = 0; i < v->def->num_inputs; i++) {
		struct ir_value *in = ir_in(v->def, i);

		if (in && !ir_is_const(in) && v->def->opcode == IR_RESHAPE)
			ir_set_input(v->def, i, onnx_fold(n, in));
	}
	folded = pass_fold_op(n->g, v->def);
	return folded ? folded : v;
}

struct ir_value *onnx_filled(struct onnx_node *n, const struct ir_type *t, float value,
			     int64_t integer)
{
	int64_t num = ir_type_elements(t);

	if (ir_is_float(t->dtype)) {
		float *f = cc_new_n(n->g->cc, float, (size_t)num + 1);

		for (int64_t i = 0; i < num; i++)
			f[i] = value;
		return ir_const_f32(n->g, NULL, t, f);
	}
	{
		int64_t *v = cc_new_n(n->g->cc, int64_t, (size_t)num + 1);

		for (int64_t i = 0; i < num; i++)
			v[i] = integer;
		return ir_const_i64(n->g, NULL, t, v);
	}
}

int onnx_choice(struct onnx_node *n, const char *attr, const char *const *names, int num)
{
	const char *value = names[0];

	onnx_attr_string(n, attr, &value);
	for (int i = 0; i < num; i++)
		if (!strcmp(names[i], value))
			return i;
	onnx_node_fail(n, "%s '%.60s' cannot be compiled", attr, value);
}
