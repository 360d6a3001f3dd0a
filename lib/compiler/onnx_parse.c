// SPDX-License-Identifier: MIT
#include <string.h>

#include "onnx_read.h"

/* Deeper than any real model (graphs nested in If and Loop bodies), shallow enough for any stack.
 */
#define MAX_DEPTH 32

static void *arena_alloc(void *cc, size_t size)
{
	return cc_alloc(cc, size);
}

static void arena_free(void *cc, void *p)
{
	(void)cc;
	(void)p;
}

static bool read_varint(const uint8_t **p, const uint8_t *end, uint64_t *value)
{
	uint64_t v = 0;

	for (int shift = 0; shift < 70 && *p < end; shift += 7) {
		uint8_t b = *(*p)++;

		if (shift < 64)
			v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80)) {
			*value = v;
			return true;
		}
	}
	return false;
}

/*
 * protobuf_c_message_unpack() recurses once per nested message, and two bytes of input are enough
 * for a level, so a file of a few hundred kilobytes could overflow the stack. Walk the nesting
 * first.
 */
static void check_depth(struct cc *cc, const ProtobufCMessageDescriptor *desc, const uint8_t *p,
			const uint8_t *end, int depth)
{
	if (depth > MAX_DEPTH)
		cc_fail(cc, ACCELCC_BAD_INPUT,
			"the file nests messages more than %d deep, which no model does; "
			"it is broken",
			MAX_DEPTH);
	while (p < end) {
		const ProtobufCFieldDescriptor *field;
		uint64_t tag, len;

		if (!read_varint(&p, end, &tag))
			goto broken;
		switch (tag & 7) {
		case 0:
			if (!read_varint(&p, end, &len))
				goto broken;
			break;
		case 1:
			if (end - p < 8)
				goto broken;
			p += 8;
			break;
		case 2:
			if (!read_varint(&p, end, &len) || len > (uint64_t)(end - p))
				goto broken;
			field = tag >> 3 > UINT32_MAX ? NULL
						      : protobuf_c_message_descriptor_get_field(
								desc, (unsigned int)(tag >> 3));
			if (field && field->type == PROTOBUF_C_TYPE_MESSAGE)
				check_depth(cc, field->descriptor, p, p + len, depth + 1);
			p += len;
			break;
		case 5:
			if (end - p < 4)
				goto broken;
			p += 4;
			break;
		default:
			goto broken;
		}
	}
	return;
broken:
	cc_fail(cc, ACCELCC_BAD_INPUT,
		"the file is not a well-formed ONNX (protobuf) file; it is truncated, or "
		"something else");
}

Onnx__ModelProto *onnx_parse(struct cc *cc, const void *data, size_t size)
{
	ProtobufCAllocator allocator = { arena_alloc, arena_free, cc };
	const uint8_t *bytes = data;
	Onnx__ModelProto *model;

	if (!size)
		cc_fail(cc, ACCELCC_BAD_INPUT, "the file is empty");
	check_depth(cc, &onnx__model_proto__descriptor, bytes, bytes + size, 0);
	model = onnx__model_proto__unpack(&allocator, size, bytes);
	if (!model)
		cc_fail(cc, ACCELCC_BAD_INPUT,
			"the file is not an ONNX model: a field does not have the type the "
			"schema says");
	return model;
}
