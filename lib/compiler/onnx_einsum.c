// SPDX-License-Identifier: MIT
/*
 * Einsum, two operands at a time: what both have and nobody needs later is summed by a matrix
 * product, batched over what both have and somebody needs.
 */
#include <ctype.h>
#include <string.h>

#include "onnx_build.h"
#include "onnx_move.h"

#define ELLIPSIS_FIRST '0'	/* dimensions behind "..." are labelled 0, 1, ... from the right */

struct term {
	struct ir_value *v;
	char label[IR_MAX_RANK + 1];	/* of each dimension */
};

static int find(const char *labels, char label)
{
	const char *at = label ? strchr(labels, label) : NULL;

	return at ? (int)(at - labels) : -1;
}

/* Labels from text up to a comma, an arrow or the end; @rank dimensions (negative: as written). */
static const char *read_labels(struct onnx_node *n, const char *s, int rank, int *ellipsis, char *out)
{
	int num = 0, dots = -1;

	for (; *s && *s != ',' && *s != '-'; s++) {
		if (isspace((unsigned char)*s))
			continue;
		if (!strncmp(s, "...", 3) && dots < 0) {
			dots = num;
			s += 2;
			continue;
		}
		if (!isalpha((unsigned char)*s) || num >= IR_MAX_RANK)
			onnx_node_fail(n, "the equation cannot be read at '%.20s'", s);
		out[num++] = *s;
	}
	if (rank >= 0 && (dots < 0 ? num != rank : num > rank))
		onnx_node_fail(n, "the equation names %d dimensions of an operand of %d", num, rank);
	if (dots >= 0) {
		int more = rank >= 0 ? rank - num : *ellipsis;

		if (num + more > IR_MAX_RANK)
			onnx_node_fail(n, "a term has more than %d dimensions", IR_MAX_RANK);
		if (rank >= 0 && more > *ellipsis)
			*ellipsis = more;
		memmove(out + dots + more, out + dots, (size_t)(num - dots));
		for (int i = 0; i < more; i++)
			out[dots + i] = (char)(ELLIPSIS_FIRST + more - 1 - i);
		num += more;
	}
	out[num] = '\0';
	return s;
}

static void drop_label(struct term *t, int at)
{
	memmove(t->label + at, t->label + at + 1, strlen(t->label + at + 1) + 1);
}

/* A label twice in one term: its diagonal. */
static void take_diagonals(struct onnx_node *n, struct term *t)
{
	for (int i = 0; t->label[i]; i++) {
		int k = find(t->label + i + 1, t->label[i]), rank = t->v->type.rank, to = 0;
		int64_t perm[IR_MAX_RANK], dims[IR_MAX_RANK], *index, size;

		if (k < 0)
			continue;
		k += i + 1;
		size = t->v->type.dim[i];
		if (t->v->type.dim[k] != size)
			onnx_node_fail(n, "label '%c' stands for different sizes", t->label[i]);
		for (int d = 0; d < rank; d++) {
			if (d == k)
				continue;
			perm[to++] = d;
			if (d == i)
				perm[to++] = k;
		}
		to = 0;
		for (int d = 0; d < rank; d++)
			if (d != k)
				dims[to++] = d == i ? size * size : t->v->type.dim[d];
		t->v = onnx_reshape(n, onnx_transpose(n, t->v, perm), rank - 1, dims);
		index = cc_new_n(n->g->cc, int64_t, (size_t)size);
		for (int64_t d = 0; d < size; d++)
			index[d] = d * (size + 1);
		drop_label(t, k);
		t->v = onnx_take_axis(n, t->v, i - (k < i), index, size);
		i--;
	}
}

/* Sums over the labels that are not in @keep. */
static void sum_out(struct onnx_node *n, struct term *t, const char *keep)
{
	uint32_t axes = 0;
	int to = 0;

	for (int i = 0; t->label[i]; i++)
		if (find(keep, t->label[i]) < 0)
			axes |= 1u << i;
	if (!axes)
		return;
	t->v = build_squeeze(n, build_reduce(n, NCA_ALU_ADD, t->v, axes), axes);
	for (int i = 0; t->label[i]; i++)
		if (!(axes >> i & 1))
			t->label[to++] = t->label[i];
	t->label[to] = '\0';
}

/* @t with its dimensions in the order of @order, one of 1 where it has none. */
static struct ir_value *ordered(struct onnx_node *n, const struct term *t, const char *order)
{
	int64_t perm[IR_MAX_RANK], dims[IR_MAX_RANK];
	int num = 0, rank = (int)strlen(order);

	for (int i = 0; i < rank; i++) {
		int at = find(t->label, order[i]);

		dims[i] = at < 0 ? 1 : t->v->type.dim[at];
		if (at >= 0)
			perm[num++] = at;
	}
	return onnx_reshape(n, onnx_transpose(n, t->v, perm), rank, dims);
}

static int64_t size_of(struct onnx_node *n, const struct term *t, const char *labels)
{
	int64_t size = 1;

	for (int i = 0; labels[i]; i++) {
		int at = find(t->label, labels[i]);

		if (at < 0)
			onnx_node_fail(n, "label '%c' is in no operand", labels[i]);
		size *= t->v->type.dim[at];
	}
	return size;
}

static void append(char *labels, char label)
{
	size_t num = strlen(labels);

	labels[num] = label;
	labels[num + 1] = '\0';
}

/* Labels of both terms: their product, summed over what @keep does not have. */
static struct term contract(struct onnx_node *n, struct term a, struct term b, const char *keep)
{
	char both[32] = "", sum[32] = "", left[32] = "", right[32] = "", order[64];
	struct term out = { NULL, "" };
	struct ir_value *in[2], *y;
	int64_t dims[IR_MAX_RANK];
	int rank = 0;

	for (int i = 0; a.label[i]; i++) {
		int at = find(b.label, a.label[i]);

		if (at < 0)
			append(left, a.label[i]);
		else if (a.v->type.dim[i] != b.v->type.dim[at])
			onnx_node_fail(n, "label '%c' stands for the sizes %lld and %lld", a.label[i],
				       (long long)a.v->type.dim[i], (long long)b.v->type.dim[at]);
		else
			append(find(keep, a.label[i]) < 0 ? sum : both, a.label[i]);
	}
	for (int i = 0; b.label[i]; i++)
		if (find(a.label, b.label[i]) < 0)
			append(right, b.label[i]);
	if (strlen(both) + strlen(left) + strlen(right) > IR_MAX_RANK)
		onnx_node_fail(n, "an intermediate result has more than %d dimensions", IR_MAX_RANK);
	snprintf(order, sizeof(order), "%s%s%s", both, left, sum);
	dims[0] = size_of(n, &a, both);
	dims[1] = size_of(n, &a, left);
	dims[2] = size_of(n, &a, sum);
	in[0] = onnx_reshape(n, ordered(n, &a, order), 3, dims);
	snprintf(order, sizeof(order), "%s%s%s", both, sum, right);
	dims[1] = dims[2];
	dims[2] = size_of(n, &b, right);
	in[1] = onnx_reshape(n, ordered(n, &b, order), 3, dims);
	y = sum[0] ? build_op(n, IR_MATMUL, 2, in, NULL) : build_binary(n, NCA_ALU_MUL, in[0], in[1]);
	snprintf(order, sizeof(order), "%s%s%s", both, left, right);
	strcpy(out.label, order);
	for (int i = 0; order[i]; i++) {
		int at = find(a.label, order[i]);

		dims[rank++] = at >= 0 ? a.v->type.dim[at] :
					 b.v->type.dim[find(b.label, order[i])];
	}
	out.v = onnx_reshape(n, y, rank, dims);
	return out;
}

/* Without an arrow: the labels that are there once, in alphabetical order, behind the ellipsis. */
static void implied_result(const struct term *t, size_t num, int ellipsis, char *out)
{
	int count[128] = { 0 };

	for (size_t i = 0; i < num; i++)
		for (int k = 0; t[i].label[k]; k++)
			count[(int)t[i].label[k]]++;
	*out = '\0';
	for (int i = ellipsis - 1; i >= 0; i--)
		append(out, (char)(ELLIPSIS_FIRST + i));
	for (int c = 'A'; c <= 'z'; c++)
		if (count[c] == 1 && strlen(out) < IR_MAX_RANK)
			append(out, (char)c);
}

struct ir_value *onnx_import_einsum(struct onnx_node *n)
{
	const char *equation = "", *s;
	char result[32] = "", keep[256];
	struct term *t, acc;
	int ellipsis = 0;

	if (!onnx_is(n, "Einsum"))
		return NULL;
	onnx_need_inputs(n, 1, 16);
	onnx_attr_string(n, "equation", &equation);
	t = cc_new_n(n->g->cc, struct term, n->num_in);
	s = equation;
	for (size_t i = 0; i < n->num_in; i++) {
		if (!n->in[i] || !ir_is_float(n->in[i]->type.dtype))
			onnx_node_fail(n, "operand %zu is missing or not of a floating-point type", i);
		t[i].v = n->in[i];
		s = read_labels(n, s, t[i].v->type.rank, &ellipsis, t[i].label);
		if (i + 1 < n->num_in && *s++ != ',')
			onnx_node_fail(n, "the equation has fewer terms than there are operands");
	}
	for (size_t i = 0; i < n->num_in; i++)
		take_diagonals(n, &t[i]);
	if (s[0] == '-' && s[1] == '>') {
		s = read_labels(n, s + 2, -1, &ellipsis, result);
		if (*s)
			onnx_node_fail(n, "the equation cannot be read at '%.20s'", s);
	} else if (*s) {
		onnx_node_fail(n, "the equation cannot be read at '%.20s'", s);
	} else {
		implied_result(t, n->num_in, ellipsis, result);
	}
	for (size_t i = 0; i < n->num_in; i++) {
		/* What only this term has, and the result has not, is summed first. */
		strcpy(keep, result);
		for (size_t k = 0; k < n->num_in; k++)
			if (k != i)
				strcat(keep, t[k].label);
		sum_out(n, &t[i], keep);
	}
	acc = t[0];
	for (size_t i = 1; i < n->num_in; i++) {
		strcpy(keep, result);
		for (size_t k = i + 1; k < n->num_in; k++)
			strcat(keep, t[k].label);
		acc = contract(n, acc, t[i], keep);
	}
	sum_out(n, &acc, result);
	size_of(n, &acc, result);
	return ordered(n, &acc, result);
}
