// SPDX-License-Identifier: MIT
/* ONNX TensorProto files (.pb), as the ONNX test data has them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nca/ncx.h>
#include <onnx.pb-c.h>

#include "tensor.h"

static const struct {
	int onnx;
	uint32_t type;
} types[] = {
	{ ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, NCX_T_FP32 },
	{ ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE, NCX_T_FP64 },
	{ ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16, NCX_T_FP16 },
	{ ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16, NCX_T_BF16 },
	{ ONNX__TENSOR_PROTO__DATA_TYPE__INT64, NCX_T_INT64 },
	{ ONNX__TENSOR_PROTO__DATA_TYPE__INT32, NCX_T_INT32 },
	{ ONNX__TENSOR_PROTO__DATA_TYPE__INT16, NCX_T_INT16 },
	{ ONNX__TENSOR_PROTO__DATA_TYPE__INT8, NCX_T_INT8 },
	{ ONNX__TENSOR_PROTO__DATA_TYPE__UINT32, NCX_T_UINT32 },
	{ ONNX__TENSOR_PROTO__DATA_TYPE__UINT64, NCX_T_UINT64 },
	{ ONNX__TENSOR_PROTO__DATA_TYPE__UINT16, NCX_T_UINT16 },
	{ ONNX__TENSOR_PROTO__DATA_TYPE__UINT8, NCX_T_UINT8 },
	{ ONNX__TENSOR_PROTO__DATA_TYPE__BOOL, NCX_T_BOOL },
};

/* The typed field that holds elements of @type when there is no raw_data: its element count. */
static size_t field_count(const Onnx__TensorProto *p, uint32_t type)
{
	switch (type) {
	case NCX_T_FP32: return p->n_float_data;
	case NCX_T_FP64: return p->n_double_data;
	case NCX_T_INT64: return p->n_int64_data;
	case NCX_T_UINT64:
	case NCX_T_UINT32: return p->n_uint64_data;
	default: return p->n_int32_data;	/* all the small ones travel as int32 */
	}
}

static void copy_field(const Onnx__TensorProto *p, const struct ctl_tensor *t)
{
	uint32_t size = ctl_type_size(t->type);

	for (uint64_t i = 0; i < t->elements; i++) {
		uint8_t *out = (uint8_t *)t->data + i * size;

		/* Little endian: the low bytes of the carrier are the element. */
		switch (t->type) {
		case NCX_T_FP32: memcpy(out, &p->float_data[i], size); break;
		case NCX_T_FP64: memcpy(out, &p->double_data[i], size); break;
		case NCX_T_INT64: memcpy(out, &p->int64_data[i], size); break;
		case NCX_T_UINT64:
		case NCX_T_UINT32: memcpy(out, &p->uint64_data[i], size); break;
		default: memcpy(out, &p->int32_data[i], size); break;
		}
	}
}

static bool convert(struct ctl_tensor *t, const Onnx__TensorProto *p, char *err, size_t err_len)
{
	size_t i = 0, count = sizeof(types) / sizeof(types[0]);

	while (i < count && types[i].onnx != p->data_type)
		i++;
	if (i == count)
		return snprintf(err, err_len, "its ONNX element type %d is not supported", p->data_type), false;
	if (p->n_external_data)
		return snprintf(err, err_len, "its data is in another file; save the tensor with the data inside"), false;
	if (p->n_dims > CTL_MAX_RANK)
		return snprintf(err, err_len, "it has more than %d dimensions", CTL_MAX_RANK), false;
	t->type = types[i].type;
	t->rank = (uint32_t)p->n_dims;
	for (uint32_t d = 0; d < t->rank; d++)
		t->dim[d] = p->dims[d];
	if (!ctl_tensor_measure(t))
		return snprintf(err, err_len, "its dimensions are negative or absurdly large"), false;
	if (p->has_raw_data ? p->raw_data.len != t->bytes : field_count(p, t->type) != t->elements)
		return snprintf(err, err_len, "its shape has %" PRIu64 " elements, its data does not; the file is damaged",
				t->elements), false;
	t->data = malloc(t->bytes + 1);
	if (!t->data)
		return snprintf(err, err_len, "there is no memory for its %" PRIu64 " bytes", t->bytes), false;
	if (!p->has_raw_data)
		copy_field(p, t);
	else if (t->bytes)	/* an empty field has no address */
		memcpy(t->data, p->raw_data.data, t->bytes);
	return true;
}

bool ctl_onnx_parse(struct ctl_tensor *t, const uint8_t *file, size_t len, char *err,
		    size_t err_len)
{
	Onnx__TensorProto *p = onnx__tensor_proto__unpack(NULL, len, file);
	bool ok;

	memset(t, 0, sizeof(*t));
	if (!p || !p->has_data_type) {
		snprintf(err, err_len, "it is neither a .npy file nor an ONNX tensor (.pb)");
		if (p)
			onnx__tensor_proto__free_unpacked(p, NULL);
		return false;
	}
	ok = convert(t, p, err, err_len);
	onnx__tensor_proto__free_unpacked(p, NULL);
	return ok;
}
