// SPDX-License-Identifier: MIT
#include "model_builder.h"

#include <stdlib.h>
#include <string.h>

void *model_alloc(struct model *m, size_t size)
{
	void **block = calloc(1, sizeof(void *) * 2 + size);

	block[0] = m->allocations;
	m->allocations = block;
	return block + 2;
}

static char *dup(struct model *m, const char *s, size_t n)
{
	char *p = model_alloc(m, n + 1);

	memcpy(p, s, n);
	return p;
}

static char *dups(struct model *m, const char *s)
{
	return dup(m, s, strlen(s));
}

/* One more element in an array of pointers. */
static void *append(struct model *m, void *array, size_t *n, void *element)
{
	void **bigger = model_alloc(m, (*n + 1) * sizeof(void *));

	if (*n)
		memcpy(bigger, array, *n * sizeof(void *));
	bigger[(*n)++] = element;
	return bigger;
}

void model_init(struct model *m)
{
	memset(m, 0, sizeof(*m));
	onnx__model_proto__init(&m->proto);
	onnx__graph_proto__init(&m->graph);
	onnx__operator_set_id_proto__init(&m->opset);
	m->opset.has_version = 1;
	m->opset.version = 13;
	m->opset_list[0] = &m->opset;
	m->proto.opset_import = m->opset_list;
	m->proto.n_opset_import = 1;
	m->proto.graph = &m->graph;
	m->graph.name = dups(m, "test");
}

void model_free(struct model *m)
{
	while (m->allocations) {
		void **block = m->allocations;

		m->allocations = block[0];
		free(block);
	}
}

static Onnx__ValueInfoProto *value_info(struct model *m, const char *name)
{
	Onnx__ValueInfoProto *v = model_alloc(m, sizeof(*v));

	onnx__value_info_proto__init(v);
	v->name = dups(m, name);
	return v;
}

void model_input(struct model *m, const char *name, const int64_t *dims)
{
	Onnx__ValueInfoProto *v = value_info(m, name);
	Onnx__TypeProto *type = model_alloc(m, sizeof(*type));
	Onnx__TypeProto__Tensor *tensor = model_alloc(m, sizeof(*tensor));
	Onnx__TensorShapeProto *shape = model_alloc(m, sizeof(*shape));

	onnx__type_proto__init(type);
	onnx__type_proto__tensor__init(tensor);
	onnx__tensor_shape_proto__init(shape);
	v->type = type;
	type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
	type->tensor_type = tensor;
	tensor->has_elem_type = 1;
	tensor->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
	tensor->shape = shape;
	for (; *dims; dims++) {
		Onnx__TensorShapeProto__Dimension *d = model_alloc(m, sizeof(*d));

		onnx__tensor_shape_proto__dimension__init(d);
		if (*dims < 0) {
			d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
			d->dim_param = dups(m, "n");
		} else {
			d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
			d->dim_value = *dims;
		}
		shape->dim = append(m, shape->dim, &shape->n_dim, d);
	}
	m->graph.input = append(m, m->graph.input, &m->graph.n_input, v);
}

void model_output(struct model *m, const char *name)
{
	m->graph.output = append(m, m->graph.output, &m->graph.n_output, value_info(m, name));
}

static Onnx__TensorProto *tensor(struct model *m, const char *name)
{
	Onnx__TensorProto *t = model_alloc(m, sizeof(*t));

	onnx__tensor_proto__init(t);
	t->name = dups(m, name);
	t->has_data_type = 1;
	m->graph.initializer = append(m, m->graph.initializer, &m->graph.n_initializer, t);
	return t;
}

Onnx__TensorProto *model_floats(struct model *m, const char *name, const int64_t *dims, float start,
				float step)
{
	Onnx__TensorProto *t = tensor(m, name);
	size_t n = 1;

	t->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
	t->dims = model_alloc(m, 8 * sizeof(*t->dims));
	for (; dims[t->n_dims]; t->n_dims++) {
		t->dims[t->n_dims] = dims[t->n_dims];
		n *= (size_t)dims[t->n_dims];
	}
	t->float_data = model_alloc(m, n * sizeof(float));
	t->n_float_data = n;
	for (size_t i = 0; i < n; i++)
		t->float_data[i] = start + step * (float)i;
	return t;
}

Onnx__TensorProto *model_ints(struct model *m, const char *name, const int64_t *values, size_t num)
{
	Onnx__TensorProto *t = tensor(m, name);

	t->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
	t->dims = model_alloc(m, sizeof(*t->dims));
	t->dims[0] = (int64_t)num;
	t->n_dims = 1;
	t->int64_data = model_alloc(m, num * sizeof(*values) + 1);
	memcpy(t->int64_data, values, num * sizeof(*values));
	t->n_int64_data = num;
	return t;
}

Onnx__NodeProto *model_node(struct model *m, const char *op, const char *name, const char *inputs,
			    const char *output)
{
	Onnx__NodeProto *n = model_alloc(m, sizeof(*n));

	onnx__node_proto__init(n);
	n->op_type = dups(m, op);
	n->name = dups(m, name);
	while (*inputs) {
		size_t len = strcspn(inputs, " ");

		n->input = append(m, n->input, &n->n_input, dup(m, inputs, len));
		inputs += len + (inputs[len] == ' ');
	}
	n->output = append(m, n->output, &n->n_output, dups(m, output));
	m->graph.node = append(m, m->graph.node, &m->graph.n_node, n);
	return n;
}

Onnx__AttributeProto *model_attr(struct model *m, Onnx__NodeProto *node, const char *name)
{
	Onnx__AttributeProto *a = model_alloc(m, sizeof(*a));

	onnx__attribute_proto__init(a);
	a->name = dups(m, name);
	a->has_type = 1;
	node->attribute = append(m, node->attribute, &node->n_attribute, a);
	return a;
}

void model_attr_int(struct model *m, Onnx__NodeProto *node, const char *name, int64_t v)
{
	Onnx__AttributeProto *a = model_attr(m, node, name);

	a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
	a->has_i = 1;
	a->i = v;
}

void model_attr_ints(struct model *m, Onnx__NodeProto *node, const char *name, size_t num,
		     const int64_t *v)
{
	Onnx__AttributeProto *a = model_attr(m, node, name);

	a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
	a->ints = model_alloc(m, num * sizeof(*v));
	memcpy(a->ints, v, num * sizeof(*v));
	a->n_ints = num;
}

void model_attr_string(struct model *m, Onnx__NodeProto *node, const char *name, const char *v)
{
	Onnx__AttributeProto *a = model_attr(m, node, name);

	a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
	a->has_s = 1;
	a->s.data = (uint8_t *)dups(m, v);
	a->s.len = strlen(v);
}

uint8_t *model_pack(struct model *m, size_t *size)
{
	uint8_t *data;

	*size = onnx__model_proto__get_packed_size(&m->proto);
	data = model_alloc(m, *size + 1);
	onnx__model_proto__pack(&m->proto, data);
	return data;
}
