// SPDX-License-Identifier: MIT
/* One step of an optimizer, for each of several tensors (domain ai.onnx.preview.training). */
#include <string.h>

#include "onnx_build.h"

#define ALU(op, x, y) ir_map_alu(b, NCA_ALU_##op, x, y)
#define F(x) ir_map_float(x)

struct optimizer {
	float alpha, beta, epsilon, decay, norm, norm_post;
	bool nesterov;
};

/* What is updated: a tensor, its gradient, and up to two states. */
struct tensors {
	struct ir_value *rate, *count, *x, *g, *state[2];
};

static marg gradient(struct ir_map_builder *b, const struct optimizer *o, marg x,
		     const struct tensors *t)
{
	return ALU(ADD, ALU(MUL, x, F(o->norm)), ir_map_input(b, t->g));
}

static struct ir_value *finish(struct ir_map_builder *b, marg y, const struct tensors *t)
{
	return ir_map_end(b, y, t->x->type.dtype);
}

static void adagrad(struct onnx_node *n, const struct optimizer *o, const struct tensors *t,
		    struct ir_value **new)
{
	struct ir_map_builder builder, *b = &builder;
	marg x, g, rate, step;

	onnx_map_begin(n, b);
	g = gradient(b, o, ir_map_input(b, t->x), t);
	new[1] = finish(b, ALU(ADD, ir_map_input(b, t->state[0]), ALU(MUL, g, g)), t);
	onnx_map_begin(n, b);
	x = ir_map_input(b, t->x);
	g = gradient(b, o, x, t);
	rate = ALU(MUL, ir_map_convert(b, IR_MAP_F32, ir_map_input(b, t->count)), F(o->decay));
	rate = ALU(DIV, ir_map_input(b, t->rate), ALU(ADD, rate, F(1.0f)));
	step = ir_map_func(b, NCA_FUNC_SQRT, ir_map_input(b, new[1]));
	step = ALU(DIV, ALU(MUL, rate, g), ALU(ADD, step, F(o->epsilon)));
	new[0] = finish(b, ALU(SUB, x, step), t);
}

/* sqrt(1 - beta^count) / (1 - alpha^count), 1 at the start */
static marg adam_rate(struct ir_map_builder *b, const struct optimizer *o, const struct tensors *t)
{
	marg count = ir_map_convert(b, IR_MAP_F32, ir_map_input(b, t->count)), above, below, rate;

	above = ALU(SUB, F(1.0f), ALU(POW, F(o->beta), count));
	below = ALU(SUB, F(1.0f), ALU(POW, F(o->alpha), count));
	rate = ALU(DIV, ir_map_func(b, NCA_FUNC_SQRT, above), below);
	rate = ir_map_select(b, ALU(GT, count, F(0.0f)), rate, F(1.0f));
	return ALU(MUL, rate, ir_map_input(b, t->rate));
}

static void adam(struct onnx_node *n, const struct optimizer *o, const struct tensors *t,
		 struct ir_value **new)
{
	struct ir_map_builder builder, *b = &builder;
	marg x, g, step;

	for (int i = 0; i < 2; i++) {
		float keep = i ? o->beta : o->alpha;

		onnx_map_begin(n, b);
		g = gradient(b, o, ir_map_input(b, t->x), t);
		if (i)
			g = ALU(MUL, g, g);
		step = ALU(MUL, ir_map_input(b, t->state[i]), F(keep));
		new[1 + i] = finish(b, ALU(ADD, step, ALU(MUL, g, F(1.0f - keep))), t);
	}
	onnx_map_begin(n, b);
	x = ir_map_input(b, t->x);
	step = ir_map_func(b, NCA_FUNC_SQRT, ir_map_input(b, new[2]));
	step = ALU(DIV, ir_map_input(b, new[1]), ALU(ADD, step, F(o->epsilon)));
	x = ALU(SUB, x, ALU(MUL, step, adam_rate(b, o, t)));
	new[0] = finish(b, ALU(MUL, x, F(1.0f - o->norm_post)), t);
}

static void momentum(struct onnx_node *n, const struct optimizer *o, const struct tensors *t,
		     struct ir_value **new)
{
	struct ir_map_builder builder, *b = &builder;
	marg x, g, v, share;

	onnx_map_begin(n, b);
	g = gradient(b, o, ir_map_input(b, t->x), t);
	share = ALU(GT, ir_map_input(b, t->count), ir_map_int(0));
	share = ir_map_select(b, share, ir_map_convert(b, IR_MAP_F32, F(o->beta)), F(1.0f));
	v = ALU(MUL, ir_map_input(b, t->state[0]), F(o->alpha));
	new[1] = finish(b, ALU(ADD, v, ALU(MUL, share, g)), t);
	onnx_map_begin(n, b);
	x = ir_map_input(b, t->x);
	v = ir_map_input(b, new[1]);
	if (o->nesterov)
		v = ALU(ADD, gradient(b, o, x, t), ALU(MUL, v, F(o->alpha)));
	new[0] = finish(b, ALU(SUB, x, ALU(MUL, ir_map_input(b, t->rate), v)), t);
}

/* @states: of each tensor. Results: all tensors, then all first states, then all second ones. */
static struct ir_value *optimize(struct onnx_node *n, const struct optimizer *o, size_t states,
				 void (*step)(struct onnx_node *n, const struct optimizer *o,
					      const struct tensors *t, struct ir_value **new))
{
	size_t kinds = 2 + states, num;
	struct ir_value *first = NULL;

	if (n->num_in < 2 + kinds || (n->num_in - 2) % kinds)
		onnx_node_fail(n, "%zu inputs are no rate, count and %zu for each tensor", n->num_in,
			       kinds);
	onnx_need_inputs(n, n->num_in, n->num_in);
	num = (n->num_in - 2) / kinds;
	for (size_t i = 2; i < n->num_in; i++)
		if (!ir_is_float(n->in[i]->type.dtype))
			onnx_node_fail(n, "operand %zu is not of a floating-point type", i);
	for (size_t i = 0; i < num; i++) {
		struct tensors t = { .rate = n->in[0], .count = n->in[1], .x = n->in[2 + i],
				     .g = n->in[2 + num + i] };
		struct ir_value *new[3] = { NULL };

		for (size_t k = 0; k < states; k++)
			t.state[k] = n->in[2 + (2 + k) * num + i];
		step(n, o, &t, new);
		for (size_t k = 0; k <= states; k++) {
			size_t at = k * num + i;

			if (!at)
				first = new[k];
			else if (at - 1 < n->num_more)
				n->more[at - 1] = new[k];
		}
	}
	return first;
}

static struct ir_value *import_adagrad(struct onnx_node *n)
{
	struct optimizer o = { .epsilon = 1e-6f };

	onnx_attr_float(n, "decay_factor", &o.decay);
	onnx_attr_float(n, "epsilon", &o.epsilon);
	onnx_attr_float(n, "norm_coefficient", &o.norm);
	return optimize(n, &o, 1, adagrad);
}

static struct ir_value *import_adam(struct onnx_node *n)
{
	struct optimizer o = { .alpha = 0.9f, .beta = 0.999f };

	onnx_attr_float(n, "alpha", &o.alpha);
	onnx_attr_float(n, "beta", &o.beta);
	if (!onnx_attr_float(n, "epsilon", &o.epsilon))
		onnx_node_fail(n, "epsilon is left out; the standard's text says 1e-6 then, its test "
				  "model 1e-2, so write it into the node");
	onnx_attr_float(n, "norm_coefficient", &o.norm);
	onnx_attr_float(n, "norm_coefficient_post", &o.norm_post);
	return optimize(n, &o, 2, adam);
}

static struct ir_value *import_momentum(struct onnx_node *n)
{
	struct optimizer o = { .alpha = 0.9f, .beta = 1.0f };
	const char *mode = "standard";

	onnx_attr_float(n, "alpha", &o.alpha);
	onnx_attr_float(n, "beta", &o.beta);
	onnx_attr_float(n, "norm_coefficient", &o.norm);
	onnx_attr_string(n, "mode", &mode);
	o.nesterov = !strcmp(mode, "nesterov");
	if (!o.nesterov && strcmp(mode, "standard"))
		onnx_node_fail(n, "mode '%.40s' is not known", mode);
	return optimize(n, &o, 1, momentum);
}

struct ir_value *onnx_import_training(struct onnx_node *n)
{
	static const struct onnx_importer table[] = {
		{ "Adagrad", import_adagrad },
		{ "Adam", import_adam },
		{ "Momentum", import_momentum },
	};

	return onnx_import_from(n, table, sizeof(table) / sizeof(table[0]));
}
