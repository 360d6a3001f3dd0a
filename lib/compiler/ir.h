/* SPDX-License-Identifier: MIT */
/*
 * The graph IR: operators on whole tensors in SSA form.
 *
 * A value is defined once: by an operator, as a graph input, or as a constant. Operators stand in a
 * list in an order in which every definition precedes its uses. Each value knows its uses.
 *
 * Operators come in two groups: those the reader creates, which mirror ONNX, and the few that
 * passes turn them into and that the back end lowers (marked "core" in ir_ops.def).
 */
#ifndef IR_H
#define IR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <nca/isa.h>

#include "cc.h"

#define IR_MAX_RANK 8
#define IR_MAX_ELEMENTS ((int64_t)1 << 33)

/*
 * Element types as the model has them. On the device every floating type is what --precision says
 * (only inputs and outputs of the program have the model's width), 64-bit integers are 32-bit ones,
 * a bool is a byte of 0 or 1.
 */
enum ir_dtype {
	IR_DT_NONE,	/* not inferred yet */
	IR_DT_F32,
	IR_DT_F16,
	IR_DT_BF16,
	IR_DT_F64,
	IR_DT_I64,
	IR_DT_I32,
	IR_DT_I16,
	IR_DT_I8,
	IR_DT_U64,
	IR_DT_U32,
	IR_DT_U16,
	IR_DT_U8,
	IR_DT_BOOL,
	IR_NUM_DTYPES,
};

struct ir_type {
	enum ir_dtype dtype;
	int rank;
	int64_t dim[IR_MAX_RANK];
};

/* Constant data: f32 for every floating type, i64 for every integer type and bool. */
union ir_data {
	const float *f32;
	const int64_t *i64;
	const void *any;
};

struct ir_op;
struct ir_use;
struct ir_take;
struct ir_attention;
struct ir_gather;

enum ir_value_kind {
	IR_VALUE_RESULT,
	IR_VALUE_INPUT,
	IR_VALUE_CONST,
};

struct ir_value {
	uint32_t id;
	/* The dimension whose elements are dealt over partitions in SBUF: see ir_value_nchw(). */
	int cdim;
	enum ir_value_kind kind;
	const char *name;	/* the model's name, or NULL */
	struct ir_type type;
	struct ir_op *def;	/* IR_VALUE_RESULT */
	union ir_data data;	/* IR_VALUE_CONST */
	struct ir_use *uses;
	struct ir_value *next;	/* all values of the graph */
};

/* One operand slot; an optional operand that is absent has value NULL. */
struct ir_use {
	struct ir_value *value;
	struct ir_op *op;
	struct ir_use *next, **pprev;	/* on value->uses */
};

enum ir_opcode {
#define IR_OP(id, name, core, dram) IR_##id,
#include "ir_ops.def"
#undef IR_OP
	IR_NUM_OPCODES,
};

struct ir_window {		/* two spatial dimensions; one-dimensional windows have height 1 */
	int64_t kernel[2];
	int64_t stride[2];
	int64_t dilation[2];
	int64_t pad[4];		/* top, left, bottom, right */
	enum { IR_PAD_EXPLICIT, IR_PAD_SAME_UPPER, IR_PAD_SAME_LOWER, IR_PAD_VALID } auto_pad;
	bool ceil_mode;
	bool count_include_pad;
};

struct ir_map;	/* ir_map.h */

struct ir_attrs {
	struct ir_window window;	/* CONV, MAX_POOL, AVG_POOL; PAD: only pad */
	int64_t group;			/* CONV */
	/*
	 * The channels are the last dimension and not the second. CONV: [...,K] times a weight
	 * [M][K] over single pixels; AFFINE, TENSOR_SCALAR: which dimension the vectors run along.
	 */
	bool channels_last;
	bool flat; /* CONV: the image shrinks to one pixel and the result is [N,C] */
	int64_t axis;			/* FLATTEN, SOFTMAX, CONCAT; TRILU: the diagonal */
	bool upper;			/* TRILU */
	const struct ir_take *take;	/* TAKE, see ir_move.h */
	const struct ir_gather *gather;	/* GATHER, SCATTER (alu: what combines, or none) */
	float fill;			/* TAKE of floating-point tensors */
	int64_t fill_int;		/* TAKE of integers */
	bool coerce_2d;			/* SOFTMAX before opset 13 */
	bool allow_zero;		/* RESHAPE */
	enum ir_dtype dtype;		/* RESHAPE: another floating type for the result, or NONE */
	bool trans_a, trans_b;		/* GEMM, MATMUL */
	float alpha, beta;		/* GEMM; ACTIVATE: alpha */
	float epsilon;			/* BATCH_NORM, LAYER_NORM */
	const struct ir_attention *attention;	/* ATTENTION, see ir_attention.h */
	int64_t perm[IR_MAX_RANK];	/* TRANSPOSE */
	/*
	 * CONV has all of these: result = (func(sum + bias) alu imm) alu1 imm1, the residual added to the
	 * sum, or at the end if residual_last.
	 */
	enum nca_func func;		/* ACTIVATE, CONV */
	enum nca_alu alu, alu1;		/* TENSOR_TENSOR: alu; TENSOR_SCALAR: (x alu imm) alu1 imm1 */
	bool residual_last;		/* CONV */
	float imm, imm1;		/* TENSOR_SCALAR; a vector operand stands in for imm */
	bool reverse;			/* TENSOR_SCALAR: imm alu x */
	bool relu;			/* core operators: clamp the result at zero */
	const struct ir_map *map;	/* MAP; REDUCE: of the elements before, or NULL */
	const struct ir_map *post;	/* REDUCE: of the results, or NULL; its only operand is the result */
	uint32_t axes;			/* REDUCE: a bit for each dimension that becomes 1 */
};

#define IR_MIN_SLOTS 6	/* operands that every operator has room for */

/* Operand slots by opcode. */
enum {
	IR_CONV_X = 0, IR_CONV_W, IR_CONV_BIAS, IR_CONV_RESIDUAL,
	IR_GEMM_A = 0, IR_GEMM_B, IR_GEMM_C,
	IR_BN_X = 0, IR_BN_SCALE, IR_BN_SHIFT, IR_BN_MEAN, IR_BN_VAR,
	IR_AFFINE_X = 0, IR_AFFINE_SCALE, IR_AFFINE_SHIFT,
	IR_NORM_X = 0, IR_NORM_SCALE, IR_NORM_SHIFT,
	IR_ATTENTION_Q = 0, IR_ATTENTION_K, IR_ATTENTION_V, IR_ATTENTION_MASK,
	IR_TENSOR_SCALAR_X = 0, IR_TENSOR_SCALAR_VECTOR,
	IR_RESHAPE_X = 0, IR_RESHAPE_SHAPE,
};

struct ir_op {
	enum ir_opcode opcode;
	const char *name;	/* the ONNX node's name, for messages */
	const char *onnx_type;	/* the ONNX operator it came from */
	int num_inputs;
	int max_inputs;		/* slots in @in; never fewer than IR_MIN_SLOTS */
	struct ir_use *in;
	struct ir_value *out;
	struct ir_attrs attr;
	bool repeated;		/* begins, or follows, operators that are repeated for other images */
	bool alike;		/* their weights come in the same transfers each time */
	struct ir_op *prev, *next;
};

struct ir_graph {
	struct cc *cc;
	const char *name;
	struct ir_op *first, *last;
	struct ir_value *values;
	struct ir_value **inputs, **outputs;
	const char **output_names;	/* outputs keep their names even when two share a value */
	size_t num_inputs, num_outputs;
	uint32_t next_id;
};

struct ir_graph *ir_graph_new(struct cc *cc, const char *name);

struct ir_value *ir_input(struct ir_graph *g, const char *name, const struct ir_type *type);
struct ir_value *ir_const_f32(struct ir_graph *g, const char *name, const struct ir_type *type,
			      const float *data);
struct ir_value *ir_const_i64(struct ir_graph *g, const char *name, const struct ir_type *type,
			      const int64_t *data);

/* A new operator with one result, placed before @before (NULL: at the end). */
struct ir_op *ir_op_new(struct ir_graph *g, enum ir_opcode opcode, const char *name, int num_inputs,
			struct ir_value *const *inputs, struct ir_op *before);
void ir_set_input(struct ir_op *op, int slot, struct ir_value *value);
struct ir_value *ir_in(const struct ir_op *op, int slot);	/* NULL if absent */
void ir_replace_all_uses(struct ir_graph *g, struct ir_value *from, struct ir_value *to);
void ir_op_erase(struct ir_graph *g, struct ir_op *op);	/* its result must be unused */

bool ir_is_const(const struct ir_value *v);
bool ir_is_float(enum ir_dtype dtype);
bool ir_is_int(enum ir_dtype dtype);	/* bool included */
int64_t ir_dtype_size(enum ir_dtype dtype);	/* bytes of an element in the host's memory */
bool ir_is_output(const struct ir_graph *g, const struct ir_value *v);
/* The only operator that reads @v, or NULL if there are several, none, or @v is a graph output. */
struct ir_op *ir_single_user(const struct ir_graph *g, const struct ir_value *v);
size_t ir_num_uses(const struct ir_value *v);
/* Give back the memory of large constants that nothing reads any more. */
void ir_discard_unused(struct ir_graph *g);

struct ir_type ir_type_make(enum ir_dtype dtype, int rank, const int64_t *dims);
bool ir_type_equal(const struct ir_type *a, const struct ir_type *b);
int64_t ir_type_elements(const struct ir_type *t);
/*
 * Any rank seen as batch, channels, height, width: what the back end's layouts are made of. c is
 * dimension @cdim; of the others, in their order, the first is n, the last (if there are two) w, and
 * h is the product of those between. cdim is 1, or 0 for a vector, unless a pass has chosen another one.
 */
struct ir_nchw {
	int64_t n, c, h, w;
};
struct ir_nchw ir_value_nchw(const struct ir_value *v);
#define IR_CDIM_DEFAULT (-1)
int ir_value_cdim(const struct ir_value *v);
/* The distance of neighbours along each of them in a row-major tensor, in elements. */
struct ir_nchw ir_value_strides(const struct ir_value *v);
/* The dimension that CONV, AFFINE and TENSOR_SCALAR with a vector take as channels. */
int ir_op_channel(const struct ir_op *op, const struct ir_type *t);

/* NumPy broadcasting; fails the compilation, naming @op, if the shapes do not fit. The element type is
 * that of @a. */
struct ir_type ir_broadcast(struct ir_graph *g, const struct ir_op *op, const struct ir_type *a,
			    const struct ir_type *b);
/* Element strides of @from when it is read in the shape @to; 0 where it is broadcast. */
void ir_broadcast_strides(const struct ir_type *from, const struct ir_type *to, int64_t *stride);

const char *ir_alu_name(enum nca_alu alu);
const char *ir_func_name(enum nca_func func);
const char *ir_opcode_name(enum ir_opcode opcode);
bool ir_opcode_is_core(enum ir_opcode opcode);
bool ir_opcode_makes_dram(enum ir_opcode opcode);	/* its result is made in device memory */
const char *ir_dtype_name(enum ir_dtype dtype);
const char *ir_type_str(const struct ir_type *t, char *buf, size_t size);
/* "node 'conv1' (Conv)", for messages */
const char *ir_op_str(const struct ir_op *op, char *buf, size_t size);

void ir_print(const struct ir_graph *g, FILE *out);

/* Fails the compilation if an invariant does not hold; @after names the pass that ran last. */
void ir_verify(struct ir_graph *g, const char *after);

/* Compute the result type of one operator from its operands, or fail naming the node. */
struct ir_type ir_infer(struct ir_graph *g, const struct ir_op *op);

_Noreturn void ir_unsupported(struct ir_graph *g, const struct ir_op *op, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
