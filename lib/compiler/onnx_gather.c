// SPDX-License-Identifier: MIT
/*
 * ONNX operators that choose elements by index: the numbers of the rows are computed by a map from the
 * indices and the places along the other dimensions.
 */
#include <inttypes.h>
#include <string.h>

#include "onnx_gather.h"

struct ir_value *onnx_iota(struct onnx_node *n, int rank, int dim, int64_t num, int64_t start,
			   int64_t step)
{
	struct ir_type t = { .dtype = IR_DT_I64, .rank = rank };
	int64_t *v = cc_new_n(n->g->cc, int64_t, (size_t)num + 1);

	for (int d = 0; d < rank; d++)
		t.dim[d] = d == dim ? num : 1;
	for (int64_t i = 0; i < num; i++)
		v[i] = start + i * step;
	return ir_const_i64(n->g, NULL, &t, v);
}

marg onnx_wrap_index(struct ir_map_builder *b, marg index, int64_t dim)
{
	return ir_map_select(b, ir_map_alu(b, NCA_ALU_LT, index, ir_map_int(0)),
			     ir_map_alu(b, NCA_ALU_ADD, index, ir_map_int(dim)), index);
}

static void need_index(struct onnx_node *n, size_t slot)
{
	if (!ir_is_int(n->in[slot]->type.dtype))
		onnx_node_fail(n, "its indices have element type %s and must be integers",
			       ir_dtype_name(n->in[slot]->type.dtype));
}

/* Rows that are known while the model is compiled are there; of others the device finds out. */
static void check_rows(struct onnx_node *n, const struct ir_value *data, const struct ir_value *index,
		       int64_t row)
{
	int64_t rows, num = ir_type_elements(&index->type);

	if (ir_type_elements(&data->type) > INT32_MAX)
		onnx_node_fail(n, "the tensor has too many elements for 32-bit indices");
	if (!row)
		onnx_node_fail(n, "its rows have no elements, and empty tensors cannot be compiled");
	rows = ir_type_elements(&data->type) / row;
	for (int64_t i = 0; ir_is_const(index) && i < num; i++)
		if (index->data.i64[i] < 0 || index->data.i64[i] >= rows)
			onnx_node_fail(n, "its index number %" PRId64 " is out of range", i);
}

struct ir_value *onnx_gather_rows(struct onnx_node *n, struct ir_value *data,
				  struct ir_value *index, int64_t row, const struct ir_type *type)
{
	struct ir_value *in[2] = { data, index };
	struct ir_gather *attr = cc_new(n->g->cc, struct ir_gather);
	struct ir_op *op = onnx_op(n, IR_GATHER, 2, in);

	check_rows(n, data, index, row);
	attr->row = row;
	attr->type = *type;
	attr->type.dtype = data->type.dtype;
	op->attr.gather = attr;
	return onnx_result(n, op);
}

static int64_t product(const struct ir_type *t, int from, int to)
{
	int64_t p = 1;

	for (int i = from; i < to; i++)
		p *= t->dim[i];
	return p;
}

/* Indices that do not depend on the model's inputs; NULL if too many copies would be needed. */
static struct ir_value *take_constant(struct onnx_node *n, struct ir_value *x, int axis,
				      const struct ir_value *k)
{
	int64_t num = ir_type_elements(&k->type), dim = x->type.dim[axis];
	int64_t *index = cc_new_n(n->g->cc, int64_t, (size_t)num + 1);
	size_t runs;

	for (int64_t i = 0; i < num; i++) {
		index[i] = k->data.i64[i] < 0 ? k->data.i64[i] + dim : k->data.i64[i];
		if (index[i] < 0 || index[i] >= dim)
			onnx_node_fail(n, "index %" PRId64 " is outside dimension %d, which has %" PRId64
				       " elements", k->data.i64[i], axis, dim);
	}
	ir_take_runs(n->g->cc, index, num, &runs);
	if (runs > MAX_TAKE_PIECES && !ir_is_const(x))
		return NULL;
	return onnx_take_axis(n, x, axis, index, num);
}

/* [outer][index] rows of what is behind the axis. */
struct ir_value *onnx_gather_axis(struct onnx_node *n, struct ir_value *x, int axis,
				  struct ir_value *index)
{
	int64_t dims[2] = { 1, ir_type_elements(&index->type) };
	struct ir_type t = x->type;
	struct ir_map_builder b;
	struct ir_value *v;
	marg row;

	if (ir_is_const(index)) {
		v = take_constant(n, x, axis, index);
		if (v)
			return v;
	}
	t.dim[axis] = dims[1];
	onnx_map_begin(n, &b);
	row = onnx_wrap_index(&b, ir_map_input(&b, onnx_reshape(n, index, 2, dims)),
			      x->type.dim[axis]);
	row = ir_map_alu(&b, NCA_ALU_ADD, row,
			 ir_map_input(&b, onnx_iota(n, 2, 0, product(&x->type, 0, axis), 0,
						    x->type.dim[axis])));
	v = onnx_fold(n, ir_map_end(&b, row, IR_DT_I64));
	return onnx_gather_rows(n, x, v, product(&x->type, axis + 1, x->type.rank), &t);
}

static struct ir_value *import_gather(struct onnx_node *n)
{
	struct ir_type t = { 0 }, kt;
	const struct ir_type *x;
	int64_t axis = 0;
	int d;

	onnx_need_inputs(n, 2, 2);
	need_index(n, 1);
	x = &n->in[0]->type;
	kt = n->in[1]->type;
	onnx_attr_int(n, "axis", &axis);
	d = onnx_axis(n, axis, x->rank);
	if (x->rank - 1 + kt.rank > IR_MAX_RANK)
		onnx_node_fail(n, "the result would have more than %d dimensions", IR_MAX_RANK);
	for (int i = 0; i < d; i++)
		t.dim[t.rank++] = x->dim[i];
	for (int i = 0; i < kt.rank; i++)
		t.dim[t.rank++] = kt.dim[i];
	for (int i = d + 1; i < x->rank; i++)
		t.dim[t.rank++] = x->dim[i];
	return onnx_reshape(n, onnx_gather_axis(n, n->in[0], d, n->in[1]), t.rank, t.dim);
}

/* The element numbers of [i0][i1].. with the index instead of i along @axis. */
static struct ir_value *element_index(struct onnx_node *n, struct ir_value *k,
				      const struct ir_type *x, int axis)
{
	int64_t stride = 1, own = 0;
	struct ir_map_builder b;
	marg sum, term;

	onnx_map_begin(n, &b);
	sum = onnx_wrap_index(&b, ir_map_input(&b, k), x->dim[axis]);
	own = product(x, axis + 1, x->rank);
	if (own != 1)
		sum = ir_map_alu(&b, NCA_ALU_MUL, sum, ir_map_int(own));
	for (int d = x->rank - 1; d >= 0; d--) {
		if (d != axis && k->type.dim[d] > 1) {
			term = ir_map_input(&b, onnx_iota(n, x->rank, d, k->type.dim[d], 0, stride));
			sum = ir_map_alu(&b, NCA_ALU_ADD, sum, term);
		}
		stride *= x->dim[d];
	}
	return onnx_fold(n, ir_map_end(&b, sum, IR_DT_I64));
}

static void check_elements(struct onnx_node *n, const struct ir_type *x, const struct ir_type *k,
			   int axis)
{
	if (x->rank != k->rank)
		onnx_node_fail(n, "indices of %d dimensions for a tensor of %d", k->rank, x->rank);
	for (int d = 0; d < x->rank; d++)
		if (d != axis && k->dim[d] > x->dim[d])
			onnx_node_fail(n, "dimension %d of the indices is larger than the tensor's", d);
}

static struct ir_value *import_gather_elements(struct onnx_node *n)
{
	const struct ir_type *x;
	int64_t axis = 0;
	int d;

	onnx_need_inputs(n, 2, 2);
	need_index(n, 1);
	x = &n->in[0]->type;
	onnx_attr_int(n, "axis", &axis);
	d = onnx_axis(n, axis, x->rank);
	check_elements(n, x, &n->in[1]->type, d);
	return onnx_gather_rows(n, n->in[0], element_index(n, n->in[1], x, d), 1,
				&n->in[1]->type);
}

/* Row numbers from tuples of indices, which lie along the last dimension of @k. */
static struct ir_value *tuple_index(struct onnx_node *n, struct ir_value *k,
				    const struct ir_type *x, int batch, int tuple)
{
	int64_t stride = 1, dims[IR_MAX_RANK];
	int rank = k->type.rank - 1;
	struct ir_map_builder b;
	marg sum = ir_map_int(0), term;

	memcpy(dims, k->type.dim, sizeof(dims));
	onnx_map_begin(n, &b);
	for (int c = tuple - 1; c >= 0; c--) {
		struct ir_value *v = onnx_slice(n, k, rank, c, 1, 1);

		term = onnx_wrap_index(&b, ir_map_input(&b, onnx_reshape(n, v, rank, dims)),
				       x->dim[batch + c]);
		term = ir_map_alu(&b, NCA_ALU_MUL, term, ir_map_int(stride));
		sum = c == tuple - 1 ? term : ir_map_alu(&b, NCA_ALU_ADD, sum, term);
		stride *= x->dim[batch + c];
	}
	for (int d = batch - 1; d >= 0; d--) {
		term = ir_map_input(&b, onnx_iota(n, rank, d, x->dim[d], 0, stride));
		sum = ir_map_alu(&b, NCA_ALU_ADD, sum, term);
		stride *= x->dim[d];
	}
	return onnx_fold(n, ir_map_end(&b, sum, IR_DT_I64));
}

static int tuple_length(struct onnx_node *n, const struct ir_type *x, const struct ir_type *k,
			int64_t batch)
{
	int64_t tuple;

	if (batch < 0 || batch >= k->rank || batch >= x->rank)
		onnx_node_fail(n, "batch_dims = %" PRId64 " does not fit tensors of %d and %d "
				  "dimensions", batch, x->rank, k->rank);
	tuple = k->dim[k->rank - 1];
	if (tuple < 1 || tuple > x->rank - batch || tuple + batch > IR_MAP_MAX_INPUTS)
		onnx_node_fail(n, "tuples of %" PRId64 " indices for a tensor of %d dimensions", tuple,
			       x->rank);
	return (int)tuple;
}

static struct ir_value *import_gather_nd(struct onnx_node *n)
{
	const struct ir_type *x, *k;
	struct ir_type t = { 0 };
	int64_t batch = 0;
	int tuple;

	onnx_need_inputs(n, 2, 2);
	need_index(n, 1);
	x = &n->in[0]->type;
	k = &n->in[1]->type;
	onnx_attr_int(n, "batch_dims", &batch);
	tuple = tuple_length(n, x, k, batch);
	if (k->rank - 1 + x->rank - (int)batch - tuple > IR_MAX_RANK)
		onnx_node_fail(n, "the result would have more than %d dimensions", IR_MAX_RANK);
	for (int i = 0; i < k->rank - 1; i++)
		t.dim[t.rank++] = k->dim[i];
	for (int i = (int)batch + tuple; i < x->rank; i++)
		t.dim[t.rank++] = x->dim[i];
	return onnx_gather_rows(n, n->in[0], tuple_index(n, n->in[1], x, (int)batch, tuple),
				product(x, (int)batch + tuple, x->rank), &t);
}

struct ir_value *onnx_scatter_rows(struct onnx_node *n, struct ir_value *data,
				   struct ir_value *index, struct ir_value *updates, int64_t row,
				   enum nca_alu reduction)
{
	struct ir_value *in[3] = { data, index, updates };
	struct ir_gather *attr = cc_new(n->g->cc, struct ir_gather);
	struct ir_op *op = onnx_op(n, IR_SCATTER, 3, in);

	check_rows(n, data, index, row);
	attr->row = row;
	attr->type = data->type;
	op->attr.gather = attr;
	op->attr.alu = reduction;
	return onnx_result(n, op);
}

static enum nca_alu read_reduction(struct onnx_node *n)
{
	static const struct {
		const char *name;
		enum nca_alu alu;
	} names[] = {
		{ "none", NCA_ALU_NONE }, { "add", NCA_ALU_ADD }, { "mul", NCA_ALU_MUL },
		{ "max", NCA_ALU_MAX },	  { "min", NCA_ALU_MIN },
	};
	const char *reduction = "none";

	onnx_attr_string(n, "reduction", &reduction);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i].name, reduction))
			return names[i].alu;
	onnx_node_fail(n, "reduction '%.40s' is not known", reduction);
}

static struct ir_value *import_scatter_elements(struct onnx_node *n)
{
	const struct ir_type *x;
	int64_t axis = 0;
	enum nca_alu alu;
	int d;

	onnx_need_inputs(n, 3, 3);
	need_index(n, 1);
	x = &n->in[0]->type;
	onnx_attr_int(n, "axis", &axis);
	alu = read_reduction(n);
	d = onnx_axis(n, axis, x->rank);
	check_elements(n, x, &n->in[1]->type, d);
	if (ir_type_elements(&n->in[1]->type) != ir_type_elements(&n->in[2]->type))
		onnx_node_fail(n, "indices and updates have different shapes");
	return onnx_scatter_rows(n, n->in[0], element_index(n, n->in[1], x, d), n->in[2], 1, alu);
}

static struct ir_value *import_scatter_nd(struct onnx_node *n)
{
	const struct ir_type *x;
	enum nca_alu alu;
	int tuple;

	onnx_need_inputs(n, 3, 3);
	need_index(n, 1);
	x = &n->in[0]->type;
	alu = read_reduction(n);
	tuple = tuple_length(n, x, &n->in[1]->type, 0);
	return onnx_scatter_rows(n, n->in[0], tuple_index(n, n->in[1], x, 0, tuple), n->in[2],
				 product(x, tuple, x->rank), alu);
}

/* Values put where they came from; indices count elements of the whole tensor. */
static struct ir_value *import_max_unpool(struct onnx_node *n)
{
	const int64_t *kernel, *strides = NULL, *pads = NULL;
	size_t num, num_strides = 0, num_pads = 0;
	const struct ir_type *x;
	struct ir_type t;
	struct ir_value *zeros;

	onnx_need_inputs(n, 2, 3);
	need_index(n, 1);
	x = &n->in[0]->type;
	t = *x;
	if (!onnx_attr_ints(n, "kernel_shape", &kernel, &num) || num != (size_t)x->rank - 2)
		onnx_node_fail(n, "kernel_shape does not fit the input");
	onnx_attr_ints(n, "strides", &strides, &num_strides);
	onnx_attr_ints(n, "pads", &pads, &num_pads);
	if ((strides && num_strides != num) || (pads && num_pads != 2 * num))
		onnx_node_fail(n, "strides or pads do not fit the kernel");
	for (size_t i = 0; i < num; i++)
		t.dim[i + 2] = (x->dim[i + 2] - 1) * (strides ? strides[i] : 1) + kernel[i] -
			       (pads ? pads[i] + pads[i + num] : 0);
	if (n->num_in > 2 && n->in[2])
		onnx_node_fail(n, "output_shape cannot be compiled: what the indices count is not "
				  "defined then");
	zeros = onnx_filled(n, &t, 0.0f, 0);
	return onnx_scatter_rows(n, zeros, n->in[1], n->in[0], 1, NCA_ALU_NONE);
}

/* Each position along the new axis compared with the index. */
static struct ir_value *import_one_hot(struct onnx_node *n)
{
	int64_t axis = -1, depth, dims[IR_MAX_RANK];
	struct ir_value *off, *on, *k, *places;
	struct ir_map_builder b;
	const int64_t *given;
	marg index, same;
	int rank, d;
	size_t num;

	onnx_need_inputs(n, 3, 3);
	rank = n->in[0]->type.rank + 1;
	onnx_attr_int(n, "axis", &axis);
	if (rank > IR_MAX_RANK)
		onnx_node_fail(n, "the result would have more than %d dimensions", IR_MAX_RANK);
	d = onnx_axis(n, axis, rank);
	if (ir_is_const(n->in[1]) && ir_is_float(n->in[1]->type.dtype))
		depth = (int64_t)n->in[1]->data.f32[0];
	else if (onnx_const_ints(n, 1, &given, &num) && num == 1)
		depth = given[0];
	else if (onnx_declares(n, 0) && n->declared[0].rank == rank)
		depth = n->declared[0].dim[d];
	else
		onnx_node_fail(n, "the depth is computed by the graph, and must be a constant");
	if (depth < 1 || depth > INT32_MAX)
		onnx_node_fail(n, "a depth of %" PRId64 " is impossible", depth);
	if (ir_type_elements(&n->in[2]->type) != 2)
		onnx_node_fail(n, "values must be the two for off and on");
	for (int i = 0; i < rank; i++)
		dims[i] = i == d ? 1 : n->in[0]->type.dim[i > d ? i - 1 : i];
	k = onnx_reshape(n, n->in[0], rank, dims);
	places = onnx_iota(n, rank, d, depth, 0, 1);
	off = onnx_slice(n, n->in[2], 0, 0, 1, 1);
	on = onnx_slice(n, n->in[2], 0, 1, 1, 1);
	onnx_map_begin(n, &b);
	index = onnx_wrap_index(&b, ir_map_input(&b, k), depth);
	same = ir_map_alu(&b, NCA_ALU_EQ, index, ir_map_input(&b, places));
	return ir_map_end(&b, ir_map_select(&b, same, ir_map_input(&b, on), ir_map_input(&b, off)),
			  n->in[2]->type.dtype);
}

/* The first lengths[b] elements along the time axis, backwards. */
static struct ir_value *import_reverse_sequence(struct onnx_node *n)
{
	int64_t batch_axis = 1, time_axis = 0, dims[2];
	const struct ir_type *x;
	struct ir_map_builder b;
	struct ir_value *index, *lengths;
	marg time, length, turned, row;
	bool time_first;

	onnx_need_inputs(n, 2, 2);
	need_index(n, 1);
	x = &n->in[0]->type;
	onnx_attr_int(n, "batch_axis", &batch_axis);
	onnx_attr_int(n, "time_axis", &time_axis);
	if (x->rank < 2 || batch_axis + time_axis != 1 || (batch_axis && time_axis))
		onnx_node_fail(n, "time and batch must be the first two dimensions");
	time_first = time_axis == 0;
	if (ir_type_elements(&n->in[1]->type) != x->dim[batch_axis])
		onnx_node_fail(n, "there is not one length for each sequence");
	dims[time_axis] = 1;
	dims[batch_axis] = x->dim[batch_axis];
	lengths = onnx_reshape(n, n->in[1], 2, dims);
	onnx_map_begin(n, &b);
	time = ir_map_input(&b, onnx_iota(n, 2, (int)time_axis, x->dim[time_axis], 0, 1));
	length = ir_map_input(&b, lengths);
	turned = ir_map_alu(&b, NCA_ALU_SUB, ir_map_alu(&b, NCA_ALU_SUB, length, time),
			    ir_map_int(1));
	turned = ir_map_select(&b, ir_map_alu(&b, NCA_ALU_LT, time, length), turned, time);
	row = ir_map_alu(&b, NCA_ALU_MUL, turned, ir_map_int(time_first ? x->dim[1] : 1));
	row = ir_map_alu(&b, NCA_ALU_ADD, row,
			 ir_map_input(&b, onnx_iota(n, 2, (int)batch_axis, x->dim[batch_axis], 0,
						    time_first ? 1 : x->dim[1])));
	index = onnx_fold(n, ir_map_end(&b, row, IR_DT_I64));
	return onnx_gather_rows(n, n->in[0], index, product(x, 2, x->rank), x);
}

static const struct onnx_importer importers[] = {
	{ "Gather", import_gather },
	{ "GatherElements", import_gather_elements },
	{ "GatherND", import_gather_nd },
	{ "MaxUnpool", import_max_unpool },
	{ "OneHot", import_one_hot },
	{ "ReverseSequence", import_reverse_sequence },
	{ "Scatter", import_scatter_elements },
	{ "ScatterElements", import_scatter_elements },
	{ "ScatterND", import_scatter_nd },
};

struct ir_value *onnx_import_gather(struct onnx_node *n)
{
	return onnx_import_from(n, importers, sizeof(importers) / sizeof(importers[0]));
}
