// SPDX-License-Identifier: MIT
/*
 * Cast and CastLike. On the device all floating types are one, so that between them only the name
 * changes; outputs of the program are rounded where they leave.
 */
#include "onnx_map.h"

/* Toward zero, as C does it: the fraction goes before the device rounds. */
static marg truncated(struct ir_map_builder *b, marg x)
{
	marg fraction = ir_map_alu(b, NCA_ALU_MOD, x, ir_map_float(1.0f));

	return ir_map_convert(b, IR_MAP_I32, ir_map_alu(b, NCA_ALU_SUB, x, fraction));
}

static struct ir_value *renamed(struct onnx_node *n, struct ir_value *x, enum ir_dtype to)
{
	struct ir_type t = x->type;
	struct ir_value *in[2];
	struct ir_op *op;

	if (ir_is_const(x)) {
		t.dtype = to;
		return ir_const_f32(n->g, x->name, &t, x->data.f32);
	}
	in[0] = x;
	in[1] = onnx_ints_const(n, t.dim, t.rank);
	op = onnx_op(n, IR_RESHAPE, 2, in);
	op->attr.dtype = to;
	return onnx_result(n, op);
}

static bool is_unsigned_word(enum ir_dtype t)
{
	return t == IR_DT_U32 || t == IR_DT_U64;
}

static struct ir_value *cast(struct onnx_node *n, struct ir_value *x, enum ir_dtype to)
{
	enum ir_dtype from = x->type.dtype;
	struct ir_map_builder b;
	marg v;

	if (from == to)
		return onnx_result(n, onnx_op(n, IR_IDENTITY, 1, &x));
	if (ir_is_float(from) && ir_is_float(to))
		return renamed(n, x, to);
	if (is_unsigned_word(to) && from != IR_DT_BOOL && from != IR_DT_U8 && from != IR_DT_U16 &&
	    !is_unsigned_word(from) && !ir_is_const(x))
		onnx_node_fail(n, "a tensor of type %s cannot be cast to %s: the device turns negative "
				  "numbers into zero", ir_dtype_name(from), ir_dtype_name(to));
	onnx_map_begin(n, &b);
	v = ir_map_input(&b, x);
	if (to == IR_DT_BOOL)
		v = ir_map_alu(&b, NCA_ALU_NE, v, ir_is_float(from) ? ir_map_float(0.0f) :
								      ir_map_int(0));
	else if (ir_is_float(from) && !is_unsigned_word(to))
		v = truncated(&b, v);
	else if (ir_is_int(to))
		v = ir_map_wrap(&b, to, v);
	return ir_map_end(&b, v, to);
}

static struct ir_value *import_cast(struct onnx_node *n)
{
	int64_t to = 0, saturate;
	enum ir_dtype dtype;

	onnx_need_inputs(n, 1, 1);
	onnx_attr_int(n, "saturate", &saturate);	/* only matters for 8-bit floats */
	onnx_attr_int(n, "to", &to);
	dtype = to > INT32_MAX || to < 0 ? IR_DT_NONE : onnx_dtype((int32_t)to);
	if (dtype == IR_DT_NONE)
		onnx_node_fail(n, "the device does not have elements of type %s",
			       onnx_dtype_name(to > INT32_MAX || to < 0 ? -1 : (int32_t)to));
	return cast(n, n->in[0], dtype);
}

static struct ir_value *import_cast_like(struct onnx_node *n)
{
	int64_t saturate;

	onnx_need_inputs(n, 2, 2);
	onnx_attr_int(n, "saturate", &saturate);
	return cast(n, n->in[0], n->in[1]->type.dtype);
}

static const struct onnx_importer importers[] = {
	{ "Cast", import_cast },
	{ "CastLike", import_cast_like },
};

struct ir_value *onnx_import_cast(struct onnx_node *n)
{
	return onnx_import_from(n, importers, sizeof(importers) / sizeof(importers[0]));
}
