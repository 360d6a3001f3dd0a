// SPDX-License-Identifier: MIT
/* Discrete Fourier transforms, as products with constant matrices, and the windows they like. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "onnx_move.h"
#include "onnx_build.h"

#define MAX_MATRIX ((int64_t)1 << 24)	/* elements */

/* [samples][parts in] x [frequencies][2]: e^(-2 pi i k s / length), conjugated for the inverse */
static struct ir_value *fourier_matrix(struct onnx_node *n, int64_t samples, int64_t parts,
				       int64_t length, int64_t frequencies, bool inverse)
{
	int64_t dims[2] = { samples * parts, frequencies * 2 };
	double scale = inverse ? 1.0 / (double)length : 1.0;
	float *m;

	if (samples > MAX_MATRIX || frequencies > MAX_MATRIX ||
	    dims[0] * dims[1] > MAX_MATRIX)
		onnx_node_fail(n, "a transform of %" PRId64 " samples is too long to be a matrix", samples);
	m = cc_calloc(n->g->cc, (size_t)(dims[0] * dims[1]), sizeof(*m));
	for (int64_t s = 0; s < samples; s++)
		for (int64_t k = 0; k < frequencies; k++) {
			double angle = 2.0 * M_PI * (double)(s * k % length) / (double)length;
			double re = cos(angle) * scale, im = sin(angle) * (inverse ? scale : -scale);
			float *row = m + s * parts * dims[1] + k * 2;

			row[0] = (float)re;
			row[1] = (float)im;
			if (parts == 2) {	/* times i */
				row[dims[1]] = (float)-im;
				row[dims[1] + 1] = (float)re;
			}
		}
	return build_floats(n, 2, dims, m);
}

static struct ir_value *import_dft(struct onnx_node *n)
{
	int64_t axis = 1, inverse = 0, onesided = 0, length, samples, frequencies, parts;
	int64_t perm[IR_MAX_RANK], back[IR_MAX_RANK], dims[IR_MAX_RANK];
	struct ir_value *x, *in[2];
	int rank, dim, num = 0;

	onnx_need_inputs(n, 1, 3);
	onnx_attr_int(n, "axis", &axis);
	onnx_attr_int(n, "inverse", &inverse);
	onnx_attr_int(n, "onesided", &onesided);
	for (size_t i = 1; i < n->num_in; i++)
		if (n->in[i] && (!ir_is_const(n->in[i]) || !ir_is_int(n->in[i]->type.dtype) ||
				 ir_type_elements(&n->in[i]->type) != 1))
			onnx_node_fail(n, "its length or axis is computed while the model runs; it must "
					  "be a constant");
	if (n->in[2])
		axis = n->in[2]->data.i64[0];
	x = n->in[0];
	rank = x->type.rank;
	if (rank < 2 || !ir_is_float(x->type.dtype))
		onnx_node_fail(n, "its input has no dimension of samples and one of parts");
	dim = onnx_axis(n, axis, rank);
	parts = x->type.dim[rank - 1];
	if (dim == rank - 1 || parts < 1 || parts > 2)
		onnx_node_fail(n, "the last dimension must be 1 (real) or 2 (complex), and not the axis");
	length = n->in[1] ? n->in[1]->data.i64[0] : x->type.dim[dim];
	if (length < 1 || length > MAX_MATRIX)
		onnx_node_fail(n, "a length of %" PRId64 " is outside 1 to %" PRId64, length, MAX_MATRIX);
	samples = x->type.dim[dim] < length ? x->type.dim[dim] : length;
	frequencies = onesided ? length / 2 + 1 : length;
	/* [rest][samples * parts] x [samples * parts][frequencies * 2] */
	for (int i = 0; i < rank - 1; i++)
		if (i != dim)
			perm[num++] = i;
	perm[num++] = dim;
	perm[num] = rank - 1;
	x = onnx_transpose(n, onnx_slice(n, x, dim, 0, samples, 1), perm);
	dims[0] = ir_type_elements(&x->type) / (samples * parts);
	dims[1] = samples * parts;
	in[0] = onnx_reshape(n, x, 2, dims);
	in[1] = fourier_matrix(n, samples, parts, length, frequencies, inverse != 0);
	for (int i = 0; i < rank; i++) {
		back[perm[i]] = i;
		dims[i] = x->type.dim[i];
	}
	dims[rank - 2] = frequencies;
	dims[rank - 1] = 2;
	x = onnx_reshape(n, build_op(n, IR_MATMUL, 2, in, NULL), rank, dims);
	return onnx_transpose(n, x, back);
}

/* a0 - a1 cos(2 pi i / n) + a2 cos(4 pi i / n), a constant of the size that is known now */
static struct ir_value *window(struct onnx_node *n, double a0, double a1, double a2)
{
	int64_t periodic = 1, type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, size;
	enum ir_dtype dtype;
	float *w;

	onnx_need_inputs(n, 1, 1);
	onnx_attr_int(n, "periodic", &periodic);
	onnx_attr_int(n, "output_datatype", &type);
	dtype = onnx_dtype((int32_t)type);
	if (!ir_is_float(dtype))
		onnx_node_fail(n, "output_datatype %" PRId64 " is not a floating-point type", type);
	if (ir_is_const(n->in[0]) && ir_is_int(n->in[0]->type.dtype) &&
	    ir_type_elements(&n->in[0]->type) == 1)
		size = n->in[0]->data.i64[0];
	else if (onnx_declares(n, 0) && n->declared[0].rank == 1)
		size = n->declared[0].dim[0];
	else
		onnx_node_fail(n, "its size is computed while the model runs; it must be a constant, or "
				  "follow from the declared result");
	if (size < 1 || size > MAX_MATRIX)
		onnx_node_fail(n, "a size of %" PRId64 " is outside 1 to %" PRId64, size, MAX_MATRIX);
	w = cc_new_n(n->g->cc, float, (size_t)size);
	for (int64_t i = 0; i < size; i++) {
		double span = (double)(periodic ? size : size - 1);
		double angle = span > 0.0 ? 2.0 * M_PI * (double)i / span : 0.0;

		w[i] = (float)(a0 - a1 * cos(angle) + a2 * cos(2.0 * angle));
	}
	return build_convert(n, build_floats(n, 1, &size, w), dtype);
}

static struct ir_value *import_blackman(struct onnx_node *n)
{
	return window(n, 0.42, 0.5, 0.08);
}

static struct ir_value *import_hamming(struct onnx_node *n)
{
	return window(n, 25.0 / 46.0, 21.0 / 46.0, 0.0);
}

static struct ir_value *import_hann(struct onnx_node *n)
{
	return window(n, 0.5, 0.5, 0.0);
}

struct ir_value *onnx_import_signal(struct onnx_node *n)
{
	static const struct onnx_importer table[] = {
		{ "BlackmanWindow", import_blackman },
		{ "DFT", import_dft },
		{ "HammingWindow", import_hamming },
		{ "HannWindow", import_hann },
	};

	return onnx_import_from(n, table, sizeof(table) / sizeof(table[0]));
}
