// SPDX-License-Identifier: MIT
/* NumPy's .npy files, versions 1.0 to 3.0. Every byte is checked before it is believed. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nca/ncx.h>

#include "printer.h"
#include "tensor.h"

static const char magic[6] = { '\x93', 'N', 'U', 'M', 'P', 'Y' };

static const struct {
	char descr[4];
	uint32_t type;
} types[] = {
	{ "<f4", NCX_T_FP32 }, { "<f2", NCX_T_FP16 }, { "<f8", NCX_T_FP64 }, { "<i8", NCX_T_INT64 },
	{ "<i4", NCX_T_INT32 }, { "<i2", NCX_T_INT16 }, { "|i1", NCX_T_INT8 }, { "<u4", NCX_T_UINT32 }, { "<u8", NCX_T_UINT64 },
	{ "<u2", NCX_T_UINT16 }, { "|u1", NCX_T_UINT8 }, { "|b1", NCX_T_BOOL },
	{ "<i1", NCX_T_INT8 }, { "<u1", NCX_T_UINT8 }, { "<b1", NCX_T_BOOL },
};

struct cursor {
	const char *p, *end;
	char *err;
	size_t err_len;
};

#define FAIL(c, ...) (snprintf((c)->err, (c)->err_len, __VA_ARGS__), false)

bool ctl_npy_is(const uint8_t *file, size_t len)
{
	return len >= sizeof(magic) && !memcmp(file, magic, sizeof(magic));
}

static void skip_space(struct cursor *c)
{
	while (c->p < c->end && isspace((unsigned char)*c->p))
		c->p++;
}

static bool accept(struct cursor *c, char want)
{
	skip_space(c);
	if (c->p == c->end || *c->p != want)
		return false;
	c->p++;
	return true;
}

/* A quoted string without escapes, which is all a header has. */
static bool parse_string(struct cursor *c, char *out, size_t room)
{
	size_t n = 0;
	char quote;

	skip_space(c);
	if (c->p == c->end || (*c->p != '\'' && *c->p != '"'))
		return false;
	quote = *c->p++;
	for (; c->p < c->end && *c->p != quote; c->p++) {
		if (n + 1 >= room)
			return false;
		out[n++] = *c->p;
	}
	out[n] = 0;
	return accept(c, quote);
}

static bool parse_word(struct cursor *c, const char *word)
{
	size_t n = strlen(word);

	skip_space(c);
	if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n))
		return false;
	c->p += n;
	return true;
}

static bool parse_shape(struct cursor *c, struct ctl_tensor *t)
{
	if (!accept(c, '('))
		return FAIL(c, "its shape is not a tuple");
	t->rank = 0;
	while (!accept(c, ')')) {
		uint64_t v = 0;

		skip_space(c);
		if (c->p == c->end || !isdigit((unsigned char)*c->p))
			return FAIL(c, "its shape is broken");
		for (; c->p < c->end && isdigit((unsigned char)*c->p); c->p++)
			if (__builtin_mul_overflow(v, 10, &v) ||
			    __builtin_add_overflow(v, (uint64_t)(*c->p - '0'), &v) || v > INT64_MAX)
				return FAIL(c, "a dimension of its shape is absurdly large");
		if (t->rank == CTL_MAX_RANK)
			return FAIL(c, "it has more than %d dimensions", CTL_MAX_RANK);
		t->dim[t->rank++] = (int64_t)v;
		if (!accept(c, ',')) {
			if (!accept(c, ')'))
				return FAIL(c, "its shape is broken");
			break;
		}
	}
	return true;
}

static bool parse_descr(struct cursor *c, struct ctl_tensor *t)
{
	char descr[32];

	if (!parse_string(c, descr, sizeof(descr)))
		return FAIL(c, "its element type is not a plain string; structured arrays are not supported");
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(descr, types[i].descr))
			continue;
		t->type = types[i].type;
		return true;
	}
	if (descr[0] == '>')
		return FAIL(c, "its elements '%s' are big endian; save it with .astype('<%s')", descr,
			    descr + 1);
	if (!strcmp(descr, "<V2") || !strcmp(descr, "|V2") || !strcmp(descr, "bfloat16"))
		return FAIL(c, "its elements '%s' look like bfloat16, which .npy cannot name; save float32, it is rounded where the graph wants bfloat16",
			    descr);
	return FAIL(c, "elements of type '%s' are not supported; save float32, an integer type or bool",
		    descr);
}

static bool parse_header(struct cursor *c, struct ctl_tensor *t, bool *fortran)
{
	bool have_descr = false, have_order = false, have_shape = false;
	char key[32];

	if (!accept(c, '{'))
		return FAIL(c, "its header is not a dictionary");
	while (!accept(c, '}')) {
		if (!parse_string(c, key, sizeof(key)) || !accept(c, ':'))
			return FAIL(c, "its header is broken");
		if (!strcmp(key, "descr")) {
			if (!parse_descr(c, t))
				return false;
			have_descr = true;
		} else if (!strcmp(key, "fortran_order")) {
			*fortran = parse_word(c, "True");
			if (!*fortran && !parse_word(c, "False"))
				return FAIL(c, "its fortran_order is neither True nor False");
			have_order = true;
		} else if (!strcmp(key, "shape")) {
			if (!parse_shape(c, t))
				return false;
			have_shape = true;
		} else {
			return FAIL(c, "its header has the unknown key '%s'", key);
		}
		if (!accept(c, ',')) {
			if (!accept(c, '}'))
				return FAIL(c, "its header is broken");
			break;
		}
	}
	skip_space(c);
	if (c->p != c->end)
		return FAIL(c, "its header goes on after the dictionary");
	if (!have_descr || !have_order || !have_shape)
		return FAIL(c, "its header lacks descr, fortran_order or shape");
	return true;
}

/* Column-major to row-major. */
static void transpose(const struct ctl_tensor *t, const uint8_t *src, uint8_t *dst)
{
	uint32_t size = ctl_type_size(t->type);
	uint64_t index[CTL_MAX_RANK] = { 0 }, stride[CTL_MAX_RANK], step = size;

	for (uint32_t d = 0; d < t->rank; d++) {
		stride[d] = step;
		step *= (uint64_t)t->dim[d];
	}
	for (uint64_t i = 0; i < t->elements; i++) {
		uint64_t from = 0;

		for (uint32_t d = 0; d < t->rank; d++)
			from += index[d] * stride[d];
		memcpy(dst + i * size, src + from, size);
		for (uint32_t d = t->rank; d-- > 0;) {
			if (++index[d] < (uint64_t)t->dim[d])
				break;
			index[d] = 0;
		}
	}
}

bool ctl_npy_parse(struct ctl_tensor *t, const uint8_t *file, size_t len, char *err,
		   size_t err_len)
{
	struct cursor c = { .err = err, .err_len = err_len };
	size_t start, header;
	bool fortran = false;

	memset(t, 0, sizeof(*t));
	if (!ctl_npy_is(file, len) || len < 10)
		return FAIL(&c, "it is too short for a .npy file");
	if (file[6] == 1) {
		header = (size_t)(file[8] | file[9] << 8);
		start = 10;
	} else if (file[6] == 2 || file[6] == 3) {
		if (len < 12)
			return FAIL(&c, "it is too short for a .npy file");
		header = file[8] | (size_t)file[9] << 8 | (size_t)file[10] << 16 |
			 (size_t)file[11] << 24;
		start = 12;
	} else {
		return FAIL(&c, "its .npy version is %u; 1, 2 and 3 are known", file[6]);
	}
	if (header > len - start)
		return FAIL(&c, "its header of %zu bytes does not fit into the file", header);
	c.p = (const char *)file + start;
	c.end = c.p + header;
	if (!parse_header(&c, t, &fortran))
		return false;
	if (!ctl_tensor_measure(t))
		return FAIL(&c, "its shape has more bytes than can be addressed");
	if (t->bytes != len - start - header)
		return FAIL(&c, "its shape needs %" PRIu64 " bytes of data, the file has %zu; it is cut off or damaged",
			    t->bytes, len - start - header);
	t->data = malloc(t->bytes + 1);
	if (!t->data)
		return FAIL(&c, "there is no memory for its %" PRIu64 " bytes", t->bytes);
	if (fortran && t->rank > 1)
		transpose(t, file + start + header, t->data);
	else
		memcpy(t->data, file + start + header, t->bytes);
	return true;
}

static const char *descr_of(uint32_t type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].type == type)
			return types[i].descr;
	return NULL;
}

static bool write_bf16(FILE *f, const void *data, uint64_t elements)
{
	for (uint64_t i = 0; i < elements; i++) {
		uint16_t b;
		uint32_t bits;

		memcpy(&b, (const uint8_t *)data + 2 * i, 2);
		bits = (uint32_t)b << 16;
		if (fwrite(&bits, 4, 1, f) != 1)
			return false;
	}
	return true;
}

enum ctl_exit ctl_npy_write(const char *path, uint32_t type, const int64_t *dim, uint32_t rank,
			    const void *data, uint64_t bytes)
{
	const char *descr = descr_of(type == NCX_T_BF16 ? NCX_T_FP32 : type);
	char header[1024];
	size_t n, padded;
	uint8_t prefix[10];
	bool ok;
	FILE *f;

	if (!descr)
		return ctl_error(CTL_FAILED, "%s: %s has no .npy type; compile the graph with another output type",
				 path, ctl_type_name(type));
	n = (size_t)snprintf(header, sizeof(header), "{'descr': '%s', 'fortran_order': False, 'shape': (",
			     descr);
	for (uint32_t i = 0; i < rank; i++)
		n += (size_t)snprintf(header + n, sizeof(header) - n, "%" PRId64 ",%s", dim[i],
				      i + 1 < rank ? " " : "");
	n += (size_t)snprintf(header + n, sizeof(header) - n, "), }");
	padded = (sizeof(prefix) + n + 1 + 63) / 64 * 64 - sizeof(prefix);
	memset(header + n, ' ', padded - n);
	header[padded - 1] = '\n';
	memcpy(prefix, magic, sizeof(magic));
	prefix[6] = 1;
	prefix[7] = 0;
	prefix[8] = (uint8_t)padded;
	prefix[9] = (uint8_t)(padded >> 8);

	f = fopen(path, "wb");
	if (!f)
		return ctl_error(CTL_FAILED, "cannot create %s: %s", path, strerror(errno));
	ok = fwrite(prefix, sizeof(prefix), 1, f) == 1 && fwrite(header, padded, 1, f) == 1;
	if (ok && type == NCX_T_BF16)
		ok = write_bf16(f, data, bytes / 2);
	else if (ok && bytes)
		ok = fwrite(data, bytes, 1, f) == 1;
	if (fclose(f) || !ok)
		return ctl_error(CTL_FAILED, "cannot write %s: %s", path, strerror(errno));
	return CTL_OK;
}
