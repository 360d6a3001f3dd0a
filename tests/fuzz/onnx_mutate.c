/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "onnx.pb-c.h"
#include "onnx_mutate.h"

enum { DEPTH = 12, STRINGS = 64 };

struct mutation {
	uint64_t random;
	ProtobufCMessage *root;
	uint32_t left; /* messages until the one that is wanted */
	/* names in the model, to wire things up wrongly */
	const char *string[STRINGS];
	uint32_t strings;
};

static uint32_t below(struct mutation *m, uint32_t n)
{
	m->random ^= m->random >> 12;
	m->random ^= m->random << 25;
	m->random ^= m->random >> 27;
	return n ? (uint32_t)((m->random * 0x2545f4914f6cdd1dull >> 32) * n >> 32) : 0;
}

/* ---- walking ---------------------------------------------------------------------- */
static void *at(const ProtobufCMessage *msg, size_t offset)
{
	return (char *)msg + offset;
}

static size_t count(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f)
{
	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return *(size_t *)at(msg, f->quantifier_offset);
	if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return *(uint32_t *)at(msg, f->quantifier_offset) == f->id;
	if (f->type == PROTOBUF_C_TYPE_MESSAGE || f->type == PROTOBUF_C_TYPE_STRING)
		return *(void **)at(msg, f->offset) != NULL;
	return f->label == PROTOBUF_C_LABEL_REQUIRED ||
	       *(protobuf_c_boolean *)at(msg, f->quantifier_offset);
}

static size_t width(const ProtobufCFieldDescriptor *f)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
	case PROTOBUF_C_TYPE_STRING:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	default:
		return 4;
	}
}

static void *element(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f, size_t i)
{
	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return *(char **)at(msg, f->offset) + i * width(f);
	return at(msg, f->offset);
}

/* Visits messages depth first, collects names, and stops at the one that is wanted. */
static ProtobufCMessage *visit(struct mutation *m, ProtobufCMessage *msg, int depth, uint32_t *seen)
{
	if (m->left-- == 0)
		return msg;
	(*seen)++;
	for (unsigned int i = 0; i < msg->descriptor->n_fields && depth < DEPTH; i++) {
		const ProtobufCFieldDescriptor *f = &msg->descriptor->fields[i];
		size_t n = count(msg, f);

		for (size_t k = 0; k < n; k++) {
			ProtobufCMessage *found;

			if (f->type == PROTOBUF_C_TYPE_STRING && m->strings < STRINGS)
				m->string[m->strings++] = *(char **)element(msg, f, k);
			if (f->type != PROTOBUF_C_TYPE_MESSAGE)
				continue;
			found = visit(m, *(ProtobufCMessage **)element(msg, f, k), depth + 1, seen);
			if (found)
				return found;
		}
	}
	return NULL;
}

static ProtobufCMessage *some_message(struct mutation *m)
{
	uint32_t total = 0;

	m->strings = 0;
	m->left = UINT32_MAX;
	visit(m, m->root, 0, &total);
	m->left = below(m, total);
	return visit(m, m->root, 0, &(uint32_t){ 0 });
}

/* ---- single values ------------------------------------------------------------------ */
static int64_t some_integer(struct mutation *m, int64_t old)
{
	static const int64_t odd[] = { 0,	  1,	     -1,	2,	   3,
				       4,	  5,	     7,		8,	   13,
				       64,	  128,	     1000,	65536,	   -2,
				       -3,	  INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN,
				       1ll << 32, 1ll << 40 };

	switch (below(m, 5)) {
	case 0:
		return (int64_t)((uint64_t)old + 1);
	case 1:
		return (int64_t)((uint64_t)old - 1);
	case 2:
		return (int64_t)(0 - (uint64_t)old);
	case 3:
		return (int64_t)((uint64_t)old * 2);
	default:
		return odd[below(m, sizeof(odd) / sizeof(odd[0]))];
	}
}

static double some_float(struct mutation *m, double old)
{
	static const double odd[] = { 0,    -0.0, 1,	 -1,	0.5,	  2,	     6,
				      1e-8, 1e30, -1e30, 1e-45, INFINITY, -INFINITY, NAN };

	return below(m, 3) ? odd[below(m, sizeof(odd) / sizeof(odd[0]))] : -old;
}

static char *some_string(struct mutation *m, const char *old)
{
	static const char *const names[] = { "",	"x",	     "axis",	  "axes",
					     "perm",	"pads",	     "strides",	  "mode",
					     "to",	"Add",	     "Conv",	  "MatMul",
					     "Reshape", "Softmax",   "Transpose", "Concat",
					     "Gather",	"ReduceSum", "Resize",	  "Slice",
					     "Where",	"If" };
	char *s;

	if (m->strings && below(m, 3))
		return strdup(m->string[below(m, m->strings)]);
	if (!old || !*old || below(m, 2))
		return strdup(names[below(m, sizeof(names) / sizeof(names[0]))]);
	s = strdup(old);
	if (s)
		s[below(m, (uint32_t)strlen(s))] = (char)(1 + below(m, 255));
	return s;
}

static void change_bytes(struct mutation *m, ProtobufCBinaryData *b)
{
	size_t len = b->len;
	uint8_t *p;

	switch (below(m, 4)) {
	case 0:
		len = len ? below(m, (uint32_t)len) : 0;
		break;
	case 1:
		len += 1 + below(m, 16);
		break;
	default:
		for (uint32_t i = 0; i < 4 && len; i++)
			b->data[below(m, (uint32_t)len)] = (uint8_t)below(m, 256);
		return;
	}
	p = calloc(1, len + 1);
	if (!p)
		return;
	if (b->len)
		memcpy(p, b->data, len < b->len ? len : b->len);
	free(b->data);
	*b = (ProtobufCBinaryData){ len, p };
}

static void change_value(struct mutation *m, const ProtobufCFieldDescriptor *f, void *v)
{
	char *old;

	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		old = *(char **)v;
		*(char **)v = some_string(m, old);
		if (old != f->default_value)
			free(old);
		break;
	case PROTOBUF_C_TYPE_BYTES:
		change_bytes(m, v);
		break;
	case PROTOBUF_C_TYPE_FLOAT:
		*(float *)v = (float)some_float(m, *(float *)v);
		break;
	case PROTOBUF_C_TYPE_DOUBLE:
		*(double *)v = some_float(m, *(double *)v);
		break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
		*(int64_t *)v = some_integer(m, *(int64_t *)v);
		break;
	case PROTOBUF_C_TYPE_ENUM: /* data types and kinds of attributes */
		*(int32_t *)v = (int32_t)below(m, 24);
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		break;
	default:
		*(int32_t *)v = (int32_t)some_integer(m, *(int32_t *)v);
		break;
	}
}

static ProtobufCMessage *copy_message(const ProtobufCMessage *msg)
{
	size_t len = protobuf_c_message_get_packed_size(msg);
	uint8_t *buf = malloc(len + 1);
	ProtobufCMessage *copy = NULL;

	if (buf) {
		protobuf_c_message_pack(msg, buf);
		copy = protobuf_c_message_unpack(msg->descriptor, NULL, len, buf);
	}
	free(buf);
	return copy;
}

/* ---- lists ----------------------------------------------------------------------------- */
static void free_element(const ProtobufCFieldDescriptor *f, void *v)
{
	if (f->type == PROTOBUF_C_TYPE_MESSAGE)
		protobuf_c_message_free_unpacked(*(ProtobufCMessage **)v, NULL);
	else if (f->type == PROTOBUF_C_TYPE_STRING)
		free(*(char **)v);
	else if (f->type == PROTOBUF_C_TYPE_BYTES)
		free(((ProtobufCBinaryData *)v)->data);
}

static bool copy_element(const ProtobufCFieldDescriptor *f, void *to, const void *from)
{
	const ProtobufCBinaryData *b = from;
	uint8_t *data;

	switch (f->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
		return (*(ProtobufCMessage **)to =
				copy_message(*(ProtobufCMessage *const *)from)) != NULL;
	case PROTOBUF_C_TYPE_STRING:
		return (*(char **)to = strdup(*(char *const *)from)) != NULL;
	case PROTOBUF_C_TYPE_BYTES:
		data = malloc(b->len + 1);
		if (!data)
			return false;
		if (b->len)
			memcpy(data, b->data, b->len);
		*(ProtobufCBinaryData *)to = (ProtobufCBinaryData){ b->len, data };
		return true;
	default:
		memcpy(to, from, width(f));
		return true;
	}
}

static void drop_element(ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f, size_t i)
{
	size_t *n = at(msg, f->quantifier_offset);
	char *v = element(msg, f, i);

	free_element(f, v);
	memmove(v, v + width(f), (*n - i - 1) * width(f));
	--*n;
}

/* Puts a copy of @from behind the others. */
static void append(ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f, const void *from)
{
	size_t *n = at(msg, f->quantifier_offset), w = width(f);
	char **list = at(msg, f->offset), *grown = malloc((*n + 1) * w);

	if (!grown || !copy_element(f, grown + *n * w, from)) {
		free(grown);
		return;
	}
	if (*n)
		memcpy(grown, *list, *n * w);
	free(*list);
	*list = grown;
	++*n;
}

static void swap_elements(ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f, size_t i,
			  size_t k)
{
	uint8_t t[sizeof(ProtobufCBinaryData)];

	memcpy(t, element(msg, f, i), width(f));
	memmove(element(msg, f, i), element(msg, f, k), width(f));
	memcpy(element(msg, f, k), t, width(f));
}

static void change_list(struct mutation *m, ProtobufCMessage *msg,
			const ProtobufCFieldDescriptor *f, size_t n)
{
	uint32_t i = below(m, (uint32_t)n);

	switch (below(m, 5)) {
	case 0:
		drop_element(msg, f, i);
		break;
	case 1:
		append(msg, f, element(msg, f, i));
		break;
	case 2:
		swap_elements(msg, f, i, below(m, (uint32_t)n));
		break;
	default:
		change_value(m, f, element(msg, f, i));
		break;
	}
}

/* An optional field goes, or a number comes that was not there. */
static void change_presence(struct mutation *m, ProtobufCMessage *msg,
			    const ProtobufCFieldDescriptor *f)
{
	bool pointer = f->type == PROTOBUF_C_TYPE_MESSAGE || f->type == PROTOBUF_C_TYPE_STRING;
	void *v = at(msg, f->offset);

	if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF || f->label != PROTOBUF_C_LABEL_OPTIONAL)
		return;
	if (pointer) {
		if (!*(void **)v)
			return;
		free_element(f, v);
		*(void **)v = NULL;
		return;
	}
	if (f->type == PROTOBUF_C_TYPE_BYTES)
		return;
	*(protobuf_c_boolean *)at(msg, f->quantifier_offset) =
		!*(protobuf_c_boolean *)at(msg, f->quantifier_offset);
	if (below(m, 2))
		change_value(m, f, v);
}

static void mutate_message(struct mutation *m, ProtobufCMessage *msg)
{
	for (int attempt = 0; attempt < 8; attempt++) {
		const ProtobufCFieldDescriptor *f =
			&msg->descriptor->fields[below(m, msg->descriptor->n_fields)];
		size_t n = count(msg, f);

		if (f->label == PROTOBUF_C_LABEL_REPEATED && !n)
			continue;
		if (f->label == PROTOBUF_C_LABEL_REPEATED)
			change_list(m, msg, f, n);
		else if (n && below(m, 4))
			change_value(m, f, at(msg, f->offset));
		else
			change_presence(m, msg, f);
		return;
	}
}

size_t onnx_mutate(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	struct mutation m = { .random = seed * 0x9e3779b97f4a7c15ull + 1 };
	Onnx__ModelProto *model = onnx__model_proto__unpack(NULL, size, data);
	size_t len = 0;

	if (!model)
		return 0;
	m.root = &model->base;
	for (uint32_t i = 1 + below(&m, 4); i; i--)
		mutate_message(&m, some_message(&m));
	len = onnx__model_proto__get_packed_size(model);
	if (len <= max)
		onnx__model_proto__pack(model, data);
	onnx__model_proto__free_unpacked(model, NULL);
	return len <= max ? len : 0;
}

static const ProtobufCFieldDescriptor *field(const ProtobufCMessage *msg, const char *name)
{
	return protobuf_c_message_descriptor_get_field_by_name(msg->descriptor, name);
}

/* Half of a new node's inputs become values that are there; a tensor comes along. */
static void graft(struct mutation *m, Onnx__GraphProto *to, const Onnx__GraphProto *from)
{
	Onnx__NodeProto *node;
	size_t last;

	if (!from->n_node)
		return;
	append(&to->base, field(&to->base, "node"), &from->node[below(m, (uint32_t)from->n_node)]);
	last = to->n_node - 1;
	node = to->node[last];
	for (size_t i = 0; i < node->n_input; i++)
		if (below(m, 2))
			change_value(m, field(&node->base, "input"), &node->input[i]);
	if (last)
		swap_elements(&to->base, field(&to->base, "node"), last, below(m, (uint32_t)last));
	if (from->n_initializer)
		append(&to->base, field(&to->base, "initializer"),
		       &from->initializer[below(m, (uint32_t)from->n_initializer)]);
}

size_t onnx_cross(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint8_t *out,
		  size_t max, unsigned int seed)
{
	struct mutation m = { .random = seed * 0x9e3779b97f4a7c15ull + 1 };
	Onnx__ModelProto *to = onnx__model_proto__unpack(NULL, a_size, a);
	Onnx__ModelProto *from = onnx__model_proto__unpack(NULL, b_size, b);
	size_t len = 0;

	if (to && from && to->graph && from->graph) {
		m.root = &to->base;
		some_message(&m); /* collects the names */
		graft(&m, to->graph, from->graph);
		len = onnx__model_proto__get_packed_size(to);
		if (len <= max)
			onnx__model_proto__pack(to, out);
	}
	if (to)
		onnx__model_proto__free_unpacked(to, NULL);
	if (from)
		onnx__model_proto__free_unpacked(from, NULL);
	return len <= max ? len : 0;
}
