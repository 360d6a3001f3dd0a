// SPDX-License-Identifier: MIT
#include <string.h>

#include "onnx_read.h"

#define MAX_ATTRS 64	/* one bit each in attrs_taken */

void onnx_node_fail(const struct onnx_node *n, const char *fmt, ...)
{
	char reason[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	cc_fail(n->g->cc, ACCELCC_BAD_INPUT, "node '%.120s' (%.60s): %s", n->name,
		n->proto->op_type ? n->proto->op_type : "?", reason);
}

static const Onnx__AttributeProto *take(struct onnx_node *n, const char *name,
					Onnx__AttributeProto__AttributeType type)
{
	for (size_t i = 0; i < n->proto->n_attribute && i < MAX_ATTRS; i++) {
		const Onnx__AttributeProto *a = n->proto->attribute[i];

		if (!a->name || strcmp(a->name, name))
			continue;
		n->attrs_taken |= UINT64_C(1) << i;
		if (a->ref_attr_name && a->ref_attr_name[0])
			onnx_node_fail(n,
				       "attribute %s refers to a function's attribute, and "
				       "functions cannot "
				       "be compiled",
				       name);
		if (a->has_type && a->type != type)
			onnx_node_fail(n, "attribute %s has type %d instead of %d", name,
				       (int)a->type, (int)type);
		return a;
	}
	return NULL;
}

bool onnx_attr_int(struct onnx_node *n, const char *name, int64_t *value)
{
	const Onnx__AttributeProto *a = take(n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);

	if (a)
		*value = a->i;
	return a != NULL;
}

bool onnx_attr_float(struct onnx_node *n, const char *name, float *value)
{
	const Onnx__AttributeProto *a = take(n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);

	if (a)
		*value = a->f;
	return a != NULL;
}

bool onnx_attr_ints(struct onnx_node *n, const char *name, const int64_t **values, size_t *num)
{
	const Onnx__AttributeProto *a = take(n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);

	if (a) {
		*values = a->ints;
		*num = a->n_ints;
	}
	return a != NULL;
}

bool onnx_attr_floats(struct onnx_node *n, const char *name, const float **values, size_t *num)
{
	const Onnx__AttributeProto *a =
		take(n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS);

	if (a) {
		*values = a->floats;
		*num = a->n_floats;
	}
	return a != NULL;
}

bool onnx_attr_string(struct onnx_node *n, const char *name, const char **value)
{
	const Onnx__AttributeProto *a =
		take(n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);

	if (a)
		*value = cc_strndup(n->g->cc, a->s.data ? (const char *)a->s.data : "",
				    a->s.data ? a->s.len : 0);
	return a != NULL;
}

bool onnx_attr_strings(struct onnx_node *n, const char *name, const char *const **values, size_t *num)
{
	const Onnx__AttributeProto *a = take(n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS);
	const char **copy;

	if (!a)
		return false;
	copy = cc_new_n(n->g->cc, const char *, a->n_strings + 1);
	for (size_t i = 0; i < a->n_strings; i++)
		copy[i] = cc_strndup(n->g->cc,
				     a->strings[i].data ? (const char *)a->strings[i].data : "",
				     a->strings[i].data ? a->strings[i].len : 0);
	*values = copy;
	*num = a->n_strings;
	return true;
}

const Onnx__TensorProto *onnx_attr_tensor(struct onnx_node *n, const char *name)
{
	const Onnx__AttributeProto *a =
		take(n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR);

	if (a && !a->t)
		onnx_node_fail(n, "attribute %s has no tensor in it", name);
	return a ? a->t : NULL;
}

void onnx_attrs_done(struct onnx_node *n)
{
	if (n->proto->n_attribute > MAX_ATTRS)
		onnx_node_fail(n, "%zu attributes are more than any operator has",
			       n->proto->n_attribute);
	for (size_t i = 0; i < n->proto->n_attribute; i++)
		if (!(n->attrs_taken >> i & 1))
			onnx_node_fail(n, "attribute %.60s is not known for this operator",
				       n->proto->attribute[i]->name ? n->proto->attribute[i]->name
								    : "?");
}
