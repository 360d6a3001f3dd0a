// SPDX-License-Identifier: MIT
/*
 * GridSample: every place of the grid names a point of the image. Maps compute the pixels around it and how
 * much each of them counts; pixels are gathered as rows of channels and summed up by weight.
 */
#include <string.h>

#include "onnx_gather.h"

enum mode { BILINEAR, NEAREST, BICUBIC };
enum padding { ZEROS, BORDER, REFLECTION };

struct sample {
	struct onnx_node *n;
	enum mode mode;
	enum padding padding;
	bool align;
	int64_t images, channels, size[2], points;	/* size: height, width */
	struct ir_value *pixels;		/* [image, row, column][channel] */
	struct ir_value *at[2];			/* coordinates in pixels, [images][points] */
};

static marg num(float f)
{
	return ir_map_float(f);
}

static marg op2(struct ir_map_builder *b, enum nca_alu alu, marg x, marg y)
{
	return ir_map_alu(b, alu, x, y);
}

static marg clip(struct ir_map_builder *b, marg x, int64_t size)
{
	return op2(b, NCA_ALU_MIN, op2(b, NCA_ALU_MAX, x, num(0.0f)), num((float)(size - 1)));
}

/* There and back between the first and the last pixel, or their outer edges. */
static marg reflect(struct ir_map_builder *b, marg x, int64_t size, bool align)
{
	float low = align ? 0.0f : -0.5f, span = align ? (float)(size - 1) : (float)size;
	marg m;

	if (span == 0.0f)
		return op2(b, NCA_ALU_MUL, x, num(0.0f));
	m = ir_map_func(b, NCA_FUNC_ABS, op2(b, NCA_ALU_SUB, x, num(low)));
	m = op2(b, NCA_ALU_MOD, m, num(2.0f * span));
	m = op2(b, NCA_ALU_MIN, m, op2(b, NCA_ALU_SUB, num(2.0f * span), m));
	return clip(b, op2(b, NCA_ALU_ADD, m, num(low)), size);
}

static marg padded(const struct sample *s, struct ir_map_builder *b, marg x, int axis)
{
	if (s->padding == BORDER)
		return clip(b, x, s->size[axis]);
	return s->padding == REFLECTION ? reflect(b, x, s->size[axis], s->align) : x;
}

/* Coordinate @axis (0: y) of every point; the grid has x first, from -1 to 1. */
static struct ir_value *coordinate(struct sample *s, int axis)
{
	int64_t dims[2] = { s->images, s->points };
	float size = (float)s->size[axis];
	struct ir_map_builder b;
	marg x;

	onnx_map_begin(s->n, &b);
	x = ir_map_input(&b, onnx_reshape(s->n, onnx_slice(s->n, s->n->in[1], 3, 1 - axis, 1, 1), 2,
					  dims));
	x = op2(&b, NCA_ALU_ADD, x, num(1.0f));
	if (s->align)
		x = op2(&b, NCA_ALU_MUL, x, num((size - 1.0f) / 2.0f));
	else
		x = op2(&b, NCA_ALU_SUB, op2(&b, NCA_ALU_MUL, x, num(size / 2.0f)), num(0.5f));
	if (s->mode != BICUBIC)	/* which pads the pixels around instead */
		x = padded(s, &b, x, axis);
	if (s->mode == NEAREST)
		x = ir_map_func(&b, NCA_FUNC_ROUND, x);
	return ir_map_end(&b, x, IR_DT_F32);
}

/* How much the pixel at distance @t counts along one axis. */
static marg weight(const struct sample *s, struct ir_map_builder *b, marg t)
{
	static const float near[4] = { 1.25f, -2.25f, 0.0f, 1.0f };
	static const float far[4] = { -0.75f, 3.75f, -6.0f, 3.0f };
	marg d = ir_map_func(b, NCA_FUNC_ABS, t), w;

	if (s->mode == BILINEAR)
		return op2(b, NCA_ALU_MAX, op2(b, NCA_ALU_SUB, num(1.0f), d), num(0.0f));
	w = ir_map_select(b, op2(b, NCA_ALU_LT, d, num(2.0f)), ir_map_poly(b, d, far, 4), num(0.0f));
	return ir_map_select(b, op2(b, NCA_ALU_LE, d, num(1.0f)), ir_map_poly(b, d, near, 4), w);
}

/* The pixel @step away from the one at or before the point. */
static marg pixel(const struct sample *s, struct ir_map_builder *b, int axis, int step, marg *w)
{
	marg x = ir_map_input(b, s->at[axis]), p, inside;

	if (s->mode == NEAREST) {
		p = op2(b, NCA_ALU_ADD, x, num(0.0f));
		*w = num(1.0f);
	} else {
		p = op2(b, NCA_ALU_ADD, ir_map_func(b, NCA_FUNC_FLOOR, x), num((float)step));
		*w = weight(s, b, op2(b, NCA_ALU_SUB, x, p));
	}
	if (s->mode == BICUBIC)
		p = padded(s, b, p, axis);
	inside = op2(b, NCA_ALU_LAND, op2(b, NCA_ALU_GE, p, num(0.0f)),
		     op2(b, NCA_ALU_LE, p, num((float)(s->size[axis] - 1))));
	*w = op2(b, NCA_ALU_MUL, *w, inside);
	return ir_map_convert(b, IR_MAP_I32, clip(b, p, s->size[axis]));
}

static struct ir_value *tap(struct sample *s, int dy, int dx, struct ir_value *sum)
{
	int64_t rows = s->images * s->points, weights[2] = { rows, 1 };
	int64_t dims[2] = { rows, s->channels };
	struct ir_type t = ir_type_make(IR_DT_F32, 2, dims);
	struct ir_value *index, *w, *image;
	struct ir_map_builder b;
	marg y, x, wy, wx;

	image = onnx_iota(s->n, 2, 0, s->images, 0, s->size[0] * s->size[1]);
	onnx_map_begin(s->n, &b);
	y = pixel(s, &b, 0, dy, &wy);
	x = pixel(s, &b, 1, dx, &wx);
	y = op2(&b, NCA_ALU_MUL, y, ir_map_int(s->size[1]));
	x = op2(&b, NCA_ALU_ADD, op2(&b, NCA_ALU_ADD, y, x), ir_map_input(&b, image));
	index = ir_map_end(&b, x, IR_DT_I64);
	onnx_map_begin(s->n, &b);
	pixel(s, &b, 0, dy, &wy);
	pixel(s, &b, 1, dx, &wx);
	w = ir_map_end(&b, op2(&b, NCA_ALU_MUL, wy, wx), IR_DT_F32);
	onnx_map_begin(s->n, &b);
	x = op2(&b, NCA_ALU_MUL,
		ir_map_input(&b, onnx_gather_rows(s->n, s->pixels, index, s->channels, &t)),
		ir_map_input(&b, onnx_reshape(s->n, w, 2, weights)));
	if (sum)
		x = op2(&b, NCA_ALU_ADD, x, ir_map_input(&b, sum));
	return ir_map_end(&b, x, s->n->in[0]->type.dtype);
}

static struct ir_value *import_grid_sample(struct onnx_node *n)
{
	static const char *const modes[] = { "bilinear", "nearest", "bicubic", "linear", "cubic" };
	static const char *const paddings[] = { "zeros", "border", "reflection" };
	static const int64_t last[4] = { 0, 2, 3, 1 }, first[4] = { 0, 3, 1, 2 };
	const struct ir_type *x, *grid;
	struct sample s = { .n = n };
	struct ir_value *sum = NULL;
	int64_t align = 0;
	int mode, low, high;

	onnx_need_inputs(n, 2, 2);
	x = &n->in[0]->type;
	grid = &n->in[1]->type;
	mode = onnx_choice(n, "mode", modes, 5);
	s.mode = mode == 3 ? BILINEAR : mode == 4 ? BICUBIC : (enum mode)mode;
	s.padding = (enum padding)onnx_choice(n, "padding_mode", paddings, 3);
	onnx_attr_int(n, "align_corners", &align);
	s.align = align != 0;
	if (x->rank != 4 || grid->rank != 4 || grid->dim[3] != 2 || grid->dim[0] != x->dim[0] ||
	    !ir_is_float(x->dtype) || !ir_is_float(grid->dtype))
		onnx_node_fail(n, "only images [N,C,H,W] can be sampled, with a grid [N,H',W',2]");
	s.images = x->dim[0];
	s.channels = x->dim[1];
	s.size[0] = x->dim[2];
	s.size[1] = x->dim[3];
	s.points = grid->dim[1] * grid->dim[2];
	s.pixels = onnx_transpose(n, n->in[0], last);
	for (int axis = 0; axis < 2; axis++)
		s.at[axis] = coordinate(&s, axis);
	low = s.mode == BICUBIC ? -1 : 0;
	high = s.mode == BICUBIC ? 2 : s.mode == BILINEAR ? 1 : 0;
	for (int dy = low; dy <= high; dy++)
		for (int dx = low; dx <= high; dx++)
			sum = tap(&s, dy, dx, sum);
	{
		int64_t dims[4] = { s.images, grid->dim[1], grid->dim[2], s.channels };

		return onnx_transpose(n, onnx_reshape(n, sum, 4, dims), first);
	}
}

static const struct onnx_importer importers[] = {
	{ "GridSample", import_grid_sample },
};

struct ir_value *onnx_import_grid_sample(struct onnx_node *n)
{
	return onnx_import_from(n, importers, sizeof(importers) / sizeof(importers[0]));
}
