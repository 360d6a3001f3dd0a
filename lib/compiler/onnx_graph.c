// SPDX-License-Identifier: MIT
/* A model's graph: names resolved, nodes imported in order. */
#include <inttypes.h>
#include <string.h>

#include "onnx_read.h"
#include "pass.h"

/* uthash's memory comes from the arena too; @cc is in scope wherever the table changes. */
#define uthash_malloc(size) cc_alloc(cc, size)
#define uthash_free(p, size) ((void)(p))
#include <uthash.h>

struct name {
	const char *key;
	struct ir_value *value; /* NULL: a result that is not computed, such as a dropout mask */
	const struct ir_op *maker;
	UT_hash_handle hh;
};

struct declared {
	const char *key;
	struct ir_type type;
	UT_hash_handle hh;
};

struct reader {
	struct ir_graph *g;
	const struct onnx_options *options;
	struct name *names;
	struct declared *declared;
	int64_t opset;
};

static void define(struct reader *r, const char *key, struct ir_value *value)
{
	struct cc *cc = r->g->cc;
	struct name *e;

	HASH_FIND_STR(r->names, key, e);
	if (e)
		cc_fail(cc, ACCELCC_BAD_INPUT,
			"the name '%.120s' is defined twice; the model is broken", key);
	e = cc_new(cc, struct name);
	e->key = key;
	e->value = value;
	HASH_ADD_KEYPTR(hh, r->names, e->key, strlen(e->key), e);
}

static struct ir_value *lookup(struct reader *r, const char *key, const char *who)
{
	struct cc *cc = r->g->cc;
	struct name *e;

	HASH_FIND_STR(r->names, key, e);
	if (!e)
		cc_fail(cc, ACCELCC_BAD_INPUT,
			"%.160s reads '%.120s', which nothing before it defines; the nodes "
			"must be in topological order",
			who, key);
	if (!e->value)
		cc_fail(cc, ACCELCC_BAD_INPUT,
			"%.160s reads '%.120s', a second result of its node that cannot be "
			"compiled",
			who, key);
	return e->value;
}

static int64_t symbolic_dim(struct reader *r, const char *input, size_t i, const char *name)
{
	for (size_t k = 0; k < r->options->num_dims; k++)
		if (!strcmp(r->options->dims[k].name, name))
			return r->options->dims[k].value;
	cc_fail(r->g->cc, ACCELCC_BAD_INPUT,
		"dimension %zu of input '%.120s' is the symbol '%.60s'; give it a "
		"value with --dim %.60s=N",
		i, input, name, name);
}

static struct ir_type input_type(struct reader *r, const Onnx__ValueInfoProto *info)
{
	const Onnx__TypeProto__Tensor *tensor;
	struct ir_type t = { .dtype = IR_DT_NONE };
	struct cc *cc = r->g->cc;
	int64_t total = 1;

	if (info->type && info->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
		cc_fail(cc, ACCELCC_BAD_INPUT,
			"input '%.120s' is no tensor, and the device has no sequences, optionals and "
			"maps", info->name);
	if (!info->type || !info->type->tensor_type || !info->type->tensor_type->shape)
		cc_fail(cc, ACCELCC_BAD_INPUT, "input '%.120s' is not a tensor of known shape",
			info->name);
	tensor = info->type->tensor_type;
	t.dtype = onnx_dtype(tensor->elem_type);
	if (t.dtype == IR_DT_NONE)
		cc_fail(cc, ACCELCC_BAD_INPUT,
			"input '%.120s' has elements of type %s, which the device does not have",
			info->name, onnx_dtype_name(tensor->elem_type));
	if (tensor->shape->n_dim > IR_MAX_RANK)
		cc_fail(cc, ACCELCC_BAD_INPUT, "input '%.120s' has %zu dimensions, more than %d",
			info->name, tensor->shape->n_dim, IR_MAX_RANK);
	t.rank = (int)tensor->shape->n_dim;
	for (size_t i = 0; i < tensor->shape->n_dim; i++) {
		const Onnx__TensorShapeProto__Dimension *d = tensor->shape->dim[i];

		if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
			t.dim[i] = d->dim_value;
		else
			t.dim[i] = symbolic_dim(
				r, info->name, i,
				d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM &&
						d->dim_param
					? d->dim_param
					: "?");
		if (t.dim[i] < 0 || __builtin_mul_overflow(total, t.dim[i] ? t.dim[i] : 1, &total) ||
		    total > IR_MAX_ELEMENTS)
			cc_fail(cc, ACCELCC_BAD_INPUT,
				"dimension %zu of input '%.120s' is %" PRId64 "; it must not be "
				"negative, and the tensor no larger than %" PRId64 " elements",
				i, info->name, t.dim[i], IR_MAX_ELEMENTS);
	}
	return t;
}

static struct ir_value *empty(struct reader *r, const char *name, const struct ir_type *t)
{
	if (ir_is_float(t->dtype))
		return ir_const_f32(r->g, name, t, cc_new(r->g->cc, float));
	return ir_const_i64(r->g, name, t, cc_new(r->g->cc, int64_t));
}

static void read_inputs(struct reader *r, const Onnx__GraphProto *p)
{
	struct cc *cc = r->g->cc;

	for (size_t i = 0; i < p->n_initializer; i++) {
		const Onnx__TensorProto *t = p->initializer[i];

		if (!t->name || !t->name[0])
			cc_fail(cc, ACCELCC_BAD_INPUT, "initializer %zu has no name", i);
		define(r, t->name, onnx_tensor(r->g, t, t->name));
	}
	r->g->inputs = cc_new_n(cc, struct ir_value *, p->n_input);
	for (size_t i = 0; i < p->n_input; i++) {
		const Onnx__ValueInfoProto *info = p->input[i];
		struct name *known = NULL;
		struct ir_type t;

		if (!info->name || !info->name[0])
			cc_fail(cc, ACCELCC_BAD_INPUT, "graph input %zu has no name", i);
		HASH_FIND_STR(r->names, info->name, known);
		/* Older models list their initializers among the inputs. */
		if (known && ir_is_const(known->value))
			continue;
		t = input_type(r, info);
		/* All of an empty tensor is known, and nobody has to bring it. */
		if (!ir_type_elements(&t)) {
			define(r, info->name, empty(r, info->name, &t));
			continue;
		}
		r->g->inputs[r->g->num_inputs] = ir_input(r->g, info->name, &t);
		define(r, info->name, r->g->inputs[r->g->num_inputs++]);
	}
}

/* Types of results, as far as the model says them and they are fixed. */
static void read_declared(struct reader *r, Onnx__ValueInfoProto *const *infos, size_t num)
{
	struct cc *cc = r->g->cc;

	for (size_t i = 0; i < num; i++) {
		const Onnx__ValueInfoProto *info = infos[i];
		const Onnx__TypeProto__Tensor *t = NULL;
		struct declared *d, *old;
		bool fixed;

		if (info->type && info->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
			t = info->type->tensor_type;
		if (!info->name || !t || !t->shape || t->shape->n_dim > IR_MAX_RANK)
			continue;
		d = cc_new(cc, struct declared);
		d->key = info->name;
		d->type.dtype = onnx_dtype(t->elem_type);
		d->type.rank = (int)t->shape->n_dim;
		fixed = d->type.dtype != IR_DT_NONE;
		for (size_t k = 0; k < t->shape->n_dim; k++) {
			const Onnx__TensorShapeProto__Dimension *dim = t->shape->dim[k];

			fixed = fixed && dim->value_case ==
				ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
			d->type.dim[k] = dim->dim_value;
		}
		HASH_FIND_STR(r->declared, d->key, old);
		if (fixed && !old)
			HASH_ADD_KEYPTR(hh, r->declared, d->key, strlen(d->key), d);
	}
}

static const struct ir_type *declared_types(struct reader *r, const Onnx__NodeProto *p)
{
	struct ir_type *types = cc_new_n(r->g->cc, struct ir_type, p->n_output + 1);
	struct declared *d;

	for (size_t i = 0; i < p->n_output; i++) {
		d = NULL;
		if (p->output[i])
			HASH_FIND_STR(r->declared, p->output[i], d);
		if (d)
			types[i] = d->type;
	}
	return types;
}

struct ir_op *onnx_op(struct onnx_node *n, enum ir_opcode opcode, int num_inputs,
		      struct ir_value *const *in)
{
	struct ir_op *op = ir_op_new(n->g, opcode, n->name, num_inputs, in, NULL);

	op->onnx_type = n->proto->op_type;
	return op;
}

struct ir_value *onnx_result(struct onnx_node *n, struct ir_op *op)
{
	struct ir_value *v;

	op->out->type = ir_infer(n->g, op);
	v = pass_fold_op(n->g, op);
	if (!v)
		return op->out;
	pass_replace(n->g, op, v);
	return v;
}

/*
 * Types of what an importer has built after @last, and constants where its operands are: importers
 * may rely on knowing the type of every operand, and its value if the graph computes it from
 * constants.
 */
static void settle(struct onnx_node *n, struct ir_op *last, struct ir_value **result)
{
	struct ir_op *next;

	for (struct ir_op *op = last ? last->next : n->g->first; op; op = next) {
		struct ir_value *old = op->out, *v;

		next = op->next;
		v = onnx_result(n, op);
		if (v == old)
			continue;
		if (*result == old)
			*result = v;
		for (size_t i = 0; i < n->num_more; i++)
			if (n->more[i] == old)
				n->more[i] = v;
	}
}

static void read_node(struct reader *r, const Onnx__NodeProto *p, size_t index)
{
	struct ir_op *last = r->g->last;
	struct cc *cc = r->g->cc;
	struct onnx_node n = { .g = r->g, .proto = p, .opset = r->opset };
	struct ir_value *result;
	char who[200];

	n.name = p->name && p->name[0] ? p->name :
		 p->n_output && p->output[0] && p->output[0][0] ? p->output[0] :
		 cc_printf(cc, "#%zu", index);
	snprintf(who, sizeof(who), "node '%.120s' (%.40s)", n.name, p->op_type ? p->op_type : "?");
	if (p->n_output < 1)
		onnx_node_fail(&n, "it has no result");
	n.num_in = p->n_input;
	/* Trailing empty names stand for optional inputs left out. */
	while (n.num_in && (!p->input[n.num_in - 1] || !p->input[n.num_in - 1][0]))
		n.num_in--;
	n.in = cc_new_n(cc, struct ir_value *, n.num_in + IR_MIN_SLOTS);
	n.num_more = p->n_output - 1;
	n.more = cc_new_n(cc, struct ir_value *, n.num_more + 1);
	for (size_t i = 0; i < n.num_in; i++)
		if (p->input[i] && p->input[i][0])
			n.in[i] = lookup(r, p->input[i], who);
	n.declared = declared_types(r, p);
	onnx_check_types(&n);
	result = onnx_import_node(&n);
	settle(&n, last, &result);
	for (size_t i = 0; i < p->n_output; i++) {
		struct ir_value *v = i ? n.more[i - 1] : result;

		if (!p->output[i] || !p->output[i][0])
			continue;
		if (v && !v->name)
			v->name = p->output[i];
		define(r, p->output[i], v);
	}
}

static void read_outputs(struct reader *r, const Onnx__GraphProto *p)
{
	struct ir_graph *g = r->g;

	g->outputs = cc_new_n(g->cc, struct ir_value *, p->n_output);
	g->output_names = cc_new_n(g->cc, const char *, p->n_output);
	for (size_t i = 0; i < p->n_output; i++) {
		const char *name = p->output[i]->name;

		if (!name || !name[0])
			cc_fail(g->cc, ACCELCC_BAD_INPUT, "graph output %zu has no name", i);
		for (size_t k = 0; k < i; k++)
			if (!strcmp(name, g->output_names[k]))
				cc_fail(g->cc, ACCELCC_BAD_INPUT,
					"the graph output '%.120s' is listed twice", name);
		g->outputs[i] = lookup(r, name, "the graph's output list");
		g->output_names[i] = name;
		if (!ir_type_elements(&g->outputs[i]->type))
			cc_fail(g->cc, ACCELCC_BAD_INPUT,
				"the output '%.120s' has no elements, so there is nothing to compute; "
				"take it out of the graph's outputs", name);
	}
	g->num_outputs = p->n_output;
	if (!g->num_outputs)
		cc_fail(g->cc, ACCELCC_BAD_INPUT,
			"the graph has no outputs, so there is nothing to compute");
}

static int64_t find_opset(struct cc *cc, const Onnx__ModelProto *model)
{
	int64_t opset = model->n_opset_import ? ONNX_MAX_OPSET : 0;

	/* A model whose operators are all of other domains does not name a version of this one. */
	for (size_t i = 0; i < model->n_opset_import; i++) {
		const Onnx__OperatorSetIdProto *id = model->opset_import[i];

		/* A model of other domains only: each node says what cannot be compiled. */
		if (!opset && id->domain && id->domain[0])
			opset = ONNX_MIN_OPSET;
		if (!id->domain || !id->domain[0] || !strcmp(id->domain, "ai.onnx"))
			opset = id->version;
	}
	if (opset < ONNX_MIN_OPSET || opset > ONNX_MAX_OPSET)
		cc_fail(cc, ACCELCC_BAD_INPUT,
			"the model uses ONNX opset %" PRId64 ", and %d to %d are understood; "
			"convert it with onnx.version_converter",
			opset, ONNX_MIN_OPSET, ONNX_MAX_OPSET);
	return opset;
}

struct ir_graph *onnx_read(struct cc *cc, const void *data, size_t size,
			   const struct onnx_options *options)
{
	const Onnx__ModelProto *model = onnx_parse(cc, data, size);
	struct reader r = { .options = options };
	const Onnx__GraphProto *p = model->graph;

	if (!p)
		cc_fail(cc, ACCELCC_BAD_INPUT, "the file has no graph; it is not an ONNX model");
	r.opset = find_opset(cc, model);
	if (p->n_sparse_initializer)
		cc_fail(cc, ACCELCC_BAD_INPUT,
			"the model has sparse initializers, which cannot be compiled");
	r.g = ir_graph_new(cc, p->name ? p->name : "");
	read_inputs(&r, p);
	read_declared(&r, p->output, p->n_output);
	read_declared(&r, p->value_info, p->n_value_info);
	for (size_t i = 0; i < p->n_node; i++)
		read_node(&r, p->node[i], i);
	read_outputs(&r, p);
	return r.g;
}
