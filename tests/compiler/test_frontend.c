// SPDX-License-Identifier: MIT
/* The reader on good and broken files, and what each pass does to the graph. */
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

#include "frontend.h"
#include "model_builder.h"
#include "npy.h"
#include "pass.h"

#define DIMS(...) ((const int64_t[]) { __VA_ARGS__, 0 })
#define SCALAR ((const int64_t[]) { 0 })
#define INTS(...)                                                                                  \
	(sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)),                              \
		((const int64_t[]){ __VA_ARGS__ })

/* A front end run whose graph stays for inspection. */
struct front {
	struct cc cc;
	struct accelcc_options options;
	const uint8_t *data;
	size_t size;
	struct ir_graph *g;
};

static void run_frontend(struct cc *cc, void *arg)
{
	struct front *f = arg;

	f->g = frontend(cc, f->data, f->size, false, &f->options);
}

static enum accelcc_status front_bytes(struct front *f, const uint8_t *data, size_t size)
{
	f->data = data;
	f->size = size;
	f->g = NULL;
	cc_init(&f->cc, frontend_budget(size));
	return cc_run(&f->cc, run_frontend, f);
}

static enum accelcc_status front_model(struct front *f, struct model *m)
{
	size_t size;
	uint8_t *data = model_pack(m, &size);

	return front_bytes(f, data, size);
}

static struct ir_op *nth(const struct front *f, int n)
{
	struct ir_op *op = f->g->first;

	while (op && n--)
		op = op->next;
	return op;
}

static int count(const struct front *f)
{
	int n = 0;

	while (nth(f, n))
		n++;
	return n;
}

/* conv -> batch norm -> relu, and a second input added before the clamp */
static void build_block(struct model *m)
{
	Onnx__NodeProto *n;

	model_init(m);
	model_input(m, "x", DIMS(1, 2, 6, 6));
	model_input(m, "y", DIMS(1, 3, 6, 6));
	model_floats(m, "w", DIMS(3, 2, 3, 3), -1.0f, 0.1f);
	model_floats(m, "gamma", DIMS(3), 1.0f, 0.5f);
	model_floats(m, "beta", DIMS(3), 0.25f, 0.0f);
	model_floats(m, "mean", DIMS(3), 0.5f, 0.1f);
	model_floats(m, "var", DIMS(3), 4.0f, 0.0f);
	n = model_node(m, "Conv", "conv", "x w", "c");
	model_attr_ints(m, n, "pads", INTS(1, 1, 1, 1));
	model_node(m, "BatchNormalization", "bn", "c gamma beta mean var", "b");
	model_node(m, "Add", "add", "b y", "a");
	model_node(m, "Relu", "relu", "a", "out");
	model_output(m, "out");
}

static void test_fold_and_fuse(void)
{
	struct front f = { 0 };
	struct model m;
	const struct ir_op *conv;
	float scale;

	build_block(&m);
	CU_ASSERT_EQUAL_FATAL(front_model(&f, &m), ACCELCC_OK);
	CU_ASSERT_EQUAL_FATAL(count(&f), 1);
	conv = nth(&f, 0);
	CU_ASSERT_EQUAL(conv->opcode, IR_CONV);
	CU_ASSERT(conv->attr.relu);
	CU_ASSERT_PTR_EQUAL(ir_in(conv, IR_CONV_RESIDUAL), f.g->inputs[1]);
	/* Channel 1: gamma 1.5, variance 4. */
	scale = 1.5f / 2.0f;
	CU_ASSERT_DOUBLE_EQUAL(ir_in(conv, IR_CONV_W)->data.f32[18], (-1.0f + 1.8f) * scale, 1e-5);
	CU_ASSERT_DOUBLE_EQUAL(ir_in(conv, IR_CONV_BIAS)->data.f32[1], 0.25f - 0.6f * scale, 1e-5);
	cc_destroy(&f.cc);
	model_free(&m);
}

static void test_no_fuse(void)
{
	struct front f = { .options = { .no_fuse = true } };
	struct model m;

	build_block(&m);
	CU_ASSERT_EQUAL_FATAL(front_model(&f, &m), ACCELCC_OK);
	CU_ASSERT_EQUAL_FATAL(count(&f), 3);
	CU_ASSERT_EQUAL(nth(&f, 0)->opcode, IR_CONV);
	CU_ASSERT(!nth(&f, 0)->attr.relu);
	CU_ASSERT_EQUAL(nth(&f, 1)->opcode, IR_ADD);
	CU_ASSERT_EQUAL(nth(&f, 2)->opcode, IR_RELU);
	cc_destroy(&f.cc);
	model_free(&m);
}

/* Something that two operators read must not disappear into one of them. */
static void test_no_fuse_if_shared(void)
{
	struct front f = { 0 };
	struct model m;

	build_block(&m);
	model_output(&m, "a");
	model_output(&m, "b");
	CU_ASSERT_EQUAL_FATAL(front_model(&f, &m), ACCELCC_OK);
	CU_ASSERT_EQUAL_FATAL(count(&f), 3);
	CU_ASSERT(!nth(&f, 0)->attr.relu && !ir_in(nth(&f, 0), IR_CONV_RESIDUAL));
	CU_ASSERT(!nth(&f, 1)->attr.relu);
	cc_destroy(&f.cc);
	model_free(&m);
}

static void test_flatten_disappears(void)
{
	struct front f = { 0 };
	struct model m;
	Onnx__NodeProto *n;

	model_init(&m);
	model_input(&m, "x", DIMS(4, 3, 2, 5));
	model_floats(&m, "w", DIMS(7, 30), 0.0f, 1.0f);
	model_floats(&m, "b", DIMS(7), 0.0f, 1.0f);
	model_node(&m, "Flatten", "flat", "x", "f");
	n = model_node(&m, "Gemm", "fc", "f w b", "y");
	model_attr_int(&m, n, "transB", 1);
	model_output(&m, "y");
	CU_ASSERT_EQUAL_FATAL(front_model(&f, &m), ACCELCC_OK);
	CU_ASSERT_EQUAL_FATAL(count(&f), 1);
	CU_ASSERT_EQUAL(nth(&f, 0)->opcode, IR_CONV);
	CU_ASSERT(nth(&f, 0)->attr.flat);
	CU_ASSERT_EQUAL(nth(&f, 0)->attr.window.kernel[0], 2);
	CU_ASSERT_EQUAL(nth(&f, 0)->attr.window.kernel[1], 5);
	CU_ASSERT_EQUAL(nth(&f, 0)->out->type.rank, 2);
	cc_destroy(&f.cc);
	model_free(&m);
}

static void test_constants_fold(void)
{
	struct front f = { 0 };
	struct model m;

	model_init(&m);
	model_input(&m, "x", DIMS(2, 3));
	model_floats(&m, "a", DIMS(3), -1.0f, 1.0f);
	model_floats(&m, "b", DIMS(3), 0.0f, 0.0f);
	model_node(&m, "Add", "add", "a b", "ab");
	model_node(&m, "Relu", "relu", "ab", "r");
	model_node(&m, "Identity", "id", "r", "i");
	model_node(&m, "Add", "use", "x i", "y");
	model_output(&m, "y");
	CU_ASSERT_EQUAL_FATAL(front_model(&f, &m), ACCELCC_OK);
	CU_ASSERT_EQUAL_FATAL(count(&f), 1);
	CU_ASSERT_EQUAL(nth(&f, 0)->opcode, IR_AFFINE);
	CU_ASSERT_EQUAL(ir_in(nth(&f, 0), IR_AFFINE_SHIFT)->data.f32[0], 0.0f);
	CU_ASSERT_EQUAL(ir_in(nth(&f, 0), IR_AFFINE_SHIFT)->data.f32[2], 1.0f);
	cc_destroy(&f.cc);
	model_free(&m);
}

/* Operations with numbers: those that scale and shift go into the convolution, others pair up. */
static void test_scalars(void)
{
	struct front f = { 0 };
	struct model m;
	struct ir_op *op;
	Onnx__AttributeProto *alpha;

	model_init(&m);
	model_input(&m, "x", DIMS(1, 2, 4, 4));
	model_floats(&m, "w", DIMS(2, 2, 1, 1), 1.0f, 0.0f);
	model_floats(&m, "c", DIMS(2, 1, 1), 2.0f, 1.0f);
	model_floats(&m, "low", SCALAR, -1.0f, 0.0f);
	model_floats(&m, "high", SCALAR, 4.0f, 0.0f);
	model_node(&m, "Conv", "conv", "x w", "a");
	model_node(&m, "Mul", "mul", "c a", "b");
	model_node(&m, "Sub", "sub", "low b", "d");
	model_node(&m, "Clip", "clip", "d low high", "e");
	model_node(&m, "Div", "div", "c e", "g");
	alpha = model_attr(&m, model_node(&m, "Elu", "elu", "g", "y"), "alpha");
	alpha->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
	alpha->has_f = 1;
	alpha->f = 0.5f;
	model_output(&m, "y");
	CU_ASSERT_EQUAL_FATAL(front_model(&f, &m), ACCELCC_OK);
	CU_ASSERT_EQUAL_FATAL(count(&f), 3);
	op = nth(&f, 0);
	CU_ASSERT_EQUAL(op->opcode, IR_CONV);
	CU_ASSERT_EQUAL(ir_in(op, IR_CONV_W)->data.f32[2], -3.0f);
	CU_ASSERT_EQUAL(ir_in(op, IR_CONV_BIAS)->data.f32[1], -1.0f);
	CU_ASSERT(op->attr.alu == NCA_ALU_MAX && op->attr.imm == -1.0f);
	CU_ASSERT(op->attr.alu1 == NCA_ALU_MIN && op->attr.imm1 == 4.0f);
	op = nth(&f, 1);
	CU_ASSERT_EQUAL(op->opcode, IR_TENSOR_SCALAR);
	CU_ASSERT(op->attr.alu == NCA_ALU_DIV && op->attr.reverse);
	CU_ASSERT_PTR_NOT_NULL(ir_in(op, IR_TENSOR_SCALAR_VECTOR));
	op = nth(&f, 2);
	CU_ASSERT(op->opcode == IR_ACTIVATE && op->attr.func == NCA_FUNC_ELU);
	CU_ASSERT_EQUAL(op->attr.alpha, 0.5f);
	cc_destroy(&f.cc);
	model_free(&m);
}

/* What follows a convolution becomes part of it, in the order it has. */
static void test_conv_epilogues(void)
{
	struct front f = { 0 };
	struct model m;
	struct ir_op *op;

	model_init(&m);
	model_input(&m, "x", DIMS(1, 2, 4, 4));
	model_input(&m, "r", DIMS(1, 2, 4, 4));
	model_floats(&m, "w", DIMS(2, 2, 1, 1), 1.0f, 0.0f);
	model_floats(&m, "zero", SCALAR, 0.0f, 0.0f);
	model_floats(&m, "six", SCALAR, 6.0f, 0.0f);
	model_node(&m, "Conv", "conv1", "x w", "a");
	model_node(&m, "Clip", "relu6", "a zero six", "b");
	model_node(&m, "Conv", "conv2", "b w", "c");
	model_node(&m, "Tanh", "tanh", "c", "d");
	model_node(&m, "Add", "after", "d r", "e");
	model_node(&m, "Conv", "conv3", "e w", "f");
	model_node(&m, "Add", "before", "f r", "g");
	model_node(&m, "Sigmoid", "sigmoid", "g", "y");
	model_output(&m, "y");
	CU_ASSERT_EQUAL_FATAL(front_model(&f, &m), ACCELCC_OK);
	CU_ASSERT_EQUAL_FATAL(count(&f), 3);
	op = nth(&f, 0);
	CU_ASSERT(op->attr.relu && op->attr.alu == NCA_ALU_MIN && op->attr.imm == 6.0f);
	op = nth(&f, 1);
	CU_ASSERT(op->attr.func == NCA_FUNC_TANH && op->attr.residual_last);
	CU_ASSERT_PTR_NOT_NULL(ir_in(op, IR_CONV_RESIDUAL));
	op = nth(&f, 2);
	CU_ASSERT(op->attr.func == NCA_FUNC_SIGMOID && !op->attr.residual_last);
	CU_ASSERT_PTR_NOT_NULL(ir_in(op, IR_CONV_RESIDUAL));
	cc_destroy(&f.cc);
	model_free(&m);
}

/* Expect status 6 and a message that contains every given piece. */
static void expect_refused(struct model *m, const char *a, const char *b, const char *c)
{
	struct front f = { 0 };

	CU_ASSERT_EQUAL(front_model(&f, m), ACCELCC_BAD_INPUT);
	if (!strstr(f.cc.message, a) || !strstr(f.cc.message, b) || !strstr(f.cc.message, c)) {
		printf("  message: %s\n", f.cc.message);
		CU_FAIL("the message does not say what it should");
	}
	cc_destroy(&f.cc);
	model_free(m);
}

static void one_input(struct model *m)
{
	model_init(m);
	model_input(m, "x", DIMS(1, 4, 8, 8));
}

static void test_refusals(void)
{
	Onnx__NodeProto *n;
	Onnx__TensorProto *t;
	struct model m;

	one_input(&m);
	model_node(&m, "TfIdfVectorizer", "tf", "x x", "y");
	model_output(&m, "y");
	expect_refused(&m, "tf", "TfIdfVectorizer", "cannot be compiled");

	one_input(&m);
	model_floats(&m, "w", DIMS(2, 3, 3, 3), 0, 1);
	model_node(&m, "Conv", "c1", "x w", "y");
	model_output(&m, "y");
	expect_refused(&m, "c1", "Conv", "4 input channels");

	one_input(&m);
	n = model_node(&m, "MaxPool", "p1", "x", "y");
	model_attr_ints(&m, n, "kernel_shape", INTS(2, 2));
	model_attr_int(&m, n, "frobnicate", 1);
	model_output(&m, "y");
	expect_refused(&m, "p1", "MaxPool", "frobnicate");

	one_input(&m);
	n = model_node(&m, "MaxPool", "p1", "x", "y");
	model_attr_int(&m, n, "kernel_shape", 2);
	model_output(&m, "y");
	expect_refused(&m, "p1", "kernel_shape", "type");

	one_input(&m);
	n = model_node(&m, "MaxPool", "p1", "x", "y");
	model_attr_ints(&m, n, "kernel_shape", INTS(0x7fffffffffffffff, 2));
	model_output(&m, "y");
	expect_refused(&m, "p1", "MaxPool", "outside");

	one_input(&m);
	n = model_node(&m, "AveragePool", "p1", "x", "y");
	model_attr_ints(&m, n, "kernel_shape", INTS(2, 2));
	model_attr_ints(&m, n, "strides", INTS(0, 1));
	model_output(&m, "y");
	expect_refused(&m, "p1", "stride", "outside");

	one_input(&m);
	model_node(&m, "Relu", "r", "nothing", "y");
	model_output(&m, "y");
	expect_refused(&m, "r", "nothing", "topological");

	one_input(&m);
	model_node(&m, "Relu", "r", "x", "x");
	model_output(&m, "x");
	expect_refused(&m, "'x'", "twice", "");

	one_input(&m);
	n = model_node(&m, "Relu", "r", "x", "y");
	n->domain = (char *)"com.example";
	model_output(&m, "y");
	expect_refused(&m, "r", "com.example", "");

	one_input(&m);
	t = model_floats(&m, "w", DIMS(4), 0, 1);
	t->dims[0] = 0x7fffffff;
	model_node(&m, "Add", "a", "x w", "y");
	model_output(&m, "y");
	expect_refused(&m, "'w'", "elements", "");

	one_input(&m);
	t = model_floats(&m, "w", DIMS(4), 0, 1);
	t->has_data_location = 1;
	t->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
	model_node(&m, "Add", "a", "x w", "y");
	model_output(&m, "y");
	expect_refused(&m, "'w'", "another file", "");

	one_input(&m);
	t = model_floats(&m, "w", DIMS(4), 0, 1);
	t->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__COMPLEX64;
	model_node(&m, "Add", "a", "x w", "y");
	model_output(&m, "y");
	expect_refused(&m, "'w'", "COMPLEX64", "");

	one_input(&m);
	model_ints(&m, "s", (const int64_t[]) { -1, -1 }, 2);
	model_node(&m, "Reshape", "rs", "x s", "y");
	model_output(&m, "y");
	expect_refused(&m, "rs", "Reshape", "dimension");

	one_input(&m);
	model_ints(&m, "s", (const int64_t[]) { 0x4000000000000000, 4, -1 }, 3);
	model_node(&m, "Reshape", "rs", "x s", "y");
	model_output(&m, "y");
	expect_refused(&m, "rs", "Reshape", "dimension");

	one_input(&m);
	model_floats(&m, "low", DIMS(8), 0.0f, 0.0f);
	model_node(&m, "Clip", "clip", "x low", "y");
	model_output(&m, "y");
	expect_refused(&m, "clip", "Clip", "bounds must be scalars");

	one_input(&m);
	n = model_node(&m, "Cast", "cast", "x", "y");
	model_attr_int(&m, n, "to", 8);
	model_output(&m, "y");
	expect_refused(&m, "cast", "Cast", "STRING");

	one_input(&m);
	model_node(&m, "NonZero", "nz", "x", "y");
	model_output(&m, "y");
	expect_refused(&m, "nz", "NonZero", "depends on the data");

	one_input(&m);
	model_ints(&m, "k", (const int64_t[]) { 0, 9 }, 2);
	model_node(&m, "Gather", "ga", "x k", "y");
	model_output(&m, "y");
	expect_refused(&m, "ga", "Gather", "index 9");

	one_input(&m);
	model_floats(&m, "v", DIMS(5), 0.0f, 0.0f);
	model_node(&m, "Div", "div", "x v", "y");
	model_output(&m, "y");
	expect_refused(&m, "div", "Div", "do not broadcast");

	one_input(&m);
	n = model_node(&m, "Tanh", "th", "x", "y");
	model_attr_int(&m, n, "steep", 1);
	model_output(&m, "y");
	expect_refused(&m, "th", "Tanh", "steep");

	one_input(&m);
	t = model_floats(&m, "w", DIMS(1, 4), 0, 1);
	t->dims[0] = 0;
	t->n_float_data = 0;
	n = model_node(&m, "ReduceSumSquare", "nil", "w", "y");
	model_attr_int(&m, n, "keepdims", 0);
	model_output(&m, "y");
	expect_refused(&m, "nil", "ReduceSumSquare", "no elements");

	one_input(&m);
	model_ints(&m, "t", (const int64_t[]) { 0 }, 1);
	n = model_node(&m, "Cast", "c", "x", "s");
	model_attr_int(&m, n, "to", 6);
	model_node(&m, "NegativeLogLikelihoodLoss", "loss", "s t", "y");
	model_output(&m, "y");
	expect_refused(&m, "loss", "NegativeLogLikelihoodLoss", "floating-point");

	one_input(&m);
	model_node(&m, "Relu", "r", "x", "y");
	expect_refused(&m, "no outputs", "", "");

	one_input(&m);
	model_node(&m, "Relu", "r", "x", "y");
	model_output(&m, "y");
	m.opset.version = 99;
	expect_refused(&m, "opset 99", "", "");

	one_input(&m);
	model_node(&m, "Softmax", "sm", "x", "y");
	model_output(&m, "y");
	m.proto.graph = NULL;
	expect_refused(&m, "no graph", "", "");
}

static void test_symbolic_dimension(void)
{
	const struct accelcc_dim dim = { "n", 5 };
	struct front f = { 0 };
	struct model m;

	model_init(&m);
	model_input(&m, "x", DIMS(-1, 4));
	model_node(&m, "Relu", "r", "x", "y");
	model_output(&m, "y");
	CU_ASSERT_EQUAL(front_model(&f, &m), ACCELCC_BAD_INPUT);
	CU_ASSERT_PTR_NOT_NULL(strstr(f.cc.message, "--dim n="));
	cc_destroy(&f.cc);
	f.options.dims = &dim;
	f.options.num_dims = 1;
	CU_ASSERT_EQUAL_FATAL(front_model(&f, &m), ACCELCC_OK);
	CU_ASSERT_EQUAL(f.g->inputs[0]->type.dim[0], 5);
	cc_destroy(&f.cc);
	model_free(&m);
}

/* Truncated and damaged files: an answer, never a crash. */
static void test_damaged_files(void)
{
	size_t size, at;
	uint8_t *data = read_whole_file("tests/digits/digits.onnx", &size), *copy;
	struct accelcc_options o = { .size = sizeof(o) };
	struct accelcc_result r;
	unsigned int state = 1;

	CU_ASSERT_PTR_NOT_NULL_FATAL(data);
	for (at = 0; at < size; at += 1 + size / 150) {
		/* A copy of the exact size, so that a sanitizer sees reads past the end. */
		copy = malloc(at + 1);
		memcpy(copy, data, at);
		CU_ASSERT_EQUAL(accelcc_compile(copy, at, &o, &r), ACCELCC_BAD_INPUT);
		CU_ASSERT(strlen(r.message) > 10);
		accelcc_result_free(&r);
		free(copy);
	}
	for (int i = 0; i < 150; i++) {
		copy = malloc(size);
		memcpy(copy, data, size);
		for (int k = 0; k < 4; k++) {
			state = state * 1103515245 + 12345;
			copy[(state >> 8) % (i < 100 ? 2000 : size)] ^=
				(uint8_t)(1u << (state >> 4 & 7));
		}
		accelcc_compile(copy, size, &o, &r);
		CU_ASSERT(r.status == ACCELCC_OK || r.status == ACCELCC_BAD_INPUT);
		accelcc_result_free(&r);
		free(copy);
	}
	free(data);
}

/* Messages nested in messages, deep enough to overflow the stack of a recursive parser. */
static void test_deep_nesting(void)
{
	static const uint8_t none[1];
	size_t depth = 30000, n = 0;
	uint8_t *buf = calloc(1, 16 * depth), *start = buf + 16 * depth;
	struct accelcc_options o = { .size = sizeof(o) };
	struct accelcc_result r;

	/* Written backwards: graph.node.attribute.g.node.attribute.g ... */
	for (size_t i = 0; i < depth; i++) {
		static const uint8_t tags[3] = { 0x0a, 0x2a, 0x32 };
		size_t len = n;
		uint8_t var[10];
		int k = 0;

		do {
			var[k++] = (uint8_t)((len & 0x7f) | (len > 0x7f ? 0x80 : 0));
			len >>= 7;
		} while (len);
		start -= k + 1;
		start[0] = i + 1 == depth ? 0x3a : tags[i % 3];
		memcpy(start + 1, var, (size_t)k);
		n += (size_t)k + 1;
	}
	CU_ASSERT_EQUAL(accelcc_compile(start, n, &o, &r), ACCELCC_BAD_INPUT);
	CU_ASSERT_EQUAL(accelcc_compile(none, 0, &o, &r), ACCELCC_BAD_INPUT);
	free(buf);
}

struct broken {
	void (*damage)(struct ir_graph *g);
};

static void verify_damaged(struct cc *cc, void *arg)
{
	struct ir_graph *g = ir_graph_new(cc, "broken");
	struct ir_type t = { .dtype = IR_DT_F32, .rank = 2, .dim = { 2, 2 } };
	struct ir_value *x = ir_input(g, "x", &t);
	struct ir_op *a = ir_op_new(g, IR_RELU, "a", 1, &x, NULL);
	struct ir_op *b;
	const struct broken *broken = arg;

	a->out->type = t;
	b = ir_op_new(g, IR_RELU, "b", 1, &a->out, NULL);
	b->out->type = t;
	g->outputs = &b->out;
	g->num_outputs = 1;
	ir_verify(g, "building");
	broken->damage(g);
	ir_verify(g, "damage");
}

static void wrong_order(struct ir_graph *g)
{
	ir_set_input(g->first, 0, g->last->out);
}

static void wrong_type(struct ir_graph *g)
{
	g->last->out->type.dim[0] = 3;
}

static void wrong_use(struct ir_graph *g)
{
	g->last->in[0].value = g->last->out;
}

/* A row alone is larger than SBUF: how much it would take, and how much there is. */
static void test_too_wide(void)
{
	struct accelcc_options o = { .size = sizeof(o), .target = "nca1" };
	struct accelcc_result r;
	struct model m;
	uint8_t *data;
	size_t size;
	unsigned long long needed = 0;
	const char *at;

	model_init(&m);
	model_input(&m, "x", (const int64_t[]) { 1, 4, 3, 60000, 0 });
	model_floats(&m, "w", (const int64_t[]) { 4, 4, 3, 3, 0 }, 0.0f, 0.01f);
	model_node(&m, "Conv", "wide", "x w", "a");
	model_node(&m, "Relu", "r", "a", "y");
	model_output(&m, "y");
	data = model_pack(&m, &size);
	CU_ASSERT_EQUAL(accelcc_compile(data, size, &o, &r), ACCELCC_BAD_INPUT);
	CU_ASSERT_PTR_NOT_NULL(strstr(r.message, "'wide (Conv"));
	at = strstr(r.message, "needs ");
	CU_ASSERT_PTR_NOT_NULL_FATAL(at);
	CU_ASSERT_EQUAL(sscanf(at, "needs %llu KiB per partition, and nca1 has 96 KiB", &needed), 1);
	CU_ASSERT(needed > 60000 * 4 / 1024 && needed < 2000);
	accelcc_result_free(&r);
	model_free(&m);
}

static void nothing(struct ir_graph *g)
{
	(void)g;
}

static void test_verifier(void)
{
	static const struct {
		struct broken broken;
		enum accelcc_status want;
	} cases[] = {
		{ { nothing }, ACCELCC_OK },
		{ { wrong_order }, ACCELCC_FAILED },
		{ { wrong_type }, ACCELCC_FAILED },
		{ { wrong_use }, ACCELCC_FAILED },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cc cc;

		cc_init(&cc, 1 << 20);
		CU_ASSERT_EQUAL(cc_run(&cc, verify_damaged, (void *)(uintptr_t)&cases[i].broken),
				cases[i].want);
		cc_destroy(&cc);
	}
}

static void test_printer(void)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct front f = { .options = { .print_ir = out, .print_after = "remove-dead" } };
	struct model m;

	build_block(&m);
	CU_ASSERT_EQUAL(front_model(&f, &m), ACCELCC_OK);
	fclose(out);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "after remove-dead"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "conv(%"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "pad=1,1,1,1 relu : f32[1,3,6,6]"));
	CU_ASSERT_PTR_NULL(strstr(text, "batch_norm"));
	free(text);
	cc_destroy(&f.cc);
	model_free(&m);
}

int main(void)
{
	static const struct {
		const char *name;
		CU_TestFunc fn;
	} tests[] = {
		{ "batch norm folds, addition and clamp fuse", test_fold_and_fuse },
		{ "--no-fuse keeps them", test_no_fuse },
		{ "shared results are not fused away", test_no_fuse_if_shared },
		{ "flatten before a product disappears", test_flatten_disappears },
		{ "constants fold", test_constants_fold },
		{ "operations with numbers", test_scalars },
		{ "what follows a convolution becomes part of it", test_conv_epilogues },
		{ "what cannot be compiled is named", test_refusals },
		{ "what does not fit says by how much", test_too_wide },
		{ "symbolic dimensions", test_symbolic_dimension },
		{ "damaged files", test_damaged_files },
		{ "deep nesting", test_deep_nesting },
		{ "verifier", test_verifier },
		{ "printer", test_printer },
	};
	CU_pSuite suite;
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	suite = CU_add_suite("compiler front end", NULL, NULL);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		CU_add_test(suite, tests[i].name, tests[i].fn);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures ? 1 : 0;
}
