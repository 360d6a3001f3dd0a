// SPDX-License-Identifier: MIT
/* Losses: the score of each target is picked by comparing it with every class. */
#include <string.h>

#include "onnx_build.h"

enum reduction { NONE, SUM, MEAN };

static enum reduction read_reduction(struct onnx_node *n)
{
	const char *name = "mean";

	onnx_attr_string(n, "reduction", &name);
	if (!strcmp(name, "none"))
		return NONE;
	if (!strcmp(name, "sum"))
		return SUM;
	if (strcmp(name, "mean"))
		onnx_node_fail(n, "reduction '%.40s' is not known", name);
	return MEAN;
}

/* 1 where the class (dimension 1) is the target's. */
static struct ir_value *one_hot(struct onnx_node *n, struct ir_value *target,
				const struct ir_value *x)
{
	int64_t dims[IR_MAX_RANK];
	struct ir_value *classes;

	if (x->type.rank < 2 || target->type.rank != x->type.rank - 1 ||
	    !ir_is_int(target->type.dtype))
		onnx_node_fail(n, "the targets must be integers, one for each pixel of the scores");
	for (int i = 0; i < x->type.rank; i++)
		dims[i] = i == 1 ? 1 : target->type.dim[i - (i > 1)];
	target = onnx_reshape(n, target, x->type.rank, dims);
	classes = build_iota(n, target->type.dtype, x->type.rank, 1, x->type.dim[1]);
	return onnx_map_binary(n, NCA_ALU_EQ, target, classes, IR_DT_BOOL);
}

static struct ir_value *picked(struct onnx_node *n, struct ir_value *hot, struct ir_value *from)
{
	return build_reduce(n, NCA_ALU_ADD, build_select(n, hot, from, build_float(n, 0.0f)), 2u);
}

/* @x: logarithms of probabilities. */
static struct ir_value *negative_log_likelihood(struct onnx_node *n, struct ir_value *x)
{
	struct ir_value *weight = n->in[2], *hot, *w = NULL, *y, *target = n->in[1];
	enum reduction reduction = read_reduction(n);
	int64_t ignore = 0, dims[IR_MAX_RANK];
	uint32_t all = (1u << x->type.rank) - 1;
	bool ignores = onnx_attr_int(n, "ignore_index", &ignore);

	if (!ir_is_float(x->type.dtype) || (weight && weight->type.dtype != x->type.dtype))
		onnx_node_fail(n, "the scores%s must be floating-point tensors%s",
			       weight ? " and weights" : "", weight ? " of one type" : "");
	hot = one_hot(n, target, x);
	y = picked(n, hot, x);
	if (weight) {
		for (int i = 0; i < x->type.rank; i++)
			dims[i] = i == 1 ? x->type.dim[1] : 1;
		if (ir_type_elements(&weight->type) != x->type.dim[1])
			onnx_node_fail(n, "the weights do not have an element for each class");
		w = picked(n, hot, onnx_reshape(n, weight, x->type.rank, dims));
	}
	if (ignores) {
		struct ir_map_builder b;
		marg t;

		for (int i = 0; i < x->type.rank; i++)
			dims[i] = i == 1 ? 1 : x->type.dim[i];
		onnx_map_begin(n, &b);
		t = ir_map_input(&b, onnx_reshape(n, target, x->type.rank, dims));
		t = ir_map_alu(&b, NCA_ALU_NE, t, ir_map_int(ignore));
		if (w)
			t = ir_map_alu(&b, NCA_ALU_MUL, t, ir_map_input(&b, w));
		w = ir_map_end(&b, t, x->type.dtype);
	}
	y = build_number(n, NCA_ALU_MUL, y, -1.0);
	if (w)
		y = build_binary(n, NCA_ALU_MUL, y, w);
	if (reduction == NONE)
		return onnx_reshape(n, y, target->type.rank, target->type.dim);
	if (reduction == MEAN && !w)
		y = build_number(n, NCA_ALU_DIV, build_reduce(n, NCA_ALU_ADD, y, all),
				 (double)ir_type_elements(&target->type));
	else
		y = build_reduce(n, NCA_ALU_ADD, y, all);
	if (reduction == MEAN && w)
		y = build_binary(n, NCA_ALU_DIV, y, build_reduce(n, NCA_ALU_ADD, w, all));
	return onnx_reshape(n, y, 0, NULL);
}

static struct ir_value *import_nll(struct onnx_node *n)
{
	onnx_need_inputs(n, 2, 3);
	return negative_log_likelihood(n, n->in[0]);
}

static struct ir_value *import_cross_entropy(struct onnx_node *n)
{
	struct ir_value *log_prob;

	onnx_need_inputs(n, 2, 3);
	if (n->in[0]->type.rank < 2)
		onnx_node_fail(n, "the scores have %d dimensions and no classes",
			       n->in[0]->type.rank);
	log_prob = build_log_softmax(n, n->in[0], 1);
	if (n->num_more)
		n->more[0] = log_prob;
	return negative_log_likelihood(n, log_prob);
}

struct ir_value *onnx_import_loss(struct onnx_node *n)
{
	static const struct onnx_importer table[] = {
		{ "NegativeLogLikelihoodLoss", import_nll },
		{ "SoftmaxCrossEntropyLoss", import_cross_entropy },
	};

	return onnx_import_from(n, table, sizeof(table) / sizeof(table[0]));
}
