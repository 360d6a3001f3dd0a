// SPDX-License-Identifier: MIT
/* ONNX operators that move elements: transposes, slices, concatenations and what is made of them. */
#include <inttypes.h>
#include <string.h>

#include "ir_move.h"
#include "onnx_computed.h"
#include "onnx_move.h"

struct ir_value *onnx_take(struct onnx_node *n, struct ir_value *x, const struct ir_take *take)
{
	struct ir_op *op;

	/* Many copies at once, or few for one dimension after the other. */
	if (ir_take_pieces(n->g->cc, take, x->type.rank) > MAX_TAKE_PIECES) {
		for (int d = 0; d < x->type.rank; d++)
			if (take->index[d])
				x = onnx_take_axis(n, x, d, take->index[d], take->num[d]);
		return x;
	}
	op = onnx_op(n, IR_TAKE, 1, &x);
	op->attr.take = memcpy(cc_new(n->g->cc, struct ir_take), take, sizeof(*take));
	return onnx_result(n, op);
}

struct ir_value *onnx_take_filled(struct onnx_node *n, struct ir_value *x,
				  const struct ir_take *take, float fill, int64_t fill_int)
{
	struct ir_op *op = onnx_op(n, IR_TAKE, 1, &x);

	op->attr.take = memcpy(cc_new(n->g->cc, struct ir_take), take, sizeof(*take));
	op->attr.fill = fill;
	op->attr.fill_int = fill_int;
	return onnx_result(n, op);
}

struct ir_value *onnx_take_axis(struct onnx_node *n, struct ir_value *x, int axis,
				const int64_t *index, int64_t num)
{
	struct ir_take *take = cc_new(n->g->cc, struct ir_take);
	struct ir_op *op = onnx_op(n, IR_TAKE, 1, &x);

	take->index[axis] = index;
	take->num[axis] = num;
	op->attr.take = take;
	return onnx_result(n, op);
}

struct ir_value *onnx_slice(struct onnx_node *n, struct ir_value *x, int axis, int64_t start,
			    int64_t num, int64_t step)
{
	int64_t *index = cc_new_n(n->g->cc, int64_t, (size_t)num + 1);

	if (start == 0 && step == 1 && num == x->type.dim[axis])
		return x;
	for (int64_t i = 0; i < num; i++)
		index[i] = start + i * step;
	return onnx_take_axis(n, x, axis, index, num);
}

static struct ir_value *import_transpose(struct onnx_node *n)
{
	int64_t reversed[IR_MAX_RANK];
	const int64_t *perm = reversed;
	size_t num;
	int rank;

	onnx_need_inputs(n, 1, 1);
	rank = n->in[0]->type.rank;
	for (int i = 0; i < rank; i++)
		reversed[i] = rank - 1 - i;
	if (onnx_attr_ints(n, "perm", &perm, &num) && num != (size_t)rank)
		onnx_node_fail(n, "perm has %zu values for a tensor of %d dimensions", num, rank);
	return onnx_transpose(n, n->in[0], perm);
}

static struct ir_value *concat(struct onnx_node *n, struct ir_value *const *in, int num, int axis)
{
	struct ir_op *op = onnx_op(n, IR_CONCAT, num, in);

	op->attr.axis = axis;
	return onnx_result(n, op);
}

static struct ir_value *import_concat(struct onnx_node *n)
{
	struct ir_value **in;
	int64_t axis = 1;
	int num = 0;

	onnx_need_inputs(n, 1, 4096);
	in = cc_new_n(n->g->cc, struct ir_value *, n->num_in);
	if (!onnx_attr_int(n, "axis", &axis) && n->opset >= 4)
		onnx_node_fail(n, "attribute axis is missing");
	for (size_t i = 0; i < n->num_in; i++) {
		if (!n->in[i])
			onnx_node_fail(n, "input %zu is missing", i);
		/* Nothing to put there. */
		if (ir_is_const(n->in[i]) && !ir_type_elements(&n->in[i]->type) && n->num_in > 1)
			continue;
		in[num++] = n->in[i];
	}
	if (!num)
		in[num++] = n->in[0];
	return concat(n, in, num, onnx_axis(n, axis, in[0]->type.rank));
}

/* Where a slice of a dimension of @dim elements begins, and how many elements it has. */
static int64_t slice_range(int64_t dim, int64_t *start, int64_t end, int64_t step)
{
	int64_t low = step < 0 ? -1 : 0, high = step < 0 ? dim - 1 : dim, first = *start;

	if (first < 0)
		first += dim;
	if (end < 0)
		end += dim;
	first = first < 0 ? 0 : first > high ? high : first;
	end = end < low ? low : end > high ? high : end;
	*start = first;
	if (step > 0)
		return end > first ? (end - first - 1) / step + 1 : 0;
	return first > end ? (first - end - 1) / -step + 1 : 0;
}

static struct ir_value *import_slice(struct onnx_node *n)
{
	const int64_t *starts, *ends, *axes = NULL, *steps = NULL;
	size_t num, num_ends, num_axes = 0, num_steps = 0;
	struct ir_take take = { .num = { 0 } };
	struct ir_value *x;

	onnx_need_inputs(n, n->opset < 10 ? 1 : 3, 5);
	x = n->in[0];
	for (size_t i = 1; i < n->num_in && n->opset >= 10; i++)
		if (n->in[i] && !ir_is_const(n->in[i]))
			return onnx_computed_slice(n);
	if (!onnx_ints(n, "starts", 1, 10, &starts, &num) ||
	    !onnx_ints(n, "ends", 2, 10, &ends, &num_ends))
		onnx_node_fail(n, "starts or ends are missing");
	onnx_ints(n, "axes", 3, 10, &axes, &num_axes);
	if (n->opset >= 10)
		onnx_ints(n, "steps", 4, 10, &steps, &num_steps);
	if (num != num_ends || (axes && num_axes != num) || (steps && num_steps != num))
		onnx_node_fail(n, "starts, ends, axes and steps have different lengths");
	for (size_t i = 0; i < num; i++) {
		int axis = onnx_axis(n, axes ? axes[i] : (int64_t)i, x->type.rank);
		int64_t step = steps ? steps[i] : 1, start = starts[i], count, *index;

		if (!step || step == INT64_MIN)
			onnx_node_fail(n, "a step of %" PRId64 " is impossible", step);
		count = slice_range(x->type.dim[axis], &start, ends[i], step);
		index = cc_new_n(n->g->cc, int64_t, (size_t)count + 1);
		for (int64_t k = 0; k < count; k++)
			index[k] = start + k * step;
		take.index[axis] = index;
		take.num[axis] = count;
	}
	return onnx_take(n, x, &take);
}

/* The sizes of the parts: given, or as the model declares its results, or equal. */
static void split_sizes(struct onnx_node *n, int axis, int64_t *sizes, size_t parts)
{
	int64_t dim = n->in[0]->type.dim[axis], total = 0, chunk;
	const int64_t *given;
	size_t num;
	bool known;

	known = n->opset < 13 ? onnx_attr_ints(n, "split", &given, &num) :
				onnx_const_ints(n, 1, &given, &num);
	if (!known && n->opset >= 13 && n->num_in > 1 && n->in[1]) {
		for (size_t i = 0; i < parts; i++) {
			if (!onnx_declares(n, i) || n->declared[i].rank <= axis)
				onnx_node_fail(n, "split is computed by the graph, and must be a "
						  "constant");
			sizes[i] = n->declared[i].dim[axis];
		}
	} else if (known) {
		if (num != parts)
			onnx_node_fail(n, "split has %zu sizes for %zu results", num, parts);
		memcpy(sizes, given, parts * sizeof(*sizes));
	} else {
		chunk = (dim + (int64_t)parts - 1) / (int64_t)parts;
		for (size_t i = 0; i < parts; i++) {
			sizes[i] = chunk < dim - total ? chunk : dim - total;
			total += sizes[i];
		}
	}
	total = 0;
	for (size_t i = 0; i < parts; i++)
		if (sizes[i] < 0 || __builtin_add_overflow(total, sizes[i], &total))
			onnx_node_fail(n, "a part of %" PRId64 " is impossible", sizes[i]);
	if (total != dim)
		onnx_node_fail(n, "parts of %" PRId64 " together do not make up %" PRId64, total,
			       dim);
}

static struct ir_value *import_split(struct onnx_node *n)
{
	size_t parts = n->num_more + 1;
	int64_t axis = 0, at = 0, outputs, *sizes;
	struct ir_value *first = NULL;
	int d;

	onnx_need_inputs(n, 1, 2);
	sizes = cc_new_n(n->g->cc, int64_t, parts);
	onnx_attr_int(n, "axis", &axis);
	if (onnx_attr_int(n, "num_outputs", &outputs) && outputs != (int64_t)parts)
		onnx_node_fail(n, "num_outputs is %" PRId64 " and there are %zu results", outputs,
			       parts);
	d = onnx_axis(n, axis, n->in[0]->type.rank);
	split_sizes(n, d, sizes, parts);
	for (size_t i = 0; i < parts; i++) {
		struct ir_value *v;

		/* A result that nobody names is nobody's. */
		if (n->proto->output[i] && n->proto->output[i][0]) {
			v = onnx_slice(n, n->in[0], d, at, sizes[i], 1);
			*(i ? &n->more[i - 1] : &first) = v;
		}
		at += sizes[i];
	}
	return first ? first : n->in[0];
}

struct ir_value *onnx_expand(struct onnx_node *n, struct ir_value *x, int rank,
			     const int64_t *dims)
{
	int64_t own[IR_MAX_RANK] = { 0 }, skip = rank - x->type.rank;
	struct ir_take take = { .num = { 0 } };

	if (skip > 0) {
		for (int d = 0; d < rank; d++)
			own[d] = d < skip ? 1 : x->type.dim[d - skip];
		x = onnx_reshape(n, x, rank, own);
	}
	for (int d = 0; d < rank; d++) {
		if (dims[d] == x->type.dim[d])
			continue;
		take.num[d] = dims[d];
		take.index[d] = cc_new_n(n->g->cc, int64_t, (size_t)dims[d] + 1);
	}
	return onnx_take(n, x, &take);
}

static struct ir_value *import_expand(struct onnx_node *n)
{
	struct ir_type *xt;
	int64_t dims[IR_MAX_RANK], total = 1;
	const int64_t *shape;
	size_t num;
	int rank;

	onnx_need_inputs(n, 2, 2);
	xt = &n->in[0]->type;
	if (!onnx_const_ints(n, 1, &shape, &num)) {
		if (!onnx_declares(n, 0))
			onnx_node_fail(n, "the shape is computed by the graph, and must be a constant");
		shape = n->declared[0].dim;
		num = (size_t)n->declared[0].rank;
	}
	if (num > IR_MAX_RANK)
		onnx_node_fail(n, "a shape of %zu dimensions is more than %d", num, IR_MAX_RANK);
	rank = xt->rank > (int)num ? xt->rank : (int)num;
	for (int d = 0; d < rank; d++) {
		int64_t a = d < rank - xt->rank ? 1 : xt->dim[d - (rank - xt->rank)];
		int64_t b = d < rank - (int)num ? 1 : shape[d - (rank - (int)num)];

		if (a != b && a != 1 && b != 1)
			onnx_node_fail(n, "%" PRId64 " and %" PRId64 " in one place do not broadcast",
				       a, b);
		dims[d] = a == 1 ? b : a;
		if (dims[d] < 0 || __builtin_mul_overflow(total, dims[d], &total) ||
		    total > IR_MAX_ELEMENTS)
			onnx_node_fail(n, "the shape has the impossible dimension %" PRId64,
				       dims[d]);
	}
	return onnx_expand(n, n->in[0], rank, dims);
}

static struct ir_value *import_tile(struct onnx_node *n)
{
	const int64_t *repeats = NULL;
	struct ir_take take = { .num = { 0 } };
	int64_t total = 1;
	struct ir_type *t;
	size_t num = 0;

	onnx_need_inputs(n, 2, 2);
	t = &n->in[0]->type;
	if (onnx_const_ints(n, 1, &repeats, &num)) {
		if (num != (size_t)t->rank)
			onnx_node_fail(n, "repeats has %zu values for a tensor of %d dimensions", num,
				       t->rank);
	} else if (!onnx_declares(n, 0) || n->declared[0].rank != t->rank) {
		onnx_node_fail(n, "repeats is computed by the graph, and must be a constant");
	}
	for (int d = 0; d < t->rank; d++) {
		int64_t dim = t->dim[d], times = repeats ? repeats[d] : n->declared[0].dim[d] / dim;
		int64_t *index;

		if (times < 0 || __builtin_mul_overflow(dim, times, &take.num[d]) ||
		    __builtin_mul_overflow(total, take.num[d], &total) || total > IR_MAX_ELEMENTS)
			onnx_node_fail(n, "%" PRId64 " repetitions are impossible", times);
		if (times == 1)
			continue;
		index = cc_new_n(n->g->cc, int64_t, (size_t)take.num[d] + 1);
		for (int64_t i = 0; i < take.num[d]; i++)
			index[i] = i % dim;
		take.index[d] = index;
	}
	return onnx_take(n, n->in[0], &take);
}

/* [N][C][H][W] with channels taken apart, or the other way round. */
static struct ir_value *import_depth_to_space(struct onnx_node *n)
{
	static const int64_t dcr[6] = { 0, 3, 4, 1, 5, 2 }, crd[6] = { 0, 1, 4, 2, 5, 3 };
	const char *mode = "DCR";
	int64_t b = 0, apart[6], whole[4];
	const struct ir_type *t;
	bool is_crd;

	onnx_need_inputs(n, 1, 1);
	t = &n->in[0]->type;
	onnx_attr_int(n, "blocksize", &b);
	onnx_attr_string(n, "mode", &mode);
	is_crd = !strcmp(mode, "CRD");
	if (!is_crd && strcmp(mode, "DCR"))
		onnx_node_fail(n, "mode '%.40s' is not known", mode);
	if (t->rank != 4 || b < 1 || b > 65536 || t->dim[1] % (b * b))
		onnx_node_fail(n, "blocks of %" PRId64 " need an image whose channels are a multiple "
				  "of the block's pixels", b);
	whole[0] = t->dim[0];
	whole[1] = t->dim[1] / (b * b);
	whole[2] = t->dim[2] * b;
	whole[3] = t->dim[3] * b;
	apart[0] = t->dim[0];
	apart[is_crd ? 1 : 3] = whole[1];
	apart[is_crd ? 2 : 1] = b;
	apart[is_crd ? 3 : 2] = b;
	apart[4] = t->dim[2];
	apart[5] = t->dim[3];
	return onnx_reshape(n, onnx_transpose(n, onnx_reshape(n, n->in[0], 6, apart),
					      is_crd ? crd : dcr), 4, whole);
}

static struct ir_value *import_space_to_depth(struct onnx_node *n)
{
	static const int64_t perm[6] = { 0, 3, 5, 1, 2, 4 };
	const struct ir_type *t;
	int64_t b = 0;

	onnx_need_inputs(n, 1, 1);
	t = &n->in[0]->type;
	onnx_attr_int(n, "blocksize", &b);
	if (t->rank != 4 || b < 1 || b > 65536 || t->dim[2] % b || t->dim[3] % b)
		onnx_node_fail(n, "the image is not made of blocks of %" PRId64, b);
	{
		int64_t apart[6] = { t->dim[0], t->dim[1], t->dim[2] / b, b, t->dim[3] / b, b };
		int64_t whole[4] = { t->dim[0], t->dim[1] * b * b, t->dim[2] / b, t->dim[3] / b };

		return onnx_reshape(n, onnx_transpose(n, onnx_reshape(n, n->in[0], 6, apart), perm),
				    4, whole);
	}
}

static struct ir_value *import_trilu(struct onnx_node *n)
{
	int64_t upper = 1;
	const int64_t *k;
	struct ir_op *op;
	size_t num;

	onnx_need_inputs(n, 1, 2);
	onnx_attr_int(n, "upper", &upper);
	if (n->num_in > 1 && !ir_is_const(n->in[1]))
		return onnx_computed_trilu(n, upper != 0);
	op = onnx_op(n, IR_TRILU, 1, n->in);
	op->attr.upper = upper != 0;
	if (n->num_in > 1) {
		if (!onnx_const_ints(n, 1, &k, &num) || num != 1)
			onnx_node_fail(n, "the diagonal must be one integer");
		/* Far outside is far outside. */
		op->attr.axis = k[0] > INT32_MAX ? INT32_MAX : k[0] < INT32_MIN ? INT32_MIN : k[0];
	}
	return onnx_result(n, op);
}

static const struct onnx_importer importers[] = {
	{ "CenterCropPad", onnx_import_center_crop_pad },
	{ "Concat", import_concat },
	{ "DepthToSpace", import_depth_to_space },
	{ "Expand", import_expand },
	{ "Pad", onnx_import_pad },
	{ "Slice", import_slice },
	{ "SpaceToDepth", import_space_to_depth },
	{ "Split", import_split },
	{ "Tile", import_tile },
	{ "Transpose", import_transpose },
	{ "Trilu", import_trilu },
};

struct ir_value *onnx_import_move(struct onnx_node *n)
{
	return onnx_import_from(n, importers, sizeof(importers) / sizeof(importers[0]));
}
