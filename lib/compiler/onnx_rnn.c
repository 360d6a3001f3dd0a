// SPDX-License-Identifier: MIT
/*
 * Recurrent networks, unrolled over the sequence. What a step reads from the input is one product for
 * the whole sequence; what it reads from the step before, one small product per step.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "onnx_build.h"
#include "onnx_move.h"

#define MAX_STEPS 1024	/* longer sequences make programs too large to be of use */
#define MAX_GATES 4

struct activation {
	const char *name;
	float alpha, beta;
};

struct recurrent {
	struct onnx_node *n;
	int gates;		/* 1: RNN, 3: GRU, 4: LSTM */
	int64_t steps, batch, hidden, directions;
	bool batch_first, before_reset, input_forget, backward_first;
	float clip;		/* 0: none */
	struct activation activation[2][3];
	struct ir_value *lengths;	/* [batch][1], or NULL: all steps */

	/* of the direction at hand */
	int d;
	struct ir_value *x;		/* [steps][batch][gates * hidden], with the bias */
	struct ir_value *r;		/* [hidden][gates * hidden] */
	struct ir_value *r_bias;	/* GRU before the reset: [hidden], or NULL */
	struct ir_value *peephole[3];	/* input, output, forget, or NULL */
	struct ir_value *h, *c;		/* [batch][hidden] */
};

static struct ir_value *activated(struct recurrent *r, int which, struct ir_value *v)
{
	const struct activation *a = &r->activation[r->d][which];
	struct ir_map_builder b;
	marg x;

	onnx_map_begin(r->n, &b);
	x = ir_map_input(&b, v);
	if (r->clip > 0.0f) {
		x = ir_map_alu(&b, NCA_ALU_MAX, x, ir_map_float(-r->clip));
		x = ir_map_alu(&b, NCA_ALU_MIN, x, ir_map_float(r->clip));
	}
	if (!strcasecmp(a->name, "Sigmoid")) {
		x = ir_map_func(&b, NCA_FUNC_SIGMOID, x);
	} else if (!strcasecmp(a->name, "Tanh")) {
		x = ir_map_func(&b, NCA_FUNC_TANH, x);
	} else if (!strcasecmp(a->name, "Relu")) {
		x = ir_map_func(&b, NCA_FUNC_RELU, x);
	} else if (!strcasecmp(a->name, "Softplus")) {
		x = ir_map_func(&b, NCA_FUNC_SOFTPLUS, x);
	} else if (!strcasecmp(a->name, "LeakyRelu")) {
		x = ir_map_func_alpha(&b, NCA_FUNC_LRELU, x, a->alpha);
	} else if (!strcasecmp(a->name, "Elu")) {
		x = ir_map_func_alpha(&b, NCA_FUNC_ELU, x, a->alpha);
	} else if (!strcasecmp(a->name, "Affine") || !strcasecmp(a->name, "HardSigmoid")) {
		x = ir_map_alu(&b, NCA_ALU_MUL, x, ir_map_float(a->alpha));
		x = ir_map_alu(&b, NCA_ALU_ADD, x, ir_map_float(a->beta));
		if (a->name[0] == 'H' || a->name[0] == 'h') {
			x = ir_map_alu(&b, NCA_ALU_MAX, x, ir_map_float(0.0f));
			x = ir_map_alu(&b, NCA_ALU_MIN, x, ir_map_float(1.0f));
		}
	} else if (!strcasecmp(a->name, "ScaledTanh")) {
		x = ir_map_alu(&b, NCA_ALU_MUL, x, ir_map_float(a->beta));
		x = ir_map_alu(&b, NCA_ALU_MUL, ir_map_func(&b, NCA_FUNC_TANH, x),
			       ir_map_float(a->alpha));
	} else if (!strcasecmp(a->name, "Softsign")) {
		marg m = ir_map_alu(&b, NCA_ALU_ADD, ir_map_func(&b, NCA_FUNC_ABS, x),
				    ir_map_float(1.0f));

		x = ir_map_alu(&b, NCA_ALU_DIV, x, m);
	} else {
		onnx_node_fail(r->n, "the activation '%.40s' cannot be compiled", a->name);
	}
	return ir_map_end(&b, x, v->type.dtype);
}

static struct ir_value *add(struct recurrent *r, struct ir_value *a, struct ir_value *b)
{
	return b ? build_binary(r->n, NCA_ALU_ADD, a, b) : a;
}

static struct ir_value *mul(struct recurrent *r, struct ir_value *a, struct ir_value *b)
{
	return build_binary(r->n, NCA_ALU_MUL, a, b);
}

static struct ir_value *product(struct recurrent *r, struct ir_value *a, struct ir_value *b)
{
	struct ir_value *in[2] = { a, b };

	return build_op(r->n, IR_MATMUL, 2, in, NULL);
}

/* Gate @k of [batch][gates * hidden] */
static struct ir_value *gate(struct recurrent *r, struct ir_value *v, int k)
{
	return onnx_slice(r->n, v, 1, k * r->hidden, r->hidden, 1);
}

static void rnn_step(struct recurrent *r, struct ir_value *x)
{
	r->h = activated(r, 0, add(r, x, product(r, r->h, r->r)));
}

/* Gates: update, reset, hidden. */
static void gru_step(struct recurrent *r, struct ir_value *x)
{
	struct ir_value *all, *z, *reset, *rh, *h, *keep;

	if (r->before_reset) {
		all = product(r, r->h, r->r);
		rh = add(r, gate(r, all, 2), r->r_bias);
	} else {
		all = product(r, r->h, onnx_slice(r->n, r->r, 1, 0, 2 * r->hidden, 1));
		rh = NULL;
	}
	z = activated(r, 0, add(r, gate(r, x, 0), gate(r, all, 0)));
	reset = activated(r, 0, add(r, gate(r, x, 1), gate(r, all, 1)));
	if (r->before_reset)
		rh = mul(r, reset, rh);
	else
		rh = product(r, mul(r, reset, r->h),
			     onnx_slice(r->n, r->r, 1, 2 * r->hidden, r->hidden, 1));
	h = activated(r, 1, add(r, gate(r, x, 2), rh));
	/* (1 - z) h + z h' = h + z (h' - h) */
	keep = mul(r, z, build_binary(r->n, NCA_ALU_SUB, r->h, h));
	r->h = add(r, h, keep);
}

/* Gates: input, output, forget, cell. */
static void lstm_step(struct recurrent *r, struct ir_value *x)
{
	struct ir_value *all = add(r, x, product(r, r->h, r->r)), *in, *out, *forget, *cell;

	in = gate(r, all, 0);
	if (r->peephole[0])
		in = add(r, in, mul(r, r->c, r->peephole[0]));
	in = activated(r, 0, in);
	if (r->input_forget) {
		forget = build_number(r->n, NCA_ALU_MUL, in, -1.0);
		forget = build_number(r->n, NCA_ALU_ADD, forget, 1.0);
	} else {
		forget = gate(r, all, 2);
		if (r->peephole[2])
			forget = add(r, forget, mul(r, r->c, r->peephole[2]));
		forget = activated(r, 0, forget);
	}
	cell = activated(r, 1, gate(r, all, 3));
	r->c = add(r, mul(r, forget, r->c), mul(r, in, cell));
	out = gate(r, all, 1);
	if (r->peephole[1])
		out = add(r, out, mul(r, r->c, r->peephole[1]));
	out = activated(r, 0, out);
	r->h = mul(r, out, activated(r, 2, r->c));
}

/* Where a sequence has ended, the state stays and the output is zero. */
static struct ir_value *only_inside(struct recurrent *r, int64_t t, struct ir_value *now,
				    struct ir_value *otherwise)
{
	struct ir_map_builder b;
	marg c, x, y;

	if (!r->lengths)
		return now;
	onnx_map_begin(r->n, &b);
	c = ir_map_alu(&b, NCA_ALU_GT, ir_map_input(&b, r->lengths), ir_map_int(t));
	x = ir_map_input(&b, now);
	y = otherwise ? ir_map_input(&b, otherwise) : ir_map_float(0.0f);
	return ir_map_end(&b, ir_map_select(&b, c, x, y), now->type.dtype);
}

/* All steps of one direction; their outputs go to @y by step. */
static void run(struct recurrent *r, bool backward, struct ir_value **y)
{
	int64_t dims[3] = { r->batch, r->gates * r->hidden };

	for (int64_t i = 0; i < r->steps; i++) {
		int64_t t = backward ? r->steps - 1 - i : i;
		struct ir_value *x = onnx_slice(r->n, r->x, 0, t, 1, 1), *h = r->h, *c = r->c;

		x = onnx_reshape(r->n, x, 2, dims);
		if (r->gates == 1)
			rnn_step(r, x);
		else if (r->gates == 3)
			gru_step(r, x);
		else
			lstm_step(r, x);
		y[t] = only_inside(r, t, r->h, NULL);
		r->h = only_inside(r, t, r->h, h);
		if (c)
			r->c = only_inside(r, t, r->c, c);
	}
}

/* Direction @d of an operand, without its dimension. */
static struct ir_value *of_direction(struct recurrent *r, struct ir_value *v, int d, int axis)
{
	int64_t dims[IR_MAX_RANK];
	int rank = 0;

	if (v->type.rank <= axis || v->type.dim[axis] != r->directions)
		onnx_node_fail(r->n, "an operand does not have %" PRId64 " directions", r->directions);
	for (int i = 0; i < v->type.rank; i++)
		if (i != axis)
			dims[rank++] = v->type.dim[i];
	return onnx_reshape(r->n, onnx_slice(r->n, v, axis, d, 1, 1), rank, dims);
}

static struct ir_value *zeros(struct recurrent *r)
{
	int64_t dims[2] = { r->batch, r->hidden };

	return build_floats(r->n, 2, dims, cc_new_n(r->n->g->cc, float,
						    (size_t)(r->batch * r->hidden) + 1));
}

static struct ir_value *initial(struct recurrent *r, size_t slot, int d)
{
	struct ir_value *v = r->n->in[slot];

	return v ? of_direction(r, v, d, r->batch_first ? 1 : 0) : zeros(r);
}

static struct ir_value *transposed(struct onnx_node *n, struct ir_value *v)
{
	static const int64_t perm[2] = { 1, 0 };

	return onnx_transpose(n, v, perm);
}

/* Operand @slot, where the node has it, is [@a][@b], or [@a][@b][@c] if there is a @c. */
static void need_shape(struct recurrent *r, size_t slot, const char *what, int64_t a, int64_t b, int64_t c)
{
	const int64_t want[3] = { a, b, c };
	const struct ir_type *t;
	int rank = c ? 3 : 2;
	bool same;

	if (!r->n->in[slot])
		return;
	t = &r->n->in[slot]->type;
	same = t->rank == rank;
	for (int i = 0; same && i < rank; i++)
		same = t->dim[i] == want[i];
	if (!same)	/* "%.0" of 0 is nothing */
		onnx_node_fail(r->n, "%s must have %d dimensions, %" PRId64 " x %" PRId64 "%s%.0" PRId64,
			       what, rank, a, b, c ? " x " : "", c);
}

/* Input and recurrent biases add up, but for the one a GRU takes before its reset gate. */
static void set_direction(struct recurrent *r, int d, struct ir_value *x)
{
	struct onnx_node *n = r->n;
	int64_t rows = r->gates * r->hidden;
	struct ir_value *w, *bias, *rb;

	r->d = d;
	w = transposed(n, of_direction(r, n->in[1], d, 0));
	r->x = product(r, x, w);
	r->r = transposed(n, of_direction(r, n->in[2], d, 0));
	r->r_bias = NULL;
	if (n->in[3]) {
		bias = of_direction(r, n->in[3], d, 0);
		rb = onnx_slice(n, bias, 0, rows, rows, 1);
		bias = onnx_slice(n, bias, 0, 0, rows, 1);
		if (r->before_reset) {
			int64_t two = 2 * r->hidden;

			r->r_bias = onnx_slice(n, rb, 0, two, r->hidden, 1);
			rb = onnx_slice(n, rb, 0, 0, two, 1);
			{
				int64_t *index = cc_new_n(n->g->cc, int64_t, (size_t)rows);

				for (int64_t i = 0; i < rows; i++)
					index[i] = i < two ? i : -1;
				rb = onnx_take_axis(n, rb, 0, index, rows);
			}
		}
		r->x = add(r, r->x, add(r, bias, rb));
	}
	r->h = initial(r, 5, d);
	r->c = r->gates == 4 ? initial(r, 6, d) : NULL;
	for (int i = 0; i < 3; i++)
		r->peephole[i] = NULL;
	if (r->gates == 4 && n->in[7]) {
		struct ir_value *p = of_direction(r, n->in[7], d, 0);

		for (int i = 0; i < 3; i++)
			r->peephole[i] = onnx_slice(n, p, 0, i * r->hidden, r->hidden, 1);
	}
}

static void read_activations(struct recurrent *r)
{
	static const char *const usual[] = { "Sigmoid", "Tanh", "Tanh" };
	static const struct activation defaults[] = {
		{ "LeakyRelu", 0.01f, 0.0f }, { "Elu", 1.0f, 0.0f },
		{ "HardSigmoid", 0.2f, 0.5f }, { "Affine", 1.0f, 0.0f },
		{ "ScaledTanh", 1.0f, 1.0f },
	};
	int each = r->gates == 1 ? 1 : r->gates == 3 ? 2 : 3;
	size_t num = 0, na = 0, nb = 0, ia = 0, ib = 0;
	const float *alpha = NULL, *beta = NULL;
	const char *const *names = NULL;

	onnx_attr_strings(r->n, "activations", &names, &num);
	onnx_attr_floats(r->n, "activation_alpha", &alpha, &na);
	onnx_attr_floats(r->n, "activation_beta", &beta, &nb);
	if (names && num != (size_t)(each * r->directions))
		onnx_node_fail(r->n, "it has %zu activations instead of %d for each direction", num,
			       each);
	for (int d = 0; d < r->directions; d++)
		for (int i = 0; i < each; i++) {
			struct activation *a = &r->activation[d][i];
			bool known = false;

			a->name = names ? names[d * each + i] : r->gates == 1 ? "Tanh" : usual[i];
			for (size_t k = 0; k < sizeof(defaults) / sizeof(defaults[0]); k++) {
				if (strcasecmp(defaults[k].name, a->name))
					continue;
				known = true;
				a->alpha = defaults[k].alpha;
				a->beta = defaults[k].beta;
			}
			/* Those with parameters take the next ones of the lists. */
			if (known && ia < na)
				a->alpha = alpha[ia++];
			if (known && a->beta != 0.0f && ib < nb)
				a->beta = beta[ib++];
		}
}

static void read_attributes(struct recurrent *r, int gates)
{
	struct onnx_node *n = r->n;
	const char *direction = "forward";
	int64_t hidden = 0, v = 0, rows, states[2];

	onnx_need_inputs(n, 3, gates == 4 ? 8 : 6);
	onnx_attr_string(n, "direction", &direction);
	r->gates = gates;
	r->directions = strcmp(direction, "bidirectional") ? 1 : 2;
	r->backward_first = !strcmp(direction, "reverse");
	if (r->directions == 1 && !r->backward_first && strcmp(direction, "forward"))
		onnx_node_fail(n, "direction '%.40s' is not known", direction);
	if (onnx_attr_int(n, "layout", &v))
		r->batch_first = v != 0;
	v = 0;
	if (gates == 3 && onnx_attr_int(n, "linear_before_reset", &v))
		r->before_reset = v != 0;
	v = 0;
	if (gates == 4 && onnx_attr_int(n, "input_forget", &v))
		r->input_forget = v != 0;
	if (n->opset < 7)
		onnx_attr_int(n, "output_sequence", &v);
	onnx_attr_float(n, "clip", &r->clip);
	if (n->in[0]->type.rank != 3 || n->in[2]->type.rank != 3)
		onnx_node_fail(n, "its input or weight does not have three dimensions");
	r->steps = n->in[0]->type.dim[r->batch_first ? 1 : 0];
	r->batch = n->in[0]->type.dim[r->batch_first ? 0 : 1];
	r->hidden = n->in[2]->type.dim[2];
	if (onnx_attr_int(n, "hidden_size", &hidden) && hidden != r->hidden)
		onnx_node_fail(n, "hidden_size is not that of the weights");
	if (r->steps > MAX_STEPS)
		onnx_node_fail(n, "a sequence of %" PRId64 " steps is longer than %d, which can be "
				  "unrolled", r->steps, MAX_STEPS);
	rows = gates * r->hidden;
	need_shape(r, 1, "W", r->directions, rows, n->in[0]->type.dim[2]);
	need_shape(r, 2, "R", r->directions, rows, r->hidden);
	need_shape(r, 3, "B", r->directions, 2 * rows, 0);
	states[0] = r->batch_first ? r->batch : r->directions;
	states[1] = r->batch_first ? r->directions : r->batch;
	need_shape(r, 5, "initial_h", states[0], states[1], r->hidden);
	if (gates == 4) {
		need_shape(r, 6, "initial_c", states[0], states[1], r->hidden);
		need_shape(r, 7, "P", r->directions, 3 * r->hidden, 0);
	}
	read_activations(r);
}

static struct ir_value *stacked(struct recurrent *r, struct ir_value **v, int num, int rank,
				const int64_t *dims)
{
	const struct ir_attrs rows = { .axis = 0 };
	struct ir_value *all = num > 1 ? build_op(r->n, IR_CONCAT, num, v, &rows) : v[0];

	return onnx_reshape(r->n, all, rank, dims);
}

/* [directions][batch][hidden], or the batch first */
static struct ir_value *last_state(struct recurrent *r, struct ir_value **state)
{
	static const int64_t batch_first[3] = { 1, 0, 2 };
	int64_t dims[3] = { r->directions, r->batch, r->hidden };
	struct ir_value *v = stacked(r, state, (int)r->directions, 3, dims);

	return r->batch_first ? onnx_transpose(r->n, v, batch_first) : v;
}

static struct ir_value *recurrent(struct onnx_node *n, int gates)
{
	static const int64_t swap[3] = { 1, 0, 2 }, batch_first[4] = { 2, 0, 1, 3 };
	struct recurrent r = { .n = n };
	struct ir_value **y, *x, *h[2], *c[2], *all;
	int64_t dims[4];

	read_attributes(&r, gates);
	x = r.batch_first ? onnx_transpose(n, n->in[0], swap) : n->in[0];
	if (n->in[4]) {
		if (ir_type_elements(&n->in[4]->type) != r.batch)
			onnx_node_fail(n, "sequence_lens does not have an element for each sequence");
		dims[0] = r.batch;
		dims[1] = 1;
		r.lengths = onnx_reshape(n, n->in[4], 2, dims);
	}
	y = cc_new_n(n->g->cc, struct ir_value *, (size_t)(r.steps * r.directions));
	for (int d = 0; d < r.directions; d++) {
		struct ir_value **of_d = cc_new_n(n->g->cc, struct ir_value *, (size_t)r.steps);

		set_direction(&r, d, x);
		run(&r, d == 1 || r.backward_first, of_d);
		for (int64_t t = 0; t < r.steps; t++)
			y[t * r.directions + d] = of_d[t];
		h[d] = r.h;
		c[d] = r.c;
	}
	if (n->num_more > 0)
		n->more[0] = last_state(&r, h);
	if (n->num_more > 1 && gates == 4)
		n->more[1] = last_state(&r, c);
	dims[0] = r.steps;
	dims[1] = r.directions;
	dims[2] = r.batch;
	dims[3] = r.hidden;
	all = stacked(&r, y, (int)(r.steps * r.directions), 4, dims);
	return r.batch_first ? onnx_transpose(n, all, batch_first) : all;
}

static struct ir_value *import_rnn(struct onnx_node *n)
{
	return recurrent(n, 1);
}

static struct ir_value *import_gru(struct onnx_node *n)
{
	return recurrent(n, 3);
}

static struct ir_value *import_lstm(struct onnx_node *n)
{
	return recurrent(n, 4);
}

struct ir_value *onnx_import_rnn(struct onnx_node *n)
{
	static const struct onnx_importer table[] = {
		{ "GRU", import_gru },
		{ "LSTM", import_lstm },
		{ "RNN", import_rnn },
	};

	return onnx_import_from(n, table, sizeof(table) / sizeof(table[0]));
}
