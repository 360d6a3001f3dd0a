// SPDX-License-Identifier: MIT
#include "npy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onnx.pb-c.h"

void *read_whole_file(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data;
	long len;

	if (!f)
		return NULL;
	fseek(f, 0, SEEK_END);
	len = ftell(f);
	rewind(f);
	data = malloc((size_t)len + 1);
	if (data && fread(data, 1, (size_t)len, f) != (size_t)len) {
		free(data);
		data = NULL;
	}
	fclose(f);
	if (data)
		data[len] = 0;
	*size = (size_t)len;
	return data;
}

bool npy_read(const char *path, struct npy *out)
{
	size_t size, header, elem;
	uint8_t *data = read_whole_file(path, &size);
	const char *p, *end;

	memset(out, 0, sizeof(*out));
	if (!data || size < 10 || memcmp(data, "\x93NUMPY\x01", 7)) {
		free(data);
		return false;
	}
	header = 10 + data[8] + 256u * data[9];
	p = header <= size ? strstr((char *)data + 10, "'descr': '<") : NULL;
	if (!p) {
		free(data);
		return false;
	}
	snprintf(out->type, sizeof(out->type), "%.2s", p + 11);
	elem = (size_t)(out->type[1] - '0');
	p = strstr(p, "'shape': (");
	end = p ? strchr(p, ')') : NULL;
	out->elements = 1;
	for (p = p ? p + 10 : NULL; p && p < end && out->rank < 8;) {
		char *next;
		long long d = strtoll(p, &next, 10);

		if (next == p)
			break;
		out->dim[out->rank++] = d;
		out->elements *= (size_t)d;
		p = next + strspn(next, ", ");
	}
	if (size - header != out->elements * elem) {
		free(data);
		return false;
	}
	memmove(data, data + header, size - header);
	out->data = data;
	return true;
}

static const struct {
	int onnx;
	char type[4];
} types[] = {
	{ ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, "f4" },
	{ ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE, "f8" },
	{ ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16, "f2" },
	{ ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16, "B2" },
	{ ONNX__TENSOR_PROTO__DATA_TYPE__INT64, "i8" },
	{ ONNX__TENSOR_PROTO__DATA_TYPE__INT32, "i4" },
	{ ONNX__TENSOR_PROTO__DATA_TYPE__INT16, "i2" },
	{ ONNX__TENSOR_PROTO__DATA_TYPE__INT8, "i1" },
	{ ONNX__TENSOR_PROTO__DATA_TYPE__UINT64, "u8" },
	{ ONNX__TENSOR_PROTO__DATA_TYPE__UINT32, "u4" },
	{ ONNX__TENSOR_PROTO__DATA_TYPE__UINT16, "u2" },
	{ ONNX__TENSOR_PROTO__DATA_TYPE__UINT8, "u1" },
	{ ONNX__TENSOR_PROTO__DATA_TYPE__BOOL, "b1" },
};

/* One element from the typed field that ONNX keeps this element type in. */
static bool element(const Onnx__TensorProto *t, size_t i, size_t elem, uint8_t *out)
{
	if (t->n_float_data > i)
		memcpy(out, &t->float_data[i], elem);
	else if (t->n_double_data > i)
		memcpy(out, &t->double_data[i], elem);
	else if (t->n_int64_data > i)
		memcpy(out, &t->int64_data[i], elem);
	else if (t->n_uint64_data > i)
		memcpy(out, &t->uint64_data[i], elem);
	else if (t->n_int32_data > i)
		memcpy(out, &t->int32_data[i], elem);
	else
		return false;
	return true;
}

static bool elements(const Onnx__TensorProto *t, struct npy *out)
{
	size_t elem = (size_t)(out->type[1] - '0');
	uint8_t *data = malloc(out->elements * elem + 8);

	out->data = data;
	if (t->has_raw_data && t->raw_data.len == out->elements * elem) {
		if (t->raw_data.len)
			memcpy(data, t->raw_data.data, t->raw_data.len);
		return true;
	}
	for (size_t i = 0; i < out->elements; i++)
		if (!element(t, i, elem, data + i * elem))
			return false;
	return true;
}

bool tensor_pb_read(const char *path, struct npy *out)
{
	size_t size;
	uint8_t *data = read_whole_file(path, &size);
	Onnx__TensorProto *t = data ? onnx__tensor_proto__unpack(NULL, size, data) : NULL;
	bool ok = false;

	memset(out, 0, sizeof(*out));
	free(data);
	for (size_t i = 0; t && i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].onnx == t->data_type)
			strcpy(out->type, types[i].type);
	if (t && out->type[0] && t->n_dims <= 8) {
		snprintf(out->name, sizeof(out->name), "%s", t->name ? t->name : "");
		out->elements = 1;
		for (size_t i = 0; i < t->n_dims; i++) {
			out->dim[out->rank++] = t->dims[i];
			out->elements *= (size_t)t->dims[i];
		}
		ok = elements(t, out);
		if (!ok)
			free(out->data);
	}
	if (t)
		onnx__tensor_proto__free_unpacked(t, NULL);
	return ok;
}
