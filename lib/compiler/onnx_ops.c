// SPDX-License-Identifier: MIT
/* One function per ONNX operator: attributes and operands checked, IR built. */
#include <inttypes.h>
#include <string.h>

#include "onnx_map.h"
#include "onnx_window.h"

static struct ir_op *new_op(struct onnx_node *n, enum ir_opcode opcode, int num_inputs)
{
	struct ir_op *op = ir_op_new(n->g, opcode, n->name, num_inputs, n->in, NULL);

	op->onnx_type = n->proto->op_type;
	return op;
}

static void refuse_int(struct onnx_node *n, const char *attr, int64_t accepted, const char *why)
{
	int64_t v = accepted;

	if (onnx_attr_int(n, attr, &v) && v != accepted)
		onnx_node_fail(n, "%s = %" PRId64 " cannot be compiled: %s", attr, v, why);
}

/* An attribute with one value per spatial dimension, into a window's two. */
static bool spatial(struct onnx_node *n, const char *attr, int64_t out[2])
{
	const int64_t *v;
	size_t num;

	if (!onnx_attr_ints(n, attr, &v, &num))
		return false;
	if (num != 1 && num != 2)
		onnx_node_fail(n,
			       "%s has %zu values, and only one- and two-dimensional windows can "
			       "be compiled",
			       attr, num);
	if (num == 2)
		out[0] = v[0];
	out[1] = v[num - 1];
	return true;
}

static void read_window(struct onnx_node *n, struct ir_window *w, bool need_kernel)
{
	const char *auto_pad = "NOTSET";
	const int64_t *pads;
	size_t num;

	*w = (struct ir_window) { .kernel = { 1, 1 }, .stride = { 1, 1 }, .dilation = { 1, 1 } };
	if (!spatial(n, "kernel_shape", w->kernel) && need_kernel)
		onnx_node_fail(n, "attribute kernel_shape is missing");
	spatial(n, "strides", w->stride);
	spatial(n, "dilations", w->dilation);
	onnx_attr_string(n, "auto_pad", &auto_pad);
	if (!strcmp(auto_pad, "SAME_UPPER"))
		w->auto_pad = IR_PAD_SAME_UPPER;
	else if (!strcmp(auto_pad, "SAME_LOWER"))
		w->auto_pad = IR_PAD_SAME_LOWER;
	else if (!strcmp(auto_pad, "VALID"))
		w->auto_pad = IR_PAD_VALID;
	else if (strcmp(auto_pad, "NOTSET"))
		onnx_node_fail(n, "auto_pad '%.40s' is not known", auto_pad);
	if (!onnx_attr_ints(n, "pads", &pads, &num))
		return;
	if (num != 2 && num != 4)
		onnx_node_fail(n,
			       "pads has %zu values, and only one- and two-dimensional windows can "
			       "be compiled",
			       num);
	if (w->auto_pad != IR_PAD_EXPLICIT)
		return;
	w->pad[0] = num == 4 ? pads[0] : 0;
	w->pad[1] = pads[num == 4 ? 1 : 0];
	w->pad[2] = num == 4 ? pads[2] : 0;
	w->pad[3] = pads[num - 1];
}

static struct ir_value *import_conv(struct onnx_node *n)
{
	const struct ir_type *wt;
	struct ir_window w;
	int64_t group = 1;
	struct ir_op *op;

	onnx_need_inputs(n, 2, 3);
	wt = &n->in[1]->type;
	if (!ir_is_const(n->in[1]) || ir_is_const(n->in[0]) || wt->rank > 4 ||
	    (n->in[2] && !ir_is_const(n->in[2])))
		return onnx_any_conv(n);
	read_window(n, &w, false);
	onnx_attr_int(n, "group", &group);
	/* The weight's shape decides; kernel_shape, when given, is checked against it. */
	if (wt->rank == 3 || wt->rank == 4) {
		int64_t given[2] = { w.kernel[0], w.kernel[1] };
		bool has = spatial(n, "kernel_shape", given);

		w.kernel[0] = wt->rank == 4 ? wt->dim[2] : 1;
		w.kernel[1] = wt->dim[wt->rank - 1];
		if (has && (given[0] != w.kernel[0] || given[1] != w.kernel[1]))
			onnx_node_fail(n, "kernel_shape is not the shape of the weight");
	}
	op = new_op(n, IR_CONV, (int)n->num_in);
	op->attr.window = w;
	op->attr.group = group;
	return op->out;
}

static struct ir_value *import_gemm(struct onnx_node *n)
{
	int64_t ta = 0, tb = 0, broadcast;
	float alpha = 1.0f, beta = 1.0f;
	struct ir_op *op;

	onnx_need_inputs(n, 2, 3);
	onnx_attr_int(n, "transA", &ta);
	onnx_attr_int(n, "transB", &tb);
	onnx_attr_float(n, "alpha", &alpha);
	onnx_attr_float(n, "beta", &beta);
	if (n->opset < 7) /* C was broadcast only on request; broadcasting now is never wrong */
		onnx_attr_int(n, "broadcast", &broadcast);
	op = new_op(n, IR_GEMM, (int)n->num_in);
	op->attr.trans_a = ta != 0;
	op->attr.trans_b = tb != 0;
	op->attr.alpha = alpha;
	op->attr.beta = beta;
	return op->out;
}

static struct ir_value *import_simple(struct onnx_node *n, enum ir_opcode opcode, size_t num_inputs)
{
	onnx_need_inputs(n, num_inputs, num_inputs);
	return new_op(n, opcode, (int)num_inputs)->out;
}

/* Before opset 7 the default was training. */
static void need_is_test(struct onnx_node *n)
{
	int64_t is_test = n->opset >= 7;

	if (n->opset < 7)
		onnx_attr_int(n, "is_test", &is_test);
	if (!is_test)
		onnx_node_fail(n, "is_test is not set; only inference can be compiled");
}

static struct ir_value *import_batch_norm(struct onnx_node *n)
{
	float epsilon = 1e-5f, momentum = 0.9f;
	int64_t training = 0;
	bool computed = false;
	struct ir_op *op;

	onnx_need_inputs(n, 5, 5);
	need_is_test(n);
	onnx_attr_float(n, "epsilon", &epsilon);
	onnx_attr_float(n, "momentum", &momentum);
	onnx_attr_int(n, "training_mode", &training);
	refuse_int(n, "spatial", 1, "statistics per pixel are not a convolutional net's");
	for (size_t i = 1; i < 5; i++)
		computed |= !ir_is_const(n->in[i]);
	if (computed || training)
		return build_batch_norm(n, epsilon, momentum, training != 0);
	op = new_op(n, IR_BATCH_NORM, 5);
	op->attr.epsilon = epsilon;
	return op->out;
}

static struct ir_value *import_pool(struct onnx_node *n, enum ir_opcode opcode)
{
	int64_t ceil_mode = 0, include = 0;
	struct ir_window w;
	struct ir_op *op;

	onnx_need_inputs(n, 1, 1);
	if (!onnx_pool_is_simple(n))
		return opcode == IR_MAX_POOL ? onnx_any_max_pool(n) : onnx_any_avg_pool(n);
	read_window(n, &w, true);
	onnx_attr_int(n, "ceil_mode", &ceil_mode);
	if (opcode == IR_AVG_POOL)
		onnx_attr_int(n, "count_include_pad", &include);
	w.ceil_mode = ceil_mode != 0;
	w.count_include_pad = include != 0;
	op = new_op(n, opcode, 1);
	op->attr.window = w;
	return op->out;
}

static struct ir_value *import_dropout(struct onnx_node *n)
{
	const struct ir_value *given, *training;
	float ratio = 0.5f;
	int64_t seed;

	onnx_need_inputs(n, 1, 3);
	need_is_test(n);
	onnx_attr_float(n, "ratio", &ratio);
	onnx_attr_int(n, "seed", &seed);
	given = n->num_in > 1 ? n->in[1] : NULL;
	if (given && ir_is_const(given) && ir_is_float(given->type.dtype) &&
	    ir_type_elements(&given->type) == 1)
		ratio = given->data.f32[0];
	training = n->num_in > 2 ? n->in[2] : NULL;
	/* Some networks are exported in training mode with nothing dropped. */
	if (training && ratio != 0.0f && (!ir_is_const(training) || !ir_is_int(training->type.dtype) ||
			 ir_type_elements(&training->type) != 1 || training->data.i64[0]))
		onnx_node_fail(
			n,
			"training_mode is not the constant false; only inference can be compiled");
	/* Nothing is dropped, and that is what the mask says. */
	if (n->num_more) {
		struct ir_type t = n->in[0]->type;
		int64_t num = ir_type_elements(&t), *ones = cc_new_n(n->g->cc, int64_t, (size_t)num + 1);

		for (int64_t i = 0; i < num; i++)
			ones[i] = 1;
		n->more[0] = build_ints(n, IR_DT_BOOL, t.rank, t.dim, ones);
		if (n->opset < 10)
			n->more[0] = build_convert(n, n->more[0], t.dtype);
	}
	return new_op(n, IR_IDENTITY, 1)->out;
}

static struct ir_value *import_constant(struct onnx_node *n)
{
	static const int64_t one = 1;
	const Onnx__TensorProto *t;
	struct ir_type type;
	const int64_t *ints;
	const float *floats;
	int64_t i;
	float f;
	size_t num;

	onnx_need_inputs(n, 0, 0);
	t = onnx_attr_tensor(n, "value");
	if (t)
		return onnx_tensor(n->g, t, n->name);
	if (onnx_attr_int(n, "value_int", &i)) {
		type = ir_type_make(IR_DT_I64, 0, NULL);
		return ir_const_i64(n->g, n->name, &type,
				    memcpy(cc_new(n->g->cc, int64_t), &i, sizeof(i)));
	}
	if (onnx_attr_float(n, "value_float", &f)) {
		type = ir_type_make(IR_DT_F32, 0, NULL);
		return ir_const_f32(n->g, n->name, &type,
				    memcpy(cc_new(n->g->cc, float), &f, sizeof(f)));
	}
	if (onnx_attr_ints(n, "value_ints", &ints, &num)) {
		type = ir_type_make(IR_DT_I64, 1, &one);
		type.dim[0] = (int64_t)num;
		return ir_const_i64(n->g, n->name, &type, num ? ints : cc_new(n->g->cc, int64_t));
	}
	if (onnx_attr_floats(n, "value_floats", &floats, &num) && num) {
		type = ir_type_make(IR_DT_F32, 1, &one);
		type.dim[0] = (int64_t)num;
		return ir_const_f32(n->g, n->name, &type, floats);
	}
	onnx_node_fail(n,
		       "it has no value that can be read (tensor, int, float or a list of them)");
}

static struct ir_value *import_matmul(struct onnx_node *n)
{
	return import_simple(n, IR_MATMUL, 2);
}

static struct ir_value *import_relu(struct onnx_node *n)
{
	return import_simple(n, IR_RELU, 1);
}

static struct ir_value *import_identity(struct onnx_node *n)
{
	return import_simple(n, IR_IDENTITY, 1);
}

static struct ir_value *import_gap(struct onnx_node *n)
{
	return import_simple(n, IR_GLOBAL_AVG_POOL, 1);
}

static struct ir_value *import_max_pool(struct onnx_node *n)
{
	return import_pool(n, IR_MAX_POOL);
}

static struct ir_value *import_avg_pool(struct onnx_node *n)
{
	return import_pool(n, IR_AVG_POOL);
}

static const struct {
	const char *type;
	struct ir_value *(*import)(struct onnx_node *n);
} importers[] = {
	{ "AveragePool", import_avg_pool },
	{ "BatchNormalization", import_batch_norm },
	{ "Constant", import_constant },
	{ "Conv", import_conv },
	{ "Dropout", import_dropout },
	{ "Gemm", import_gemm },
	{ "GlobalAveragePool", import_gap },
	{ "Identity", import_identity },
	{ "MatMul", import_matmul },
	{ "MaxPool", import_max_pool },
	{ "Relu", import_relu },
};

/* Importers of whole groups of operators, in files of their own. */
static struct ir_value *(*const others[])(struct onnx_node *n) = {
	onnx_import_elementwise,
	onnx_import_logic,
	onnx_import_math,
	onnx_import_cast,
	onnx_import_gather,
	onnx_import_grid_sample,
	onnx_import_move,
	onnx_import_resize,
	onnx_import_shape,
	onnx_import_reduce,
	onnx_import_norm,
	onnx_import_loss,
	onnx_import_quant,
	onnx_import_window,
	onnx_import_pool,
	onnx_import_rnn,
	onnx_import_einsum,
	onnx_import_signal,
};

static struct ir_value *import(struct onnx_node *n)
{
	struct ir_value *v = NULL;

	for (size_t i = 0; i < sizeof(importers) / sizeof(importers[0]); i++)
		if (onnx_is(n, importers[i].type))
			return importers[i].import(n);
	for (size_t i = 0; !v && i < sizeof(others) / sizeof(others[0]); i++)
		v = others[i](n);
	return v;
}

bool onnx_is(struct onnx_node *n, const char *type)
{
	if (!n->names)
		return n->proto->op_type && !strcmp(n->proto->op_type, type);
	if (n->num_names < n->max_names)
		n->names[n->num_names] = type;
	n->num_names++;
	return false;
}

size_t onnx_operator_names(const char **names, size_t max)
{
	Onnx__NodeProto none = ONNX__NODE_PROTO__INIT;
	struct onnx_node n = { .proto = &none, .names = names, .max_names = max };

	none.op_type = (char *)(uintptr_t)"";
	import(&n);
	return n.num_names;
}

/*
 * Empty vectors are the shape of a scalar, or lists of nothing. An empty image or matrix has a meaning to
 * operators that look at shapes or move pieces; to all others it is a dimension they would divide by.
 */
static void refuse_empty(struct onnx_node *n)
{
	static const char *const fine[] = { "Cast", "Concat", "Expand", "Flatten", "Identity",
					    "Reshape", "Shape", "Size", "Slice", "Squeeze",
					    "Transpose", "Unsqueeze" };

	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		if (n->proto->op_type && !strcmp(n->proto->op_type, fine[i]))
			return;
	for (size_t i = 0; i < n->num_in; i++)
		if (n->in[i] && n->in[i]->type.rank > 1 && !ir_type_elements(&n->in[i]->type))
			onnx_node_fail(n, "input %zu has no elements, and empty tensors cannot be compiled",
				       i);
}

struct ir_value *onnx_import_node(struct onnx_node *n)
{
	const char *domain = n->proto->domain;
	struct ir_value *v;

	if (domain && !strcmp(domain, "ai.onnx.preview.training")) {
		v = onnx_import_training(n);
		if (v) {
			onnx_attrs_done(n);
			return v;
		}
	}
	if (domain && domain[0] && strcmp(domain, "ai.onnx"))
		onnx_node_fail(n, "the operator %.40s of the domain '%.80s' cannot be compiled",
			       n->proto->op_type ? n->proto->op_type : "?", domain);
	refuse_empty(n);
	v = import(n);
	if (v) {
		onnx_attrs_done(n);
		return v;
	}
	onnx_refuse(n);
}
