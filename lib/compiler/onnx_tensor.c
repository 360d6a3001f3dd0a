// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <string.h>

#include "onnx_read.h"

static float half_to_float(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, exp = h >> 10 & 31, man = h & 0x3ff, bits;
	float f;

	if (exp == 31) {
		bits = sign | 0x7f800000 | man << 13;
	} else if (exp) {
		bits = sign | (exp + 112) << 23 | man << 13;
	} else {
		/* A subnormal half is man * 2^-24, which a float represents exactly. */
		f = (float)man * 0x1p-24f;
		return sign ? -f : f;
	}
	memcpy(&f, &bits, sizeof(f));
	return f;
}

static float bfloat_to_float(uint16_t b)
{
	uint32_t bits = (uint32_t)b << 16;
	float f;

	memcpy(&f, &bits, sizeof(f));
	return f;
}

struct source {
	const Onnx__TensorProto *t;
	const char *what;
	int64_t n;
};

/* Raw bytes are little endian and unaligned. */
static const uint8_t *raw(struct cc *cc, const struct source *s, size_t elem)
{
	if (!s->t->has_raw_data)
		return NULL;
	if (s->t->raw_data.len != (size_t)s->n * elem)
		cc_fail(cc, ACCELCC_BAD_INPUT,
			"tensor '%.120s' has %zu bytes of data where its shape asks for "
			"%" PRId64 " elements of %zu",
			s->what, s->t->raw_data.len, s->n, elem);
	return s->t->raw_data.data;
}

static void check_count(struct cc *cc, const struct source *s, size_t have)
{
	if (have != (size_t)s->n)
		cc_fail(cc, ACCELCC_BAD_INPUT,
			"tensor '%.120s' has %zu elements of data where its shape asks for "
			"%" PRId64,
			s->what, have, s->n);
}

static const float *read_f32(struct cc *cc, const struct source *s)
{
	size_t n = (size_t)s->n;
	bool half = s->t->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16;
	const uint8_t *bytes;
	float *out;

	switch (s->t->data_type) {
	case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
		bytes = raw(cc, s, 4);
		if (!bytes)
			check_count(cc, s, s->t->n_float_data);
		/* Most of a model: used where protobuf-c has put it, if that is aligned. */
		if (n && bytes && (uintptr_t)bytes % sizeof(float) == 0)
			return (const float *)(const void *)bytes;
		out = cc_new_n(cc, float, n + 1);
		if (n)	/* without values there is no array either */
			memcpy(out, bytes ? (const void *)bytes : s->t->float_data, n * 4);
		return out;
	case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
		bytes = raw(cc, s, 8);
		if (!bytes)
			check_count(cc, s, s->t->n_double_data);
		out = cc_new_n(cc, float, n + 1);
		for (size_t i = 0; i < n; i++) {
			double d;

			if (bytes)
				memcpy(&d, bytes + i * 8, 8);
			else
				d = s->t->double_data[i];
			out[i] = (float)d;
		}
		return out;
	default:
		bytes = raw(cc, s, 2);
		if (!bytes)
			check_count(cc, s, s->t->n_int32_data);
		out = cc_new_n(cc, float, n + 1);
		for (size_t i = 0; i < n; i++) {
			uint16_t h;

			if (bytes)
				memcpy(&h, bytes + i * 2, 2);
			else
				h = (uint16_t)s->t->int32_data[i];
			out[i] = half ? half_to_float(h) : bfloat_to_float(h);
		}
		return out;
	}
}

/* Sign- or zero-extended, little endian. */
static int64_t extend(const uint8_t *bytes, int64_t elem, bool is_signed)
{
	uint64_t v = 0;

	for (int64_t i = 0; i < elem; i++)
		v |= (uint64_t)bytes[i] << (8 * i);
	if (is_signed && elem < 8 && v >> (8 * elem - 1))
		v |= ~UINT64_C(0) << (8 * elem);
	return (int64_t)v;
}

static int64_t *read_i64(struct cc *cc, const struct source *s, enum ir_dtype dtype)
{
	size_t n = (size_t)s->n;
	int64_t elem = ir_dtype_size(dtype), *out = cc_new_n(cc, int64_t, n + 1);
	bool is_signed = dtype == IR_DT_I64 || dtype == IR_DT_I32 || dtype == IR_DT_I16 ||
			 dtype == IR_DT_I8;
	const uint8_t *bytes = raw(cc, s, (size_t)elem);

	if (bytes) {
		for (size_t i = 0; i < n; i++)
			out[i] = extend(bytes + i * (size_t)elem, elem, is_signed);
	} else if (dtype == IR_DT_I64) {
		check_count(cc, s, s->t->n_int64_data);
		for (size_t i = 0; i < n; i++)
			out[i] = s->t->int64_data[i];
	} else if (dtype == IR_DT_U64 || dtype == IR_DT_U32) {
		check_count(cc, s, s->t->n_uint64_data);
		for (size_t i = 0; i < n; i++)
			out[i] = (int64_t)s->t->uint64_data[i];
	} else {
		check_count(cc, s, s->t->n_int32_data);
		for (size_t i = 0; i < n; i++)
			out[i] = s->t->int32_data[i];
	}
	return out;
}

enum ir_dtype onnx_dtype(int32_t data_type)
{
	static const struct {
		int32_t onnx;
		enum ir_dtype ir;
	} map[] = {
		{ ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, IR_DT_F32 },
		{ ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16, IR_DT_F16 },
		{ ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16, IR_DT_BF16 },
		{ ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE, IR_DT_F64 },
		{ ONNX__TENSOR_PROTO__DATA_TYPE__INT64, IR_DT_I64 },
		{ ONNX__TENSOR_PROTO__DATA_TYPE__INT32, IR_DT_I32 },
		{ ONNX__TENSOR_PROTO__DATA_TYPE__INT16, IR_DT_I16 },
		{ ONNX__TENSOR_PROTO__DATA_TYPE__INT8, IR_DT_I8 },
		{ ONNX__TENSOR_PROTO__DATA_TYPE__UINT64, IR_DT_U64 },
		{ ONNX__TENSOR_PROTO__DATA_TYPE__UINT32, IR_DT_U32 },
		{ ONNX__TENSOR_PROTO__DATA_TYPE__UINT16, IR_DT_U16 },
		{ ONNX__TENSOR_PROTO__DATA_TYPE__UINT8, IR_DT_U8 },
		{ ONNX__TENSOR_PROTO__DATA_TYPE__BOOL, IR_DT_BOOL },
	};

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (map[i].onnx == data_type)
			return map[i].ir;
	return IR_DT_NONE;
}

const char *onnx_dtype_name(int32_t data_type)
{
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(
		&onnx__tensor_proto__data_type__descriptor, data_type);

	return v ? v->name : "unknown";
}

struct ir_value *onnx_tensor(struct ir_graph *g, const Onnx__TensorProto *t, const char *what)
{
	struct ir_type type = { .rank = (int)t->n_dims };
	struct source s = { .t = t, .what = what, .n = 1 };
	struct cc *cc = g->cc;

	if (t->n_dims > IR_MAX_RANK)
		cc_fail(cc, ACCELCC_BAD_INPUT, "tensor '%.120s' has %zu dimensions, more than %d",
			what, t->n_dims, IR_MAX_RANK);
	for (size_t i = 0; i < t->n_dims; i++) {
		/* Operands may be empty: the shape of a scalar, a region of interest left out. */
		if (t->dims[i] < 0 || __builtin_mul_overflow(s.n, t->dims[i], &s.n) || s.n > IR_MAX_ELEMENTS)
			cc_fail(cc, ACCELCC_BAD_INPUT,
				"tensor '%.120s' has an impossible shape (dimension %zu is %" PRId64
				")",
				what, i, t->dims[i]);
		type.dim[i] = t->dims[i];
	}
	if (t->segment)
		cc_fail(cc, ACCELCC_BAD_INPUT,
			"tensor '%.120s' is split into segments, which cannot be read", what);
	if (t->n_external_data || t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
		cc_fail(cc, ACCELCC_BAD_INPUT,
			"tensor '%.120s' keeps its data in another file; save the model with "
			"its data inside (onnx.save with save_as_external_data=False)",
			what);
	type.dtype = onnx_dtype(t->data_type);
	if (type.dtype == IR_DT_NONE)
		cc_fail(cc, ACCELCC_BAD_INPUT,
			"tensor '%.120s' has elements of type %s, which cannot be compiled", what,
			onnx_dtype_name(t->data_type));
	if (ir_is_int(type.dtype))
		return ir_const_i64(g, what, &type, read_i64(cc, &s, type.dtype));
	return ir_const_f32(g, what, &type, read_f32(cc, &s));
}
